"""Who recommended whom: only customers who were buying at the time, and came to the firm's notice before."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crmlib.data.simulation import catalogue
from crmlib.data.simulation.customers import People
from crmlib.data.simulation.purchases import Orders
from crmlib.data.simulation.world import World

RECOMMENDED_SHARE = 0.16
_TRIES = 24
_STILL_ACTIVE_DAYS = 14.0
TYPES = np.array(["family", "friend", "associate"], dtype=object)
TYPE_SHARES = (0.35, 0.45, 0.20)


@dataclass
class History:
    """What has to be known of earlier customers: when they were buying, and how gladly they recommend."""

    first: np.ndarray = field(default_factory=lambda: np.zeros(0))
    until: np.ndarray = field(default_factory=lambda: np.zeros(0))
    gladly: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def add(self, world: World, high: int, people: People, found: Orders, left: np.ndarray) -> None:
        """Note a block of customers, up to but not including index `high`."""
        size = high - len(self.first)
        first, until, gladly = np.full(size, np.inf), np.full(size, -np.inf), np.zeros(size)
        place = people.index - len(self.first)
        seen = found.day < world.days
        np.minimum.at(first, place[found.row[seen]], found.day[seen])
        np.maximum.at(until, place[found.row[seen]], found.day[seen] + _STILL_ACTIVE_DAYS)
        until[place] = np.minimum(until[place], np.minimum(left, world.days))
        gladly[place] = 1 / (1 + np.exp(-0.6 * people.sociable - 0.5 * people.need))
        self.first = np.concatenate([self.first, first])
        self.until = np.concatenate([self.until, until])
        self.gladly = np.concatenate([self.gladly, gladly])


def settle_referrals(world: World, people: People, history: History) -> People:
    """Say who was recommended by whom; who comes only so, and is not, is left out.

    The recommended are sociable people, whom nothing but that sets apart: they would be worth as much had they
    come by themselves. A recommendation brings a type-one customer to the firm while the recommender is buying;
    a type-two customer comes on the day on which they would have come anyway.
    """
    strength, streams = world.effects["referrals"], world.streams
    known = len(history.first)
    if not known:
        return people
    who = people.index
    chance = streams.uniform("recommended", who)
    inclined = 1 / (1 + np.exp(-1.2 * people.sociable))
    likely = 2 * RECOMMENDED_SHARE * inclined
    by_nature = (chance < likely) & people.only_by_referral
    happens = chance < np.minimum(likely * strength, 0.9)
    tries = np.arange(_TRIES)[None, :]
    candidate = (streams.uniform("candidate", who[:, None], tries) * known).astype(int)
    glad = streams.uniform("glad", who[:, None], tries) < history.gladly[candidate]
    first, until = history.first[candidate], history.until[candidate]
    fits_day = (first < people.join[:, None]) & (people.join[:, None] < until)
    type_one = by_nature & happens
    good = glad & (first < until) & (type_one[:, None] | fits_day)
    chosen = np.argmax(good, axis=1)
    rows = np.arange(len(people))
    referred = happens & good.any(axis=1)
    start, end = first[rows, chosen], until[rows, chosen]
    start, end = np.where(referred, start, 0.0), np.where(referred, end, 0.0)
    moment = start + (end - start) * streams.uniform("referral day", who)
    people.referrer = np.where(referred, candidate[rows, chosen], -1)
    people.only_by_referral = by_nature & referred
    people.join = np.where(people.only_by_referral, moment, people.join)
    people.channel = np.where(referred, catalogue.REFERRAL, people.channel)
    return people.take(happens | ~by_nature)
