"""Two periods are compared only as far as the log reaches back; what it does not hold is never zero."""

import numpy as np
import pandas as pd
import pytest

from crmlib import charts, last_months, recent_change
from crmlib.customers.audit.months import comparable_months
from crmlib.customers.audit.period_change import period_change
from crmlib.errors import CannotAnswerError, CrmError


def log_from(first, last="2025-06-01"):
    """Two customers who buy for 10 every third day, the second from the third month on."""
    days = pd.date_range(first, last, freq="3D")
    one = pd.DataFrame({"customer_id": "a", "date": days, "amount": 10.0})
    return pd.concat([one, one[20:].assign(customer_id="b")], ignore_index=True)


@pytest.mark.parametrize(
    ("first", "as_of", "asked", "fitting"),
    [
        ("2025-01-04", "2025-06-01", 6, 2),  # February to May; January lacks three days
        ("2025-01-01", "2025-06-01", 6, 2),  # five months
        ("2025-01-01", "2025-06-30", 6, 3),
        ("2025-01-01 23:59", "2025-06-30", 6, 3),
        ("2024-12-01", "2025-06-01", 6, 3),
        ("2025-01-04", "2025-06-01", 1, 1),
        ("2024-06-01", "2025-05-31", 6, 6),
        ("2024-06-02", "2025-05-31", 6, 5),
        ("2020-01-01", "2025-06-01", 6, 6),
        ("2025-04-01", "2025-06-01", 6, 1),
    ],
)
def test_the_longest_periods_that_the_log_covers(first, as_of, asked, fitting):
    log = log_from(first)
    assert comparable_months(log, as_of=as_of, months=asked) == fitting
    begins = pd.Timestamp(first).date()
    assert last_months(fitting, as_of=as_of, back=1)[0] >= begins
    assert fitting == asked or last_months(fitting + 1, as_of=as_of, back=1)[0] < begins


@pytest.mark.parametrize("first", ["2025-04-02", "2025-05-20", "2025-06-02"])
def test_a_log_without_two_complete_months_cannot_answer(first):
    with pytest.raises(
        CannotAnswerError, match="need a complete month each, and up to 2025-06-01 the log covers"
    ):
        comparable_months(log_from(first, "2025-07-01"), as_of="2025-06-01", months=6)


def test_customers_first_seen_in_the_two_periods_are_counted():
    rows = [
        ("old", 1),
        ("old", 5),
        ("left", 4),
        ("stays", 4),
        ("stays", 7),
        ("new", 8),
        ("both", 5),
        ("both", 6),
    ]
    log = pd.DataFrame(rows, columns=["customer_id", "month"]).assign(amount=10.0)
    log["date"] = pd.to_datetime(dict(year=2024, month=log["month"], day=3))
    first, second = ("2024-04-01", "2024-05-31"), ("2024-06-01", "2024-08-31")
    found = period_change(log, first, second).waterfall.set_index("step")["newly"]
    assert found[["before", "after"]].tolist() == [3, 1]  # left, stays and both; new
    assert found[["lapsed", "bought the same", "new"]].tolist() == [1, 2, 1]


def test_months_that_cannot_be_are_refused():
    with pytest.raises(CrmError, match="months is 0"):
        comparable_months(log_from("2025-01-04"), as_of="2025-06-01", months=0)


def test_a_first_purchase_that_went_back_shows_that_the_log_reaches_it():
    log = log_from("2025-01-01").assign(reversed_on=pd.NaT, returned_purchase_date=pd.NaT, is_purchase=True)
    log.loc[0, "reversed_on"] = pd.Timestamp("2025-01-20")
    assert comparable_months(log, as_of="2025-04-30", months=2) == 2


def test_a_short_log_is_compared_over_the_months_that_it_has():
    log = log_from("2025-01-04")
    found = recent_change(log, as_of="2025-06-01", months=6)
    assert found.names == {"before": "Feb 2025 to Mar 2025", "after": "Apr 2025 to May 2025"}
    assert "2 complete months each instead of 6" in found.sentence
    revenue = log.set_index("date")["amount"].sort_index()
    before, after = revenue["2025-02-01":"2025-03-31"].sum(), revenue["2025-04-01":"2025-05-31"].sum()
    assert (found.total, found.relative.value) == (after, pytest.approx(after / before - 1))
    alone = period_change(log, found.before, found.after)
    pd.testing.assert_frame_equal(found.change.waterfall, alone.waterfall)
    whole = recent_change(log_from("2024-01-01"), as_of="2025-06-01", months=6)
    assert whole.months == 6
    assert "instead" not in whole.sentence


@pytest.mark.parametrize(("margin", "value"), [(None, "revenue"), (0.4, "contribution")])
def test_a_log_too_short_to_compare_leaves_pictures_that_say_so(margin, value):
    found = recent_change(log_from("2025-04-20"), as_of="2025-06-01", months=6, margin=margin)
    assert found.before is None
    assert pd.isna([found.total, found.relative.value]).all()
    assert found.change.value == value
    assert found.sentence.startswith("Not measured: two periods to compare need a complete month each")
    table = dict(value=value, **found.names)
    assert charts.waterfall(found.change.waterfall, **table).title == f"No {value} of two periods to compare"
    assert charts.waterfall(found.change.factors, **table).empty
    assert charts.migration(found.change.migration).title == "No customer of the first period to follow"


def test_whether_a_change_is_beyond_chance():
    days = pd.date_range("2024-01-01", "2024-02-29")
    rng = np.random.default_rng(0)
    log = pd.DataFrame({"customer_id": [f"c{n}" for n in rng.integers(0, 50, 600)], "amount": 10.0})
    log["date"] = rng.choice(days, 600)
    same = recent_change(log, as_of="2024-02-29", months=1).change
    assert same.in_a_word == "no change beyond chance"
    pairs = log.pivot_table(
        index="customer_id", columns=log["date"].dt.month, values="amount", aggfunc="sum"
    ).fillna(0)
    assert same.reach == pytest.approx(1.959964 * np.sqrt(np.square(pairs[2] - pairs[1]).sum()))
    assert "may be chance" in same.waterfall.attrs["finding"]
    log.loc[log["date"] >= "2024-02-01", "amount"] = 4.0
    fell = recent_change(log, as_of="2024-02-29", months=1).change
    assert fell.in_a_word == "worse"
    assert ": beyond chance)" in fell.factors.attrs["finding"]
    assert recent_change(log, as_of="2024-01-31", months=1).change.in_a_word == ""


def test_where_the_log_starts_later_than_the_firm_nobody_is_counted_as_acquired():
    asked = dict(as_of="2025-06-01", months=2)
    known, unknown = (
        recent_change(log_from("2025-01-01"), **asked, new_from=day) for day in (None, "2025-02-15")
    )
    assert known.change.factors["factor"].tolist()[:2] == ["acquired customers", "share active"]
    assert unknown.change.factors["factor"].tolist()[0] == "active customers"
    assert unknown.change.factors["effect"].sum() == pytest.approx(known.change.factors["effect"].sum())
    assert unknown.change.factors["effect"][0] == pytest.approx(known.change.factors["effect"][:2].sum())
