"""Contacts with customers, whoever began them."""

from __future__ import annotations

from typing import Any

import numpy as np

from crmlib.simulation.block import Block
from crmlib.simulation.catalogue import MANAGED
from crmlib.simulation.customers import People
from crmlib.simulation.service import CHANNELS as CASE_CHANNELS
from crmlib.simulation.trials import Trial
from crmlib.simulation.world import World

NEWSLETTER_EVERY_DAYS = 91.0
OFFER_COST = 5.0
CALLS_PER_YEAR, CALLS_BY_WORTH, CALL_MINUTES = 0.8, 0.5, 5.0


def touchpoints(world: World, block: Block) -> list[dict[str, Any]]:
    """Parts of the table, each with `row`, `slot` (its own number), `day` and what is known of it."""
    parts = [
        _welcomes(world, block),
        _visits(world, block),
        _questions(world, block),
        _promises(world, block),
        _calls(world, block),
    ]
    parts += [_newsletters(world, block), _offers_to_the_recommended(block)]
    parts += [_message(world, block, trial) for trial in block.trials if trial.kind != "price"]
    return [_within(world, block, part) for part in parts]


def unsubscribed(world: World, block: Block, trial: Trial) -> np.ndarray:
    """The day on which the treated asked for no more, nan for those who did not."""
    leaves = world.streams.uniform(f"unsubscribes {trial.name}", block.people.index) < 0.012
    if trial.kind == "price":
        leaves[:] = False
    return np.where(leaves & trial.treated & trial.inside, trial.assigned, np.nan)


def _within(world: World, block: Block, part: dict[str, Any]) -> dict[str, Any]:
    """Keep what happened within the history; the customer's own doings only while they were there."""
    kept = part["day"] < world.days
    if part["direction"] == "in":
        kept &= part["day"] < block.left[part["row"]]
    return {name: value[kept] if isinstance(value, np.ndarray) else value for name, value in part.items()}


def _answers(
    world: World, block: Block, row: np.ndarray, day: np.ndarray, what: str, slot: Any
) -> np.ndarray:
    """What customers do about a message: those who respond to messages open and click more; the gone do not."""
    keen = np.clip(0.25 + 0.15 * block.people.response[row], 0.03, 0.8)
    at = world.streams.uniform(f"answers {what}", block.people.index[row], slot)
    answer = np.where(at < 0.25 * keen, "clicked", np.where(at < keen, "opened", "none"))
    return np.where(day < block.left[row], answer, "none").astype(object)


def _message(world: World, block: Block, trial: Trial) -> dict[str, Any]:
    row = np.flatnonzero(trial.treated & trial.inside)
    day = trial.assigned[row]
    response = _answers(world, block, row, day, trial.name, 0)
    response[np.isfinite(unsubscribed(world, block, trial)[row])] = "unsubscribed"
    return {
        "row": row,
        "slot": trial.name,
        "day": day,
        "channel": "e-mail",
        "kind": trial.kind,
        "direction": "out",
        "response": response,
        "customised": trial.kind in ("birthday", "offer"),
        "cost": trial.cost,
    }


def _welcomes(world: World, block: Block) -> dict[str, Any]:
    row = np.flatnonzero(block.people.consent)
    day = block.people.join[row]
    learned = world.streams.geometric("learned at welcome", block.people.index[row], 0, 1.2)
    return {
        "row": row,
        "slot": "welcome",
        "day": day,
        "channel": "e-mail",
        "kind": "welcome",
        "direction": "out",
        "response": _answers(world, block, row, day, "welcome", 0),
        "customised": True,
        "fields_learned": np.minimum(learned, 6).astype(float),
        "cost": 0.05,
    }


def _offers_to_the_recommended(block: Block) -> dict[str, Any]:
    row = np.flatnonzero(block.people.offered)
    return {
        "row": row,
        "slot": "recommended",
        "day": block.people.join[row],
        "channel": "e-mail",
        "kind": "offer",
        "direction": "out",
        "response": "none",
        "customised": True,
        "cost": OFFER_COST,
    }


def _newsletters(world: World, block: Block) -> dict[str, Any]:
    days = np.arange(45.0, world.days, NEWSLETTER_EVERY_DAYS)
    people = block.people
    row, number = np.nonzero(people.consent[:, None] & (people.join[:, None] < days[None, :]))
    return {
        "row": row,
        "slot": number,
        "day": days[number],
        "channel": "e-mail",
        "kind": "newsletter",
        "direction": "out",
        "response": _answers(world, block, row, days[number], "newsletter", number),
        "customised": False,
        "cost": 0.02,
    }


def _visits(world: World, block: Block) -> dict[str, Any]:
    found = block.orders
    who = block.people.index[found.row]
    seen = world.streams.uniform("visit", who, found.number) < 0.5
    day = np.floor(found.day[seen])  # the visit that led to the order, on its day
    return {
        "row": found.row[seen],
        "slot": found.number[seen],
        "day": day,
        "channel": "web",
        "kind": "visit",
        "direction": "in",
        "response": "bought",
    }


def _questions(world: World, block: Block) -> dict[str, Any]:
    asked, found = block.cases, block.orders
    row = found.row[asked.order]
    which = world.streams.uniform("case channel", block.people.index[row], asked.slot) * len(CASE_CHANNELS)
    replied = np.where(asked.first_reply < world.days, asked.first_reply, np.nan)
    return {
        "row": row,
        "slot": asked.slot,
        "day": asked.opened,
        "channel": CASE_CHANNELS[which.astype(int)],
        "kind": "question",
        "direction": "in",
        "response": None,
        "replied_at": replied,
        "minutes": 2.0,
        "fields_learned": (world.streams.uniform("learned", block.people.index[row], asked.slot) < 0.2) * 1.0,
    }


def _promises(world: World, block: Block) -> dict[str, Any]:
    given = block.promises
    row, which = np.nonzero((given.made < world.days) & (given.made < block.left[:, None]))
    kept_on = given.kept_on[row, which]
    return {
        "row": row,
        "slot": which,
        "day": given.made[row, which],
        "channel": "phone",
        "kind": "promise",
        "direction": "out",
        "response": "replied",
        "customised": True,
        "minutes": np.round(
            6 + 6 * world.streams.exponential("promise minutes", block.people.index[row], which), 1
        ),
        "promise_due": given.due[row, which],
        "promise_kept_on": np.where(kept_on < world.days, kept_on, np.nan),
        "fields_learned": 1.0,
    }


def calls_per_year(world: World, people: People) -> np.ndarray:
    """How often the firm calls each customer who has an account manager."""
    managed = np.isin(people.kind, MANAGED)
    return CALLS_PER_YEAR * np.exp(CALLS_BY_WORTH * world.effects["effort_by_value"] * people.worth) * managed


def calls(world: World, people: People) -> tuple[np.ndarray, np.ndarray]:
    """Customers and times of calls by account managers, who do not know who has left."""
    month = np.arange(len(world.months))
    called = world.streams.uniform("called", people.index[:, None], month)
    row, at = np.nonzero(called < calls_per_year(world, people)[:, None] / 12)
    day = world.edges[at] + np.diff(world.edges)[at] * world.streams.uniform(
        "called when", people.index[row], at
    )
    later = day > people.join[row] + 1
    return row[later], day[later]


def _calls(world: World, block: Block) -> dict[str, Any]:
    row, day = calls(world, block.people)
    return {
        "row": row,
        "slot": day,
        "day": day,
        "channel": "phone",
        "kind": "call",
        "direction": "out",
        "response": np.where(day < block.left[row], "replied", "none").astype(object),
        "customised": True,
        "minutes": CALL_MINUTES,
    }
