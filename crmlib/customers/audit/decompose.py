"""Which factor a change came from, so that the parts add up to the whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import pandas as pd

from crmlib.errors import CrmError

MOST_FACTORS = 8  # Shapley weights visit every subset


def decompose_change(before: Mapping[str, float], after: Mapping[str, float]) -> pd.DataFrame:
    """How much of the change of a product each of its factors explains.

    Parameters
    ----------
    before, after : mapping of str to float
        The same factors at two times, such as customers, share active, purchases per active customer, spend
        per purchase and margin; the whole is their product.

    Returns
    -------
    DataFrame
        One row per factor: `factor, before, after, effect` (in the unit of the product) and `weights`, which
        says how they were computed. The effects add up to the change of the product.

    Raises
    ------
    CrmError
        If the factors differ, are not finite, or are none or too many.

    Notes
    -----
    Where all factors are positive: logarithmic-mean weights, which leave no residual and do not depend on
    the order of the factors. Where one is zero or negative its logarithm does not exist: Shapley weights,
    the mean over all orders in which the factors can change.

    References
    ----------
    Ang, B. W. (2004), "Decomposition analysis for policymaking in energy", Energy Policy 32(9), 1131-1139.
    Shorrocks, A. F. (2013), "Decomposition procedures for distributional analysis", Journal of Economic
    Inequality 11, 99-126.

    Examples
    --------
    >>> parts = decompose_change({"customers": 100, "spend": 20.0}, {"customers": 110, "spend": 18.0})
    >>> parts["effect"].round(2).tolist()
    [189.67, -209.67]
    """
    factors = _checked(before, after)
    start, end = [float(before[one]) for one in factors], [float(after[one]) for one in factors]
    if min(start + end) > 0:
        effects, weights = _logarithmic_mean(start, end), "logarithmic mean"
    else:
        effects, weights = _shapley(start, end), "Shapley"
    change = math.prod(end) - math.prod(start)
    largest = max(abs(math.prod(start)), abs(math.prod(end)), *map(abs, effects))
    assert abs(sum(effects) - change) <= 1e-9 * largest, "effects do not add up to the change"
    return pd.DataFrame(
        {"factor": factors, "before": start, "after": end, "effect": effects, "weights": weights}
    )


def _checked(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    factors = list(before)
    if set(factors) != set(after):
        odd = sorted(set(factors) ^ set(after))
        raise CrmError(f"factor {odd[0]!r} stands on one side only; before and after need the same factors")
    if not 1 <= len(factors) <= MOST_FACTORS:
        raise CrmError(f"{len(factors)} factors; allowed: 1 to {MOST_FACTORS}")
    for name in factors:
        for side, values in (("before", before), ("after", after)):
            if not math.isfinite(values[name]):
                raise CrmError(f"factor {name!r} is {values[name]} {side}; a finite number is needed")
    return factors


def _logarithmic_mean(start: Sequence[float], end: Sequence[float]) -> list[float]:
    logs = [math.log(b / a) for a, b in zip(start, end, strict=True)]
    before, after, total = math.prod(start), math.prod(end), math.fsum(logs)
    # (after - before) / ln(after / before), written so that it holds where the two are close or equal.
    mean = before if total == 0 else before * math.expm1(total) / total
    effects = [mean * log for log in logs]
    # What rounding leaves goes to the largest effect, where it is no part of what a reader can see.
    largest = max(range(len(effects)), key=lambda i: abs(effects[i]))
    effects[largest] += (after - before) - math.fsum(effects)
    return effects


def _shapley(start: Sequence[float], end: Sequence[float]) -> list[float]:
    # Exact over the subsets of a handful of factors; the kept libraries for Shapley values explain models
    # by sampling, and would bring a hundred megabytes for these lines.
    size = len(start)

    def value(changed: frozenset[int]) -> float:
        return math.prod(end[i] if i in changed else start[i] for i in range(size))

    effects = []
    for one in range(size):
        others = [i for i in range(size) if i != one]
        gains = [
            (value(frozenset(subset) | {one}) - value(frozenset(subset))) / math.comb(size - 1, count) / size
            for count in range(size)
            for subset in combinations(others, count)
        ]
        effects.append(math.fsum(gains))
    return effects
