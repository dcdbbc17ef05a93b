"""How much groups and rankings of customers say of a holdout, with intervals by resampling customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.models._inference import Array
from crmlib.models.backtesting.scores import TOP
from crmlib.rankings import Levels, Ranking, tenths
from crmlib.statistics import bootstrap_weights, with_intervals

MEASURES = ("spend_explained", "activity_explained", "spearman", "gini", "top_10_share")
_MEANS = ("spend", "active")


@dataclass(frozen=True)
class Grouping:
    """Customers in levels by which they are ranked, and levels in groups.

    Attributes
    ----------
    name : str
    level : array of int, shape (customers,)
        Customers of one level are ranked alike: of a grouping a group's half, of a ranking its value.
    group : array of int, shape (levels,)
        Of a ranking its tenths.
    ranked : bool
        Whether levels are in order, the lowest first; else a level is worth what the other half spent.
    """

    name: str
    level: NDArray[np.intp]
    group: NDArray[np.intp]
    ranked: bool

    @classmethod
    def of(cls, name: str, groups: pd.Categorical, half: NDArray[np.intp]) -> Self:
        """Groups of customers, each in two halves."""
        codes = np.asarray(groups.codes, dtype=np.intp)
        return cls(name, 2 * codes + half, np.repeat(np.arange(codes.max() + 1), 2), ranked=False)

    @classmethod
    def of_ranking(cls, name: str, ranking: Array) -> Self:
        """A ranking, and the tenths of customers by it as groups; equal values share one."""
        _, first, level = np.unique(ranking, return_index=True, return_inverse=True)
        return cls(name, level, np.unique(tenths(ranking)[first], return_inverse=True)[1], ranked=True)


def judge(
    groupings: Sequence[Grouping],
    purchases: Array,
    spend: Array,
    *,
    resamples: int,
    level: float,
    random: np.random.Generator,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Measure groupings on the customers, and on bootstrap resamples of them for intervals.

    Returns a row of measures per grouping, and for each by its name a row per group: spend and share active.
    """
    did = {
        "spend": spend,
        "active": (purchases > 0).astype(float),
        "rank": pd.Series(spend).rank().to_numpy(),
    }
    best = Ranking(spend, spend)
    measures: dict[str, list[Array]] = {one.name: [] for one in groupings}
    means: dict[str, list[Array]] = {one.name: [] for one in groupings}
    # the first round is the customers as they are
    for weights in chain([np.ones(len(spend))], bootstrap_weights(len(spend), resamples, random)):
        weighted = {"size": weights} | {name: weights * values for name, values in did.items()}
        squares = {name: _squares(weighted[name], did[name], weights.sum()) for name in did}
        best_gini = best.levels(weights).gini()
        for one in groupings:
            by_level = {name: _sums(one.level, values, len(one.group)) for name, values in weighted.items()}
            of_group = {name: _sums(one.group, values) for name, values in by_level.items()}
            measures[one.name].append(_measure(one, by_level, of_group, squares, best_gini))
            # nan where a resample holds nobody of a group
            means[one.name].append(np.array([_divide(of_group[name], of_group["size"]) for name in _MEANS]))
    scores = [
        {"model": one.name, "groups": 10 if one.ranked else int(one.group.max()) + 1}
        | with_intervals(MEASURES, measures[one.name][0], measures[one.name][1:], level=level)
        for one in groupings
    ]
    of_groups = {
        name: pd.DataFrame(with_intervals(_MEANS, rounds[0], rounds[1:], level=level))
        for name, rounds in means.items()
    }
    return pd.DataFrame(scores), of_groups


def _squares(weighted: Array, values: Array, customers: float) -> float:
    """Sum of squares about the mean; the dust of a difference of two sums is no variance."""
    raw = float(weighted @ values)
    squares = raw - float(weighted.sum()) ** 2 / customers
    return squares if squares > 1e-12 * abs(raw) else 0.0


def _sums(group: NDArray[np.intp], values: Array, groups: int = 0) -> Array:
    return np.bincount(group, values, groups).astype(float, copy=False)


def _measure(
    one: Grouping,
    by_level: dict[str, Array],
    of_group: dict[str, Array],
    squares: dict[str, float],
    best_gini: float,
) -> Array:
    size, spend = by_level["size"], by_level["spend"]
    if one.ranked:
        worth = np.arange(len(size), dtype=float)
    else:  # mean spend of the same group's other half; where it is empty, of everybody
        other = np.arange(len(size)) ^ 1
        worth = _divide(spend[other], size[other], spend.sum() / size.sum())
    order = np.argsort(-worth, kind="stable")
    levels = Levels(worth[order], size[order], spend[order])
    gini = levels.gini() / best_gini if best_gini > 0 else np.nan
    explained = [_explained(of_group["size"], of_group[name], squares[name]) for name in _MEANS]
    ranks = _rank_correlation(worth, size, by_level["rank"], squares["rank"])
    return np.array([*explained, ranks, gini, levels.captured_by(TOP)])


def _explained(size: Array, total: Array, squares: float) -> float:
    """Share of variance between groups, adjusted for as many groups as there are (epsilon squared)."""
    groups, customers = int((size > 0).sum()), size.sum()
    if not squares > 0 or customers <= groups:
        return np.nan
    between = _divide(total**2, size, 0.0).sum() - total.sum() ** 2 / customers
    return float(1 - (1 - between / squares) * (customers - 1) / (customers - groups))


def _rank_correlation(worth: Array, size: Array, rank: Array, squares: float) -> float:
    """Spearman's, equal worth sharing a rank; holdout ranks are those of the customers as they are."""
    _, place = np.unique(worth, return_inverse=True)
    shared = np.bincount(place, size)
    own = (np.cumsum(shared) - shared / 2)[place] - size.sum() / 2  # its weighted mean is 0
    spread = np.sqrt((size @ own**2) * squares)
    return float(own @ rank / spread) if spread > 0 else np.nan


def _divide(one: Array, other: Array, default: float = np.nan) -> Array:
    return np.divide(one, other, out=np.full(len(one), default), where=other > 0)
