"""The true effect of each treatment on each customer: the same customer lives twice, with it and without it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from crmlib.simulation import expectations, subscriptions
from crmlib.simulation.block import Block, live
from crmlib.simulation.persons import customer_ids
from crmlib.simulation.trials import Trial
from crmlib.simulation.world import DAYS_PER_YEAR, World

HORIZON_DAYS = {"reminder": 90, "birthday": 90, "newsletter": 90, "offer": 365, "price": 365}
_STEP_DAYS = 10


def treatment_effects(world: World, block: Block, ahead_days: int) -> pd.DataFrame:
    """One row per customer and experiment they are in, whether treated or not.

    `effect_purchases` and `effect_spend` are the difference of the two lives within the horizon, all chance
    alike; `expected_effect_*` is the same before chance, of who is still there when chance decides about the
    treatment. For the price experiment money is contract fees; for the others orders.
    """
    parts = [_of(world, block, trial, ahead_days) for trial in block.trials]
    return pd.concat(parts, ignore_index=True)


def _of(world: World, block: Block, trial: Trial, ahead_days: int) -> pd.DataFrame:
    rows = np.flatnonzero(trial.inside)
    mine, horizon = trial.take(rows), HORIZON_DAYS[trial.kind]
    lives = tuple(_live_with(world, block, mine, rows, arm, ahead_days) for arm in (True, False))
    effects = _on_fees if trial.kind == "price" else _on_orders
    return pd.DataFrame(
        {
            "experiment": trial.name,
            "kind": trial.kind,
            "customer_id": customer_ids(block.people.index[rows]),
            "assigned": world.date(mine.assigned),
            "treated": mine.treated,
            "horizon_days": horizon,
            **effects(world, mine, lives, float(horizon)),
        }
    )


def _live_with(
    world: World, block: Block, mine: Trial, rows: np.ndarray, arm: bool, ahead_days: int
) -> Block:
    """The life of those in an experiment had all of them been treated, or nobody."""
    changed = mine.with_treated(np.full(len(rows), arm))
    trials = [changed if trial.name == mine.name else trial.take(rows) for trial in block.trials]
    return live(world, block.people.take(rows), trials, block.contract.take(rows), ahead_days)


def _on_orders(world: World, trial: Trial, lives: tuple[Block, ...], horizon: float) -> dict[str, np.ndarray]:
    (bought, spent), (bought_else, spent_else) = (_orders(trial, life, horizon) for life in lives)
    expected = _expected_orders(trial, lives[0], horizon) - _expected_orders(trial, lives[1], horizon)
    expected *= lives[1].left > trial.assigned
    return {
        "effect_purchases": bought - bought_else,
        "effect_spend": spent - spent_else,
        "expected_effect_purchases": expected,
        "expected_effect_profit": expected * expectations.contribution_per_order(lives[0].people),
    }


def _orders(trial: Trial, life: Block, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Orders and their amounts within the horizon."""
    found, n = life.orders, len(life.people)
    since = found.day - trial.assigned[found.row]
    within = (since >= 0) & (since < horizon)
    amounts = np.bincount(life.lines.order, life.lines.amount, minlength=len(found.row))
    row = found.row[within]
    return np.bincount(row, minlength=n).astype(float), np.bincount(row, amounts[within], minlength=n)


def _expected_orders(trial: Trial, life: Block, horizon: float) -> np.ndarray:
    """Expected orders within the horizon of who is there at its beginning."""
    rows, day, joined = np.arange(len(life.people)), trial.assigned, life.people.join
    risk_so_far = life.leaving.read(rows, day - joined)
    found = np.zeros(len(rows))
    for low, high in pairwise(np.linspace(0, horizon, 1 + round(horizon / _STEP_DAYS))):
        there = np.exp(risk_so_far - life.leaving.read(rows, day + (low + high) / 2 - joined))
        found += there * (life.buying.read(rows, day + high) - life.buying.read(rows, day + low))
    return found


def _on_fees(world: World, trial: Trial, lives: tuple[Block, ...], horizon: float) -> dict[str, np.ndarray]:
    none = np.zeros(len(lives[0].people))
    dearer, same = (_fees(trial, life, horizon) for life in lives)
    return {
        "effect_purchases": none,
        "effect_spend": dearer - same,
        "expected_effect_purchases": none,
        "expected_effect_profit": _expected_fees(world, trial, lives[1], horizon),
    }


def _fees(trial: Trial, life: Block, horizon: float) -> np.ndarray:
    """Contract fees within the horizon."""
    held = life.contracts
    assigned = trial.assigned[held.row]
    end = np.minimum(np.minimum(held.end_day, life.left[held.row]), assigned + horizon)
    months = np.maximum(end - assigned, 0) / (DAYS_PER_YEAR / 12)
    dearer = np.where(np.isfinite(held.dearer_from), 1 + subscriptions.TRIAL_RISE, 1.0)
    found = np.zeros(len(life.people))
    found[held.row] = months * dearer * subscriptions.fee(life.people, held)
    return found


def _expected_fees(world: World, trial: Trial, life: Block, horizon: float) -> np.ndarray:
    """Expected difference of contract fees, by the risk of cancelling alone."""
    held, people = life.contracts, life.people
    risk, years = subscriptions.cancelling_per_year(world, people), horizon / DAYS_PER_YEAR
    dearer, same = (-np.expm1(-risk * factor * years) / (risk * factor) for factor in (trial.leaving, 1.0))
    found = np.zeros(len(people))
    difference = 12 * ((1 + subscriptions.TRIAL_RISE) * dearer - same)
    found[held.row] = difference[held.row] * subscriptions.fee(people, held)
    return found
