"""How profit is spread over customers: the whale curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.customers.sentences import whale
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.rankings import gini, top_share

_CURVE = 501  # points of a curve, more than a chart can show


@dataclass(frozen=True)
class WhaleCurve:
    """Cumulative profit of customers, the best first.

    - `curve`: `customers` (how many of the best), `share_of_customers`, `profit` (theirs together) and
      `share_of_profit` (NaN where the total is not positive); thinned where there are many, the peak kept.
    - `total`: profit of all.
    - `peak`, `peak_share`: profit of all who bring any, and as a share of the total; above 100 % the others destroy
      value.
    - `peak_customers`: how many they are; who brings nothing is not among them.
    - `tail`: what the others lose, 0 or less: total − peak.
    - `top_20_share`: share of the total that the best fifth of customers hold.
    - `gini`: NaN where somebody loses money, for the measure is not defined there.
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

    Not what it would make without the others: their fixed costs would stay, see `ValueTiers.ways_out_of_lead`.

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
    points = np.linspace(0, len(ranked), min(len(ranked) + 1, _CURVE)).round().astype(int)
    customers = np.unique(np.append(points, peak_customers))
    whole = total if total > 0 else np.nan
    curve = pd.DataFrame({"customers": customers, "share_of_customers": customers / max(len(ranked), 1)})
    curve["profit"] = cumulative[customers]
    curve["share_of_profit"] = curve["profit"] / whole
    name = getattr(profit, "name", None)
    with_finding(curve, whale, name if isinstance(name, str) else "profit")
    best_fifth = top_share(values, 0.2)
    return WhaleCurve(
        curve, total, peak, peak / whole, peak_customers, total - peak, best_fifth, gini(values)
    )
