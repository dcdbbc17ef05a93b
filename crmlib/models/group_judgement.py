"""How much groups and rankings of customers tell of a holdout, with intervals by resampling customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.models._inference import Array
from crmlib.models.holdout_metrics import GROUPS, TOP, tenth

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


@dataclass(frozen=True)
class Grouping:
    """Customers in groups, and in the levels by which they are ranked.

    Attributes
    ----------
    name : str
    group : array of int, shape (customers,)
    level : array of int, shape (customers,)
        Customers of one level are ranked alike: of a grouping a group's half, of a ranking its value.
    ranked : bool
        Whether levels are in order, the lowest first; else a level is worth what the other half spent.
    """

    name: str
    group: NDArray[np.intp]
    level: NDArray[np.intp]
    ranked: bool

    @classmethod
    def of(cls, name: str, groups: pd.Categorical, half: NDArray[np.intp]) -> Self:
        codes = np.asarray(groups.codes, dtype=np.intp)
        return cls(name, codes, 2 * codes + half, ranked=False)

    @property
    def levels(self) -> int:
        """Number of levels, made even: the two halves of a group stand together."""
        return (int(self.level.max()) // 2 + 1) * 2


def ranking_as_grouping(name: str, ranking: Array) -> Grouping:
    """A ranking, and the tenths of customers by it as groups; equal values share one."""
    level = np.unique(ranking, return_inverse=True)[1]
    return Grouping(name, np.unique(tenth(ranking), return_inverse=True)[1], level, ranked=True)


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
    weights = np.ones(customers)
    for _ in range(resamples + 1):  # the first round is the customers as they are
        for one in groupings:
            found[one.name].append(_measure(one, holdout, weights))
            means[one.name].append(_means(one, holdout, weights))
        weights = np.bincount(random.integers(customers, size=customers), minlength=customers).astype(float)
    scores = [
        {"model": one.name, "groups": GROUPS if one.ranked else int(one.group.max()) + 1}
        | _with_interval(np.array(found[one.name]), MEASURES, level)
        for one in groupings
    ]
    names = ("spend", "active")
    of_groups = {
        name: pd.DataFrame(_with_interval(np.array(rounds), names, level)) for name, rounds in means.items()
    }
    return Judgement(pd.DataFrame(scores), of_groups)


def _with_interval(rounds: Array, names: Sequence[str], level: float) -> dict[str, Array]:
    """The first round and the interval of the others; measures along the second axis."""
    low, high = _interval(rounds[1:], level)
    columns = {}
    for place, name in enumerate(names):
        columns |= {name: rounds[0][place], f"{name}_low": low[place], f"{name}_high": high[place]}
    return columns


def _interval(rounds: Array, level: float) -> Array:
    """Percentiles; nan where a measure is not known in any round."""
    known = np.where(np.isnan(rounds).all(axis=0), 0.0, rounds)
    ends = np.nanquantile(known, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.where(np.isnan(rounds).all(axis=0), np.nan, ends)


def _means(one: Grouping, holdout: Holdout, weights: Array) -> Array:
    """Spend per customer and share active of each group; nan where a resample holds nobody of it."""
    groups = int(one.group.max()) + 1
    size = np.bincount(one.group, weights, groups)
    sums = [np.bincount(one.group, weights * values, groups) for values in (holdout.spend, holdout.active)]
    return np.array([_divide(total, size) for total in sums])


def _measure(one: Grouping, holdout: Holdout, weights: Array) -> Array:
    explained = [_explained(one.group, values, weights) for values in (holdout.spend, holdout.active)]
    size = np.bincount(one.level, weights, one.levels)
    spend = np.bincount(one.level, weights * holdout.spend, one.levels)
    worth = np.arange(len(size), dtype=float) if one.ranked else _worth_by_other_half(size, spend)
    order = np.argsort(-worth, kind="stable")
    customers, held = _cumulative(size[order]), _cumulative(spend[order])
    best = _area(
        _cumulative(weights[holdout.best_first]), _cumulative((weights * holdout.spend)[holdout.best_first])
    )
    ranks = _rank_correlation(one.level, worth, size, holdout.rank, weights)
    gini = _area(customers, held) / best if best > 0 else np.nan
    return np.array([*explained, ranks, gini, np.interp(TOP, customers, held)])


def _explained(group: NDArray[np.intp], values: Array, weights: Array) -> float:
    """Share of variance between groups, adjusted for as many groups as there are (epsilon squared)."""
    size, total = np.bincount(group, weights), np.bincount(group, weights * values)
    everybody = weights.sum()
    mean = total.sum() / everybody
    whole = weights @ (values - mean) ** 2
    if not whole > 0:
        return np.nan
    between = (size * (_divide(total, size, mean) - mean) ** 2).sum()
    groups = int((size > 0).sum())
    if everybody <= groups:
        return np.nan
    return float(1 - (1 - between / whole) * (everybody - 1) / (everybody - groups))


def _worth_by_other_half(size: Array, spend: Array) -> Array:
    """Mean spend of the same group's other half; where it is empty, of everybody."""
    mean = spend.sum() / size.sum()
    other = np.arange(len(size)) ^ 1
    return _divide(spend[other], size[other], mean)


def _rank_correlation(
    level: NDArray[np.intp], worth: Array, size: Array, rank: Array, weights: Array
) -> float:
    """Spearman's, equal worth sharing a rank; holdout ranks are those of the customers as they are."""
    _, place = np.unique(worth, return_inverse=True)
    shared = np.bincount(place, size)
    middle = np.cumsum(shared) - shared / 2
    own = middle[place][level]
    total = weights.sum()
    one, other = own - weights @ own / total, rank - weights @ rank / total
    spread = np.sqrt((weights @ one**2) * (weights @ other**2))
    return float(weights @ (one * other) / spread) if spread > 0 else np.nan


def _cumulative(parts: Array) -> Array:
    total = parts.sum()
    if not total > 0:
        return np.full(len(parts) + 1, np.nan)
    return np.concatenate([[0.0], parts.cumsum() / total])


def _area(customers: Array, held: Array) -> float:
    return float(2 * np.trapezoid(held, customers) - 1)


def _divide(one: Array, other: Array, default: float = np.nan) -> Array:
    return np.divide(one, other, out=np.full(len(one), default), where=other > 0)
