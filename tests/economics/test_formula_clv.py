"""Formula values against the papers' and textbook numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.economics.formula_clv import (
    Timing,
    berger_nasr_clv,
    blattberg_deighton_equity,
    margin_multiple,
    margin_multiple_table,
    response_steepness,
    retention_elasticity,
    simple_clv,
)
from crmlib.economics.markov_clv import markov_value, recency_migration
from crmlib.errors import CrmError

DWYER = [0.30, 0.20, 0.15, 0.05]


@pytest.mark.parametrize(
    ("timing", "value"),
    [("next_period_if_retained", 266.67), ("next_period_certain", 333.33), ("now", 366.67)],
)
def test_three_conventions_of_one_customer(timing: str, value: float) -> None:
    assert simple_clv(100, 0.8, 0.1, timing=timing) == pytest.approx(value, abs=0.005)


@pytest.mark.parametrize("timing", list(Timing))
def test_value_is_the_sum_it_stands_for(timing: Timing) -> None:
    margin, r, i, g = 40.0, 0.85, 0.12, 0.03
    periods = np.arange(0 if timing is Timing.NOW else 1, 2000)
    grown = margin * (1 + g) ** (periods - periods[0])
    stayed = r ** (periods if timing is not Timing.NEXT_PERIOD_CERTAIN else periods - 1)
    total = np.sum(grown * stayed / (1 + i) ** periods)
    assert simple_clv(margin, r, i, timing=timing, growth_rate=g) == pytest.approx(total, rel=1e-12)


def test_margin_multiples_of_gupta_and_lehmann() -> None:
    printed = [
        [1.20, 1.15, 1.11, 1.07],
        [1.75, 1.67, 1.59, 1.52],
        [2.67, 2.50, 2.35, 2.22],
        [4.50, 4.09, 3.75, 3.46],
    ]
    table = margin_multiple_table()
    np.testing.assert_allclose(table, printed, atol=0.005)
    assert (table.index.name, table.columns.name) == ("retention_rate", "discount_rate")


@pytest.mark.parametrize(("timing", "printed"), list(zip(Timing, (5.09, 4.09, 4.09), strict=True)))
def test_elasticity_as_printed_and_as_a_difference(timing: Timing, printed: float) -> None:
    assert retention_elasticity(0.9, 0.12, timing=timing) == pytest.approx(printed, abs=0.005)
    step = 1e-6
    up, down = (simple_clv(1, 0.9 * (1 + s), 0.12, timing=timing, growth_rate=0.01) for s in (step, -step))
    by_difference = (np.log(up) - np.log(down)) / (2 * step)
    assert retention_elasticity(0.9, 0.12, timing=timing, growth_rate=0.01) == pytest.approx(
        by_difference, rel=1e-6
    )


def test_five_points_of_retention() -> None:
    """Retention .80 to .85 at m = 100, i = 10 %: +27.5 % or +20 % gross by timing; +80 % net of CAC 175."""

    def lift(timing: Timing, cac: float = 0.0) -> float:
        before, after = (simple_clv(100, r, 0.1, timing=timing) - cac for r in (0.80, 0.85))
        return after / before - 1

    assert lift(Timing.NEXT_PERIOD_IF_RETAINED) == pytest.approx(0.275)
    assert lift(Timing.NOW) == pytest.approx(0.20)
    assert lift(Timing.NEXT_PERIOD_CERTAIN) == pytest.approx(0.20)
    assert lift(Timing.NEXT_PERIOD_IF_RETAINED, cac=175) == pytest.approx(0.80)


def test_berger_and_nasr_case_1() -> None:
    case = {"retention_rate": 0.75, "discount_rate": 0.20, "periods": 10}
    assert berger_nasr_clv(260, 0, **case) == pytest.approx(689.39, abs=0.005)
    assert berger_nasr_clv(0, 50, **case) == pytest.approx(-120.61, abs=0.005)
    assert berger_nasr_clv(260, 50, **case) == pytest.approx(568.78, abs=0.005)


@pytest.mark.parametrize(
    ("contacted", "value"),
    [(None, [52.320, 5.554, 1.251, -1.820, 0]), (3, [53.149, 6.621, 2.644, 0, 0])],
)
def test_migration_of_pfeifer_and_carraway(contacted: int | None, value: list[float]) -> None:
    transitions, rewards = recency_migration(DWYER, 40, 4, contacted=contacted)
    assert transitions.sum(axis=1) == pytest.approx(np.ones(5))
    np.testing.assert_allclose(markov_value(transitions, rewards, 0.2), value, atol=5e-4)


def test_blattberg_and_deighton() -> None:
    found = blattberg_deighton_equity(
        50,
        0.1,
        acquisition_spend=5,
        acquisition_curve=(0.40, response_steepness(0.20, 0.40, 5)),
        retention_spend=10,
        retention_curve=(0.70, response_steepness(0.40, 0.70, 10)),
    )
    assert found.acquisition_rate == pytest.approx(0.20)
    assert found.retention_rate == pytest.approx(0.40)
    assert found.equity == pytest.approx(7.857, abs=5e-4)
    assert found.clv == pytest.approx(64.286, abs=5e-4)


@given(st.floats(0, 1), st.floats(0.001, 2))
def test_conventions_keep_their_order(retention: float, discount: float) -> None:
    waits, certain, now = (simple_clv(10, retention, discount, timing=timing) for timing in Timing)
    assert waits <= certain <= now
    assert now - waits == pytest.approx(10)  # the margin received now is all that differs
    assert waits == pytest.approx(10 * margin_multiple(retention, discount))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: simple_clv(100, 80, 0.1, timing="now"), "retention_rate is 80.*between 0 and 1"),
        (lambda: simple_clv(100, -0.1, 0.1, timing="now"), "retention_rate is -0.1"),
        (lambda: simple_clv(100, float("nan"), 0.1, timing="now"), "retention_rate is nan"),
        (lambda: simple_clv(100, 0.8, -0.1, timing="now"), "discount_rate is -0.1"),
        (lambda: simple_clv(float("inf"), 0.8, 0.1, timing="now"), "margin is inf"),
        (lambda: simple_clv(100, 0.8, 0.1, timing="later"), "timing is 'later'.*next_period_certain"),
        (lambda: simple_clv(100, 1.0, 0.0, timing="now"), "infinite value"),
        (lambda: margin_multiple(0.95, 0.05, growth_rate=0.2), "infinite value"),
        (lambda: margin_multiple(0.95, 0.05, growth_rate=-1), "growth_rate is -1"),
        (lambda: retention_elasticity(1.2, 0.1, timing="now"), "retention_rate is 1.2"),
        (lambda: berger_nasr_clv(260, 50, 0.75, 0.2, periods=2.5), "periods is 2.5"),
        (lambda: recency_migration([0.3, 1.4], 40, 4), r"repurchase_probabilities\[1\] is 1.4"),
        (lambda: recency_migration([0.3, 0.4], 40, 4, contacted=3), "contacted is 3; of 2 states"),
        (lambda: markov_value([[0.6, 0.6], [0, 1]], [1, 1], 0.1), "row 0"),
        (lambda: markov_value([[0.6, 0.4]], [1, 1], 0.1), r"shape \(1, 2\)"),
        (lambda: markov_value([[1.0]], [1], 0.0), "rate above 0"),
        (lambda: response_steepness(0.5, 0.4, 5), "rate is 0.5.*below the ceiling"),
        (lambda: response_steepness(0.2, 0.4, 0), "spend is 0"),
    ],
)
def test_refusals_name_parameter_and_cure(call, words: str) -> None:
    with pytest.raises(CrmError, match=words):
        call()
