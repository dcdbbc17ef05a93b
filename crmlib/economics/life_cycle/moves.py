"""Moves between states: the transition matrix, how long customers stay, and whether the chain has a memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.customers.life_cycle.rules import Rules
from crmlib.economics.acquisition.ratios import ratio
from crmlib.statistics import Array, holm

FEWEST = 30  # moves from a state, below which nothing is said of it
LATER = 3  # months: who has been longer in a state is long there


@dataclass(frozen=True)
class Chain:
    """Moves of some months, added up: shape (months, states, ages, states) and the money of the month after.

    `moved[m, s, a, t]`: persons in state s for a + 1 months at the end of month m who were in t a month later, the last
    place of t being no state; `money[m, s, a]`: what they brought in that month. `before[s, b, t]`: all months, by the
    state b of the month before.
    """

    moved: Array
    money: Array
    before: Array

    @property
    def people(self) -> Array:
        """Persons at the start of a move, by month, state and age."""
        return self.moved.sum(axis=3)

    def matrix(self, weights: Array | None = None) -> Array:
        """The transition matrix, of all months or of months with weights; a state without moves stays as it is."""
        by_month = self.moved.sum(axis=2)
        sums = by_month.sum(axis=0) if weights is None else np.tensordot(weights, by_month, axes=1)
        return rows_of_shares(sums)

    def money_each(self, weights: Array | None = None) -> Array:
        """What a person of each state brings in the month after."""
        ones = np.ones(len(self.moved)) if weights is None else weights
        money, people = (np.tensordot(ones, part.sum(axis=2), axes=1) for part in (self.money, self.people))
        return np.divide(money, people, out=np.zeros_like(money), where=people > 0)


def rows_of_shares(counts: Array) -> Array:
    """Counts of moves as shares of each row's sum; a row without any is of those who stay.

    Persons without a state afterwards (the last column) are taken out: they have left the table.
    """
    inside = counts[..., :-1]
    sums = counts.sum(axis=-1, keepdims=True)
    return np.where(sums > 0, inside / np.where(sums > 0, sums, 1.0), np.eye(inside.shape[-1]))


def chain(moves: pd.DataFrame, states: int, months: range, money: str) -> Chain:
    """The moves that begin at the ends of some months, as arrays.

    Parameters
    ----------
    moves : DataFrame
        `Months.moves`.
    states : int
        How many.
    months : range
        Those at whose ends a move begins.
    money : str
        "profit" or "revenue".
    """
    rows = moves[moves["month"].isin(months)]
    ages = int(moves["age"].max()) if len(moves) else 1
    moved = np.zeros((len(months), states, ages, states + 1))
    target = np.where(rows["next"] < 0, states, rows["next"])
    start = (rows["month"] - months.start, rows["place"], rows["age"] - 1)
    np.add.at(moved, (*start, target), rows["people"])
    brought = np.zeros(moved.shape[:3])
    np.add.at(brought, start, rows[f"next_{money}"])
    before = np.zeros((states, states + 1, states + 1))
    origin = np.where(rows["before"] < 0, states, rows["before"])
    np.add.at(before, (rows["place"], origin, target), rows["people"])
    return Chain(moved, brought, before)


def transitions(found: Chain, rules: Rules) -> pd.DataFrame:
    """Every move that happened, or that the rules allow: how often, with its interval by months."""
    names, by_month = rules.names, found.moved.sum(axis=2)
    rows = []
    for place, state in enumerate(rules.states):
        under = by_month[:, place].sum(axis=1)
        for target, name in enumerate(names):
            over = by_month[:, place, target]
            allowed = name in state.moves
            if not under.sum() or not (over.sum() or allowed):
                continue
            share, low, high = ratio(over, under)
            rows.append((state.name, name, under.sum(), over.sum(), share, low, min(high, 1.0), allowed))
    columns = "state next_state starts moved probability probability_low probability_high allowed".split()
    return pd.DataFrame(rows, columns=columns)


def dwell(found: Chain, names: list[str]) -> pd.DataFrame:
    """How long a stay in each state lasts: `leave_share` a month, `median_months`, those `still_there` after a year.

    Stays that have not ended count while they are known (Kaplan–Meier); a median beyond the oldest age is not known.
    """
    rows, stay = [], found.moved.sum(axis=0)
    for place, name in enumerate(names):
        there = stay[place].sum(axis=1)
        if not there.sum():
            continue
        left = there - stay[place][:, place]
        known = there > 0
        hazard = np.divide(left, there, out=np.zeros_like(left), where=known)
        survival = np.cumprod(1 - hazard)
        below = np.flatnonzero(survival <= 0.5)
        median = float(below[0] + 1) if len(below) else np.nan
        whole_year = len(survival) >= 12 and (known[:12].all() or survival[11] == 0)
        year = float(survival[11]) if whole_year else np.nan
        rows.append((name, there.sum(), left.sum() / there.sum(), median, year))
    return pd.DataFrame(rows, columns="state starts leave_share median_months still_there".split())


def memory(found: Chain, names: list[str]) -> pd.DataFrame:
    """Does what was before still predict where a customer goes, beside the state of today?

    By `state`: the share who leave within a month of those `leave_early` (in it for up to three months) and
    `leave_late`, the p-values of no difference by the state before (`p_before`) and by the months in it (`p_age`), both
    corrected for the number of states (Holm), and `memory`: whether either is below 5 %. A Markov chain has none.

    Notes
    -----
    Likelihood-ratio tests of order: Anderson & Goodman, Annals of Mathematical Statistics 28, 1957.
    """
    by_age, rows = found.moved.sum(axis=0), []
    for place, name in enumerate(names):
        counts = by_age[place]
        if counts.sum() < FEWEST:
            continue
        parts = counts[:LATER], counts[LATER:]
        shares = [1 - part[:, place].sum() / part.sum() if part.sum() else np.nan for part in parts]
        rows.append((name, counts.sum(), *shares, _p_same(found.before[place]), _p_same(counts)))
    table = pd.DataFrame(rows, columns="state starts leave_early leave_late p_before p_age".split())
    for column in ("p_before", "p_age"):
        table[column] = holm(table[column])
    return table.assign(memory=(table[["p_before", "p_age"]] < 0.05).any(axis=1))


def _p_same(counts: Array) -> float:
    """The p-value that all rows have the same shares: likelihood ratio, of rows and columns with enough in them."""
    from scipy.stats.contingency import chi2_contingency, expected_freq

    rows = counts[counts.sum(axis=1) >= FEWEST]
    rows = rows[:, rows.sum(axis=0) > 0] if len(rows) else rows
    if len(rows) < 2 or rows.shape[1] < 2:
        return np.nan
    # Moves that hardly happen are one kind: the test counts on five expected in a cell.
    rare = expected_freq(rows).min(axis=0) < 5
    if rare.any():
        rows = np.column_stack([rows[:, ~rare], rows[:, rare].sum(axis=1)])
    if rows.shape[1] < 2:
        return np.nan
    return float(chi2_contingency(rows, correction=False, lambda_="log-likelihood").pvalue)
