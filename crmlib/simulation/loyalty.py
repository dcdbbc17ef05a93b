"""The loyalty programme: heavy buyers join by themselves; points are earned, used and forgotten."""

from __future__ import annotations

import numpy as np

from crmlib.simulation.clock import Window
from crmlib.simulation.customers import People
from crmlib.simulation.purchases import Orders
from crmlib.simulation.world import World

LAUNCH_DAY = 90.0
REWARD_POINTS, REWARD_COST = 200, 8.0
FORGOTTEN_AFTER_DAYS = 365.0


def joined(world: World, people: People, found: Orders) -> np.ndarray:
    """When each customer joined the programme, nan for never: at each order after its launch some do."""
    need = world.effects["confounders"] * people.need[found.row]
    share = 1 / (1 + np.exp(3.2 - 1.2 * need))
    u = world.streams.uniform("joins programme", people.index[found.row], found.number)
    joins = np.flatnonzero((u < share) & (found.day >= LAUNCH_DAY))
    since = np.full(len(people), np.nan)
    since[found.row[joins][::-1]] = found.day[joins][::-1]  # the first one is written last
    return since


def member_window(world: World, since: np.ndarray) -> Window:
    """What membership does: it makes buying a little more frequent, for good."""
    factor = np.full(len(since), 1 + 0.10 * world.effects["loyalty_programme"])
    return Window(since, np.where(np.isfinite(since), np.inf, np.nan), factor)


def ledger(
    world: World, people: People, found: Orders, spend: np.ndarray, since: np.ndarray
) -> dict[str, np.ndarray]:
    """Movements of the accounts: joined, earned at each order, redeemed by steps, expired when forgotten."""
    members = np.flatnonzero(since < world.days)
    at = np.flatnonzero(found.day >= np.nan_to_num(since, nan=np.inf)[found.row])
    row, day, points = found.row[at], found.day[at], np.floor(spend[at])
    first = np.searchsorted(row, row)
    running = np.cumsum(points)
    balance = running - np.where(first > 0, running[first - 1], 0.0)
    uses = world.streams.uniform("redeems", people.index) < 0.75
    steps = np.floor(balance / REWARD_POINTS)
    before = np.where(np.arange(len(row)) > first, np.roll(steps, 1), 0.0)
    rewards = np.where(uses[row], steps - before, 0.0)
    cash = np.flatnonzero(rewards > 0)
    last = np.flatnonzero(np.append(row[1:] != row[:-1], True)) if len(row) else np.zeros(0, int)
    left_over = balance[last] - np.where(uses[row[last]], steps[last], 0) * REWARD_POINTS
    gone = (day[last] + FORGOTTEN_AFTER_DAYS < world.days) & (left_over > 0)
    last, left_over = last[gone], left_over[gone]
    parts = [
        ("joined", members, since[members], np.zeros(len(members)), np.full(len(members), np.nan)),
        ("earned", row, day, points, np.full(len(row), np.nan)),
        ("redeemed", row[cash], day[cash], -REWARD_POINTS * rewards[cash], REWARD_COST * rewards[cash]),
        (
            "expired",
            row[last],
            day[last] + FORGOTTEN_AFTER_DAYS,
            -left_over,
            np.full(len(last), np.nan),
        ),
    ]
    kind = np.concatenate([np.full(len(part[1]), part[0], dtype=object) for part in parts])
    columns = [np.concatenate([part[place] for part in parts]) for place in (1, 2, 3, 4)]
    order = np.lexsort((columns[1], columns[0]))  # stable: joined, earned, redeemed within a day
    names = ("row", "date", "points", "amount")
    return {"kind": kind[order], **{name: column[order] for name, column in zip(names, columns, strict=True)}}
