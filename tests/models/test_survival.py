"""Survival of contracts: published figures, hand calculations, and worlds whose law is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import multivariate_logrank_test

from crmlib.customers.retention.contracts import contract_spells
from crmlib.errors import CrmError, DataError
from crmlib.models.survival_curves import survival_curves

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

    @pytest.mark.thorough
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
        ("spells", "message"),
        [
            ({"tenure_months": [1.0, 2.0], "ended": ["churned", "No"]}, "give true or false"),
            ({"tenure_months": [1.0, 2.0], "ended": [None, "No"]}, "in 1 of 2 rows"),
            ({"tenure_months": [-1.0, 2.0], "ended": [1, 0]}, "tenure_months is negative"),
            ({"tenure_months": [np.nan, 2.0], "ended": [1, 0]}, "tenure_months is missing"),
            ({"tenure": [1.0, 2.0], "ended": [1, 0]}, "did you mean 'tenure'"),
        ],
    )
    def test_bad_input_is_refused(self, spells: dict, message: str) -> None:
        with pytest.raises(DataError, match=message):
            survival_curves(pd.DataFrame(spells))

    def test_too_many_groups_are_refused(self, telco: pd.DataFrame) -> None:
        with pytest.raises(CrmError, match=r"pandas\.cut"):
            survival_curves(telco, by="price_per_month")

    def test_nobody_left(self) -> None:
        spells = pd.DataFrame({"tenure_months": [1.0, 2.0], "ended": False, "plan": ["a", "b"]})
        assert survival_curves(spells)["survival"].tolist() == [1.0, 1.0, 1.0]


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
        found = contract_spells(self.ROWS, "2024-12-31").set_index(["customer_id", "spell"])
        assert found["ended"].to_dict() == {("a", 1): False, ("b", 1): True, ("c", 1): True, ("c", 2): False}
        assert found.loc[("a", 1), ["price_per_month", "plan", "price_changes"]].tolist() == [12.0, "L", 1]
        days = pd.Timestamp("2024-12-31") - pd.Timestamp("2024-01-01")
        assert found.loc[("a", 1), "tenure_months"] == pytest.approx((days.days + 1) / 30.4375)
        assert found.loc[("b", 1), "tenure_months"] == pytest.approx(92 / 30.4375)
        assert found.loc[("b", 1), "end_reason"] == "cancelled"

    def test_what_comes_later_is_not_seen(self) -> None:
        found = contract_spells(self.ROWS, "2024-05-30").set_index(["customer_id", "spell"])
        assert not found.loc[("b", 1), "ended"]
        assert found.loc[("a", 1), "price_per_month"] == 10.0
        assert "d" not in found.index.get_level_values(0)
        then = self.ROWS[self.ROWS["start"] <= "2024-05-30"]
        then = then.assign(end=then["end"].where(then["end"] <= "2024-05-30"))
        pd.testing.assert_frame_equal(
            contract_spells(then, "2024-05-30"), contract_spells(self.ROWS, "2024-05-30")
        )

    def test_a_contract_that_changes_on_the_last_day_runs_on(self) -> None:
        found = contract_spells(self.ROWS, "2024-06-30").set_index(["customer_id", "spell"])
        assert not found.loc[("a", 1), "ended"]
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
        apart = multivariate_logrank_test(unfair["tenure_months"], unfair["price_per_month"], unfair["ended"])
        assert apart.p_value < 1e-9

    def test_rows_that_end_before_they_start_are_refused(self) -> None:
        wrong = self.ROWS.assign(end=pd.Timestamp("2023-12-31"))
        with pytest.raises(DataError, match="6 rows end before they start"):
            contract_spells(wrong, "2024-12-31")

    def test_a_missing_column_is_named(self) -> None:
        with pytest.raises(DataError, match="has no column 'price_per_month'"):
            contract_spells(self.ROWS.drop(columns="price_per_month"), "2024-12-31")
