"""Forecasts from several origins, and what they say of totals and drift."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel
from crmlib.economics.value_tables import customer_equity
from crmlib.errors import CrmError, FitError
from crmlib.models.backtesting.backtest import backtest
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


def test_they_widen_the_interval_of_customer_equity(found):
    errors = found.errors("BG/NBD", of="spend_error")
    equity = customer_equity(pd.DataFrame({"clv": [100.0]}), origin_errors=errors)
    assert equity.low < 100 < equity.high
    assert len(errors) == 4


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
    with pytest.raises(CrmError, match="earlier first or a shorter horizon"):
        rolling_origins(log, first="1998-05-01", models=[BetaGeoModel()], **TERMS)
    with pytest.raises(FitError, match="1997-01-01.*later first"):
        rolling_origins(log, first="1997-01-01", models=[BetaGeoModel()], **TERMS)
    with pytest.raises(CrmError, match="step"):
        rolling_origins(log, first="1997-07-01", models=[BetaGeoModel()], **TERMS | {"step": 0})


def test_unknown_names_are_refused(found):
    with pytest.raises(CrmError, match="BG/NBD"):
        found.errors("BGNBD")
    with pytest.raises(CrmError, match="spend_error"):
        found.errors("BG/NBD", of="money")


def test_without_a_purchase_in_a_horizon_there_is_no_error_to_tell():
    world, end, as_of = beta_geo_world(400, seed=7)
    silent = world[world["date"] <= pd.Timestamp(end)]
    terms = {"horizon": "26W", "step": "26W", "models": [BetaGeoModel()]}
    assert rolling_origins(silent, first=end, as_of=as_of, **terms).errors("BG/NBD") is None
