"""Lens 1: how different are customers in one period?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers._log import by_group, customer_totals
from crmlib.data.sources import as_transactions
from crmlib.rankings import gini, parts_of_equal_size, top_share

TOP_SHARES = (0.01, 0.05, 0.10, 0.20)
MANY = 10  # purchases from which on the distribution says "10 or more"


@dataclass(frozen=True)
class PeriodProfile:
    """One period of a customer base.

    Attributes
    ----------
    value : str
        What customers are ranked by: "profit" where it is known, else "revenue".
    totals : Series
        `customers, purchases, revenue, profit` (NaN where unknown), `purchases_per_customer`,
        `spend_per_purchase`, `margin`, `one_time_share` (of customers), `gini` of the value and
        `top_1_share, top_5_share, top_10_share, top_20_share` of it (NaN of less than a customer).
    distribution : DataFrame
        By `purchases` ("1" to "9", "10+"): `customers, customer_share, value, value_share`.
    deciles : DataFrame
        `decile` 1 (best) to 10: `customers, purchases, value, value_share, cumulative_share,
        value_per_customer`.
    by_group : DataFrame
        One row per group, `by` and `group` and then the totals; empty where none were asked for, or the log has none of
        the columns. A customer of two groups is a customer of each. Beyond the 20 groups with the most customers, all
        others are one, "(4,980 others)".
    """

    value: str
    totals: pd.Series
    distribution: pd.DataFrame
    deciles: pd.DataFrame
    by_group: pd.DataFrame


def period_profile(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    collapse: str = "D",
    margin: float | None = None,
    by: Sequence[str] = (),
) -> PeriodProfile:
    """How different are the customers of one period, and how much hangs on how few of them?

    Parameters
    ----------
    transactions, collapse
        As in `rfm_summary`.
    start, end : date or str
        First and last day of the period, both within it.
    margin : float, optional
        Contribution margin as a share of revenue; with it, or where the log has `cost`, customers are
        ranked by profit.
    by : sequence of str
        Columns such as "market" and "channel", whose groups are described apart; those that the log lacks are passed
        over.

    Returns
    -------
    PeriodProfile

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Ross, M. (2022), The Customer-Base Audit, lens 1.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 10.0], "market": ["DE", "DE", "FR"],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-31"])})
    >>> profile = period_profile(log, start="2024-01-01", end="2024-01-31", by=["market"])
    >>> profile.totals[["customers", "one_time_share", "spend_per_purchase"]].tolist()
    [2.0, 0.5, 16.666666666666668]
    >>> profile.by_group[["by", "group", "revenue"]]
           by group  revenue
    0  market    DE     40.0
    1  market    FR     10.0
    """
    period = dict(start=start, end=end, collapse=collapse, margin=margin)
    ranked, value = _ranked(customer_totals(transactions, **period))
    deciles, distribution = _deciles(ranked, value), _distribution(ranked, value)
    for table in (deciles, distribution):
        assert table["customers"].sum() == len(ranked), "a customer was lost between tables"
        assert np.isclose(table["value"].sum(), ranked[value].sum()), "value was lost between tables"
    apart = _by_group(transactions, by, **period)
    return PeriodProfile(value, _totals(ranked, value), distribution, deciles, apart)


def _ranked(customers: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The customers by value, the best first, and what their value is."""
    value = "profit" if "profit" in customers.columns else "revenue"
    ranked = customers.sort_values([value, "customer_id"], ascending=[False, True])
    return ranked.reset_index(drop=True), value


def _by_group(transactions: Any, by: Sequence[str], **period: Any) -> pd.DataFrame:
    """The totals of each market, channel or other group, by those columns that the log has."""
    rows = as_transactions(transactions)
    profiles = [
        {"by": name, "group": group, **_totals(*_ranked(customers)).to_dict()}
        for name in by
        if name in rows.columns
        for group, customers in by_group(customer_totals, rows, by=name, **period).items()
    ]
    return pd.DataFrame(profiles, columns=None if profiles else ["by", "group"])


def _totals(ranked: pd.DataFrame, value: str) -> pd.Series:
    customers, purchases = len(ranked), ranked["purchases"].sum()
    revenue = ranked["revenue"].sum()
    profit = ranked["profit"].sum() if "profit" in ranked else np.nan
    totals = {
        "customers": customers,
        "purchases": purchases,
        "revenue": revenue,
        "profit": profit,
        "purchases_per_customer": _ratio(purchases, customers),
        "spend_per_purchase": _ratio(revenue, purchases),
        "margin": _ratio(profit, revenue),
        "one_time_share": (ranked["purchases"] == 1).mean() if customers else np.nan,
        "gini": gini(ranked[value].to_numpy()) if customers > 1 else np.nan,
    }
    for share in TOP_SHARES:
        held = top_share(ranked[value].to_numpy(), share) if share * customers >= 1 else np.nan
        totals[f"top_{share * 100:.0f}_share"] = held
    return pd.Series(totals, dtype=float)


def _ratio(above: float, below: float) -> float:
    return above / below if below else np.nan


def _deciles(ranked: pd.DataFrame, value: str) -> pd.DataFrame:
    # Ten groups as equal as the number allows; customers of the same value are in the order of their ids.
    decile = parts_of_equal_size(len(ranked)) + 1
    table = ranked.groupby(decile).agg(
        customers=("customer_id", "size"), purchases=("purchases", "sum"), value=(value, "sum")
    )
    table = table.reindex(range(1, 11), fill_value=0).rename_axis("decile").reset_index()
    return table.assign(
        value_share=table["value"] / table["value"].sum(),
        cumulative_share=table["value"].cumsum() / table["value"].sum(),
        value_per_customer=table["value"] / table["customers"],
    )


def _distribution(ranked: pd.DataFrame, value: str) -> pd.DataFrame:
    names = [*map(str, range(1, MANY)), f"{MANY}+"]
    group = ranked["purchases"].clip(upper=MANY).map(lambda count: names[int(count) - 1])
    table = ranked.groupby(group).agg(customers=("customer_id", "size"), value=(value, "sum"))
    table = table.reindex(names, fill_value=0).rename_axis("purchases").reset_index()
    return table.assign(
        customer_share=table["customers"] / table["customers"].sum(),
        value_share=table["value"] / table["value"].sum(),
    )
