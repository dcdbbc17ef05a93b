"""The best action for each customer within a budget, and a random holdout among the chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.economics.experiments import minimal_detectable_effect
from crmlib.errors import CrmError

NOBODY = -1  # the option of a customer for whom nothing is done
LARGEST_HOLDOUT = 0.2
POOLED_RUNS = 12  # a holdout that needs more runs than this to show its effect shows nothing
_SHARES = np.arange(0.05, LARGEST_HOLDOUT + 0.01, 0.05)


@dataclass(frozen=True)
class Allocation:
    """One option per customer, or none.

    Attributes
    ----------
    option : ndarray of int
        The column chosen for each customer; -1 where nothing is done.
    gain, cost : float
        Sums over the chosen.
    bound : float
        No choice within the budget gains more than this: the best of the linear programme.
    """

    option: np.ndarray
    gain: float
    cost: float
    bound: float

    @property
    def gap(self) -> float:
        """By how much the bound exceeds the gain, as a share of the bound; 0 without any gain."""
        return 1.0 - self.gain / self.bound if self.bound > 0 else 0.0


def best_actions(
    gain: np.ndarray, cost: np.ndarray, *, budget: float | None = None, capacity: int | None = None
) -> Allocation:
    """Which one option per customer brings most within a budget or a number of contacts?

    Parameters
    ----------
    gain, cost : ndarray
        Money, one row per customer and one column per option; a gain of nan is no option. `gain` is net of `cost`.
    budget : float, optional
        Most money to spend. None: there is no limit.
    capacity : int, optional
        Most customers to contact.

    Returns
    -------
    Allocation

    Raises
    ------
    CrmError
        If both limits are given, or one is negative or no number.

    Notes
    -----
    A multiple-choice knapsack (Kellerer, Pferschy & Pisinger, Knapsack Problems, 2004, chapter 11): the steps along
    each customer's efficient frontier are taken by gain per money, and what is left is filled with the next ones that
    fit. A capacity alone is solved exactly.

    Examples
    --------
    >>> found = best_actions(np.array([[4.0, 6.0], [5.0, np.nan]]), np.array([[1.0, 3.0], [2.0, 9.0]]), budget=4.0)
    >>> found.option.tolist(), found.gain, found.cost, round(found.bound, 2)
    ([0, 0], 9.0, 3.0, 10.0)
    """
    for name, limit in (("budget", budget), ("capacity", capacity)):
        if limit is not None and not 0 <= limit < np.inf:
            raise CrmError(f"{name} is {limit}; give a number from 0 on, or None for no limit")
    if budget is not None and capacity is not None:
        raise CrmError("a budget and a capacity are given; give one of them, the tighter one")
    usable = np.where(np.isfinite(gain) & (gain > 0), gain, 0.0)
    if not usable.size:
        return Allocation(np.full(len(gain), NOBODY), 0.0, 0.0, 0.0)
    if budget is None:
        option = np.where(usable.max(axis=1) > 0, usable.argmax(axis=1), NOBODY)
        if capacity is not None:
            option[np.argsort(-usable.max(axis=1), kind="stable")[int(capacity) :]] = NOBODY
        return _allocation(option, usable, cost)
    found = _within(usable, cost, budget)
    alone = np.where(cost <= budget, usable, 0.0)
    if alone.max() > found.gain:  # one large option can beat many small ones
        option = np.full(len(gain), NOBODY)
        option[alone.max(axis=1).argmax()] = alone.max(axis=0).argmax()
        return _allocation(option, usable, cost, found.bound)
    return found


def _allocation(option: np.ndarray, gain: np.ndarray, cost: np.ndarray, bound: float = -1.0) -> Allocation:
    chosen = np.flatnonzero(option != NOBODY)
    total, spent = (float(table[chosen, option[chosen]].sum()) for table in (gain, cost))
    return Allocation(option, total, spent, max(total, bound))


def _within(gain: np.ndarray, cost: np.ndarray, budget: float) -> Allocation:
    who, which, more, price, option = _frontier(gain, cost)
    begun = np.flatnonzero(option != NOBODY)
    free, rate = float(gain[begun, option[begun]].sum()), more / price
    order = np.lexsort((np.arange(len(who)), -rate))
    who, which, more, price = (steps[order] for steps in (who, which, more, price))
    spent = np.cumsum(price)
    taken = int(np.searchsorted(spent, budget * (1 + 1e-12), side="right"))
    option[who[:taken]] = which[:taken]
    left = budget - (spent[taken - 1] if taken else 0.0)
    bound = free + float(more[:taken].sum())
    if taken < len(who):
        bound += float(more[taken] * max(left, 0.0) / price[taken])
    passed: set[int] = set()  # who missed a step has no later one
    cheapest = np.minimum.accumulate(price[::-1])[::-1]
    for place in range(taken, len(who)):
        if cheapest[place] > left:
            break
        if price[place] > left or who[place] in passed:
            passed.add(int(who[place]))
            continue
        option[who[place]] = which[place]
        left -= price[place]
    return _allocation(option, gain, cost, bound)


def _frontier(gain: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, ...]:
    """The steps of all customers along their efficient frontiers: who, option, extra gain and cost; and the start."""
    free = np.where(cost <= 0, gain, 0.0)
    at_gain, at_cost = free.max(axis=1), np.zeros(len(gain))
    option = np.where(at_gain > 0, free.argmax(axis=1), NOBODY)
    steps: list[tuple[np.ndarray, ...]] = []
    for _step in range(gain.shape[1]):
        more, price = gain - at_gain[:, None], cost - at_cost[:, None]
        better = (more > 0) & (price > 0)
        rate = np.divide(more, price, out=np.zeros_like(more), where=better)
        best = rate.max(axis=1)
        alike = better & (rate >= best[:, None] * (1 - 1e-12)) & (best > 0)[:, None]
        which = np.where(alike, more, -1.0).argmax(axis=1)
        who = np.flatnonzero(best > 0)
        if not len(who):
            break
        to = which[who]
        steps.append((who, to, more[who, to], price[who, to]))
        at_gain[who], at_cost[who] = gain[who, to], cost[who, to]
    empty = (np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0), np.zeros(0))
    who, which, more, price = (np.concatenate(part) for part in zip(*(steps or [empty]), strict=True))
    return who, which, more, price, option


@dataclass(frozen=True)
class Holdout:
    """The size of a holdout, and the effect that it can show.

    Attributes
    ----------
    share : float
        Of the list.
    smallest : float
        The smallest difference of the chance to buy that is shown with a chance of 80 %.
    runs : int
        Runs whose lists have to be read together to show the difference that is expected; 0: more than
        `POOLED_RUNS`, nothing can be learnt.
    """

    share: float
    smallest: float
    runs: int


def plan_holdout(customers: int, chance: float, change: float) -> Holdout:
    """Which share of a list to hold out, so that a later run can measure the effect of the contacts?

    Parameters
    ----------
    customers : int
        On the list.
    chance : float
        The chance to buy without a contact, a share.
    change : float
        What a contact is expected to add to it.

    Returns
    -------
    Holdout
        The smallest share, in steps of 5 points up to a fifth, that shows the change; where none does, a fifth, and
        as many runs are pooled as it takes: the rule is set here, before anybody has seen an outcome. Where that is
        more than `POOLED_RUNS`, nobody is left out.

    Examples
    --------
    >>> plan_holdout(8_000, 0.1, 0.03).share
    0.15
    >>> plan_holdout(500, 0.1, 0.03).runs, plan_holdout(20, 0.1, 0.03).runs
    (10, 0)
    """
    if customers < 2 or not 0 < chance < 1 or not change > 0:
        return Holdout(0.0, float("nan"), 0)
    error = np.sqrt(chance * (1 - chance) / (customers * _SHARES * (1 - _SHARES)))
    smallest = np.array([minimal_detectable_effect(float(size)) for size in error])
    enough = np.flatnonzero(smallest <= change)
    place = int(enough[0]) if len(enough) else len(_SHARES) - 1
    runs = int(np.ceil((smallest[place] / change) ** 2 - 1e-9))
    if runs > POOLED_RUNS:
        return Holdout(0.0, float(smallest[place]), 0)
    return Holdout(float(_SHARES[place].round(2)), float(smallest[place]), runs)


def hold_out(
    customers: pd.DataFrame, share: float, *, key: str, before: Iterable[tuple[str, str]] = ()
) -> np.ndarray:
    """Who of the chosen is held out, by a random draw that the key makes repeatable?

    Parameters
    ----------
    customers : DataFrame
        The chosen: `customer_id, rule, stratum`.
    share : float
        To leave out of each stratum.
    key : str
        Of the hash; another key is another draw.
    before : iterable of (customer_id, rule)
        Who was left out by an earlier run, and stays so while chosen.

    Returns
    -------
    ndarray of bool
        In the order of the rows. Of each stratum the share to the nearest customer, unless more were left out before.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": [f"c{n}" for n in range(100)], "stratum": ["a", "b"] * 50})
    >>> rows["rule"] = "letter"
    >>> left = hold_out(rows, 0.1, key="firm")
    >>> rows.loc[left, "stratum"].value_counts().to_dict()
    {'a': 5, 'b': 5}
    """
    pairs = list(zip(customers["customer_id"].astype(str), customers["rule"].astype(str), strict=True))
    earlier = set(before)
    place = keyed_hashes([f"{rule}\0{who}" for who, rule in pairs], key) / 2.0**64
    place = np.where([pair in earlier for pair in pairs], -1.0, place)
    kinds = [customers["rule"].astype(str), customers["stratum"].astype(str)]
    ranked = pd.Series(place, index=customers.index)
    by = ranked.groupby(kinds)
    rank, size = by.rank(method="first"), by.transform("size")
    return ((rank <= np.floor(share * size + 0.5)) | (ranked < 0)).to_numpy()


def keyed_hashes(texts: Iterable[Any], key: str) -> np.ndarray:
    """A keyed hash of 64 bits for each text; without the key it can be neither computed nor reversed.

    Examples
    --------
    >>> keyed_hashes(["a", "a", "b"], "firm").tolist()
    [3967358685013339595, 3967358685013339595, 10932227940344869383]
    """
    secret = hashlib.sha256(key.encode()).digest()
    drawn = [hashlib.blake2b(str(text).encode(), key=secret, digest_size=8).digest() for text in texts]
    return np.frombuffer(b"".join(drawn), dtype=">u8").astype(np.uint64)
