"""Lens 1: how different are customers in one period?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.activity import by_group, customer_totals
from crmlib.customers.audit.sentences import share_of_best_tenth, spread_of_purchases
from crmlib.data.sources import as_transactions
from crmlib.findings import with_finding
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
    """

    value: str
    totals: pd.Series
    distribution: pd.DataFrame
    deciles: pd.DataFrame


def period_profile(
    transactions: Any, *, start: Any, end: Any, collapse: str = "D", margin: float | None = None
) -> PeriodProfile:
    """How different are the customers of one period, and how much hangs on how few of them?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    start, end : date or str
        First and last day of the period, both within it.
    collapse : {"D", "H", "W", "M", "Q", "Y"}
        Purchases of one customer within one such period are one purchase.
    margin : float, optional
        Contribution margin as a share of revenue; with it, or where the log has `cost`, customers are
        ranked by profit.

    Returns
    -------
    PeriodProfile

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Ross, M. (2022), The Customer-Base Audit, lens 1.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 10.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-31"])})
    >>> profile = period_profile(log, start="2024-01-01", end="2024-01-31")
    >>> profile.totals[["customers", "one_time_share", "spend_per_purchase"]].tolist()
    [2.0, 0.5, 16.666666666666668]
    """
    return _profile(customer_totals(transactions, start=start, end=end, collapse=collapse, margin=margin))


def _profile(customers: pd.DataFrame) -> PeriodProfile:
    value = "profit" if "profit" in customers.columns else "revenue"
    ranked = customers.sort_values([value, "customer_id"], ascending=[False, True]).reset_index(drop=True)
    deciles = _deciles(ranked, value)
    distribution = _distribution(ranked, value)
    for table in (deciles, distribution):
        assert table["customers"].sum() == len(ranked), "a customer was lost between tables"
        assert np.isclose(table["value"].sum(), ranked[value].sum()), "value was lost between tables"
    with_finding(distribution, spread_of_purchases, value)
    with_finding(deciles, share_of_best_tenth, value)
    return PeriodProfile(value, _totals(ranked, value), distribution, deciles)


def profile_by_group(
    transactions: Any, *, start: Any, end: Any, by: Sequence[str] = ("market", "channel"), **options: Any
) -> pd.DataFrame:
    """How do the markets and channels of one period differ?

    Parameters
    ----------
    transactions, start, end, **options
        As in `period_profile`.
    by : sequence of str
        Columns to group by; those that the log lacks are passed over.

    Returns
    -------
    DataFrame
        One row per group, `by` and `group` and then the totals of `PeriodProfile`; empty where the log has
        none of the columns. A customer of two groups is a customer of each. Beyond the 20 groups with the most
        customers, all others are one, "(4,980 others)".

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "b"], "amount": [10.0, 30.0], "market": ["DE", "FR"],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15"])})
    >>> profile_by_group(log, start="2024-01-01", end="2024-01-31")[["by", "group", "revenue"]]
           by group  revenue
    0  market    DE     10.0
    1  market    FR     30.0
    """
    rows = as_transactions(transactions)
    profiles = [
        {"by": name, "group": group, **_profile(customers).totals.to_dict()}
        for name in by
        if name in rows.columns
        for group, customers in by_group(
            customer_totals, rows, by=name, start=start, end=end, **options
        ).items()
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
    # Ten groups as equal as the number allows; customers with the same value are told apart by their id.
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
