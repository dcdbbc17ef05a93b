"""Unusual files: what is wrong with their rows, columns or signs is reported, and nothing is guessed."""

import json

import ibis
import pandas as pd
import pytest

from crmlib.data.cleaning.reading import read_number, read_text
from crmlib.data.contracts import CONTRACTS, TRANSACTIONS
from crmlib.data.guessing.table import guess_table
from crmlib.errors import DataError
from tests.data.test_guess import columns, evidence, look
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


def test_pieces_beside_whole_money_are_no_amount(tmp_path):
    text = log(
        "CUSTOMER_ID,date,AMOUNT,SALES_PRICE", (who, day, lambda i: 1 + i % 3, lambda i: 40 + i * 7 % 90)
    )
    guess = look(tmp_path, text)
    assert "may count pieces; 'SALES_PRICE' holds larger ones" in question(guess, "columns.amount")
    assert guess.undecided[0].answers == ("SALES_PRICE", "AMOUNT")


@pytest.mark.parametrize(
    ("amount", "currency", "asks"),
    [
        (lambda i: 1099 + i * 37, "usd", True),
        (lambda i: 1099 + i * 37, "JPY", False),
        (lambda i: 1099 + i * 37, "", False),
        (lambda i: f"$1,{100 + i},099", "USD", False),
        (lambda i: 1000 + i * 100, "EUR", False),
        (lambda i: 20 + i, "EUR", False),
    ],
)
def test_whole_numbers_that_may_be_cents_are_asked_about(tmp_path, amount, currency, asks):
    write = lambda i: f'"{amount(i)}"'  # noqa: E731
    text = log("customer,created,amount,currency", (who, day, write, currency))
    assert asked(look(tmp_path, text)) == ["amount_unit"] * asks
    assert not look(tmp_path, text, amount_unit="cents").questions


@pytest.mark.parametrize("date", ["day", "moment"])
def test_totals_of_orders_that_nothing_names_are_asked_about(tmp_path, date):
    """Each order has three lines with its total; rows that are equal throughout are repeats, and another matter."""
    when = lambda i: late(i // 3 % 100) + (" 10:30" if date == "moment" else "")  # noqa: E731
    rows = (lambda i: who(i // 3), when, lambda i: money(i // 3), lambda i: f"p{i % 3}")
    text = log("customer_id,date,Order Total,sku,slip", (*rows, lambda i: f"S{i // 3}"), 90)
    guess = look(tmp_path, text)
    assert "may be the total of an order" in question(guess, "columns.order_id")
    assert guess.undecided[0].answers == ("slip", "none")
    answered = look(tmp_path, text, **{"columns.order_id": "slip"})
    assert not answered.questions
    assert answered.values["policies.amount_is"] == "order_total"
    assert not look(tmp_path, text, **{"columns.order_id": "none"}).questions
    own = log("customer_id,date,Order Total,sku,slip", (*rows[:2], money, rows[3], "S"), 90)
    assert not look(tmp_path, own).questions


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


def test_lines_of_an_order_without_money_may_lack_what_its_first_line_says(tmp_path):
    first = lambda one: lambda i: one(i) if i % 3 == 0 else ""  # noqa: E731
    names = "order_id,email,created_at,total,sku"
    rows = (lambda i: f"o{i // 3}", first(who), first(day), first(money), lambda i: f"p{i}")
    guess = look(tmp_path, log(names, rows))
    assert not guess.questions
    assert guess.values["policies.amount_is"] == "order_total"
    lost = look(tmp_path, log(names, (*rows[:3], money, rows[4])))
    assert {"columns.customer_id", "columns.date"} <= {*asked(lost)}


def test_days_and_money_are_no_order_numbers(tmp_path):
    """Their names hold "invoice" and "order"; an order's own number may look like a day."""
    text = log(
        "customer_id,Order Date,Invoice Date,Totale Ordine €", (who, day, late, lambda i: f'"{i % 9},50"')
    )
    guess = look(tmp_path, text)
    assert not guess.questions
    assert columns(guess) == {"customer_id": "customer_id", "date": "Order Date", "amount": "Totale Ordine €"}
    numbered = log("customer_id,date,amount,order_no", (who, day, money, lambda i: 20240101 + i // 2 % 28))
    assert columns(look(tmp_path, numbered))["order_id"] == "order_no"


def test_a_list_price_is_not_what_was_paid(tmp_path):
    text = log("customer_id,date,quantity,list_price", (who, day, lambda i: 1 + i // 7 % 3, money))
    assert "may be the amount by its content" in question(look(tmp_path, text), "columns.amount")


def test_what_is_to_be_done_where_no_column_fits(tmp_path):
    events = log("user_id,date,product,price", (who, day, lambda i: f"p{i % 9}", money))
    asks = question(look(tmp_path, events), "columns.amount")
    assert "answer price if each row is one piece at this price" in asks
    orders = log("user_id,date,order_no", (who, day, lambda i: f"o{i}"))
    assert "if none does, add it to the file, or join the file that has it" in question(
        look(tmp_path, orders), "columns.amount"
    )
    eastern = log("user_id,date,amount", (who, day, lambda i: "１２"))
    asks = question(look(tmp_path, eastern), "columns.amount")
    assert "60 values cannot be read, such as '１２': other digits than 0 to 9" in asks


def test_questions_name_nothing_but_columns_of_the_file(tmp_path):
    (tmp_path / "spend.csv").write_text(log("Reporting ends,Amount spent (EUR)", (late, money)))
    guess = guess_table(CONTRACTS["marketing_spend"], tmp_path / "spend.csv")
    assert "columns.channel" in asked(guess)
    assert not any("crmlib" in one.text for one in guess.undecided)


def test_an_id_of_many_is_asked_about(tmp_path):
    text = log("customer_id,date,amount", (lambda i: 0 if i % 3 == 0 else f"c{i % 100}", day, money), 180)
    guess = look(tmp_path, text)
    asks = question(guess, "policies.missing_ids")
    assert "'0' in 'customer_id' has 60 purchases, 33 % of all" in asks
    out, kept = (look(tmp_path, text, **{"policies.missing_ids": answer}) for answer in ("set aside", "keep"))
    assert not out.questions
    assert out.values["policies.missing_ids"][-1] == "0"
    assert "policies.missing_ids" not in kept.values
    assert not kept.questions


@pytest.mark.parametrize(
    ("name", "yes", "no"), [("is_cancel", 1, 0), ("Cancelled?", "Yes", ""), ("test", "True", "False")]
)
def test_a_flag_of_rows_that_are_no_sale_is_asked_about(tmp_path, name, yes, no):
    text = log(f"customer_id,date,amount,{name}", (who, day, money, lambda i: no if i % 6 else yes))
    assert f"{name!r} holds {str(yes).lower()}" in question(look(tmp_path, text), "columns.status")
    guess = look(tmp_path, text, **{"columns.status": name})
    assert not guess.questions
    assert f"{str(yes).lower()} (10) set aside" in evidence(guess, "policies.excluded_statuses")


@pytest.mark.parametrize(
    ("name", "word", "entry"),
    [
        ("Document Type", "Credit Memo", "policies.return_words"),
        ("Type", "Sales credit note", "policies.return_words"),
        ("Belegart", "Gutschrift (Kunde)", "policies.return_words"),
        ("status", "order_refunded", "policies.excluded_statuses"),
        ("status", "order-returned", "policies.excluded_statuses"),
    ],
)
def test_words_of_money_back_are_found_within_longer_ones(tmp_path, name, word, entry):
    text = log(f"customer_id,date,amount,{name}", (who, day, money, lambda i: "Sale" if i % 6 else word))
    guess = look(tmp_path, text)
    assert f"{word.lower()} (10 rows)" in question(guess, entry)
    assert not look(tmp_path, text, **{entry: "set aside" if name == "status" else word.lower()}).questions


def test_all_words_of_money_back_count_with_the_one_that_was_named(tmp_path):
    words = ["Sales invoice", "Sales credit note", "Sales return", "Sales invoice"]
    text = log("customer_id,date,amount,type", (who, day, money, lambda i: words[i % 4]))
    guess = look(tmp_path, text, **{"policies.return_words": "sales return"})
    assert guess.values["policies.return_words"] == ("sales credit note", "sales return")


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
    for first in ("c001,2024-01-05,12.50", "c001,Skyrim,12.50", "151603712,Skyrim,play"):
        with pytest.raises(DataError, match="the first line looks like data"):
            look(tmp_path, log(first, (who, day, money)))
    fixed = " 00001 19970101  1   11.77\n 00002 19970112  5   77.00\n"
    with pytest.raises(DataError, match="stand apart by blanks, .* text of fixed width, write their names"):
        look(tmp_path, fixed, name="master.txt")


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
        "Donor ID;Gift Date;Gift Amt",
        "Код клиента;Дата заказа;Сумма",
        "顧客ID;注文日;金額",
        "客户编号;下单时间;实付金额",
        "고객번호;주문일자;결제금액",
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


@pytest.mark.parametrize(
    "form",
    [
        *("%d%b%Y", "%d%b%Y:%H:%M:%S", "%m/%d/%Y, %I:%M:%S %p", "%d.%m.%Y, %H:%M", "%b %d %Y %I:%M%p"),
        *("%Y年%m月%d日", "%Y年%m月%d日 %H:%M", "%Y%m%dT%H%M%S"),
    ],
)
def test_dates_as_programs_write_them(tmp_path, form):
    def written(i):
        return f'"{pd.Timestamp(f"{late(i)} 13:45").strftime(form)}"'

    guess = look(tmp_path, log("customer_id,date,amount", (who, written, money), 120))
    assert not guess.questions
    assert guess.values["date_format"] == (form,)


@pytest.mark.parametrize("text", ["2024-01", "2024-W05", "202401", "Q1 2024", "01/2024", "Jan-24"])
def test_periods_are_asked_about_under_any_name(tmp_path, text):
    guess = look(tmp_path, log("customer_id,period,amount", (who, text, money)))
    asks = question(guess, "columns.date")
    assert f"such as '{text}'; if they are months, weeks or quarters, write the first day of each" in asks


def test_a_format_that_was_named_has_to_read_the_dates(tmp_path):
    """As in files of which a spreadsheet has written some dates anew: one answer is not all of it."""
    text = log(
        "customer_id,date,amount", (who, lambda i: f"1/{13 + i % 9}/2024" if i % 2 else "05-02-2024", money)
    )
    guess = look(tmp_path, text)
    assert guess.undecided[0].answers == ("%d-%m-%Y", "%m-%d-%Y")
    half = look(tmp_path, text, date_format=("%d-%m-%Y",))
    assert "by %d-%m-%Y, 30 of 60 dates cannot be read, such as '1/13/2024'" in question(half, "date_format")
    assert not look(tmp_path, text, date_format=("%d-%m-%Y", "%m/%d/%Y")).questions
    assert not look(tmp_path, text, date_format=("%d-%m-%Y",), **{"columns.date": "date"}).questions


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
