"""What is true of each customer, recommendation and channel: for tests and lessons, never for an analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from crmlib.simulation import catalogue, expectations, messages, purchases
from crmlib.simulation.block import Block, blocks, candidates, leaving_clock
from crmlib.simulation.customers import People
from crmlib.simulation.firm import world_of
from crmlib.simulation.persons import SECOND_ID_OFFSET, customer_ids, persons
from crmlib.simulation.referrals import OFFERED_STAY
from crmlib.simulation.settings import Simulation
from crmlib.simulation.treatment_effects import treatment_effects
from crmlib.simulation.truth_of_firm import incremental_customers, mechanisms, months, spend
from crmlib.simulation.world import World, only_where

AHEAD_DAYS = 365
GAP_SHAPES = np.array(["memoryless", "regular", "clumpy"], dtype=object)
TRAITS = ("need", "income", "temper", "restless", "sociable", "trust", "success", "met", "content", "worth")
TIERS = ("Lead", "Iron", "Gold", "Platinum")
PLATINUM_SHARE, GOLD_SHARE = 0.05, 0.15


class Truth(Mapping[str, pd.DataFrame]):
    """The frames of the truth, each made when it is first asked for."""

    def __init__(self, settings: Simulation) -> None:
        self.world, self._size = world_of(settings), settings.n_customers
        self._made: dict[str, pd.DataFrame] = {}
        self._makers: dict[str, Callable[[], pd.DataFrame]] = {
            "customers": lambda: _with_tiers(self._by_block(_customers)),
            "treatments": lambda: self._by_block(
                lambda world, trial: treatment_effects(world, trial, AHEAD_DAYS)
            ),
            "referrals": lambda: self._by_block(_referrals),
            "channels": lambda: _channels(
                self.world, candidates(self._size), self["customers"], self["referrals"]
            ),
            "spend": lambda: spend(self.world, candidates(self._size)),
            "months": lambda: months(self.world),
            "mechanisms": lambda: mechanisms(self.world),
        }

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The frame of this name."""
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Names of the frames."""
        return iter(self._makers)

    def __len__(self) -> int:
        """How many frames there are."""
        return len(self._makers)

    def _by_block(self, make: Callable[[World, Block], pd.DataFrame]) -> pd.DataFrame:
        found = blocks(self.world, self._size, AHEAD_DAYS)
        return pd.concat([make(self.world, block) for block in found], ignore_index=True)


def _customers(world: World, block: Block) -> pd.DataFrame:
    people = block.people
    alive = block.left >= world.days
    member = np.nan_to_num(block.member_since, nan=np.inf) < world.days
    pace = people.orders_per_year * (1 + 0.10 * world.effects["loyalty_programme"] * member)
    months, quiet = _months_ahead(world, block, pace)
    months *= alive[:, None]
    per_order, spend = expectations.contribution_per_order(people), expectations.spend_per_order(people)
    second = persons(world, people).has_second
    return pd.DataFrame(
        {
            "customer_id": customer_ids(people.index),
            "second_id": only_where(second, customer_ids(people.index + SECOND_ID_OFFSET)),
            "alive": alive,
            "left_on": world.date(np.where(alive, np.inf, block.left)),
            "quiet": quiet,
            "orders_per_year": pace,
            "leaving_per_year": people.leaving_per_year,
            "profit_per_order": per_order,
            "profit_per_year": pace * purchases.awake_share(world) * per_order,
            "expected_purchases_12m": months[:, :12].sum(axis=1),
            "expected_spend_12m": months[:, :12].sum(axis=1) * spend,
            "expected_profit_12m": months[:, :12].sum(axis=1) * per_order,
            "expected_value": expectations.present_value(months) * per_order,
            "value_at_joining": expectations.value_at_joining(world, people),
            **_realised_ahead(world, block),
            "gap_shape": GAP_SHAPES[people.gap_shape],
            "demanding": people.demanding,
            "response": people.response,
            **{name: getattr(people, name) for name in TRAITS},
            "calls_per_year": messages.calls_per_year(world, people),
            "channel": catalogue.CHANNEL_NAMES[people.channel],
        }
    )


def _months_ahead(world: World, block: Block, pace: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expected purchases by month of those still there, knowing what had gone wrong by the last day."""
    people, asked = block.people, block.cases
    known = asked.take(asked.first_reply < world.days)
    years_ahead = expectations.MONTHS_AHEAD / 12 * 366
    leaving = leaving_clock(
        world, people, block.trials, block.promises, block.orders, block.lines, known, years_ahead
    )
    last = float(world.days)
    quiet = np.zeros(len(people), bool)
    for spell in block.quiet:
        quiet |= (spell.start <= last) & (last < spell.end)
    return expectations.purchases_ahead(world, people, block.buying, leaving, quiet, pace), quiet


def _realised_ahead(world: World, block: Block) -> dict[str, np.ndarray]:
    """What the customers do in the year after the last day: a holdout that no table shows."""
    found, n = block.orders, len(block.people)
    ahead = found.day >= world.days
    amounts = np.bincount(block.lines.order, block.lines.amount, minlength=len(found.row))
    return {
        "purchases_next_12m": np.bincount(found.row[ahead], minlength=n),
        "spend_next_12m": np.bincount(found.row[ahead], amounts[ahead], minlength=n),
    }


def _with_tiers(customers: pd.DataFrame) -> pd.DataFrame:
    """Add tiers by the true profit of a year: below zero Lead; of the rest the top 5 %, the next 15 %, and others."""
    profit = customers["profit_per_year"]
    share = profit.where(profit >= 0).rank(ascending=False, pct=True)
    tier = np.select(
        [profit < 0, share <= PLATINUM_SHARE, share <= PLATINUM_SHARE + GOLD_SHARE],
        ["Lead", "Platinum", "Gold"],
        "Iron",
    )
    return customers.assign(tier=pd.Categorical(tier, categories=TIERS, ordered=True))


def _referrals(world: World, block: Block) -> pd.DataFrame:
    people = block.people
    row = np.flatnonzero(people.referrer >= 0)
    otherwise = catalogue.CHANNEL_NAMES[people.own_channel[row]]
    return pd.DataFrame(
        {
            "customer_id": customer_ids(people.index[row]),
            "referrer_id": customer_ids(people.referrer[row]),
            "joined": world.date(people.join[row]),
            "only_by_referral": people.only_by_referral[row],
            "channel_otherwise": only_where(~people.only_by_referral[row], otherwise),
            "value_at_joining": expectations.value_at_joining(world, people)[row],
            "offered": people.offered[row],
            "effect_of_offer": _effect_of_offer(world, people.take(row)),
        }
    )


def _effect_of_offer(world: World, people: People) -> np.ndarray:
    """What the offer changes in the value of the recommended, whether or not they had it."""
    less = OFFERED_STAY * world.effects["referral_offer"]
    had = people.leaving_per_year * np.exp(-less * ~people.offered)
    values = [
        expectations.value_at_joining(world, replace(people, leaving_per_year=had * factor))
        for factor in (1.0, np.exp(less))
    ]
    return values[0] - values[1]


def _channels(
    world: World, n_candidates: int, customers: pd.DataFrame, referred: pd.DataFrame
) -> pd.DataFrame:
    """The worth of the customers whom each channel brings, and what the model says about the channel."""
    by_channel = customers.groupby("channel")
    table = pd.DataFrame(
        {
            "customers": by_channel.size(),
            "value_at_joining": by_channel["value_at_joining"].mean(),
            "profit_per_year": by_channel["profit_per_year"].mean(),
        }
    ).reindex(catalogue.CHANNEL_NAMES)
    table["customers"] = table["customers"].fillna(0).astype(int)
    for name in ("rate", "leaving", "cost_per_lead", "closes"):
        table[name] = [getattr(channel, name) for channel in catalogue.CHANNELS]
    gained = incremental_customers(world, n_candidates)
    gained[catalogue.REFERRAL] = referred["only_by_referral"].sum()
    table["incremental_customers"] = gained
    return table.rename_axis("channel").reset_index()
