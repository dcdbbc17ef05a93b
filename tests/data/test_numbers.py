"""Numbers with signs, currencies and units: read as they are meant, or not read, with the cause."""

import random
import re

import ibis
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlib as crm
from crmlib.cli import main
from crmlib.data.cleaning.reading import IS_NUMBER, parse_number, why_unreadable
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.currencies import CODES, codes_of, pattern_of
from crmlib.data.guessing.table import guess_table
from crmlib.errors import DataError


def read(texts, decimal="."):
    table = ibis.memtable(pd.DataFrame({"text": list(texts)}))
    found = table.select(number=parse_number(table.text, decimal)).to_pandas()["number"]
    return [None if pd.isna(one) else one for one in found]


def grouped(whole, separator, indian):
    """The digits of a whole number in groups, counted from the end."""
    head, groups, size = whole, [], 3
    while len(head) > size:
        groups.insert(0, head[-size:])
        head, size = head[:-size], 2 if indian else 3
    return separator.join([head, *groups])


@st.composite
def styled(draw, decimal):
    """A number as some firm writes it, and the number."""
    whole, cents = str(draw(st.integers(0, 10**9))), draw(st.sampled_from(["", "0", "5", "25", "00", "125"]))
    separator = draw(st.sampled_from(["", "," if decimal == "." else ".", "'", "’", " ", "\u00a0", "\u202f"]))
    indian = separator == "," and draw(st.booleans())
    digits = grouped(whole, separator, indian) + (decimal + cents if cents else "")
    factor, power = draw(
        st.sampled_from(
            [("", 0), ("K", 3), ("k", 3), (" Tsd.", 3), ("M", 6), (" Mio.", 6), (" mn", 6), (" lakh", 5)]
        )
    )
    blank = draw(st.sampled_from(["", " ", "\u00a0"]))
    currency = draw(
        st.sampled_from(["", "€", "$", "EUR", "USD", "CHF", "kr", "kr.", "zł", "Kč", "R$", "Rs.", "ZMW"])
    )
    minus = draw(st.sampled_from(["-", "−", "–"]))
    body = digits + factor
    before = f"{currency}{blank}{body}"
    behind = f"{body}{blank or ' ' * (factor != '')}{currency}"
    text, sign = draw(
        st.sampled_from(
            [
                *[(before, 1), (behind, 1), ("+" + before, 1), (minus + before, -1), (minus + behind, -1)],
                *[(currency + minus + body, -1), (before + minus, -1), (behind + minus, -1)],
                *[(f"({before})", -1), (f"({behind})", -1), (f"{currency} ({body})", -1)],
            ]
        )
    )
    return text.strip(), sign * float(f"{whole}.{cents or 0}e{power}")


@pytest.mark.parametrize("decimal", [".", ","])
@settings(max_examples=15)
@given(data=st.data())
def test_a_number_is_read_as_it_was_written(decimal, data):
    written = dict(data.draw(st.lists(styled(decimal), min_size=20, max_size=60)))
    assert dict(zip(written, read(written, decimal), strict=True)) == written
    assert [one for one in written if not IS_NUMBER.fullmatch(one)] == []


around = st.one_of(
    st.text(alphabet="abkmtrsCDFHRKMT%€$¥£.,-+()/#*~<>=' 5", max_size=4),
    st.sampled_from(
        ["CR", "DR", " CR", "cr.", "pcs", " kg", "%", " %", "TEUR", "K", "USD", "m", "bn", "Stk.", "H", "S"]
    ),
)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(around, st.sampled_from(["7", "12.5", "1,234.50"]), around), min_size=20, max_size=80)
)
def test_a_number_with_anything_around_it_is_read_right_or_not_at_all(parts):
    texts = {f"{before}{digits}{behind}": (before, digits, behind) for before, digits, behind in parts}
    for text, found in zip(texts, read([one.strip() for one in texts], "."), strict=True):
        before, digits, behind = texts[text]
        marks, size = before + behind, float(digits.replace(",", ""))
        if found is None or any(one in marks for one in "5.,'"):  # then the digits are others
            continue
        assert (found < 0) == ("-" in marks or "(" in marks), text
        powers = {size * 10**power for power in ((0, 3, 6) if set(behind) & set("kKTtM") else (0,))}
        assert abs(found) in powers, text
        assert not set(re.sub("[sS]/", "", marks)) & set("%/#*~<>="), text  # S/ is the sol of Peru
        words = {one if one == "M" else one.lower() for one in re.findall("[a-zA-Z]+", f"{before} {behind}")}
        assert not words & {"cr", "dr", "pcs", "kg", "bn", "stk", "m"}, text  # m is metres, M a million


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("5%", ": a percentage"),
        ("100.00 CR", ": CR or DR, of which only the ledger says the sign"),
        ("Dr 5", ": CR or DR, of which only the ledger says the sign"),
        ("-5-", ": two signs"),
        ("(-5)", ": two signs"),
        ("-", ": a dash, which may be zero or not known"),
        ("€ –", ": a dash, which may be zero or not known"),
        ("3 pcs", ": a word or unit beside the number"),
        ("12.99 A", ": a word or unit beside the number"),
        ("10-20", ": more than one number"),
        ("10€50", ": more than one number"),
        ("12_34", ": more than one number"),
        ("1.2.3", ": separators that do not fit the decimal sign"),
        ("1,5", ": separators that do not fit the decimal sign"),
        ("1,234'567", ": separators that do not fit the decimal sign"),
        ("0,123", ": separators that do not fit the decimal sign"),
        ("(5", ": a sign, factor or currency out of its place"),
        ("5.-", ": a sign, factor or currency out of its place"),
        ("K5", ": a sign, factor or currency out of its place"),
        ("5 T", ": a sign, factor or currency out of its place"),
        ("free", ""),
    ],
)
def test_why_a_text_is_no_number(text, cause):
    table = ibis.memtable(pd.DataFrame({"text": [text]}))
    assert read([text]) == [None]
    assert table.select(why=why_unreadable(table.text)).to_pandas()["why"].tolist() == [cause]


def test_every_code_is_read_on_both_sides():
    texts = [text for code in sorted(CODES) for text in (f"{code} 5", f"5{code}", f"5K {code}")]
    assert read(texts) == [5, 5, 5000] * len(CODES)
    assert codes_of("¥") == ("CNY", "JPY")
    assert read(["5 all", "5 ft", "R 5", "5 R", "€.50", "USD.50", "Rs.50"]) == [
        None,
        None,
        5,
        None,
        0.5,
        None,
        50,
    ]


# --- from a file to a study ---


@pytest.fixture
def crm_new(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)

    def new(amounts, *options, header="amount"):
        lines = [f"{'AB'[i % 2]};2024-01-{i + 5:02d};{one}" for i, one in enumerate(amounts)]
        (tmp_path / "log.csv").write_text(
            "\n".join([f"customer_id;date;{header}", *lines]) + "\n", encoding="utf-8"
        )
        command = ["new", "shop", "--transactions", "log.csv", "--yes", "--force", *options]
        return CliRunner().invoke(main, command)

    return new


@pytest.mark.parametrize(
    ("amounts", "header", "currency"),
    [
        (["€10.00", "20"], "amount", "EUR"),
        (["10 USD", "$20"], "amount", "USD"),
        (["C$5", "$6"], "amount", "CAD"),
        (["5 kr", "6 kr"], "amount_sek", "SEK"),
        (["5 zł", "6,50 zł"], "amount", "PLN"),
        (["₹1,00,000.00"], "amount", "INR"),
        (["5", "6"], "Amount (€)", "EUR"),
        (["1.5K", "20", "2M"], "amount", None),
    ],
)
def test_a_currency_that_the_amounts_say(crm_new, amounts, header, currency):
    made = crm_new(amounts, header=header)
    assert made.exit_code == 0, made.output
    assert crm.open_study("shop").file.currency == currency


def test_thousands_and_millions_multiply(crm_new):
    assert crm_new(["1.5K", "20", "2M"]).exit_code == 0
    assert crm.open_study("shop").quality.rows["amount"][1] == 2_001_520


@pytest.mark.parametrize(
    ("amounts", "header", "asked"),
    [
        (
            ["€10.00", "$20.00", "€30.00"],
            "amount",
            "several currencies: € in 'amount', such as '€10.00' (2 rows); $ in",
        ),
        (["10 EUR", "20 CHF"], "amount", "several currencies"),
        (["€10"], "amount_usd", "several currencies"),
        (["$10"], "amount", "which currency is that?"),
        (["10 kr"], "amount", "which currency is that?"),
        (["¥100"], "amount", "which currency is that?"),
        (["1.234,56", "1,234.56"], "amount", "numbers are written in two ways"),
        (["9.50", "8.25", "9,50", "7.10"], "amount", "numbers are written in two ways"),
        (
            ["10.00 CR", "20.00", "5.00"],
            "amount",
            "'10.00 CR': CR or DR, of which only the ledger says the sign",
        ),
        (["10%", "20.00", "5.00"], "amount", "'10%': a percentage"),
    ],
)
def test_what_is_in_doubt_is_asked_and_ends_with_2(crm_new, amounts, header, asked):
    refused = crm_new(amounts, header=header)
    assert refused.exit_code == 2
    assert asked in refused.stderr


def test_rows_in_other_currencies_are_set_aside_as_by_a_column(crm_new):
    assert crm_new(["€10.00", "$20.00", "€30.00", "40"], "--currency", "EUR").exit_code == 0
    study = crm.open_study("shop")
    assert study.quality.rows["amount"].tolist() == [100, 80, 0, 20]
    assert study.quality.quarantine["reason"].tolist() == ["other currency"]


def test_an_amount_that_is_computed_has_the_currency_of_its_price(crm_new):
    lines = "customer_id;date;quantity;unit_price\nA;2024-01-05;2;€5\nB;2024-01-06;1;$7\nB;2024-01-07;;€7\n"
    frame = pd.DataFrame([line.split(";") for line in lines.split()[1:]], columns=lines.split()[0].split(";"))
    study = crm.open_study(frame, currency="EUR")
    assert study.quality.rows["amount"][1] == 10
    assert set(study.quality.quarantine["reason"]) == {"other currency", "unreadable amount"}


def test_several_currencies_are_not_added_up_where_none_is_given():
    frame = pd.DataFrame({"customer_id": ["A", "B"], "date": ["2024-01-05"] * 2, "amount": ["€5", "7 USD"]})
    with pytest.raises(
        DataError, match=r"several currencies \(USD, €\); say which one counts, as in currency: EUR"
    ):
        _ = crm.open_study(frame).quality.rows
    of_column = frame.assign(amount=[5, 7], currency=["eur", "CHF"])
    with pytest.raises(DataError, match=r"several currencies \(CHF, EUR\)"):
        _ = crm.open_study(of_column).quality.rows
    one = crm.open_study(frame.assign(amount=["$5", "US$7"]))
    assert (one.currency, one.quality.rows["amount"][1]) == ("", 12)


def test_unreadable_amounts_are_set_aside_with_their_cause(crm_new):
    amounts = ["9.50"] * 60 + ["5%", "-", "3 pcs", "free"]
    lines = "".join(f"A,2024-01-05,{one}\n" for one in amounts)
    frame = pd.DataFrame(
        [line.split(",") for line in lines.split("\n")[:-1]], columns=["customer_id", "date", "amount"]
    )
    assert crm.open_study(frame).quality.quarantine["reason"].tolist() == [
        "unreadable amount: a percentage",
        "unreadable amount: a dash, which may be zero or not known",
        "unreadable amount: a word or unit beside the number",
        "unreadable amount",
    ]


def test_a_column_that_is_named_all_the_same_is_taken(tmp_path):
    (tmp_path / "log.csv").write_text(
        "customer_id,date,amount\nA,2024-01-05,10 CR\nB,2024-01-06,5\nB,2024-01-07,6\n"
    )
    assert [one.entry for one in guess_table(TRANSACTIONS, tmp_path / "log.csv").questions] == [
        "columns.amount"
    ]
    named = guess_table(TRANSACTIONS, tmp_path / "log.csv", given={"columns.amount": "amount"})
    assert not named.questions


# The eight ways to write an amount, each spelt out: < and > a currency, # digits, @ power and currency behind them.
EIGHT_FORMS = (
    r"[+~]?_<?_#_@", r"<_[+~]_#_@", r"<?_#_@_[~]", r"<?_#_[~]_>", r"\(_<?_#_@_\)", r"<_\(_#_@_\)", r"\(_#_\)_>",
    r"[+~]?_[$€£]?_%_@",
)  # fmt: skip
POWER = "[KkTt]|(?i:tsd|thousand)|(?i:lakhs?|lacs?)|MM?|(?i:mn|mio|mln|millions?)|(?i:crores?)"


def spelt_out(decimal):
    point, comma = re.escape(decimal), re.escape("," if decimal == "." else ".")
    whole = [f"[1-9][0-9]{{0,2}}(?:{sign}[0-9]{{3}})+" for sign in (comma, "['’]", "[ \t\u00a0\u2009\u202f]")]
    whole += ["[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"] if decimal == "." else []
    parts = {
        "@": f"(?:(?:(?:{POWER.replace('[KkTt]', '[Kk]')})\\.?_)?>?|[Tt]_>)", "~": r"\-−–‐‑",
        "<": f"(?:{pattern_of()})", ">": f"(?:{pattern_of(behind=True)})", "_": "[ \t\u00a0\u2009\u202f]*",
        "#": f"(?:{'|'.join([*whole, '[0-9]+'])})(?:{point}[0-9]+)?", "%": f"{point}[0-9]+",
    }  # fmt: skip
    form = "|".join(EIGHT_FORMS)
    for sign, part in parts.items():
        form = form.replace(sign, part)
    return form


def test_an_amount_is_written_in_one_of_eight_forms():
    dice, eight = random.Random(5), re.compile(f"{spelt_out('.')}|{spelt_out(',')}")
    signs, blanks = ["", "", "+", "-", "−", "(", ")", "()", "--"], ["", "", " ", "\u00a0"]
    marks = [
        "",
        "€",
        "$",
        "$.",
        "R$",
        "USD",
        "USD.",
        "kr",
        "kr.",
        "Rs.",
        "R",
        "Ft",
        "S/",
        "руб.",
        "pcs",
        "KR",
    ]
    powers = ["", "", "K", "K.", "T", "M", "MM", "mn", "Mio.", "lakh", "Tsd.", "bn", "m"]
    digits = [
        "5",
        "50",
        "1,234",
        "1.234,5",
        "1 234",
        "1'234.50",
        "12,34,567",
        ".50",
        ",50",
        "1,23",
        "5.",
        "5 6",
    ]
    parts = [signs, marks, blanks, signs, blanks, digits, blanks, powers, signs, blanks, marks, blanks, signs]

    def draw(some):  # most places are empty
        return dice.choice(some) if some is digits or dice.random() < 0.35 else ""

    texts = {"".join(map(draw, parts)).strip() for _ in range(10_000)}
    numbers = {text for text in texts if IS_NUMBER.fullmatch(text)}
    assert numbers == {text for text in texts if eight.fullmatch(text)}
    assert 0.02 < len(numbers) / len(texts) < 0.8
