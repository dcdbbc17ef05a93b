"""A firm's own figures: where each is from, what is missing, and what follows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

import crmlib as crm
from crmlib.customers.retention.repurchase import buying_streaks
from crmlib.economics.retention.spending_case import prospects_by_month
from crmlib.errors import CannotAnswerError

DAY = pd.Timestamp("2024-12-31")


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """Customers who buy every 92 days until they stop, at a chance of their own, with costs line by line."""
    random = np.random.default_rng(3)
    stays = random.beta(3, 2, 2000)
    quarter = [DAY - pd.Timedelta(92 * back + 91, "D") for back in reversed(range(8))]
    rows = []
    for customer, chance in enumerate(stays):
        for day in quarter:
            rows.append((f"c{customer}", day, 50.0))
            if random.random() > chance:
                break
    frame = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    return frame.assign(cost=30.0)


class TestBuyers:
    def test_figures_are_those_of_the_log(self, log: pd.DataFrame) -> None:
        case = crm.buyers_case(log, as_of=DAY, period="92D", discount_rate_per_year=0.1)
        third, last = (
            log[log["date"].between(a, b)] for a, b in (("2024-07-01", "2024-09-30"), ("2024-10-01", DAY))
        )
        buyers = set(third["customer_id"])
        assert (case.customers, case.retained) == (len(buyers), len(buyers & set(last["customer_id"])))
        assert (case.value, case.value_per_customer) == ("contribution", 20.0)
        assert case.discount_rate == pytest.approx(1.1 ** (92 / 365.25) - 1)
        assert case.basis["figure"].tolist()[2] == "acquisition cost per customer"
        assert np.isnan(case.basis["amount"][2])
        assert "missing" in case.basis["origin"][2]

    def test_the_interval_of_one_more_point_is_that_of_retention_where_the_margin_is_known(self, log) -> None:
        """All buyers bring 20 a period, so only the rate is uncertain, and the gain rises with it."""
        case = crm.buyers_case(log, as_of=DAY, period="92D", discount_rate_per_year=0.1)
        gain, ceiling = case.one_point()
        point, d = case.worth_of_points().iloc[0], case.discount_rate
        assert (gain.value, ceiling.value) == (point["gain"], point["affordable_cost"])
        left = case.customers - case.retained
        rates = beta(case.retained + 0.5, left + 0.5).ppf([0.025, 0.975])
        by_hand = 20 * (1 + d) * (1 / (1 + d - rates - 0.01) - 1 / (1 + d - rates))
        assert [gain.low, gain.high] == pytest.approx(by_hand.tolist(), rel=0.01)
        most = by_hand * (1 + d - rates - 0.01) / (1 + d)
        assert [ceiling.low, ceiling.high] == pytest.approx(most.tolist(), rel=0.01)
        unknown = crm.buyers_case(log.drop(columns="cost"), as_of=DAY, period="92D").one_point()
        assert (unknown[0].is_known, unknown[1].is_known) == (True, False)

    def test_acquisition_cost_is_spend_over_first_purchases(self, log: pd.DataFrame) -> None:
        newcomers = log.assign(
            customer_id="n" + log["customer_id"], date=log["date"] + pd.Timedelta(548, "D")
        )
        both = pd.concat([log, newcomers[newcomers["date"] <= DAY]])
        first = both.groupby("customer_id")["date"].min()
        won = (first > DAY - pd.Timedelta(365, "D")).sum()
        assert won > 0
        spend = pd.DataFrame(
            {"date": pd.to_datetime(["2023-06-01", "2024-03-01", "2024-12-01", "2025-01-01"])}
        )
        spend["amount"] = [7e5, 3000.0, 1000.0, 9e5]  # the first and the last lie outside
        case = crm.buyers_case(both, as_of=DAY, period="92D", marketing_spend=spend)
        assert case.acquisition_cost == pytest.approx(4000 / won)
        assert case.claim().finding.verdict in ("supported", "contradicted", "undecided")
        assert "no acquisition cost" not in " ".join(case.claim().assumptions)

    def test_revenue_is_not_taken_for_profit(self, log: pd.DataFrame) -> None:
        case = crm.buyers_case(log.drop(columns="cost"), as_of=DAY, period="92D", acquisition_cost=10)
        assert case.value == "revenue"
        assert case.claim().finding.verdict == "cannot be tested"
        assert "no margin" in case.claim().finding.sentence
        known = crm.buyers_case(
            log.drop(columns="cost"), as_of=DAY, period="92D", acquisition_cost=10, margin=0.4
        )
        assert known.value_per_customer == pytest.approx(20.0)

    def test_without_a_margin_profit_is_not_mentioned(self, log: pd.DataFrame) -> None:
        revenue = log.drop(columns="cost")
        case = crm.buyers_case(revenue, as_of=DAY, period="92D", acquisition_cost=10, programme_cost=1)
        points = case.worth_of_points()
        assert points["affordable_cost"].isna().all()
        assert points["gain"].notna().all()
        assert case.terms.steps()[["net", "after_programme"]].isna().all(axis=None)
        assert np.isnan(case.reversal()["acquisition_cost"])
        assert "of revenue in all" in case.profit_curve().attrs["finding"]
        with_margin = crm.buyers_case(revenue, as_of=DAY, period="92D", margin=0.4).worth_of_points()
        np.testing.assert_allclose(with_margin["gain"], 0.4 * points["gain"])
        assert with_margin["affordable_cost"].notna().all()

    def test_costs_that_are_not_known_are_not_zero(self, log: pd.DataFrame) -> None:
        case = crm.buyers_case(log, as_of=DAY, period="92D")
        assert case.basis.set_index("figure")["amount"].isna().sum() == 2  # acquisition and programme
        assert (
            case.terms.elasticities()
            .set_index("lever")
            .drop(columns="unit")
            .loc["acquisition cost"]
            .isna()
            .all()
        )
        free = crm.buyers_case(log, as_of=DAY, period="92D", acquisition_cost=0, programme_cost=0)
        assert free.basis["amount"].notna().all()
        assert free.terms.steps()["after_programme"].notna().all()

    def test_one_verdict_on_the_page(self, log: pd.DataFrame) -> None:
        for cost in (None, 0, 30, 90):
            case = crm.buyers_case(log, as_of=DAY, period="92D", acquisition_cost=cost)
            assert case.claim().finding.verdict in case.profit_curve().attrs["finding_net_change"]

    def test_the_mix_is_learned_from_streaks(self, log: pd.DataFrame) -> None:
        case = crm.buyers_case(log, as_of=DAY, period="92D", discount_rate_per_year=0.1)
        assert case.survivors.iloc[0] == 2000
        assert (case.survivors.diff().dropna() <= 0).all()
        mix = case.mix().set_index("customers")
        # the world's own mean over Beta(3, 2), discounted by the quarter
        stays = np.random.default_rng(0).beta(3, 2, 200_000)
        expected = np.mean(20 * (1 + case.discount_rate) / (1 + case.discount_rate - stays))
        assert mix.loc["differ (sBG)", "gross"] == pytest.approx(expected, rel=0.1)
        assert mix.loc["differ (sBG)", "gross"] > 1.2 * mix.loc["all alike", "gross"]

    def test_a_log_that_is_too_short(self, log: pd.DataFrame) -> None:
        with pytest.raises(CannotAnswerError):
            crm.buyers_case(log, as_of="2023-03-10", period="92D")


class TestStreaks:
    def test_by_brute_force(self) -> None:
        random = np.random.default_rng(5)
        day = random.integers(0, 120, 400)
        log = pd.DataFrame({"customer_id": random.integers(0, 60, 400).astype(str), "amount": 1.0})
        log["date"] = DAY - pd.to_timedelta(day, unit="D")
        found = buying_streaks(log, as_of=DAY, days=20)
        periods = [set(log.loc[(day // 20) == one, "customer_id"]) for one in reversed(range(len(found)))]
        there, expected = periods[0], []
        for one in periods:
            there = there & one
            expected.append(len(there))
        assert found.tolist() == expected

    def test_needs_two_periods(self, log: pd.DataFrame) -> None:
        with pytest.raises(CannotAnswerError, match="needs two periods"):
            buying_streaks(log, as_of=DAY, days=500)


class TestContracts:
    def test_the_last_whole_year(self) -> None:
        random = np.random.default_rng(1)
        start = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1500, 900), unit="D")
        end = start + pd.to_timedelta(random.exponential(700, 900).round(), unit="D")
        rows = pd.DataFrame(
            {"customer_id": [f"c{one}" for one in range(900)], "start": start, "price_per_month": 10.0}
        )
        rows["end"] = end.where(end <= pd.Timestamp("2025-06-30"))
        case = crm.contracts_case(rows, as_of="2025-06-30", margin=0.5)
        there = (start <= "2023-12-31") & ((end > "2023-12-31") | rows["end"].isna())
        kept = there & ((end > "2024-12-31") | rows["end"].isna())
        assert (case.customers, case.retained) == (there.sum(), kept.sum())
        assert case.value_per_customer == pytest.approx(60)
        # a constant rate of leaving: 700 days on average
        assert case.survivors.iloc[1] / case.survivors.iloc[0] == pytest.approx(np.exp(-365 / 700), abs=0.06)

    def test_no_year_is_complete(self) -> None:
        rows = pd.DataFrame({"customer_id": ["a"], "start": [DAY], "price_per_month": [1.0]})
        case = crm.contracts_case(rows, as_of="2025-06-30")
        assert case.reason.startswith("no calendar year up to 2025-06-30 is complete")
        assert case.claim().finding.verdict == "cannot be tested"
        assert case.mix().empty


class TestSpending:
    @pytest.fixture
    def case(self, log: pd.DataFrame):
        return crm.buyers_case(log, as_of=DAY, period="92D", discount_rate_per_year=0.1)

    @staticmethod
    def tables(
        spend: list[float], ceiling: float, steepness: float, n: int = 5000
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Leads and spend of months with so much spent per prospect."""
        won = np.random.default_rng(2).binomial(n, ceiling * -np.expm1(-steepness * np.array(spend)))
        months = pd.date_range("2024-01-01", periods=len(spend), freq="MS")
        leads = pd.DataFrame({"created": np.repeat(months, n)})
        leads["won_on"] = leads["created"].where(np.tile(np.arange(n), len(spend)) < np.repeat(won, n))
        return leads, pd.DataFrame({"date": months, "amount": np.array(spend) * n})

    def test_a_response_is_fitted_where_it_shows(self, case) -> None:
        found = crm.spending_readout(case, *self.tables([1, 3, 6, 12, 20], 0.3, 0.15), as_of=DAY)
        (row,) = found.table.to_dict("records")
        assert row["curve"] == "fitted"
        assert row["ceiling"] == pytest.approx(0.3, abs=0.03)
        # the best spend: the next customer costs what one is worth, the first margin included
        assert row["value"] == pytest.approx(float(case.terms.gross()))
        assert row["best_equity"] >= row["equity"]

    def test_spend_that_does_not_vary_leaves_it_to_judgement(self, case) -> None:
        found = crm.spending_readout(case, *self.tables([5.0, 5.1, 5.05], 0.3, 0.15), as_of=DAY)
        assert found.table["curve"].str.startswith("judged").all()
        assert "ceilings are judgements" in found.sentences[1]
        assert (found.table["next_customer_costs"].diff().dropna() < 0).all()  # the higher the ceiling

    def test_both_sides_with_a_budget(self, case) -> None:
        tables = self.tables([1, 3, 6, 12], 0.3, 0.15)
        found = crm.spending_readout(case, *tables, as_of=DAY, retention_spend=2.0)
        (row,) = found.table.to_dict("records")
        assert row["best_equity"] >= row["equity"]
        assert "is a judgement" in " ".join(found.sentences)

    def test_revenue_does_not_say_whether_more_spend_pays(self, log: pd.DataFrame) -> None:
        case = crm.buyers_case(log.drop(columns="cost"), as_of=DAY, period="92D")
        found = crm.spending_readout(case, *self.tables([1, 3, 6, 12, 20], 0.3, 0.15), as_of=DAY)
        assert found.table[["value", "equity", "best_equity", "best_per_prospect"]].isna().all(axis=None)
        assert found.table["next_customer_costs"].notna().all()
        assert "No margin is known" in found.sentences[-1]

    def test_win_or_keep_and_the_curve_have_one_value(self, case) -> None:
        found = crm.spending_readout(case, *self.tables([1, 3, 6, 12, 20], 0.3, 0.15), as_of=DAY)
        curve = case.profit_curve()
        here = np.interp(case.terms.retention_rate, curve["retention_rate"], curve["gross"])
        assert found.table["value"].iloc[0] == pytest.approx(case.terms.steps()["gross"].iloc[0])
        assert found.table["value"].iloc[0] == pytest.approx(here, rel=2e-3)  # read off a grid of points

    def test_missing_tables_are_reported(self, case) -> None:
        found = crm.spending_readout(case, None, None, as_of=DAY)
        assert found.table.empty
        assert found.sentences == ("Not measured: no table leads, marketing_spend.",)

    def test_leads_of_last_month_are_too_recent_to_count(self) -> None:
        leads = pd.DataFrame({"created": [pd.Timestamp("2024-12-03")], "won_on": [pd.NaT]})
        spend = pd.DataFrame({"date": [pd.Timestamp("2024-12-01")], "amount": [10.0]})
        found = prospects_by_month(leads, spend, as_of=DAY)
        assert "no month with leads and spend lies 90 days before 2024-12-31" in repr(found)

    def test_months_of_the_tables(self) -> None:
        leads = pd.DataFrame(
            {"created": pd.to_datetime(["2024-01-03", "2024-01-20", "2024-02-02", "2024-11-20"])}
        )
        leads["won_on"] = pd.to_datetime(["2024-02-01", "2024-09-01", None, None])
        spend = pd.DataFrame(
            {"date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-02-01", "2024-11-01"])}
        )
        table = prospects_by_month(leads, spend.assign(amount=[10.0, 20.0, 5.0, 9.0]), as_of=DAY)
        assert table["spend_per_prospect"].tolist() == [15.0, 5.0]  # November is too young to tell
        assert table["share_won"].tolist() == [0.5, 0.0]  # one was won after 90 days


def test_expected_repurchase_is_the_mean_over_recent_buyers(log: pd.DataFrame) -> None:
    summary = crm.rfm_summary(log, as_of=DAY, time_unit="W")
    model = crm.ParetoNBDModel().fit(summary)
    found = model.expected_repurchase(summary, "92D")
    recent = summary[summary["time_since_last_purchase"] < 92 / 7]
    assert found["buyers"] == len(recent)
    none = model.expected_probability_no_purchase(recent, "92D").mean()
    assert found["expected_rate"] == pytest.approx(1 - none)
    assert found["expected_rate"] <= found["alive"] <= 1
