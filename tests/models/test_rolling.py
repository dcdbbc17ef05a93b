"""Forecasts from several origins, and what they say of totals and drift."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, rfm_summary
from crmlib.errors import CrmError, FitError
from crmlib.models.backtesting.backtest import backtest
from crmlib.models.backtesting.origin_errors import learn_from_origins
from crmlib.models.backtesting.rolling import rolling_origins
from tests.models.conftest import CDNOW
from tests.models.worlds import beta_geo_world

TERMS = {"as_of": "1998-06-30", "horizon": "26W", "step": "60D"}


@pytest.fixture(scope="module")
def log():
    return pd.read_csv(CDNOW, parse_dates=["date"], dtype={"customer_id": str})


@pytest.fixture(scope="module")
def found(log):
    models = [BetaGeoModel(), ModifiedBetaGeoModel()]
    return rolling_origins(log, first="1997-07-01", models=models, spend_model=GammaGammaModel(), **TERMS)


def test_each_origin_is_a_backtest_of_its_own(found, log):
    alone = backtest(log, calibration_end="1997-08-30", as_of="1998-02-28", models=[BetaGeoModel()])
    row = found.totals[found.totals["model"] == "BG/NBD"].iloc[1]
    score = alone.scores.iloc[0]
    assert str(row["origin"]) == "1997-08-30"
    for one, other in {"low": "predicted_low", "high": "predicted_high"}.items():
        assert row[one] == pytest.approx(score[other], rel=1e-9)
    for name in ("customers", "actual", "predicted", "total_error"):
        assert row[name] == pytest.approx(score[name], rel=1e-9)


def test_origins_stop_where_the_horizon_would_pass_the_last_day(found):
    assert [str(day) for day in found.totals["origin"].unique()] == [
        "1997-07-01",
        "1997-08-30",
        "1997-10-29",
        "1997-12-28",
    ]


def test_parameters_at_each_origin(found):
    frame = found.parameters
    assert len(frame) == 4 * 2 * 4
    known = frame.dropna()
    assert ((known["low"] < known["estimate"]) & (known["estimate"] < known["high"])).all()


def test_the_model_that_errs_least_before_the_last_origin_is_chosen_and_tested_on_the_last(found):
    """By hand: BG/NBD errs less at the first three; its mean log error, shrunk by what three are worth."""
    chosen, table = found.choose(), found.totals.set_index(["model", "origin"])["spend_error"]
    logs = {model: np.log1p(table[model].to_numpy()) for model in ("BG/NBD", "MBG/NBD")}
    assert chosen.model == "BG/NBD"
    assert (logs["BG/NBD"][:3] ** 2).sum() < (logs["MBG/NBD"][:3] ** 2).sum()
    near, far = 1 - 60 / 182, 1 - 120 / 182
    worth = 9 / (3 + 2 * (2 * near + far))
    bias = logs["BG/NBD"][:3].mean() * worth / (worth + 1)
    assert chosen.effective == pytest.approx(worth)
    assert chosen.correction == pytest.approx(np.exp(-bias))
    last = chosen.tests.iloc[-1]
    assert last["error"] == pytest.approx(np.expm1(logs["BG/NBD"][3]))
    assert last["corrected_error"] == pytest.approx(np.expm1(logs["BG/NBD"][3] - bias))
    given = found.choose("MBG/NBD")
    assert given.model == "MBG/NBD"
    assert set(given.tests["model"]) == {"MBG/NBD"}


@pytest.mark.thorough
def test_nominal_coverage_of_totals_where_the_model_is_true():
    """Over independent worlds the model's own 80 % interval of a total holds it about as often."""
    held = []
    for seed in range(10):
        world, end, as_of = beta_geo_world(400, seed=100 + seed)
        one = rolling_origins(
            world, first=end, as_of=as_of, horizon="52W", step="52W", models=[BetaGeoModel()]
        )
        held += one.totals["inside"].tolist()
    assert np.sum(held) >= 5  # at 80 % fewer of 10 hold with a probability of .6 %


def test_refusals_name_the_cure(log):
    with pytest.raises(CrmError, match="earlier first"):
        rolling_origins(log, first="1998-05-01", models=[BetaGeoModel()], **TERMS)
    with pytest.raises(FitError, match="1997-01-01.*later first"):
        rolling_origins(log, first="1997-01-01", models=[BetaGeoModel()], **TERMS)
    with pytest.raises(CrmError, match="step"):
        rolling_origins(log, first="1997-07-01", models=[BetaGeoModel()], **TERMS | {"step": 0})


def test_unknown_names_are_refused(found):
    with pytest.raises(CrmError, match="BG/NBD"):
        found.choose("BGNBD")


def test_without_a_purchase_in_a_horizon_there_is_no_error():
    world, end, as_of = beta_geo_world(400, seed=7)
    silent = world[world["date"] <= pd.Timestamp(end)]
    terms = {"horizon": "26W", "step": "26W", "models": [BetaGeoModel()]}
    found = rolling_origins(silent, first=end, as_of=as_of, **terms).choose()
    assert (found.model, found.correction) == ("BG/NBD", 1.0)
    assert np.isnan(found.spread)


def errors_at(step, horizon, bias, rng, models=3, count=4):
    """Log errors of models that share nothing, at overlapping origins, and that of a new total of each."""
    days = np.arange(count) * step
    overlap = np.clip(1 - np.abs(days[:, None] - days) / horizon, 0, 1)
    of_model = bias(models)
    chance = 0.1 * rng.multivariate_normal(np.zeros(count), overlap)
    index = pd.Timestamp("2024-01-01") + pd.to_timedelta(days, "D")
    names = [f"m{number}" for number in range(models)]
    return pd.DataFrame(np.expm1(chance[:, None] + of_model), index, names), of_model + rng.normal(0, 0.1)


@pytest.mark.parametrize("step", [60, 182])
@pytest.mark.parametrize("size", [0.0, 0.1])
def test_the_interval_of_a_corrected_total_holds_the_error_of_the_choice(step, size):
    """In 80 % of worlds, whether horizons overlap or not and models are biased or not; 600 worlds each."""
    rng, held = np.random.default_rng(3), []
    for _ in range(600):
        errors, new = errors_at(step, 182, lambda models: size * rng.normal(size=models), rng)
        chosen = learn_from_origins(errors, 182)
        low, high = chosen.interval(chosen.correction * np.exp(new[int(chosen.model[1:])]))
        held.append(low <= 1 <= high)
    assert np.mean(held) == pytest.approx(0.8, abs=0.05)  # three standard errors


def test_a_correction_helps_where_all_errors_have_one_cause():
    rng, before, after = np.random.default_rng(4), [], []
    for _ in range(200):
        errors, new = errors_at(60, 182, lambda models: np.full(models, -0.2), rng, models=1)
        before.append(new[0])
        after.append(new[0] + np.log(learn_from_origins(errors, 182).correction))
    assert np.square(after).mean() < 0.6 * np.square(before).mean()


def test_fewer_than_three_origins_correct_nothing(found):
    errors = found.totals.pivot(index="origin", columns="model", values="spend_error")
    two = learn_from_origins(errors.iloc[:2], 182)
    assert two.correction == 1.0
    assert np.isnan(two.interval(100.0)).all()
    assert "not corrected" in two.sentence
    assert learn_from_origins(errors.iloc[:3], 182).correction > 1


def test_what_got_worse_at_the_last_origin_is_reported(found):
    index = pd.date_range("2024-01-01", periods=4, freq="91D")
    worse = learn_from_origins(pd.DataFrame({"BG/NBD": [-0.2, -0.2, -0.2, 0.1]}, index), 91)
    assert worse.sentence.endswith(
        "+10 % without the correction, +30 % with it: here it made the error larger."
    )
    assert "larger" not in learn_from_origins(pd.DataFrame({"BG/NBD": [-0.2] * 4}, index), 91).sentence


def test_revenue_of_the_coming_months_adds_up_to_that_of_all_three(log):
    summary = rfm_summary(log, as_of="1998-06-30")
    model, spend = BetaGeoModel().fit(summary), GammaGammaModel().fit(summary)
    index = pd.date_range("2024-01-01", periods=4, freq="30D")
    past = learn_from_origins(pd.DataFrame({"BG/NBD": [-0.1, -0.2, -0.1, -0.15]}, index), 30)
    table = past.revenue_by_month(model, spend, summary)
    assert table["month"].dt.strftime("%Y-%m-%d").tolist() == ["1998-07-01", "1998-08-01", "1998-09-01"]
    each = spend.expected_customer_spend(summary)
    whole = (model.expected_purchases(summary, (31 + 31 + 30) / 7) * each).sum()
    assert table["uncorrected"].sum() == pytest.approx(whole)
    assert np.allclose(table["revenue"], past.correction * table["uncorrected"])
    assert ((table["low"] < table["revenue"]) & (table["revenue"] < table["high"])).all()
    wider = learn_from_origins(pd.DataFrame({"BG/NBD": [0.3, -0.3, 0.4, -0.2]}, index), 30)
    both = past.revenue_by_month(model, spend, summary, month=wider)
    assert np.allclose(both["revenue"], table["revenue"])
    assert both["high"].tolist() == [wider.interval(total)[1] for total in table["revenue"]]
    assert (both["high"] > table["high"]).all()
    middle = rfm_summary(log, as_of="1998-06-15")
    begun = past.revenue_by_month(model, spend, middle)
    ahead = [
        (model.expected_purchases(middle, days / 7) * spend.expected_customer_spend(middle)).sum()
        for days in (15, 46)
    ]
    assert begun["month"].iloc[0] == pd.Timestamp("1998-07-01")
    assert begun["uncorrected"].iloc[0] == pytest.approx(ahead[1] - ahead[0])
