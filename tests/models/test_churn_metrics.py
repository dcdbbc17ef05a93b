"""Metrics of the churn model: calibration, gains, and weights that are repeated rows."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from crmlib.models.churn.metrics import Calibration, Predictions, calibrate, logistic_line

cases = st.lists(st.tuples(st.integers(1, 19), st.booleans(), st.integers(0, 3)), min_size=8, max_size=60)


@settings(max_examples=60)
@given(cases)
def test_a_weight_is_that_many_customers(rows):
    p, y, w = (np.array(one) for one in zip(*rows, strict=True))
    p = p / 20
    assume(0 < (w * y).sum() < w.sum())
    repeated = np.repeat(np.arange(len(p)), w)
    weighted, plain = Predictions(p, y), Predictions(p[repeated], y[repeated])
    assert weighted.metrics(w)["mean_predicted"] == pytest.approx(p[repeated].mean())
    for name in ("roc_auc", "pr_auc", "brier", "log_loss", "lift_top_10"):
        assert weighted.metrics(w)[name] == pytest.approx(plain.metrics()[name])
    assert weighted.gains(w) == pytest.approx(plain.gains())


def test_calibration_line_is_a_logistic_regression():
    random = np.random.default_rng(3)
    x = random.normal(size=3000)
    y = (random.random(3000) < 1 / (1 + np.exp(0.4 - 0.7 * x))).astype(float)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], y)
    found = logistic_line(x[:, None], np.ones(3000), y)
    assert found == pytest.approx([reference.intercept_[0], reference.coef_[0, 0]], abs=1e-5)


@pytest.mark.parametrize(("power", "slope"), [(0.5, 2.0), (1.0, 1.0), (2.0, 0.5)])
def test_the_slope_separates_timid_from_extreme_forecasts(power, slope):
    """Standard error of the slope: 0.02 × its size, so a false alarm of this test has a chance below 1e-4."""
    random = np.random.default_rng(5)
    log_odds = random.normal(-1, 1.5, 20_000)
    churned = random.random(20_000) < 1 / (1 + np.exp(-log_odds))
    found = Predictions(1 / (1 + np.exp(-power * log_odds)), churned).metrics()
    assert found["calibration_slope"] == pytest.approx(slope, rel=0.08)


def test_gains_and_lift_by_hand():
    p = np.arange(20, 0, -1) / 21
    churned = np.array([1, 1, 0, 1, *[0] * 16])
    assert Predictions(p, churned).gains()[:3] == pytest.approx([2 / 3, 1, 1])
    assert Predictions(p, churned).metrics()["lift_top_10"] == pytest.approx(20 / 3)
    alike = Predictions(np.full(20, 0.3), churned)
    assert alike.gains() == pytest.approx(np.arange(1, 11) / 10)
    assert np.isnan(alike.metrics()["calibration_slope"])


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
