"""The metrics are scikit-learn's, with weights as with repeated rows."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from crmlib.models.churn.calibration import Calibration, calibrate
from crmlib.models.churn.metrics import gains, logistic_line, metrics, rank

cases = st.lists(st.tuples(st.integers(1, 19), st.booleans(), st.integers(0, 3)), min_size=8, max_size=60)


@settings(max_examples=60, deadline=None)
@given(cases)
def test_metrics_are_those_of_scikit_learn_with_ties_and_weights(rows):
    p, y, w = (np.array(one) for one in zip(*rows, strict=True))
    p = p / 20
    assume(0 < (w * y).sum() < w.sum())
    repeated = np.repeat(np.arange(len(p)), w)
    q, z = p[repeated], y[repeated].astype(int)
    found = metrics(rank(p, y), w)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(z, q))
    assert found["pr_auc"] == pytest.approx(average_precision_score(z, q))
    assert found["brier"] == pytest.approx(brier_score_loss(z, q))
    assert found["log_loss"] == pytest.approx(log_loss(z, q))
    assert found["mean_predicted"] == pytest.approx(q.mean())


def test_calibration_line_is_a_logistic_regression():
    random = np.random.default_rng(3)
    x = random.normal(size=3000)
    y = (random.random(3000) < 1 / (1 + np.exp(0.4 - 0.7 * x))).astype(float)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], y)
    found = logistic_line(x[:, None], np.ones(3000), y)
    assert found == pytest.approx([reference.intercept_[0], reference.coef_[0, 0]], abs=1e-5)


@pytest.mark.parametrize(("power", "slope"), [(0.5, 2.0), (1.0, 1.0), (2.0, 0.5)])
def test_slope_tells_timid_from_extreme(power, slope):
    """Standard error of the slope: 0.02 × its size, so a false alarm of this test has a chance below 1e-4."""
    random = np.random.default_rng(5)
    log_odds = random.normal(-1, 1.5, 20_000)
    churned = random.random(20_000) < 1 / (1 + np.exp(-log_odds))
    found = metrics(rank(1 / (1 + np.exp(-power * log_odds)), churned))
    assert found["calibration_slope"] == pytest.approx(slope, rel=0.08)


def test_gains_and_lift_by_hand():
    p = np.arange(20, 0, -1) / 21
    churned = np.array([1, 1, 0, 1, *[0] * 16])
    assert gains(rank(p, churned))[:3] == pytest.approx([2 / 3, 1, 1])
    assert metrics(rank(p, churned))["lift_top_10"] == pytest.approx(20 / 3)
    alike = gains(rank(np.full(20, 0.3), churned))
    assert alike == pytest.approx(np.arange(1, 11) / 10)
    assert np.isnan(metrics(rank(np.full(20, 0.3), churned))["calibration_slope"])


def test_calibration_keeps_the_order_and_finds_the_curve():
    random = np.random.default_rng(7)
    f = random.normal(0, 3, 40_000)
    truth = Calibration(-1.0, 0.3, 1.2)
    found = calibrate(f, random.random(40_000) < 1 / (1 + np.exp(-truth(f))))
    grid = np.linspace(-8, 8, 50)
    assert (np.diff(found(grid)) > 0).all()
    assert found(grid) == pytest.approx(truth(grid), abs=0.35)
    way = found.stretch(grid, base=0.5) * (grid - 0.5)
    assert way == pytest.approx(found(grid) - found(np.array([0.5])))


def test_calibration_of_noise_is_the_base_rate():
    random = np.random.default_rng(8)
    f = random.normal(0, 3, 5000)
    found = calibrate(-f, random.random(5000) < 1 / (1 + np.exp(-f + 1)))  # upside down: nothing can be kept
    assert (found.a, found.b) == (0.0, 0.0)
    assert 1 / (1 + np.exp(-found.c)) == pytest.approx(0.38, abs=0.05)
