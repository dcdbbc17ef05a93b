"""The chart of page one: revenue by first purchase, and which contract customers left."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import crmlib as crm
from crmlib.no_rows import why_none
from crmlib.relationship.revenue import (
    MOST_BANDS,
    difference_of_revenue,
    revenue_by_first_purchase,
    share_that_left,
    sum_with_interval,
)
from crmlib.relationship.sentences import change_in_words


def log_of(months: int, start: str = "2020-01-10") -> pd.DataFrame:
    """A new customer in each month, who buys for 10 in it and in every month after."""
    days = pd.date_range(start, periods=months, freq="MS") + pd.Timedelta(9, "D")
    rows = [(f"c{born:03d}", day) for born in range(months) for day in days[born:]]
    return pd.DataFrame(rows, columns=["customer_id", "date"]).assign(amount=10.0)


@pytest.mark.parametrize(
    ("before", "after", "last_sentence"),
    [
        (23570, 0, "The time before has 23,570 first purchases, this one none."),
        (90, 10, "The time before has 90 first purchases, this one 10."),
        (90, 80, ""),
        (10, 90, ""),
        (0, 0, ""),
    ],
)
def test_the_reason_names_missing_first_purchases(before, after, last_sentence):
    steps = ["before", "lapsed", "bought less", "bought more", "came back", "new", "after"]
    frame = pd.DataFrame({"step": steps, "change": [90.0, -50, -10, 5, 5, 0, 40]}).assign(newly=0)
    frame.loc[[0, 6], "newly"] = before, after
    text = change_in_words(frame, pd.DataFrame(), "9 months", "the 9 before", "USD")
    assert text.endswith(f"net −USD 50.00. {last_sentence}".strip())


@pytest.mark.parametrize(
    ("months", "first", "bands"),
    [(3, "Feb 2020", 3), (12, "Q1 2020", 4 + 1), (18, "Q1 2020", 6 + 1), (60, "2020", 6), (120, None, 6)],
)
def test_bands_are_six_at_most_and_lose_no_money(months, first, bands):
    log = log_of(months)
    found = revenue_by_first_purchase(log, as_of=log["date"].max() + pd.offsets.MonthEnd(0))
    assert found["revenue"].sum() == pytest.approx(log["amount"].sum())
    assert found["band"].nunique() <= MOST_BANDS
    assert len(found) == found["band"].nunique() * found["period"].nunique()
    by_month = found.groupby("period")["revenue"].sum()
    expected = log.groupby(log["date"].dt.to_period("M").dt.start_time)["amount"].sum()
    assert by_month.tolist() == expected.tolist()
    if first is None:
        assert found["band"].iloc[0].endswith("or before")


def test_each_band_has_the_money_of_its_customers_alone():
    log = log_of(24)
    found = revenue_by_first_purchase(log, as_of="2022-01-31")
    born = log.groupby("customer_id")["date"].transform("min")
    by_hand = log.groupby([born.dt.year.astype(str), log["date"].dt.to_period("M").dt.start_time])[
        "amount"
    ].sum()
    for (band, month), revenue in by_hand.items():
        row = found[(found["band"] == band) & (found["period"] == month)]
        assert row["revenue"].tolist() == [revenue]


def test_only_complete_months_are_drawn():
    log = log_of(6)
    found = revenue_by_first_purchase(log, as_of=log["date"].max())
    assert found["period"].max() == log["date"].max().to_period("M").start_time - pd.DateOffset(months=1)


def test_customers_of_unknown_age_are_one_band():
    log = log_of(24)
    found = revenue_by_first_purchase(log, as_of="2022-01-31", new_from="2020-08-01")
    bands = found.drop_duplicates("band")["band"].tolist()
    assert bands[0] == "first seen before 1 Aug 2020"
    assert not any(band.startswith("2020") and "before" in band for band in bands[1:])
    first = found[found["band"] == bands[0]]
    early = log.groupby("customer_id")["date"].transform("min") < "2020-08-01"
    assert first["revenue"].sum() == pytest.approx(
        log.loc[early & (log["date"] < "2022-02-01"), "amount"].sum()
    )


def test_the_month_is_that_of_the_month_review():
    study = crm.open_study("cdnow-sample")
    found = revenue_by_first_purchase(study.transactions, as_of=study.as_of)
    review = crm.month_review(study.transactions, as_of=study.as_of).set_index(["customers", "measure"])
    last = found.loc[found["period"] == found["period"].max(), "revenue"].sum()
    assert last == pytest.approx(review.loc[("all", "revenue"), "value"])


def test_a_log_without_a_complete_month_has_no_chart():
    log = pd.DataFrame({"customer_id": ["a"], "date": pd.to_datetime(["2024-03-05"]), "amount": [5.0]})
    assert "no complete month" in why_none(revenue_by_first_purchase(log, as_of="2024-03-06"))


MONTHS = [(dt.date(2024, 1, 1), dt.date(2024, 1, 31)), (dt.date(2024, 2, 1), dt.date(2024, 2, 29))]


def test_the_interval_of_a_difference_has_its_nominal_coverage():
    """Customers arrive by chance and buy by chance, the same in both months: 95 of 100 intervals hold zero."""
    random = np.random.default_rng(7)
    worlds, held = 2000, 0
    for _ in range(worlds):
        size = random.poisson(300)
        spend = random.gamma(0.5, 40.0, (2, size)) * (random.random((2, size)) < 0.4)
        _, low, high = sum_with_interval(spend[1] - spend[0])
        held += low <= 0 <= high
    assert abs(held / worlds - 0.95) <= 3 * (0.95 * 0.05 / worlds) ** 0.5


def test_a_difference_by_hand():
    log = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "c"],
            "date": pd.to_datetime(["2024-01-05", "2024-02-05", "2024-01-09", "2024-02-11"]),
            "amount": [10.0, 30.0, 7.0, 4.0],
        }
    )
    total, low, high = difference_of_revenue(log, *MONTHS)
    reach = norm.ppf(0.975) * (20**2 + 7**2 + 4**2) ** 0.5
    assert (total, low, high) == pytest.approx((17.0, 17 - reach, 17 + reach))


def test_the_column_with_the_largest_difference_is_shown_and_every_customer_of_it_counted():
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number}" for number in range(600)],
            "plan": random.choice(["a", "b"], 600),
            "region": random.choice(["north", "south", "west"], 600),
            "usage": random.random(600),
        }
    )
    frame["churned"] = random.random(600) < np.where(frame["plan"] == "a", 0.6, 0.1)
    found = share_that_left(crm.churn_data(frame))
    assert found["group"].tolist() == ["plan a", "plan b"]
    assert found["customers"].sum() == 600
    assert found["left"].sum() == frame["churned"].sum()
    assert found["share_left"].tolist() == pytest.approx(
        frame.groupby("plan")["churned"].mean().sort_values(ascending=False).tolist()
    )
    assert found.attrs["finding"].endswith("beyond chance)")
    assert "overlap" not in found.attrs["finding"]


def test_the_largest_of_many_groups_is_rarely_beyond_chance_without_a_true_difference():
    random = np.random.default_rng(8)
    columns = {f"c{n}": random.choice(["a", "b", "c"], 300) for n in range(12)}
    frame = pd.DataFrame({"customer_id": range(300), **columns})
    data = crm.churn_data(frame.assign(churned=random.random(300) < 0.3))
    worlds = [replace(data, churned=random.permutation(data.churned)) for _ in range(25)]
    beyond = [share_that_left(one).attrs["finding"].endswith(": beyond chance)") for one in worlds]
    assert sum(beyond) <= 3


def test_numbers_are_cut_into_fifths():
    random = np.random.default_rng(4)
    frame = pd.DataFrame({"customer_id": range(1000), "tenure": random.integers(1, 60, 1000)})
    frame["churned"] = random.random(1000) < 1 / (1 + frame["tenure"] / 5)
    found = share_that_left(crm.churn_data(frame))
    assert len(found) == 5
    assert found["group"].str.startswith("tenure ").all()
    assert found["group"].iloc[0].startswith("tenure 1 to")
