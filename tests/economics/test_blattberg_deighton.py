"""Spending on winning and keeping customers: the worked input, optima by brute force, curves recovered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.economics.retention.spending import EquityTest, fit_response, judged_curve
from crmlib.errors import CrmError, FitError

WIN = judged_curve(spend=5, rate=0.20, ceiling=0.40)
KEEP = judged_curve(spend=10, rate=0.40, ceiling=0.70)
TEST = EquityTest(50, 0.1, WIN, KEEP)


def equity(a: float, r: float, win=WIN, keep=KEEP, margin: float = 50, d: float = 0.1) -> float:
    return EquityTest(margin, d, win, keep).of(a, r).equity


def test_worked_input() -> None:
    assert WIN.rate(5) == pytest.approx(0.20)
    assert KEEP.rate(10) == pytest.approx(0.40)
    assert equity(5, 10) == pytest.approx(7.857, abs=5e-4)
    assert TEST.of(5, 10).clv == pytest.approx(64.286, abs=5e-4)


def test_the_best_is_better_than_every_other_spending() -> None:
    plan = TEST.best()
    grid = np.array([[equity(a, r) for r in np.linspace(0, 60, 121)] for a in np.linspace(0, 40, 121)])
    assert plan.found.equity >= grid.max()
    assert plan.found.equity == pytest.approx(equity(plan.acquisition_spend, plan.retention_spend))
    assert plan.found.equity > 7.857
    assert plan.multiplier == 0


curves = st.tuples(st.floats(0.05, 0.9), st.floats(0.2, 0.9), st.floats(1, 40))  # ceiling, share of it, spend


@settings(max_examples=25)
@given(curves, curves, st.floats(5, 200), st.floats(0.05, 0.3))
def test_one_more_customer_costs_what_one_is_worth(win: tuple, keep: tuple, margin: float, d: float) -> None:
    a, r = (
        judged_curve(spend=spend, rate=share * ceiling, ceiling=ceiling)
        for ceiling, share, spend in (win, keep)
    )
    plan = EquityTest(margin, d, a, r).best()
    one_more_costs = 1 / a.slope(plan.acquisition_spend)
    if plan.acquisition_spend > 0:
        assert one_more_costs == pytest.approx(plan.found.clv, rel=1e-6)
    else:
        assert one_more_costs >= plan.found.clv
    for step in (-0.01, 0.01):  # and retention spend cannot be bettered either
        moved = max(plan.retention_spend + step, 0)
        assert equity(plan.acquisition_spend, moved, a, r, margin, d) <= plan.found.equity + 1e-9


@pytest.mark.parametrize("budget", [1, 3, 7, 12])
def test_best_split_of_a_budget(budget: float) -> None:
    plan = TEST.best(budget)
    spent = plan.acquisition_spend + plan.found.acquisition_rate * plan.retention_spend
    assert spent == pytest.approx(budget)
    others = np.linspace(0.01, budget, 2001)
    best = max(equity(a, (budget - a) / WIN.rate(a)) for a in others)
    assert plan.found.equity >= best - 1e-9
    assert plan.found.equity == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("budget", [2, 5, 10])
def test_multiplier_is_what_a_little_more_budget_adds(budget: float) -> None:
    plan = TEST.best(budget)
    more = TEST.best(budget * 1.01)
    gained = (more.found.equity - plan.found.equity) / (0.01 * budget)
    assert plan.multiplier == pytest.approx(gained, rel=0.02)
    # Lagrange: at the optimum it is what a unit more of retention spend adds, per customer who gets it
    step = 1e-5
    slope = equity(plan.acquisition_spend, plan.retention_spend + step) - plan.found.equity
    assert plan.multiplier == pytest.approx(slope / step / plan.found.acquisition_rate, rel=1e-3)


def test_a_budget_that_is_enough_does_not_bind() -> None:
    free = TEST.best()
    spent = free.acquisition_spend + free.found.acquisition_rate * free.retention_spend
    rich = TEST.best(spent + 1)
    assert (rich.acquisition_spend, rich.retention_spend, rich.multiplier) == (
        free.acquisition_spend, free.retention_spend, 0.0,
    )  # fmt: skip


def test_nothing_to_spend_wins_nobody() -> None:
    plan = TEST.best(0)
    assert (plan.acquisition_spend, plan.retention_spend, plan.found.equity) == (0, 0, 0)
    assert plan.multiplier > 1


class TestFit:
    def test_recovers_the_curve_it_was_made_from(self) -> None:
        spend = np.array([1, 3, 6, 10, 20.0])
        people = np.full(5, 20_000)
        reached = np.random.default_rng(3).binomial(people, 0.4 * -np.expm1(-0.1386 * spend))
        found = fit_response(spend, people, reached)
        assert found.ceiling == pytest.approx(0.4, abs=0.02)
        assert found.ceiling_low < found.ceiling < found.ceiling_high < found.ceiling_low + 0.03
        assert found.observed == (1, 20)

    def test_interval_of_the_ceiling_holds_it(self) -> None:
        spend, people = np.array([1, 4, 9, 15.0]), np.full(4, 1500)
        hits = 0
        for seed in range(60):  # fewer than 51 have a chance of less than 1 in 300
            reached = np.random.default_rng(seed).binomial(people, 0.3 * -np.expm1(-0.15 * spend))
            found = fit_response(spend, people, reached)
            hits += found.ceiling_low <= 0.3 <= found.ceiling_high
        assert hits >= 51

    def test_spends_that_do_not_bend_leave_the_ceiling_open(self) -> None:
        found = fit_response([1.0, 1.2], [4000, 4000], [80, 96])
        assert found.ceiling_high == 1.0
        assert found.ceiling_low < 0.1

    @pytest.mark.parametrize(
        ("spend", "people", "reached", "error"),
        [
            ([5, 5], [10, 10], [1, 1], FitError),
            ([5, 6], [10, 10], [0, 0], FitError),
            ([5, 6], [10, 10], [11, 1], CrmError),
            ([5], [10, 10], [1, 1], CrmError),
            ([5, np.nan], [10, 10], [1, 1], CrmError),
        ],
    )
    def test_bad_input_is_refused(self, spend: list, people: list, reached: list, error: type) -> None:
        with pytest.raises(error):
            fit_response(spend, people, reached)


def test_terms_out_of_range_are_refused() -> None:
    with pytest.raises(CrmError, match="budget is -1"):
        TEST.best(-1)
    with pytest.raises(CrmError, match="discount_rate is -0.5"):
        EquityTest(50, -0.5, WIN, KEEP)
    for wrong, words in (({"rate": 0.5}, "rate is 0.5.*below the ceiling"), ({"spend": 0}, "spend is 0")):
        with pytest.raises(CrmError, match=words):
            judged_curve(**({"spend": 5, "rate": 0.2, "ceiling": 0.4} | wrong))
