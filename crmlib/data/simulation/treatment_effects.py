"""The true effect of each treatment on each customer: the same customer lives twice, with it and without it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from crmlib.data.simulation import expectations, subscriptions
from crmlib.data.simulation.block import Block, live
from crmlib.data.simulation.persons import customer_ids
from crmlib.data.simulation.trials import Trial
from crmlib.data.simulation.world import World

HORIZON_DAYS = {"reminder": 90, "birthday": 90, "newsletter": 90, "offer": 365, "price": 365}


def treatment_effects(world: World, block: Block, ahead_days: int) -> pd.DataFrame:
    """One row per customer and experiment they are in, whether treated or not.

    `effect_purchases` and `effect_spend` are the difference of the two lives within the horizon, all chance
    alike; `expected_effect_*` is the same before chance, given that the customer is still there when chance
    decides. For the price experiment money is contract fees; for the others orders.
    """
    parts = [_of(world, block, trial, ahead_days) for trial in block.trials]
    return pd.concat(parts, ignore_index=True)


def _of(world: World, block: Block, trial: Trial, ahead_days: int) -> pd.DataFrame:
    inside = np.flatnonzero(trial.inside)
    horizon = float(HORIZON_DAYS[trial.kind])
    lives = [_live_with(world, block, trial, all_treated, ahead_days) for all_treated in (True, False)]
    if trial.kind == "price":
        dearer, same = (_fees(block, trial, life, horizon) for life in lives)
        bought = expected = np.zeros(len(block.people))
        spent, money = dearer - same, _expected_fees(world, block, trial, horizon)
    else:
        treated, control = (_orders(trial, life, horizon) for life in lives)
        bought, spent = treated[0] - control[0], treated[1] - control[1]
        expected = _expected_orders(trial, lives[0], horizon) - _expected_orders(trial, lives[1], horizon)
        expected *= block.left > trial.assigned
        money = expected * expectations.contribution_per_order(block.people)
    return pd.DataFrame(
        {
            "experiment": trial.name,
            "kind": trial.kind,
            "customer_id": customer_ids(block.people.index[inside]),
            "assigned": world.date(trial.assigned[inside]),
            "treated": trial.treated[inside],
            "horizon_days": horizon,
            "effect_purchases": bought[inside],
            "effect_spend": spent[inside],
            "expected_effect_purchases": expected[inside],
            "expected_effect_profit": money[inside],
        }
    )


def _live_with(world: World, block: Block, trial: Trial, treated: bool, ahead_days: int) -> Block:
    """The block's life had everybody in the experiment been treated, or nobody."""
    changed = trial.with_treated(np.full(len(block.people), treated))
    trials = [changed if one.name == trial.name else one for one in block.trials]
    return live(world, block.people, trials, block.contract, ahead_days)


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
    row = np.flatnonzero(trial.inside)
    day = trial.assigned[row]
    joined = life.people.join[row]
    start_risk = life.leaving.read(row, day - joined)
    found = np.zeros(len(life.people))
    steps = np.linspace(0, horizon, 1 + int(np.ceil(horizon / 10)))
    for low, high in pairwise(steps):
        there = np.exp(start_risk - life.leaving.read(row, day + (low + high) / 2 - joined))
        found[row] += there * (life.buying.read(row, day + high) - life.buying.read(row, day + low))
    return found


def _fees(block: Block, trial: Trial, life: Block, horizon: float) -> np.ndarray:
    """Contract fees within the horizon."""
    held = life.contracts
    assigned = trial.assigned[held.row]
    end = np.minimum(np.minimum(held.end_day, life.left[held.row]), assigned + horizon)
    months = np.maximum(end - assigned, 0) / 30.4375
    dearer = np.where(np.isfinite(held.dearer_from), 1 + subscriptions.TRIAL_RISE, 1.0)
    found = np.zeros(len(block.people))
    found[held.row] = np.nan_to_num(months * dearer) * subscriptions.fee(block.people, held)
    return found


def _expected_fees(world: World, block: Block, trial: Trial, horizon: float) -> np.ndarray:
    """Expected difference of contract fees, by the risk of cancelling alone."""
    people = block.people
    held = block.contracts
    risk = subscriptions.cancelling_per_year(world, people)
    years = horizon / 365.25
    kept = [np.expm1(-risk * factor * years) / (-risk * factor) for factor in (trial.leaving, 1.0)]
    found = np.zeros(len(people))
    difference = 12 * ((1 + subscriptions.TRIAL_RISE) * kept[0] - kept[1])
    found[held.row] = difference[held.row] * subscriptions.fee(people, held)
    return found
