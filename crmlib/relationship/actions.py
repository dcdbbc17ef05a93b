"""Which customers to act on, which to thank, and what a contact is expected to bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch, purchase_days
from crmlib.customers.treatments.experiments import experiment_outcomes
from crmlib.economics.experiments import read_experiments
from crmlib.errors import DataError
from crmlib.findings import SUPPORTED
from crmlib.no_rows import no_rows, why_none
from crmlib.units import TimeUnit

BEST = 0.10  # share of customers, by what they spent, that count as the best
FEWEST_PURCHASES = 3  # of a customer whose usual gap is more than one accident
WINDOW_DAYS = 60  # after a message, in which a purchase counts
_LIST = ["customer_id", "spent", "last_bought", "usual_gap_days", "silent_days"]


@dataclass(frozen=True)
class Effect:
    """What a contact changes, and its cost.

    Attributes
    ----------
    change : float
        Difference of the chance to buy, a share.
    cost : float
        Money per contact.
    source : str
        The experiment that measured the change; empty where it is an assumption.
    """

    change: float
    cost: float
    source: str = ""


def measured_effect(
    transactions: Any, experiments: Any, *, as_of: Any, days: int = WINDOW_DAYS
) -> Effect | None:
    """How much does a contact raise the chance to buy, as a randomised experiment of the firm has shown?

    Parameters
    ----------
    transactions, experiments, as_of, days
        As in `experiment_outcomes`.

    Returns
    -------
    Effect or None
        Of the experiment whose effect is most certain, if it is beyond chance and the cost of a contact is known.

    Examples
    --------
    >>> people = [f"c{number}" for number in range(200)]
    >>> test = pd.DataFrame({"experiment": "letter", "customer_id": people, "group": ["treated", "control"] * 100,
    ...                      "assigned": pd.Timestamp("2024-03-01"), "cost": 0.5})
    >>> log = pd.DataFrame({"customer_id": people[::2][:60], "date": pd.Timestamp("2024-03-05"), "amount": 10.0})
    >>> measured_effect(log, test, as_of="2024-06-30")
    Effect(change=0.6, cost=0.5, source='letter')
    """
    outcomes = experiment_outcomes(transactions, experiments, days=days, as_of=as_of)
    if why_none(outcomes):
        return None
    read = read_experiments(outcomes, outcome="bought")
    if why_none(read):
        return None
    shown = read[(read["verdict"] == SUPPORTED) & read["cost_per_message"].notna()]
    if shown.empty:
        return None
    best = shown.loc[shown["z"].idxmax()]
    return Effect(float(best["difference"]), float(best["cost_per_message"]), str(best["experiment"]))


def brought_before_silence(
    transactions: Any, *, as_of: Any, days: float, margin: float | None = None
) -> pd.DataFrame:
    """What did each customer bring in the time up to the last purchase?

    Parameters
    ----------
    transactions, as_of, margin
        As in `period_change`.
    days : float
        Length of that time.

    Returns
    -------
    DataFrame
        `customer_id, purchases`, and the money, net of returns: `profit` where costs or a margin are known, else
        `revenue`.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "a"], "amount": [5.0, 10.0, 30.0],
    ...                     "date": pd.to_datetime(["2023-01-01", "2024-01-01", "2024-01-15"])})
    >>> brought_before_silence(log, as_of="2024-12-31", days=182).values.tolist()
    [['a', 2, 40.0]]
    """
    daily = purchase_days(transactions, as_of, margin=margin)
    value = "profit" if "profit" in daily.columns else "revenue"
    last = daily.group_by("customer_id").agg(last=_.date.max(where=_.purchase == 1))
    rows = daily.join(last, "customer_id")
    rows = rows.filter(rows.date > rows["last"] - ibis.interval(seconds=round(days * 86_400)))
    found = rows.group_by("customer_id").agg(purchases=_.purchase.sum(), **{value: rows[value].sum()})
    return fetch(found.order_by("customer_id"))


def customers_to_win_back(
    late: pd.DataFrame,
    summary: pd.DataFrame,
    brought: pd.DataFrame,
    *,
    effect: Effect | None = None,
    lowest_chance: float = 0.1,
) -> pd.DataFrame:
    """Which customers are silent beyond their habit and can still be won, those with most money first?

    Parameters
    ----------
    late : DataFrame
        Customers who are overdue, as `win_back_list` has them: `customer_id, usual_gap, silent, p_active`.
    summary : CustomerSummary
        What is known of all customers; its time unit is that of `late`.
    brought : DataFrame
        As of `brought_before_silence`, for the time that `p_active` is about.
    effect : Effect, optional
        What a contact changes. With it the money is the expected gain: change × profit of a purchase − cost.
    lowest_chance : float, default 0.1
        Customers whose chance to buy is lower have left, and are not listed.

    Returns
    -------
    DataFrame
        `customer_id, spent` (net), `last_bought, usual_gap_days, silent_days, chance_to_buy` and the money:
        `expected_gain` where profit and an effect are known, only gains above 0; else `margin_at_risk`, or
        `revenue_at_risk` where no profit is known: what the customer brought in as long a time up to the last
        purchase, times the chance of no purchase. It is a loss to expect, not the gain of a contact.

    Examples
    --------
    >>> from crmlib import rfm_summary
    >>> log = pd.DataFrame({"customer_id": ["a", "a"], "date": pd.to_datetime(["2024-01-01", "2024-01-15"]),
    ...                     "amount": [10.0, 30.0]})
    >>> late = pd.DataFrame({"customer_id": ["a"], "usual_gap": [2.0], "silent": [9.0], "p_active": [0.4]})
    >>> brought = brought_before_silence(log, as_of="2024-03-18", days=182)
    >>> found = customers_to_win_back(late, rfm_summary(log, as_of="2024-03-18"), brought)
    >>> found[["usual_gap_days", "silent_days", "revenue_at_risk"]].values.tolist()
    [[14.0, 63.0, 24.0]]
    """
    value = "profit" if "profit" in brought else "revenue"
    gain = effect if value == "profit" else None
    money = "expected_gain" if gain else "margin_at_risk" if value == "profit" else "revenue_at_risk"
    columns = [*_LIST, "chance_to_buy", money]
    if nobody := why_none(late):
        return no_rows(columns, nobody)
    known = pd.DataFrame(summary)[["customer_id", "net", "last_purchase"]]
    rows = late.drop(columns="net", errors="ignore").merge(known, on="customer_id", validate="one_to_one")
    rows = rows[rows["p_active"] >= lowest_chance].merge(brought, on="customer_id", validate="one_to_one")
    worth = rows[value] * (1 - rows["p_active"])
    if gain:
        worth = gain.change * rows[value] / rows["purchases"] - gain.cost
    found = _named(rows, _unit(summary)).assign(**{"chance_to_buy": rows["p_active"], money: worth})
    found = found[found[money] > 0].sort_values([money, "customer_id"], ascending=[False, True])
    return found[columns].reset_index(drop=True) if len(found) else no_rows(columns, _NOBODY)


_NOBODY = "no customer is silent beyond their habit and can still be won"


def customers_to_thank(summary: pd.DataFrame, late: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Which of the best customers buy as they always did, and need no offer?

    Parameters
    ----------
    summary : CustomerSummary
        Of all customers.
    late : DataFrame
        Customers who are overdue: `customer_id`.
    n : int
        Rows, at most.

    Returns
    -------
    DataFrame
        Of the tenth of customers who spent most: those with three purchases or more who bought within their usual
        gap. `customer_id, spent, purchases, last_bought, usual_gap_days, silent_days`, the highest spending first.

    Examples
    --------
    >>> from crmlib import rfm_summary
    >>> days = pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-29"])
    >>> log = pd.DataFrame({"customer_id": "a", "date": days, "amount": 10.0})
    >>> nobody = pd.DataFrame({"customer_id": []})
    >>> customers_to_thank(rfm_summary(log, as_of="2024-02-01"), nobody)[["customer_id", "purchases", "silent_days"]]
      customer_id  purchases  silent_days
    0           a          3          3.0
    """
    unit, rows = _unit(summary), pd.DataFrame(summary)
    best = rows["net"].rank(ascending=False, method="first") <= max(np.ceil(BEST * len(rows)), 1)
    often = rows["frequency"] + 1 >= FEWEST_PURCHASES
    gap = rows["recency"] / rows["frequency"].where(rows["frequency"] > 0)
    known = late.get("customer_id", [])
    chosen = best & often & (rows["time_since_last_purchase"] <= gap) & ~rows["customer_id"].isin(known)
    rows = rows.assign(usual_gap=gap, silent=rows["time_since_last_purchase"])[chosen]
    found = _named(rows, unit).assign(purchases=rows["frequency"] + 1)
    columns = [*_LIST[:2], "purchases", *_LIST[2:]]
    if found.empty:
        return no_rows(columns, "none of the best customers has bought within their usual gap")
    return (
        found.sort_values(["spent", "customer_id"], ascending=[False, True])[columns]
        .head(n)
        .reset_index(drop=True)
    )


def _named(rows: pd.DataFrame, unit: TimeUnit) -> pd.DataFrame:
    """What every list says of a customer: money spent, the day of the last purchase, durations in days."""
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"],
            "spent": rows["net"],
            "last_bought": pd.to_datetime(rows["last_purchase"]).dt.normalize(),
            "usual_gap_days": (rows["usual_gap"] * unit.days).round(),
            "silent_days": (rows["silent"] * unit.days).round(),
        }
    )


def _unit(summary: pd.DataFrame) -> TimeUnit:
    unit = getattr(summary, "time_unit", None)
    if unit is None:
        raise DataError("the summary does not say its unit of time; give what rfm_summary returns")
    return TimeUnit(unit)


def contracts_to_save(to_contact: pd.DataFrame) -> pd.DataFrame:
    """Which customers with a contract to contact, those with the highest expected gain first?

    Parameters
    ----------
    to_contact : DataFrame
        As of `retention_campaign`: `customer_id, p_churn, reason_1, profit`, which rests on assumed figures.

    Returns
    -------
    DataFrame
        `customer_id, chance_to_leave, main_reason, expected_gain_assumed`.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a"], "p_churn": [0.8], "reason_1": ["tenure 1: +1.5 in log odds"],
    ...                      "profit": [40.0]})
    >>> contracts_to_save(rows).values.tolist()
    [['a', 0.8, 'tenure 1', 40.0]]
    """
    columns = ["customer_id", "chance_to_leave", "main_reason", "expected_gain_assumed"]
    if nobody := why_none(to_contact):
        return no_rows(columns, nobody)
    rows = to_contact.sort_values(["profit", "customer_id"], ascending=[False, True]).reset_index(drop=True)
    reason = (
        rows["reason_1"].astype(str).str.rpartition(": ").apply(lambda parts: parts[0] or parts[2], axis=1)
    )
    named = zip(columns, (rows["customer_id"], rows["p_churn"], reason, rows["profit"]), strict=True)
    return pd.DataFrame(dict(named))
