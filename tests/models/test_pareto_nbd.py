from __future__ import annotations

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtri

from crmlib import ParetoNBDModel
from crmlib.models import pareto_nbd, purchase
from crmlib.models._histories import read_histories
from tests.models import oracles
from tests.models.worlds import LAWS, pareto_histories

CDNOW = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}


def one(x: float, t_x: float, age: float) -> pd.DataFrame:
    return pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [age]})


def random_cases(seed: int, n: int, most: int, spread: float) -> list[tuple]:
    random = np.random.default_rng(seed)
    cases = []
    for _ in range(n):
        x = int(random.choice([0, 1, 2, 30, random.integers(0, most + 1), most]))
        age = float(random.choice([1e-3, 1, 38.86, 365, 18262]))
        t_x = age * float(random.choice([1, random.random(), 0.01])) if x else 0.0
        t = float(random.choice([1e-3, 1, 39, 365, 18262]))
        r, s = (float(one) for one in 10 ** random.uniform(-spread, spread, 2))
        s = float(random.choice([s, s, 1.0, 1 + 10 ** random.uniform(-12, -3)]))
        alpha, beta = (float(one) for one in 10 ** random.uniform(-3, 4, 2))
        beta = alpha if random.random() < 0.1 else beta
        cases.append(((x, t_x, age), t, {"r": r, "alpha": alpha, "s": s, "beta": beta}))
    return cases


def test_fader_hardie_lee_2005(cdnow_summary):
    """Fader, Hardie & Lee (2005), table 2: Pareto/NBD on the same data."""
    model = ParetoNBDModel(time_unit="W").fit(cdnow_summary)
    assert model.loglik_ == pytest.approx(-9594.98, abs=0.01)
    rounded = {name: round(value, 3) for name, value in model.params_.items()}
    assert rounded == pytest.approx(CDNOW, rel=1e-3)  # beta lies on a ridge
    assert model.diagnosis_.converged


@pytest.mark.parametrize("spread", [1.5, 4.0])
def test_likelihood_alive_and_purchases_agree_with_mpmath(spread):
    for history, t, params in random_cases(5, 40, 500, spread):
        model, customer = ParetoNBDModel.from_params(**params), one(*history)
        loglik, _ = model._log_likelihood(read_histories(customer, weighted=True))(
            np.log(list(params.values()))
        )
        likelihood = oracles.pareto_nbd_likelihood(history, params)
        assert loglik == pytest.approx(float(mp.log(likelihood)), rel=1e-9, abs=1e-11)
        alive = float(oracles.pareto_nbd_alive(history, params))
        assert model.expected_probability_alive(customer)[0] == pytest.approx(alive, rel=1e-9, abs=1e-30)
        ahead = float(oracles.pareto_nbd_purchases(history, t, params))
        assert model.expected_purchases(customer, t)[0] == pytest.approx(ahead, rel=1e-8, abs=1e-30)


def test_very_heavy_buyers_agree_with_mpmath():
    for x, t_x, params in [
        (20_000, 364.9, {"r": 0.6, "alpha": 1.5, "s": 1.0, "beta": 20.0}),
        (20_000, 364.0, {"r": 0.6, "alpha": 30.0, "s": 0.4, "beta": 2.0}),
        (5_000, 300.0, {"r": 5.0, "alpha": 900.0, "s": 30.0, "beta": 0.5}),
    ]:
        exact = float(oracles.pareto_nbd_purchases((x, t_x, 365.0), 365.0, params))
        found = ParetoNBDModel.from_params(**params).expected_purchases(one(x, t_x, 365.0), 365.0)
        assert found[0] == pytest.approx(exact, rel=1e-8, abs=1e-30)


def test_probabilities_and_discounted_purchases_agree_with_mpmath():
    delta = np.random.default_rng(3).choice([1e-4, 0.01, 1.0], 8)
    for (history, t, params), rate in zip(random_cases(7, 8, 60, 1.0), delta, strict=True):
        model, customer = ParetoNBDModel.from_params(**params), one(*history)
        for n in (0, 5):
            exact = float(oracles.pareto_nbd_pmf(n, history, t, params))
            found = model.probability_of_purchases(n, customer, t)[0]
            assert found == pytest.approx(exact, rel=1e-8, abs=1e-30)

        def purchase_rate(u, history=history, params=params):
            return oracles.pareto_nbd_rate(history, u, params)

        alive = oracles.pareto_nbd_alive(history, params)
        exact = float(alive * oracles.discounted(purchase_rate, t, rate))
        found = model.expected_purchases_discounted(customer, t, rate)[0]
        assert found == pytest.approx(exact, rel=1e-8, abs=1e-30)


def test_probabilities_add_up_and_have_the_expected_mean():
    model = ParetoNBDModel.from_params(**CDNOW)
    table = pd.DataFrame({"frequency": [0, 2, 9], "recency": [0, 30.43, 20.0], "T": [10.0, 38.86, 38.0]})
    pmf = model.probability_of_purchases(range(200), table, 39)
    assert pmf.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-10)
    assert pmf.to_numpy() @ np.arange(200) == pytest.approx(model.expected_purchases(table, 39), rel=1e-8)
    draws = model.sample_purchases(table, 39, n=20_000, random_state=1)
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - model.expected_purchases(table, 39)) < 4 * error)
    assert (draws == 1).mean(axis=0) == pytest.approx(pmf[1], abs=0.015)


def test_new_customers_buy_as_simulated_ones():
    model = ParetoNBDModel.from_params(**CDNOW)
    for age in (1.0, 26.0, 78.0):
        bought = oracles.simulate("pareto", CDNOW, 100_000, age, seed=3, all_aged=True)["frequency"]
        error = bought.std() / np.sqrt(len(bought))
        assert abs(bought.mean() - model.expected_purchases_new_customer(age)) < 4 * error


@pytest.mark.thorough
def test_parameters_are_recovered_with_honest_intervals():
    """The joint 95 % region of all parameters holds the truth as often as chance allows, over 200 data sets."""
    truth = {"r": 0.8, "alpha": 5.0, "s": 1.0, "beta": 15.0}
    inside = 0
    for seed in range(200):
        data = oracles.simulate("pareto", truth, 1000, 80.0, seed, all_aged=True)
        model = ParetoNBDModel().fit(data)
        assert model.diagnosis_.converged
        off = np.log(list(model.params_.values())) - np.log(list(truth.values()))
        inside += off @ np.linalg.solve(model._log_covariance, off) < chdtri(4, 0.05)
    assert 180 <= inside <= 198  # of 200 at 95 %: outside this once in a thousand


def test_gradient_is_that_of_the_likelihood(cdnow_summary):
    loglik = ParetoNBDModel.from_params(**CDNOW)._log_likelihood(read_histories(cdnow_summary, weighted=True))
    for beta in (30.0, 3.0):
        at = np.log([0.5, 9.0, 0.8, beta])
        slope = [(loglik(at + step)[0] - loglik(at - step)[0]) / 2e-5 for step in 1e-5 * np.eye(4)]
        assert loglik(at)[1] == pytest.approx(slope, rel=1e-6)


def test_a_ridge_is_named_with_its_cure(cdnow_summary):
    """On CDNOW s and beta trade off, as the papers say; the diagnosis says so too."""
    (finding,) = ParetoNBDModel().fit(cdnow_summary).diagnosis_.findings
    assert finding.parameters == ("s", "beta")
    assert "on a ridge" in finding.what
    assert "longer calibration period" in finding.cure


@pytest.mark.parametrize("law", LAWS)
def test_starts_tried_on_a_sample_lead_to_the_maximum_of_all_in_a_third_of_the_time(law, monkeypatch):
    data = pareto_histories(law, 4000, seed=1, days=1 / 24)
    rows = len(data.drop_duplicates())
    evaluated = []
    whole = pareto_nbd._LogLikelihood.__call__

    def counted(self, log_params):
        evaluated.append(len(self.known.T) / rows)
        return whole(self, log_params)

    monkeypatch.setattr(pareto_nbd._LogLikelihood, "__call__", counted)
    by_all = ParetoNBDModel().fit(data)
    monkeypatch.setattr(purchase, "SAMPLE", 400)
    evaluated.clear()
    by_sample = ParetoNBDModel().fit(data)
    # Where nobody drops out, how little and how differently they do is all the same to the likelihood.
    flat = law == "nobody drops out"
    assert by_sample.loglik_ == pytest.approx(by_all.loglik_, abs=1e-3 if flat else 1e-6)
    assert by_sample.diagnosis_.converged
    assert flat or by_sample.diagnosis_.without_interval == by_all.diagnosis_.without_interval
    assert sum(evaluated) < 75  # of all histories; without a sample 35 within the bounds, 150 to 250 at one
