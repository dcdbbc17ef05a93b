"""Lessons 1 to 5: the log, the audit, cohorts, treatments and segments."""

from __future__ import annotations

from typing import Any

import pandas as pd

from crmlib.lessons.exercise import exercise
from crmlib.lessons.exercises.frames import LAST_DAY, after_first, bought, contracts, of_year, purchase_days
from crmlib.simulation.simulate import SimulatedFirm

Answer = tuple[Any, dict[str, Any]]
FOR_80_PER_CENT = 7.85  # the factor of a test at 5 % with a power of 80 %, as lesson 4 gives it


@exercise("1.1")
def _orders(firm: SimulatedFirm) -> Answer:
    log, lines = firm.tables["transactions"], bought(firm)
    return log["order_id"].nunique(), dict(
        rows=len(log),
        lines=len(lines),
        days=len(purchase_days(lines)),
        customers=log["customer_id"].nunique(),
    )


@exercise("1.2")
def _order_value(firm: SimulatedFirm) -> Answer:
    log, lines = firm.tables["transactions"], bought(firm)
    orders = log["order_id"].nunique()
    return log["amount"].sum() / orders, dict(
        before_returns=lines["amount"].sum() / orders,
        of_rows=log["amount"].mean(),
        per_customer=log["amount"].sum() / log["customer_id"].nunique(),
        returns_counted=log["amount"].sum() / (orders + log["returned"].sum()),
    )


@exercise("2.1")
def _one_time(firm: SimulatedFirm) -> Answer:
    lines = bought(firm)
    days = purchase_days(of_year(lines, 2025)).groupby("customer_id").size()
    ever = purchase_days(lines).groupby("customer_id").size()
    rows = of_year(firm.tables["transactions"], 2025).groupby("customer_id").size()
    return (days == 1).mean(), dict(
        whole_log=(ever == 1).mean(),
        rows=(rows == 1).mean(),
        several=(days > 1).mean(),
        all_customers=(days == 1).sum() / len(ever),
    )


@exercise("2.2")
def _top_tenth(firm: SimulatedFirm) -> Answer:
    log = firm.tables["transactions"]
    year = of_year(log, 2025)

    def top(rows: pd.DataFrame, share: float = 0.1, key: str = "customer_id") -> float:
        spend = rows.groupby(key)["amount"].sum().sort_values(ascending=False)
        return spend.iloc[: round(share * len(spend))].sum() / spend.sum()

    return top(year), dict(orders=top(year, key="order_id"), all_years=top(log), fifth=top(year, 0.2))


@exercise("3.1")
def _second_within_a_year(firm: SimulatedFirm) -> Answer:
    rows = after_first(firm)
    rows = rows[~rows["returned"]]
    first = rows["date"] - pd.to_timedelta(rows["age"], unit="D")
    cohort = rows[first.dt.year == 2023]
    size = cohort["customer_id"].nunique()
    again = cohort[(cohort["age"] > 0) & (cohort["age"] <= 365)]["customer_id"].nunique()
    in_2023 = cohort[(cohort["age"] > 0) & (cohort["date"].dt.year == 2023)]["customer_id"].nunique()
    return again / size, dict(
        any_time=cohort[cohort["age"] > 0]["customer_id"].nunique() / size,
        end_of_year=in_2023 / size,
        lines=(cohort[cohort["age"] <= 365].groupby("customer_id").size() > 1).mean(),
        all_cohorts=rows[(rows["age"] > 0) & (rows["age"] <= 365)]["customer_id"].nunique()
        / rows["customer_id"].nunique(),
    )


@exercise("3.2")
def _mixed_retention(firm: SimulatedFirm) -> Answer:
    light = float((contracts(firm)["plan"] == "light").mean())

    def left(month: int) -> float:
        return light * 0.80**month + (1 - light) * 0.98**month

    return left(6) / left(5), dict(mean_rate=left(1), survivors=left(6), month_5=left(5) / left(4))


def _outcome(firm: SimulatedFirm, name: str, days: int, value: pd.Series | None = None) -> pd.DataFrame:
    """Participants of an experiment with their number of orders, or their sum of `value`, within so many days."""
    people = firm.tables["experiments"].query("experiment == @name")
    log = firm.tables["transactions"]
    rows = (log if value is not None else bought(firm).drop_duplicates("order_id")).merge(
        people[["customer_id", "assigned"]], on="customer_id"
    )
    age = (rows["date"] - rows["assigned"]).dt.days
    weight = pd.Series(1.0, rows.index) if value is None else rows["amount"] - rows["cost"]
    found = people.copy()
    for name, inside in {"after": (age > 0) & (age <= days), "before": (age <= 0) & (age > -days)}.items():
        sums = weight[inside].groupby(rows["customer_id"]).sum()
        found[name] = people["customer_id"].map(sums).fillna(0.0)
    return found


@exercise("4.1")
def _reminder(firm: SimulatedFirm) -> Answer:
    people = _outcome(firm, "reminder-2025", 90)
    treated, control = (people[people["group"] == group] for group in ("treated", "control"))
    return treated["after"].mean() - control["after"].mean(), dict(
        own_past=treated["after"].mean() - treated["before"].mean(),
        buyers_only=treated[treated["after"] > 0]["after"].mean()
        - control[control["after"] > 0]["after"].mean(),
        sign=control["after"].mean() - treated["after"].mean(),
        sums=treated["after"].sum() - control["after"].sum(),
    )


@exercise("4.2", tolerance=0.005)
def _sample_size(firm: SimulatedFirm) -> Answer:
    people = _outcome(firm, "reminder-2025", 90)
    after = people[people["group"] == "control"]["after"]
    n = 2 * FOR_80_PER_CENT * after.var() / 0.1**2
    return n, dict(no_factor=n / 2, both_groups=2 * n, deviation=n / after.std(), not_squared=n * 0.1)


@exercise("5.1")
def _frequency_and_later_spend(firm: SimulatedFirm) -> Answer:
    lines = bought(firm)
    lines = lines[lines["date"] <= "2024-12-31"]
    days = purchase_days(lines).groupby("customer_id").size()
    later = of_year(firm.tables["transactions"], 2025).groupby("customer_id")["amount"].sum()
    spend = later.reindex(days.index).fillna(0.0)
    some = spend[spend > 0]
    return days.corr(spend, method="spearman"), dict(
        amounts=days.corr(spend),
        buyers_only=days[some.index].corr(some, method="spearman"),
        rows=lines.groupby("customer_id").size().corr(spend, method="spearman"),
    )


@exercise("5.2")
def _frozen_cut(firm: SimulatedFirm) -> Answer:
    lines = bought(firm)
    early = lines[lines["date"] <= "2024-12-31"].groupby("customer_id")["date"].max()
    silent = (pd.Timestamp("2024-12-31") - early).dt.days
    all_now = (LAST_DAY - lines.groupby("customer_id")["date"].max()).dt.days
    now = all_now[early.index]
    return (now > silent.median()).mean(), dict(
        drawn_anew=(now > now.median()).mean(), new_customers=(all_now > silent.median()).mean()
    )
