"""Lifetime value by formula: closed forms from the literature, each with its timing convention named.

The same margin, retention and discount rate give 267, 333 or 367 depending on when the first margin
arrives and whether it is certain. So no function here lets that stay unsaid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from numbers import Integral

import numpy as np
import pandas as pd

from crmlib.errors import CrmError, did_you_mean


class Timing(StrEnum):
    """When the first margin of a customer arrives, and whether it is certain.

    NEXT_PERIOD_IF_RETAINED : at the end of the first period, if the customer is still there
        (Gupta & Lehmann; the value of an existing customer after this period's margin).
    NEXT_PERIOD_CERTAIN : at the end of the first period, whatever happens.
    NOW : at once, with the acquisition.
    """

    NEXT_PERIOD_IF_RETAINED = "next_period_if_retained"
    NEXT_PERIOD_CERTAIN = "next_period_certain"
    NOW = "now"

    @classmethod
    def parse(cls, text: str | Timing) -> Timing:
        """Read a convention's name, or refuse with the allowed ones."""
        try:
            return cls(text)
        except ValueError:
            raise CrmError(f"timing is {text!r}; {did_you_mean(str(text), list(cls))}") from None


def simple_clv(
    margin: float,
    retention_rate: float,
    discount_rate: float,
    *,
    timing: str | Timing,
    growth_rate: float = 0.0,
) -> float:
    """What a customer is worth at constant retention, under a named timing convention.

    Parameters
    ----------
    margin : float
        The first margin, in money per period.
    retention_rate : float
        Share of customers who stay from one period to the next, 0 to 1.
    discount_rate : float
        Per period, such as 0.10; at least 0.
    timing : {"next_period_if_retained", "next_period_certain", "now"}
        When the first margin arrives. No default: the answer depends on it.
    growth_rate : float, default 0
        Growth of the margin from one period to the next.

    Returns
    -------
    float
        Present value without acquisition cost: the sum over an endless horizon.

    Raises
    ------
    CrmError
        If a rate is out of range, or the sum has no limit because the margin of those who stay outgrows
        the discounting.

    Notes
    -----
    Gupta & Lehmann, "Customers as assets" (2003). With ``d = 1 + i - r (1 + g)`` the three conventions
    are ``m r / d``, ``m / d`` and ``m (1 + i) / d``.

    Examples
    --------
    >>> [round(simple_clv(100, 0.8, 0.1, timing=timing), 2) for timing in Timing]
    [266.67, 333.33, 366.67]
    """
    _number("margin", margin)
    left = _what_is_left(retention_rate, discount_rate, growth_rate)
    first = {
        Timing.NEXT_PERIOD_IF_RETAINED: retention_rate,
        Timing.NEXT_PERIOD_CERTAIN: 1.0,
        Timing.NOW: 1.0 + discount_rate,
    }
    return margin * first[Timing.parse(timing)] / left


def margin_multiple(retention_rate: float, discount_rate: float, *, growth_rate: float = 0.0) -> float:
    """How many first margins a customer is worth: r / (1 + i - r (1 + g)).

    Timing: the first margin arrives at the end of the first period if the customer is retained. Parameters,
    refusals and source as in `simple_clv`.

    Examples
    --------
    >>> round(margin_multiple(0.9, 0.12), 2)
    4.09
    """
    timing = Timing.NEXT_PERIOD_IF_RETAINED
    return simple_clv(1.0, retention_rate, discount_rate, timing=timing, growth_rate=growth_rate)


def margin_multiple_table(
    retention_rates: Sequence[float] = (0.6, 0.7, 0.8, 0.9),
    discount_rates: Sequence[float] = (0.10, 0.12, 0.14, 0.16),
) -> pd.DataFrame:
    """Margin multiples for retention rates (rows) by discount rates (columns).

    Timing as in `margin_multiple`: the first margin arrives next period if the customer is retained.

    Examples
    --------
    >>> margin_multiple_table().round(2).loc[0.8].tolist()
    [2.67, 2.5, 2.35, 2.22]
    """
    rows = [[margin_multiple(r, i) for i in discount_rates] for r in retention_rates]
    return pd.DataFrame(
        rows,
        index=pd.Index(retention_rates, name="retention_rate"),
        columns=pd.Index(discount_rates, name="discount_rate"),
    )


def retention_elasticity(
    retention_rate: float, discount_rate: float, *, timing: str | Timing, growth_rate: float = 0.0
) -> float:
    """By how many per cent value rises when retention rises by one per cent (of itself, not one point).

    Parameters and refusals as in `simple_clv`. Where the first margin waits for retention the elasticity is
    ``(1 + i) / (1 + i - r (1 + g))``; under the other two conventions it is one less.

    Examples
    --------
    >>> [round(retention_elasticity(0.9, 0.12, timing=timing), 2) for timing in Timing]
    [5.09, 4.09, 4.09]
    """
    of_later_margins = (
        retention_rate * (1.0 + growth_rate) / _what_is_left(retention_rate, discount_rate, growth_rate)
    )
    waits = Timing.parse(timing) is Timing.NEXT_PERIOD_IF_RETAINED
    return of_later_margins + (1.0 if waits else 0.0)


def berger_nasr_clv(
    contribution: float,
    promotion_cost: float,
    retention_rate: float,
    discount_rate: float,
    *,
    periods: int,
) -> float:
    """What a customer is worth over `periods` periods when contacts cost money (Berger & Nasr's case 1).

    Timing: the first contribution arrives now and is certain, then one at each year's end from those who
    stayed; promotion is paid in the middle of each period for those who are customers at its start.

    Parameters
    ----------
    contribution, promotion_cost : float
        Money per customer and period.
    retention_rate, discount_rate : float
        Per period; retention from 0 to 1, discount at least 0.
    periods : int
        Number of periods after the first contribution.

    Returns
    -------
    float

    Raises
    ------
    CrmError
        If a rate or `periods` is out of range.

    Notes
    -----
    Berger & Nasr, "Customer lifetime value: marketing models and applications", Journal of Interactive
    Marketing 12(1), 1998.

    Examples
    --------
    >>> round(berger_nasr_clv(260, 50, 0.75, 0.20, periods=10), 2)
    568.78
    """
    _number("contribution", contribution)
    _number("promotion_cost", promotion_cost)
    _check_rates(retention_rate, discount_rate)
    if not isinstance(periods, Integral) or periods < 0:
        raise CrmError(f"periods is {periods!r}; give a whole number of periods, 0 or more")
    growth = 1.0 + discount_rate
    year = np.arange(periods + 1)
    income = contribution * np.sum((retention_rate / growth) ** year)
    contacts = promotion_cost * np.sum(retention_rate ** year[:-1] / growth ** (year[1:] - 0.5))
    return float(income - contacts)


def response_steepness(rate: float, ceiling: float, spend: float) -> float:
    """How fast a response rate nears its ceiling: k = ln(ceiling / (ceiling - rate)) / spend.

    Two judgements fix Blattberg & Deighton's response curve: the rate at today's spend per head, and the
    ceiling that no spend would pass.

    Examples
    --------
    >>> round(response_steepness(0.20, 0.40, 5), 4)
    0.1386
    """
    check_share("ceiling", ceiling)
    if not 0 < rate < ceiling:
        raise CrmError(f"rate is {rate}; it must lie above 0 and below the ceiling {ceiling}")
    if not spend > 0:
        raise CrmError(f"spend is {spend}; give the money per head, above 0, that reached the rate {rate}")
    return math.log(ceiling / (ceiling - rate)) / spend


@dataclass(frozen=True)
class EquityPerProspect:
    """Blattberg & Deighton's answer: two rates, a customer's value and the equity per prospect, in money."""

    acquisition_rate: float
    retention_rate: float
    clv: float
    equity: float


def blattberg_deighton_equity(
    margin: float,
    discount_rate: float,
    *,
    acquisition_spend: float,
    acquisition_curve: tuple[float, float],
    retention_spend: float,
    retention_curve: tuple[float, float],
) -> EquityPerProspect:
    """What a prospect is worth when spending buys acquisition and retention.

    Timing: the first margin arrives now, with the acquisition; later margins at the end of each period from
    those retained, less the retention spend of a period per customer addressed.

    Parameters
    ----------
    margin : float
        Money per customer and period.
    discount_rate : float
        Per period, at least 0.
    acquisition_spend, retention_spend : float
        Money per prospect, and per customer and period.
    acquisition_curve, retention_curve : tuple of (ceiling, steepness)
        The response curves ``rate = ceiling (1 - exp(-steepness x spend))``; see `response_steepness`.

    Returns
    -------
    EquityPerProspect

    Raises
    ------
    CrmError
        If a rate is out of range or a spend is negative.

    Notes
    -----
    Blattberg & Deighton, "Manage marketing by the customer equity test", Harvard Business Review 74(4), 1996:
    equity = a M - A + a (M - R / r) r / (1 + d - r).

    Examples
    --------
    >>> acquisition = (0.40, response_steepness(0.20, 0.40, 5))
    >>> retention = (0.70, response_steepness(0.40, 0.70, 10))
    >>> found = blattberg_deighton_equity(50, 0.1, acquisition_spend=5, acquisition_curve=acquisition,
    ...                                   retention_spend=10, retention_curve=retention)
    >>> round(found.equity, 3), round(found.clv, 3)
    (7.857, 64.286)
    """
    _number("margin", margin)
    acquired = _response("acquisition", acquisition_spend, acquisition_curve)
    retained = _response("retention", retention_spend, retention_curve)
    left = _what_is_left(retained, discount_rate, 0.0)
    # (M - R / r) r, written so that it stays finite where nothing is retained
    clv = margin + (margin * retained - retention_spend) / left
    return EquityPerProspect(acquired, retained, clv, acquired * clv - acquisition_spend)


def _response(name: str, spend: float, curve: tuple[float, float]) -> float:
    ceiling, steepness = curve
    check_share(f"ceiling of {name}_curve", ceiling)
    if not (spend >= 0 and steepness > 0):
        raise CrmError(
            f"{name}_spend is {spend} and the steepness of {name}_curve {steepness}; "
            "the spend must be 0 or more and the steepness above 0"
        )
    return ceiling * -math.expm1(-steepness * spend)


def _what_is_left(retention_rate: float, discount_rate: float, growth_rate: float) -> float:
    """1 + i - r (1 + g), refused where the sum over an endless horizon has no limit."""
    _check_rates(retention_rate, discount_rate)
    if not growth_rate > -1:
        raise CrmError(f"growth_rate is {growth_rate}; give a rate per period above -1, such as 0.02")
    left = 1.0 + discount_rate - retention_rate * (1.0 + growth_rate)
    if not left > 0:
        raise CrmError(
            f"retention_rate {retention_rate}, growth_rate {growth_rate} and discount_rate {discount_rate} "
            "give an infinite value: margins outgrow the discounting; lower one or use a finite horizon"
        )
    return left


def _check_rates(retention_rate: float, discount_rate: float) -> None:
    check_share("retention_rate", retention_rate)
    if not 0 <= discount_rate < math.inf:
        raise CrmError(f"discount_rate is {discount_rate}; give a rate per period, 0 or more (10 % is 0.10)")


def check_share(name: str, value: float) -> float:
    """Return a share as it is, or refuse one outside 0 to 1 by its name."""
    if not 0 <= value <= 1:
        raise CrmError(f"{name} is {value}; give a share between 0 and 1 (80 % is 0.80)")
    return float(value)


def _number(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise CrmError(f"{name} is {value}; give a finite amount of money")
