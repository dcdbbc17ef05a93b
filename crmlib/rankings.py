"""Rankings of customers by a score: how well a ranking works, and the tenths of customers.

Customers with equal scores are ties: areas and shares are means over all their possible orders.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from crmlib.statistics import Array


class Levels(NamedTuple):
    """Customers gathered by their score, the highest first.

    `score`: of shape (levels,): each score that occurs. `weight`: of shape (levels,): how many customers have it.
    `outcome`: of shape (levels,): sum of what they did: of 0 and 1 how many did, or money.
    """

    score: Array
    weight: Array
    outcome: Array

    def roc_auc(self) -> float:
        """Probability that one who did has a higher score than one who did not; equals count half."""
        others = self.weight - self.outcome
        above = others.cumsum() - others / 2
        return float(1 - self.outcome @ above / (self.outcome.sum() * others.sum()))

    def average_precision(self) -> float:
        """Mean, over those who did, of the share who did among all with at least their score."""
        seen = self.weight.cumsum()
        precision = np.divide(self.outcome.cumsum(), seen, out=np.zeros_like(seen), where=seen > 0)
        return float(self.outcome @ precision / self.outcome.sum())

    def captured(self) -> tuple[Array, Array]:
        """Share of customers, the best first, and of the outcome that they hold; from (0, 0) to (1, 1)."""
        return _cumulative(self.weight), _cumulative(self.outcome)

    def captured_by(self, share: Any) -> Any:
        """Share of the outcome that this share of customers holds, the best first."""
        return np.interp(share, *self.captured())

    def gini(self) -> float:
        """Twice the area between `captured` and the diagonal: 0 for an order by chance."""
        customers, held = self.captured()
        return float(2 * np.trapezoid(held, customers) - 1)


class Ranking:
    """Customers in order of a score, sorted once so that each resample of them costs two counts.

    `score`: of shape (customers,): the highest is the best. `outcome`: of shape (customers,): what each did: 0 and 1,
    or money.

    Examples
    --------
    >>> ranking = Ranking([0.9, 0.8, 0.3, 0.3], [1, 0, 1, 0])
    >>> ranking.levels().roc_auc(), ranking.levels(np.array([1.0, 0.0, 1.0, 1.0])).roc_auc()
    (0.625, 0.75)
    """

    def __init__(self, score: ArrayLike, outcome: ArrayLike) -> None:
        distinct, self._place = np.unique(-np.asarray(score, dtype=float), return_inverse=True)
        self._score, what = -distinct, np.asarray(outcome, dtype=float)
        self._did = np.flatnonzero(what)  # most customers do nothing, and nothing need not be added
        self._outcome = what[self._did]

    def levels(self, weights: NDArray[Any] | None = None) -> Levels:
        """The customers by score, each once or as often as `weights` say."""
        size, did = len(self._score), self._did
        done = self._outcome if weights is None else weights[did] * self._outcome
        count = np.bincount(self._place, weights, size).astype(float, copy=False)
        return Levels(self._score, count, np.bincount(self._place[did], done, size).astype(float, copy=False))


def roc_auc(score: ArrayLike, outcome: ArrayLike) -> float:
    """Probability that one who did has a higher score than one who did not; equals count half.

    Examples
    --------
    >>> roc_auc([0.9, 0.8, 0.3, 0.3], [1, 0, 1, 0])
    0.625
    """
    return Ranking(score, outcome).levels().roc_auc()


def squared_losses(probability: Array, happened: NDArray[Any]) -> Array:
    """Squared distance of a probability from what happened, of each customer: their mean is the Brier score."""
    return (probability - happened) ** 2


def log_losses(probability: Array, happened: NDArray[Any]) -> Array:
    """-log of the probability of what happened, of each customer; inf where it was held impossible."""
    with np.errstate(divide="ignore"):
        return -np.log(np.where(happened, probability, 1 - probability))


def top_share(values: ArrayLike, share: float) -> float:
    """Which share of the total the best `share` of customers hold.

    The customer on the boundary counts with the part that is within, so that the answer does not jump
    with the number of customers. nan where the total is not positive.

    Examples
    --------
    >>> top_share([60.0, 20.0, 10.0, 5.0, 5.0], 0.2)
    0.6
    """
    return float(Ranking(values, values).levels().captured_by(share))


def gini(values: ArrayLike) -> float:
    """How unequally a total is spread: 0 if all have the same, towards 1 if one has all.

    nan where a value is negative or the total is not positive: the measure is not defined there.

    Examples
    --------
    >>> round(gini([600.0, 1000.0, 1200.0, 2200.0, 5000.0]), 10)
    0.4
    """
    shares = np.asarray(values, dtype=float)
    defined = shares.size and shares.min() >= 0
    return Ranking(shares, shares).levels().gini() if defined else np.nan


def tenths(values: ArrayLike) -> NDArray[np.intp]:
    """Which tenth of the customers each value is in, 1 the lowest; equal values share one.

    Examples
    --------
    >>> tenths([7.0, 7.0, 9.0]).tolist()
    [5, 5, 10]
    """
    place = pd.Series(values).rank().to_numpy()
    return np.ceil(place / len(place) * 10).astype(np.intp)


def parts_of_equal_size(customers: int, parts: int = 10) -> NDArray[np.intp]:
    """Which part each of so many customers in order is in, 0 the first; sizes differ by one at most.

    Examples
    --------
    >>> parts_of_equal_size(5, 2).tolist()
    [0, 0, 0, 1, 1]
    """
    return np.arange(customers) * parts // max(customers, 1)


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's correlation, equal values sharing a rank; nan where all values of either are equal.

    Examples
    --------
    >>> rank_correlation([1, 2, 3, 4], [1, 4, 9, 16])
    1.0
    """
    both = pd.DataFrame({"first": np.asarray(first, dtype=float), "second": np.asarray(second, dtype=float)})
    return float(both.corr(method="spearman").iloc[0, 1])


def _cumulative(parts: Array) -> Array:
    total = parts.sum()
    if not total > 0:
        return np.full(len(parts) + 1, np.nan)
    return np.concatenate([[0.0], parts.cumsum() / total])
