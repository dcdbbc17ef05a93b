"""Ratios of sums with intervals by clusters, such as clicks per impression by campaign and month."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def ratio(over: Any, under: Any, clusters: Any = None) -> tuple[float, float, float]:
    """A ratio of two sums and its interval, by clusters within which rows are alike.

    Parameters
    ----------
    over, under : array
        Of each row, such as money and clicks.
    clusters : array, optional
        The cluster of each row, such as the campaign or the day; None: each row is one.

    Returns
    -------
    value, low, high : float
        The value is infinite where nothing is under it, and nan where nothing is over it either; the ends are nan
        where there are fewer than two clusters.

    Notes
    -----
    Linearised ratio (Cochran, Sampling Techniques, 3rd edition, 1977, chapter 6), on the scale of logarithms, with
    Student's t for the number of clusters. Counts of clicks vary more from day to day than by chance alone, so an
    interval for independent clicks would be far too narrow.

    Examples
    --------
    >>> [round(number, 3) for number in ratio([10, 30, 20, 20], [100, 200, 250, 150])]
    [0.114, 0.067, 0.195]
    """
    from scipy.special import stdtrit

    value, moves = _linear(over, under, clusters)
    n = len(moves)
    if n < 2 or not value > 0:
        return value, np.nan, np.nan
    reach = float(stdtrit(n - 1, 0.975) * np.sqrt(n / (n - 1) * (moves**2).sum())) / value
    return value, float(value * np.exp(-reach)), float(value * np.exp(reach))


def difference(first: tuple[Any, Any, Any], second: tuple[Any, Any, Any]) -> tuple[float, float, float]:
    """How far two ratios are apart, and the interval, by clusters that both may share, such as months.

    Parameters
    ----------
    first, second : tuple of array
        Over, under and the cluster of each row, as of `ratio`.

    Returns
    -------
    value, low, high : float
        First less second; the ends are nan where one of them has fewer than two clusters.

    Examples
    --------
    >>> spent, months = [10, 30, 20, 20], [1, 2, 3, 4]
    >>> [round(end, 3) for end in difference((spent, [5, 15, 11, 9], months), (spent, [1, 4, 2, 2], months))]
    [-6.889, -9.547, -4.231]
    """
    from scipy.special import stdtrit

    (one, moves), (other, moved) = _linear(*first), _linear(*second)
    n = min(len(moves), len(moved))
    if n < 2 or not np.isfinite(one - other):
        return one - other, np.nan, np.nan
    error = np.sqrt(n / (n - 1) * (moves.sub(moved, fill_value=0.0) ** 2).sum())
    reach = float(stdtrit(n - 1, 0.975) * error)
    return one - other, one - other - reach, one - other + reach


def _linear(over: Any, under: Any, clusters: Any) -> tuple[float, pd.Series]:
    """A ratio of sums, and by how much each cluster that is not empty moves it."""
    frame = pd.DataFrame({"over": np.asarray(over, float), "under": np.asarray(under, float)}).fillna(0.0)
    if clusters is not None:
        frame = frame.groupby(np.asarray(clusters)).sum()
    a, b = float(frame["over"].sum()), float(frame["under"].sum())
    if not b > 0:
        return (np.inf if a > 0 else np.nan), pd.Series(dtype=float)
    frame = frame[(frame != 0).any(axis=1)]
    return a / b, (frame["over"] - a / b * frame["under"]) / b


def with_ratio(row: dict[str, Any], name: str, *parts: Any) -> dict[str, Any]:
    """A row with a ratio and its ends as NAME, NAME_low and NAME_high."""
    return row | dict(zip((name, f"{name}_low", f"{name}_high"), ratio(*parts), strict=True))
