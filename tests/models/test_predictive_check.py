"""Coverage, PIT and totals against brute force over the probabilities themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib import BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel
from crmlib.models.backtesting.scores import PredictiveCheck, check_counts, predictive_total

MODELS = [
    BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W"),
    ModifiedBetaGeoModel.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614, time_unit="W"),
    ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W"),
]
CUSTOMERS = pd.DataFrame(
    {
        "frequency": [0, 0, 2, 2, 9, 30],
        "recency": [0.0, 0.0, 30.43, 10.0, 35.0, 38.0],
        "T": [38.86, 12.0, 38.86, 38.86, 38.86, 38.86],
    }
)
T = 39.0


def distribution(model, n=400):
    pmf = model.probability_of_purchases(list(range(n)), CUSTOMERS, T).to_numpy()
    return pmf, pmf.cumsum(axis=1)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_against_the_whole_table_of_probabilities(model):
    counts = np.array([0, 3, 1, 0, 12, 45])
    found = check_counts(model, CUSTOMERS, counts, T, 7)
    pmf, cdf = distribution(model)
    rows = np.arange(len(counts))
    exactly = pmf[rows, counts]
    below = cdf[rows, counts] - exactly
    assert np.allclose(found.pit, below + np.random.default_rng(7).random(6) * exactly, atol=1e-9)
    assert found.log_score == pytest.approx(-np.log(exactly).mean(), rel=1e-7)
    for level, implied, actual in found.coverage.to_numpy():
        low, high = ((cdf >= end).argmax(axis=1) for end in ((1 - level) / 2, (1 + level) / 2))
        assert implied == pytest.approx((cdf[rows, high] - cdf[rows, low] + pmf[rows, low]).mean(), abs=1e-9)
        assert actual == ((low <= counts) & (counts <= high)).mean()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_draws_from_the_model_are_uniform_and_covered_as_implied(model):
    many = pd.concat([CUSTOMERS] * 700, ignore_index=True)
    counts = model.sample_purchases(many, T, 1, 3)[0]
    found = check_counts(model, many, counts, T, 4)
    assert found.distance_to_uniform * np.sqrt(len(many)) < 1.628  # level 1 %
    away = (found.coverage["actual"] - found.coverage["implied"]).abs()
    assert (
        away < 3.3 * np.sqrt(found.coverage["implied"] * (1 - found.coverage["implied"]) / len(many))
    ).all()


def test_distance_to_uniform_of_a_hand_made_sample():
    for pit, distance in (([0.5], 0.5), ([0.1, 0.2, 0.3, 0.4], 0.6), ((np.arange(10) + 0.5) / 10, 0.05)):
        found = PredictiveCheck(np.array(pit), 0.0, pd.DataFrame())
        assert found.distance_to_uniform == pytest.approx(distance)


def test_a_total_varies_with_customers_as_their_probabilities_say(cdnow_summary):
    model = BetaGeoModel(time_unit="W").fit(cdnow_summary)
    found = predictive_total(model, cdnow_summary, T, 0)
    few = cdnow_summary.drop_duplicates(["frequency", "recency", "T"])
    pmf = model.probability_of_purchases(list(range(150)), few, T).to_numpy()
    n = np.arange(150)
    keys = ["frequency", "recency", "T"]
    weights = cdnow_summary.groupby(keys, sort=False).size().to_numpy()
    variance = pmf @ n**2 - (pmf @ n) ** 2
    assert found.mean == pytest.approx(weights @ (pmf @ n), rel=1e-4)
    assert found.of_customers == pytest.approx(np.sqrt(weights @ variance), rel=0.02)
    low, high = found.interval(0.95)
    # the usual predictive total of CDNOW's sample, by simulation with the parameters' uncertainty
    assert low == pytest.approx(1457, abs=20)
    assert high == pytest.approx(1849, abs=20)
