"""A parameter at the boundary of the search has no interval, nor has one that moves with it; nor a difference of 0."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.models.backtesting.forecasts import Forecast
from crmlib.models.buying_again import compare_probabilities

TIMES = 12


def alike_in_dropout(seed=1, customers=20_000):
    """Customers who differ in how readily they buy, and drop out all at the same rate."""
    random = np.random.default_rng(seed)
    share, alive = random.beta(2, 3, customers), np.ones(customers, dtype=bool)
    frequency, recency = np.zeros(customers, dtype=int), np.zeros(customers, dtype=int)
    for time in range(1, TIMES + 1):
        alive &= random.random(customers) > 0.07
        bought = alive & (random.random(customers) < share)
        frequency += bought
        recency[bought] = time
    frame = pd.DataFrame({"frequency": frequency, "recency": recency, "T": TIMES})
    return frame.sample(customers // 2, random_state=0)


def alike_in_buying(seed=3, customers=4000):
    """Nobody drops out, and all buy at the same rate."""
    random = np.random.default_rng(seed)
    age = random.uniform(20, 60, customers)
    frequency = random.poisson(0.1 * age)
    recency = age * random.random(customers) ** (1 / np.maximum(frequency, 1)) * (frequency > 0)
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": age})


@pytest.mark.parametrize(
    ("model", "data", "held", "known"),
    [
        (crm.BetaGeoBetaBinomModel(), alike_in_dropout, ["gamma", "delta"], ["alpha", "beta"]),
        (crm.BetaGeoModel(), alike_in_buying, ["a", "b"], ["r", "alpha"]),
    ],
)
def test_what_is_at_its_bound_and_what_moves_along_have_no_interval(model, data, held, known, tmp_path):
    model.fit(data())
    ends = model.confint()
    assert list(model.diagnosis_.without_interval) == held
    assert ends.loc[held].isna().all(axis=None)
    assert ends.loc[known].notna().all(axis=None)
    assert all(np.isnan(model.standard_errors_[one]) for one in held)
    assert repr(model.summary()).count("not identified") == 3 * len(held)
    at_bound = "gamma" not in held
    assert ("gamma would move along, so none of them has an interval" in str(model.diagnosis_)) != at_bound
    model.save(tmp_path / "model.json")
    pd.testing.assert_frame_equal(type(model).load(tmp_path / "model.json").confint(), ends)


def test_a_fit_within_its_bounds_keeps_its_intervals():
    study = crm.open_study("cdnow-sample")
    model = crm.BetaGeoModel().fit(crm.rfm_summary(study.transactions, as_of=study.as_of))
    assert model.diagnosis_.without_interval == ()
    assert model.confint().notna().all(axis=None)


def test_forecasts_without_a_visible_difference_tie():
    random = np.random.default_rng(0)
    chance = random.uniform(0.02, 0.06, 20_000)
    happened = random.random(20_000) < chance
    names = {"one": chance, "the same but for dust": chance + 1e-5, "far off": chance + 0.2}
    forecasts = [
        Forecast(name=name, kind="model", purchases=one, any_purchase=one) for name, one in names.items()
    ]
    found = compare_probabilities(forecasts, happened, resamples=50, random_state=0).set_index("forecast")
    assert found["behind_beyond_chance"].to_dict() == dict(zip(names, (False, False, True), strict=True))
