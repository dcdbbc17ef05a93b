"""Formula values against the papers' and textbook numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.economics.formula_clv import markov_value, recency_migration, simple_clv
from crmlib.errors import CrmError

DWYER = [0.30, 0.20, 0.15, 0.05]
WAITS, CERTAIN, NOW = TIMINGS = "next_period_if_retained", "next_period_certain", "now"


@pytest.mark.parametrize(
    ("timing", "value"),
    [("next_period_if_retained", 266.67), ("next_period_certain", 333.33), ("now", 366.67)],
)
def test_three_conventions_of_one_customer(timing: str, value: float) -> None:
    assert simple_clv(100, 0.8, 0.1, timing=timing) == pytest.approx(value, abs=0.005)


@pytest.mark.parametrize("timing", TIMINGS)
def test_value_is_the_sum_it_stands_for(timing: str) -> None:
    margin, r, i, g = 40.0, 0.85, 0.12, 0.03
    periods = np.arange(0 if timing == NOW else 1, 2000)
    grown = margin * (1 + g) ** (periods - periods[0])
    stayed = r ** (periods if timing != CERTAIN else periods - 1)
    total = np.sum(grown * stayed / (1 + i) ** periods)
    assert simple_clv(margin, r, i, timing=timing, growth_rate=g) == pytest.approx(total, rel=1e-12)


def test_margin_multiples_of_gupta_and_lehmann() -> None:
    printed = [
        [1.20, 1.15, 1.11, 1.07],
        [1.75, 1.67, 1.59, 1.52],
        [2.67, 2.50, 2.35, 2.22],
        [4.50, 4.09, 3.75, 3.46],
    ]
    retentions, discounts = (0.6, 0.7, 0.8, 0.9), (0.10, 0.12, 0.14, 0.16)
    found = [[simple_clv(1, r, i, timing=WAITS) for i in discounts] for r in retentions]
    np.testing.assert_allclose(found, printed, atol=0.005)


def test_five_points_of_retention() -> None:
    """Retention .80 to .85 at m = 100, i = 10 %: +27.5 % or +20 % gross by timing; +80 % net of CAC 175."""

    def lift(timing: str, cac: float = 0.0) -> float:
        before, after = (simple_clv(100, r, 0.1, timing=timing) - cac for r in (0.80, 0.85))
        return after / before - 1

    assert lift(WAITS) == pytest.approx(0.275)
    assert lift(NOW) == pytest.approx(0.20)
    assert lift(CERTAIN) == pytest.approx(0.20)
    assert lift(WAITS, cac=175) == pytest.approx(0.80)


@pytest.mark.parametrize(
    ("contacted", "value"),
    [(None, [52.320, 5.554, 1.251, -1.820, 0]), (3, [53.149, 6.621, 2.644, 0, 0])],
)
def test_migration_of_pfeifer_and_carraway(contacted: int | None, value: list[float]) -> None:
    transitions, rewards = recency_migration(DWYER, 40, 4, contacted=contacted)
    assert transitions.sum(axis=1) == pytest.approx(np.ones(5))
    np.testing.assert_allclose(markov_value(transitions, rewards, 0.2), value, atol=5e-4)


@given(st.floats(0, 1), st.floats(0.001, 2))
def test_conventions_keep_their_order(retention: float, discount: float) -> None:
    waits, certain, now = (simple_clv(10, retention, discount, timing=timing) for timing in TIMINGS)
    assert waits <= certain <= now
    assert now - waits == pytest.approx(10)  # the margin received now is all that differs


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: simple_clv(100, 80, 0.1, timing="now"), "retention_rate is 80.*between 0 and 1"),
        (lambda: simple_clv(100, -0.1, 0.1, timing="now"), "retention_rate is -0.1"),
        (lambda: simple_clv(100, float("nan"), 0.1, timing="now"), "retention_rate is nan"),
        (lambda: simple_clv(100, 0.8, -0.1, timing="now"), "discount_rate is -0.1"),
        (lambda: simple_clv(float("inf"), 0.8, 0.1, timing="now"), "contribution is inf"),
        (lambda: simple_clv(100, 0.8, 0.1, timing="later"), "timing is 'later'.*next_period_certain"),
        (lambda: simple_clv(100, 1.0, 0.0, timing="now"), "infinite value"),
        (lambda: simple_clv(1, 0.95, 0.05, timing="now", growth_rate=0.2), "infinite value"),
        (lambda: simple_clv(1, 0.95, 0.05, timing="now", growth_rate=-1), "growth_rate is -1"),
        (lambda: recency_migration([0.3, 1.4], 40, 4), r"repurchase_probabilities\[1\] is 1.4"),
        (
            lambda: recency_migration([0.3, 0.4], 40, 4, contacted=3),
            "contacted is 3; give 0 to 2, the number of states",
        ),
        (lambda: markov_value([[0.6, 0.6], [0, 1]], [1, 1], 0.1), "row 0"),
        (lambda: markov_value([[0.6, 0.4]], [1, 1], 0.1), r"shape \(1, 2\)"),
        (lambda: markov_value([[1.0]], [1], 0.0), "rate above 0"),
    ],
)
def test_refusals_name_parameter_and_cure(call, words: str) -> None:
    with pytest.raises(CrmError, match=words):
        call()
