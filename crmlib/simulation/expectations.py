"""What the equations let one expect of a customer: profit of an order, purchases and profit of the years ahead."""

from __future__ import annotations

import numpy as np

from crmlib.simulation import catalogue, purchases, service
from crmlib.simulation.clock import Clock
from crmlib.simulation.customers import People
from crmlib.simulation.world import DAYS_PER_YEAR, World

MONTHS_AHEAD, DISCOUNT_RATE_PER_YEAR = 60, 0.10
_MONTH = DAYS_PER_YEAR / 12


def lines_of_an_order(people: People) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected lines of an order, list price of a line and cost of goods of a line, after the first order."""
    shares = catalogue.GRADE_SHARES[people.income_class]
    taste = np.full((len(people), 3), 0.4 / 3)
    taste[np.arange(len(people)), people.favourite] += 0.6
    prices = np.einsum("nc,ng,ncg->n", taste, shares, catalogue.PRICES[people.kind])
    costs = np.einsum("nc,ng,ncg->n", taste, shares, (catalogue.PRICES * catalogue.COST_SHARES)[people.kind])
    level = catalogue.MARKET_PRICES[people.market] * (1 + people.extra_quantity)
    odds = purchases.MORE_LINES / (1 + purchases.MORE_LINES)
    many = sum(odds**more for more in range(purchases.MOST_LINES))
    return np.full(len(people), many), prices * level, costs * level


def contribution_per_order(people: People) -> np.ndarray:
    """Expected profit of an order after goods, discounts, returns and service."""
    many, price, cost = lines_of_an_order(people)
    off = people.discount_share * sum(purchases.DISCOUNTS) / 2
    back = people.return_share
    goods = price * (1 - off) * (1 - back) - cost * (1 - back * purchases.RESTOCKED)
    return many * goods - service_per_order(people, many)


def service_per_order(people: People, many: np.ndarray) -> np.ndarray:
    """Expected cost of the cases that follow an order: wages for the minutes, and outlays."""
    per_minute = catalogue.WAGE_PER_HOUR / 60
    longer = np.sqrt(people.demanding)
    asks, complains = np.minimum(service.PER_ORDER[:, None] * people.demanding, 0.9)
    question = 0.7 * service.MINUTES[0] + 0.3 * service.MINUTES[3]
    money = asks * question * longer * per_minute
    money += complains * (service.MINUTES[1] * longer * per_minute + service.OUTLAY[1])
    return money + many * people.return_share * (service.MINUTES[2] * longer * per_minute + service.OUTLAY[2])


def spend_per_order(people: People) -> np.ndarray:
    """Expected amount of an order, returns not yet taken off."""
    many, price, _cost = lines_of_an_order(people)
    return many * price * (1 - people.discount_share * sum(purchases.DISCOUNTS) / 2)


def contribution_per_year(world: World, people: People) -> np.ndarray:
    """Expected profit of a year as a customer, quiet spells included."""
    return people.orders_per_year * purchases.awake_share(world) * contribution_per_order(people)


def purchases_ahead(
    world: World, people: People, buying: Clock, leaving: Clock, is_quiet: np.ndarray, pace: np.ndarray
) -> np.ndarray:
    """Expected purchases in each of the 60 months after the last day, of those who are there on it.

    The season's share of the month, times the pace that spells of quiet leave (the chance of being quiet tends
    from 0 or 1 now to its long-run share), is what the customer's clock is expected to advance; purchases come
    with it as a renewal process has them, if the customer is still there in the month's middle.
    """
    edges = world.days + _MONTH * np.arange(MONTHS_AHEAD + 1)
    rows, n = np.arange(len(people)), len(people)
    season = np.diff(world.seasons.at(people.curve[:, None], np.broadcast_to(edges, (n, len(edges)))), axis=1)
    last = np.full(n, float(world.days))
    risk_so_far = leaving.read(rows, last - people.join)
    ends, begins = 1 / purchases.QUIET_FOR_DAYS, 1 / purchases.QUIET_AFTER_DAYS
    usual = begins / (begins + ends)
    reading = buying.read(rows, last)
    due = renewals(people.gap_shape, reading)
    found = np.empty((n, MONTHS_AHEAD))
    for month in range(MONTHS_AHEAD):
        middle = edges[month] + _MONTH / 2
        quiet = usual + (is_quiet - usual) * np.exp(-(begins + ends) * (middle - world.days))
        reading = reading + season[:, month] * pace * (1 - quiet * (1 - purchases.quiet_pace(world)))
        due, before = renewals(people.gap_shape, reading), due
        there = np.exp(risk_so_far - leaving.read(rows, middle - people.join))
        found[:, month] = (due - before) * there
    return found


def renewals(gap_shape: np.ndarray, reading: np.ndarray) -> np.ndarray:
    """Expected purchases after the first until a clock shows a reading (Cox, Renewal Theory, 1962).

    Memoryless gaps: t. Clumpy ones, of means 1/4 and 13/4 mixed 3 : 1, have had more by then, regular ones, a
    sum of four, fewer: what their first gaps owe to the start at a purchase dies out with time.
    """
    clumpy = 27 / 16 * -np.expm1(-16 / 13 * reading)
    root = 1j ** np.arange(1, 4)
    regular = (root / (1 - root) * -np.expm1(-4 * reading[..., None] * (1 - root))).sum(axis=-1).real / 4
    return reading + np.select([gap_shape == 2, gap_shape == 1], [clumpy, regular], 0.0)


def present_value(profit_by_month: np.ndarray) -> np.ndarray:
    """Profit of the months ahead in today's money."""
    years = (np.arange(profit_by_month.shape[1]) + 0.5) / 12
    return profit_by_month @ (1 + DISCOUNT_RATE_PER_YEAR) ** -years


def value_at_joining(world: World, people: People) -> np.ndarray:
    """Expected profit of the first five years of a customer of this kind, in money of the day of joining."""
    age = _MONTH * (np.arange(MONTHS_AHEAD) + 0.5)
    there = np.exp(-people.leaving_per_year[:, None] * world.ageing.at(np.zeros(1, int), age)[None, :])
    return present_value(contribution_per_year(world, people)[:, None] / 12 * there)
