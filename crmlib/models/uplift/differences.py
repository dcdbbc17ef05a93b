"""Treated against control: how large the difference is, between which values, and whether chance explains it."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from crmlib.errors import CrmError, DataError


@dataclass(frozen=True)
class Difference:
    """A difference of two means or shares.

    Attributes
    ----------
    treated, control : float
        The two means.
    difference, low, high : float
        Treated less control, with its interval.
    standard_error, z : float
        z is the difference in standard errors (Welch's t for means), nan where nothing varies.
    p_value : float
        Two-sided.
    """

    treated: float
    control: float
    difference: float
    low: float
    high: float
    standard_error: float
    z: float
    p_value: float


def difference_of_means(treated: ArrayLike, control: ArrayLike, *, level: float = 0.95) -> Difference:
    """How far two groups' means are apart, whatever their variances.

    Parameters
    ----------
    treated, control : array
        The outcome of each customer, two at least in a group.
    level : float, default 0.95
        Of the interval.

    Returns
    -------
    Difference

    Raises
    ------
    DataError
        If a group has fewer than two customers, or an outcome is missing.

    Notes
    -----
    Welch, Biometrika 34, 1947.

    Examples
    --------
    >>> found = difference_of_means([3.0, 4.0, 5.0], [1.0, 2.0, 3.0])
    >>> found.difference, round(found.p_value, 4)
    (2.0, 0.0705)
    """
    check_level(level)
    one, other = _outcomes("treated", treated), _outcomes("control", control)
    parts = [group.var(ddof=1) / len(group) for group in (one, other)]
    gap, error = float(one.mean() - other.mean()), sqrt(sum(parts))
    if error == 0:
        return Difference(one.mean(), other.mean(), gap, gap, gap, 0.0, np.nan, 1.0 if gap == 0 else np.nan)
    degrees = error**4 / sum(
        part**2 / (len(group) - 1) for part, group in zip(parts, (one, other), strict=True)
    )
    z, reach = gap / error, float(stdtrit(degrees, (1 + level) / 2)) * error
    p = float(2 * stdtr(degrees, -abs(z)))
    return Difference(float(one.mean()), float(other.mean()), gap, gap - reach, gap + reach, error, z, p)


def difference_of_shares(
    treated_yes: int, treated: int, control_yes: int, control: int, *, level: float = 0.95
) -> Difference:
    """How far two groups' shares are apart, also where they are small.

    Parameters
    ----------
    treated_yes, control_yes : int
        Customers of each group who did.
    treated, control : int
        Customers in each group.
    level : float, default 0.95
        Of the interval.

    Returns
    -------
    Difference
        z and its p-value pool the two groups, as is right if they do not differ.

    Raises
    ------
    DataError
        If a count exceeds its group, or a group is empty.

    Notes
    -----
    Interval: method 10 of Newcombe, Statistics in Medicine 17, 1998 (Wilson's intervals, combined).

    Examples
    --------
    >>> found = difference_of_shares(56, 70, 48, 80)  # Newcombe's example (a)
    >>> round(found.difference, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    check_level(level)
    for name, yes, size in (("treated", treated_yes, treated), ("control", control_yes, control)):
        if not 0 <= yes <= size or size < 1:
            raise DataError(
                f"{name} has {yes} of {size} customers; give a count within a group that is not empty"
            )
    p1, p2 = treated_yes / treated, control_yes / control
    gap = p1 - p2
    (low1, high1), (low2, high2) = _wilson(treated_yes, treated, level), _wilson(control_yes, control, level)
    low = gap - sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    high = gap + sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    pooled = (treated_yes + control_yes) / (treated + control)
    error = sqrt(pooled * (1 - pooled) * (1 / treated + 1 / control))
    z = gap / error if error > 0 else np.nan
    p = float(2 * ndtr(-abs(z))) if error > 0 else 1.0
    return Difference(p1, p2, gap, low, high, error, z, p)


def minimal_detectable_effect(
    standard_error: float, *, power: float = 0.8, significance: float = 0.05
) -> float:
    """How large a true difference has to be for the experiment to show it, as a rule.

    Parameters
    ----------
    standard_error : float
        Of the difference; as it is, or planned: sd · sqrt(1 / treated + 1 / control).
    power : float, default 0.8
        Probability that the difference is shown.
    significance : float, default 0.05
        Two-sided.

    Returns
    -------
    float
        In the outcome's unit.

    Raises
    ------
    CrmError
        If a share is out of range.

    Examples
    --------
    >>> round(minimal_detectable_effect(1.0), 3)
    2.802
    """
    if not (0 < significance < 1 and 0.5 <= power < 1):
        raise CrmError(
            f"power is {power} and significance {significance}; give power from 0.5 and both below 1"
        )
    return float(ndtri(1 - significance / 2) + ndtri(power)) * standard_error


def check_level(level: float) -> None:
    """Refuse a level that is no share."""
    if not 0 < level < 1:
        raise CrmError(f"level is {level!r}; give a share between 0 and 1, such as 0.95")


def _outcomes(name: str, values: ArrayLike) -> np.ndarray:
    group = np.asarray(values, dtype=float)
    if len(group) < 2 or not np.isfinite(group).all():
        raise DataError(
            f"{name} has {len(group)} customers or outcomes that are no number; give two at least, all known"
        )
    return group


def _wilson(yes: int, size: int, level: float) -> tuple[float, float]:
    z2 = float(ndtri((1 + level) / 2)) ** 2
    middle = (yes + z2 / 2) / (size + z2)
    reach = sqrt(z2 * yes * (size - yes) / size + z2**2 / 4) / (size + z2)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)
