"""What a customer in each state is worth: by the Markov chain, and by histories that remember."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.economics.formula_clv import markov_value, recency_migration
from crmlib.economics.life_cycle.moves import Chain
from crmlib.statistics import Array, bootstrap_weights, percentile_interval, with_ends

HISTORIES, LONGEST_MONTHS = 2000, 360  # for each state
DRAWN_TO = 30.0  # moves of the whole state that count beside those of an age
RESAMPLES = 200


def values_of_states(
    found: Chain,
    names: list[str],
    rate: float,
    *,
    months: int | None = None,
    transitions: Array | None = None,
) -> pd.DataFrame:
    """What a person in each state will bring from the next month on: `value`, with its interval by months.

    Parameters
    ----------
    found : Chain
    names : list of str
    rate : float
        Discount rate per month, above 0.
    months : int, optional
        How far to look; None: without end.
    transitions : array, optional
        Instead of those that happened: an assumption.

    Returns
    -------
    DataFrame
        `state`, `money_each` (brought in the month after), `value, value_low, value_high`: V = (I − P/(1+d))⁻¹ R, R the
        money of the month after, discounted by a month. Months are drawn anew for the interval.
    """

    def value(weights: Array | None) -> Array:
        matrix = found.matrix(weights) if transitions is None else transitions
        return within(matrix, found.money_each(weights), rate, months)

    size = len(found.moved)
    drawn = bootstrap_weights(size, RESAMPLES, 0, poisson=True) if size > 1 else np.empty((0, size))
    some = [value(weights) for weights in drawn if weights.sum() > 0]
    low, high = percentile_interval(np.array(some)) if some else np.full((2, len(names)), np.nan)
    table = pd.DataFrame({"state": names, "starts": found.people.sum(axis=(0, 2))})
    return table.assign(money_each=found.money_each(), value=value(None), value_low=low, value_high=high)


def with_memory(found: Chain) -> tuple[Array, Array]:
    """Moves and money by state and months in it, (states × ages, states) and (states × ages,).

    An age with few moves is drawn to its state: it counts as if `DRAWN_TO` moves of the whole state were among its own.
    """
    moved, money, people = found.moved.sum(axis=0), found.money.sum(axis=0), found.people.sum(axis=0)
    overall, each = found.matrix(), found.money_each()
    size = people[..., None] + DRAWN_TO
    shares = (moved[..., :-1] + DRAWN_TO * overall[:, None, :]) / size
    rewards = (money + DRAWN_TO * each[:, None]) / size[..., 0]
    return shares.reshape(-1, shares.shape[-1]), rewards.ravel()


def simulated_values(
    found: Chain, rate: float, *, random_state: int, months: int = LONGEST_MONTHS
) -> pd.DataFrame:
    """What simulated customers bring, whose moves depend on how long they have been in a state.

    They begin with the months in the state that people in it have. `simulated, simulated_low, simulated_high` for each
    state in order: the mean over histories, discounted, and its interval for the number of histories.
    """
    shares, rewards = with_memory(found)
    states, ages = found.moved.shape[1:3]
    random, histories = np.random.default_rng(random_state), HISTORIES
    people = found.people.sum(axis=0)
    state = np.repeat(np.arange(states), histories)
    age = np.concatenate([_draw_ages(random, row, histories) for row in people]).astype(int)
    steps = np.cumsum(shares, axis=1)
    total, here = np.zeros(len(state)), np.ones(len(state), dtype=bool)
    for month in range(1, months + 1):
        cell = state * ages + age
        total += np.where(here, rewards[cell], 0.0) / (1 + rate) ** month
        after = (random.random(len(state))[:, None] > steps[cell]).sum(axis=1)
        here &= after < states  # beyond the last: left the table
        after = np.where(here, after, state)
        age = np.where(after == state, np.minimum(age + 1, ages - 1), 0)
        state = after
    by_state = total.reshape(states, histories)
    error = by_state.std(axis=1, ddof=1) / np.sqrt(histories)
    return pd.DataFrame(with_ends("simulated", by_state.mean(axis=1), error))


def _draw_ages(random: np.random.Generator, people: Array, histories: int) -> Array:
    """Months in the state of some who are in it; of a state with nobody, the first."""
    if not people.sum():
        return np.zeros(histories)
    return random.choice(len(people), size=histories, p=people / people.sum()).astype(float)


def within(matrix: Array, each: Array, rate: float, months: int | None) -> Array:
    """What a person in each state brings within so many months, or without end, if the state says all."""
    if months is None:
        return markov_value(matrix, each / (1 + rate), rate)
    total = np.zeros(len(each))
    for _month in range(months):
        total = (each + matrix @ total) / (1 + rate)
    return total


def contact_policy(
    chances: Array,
    contribution: float,
    contact_cost: float,
    rate: float,
    *,
    effect: float | None,
    contacted: float = 0.0,
) -> pd.DataFrame:
    """After how many silent months contacts should stop: each policy's value for a customer who has just bought.

    Parameters
    ----------
    chances : array
        Of a purchase in the coming month, by months since the last one, as they were seen.
    contribution, contact_cost : float
        Money per month with a purchase, and per contact.
    rate : float
        Discount rate per month.
    effect : float or None
        By which share a contact raises the chance, as an experiment measured it; None: who is not contacted never buys
        again, and the chances are those of customers who all were (Pfeifer & Carraway's assumption).
    contacted : float, default 0
        Share of the months seen in which customers were contacted.

    Returns
    -------
    DataFrame
        `months_contacted` (0: nobody is), `value` of one who has just bought, `last_gain`: what contacting the last of
        these months adds, and `best`.

    Notes
    -----
    Pfeifer & Carraway, Journal of Interactive Marketing 14(2), 2000. The chance seen, p, is of both kinds of months:
    left alone it is p / (1 + contacted · effect), contacted 1 + effect times as much.

    Examples
    --------
    >>> found = contact_policy(np.array([0.30, 0.20, 0.15, 0.05]), 40, 4, 0.2, effect=None)
    >>> found["value"].round(3).tolist()
    [40.0, 48.0, 51.574, 53.149, 52.32]
    """
    alone = None if effect is None else np.clip(chances / (1 + contacted * effect), 0, 1)
    treated = chances if alone is None or effect is None else np.clip(alone * (1 + effect), 0, 1)
    rows = []
    for months in range(len(chances) + 1):
        moves = recency_migration(treated, contribution, contact_cost, contacted=months, uncontacted=alone)
        rows.append((months, float(markov_value(*moves, rate)[0])))
    table = pd.DataFrame(rows, columns=["months_contacted", "value"])
    best = table["value"].round(9).idxmax()
    return table.assign(last_gain=table["value"].diff(), best=table.index == best)
