"""From where on it pays: a retention programme, or a lower price."""

from __future__ import annotations

from crmlib.economics.formula_clv import check_share, simple_clv
from crmlib.errors import CrmError


def break_even_programme(
    *, margin_per_period: float, retention_rate: float, discount_rate: float, cost_per_period: float
) -> float:
    """Which retention a programme has to reach to earn what it costs.

    Timing: the margin comes at the end of each period, if the customer stays; the programme is paid at the
    start of each for every customer who is there, the first included; the horizon is endless.

    Parameters
    ----------
    margin_per_period : float
        Money per customer and period, before the programme; above 0.
    retention_rate : float
        Per period without the programme, 0 to 1.
    discount_rate : float
        Per period, 0 or more.
    cost_per_period : float
        Money per customer and period.

    Returns
    -------
    float
        Retention per period with the programme at which value per customer is the same. Above 1, no retention
        pays for it.

    Raises
    ------
    CrmError
        If a parameter is out of range.

    Notes
    -----
    With V = m·r / (1 + i - r), the value of a customer without it: r' = (1 + i)(V + c) / (m + V). Each point of
    retention is worth (m + V) / (1 + i) per customer and period. For constant retention; see
    `affordable_programme_cost` for the inverse.

    Examples
    --------
    >>> terms = dict(margin_per_period=100, retention_rate=0.8, discount_rate=0.1)
    >>> round(break_even_programme(**terms, cost_per_period=10), 6)
    0.83
    """
    value = _value(margin_per_period, retention_rate, discount_rate)
    _not_negative("cost_per_period", cost_per_period)
    return (1 + discount_rate) * (value + cost_per_period) / (margin_per_period + value)


def affordable_programme_cost(
    *, margin_per_period: float, retention_rate: float, discount_rate: float, retention_with_programme: float
) -> float:
    """How much a programme may cost per customer and period if it lifts retention so far.

    Parameters
    ----------
    margin_per_period, retention_rate, discount_rate : float
        As in `break_even_programme`, with its timing.
    retention_with_programme : float
        Per period, 0 to 1.

    Returns
    -------
    float
        Money per customer and period, spent on all who are there; negative if retention falls.

    Raises
    ------
    CrmError
        If a parameter is out of range.

    Examples
    --------
    >>> terms = dict(margin_per_period=100, retention_rate=0.8, discount_rate=0.1)
    >>> round(affordable_programme_cost(**terms, retention_with_programme=0.85), 2)
    16.67
    """
    value = _value(margin_per_period, retention_rate, discount_rate)
    kept = check_share("retention_with_programme", retention_with_programme)
    return kept * (margin_per_period + value) / (1 + discount_rate) - value


def break_even_price_cut(*, price: float, unit_cost: float, cut: float) -> float:
    """How much more has to be sold at a lower price to earn the same.

    Parameters
    ----------
    price, unit_cost : float
        Money per unit; the price above the cost.
    cut : float
        Share of the price that is taken off, 0 to 1.

    Returns
    -------
    float
        Growth of units sold, as a share: 0.5 is half as much again. Infinite if nothing is left per unit.

    Raises
    ------
    CrmError
        If the price does not exceed the cost, or the cut is no share.

    Notes
    -----
    Price cut over the margin that it leaves; Nagle & Müller, The Strategy and Tactics of Pricing.

    Examples
    --------
    >>> round(break_even_price_cut(price=100, unit_cost=60, cut=0.1), 4)
    0.3333
    """
    if not 0 <= unit_cost < price:
        raise CrmError(f"price is {price} and unit_cost {unit_cost}; the price has to be above the cost")
    off = check_share("cut", cut) * price
    left = price - unit_cost - off
    return off / left if left > 0 else float("inf")


def break_even_price_cut_retention(
    *, margin_per_period: float, retention_rate: float, discount_rate: float, price_cut_per_period: float
) -> float:
    """Which retention has to follow from a lower price for all customers to earn the same.

    Parameters
    ----------
    margin_per_period, retention_rate, discount_rate : float
        As in `break_even_programme`, with its timing.
    price_cut_per_period : float
        Money less per customer and period, paid out of the margin when it comes.

    Returns
    -------
    float
        Retention per period at the lower price. Above 1, no retention pays for it.

    Raises
    ------
    CrmError
        If a parameter is out of range.

    Notes
    -----
    r' = (1 + i)·V / (m - c + V), V as in `break_even_programme`.

    Examples
    --------
    >>> terms = dict(margin_per_period=100, retention_rate=0.8, discount_rate=0.1)
    >>> round(break_even_price_cut_retention(**terms, price_cut_per_period=10), 4)
    0.8224
    """
    value = _value(margin_per_period, retention_rate, discount_rate)
    _not_negative("price_cut_per_period", price_cut_per_period)
    left = margin_per_period - price_cut_per_period
    return (1 + discount_rate) * value / (left + value) if left > 0 else float("inf")


def _value(margin: float, retention_rate: float, discount_rate: float) -> float:
    """The value of a customer whose next margin is a period away, and comes if they stay."""
    if not 0 < margin < float("inf"):
        raise CrmError(f"margin_per_period is {margin}; give money above 0")
    return simple_clv(margin, retention_rate, discount_rate, timing="next_period_if_retained")


def _not_negative(name: str, value: float) -> None:
    if not 0 <= value < float("inf"):
        raise CrmError(f"{name} is {value}; give a finite number, 0 or more")
