"""sBG against the published cohort, direct sums, mpmath and inputs that break others."""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from crmlib.errors import CrmError, DataError, FitError
from crmlib.models.shifted_beta_geo import ShiftedBetaGeoModel, _from_survivors, _LogLikelihood

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]


@pytest.fixture(scope="module")
def high_end() -> ShiftedBetaGeoModel:
    return ShiftedBetaGeoModel().fit(HIGH_END)


def test_published_fit(high_end: ShiftedBetaGeoModel) -> None:
    """Fader & Hardie 2007, High End: alpha .668, beta 3.806, LL -1611.16."""
    assert high_end.loglik_ == pytest.approx(-1611.16, abs=0.01)
    assert {one: round(value, 3) for one, value in high_end.params_.items()} == {
        "alpha": 0.668,
        "beta": 3.806,
    }
    assert high_end.diagnosis_.converged


def test_published_projection(high_end: ShiftedBetaGeoModel) -> None:
    years = [8, 9, 10, 11, 12]
    np.testing.assert_allclose(
        100 * high_end.expected_survival(years), [46.0, 43.6, 41.4, 39.5, 37.8], atol=0.05
    )


def test_second_published_cohort() -> None:
    params = ShiftedBetaGeoModel().fit([1000, 631, 468, 382, 326]).params_
    assert {one: round(value, 3) for one, value in params.items()} == {"alpha": 0.764, "beta": 1.296}


def test_customers_one_by_one_are_the_cohort(high_end: ShiftedBetaGeoModel) -> None:
    lost = -np.diff(HIGH_END)
    ages = np.concatenate([np.repeat(np.arange(1, 8), lost), np.full(HIGH_END[-1], 7)])
    data = pd.DataFrame({"T": ages, "alive": np.arange(1000) >= lost.sum()})
    one_by_one = ShiftedBetaGeoModel().fit(data)
    weighted = ShiftedBetaGeoModel().fit(data.groupby(["T", "alive"]).size().rename("weight").reset_index())
    for model in (one_by_one, weighted):
        assert model.loglik_ == pytest.approx(high_end.loglik_, rel=1e-12)
        assert model.params_ == pytest.approx(high_end.params_, rel=1e-8)


def test_gradient_is_that_of_the_likelihood() -> None:
    loglik, at = _LogLikelihood(*_from_survivors(HIGH_END)), np.array([-0.4, 1.3])
    for place in range(2):
        step = np.eye(2)[place] * 1e-5
        by_difference = (loglik(at + step)[0] - loglik(at - step)[0]) / 2e-5
        assert loglik(at)[1][place] == pytest.approx(by_difference, rel=1e-6)


def test_retention_and_survival_agree(high_end: ShiftedBetaGeoModel) -> None:
    t = np.arange(1, 30)
    alpha, beta = high_end.params_.values()
    np.testing.assert_allclose(high_end.expected_retention_rate(t), (beta + t - 1) / (alpha + beta + t - 1))
    np.testing.assert_allclose(
        np.cumprod(high_end.expected_retention_rate(t)), high_end.expected_survival(t), rtol=1e-12
    )
    assert high_end.expected_survival(0) == 1
    assert (np.diff(high_end.expected_retention_rate(t)) > 0).all()


def test_lifetimes_are_the_sums_they_stand_for(high_end: ShiftedBetaGeoModel) -> None:
    survival = high_end.expected_survival(np.arange(3000))
    discount = 1.1 ** -np.arange(3000.0)
    new = high_end.expected_lifetime_new_customer(discount_rate=0.1)
    assert new == pytest.approx(survival @ discount, rel=1e-12)
    data = pd.DataFrame({"T": [0, 4, 4], "alive": [True, True, False]}, index=list("abc"))
    residual = high_end.expected_residual_lifetime(data, discount_rate=0.1)
    expected = [survival[1:] @ discount[:-1], survival[5:] / survival[4] @ discount[:-5], 0]
    np.testing.assert_allclose(residual, expected, rtol=1e-12)
    assert residual.index.tolist() == list("abc")


@pytest.mark.parametrize("alpha", [0.05, 0.668, 1.0, 3.0, 500.0])
@pytest.mark.parametrize("beta", [0.1, 3.8, 1000.0])
@pytest.mark.parametrize("rate", [1e-4, 0.05, 2.0])
def test_discounted_lifetime_against_mpmath(alpha: float, beta: float, rate: float) -> None:
    """The closed form 2F1(1, beta; alpha + beta; 1 / (1 + d)), which scipy returns as nan for many of these."""
    model = ShiftedBetaGeoModel.from_params(alpha=alpha, beta=beta)
    z = 1 / (1 + mpmath.mpf(rate))
    exact = mpmath.hyp2f1(1, alpha, mpmath.mpf(alpha) + beta, z / (z - 1)) / (1 - z)
    assert model.expected_lifetime_new_customer(rate) == pytest.approx(float(exact), rel=1e-8)


def test_undiscounted_lifetime() -> None:
    data = pd.DataFrame({"T": [0, 3]})
    finite = ShiftedBetaGeoModel.from_params(alpha=3.0, beta=4.0)
    t = np.arange(1, 200_000)
    expected = finite.expected_survival(t).sum()
    assert finite.expected_residual_lifetime(data)[0] == pytest.approx(expected, rel=1e-4)
    assert np.isinf(
        ShiftedBetaGeoModel.from_params(alpha=0.668, beta=3.8).expected_residual_lifetime(data)
    ).all()


def test_probability_alive_continues_survival(high_end: ShiftedBetaGeoModel) -> None:
    data = pd.DataFrame({"T": [0, 3, 3], "alive": [1, 1, 0]})
    survival = high_end.expected_survival(np.arange(6))
    np.testing.assert_allclose(
        high_end.expected_probability_alive(data, 2), [survival[2], survival[5] / survival[3], 0], rtol=1e-12
    )
    assert high_end.expected_probability_alive(data).tolist() == [1, 1, 0]


def test_text_horizons_need_the_unit() -> None:
    data = pd.DataFrame({"T": [1]})
    params = {"alpha": 0.7, "beta": 3.8}
    yearly = ShiftedBetaGeoModel.from_params(**params, time_unit="Y")
    assert yearly.expected_probability_alive(data, "24M")[0] == yearly.expected_probability_alive(data, 2)[0]
    with pytest.raises(CrmError, match="does not know its unit"):
        ShiftedBetaGeoModel.from_params(**params).expected_probability_alive(data, "24M")
    with pytest.raises(CrmError, match="whole numbers of renewal periods"):
        yearly.expected_probability_alive(data, 1.5)


def test_intervals_cover_what_chance_allows() -> None:
    """95 % intervals of both parameters over 200 simulated cohorts, jointly at a false-alarm rate of 1 %."""
    truth, covered = pd.Series({"alpha": 0.8, "beta": 2.5}), np.zeros(2)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        leaves = rng.geometric(rng.beta(0.8, 2.5, 3000))
        found = ShiftedBetaGeoModel().fit([np.sum(leaves > t) for t in range(9)]).confint(0.95)
        covered += ((found["low"] <= truth) & (truth <= found["high"])).to_numpy()
    low, high = binom.ppf([0.01 / 4, 1 - 0.01 / 4], 200, 0.95)
    assert ((low <= covered) & (covered <= high)).all(), covered


def test_one_rate_for_all_customers_is_reported() -> None:
    found = ShiftedBetaGeoModel().fit(1e6 * 0.8 ** np.arange(10))
    np.testing.assert_allclose(found.expected_retention_rate([1, 5, 20]), 0.8, atol=1e-3)
    assert "constant retention rate" in str(found.diagnosis_)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ([1000, 631, 640], DataError, "value 3 of 3 is 640.*never rise"),
        ([1000, np.nan], DataError, "value 2 of 2 is nan"),
        ([1000], DataError, "at least one"),
        ([1000, 1000, 1000], FitError, "nobody left"),
        ([1000, 631], FitError, "nobody came to a second renewal"),
        (pd.DataFrame({"T": [1, 2]}), DataError, "has no column 'alive'"),
        (pd.DataFrame({"T": [1.5, 2], "alive": [True, False]}), DataError, "T is no whole number"),
        (pd.DataFrame({"T": [0, 2], "alive": [False, True]}), DataError, "alive is false although T is 0"),
        (pd.DataFrame({"T": [1, 2], "alive": [2, 1]}), DataError, "neither true nor false"),
        (
            pd.DataFrame({"customer_id": ["a", "a"], "T": [1, 2], "alive": [True, False]}),
            DataError,
            "customer_id is there more than once",
        ),
    ],
)
def test_refusals(data: object, error: type[CrmError], words: str) -> None:
    with pytest.raises(error, match=words):
        ShiftedBetaGeoModel().fit(data)
