from __future__ import annotations

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtri

from crmlib import BetaGeoModel, ModifiedBetaGeoModel
from crmlib.models._histories import read_histories
from tests.models import oracles

CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
MODELS = [(BetaGeoModel, 0), (ModifiedBetaGeoModel, 1)]


def one(x: float, t_x: float, age: float) -> pd.DataFrame:
    return pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [age]})


def random_cases(seed: int, n: int, most: int, spread: float) -> list[tuple]:
    """Histories, horizons and parameters, many of them where textbook formulas break."""
    random = np.random.default_rng(seed)
    cases = []
    for _ in range(n):
        x = int(random.choice([0, 1, 2, 30, random.integers(0, most + 1), most]))
        age = float(random.choice([1e-3, 1, 38.86, 365, 18262]))
        t_x = age * float(random.choice([1, random.random(), 0.01])) if x else 0.0
        t = float(random.choice([1e-3, 1, 39, 365, 18262]))
        r, a, b = (float(one) for one in 10 ** random.uniform(-spread, spread, 3))
        a = float(random.choice([a, a, 1.0, 1 + 10 ** random.uniform(-12, -3)]))
        a, b = (0.31, 0.5) if random.random() < 0.2 else (a, b)
        alpha = float(10 ** random.uniform(-3, 4))
        cases.append(((x, t_x, age), t, {"r": r, "alpha": alpha, "a": a, "b": b}))
    return cases


def test_fader_hardie_lee_2005(cdnow_summary):
    """Fader, Hardie & Lee (2005), table 2 and section 5; the holdout of the published table."""
    model = BetaGeoModel(time_unit="W").fit(cdnow_summary)
    assert model.loglik_ == pytest.approx(-9582.43, abs=0.01)
    assert {name: round(value, 3) for name, value in model.params_.items()} == CDNOW
    finer = {"r": 0.24259, "alpha": 4.41360, "a": 0.79292, "b": 2.42589}
    assert model.params_ == pytest.approx(finer, abs=6e-5)
    assert model.diagnosis_.converged
    assert not model.diagnosis_.findings
    ahead = model.expected_purchases(cdnow_summary, "39W")
    assert ahead.sum() == pytest.approx(1653, abs=1)
    missed = cdnow_summary["holdout"] - ahead
    assert missed.abs().mean() == pytest.approx(0.786, abs=1e-3)  # with exact ages .78545
    assert np.sqrt((missed**2).mean()) == pytest.approx(1.608, abs=5e-4)
    assert np.corrcoef(ahead, cdnow_summary["holdout"])[0, 1] == pytest.approx(0.626, abs=5e-4)


def test_the_papers_customer():
    model = BetaGeoModel.from_params(**CDNOW, time_unit="W")
    customer = one(2, 30.43, 38.86)
    assert model.expected_purchases(customer, 39).round(3).tolist() == [1.226]
    assert model.expected_probability_alive(customer).round(3).tolist() == [0.727]


@pytest.mark.parametrize(("model", "at_start"), MODELS)
@pytest.mark.parametrize("spread", [1.5, 4.0])
def test_likelihood_alive_and_purchases_agree_with_mpmath(model, at_start, spread):
    for history, t, params in random_cases(11 + at_start, 40, 500, spread):
        fitted, customer = model.from_params(**params), one(*history)
        loglik, _ = fitted._log_likelihood(read_histories(customer, weighted=True))(
            np.log(list(params.values()))
        )
        exact = float(mp.log(oracles.beta_geo_likelihood(history, params, at_start)))
        assert loglik == pytest.approx(exact, rel=1e-9, abs=1e-13)
        alive = float(oracles.beta_geo_alive(history, params, at_start))
        assert fitted.expected_probability_alive(customer)[0] == pytest.approx(alive, rel=1e-9, abs=1e-30)
        ahead = float(oracles.beta_geo_purchases(history, t, params, at_start))
        assert fitted.expected_purchases(customer, t)[0] == pytest.approx(ahead, rel=1e-8, abs=1e-30)


def test_purchases_of_very_heavy_buyers_agree_with_mpmath():
    for x, age, t, a in [
        (2_000, 365.0, 365.0, 1.0),
        (5_000, 365.0, 18_262.0, 1 + 1e-9),
        (20_000, 18_262.0, 365.0, 0.793),
        (20_000, 365.0, 39.0, 50.0),
        (20_000, 365.0, 1.0, 0.05),
    ]:
        params = {"r": 0.2, "alpha": 3.0, "a": a, "b": 2.4}
        exact = float(oracles.beta_geo_purchases((x, 0.999 * age, age), t, params))
        found = BetaGeoModel.from_params(**params).expected_purchases(one(x, 0.999 * age, age), t)
        assert found[0] == pytest.approx(exact, rel=1e-8)


def test_many_customers_at_once_are_as_precise_as_one():
    """The curve that is shared by all customers of a frequency serves the young and the old."""
    params = {"r": 0.2, "alpha": 0.5, "a": 0.7, "b": 1.9}
    table = pd.DataFrame(
        {
            "frequency": [0, 0, 3, 3, 3, 250],
            "recency": [0, 0, 1, 50, 900, 900.0],
            "T": [0, 3e3, 1, 51, 3e3, 1e3],
        }
    )
    found = BetaGeoModel.from_params(**params).expected_purchases(table, 200)
    for value, history in zip(found, table.itertuples(index=False), strict=True):
        exact = float(oracles.beta_geo_purchases(tuple(history), 200, params))
        assert value == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("model", "at_start"), MODELS)
def test_probabilities_and_discounted_purchases_agree_with_mpmath(model, at_start):
    delta = np.random.default_rng(3).choice([1e-4, 0.01, 1.0], 12)
    for (history, t, params), rate in zip(random_cases(21, 12, 60, 1.0), delta, strict=True):
        fitted, customer = model.from_params(**params), one(*history)
        for n in (0, 1, 2, 17):
            exact = float(oracles.beta_geo_pmf(n, history, t, params, at_start))
            assert fitted.probability_of_purchases(n, customer, t)[0] == pytest.approx(
                exact, rel=1e-8, abs=1e-30
            )

        def purchase_rate(u, history=history, params=params):
            return oracles.beta_geo_rate(history, u, params, at_start)

        alive = oracles.beta_geo_alive(history, params, at_start)
        exact = float(alive * oracles.discounted(purchase_rate, t, rate))
        found = fitted.expected_purchases_discounted(customer, t, rate)[0]
        assert found == pytest.approx(exact, rel=1e-8, abs=1e-30)


@pytest.mark.parametrize(("model", "at_start"), MODELS)
def test_probabilities_add_up_and_have_the_expected_mean(model, at_start):
    fitted = model.from_params(**CDNOW)
    table = pd.DataFrame({"frequency": [0, 2, 9], "recency": [0, 30.43, 20.0], "T": [10.0, 38.86, 38.0]})
    pmf = fitted.probability_of_purchases(range(300), table, 39)
    assert pmf.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-12)
    assert pmf.to_numpy() @ np.arange(300) == pytest.approx(fitted.expected_purchases(table, 39), rel=1e-9)
    assert pmf[0].equals(fitted.expected_probability_no_purchase(table, 39).rename(0))
    draws = fitted.sample_purchases(table, 39, n=20_000, random_state=1)
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - fitted.expected_purchases(table, 39)) < 4 * error)
    assert (draws == 1).mean(axis=0) == pytest.approx(pmf[1], abs=0.015)


@pytest.mark.parametrize(("model", "kind"), [(BetaGeoModel, "bg"), (ModifiedBetaGeoModel, "mbg")])
def test_new_customers_buy_as_simulated_ones(model, kind):
    fitted = model.from_params(**CDNOW)
    ages = np.array([0.0, 1.0, 26.0, 78.0])
    expected = fitted.expected_purchases_new_customer(ages)
    assert expected[0] == 0
    assert expected.shape == (4,)
    for age, mean in zip(ages[1:], expected[1:], strict=True):
        bought = oracles.simulate(kind, CDNOW, 100_000, age, seed=3, all_aged=True)["frequency"]
        assert abs(bought.mean() - mean) < 4 * bought.std() / np.sqrt(len(bought))


@pytest.mark.thorough
@pytest.mark.parametrize(("model", "kind"), [(BetaGeoModel, "bg"), (ModifiedBetaGeoModel, "mbg")])
def test_parameters_are_recovered_with_honest_intervals(model, kind):
    """The joint 95 % region of all parameters holds the truth as often as chance allows, over 200 data sets."""
    truth = {"r": 0.6, "alpha": 6.0, "a": 0.9, "b": 2.5}
    inside = 0
    for seed in range(200):
        fitted = model().fit(oracles.simulate(kind, truth, 2500, 80.0, seed))
        assert fitted.diagnosis_.converged
        off = np.log(list(fitted.params_.values())) - np.log(list(truth.values()))
        inside += off @ np.linalg.solve(fitted._log_covariance, off) < chdtri(4, 0.05)
    assert 180 <= inside <= 198  # of 200 at 95 %: outside this once in a thousand


def test_gradient_is_that_of_the_likelihood(cdnow_summary):
    for model, _ in MODELS:
        loglik = model.from_params(**CDNOW)._log_likelihood(read_histories(cdnow_summary, weighted=True))
        at = np.log([0.4, 6.0, 1.3, 1.1])
        slope = [(loglik(at + step)[0] - loglik(at - step)[0]) / 2e-5 for step in 1e-5 * np.eye(4)]
        assert loglik(at)[1] == pytest.approx(slope, rel=1e-6)
