"""How many customers and orders the equations let the firm expect, month by month: what it plans its capacity by.

Customers are simulated one block after another, so what depends on all of them together, the ease of selling to a
market that knows the firm and the orders for which there is no room, follows the expected base and not the one that
came about.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammainc

from crmlib.simulation import catalogue, prospects
from crmlib.simulation.customers import People
from crmlib.simulation.purchases import Orders, awake_share
from crmlib.simulation.world import World, once

# Capacity over a year's peak where there is room, and how much less there is, in logarithms.
ROOM, ROOM_LOST = 1.15, 0.35
EASE, SMALLEST_BASE = 0.5, 0.1
SMALL_SHARE = 0.32  # of orders, of the half that buys less
_SPREAD = 0.77  # of the risk of leaving, in logarithms
_MONTH, _MEAN_PACE = 30.44, np.exp(0.56**2 / 2)


def joins_and_base(world: World, seen: np.ndarray) -> np.ndarray:
    """Who joins and who is there, expected by month, market and product type, for each who may come.

    `seen`: prospects of each month and market as a part of those whom the usual budgets bring.
    """
    shape = (len(world.months), len(catalogue.MARKETS), len(catalogue.PRODUCT_TYPES))
    _, market, kind = np.indices(shape)
    come = world.growth * seen * catalogue.MARKET_SHARES
    # They join some weeks after they were first known, and leave at risks that differ between them.
    slower = 1 + prospects.FROM_A_RIVAL * (prospects.SLOWER_FROM_A_RIVAL ** world.effects["rivals"] - 1)
    wait = prospects.HOP_DAYS.sum() * slower * prospects.pace(world, market[0], kind[0]) / _MONTH
    speed = catalogue.MARKET_SPEEDS[market[0]] ** world.effects["market_speeds"]
    risk = world.effects["leaving"] * speed * catalogue.LEAVING_PER_YEAR[kind[0]]
    nodes, weights = np.polynomial.hermite_e.hermegauss(7)
    passed = world.ageing.at(np.zeros(1, int), _MONTH * (np.arange(shape[0]) + 0.5))
    later = np.arange(shape[0])
    found = np.zeros((2, *shape))
    for at in np.ndindex(shape[1:]):
        waits = np.diff(
            gammainc(3, 3 * np.append(0, later + 0.5) / wait[at])
        )  # three hops of about equal length
        joins = np.convolve(come[:, at[0]], waits)[: shape[0]]
        there = np.exp(-risk[at] * np.exp(_SPREAD * nodes) * passed[:, None]) @ weights / weights.sum()
        found[:, :, at[0], at[1]] = joins, np.convolve(joins, there)[: shape[0]]
    return found * catalogue.TYPE_SHARES


@once
def ease(world: World) -> np.ndarray:
    """Times the usual hours that a prospect takes, by month, market and product type."""
    channels = np.arange(len(catalogue.CHANNELS))[None, :, None]
    brought = prospects.response(world, channels, prospects.levels(world))
    seen = (brought * catalogue.column("share")[channels]).sum(axis=1) * prospects.talk(world)
    base = joins_and_base(world, seen)[1]
    size = np.maximum(base / base.mean(axis=0), SMALLEST_BASE)
    return size ** (-EASE * world.effects["base_eases_selling"])


@once
def expected_orders(world: World) -> np.ndarray:
    """First orders and later ones to be expected in each month, for each who may come; two rows."""
    joins, base = joins_and_base(world, np.ones_like(world.growth))  # the plan is for the usual budgets
    curve = np.arange(2 * base[0].size)
    season = np.diff(world.seasons.at(curve[:, None], world.edges[None, :]), axis=1).T
    season = np.tensordot(season.reshape(-1, 2, *base.shape[1:]), [1 - SMALL_SHARE, SMALL_SHARE], ([1], [0]))
    speed = catalogue.MARKET_SPEEDS[:, None] ** world.effects["market_speeds"]
    later = base * season * speed * catalogue.ORDERS_PER_YEAR * _MEAN_PACE * awake_share(world)
    return np.stack([(joins * (1 - catalogue.TRIES_FIRST)).sum(axis=(1, 2)), later.sum(axis=(1, 2))])


def room(world: World) -> np.ndarray:
    """Room for orders in each month, in the unit of `expected_orders`: planned a year ahead by the peak."""
    orders = expected_orders(world).sum(axis=0)
    peak = np.maximum.reduceat(orders, np.arange(0, len(orders), 12))
    return np.repeat(ROOM * peak * np.exp(-ROOM_LOST * world.effects["capacity"]), 12)


@once
def turned_away(world: World) -> np.ndarray:
    """The share of later orders for which there is no room, by month; none where the capacity is switched off."""
    first, later = expected_orders(world)
    share = np.clip(1 - (room(world) - first) / np.maximum(later, 1e-300), 0, 1)
    return share if world.effects["capacity"] else np.zeros_like(share)


def served(world: World, people: People, due: Orders) -> Orders:
    """The orders for which there is room; a first order is always served, and all that lie ahead."""
    share = np.append(turned_away(world), 0.0)
    month = np.where(due.day < world.days, world.month(np.minimum(due.day, world.days - 1)), len(share) - 1)
    drawn = world.streams.uniform("turned away", people.index[due.row], due.number)
    return due.take((due.number == 0) | (drawn >= share[month]))
