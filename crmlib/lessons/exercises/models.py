"""Lessons 6 to 9: profit, contracts, buy till you die, and lifetime value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.rfm.summary import rfm_summary
from crmlib.lessons.exercise import exercise
from crmlib.lessons.exercises.frames import (
    LAST_DAY,
    PER_MINUTE,
    after_first,
    bought,
    contracts,
    contribution,
    first_day,
    of_year,
    purchase_days,
    repeat_share,
)
from crmlib.models.beta_geo import BetaGeoModel
from crmlib.simulation.simulate import SimulatedFirm

Answer = tuple[Any, dict[str, Any]]
R, ALPHA, A, B = 0.8, 12.0, 0.5, 2.0  # parameters that lesson 8 gives


@exercise("6.1")
def _lead(firm: SimulatedFirm) -> Answer:
    year = of_year(firm.tables["transactions"], 2025)
    buyers = bought(firm)
    buyers = of_year(buyers, 2025)["customer_id"].unique()
    cases = of_year(firm.tables["service_cases"], 2025, "opened")
    minutes = cases.groupby("customer_id")["minutes"].sum().reindex(buyers).fillna(0.0)
    margin = contribution(year).reindex(buyers)
    revenue = year.groupby("customer_id")["amount"].sum().reindex(buyers)
    return (margin - PER_MINUTE * minutes < 0).sum(), {
        "The cost of service is missing.": (margin < 0).sum(),
        "The cost of goods is missing.": (revenue - PER_MINUTE * minutes < 0).sum(),
        "A minute costs 0.60: you subtracted minutes, not money.": (margin - minutes < 0).sum(),
    }


@exercise("6.2")
def _stay_in_the_top(firm: SimulatedFirm) -> Answer:
    log = firm.tables["transactions"]
    before, after = (contribution(of_year(log, year)).sort_values(ascending=False) for year in (2024, 2025))
    n = round(0.1 * len(before))
    top, later = before.index[:n], after.index[:n]
    both = before.index.intersection(after.index)
    stayed = before[both].iloc[: round(0.1 * len(both))].index
    return top.isin(later).mean(), {
        "You left out those who bought nothing in 2025. They have left the top too.": stayed.isin(
            after[both].sort_values(ascending=False).index[: len(stayed)]
        ).mean(),
        "You asked who bought at all in 2025. Who is among the best again?": top.isin(after.index).mean(),
        "You took a tenth of 2025, which has more buyers. Take as many as in 2024.": top.isin(
            after.index[: round(0.1 * len(after))]
        ).mean(),
    }


def _kaplan_meier(days: pd.Series, ended: pd.Series) -> float:
    """The share that lasts 365 days."""
    ends = days[ended & (days <= 365)].unique()
    return float(np.prod([1 - (ended & (days == day)).sum() / (days >= day).sum() for day in ends]))


@exercise("7.1")
def _still_there_after_a_year(firm: SimulatedFirm) -> Answer:
    table, rows = contracts(firm), firm.tables["subscriptions"]
    days = (table["end"].fillna(LAST_DAY) - table["start"]).dt.days
    ended = table["end"].notna()
    row_days = (rows["end"].fillna(LAST_DAY) - rows["start"]).dt.days
    return _kaplan_meier(days, ended), {
        "A row that ended because the price changed is no end of the contract.": _kaplan_meier(
            row_days, rows["end"].notna()
        ),
        "This is the share without an end so far. Many of them are younger than a year.": 1 - ended.mean(),
        "You used the contracts that ended. Those still running are left out, and they are the long ones.": (
            days[ended] > 365
        ).mean(),
        "You counted every contract that is younger than a year as ended.": (days > 365).mean(),
    }


@exercise("7.2")
def _break_even(firm: SimulatedFirm) -> Answer:
    worth = 12 * 0.7 * firm.tables["subscriptions"]["price_per_month"].mean()
    return 4 / (0.3 * worth), {
        "Only 30 % of those who would leave are kept by the offer.": 4 / worth,
        "The price is revenue. What the firm keeps of it is 70 %.": 4 / (0.3 * worth / 0.7),
        "A year has twelve months.": 4 / (0.3 * worth / 12),
        "0.5 is the cut-off of accuracy. It knows neither the cost of an offer nor the worth of a customer.": 0.5,
    }


def _p_alive(x: Any, recency: Any, age: Any, *, b: float = B - 1) -> pd.Series:
    return 1 / (1 + A / (b + x) * ((ALPHA + age) / (ALPHA + recency)) ** (R + x))


@exercise("8.1")
def _mean_p_alive(firm: SimulatedFirm) -> Answer:
    all_days = purchase_days(bought(firm)).groupby("customer_id")["date"].agg(["min", "max", "count"])
    some = all_days[all_days["count"] > 1]
    x, age = some["count"] - 1, (LAST_DAY - some["min"]).dt.days / 7
    recency = (some["max"] - some["min"]).dt.days / 7
    right = _p_alive(x, recency, age).mean()
    return right, {
        "You counted the first purchase. x is the number of repeat purchases.": _p_alive(x + 1, recency, age).mean(),
        "Recency here is the age at the last purchase, not the time since then.": _p_alive(
            x, age - recency, age
        ).mean(),
        "The parameters are for weeks; you used days.": _p_alive(x, 7 * recency, 7 * age).mean(),
        "You took the one-time buyers in, with a chance of 1.": (
            right * len(some) + len(all_days) - len(some)
        )
        / len(all_days),
        "The formula has b + x - 1.": _p_alive(x, recency, age, b=B).mean(),
    }


@exercise("8.2", tolerance=0.005)
def _forecast(firm: SimulatedFirm) -> Answer:
    lines, end = bought(firm), pd.Timestamp("2024-12-31")
    known = lines[lines["date"] <= end]
    days = purchase_days(lines)
    later = days[days["date"] > end]
    summary = rfm_summary(known, as_of=end)
    model = BetaGeoModel().fit(summary)
    ahead, short = (
        float(np.sum(model.expected_purchases(summary, future_t=weeks))) for weeks in (365 / 7, 12)
    )
    return ahead, {
        "The model counts in weeks: a year is 365 / 7 of them.": short,
        "This is what happened. What did the model expect?": later["customer_id"]
        .isin(known["customer_id"])
        .sum(),
        "This is what happened, with the new customers of 2025. What did the model expect?": len(later),
        "This is the mean of a customer. Add all of them up.": ahead / len(summary),
    }


@exercise("9.1")
def _formula(firm: SimulatedFirm) -> Answer:
    margins = contribution(of_year(firm.tables["transactions"], 2024))
    buyers = of_year(bought(firm), 2024)["customer_id"].unique()
    m, r, i = margins.reindex(buyers).mean(), repeat_share(firm), 0.10
    return m * r / (1 + i - r), {
        "This takes the first margin at once, as if this year's were still to come.": m * (1 + i) / (1 + i - r),
        "This counts a first margin that is certain, in a year. Here the customer has to stay to pay it.": m
        / (1 + i - r),
        "This is not discounted.": m * r / (1 - r),
    }


@exercise("9.2")
def _first_year(firm: SimulatedFirm) -> Answer:
    first = first_day(firm)
    old = first[first <= LAST_DAY - pd.Timedelta(365, "D")].index
    rows = after_first(firm, 365)
    margins = contribution(rows)
    everything = contribution(firm.tables["transactions"])
    return margins[old].mean(), {
        "You took the young customers in. They have not had a year yet.": margins[first.index].mean(),
        "This is revenue. The cost of goods has to be paid too.": rows.groupby("customer_id")["amount"]
        .sum()[old]
        .mean(),
        "You counted everything up to the last day. Stop 365 days after the first purchase.": everything[old].mean(),
    }
