"""How prospects become customers: leads won, lost and open, and the money spent on them before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.simulation import catalogue
from crmlib.simulation.block import Block
from crmlib.simulation.customers import People
from crmlib.simulation.world import World, only_where

LOST_REASONS = np.array(["price", "went to a rival", "no need", "no answer"], dtype=object)
SLOW_TYPES = np.array([1.0, 0.8, 2.5, 2.0])  # how long a decision takes, by product type
HOP_DAYS = np.array([[12.0], [8.0], [5.0]])  # from stage to stage, on average
FROM_A_RIVAL, SLOWER_FROM_A_RIVAL = 0.25, 1.8
CLICKS_PER_LEAD, IMPRESSIONS_PER_CLICK = 12, 80
PARTNERS = 4


@dataclass
class Leads:
    """Prospects of a block, one position each; times of the stages that they reached, else nan."""

    row: np.ndarray  # position of the customer, or of whom the prospect came at about the time of
    number: np.ndarray  # 0 for who became a customer
    created: np.ndarray
    interested: np.ndarray
    considered: np.ndarray
    activated: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    rival: np.ndarray  # who served the prospect before, or None
    channel: np.ndarray
    hours: np.ndarray


def leads(world: World, block: Block) -> Leads:
    """Every prospect: those who became customers, and those who did not."""
    won = _won(world, block)
    both = (won, _lost(world, block.people, won.created))
    return Leads(**{name: np.concatenate([getattr(one, name) for one in both]) for name in vars(won)})


def _won(world: World, block: Block) -> Leads:
    """The lead that each customer was; it is won by the first purchase, which not all have made."""
    people, found, streams = block.people, block.orders, world.streams
    first = np.full(len(people), np.nan)
    seen = (found.number == 0) & (found.day < world.days)
    first[found.row[seen]] = found.day[seen]
    pace = SLOW_TYPES[people.kind] / catalogue.MARKET_SPEEDS[people.market] ** world.effects["market_speeds"]
    hops = np.stack([streams.exponential("hop", people.index, hop) for hop in range(3)])
    slow = np.where(_had_a_rival(world, people.index), SLOWER_FROM_A_RIVAL, 1.0)
    hops = np.where(people.referrer >= 0, 0.0, hops * HOP_DAYS * pace * slow)  # the recommended come at once
    work = SLOW_TYPES[people.kind] * slow * streams.exponential("lead hours", people.index)
    considered = np.maximum(people.join - hops[2], 0)
    interested = np.maximum(considered - hops[1], 0)
    return Leads(
        row=np.arange(len(people)),
        number=np.zeros(len(people), int),
        created=np.maximum(interested - hops[0], 0),
        interested=interested,
        considered=considered,
        activated=people.join,
        won=first,
        lost=np.where(np.isnan(first) & (block.left < world.days), block.left, np.nan),
        rival=rivals(world, people.index),
        channel=people.channel,
        hours=np.round(0.3 * work, 2),
    )


def _lost(world: World, people: People, created: np.ndarray) -> Leads:
    """Prospects who came at about the same time by the same channel, and did not become customers."""
    streams = world.streams
    closes = np.array([one.closes for one in catalogue.CHANNELS])[people.channel]
    many = np.minimum(streams.geometric("lost leads", people.index, 0, (1 - closes) / closes), 60)
    row = np.repeat(np.arange(len(people)), many)
    number = 1 + np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
    who = people.index[row]
    near = created[row] + 60 * (streams.uniform("lost when", who, number) - 0.5)
    pace = SLOW_TYPES[people.kind[row]] / catalogue.MARKET_SPEEDS[people.market[row]]
    stage = streams.uniform("lost stage", who, number)
    dates = [np.clip(near, 0, world.days - 1e-6)]
    for hop, share in enumerate((0.7, 0.4, 0.15)):
        wait = HOP_DAYS[hop, 0] * pace * streams.exponential("lost hop", who, 3 * number + hop)
        dates.append(np.where(stage < share, dates[-1] + wait, np.nan))
    given_up = np.fmax.reduce(dates) + 10 + 30 * pace * streams.exponential("lost after", who, number)
    known = [np.where(day < world.days, day, np.nan) for day in (*dates, given_up)]
    hours = np.round(0.1 * pace * streams.exponential("lost hours", who, number), 2)
    never = np.full(len(row), np.nan)
    stages = dict(zip(("created", "interested", "considered", "activated", "lost"), known, strict=True))
    served = {"rival": rivals(world, who, number), "channel": people.channel[row]}
    return Leads(row=row, number=number, **stages, won=never, **served, hours=hours)


def rivals(world: World, index: np.ndarray, number: np.ndarray | int = 0) -> np.ndarray:
    """The rival who served a prospect before; None for most."""
    names = catalogue.RIVALS[(3 * world.streams.uniform("rival", index, number)).astype(int)]
    return only_where(_had_a_rival(world, index, number), names)


def _had_a_rival(world: World, index: np.ndarray, number: np.ndarray | int = 0) -> np.ndarray:
    return world.streams.uniform("had a rival", index, number) < FROM_A_RIVAL


def partner(world: World, index: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """Which partner brought a customer of the partner channel."""
    which = (world.streams.uniform("partner", index) * PARTNERS).astype(int)
    names = np.array([f"P{one + 1:02d}" for one in range(PARTNERS)], dtype=object)
    return only_where(channel == catalogue.PARTNER, names[which])


def spend(world: World, leads_by_month: np.ndarray) -> dict[str, np.ndarray]:
    """Money spent, from the number of leads by month, channel, market and product type.

    It is due on the first day of the month in which the leads came; its price per lead goes up and down.
    """
    month, channel, market, kind = np.nonzero(leads_by_month)
    many = leads_by_month[month, channel, market, kind]
    slot = ((channel * 8) + market) * 8 + kind
    wobble = np.exp(0.2 * world.streams.normal("price of leads", month, slot))
    per_lead = np.array([one.cost_per_lead for one in catalogue.CHANNELS])[channel]
    per_lead = per_lead * np.array([1.0, 0.7, 2.0, 3.0])[kind] * catalogue.MARKET_PRICES[market]
    money = np.round(many * per_lead * wobble, 2)
    clicks = np.round(many * CLICKS_PER_LEAD * np.exp(0.1 * world.streams.normal("clicks", month, slot)))
    organic = catalogue.CHANNEL_NAMES[channel] == "organic"
    return {
        "date": world.months[month].astype("datetime64[us]"),
        "channel": catalogue.CHANNEL_NAMES[channel],
        "amount": money,
        "component": np.array([one.component for one in catalogue.CHANNELS], dtype=object)[channel],
        "market": np.array(catalogue.MARKETS, dtype=object)[market],
        "product_type": np.array(catalogue.PRODUCT_TYPES, dtype=object)[kind],
        "impressions": np.where(organic, np.nan, clicks * IMPRESSIONS_PER_CLICK),
        "clicks": clicks,
        "organic": organic,
    }
