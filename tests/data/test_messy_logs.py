"""Generated messy logs: rows and cents always add up, and each row is judged as a reader would."""

import csv
import io
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmlib.data.cleaning.clean import clean_table
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.policies import Policies, Reading
from crmlib.data.sources import open_table
from crmlib.errors import DataError

# What is written, and what it means: None where it means nothing.
AMOUNTS = {
    "10.00": "10",
    "10": "10",
    "-10.00": "-10",
    "0": "0",
    "0.1": "0.1",
    "0.2": "0.2",
    "€1,234.56": "1234.56",
    "(3.30)": "-3.3",
    "7-": "-7",
    "999999999.99": "999999999.99",
    "": None,
    "free": None,
    "inf": None,
    "nan": None,
    "1e300": None,
    "1,5": None,
}
DATES = {
    "2024-01-05": True,
    "2024-01-05 10:30:00": True,
    "2023-12-31T23:59:59Z": True,
    "": False,
    "soon": False,
    "2024-13-01": False,
}
CUSTOMERS = {
    "a": True,
    "00012": True,
    "1e5": True,
    'Zoë, "Z"\nB': True,
    " b ": True,
    "": False,
    "NaN": False,
    "null": False,
}
STATUSES = {"paid": True, "": True, "Cancelled": False, "test": False}

row = st.tuples(
    st.sampled_from(list(CUSTOMERS)),
    st.sampled_from(list(DATES)),
    st.sampled_from(list(AMOUNTS)),
    st.sampled_from(["L1", "L2", "L3", "", "L4"]),
    st.sampled_from(["O1", "O2", ""]),
    st.sampled_from(list(STATUSES)),
    st.sampled_from(["EUR", "eur", "", "CHF"]),
)
broken = st.sampled_from(["a,2024-01-05", "a,b,c,d,e,f,g,h,i", "just words", '"never closed,1,2,3,4,5,6'])
policies = st.builds(
    Policies,
    returns=st.sampled_from(["match", "reduce_spend", "set_aside"]),
    zero_amounts=st.sampled_from(["purchase", "no_purchase"]),
    purchases_merged_within=st.sampled_from(["H", "D", "W", "M"]),
    guests=st.sampled_from(["set_aside", "one_customer_per_order"]),
    equal_rows=st.sampled_from(["keep", "set_aside"]),
    amount_is=st.sampled_from(["row", "order_total"]),
)
HEADER = ["customer_id", "date", "amount", "line_id", "order_id", "status", "currency"]


def written(rows, bad_lines):
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    text.write("".join(f"{line}\n" for line in bad_lines))
    return text.getvalue()


def usable_by_itself(one, policy):
    """A row's own faults, judged without the library."""
    customer, date, amount, _line, order, status, currency = one
    named = CUSTOMERS[customer] or (policy.guests == "one_customer_per_order" and order)
    kept = not (policy.returns == "set_aside" and AMOUNTS[amount] and Decimal(AMOUNTS[amount]) < 0)
    return bool(
        named
        and DATES[date]
        and AMOUNTS[amount] is not None
        and STATUSES[status]
        and currency != "CHF"
        and kept
    )


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(row, min_size=1, max_size=60), st.lists(broken, max_size=3), policies)
def test_rows_and_cents_always_reconcile(rows, bad_lines, policy):
    sure = ("sure", "2024-02-01", "5.55", "", "", "paid", "EUR")  # so that something can be used
    rows = [*rows, sure]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.csv"
        log.write_text(written(rows, bad_lines), encoding="utf-8", newline="")
        reading = Reading(currency="EUR", policies=policy)
        report = clean_table(open_table(log, keep_bad_lines=True), TRANSACTIONS, reading, Path(folder))
        clean = pd.read_parquet(Path(folder) / "used.parquet")
        aside = pd.read_parquet(Path(folder) / "quarantine.parquet")
    outcome = {one["outcome"]: one for one in report.rows}

    # Every row once, and the money of every readable amount, to the cent.
    assert outcome["in the source"]["rows"] == len(rows) + len(bad_lines) == len(clean) + len(aside)
    money = sum(Decimal(AMOUNTS[one[2]] or 0) for one in rows[:-1]) + Decimal("5.55")
    assert Decimal(str(round(outcome["in the source"]["money"]["amount"], 4))) == money
    used = sum((Decimal(str(value)) for value in clean["amount"].round(4)), Decimal(0))
    assert used + sum((value or Decimal(0) for value in aside["readable_amount"]), Decimal(0)) == money
    assert outcome["used"]["rows"] == len(clean)
    assert Counter(aside["reason"]) == {
        k: v["rows"] for k, v in outcome.items() if k not in ("in the source", "used")
    }
    assert (aside["reason"] == "line cannot be split into columns").sum() == len(bad_lines)

    # What is used could be used; what could be used and is not, repeats something.
    good = [one for one in rows if one == sure or usable_by_itself(one, policy)]
    repeats = (
        aside["reason"].str.contains("repeated line id|equal to an earlier row|later line of an order").sum()
    )
    assert len(good) - repeats <= len(clean) <= len(good)
    if policy.amount_is == "row" and policy.equal_rows == "keep":
        ids = Counter(one[3] for one in good if one[3])
        assert len(clean) == len(good) - sum(times - 1 for times in ids.values())

    # Nobody is nobody, and a purchase undone is undone by a return of its amount, one to one.
    assert clean["customer_id"].notna().all()
    assert (clean.loc[clean["is_purchase"], "amount"] >= 0).all()
    undone = clean[clean["reversed_on"].notna()]
    assert undone["is_purchase"].all() or policy.zero_amounts == "no_purchase"
    returns = clean[(clean["amount"] < 0) & clean["returned_purchase_date"].notna()]
    assert (returns["returned_purchase_date"] <= returns["date"]).all()
    spent = Counter(zip(undone["customer_id"], undone["amount"].round(2), undone["reversed_on"], strict=True))
    back = Counter(zip(returns["customer_id"], -returns["amount"].round(2), returns["date"], strict=True))
    assert not spent - back
    assert policy.returns == "match" or undone.empty


@settings(max_examples=4)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_with_a_sentence(text):
    refusal = ""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.csv"
        log.write_text("customer_id,date,amount\na,2024-01-05,9.5\n" + text, encoding="utf-8", newline="")
        try:
            table = open_table(log, keep_bad_lines=True)
            report = clean_table(table, TRANSACTIONS, Reading(), Path(folder))
        except DataError as complaint:
            refusal = str(complaint)
    if refusal:
        assert "log.csv" in refusal
        return
    assert report.rows[0]["rows"] == sum(one["rows"] for one in report.rows[1:]) >= 1
