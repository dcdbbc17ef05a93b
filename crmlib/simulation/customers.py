"""Who the customers are: what a firm knows of them, and what no table shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.simulation import catalogue, prospects
from crmlib.simulation.world import World

# A standard deviation of trust, success and met expectations changes the risk of leaving by so much, in logarithms.
KEEPS = {"trust_keeps": "trust", "success_keeps": "success", "expectations_met": "met"}
KEPT_BY, TRUST_BY_WORTH = 0.25, 0.4


@dataclass
class People:
    """A block of customers, one position each; times in days since the firm's first."""

    index: np.ndarray
    market: np.ndarray
    kind: np.ndarray  # product type
    channel: np.ndarray
    own_channel: np.ndarray  # by which they would have come without a recommendation
    join: np.ndarray
    hops: np.ndarray  # days from stage to stage before that, three columns
    # unobserved, standard normal
    need: np.ndarray
    income: np.ndarray
    temper: np.ndarray
    restless: np.ndarray
    # what follows from them
    orders_per_year: np.ndarray
    leaving_per_year: np.ndarray
    extra_quantity: np.ndarray
    income_class: np.ndarray
    discount_share: np.ndarray
    return_share: np.ndarray
    demanding: np.ndarray
    response: np.ndarray  # to messages; unrelated to the risk of leaving
    tries_first: np.ndarray
    favourite: np.ndarray
    consent: np.ndarray
    birthday_consent: np.ndarray
    birthday: np.ndarray  # days since 1970
    gap_shape: np.ndarray  # 0 memoryless, 1 regular, 2 clumpy
    sociable: np.ndarray
    inclined: np.ndarray  # from 0 who is recommended most easily; below 1 at the documented strength
    referrer: np.ndarray  # index of the customer who recommended the firm, or -1
    only_by_referral: np.ndarray
    offered: np.ndarray  # whether chance gives them an offer once they are recommended
    # how they find the firm, standard normal and unrelated to all else unless a switch says so
    trust: np.ndarray
    success: np.ndarray
    met: np.ndarray  # their expectations
    content: np.ndarray
    worth: np.ndarray  # what they buy, standardised

    def __len__(self) -> int:
        return len(self.index)

    @property
    def curve(self) -> np.ndarray:
        """Which of the world's seasons is theirs."""
        kinds = len(catalogue.PRODUCT_TYPES)
        return (self.worth < 0) * len(catalogue.MARKETS) * kinds + self.market * kinds + self.kind

    @property
    def created(self) -> np.ndarray:
        """When the firm first knew of them."""
        return np.maximum(self.join - self.hops.sum(axis=1), 0.0)

    @property
    def warm(self) -> np.ndarray:
        """Who friends would send."""
        return self.inclined < 1

    def take(self, rows: np.ndarray) -> People:
        """Keep some customers."""
        return People(**{name: values[rows] for name, values in vars(self).items()})


def draw_people(world: World, index: np.ndarray) -> People:
    """Draw the traits of some customers; who recommended them is settled later."""
    streams, strength = world.streams, world.effects
    market = streams.choice("market", index, 0, catalogue.MARKET_SHARES)
    kind = streams.choice("product type", index, 0, catalogue.TYPE_SHARES)
    channel = streams.choice("channel", index, 0, [kind.share for kind in catalogue.CHANNELS])
    need, income, temper, restless, social = (
        streams.normal(f"trait {name}", index) for name in ("need", "income", "temper", "restless", "social")
    )
    quality = np.array([(kind.rate, kind.leaving) for kind in catalogue.CHANNELS])[channel]
    quality = quality ** strength["channel_quality"]
    speed = catalogue.MARKET_SPEEDS[market] ** strength["market_speeds"]
    own = streams.normal("trait rate", index)
    often = 0.55 * need + 0.2 * social + 0.81 * own  # the unseen need is part of why somebody buys often
    usual = catalogue.ORDERS_PER_YEAR[kind], strength["leaving"] * catalogue.LEAVING_PER_YEAR[kind]
    leaving = 0.6 * restless - 0.35 * min(strength["rate_leaving"], 2) * often - 0.15 * social
    spending = _spending(world, index, channel, income, often)
    worth = (often + spending.pop("spend")) / 1.4
    moods = {name: streams.normal(f"trait {name}", index) for name in ("trust", "success", "met", "content")}
    moods["trust"] += TRUST_BY_WORTH * strength["value_builds_trust"] * worth
    kept = sum(strength[switch] * moods[name] for switch, name in KEEPS.items())
    hops = prospects.hops(world, index, market, kind)
    join = _created(world, market, index) + hops.sum(axis=1)
    likely = 2 * catalogue.RECOMMENDED_SHARE / (1 + np.exp(-1.2 * social))
    return People(
        index=index,
        market=market,
        kind=kind,
        channel=channel,
        own_channel=channel,
        join=np.where(index < prospects.ALWAYS, np.minimum(join, world.days - 1.0), join),
        hops=hops,
        need=need,
        income=income,
        temper=temper,
        restless=restless,
        orders_per_year=usual[0] * speed * quality[:, 0] * np.exp(0.56 * often),
        leaving_per_year=usual[1] * speed * quality[:, 1] * np.exp(0.9 * leaving - KEPT_BY * kept),
        demanding=np.exp(strength["demanding_customers"] * (1.1 * temper - 0.3)),
        gap_shape=_gap_shape(world, index),
        sociable=social,
        inclined=streams.uniform("recommended", index) / likely,
        referrer=np.full(len(index), -1),
        only_by_referral=streams.uniform("only by referral", index) < 2 / 3,
        offered=streams.uniform("referral offer", index) < 0.5,
        worth=worth,
        **moods,
        **spending,
        **_habits(world, index, kind),
    )


def _spending(
    world: World, index: np.ndarray, channel: np.ndarray, income: np.ndarray, often: np.ndarray
) -> dict[str, np.ndarray]:
    """How much at a time, how dear, and how often at a discount; who buys often spends a little more."""
    streams, often = world.streams, min(world.effects["rate_spend"], 2) * often
    spend = 0.7 * income + 0.3 * streams.normal("trait spend", index) + 0.18 * often
    bargain = 0.9 * (channel == 3) - 0.4 * income + streams.normal("trait bargain", index) - 1.6
    share = world.effects["discounts"] * 0.6 / (1 + np.exp(-1.5 * bargain))
    return {
        "spend": spend,
        "extra_quantity": np.exp(-1.2 + 0.8 * spend),
        "income_class": np.digitize(income + 0.3 * often, [-0.6, 0.7]),
        "discount_share": np.minimum(share, 0.95),
    }


def _habits(world: World, index: np.ndarray, kind: np.ndarray) -> dict[str, np.ndarray]:
    """What has to do with the line of business, or with nothing."""
    streams = world.streams
    often_returned = catalogue.RETURNED[kind] * np.exp(0.8 * streams.normal("trait returns", index))
    response = 0.7 + 0.6 * np.isin(kind, (1, 2)) + 0.5 * streams.normal("trait response", index)
    return {
        "return_share": np.minimum(world.effects["returns"] * often_returned, 0.6),
        "response": np.clip(response, -0.5, 3),
        "tries_first": streams.uniform("tries first", index) < catalogue.TRIES_FIRST[kind],
        "favourite": streams.choice("favourite", index, 0, np.full(3, 1 / 3)),
        "consent": streams.uniform("consent", index) < 0.8,
        "birthday_consent": streams.uniform("consent", index, 1) < 0.6,
        "birthday": np.floor(-18_000 + 24_000 * streams.uniform("birthday", index)),
    }


def _created(world: World, market: np.ndarray, index: np.ndarray) -> np.ndarray:
    """When the firm first knows of them."""
    found = np.empty(len(index))
    share = world.streams.uniform("join", index)
    for number, come in enumerate(world.come):
        mine = market == number
        found[mine] = np.interp(share[mine], come, np.arange(world.days + 1.0))
    return found


def _gap_shape(world: World, index: np.ndarray) -> np.ndarray:
    special = min(0.65 * world.effects["gap_shapes"], 1.0)
    return world.streams.choice("gap shape", index, 0, [1 - special, special / 2, special / 2])
