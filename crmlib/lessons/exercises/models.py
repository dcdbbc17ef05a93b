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
    buyers = of_year(bought(firm), 2025)["customer_id"].unique()
    cases = of_year(firm.tables["service_cases"], 2025, "opened")
    minutes = cases.groupby("customer_id")["minutes"].sum().reindex(buyers).fillna(0.0)
    margin = contribution(year).reindex(buyers)
    revenue = year.groupby("customer_id")["amount"].sum().reindex(buyers)
    return (margin - PER_MINUTE * minutes < 0).sum(), dict(
        no_service=(margin < 0).sum(),
        no_goods=(revenue - PER_MINUTE * minutes < 0).sum(),
        minutes=(margin - minutes < 0).sum(),
    )


@exercise("6.2")
def _stay_in_the_top(firm: SimulatedFirm) -> Answer:
    log = firm.tables["transactions"]
    before, after = (contribution(of_year(log, year)).sort_values(ascending=False) for year in (2024, 2025))
    n = round(0.1 * len(before))
    top, later = before.index[:n], after.index[:n]
    both = before.index.intersection(after.index)
    stayed = before[both].iloc[: round(0.1 * len(both))].index
    return top.isin(later).mean(), dict(
        both_years=stayed.isin(after[both].sort_values(ascending=False).index[: len(stayed)]).mean(),
        bought_at_all=top.isin(after.index).mean(),
        larger_tenth=top.isin(after.index[: round(0.1 * len(after))]).mean(),
    )


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
    return _kaplan_meier(days, ended), dict(
        price_changes=_kaplan_meier(row_days, rows["end"].notna()),
        no_end_yet=1 - ended.mean(),
        ended_only=(days[ended] > 365).mean(),
        young_ended=(days > 365).mean(),
    )


@exercise("7.2")
def _break_even(firm: SimulatedFirm) -> Answer:
    worth = 12 * 0.7 * firm.tables["subscriptions"]["price_per_month"].mean()
    return 4 / (0.3 * worth), dict(
        all_kept=4 / worth, revenue=4 / (0.3 * worth / 0.7), one_month=4 / (0.3 * worth / 12), accuracy=0.5
    )


def _p_alive(x: Any, recency: Any, age: Any, *, b: float = B - 1) -> pd.Series:
    return 1 / (1 + A / (b + x) * ((ALPHA + age) / (ALPHA + recency)) ** (R + x))


@exercise("8.1")
def _mean_p_alive(firm: SimulatedFirm) -> Answer:
    all_days = purchase_days(bought(firm)).groupby("customer_id")["date"].agg(["min", "max", "count"])
    some = all_days[all_days["count"] > 1]
    x, age = some["count"] - 1, (LAST_DAY - some["min"]).dt.days / 7
    recency = (some["max"] - some["min"]).dt.days / 7
    right = _p_alive(x, recency, age).mean()
    return right, dict(
        first_counted=_p_alive(x + 1, recency, age).mean(),
        silence=_p_alive(x, age - recency, age).mean(),
        days=_p_alive(x, 7 * recency, 7 * age).mean(),
        one_time=(right * len(some) + len(all_days) - len(some)) / len(all_days),
        no_minus_one=_p_alive(x, recency, age, b=B).mean(),
    )


@exercise("8.2", tolerance=0.005)
def _forecast(firm: SimulatedFirm) -> Answer:
    lines, end = bought(firm), pd.Timestamp("2024-12-31")
    known = lines[lines["date"] <= end]
    days = purchase_days(lines)
    later = days[days["date"] > end]
    summary = rfm_summary(known, as_of=end)
    model = BetaGeoModel().fit(summary)
    expected = (model.expected_purchases(summary, future_t=weeks) for weeks in (365 / 7, 12))
    ahead, short = (float(np.sum(purchases)) for purchases in expected)
    return ahead, dict(
        months=short,
        happened=later["customer_id"].isin(known["customer_id"]).sum(),
        with_new=len(later),
        mean=ahead / len(summary),
    )


@exercise("9.1")
def _formula(firm: SimulatedFirm) -> Answer:
    margins = contribution(of_year(firm.tables["transactions"], 2024))
    buyers = of_year(bought(firm), 2024)["customer_id"].unique()
    m, r, i = margins.reindex(buyers).mean(), repeat_share(firm), 0.10
    return m * r / (1 + i - r), dict(
        now=m * (1 + i) / (1 + i - r), certain=m / (1 + i - r), not_discounted=m * r / (1 - r)
    )


@exercise("9.2")
def _first_year(firm: SimulatedFirm) -> Answer:
    first = first_day(firm)
    old = first[first <= LAST_DAY - pd.Timedelta(365, "D")].index
    rows = after_first(firm, 365)
    margins = contribution(rows)
    everything = contribution(firm.tables["transactions"])
    return margins[old].mean(), dict(
        young=margins[first.index].mean(),
        revenue=rows.groupby("customer_id")["amount"].sum()[old].mean(),
        whole_life=everything[old].mean(),
    )
