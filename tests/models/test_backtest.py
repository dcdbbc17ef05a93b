"""A backtest against the published holdout of CDNOW, simulated worlds, and the log counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crmlib import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel
from crmlib.errors import CrmError, FitError
from crmlib.findings import CARE, REFUSE, USE
from crmlib.models.backtesting.backtest import backtest
from crmlib.models.backtesting.verdict import verdict, verdicts
from tests.models.conftest import CDNOW
from tests.models.worlds import beta_geo_world

END, AS_OF = "1997-09-30", "1998-06-30"


def models():
    return [BetaGeoModel(), ModifiedBetaGeoModel(), ParetoNBDModel()]


@pytest.fixture(scope="module")
def sample_log():
    return pd.read_csv(CDNOW, parse_dates=["date"], dtype={"customer_id": str})


@pytest.fixture(scope="module")
def sample(sample_log):
    return backtest(
        sample_log, calibration_end=END, as_of=AS_OF, models=models(), spend_model=GammaGammaModel()
    )


@pytest.fixture(scope="module")
def master():
    log = pd.read_csv(
        CDNOW.parents[1] / "cdnow" / CDNOW.name, parse_dates=["date"], dtype={"customer_id": str}
    )
    return backtest(log, calibration_end=END, as_of=AS_OF, models=models())


def of(frame, model):
    return frame[frame["model"] == model].reset_index(drop=True)


class TestPublishedHoldout:
    """Fader, Hardie & Lee (2005), and the figures re-computed from it."""

    def test_totals_and_errors_of_the_sample(self, sample):
        row = sample.scores.set_index("model").loc["BG/NBD"]
        assert row["actual"] == 1882
        assert row["predicted"] == pytest.approx(1653, abs=1)
        assert row["total_error"] == pytest.approx(-0.12, abs=0.005)
        assert row["mae"] == pytest.approx(0.786, abs=0.001)
        assert row["rmse"] == pytest.approx(1.608, abs=0.001)
        assert row["correlation"] == pytest.approx(0.626, abs=0.001)
        assert row["loglik"] == pytest.approx(-9582.43, abs=0.01)

    def test_the_naive_rate(self, sample):
        assert sample.scores.set_index("model").loc["same rate", "mae"] == pytest.approx(1.024, abs=0.0005)

    def test_the_full_master(self, master):
        row = master.scores.set_index("model").loc["BG/NBD"]
        assert (row["customers"], row["actual"]) == (23_570, 19_684)
        assert row["total_error"] == pytest.approx(-0.14, abs=0.005)

    def test_the_verdict_says_so(self, sample, master):
        for found, error in ((sample, "12 % fewer"), (master, "14 % fewer")):
            judged = verdict(found.scores, "BG/NBD")
            assert judged.verdict == CARE
            assert error in str(judged)

    def test_model_implied_coverage_of_a_nominal_80_percent(self, sample):
        row = of(sample.coverage, "BG/NBD").set_index("nominal").loc[0.8]
        assert row["implied"] == pytest.approx(0.944, abs=0.002)  # counts are discrete

    def test_models_beat_every_rule_per_customer(self, sample):
        scores = sample.scores
        assert (
            scores.loc[scores["kind"] == "model", "rmse"].max()
            < scores.loc[scores["kind"] == "rule", "rmse"].min()
        )


class TestFrames:
    def test_tracking_adds_up_to_the_log(self, sample, sample_log):
        frame = of(sample.tracking, "BG/NBD")
        assert frame["period"].tolist() == list(range(1, 79))
        assert (sample.last_calibration_period, sample.holdout) == (39, 39.0)
        days = sample_log.drop_duplicates(["customer_id", "date"]).sort_values("date")
        repeats = days[days.duplicated("customer_id")]
        week = (repeats["date"] - pd.Timestamp("1997-01-01")).dt.days // 7 + 1
        assert frame["actual"].tolist() == week.value_counts().reindex(frame["period"], fill_value=0).tolist()
        assert np.allclose(frame["predicted"].cumsum(), frame["predicted_cumulative"])

    def test_tracking_ends_where_the_scores_do(self, sample):
        predicted = sample.tracking[sample.tracking["holdout"]].groupby("model")["predicted"].sum()
        scores = sample.scores.set_index("model")["predicted"]
        assert np.allclose(predicted, scores[predicted.index])

    def test_tracking_by_age_counts_customers_as_they_are_acquired(self, sample, sample_log):
        model = BetaGeoModel.from_params(r=0.24259, alpha=4.41360, a=0.79292, b=2.42589, time_unit="W")
        born = sample_log.groupby("customer_id")["date"].min()
        for week in (2, 20, 39, 78):
            age = (pd.Timestamp("1997-01-01") + pd.Timedelta(7 * week - 1, "D") - born).dt.days / 7
            expected = model.expected_purchases_new_customer(age[age > 0].to_numpy()).sum()
            found = of(sample.tracking, "BG/NBD").set_index("period").loc[week, "by_age_cumulative"]
            assert found == pytest.approx(expected, rel=1e-4)

    def test_groups_hold_every_customer_and_purchase(self, sample):
        for frame in (sample.by_frequency, sample.by_decile):
            totals = frame.assign(n=frame["customers"] * frame["actual_mean"]).groupby("model")
            assert (totals["customers"].sum() == 2357).all()
            assert np.allclose(totals["n"].sum(), 1882)
        groups = of(sample.by_frequency, "BG/NBD")
        assert groups["frequency_group"].tolist() == ["0", "1", "2", "3", "4", "5", "6", "7+"]
        assert groups["customers"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]

    def test_nothing_is_left_to_chance(self, sample, sample_log):
        again = backtest(
            sample_log, calibration_end=END, as_of=AS_OF, models=models(), spend_model=GammaGammaModel()
        )
        pd.testing.assert_frame_equal(sample.scores, again.scores)


class TestWorlds:
    def test_a_true_model_is_calibrated_and_to_be_used(self):
        log, end, as_of = beta_geo_world(4000, seed=11)
        found = backtest(log, calibration_end=end, as_of=as_of, models=[BetaGeoModel()])
        row = found.scores.set_index("model").loc["BG/NBD"]
        # at a level of 1 %: the quantile of Kolmogorov's distribution
        assert row["pit_distance"] * np.sqrt(row["customers"]) < 1.628
        assert abs(row["coverage_gap"]) < 2.576 * np.sqrt(0.25 / row["customers"])
        assert row["predicted_low"] < row["actual"] < row["predicted_high"]
        assert verdict(found.scores, "BG/NBD").verdict == USE

    @pytest.mark.parametrize("factor", [0.3, 3.0])
    def test_a_world_that_changes_at_the_cut_is_not_to_be_used(self, factor):
        log, end, as_of = beta_geo_world(1500, seed=12, holdout_rate=factor)
        found = backtest(log, calibration_end=end, as_of=as_of, models=[BetaGeoModel()])
        assert verdict(found.scores, "BG/NBD").verdict == REFUSE

    def test_customers_who_take_turns_are_noticed(self):
        """The right total from the wrong customers: who bought before stops, who did not begins."""
        log, end, as_of = beta_geo_world(1500, seed=13)
        after = log["date"] > pd.Timestamp(end)
        ids = np.sort(log["customer_id"].unique())
        counts = log[~after].groupby("customer_id").size().reindex(ids)
        by_count = counts.sort_values(kind="stable").index
        turned = dict(zip(by_count, by_count[::-1], strict=True))
        log.loc[after, "customer_id"] = log.loc[after, "customer_id"].map(turned)
        found = backtest(log, calibration_end=end, as_of=as_of, models=[BetaGeoModel()])
        assert verdict(found.scores, "BG/NBD").verdict == REFUSE


class TestSeal:
    def test_nothing_after_the_calibration_changes_a_prediction(self, sample, sample_log):
        altered = sample_log.copy()
        after = altered["date"] > END
        random = np.random.default_rng(5)
        altered.loc[after, "amount"] *= random.uniform(0, 9, after.sum())
        altered.loc[after, "customer_id"] = random.permutation(altered.loc[after, "customer_id"])
        altered = altered.drop(altered.index[after][::3])
        newborn = pd.DataFrame(
            {"customer_id": "new", "date": pd.to_datetime(["1997-12-01", "1998-02-01"]), "amount": 5.0}
        )
        altered = pd.concat([altered, newborn.reindex(columns=altered.columns)])
        found = backtest(
            altered, calibration_end=END, as_of=AS_OF, models=models(), spend_model=GammaGammaModel()
        )
        for frame, columns in {
            "scores": ["predicted", "predicted_low", "predicted_high", "predicted_spend", "loglik"],
            "tracking": ["predicted", "by_age"],
            "by_frequency": ["customers", "predicted_mean"],
            "by_decile": ["customers", "predicted_mean"],
            "by_probability": ["customers", "predicted_mean"],
            "coverage": ["implied"],
        }.items():
            one, other = getattr(sample, frame)[columns], getattr(found, frame)[columns]
            # the engine adds money up in any order
            pd.testing.assert_frame_equal(one, other, rtol=1e-9)
        assert not np.array_equal(found.scores["actual"], sample.scores["actual"])
        assert found.born_in_holdout.customers == 1


class TestOptions:
    def test_models_are_left_as_they_are(self, sample_log):
        model = BetaGeoModel()
        backtest(sample_log, calibration_end=END, as_of=AS_OF, models=[model])
        assert not hasattr(model, "params_")

    @pytest.mark.parametrize(("time_unit", "periods"), [("D", 78), ("M", 18)])
    def test_other_time_units_give_the_same_result(self, sample, sample_log, time_unit, periods):
        found = backtest(
            sample_log, calibration_end=END, as_of=AS_OF, models=[BetaGeoModel()], time_unit=time_unit
        )
        one, other = (each.scores.set_index("model").loc["BG/NBD"] for each in (sample, found))
        for name in ("actual", "predicted", "mae", "log_score"):
            assert other[name] == pytest.approx(one[name], rel=1e-5)
        assert found.tracking["period"].max() == periods
        assert found.tracking["actual"].sum() == 2457 + 1882

    @pytest.mark.parametrize("collapse", ["W", "M"])
    def test_a_period_that_the_cut_divides_counts_on_both_sides(self, sample_log, collapse):
        found = backtest(
            sample_log, calibration_end="1997-09-17", as_of=AS_OF, models=[BetaGeoModel()], collapse=collapse
        )
        frame = found.tracking
        assert frame.loc[frame["holdout"], "actual"].sum() == found.scores["actual"].iloc[0]

    def test_refusals_name_the_cure(self, sample_log):
        with pytest.raises(CrmError, match="each kind of model once"):
            backtest(sample_log, calibration_end=END, as_of=AS_OF, models=[BetaGeoModel(), BetaGeoModel()])
        with pytest.raises(CrmError, match="models"):
            backtest(sample_log, calibration_end=END, as_of=AS_OF, models=[])
        with pytest.raises(CrmError, match="1996-09-30 is before the log, which goes from 1997-01-01"):
            backtest(sample_log, calibration_end="1996-09-30", as_of=AS_OF, models=[BetaGeoModel()])
        with pytest.raises(CrmError, match="collapse"):
            backtest(
                sample_log,
                calibration_end="1998-06-10",
                as_of="1998-06-20",
                models=[BetaGeoModel()],
                collapse="M",
            )

    def test_spend_without_a_mean_is_refused(self, sample_log):
        heavy = sample_log.copy()
        heavy["amount"] = np.random.default_rng(1).pareto(0.4, len(heavy)) + 1
        with pytest.raises(FitError, match="median spend"):
            backtest(
                heavy,
                calibration_end=END,
                as_of=AS_OF,
                models=[BetaGeoModel()],
                spend_model=GammaGammaModel(),
            )


def test_all_verdicts_the_best_first(sample):
    found = verdicts(sample.scores)
    assert set(found["model"]) == {"BG/NBD", "MBG/NBD", "Pareto/NBD"}
    assert found["verdict"].isin([USE, CARE, REFUSE]).all()
    # the training likelihood has no say
    turned = sample.scores.assign(loglik=-sample.scores["loglik"])
    pd.testing.assert_frame_equal(found, verdicts(turned))
