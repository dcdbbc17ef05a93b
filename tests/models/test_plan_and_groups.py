"""Where a log is cut when nobody says, its groups and its grids."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from crmlib import BetaGeoModel, ParetoNBDModel
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.errors import CrmError
from crmlib.models.backtesting.backtest import plan_backtest
from crmlib.models.backtesting.rolling import fit_by_group, rolling_origins
from tests.models.worlds import beta_geo_world


def days(count):
    dates = pd.date_range("2024-01-01", periods=count)
    return pd.DataFrame({"customer_id": "a", "date": dates, "amount": 1.0})


class TestPlan:
    def test_a_long_log_keeps_a_whole_horizon_apart(self):
        plan = plan_backtest(days(2000), as_of="2029-06-22", horizon="52W")
        assert plan.calibration_end == dt.date(2029, 6, 22) - dt.timedelta(days=364)
        assert plan.origin_horizon == "364D"

    def test_a_short_log_is_halved(self):
        plan = plan_backtest(days(100), as_of="2024-04-09", horizon="1Y")
        assert plan.calibration_end == dt.date(2024, 2, 19)
        assert plan.origin_horizon == "33D"

    def test_a_cut_that_is_given_is_kept(self):
        plan = plan_backtest(days(100), as_of="2024-04-09", horizon="1Y", calibration_end="2024-03-01")
        assert plan.calibration_end == dt.date(2024, 3, 1)

    @pytest.mark.parametrize("length", [61, 100, 364, 365, 731])
    def test_its_origins_are_four_and_fit(self, length):
        log, _, _ = beta_geo_world(300, seed=3)
        last = pd.Timestamp("2023-01-02") + pd.Timedelta(length, "D")
        plan = plan_backtest(log, as_of=last, horizon="52W")
        end = pd.Timestamp(plan.first)
        step, horizon = (
            pd.Timedelta(int(span.removesuffix("D")), "D") for span in (plan.step, plan.origin_horizon)
        )
        origins = 0
        while end + horizon <= last:
            end, origins = end + step, origins + 1
        assert origins in (4, 5)

    def test_too_short_a_log_is_refused(self):
        with pytest.raises(CrmError, match="30 days.*60"):
            plan_backtest(days(30), as_of="2024-01-30", horizon="1Y")
        with pytest.raises(CrmError, match="2020-01-30 is before the log"):
            plan_backtest(days(30), as_of="2020-01-30", horizon="1Y")


class TestByGroup:
    def test_each_market_has_its_own_fit_and_one_that_has_none_says_why(self):
        log, _, as_of = beta_geo_world(900, seed=4)
        number = log["customer_id"].str[1:].astype(int)
        log["market"] = np.where(number < 600, "north", "south")
        few = pd.DataFrame(
            {"customer_id": ["z"], "date": [log["date"].min()], "amount": 1.0, "market": "west"}
        )
        log = pd.concat([log, few])
        table = fit_by_group(log, by="market", as_of=as_of, models=[BetaGeoModel()], time_unit="D")
        alone = BetaGeoModel().fit(rfm_summary(log[log["market"] == "north"], as_of=as_of, time_unit="D"))
        north = table[table["group"] == "north"].set_index("parameter")
        assert north["estimate"].to_dict() == pytest.approx(alone.params_, rel=1e-6)
        assert (north["customers"] == 600).all()
        everybody = fit_by_group(log, by=None, as_of=as_of, models=[BetaGeoModel()], time_unit="D")
        assert set(everybody["group"]) == {"(all)"}
        assert (everybody["customers"] == 901).all()
        west = table[table["group"] == "west"]
        assert len(west) == 1
        assert "repeat" in west["note"].iloc[0]


class TestGrids:
    @pytest.mark.parametrize("kind", [BetaGeoModel, ParetoNBDModel])
    def test_each_cell_is_the_models_answer_for_that_customer(self, kind, cdnow_summary):
        model = kind(time_unit="W").fit(cdnow_summary)
        grids = model.history_grids(age=38.0, future_t="26W", most=6, steps=19)
        one = pd.DataFrame({"frequency": [3], "recency": [30.0], "T": [38.0]})
        assert grids.p_alive.loc[3, 30.0] == pytest.approx(
            model.expected_probability_alive(one)[0], rel=1e-12
        )
        assert grids.expected_purchases.loc[3, 30.0] == pytest.approx(
            model.expected_purchases(one, 26)[0], rel=1e-12
        )
        assert grids.horizon == "26 weeks"

    def test_where_nobody_can_be_it_is_empty(self):
        model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
        grid = model.history_grids(age=10.0, future_t=5, most=3, steps=5).p_alive
        assert grid.shape == (4, 6)
        assert np.isnan(grid.loc[0, grid.columns > 0]).all()
        assert np.isnan(grid.loc[1:, 0.0]).all()
        assert grid.loc[1:, grid.columns > 0].notna().all(axis=None)


def test_a_plan_is_what_rolling_origins_take():
    log, _, as_of = beta_geo_world(600, seed=5)
    plan = plan_backtest(log, as_of=as_of, horizon="52W")
    found = rolling_origins(log, as_of=as_of, models=[BetaGeoModel()], **plan.origins)
    assert len(found.choose().tests) == 4
