"""How prospects become customers: leads won, lost and open, and the money spent on them before."""

from __future__ import annotations

import numpy as np

from crmlib.data.simulation import catalogue
from crmlib.data.simulation.customers import People
from crmlib.data.simulation.purchases import Orders
from crmlib.data.simulation.world import World, only_where

LOST_REASONS = np.array(["price", "went to a rival", "no need", "no answer"], dtype=object)
SLOW_TYPES = np.array([1.0, 0.8, 2.5, 2.0])  # how long a decision takes, by product type
CLICKS_PER_LEAD, IMPRESSIONS_PER_CLICK = 12, 80
PARTNERS = 4


def won_leads(world: World, people: People, found: Orders, left: np.ndarray) -> dict[str, np.ndarray]:
    """The lead that each customer was: dates of the stages, and none after the last day of history."""
    streams, index = world.streams, people.index
    first = np.full(len(people), np.nan)
    seen = (found.number == 0) & (found.day < world.days)
    first[found.row[seen]] = found.day[seen]
    pace = SLOW_TYPES[people.kind] / catalogue.MARKET_SPEEDS[people.market] ** world.effects["market_speeds"]
    hops = np.stack([streams.exponential("hop", index, hop) for hop in range(3)]) * np.array([[12], [8], [5]])
    hops = np.where(people.referrer >= 0, 0.0, hops * pace)  # who is recommended comes at once
    considered = np.maximum(people.join - hops[2], 0)
    interested = np.maximum(considered - hops[1], 0)
    gave_up = np.isnan(first) & (left < world.days)
    return {
        "row": np.arange(len(people)),
        "number": np.zeros(len(people), int),
        "created": np.maximum(interested - hops[0], 0),
        "interested_on": interested,
        "considered_on": considered,
        "activated_on": people.join,
        "won_on": first,
        "lost_on": np.where(gave_up, left, np.nan),
        "channel": people.channel,
        "hours": np.round(0.3 * SLOW_TYPES[people.kind] * streams.exponential("lead hours", index), 2),
        "is_customer": np.ones(len(people), bool),
    }


def lost_leads(world: World, people: People, won: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Prospects who came at about the same time by the same channel, and did not become customers."""
    streams = world.streams
    closes = np.array([one.closes for one in catalogue.CHANNELS])[people.channel]
    many = np.minimum(streams.geometric("lost leads", people.index, 0, (1 - closes) / closes), 60)
    row = np.repeat(np.arange(len(people)), many)
    number = 1 + np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
    who = people.index[row]
    near = won["created"][row] + 60 * (streams.uniform("lost when", who, number) - 0.5)
    created = np.clip(near, 0, world.days - 1e-6)
    stage = streams.uniform("lost stage", who, number)
    pace = SLOW_TYPES[people.kind[row]] / catalogue.MARKET_SPEEDS[people.market[row]]
    dates = [created]
    for hop, (share, mean) in enumerate([(0.7, 12), (0.4, 8), (0.15, 5)]):
        wait = mean * pace * streams.exponential("lost hop", who, 3 * number + hop)
        dates.append(np.where(stage < share, dates[-1] + wait, np.nan))
    last = np.nanmax(np.stack(dates), axis=0)
    lost = last + 10 + 30 * pace * streams.exponential("lost after", who, number)
    known = [np.where(day < world.days, day, np.nan) for day in (*dates, lost)]
    return {
        "row": row,
        "number": number,
        "created": created,
        "interested_on": known[1],
        "considered_on": known[2],
        "activated_on": known[3],
        "won_on": np.full(len(row), np.nan),
        "lost_on": known[4],
        "channel": people.channel[row],
        "hours": np.round(0.1 * pace * streams.exponential("lost hours", who, number), 2),
        "is_customer": np.zeros(len(row), bool),
    }


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
