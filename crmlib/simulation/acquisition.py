"""How prospects become customers: leads won, lost and open, the channels on their path, and the money spent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.simulation import catalogue, demand, prospects
from crmlib.simulation.block import Block
from crmlib.simulation.customers import People
from crmlib.simulation.world import World, only_where

LOST_REASONS = np.array(["price", "went to a rival", "no need", "no answer"], dtype=object)
CLICKS_PER_LEAD, IMPRESSIONS_PER_CLICK = 12, 80
PARTNERS = 4


@dataclass
class Leads:
    """Prospects of a block, one position each; times of the stages that they reached, else nan."""

    row: np.ndarray  # position among the customers of the block and, after them, the others
    number: np.ndarray  # 0 for who may become a customer, 1, 2, … for prospects of the same month
    created: np.ndarray
    interested: np.ndarray
    considered: np.ndarray
    activated: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    decided: np.ndarray  # when they became a customer, or would have, or gave up; whenever it is
    rival: np.ndarray  # who served the prospect before, or None
    hours: np.ndarray


def known_people(block: Block) -> People:
    """The customers of a block, and then the others who came to the firm's notice."""
    both = (block.people, block.others)
    return People(**{name: np.concatenate([getattr(part, name) for part in both]) for name in vars(both[0])})


def leads(world: World, block: Block, people: People) -> Leads:
    """Every prospect of `known_people`: won, open and lost."""
    comes = (np.arange(len(people)) < len(block.people)) | (people.join >= world.days)
    won = _won(world, block, people, np.flatnonzero(comes))
    both = (won, _lost(world, people, comes))
    return Leads(**{name: np.concatenate([getattr(part, name) for part in both]) for name in vars(won)})


def _won(world: World, block: Block, people: People, row: np.ndarray) -> Leads:
    """Leads of customers, won by the first purchase, which not all have made; and of those who still decide."""
    found, streams = block.orders, world.streams
    first, left = np.full(len(people), np.nan), np.full(len(people), np.inf)
    seen = (found.number == 0) & (found.day < world.days)
    first[found.row[seen]] = found.day[seen]
    left[: len(block.left)] = block.left
    people, first, left = people.take(row), first[row], left[row]
    times = people.created[:, None] + np.cumsum(people.hops, axis=1)
    stages = [people.created, times[:, 0], times[:, 1], people.join]
    created, interested, considered, activated = (np.where(day < world.days, day, np.nan) for day in stages)
    work = catalogue.SLOW_TYPES[people.kind] * prospects.slower(world, people.index)
    work = (
        work * np.exp(0.5 * streams.normal("lead hours", people.index)) * _ease(world, people, people.created)
    )
    return Leads(
        row=row,
        number=np.zeros(len(row), int),
        created=created,
        interested=interested,
        considered=considered,
        activated=activated,
        won=first,
        lost=np.where(np.isnan(first) & (left < world.days), left, np.nan),
        decided=people.join,
        rival=prospects.rivals(world, people.index),
        hours=np.round(0.3 * work, 2),
    )


def _ease(world: World, people: People, created: np.ndarray) -> np.ndarray:
    return demand.ease(world)[world.month(created), people.market, people.kind]


def _lost(world: World, people: People, comes: np.ndarray) -> Leads:
    """Those who might have been won and were not, and prospects who came in the same months in vain."""
    streams = world.streams
    mean = prospects.leads_each(people.channel) - 1
    many = np.minimum(streams.geometric("lost leads", people.index, 0, mean), 60)
    nth = np.concatenate([np.zeros((~comes).sum(), int), 1 + _within(many)])
    row = np.concatenate([np.flatnonzero(~comes), np.repeat(np.arange(len(people)), many)])
    mine = people.take(row)
    who = mine.index
    month = world.month(mine.created)
    near = world.edges[month] + np.diff(world.edges)[month] * streams.uniform("lost when", who, nth)
    pace = prospects.pace(world, mine.market, mine.kind)
    stage = streams.uniform("lost stage", who, nth)
    created = np.where(nth == 0, mine.created, near)
    dates = [created]
    for hop, share in enumerate((0.7, 0.4, 0.15)):
        wait = prospects.HOP_DAYS[hop] * pace * streams.exponential("lost hop", who, 3 * nth + hop)
        dates.append(np.where(stage < share, dates[-1] + wait, np.nan))
    given_up = np.fmax.reduce(dates) + 10 + 30 * pace * streams.exponential("lost after", who, nth)
    stages = (np.where(day < world.days, day, np.nan) for day in (*dates, given_up))
    created, interested, considered, activated, lost = stages
    hours = 0.1 * pace * np.exp(0.5 * streams.normal("lost hours", who, nth)) * _ease(world, mine, created)
    return Leads(
        row=row,
        number=nth,
        created=created,
        interested=interested,
        considered=considered,
        activated=activated,
        won=np.full(len(row), np.nan),
        lost=lost,
        decided=given_up,
        rival=prospects.rivals(world, who, nth),
        hours=np.round(hours, 2),
    )


def _within(many: np.ndarray) -> np.ndarray:
    """Positions 0, 1, … within groups of these sizes."""
    return np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)


def path(world: World, people: People, found: Leads, n_customers: int) -> dict[str, np.ndarray]:
    """The channels that prospects met until they decided, and the offers that some of them got."""
    mine = people.take(found.row)
    met = prospects.touches(world, mine.index, found.number, mine.market, found.created)
    met[mine.warm & (found.number == 0)] = -1
    share = world.streams.uniform(
        "touch when",
        mine.index[:, None],
        prospects.SLOTS * found.number[:, None] + np.arange(prospects.SLOTS),
    )
    day = found.created[:, None] + share * (found.decided - found.created)[:, None]
    offered = (
        mine.offered & (found.number == 0) & (found.row >= n_customers)
    )  # customers have it among their contacts
    offer = np.where(offered, catalogue.REFERRAL, -1)
    met = np.column_stack([mine.channel, met, offer])
    day = np.column_stack([found.created, day, found.created])
    lead, nth = np.nonzero((met >= 0) & (day < world.days))
    return {
        "lead": lead,
        "nth": nth,
        "day": day[lead, nth],
        "channel": catalogue.CHANNEL_NAMES[met[lead, nth]],
        "offer": nth == met.shape[1] - 1,
    }


def partner(world: World, index: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """Which partner brought a customer of the partner channel."""
    which = (world.streams.uniform("partner", index) * PARTNERS).astype(int)
    names = np.array([f"P{number + 1:02d}" for number in range(PARTNERS)], dtype=object)
    return only_where(channel == catalogue.PARTNER, names[which])


def spend(world: World, n_candidates: int, leads_by_month: np.ndarray) -> dict[str, np.ndarray]:
    """Money spent by month, channel, market and product type: due on the first day of the month that it is for.

    It follows the budgets and not the leads, but for the channel of recommendations, where each costs a reward.
    """
    plan = prospects.expected(world, n_candidates)
    kinds = catalogue.TYPE_SHARES * catalogue.LEAD_COSTS
    money = plan["spend"][..., None] * (kinds / kinds.sum())
    money[:, catalogue.REFERRAL] = (
        leads_by_month[:, catalogue.REFERRAL] * catalogue.CHANNELS[-1].cost_per_lead
    )
    money = np.round(money, 2)
    month, channel, market, kind = np.nonzero((money > 0) | (leads_by_month > 0))
    many = plan["expected_leads"][month, channel, market] * catalogue.TYPE_SHARES[kind]
    many = np.where(channel == catalogue.REFERRAL, leads_by_month[month, channel, market, kind], many)
    slot = ((channel * 8) + market) * 8 + kind
    clicks = np.round(many * CLICKS_PER_LEAD * np.exp(0.1 * world.streams.normal("clicks", month, slot)))
    organic = channel == catalogue.ORGANIC
    return {
        "date": world.months[month].astype("datetime64[us]"),
        "channel": catalogue.CHANNEL_NAMES[channel],
        "amount": money[month, channel, market, kind],
        "component": np.array([kind.component for kind in catalogue.CHANNELS], dtype=object)[channel],
        "market": np.array(catalogue.MARKETS, dtype=object)[market],
        "product_type": np.array(catalogue.PRODUCT_TYPES, dtype=object)[kind],
        "impressions": np.where(organic, np.nan, clicks * IMPRESSIONS_PER_CLICK),
        "clicks": clicks,
        "organic": organic,
    }
