"""How people come to the firm: budgets that bring them, the channels on their path, and who is won.

Everybody who may ever come is drawn by fixed shares. A budget, an advertisement on the way or what others say decides
who of them is seen and who is won; so two worlds that differ in a budget differ in who comes, and in nothing else.
"""

from __future__ import annotations

import numpy as np

from crmlib.simulation import catalogue
from crmlib.simulation.world import World, once, only_where

LEVELS = np.array(
    [0.4, 0.7, 1.0, 1.3, 1.6]
)  # of the usual budget, by chance for each month, channel and market
MOST_SEEN, MOST_WON = 1.4, 1.6  # chances are shares of these, so that they can rise
SLOTS = 2  # how many channels a prospect can meet after the first
USUALLY_WON = 0.73  # share of MOST_WON of those who may be won, by the usual budgets
ALWAYS = 2  # the first two always come: a firm without customers is none
FROM_A_RIVAL, SLOWER_FROM_A_RIVAL = 0.25, 1.8
HOP_DAYS = np.array([12.0, 8.0, 5.0])  # from stage to stage, on average
OFFER_WINS, TALK_LOSES = 0.35, 0.25
SLIP_SHARE, SLIP_COMPLAINTS = 0.12, 3.0  # months in which a market's deliveries go wrong, and complaints then


def rivals(world: World, index: np.ndarray, number: np.ndarray | int = 0) -> np.ndarray:
    """The rival who served a prospect before; None for most."""
    names = catalogue.RIVALS[(3 * world.streams.uniform("rival", index, number)).astype(int)]
    return only_where(had_a_rival(world, index, number), names)


def had_a_rival(world: World, index: np.ndarray, number: np.ndarray | int = 0) -> np.ndarray:
    """Whether a rival served a prospect before."""
    return world.streams.uniform("had a rival", index, number) < FROM_A_RIVAL


def slower(world: World, index: np.ndarray) -> np.ndarray:
    """How many times as long, and as much work, a prospect takes whom a rival serves."""
    times = SLOWER_FROM_A_RIVAL ** world.effects["rivals"]
    return np.where(had_a_rival(world, index), times, 1.0)


def pace(world: World, market: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """How long a decision takes, by market and product type."""
    return catalogue.SLOW_TYPES[kind] / catalogue.MARKET_SPEEDS[market] ** world.effects["market_speeds"]


def hops(world: World, index: np.ndarray, market: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Days from stage to stage, three for each prospect."""
    drawn = world.streams.exponential("hop", index[:, None], np.arange(3)[None, :])
    return drawn * HOP_DAYS * (pace(world, market, kind) * slower(world, index))[:, None]


@once
def levels(world: World) -> np.ndarray:
    """Budgets as parts of the usual ones, by month, channel and market; chance decides, and the switches."""
    shape = (len(world.months), len(catalogue.CHANNELS), len(catalogue.MARKETS))
    month, channel, market = np.indices(shape)
    drawn = LEVELS[(len(LEVELS) * world.streams.uniform("budget", channel * 8 + market, month)).astype(int)]
    given = np.array([world.effects.get(kind.switch, 1.0) for kind in catalogue.CHANNELS])
    return np.where(has_budget(channel), drawn, 1.0) * given[channel]


def has_budget(channel: np.ndarray) -> np.ndarray:
    """Whether a channel costs money before it brings somebody."""
    return (channel != catalogue.ORGANIC) & (channel != catalogue.REFERRAL)


def response(world: World, channel: np.ndarray, level: np.ndarray) -> np.ndarray:
    """How many prospects a budget brings, as a part of those whom the usual budget brings; it saturates."""
    anyway, bend = (catalogue.column(name)[channel] for name in ("anyway", "saturation"))
    brought = anyway + (1 - anyway) * np.expm1(-bend * level) / np.expm1(-bend)
    return np.clip(1 + world.effects["spend_response"] * (brought - 1), 0, MOST_SEEN)


def slope(world: World, channel: np.ndarray, level: np.ndarray) -> np.ndarray:
    """By how much `response` grows with the budget."""
    anyway, bend = (catalogue.column(name)[channel] for name in ("anyway", "saturation"))
    steep = (1 - anyway) * bend * np.exp(-bend * level) / -np.expm1(-bend)
    return world.effects["spend_response"] * steep


def level_at(
    world: World, channel: np.ndarray, market: np.ndarray, created: np.ndarray, off: int
) -> np.ndarray:
    level = levels(world)[world.month(np.minimum(created, world.days - 1)), channel, market]
    return np.where(channel == off, 0.0, level)


def touches(
    world: World,
    index: np.ndarray,
    number: np.ndarray | int,
    market: np.ndarray,
    created: np.ndarray,
    off: int = -1,
) -> np.ndarray:
    """Channels that prospects meet after the first, in `SLOTS` columns; -1 for none."""
    shares = MOST_SEEN * catalogue.column("touches")
    draw = SLOTS * np.asarray(number)[..., None] + np.arange(SLOTS)[None, :]
    who = index[:, None]
    met = world.streams.choice("touch", who, draw, np.append(shares, 1 - shares.sum()))
    known = np.minimum(met, len(shares) - 1)
    level = level_at(world, known, market[:, None], created[:, None], off)
    shown = world.streams.uniform("touch shown", who, draw) * MOST_SEEN < response(world, known, level)
    return np.where((met < len(shares)) & shown, met, -1)


@once
def slips(world: World) -> np.ndarray:
    """By month and market, whether deliveries go wrong; chance decides."""
    month, market = np.indices((len(world.months), len(catalogue.MARKETS)))
    return world.streams.uniform("slip", market, month) < SLIP_SHARE


@once
def talk(world: World) -> np.ndarray:
    """What public complaints of the month before leave of the chance to win, by month and market."""
    before = np.concatenate([np.zeros((1, len(catalogue.MARKETS)), bool), slips(world)[:-1]])
    return np.clip(1 - TALK_LOSES * world.effects["word_of_mouth"] * before, 0, MOST_WON)


def expected(world: World, n_candidates: int) -> dict[str, np.ndarray]:
    """What the equations let one expect of each month, channel and market, and of one more euro there."""
    level = levels(world)
    place = np.indices(level.shape)
    month, channel, market = place[0], place[1], place[2]
    usual = n_candidates * catalogue.column("share")[channel] * catalogue.MARKET_SHARES[market] / MOST_SEEN
    usual = usual * (1 - catalogue.RECOMMENDED_SHARE) * world.growth[month, market]
    cost = usual * leads_each(channel) * catalogue.column("cost_per_lead")[channel]
    cost = cost * (catalogue.TYPE_SHARES @ catalogue.LEAD_COSTS) * catalogue.MARKET_PRICES[market]
    lifts = SLOTS * world.effects["assists"] * catalogue.column("touches") * catalogue.column("lift")
    brought = usual * response(world, channel, level)
    spoken = talk(world)[:, None, :] / MOST_WON
    chance = (
        1 + (lifts[None, :, None] * response(world, channel, level)).sum(axis=1, keepdims=True)
    ) * spoken
    more = usual * slope(world, channel, level) * chance
    more += brought.sum(axis=1, keepdims=True) * lifts[channel] * slope(world, channel, level) * spoken
    spent = cost * level
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "level": level,
            "spend": spent,
            "expected_leads": brought * leads_each(channel),
            "expected_customers": brought * chance,
            "average_cac": np.where(cost > 0, spent / (brought * chance), np.nan),
            "marginal_cac": np.where(cost > 0, cost / more, np.nan),
        }


def leads_each(channel: np.ndarray) -> np.ndarray:
    """Prospects on average for each who may be won: so many of a channel's leads close."""
    return USUALLY_WON / catalogue.column("closes")[channel]
