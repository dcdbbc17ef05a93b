"""Break-even points: worked by hand, and by adding up the periods."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib import economics
from crmlib.errors import CrmError

FIRM = {"margin_per_period": 100, "retention_rate": 0.8, "discount_rate": 0.1}


def added_up(margin, retention, discount, *, cost=0.0, periods=4000):
    """Value of a customer, period by period: the cost at its start, the margin at its end."""
    t = np.arange(periods)
    paid = (retention / (1 + discount)) ** t
    return float((paid * (margin * retention / (1 + discount) - cost)).sum())


def test_programme_by_hand():
    # V = 100·.8/.3 = 266.67; a customer who stays is worth 366.67 a period on, 333.33 now: 10 buys 3 points.
    assert economics.break_even_programme(**FIRM, cost_per_period=10) == pytest.approx(0.83)
    assert economics.affordable_programme_cost(**FIRM, retention_with_programme=0.85) == pytest.approx(50 / 3)
    assert economics.break_even_programme(**FIRM, cost_per_period=0) == pytest.approx(0.8)


def test_price_cut_by_hand():
    assert economics.break_even_price_cut(price=100, unit_cost=60, cut=0.1) == pytest.approx(1 / 3)
    assert economics.break_even_price_cut(price=100, unit_cost=60, cut=0.4) == np.inf
    # 1.1 · 266.67 / 356.67
    assert economics.break_even_price_cut_retention(**FIRM, price_cut_per_period=10) == pytest.approx(
        293.3333 / 356.6667, rel=1e-6
    )


rates = st.floats(0.05, 0.95)


@given(st.floats(1, 1000), rates, st.floats(0.02, 0.5), st.floats(0, 0.3))
def test_at_break_even_the_periods_add_up_to_the_same(margin, retention, discount, share):
    firm = {"margin_per_period": margin, "retention_rate": retention, "discount_rate": discount}
    before = added_up(margin, retention, discount)
    cost = share * margin
    needed = economics.break_even_programme(**firm, cost_per_period=cost)
    if needed < 1:
        assert added_up(margin, needed, discount, cost=cost) == pytest.approx(before, rel=1e-6)
        assert economics.affordable_programme_cost(**firm, retention_with_programme=needed) == pytest.approx(
            cost, abs=1e-6 * margin
        )
    needed = economics.break_even_price_cut_retention(**firm, price_cut_per_period=cost)
    if needed < 1:
        assert added_up(margin - cost, needed, discount) == pytest.approx(before, rel=1e-6)


@given(st.floats(1, 1000), st.floats(0, 0.9), st.floats(0, 0.9))
def test_after_a_price_cut_the_new_volume_earns_the_same(price, cost_share, cut):
    unit_cost = cost_share * price
    growth = economics.break_even_price_cut(price=price, unit_cost=unit_cost, cut=cut)
    if np.isfinite(growth) and growth < 1e6:
        assert (price * (1 - cut) - unit_cost) * (1 + growth) == pytest.approx(price - unit_cost, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: economics.break_even_programme(**{**FIRM, "retention_rate": 80}, cost_per_period=1),
            "retention",
        ),
        (lambda: economics.break_even_programme(**FIRM, cost_per_period=-1), "cost_per_period"),
        (
            lambda: economics.break_even_programme(**{**FIRM, "margin_per_period": 0}, cost_per_period=1),
            "margin",
        ),
        (lambda: economics.break_even_price_cut(price=10, unit_cost=12, cut=0.1), "above the cost"),
        (lambda: economics.break_even_price_cut(price=10, unit_cost=5, cut=10), "cut"),
    ],
)
def test_refuses_what_makes_no_sense(call, words):
    with pytest.raises(CrmError, match=words):
        call()
