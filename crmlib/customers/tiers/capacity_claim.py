"""Does Iron fill capacity that would stand idle without it?"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from crmlib.customers._log import end_of, fetch
from crmlib.data.sources import open_optional
from crmlib.statistics import normal_quantile


def capacity_use(capacity: Any, first: dt.date, last: dt.date) -> float:
    """Share of the capacity that was used in a period, the mean over its months and resources; NaN without any.

    Parameters
    ----------
    capacity : ibis.Table or DataFrame or None
        The study's table: `date, capacity, used`.

    Examples
    --------
    >>> import pandas as pd
    >>> month = pd.DataFrame({"date": [pd.Timestamp("2024-01-01")], "capacity": [80.0], "used": [60.0]})
    >>> capacity_use(month, dt.date(2024, 1, 1), dt.date(2024, 1, 31))
    0.75
    """
    rows = open_optional(capacity)
    if rows is None:
        return np.nan
    when = rows.date.cast("timestamp(6)")
    rows = rows.filter(
        (when >= dt.datetime.combine(first, dt.time())) & (when < end_of(last)) & (rows.capacity > 0)
    )
    used = fetch(rows.select(share=rows.used / rows.capacity))["share"]
    return float(used.astype(float).mean()) if len(used) else np.nan


def capacity_taken(
    mine: np.ndarray, purchases: np.ndarray, everybody: float, use: float
) -> dict[str, float] | None:
    """What share of the capacity a tier's purchases take, against the share that stands idle anyway.

    Parameters
    ----------
    mine : array of bool
        Who is in the tier.
    purchases : array of float
        Of the same customers.
    everybody : float
        Purchases of all customers, newcomers among them.
    use : float
        Share of the capacity that is used.

    Returns
    -------
    dict or None
        `customers`, `tier_mean` (share of the capacity that the tier takes, if every purchase takes as much),
        `other_mean` (share idle today), `difference`, `low` and `high`: 95 % interval, from the spread among
        customers. None where there is no capacity or no purchase.
    """
    if not np.isfinite(use) or not everybody > 0 or not mine.any():
        return None
    own = np.where(mine, purchases, 0.0)
    share = own.sum() / everybody
    error = np.sqrt(len(own) * np.var(own - share * purchases)) / everybody
    difference, reach = use * share - (1 - use), normal_quantile(0.95) * use * error
    return {
        "customers": int(mine.sum()), "tier_mean": use * share, "other_mean": 1 - use, "difference": difference,
        "low": difference - reach, "high": difference + reach,
    }  # fmt: skip
