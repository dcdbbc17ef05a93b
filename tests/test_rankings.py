"""Rankings against scikit-learn, SciPy and hand calculations; weights are repeated rows."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from crmlib.rankings import (
    Ranking,
    gini,
    log_losses,
    parts_of_equal_size,
    rank_correlation,
    roc_auc,
    squared_losses,
    tenths,
    top_share,
)

cases = st.lists(st.tuples(st.integers(1, 19), st.booleans(), st.integers(0, 3)), min_size=8, max_size=60)


@given(cases)
def test_areas_and_losses_are_those_of_scikit_learn_with_ties_and_weights(rows):
    p, y, w = (np.array(one) for one in zip(*rows, strict=True))
    p = p / 20
    assume(0 < (w * y).sum() < w.sum())
    repeated = np.repeat(np.arange(len(p)), w)
    levels = Ranking(p, y).levels(w)
    assert levels.roc_auc() == pytest.approx(roc_auc_score(y[repeated], p[repeated]))
    assert levels.average_precision() == pytest.approx(average_precision_score(y[repeated], p[repeated]))
    assert roc_auc(p[repeated], y[repeated]) == pytest.approx(levels.roc_auc())
    assert squared_losses(p, y).mean() == pytest.approx(brier_score_loss(y, p))
    assert log_losses(p, y).mean() == pytest.approx(log_loss(y, p, labels=[0, 1]))


def test_what_was_held_impossible_and_happened_costs_everything():
    assert log_losses(np.array([0.0, 0.0, 1.0]), np.array([False, True, True])).tolist() == [0, np.inf, 0]


def test_capture_by_hand():
    money = np.array([60.0, 30.0, 10.0, 0.0])
    levels = Ranking([1.0, 2.0, 2.0, 0.0], money).levels()
    customers, held = levels.captured()
    assert customers.tolist() == [0, 0.5, 0.75, 1]  # who ties for the best shares what they bring
    assert held.tolist() == [0, 0.4, 1.0, 1.0]
    assert levels.captured_by(0.25) == pytest.approx(0.2)
    assert Ranking(money, money).levels().gini() == pytest.approx(gini(money))
    assert Ranking(-money, money).levels().gini() == pytest.approx(-gini(money))
    assert Ranking(np.ones(4), money).levels().gini() == pytest.approx(0)
    assert np.isnan(Ranking(money, np.zeros(4)).levels().gini())


@given(cases)
def test_a_weight_is_that_many_customers(rows):
    score, _, weights = (np.array(one) for one in zip(*rows, strict=True))
    assume(weights.sum() > 0)
    repeated = np.repeat(score, weights)
    customers, held = Ranking(repeated, repeated).levels().captured()
    weighted = Ranking(score, score).levels(weights)
    assert weighted.captured_by(customers) == pytest.approx(held)
    assert weighted.gini() == pytest.approx(gini(repeated))


def test_gini_by_hand():
    assert gini(np.array([600.0, 1000, 1200, 2200, 5000])) == pytest.approx(0.40)
    assert gini(np.array([5.0, 5, 5])) == pytest.approx(0)
    assert gini(np.array([0.0, 0, 0, 8])) == pytest.approx(0.75)
    assert np.isnan([gini([]), gini([0.0, 0.0]), gini([-1.0, 5.0])]).all()


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=30), st.floats(0.01, 1e3))
def test_concentration_does_not_depend_on_the_currency(values, rate):
    values = np.array(values)
    assert gini(values * rate) == pytest.approx(gini(values), abs=1e-9)
    assert top_share(values * rate, 0.2) == pytest.approx(top_share(values, 0.2))
    assert 0.2 - 1e-9 <= top_share(values, 0.2) <= 1 + 1e-9


def test_the_best_hold_more_than_all_where_others_lose_money():
    assert top_share([30.0, 10.0, -20.0], 2 / 3) == pytest.approx(2)
    assert np.isnan([top_share([], 0.2), top_share([1.0, -1.0], 0.2)]).all()


def test_equal_values_share_a_tenth():
    assert np.unique(tenths(np.repeat([0.1, 0.2, 0.3], [60, 30, 10]))).tolist() == [4, 8, 10]
    assert tenths(np.arange(100.0)).tolist() == np.repeat(np.arange(1, 11), 10).tolist()


@given(st.integers(0, 200), st.integers(1, 20))
def test_parts_are_in_order_and_of_equal_size(customers, parts):
    part = parts_of_equal_size(customers, parts)
    assert (np.diff(part) >= 0).all()
    assert np.ptp(np.bincount(part, minlength=parts)) <= 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=40))
def test_rank_correlation_is_scipys(pairs):
    one, other = np.array(pairs, float).T
    if np.ptp(one) and np.ptp(other):
        assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    else:
        assert np.isnan(rank_correlation(one, other))
