"""Profit as a function of retention, at this firm's margin, costs and discount rate.

"5 % more retention" is two things: five points more (.80 to .85), or five per cent of itself (.80 to .84);
both are told. Value is that of an acquired customer at constant retention; `retention_mix` has customers who
differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from crmlib import format as fmt
from crmlib.economics.formula_clv import Timing, check_share
from crmlib.errors import CrmError

POINTS = 0.05

# Net present value of a customer's profit, not a year's profit, from five points less defection.
REICHHELD_SASSER = {
    "bank branch deposits": 0.85,
    "credit card": 0.75,
    "insurance brokerage": 0.50,
    "industrial distribution": 0.45,
    "software": 0.35,
    "auto service": 0.30,
    "credit insurance": 0.25,
}


@dataclass(frozen=True)
class RetentionTerms:
    """What a customer brings and costs.

    Parameters
    ----------
    margin : float
        Money per customer and period, above 0.
    retention_rate, discount_rate : float
        Per period; retention from 0 to 1, the discount above 0 or retention below 1.
    acquisition_cost : float, default 0
        Money per customer acquired.
    fixed_cost : float, default 0
        Money per customer acquired, whatever their retention.
    programme_cost : float, default 0
        Money per customer and period that *raising* retention costs, paid at the start of each period for
        every customer who is there, the first included.
    timing : {"next_period_if_retained", "next_period_certain", "now"}
        When the first margin arrives; see `crmlib.economics.formula_clv.Timing`.
    """

    margin: float
    retention_rate: float
    discount_rate: float
    acquisition_cost: float = 0.0
    fixed_cost: float = 0.0
    programme_cost: float = 0.0
    timing: str | Timing = Timing.NEXT_PERIOD_IF_RETAINED

    def __post_init__(self) -> None:
        if not 0 < self.margin < np.inf:
            raise CrmError(f"margin is {self.margin!r}; give money per customer and period, above 0")
        check_share("retention_rate", self.retention_rate)
        if not 0 <= self.discount_rate < np.inf or self.discount_rate + 1 - self.retention_rate <= 0:
            raise CrmError(
                f"discount_rate is {self.discount_rate!r} at retention_rate {self.retention_rate}; give a rate per "
                "period, 0 or more, and above 0 where nobody leaves (10 % is 0.10)"
            )
        for name in ("acquisition_cost", "fixed_cost", "programme_cost"):
            if not 0 <= getattr(self, name) < np.inf:
                raise CrmError(f"{name} is {getattr(self, name)!r}; give money, 0 or more")
        object.__setattr__(self, "timing", Timing.parse(self.timing))

    def gross(self, retention_rate: ArrayLike | None = None) -> np.ndarray:
        """Present value of margins per customer; nan at retention that is no probability or has no limit."""
        r = np.asarray(self.retention_rate if retention_rate is None else retention_rate, dtype=float)
        first = {
            Timing.NEXT_PERIOD_IF_RETAINED: r,
            Timing.NEXT_PERIOD_CERTAIN: np.ones_like(r),
            Timing.NOW: np.full_like(r, 1 + self.discount_rate),
        }
        return self.margin * first[Timing.parse(self.timing)] / self._left(r)

    def net(self, retention_rate: ArrayLike | None = None) -> np.ndarray:
        """Gross value less acquisition and fixed cost, without a programme."""
        return self.gross(retention_rate) - self.acquisition_cost - self.fixed_cost

    def programme(self, retention_rate: ArrayLike) -> np.ndarray:
        """Present value of the programme's cost per customer at the retention that it reaches."""
        left = self._left(np.asarray(retention_rate, dtype=float))
        return self.programme_cost * (1 + self.discount_rate) / left

    def _left(self, r: np.ndarray) -> np.ndarray:
        left = 1 + self.discount_rate - r
        return np.where((r >= 0) & (r <= 1 + 1e-12) & (left > 0), left, np.nan)


def retention_steps(terms: RetentionTerms, *, points: float = POINTS) -> pd.DataFrame:
    """What five points more retention, and five per cent more, would do to the value of a customer.

    Parameters
    ----------
    terms : RetentionTerms
    points : float, default 0.05
        Points of retention, and the same as a share of it.

    Returns
    -------
    DataFrame
        Rows `step` "today", "+5 points", "×1.05": `retention_rate`, `gross` (margins), `net` (less acquisition and
        fixed cost), `after_programme` (less the programme too; today there is none), and each one's
        `..._change` against today as a share. nan where retention would be no probability, or where today's
        net value is not positive, so that no share of it makes sense.

    Examples
    --------
    >>> terms = RetentionTerms(margin=100, retention_rate=0.8, discount_rate=0.1, acquisition_cost=175)
    >>> retention_steps(terms)[["step", "gross", "net", "gross_change", "net_change"]].round(3)
            step    gross      net  gross_change  net_change
    0      today  266.667   91.667         0.000       0.000
    1  +5 points  340.000  165.000         0.275       0.800
    2      ×1.05  323.077  148.077         0.212       0.615
    """
    now = terms.retention_rate
    rates = np.array([now, now + points, now * (1 + points)])
    rates = np.where(rates <= 1, rates, np.nan)
    names = ["today", f"+{fmt.points(points)}", f"×{1 + points:g}"]
    net = terms.net(rates)
    after = net - np.where(np.arange(3) == 0, 0.0, terms.programme(rates))
    table = pd.DataFrame({"step": names, "retention_rate": rates, "gross": terms.gross(rates)})
    table = table.assign(net=net, after_programme=after)
    for name in ("gross", "net", "after_programme"):
        today = table[name].iloc[0]
        table[f"{name}_change"] = table[name] / today - 1 if today > 0 else np.nan
    return table


def worth_of_points(terms: RetentionTerms, points: Sequence[float] = (0.01, 0.02, 0.05)) -> pd.DataFrame:
    """What are some points more of retention worth, and what may a programme that brings them cost?

    Parameters
    ----------
    terms : RetentionTerms
    points : sequence of float
        Such as .01 for one point.

    Returns
    -------
    DataFrame
        By `points`: `retention_rate`, `gain` (money per customer acquired, present value) and `affordable_cost` (money
        per customer and period, paid at the start of each, that would use up the gain); nan where retention would be
        no probability.

    Examples
    --------
    >>> worth_of_points(RetentionTerms(margin=100, retention_rate=0.8, discount_rate=0.1), [0.05]).round(2)
       points  retention_rate   gain  affordable_cost
    0    0.05            0.85  73.33            16.67
    """
    more = np.asarray(points, dtype=float)
    rates = np.where(terms.retention_rate + more <= 1, terms.retention_rate + more, np.nan)
    gain = terms.gross(rates) - terms.gross()
    cost = gain * (1 + terms.discount_rate - rates) / (1 + terms.discount_rate)
    return pd.DataFrame({"points": more, "retention_rate": rates, "gain": gain, "affordable_cost": cost})


def retention_profit_curve(
    terms: RetentionTerms, retention_rates: Sequence[float] | None = None, *, points: float = POINTS
) -> pd.DataFrame:
    """How the value of a customer runs with retention, and what the next five points would add.

    Parameters
    ----------
    terms : RetentionTerms
    retention_rates : sequence of float, optional
        Default: .30 to .95 in steps of one point, and on to the firm's own rate and its next `points`, where these
        are more and still below 1.
    points : float, default 0.05

    Returns
    -------
    DataFrame
        By `retention_rate`: `gross`, `net`, `after_programme` (net of a programme), and `gross_change`, `net_change` of
        the next `points` as a share; nan where the net value is not positive or retention would exceed 1.

    Examples
    --------
    >>> terms = RetentionTerms(margin=100, retention_rate=0.8, discount_rate=0.1, acquisition_cost=175)
    >>> retention_profit_curve(terms, [0.6, 0.8, 0.9])[["retention_rate", "gross", "net_change"]].round(2)
       retention_rate   gross  net_change
    0             0.6  120.00         NaN
    1             0.8  266.67        0.80
    2             0.9  450.00        0.67
    """
    if retention_rates is None:
        own = (terms.retention_rate, terms.retention_rate + points)
        furthest = max([0.95, *(one for one in own if one < 1)])
        retention_rates = [*np.round(np.arange(0.30, furthest, 0.01), 2), furthest]
    rates = np.asarray(retention_rates, dtype=float)
    gross, net = terms.gross(rates), terms.net(rates)
    rise = terms.gross(rates + points) - gross
    return pd.DataFrame(
        {
            "retention_rate": rates,
            "gross": gross,
            "net": net,
            "after_programme": net - terms.programme(rates),
            "gross_change": rise / gross,
            "net_change": np.where(net > 0, rise / np.where(net > 0, net, 1.0), np.nan),
        }
    )


def claim_reversal(terms: RetentionTerms, *, claimed: float = 0.80, points: float = POINTS) -> pd.Series:
    """Where would five points more retention give exactly the claimed rise in value?

    Parameters
    ----------
    terms : RetentionTerms
    claimed : float, default 0.80
        The rise, as a share; above 0.
    points : float, default 0.05

    Returns
    -------
    Series
        `acquisition_cost` per customer at which the claim holds exactly at this firm's retention (negative: it holds
        at any cost), `acquisition_cost_in_margins`, and `retention_rate` nearest to the firm's at which it holds at
        this firm's costs; nan where there is none.

    Examples
    --------
    >>> terms = RetentionTerms(margin=100, retention_rate=0.8, discount_rate=0.1)
    >>> claim_reversal(terms).round(3).to_dict()
    {'acquisition_cost': 175.0, 'acquisition_cost_in_margins': 1.75, 'retention_rate': 0.07}
    """
    if not claimed > 0:
        raise CrmError(f"claimed is {claimed!r}; give the claimed rise as a share above 0, such as 0.80")
    now = terms.retention_rate
    after = terms.gross(now + points) - terms.programme(now + points)
    cost = float(terms.gross() - terms.fixed_cost - (after - terms.gross()) / claimed)
    told = {"acquisition_cost": cost, "acquisition_cost_in_margins": cost / terms.margin}
    return pd.Series(told | {"retention_rate": _nearest_rate(terms, claimed, points)})


def _nearest_rate(terms: RetentionTerms, claimed: float, points: float) -> float:
    """The retention rate nearest to the firm's at which the step's rise is as claimed."""
    from scipy.optimize import brentq

    def excess(r: ArrayLike) -> np.ndarray:
        rates = np.asarray(r, dtype=float)
        net, raised = terms.net(rates), rates + points
        return terms.net(raised) - terms.programme(raised) - net - claimed * net

    grid = np.linspace(1e-6, 1 - points - 1e-9, 2000)
    signs = np.sign(excess(grid))
    found = [brentq(excess, grid[k], grid[k + 1]) for k in np.flatnonzero(signs[1:] * signs[:-1] < 0)]
    found = [r for r in found if terms.net(r) > 0]
    return float(min(found, key=lambda r: abs(r - terms.retention_rate))) if found else np.nan


def published_lifts() -> pd.DataFrame:
    """What has been published: rise of a customer's net present value from five points more retention.

    Columns `industry`, `rise`. Reichheld & Sasser, "Zero defections: quality comes to services", Harvard
    Business Review 68(5), 1990. None of them is 80 %.

    Examples
    --------
    >>> published_lifts()["rise"].tolist()
    [0.85, 0.75, 0.5, 0.45, 0.35, 0.3, 0.25]
    """
    return pd.DataFrame({"industry": list(REICHHELD_SASSER), "rise": list(REICHHELD_SASSER.values())})
