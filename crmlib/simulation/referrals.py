"""Who recommended whom: only customers who were buying at the time, and came to the firm's notice before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from crmlib.simulation import catalogue, who_comes
from crmlib.simulation.customers import People
from crmlib.simulation.purchases import Orders
from crmlib.simulation.world import World

REFERRED_STAY, OFFERED_STAY = 0.25, 0.20  # less risk of leaving, in logarithms
PROMOTED_BY = 0.8
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
        need = world.effects["confounders"] * people.need
        content = PROMOTED_BY * world.effects["promoters"] * people.content
        gladly[place] = 1 / (1 + np.exp(-0.6 * people.sociable - 0.5 * need - content))
        self.first = np.concatenate([self.first, first])
        self.until = np.concatenate([self.until, until])
        self.gladly = np.concatenate([self.gladly, gladly])


def settle_referrals(world: World, people: People, history: History) -> People:
    """Say who is seen, and who was recommended by whom; who comes only so, and is not, is left out.

    The recommended are sociable people, whom nothing but that and the switches `referred_better` and
    `referral_offer` sets apart. A recommendation brings a type-one customer to the firm while the recommender is
    buying; a type-two customer comes on the day on which they would have come anyway.
    """
    people = people.take(who_comes.seen(world, people))
    unpaid = who_comes.without_budget(world, people)
    people = replace(people, channel=np.where(unpaid, catalogue.ORGANIC, people.channel))
    if not len(history.first):
        return replace(people, offered=np.zeros(len(people), bool))
    happens = people.inclined < world.effects["referrals"]
    only_so = people.only_by_referral & people.warm
    referrer, moment = _recommenders(world, people, history, at_any_time=only_so)
    referred = happens & (referrer >= 0)
    brought, offered = only_so & referred, people.offered & referred
    stays = REFERRED_STAY * world.effects["referred_better"] * referred
    stays = stays + OFFERED_STAY * world.effects["referral_offer"] * offered
    settled = replace(
        people,
        referrer=np.where(referred, referrer, -1),
        only_by_referral=brought,
        offered=offered,
        join=np.where(brought, moment, people.join),
        hops=np.where(referred[:, None], 0.0, people.hops),  # the recommended come at once
        channel=np.where(referred, catalogue.REFERRAL, people.channel),
        leaving_per_year=people.leaving_per_year * np.exp(-stays),
    )
    return settled.take(referred | ~only_so)


def _recommenders(
    world: World, people: People, history: History, at_any_time: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first of some candidates who would recommend and buys, at any time or on the day; -1 for none.

    With it a time at which the candidate was buying.
    """
    streams, who, tries = world.streams, people.index[:, None], np.arange(_TRIES)[None, :]
    candidate = (streams.uniform("candidate", who, tries) * len(history.first)).astype(int)
    glad = streams.uniform("glad", who, tries) < history.gladly[candidate]
    first, until = history.first[candidate], history.until[candidate]
    on_the_day = (first < people.join[:, None]) & (people.join[:, None] < until)
    good = glad & np.where(at_any_time[:, None], first < until, on_the_day)
    rows, chosen = np.arange(len(people)), np.argmax(good, axis=1)
    found = good[rows, chosen]
    start, end = (np.where(found, edge[rows, chosen], 0.0) for edge in (first, until))
    moment = start + (end - start) * streams.uniform("referral day", people.index)
    return np.where(found, candidate[rows, chosen], -1), moment
