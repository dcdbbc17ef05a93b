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

    frame = pd.DataFrame({"over": np.asarray(over, float), "under": np.asarray(under, float)}).fillna(0.0)
    if clusters is not None:
        frame = frame.groupby(np.asarray(clusters)).sum()
    a, b = float(frame["over"].sum()), float(frame["under"].sum())
    if not b > 0:
        return (np.inf if a > 0 else np.nan), np.nan, np.nan
    value, n = a / b, int((frame != 0).any(axis=1).sum())
    if n < 2 or not value > 0:
        return value, np.nan, np.nan
    error = np.sqrt(n / (n - 1) * ((frame["over"] - value * frame["under"]) ** 2).sum()) / b
    reach = float(stdtrit(n - 1, 0.975)) * error / value
    return value, float(value * np.exp(-reach)), float(value * np.exp(reach))


def with_ratio(row: dict[str, Any], name: str, *parts: Any) -> dict[str, Any]:
    """A row with a ratio and its ends as NAME, NAME_low and NAME_high."""
    return row | dict(zip((name, f"{name}_low", f"{name}_high"), ratio(*parts), strict=True))
