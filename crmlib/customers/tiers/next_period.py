"""What would each customer bring in another period like this one, if nothing about them changed?

A customer's days with money come at random, at a rate of their own, and each brings an amount that varies about a level
of their own. How rates and levels are spread over customers, and how amounts vary, is learned from all customers who
were known, those without such a day among them: an active customer is often one with a good period.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.customers.tiers.deconvolution import fit_distribution
from crmlib.statistics import Array

_RATES, _LEVELS = 300, 112  # points of the grids, at most; more change the fourth decimal
_LOWEST = 1e-6  # purchases per period of the lowest rate: who has gone
_ROUNDS = 60
_DRAWS = 4000  # sums of amounts drawn for each number of days
_MOST_DAYS = 400
_LEARNED_FROM = 2_500  # customers with several amounts from whom levels are learned
_FEWEST = 200  # newcomers, below whom they have no distribution of rates of their own
_NODES = 12  # amounts of loss that stand for all
_AMOUNTS = 64  # of money, between which chances are interpolated where there are losses
_AT_A_TIME = 20_000  # customers whose chances of all levels are in memory together


class Days:
    """The days of one sign: how often each customer has one, and how much it brings.

    `customer`: row of the customer of each day. `size`: money of each day, above 0. `exposure`: of shape (customers,):
    share of the period in which days were counted at random; below 1 of those who came within it. `entered`: of shape
    (customers,): whether the first of the days counted is the one on which the customer came, which is not at random.
    """

    def __init__(self, customer: Array, size: Array, exposure: Array, entered: Array) -> None:
        self._customer, self._size = customer, size
        days = np.bincount(customer, minlength=len(exposure))
        self._seen = days
        self._rates(np.maximum(days - entered, 0), exposure)
        self._levels()

    def _rates(self, days: Array, exposure: Array) -> None:
        """Chances of each rate (columns) for each pair of days and exposure (rows), by groups of customers."""
        # Even steps of log rate below 1 and of its root above, where counts tell rates apart by as much.
        most = 2 * np.sqrt(1.5 * days.max(initial=0) + 5) - 2
        steps = np.linspace(np.log(_LOWEST), most, min(int((most - np.log(_LOWEST)) / 0.2), _RATES))
        self.rates = np.where(steps < 0, np.exp(np.minimum(steps, 0)), (1 + np.maximum(steps, 0) / 2) ** 2)
        grid = np.log(self.rates)
        self._apart = np.gradient(grid)
        rounded = np.maximum(np.round(exposure, 2), 0.01)
        came = (rounded < 1).astype(int)
        if min(np.bincount(came, days > 0, 2)) < _FEWEST:
            came[:] = 0
        pairs, self._pair = np.unique(np.column_stack([came, days, rounded]), axis=0, return_inverse=True)
        self._pair = self._pair.ravel()
        counts = np.bincount(self._pair).astype(float)
        expected = pairs[:, 2:] * self.rates
        chance = _log_poisson(pairs[:, 1:2], expected)
        chance = np.exp(chance - chance.max(axis=1, keepdims=True))
        shape = np.log1p(self.rates)
        terms = np.column_stack([grid, self.rates, shape, shape**2, np.arange(len(grid)) == 0])
        self._of_pair = np.empty_like(chance)
        for group in (0, 1):
            rows = pairs[:, 0] == group
            if rows.any():
                joint = chance[rows] * fit_distribution(chance[rows], counts[rows], terms, self._apart)
                self._of_pair[rows] = joint / joint.sum(axis=1, keepdims=True)

    def _levels(self) -> None:
        """Chances of each level (columns) for each customer: levels and the spread about them, learned together."""
        logs = np.log(self._size) if len(self._size) else np.zeros(1)  # nobody: any level will do
        low, high = np.quantile(logs, 0.005), logs.max()
        self._step = max((high - low) / (_LEVELS - 1), 0.0)
        width = self._step or 1.0
        cell = np.rint((np.maximum(np.log(self._size), low) - low) / width).astype(int)
        once, several = self._seen == 1, self._seen > 1
        row = np.full(len(self._seen), _LEVELS)  # of who has none: after those with one amount
        row[several] = _LEVELS + 1 + np.arange(several.sum())
        row[self._customer[once[self._customer]]] = cell[once[self._customer]]
        self._row = row
        of_several = several[self._customer]
        counted = _Counts(row[self._customer[of_several]] - _LEVELS - 1, cell[of_several], several.sum())
        single = np.bincount(cell[~of_several], minlength=_LEVELS).astype(float)
        every = -(-several.sum() // _LEARNED_FROM) or 1
        some = counted.of(np.arange(0, several.sum(), every))
        learned = np.vstack([np.eye(_LEVELS), some])
        weight = np.concatenate([single / every, np.ones(len(some))])
        apart = np.arange(_LEVELS)[:, None] - np.arange(_LEVELS) + _LEVELS - 1
        cells, within = np.arange(_LEVELS), _deviation(learned, weight)
        share = weight @ learned / max((weight @ learned).sum(), 1)
        middle = cells @ share
        between = max(cells**2 @ share - middle**2 - within**2, 0.1)
        spread = np.exp(-0.5 * (np.arange(1 - _LEVELS, _LEVELS) / within) ** 2)
        held = np.exp(-0.5 * (cells - middle) ** 2 / between) + 1e-4
        for _ in range(_ROUNDS if len(self._size) else 0):
            spread, held = spread / spread.sum(), held / held.sum()
            joint = _levels_of(learned, spread[apart], held)
            held = weight @ joint
            spread = np.bincount(apart.ravel(), ((learned * weight[:, None]).T @ joint).ravel()) + 1e-12
        spread, held = spread / spread.sum(), held / held.sum()
        alone = np.vstack([np.eye(_LEVELS), np.zeros((1, _LEVELS))])
        self._of_row = np.empty((len(alone) + several.sum(), _LEVELS))
        self._of_row[: len(alone)] = _levels_of(alone, spread[apart], held)
        for rows in _pieces(several.sum()):
            self._of_row[len(alone) + rows] = _levels_of(counted.of(rows), spread[apart], held)
        self._sums = self._drawn(spread)
        # Amounts are gathered in cells; the mean stays what was measured.
        self.levels = np.exp(low + self._step * np.arange(_LEVELS))
        mean = self._sums[:, 0].mean()
        estimated = self._seen @ (self._of_row @ self.levels)[self._row] * mean if len(self._size) else 1.0
        self.mean = self.levels * mean * (self._size.sum() / estimated)

    def _drawn(self, spread: Array) -> Array:
        """Sums of 1, 2, … amounts as multiples of the level (columns), in order."""
        most = min(int(1.3 * self.rates[-1]) + 15, _MOST_DAYS)
        random = np.random.default_rng(0)
        even = (np.arange(_DRAWS) + 0.5) / _DRAWS
        chance = random.permuted(np.tile(even, (most, 1)), axis=1).T
        edges = np.concatenate([[0.0], spread.cumsum()])
        place = np.interp(chance, edges, np.arange(len(edges)) - 0.5) - _LEVELS + 1
        return np.sort(np.exp(place * self._step).cumsum(axis=1), axis=0)

    def at(self, rows: NDArray[np.intp]) -> Days:
        """The same of some customers."""
        found = copy(self)
        found._pair, found._row = self._pair[rows], self._row[rows]
        return found

    @property
    def expected(self) -> Array:
        """Mean money of each customer in another whole period."""
        return (self._of_pair @ self.rates)[self._pair] * (self._of_row @ self.mean)[self._row]

    @property
    def none(self) -> Array:
        """Chance of each customer to have no such day in another whole period."""
        return (self._of_pair @ np.exp(-self.rates))[self._pair]

    def above(self, money: float, *, true: bool) -> Array:
        """Chance of each customer to bring at least so much in another whole period; `true`: to have such a mean."""
        return self._mean_of(self._table(money, true)) if money > 0 else np.ones(len(self._pair))

    def reached(self, *, true: bool) -> Array:
        """Chances to bring at least each amount of a grid (columns), to be asked of `between`."""
        return np.column_stack([self._mean_of(self._table(np.exp(point), true)) for point in self._grid])

    def between(self, reached: Array, money: Array) -> Array:
        """Chances to bring at least as much money, read from `reached`."""
        place = (np.log(np.maximum(money, 1e-9)) - self._grid[0]) / (self._grid[1] - self._grid[0])
        place = np.clip(place, 0, len(self._grid) - 1.000001)
        low, rows = place.astype(int), np.arange(len(money))
        part = place - low
        found = reached[rows, low] * (1 - part) + reached[rows, low + 1] * part
        return np.where(money <= 0, 1.0, found)

    @cached_property
    def _grid(self) -> Array:
        low, high = self.levels[0], self.levels[-1] * max(self._sums[-1, -1], 2.0)
        return np.linspace(np.log(low) - 2.0, np.log(high), _AMOUNTS)

    def _table(self, money: float, true: bool) -> Array:
        """Chance to bring at least so much, by rate (rows) and level."""
        if true:
            apart = np.log(np.maximum(self.rates[:, None] * self.mean / money, 1e-300))  # some never buy
            return np.clip(apart / self._apart[:, None] + 0.5, 0, 1)
        least = money / self.levels * (1 - 1e-9)
        short = np.array([np.searchsorted(sums, least) for sums in self._sums.T]) / _DRAWS
        return self._numbers @ (1 - short)

    @cached_property
    def _numbers(self) -> Array:
        days = np.arange(1, self._sums.shape[1] + 1)
        return np.exp(_log_poisson(days, self.rates[:, None]))

    def _mean_of(self, table: Array) -> Array:
        """The mean, for each customer, of a table by rate and level."""
        by_pair, found = self._of_pair @ table, np.empty(len(self._pair))
        for rows in _pieces(len(found)):
            of_rows = by_pair[self._pair[rows]], self._of_row[self._row[rows]]
            found[rows] = np.einsum("ij,ij->i", *of_rows)
        return found


class NextPeriod:
    """Each customer's money in another period like this one, if nothing about them changed.

    `customers`: who was known, those without any day of money among them. `days`: `customer` (row of 0 to customers −
    1) and `money` of each day on which money came or went. `exposure`: as in `Days`; 1 by default. `entered`: as in
    `Days`; by default nobody came within the period. `steady`: money that each customer costs in a period in which
    something happens, such as an account; 0 by default.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> rate = random.gamma(1.0, 1.0, 5000)
    >>> days = pd.DataFrame({"customer": np.repeat(np.arange(5000), random.poisson(rate)), "money": 10.0})
    >>> bought = np.bincount(days["customer"], minlength=5000)
    >>> again = NextPeriod(5000, days)
    >>> [round(float(again.expected[bought == times].mean())) for times in (0, 1, 3)]  # 10 × (times + 1) / 2
    [5, 10, 20]
    """

    def __init__(
        self,
        customers: int,
        days: pd.DataFrame,
        *,
        exposure: Array | None = None,
        entered: Array | None = None,
        steady: Array | None = None,
    ) -> None:
        customer, money = days["customer"].to_numpy(), days["money"].to_numpy(dtype=float)
        exposure = np.ones(customers) if exposure is None else exposure
        entered = np.zeros(customers, dtype=bool) if entered is None else entered
        self._steady = np.zeros(customers) if steady is None else steady
        self._squares = np.bincount(customer, money**2, customers)
        gain, loss = money > 0, money < 0
        self._gains = Days(customer[gain], money[gain], exposure, entered)
        came = np.zeros(customers, dtype=bool)
        self._losses = Days(customer[loss], -money[loss], exposure, came) if loss.any() else None
        self._nodes = np.zeros(1)
        if loss.any():  # amounts that stand for what customers lose in a period
            lost = np.bincount(customer[loss], -money[loss], customers)
            self._nodes = np.append(0.0, np.quantile(lost[lost > 0], (np.arange(_NODES) + 0.5) / _NODES))

    def at(self, rows: NDArray[np.intp]) -> NextPeriod:
        """The same of some customers, by their row."""
        found = copy(self)
        found._squares, found._steady = self._squares[rows], self._steady[rows]
        found._gains, found._losses = self._gains.at(rows), self._losses and self._losses.at(rows)
        return found

    @property
    def idle(self) -> Array:
        """Chance that nothing happens: such a customer is not active and brings 0."""
        return self._gains.none * (self._losses.none if self._losses else 1.0)

    @property
    def expected(self) -> Array:
        """Mean money of each customer."""
        lost = self._losses.expected if self._losses else 0.0
        return self._gains.expected - lost - self._steady * (1 - self.idle)

    @property
    def squares(self) -> float:
        """Sum of the days' squared money: the variance that chance gives to the values of all, together."""
        return float(self._squares.sum())

    def above(self, money: Sequence[float], *, true: bool) -> Array:
        """Chance of each customer (rows) to be measured at so much, or more, in another period (columns).

        `true`: the chance that the customer's mean is so much. Who does nothing is measured at 0.
        """
        if not self._losses and not self._steady.any():
            return np.column_stack([self._gains.above(amount, true=true) for amount in money])
        steady = self._steady * (1 - self.idle) if true else self._steady
        reached, shares = self._gains.reached(true=true), self._shares_lost(true)
        found = np.empty((len(steady), len(money)))
        for column, amount in enumerate(money):
            found[:, column] = sum(
                share * self._gains.between(reached, amount + steady + node)
                for share, node in zip(shares, self._nodes, strict=True)
            )
            if amount <= 0 and not true:
                found[:, column] += np.where(steady > 0, self.idle, 0.0)
        return found

    def _shares_lost(self, true: bool) -> list[Array]:
        """Chances of each customer to lose as much as each node stands for."""
        if not self._losses:
            return [np.ones(len(self._steady))]
        edges = (self._nodes[1:] + self._nodes[:-1]) / 2
        edges[0] /= 10  # below it: no loss
        beyond = [self._losses.above(edge, true=true) for edge in edges]
        return list(-np.diff([np.ones(len(self._steady)), *beyond, np.zeros(len(self._steady))], axis=0))


class _Counts:
    """How many amounts of each customer are in each cell; a table of all would take much memory."""

    def __init__(self, row: NDArray[np.intp], cell: NDArray[np.intp], rows: int) -> None:
        order = np.argsort(row, kind="stable")
        self._row, self._cell = row[order], cell[order]
        self._start = np.searchsorted(self._row, np.arange(rows + 1))

    def of(self, rows: NDArray[np.intp]) -> Array:
        """The counts of some customers (rows) by cell."""
        times = self._start[rows + 1] - self._start[rows]
        place = np.repeat(self._start[rows] - times.cumsum() + times, times) + np.arange(times.sum())
        counted = np.zeros((len(rows), _LEVELS))
        np.add.at(counted, (np.repeat(np.arange(len(rows)), times), self._cell[place]), 1.0)
        return counted


def _pieces(customers: int) -> Iterator[NDArray[np.intp]]:
    """Rows of some customers after another."""
    for start in range(0, customers, _AT_A_TIME):
        yield np.arange(start, min(start + _AT_A_TIME, customers))


def _log_poisson(count: Array, mean: Array) -> Array:
    from scipy.special import gammaln, xlogy

    return xlogy(count, mean) - mean - gammaln(count + 1)


def _levels_of(counted: Array, spread: Array, held: Array) -> Array:
    """Chances of each level (columns) for amounts counted by cell (rows)."""
    joint = counted @ np.log(spread + 1e-12) + np.log(held + 1e-300)
    joint = np.exp(joint - joint.max(axis=1, keepdims=True))
    return joint / joint.sum(axis=1, keepdims=True)


def _deviation(counted: Array, weight: Array) -> float:
    """How far amounts of one customer are apart, in cells."""
    cells, days = np.arange(_LEVELS), counted.sum(axis=1)
    squares = counted @ cells**2 - (counted @ cells) ** 2 / np.maximum(days, 1)
    return max(float(np.sqrt(weight @ squares / max(weight @ (days - 1), 1))), 0.3)
