"""Unusual files: what is wrong with their rows, columns or signs is reported, and nothing is guessed."""

import json

import ibis
import pandas as pd
import pytest

from crmlib.data.cleaning.reading import read_number, read_text
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.guessing.table import guess_table
from crmlib.errors import DataError
from tests.data.test_guess import columns, look
from tests.data.test_guess_content import asked, day, log, money, who


def question(guess, entry):
    """The text of the one question about an entry."""
    assert asked(guess) == [entry]
    return guess.undecided[0].text


def late(i):
    return f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}"


# --- amounts ---


@pytest.mark.parametrize("sides", [("Debit", "Credit"), ("Paid in", "Paid out")])
def test_an_amount_in_one_of_two_columns_is_not_guessed(tmp_path, sides):
    one, other = (lambda i: money(i) if i % 6 else "0.00"), (lambda i: "0.00" if i % 6 else money(i))
    text = log(f"customer_id,date,{','.join(sides)}", (who, day, one, other))
    assert "the two sides of an account" in question(look(tmp_path, text), "columns.amount")
    assert not look(tmp_path, text, **{"columns.amount": sides[0]}).questions
    signed = log(
        f"customer_id,date,amount,{','.join(sides)}",
        (who, day, lambda i: money(i) if i % 6 else f"-{money(i)}", one, other),
    )
    assert not look(tmp_path, signed).questions


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (lambda i: f"{'-' * (i % 4 > 0)}{money(i)}", "45 of 60 amounts below zero, which is money back"),
        (lambda i: 0, "nothing but zero"),
        (lambda i: "#VALUE!" if i % 9 == 0 else money(i), "such as '#VALUE!': an error of a spreadsheet"),
        (lambda i: "" if i % 2 else money(i), "is empty in 50 % of the rows"),
    ],
)
def test_implausible_amounts_are_asked_about(tmp_path, amount, expected):
    text = log("customer_id,date,amount", (who, day, amount))
    assert expected in question(look(tmp_path, text), "columns.amount")
    assert not look(tmp_path, text, **{"columns.amount": "amount"}).questions


def test_a_discount_that_is_not_subtracted_is_asked_about(tmp_path):
    text = log(
        "customer_id,date,quantity,unit_price,discount %", (who, day, lambda i: 1 + i // 7 % 3, money, 10)
    )
    assert "'discount %' would not be taken off" in question(look(tmp_path, text), "columns.amount")
    assert not look(tmp_path, text, **{"columns.amount": "none"}).questions


def test_an_empty_column_of_the_name_is_not_taken_for_the_amount(tmp_path):
    text = log("customer_id,date,quantity,unit_price,amount", (who, day, lambda i: 1 + i // 7 % 3, money, ""))
    guess = look(tmp_path, text)
    assert not guess.questions
    assert columns(guess)["amount"] == "none"


def test_amounts_in_two_currencies_are_asked_about(tmp_path):
    text = log("customer_id,date,Amount EUR,Amount USD", (who, day, money, money))
    assert "two currencies" in question(look(tmp_path, text), "columns.amount")
    assert not look(tmp_path, text.replace("USD", "paid")).questions


def test_numbers_and_ids_are_read_without_what_programs_add_to_them():
    written = ibis.memtable(pd.DataFrame({"text": ["'12.50", "1.250000E+01", "\u200bK7", "K7\ufeff"]}))
    assert read_number(written.text).to_pandas().tolist()[:2] == [12.5, 12.5]
    assert read_text(written.text).to_pandas().tolist()[2:] == ["K7", "K7"]


# --- rows and columns ---


@pytest.mark.parametrize("parts", [("year", "month", "day"), ("Jahr", "KW")])
def test_a_date_in_several_columns_is_no_date(tmp_path, parts):
    numbers = [lambda i: 2024, lambda i: 1 + i % 12, lambda i: 1 + i % 28][: len(parts)]
    text = log(f"customer_id,{','.join(parts)},amount", (who, *numbers, money))
    asked = question(look(tmp_path, text), "columns.date")
    assert all(f"in {part!r}" in asked for part in parts)
    dated = log(f"customer_id,date,{','.join(parts)},amount", (who, day, *numbers, money))
    assert columns(look(tmp_path, dated))["date"] == "date"


def test_total_rows_are_reported(tmp_path):
    rows = [f"{who(i)},{late(i)},10" for i in range(140)]
    sums = [f"Total 2024-0{month},2024-0{month}-28,280" for month in range(1, 6)]
    text = "customer_id,date,amount\n" + "\n".join([*rows, *sums])
    assert "5 rows are called a total, such as 'Total 2024-01'" in question(
        look(tmp_path, text), "columns.customer_id"
    )
    assert not look(tmp_path, text.replace(",280", ",28")).questions  # customers may be called so
    aside = "\n".join(f"Subtotal,2024-0{month},280" for month in range(1, 10))
    assert not look(tmp_path, "\n".join(["customer_id,date,amount", *rows, aside])).questions


def test_ids_on_the_first_row_of_a_group_alone_are_asked_about(tmp_path):
    text = log("customer_id,date,amount", (lambda i: who(i) if i % 5 == 0 else "", day, money))
    assert "is empty in 80 % of the rows" in question(look(tmp_path, text), "columns.customer_id")
    assert not look(tmp_path, text, **{"columns.customer_id": "customer_id"}).questions


def test_lines_that_do_not_match_the_header_are_reported(tmp_path):
    text = log("customer_id,date,amount", (who, day, lambda i: "1,234.50"))
    with pytest.raises(
        DataError, match="60 of 60 lines cannot be split .* such as line 10, 4 fields instead of 3"
    ):
        look(tmp_path, text)


def test_two_customer_columns_are_asked_about(tmp_path):
    text = log("Bill-to customer,Ship-to customer,date,amount", (who, lambda i: f"s{i % 4}", day, money))
    assert "may both be the customer" in question(look(tmp_path, text), "columns.customer_id")
    assert not look(tmp_path, text.replace("Ship-to customer", "city")).questions


def test_months_as_columns_are_no_log(tmp_path):
    text = log("customer_id,2024-01,2024-02,2024-03", (who, money, money, money))
    guess = look(tmp_path, text)
    assert "named like days or months; turn the table" in next(
        one.text for one in guess.undecided if one.entry == "columns.date"
    )


def test_a_file_without_a_header_says_so(tmp_path):
    with pytest.raises(DataError, match="the first line looks like data"):
        look(tmp_path, log("c001,2024-01-05,12.50", (who, day, money)))


@pytest.mark.parametrize(
    ("above", "line"),
    [("Report:,Sales\nPeriod:,2024\n\n", 4), ("Customer,Purchase,\n", 2), ("Sales,,\n,,\n", 3)],
)
def test_a_header_below_other_lines_is_found(tmp_path, above, line):
    text = log("customer_id,date,amount", (who, day, money))
    with pytest.raises(DataError, match=f"the column names are in line {line}"):
        look(tmp_path, above + text)


def test_a_last_column_without_a_name_is_one(tmp_path):
    text = log("customer_id,date,amount,", (who, day, money, "note"))
    assert columns(look(tmp_path, text))["amount"] == "amount"
    assert not look(tmp_path, text.replace("note", "")).questions


def test_objects_within_json_are_no_ids_and_no_amounts(tmp_path):
    rows = [
        {"customer": {"id": who(i)}, "date": day(i), "total": {"value": 5, "currency": "EUR"}}
        for i in range(9)
    ]
    (tmp_path / "log.json").write_text(json.dumps(rows))
    guess = guess_table(TRANSACTIONS, tmp_path / "log.json")
    assert asked(guess) == ["columns.customer_id", "columns.amount"]
    assert all("it holds several values in a cell" in one.text for one in guess.undecided)


@pytest.mark.parametrize(
    "names",
    [
        "N° client;Date de commande;Montant TTC",
        "Código do cliente;Data da compra;Valor total",
        "Kundenr;Dato;Beløb",
    ],
)
def test_names_of_columns_in_other_languages(tmp_path, names):
    text = log(names, (who, day, money)).replace(",", ";")
    guess = look(tmp_path, text)
    assert not guess.questions
    assert ";".join(columns(guess).values()) == names


# --- dates ---


def test_years_of_two_digits_in_front_are_asked_about(tmp_path):
    text = log("customer_id,date,amount", (who, lambda i: late(i)[2:], money))
    guess = look(tmp_path, text)
    assert "the year may stand in front (%y-%m-%d)" in question(guess, "date_format")
    assert guess.undecided[0].answers == ("%y-%m-%d", "%d-%m-%y")
    behind = log(
        "customer_id,date,amount", (who, lambda i: "-".join(late(i)[2:].split("-")[::-1]), money), 130
    )
    assert look(tmp_path, behind).values["date_format"] == ("%d-%m-%y",)


def test_many_impossible_dates_are_asked_about(tmp_path):
    text = log("customer_id,date,amount", (who, lambda i: "9999-12-31" if i % 12 == 0 else late(i), money))
    asked = question(look(tmp_path, text), "date_format")
    assert "5 of 60 dates cannot be read, such as '9999-12-31'; empty what is no date" in asked
    weeks = log("customer_id,date,amount", (who, lambda i: f"2024-W{1 + i % 52:02d}", money))
    assert "months, weeks or quarters" in question(look(tmp_path, weeks), "columns.date")
    german = log("customer_id,date,amount", (who, lambda i: f"{1 + i % 28}. März 2024", money))
    assert "of months the English names are read" in question(look(tmp_path, german), "columns.date")


@pytest.mark.parametrize("kind", ["text", "moment"])
def test_midnight_in_another_time_zone_is_asked_about(tmp_path, kind):
    days = pd.to_datetime([late(i) for i in range(168)])
    for zone, entries in (("Europe/Berlin", ["timezone"]), ("America/New_York", [])):
        moments = days.tz_localize(zone).tz_convert("UTC")
        date = moments.strftime("%Y-%m-%dT%H:%M:%SZ") if kind == "text" else moments
        frame = pd.DataFrame({"customer_id": [who(i) for i in range(168)], "date": date, "amount": 9.5})
        frame.to_parquet(tmp_path / "log.parquet")
        guess = guess_table(TRANSACTIONS, tmp_path / "log.parquet")
        assert asked(guess) == entries
        assert not guess_table(TRANSACTIONS, tmp_path / "log.parquet", given={"timezone": zone}).questions
