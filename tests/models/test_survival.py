"""Survival of contracts: published figures, hand calculations, and worlds whose law is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.retention.contracts import contract_spells
from crmlib.errors import CrmError, DataError, FitError
from crmlib.models.survival_curves import log_rank, survival_curves

TELCO = Path(__file__).parents[2] / "data" / "telco" / "customers.csv.gz"

# Freireich et al. (1963), weeks of remission under 6-MP and placebo, as in Cox (1972).
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


@pytest.fixture(scope="module")
def telco() -> pd.DataFrame:
    names = {"tenure": "tenure_months", "churn": "ended", "monthly_charges": "price_per_month"}
    return pd.read_csv(TELCO, dtype={"customer_id": str}).rename(columns=names)


@pytest.fixture(scope="module")
def remission() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tenure_months": TREATED + PLACEBO,
            "ended": [*map(bool, RELAPSED), *[True] * len(PLACEBO)],
            "arm": ["6-MP"] * len(TREATED) + ["placebo"] * len(PLACEBO),
        }
    )


def exponential(rates: np.ndarray, *, until: float, seed: int) -> pd.DataFrame:
    """Contracts that leave at a constant rate, seen until a tenure."""
    lasts = np.random.default_rng(seed).exponential(1 / rates)
    return pd.DataFrame({"tenure_months": np.minimum(lasts, until), "ended": lasts < until})


def survival_at(curve: pd.DataFrame, tenure: float) -> float:
    return float(curve.loc[curve["tenure"] <= tenure, "survival"].iloc[-1])


class TestKaplanMeier:
    def test_telco_as_published(self, telco: pd.DataFrame) -> None:
        curves = survival_curves(telco)
        assert [round(survival_at(curves, t), 3) for t in (12, 24, 60, 72)] == [0.843, 0.789, 0.664, 0.593]
        assert (curves["at_risk"].iloc[0], curves["left"].sum()) == (7043, 1869)

    def test_remission_as_published(self, remission: pd.DataFrame) -> None:
        curves = survival_curves(remission, by="arm")
        treated, placebo = (curves[curves["group"] == arm] for arm in ("6-MP", "placebo"))
        published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
        assert {t: round(survival_at(treated, t), 3) for t in published} == published
        medians = [curve.loc[curve["survival"] <= 0.5, "tenure"].iloc[0] for curve in (treated, placebo)]
        assert medians == [23, 8]

    def test_log_rank_as_published(self, remission: pd.DataFrame) -> None:
        found = log_rank(remission, by="arm")
        assert found.statistic == pytest.approx(16.79, abs=0.005)
        assert "differ in how long they last" in found.sentence

    def test_groups_that_do_not_differ_are_called_so(self) -> None:
        spells = exponential(np.full(400, 0.1), until=20, seed=3).assign(plan=["a", "b"] * 200)
        found = log_rank(spells, by="plan")
        assert found.p_value > 0.05
        assert "do not differ beyond chance" in found.sentence

    def test_interval_holds_the_truth_nineteen_times_in_twenty(self) -> None:
        # 200 worlds at 95 %: fewer than 180 hits have a chance of less than 1 in 500
        truth, hits = np.exp(-0.1 * 5), 0
        for seed in range(200):
            curves = survival_curves(exponential(np.full(150, 0.1), until=12, seed=seed))
            at = curves[curves["tenure"] <= 5].iloc[-1]
            hits += at["low"] <= truth <= at["high"]
        assert hits >= 180

    @pytest.mark.parametrize("ends", [["Yes", "no"], [1, 0], [True, False], ["true", "False"]])
    def test_ends_in_words_or_numbers(self, ends: list) -> None:
        spells = pd.DataFrame({"tenure_months": [2.0, 3.0], "ended": ends})
        assert survival_curves(spells)["left"].sum() == 1

    @pytest.mark.parametrize(
        ("spells", "said"),
        [
            ({"tenure_months": [1.0, 2.0], "ended": ["churned", "No"]}, "give true or false"),
            ({"tenure_months": [1.0, 2.0], "ended": [None, "No"]}, "in 1 of 2 rows"),
            ({"tenure_months": [-1.0, 2.0], "ended": [1, 0]}, "tenure_months is negative"),
            ({"tenure_months": [np.nan, 2.0], "ended": [1, 0]}, "tenure_months is missing"),
            ({"tenure": [1.0, 2.0], "ended": [1, 0]}, "did you mean 'tenure'"),
        ],
    )
    def test_bad_input_is_refused(self, spells: dict, said: str) -> None:
        with pytest.raises(DataError, match=said):
            survival_curves(pd.DataFrame(spells))

    def test_too_many_groups_are_refused(self, telco: pd.DataFrame) -> None:
        with pytest.raises(CrmError, match=r"pandas\.cut"):
            survival_curves(telco, by="price_per_month")

    def test_nobody_left(self) -> None:
        spells = pd.DataFrame({"tenure_months": [1.0, 2.0], "ended": False, "plan": ["a", "b"]})
        assert survival_curves(spells)["survival"].tolist() == [1.0, 1.0, 1.0]
        with pytest.raises(FitError, match="somebody who left"):
            log_rank(spells, by="plan")


class TestSpells:
    ROWS = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "c", "c", "d"],
            "subscription_id": ["1", "1", "2", "3", "3", "4"],
            "price_per_month": [10.0, 12.0, 9.0, 5.0, 6.0, 7.0],
            "plan": ["S", "L", "S", "S", "S", "L"],
            "start": pd.to_datetime(
                ["2024-01-01", "2024-07-01", "2024-03-01", "2024-01-01", "2024-04-01", "2025-01-01"]
            ),
            "end": pd.to_datetime(["2024-06-30", None, "2024-05-31", "2024-02-28", None, None]),
            "end_reason": ["changed", None, "cancelled", "cancelled", None, None],
        }
    )

    def test_change_of_price_ends_nothing_and_a_break_begins_anew(self) -> None:
        told = contract_spells(self.ROWS, "2024-12-31").set_index(["customer_id", "spell"])
        assert told["ended"].to_dict() == {("a", 1): False, ("b", 1): True, ("c", 1): True, ("c", 2): False}
        assert told.loc[("a", 1), ["price_per_month", "plan", "price_changes"]].tolist() == [12.0, "L", 1]
        days = pd.Timestamp("2024-12-31") - pd.Timestamp("2024-01-01")
        assert told.loc[("a", 1), "tenure_months"] == pytest.approx((days.days + 1) / 30.4375)
        assert told.loc[("b", 1), "tenure_months"] == pytest.approx(92 / 30.4375)
        assert told.loc[("b", 1), "end_reason"] == "cancelled"

    def test_what_comes_later_is_not_seen(self) -> None:
        told = contract_spells(self.ROWS, "2024-05-30").set_index(["customer_id", "spell"])
        assert not told.loc[("b", 1), "ended"]
        assert told.loc[("a", 1), "price_per_month"] == 10.0
        assert "d" not in told.index.get_level_values(0)
        then = self.ROWS[self.ROWS["start"] <= "2024-05-30"]
        then = then.assign(end=then["end"].where(then["end"] <= "2024-05-30"))
        pd.testing.assert_frame_equal(
            contract_spells(then, "2024-05-30"), contract_spells(self.ROWS, "2024-05-30")
        )

    def test_a_contract_that_changes_on_the_last_day_runs_on(self) -> None:
        told = contract_spells(self.ROWS, "2024-06-30").set_index(["customer_id", "spell"])
        assert not told.loc[("a", 1), "ended"]
        plain = contract_spells(self.ROWS.drop(columns="end_reason"), "2024-06-30")
        assert plain.set_index(["customer_id", "spell"]).loc[("a", 1), "ended"]

    def test_terms_are_the_last_or_the_first(self) -> None:
        first = contract_spells(self.ROWS, "2024-12-31", terms="first").set_index(["customer_id", "spell"])
        assert first.loc[("a", 1), ["price_per_month", "plan"]].tolist() == [10.0, "S"]
        assert first.loc[("b", 1), "end_reason"] == "cancelled"
        with pytest.raises(CrmError, match="allowed: last, first"):
            contract_spells(self.ROWS, "2024-12-31", terms="mean")

    def test_only_the_first_terms_compare_fairly(self) -> None:
        # everybody leaves at the same rate; who stays for a year pays more from then on
        random = np.random.default_rng(8)
        start = pd.Timestamp("2020-01-01")
        days = random.exponential(400, 1200).round() + 1
        one = pd.DataFrame(
            {"customer_id": np.arange(1200).astype(str), "start": start, "price_per_month": 10.0}
        )
        one["end"] = start + pd.to_timedelta(np.minimum(days, 365), unit="D")
        two = one[days > 365].assign(start=start + pd.Timedelta(366, "D"), price_per_month=12.0)
        two["end"] = start + pd.to_timedelta(days[days > 365], unit="D")
        rows = pd.concat([one, two]).query("end >= start")
        fair, unfair = (contract_spells(rows, "2030-01-01", terms=one) for one in ("first", "last"))
        assert fair["price_per_month"].nunique() == 1
        assert log_rank(unfair, by="price_per_month").p_value < 1e-9

    def test_rows_that_end_before_they_start_are_refused(self) -> None:
        wrong = self.ROWS.assign(end=pd.Timestamp("2023-12-31"))
        with pytest.raises(DataError, match="6 rows end before they start"):
            contract_spells(wrong, "2024-12-31")

    def test_a_missing_column_is_named(self) -> None:
        with pytest.raises(DataError, match="lacks price_per_month"):
            contract_spells(self.ROWS.drop(columns="price_per_month"), "2024-12-31")


class TestCox:
    def test_remission_as_published(self, remission: pd.DataFrame) -> None:
        found = crm.cox_model(remission.assign(placebo=remission["arm"] == "placebo"), ["placebo"])
        assert np.log(found.table["hazard_ratio"].iloc[0]) == pytest.approx(1.5721, abs=5e-5)  # Efron
        assert found.table["proportional"].all()
        assert "one number each will do" in found.findings[0]

    def test_an_effect_that_fades_is_found_and_cured(self) -> None:
        random = np.random.default_rng(5)
        plan = np.repeat([0, 1], 1500)
        # leaving at rate .1; with the plan at .4 for the first three months, at .1 after
        lasts = random.exponential(1 / np.where(plan, 0.4, 0.1))
        lasts = np.where((plan == 1) & (lasts > 3), 3 + random.exponential(10, len(plan)), lasts)
        spells = pd.DataFrame({"tenure_months": np.minimum(lasts, 24), "ended": lasts < 24})
        spells["plan"] = np.where(plan, "trial", "year")
        spells["region"] = random.choice(["north", "south"], len(plan))
        found = crm.cox_model(spells, ["plan", "region"])
        row = found.table.set_index("feature").loc["plan = year"]
        assert not row["proportional"]
        assert row["ratio_early"] < 0.6 < 0.75 < row["ratio_late"]
        assert "strata=['plan']" in found.findings[0]
        cured = crm.cox_model(spells, ["region"], strata=["plan"])
        assert cured.findings[0].startswith("No feature's ratio changes")
        assert set(cured.baselines()) == {"trial", "year"}

    def test_true_proportional_hazards_are_rarely_called_false(self) -> None:
        # 40 worlds at 5 %: more than 7 alarms have a chance of less than 1 in 500
        alarms = 0
        for seed in range(40):
            level = np.random.default_rng(100 + seed).integers(0, 2, 300)
            spells = exponential(np.where(level, 0.2, 0.1), until=15, seed=seed).assign(level=level)
            alarms += not crm.cox_model(spells, ["level"]).table["proportional"].all()
        assert alarms <= 7

    def test_columns_that_say_nothing_new_are_left_out(self, telco: pd.DataFrame) -> None:
        found = crm.cox_model(telco.assign(one=1.0), ["contract", "internet_service", "tech_support", "one"])
        assert found.left_out == ("tech_support = No internet service", "one")
        assert len(found.table) == 5

    def test_survival_by_cox_is_that_of_lifelines(self, telco: pd.DataFrame) -> None:
        from lifelines import CoxPHFitter

        few = telco[["tenure_months", "ended", "partner", "price_per_month"]].head(800)
        found = crm.cox_model(few, ["partner", "price_per_month"])
        theirs = CoxPHFitter().fit(few.assign(ended=few["ended"] == "Yes"), "tenure_months", "ended")
        steps, height = found.baselines()["all"]
        ours = np.exp(-np.outer(height, found.relative_hazard(few.head(5))))
        expected = theirs.predict_survival_function(few.head(5), times=steps).to_numpy()
        np.testing.assert_allclose(ours, expected, rtol=1e-6)

    def test_bad_input_is_refused(self, remission: pd.DataFrame) -> None:
        with pytest.raises(DataError, match="arm is missing in 1 of 42 rows"):
            crm.cox_model(remission.assign(arm=[None, *remission["arm"][1:]]), ["arm"])
        with pytest.raises(FitError, match="0 of 42 contracts ended"):
            crm.cox_model(remission.assign(ended=False), ["arm"])
        with pytest.raises(FitError, match="0 columns of features vary"):
            crm.cox_model(remission.assign(one=1), ["one"])
        with pytest.raises(DataError, match="a level that the model does not know"):
            crm.cox_model(remission, ["arm"]).relative_hazard(remission.assign(arm="other"))

    def test_few_ends_are_said(self, remission: pd.DataFrame) -> None:
        few = remission.iloc[::3].assign(x=np.arange(14.0), y=np.arange(14.0) ** 2)
        said = " ".join(crm.cox_model(few, ["arm", "x", "y"]).findings)
        assert "use fewer features" in said
        assert "arm = placebo almost determines who leaves" in said


class TestRemainingLifetime:
    def test_by_numeric_integration_of_the_curve(self, telco: pd.DataFrame) -> None:
        told = crm.remaining_lifetime(telco, horizon=12, by="contract")
        curves = survival_curves(telco, by="contract")
        for contract, tenure in (("Month-to-month", 5), ("One year", 30), ("Two year", 50)):
            curve = curves[curves["group"] == contract]
            at = np.linspace(tenure, tenure + 12, 240_001)[:-1] + 12 / 480_000
            place = np.searchsorted(curve["tenure"].to_numpy(), at, side="right") - 1
            now = np.searchsorted(curve["tenure"].to_numpy(), tenure, side="right") - 1
            survival = curve["survival"].to_numpy()
            expected = survival[place].mean() * 12 / survival[now]
            row = (
                (telco["contract"] == contract)
                & (telco["tenure_months"] == tenure)
                & (telco["ended"] == "No")
            )
            assert told.loc[row, "expected_months"].iloc[0] == pytest.approx(expected, abs=1e-4)
            assert told.loc[row, "extrapolated"].iloc[0] == 0

    def test_a_constant_rate_has_no_memory(self) -> None:
        spells = exponential(np.full(40_000, 0.05), until=40, seed=1)
        told = crm.remaining_lifetime(spells, horizon=12)
        running = told[~spells["ended"]]
        assert running["p_stays"].to_numpy() == pytest.approx(np.exp(-0.6), abs=0.02)
        assert running["expected_months"].to_numpy() == pytest.approx(-np.expm1(-0.6) / 0.05, abs=0.12)
        assert running["extrapolated"].min() > 0.99  # they stand at the end of what was seen

    def test_cox_knows_who_leaves_sooner(self) -> None:
        level = np.repeat([0, 1], 4000)
        spells = exponential(np.where(level, 0.1, 0.05), until=np.inf, seed=2).assign(level=level)
        # seen at tenure 6: those who have not left by then
        spells["ended"] = spells["tenure_months"] < 6
        spells["tenure_months"] = np.minimum(spells["tenure_months"], 6)
        cox = crm.cox_model(spells, ["level"])
        told = crm.remaining_lifetime(spells, horizon=10, cox=cox)
        for one, rate in ((0, 0.05), (1, 0.1)):
            rows = (~spells["ended"]) & (level == one)
            assert told.loc[rows, "p_stays"].mean() == pytest.approx(np.exp(-10 * rate), abs=0.04)

    def test_ends_have_nothing_to_come_and_money_adds_up(self, telco: pd.DataFrame) -> None:
        told = crm.remaining_lifetime(telco, horizon=6)
        gone = telco["ended"] == "Yes"
        assert (told[gone] == 0).all().all()
        whole = told.loc[~gone, "expected_months"] + told.loc[~gone, "months_at_risk"]
        np.testing.assert_allclose(whole, 6)
        np.testing.assert_allclose(told["revenue_at_risk"], told["months_at_risk"] * telco["price_per_month"])
        assert told["p_stays"].between(0, 1).all()

    def test_strata_keep_their_own_curves(self, telco: pd.DataFrame) -> None:
        cox = crm.cox_model(telco, ["partner"], strata=["contract"])
        told = crm.remaining_lifetime(telco, horizon=12, cox=cox)
        stays = told[telco["ended"] == "No"].groupby(telco["contract"])["p_stays"].mean()
        assert stays["Month-to-month"] < stays["One year"] < stays["Two year"]

    def test_bad_input_is_refused(self, remission: pd.DataFrame) -> None:
        with pytest.raises(CrmError, match="horizon is 0"):
            crm.remaining_lifetime(remission, horizon=0)
        with pytest.raises(CrmError, match="by and cox"):
            crm.remaining_lifetime(remission, horizon=1, by="arm", cox=crm.cox_model(remission, ["arm"]))
