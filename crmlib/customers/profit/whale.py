"""The whale curve: how much profit the best customers make, and how much of it the others lose again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.customers.sentences import ranks_compared, whale
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.rankings import gini, rank_correlation, top_share

_POINTS = 501  # more than a chart can show
_CALLED = {"clv": "lifetime value"}  # columns of value, as a sentence names them


@dataclass(frozen=True)
class WhaleCurve:
    """Cumulative profit of customers, the best first.

    Attributes
    ----------
    curve : DataFrame
        `customers` (how many of the best), `share_of_customers`, `profit` (theirs together) and
        `share_of_profit` (NaN where the total is not positive); thinned where there are many, the peak kept.
    total : float
        Profit of all.
    peak, peak_share : float
        Profit of all who bring any, and as a share of the total; above 100 % the others destroy value.
    peak_customers : int
        How many they are; who brings nothing is not among them.
    tail : float
        What the others lose, 0 or less: total − peak.
    top_20_share : float
        Share of the total that the best fifth of customers hold.
    gini : float
        NaN where somebody loses money, for the measure is not defined there.
    """

    curve: pd.DataFrame
    total: float
    peak: float
    peak_share: float
    peak_customers: int
    tail: float
    top_20_share: float
    gini: float


def whale_curve(profit: pd.Series | np.ndarray) -> WhaleCurve:
    """How much more would the firm make from its profitable customers alone?

    Not what it would make without the others: their fixed costs would stay, see `ways_out_of_lead`.

    Parameters
    ----------
    profit : array of float
        Profit per customer, as in `customer_profit(...)["profit"]`.

    Returns
    -------
    WhaleCurve

    References
    ----------
    Kaplan, R. S. and Narayanan, V. G. (2001), "Measuring and managing customer profitability", Journal of
    Cost Management 15(5), 5-15.

    Examples
    --------
    >>> whale = whale_curve([400, 250, 150, 80, 40, 20, 10, -20, -130, -200])
    >>> whale.total, whale.peak, round(whale.peak_share, 3), whale.peak_customers, whale.tail
    (600.0, 950.0, 1.583, 7, -350.0)
    """
    values = np.asarray(profit, dtype=float)
    if infinite := int((~np.isfinite(values)).sum()):
        raise CrmError(f"{infinite:,} customers have no finite value; leave them out")
    ranked = np.sort(values)[::-1]
    cumulative = np.concatenate([[0.0], np.cumsum(ranked)])
    peak_customers = int((ranked > 0).sum())
    total, peak = float(cumulative[-1]), float(cumulative[peak_customers])
    points = np.linspace(0, len(ranked), min(len(ranked) + 1, _POINTS)).round().astype(int)
    customers = np.unique(np.append(points, peak_customers))
    whole = total if total > 0 else np.nan
    curve = pd.DataFrame({"customers": customers, "share_of_customers": customers / max(len(ranked), 1)})
    curve["profit"] = cumulative[customers]
    curve["share_of_profit"] = curve["profit"] / whole
    name = getattr(profit, "name", None)
    with_finding(curve, whale, _CALLED.get(name, name) if isinstance(name, str) else "profit")
    best_fifth = top_share(values, 0.2)
    return WhaleCurve(
        curve, total, peak, peak / whole, peak_customers, total - peak, best_fifth, gini(values)
    )


def revenue_and_profit_ranks(profit: pd.DataFrame, *, top: float = 0.1) -> tuple[pd.DataFrame, pd.Series]:
    """Are the customers who buy most the ones who bring most?

    Parameters
    ----------
    profit : DataFrame
        `revenue` and, where a cost is known, `profit` per customer.
    top : float
        The share of customers taken as the largest.

    Returns
    -------
    ranks : DataFrame
        Indexed like `profit`: `revenue_rank` and `profit_rank`, 1 the best, equal values share the mean; empty
        where no cost is known, for then the two are one.
    shared : Series
        `rank_correlation` (Spearman); `top` (how many customers); `shared` (their share that is among the
        best by profit too); `top_at_a_loss` (their share that loses money).

    Examples
    --------
    >>> ranks, shared = revenue_and_profit_ranks(pd.DataFrame({"revenue": [900, 500, 90], "profit": [-50, 200, 20]}))
    >>> ranks["profit_rank"].tolist(), float(shared["top_at_a_loss"])
    ([3.0, 1.0, 2.0], 1.0)
    """
    if "revenue" not in profit.columns:
        raise CrmError("profit has no column 'revenue'; pass what customer_profit returns")
    if not 0 < top <= 1:
        raise CrmError(f"top is {top}; allowed: a share above 0, such as 0.1")
    if "profit" not in profit.columns:
        profit = pd.DataFrame({"revenue": [], "profit": []})
    ranks = pd.DataFrame(
        {f"{name}_rank": profit[name].rank(ascending=False) for name in ("revenue", "profit")}
    )
    count = int(np.ceil(top * len(profit) - 1e-9))
    largest, best = (set(profit[name].nlargest(count).index) for name in ("revenue", "profit"))
    found = {
        "rank_correlation": rank_correlation(profit["revenue"], profit["profit"]),
        "top": float(count),
        "shared": len(largest & best) / count if count else np.nan,
        "top_at_a_loss": float((profit.loc[list(largest), "profit"] < 0).mean()) if count else np.nan,
    }
    return with_finding(ranks, ranks_compared), pd.Series(found)
