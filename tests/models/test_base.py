from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from crmlib import BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel
from crmlib.errors import CrmError, DataError
from crmlib.models._special import beta_rule, digamma_rise, expit, log_rising

CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
MODELS = [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel]


class InWeeks(pd.DataFrame):
    """A frame that carries its unit of time."""

    _metadata: ClassVar[list[str]] = ["time_unit"]

    @property
    def _constructor(self):
        return InWeeks


@pytest.fixture
def customers() -> pd.DataFrame:
    return pd.DataFrame({"frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 20.0]}, index=["x", "y"])


@pytest.fixture(scope="module")
def fitted(cdnow_summary: pd.DataFrame) -> BetaGeoModel:
    return BetaGeoModel(time_unit="W").fit(cdnow_summary)


def test_a_new_model_has_done_nothing_and_says_what_to_do(customers):
    model = BetaGeoModel(time_unit="W")
    assert repr(model) == "BetaGeoModel(time_unit='W')"
    with pytest.raises(CrmError, match="call fit"):
        model.expected_purchases(customers, 1)


def test_given_parameters_are_checked():
    with pytest.raises(CrmError, match="no parameter 'alfa'; did you mean 'alpha'"):
        BetaGeoModel.from_params(r=1, alfa=1, a=1, b=1)
    with pytest.raises(CrmError, match="add b"):
        BetaGeoModel.from_params(r=1, alpha=1, a=1)
    with pytest.raises(CrmError, match="a is -1; parameters of BetaGeoModel are positive"):
        BetaGeoModel.from_params(r=1, alpha=1, a=-1, b=1)


def test_a_model_that_was_not_fitted_has_no_standard_errors():
    with pytest.raises(CrmError, match="was not fitted"):
        BetaGeoModel.from_params(**CDNOW).standard_errors_  # noqa: B018
    assert "0.243" in repr(BetaGeoModel.from_params(**CDNOW).summary())


def test_interval_is_wald_on_the_log_scale(fitted):
    interval = fitted.confint(0.95)
    for name, value in fitted.params_.items():
        half = 1.959963985 * fitted.standard_errors_[name] / value
        assert interval.loc[name, "low"] == pytest.approx(value * np.exp(-half))
        assert interval.loc[name, "high"] == pytest.approx(value * np.exp(half))
    assert (fitted.confint(0.5)["low"] > interval["low"]).all()
    with pytest.raises(CrmError, match="share between 0 and 1"):
        fitted.confint(95)


def test_standard_errors_match_the_curvature_of_the_likelihood(fitted, cdnow_summary):
    """The likelihood falls by about half a unit one standard error along a parameter's own profile."""
    from crmlib.models._histories import read_histories

    loglik = fitted._log_likelihood(read_histories(cdnow_summary, weighted=True))
    top = np.log(list(fitted.params_.values()))
    step = 1e-3
    directions = np.linalg.cholesky(fitted._log_covariance).T
    for direction in directions:
        fall = loglik(top)[0] - loglik(top + step * direction)[0]
        assert fall == pytest.approx(step**2 / 2, rel=0.02)


def test_information_criteria(fitted):
    assert fitted.aic_ == pytest.approx(8 - 2 * fitted.loglik_)
    assert fitted.bic_ == pytest.approx(4 * np.log(2357) - 2 * fitted.loglik_)


def test_summary_reads_well_printed_and_in_a_notebook(fitted):
    text, html = repr(fitted.summary()), fitted.summary()._repr_html_()
    assert "BG/NBD, 2,357 customers, time in weeks" in text
    assert "log-likelihood −9,582.4" in text
    assert "converged" in text
    assert html.startswith("<p><strong>BG/NBD")
    assert "<table" in html


def test_saved_and_loaded_models_are_the_same(fitted, tmp_path, cdnow_summary):
    path = tmp_path / "model.json"
    fitted.save(path)
    again = BetaGeoModel.load(path)
    assert again.params_ == fitted.params_
    assert again.time_unit_ == "W"
    assert again.standard_errors_ == fitted.standard_errors_
    assert again.diagnosis_ == fitted.diagnosis_
    assert repr(again.summary()) == repr(fitted.summary())
    assert again.expected_purchases(cdnow_summary, 39).equals(fitted.expected_purchases(cdnow_summary, 39))
    assert path.stat().st_size < 2000
    with pytest.raises(CrmError, match="holds a BetaGeoModel"):
        ParetoNBDModel.load(path)
    path.write_text(json.dumps({"a": 1}))
    with pytest.raises(CrmError, match="no model's file"):
        BetaGeoModel.load(path)


def test_a_fitted_model_can_be_pickled(fitted):
    assert pickle.loads(pickle.dumps(fitted)).params_ == fitted.params_


def test_the_unit_travels_with_the_data(cdnow_summary):
    weekly = InWeeks(cdnow_summary)
    weekly.time_unit = "W"
    model = BetaGeoModel().fit(weekly)
    assert model.time_unit_ == "W"
    year = model.expected_purchases(weekly, "1Y")
    assert np.allclose(year, model.expected_purchases(weekly, 365.25 / 7), rtol=1e-12)


def test_units_are_not_mixed(cdnow_summary, customers):
    weekly = InWeeks(cdnow_summary)
    weekly.time_unit = "W"
    with pytest.raises(DataError, match="the data count time in weeks, but time_unit is 'D'"):
        BetaGeoModel(time_unit="D").fit(weekly)
    daily = BetaGeoModel.from_params(**CDNOW, time_unit="D")
    with pytest.raises(DataError, match="the model counts time in days, the data in weeks"):
        daily.expected_purchases(weekly, 1)
    with pytest.raises(CrmError, match="time_unit="):
        BetaGeoModel.from_params(**CDNOW).expected_purchases(customers, "12M")


@pytest.mark.parametrize("model", MODELS)
def test_parameters_do_not_move_when_the_unit_changes(model, cdnow_summary):
    at_weeks = model().fit(cdnow_summary)
    times = {"alpha", "beta"}
    purchases = cdnow_summary["frequency"].sum()
    for per_week in (168.0, 7.0, 7 / 30.4375, 7 / 365.25):
        scaled = cdnow_summary.assign(
            recency=cdnow_summary["recency"] * per_week, T=cdnow_summary["T"] * per_week
        )
        other = model().fit(scaled)
        for name, value in at_weeks.params_.items():
            factor = per_week if name in times else 1.0
            assert other.params_[name] == pytest.approx(value * factor, rel=1e-6)
            assert other.standard_errors_[name] == pytest.approx(
                at_weeks.standard_errors_[name] * factor, rel=1e-4
            )
        assert other.loglik_ == pytest.approx(at_weeks.loglik_ - purchases * np.log(per_week), abs=1e-6)
        ahead, before = (
            other.expected_purchases(scaled, 39 * per_week),
            at_weeks.expected_purchases(cdnow_summary, 39),
        )
        assert np.allclose(ahead, before, rtol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_weights_are_customers(model, cdnow_summary):
    table = cdnow_summary[["frequency", "recency", "T"]]
    counted = table.groupby(list(table.columns)).size().rename("weight").reset_index()
    one, other = model().fit(table), model().fit(counted)
    assert other.n_customers_ == 2357
    assert other.loglik_ == pytest.approx(one.loglik_, abs=1e-6)
    assert list(other.params_.values()) == pytest.approx(list(one.params_.values()), rel=1e-6)
    assert list(other.standard_errors_.values()) == pytest.approx(
        list(one.standard_errors_.values()), rel=1e-4
    )


@pytest.mark.parametrize("model", MODELS)
def test_answers_are_aligned_and_nothing_is_mutated(model, cdnow_summary):
    table = cdnow_summary.sample(200, random_state=1)
    before = table.copy()
    fitted = model().fit(cdnow_summary)
    p_alive = fitted.expected_probability_alive(table)
    assert p_alive.index.equals(table.index)
    assert p_alive.name == "probability_alive"
    alone = fitted.expected_probability_alive(table.iloc[[17]])
    assert alone.iloc[0] == pytest.approx(p_alive.iloc[17], rel=1e-12)
    pd.testing.assert_frame_equal(table, before)
    draws = fitted.sample_purchases(table, 39, n=3, random_state=5)
    assert draws.shape == (3, 200)
    assert np.array_equal(draws, fitted.sample_purchases(table, 39, n=3, random_state=5))


def test_rising_factorials_and_their_slopes_do_not_cancel():
    from mpmath import mp, mpf

    with mp.workdps(60):
        for start in (1e-8, 0.3, 9.9, 40.1, 1e4, 1e9):
            for count in (0, 0.7, 1, 7, 500, 20_000):
                a, n = mpf(start), mpf(count)
                exact = float(mp.loggamma(a + n) - mp.loggamma(a))
                assert float(log_rising(start, count)) == pytest.approx(exact, rel=2e-14, abs=2e-14)
                exact = float(mp.digamma(a + n) - mp.digamma(a))
                assert float(digamma_rise(start, count)) == pytest.approx(exact, rel=2e-14)


def test_expit_keeps_its_digits_and_does_not_overflow():
    found = expit(np.array([-1e4, -40.0, 0.0, 40.0, np.inf, -np.inf]))
    assert found == pytest.approx([0, np.exp(-40), 0.5, 1, 1, 0], rel=1e-15)


def test_a_first_fit_does_not_wait_for_scipy():
    """Most of the time from the start of a process to a first fit is imports."""
    program = (
        "import sys, pandas as pd; from crmlib import BetaGeoModel; "
        "BetaGeoModel().fit(pd.DataFrame({'frequency': [0, 2, 1, 0, 5], 'recency': [0, 9, 3, 0, 30], "
        "'T': [40, 38, 20, 15, 35]})); print('scipy' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert output.stdout.strip() == "False"


@pytest.mark.parametrize("a", [1e-6, 0.3, 1.0, 6.0, 1e6])
def test_beta_rule_gives_the_moments_of_a_beta(a):
    b = np.array([1e-5, 0.5, 2.4, 500.0, 1e6])
    p, weight = beta_rule(a, b, np.full(5, 1e3))
    total = a + b
    assert np.einsum("ij,ij->i", p, weight) == pytest.approx(a / total, rel=1e-11)
    assert np.einsum("ij,ij->i", p**2, weight) == pytest.approx(a * (a + 1) / total / (total + 1), rel=1e-11)
