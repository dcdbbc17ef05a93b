"""What customers say when they are asked, and what of it the firm came back on."""

from __future__ import annotations

import numpy as np

from crmlib.simulation.block import Block
from crmlib.simulation.world import World, only_where

ASKED_SHARE, MOST_WAIT_DAYS = 0.12, 7
QUESTIONS = np.array(["nps", "satisfaction", "trust", "expectation", "expectation met"], dtype=object)
THEMES = np.array(["delivery", "price", "service", "promise", "product"], dtype=object)
COMMENTS = {
    "delivery": ("Came later than announced.", "Quick delivery, thank you."),
    "price": ("It has become dear.", "Good value for the money."),
    "service": ("Nobody answered for days.", "Friendly help, quick answer."),
    "promise": ("You promised and nothing happened.", "You did what you said."),
    "product": ("Not as described.", "Does what I need."),
}


def answers(world: World, block: Block) -> dict[str, np.ndarray]:
    """One position per question answered; a survey follows an order and asks all five questions."""
    people, found, streams = block.people, block.orders, world.streams
    who = people.index[found.row]
    wait = 2 + np.floor(MOST_WAIT_DAYS * streams.uniform("survey after", who, found.number))
    keen = ASKED_SHARE * np.exp(0.3 * world.effects["confounders"] * people.need[found.row])
    asked = (streams.uniform("surveyed", who, found.number) < keen) & (found.day + wait < world.days)
    asked &= found.day + wait < block.left[found.row]
    order = np.flatnonzero(asked)
    row, day, number = found.row[order], found.day[order] + wait[order], found.number[order]
    who = people.index[row]
    latent, wrong = _moods(world, block, row, day)
    latent = latent + 0.8 * streams.normal(
        "answer", who[:, None], 8 * number[:, None] + np.arange(5)[None, :]
    )
    score = np.clip(np.round(3.7 + 0.8 * latent), 1, 5)
    score[:, 0] = np.clip(np.round(7.6 + 1.7 * latent[:, 0]), 0, 10)
    theme = np.select(wrong, [3, 2, 1], (streams.uniform("theme", who, number) * 5).astype(int))
    speaks = streams.uniform("comment", who, number) < 0.35
    words = np.array([COMMENTS[name] for name in THEMES], dtype=object)
    back = day + 1 + 10 * streams.exponential("follow-up", who, number)
    followed = (streams.uniform("followed up", who, number) < 0.4) & (back < world.days) & speaks
    n = len(order)
    answer = words[theme, (score[:, 0] >= 7).astype(int)]
    first = np.zeros((n, 5), bool)
    first[:, 0] = True  # the comment stands beside the first question
    return {
        "row": np.repeat(row, 5),
        "date": np.repeat(day, 5),
        "question": np.tile(QUESTIONS, n),
        "score": score.ravel(),
        "scale_max": np.tile([10.0, 5, 5, 5, 5], n),
        "comment": only_where(first & speaks[:, None], answer[:, None]).ravel(),
        "theme": only_where(first & speaks[:, None], THEMES[theme][:, None]).ravel(),
        "followed_up_on": np.where(first & followed[:, None], back[:, None], np.nan).ravel(),
    }


def _moods(
    world: World, block: Block, row: np.ndarray, day: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """How each would answer the five questions but for chance; whether a promise, a complaint, a price weighs."""
    people, given = block.people, block.promises
    hurt = _recent(block, row, day, 180.0)
    passed = (given.due[row] < day[:, None]) & (day[:, None] < given.due[row] + 365) & given.broken[row]
    broken = passed.any(axis=1)
    price = next(trial for trial in block.trials if trial.kind == "price")
    dearer = price.treated[row] & (price.assigned[row] < day)
    fallen = -1.0 * world.effects["broken_promises"] * broken - 0.5 * world.effects["price_rises"] * dearer
    moody = world.effects["restless_moods"] * people.restless[row]
    mood = -0.5 * moody + 0.2 * people.sociable[row] - 0.9 * hurt
    met = mood - 0.3 * people.temper[row] + 0.7 * people.met[row]
    liked, trust = mood + 0.6 * people.content[row], mood + 0.7 * people.trust[row]
    latent = [liked + 0.5 * fallen, liked, trust + fallen, 0.3 * people.income[row], met]
    return np.stack(latent, axis=1), [broken, hurt, dearer]


def _recent(block: Block, row: np.ndarray, day: np.ndarray, within_days: float) -> np.ndarray:
    """Whether a customer complained within some days before a moment."""
    wrong = block.cases.kind == 1
    holder = block.orders.row[block.cases.order[wrong]]
    opened = np.sort(
        holder * 1e6 + block.cases.opened[wrong]
    )  # one line on which customers follow each other
    return np.searchsorted(opened, row * 1e6 + day) > np.searchsorted(opened, row * 1e6 + day - within_days)
