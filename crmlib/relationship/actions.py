"""Which customers to act on, which to thank, and what a contact is expected to bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers._log import customer_totals
from crmlib.customers.audit.months import last_months
from crmlib.errors import DataError
from crmlib.findings import SUPPORTED
from crmlib.no_rows import no_rows, why_none
from crmlib.relationship.rules import effects_of
from crmlib.units import TimeUnit

BEST = 0.10  # share of customers, by what they spent, that count as the best
FEWEST_PURCHASES = 3  # of a customer whose usual gap is more than one accident
WINDOW_DAYS = 60  # after a message, in which a purchase counts
_THANKED = "customer_id spent purchases last_bought usual_gap_days silent_days"


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
    read = effects_of(transactions, experiments, days=days, as_of=as_of)
    if why_none(read):
        return None
    shown = read[(read["verdict"] == SUPPORTED) & read["cost_per_message"].notna()]
    if shown.empty:
        return None
    best = shown.loc[shown["z"].idxmax()]
    return Effect(float(best["difference"]), float(best["cost_per_message"]), str(best["experiment"]))


def margin_of(
    transactions: Any, *, as_of: Any, months: int = 12, margin: float | None = None
) -> float | None:
    """Which share of revenue is contribution: as measured in the last months where the log has costs, else as given?

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "b"], "amount": [10.0, 30.0], "cost": [5.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15"])})
    >>> margin_of(log, as_of="2024-01-31")
    0.75
    """
    start, end = last_months(months, as_of=as_of)
    totals = customer_totals(transactions, start=start, end=end, margin=margin, outside=True)
    if "profit" not in totals or not totals["revenue"].sum() > 0:
        return margin
    return float(totals["profit"].sum() / totals["revenue"].sum())


def customers_to_win_back(
    winnable: pd.DataFrame,
    summary: pd.DataFrame,
    *,
    margin: float | None = None,
    effect: Effect | None = None,
) -> pd.DataFrame:
    """Which overdue customers can still be won back, those with most money first?

    Parameters
    ----------
    winnable : DataFrame
        As of `winnable_customers`, whose money is at risk.
    summary : CustomerSummary
        Of all customers: `customer_id, mean_spend_per_period`.
    margin : float, optional
        Contribution as a share of revenue.
    effect : Effect, optional
        What a contact changes.

    Returns
    -------
    DataFrame
        The same customers. With a margin and an effect the money is the `expected_gain` (`expected_gain_assumed` where
        the effect is assumed: change × margin of a purchase
        − cost), and only gains above 0 are listed; with a margin alone it is the `margin_at_risk`, with neither
        the `revenue_at_risk`: a loss to expect, not the gain of a contact.

    Examples
    --------
    >>> late = pd.DataFrame({"customer_id": ["a", "b"], "chance_to_buy": [0.4, 0.2], "revenue_at_risk": [24.0, 9.0]})
    >>> known = pd.DataFrame({"customer_id": ["a", "b"], "mean_spend_per_period": [20.0, 200.0]})
    >>> customers_to_win_back(late, known, margin=0.5)["margin_at_risk"].tolist()
    [12.0, 4.5]
    >>> letter = Effect(0.05, 1.0, "letter")
    >>> customers_to_win_back(late, known, margin=0.5, effect=letter)[["customer_id", "expected_gain"]]
      customer_id  expected_gain
    0           b            4.0
    """
    if margin is None or why_none(winnable):
        return winnable
    rows = winnable.copy()
    if "revenue_at_risk" in rows:
        rows = rows.assign(margin_at_risk=rows.pop("revenue_at_risk") * margin)
    if effect is None:
        return rows
    gain = "expected_gain" if effect.source else "expected_gain_assumed"
    worth = rows["customer_id"].map(summary.set_index("customer_id")["mean_spend_per_period"]).clip(lower=0.0)
    rows = rows.drop(columns="margin_at_risk").assign(**{gain: effect.change * worth * margin - effect.cost})
    rows = rows[rows[gain] > 0].sort_values([gain, "customer_id"], ascending=[False, True])
    if rows.empty:
        return no_rows(rows.columns, "a contact costs more than it is expected to bring")
    return rows.reset_index(drop=True)


def customers_to_thank(summary: pd.DataFrame, late: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Which of the best customers buy as regularly as before, and need no offer?

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
    if (unit := getattr(summary, "time_unit", None)) is None:
        raise DataError("the summary does not say its unit of time; give what rfm_summary returns")
    days, rows = TimeUnit(unit).days, pd.DataFrame(summary)
    best = rows["net"].rank(ascending=False, method="first") <= max(np.ceil(BEST * len(rows)), 1)
    often = rows["frequency"] + 1 >= FEWEST_PURCHASES
    gap = rows["recency"] / rows["frequency"].where(rows["frequency"] > 0)
    known = late.get("customer_id", [])
    chosen = best & often & (rows["time_since_last_purchase"] <= gap) & ~rows["customer_id"].isin(known)
    rows = rows.assign(usual_gap=gap)[chosen].sort_values(["net", "customer_id"], ascending=[False, True])[:n]
    if rows.empty:
        return no_rows(_THANKED, "none of the best customers has bought within their usual gap")
    found = {
        "customer_id": rows["customer_id"],
        "spent": rows["net"],
        "purchases": rows["frequency"] + 1,
        "last_bought": pd.to_datetime(rows["last_purchase"]).dt.normalize(),
        "usual_gap_days": (rows["usual_gap"] * days).round(),
        "silent_days": (rows["time_since_last_purchase"] * days).round(),
    }
    return pd.DataFrame(found).reset_index(drop=True)


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
    parts = rows["reason_1"].astype(str).str.rpartition(": ")
    reason = parts[0].where(parts[0] != "", parts[2])
    named = zip(columns, (rows["customer_id"], rows["p_churn"], reason, rows["profit"]), strict=True)
    return pd.DataFrame(dict(named))
