"""How much to spend on winning customers and on keeping them: Blattberg & Deighton's customer equity test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crmlib.economics.formula_clv import EquityPerProspect, blattberg_deighton_equity, check_share
from crmlib.economics.retention.response_curves import ResponseCurve, maximum
from crmlib.errors import CrmError

_GRID = 400  # spends looked at before the best is refined


@dataclass(frozen=True)
class SpendingPlan:
    """What to spend per prospect, and per customer and period.

    Attributes
    ----------
    acquisition_spend, retention_spend : float
        Money per prospect, and per customer and period.
    found : EquityPerProspect
        The rates, the value of a customer and the equity per prospect that they give.
    marginal_acquisition_cost : float
        What one more customer would cost now; at the unconstrained optimum it is a customer's value.
    budget : float
        Money per prospect in the first period: acquisition, and retention of those won.
    multiplier : float
        What one more unit of budget would add to equity; 0 where the budget does not bind.
    words : tuple of str
        How far each spend lies from what was observed.
    """

    acquisition_spend: float
    retention_spend: float
    found: EquityPerProspect
    marginal_acquisition_cost: float
    budget: float
    multiplier: float
    words: tuple[str, ...]


def best_spending(
    margin: float,
    discount_rate: float,
    acquisition: ResponseCurve,
    retention: ResponseCurve,
    *,
    budget: float | None = None,
) -> SpendingPlan:
    """How much to spend on winning and on keeping customers, freely or out of a budget?

    Timing and formula as in `blattberg_deighton_equity`: equity per prospect = a M − A + a (M − R / r) r / (1 + d − r).

    Parameters
    ----------
    margin : float
        Money per customer and period.
    discount_rate : float
        Per period; above 0 where the ceiling of retention is 1.
    acquisition, retention : ResponseCurve
        From `fit_response` or `judged_curve`.
    budget : float, optional
        Money per prospect for the first period: acquisition spend, and the first retention spend of those who are
        won. Without it, the most profitable spending.

    Returns
    -------
    SpendingPlan

    Raises
    ------
    CrmError
        If a term is out of range.

    Notes
    -----
    Blattberg & Deighton, "Manage marketing by the customer equity test", Harvard Business Review 74(4), 1996.
    Retention spend maximises a customer's value; acquisition is then bought until one more customer costs what
    one is worth. A budget that covers both does not bind.

    Examples
    --------
    >>> from crmlib.economics.retention.response_curves import judged_curve
    >>> a = judged_curve(spend=5, rate=0.20, ceiling=0.40)
    >>> r = judged_curve(spend=10, rate=0.40, ceiling=0.70)
    >>> plan = best_spending(50, 0.1, a, r)
    >>> [round(one, 2) for one in (plan.acquisition_spend, plan.retention_spend, plan.found.equity)]
    [9.49, 16.32, 10.18]
    >>> round(plan.marginal_acquisition_cost, 4), round(plan.found.clv, 4)
    (67.1978, 67.1978)
    """
    check_share("ceiling of acquisition", acquisition.ceiling)
    if not 0 <= discount_rate < math.inf or 1 + discount_rate - retention.ceiling <= 0:
        raise CrmError(f"discount_rate is {discount_rate}; give a rate per period above 0 (10 % is 0.10)")
    if budget is not None and not 0 <= budget < math.inf:
        raise CrmError(f"budget is {budget!r}; give money per prospect, 0 or more")
    case = _Case(margin, discount_rate, acquisition, retention)
    keep = _best(lambda r: case.equity(1.0, r).clv, case.most_retention())
    win = case.acquisition_for(case.equity(1.0, keep).clv)
    multiplier = 0.0
    if budget is not None and case.cost(win, keep) > budget:
        # all of it is spent: what is not spent on winning keeps those who are won
        win = _best(lambda a: case.equity(a, case.left(a, budget)).equity, case.most_acquisition(budget))
        keep = case.left(win, budget)
        step = 1e-4 * max(budget, 1e-6)
        above, below = (_best_equity(case, budget + one) for one in (step, -min(step, budget)))
        multiplier = (above - below) / (step + min(step, budget))
    found = case.equity(win, keep)
    slope = acquisition.slope(win)
    words = ("Acquisition: " + acquisition.words(win), "Retention: " + retention.words(keep))
    marginal = 1 / slope if slope > 0 else math.inf
    return SpendingPlan(win, keep, found, marginal, case.cost(win, keep), multiplier, words)


@dataclass(frozen=True)
class _Case:
    margin: float
    discount_rate: float
    acquisition: ResponseCurve
    retention: ResponseCurve

    def equity(self, acquisition_spend: float, retention_spend: float) -> EquityPerProspect:
        return blattberg_deighton_equity(
            self.margin,
            self.discount_rate,
            acquisition_spend=acquisition_spend,
            acquisition_curve=(self.acquisition.ceiling, self.acquisition.steepness),
            retention_spend=retention_spend,
            retention_curve=(self.retention.ceiling, self.retention.steepness),
        )

    def cost(self, acquisition_spend: float, retention_spend: float) -> float:
        return acquisition_spend + self.acquisition.rate(acquisition_spend) * retention_spend

    def left(self, acquisition_spend: float, budget: float) -> float:
        """Retention spend per customer that a budget leaves."""
        won = self.acquisition.rate(acquisition_spend)
        return max(budget - acquisition_spend, 0.0) / won if won > 0 else 0.0

    def most_retention(self) -> float:
        """A retention spend beyond which the rate hardly rises."""
        return 40 / self.retention.steepness

    def most_acquisition(self, budget: float) -> float:
        return min(budget, 40 / self.acquisition.steepness)

    def acquisition_for(self, clv: float) -> float:
        """The spend at which one more customer costs what one is worth; 0 if the first one costs more."""
        first = clv * self.acquisition.ceiling * self.acquisition.steepness
        return math.log(first) / self.acquisition.steepness if first > 1 else 0.0


def _best_equity(case: _Case, budget: float) -> float:
    def value(a: float) -> float:
        return case.equity(a, case.left(a, budget)).equity

    return value(_best(value, case.most_acquisition(budget)))


def _best(function: Callable[[float], float], highest: float) -> float:
    """The spend from 0 to the highest that gives most: looked for on a grid, then refined."""
    if not highest > 0:
        return 0.0
    # dense near 0, where curves are steep
    grid = highest * np.linspace(0, 1, _GRID) ** 2
    values = [function(float(one)) for one in grid]
    place = int(np.argmax(values))
    low, high = float(grid[max(place - 1, 0)]), float(grid[min(place + 1, _GRID - 1)])
    refined = maximum(function, low, high)
    return max((refined, float(grid[place])), key=function)
