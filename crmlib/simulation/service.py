"""Questions, complaints, returns and promises: what customers ask of the firm, and how well it answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.simulation import prospects
from crmlib.simulation.clock import Window
from crmlib.simulation.customers import People
from crmlib.simulation.purchases import Lines, Orders
from crmlib.simulation.world import World

KINDS = np.array(["question", "complaint", "return", "request"], dtype=object)
THEMES = (
    np.array(["use", "delivery", "invoice", "product"], dtype=object),
    np.array(["delivery", "quality", "price", "service"], dtype=object),
    np.array(["wrong size", "damaged", "changed mind", "quality"], dtype=object),
    np.array(["change of address", "invoice", "account", "other"], dtype=object),
)
CHANNELS = np.array(["e-mail", "phone", "social", "web"], dtype=object)
PER_ORDER = np.array([0.10, 0.05])  # questions or requests, complaints, of a customer of ordinary temper
MINUTES = np.array([9.0, 24.0, 8.0, 7.0])
OUTLAY = np.array([0.0, 5.0, 4.5, 0.0])  # postage and goodwill
LATE_REPLY_DAYS = 2.0
RESENTS_DAYS = 365.0
SOONER_BY_WORTH = 0.3
BROKEN_PROMISE, SLOW_REPLY = 2.2, 2.0  # times the risk of leaving


@dataclass
class Cases:
    """Service cases of a block, one position each."""

    order: np.ndarray
    kind: np.ndarray
    slot: np.ndarray  # tells a case's draws apart from those of other cases of the customer
    opened: np.ndarray
    first_reply: np.ndarray
    closed: np.ndarray

    def take(self, kept: np.ndarray) -> Cases:
        """Keep some cases."""
        return Cases(**{name: values[kept] for name, values in vars(self).items()})


def cases(world: World, people: People, found: Orders, held: Lines) -> Cases:
    """Every case that the orders give rise to; each is opened after its order."""
    streams, index = world.streams, people.index[found.row]
    demanding = people.demanding[found.row]
    parts = []
    for kind, share in enumerate(complaining(world, people, found)):
        comes = streams.uniform(f"case {kind}", index, 2 * found.number) < np.minimum(share * demanding, 0.9)
        order = np.flatnonzero(comes)
        other = streams.uniform(f"case {kind}", index[order], 2 * found.number[order] + 1)
        named = np.where((kind == 0) & (other < 0.3), 3, kind)
        wait = 1 + 9 * streams.exponential(f"case {kind} after", index[order], found.number[order])
        parts.append((order, named, 8 * found.number[order] + kind, found.day[order] + np.minimum(wait, 60)))
    line = np.flatnonzero(np.isfinite(held.returned))
    order = held.order[line]
    slot = 8 * found.number[order] + 2 + held.number[line]
    parts.append((order, np.full(len(line), 2), slot, held.returned[line]))
    order, kind_of, slot, opened = (np.concatenate(part) for part in zip(*parts, strict=True))
    who = index[order]
    sooner = SOONER_BY_WORTH * world.effects["effort_by_value"] * people.worth[found.row[order]]
    reply = np.exp(-1.2 - sooner + 1.3 * streams.normal("reply", who, slot))  # days
    settle = reply + 3 * streams.exponential("settle", who, slot)
    return Cases(order, kind_of, slot, opened, opened + reply, opened + settle)


def complaining(world: World, people: People, found: Orders) -> tuple[float, np.ndarray]:
    """Questions and complaints of each order at ordinary temper; in months of slips complaints are frequent."""
    usual = 1 + (prospects.SLIP_COMPLAINTS - 1) * prospects.SLIP_SHARE
    times = np.concatenate(
        [np.where(prospects.slips(world), prospects.SLIP_COMPLAINTS, 1.0), np.full((1, 3), usual)]
    )
    month = np.where(found.day < world.days, world.month(np.minimum(found.day, world.days - 1)), -1)
    return PER_ORDER[0], PER_ORDER[1] * times[month, people.market[found.row]] / usual


def slow_reply_windows(
    world: World, people: People, found: Orders, asked: Cases, most: int = 3
) -> list[Window]:
    """The first complaints of each customer that were answered late: for a year they leave sooner."""
    late = (asked.kind == 1) & (asked.first_reply - asked.opened > LATE_REPLY_DAYS)
    return _resentment(
        found.row[asked.order[late]],
        asked.first_reply[late],
        len(people),
        SLOW_REPLY ** world.effects["slow_replies"],
        most,
    )


def _resentment(row: np.ndarray, day: np.ndarray, n: int, factor: float, most: int) -> list[Window]:
    order = np.lexsort((day, row))
    row, day = row[order], day[order]
    nth = np.arange(len(row)) - np.searchsorted(row, row)
    windows = []
    for number in range(most):
        start = np.full(n, np.nan)
        start[row[nth == number]] = day[nth == number]
        windows.append(Window(start, start + RESENTS_DAYS, np.full(n, factor)))
    return windows


@dataclass
class Promises:
    """Two promises that a customer may get, in columns; `due` is nan where there is none."""

    made: np.ndarray
    due: np.ndarray
    kept_on: np.ndarray  # nan if never
    broken: np.ndarray


def promises(world: World, people: People) -> Promises:
    """Promises are made by the calendar of the account, not by what is bought, and kept five times in six."""
    streams, index, which = world.streams, people.index[:, None], np.arange(2)[None, :]
    gap = 500 * streams.exponential("promise after", index, which)
    made = people.join[:, None] + 15 + np.cumsum(gap, axis=1)
    made = np.where(people.consent[:, None], made, np.nan)
    due = np.floor(made) + 7 + np.floor(14 * streams.uniform("promise due", index, which))
    draw = streams.uniform("promise kept", index, which)
    on_time = made + (due - made) * streams.uniform("promise done", index, which)
    late = due + 1 + 20 * streams.exponential("promise late", index, which)
    kept_on = np.where(draw < 0.83, on_time, np.where(draw < 0.92, late, np.nan))
    return Promises(made, due, kept_on, draw >= 0.83)


def broken_promise_windows(world: World, given: Promises) -> list[Window]:
    """For a year after a promise was not kept its holder leaves sooner."""
    windows = []
    for column in range(given.due.shape[1]):
        start = np.where(given.broken[:, column], given.due[:, column] + 1, np.nan)
        factor = np.full(len(start), BROKEN_PROMISE ** world.effects["broken_promises"])
        windows.append(Window(start, start + RESENTS_DAYS, factor))
    return windows
