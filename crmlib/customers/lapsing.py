"""The best customers who have gone quiet, by a rule that needs no model."""

from __future__ import annotations

import pandas as pd

from crmlib.errors import CrmError

# With gaps spread as by chance (exponential), a silence of three mean gaps has a chance of e^-3, one in 20.
USUAL_GAPS = 3.0
# A silence of ten mean gaps is no longer slipping away: these customers have left, and are another list.
LOST_GAPS = 10.0


def lapsing_customers(
    summary: pd.DataFrame, n: int = 20, *, from_gaps: float = USUAL_GAPS, to_gaps: float = LOST_GAPS
) -> pd.DataFrame:
    """Which of the best customers have been silent for longer than is usual for them.

    Parameters
    ----------
    summary : CustomerSummary or DataFrame
        Columns `customer_id, frequency, recency, time_since_last_purchase, last_purchase, net`.
    n : int
        How many at most.
    from_gaps, to_gaps : float
        A customer is lapsing whose silence is at least `from_gaps` and less than `to_gaps` times the mean gap
        between their own purchases.

    Returns
    -------
    DataFrame
        By net spend, highest first: `customer_id, net, purchases, last_purchase, mean_gap` and
        `time_since_last_purchase` (in the summary's unit), and `gaps_silent`, the one over the other.

    Notes
    -----
    Needs two repeat purchases, for one gap is no habit. The rule takes a customer's past gaps for their
    usual ones: who buys every Christmas is silent for most of the year, and a customer with few purchases
    has a mean gap known only roughly, so that some on the list will come back unasked. P(alive) of a
    purchase model with its backtest judges better where there is one.

    Examples
    --------
    >>> summary = pd.DataFrame({"customer_id": ["a", "b"], "frequency": [4, 4], "recency": [8.0, 8.0],
    ...     "time_since_last_purchase": [7.0, 1.0], "net": [90.0, 50.0],
    ...     "last_purchase": pd.to_datetime(["2024-01-01", "2024-02-12"])})
    >>> lapsing_customers(summary)[["customer_id", "mean_gap", "gaps_silent"]]
      customer_id  mean_gap  gaps_silent
    0           a       2.0          3.5
    """
    if n < 1:
        raise CrmError(f"n is {n}; allowed: 1 or more")
    if not 0 < from_gaps < to_gaps:
        raise CrmError(f"from_gaps is {from_gaps} and to_gaps {to_gaps}; allowed: 0 < from_gaps < to_gaps")
    regular = pd.DataFrame(summary[(summary["frequency"] >= 2) & (summary["recency"] > 0)])
    mean_gap = regular["recency"] / regular["frequency"]
    told = regular.assign(
        purchases=regular["frequency"] + 1,
        mean_gap=mean_gap,
        gaps_silent=regular["time_since_last_purchase"] / mean_gap,
    )
    lapsing = told[(told["gaps_silent"] >= from_gaps) & (told["gaps_silent"] < to_gaps)]
    lapsing = lapsing.sort_values(["net", "customer_id"], ascending=[False, True]).head(n)
    columns = ["customer_id", "net", "purchases", "last_purchase", "mean_gap", "time_since_last_purchase"]
    return lapsing[[*columns, "gaps_silent"]].reset_index(drop=True)
