"""What is true of each customer, of each treatment and of each channel: for tests and lessons only."""

from __future__ import annotations

import numpy as np

from crmlib.data.simulation import catalogue, purchases, service
from crmlib.data.simulation.customers import People


def spend_per_order(people: People) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    many, price, cost = spend_per_order(people)
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


def contribution_per_year(people: People) -> np.ndarray:
    """Expected profit of a year as a customer, quiet spells aside."""
    return people.orders_per_year * contribution_per_order(people)
