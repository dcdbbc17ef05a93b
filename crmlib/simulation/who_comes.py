"""Who of those who may come is seen by the firm, and who is won."""

from __future__ import annotations

import numpy as np

from crmlib.simulation import catalogue, prospects
from crmlib.simulation.customers import People
from crmlib.simulation.world import World


def seen(world: World, people: People, off: int = -1) -> np.ndarray:
    """Who comes to the firm's notice; whoever friends would send does so whatever is spent.

    `off`: a channel that is switched off, for the same people in a world without it.
    """
    level = prospects.level_at(world, people.own_channel, people.market, people.created, off)
    chance = np.where(people.warm, 1.0, prospects.response(world, people.own_channel, level))
    drawn = world.streams.uniform("seen", people.index) * prospects.MOST_SEEN
    return (drawn < chance) | (people.index < prospects.ALWAYS)


def without_budget(world: World, people: People) -> np.ndarray:
    """Whose channel had no budget when they came."""
    return prospects.level_at(world, people.own_channel, people.market, people.created, -1) == 0


def won(world: World, people: People, off: int = -1, *, offers: bool = True) -> np.ndarray:
    """Who of them becomes a customer: advertisements on the way and public complaints matter, or a friend's offer."""
    met = prospects.touches(world, people.index, 0, people.market, people.created, off)
    lift = np.append(catalogue.column("lift"), 0.0)[met].sum(axis=1) * world.effects["assists"]
    advertised = (1 + lift) * prospects.talk(world)[world.month(people.created), people.market]
    offer = prospects.OFFER_WINS * world.effects["referral_offer"] * (people.offered & offers)
    chance = np.where(people.warm, 1 + offer, advertised)
    drawn = world.streams.uniform("won", people.index) * prospects.MOST_WON
    return (drawn < chance) | (people.index < prospects.ALWAYS)
