"""Who buys again, and who is overdue: against brute force, scikit-learn, and worlds whose law is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import lomax
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

import crmlib as crm
from crmlib.errors import CrmError
from crmlib.models.backtesting.forecasts import Forecast
from crmlib.models.buying_again import (
    ActivityComparison,
    compare_probabilities,
    fit_hiatus,
)
from crmlib.models.sentences import comparison_sentence
from tests.models.worlds import beta_geo_world

PARETO = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}


@pytest.fixture(scope="module")
def pareto() -> crm.ParetoNBDModel:
    return crm.ParetoNBDModel.from_params(**PARETO, time_unit="W")


@pytest.fixture(scope="module")
def cdnow() -> crm.Study:
    return crm.open_study("cdnow-sample")


class TestProbabilityActive:
    def test_by_simulation(self, pareto: crm.ParetoNBDModel) -> None:
        customers = pd.DataFrame(
            {"frequency": [0, 3, 9], "recency": [0.0, 20.0, 38.0], "T": [39.0, 39.0, 39.0]}
        )
        drawn = pareto.sample_purchases(customers, 26, 20_000, random_state=4)
        found = pareto.expected_probability_no_purchase(customers, 26)
        np.testing.assert_allclose(found, (drawn == 0).mean(axis=0), atol=0.015)


class TestHiatus:
    @settings(max_examples=30)
    @given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40))
    def test_no_threshold_is_wrong_less_often(self, people: list[tuple[int, bool]]) -> None:
        silence, back = (np.array(one) for one in zip(*people, strict=True))
        found = fit_hiatus(silence.astype(float), back)
        wrong = [((silence <= one) != back).sum() for one in np.unique(silence)]
        assert ((silence <= found) != back).sum() == min(wrong)


@pytest.fixture(scope="module")
def forecasts() -> tuple[list[Forecast], np.ndarray]:
    """Three forecasts of who buys, and what happened."""
    random = np.random.default_rng(7)
    chance = random.beta(0.5, 1.5, 4000)
    happened = random.random(4000) < chance
    chances = {
        "true": chance,
        "nearly": np.clip(chance + 0.01 * random.standard_normal(4000), 1e-3, 0.999),
        "wild": np.clip(chance + 0.3 * random.standard_normal(4000), 0.01, 0.99),
    }
    return [Forecast(name, "rule", p, p) for name, p in chances.items()], happened


def compare(forecasts: tuple, resamples: int, random_state: int = 0) -> pd.DataFrame:
    given, happened = forecasts
    return compare_probabilities(given, happened, resamples=resamples, random_state=random_state)


class TestScores:
    def test_are_those_of_scikit_learn(self, forecasts: tuple) -> None:
        given, happened = forecasts
        scores = compare(forecasts, 20).set_index("forecast")
        for one in given:
            row, chance = scores.loc[one.name], one.any_purchase
            assert row["brier"] == pytest.approx(brier_score_loss(happened, chance))
            assert row["log_loss"] == pytest.approx(log_loss(happened, chance))
            assert row["auc"] == pytest.approx(roc_auc_score(happened, chance))
            assert row["actual"] == happened.mean()

    def test_bootstrap_is_that_of_plain_resampling(self, forecasts: tuple) -> None:
        given, happened = forecasts
        scores = compare(forecasts, 200, random_state=3).set_index("forecast")
        random = np.random.default_rng(8)
        chance, drawn = given[0].any_purchase, []
        for _ in range(200):
            rows = random.integers(0, len(happened), len(happened))
            drawn.append(roc_auc_score(happened[rows], chance[rows]))
        low, high = np.percentile(drawn, [2.5, 97.5])
        assert scores.loc["true", "auc_low"] == pytest.approx(low, abs=0.004)
        assert scores.loc["true", "auc_high"] == pytest.approx(high, abs=0.004)

    def test_the_truth_is_best_and_the_rest_are_placed(self, forecasts: tuple) -> None:
        scores = compare(forecasts, 100)
        assert scores["behind_beyond_chance"].tolist() == [False, False, True]
        assert scores["forecast"].tolist() == ["true", "nearly", "wild"]
        assert (scores["brier_behind"] >= 0).all()
        sentence = comparison_sentence(scores)
        assert sentence.startswith("True has the best Brier score")
        assert "Not clearly worse: nearly." in sentence
        assert "Worse: wild by 0." in sentence


@pytest.fixture(scope="module")
def found(cdnow: crm.Study) -> ActivityComparison:
    models = [crm.ParetoNBDModel(), crm.ModifiedBetaGeoModel()]
    return crm.compare_activity(cdnow.transactions, as_of=cdnow.as_of, models=models)


class TestComparison:
    def test_the_model_that_makes_the_list_is_judged(self, found) -> None:
        assert found.of_model["forecast"] == "MBG/NBD"
        assert found.verdict().verdict == "use"
        assert found.in_words("26 weeks") == (
            "22 % of 2,357 customers bought again within 26 weeks after 30 December 1997; the best purchase model "
            "expected 20 %."
        )
        assert found.deciles["model"].unique()[0] == found.best["forecast"]
        assert found.deciles["model"].iloc[-1] == "base rate"
        behind = found.scores.assign(behind_beyond_chance=found.scores["kind"] == "model")
        judged = replace(found, scores=behind).verdict()
        assert judged.verdict == "use with care"
        assert "errs less, beyond chance" in judged.reasons[0]
        off = replace(found, scores=found.scores.assign(predicted=found.scores["predicted"] - 0.09)).verdict()
        assert off.verdict == "use with care"  # a season that the model does not know
        assert off.reasons == ("It expected 11 % of customers to buy, and 22 % did: beyond chance.",)
        no_better = found.scores.assign(
            brier=found.scores["brier"].where(found.scores["kind"] != "model", 0.2)
        )
        assert replace(found, scores=no_better).verdict().verdict == "do not use"

    def test_models_are_calibrated_on_cdnow(self, found) -> None:
        scores = found.scores.set_index("forecast")
        assert scores.loc["Pareto/NBD", "predicted"] == pytest.approx(
            scores.loc["Pareto/NBD", "actual"], abs=0.02
        )
        assert scores.loc["Pareto/NBD", "gap"] < 0.03
        assert (
            scores.loc["Pareto/NBD", "brier"]
            < scores.loc["hiatus rule", "brier"]
            < scores.loc["base rate", "brier"]
        )

    def test_every_forecast_is_judged_by_the_same_customers(self, found, cdnow: crm.Study) -> None:
        counted = found.deciles.groupby("model")["customers"].sum()
        assert set(counted) == {found.customers} == {2357}
        assert set(counted.index) == set(found.scores["forecast"])
        bought = found.deciles.groupby("model").apply(
            lambda rows: (rows["customers"] * rows["actual_mean"]).sum(), include_groups=False
        )
        assert np.ptp(bought) < 1e-6
        assert (found.earlier.isoformat(), found.calibration_end.isoformat()) == ("1997-07-01", "1997-12-30")

    def test_nothing_of_the_holdout_enters_a_forecast(self, found, cdnow: crm.Study) -> None:
        log = cdnow.transactions.to_pandas()[["customer_id", "date", "amount"]]
        random = np.random.default_rng(0)
        after = log["date"] > "1997-12-30"
        # in the holdout, others buy
        log.loc[after, "customer_id"] = random.choice(log["customer_id"].unique(), after.sum())
        models = [crm.ParetoNBDModel(), crm.ModifiedBetaGeoModel()]
        other = crm.compare_activity(log, as_of=cdnow.as_of, models=models, resamples=2)
        same = ["model", "decile", "customers", "predicted_mean"]
        ranked, before = (
            one.deciles[same].sort_values(["model", "decile"], ignore_index=True) for one in (other, found)
        )
        pd.testing.assert_frame_equal(ranked, before)
        assert other.hiatus == found.hiatus

    def test_a_true_model_is_not_behind(self) -> None:
        log, _cut, last = beta_geo_world(4000, seed=11)
        found = crm.compare_activity(
            log, as_of=last, models=[crm.BetaGeoModel()], horizon="180D", time_unit="D", resamples=100
        )
        row = found.scores.set_index("forecast").loc["BG/NBD"]
        assert not row["behind_beyond_chance"]
        assert row["gap"] < 0.01

    def test_too_little_is_refused(self, cdnow: crm.Study) -> None:
        found = crm.compare_activity(
            cdnow.transactions, as_of=cdnow.as_of, models=[crm.BetaGeoModel()], horizon="39W"
        )
        assert "needs 30 who did" in found.reason
        assert found.sentence == found.basis == f"Not measured: {found.reason}."
        assert found.scores.empty
        assert "behind_beyond_chance" in found.scores
        assert found.fit_best(crm.rfm_summary(cdnow.transactions, as_of=cdnow.as_of)) is None

    def test_a_time_that_is_too_long_is_halved_down_to_the_shortest(self, cdnow: crm.Study) -> None:
        asked = dict(as_of=cdnow.as_of, models=[crm.BetaGeoModel()], resamples=2)
        halved = crm.compare_activity(cdnow.transactions, horizon="39W", shortest="4W", **asked)
        assert (halved.horizon, halved.reason) == ("19W", "")
        assert halved.scores.equals(crm.compare_activity(cdnow.transactions, horizon="19W", **asked).scores)
        refused = crm.compare_activity(cdnow.transactions, horizon="39W", shortest="20W", **asked)
        assert (refused.horizon, refused.scores.empty) == ("39W", True)


def never_lapsing(
    phases: int, customers: int, seed: int, r: float, alpha: float
) -> tuple[pd.DataFrame, np.ndarray]:
    """Customers who buy for ever: gaps of some phases, rates Gamma(r, alpha); and their own 80th percentiles."""
    random = np.random.default_rng(seed)
    rate, age = random.gamma(r, 1 / alpha, customers), random.uniform(40, 100, customers)
    most = int(np.ceil((rate * age).max() * 2 + 60))
    gaps = random.gamma(phases, 1 / (phases * rate[:, None]), (customers, most))
    times = np.cumsum(gaps, axis=1)
    assert (times[:, -1] > age).all()
    seen = times <= age[:, None]
    frequency = seen.sum(axis=1)
    recency = np.where(seen, times, 0).max(axis=1)
    own = np.array(
        [np.percentile(g[:n], 80) if n >= 3 else np.nan for g, n in zip(gaps, frequency, strict=True)]
    )
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": age}), own


class TestOverdue:
    @pytest.mark.parametrize(("phases", "rate"), [(1, 0.05), (1, 0.2), (3, 0.05), (3, 0.2)])
    def test_false_alarms_are_as_many_as_chosen(self, phases: int, rate: float) -> None:
        r, alpha = 1.5, 8.0
        customers, _ = never_lapsing(phases, 12_000, phases, r, alpha)
        model = crm.ParetoNBDModel.from_params(r=r, alpha=alpha, s=0.6, beta=12, time_unit="W")
        table = crm.overdue_customers(customers, model, false_alarm_rate=rate, regularity=phases)
        repeat = customers["frequency"] > 0
        error = np.sqrt(rate * (1 - rate) / repeat.sum())
        assert table.loc[repeat, "overdue"].mean() == pytest.approx(rate, abs=4 * error)  # 1 in 16,000
        for few in ((1, 3), (4, 9), (10, 99)):  # and not only on average
            rows = customers["frequency"].between(*few)
            share = table.loc[rows, "overdue"].mean()
            assert share == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / rows.sum()))
        assert not table.loc[~repeat, "overdue"].any()

    def test_a_customers_own_80th_percentile_alarms_a_quarter(self) -> None:
        customers, own = never_lapsing(1, 8_000, 5, 1.5, 8.0)
        silent = (customers["T"] - customers["recency"]).to_numpy()
        known = ~np.isnan(own)
        assert (silent[known] > own[known]).mean() == pytest.approx(0.25, abs=0.025)

    def test_regular_buyers_are_called_sooner(self, pareto: crm.ParetoNBDModel) -> None:
        customers = pd.DataFrame({"frequency": [8], "recency": [40.0], "T": [52.0]})
        after = [
            crm.overdue_customers(customers, pareto, regularity=k)["overdue_after"][0] for k in (1, 2, 4, 12)
        ]
        assert after == sorted(after, reverse=True)
        assert after[0] > 1.5 * after[2]

    def test_at_random_it_is_the_tail_of_a_pareto_ii(self, pareto: crm.ParetoNBDModel, cdnow_summary) -> None:
        table = crm.overdue_customers(cdnow_summary, pareto, false_alarm_rate=0.1)
        some = cdnow_summary["frequency"] > 0
        x, t_x = (cdnow_summary.loc[some, one] for one in ("frequency", "recency"))
        tail = lomax.sf(table.loc[some, "time_since_last_purchase"], x, scale=t_x)
        np.testing.assert_allclose(table.loc[some, "chance_of_silence"], tail, rtol=1e-9)
        np.testing.assert_allclose(table.loc[some, "overdue_after"], lomax.isf(0.1, x, scale=t_x), rtol=1e-6)

    @settings(max_examples=40)
    @given(st.integers(1, 30), st.floats(0.5, 90), st.floats(0.1, 200), st.integers(1, 12))
    def test_chance_falls_with_silence_and_meets_its_threshold(
        self, x: int, t_x: float, more: float, k: int
    ) -> None:
        model = crm.ParetoNBDModel.from_params(**PARETO)
        ages = t_x + more * np.array([0.0, 0.1, 1.0, 3.0])
        table = crm.overdue_customers(
            pd.DataFrame({"frequency": x, "recency": t_x, "T": ages}), model, regularity=k
        )
        chance = table["chance_of_silence"].to_numpy()
        assert chance[0] == pytest.approx(1)
        assert (np.diff(chance) <= 1e-12).all()
        at = pd.DataFrame({"frequency": [x], "recency": [t_x], "T": [t_x + table["overdue_after"][0]]})
        assert crm.overdue_customers(at, model, regularity=k)["chance_of_silence"][0] == pytest.approx(
            0.05, rel=1e-6
        )

    def test_groups_hold_every_customer(self, pareto: crm.ParetoNBDModel, cdnow_summary) -> None:
        answer = crm.overdue_customers(cdnow_summary, pareto)
        table = answer.by_frequency()
        assert table["customers"].sum() == len(cdnow_summary)
        assert table["overdue"].sum() == answer["overdue"].sum()

    def test_bad_input_is_refused(self, pareto: crm.ParetoNBDModel) -> None:
        customers = pd.DataFrame({"frequency": [1], "recency": [1.0], "T": [2.0]})
        with pytest.raises(CrmError, match="false_alarm_rate is 5"):
            crm.overdue_customers(customers, pareto, false_alarm_rate=5)
        discrete = crm.BetaGeoBetaBinomModel.from_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8)
        with pytest.raises(CrmError, match="give a Pareto/NBD"):
            crm.overdue_customers(customers, discrete)
        with pytest.raises(CrmError, match="1 to 30 phases"):
            crm.overdue_customers(customers, pareto, regularity=0)


class TestRegularity:
    @pytest.mark.parametrize("phases", [1, 2, 5])
    def test_the_shape_is_found_although_customers_differ_and_lapse(self, phases: int) -> None:
        random = np.random.default_rng(phases)
        rate = random.gamma(1.0, 1 / 20, 6000)  # a purchase in 20 days
        gaps = random.gamma(phases, 1 / (phases * rate[:, None]), (6000, 12))
        days = np.round(np.concatenate([np.zeros((6000, 1)), np.cumsum(gaps, axis=1)], axis=1))
        kept = random.geometric(0.2, 6000)  # who lapses after some purchases
        who, place = np.nonzero((days < 700) & (np.arange(13) < kept[:, None] + 1))
        log = pd.DataFrame({"customer_id": who.astype(str), "amount": 1.0})
        log["date"] = pd.Timestamp("2022-01-01") + pd.to_timedelta(days[who, place], unit="D")
        found = crm.purchase_regularity(log, as_of="2024-12-31")
        assert 0.93 * found.low < phases < 1.07 * found.high  # days are rounded
        assert found.phases == phases
        assert ("buy regularly" in found.sentence) == (phases > 1)

    def test_a_perfect_rhythm_is_as_regular_as_can_be(self) -> None:
        days = pd.date_range("2022-01-01", periods=10, freq="28D")
        log = pd.DataFrame([(f"c{n}", day, 1.0) for n in range(60) for day in days])
        log.columns = ["customer_id", "date", "amount"]
        found = crm.purchase_regularity(log, as_of="2024-12-31")
        assert (found.shape, found.phases) == (np.inf, 30)

    def test_too_few_are_refused(self) -> None:
        log = pd.DataFrame({"customer_id": ["a"], "amount": [1.0], "date": pd.to_datetime(["2024-01-01"])})
        found = crm.purchase_regularity(log, as_of="2024-12-31")
        assert found.sentence.startswith("Not measured: 0 customers have bought three times")
        assert found.phases == 1
