"""Intervals, differences of two groups, resamples and p-values: the one place for them in the library.

SciPy is imported where it is used: it takes longer to load than most functions that need it take to run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from crmlib.errors import CrmError, DataError
from crmlib.progress import steps

Array = NDArray[np.float64]


def check_level(level: float) -> None:
    """Refuse a level of an interval that is no share."""
    if not 0 < level < 1:
        raise CrmError(f"level is {level!r}; give a share between 0 and 1, such as 0.95")


def normal_quantile(level: float) -> float:
    """How many standard errors an interval reaches to either side of its middle, for a share that is within.

    Examples
    --------
    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    check_level(level)
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson_interval(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> tuple[Array, Array]:
    """Between which values may a share lie of which a count is known?

    `successes`, `n`: customers who did, of how many. Returns: nan where n is 0. Raises DataError if more did than there
    were, or fewer than none.

    Wilson, Journal of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> low, high = wilson_interval(2, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0567, 0.5098)
    """
    did, of = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    if wrong := int(np.sum((did < 0) | (did > of))):
        raise DataError(f"successes is below 0 or above n in {wrong} places; give counts out of n")
    of, squared = np.where(of > 0, of, np.nan), normal_quantile(level) ** 2
    middle = (did + squared / 2) / (of + squared)
    reach = np.sqrt(squared * (did * (of - did) / of + squared / 4)) / (of + squared)
    return np.maximum(middle - reach, 0.0), np.minimum(middle + reach, 1.0)


@dataclass(frozen=True)
class Difference:
    """A difference of two means or shares.

    `treated`, `control`: the two means. `difference`, `low`, `high`: treated less control, with its interval.
    `standard_error`, `z`: z is the difference in standard errors (Welch's t for means), nan where nothing varies.
    `p_value`: Two-sided.
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

    `treated`, `control`: the outcome of each customer, two at least in a group. `level`: of the interval. Raises
    DataError if a group has fewer than two customers, or an outcome is missing.

    Welch, Biometrika 34, 1947.

    Examples
    --------
    >>> found = difference_of_means([3.0, 4.0, 5.0], [1.0, 2.0, 3.0])
    >>> found.difference, round(found.p_value, 4)
    (2.0, 0.0705)
    """
    from scipy.special import stdtr, stdtrit

    check_level(level)
    groups = [np.asarray(group, dtype=float) for group in (treated, control)]
    for name, group in zip(("treated", "control"), groups, strict=True):
        if len(group) < 2 or not np.isfinite(group).all():
            raise DataError(f"{name} has {len(group)} outcomes; give two at least, all known")
    parts = [group.var(ddof=1) / len(group) for group in groups]
    means = float(groups[0].mean()), float(groups[1].mean())
    gap, error = means[0] - means[1], sqrt(sum(parts))
    if error == 0:
        return Difference(*means, gap, gap, gap, 0.0, np.nan, 1.0 if gap == 0 else np.nan)
    degrees = error**4 / sum(part**2 / (len(group) - 1) for part, group in zip(parts, groups, strict=True))
    z, reach = gap / error, float(stdtrit(degrees, (1 + level) / 2)) * error
    return Difference(*means, gap, gap - reach, gap + reach, error, z, float(2 * stdtr(degrees, -abs(z))))


def difference_of_shares(
    treated_yes: int, treated: int, control_yes: int, control: int, *, level: float = 0.95
) -> Difference:
    """How far two groups' shares are apart, also where they are small.

    `treated_yes`, `control_yes`: customers of each group who did. `treated`, `control`: customers in each group.
    `level`: of the interval. Returns: z and its p-value pool the two groups, as is right if they do not differ. Raises
    DataError if a count exceeds its group, or a group is empty.

    Interval: method 10 of Newcombe, Statistics in Medicine 17, 1998 (Wilson's intervals, combined).

    Examples
    --------
    >>> found = difference_of_shares(56, 70, 48, 80)  # Newcombe's example (a)
    >>> round(found.difference, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    from scipy.special import ndtr

    for name, yes, size in (("treated", treated_yes, treated), ("control", control_yes, control)):
        if not 0 <= yes <= size or size < 1:
            raise DataError(f"{name} has {yes} of {size} customers; give a count within a group")
    p1, p2 = treated_yes / treated, control_yes / control
    gap = p1 - p2
    (low1, low2), (high1, high2) = wilson_interval(
        [treated_yes, control_yes], [treated, control], level=level
    )
    low = gap - sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    high = gap + sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    pooled = (treated_yes + control_yes) / (treated + control)
    error = sqrt(pooled * (1 - pooled) * (1 / treated + 1 / control))
    z = gap / error if error > 0 else np.nan
    p = float(2 * ndtr(-abs(z))) if error > 0 else 1.0
    return Difference(p1, p2, gap, low, high, error, z, p)


def holm(p_values: pd.Series) -> pd.Series:
    """The p-values of several tests read together: below .05, the chance of any false finding is at most .05.

    Holm, Scandinavian Journal of Statistics 6, 1979. Missing ones are no tests.

    Examples
    --------
    >>> holm(pd.Series([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    known = p_values.dropna().sort_values(kind="stable")
    steps = known * np.arange(len(known), 0, -1)
    return steps.cummax().clip(upper=1.0).reindex(p_values.index)


def benjamini_yekutieli(p_values: pd.Series, *, tests: int | None = None) -> pd.Series:
    """The p-values of many tests, `tests` in all: of those below .05, at most a twentieth is expected to be false.

    However they depend: Benjamini & Yekutieli, Annals of Statistics 29(4), 2001. Missing ones are no tests.

    >>> benjamini_yekutieli(pd.Series([0.01, 0.04, 0.03])).round(4).tolist()
    [0.055, 0.0733, 0.0733]
    """
    known = p_values.dropna().sort_values(ascending=False, kind="stable")
    m = max(tests or 0, len(known))
    total = (1 / np.arange(1, m + 1)).sum()
    steps = known * total * m / np.arange(len(known), 0, -1)
    return steps.cummin().clip(upper=1.0).reindex(p_values.index)


def bootstrap_weights(
    n: int, resamples: int, random_state: int | np.random.Generator,
    *, groups: NDArray[Any] | None = None, poisson: bool = False,
) -> Iterator[Array]:  # fmt: skip
    """How often each customer is in each resample of as many customers, drawn with replacement.

    `n`: rows. `groups`: of shape (n,): the customer of each row: rows of a customer are drawn together. `poisson`:
    whether each customer is drawn a Poisson number of times, 1 on average, whatever is drawn of others.

    Efron, Annals of Statistics 7, 1979.

    Examples
    --------
    >>> [float(weights.sum()) for weights in bootstrap_weights(5, 2, 0)]
    [5.0, 5.0]
    """
    random = np.random.default_rng(random_state)
    customer = None if groups is None else np.unique(groups, return_inverse=True)[1]
    size = n if customer is None else int(customer.max()) + 1
    for _ in steps(range(resamples), "resamples", resamples):
        drawn = (
            random.poisson(1.0, size)
            if poisson
            else np.bincount(random.integers(0, size, size), minlength=size)
        )
        yield (drawn if customer is None else drawn[customer]).astype(float)


def percentile_interval(resampled: ArrayLike, *, level: float = 0.95) -> tuple[Array, Array]:
    """Between which values does a share of the resamples lie?

    `resampled`: of shape (resamples, ...): a measure, or several, of each resample; nan where a resample does not tell
    it. Returns: nan where no resample tells.

    Examples
    --------
    >>> low, high = percentile_interval(np.arange(101.0), level=0.5)
    >>> float(low), float(high)
    (25.0, 75.0)
    """
    check_level(level)
    values = np.asarray(resampled, dtype=float)
    unknown = np.isnan(values).all(axis=0)
    known = np.where(unknown, 0.0, values) if len(values) else np.zeros((1, *unknown.shape))
    quantile = np.nanquantile if np.isnan(known).any() else np.quantile  # which takes all columns at once
    ends = quantile(known, [(1 - level) / 2, (1 + level) / 2], axis=0)
    low, high = np.where(unknown, np.nan, ends)
    return low, high


def with_intervals(
    names: Sequence[str], measured: ArrayLike, resampled: ArrayLike, *, level: float = 0.95
) -> dict[str, Any]:
    """Columns of measures, each beside its `percentile_interval` as NAME_low and NAME_high.

    `names`, `measured`: of shape (names, ...): of the customers as they are. `resampled`: of shape (resamples, names,
    ...).
    """
    ends, columns = percentile_interval(resampled, level=level), dict[str, Any]()
    for name, value, low, high in zip(names, np.asarray(measured), *ends, strict=True):
        columns |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return columns


def with_ends(name: str, value: Any, error: Any) -> dict[str, Any]:
    """A value and the ends of its 95 % interval, by its standard error, as NAME, NAME_low and NAME_high."""
    reach = normal_quantile(0.95) * error
    return {name: value, f"{name}_low": value - reach, f"{name}_high": value + reach}


def mean_with_ends(name: str, values: pd.Series) -> dict[str, Any]:
    """The mean of some customers and the ends of its interval, as NAME, NAME_low and NAME_high."""
    return with_ends(name, values.mean(), values.sem())


def share_with_ends(name: str, did: ArrayLike, of: ArrayLike) -> dict[str, Any]:
    """A share and the ends of its `wilson_interval`, as NAME, NAME_low and NAME_high; nan of nobody."""
    low, high = wilson_interval(did, of)
    share = np.asarray(did, dtype=float) / np.where(np.asarray(of) > 0, of, np.nan)
    return {name: share, f"{name}_low": low, f"{name}_high": high}


def p_value_all_equal(values: ArrayLike, errors: ArrayLike) -> float:
    """How probable are groups that differ as much as these, if all have the same true value?

    `values`, `errors`: of shape (groups,): each group's estimate and its standard error; groups without a known error
    above 0 are left out, and of fewer than two the answer is nan.

    Cochran's Q: Cochran, Biometrics 10, 1954.

    Examples
    --------
    >>> round(p_value_all_equal([10.0, 12.0, 11.0], [1.0, 1.0, 1.0]), 3)
    0.368
    """
    from scipy.special import chdtrc

    value, error = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    known = np.isfinite(value) & np.isfinite(error) & (error > 0)
    if known.sum() < 2:
        return np.nan
    weight, value = 1 / error[known] ** 2, value[known]
    spread = weight @ (value - np.average(value, weights=weight)) ** 2
    return float(chdtrc(known.sum() - 1, spread))
