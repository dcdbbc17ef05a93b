"""Contracts beside free purchases: plans, prices that rise, and the day on which they are cancelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.simulation import catalogue
from crmlib.simulation.clock import Clock, Curves, Window
from crmlib.simulation.customers import People
from crmlib.simulation.trials import Trial
from crmlib.simulation.world import World, only_where

PLANS = np.array(["light", "standard", "full"], dtype=object)
PLAN_PRICES = np.array([9.9, 19.9, 39.9])
YEARLY_RISE, TRIAL_RISE = 0.03, 0.08
CANCELLED_PER_YEAR, LIGHTER_LEAVES_SOONER = 0.30, np.array([1.5, 1.0, 0.6])


@dataclass
class Contracts:
    """The contracts of a block, one position each; `row` is the customer's."""

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray  # infinite while it runs on the last day
    end_day: np.ndarray  # the same, whenever it is
    plan: np.ndarray
    failed: np.ndarray  # whether a payment that failed ended it
    dearer_from: np.ndarray  # the day of the price experiment for those treated, else nan


def contract_window(world: World, people: People) -> Window:
    """When each customer's contract would run if nothing but the customer's own risk ended it; nan for none."""
    streams = world.streams
    has = streams.uniform("contract", people.index) < catalogue.CONTRACT_SHARE[people.kind]
    start = np.where(
        has, np.floor(people.join + 20 * streams.exponential("contract start", people.index)), np.nan
    )
    end = np.where(has, start + _life(world, people, start, ()), np.nan)
    return Window(start, end, np.ones(len(people)))


def contracts(
    world: World, people: People, left: np.ndarray, trials: list[Trial], first: Window
) -> Contracts:
    """Settle when each contract ended: by its own risk, dearer or not, or because the customer left."""
    price = next(trial for trial in trials if trial.kind == "price")
    life = _life(world, people, first.start, (price.leaving_window(),))
    row = np.flatnonzero((first.start < world.days) & (first.start < left))
    end = np.minimum(first.start[row] + life[row], np.maximum(left[row], first.start[row] + 1))
    return Contracts(
        row=row,
        start=first.start[row],
        end=np.where(end < world.days, np.floor(end), np.inf),
        end_day=end,
        plan=people.income_class[row],
        failed=world.streams.uniform("payment", people.index[row]) < 0.12,
        dearer_from=np.where(price.treated[row] & price.inside[row], price.assigned[row], np.nan),
    )


def _life(world: World, people: People, start: np.ndarray, windows: tuple[Window, ...]) -> np.ndarray:
    """Days that each contract lasts."""
    streams = world.streams
    days = world.days + 20 * 365
    curve = Curves(np.arange(days + 1.0)[None, :] / 365.25)
    pace = cancelling_per_year(world, people)
    from_day = np.nan_to_num(start)
    clock = Clock(
        curve, np.zeros(len(people), int), from_day, np.full(len(people), float(days)), pace, windows
    )
    risk = streams.exponential("contract end", people.index)
    until = clock.when(np.arange(len(people)), risk)
    return np.maximum(np.where(np.isfinite(until), until, days) - from_day, 1.0)


def cancelling_per_year(world: World, people: People) -> np.ndarray:
    """The risk at which each customer would cancel a contract: the lighter the plan, the sooner."""
    usual = CANCELLED_PER_YEAR * LIGHTER_LEAVES_SOONER[people.income_class]
    usual = usual * catalogue.MARKET_SPEEDS[people.market] ** world.effects["market_speeds"]
    own = world.streams.normal("contract risk", people.index)
    return usual * np.exp(0.5 * people.restless + 0.7 * own)


def fee(people: People, found: Contracts) -> np.ndarray:
    """What each contract costs a month when it begins."""
    return PLAN_PRICES[found.plan] * catalogue.MARKET_PRICES[people.market[found.row]]


def subscription_rows(world: World, people: People, found: Contracts) -> dict[str, np.ndarray]:
    """One row per contract and price."""
    rises = [world.day(f"{year}-01-01") for year in world.calendar_years[1:]]
    dates = np.stack(
        [found.start, *(np.full(len(found.row), day) for day in rises), found.dearer_from], axis=1
    )
    level = np.array([1.0] + [1 + YEARLY_RISE] * len(rises) + [1 + TRIAL_RISE])
    dates[:, 1:] = np.where(
        (dates[:, 1:] > found.start[:, None]) & (dates[:, 1:] < found.end[:, None]), dates[:, 1:], np.nan
    )
    order = np.argsort(dates, axis=1, kind="stable")  # nan last
    dates = np.take_along_axis(dates, order, axis=1)
    levels = np.cumprod(np.where(np.isfinite(dates), level[order], 1.0), axis=1)
    until = np.concatenate([dates[:, 1:] - 1, np.full((len(dates), 1), np.nan)], axis=1)
    last = np.isfinite(dates) & ~np.isfinite(until)
    until = np.where(last, np.where(np.isfinite(found.end), found.end, np.nan)[:, None], until)
    at, piece = np.nonzero(np.isfinite(dates))
    base = fee(people, found)
    ended = np.isfinite(found.end)[at]
    why = np.where(found.failed[at], "payment failed", "cancelled")
    changed = ~last[at, piece]
    reason = only_where(ended | changed, np.where(changed, "changed", why).astype(object))
    return {
        "row": found.row[at],
        "start": dates[at, piece],
        "end": until[at, piece],
        "price_per_month": np.round(base[at] * levels[at, piece], 2),
        "plan": PLANS[found.plan[at]],
        "end_reason": reason,
    }
