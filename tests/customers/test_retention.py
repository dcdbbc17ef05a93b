"""Retention measures: hand calculations, brute force, and money that adds up."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlib as crm
from crmlib.customers.retention.recurring_revenue import revenue_ratios
from crmlib.errors import CannotAnswerError, CrmError

START = pd.Timestamp("2024-01-01")


def subscriptions(rows: list[tuple[str, int, int | None, float]]) -> pd.DataFrame:
    """Customer, first and last day (days after the start of 2024), price."""
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "price_per_month"])
    days = {name: START + pd.to_timedelta(frame[name].astype("Int64"), unit="D") for name in ("start", "end")}
    return frame.assign(**days, subscription_id=frame.index.astype(str))


contracts = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.integers(0, 200),
        st.one_of(st.none(), st.integers(0, 150)),
        st.integers(0, 40).map(float),
    ),
    min_size=1,
    max_size=14,
).map(
    lambda rows: [(who, day, None if long is None else day + long, price) for who, day, long, price in rows]
)


MOVED = pd.DataFrame(
    {"start": [100.0, 0], "new": 30.0, "expansion": [20.0, 0], "contraction": [5.0, 0], "churn": [10.0, 0]}
)


class TestRevenue:
    def test_worked_example_and_one_without_a_start_or_a_loss(self) -> None:
        ratios = revenue_ratios(MOVED)
        assert ratios.iloc[0].round(4).tolist() == [1.05, 0.85, 3.3333]
        assert ratios.iloc[1, :2].isna().all()
        assert np.isnan(ratios.iloc[1, 2])

    @pytest.mark.parametrize("wrong", [{"churn": 96.0}, {"churn": -1.0}, {"start": np.nan}])
    def test_more_lost_than_there_was_is_refused(self, wrong: dict) -> None:
        with pytest.raises(CrmError, match="lose more than the start"):
            revenue_ratios(MOVED.assign(**wrong))

    @settings(max_examples=6)
    @given(contracts)
    def test_movements_by_brute_force(self, rows: list) -> None:
        table = subscriptions(rows)
        found = crm.revenue_movements(table, as_of="2024-12-31", months=12).set_index("month")
        ends = pd.date_range("2023-12-31", "2024-12-31", freq="ME")

        def due(day: pd.Timestamp) -> pd.Series:
            there = table[(table["start"] <= day) & (table["end"].isna() | (table["end"] >= day))]
            return (
                there.groupby("customer_id")["price_per_month"].sum().reindex(list("abcde"), fill_value=0.0)
            )

        for before, after in pairwise(ends):
            if after.replace(day=1) not in found.index:
                assert due(after).sum() == 0  # before the first contract
                continue
            was, now = due(before), due(after)
            row = found.loc[after.replace(day=1)]
            stayed = (was > 0) & (now > 0)
            expected = {
                "start": was.sum(),
                "new": now[was == 0].sum(),
                "expansion": (now - was)[stayed].clip(lower=0).sum(),
                "contraction": (was - now)[stayed].clip(lower=0).sum(),
                "churn": was[now == 0].sum(),
                "end": now.sum(),
                "customers": (now > 0).sum(),
            }
            assert row[list(expected)].to_dict() == pytest.approx(expected)
            assert row["returned"] <= row["new"]

    def test_a_change_of_price_is_no_churn(self) -> None:
        rows = subscriptions(
            [("a", 0, 30, 10.0), ("a", 31, None, 14.0), ("b", 0, 30, 9.0), ("b", 30, None, 7.0)]
        )
        rows["subscription_id"] = rows["customer_id"]
        february = crm.revenue_movements(rows, as_of="2024-02-29").iloc[1]
        assert february[["expansion", "contraction", "churn", "new"]].tolist() == [4.0, 0.0, 0.0, 0.0]
        # b's rows share 31 January: the later price is due, so February starts with it
        assert february["start"] == 17.0

    def test_a_returning_customer_counts_as_new_and_is_reported(self) -> None:
        rows = subscriptions(
            [("a", 0, 40, 10.0), ("a", 70, None, 12.0), ("b", 0, None, 5.0), ("c", 62, None, 3.0)]
        )
        march = crm.revenue_movements(rows, as_of="2024-03-31").iloc[-1]
        assert march[["new", "returned"]].tolist() == [15.0, 12.0]

    def test_no_complete_month(self) -> None:
        found = crm.revenue_movements(subscriptions([("a", 3, None, 1.0)]), as_of="2024-01-20")
        assert found.empty
        assert found.reason.startswith("no month with contracts is complete")

    def test_no_contract_has_started(self) -> None:
        found = crm.contract_retention(subscriptions([("a", 3, None, 1.0)]), as_of="2023-01-20")
        assert found.empty
        assert found.reason.startswith("no contract has started by 2023-01-20")


class TestContracts:
    @settings(max_examples=8)
    @given(contracts)
    def test_customers_add_up_and_retention_is_what_it_says(self, rows: list) -> None:
        found = crm.contract_retention(subscriptions(rows), as_of="2024-12-31")
        assert (found["start"] + found["new"] - found["left"] == found["end"]).all()
        assert (found["end"].iloc[:-1].to_numpy() == found["start"].iloc[1:].to_numpy()).all()
        known = found[found["start"] > 0]
        for row in known.itertuples():
            assert row.retention == (row.end - row.new) / row.start
            assert row.low <= row.retention <= row.high
        assert found.loc[found["start"] == 0, "retention"].isna().all()

    def test_quarters_and_those_who_come_and_go_within(self) -> None:
        rows = subscriptions([("a", 0, None, 1.0), ("b", 0, 100, 1.0), ("c", 95, 120, 1.0)])
        found = crm.contract_retention(rows, as_of="2024-06-30", period="Q")
        assert found[["start", "new", "left", "joined_and_left", "end"]].to_numpy().tolist() == [
            [0, 2, 0, 0, 2],
            [2, 0, 1, 1, 1],
        ]


logs = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 120)), min_size=1, max_size=30).map(
    lambda rows: pd.DataFrame(
        {
            "customer_id": [who for who, _ in rows],
            "amount": 5.0,
            "date": [START + pd.Timedelta(day, "D") for _, day in rows],
        }
    )
)


class TestByAge:
    @settings(max_examples=10)
    @given(logs)
    def test_each_definition_by_brute_force(self, log: pd.DataFrame) -> None:
        ages, last = [7, 30, 60], START + pd.Timedelta(120, "D")
        found = crm.retention_by_age(log, as_of=last, days=ages).set_index(["definition", "from_day"])
        first = log.groupby("customer_id")["date"].min()
        age = (log["date"] - log["customer_id"].map(first)).dt.days
        lived = (last - first).dt.days
        for before, day in zip([0, 7, 30], ages, strict=True):
            spans = {
                ("N-day", day): (day, day),
                ("bracket", before + 1): (before + 1, day),
                ("rolling", day): (day, 999),
            }
            for key, (low, high) in spans.items():
                old = lived[lived >= (low if key[0] == "rolling" else high)].index
                back = log.loc[age.between(low, high), "customer_id"].unique()
                assert found.loc[key, "customers"] == len(old)
                assert found.loc[key, "retained"] == len(set(back) & set(old))

    def test_rolling_is_at_least_the_others(self) -> None:
        found = crm.retention_by_age(crm.open_study("cdnow-sample").transactions, as_of="1998-06-30")
        exact, rolling = (
            found[found["definition"] == one]["retention"].to_numpy() for one in ("N-day", "rolling")
        )
        assert (rolling >= exact).all()
        assert (np.diff(rolling) <= 0).all()

    @pytest.mark.parametrize("days", [[], [0, 7], [30, 7], [7, 7]])
    def test_ages_are_ascending(self, days: list[int]) -> None:
        log = pd.DataFrame({"customer_id": ["a"], "amount": [1.0], "date": [START]})
        with pytest.raises(CrmError, match="ascending"):
            crm.retention_by_age(log, as_of="2024-12-31", days=days)


class TestRepurchase:
    def test_by_hand(self) -> None:
        day = [START + pd.Timedelta(one, "D") for one in (0, 35, 70, 5, 75, 40, 8)]
        log = pd.DataFrame(
            {"customer_id": list("aaabbcd"), "amount": [10.0, 20, 30, 40, 50, 60, 70], "date": day}
        )
        # periods of 30 days up to day 89: 0–29, 30–59, 60–89
        found = crm.repurchase_rate(log, as_of=START + pd.Timedelta(89, "D"), days=30, margin=0.5)
        assert found[["buyers", "bought_again", "rate"]].tolist() == [2, 1, 0.5]
        assert found["value_per_buyer"] == pytest.approx(20)  # half of 30 and 50
        assert found["value_error"] == pytest.approx(np.std([15, 25], ddof=1) / np.sqrt(2))
        assert found[["skipped", "came_back"]].tolist() == [2, 1]  # b and d skipped the second; b came back
        shorter = crm.repurchase_rate(log, as_of=START + pd.Timedelta(89, "D"), days=31)
        assert shorter[["skipped", "came_back"]].isna().all()  # the first period is not covered

    def test_interval_is_wilsons(self) -> None:
        found = crm.repurchase_rate(crm.open_study("cdnow-sample").transactions, as_of="1998-06-30", days=182)
        from scipy.stats import binomtest

        interval = binomtest(int(found["bought_again"]), int(found["buyers"])).proportion_ci(method="wilson")
        assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))

    def test_the_year_before_is_compared_among_customers_as_new_as_these(self) -> None:
        random = np.random.default_rng(4)
        day = random.integers(0, 400, 3000)
        log = pd.DataFrame({"customer_id": random.integers(0, 400, 3000), "amount": 1.0, "day": day})
        log["date"] = START + pd.to_timedelta(log["day"], "D")
        found = crm.repurchase_rate(log, as_of=START + pd.Timedelta(399, "D"), days=14)
        assert (
            found[["change", "change_low", "change_high"]].isna().all()
        )  # 364 days and three periods of 14: too short
        found = crm.repurchase_rate(log, as_of=START + pd.Timedelta(399, "D"), days=8)
        first = log.groupby("customer_id")["day"].min()
        counts = {}
        for end in (399, 399 - 46 * 8):
            early, late = (
                {*log.loc[log["day"].between(end - back - 7, end - back), "customer_id"]} for back in (8, 0)
            )
            for is_new in (True, False):
                buyers = [one for one in early if (first[one] > end - 16) == is_new]
                counts[end, is_new] = len(buyers), sum(one in late for one in buyers)
        kinds = [one for one in (True, False) if counts[399, one][0] and counts[31, one][0]]
        total = sum(counts[399, one][0] for one in kinds)
        change, noise = 0.0, 0.0
        for one in kinds:
            (now, again), (then, before) = counts[399, one], counts[31, one]
            change += now / total * (again / now - before / then)
            noise += (now / total) ** 2 * sum(
                k / n * (1 - k / n) / n for n, k in ((now, again), (then, before))
            )
        reach = 1.959964 * np.sqrt(noise)
        assert found["change"] == pytest.approx(change)
        assert found[["change_low", "change_high"]].tolist() == pytest.approx(
            [change - reach, change + reach]
        )

    def test_nobody_in_a_period(self) -> None:
        log = pd.DataFrame({"customer_id": ["a"], "amount": [1.0], "date": [START]})
        for rows in (log, log.iloc[:0]):
            with pytest.raises(CannotAnswerError, match=r"^0 customers bought .* needs buyers in both"):
                crm.repurchase_rate(rows, as_of="2024-12-31", days=30)
