"""How much to spend on acquisition and retention: response curves, and Blattberg & Deighton's equity test."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crmlib import format as fmt
from crmlib.arguments import check_range, check_share
from crmlib.customers._log import acquired_by, as_day
from crmlib.data.sources import open_optional
from crmlib.errors import CrmError, FitError
from crmlib.statistics import normal_quantile

_DEEPEST = normal_quantile(0.95) ** 2 / 2  # below the highest log-likelihood, at the ends of the interval
_GRID = 400  # spends looked at before the best is refined


@dataclass(frozen=True)
class ResponseCurve:
    """What share of people a spend per head reaches: ceiling (1 − exp(−steepness × spend)).

    Attributes
    ----------
    ceiling : float
        The share that no spend would pass.
    steepness : float
        Per money per head.
    observed : tuple of float
        Smallest and largest spend per head that it was learned from: beyond them it is an assumption.
    ceiling_low, ceiling_high : float
        95 % interval of the ceiling; nan where the ceiling was a judgement.
    """

    ceiling: float
    steepness: float
    observed: tuple[float, float]
    ceiling_low: float = math.nan
    ceiling_high: float = math.nan

    def rate(self, spend: float) -> float:
        """Share reached at a spend per head."""
        return self.ceiling * -math.expm1(-self.steepness * spend)

    def slope(self, spend: float) -> float:
        """How much the share rises per unit of money, at a spend per head."""
        return self.ceiling * self.steepness * math.exp(-self.steepness * spend)

    def spend_for(self, value: float) -> float:
        """The spend per head at which one more person costs `value`; 0 if the first one costs more."""
        first = value * self.slope(0.0)
        return math.log(first) / self.steepness if first > 1 else 0.0


def judged_curve(*, spend: float, rate: float, ceiling: float) -> ResponseCurve:
    """The response curve through today's spend and rate, with a ceiling that is a judgement.

    Examples
    --------
    >>> curve = judged_curve(spend=5, rate=0.20, ceiling=0.40)
    >>> round(curve.steepness, 4), round(curve.rate(10), 2)
    (0.1386, 0.3)
    """
    check_share("ceiling", ceiling)
    check_range("rate", rate, f"a share above 0 and below the ceiling {ceiling}", above=0, below=ceiling)
    check_range("spend", spend, f"the money per head, above 0, that reached the rate {rate}", above=0)
    return ResponseCurve(ceiling, math.log(ceiling / (ceiling - rate)) / spend, (spend, spend))


def fit_response(spend: Sequence[float], people: Sequence[float], reached: Sequence[float]) -> ResponseCurve:
    """Learn a response curve from several periods' spend per head and what it reached.

    Parameters
    ----------
    spend : sequence of float
        Money per head in each period or test cell, at least two different ones.
    people, reached : sequence of float
        Prospects addressed and won, or customers addressed and retained.

    Returns
    -------
    ResponseCurve
        With the interval of its ceiling (profile likelihood): where it runs to 1, these spends do not show how
        far more money could go.

    Notes
    -----
    Binomial maximum likelihood. Spend was not set by chance: if more was spent where more was to be had, the
    curve is too steep; an experiment would tell.

    Examples
    --------
    >>> found = fit_response([2, 5, 10], [10_000, 10_000, 10_000], [969, 2000, 3000])
    >>> round(found.ceiling, 2), round(found.steepness, 3)
    (0.4, 0.139)
    """
    x, n, y = (np.asarray(series, dtype=float) for series in (spend, people, reached))
    if not (x.ndim == 1 and x.shape == n.shape == y.shape and np.isfinite([x, n, y]).all()):
        raise CrmError(
            "spend, people and reached are of different lengths or hold blanks; give one of each a period"
        )
    if (x < 0).any() or (n <= 0).any() or (y < 0).any() or (y > n).any():
        raise CrmError(
            "spend below 0, people not above 0, or more reached than people; correct these periods"
        )
    if len(np.unique(x[x > 0])) < 2 or not y.sum() > 0:
        raise FitError(
            f"spend has {len(np.unique(x[x > 0]))} different values above 0 and {fmt.count(y.sum())} people were "
            "reached; a curve needs two and somebody: judge a ceiling, or vary the spend"
        )
    ceilings = np.unique(np.concatenate([np.linspace(0.01, 1.0, 100), np.geomspace(1e-4, 0.05, 40)]))
    height = np.array([_steepest(x, n, y, ceiling)[1] for ceiling in ceilings])
    best = int(np.argmax(height))
    around = ceilings[max(best - 1, 0)], ceilings[min(best + 1, len(ceilings) - 1)]
    ceiling = maximum(lambda limit: _steepest(x, n, y, limit)[1], *around)
    steepness, highest = _steepest(x, n, y, ceiling)
    ends = _ends(ceilings, height - highest, lambda limit: _steepest(x, n, y, limit)[1] - highest)
    return ResponseCurve(ceiling, steepness, (float(x.min()), float(x.max())), *ends)


def _ends(ceilings: np.ndarray, below: np.ndarray, drop: Callable[[float], float]) -> tuple[float, float]:
    """Ends of the ceilings whose log-likelihood is not too far below the highest."""
    from scipy.optimize import brentq

    within = np.flatnonzero(below >= -_DEEPEST)
    if not len(within):  # narrower than the grid
        within = np.array([int(np.argmax(below))])
    ends = []
    for edge, outside in ((within[0], within[0] - 1), (within[-1], within[-1] + 1)):
        if not 0 <= outside < len(ceilings) or below[edge] < -_DEEPEST:
            ends.append(float(ceilings[edge]))
            continue
        bracket = sorted((float(ceilings[edge]), float(ceilings[outside])))
        ends.append(float(brentq(lambda limit: drop(limit) + _DEEPEST, *bracket, xtol=1e-6)))
    return ends[0], ends[1]


def _steepest(x: np.ndarray, n: np.ndarray, y: np.ndarray, ceiling: float) -> tuple[float, float]:
    """The steepness that fits best below a ceiling, and its log-likelihood."""

    def loglik(log_steepness: float) -> float:
        p = np.clip(ceiling * -np.expm1(-math.exp(log_steepness) * x), 1e-12, 1 - 1e-12)
        return float(y @ np.log(p) + (n - y) @ np.log1p(-p))

    scale = -math.log(float(x.max()))
    best = maximum(loglik, scale - 12, scale + 6)
    return math.exp(best), loglik(best)


def maximum(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one summit is highest between two ends."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(lambda place: -function(place), bounds=(low, high), method="bounded",
                            options={"xatol": 1e-10 * max(abs(low), abs(high), 1e-6)})  # fmt: skip
    return float(found.x)


@dataclass(frozen=True)
class EquityPerProspect:
    """Blattberg & Deighton's answer: two rates, a customer's value and the equity per prospect, in money."""

    acquisition_rate: float
    retention_rate: float
    clv: float
    equity: float


@dataclass(frozen=True)
class EquityTest:
    """The customer equity test: what a prospect is worth when spending buys acquisition and retention.

    The first margin arrives now, with the acquisition; later margins at the end of each period from those retained,
    less the retention spend of a period per customer: equity = a M − A + a (M − R / r) r / (1 + d − r).
    Blattberg & Deighton, "Manage marketing by the customer equity test", Harvard Business Review 74(4), 1996.

    Parameters
    ----------
    contribution : float
        Margin in money per customer and period.
    discount_rate : float
        Per period; above 0 where the ceiling of retention is 1.
    acquisition, retention : ResponseCurve
        Shares won and kept, by spend per prospect, and per customer and period.
    """

    contribution: float
    discount_rate: float
    acquisition: ResponseCurve
    retention: ResponseCurve

    def __post_init__(self) -> None:
        check_share("ceiling of acquisition", self.acquisition.ceiling)
        if not 0 <= self.discount_rate < math.inf or 1 + self.discount_rate - self.retention.ceiling <= 0:
            raise CrmError(
                f"discount_rate is {self.discount_rate}; give a rate per period above 0 (10 % is 0.10)"
            )

    def of(self, acquisition_spend: float, retention_spend: float) -> EquityPerProspect:
        """What a prospect is worth at these spends per prospect, and per customer and period."""
        acquired, retained = self.acquisition.rate(acquisition_spend), self.retention.rate(retention_spend)
        # (M - R / r) r, written so that it stays finite where nothing is retained
        rest = (self.contribution * retained - retention_spend) / (1 + self.discount_rate - retained)
        clv = self.contribution + rest
        return EquityPerProspect(acquired, retained, clv, acquired * clv - acquisition_spend)

    def best(self, budget: float | None = None) -> SpendingPlan:
        """How much to spend on winning and on keeping customers, freely or out of a budget?

        Retention spend maximises a customer's value; acquisition is then bought until one more customer costs what
        one is worth. A budget (money per prospect for the first period: acquisition spend, and the first retention
        spend of those who are won) that covers both does not bind.

        Examples
        --------
        >>> test = EquityTest(50, 0.1, judged_curve(spend=5, rate=0.20, ceiling=0.40),
        ...                   judged_curve(spend=10, rate=0.40, ceiling=0.70))
        >>> plan = test.best()
        >>> [round(amount, 2) for amount in (plan.acquisition_spend, plan.retention_spend, plan.found.equity)]
        [9.49, 16.32, 10.18]
        """
        check_range("budget", budget, "money per prospect, 0 or more", least=0)
        # Beyond 40 / steepness a rate hardly rises.
        keep = _best(lambda r: self.of(1.0, r).clv, 40 / self.retention.steepness)
        win = self.acquisition.spend_for(self.of(1.0, keep).clv)
        multiplier = 0.0
        if budget is not None and win + self.acquisition.rate(win) * keep > budget:
            win, _ = self._within(budget)
            keep = self._left(win, budget)
            step = 1e-4 * max(budget, 1e-6)
            (_, above), (_, below) = (self._within(budget + change) for change in (step, -min(step, budget)))
            multiplier = (above - below) / (step + min(step, budget))
        return SpendingPlan(win, keep, self.of(win, keep), multiplier)

    def _left(self, acquisition_spend: float, budget: float) -> float:
        """Retention spend per customer that a budget leaves."""
        won = self.acquisition.rate(acquisition_spend)
        return max(budget - acquisition_spend, 0.0) / won if won > 0 else 0.0

    def _within(self, budget: float) -> tuple[float, float]:
        """Acquisition spend that gives most within a budget, what it leaves keeping those who are won; the equity."""

        def equity(spend: float) -> float:
            return self.of(spend, self._left(spend, budget)).equity

        best = _best(equity, min(budget, 40 / self.acquisition.steepness))
        return best, equity(best)


@dataclass(frozen=True)
class SpendingPlan:
    """Spend per prospect, and per customer and period; the equity `found`.

    `multiplier` is what one more unit of budget would add to equity; 0 where the budget does not bind.
    """

    acquisition_spend: float
    retention_spend: float
    found: EquityPerProspect
    multiplier: float


def _best(function: Callable[[float], float], highest: float) -> float:
    """The spend from 0 to the highest that gives most: looked for on a grid, then refined."""
    if not highest > 0:
        return 0.0
    # dense near 0, where curves are steep
    grid = highest * np.linspace(0, 1, _GRID) ** 2
    values = [function(float(spend)) for spend in grid]
    place = int(np.argmax(values))
    low, high = float(grid[max(place - 1, 0)]), float(grid[min(place + 1, _GRID - 1)])
    refined = maximum(function, low, high)
    return max((refined, float(grid[place])), key=function)


def spend_per_first_purchase(
    transactions: Any, day: dt.date, marketing_spend: Any | None, new_from: Any
) -> tuple[float | None, str]:
    """Marketing spend per first purchase of the last 365 days, without wages, and where it is from."""
    spend = open_optional(marketing_spend)
    if spend is None:
        return None, "missing: no table marketing_spend"
    start = day - dt.timedelta(days=364)
    if new_from is not None and start < as_day(new_from, "new_from"):
        return None, f"missing: how many who first bought before {new_from} were new is not known"
    within = (spend.date.cast("date") >= start) & (spend.date.cast("date") <= day)
    total = spend.filter(within).amount.cast("float64").sum().to_pyarrow().as_py() or 0.0
    won = acquired_by(transactions, day) - acquired_by(transactions, start - dt.timedelta(days=1))
    if not won or total < 0:
        why = "more credited than spent" if won else "no first purchases"
        return None, f"missing: {why} in the last 365 days"
    measured = "measured: marketing spend of 365 days, without wages, for"
    average = "an average, not the cost of the next customer"
    return total / won, f"{measured} {fmt.plural(won, 'first purchase')}: {average}"
