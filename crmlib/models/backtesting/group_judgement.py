"""How much groups and rankings of customers tell of a holdout, with intervals by resampling customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.models._inference import Array
from crmlib.models.backtesting.holdout_metrics import TOP
from crmlib.rankings import Levels, tenths
from crmlib.statistics import bootstrap_weights, with_intervals

MEASURES = ("spend_explained", "activity_explained", "spearman", "gini", "top_10_share")


class Holdout(NamedTuple):
    """What each customer did: spend, whether active (0 or 1), the rank of spend and its order, best first."""

    spend: Array
    active: Array
    rank: Array
    best_first: NDArray[np.intp]

    @classmethod
    def of(cls, purchases: Array, spend: Array) -> Self:
        rank = pd.Series(spend).rank().to_numpy()
        return cls(spend, (purchases > 0).astype(float), rank, np.argsort(-spend, kind="stable"))


class _Sample(NamedTuple):
    """One resample: how often each customer is in it, sums of that times what they did, and facts of the whole."""

    weights: Array
    spend: Array
    active: Array
    rank: Array
    customers: float
    variance: dict[str, float]  # sums of squares about the mean, of spend, active and rank
    best_gini: float

    @classmethod
    def of(cls, holdout: Holdout, weights: Array) -> Self:
        weighted = {name: weights * getattr(holdout, name) for name in ("spend", "active", "rank")}
        customers = float(weights.sum())
        variance = {name: _squares(weighted[name], getattr(holdout, name), customers) for name in weighted}
        order = holdout.best_first
        best = Levels(holdout.spend[order], weights[order], weighted["spend"][order]).gini()
        return cls(weights, **weighted, customers=customers, variance=variance, best_gini=best)


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
        codes = np.asarray(groups.codes, dtype=np.intp)
        return cls(name, 2 * codes + half, np.repeat(np.arange(codes.max() + 1), 2), ranked=False)


def ranking_as_grouping(name: str, ranking: Array) -> Grouping:
    """A ranking, and the tenths of customers by it as groups; equal values share one."""
    _, first, level = np.unique(ranking, return_index=True, return_inverse=True)
    return Grouping(name, level, np.unique(tenths(ranking)[first], return_inverse=True)[1], ranked=True)


class Judgement(NamedTuple):
    """`scores` with a row per grouping, and for each by its name a row per group: spend and active."""

    scores: pd.DataFrame
    of_groups: dict[str, pd.DataFrame]


def judge(
    groupings: Sequence[Grouping],
    holdout: Holdout,
    *,
    resamples: int,
    level: float,
    random: np.random.Generator,
) -> Judgement:
    """Measure all groupings on the customers, and on bootstrap resamples of them for intervals."""
    customers = len(holdout.spend)
    found: dict[str, list[Array]] = {one.name: [] for one in groupings}
    means: dict[str, list[Array]] = {one.name: [] for one in groupings}
    # the first round is the customers as they are
    for weights in chain([np.ones(customers)], bootstrap_weights(customers, resamples, random)):
        sample = _Sample.of(holdout, weights)
        for one in groupings:
            by_level = _sums(one, sample)
            of_group = {name: _sum_by(one.group, values) for name, values in by_level.items()}
            found[one.name].append(_measure(one, by_level, of_group, sample))
            means[one.name].append(_means(of_group))
    scores = [
        {"model": one.name, "groups": 10 if one.ranked else int(one.group.max()) + 1}
        | with_intervals(MEASURES, found[one.name][0], found[one.name][1:], level=level)
        for one in groupings
    ]
    names = ("spend", "active")
    of_groups = {
        name: pd.DataFrame(with_intervals(names, rounds[0], rounds[1:], level=level))
        for name, rounds in means.items()
    }
    return Judgement(pd.DataFrame(scores), of_groups)


def _squares(weighted: Array, values: Array, customers: float) -> float:
    """Sum of squares about the mean; the dust of a difference of two sums is no variance."""
    raw = float(weighted @ values)
    squares = raw - float(weighted.sum()) ** 2 / customers
    return squares if squares > 1e-12 * abs(raw) else 0.0


def _sum_by(group: NDArray[np.intp], values: Array, groups: int = 0) -> Array:
    return np.bincount(group, values, groups).astype(float, copy=False)


def _sums(one: Grouping, sample: _Sample) -> dict[str, Array]:
    """Customers of each level, and the sums of what they did."""
    levels = len(one.group)
    names = {"size": "weights", "spend": "spend", "active": "active", "rank": "rank"}
    return {name: _sum_by(one.level, getattr(sample, of), levels) for name, of in names.items()}


def _means(of_group: dict[str, Array]) -> Array:
    """Spend per customer and share active of each group; nan where a resample holds nobody of it."""
    return np.array([_divide(of_group[name], of_group["size"]) for name in ("spend", "active")])


def _measure(one: Grouping, by_level: dict[str, Array], of_group: dict[str, Array], sample: _Sample) -> Array:
    size, spend = by_level["size"], by_level["spend"]
    worth = np.arange(len(size), dtype=float) if one.ranked else _worth_by_other_half(size, spend)
    order = np.argsort(-worth, kind="stable")
    levels = Levels(worth[order], size[order], spend[order])
    gini = levels.gini() / sample.best_gini if sample.best_gini > 0 else np.nan
    explained = [_explained(of_group, name, sample) for name in ("spend", "active")]
    ranks = _rank_correlation(worth, by_level, sample)
    return np.array([*explained, ranks, gini, levels.captured_by(TOP)])


def _explained(of_group: dict[str, Array], name: str, sample: _Sample) -> float:
    """Share of variance between groups, adjusted for as many groups as there are (epsilon squared)."""
    size, total = of_group["size"], of_group[name]
    groups, everybody, whole = int((size > 0).sum()), sample.customers, sample.variance[name]
    if not whole > 0 or everybody <= groups:
        return np.nan
    between = (_divide(total**2, size, 0.0)).sum() - total.sum() ** 2 / everybody
    return float(1 - (1 - between / whole) * (everybody - 1) / (everybody - groups))


def _worth_by_other_half(size: Array, spend: Array) -> Array:
    """Mean spend of the same group's other half; where it is empty, of everybody."""
    other = np.arange(len(size)) ^ 1
    return _divide(spend[other], size[other], spend.sum() / size.sum())


def _rank_correlation(worth: Array, by_level: dict[str, Array], sample: _Sample) -> float:
    """Spearman's, equal worth sharing a rank; holdout ranks are those of the customers as they are."""
    size = by_level["size"]
    _, place = np.unique(worth, return_inverse=True)
    shared = np.bincount(place, size)
    own = (np.cumsum(shared) - shared / 2)[place] - sample.customers / 2  # its weighted mean is 0
    spread = np.sqrt((size @ own**2) * sample.variance["rank"])
    return float(own @ by_level["rank"] / spread) if spread > 0 else np.nan


def _divide(one: Array, other: Array, default: float = np.nan) -> Array:
    return np.divide(one, other, out=np.full(len(one), default), where=other > 0)
