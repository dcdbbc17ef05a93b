"""The choice of actions within a budget, compared with every possible choice; and the random holdout."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from crmlib.errors import CrmError
from crmlib.relationship.allocation import NOBODY, best_actions, hold_out, plan_holdout


def by_brute_force(gain, cost, budget):
    """The largest gain of all choices of at most one option per customer."""
    best = 0.0
    for choice in itertools.product(range(-1, gain.shape[1]), repeat=len(gain)):
        picked = [(who, option) for who, option in enumerate(choice) if option >= 0]
        money = sum(cost[one] for one in picked)
        total = sum(gain[one] for one in picked)
        if money <= budget + 1e-9 and np.isfinite(total):
            best = max(best, total)
    return best


def by_linear_programme(gain, cost, budget):
    """The largest gain if shares of options are allowed."""
    usable = np.where(np.isfinite(gain), gain, 0.0)
    one_each = np.kron(np.eye(len(gain)), np.ones(gain.shape[1]))
    limits = np.vstack([one_each, cost.ravel()])
    ends = np.append(np.ones(len(gain)), budget)
    return -linprog(-usable.ravel(), A_ub=limits, b_ub=ends, method="highs").fun


SIZES = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 10_000), st.floats(0, 12))


@given(SIZES)
@settings(max_examples=120)
def test_the_choice_keeps_the_budget_and_its_bound_is_that_of_the_linear_programme(size):
    people, options, seed, budget = size
    random = np.random.default_rng(seed)
    gain = random.integers(-2, 9, (people, options)).astype(float)
    cost = random.integers(0, 6, (people, options)).astype(float)
    gain[random.random(gain.shape) < 0.15] = np.nan
    found = best_actions(gain, cost, budget=budget)
    chosen = np.flatnonzero(found.option != NOBODY)
    assert cost[chosen, found.option[chosen]].sum() <= budget + 1e-9
    assert (gain[chosen, found.option[chosen]] > 0).all()
    assert found.gain == pytest.approx(gain[chosen, found.option[chosen]].sum())
    best = by_brute_force(gain, cost, budget)
    assert found.gain <= best + 1e-9 <= found.bound + 2e-9
    assert found.gain >= best / 2 - 1e-9  # as the theory promises
    assert found.bound == pytest.approx(by_linear_programme(gain, cost, budget))


def test_with_many_customers_the_optimality_gap_is_tiny():
    random = np.random.default_rng(3)
    gain, cost = random.gamma(2.0, 5.0, (20_000, 4)), random.uniform(0.2, 5.0, (20_000, 4))
    found = best_actions(gain, cost, budget=9_000.0)
    assert found.gap < 1e-4
    assert found.cost == pytest.approx(9_000.0, rel=1e-3)


def test_a_capacity_takes_the_customers_with_the_largest_gains():
    gain = np.array([[1.0, 5.0], [4.0, 2.0], [3.0, -1.0], [np.nan, np.nan]])
    found = best_actions(gain, np.ones_like(gain), capacity=2)
    assert found.option.tolist() == [1, 0, NOBODY, NOBODY]
    assert (found.gain, found.cost, found.gap) == (9.0, 2.0, 0.0)


@pytest.mark.parametrize("limit", [{"budget": 0.0}, {"capacity": 0}])
def test_a_budget_of_zero_chooses_no_customer_with_a_cost(limit):
    found = best_actions(np.full((3, 2), 5.0), np.ones((3, 2)), **limit)
    assert found.option.tolist() == [NOBODY] * 3
    assert (found.gain, found.bound, found.gap) == (0.0, 0.0, 0.0)


def test_options_without_cost_need_no_budget():
    found = best_actions(np.array([[5.0, 9.0]]), np.array([[0.0, 2.0]]), budget=0.0)
    assert found.option.tolist() == [0]


def test_one_large_option_beats_many_small_ones():
    gain, cost = np.array([[2.0], [10.0]]), np.array([[1.0], [10.0]])
    assert best_actions(gain, cost, budget=10.0).option.tolist() == [NOBODY, 0]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"budget": 1.0, "capacity": 2}, "give one of them"),
        ({"budget": -1.0}, "budget is -1.0"),
        ({"budget": np.nan}, "budget is nan"),
        ({"capacity": -3}, "capacity is -3"),
    ],
)
def test_invalid_limits_are_refused(limits, expected):
    with pytest.raises(CrmError, match=expected):
        best_actions(np.ones((2, 2)), np.ones((2, 2)), **limits)


def people(count: int, strata: int = 3) -> pd.DataFrame:
    ids = [f"c{number:04d}" for number in range(count)]
    return pd.DataFrame(
        {"customer_id": ids, "rule": "letter", "stratum": [f"s{n % strata}" for n in range(count)]}
    )


def test_the_draw_depends_on_the_key_alone():
    rows = people(600)
    again = hold_out(rows.sample(frac=1, random_state=4), 0.2, key="a")
    first = hold_out(rows, 0.2, key="a")
    shuffled = rows.sample(frac=1, random_state=4)["customer_id"].to_numpy()
    assert {*rows.loc[first, "customer_id"]} == {*shuffled[again]}
    assert (hold_out(rows, 0.2, key="b") != first).any()
    other_rule = hold_out(rows.assign(rule="call"), 0.2, key="a")
    assert (other_rule != first).any()


def test_each_stratum_gives_its_share_and_earlier_holdouts_stay_held_out():
    rows = people(300)
    left = hold_out(rows, 0.1, key="a")
    assert rows.loc[left].groupby("stratum").size().tolist() == [10, 10, 10]
    later = rows.iloc[50:].reset_index(drop=True)
    before = [(who, "letter") for who in rows.loc[left, "customer_id"]]
    kept = {*later.loc[hold_out(later, 0.1, key="another", before=before), "customer_id"]}
    assert {who for who, _rule in before} & {*later["customer_id"]} <= kept


def test_the_holdout_is_independent_of_the_customer():
    """Over many keys everybody is left out equally often."""
    rows = people(60, strata=1)
    times = sum(hold_out(rows, 0.25, key=f"k{number}").astype(int) for number in range(800))
    apart = (times - 200) / np.sqrt(800 * 0.25 * 0.75)
    assert np.abs(apart).max() < 4
    assert 0.6 < apart.std() < 1.3


def test_the_holdout_has_the_stated_power():
    """By simulation: a difference of the smallest size is found in about 80 of 100 experiments."""
    plan = plan_holdout(4_000, 0.2, 0.05)
    assert plan.runs == 1
    assert plan.smallest <= 0.05
    random = np.random.default_rng(8)
    alone = round(plan.share * 4_000)
    without = random.binomial(alone, 0.2, 4_000) / alone
    treated = random.binomial(4_000 - alone, 0.2 + plan.smallest, 4_000) / (4_000 - alone)
    error = np.sqrt(without * (1 - without) / alone + treated * (1 - treated) / (4_000 - alone))
    assert ((treated - without) / error > 1.96).mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("case", [(1, 0.2, 0.05), (500, 0.0, 0.05), (500, np.nan, 0.05), (500, 0.2, -0.01)])
def test_without_enough_power_nobody_is_held_out(case):
    assert plan_holdout(*case).share == 0.0
