"""Gamma-Gamma against the published fit, numerical integration, simulation and inputs that break others."""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from crmlib.errors import CrmError, DataError, FitError
from crmlib.models.gamma_gamma import GammaGammaModel, _LogLikelihood, spend_frequency_check

PAPER = {"p": 6.25, "q": 3.74, "v": 15.44}


def simulate(customers: int, seed: int, p: float = 6.25, q: float = 3.74, v: float = 15.44) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.geometric(0.35, customers) - 1
    rate = rng.gamma(q, 1 / v, customers)
    total = rng.gamma(p * np.maximum(x, 1)) / rate
    return pd.DataFrame({"frequency": x, "monetary_value": np.where(x > 0, total / np.maximum(x, 1), 0.0)})


def test_published_fit(cdnow_summary: pd.DataFrame) -> None:
    """Fader & Hardie 2013: p 6.25, q 3.74, gamma 15.44, 946 repeat buyers."""
    model = GammaGammaModel().fit(cdnow_summary)
    assert model.n_customers_ == 946
    assert model.loglik_ == pytest.approx(-4055.92, abs=0.01)
    assert {one: round(value, 2) for one, value in model.params_.items()} == PAPER
    assert model.diagnosis_.converged
    assert model.diagnosis_.findings == ()


def test_likelihood_and_gradient_against_mpmath() -> None:
    x, m, weight = np.array([1.0, 3.0, 40.0]), np.array([12.5, 0.4, 310.0]), np.array([2.0, 1.0, 1.0])
    p, q, v = (mpmath.mpf(one) for one in (1.7, 2.9, 31.0))

    def log_density(x_: float, m_: float, p_: mpmath.mpf, q_: mpmath.mpf, v_: mpmath.mpf) -> mpmath.mpf:
        def density(rate: mpmath.mpf) -> mpmath.mpf:
            spend = mpmath.exp(
                (p_ * x_ - 1) * mpmath.log(m_) + p_ * x_ * mpmath.log(rate * x_) - rate * x_ * m_
            )
            prior = v_**q_ * rate ** (q_ - 1) * mpmath.exp(-v_ * rate) / mpmath.gamma(q_)
            return spend / mpmath.gamma(p_ * x_) * prior

        peak = (p_ * x_ + q_) / (x_ * m_ + v_)
        return mpmath.log(mpmath.quad(density, [0, peak / 2, peak, 2 * peak, 5 * peak, 20 * peak]))

    def total(logs: list[mpmath.mpf]) -> mpmath.mpf:
        values = [mpmath.exp(one) for one in logs]
        return mpmath.fsum(w * log_density(a, b, *values) for a, b, w in zip(x, m, weight, strict=True))

    logs = [mpmath.log(one) for one in (p, q, v)]
    value, gradient = _LogLikelihood(x, m, weight)(np.array(logs, dtype=float))
    assert value == pytest.approx(float(total(logs)), rel=1e-10)
    step = mpmath.mpf("1e-5")
    for place in range(3):
        up, down = (total([*logs[:place], logs[place] + s, *logs[place + 1 :]]) for s in (step, -step))
        assert gradient[place] == pytest.approx(float((up - down) / (2 * step)), rel=1e-7)


def test_expected_spend_is_the_posterior_mean() -> None:
    model = GammaGammaModel.from_params(**PAPER)
    data = pd.DataFrame({"frequency": [0, 1, 7], "monetary_value": [0.0, 50.0, 12.0]}, index=["a", "b", "c"])
    expected = []
    for x, m in data.to_numpy():
        shape, rate = 6.25 * x + 3.74, 15.44 + x * m
        pieces = [one * shape / rate for one in (0, 0.2, 0.5, 0.8, 1, 1.2, 1.6, 3, 10)]
        weight, money = (
            mpmath.quad(lambda n, k=k, s=shape, r=rate: n ** (s - 1 - k) * mpmath.exp(-r * n), pieces)
            for k in (0, 1)
        )
        expected.append(float(6.25 * money / weight))
    spend = model.expected_customer_spend(data)
    np.testing.assert_allclose(spend, expected, rtol=1e-8)
    assert spend.index.tolist() == ["a", "b", "c"]
    assert spend["a"] == pytest.approx(model.expected_new_customer_spend())


def test_intervals_cover_what_chance_allows() -> None:
    """95 % intervals of all parameters over 200 simulated bases, jointly at a false-alarm rate of 1 %."""
    truth, covered = pd.Series(PAPER), np.zeros(3)
    for seed in range(200):
        found = GammaGammaModel().fit(simulate(800, seed)).confint(0.95)
        covered += ((found["low"] <= truth) & (truth <= found["high"])).to_numpy()
    low, high = binom.ppf([0.01 / 6, 1 - 0.01 / 6], 200, 0.95)
    assert ((low <= covered) & (covered <= high)).all(), covered


@given(st.floats(1e-4, 1e6))
def test_currency_does_not_move_the_shapes(factor: float) -> None:
    data = simulate(300, 5)
    one = GammaGammaModel().fit(data).params_
    other = GammaGammaModel().fit(data.assign(monetary_value=data["monetary_value"] * factor)).params_
    assert (other["p"], other["q"]) == pytest.approx((one["p"], one["q"]), rel=1e-6)
    assert other["v"] == pytest.approx(one["v"] * factor, rel=1e-6)


def test_a_large_base_is_fitted_as_well_as_a_small_one() -> None:
    """Large bases start from a sample's fit; the maximum must be the one that other starts find."""
    data = simulate(60_000, 9)
    model = GammaGammaModel().fit(data)
    repeat = data[data["frequency"] > 0]
    loglik = _LogLikelihood(*repeat.to_numpy(dtype=float).T, np.ones(len(repeat)))
    value, gradient = loglik(np.log(list(model.params_.values())))
    assert model.loglik_ == pytest.approx(value, rel=1e-12)
    assert np.abs(gradient).max() / len(repeat) < 1e-9
    assert model.loglik_ > loglik(np.log(list(PAPER.values())))[0]


def test_weight_stands_for_repeated_rows() -> None:
    data = simulate(200, 3)
    twice = GammaGammaModel().fit(pd.concat([data, data], ignore_index=True))
    weighted = GammaGammaModel().fit(data.assign(weight=2))
    assert weighted.loglik_ == pytest.approx(twice.loglik_, rel=1e-12)
    assert weighted.params_ == pytest.approx(twice.params_, rel=1e-8)
    assert weighted.standard_errors_ == pytest.approx(twice.standard_errors_, rel=1e-5)


def test_a_heavy_tail_gives_no_negative_spend_and_a_warning() -> None:
    data = simulate(3000, 11, p=2.0, q=0.6, v=5.0)
    model = GammaGammaModel().fit(data)
    spend = model.expected_customer_spend(data)
    assert model.params_["q"] < 1
    assert (spend > 0).all()
    assert np.isinf(spend[data["frequency"] == 0]).all()
    assert np.isinf(model.expected_new_customer_spend())
    assert any(
        one.parameters == ("q",) and "mean is infinite" in one.what for one in model.diagnosis_.findings
    )


def test_constant_spend_predicts_that_constant() -> None:
    data = pd.DataFrame({"frequency": [0, 1, 2, 5], "monetary_value": [0.0, 19.9, 19.9, 19.9]})
    model = GammaGammaModel().fit(data)
    np.testing.assert_allclose(model.expected_customer_spend(data), 19.9, rtol=1e-12)
    assert "every repeat customer spends 19.9" in str(model.diagnosis_)
    assert np.isnan(list(model.standard_errors_.values())).all()


def test_nearly_constant_spend_is_fitted_and_close() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {"frequency": rng.integers(1, 6, 400), "monetary_value": 20 + rng.normal(0, 0.01, 400)}
    )
    model = GammaGammaModel().fit(data)
    np.testing.assert_allclose(model.expected_customer_spend(data), 20, rtol=0.01)


def test_customers_without_positive_spend_are_counted() -> None:
    data = simulate(400, 2)
    data.loc[data.index[data["frequency"] > 0][:7], "monetary_value"] = [0, 0, -3, -50, 0, -1, 0]
    model = GammaGammaModel().fit(data)
    assert model.n_left_out_ == 7
    assert model.n_customers_ + model.n_left_out_ == (data["frequency"] > 0).sum()
    assert "7 repeat customers with monetary_value <= 0 are left out" in str(model.diagnosis_)
    assert (model.expected_customer_spend(data) > 0).all()


def test_saved_model_scores_alike(tmp_path) -> None:
    data = simulate(300, 8)
    model = GammaGammaModel().fit(data)
    model.save(tmp_path / "spend.json")
    again = GammaGammaModel.load(tmp_path / "spend.json")
    pd.testing.assert_series_equal(again.expected_customer_spend(data), model.expected_customer_spend(data))
    assert again.standard_errors_ == model.standard_errors_


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({"frequency": [1, 2]}, DataError, "monetary_value"),
        (
            {"frequency": [1, 2, 1], "monetary_value": [5, np.nan, 3]},
            DataError,
            "monetary_value is missing.*1 of 3",
        ),
        ({"frequency": [1, -2, 1], "monetary_value": [5, 4, 3]}, DataError, "frequency is negative"),
        ({"frequency": [1, 2, 1], "monetary_value": ["5", "x", "3"]}, DataError, "monetary_value"),
        (
            {"frequency": [0, 0, 0, 1], "monetary_value": [0, 0, 0, 3.0]},
            FitError,
            "1 of 4 customers.*at least 3",
        ),
        (
            {"customer_id": ["a", "a", "b"], "frequency": [1, 2, 1], "monetary_value": [5, 4, 3]},
            DataError,
            "customer_id is there more than once",
        ),
    ],
)
def test_refusals(data: dict, error: type[CrmError], words: str) -> None:
    with pytest.raises(error, match=words):
        GammaGammaModel().fit(pd.DataFrame(data))


def test_independence_is_seen_and_so_is_dependence() -> None:
    data = simulate(20_000, 4)
    apart = spend_frequency_check(data)
    assert apart.low < 0 < apart.high
    assert "close enough to independent" in apart.sentence
    heavier = data.assign(monetary_value=data["monetary_value"] * np.maximum(data["frequency"], 1) ** 0.4)
    together = spend_frequency_check(heavier)
    assert together.low > 0.2
    assert together.pearson > apart.pearson
    assert "too high" in together.sentence


def test_few_customers_show_nothing() -> None:
    assert "too few to rule one out" in spend_frequency_check(simulate(60, 1)).sentence
    alike = spend_frequency_check(pd.DataFrame({"frequency": [1, 1, 1], "monetary_value": [1.0, 2.0, 3.0]}))
    assert np.isnan([alike.pearson, alike.per_doubling]).all()
    assert "needs 3 repeat customers and 2 frequencies; 3 and 1 are there" in alike.sentence
