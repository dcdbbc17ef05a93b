"""Frequency and mean spend of customers: read, and whether one goes with the other, as the Gamma-Gamma model denies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from crmlib import format as fmt
from crmlib.errors import not_measured
from crmlib.models._histories import numbers, read_weight, refuse_rows, refuse_values, require_columns
from crmlib.models._inference import Array
from crmlib.rankings import rank_correlation

HARMLESS = 0.05  # relative change of spend per doubling of frequency that changes no decision


@dataclass(frozen=True)
class SpendData:
    """Arrays of one value per customer; `monetary_value` is 0 where frequency is 0."""

    frequency: Array
    monetary_value: Array
    weight: Array


def read_spend(data: pd.DataFrame, *, weighted: bool = False) -> SpendData:
    """Read `frequency` and `monetary_value`, refusing what no customer can have.

    Parameters
    ----------
    data : DataFrame
    weighted : bool
        Count customers: one a row, or the column `weight` if there is one; ids must then be unique.

    Raises
    ------
    DataError
        Naming the column, the number of rows and the first ids.
    """
    require_columns(data, ("frequency", "monetary_value"))
    x, money = numbers(data, "frequency"), numbers(data, "monetary_value")
    refuse_values(data, "frequency", x, None)
    unknown = (x > 0) & ~np.isfinite(money)
    if unknown.any():
        refuse_rows(
            data, unknown, "monetary_value is missing or infinite", "give the mean spend of a repeat purchase"
        )
    weight = read_weight(data) if weighted else np.ones(len(data))
    return SpendData(x, np.where(x > 0, money, 0.0), weight)


@dataclass(frozen=True)
class SpendFrequencyCheck:
    """How far mean spend goes with frequency among repeat customers.

    Attributes
    ----------
    customers : int
    pearson, spearman : float
        Correlations of frequency and mean spend.
    per_doubling, low, high : float
        Relative change of mean spend when frequency doubles, with its 95 % interval.
    sentence : str
        What follows for the Gamma-Gamma model.
    """

    customers: int
    pearson: float
    spearman: float
    per_doubling: float
    low: float
    high: float
    sentence: str


def spend_frequency_check(data: pd.DataFrame) -> SpendFrequencyCheck:
    """Does spend depend on frequency, as the Gamma-Gamma model says it does not?

    Parameters
    ----------
    data : DataFrame
        Columns `frequency` and `monetary_value`; repeat customers with positive spend are looked at.

    Returns
    -------
    SpendFrequencyCheck
        Not known (nan), with the reason as `sentence`, for fewer than 3 such customers or a single frequency.

    Notes
    -----
    The effect is the slope of mean spend on log frequency, relative to mean spend, with standard errors
    that allow for the smaller variance of larger frequencies (HC1). A large base makes any correlation
    significant: judge by the effect.

    Examples
    --------
    >>> data = pd.DataFrame({"frequency": [1, 1, 2, 2, 4, 4], "monetary_value": [9, 11, 19, 21, 29, 31.]})
    >>> spend_frequency_check(data).per_doubling
    0.5
    """
    read = read_spend(data)
    used = (read.frequency > 0) & (read.monetary_value > 0)
    x, m = read.frequency[used], read.monetary_value[used]
    if len(x) < 3 or np.ptp(x) == 0:
        found = f"{len(x)} and {len(np.unique(x))} are there"
        why = not_measured(f"spend by frequency needs 3 repeat customers and 2 frequencies; {found}")
        return SpendFrequencyCheck(len(x), np.nan, np.nan, np.nan, np.nan, np.nan, why)
    doublings = np.log2(x) - np.log2(x).mean()
    spread = doublings @ doublings
    slope = doublings @ m / spread
    residual = m - m.mean() - slope * doublings
    error = np.sqrt((doublings * residual) @ (doublings * residual) * len(x) / (len(x) - 2)) / spread
    half = stdtrit(len(x) - 2, 0.975) * error
    effect, low, high = (float(one / m.mean()) for one in (slope, slope - half, slope + half))
    spearman = 0.0 if np.ptp(m) == 0 else rank_correlation(x, m)
    pearson = 0.0 if np.ptp(m) == 0 else float(np.corrcoef(x, m)[0, 1])
    return SpendFrequencyCheck(len(x), pearson, spearman, effect, low, high, _sentence(effect, low, high))


def _sentence(effect: float, low: float, high: float) -> str:
    reach = f"95 %: {fmt.change(low)} to {fmt.change(high)}"
    size = f"mean spend changes by {fmt.change(effect)} when frequency doubles ({reach})"
    if abs(effect) < HARMLESS and max(abs(low), abs(high)) < 2 * HARMLESS:
        return f"{size}: close enough to independent for the Gamma-Gamma model."
    if low <= 0 <= high:
        return f"{size}: no dependence is shown, but these customers are too few to rule one out."
    rare, heavy = ("too high", "too low") if effect > 0 else ("too low", "too high")
    return (
        f"{size}: the Gamma-Gamma model draws customers with few purchases towards the mean of all "
        f"and so values them {rare}, frequent ones slightly {heavy}; model spend by frequency group where "
        "that decides."
    )
