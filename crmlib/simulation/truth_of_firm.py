"""What is true of the firm as a whole: what its channels bring, where there was no room, how strong each link is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.simulation import (
    catalogue,
    customers,
    demand,
    messages,
    prospects,
    purchases,
    referrals,
    service,
    who_comes,
)
from crmlib.simulation.world import World

_AT_ONCE = 32_768


def spend(world: World, n_candidates: int) -> pd.DataFrame:
    """Budget, prospects, customers and what a customer costs, on average and at the margin.

    One row per month, channel with a budget and market. Customers are those whom the prospects of the month become,
    whenever that is. `marginal_cac` is what one more would cost, prospects of other channels counted whom the money
    helps to win; infinite where it wins nobody.
    """
    found = prospects.expected(world, n_candidates)
    month, channel, market = np.indices(found["level"].shape)
    table = pd.DataFrame(
        {
            "month": world.months[month.ravel()].astype("datetime64[us]"),
            "channel": catalogue.CHANNEL_NAMES[channel.ravel()],
            "market": np.array(catalogue.MARKETS, dtype=object)[market.ravel()],
            **{name: values.ravel() for name, values in found.items()},
        }
    )
    return table[prospects.has_budget(channel.ravel())].reset_index(drop=True)


def incremental_customers(world: World, n_candidates: int) -> np.ndarray:
    """How many customers there are less in a world without a channel in which all else is the same, by channel."""
    gained = np.zeros(len(catalogue.CHANNELS), int)
    for low in range(0, n_candidates, _AT_ONCE):
        people = customers.draw_people(world, np.arange(low, min(low + _AT_ONCE, n_candidates)))
        people = people.take(~people.warm & (people.join < world.days))
        come = [
            (who_comes.seen(world, people, off) & who_comes.won(world, people, off)).sum()
            for off in (-1, *range(len(gained)))
        ]
        gained += come[0] - np.array(come[1:])
    return gained


def months(world: World) -> pd.DataFrame:
    """By month, the share of orders for which there was no room, and what public complaints left of winning."""
    table = pd.DataFrame(
        {"month": world.months.astype("datetime64[us]"), "turned_away": demand.turned_away(world)}
    )
    for market, name in enumerate(catalogue.MARKETS):
        table[f"talk in {name}"] = prospects.talk(world)[:, market]
    return table


# Of each mechanism what a strength of 1 comes to: the links that no other frame of the truth holds.
SIZES = (
    ("trust_keeps", "log risk of leaving, per standard deviation of trust", -customers.KEPT_BY),
    ("success_keeps", "log risk of leaving, per standard deviation of success", -customers.KEPT_BY),
    ("expectations_met", "log risk of leaving, per standard deviation of met", -customers.KEPT_BY),
    ("entry_product", "log risk of leaving", -purchases.ENTRY_STAYS),
    ("referred_better", "log risk of leaving", -referrals.REFERRED_STAY),
    ("referral_offer", "log risk of leaving", -referrals.OFFERED_STAY),
    ("referral_offer", "more of the recommended won, as a share", prospects.OFFER_WINS),
    ("broken_promises", "log risk of leaving, for a year", np.log(service.BROKEN_PROMISE)),
    ("slow_replies", "log risk of leaving, for a year", np.log(service.SLOW_REPLY)),
    ("promoters", "log odds to recommend, per standard deviation of content", referrals.PROMOTED_BY),
    ("word_of_mouth", "prospects lost in the month after, as a share", prospects.TALK_LOSES),
    ("value_builds_trust", "standard deviations of trust, per one of worth", customers.TRUST_BY_WORTH),
    ("effort_by_value", "log calls a year, per standard deviation of worth", messages.CALLS_BY_WORTH),
    (
        "effort_by_value",
        "log days to the first reply, per standard deviation of worth",
        -service.SOONER_BY_WORTH,
    ),
    ("base_eases_selling", "log hours per prospect, per log of the base", -demand.EASE),
    ("small_fill_slack", "log of the seasons of customers who buy little, against others", -catalogue.CALM),
    ("product_ageing", "log pieces beyond the first, a year, of the oldest category", -purchases.AGEING[0]),
    ("product_ageing", "log pieces beyond the first, a year, of the newest category", -purchases.AGEING[2]),
    ("rivals", "log hours and days to win", np.log(prospects.SLOWER_FROM_A_RIVAL)),
)


def mechanisms(world: World) -> pd.DataFrame:
    """How strong each link is: its `strength`, what is measured in words, and the true `effect`."""
    table = pd.DataFrame(SIZES, columns=["mechanism", "measure", "effect"])
    table.insert(1, "strength", table["mechanism"].map(world.effects))
    return table.assign(effect=table["effect"] * table["strength"])
