"""What one customer may spend in future: quantiles of purchase counts compounded with spend, closed form.

Three facts keep this exact and fast. Given that a customer is alive, future purchases depend on frequency
and T alone, and smoothly on T. A Gamma-Gamma customer's spend on k purchases, in units of x m + v, is beta
prime with shapes p k and p x + q, so its distribution does not depend on what the customer spent. Hence one
quantile per distinct (frequency, recency, T), to be multiplied by each customer's own x m + v.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, expit, logit, ndtri

from crmlib.models._inference import Array

CountsGivenAlive = Callable[[Array, Array, Array], Array]

GRID = 96  # points of the distribution function of spend, evenly in log-odds: quantiles to about 0.1 %
AGES = 32  # values of T, evenly in log T, at which a distribution function is computed: good to about 1e-4
NARROW = 16.0  # frequency above which distributions are so narrow that they need the more values of T
FIRST_COUNTS = 32  # counts looked at first; twice as many while a customer may well buy more often
TAIL = 1e-5  # probability of more purchases than are looked at
ONE_BY_ONE = 256  # counts above it stand for their neighbours too, 256 for each doubling


def spend_quantiles(
    counts_given_alive: CountsGivenAlive,
    frequency: Array,
    T: Array,
    p_alive: Array,
    levels: tuple[float, ...],
    p: float,
    q: float,
) -> Array:
    """Quantiles of future spend in units of x m + v, for customers whose spend is Gamma-Gamma.

    `counts_given_alive`: (n, frequency, T) -> probabilities of n purchases by living customers, shape (customers,
    len(n)). `frequency`, `T`, `p_alive`: of shape (customers,): distinct customers; P(alive) above 0. `levels`:
    probabilities, such as (0.1, 0.9). `p`, `q`: parameters of the Gamma-Gamma model.
    """
    found = np.zeros((len(frequency), len(levels)))
    for group in _groups(counts_given_alive, frequency, T):
        a = p * group.frequency + q
        points = _grid(p, a, group)
        reached = betainc(p * group.n[1:, None], a, expit(points))
        none = group.counts[:, :1]
        curves = group.at_every_age(np.hstack([none, none + group.counts[:, 1:] @ reached]))
        wanted = _of_the_living(levels, p_alive[group.rows])
        for column, level in enumerate(wanted):
            spend = _invert(points, curves[:, 1:], level)
            found[group.rows, column] = np.where(level > curves[:, 0], spend, 0.0)
    return found


def count_quantiles(
    counts_given_alive: CountsGivenAlive,
    frequency: Array,
    T: Array,
    p_alive: Array,
    levels: tuple[float, ...],
) -> Array:
    """Quantiles of the number of future purchases; parameters as in `spend_quantiles`."""
    found = np.zeros((len(frequency), len(levels)))
    for group in _groups(counts_given_alive, frequency, T):
        curves = group.at_every_age(np.cumsum(group.counts, axis=1))
        for column, level in enumerate(_of_the_living(levels, p_alive[group.rows])):
            place = np.sum(curves < level[:, None], axis=1)
            found[group.rows, column] = group.n[np.minimum(place, len(group.n) - 1)]
    return found


def _of_the_living(levels: tuple[float, ...], p_alive: Array) -> Array:
    """The level among living customers that is `levels` among all, of whom 1 - P(alive) buy nothing."""
    return 1.0 - (1.0 - np.asarray(levels)[:, None]) / p_alive


@dataclass
class _Group:
    """Customers of one frequency, and how often they will buy if they live, at some values of T."""

    frequency: float
    rows: NDArray[np.intp]
    ages: Array  # distinct T
    age: NDArray[np.intp]  # which of them each customer has
    nodes: NDArray[np.intp]  # places of the ages that are looked at
    n: Array  # numbers of purchases
    counts: Array  # their probabilities, shape (nodes, len(n))

    def has_enough(self) -> bool:
        """Whether more purchases are nearly impossible; if so, leave out numbers beyond them."""
        enough = np.cumsum(self.counts, axis=1).min(axis=0) >= 1.0 - TAIL
        if enough[-1]:
            last = max(int(np.argmax(enough)), 1) + 1
            self.n, self.counts = self.n[:last], self.counts[:, :last]
        return bool(enough[-1])

    def at_every_age(self, curves: Array) -> Array:
        """Distribution functions at the nodes -> at each customer's T."""
        if len(self.nodes) == len(self.ages):
            return curves[self.age]
        from scipy.interpolate import CubicSpline

        scale = _scale(self.ages)
        return CubicSpline(scale[self.nodes], curves)(scale)[self.age]


def _groups(counts_given_alive: CountsGivenAlive, frequency: Array, T: Array) -> list[_Group]:
    order = np.argsort(frequency, kind="stable")
    values, starts = np.unique(frequency[order], return_index=True)
    groups = []
    for x, rows in zip(values.tolist(), np.split(order, starts[1:]), strict=True):
        ages, age = np.unique(T[rows], return_inverse=True)
        nodes = np.arange(len(ages))
        looked_at = int(AGES * max(1.0, np.sqrt(x / NARROW)))
        if len(ages) > looked_at:
            scale = _scale(ages)
            nodes = np.unique(np.searchsorted(scale, np.linspace(scale[0], scale[-1], looked_at)))
        groups.append(_Group(x, rows, ages, age, nodes, np.empty(0), np.empty((len(nodes), 0))))
    _fill_counts(counts_given_alive, groups)
    return groups


def _scale(ages: Array) -> Array:
    """Logarithms of ages, which may begin at 0."""
    return np.log(ages + max(np.diff(ages).min(), 1e-4 * ages[-1]))


def _fill_counts(counts_given_alive: CountsGivenAlive, groups: list[_Group]) -> None:
    """Go through the numbers of purchases, for all groups at once, until hardly anybody may buy more often."""
    n, size = _numbers_of_purchases()
    left, start, reach = groups, 0, FIRST_COUNTS
    while left and start < len(n):
        x = np.concatenate([np.full(len(group.nodes), group.frequency) for group in left])
        ages = np.concatenate([group.ages[group.nodes] for group in left])
        now = slice(start, reach)
        fresh = counts_given_alive(n[now], x, ages) * size[now]
        pieces = np.split(fresh, np.cumsum([len(group.nodes) for group in left])[:-1])
        for group, piece in zip(left, pieces, strict=True):
            group.n, group.counts = n[:reach], np.hstack([group.counts, piece])
        left = [group for group in left if not group.has_enough()]
        start, reach = reach, 2 * reach


def _numbers_of_purchases() -> tuple[Array, Array]:
    """Numbers of purchases, each with how many numbers it stands for."""
    first = np.unique(np.round(ONE_BY_ONE * 2 ** (np.arange(1, 12 * ONE_BY_ONE) / ONE_BY_ONE)))
    first = np.concatenate([np.arange(ONE_BY_ONE + 1), first])
    size = np.diff(first, append=first[-1] + 1)
    return first + (size - 1) // 2, size


def _grid(p: float, a: float, group: _Group) -> Array:
    """Log spend, in units of x m + v, from below a few likely purchases to above many."""
    reached = np.cumsum(group.counts[:, 1:], axis=1).max(axis=0) > TAIL
    fewest, most = group.n[1:][reached][0] if reached.any() else 1.0, group.n[-1]
    lowest, highest = logit(betaincinv(p * fewest, a, 1e-3)), -logit(betaincinv(a, p * most, 1e-5))
    return np.linspace(lowest, max(highest, lowest + 1.0), GRID)


def _invert(points: Array, curves: Array, wanted: Array) -> Array:
    """The spend at which each customer's distribution function reaches what is wanted of it.

    Between two points the function is taken to be straight on normal probability paper.
    """
    upper = np.clip(np.sum(curves < wanted[:, None], axis=1), 1, curves.shape[1] - 1)
    rows = np.arange(len(curves))
    chances = curves[rows, upper - 1], curves[rows, upper], wanted
    below, above, here = (ndtri(np.clip(chance, 1e-12, 1 - 1e-12)) for chance in chances)
    share = np.clip((here - below) / np.maximum(above - below, 1e-12), 0.0, 1.0)
    return np.exp(points[upper - 1] + share * (points[upper] - points[upper - 1]))
