"""The pyramid's cut-offs: the shares meant, ties kept together, nobody lost, nobody Lead without costs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.customers.profit.customer_profit import CustomerProfit, customer_profit
from crmlib.customers.profit.spread import whale_curve
from crmlib.customers.tiers.pyramid import TIERS, TierCutOffs
from crmlib.customers.tiers.value_tiers import value_tiers
from crmlib.errors import CrmError
from tests.customers.logs import log_of

WORKED = [400, 250, 150, 80, 40, 20, 10, -20, -130, -200]
FEW = settings(max_examples=50)
money = st.lists(st.integers(-50, 200), min_size=1, max_size=60)


def profits(values, **more) -> pd.DataFrame:
    return pd.DataFrame({"profit": np.asarray(values, dtype=float), **more})


def counts(tiers: pd.DataFrame) -> dict[str, int]:
    return {tier: int((tiers["tier"] == tier).sum()) for tier in TIERS}


def test_worked_example():
    found = value_tiers(profits(WORKED))
    # 5 % and 20 % of the seven who bring something, rounded up: one and two customers.
    assert counts(found) == {"Platinum": 1, "Gold": 1, "Iron": 5, "Lead": 3}
    whale = whale_curve(WORKED)
    assert (whale.total, whale.peak, whale.peak_customers, whale.tail) == (600, 950, 7, -350)
    assert round(100 * whale.peak_share, 1) == 158.3
    assert round(100 * whale.top_20_share, 1) == 108.3
    assert whale.curve["profit"].tolist() == [0, 400, 650, 800, 880, 920, 940, 950, 930, 800, 600]
    assert np.isnan(whale.gini)


def test_gini_is_twice_the_area_under_equality():
    revenue = [600, 1000, 1200, 2200, 5000]
    assert whale_curve(revenue).gini == pytest.approx(0.4)
    shares = np.append(0, np.cumsum(revenue)) / np.sum(revenue)
    area = np.trapezoid(shares, np.linspace(0, 1, 6))
    assert 1 - 2 * area == pytest.approx(0.4)


def test_a_thousand_different_customers_are_50_150_800():
    found = value_tiers(profits(np.arange(1, 1001)))
    assert counts(found) == {"Platinum": 50, "Gold": 150, "Iron": 800, "Lead": 0}
    assert found.cut_offs == TierCutOffs(951, 801, by="money")


@FEW
@given(money)
def test_ties_stay_together_and_no_tier_is_larger_than_meant(values):
    found = value_tiers(profits(values))
    rest = [one for one in values if one >= 0]
    assert counts(found)["Lead"] == len(values) - len(rest)
    assert counts(found)["Platinum"] <= np.ceil(0.05 * len(rest))
    assert counts(found)["Platinum"] + counts(found)["Gold"] <= np.ceil(0.2 * len(rest))
    assert found.groupby("profit")["tier"].nunique().max() == 1
    assert found.sort_values("profit")["tier"].is_monotonic_increasing
    assert (found.loc[found["tier"] >= "Gold", "profit"] > 0).all()


@FEW
@given(money, st.sampled_from(["customers", "profit"]))
def test_earlier_thresholds_give_the_same_tiers(values, by):
    profit = profits(values)
    first = value_tiers(profit, cut_offs={"platinum": 0.2, "gold": 0.3, "by": by})
    again = value_tiers(profit, cut_offs=first.cut_offs)
    assert again["tier"].tolist() == first["tier"].tolist()


@FEW
@given(money, st.data())
def test_the_table_loses_nobody_and_its_shares_add_up(values, data):
    index = data.draw(st.permutations(range(len(values))))
    profit = profits(values, revenue=np.abs(values).astype(float), cost_to_serve=1.0).set_axis(index)
    tiers = value_tiers(profit)
    assert tiers.index.equals(profit.index)
    table = tiers.table()
    assert table["tier"].tolist() == list(reversed(TIERS))
    assert table["customers"].sum() == len(values)
    assert table["share_of_customers"].sum() == pytest.approx(1)
    for name in ("revenue", "profit", "cost_to_serve"):
        assert table[name].sum() == pytest.approx(profit[name].sum())
        if profit[name].sum() > 0:
            assert table[f"share_of_{name}"].sum() == pytest.approx(1)
        else:
            assert table[f"share_of_{name}"].isna().all()


def test_cut_offs_as_money_and_as_share_of_profit():
    tiers = value_tiers(profits(WORKED), cut_offs={"platinum": 200, "gold": 50, "by": "money"})
    assert counts(tiers) == {"Platinum": 2, "Gold": 2, "Iron": 3, "Lead": 3}
    # 400 are 42 % of 950 and 650 are 68 %: two customers bring the first half, two more bring 90 %.
    tiers = value_tiers(profits(WORKED), cut_offs=TierCutOffs(0.5, 0.4, by="profit"))
    assert counts(tiers) == {"Platinum": 2, "Gold": 2, "Iron": 3, "Lead": 3}


def test_a_customer_of_three_weeks_is_not_lead():
    found = value_tiers(profits([90, -30, -30], exposure_days=[400, 21, 400]))
    assert found["tier"].tolist() == ["Platinum", "Iron", "Lead"]
    assert found["is_new"].tolist() == [False, True, False]
    assert "too new to judge, so Iron: 1" in found.notes[-1]
    assert value_tiers(profits([-30], exposure_days=[21]), minimum_exposure_days=0)["tier"].tolist() == [
        "Lead"
    ]


def test_the_same_amounts_in_another_order_are_the_same_value():
    orders = [(0.1, 0.2, 0.3), (0.3, 0.2, 0.1), (0.2, 0.3, 0.1)]
    rows = [
        (f"c{n}", f"2024-01-{day + 1:02d}", paid) for n in range(30) for day, paid in enumerate(orders[n % 3])
    ]
    found = value_tiers(customer_profit(log_of(*rows), start="2024-01-01", end="2024-01-31"))
    assert counts(found)["Iron"] == 30


def test_in_a_short_period_a_customer_of_long_standing_is_not_new():
    log = log_of(("a", "2023-01-01", 5.0), ("a", "2024-01-10", 5.0), ("b", "2024-01-25", 5.0))
    profit = customer_profit(log, start="2024-01-01", end="2024-01-31", costs={"per_order": 9.0})
    assert value_tiers(profit)["tier"].tolist() == ["Lead", "Iron"]


def test_without_costs_nobody_is_lead():
    found = value_tiers(pd.DataFrame({"revenue": [50.0, 20.0, -5.0, 0.0]}))
    assert found.kind == "revenue tiers"
    assert "Lead" not in found["tier"].tolist()
    assert "no customer can be Lead" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        ([5.0] * 40, {"Iron": 40}, "all customers have the same value"),
        ([-5.0, -1.0, -3.0], {"Lead": 3}, "every customer costs more"),
        ([7.0], {"Platinum": 1}, "rounded up to one"),
        ([-7.0], {"Lead": 1}, "every customer costs more"),
        ([0.0] * 30, {"Iron": 30}, "share the cut-off"),
        ([0.0] * 98 + [3.0, 2.0], {"Platinum": 2, "Iron": 98}, "share the cut-off of Platinum"),
        ([], {}, ""),
    ],
)
def test_odd_bases_have_a_stated_result(values, expected, note):
    found = value_tiers(profits(values))
    assert counts(found) == {tier: expected.get(tier, 0) for tier in TIERS}
    assert note in " ".join(found.notes)
    assert found.table()["customers"].sum() == len(values)


@pytest.mark.parametrize(
    ("frame", "options", "says"),
    [
        (profits([1]), {"cut_offs": {"platinum": 0.5, "gold": 0.6}}, "do not add up"),
        (profits([1]), {"cut_offs": {"platinum": 0, "gold": 0.6}}, "do not add up"),
        (profits([1]), {"cut_offs": {"platinum": float("nan"), "gold": 0.6}}, "do not add up"),
        (profits([1]), {"cut_offs": {"platinum": 5, "gold": 9, "by": "money"}}, "not below Gold's"),
        (profits([1]), {"cut_offs": {"by": "profits"}}, "did you mean 'profit'"),
        (profits([1]), {"method": "cluster"}, "did you mean 'clusters'"),
        (profits([1, np.nan]), {}, "profit is missing or infinite for 1 customers"),
        (profits([1, 2], customer_id=["a", "a"]), {}, "'a' occurs twice"),
        (pd.DataFrame({"net": [1.0]}), {}, "no column 'profit' or 'revenue'"),
        (profits([1]), {"minimum_exposure_days": -1}, "0 or more"),
    ],
)
def test_bad_input_is_refused(frame, options, says):
    with pytest.raises(CrmError, match=says):
        value_tiers(frame, **options)


def test_a_series_holds_profits_or_by_its_name_revenues():
    worked = pd.Series(WORKED, index=[f"c{place}" for place in range(len(WORKED))], name="clv")
    found = value_tiers(worked)
    assert found["tier"].tolist() == value_tiers(profits(WORKED))["tier"].tolist()
    assert found.index.equals(worked.index)
    assert (found.kind, found.cut_offs) == ("contribution tiers", value_tiers(profits(WORKED)).cut_offs)
    assert counts(value_tiers(worked.rename("revenue")))["Lead"] == 0
    with pytest.raises(CrmError, match="profit is missing or infinite for 1 customers"):
        value_tiers(pd.Series([1.0, np.nan]))


def test_rank_by_revenue_is_not_rank_by_profit():
    profit = pd.DataFrame({"revenue": [100, 90, 80, 70], "profit": [-5, 30, 20, 10]}, index=list("abcd"))
    assert CustomerProfit(profit).ranks["profit_rank"].tolist() == [4, 1, 2, 3]
    assert CustomerProfit(profit.drop(columns="profit")).ranks.empty


@FEW
@given(money)
def test_the_whale_peaks_where_the_profitable_end(values):
    whale = whale_curve(np.array(values, dtype=float))
    assert whale.peak == pytest.approx(sum(one for one in values if one > 0))
    assert whale.curve["profit"].max() == pytest.approx(whale.peak)
    assert whale.peak + whale.tail == pytest.approx(whale.total)
    assert whale.curve["profit"].iloc[-1] == pytest.approx(sum(values))
