"""What retention is worth: worked figures of the literature, brute force, and the claim's verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlib as crm
from crmlib.economics.formula_clv import simple_clv
from crmlib.economics.retention.claim import claim_reversal, not_tested, retention_claim
from crmlib.economics.retention.profit import RetentionTerms, retention_mix
from crmlib.errors import CrmError

EXAMPLE = {"contribution": 100, "retention_rate": 0.8, "discount_rate": 0.1}
LATER = "next_period_if_retained"  # the convention of Gupta & Lehmann


def by_period(terms: RetentionTerms, retention: float, *, programme: bool = False) -> float:
    """Net value added up period by period, as money comes and goes; the first margin with the acquisition."""
    t = np.arange(4000)
    there = retention**t  # at the start of period t
    discount = (1 + terms.discount_rate) ** -t
    margins = terms.contribution * there * discount
    cost = terms.programme_cost * there * discount if programme else 0.0
    return float(np.sum(margins - cost)) - terms.acquisition_cost


class TestSteps:
    @pytest.mark.parametrize(("timing", "cost", "gross_change"), [(LATER, 175, 0.275), ("now", 275, 0.2)])
    def test_the_eighty_per_cent_example(self, timing: str, cost: float, gross_change: float) -> None:
        """The worked 91.67 to 165, by the paper's convention and by ours: the first margin pays 100 of the cost."""
        steps = RetentionTerms(**EXAMPLE, acquisition_cost=cost, timing=timing).steps().set_index("step")
        assert steps.loc["today", "net"] == pytest.approx(91.6667, abs=1e-4)
        assert steps.loc["+5 points", "net"] == pytest.approx(165)
        assert steps.loc["+5 points", "net_change"] == pytest.approx(0.8)
        assert steps.loc["+5 points", "gross_change"] == pytest.approx(gross_change)

    def test_a_cost_that_is_not_known_is_not_zero(self) -> None:
        steps = RetentionTerms(**EXAMPLE).steps()
        assert steps[["net", "net_change", "after_programme", "after_programme_change"]].isna().all(axis=None)
        assert steps["gross"].notna().all()
        no_programme = RetentionTerms(**EXAMPLE, acquisition_cost=0).steps()
        assert no_programme["net"].tolist() == pytest.approx(no_programme["gross"].tolist())
        assert no_programme["after_programme"].isna().tolist() == [False, True, True]

    def test_more_retention_adds_the_same_money_by_every_convention(self) -> None:
        """What differs is the value that the gain is a share of: hence 27.5 % beside 20 %."""
        gains = [
            RetentionTerms(**EXAMPLE, timing=timing).worth_of_points([0.05])["gain"].iloc[0]
            for timing in (LATER, "now")
        ]
        assert gains == pytest.approx([73.3333, 73.3333], abs=1e-4)

    def test_times_105_is_no_probability_above_952(self) -> None:
        def of_share(r: float) -> float:
            return RetentionTerms(100, r, 0.1).steps()["retention_rate"].iloc[2]

        assert of_share(0.952) == pytest.approx(0.9996)
        assert np.isnan(of_share(0.953))
        beyond = RetentionTerms(100, 0.96, 0.1).steps()
        assert beyond["gross"].iloc[1:].isna().all()

    @settings(max_examples=40)
    @given(
        st.floats(0.05, 0.94), st.floats(0.02, 0.4), st.floats(0, 60), st.floats(0, 30),
    )  # fmt: skip
    def test_every_column_by_adding_up_periods(
        self, r: float, i: float, cost: float, programme: float
    ) -> None:
        terms = RetentionTerms(20.0, r, i, cost, programme)
        steps = terms.steps()
        for place, retention in enumerate((r, r + 0.05)):
            net = by_period(terms, retention)
            after = by_period(terms, retention, programme=place > 0)
            assert steps["net"].iloc[place] == pytest.approx(net, rel=1e-9, abs=1e-7)
            assert steps["after_programme"].iloc[place] == pytest.approx(after, rel=1e-9, abs=1e-7)
            assert steps["gross"].iloc[place] == pytest.approx(net + cost, rel=1e-9)
        if by_period(terms, r) <= 0:
            assert steps["net_change"].isna().all()

    def test_gross_is_the_formulas(self) -> None:
        for timing in (LATER, "next_period_certain", "now"):
            expected = simple_clv(100, 0.8, 0.1, timing=timing)
            assert RetentionTerms(**EXAMPLE, timing=timing).gross() == pytest.approx(expected)
        assert RetentionTerms(**EXAMPLE).gross() == simple_clv(100, 0.8, 0.1, timing="now")

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"contribution": 0}, "contribution is 0"),
            ({"retention_rate": 1.2}, "retention_rate is 1.2"),
            ({"discount_rate": -0.1}, "discount_rate is -0.1"),
            ({"discount_rate": 0, "retention_rate": 1.0}, "above 0 where nobody leaves"),
            ({"acquisition_cost": -1}, "acquisition_cost is -1"),
            ({"timing": "later"}, "timing is 'later'"),
        ],
    )
    def test_terms_out_of_range_are_refused(self, wrong: dict, message: str) -> None:
        with pytest.raises(CrmError, match=message):
            RetentionTerms(**(EXAMPLE | wrong))


class TestPoints:
    def test_a_programme_at_its_affordable_cost_gains_nothing(self) -> None:
        terms = RetentionTerms(**EXAMPLE, acquisition_cost=0)
        for row in terms.worth_of_points([0.01, 0.05, 0.1]).itertuples():
            assert row.gain == pytest.approx(by_period(terms, row.retention_rate) - by_period(terms, 0.8))
            with_cost = RetentionTerms(**EXAMPLE, acquisition_cost=0, programme_cost=row.affordable_cost)
            assert by_period(with_cost, row.retention_rate, programme=True) == pytest.approx(
                by_period(terms, 0.8)
            )

    def test_beyond_certainty_there_is_none(self) -> None:
        assert RetentionTerms(100, 0.98, 0.1).worth_of_points([0.01, 0.05])["gain"].isna().tolist() == [
            False,
            True,
        ]


class TestMultiples:
    def test_curve_runs_through_the_multiples(self) -> None:
        rates, multiples = [0.6, 0.7, 0.8, 0.9], [1.15, 1.67, 2.50, 4.09]
        curve = RetentionTerms(1, 0.8, 0.12, timing=LATER).profit_curve().set_index("retention_rate")
        assert curve.loc[rates, "gross"].round(2).tolist() == multiples
        with_first = RetentionTerms(1, 0.8, 0.12).profit_curve().set_index("retention_rate")
        assert with_first.loc[rates, "gross"].tolist() == pytest.approx(
            [1 + one for one in curve.loc[rates, "gross"]]
        )

    @pytest.mark.parametrize(("rate", "furthest"), [(0.5, 0.95), (0.93, 0.98), (0.97, 0.97), (1.0, 0.95)])
    def test_curve_reaches_the_firm_and_its_next_points(self, rate: float, furthest: float) -> None:
        curve = RetentionTerms(1, rate, 0.12).profit_curve()
        assert curve["retention_rate"].iloc[-1] == pytest.approx(furthest)
        assert curve["retention_rate"].is_monotonic_increasing


class TestElasticities:
    def test_published(self) -> None:
        for timing, published in ((LATER, 5.09), ("now", 4.09)):
            table = RetentionTerms(100, 0.9, 0.12, timing=timing).elasticities().set_index("lever")
            assert table.loc["retention", "gross"] == pytest.approx(published, abs=0.005)
            assert table.loc["margin", "gross"] == pytest.approx(1)

    @settings(max_examples=30)
    @given(st.floats(0.2, 0.94), st.floats(0.03, 0.3), st.floats(0, 9))
    def test_by_moving_each_lever_one_per_cent_of_one_per_cent(self, r: float, i: float, cost: float) -> None:
        names = {"retention": "retention_rate", "margin": "contribution", "acquisition cost": "acquisition_cost",
                 "discount rate": "discount_rate"}  # fmt: skip
        given = {"contribution": 100.0, "retention_rate": r, "discount_rate": i, "acquisition_cost": cost}
        table = RetentionTerms(**given).elasticities().set_index("lever")
        for lever, name in names.items():
            up, down = (
                by_period(
                    RetentionTerms(**(given | {name: given[name] * one})),
                    r if name != "retention_rate" else r * one,
                )
                for one in (1.0001, 0.9999)
            )
            expected = (up - down) / 0.0002 / by_period(RetentionTerms(**given), r)
            assert table.loc[lever, "net"] == pytest.approx(expected, rel=1e-4, abs=1e-6)

    def test_a_customer_at_a_loss_has_none(self) -> None:
        table = RetentionTerms(**EXAMPLE, acquisition_cost=400).elasticities()
        assert table["net"].isna().all()
        assert table["gross"].notna().all()

    def test_a_lever_that_is_not_known_has_none(self) -> None:
        table = RetentionTerms(**EXAMPLE).elasticities().set_index("lever")
        assert table["net"].isna().all()
        assert table.drop(columns="unit").loc["acquisition cost"].isna().all()
        assert table["gross"].notna().sum() == 3


class TestReversal:
    def test_cost_at_which_the_claim_holds(self) -> None:
        assert claim_reversal(RetentionTerms(**EXAMPLE, timing=LATER))["acquisition_cost"] == pytest.approx(
            175
        )
        table = claim_reversal(RetentionTerms(**EXAMPLE))
        assert table["acquisition_cost"] == pytest.approx(275)
        assert np.isnan(table["retention_rate"])  # at this firm's costs, which are not known
        steps = RetentionTerms(**EXAMPLE, acquisition_cost=table["acquisition_cost"]).steps()
        assert steps["net_change"].iloc[1] == pytest.approx(0.8)

    @settings(max_examples=30)
    @given(st.floats(0.3, 0.94), st.floats(0.03, 0.3), st.floats(0, 150), st.floats(0, 5))
    def test_the_claim_holds_exactly_where_the_formula_says(
        self, r: float, i: float, cost: float, programme: float
    ) -> None:
        terms = RetentionTerms(100, r, i, cost, programme)
        table = claim_reversal(terms)
        at_cost = table["acquisition_cost"]
        if at_cost >= 0:
            steps = RetentionTerms(100, r, i, at_cost, programme).steps()
            assert steps["after_programme_change"].iloc[1] == pytest.approx(0.8, rel=1e-6)
        if np.isfinite(table["retention_rate"]):
            steps = RetentionTerms(100, table["retention_rate"], i, cost, programme).steps()
            assert steps["after_programme_change"].iloc[1] == pytest.approx(0.8, rel=1e-5)

    def test_published_figures(self) -> None:
        found = not_tested("no customer was there")
        table = found.published.set_index("industry")["rise"]
        assert table.to_dict() == {
            "bank branch deposits": 0.85, "credit card": 0.75, "insurance brokerage": 0.50,
            "industrial distribution": 0.45, "credit insurance": 0.25, "auto service": 0.30, "software": 0.35,
        }  # fmt: skip
        assert 0.8 not in set(table)


class TestMix:
    MODEL = crm.ShiftedBetaGeoModel.from_params(alpha=0.668, beta=3.806)

    def test_by_drawing_customers(self) -> None:
        terms = RetentionTerms(100, 0.5, 0.15, 50)
        table = retention_mix(self.MODEL, terms).set_index("customers")
        stays = 1 - np.random.default_rng(1).beta(0.668, 3.806, 400_000)
        assert table.loc["all alike", "retention_rate"] == pytest.approx(stays.mean(), abs=1e-3)
        assert table.loc["differ (sBG)", "gross"] == pytest.approx(terms.gross(stays).mean(), rel=5e-3)
        more = (
            terms.gross(stays * 1.0001).mean()
            if stays.max() * 1.0001 <= 1
            else terms.gross(np.minimum(stays * 1.0001, 1)).mean()
        )
        assert table.loc["differ (sBG)", "elasticity"] == pytest.approx(
            (more / terms.gross(stays).mean() - 1) / 1e-4, rel=0.02
        )
        raised = terms.gross(np.minimum(stays + 0.05, 1)).mean() / terms.gross(stays).mean() - 1
        assert table.loc["differ (sBG)", "gross_change"] == pytest.approx(raised, rel=5e-3)

    def test_residual_lifetime_is_the_models(self) -> None:
        terms = RetentionTerms(1, 0.5, 0.1)
        periods = self.MODEL.expected_lifetime_new_customer(0.1)
        assert retention_mix(self.MODEL, terms)["gross"].iloc[1] == pytest.approx(periods, rel=1e-4)

    @settings(max_examples=30)
    @given(st.floats(0.3, 5), st.floats(0.5, 20), st.floats(0.03, 0.3))
    def test_constant_retention_understates_value_and_elasticity(
        self, alpha: float, beta: float, i: float
    ) -> None:
        model = crm.ShiftedBetaGeoModel.from_params(alpha=alpha, beta=beta)
        table = retention_mix(model, RetentionTerms(100, 0.5, i))
        assert table["gross"].iloc[1] > table["gross"].iloc[0]
        assert table["elasticity"].iloc[1] > table["elasticity"].iloc[0]

    def test_where_retention_is_even_customers_are_alike(self) -> None:
        model = crm.ShiftedBetaGeoModel().fit([100, 80, 64, 51])  # its boundary: alpha + beta is about 30,000
        table = retention_mix(model, RetentionTerms(100, 0.5, 0.1, 0.0))
        for column in ("retention_rate", "gross", "net", "elasticity", "gross_change"):
            assert table[column].iloc[1] == pytest.approx(table[column].iloc[0], rel=1e-3)

    @settings(max_examples=60)
    @given(st.floats(1e-3, 1e4), st.floats(1e-3, 1e5))
    def test_it_is_finite_and_its_mean_is_the_betas_wherever_the_fit_ends(
        self, alpha: float, beta: float
    ) -> None:
        model = crm.ShiftedBetaGeoModel.from_params(alpha=alpha, beta=beta)
        table = retention_mix(model, RetentionTerms(100, 0.5, 0.1, 0.0))
        assert np.isfinite(table.drop(columns="customers").to_numpy(float)).all()
        mean = beta / (alpha + beta)
        assert table["retention_rate"].iloc[1] == pytest.approx(mean, rel=1e-9, abs=1e-12)

    def test_without_discount_it_is_refused(self) -> None:
        with pytest.raises(CrmError, match="discount_rate is 0"):
            retention_mix(self.MODEL, RetentionTerms(100, 0.5, 0.0))


FIRM = {"retained": 8000, "customers": 10_000, "contribution": 100, "discount_rate": 0.1}


class TestClaim:
    def test_turns_at_its_reversal_point(self) -> None:
        low, high = (retention_claim(**FIRM, acquisition_cost=one) for one in (250, 300))
        assert (low.finding.verdict, high.finding.verdict) == ("contradicted", "supported")
        at = retention_claim(**FIRM, acquisition_cost=275)
        assert at.finding.verdict == "undecided"
        assert at.rise.value == pytest.approx(0.8)
        assert at.rise.low < 0.8 < at.rise.high
        assert "The interval holds 80 %" in at.finding.sentence

    def test_more_customers_narrow_the_interval(self) -> None:
        few = retention_claim(**(FIRM | {"retained": 80, "customers": 100}), acquisition_cost=250)
        many = retention_claim(**FIRM, acquisition_cost=250)
        assert few.finding.verdict == "undecided"
        assert few.rise.high - few.rise.low > 5 * (many.rise.high - many.rise.low)

    def test_interval_holds_the_truth_nineteen_times_in_twenty(self) -> None:
        truth = RetentionTerms(100, 0.7, 0.1, acquisition_cost=60).steps()["net_change"].iloc[1]
        random, hits = np.random.default_rng(2), 0
        for _ in range(200):  # fewer than 180 have a chance of less than 1 in 500
            kept, margin = random.binomial(500, 0.7), random.normal(100, 4)
            found = retention_claim(
                retained=kept,
                customers=500,
                contribution=margin,
                contribution_error=4,
                discount_rate=0.1,
                acquisition_cost=60,
            )
            hits += found.rise.low <= truth <= found.rise.high
        assert hits >= 180

    def test_an_unsure_margin_widens_it(self) -> None:
        sure, unsure = (
            retention_claim(**FIRM, contribution_error=one, acquisition_cost=250) for one in (0, 15)
        )
        assert unsure.rise.high - unsure.rise.low > 2 * (sure.rise.high - sure.rise.low)
        gross = [retention_claim(**FIRM, contribution_error=one, acquisition_cost=0) for one in (0, 15)]
        assert gross[0].rise.high == pytest.approx(
            gross[1].rise.high, abs=0.01
        )  # without costs the margin cancels

    def test_without_costs_it_says_what_is_missing(self) -> None:
        found = retention_claim(retained=8000, customers=10_000, discount_rate=0.1)
        assert found.finding.verdict == "cannot be tested"
        assert found.rise.value == pytest.approx(0.2)
        assert "before acquisition cost, which is not known" in found.finding.sentence
        assert any("no acquisition cost" in one for one in found.assumptions)
        assert found.reversal["acquisition_cost_in_margins"] == pytest.approx(2.75)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"retained": 0, "customers": 0}, "No customer was there"),
            ({"retained": 0, "customers": 50}, "Nobody was retained"),
            ({"contribution": None, "acquisition_cost": 5}, "no margin"),
            ({"retained": 9800}, "too high for five points more"),
            ({"acquisition_cost": 500}, "a percentage rise is undefined"),
        ],
    )
    def test_what_cannot_be_tested_is_reported(self, given: dict, message: str) -> None:
        found = retention_claim(**(FIRM | given))
        assert found.finding.verdict == "cannot be tested"
        assert message in found.finding.sentence
        assert not found.rise.is_known

    def test_a_pure_function(self) -> None:
        one, other = (retention_claim(**FIRM, acquisition_cost=150) for _ in range(2))
        assert (one.rise.low, one.rise.high, str(one)) == (other.rise.low, other.rise.high, str(other))

    def test_more_retained_than_there_were(self) -> None:
        with pytest.raises(CrmError, match="retained is 11 of 10"):
            retention_claim(retained=11, customers=10, discount_rate=0.1)
