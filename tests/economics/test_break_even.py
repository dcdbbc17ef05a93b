"""Break-even points of a programme: worked by hand, and by adding up the periods."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.economics.retention.profit import RetentionTerms
from crmlib.errors import CrmError

FIRM = RetentionTerms(contribution=100, retention_rate=0.8, discount_rate=0.1)


def added_up(terms, retention, *, cost=0.0, periods=4000):
    """Value of a customer, period by period: the cost at its start, the margin when the timing says."""
    t, growth = np.arange(periods), 1 + terms.discount_rate
    there = (retention / growth) ** t
    return float((there * (terms.contribution - cost)).sum())


def affordable(terms, retention):
    """Cost per customer and period of a programme that reaches so much retention, if it earns just that."""
    return terms.worth_of_points([retention - terms.retention_rate])["affordable_cost"].iloc[0]


def test_programme_by_hand():
    # V = 100·1.1/.3 = 366.67, which a customer who stays is worth a period on, 333.33 now: 10 buys 3 points.
    assert affordable(FIRM, 0.83) == pytest.approx(10)
    assert affordable(FIRM, 0.85) == pytest.approx(50 / 3)


rates = st.floats(0.05, 0.95)


@given(st.floats(1, 1000), rates, st.floats(0.02, 0.5), st.floats(0.001, 0.999))
def test_at_break_even_the_periods_add_up_to_the_same(margin, retention, discount, way):
    terms = RetentionTerms(margin, retention, discount)
    raised = retention + way * (1 - retention)
    cost = affordable(terms, raised)
    assert added_up(terms, raised, cost=cost) == pytest.approx(added_up(terms, retention), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"retention_rate": 80}, "retention"),
        ({"programme_cost": -1}, "programme_cost"),
        ({"contribution": 0}, "contribution"),
    ],
)
def test_refuses_what_makes_no_sense(change, words):
    with pytest.raises(CrmError, match=words):
        replace(FIRM, **change)
