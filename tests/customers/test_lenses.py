"""The five lenses against pandas on the raw rows, and the sums that must hold on any log."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

import crmlib as crm
from crmlib.customers._log import acquired_by, by_group, customer_totals
from crmlib.customers.audit.best_customers import first_products, period_profile
from crmlib.customers.audit.cohorts import cohort_comparison, cohort_history
from crmlib.customers.audit.period_change import period_change
from crmlib.customers.audit.second_purchase import repeat_rate
from crmlib.data.sources import as_transactions
from crmlib.errors import CannotAnswerError, CrmError


@pytest.fixture(scope="module")
def cdnow():
    return crm.open_study("cdnow-sample").transactions


@pytest.fixture(scope="module")
def rows(cdnow):
    """The sample by customer and day, in pandas."""
    log = cdnow.to_pandas()
    log["day"] = log["date"].dt.normalize()
    return log.groupby(["customer_id", "day"], as_index=False)["amount"].sum()


YEAR = {"start": "1997-01-01", "end": "1997-12-31"}
GROUPS = ["market", "channel"]
H1, H2 = ("1997-01-01", "1997-06-30"), ("1997-07-01", "1997-12-31")


# Lens 1


def test_totals_of_a_period_are_those_of_the_rows(cdnow, rows):
    within = rows[rows["day"].between(*YEAR.values())]
    totals = period_profile(cdnow, **YEAR).totals
    people = within.groupby("customer_id")["amount"].agg(["size", "sum"])
    assert totals["customers"] == len(people) == 2357
    assert totals["purchases"] == len(within)
    assert totals["revenue"] == pytest.approx(within["amount"].sum())
    assert totals["one_time_share"] == pytest.approx((people["size"] == 1).mean())
    assert totals["spend_per_purchase"] == pytest.approx(within["amount"].sum() / len(within))
    best = people["sum"].sort_values(ascending=False)
    whole, part = divmod(0.05 * len(best), 1)
    top = best[: int(whole)].sum() + part * best.iloc[int(whole)]
    assert totals["top_5_share"] == pytest.approx(top / best.sum())
    assert np.isnan(totals["contribution"])


def test_deciles_and_distribution_hold_every_customer(cdnow):
    profile = period_profile(cdnow, **YEAR)
    assert profile.deciles["customers"].sum() == profile.distribution["customers"].sum() == 2357
    assert profile.deciles["customers"].max() - profile.deciles["customers"].min() <= 1
    assert profile.deciles["cumulative_share"].iloc[-1] == pytest.approx(1)
    assert profile.deciles["value_per_customer"].is_monotonic_decreasing


def test_with_a_margin_customers_are_ranked_by_profit(cdnow):
    plain, assumed = period_profile(cdnow, **YEAR), period_profile(cdnow, **YEAR, margin=0.3)
    assert (plain.value, assumed.value) == ("revenue", "contribution")
    assert assumed.totals["contribution"] == pytest.approx(0.3 * plain.totals["revenue"])
    assert assumed.totals["gini"] == pytest.approx(plain.totals["gini"])


def test_measured_costs_go_before_an_assumed_margin():
    log = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "date": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "amount": [10.0, 20.0],
            "cost": [1.0, 30.0],
        }
    )
    profile = period_profile(log, start="2024-01-01", end="2024-01-31", margin=0.5)
    assert profile.totals["contribution"] == -1.0
    assert np.isnan(profile.totals["gini"])  # a negative profit has no place in it
    assert profile.deciles["value"].sum() == -1.0


def test_a_row_without_a_cost_is_not_taken_for_free():
    log = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "date": pd.Timestamp("2024-01-02"),
            "amount": [10.0, 20.0],
            "cost": [4.0, None],
        }
    )
    assert period_profile(log, start="2024-01-01", end="2024-01-31").totals["contribution"] == pytest.approx(
        6 + 12
    )
    assumed = period_profile(log, start="2024-01-01", end="2024-01-31", margin=0.1)
    assert assumed.totals["contribution"] == pytest.approx(6 + 2)


# Lens 2


def test_two_halves_of_a_year_against_the_rows(cdnow, rows):
    found = period_change(cdnow, H1, H2)
    halves = [rows[rows["day"].between(*half)].groupby("customer_id")["amount"].sum() for half in (H1, H2)]
    both = pd.concat(halves, axis=1, keys=["before", "after"])
    waterfall = found.waterfall.set_index("step")
    assert waterfall.loc["lapsed", "customers"] == both["after"].isna().sum()
    assert waterfall.loc["new", "customers"] == 0  # CDNOW's customers all first bought by March
    assert waterfall.loc["bought more", "customers"] == (both["after"] > both["before"]).sum()
    assert waterfall.loc["before", "change"] == pytest.approx(halves[0].sum())
    assert waterfall.loc["after", "change"] == pytest.approx(halves[1].sum())
    assert found.change == pytest.approx(halves[1].sum() - halves[0].sum())
    assert found.migration.to_numpy().sum() == len(both)
    assert found.migration.loc["not active"].sum() == both["before"].isna().sum()


def test_the_effects_of_the_factors_add_up_exactly(cdnow):
    for margin in (None, 0.25):
        found = period_change(cdnow, H1, H2, margin=margin)
        ends = found.waterfall.set_index("step")["change"]
        assert found.factors["effect"].sum() == pytest.approx(ends["after"] - ends["before"], abs=1e-6)
        assert found.factors["before"].prod() == pytest.approx(ends["before"])


def test_a_customer_who_came_back_is_not_new(cdnow, rows):
    after = ("1998-01-01", "1998-03-31")
    found = period_change(cdnow, ("1997-10-01", "1997-12-31"), after).waterfall.set_index("step")
    quarter = set(rows[rows["day"].between("1997-10-01", "1997-12-31")]["customer_id"])
    now = set(rows[rows["day"].between(*after)]["customer_id"])
    assert found.loc["came back", "customers"] == len(now - quarter)
    assert found.loc["new", "customers"] == 0


def test_a_period_in_which_nobody_bought_is_explained_by_nobody_being_active(cdnow):
    found = period_change(cdnow, H1, ("2001-01-01", "2001-06-30"))
    effects = found.factors.set_index("factor")["effect"]
    assert effects["share active"] == pytest.approx(found.change)
    assert effects.drop("share active").abs().max() == 0


# Lenses 3, 4 and 5


def test_cohorts_against_the_rows(cdnow, rows):
    table = cohort_comparison(cdnow, as_of="1998-06-30")
    rows = rows.assign(
        cohort=rows.groupby("customer_id")["day"].transform("min").dt.to_period("M").dt.start_time,
        period=rows["day"].dt.to_period("M").dt.start_time,
    )
    wanted = rows.groupby(["cohort", "period"]).agg(
        active=("customer_id", "nunique"), purchases=("day", "size"), revenue=("amount", "sum")
    )
    found = table.set_index(["cohort", "period"])[["active", "purchases", "revenue"]]
    pd.testing.assert_frame_equal(
        found[found["active"] > 0], wanted, check_dtype=False, check_index_type=False
    )
    assert len(table) == 18 + 17 + 16
    assert table["complete"].all()


def test_the_factors_multiply_to_the_revenue(cdnow):
    table = cohort_comparison(cdnow, as_of="1998-06-30", margin=0.3)
    factors = ["customers", "active_share", "purchases_per_active", "spend_per_purchase", "margin"]
    assert table[factors].prod(axis=1).to_numpy() == pytest.approx(table["contribution"].to_numpy())


def test_a_period_that_is_not_over_is_marked(cdnow):
    table = cohort_comparison(cdnow, as_of="1998-06-29")
    assert not table.loc[table["period"] == "1998-06-01", "complete"].any()
    assert table.loc[table["period"] < "1998-06-01", "complete"].all()


def test_one_cohort_by_age_against_the_rows(cdnow, rows):
    history = cohort_history(cdnow, cohort=("1997-01-01", "1997-01-31"), as_of="1998-06-30", age_unit="W")
    born = rows.groupby("customer_id")["day"].transform("min")
    january = rows[born.between("1997-01-01", "1997-01-31")].assign(age=(rows["day"] - born).dt.days // 7)
    assert history["customers"].iloc[0] == january["customer_id"].nunique()
    assert len(history) == ((pd.Timestamp("1998-06-30") - born[january.index].max()).days + 1) // 7
    for age in (0, 1, 10, 40):
        of_age = january[january["age"] == age]
        assert history["active"][age] == of_age["customer_id"].nunique()
        assert history["revenue"][age] == pytest.approx(of_age["amount"].sum())
    until = january[january["age"] <= 40]
    assert history["value_per_customer"][40] == pytest.approx(until["amount"].sum() / history["customers"][0])
    twice = until.groupby("customer_id").size().gt(1).sum()
    assert history["bought_twice_share"][40] == pytest.approx(twice / history["customers"][0])


def test_a_cohort_of_nobody_is_refused(cdnow):
    with pytest.raises(CrmError, match="nobody first bought from 1998-01-01"):
        cohort_history(cdnow, cohort=("1998-01-01", "1998-01-31"), as_of="1998-06-30")


def test_health_adds_the_cohorts_up(cdnow, rows):
    comparison = cohort_comparison(cdnow, as_of="1998-06-30")
    health = comparison.health.set_index("period")
    assert health["revenue"].sum() == pytest.approx(rows["amount"].sum())
    assert health["new_customers"].sum() == 2357
    assert health.loc["1997-01-01", "new_share"] == pytest.approx(1)
    assert health.loc["1998-06-01", "new_share"] == 0
    june = rows[rows["day"].between("1998-06-01", "1998-06-30")]
    assert health.loc["1998-06-01", "active_share"] == pytest.approx(june["customer_id"].nunique() / 2357)


def test_repeat_rate_by_vintage_against_the_rows(cdnow, rows):
    rates = repeat_rate(cdnow, as_of="1998-06-30", within_days=180)
    gaps = (rows["day"] - rows.groupby("customer_id")["day"].transform("min")).dt.days
    again = set(rows[gaps.between(1, 180)]["customer_id"])
    assert rates["came_back"].sum() == len(again)
    assert (rates["low"] < rates["repeat_rate"]).all()
    assert (rates["repeat_rate"] < rates["high"]).all()


def test_a_vintage_too_young_for_the_question_is_left_out(cdnow):
    assert len(repeat_rate(cdnow, as_of="1997-08-31", within_days=180)) == 2
    assert repeat_rate(cdnow, as_of="1997-03-31", within_days=180).empty


def test_a_year_of_cohorts_together_is_their_sum_with_wilsons_interval(cdnow):
    rates = repeat_rate(cdnow, as_of="1998-06-30", within_days=90)
    found = rates.of_a_year()
    did, of = int(rates["came_back"].sum()), int(rates["customers"].sum())
    assert of == 2_357
    assert found.value == did / of
    assert (found.low, found.high) == pytest.approx(tuple(binomtest(did, of).proportion_ci(method="wilson")))
    assert found.base == "2,357 new customers of Jan 1997 to Mar 1997"
    assert not rates.of_a_year(back=1).is_known


def test_a_year_of_cohorts_is_not_known_where_they_do_not_reach_back_so_far():
    first = pd.date_range("2022-07-01", "2024-06-30", freq="MS")
    log = pd.DataFrame({"customer_id": [f"c{n}" for n in range(len(first))], "date": first, "amount": 1.0})
    rates = repeat_rate(log, as_of="2024-12-31")
    years = [rates.of_a_year(back) for back in range(3)]
    assert [one.window for one in years] == ["Jul 2023 to Jun 2024", "Jul 2022 to Jun 2023", ""]
    assert not repeat_rate(log, as_of="2024-12-31", new_from="2025-01-01").of_a_year().is_known


# First products and groups

SHOP = pd.DataFrame(
    [
        ("a", "2023-01-01", 10.0, "jazz", "DE"),
        ("a", "2023-01-01", 5.0, "pop", "DE"),
        ("a", "2023-06-01", 50.0, "pop", "DE"),
        ("b", "2023-01-05", 8.0, "pop", "FR"),
        ("b", "2024-06-01", 99.0, "jazz", "FR"),
        ("c", "2023-03-01", 20.0, None, None),
        ("d", "2023-12-30", 70.0, "jazz", "DE"),
    ],
    columns=["customer_id", "date", "amount", "category", "market"],
).astype({"date": "datetime64[us]"})


def test_first_products_count_only_what_everybody_has_lived():
    found = first_products(SHOP, as_of="2024-06-30", within_days=365).set_index("first_product")
    assert found.loc["jazz", ["customers", "came_back_share", "value_per_customer"]].tolist() == [
        1,
        1.0,
        65.0,
    ]
    assert found.loc["pop", ["customers", "came_back_share", "value_per_customer"]].tolist() == [2, 0.5, 36.5]
    assert found.loc["pop", "standard_error"] == pytest.approx(np.std([65, 8], ddof=1) / np.sqrt(2))
    assert found.loc["(none)", "value_per_customer"] == 20.0
    assert found["customers"].sum() == 4  # d is too young


def test_each_market_is_seen_apart():
    parts = by_group(customer_totals, SHOP, by="market", start="2023-01-01", end="2023-12-31")
    assert list(parts) == ["(none)", "DE", "FR"]
    for name, part in parts.items():
        rows = SHOP[SHOP["market"].fillna("(none)") == name]
        alone = customer_totals(rows, start="2023-01-01", end="2023-12-31")
        pd.testing.assert_frame_equal(part, alone)


def test_of_many_markets_the_largest_are_shown_and_the_others_are_one():
    sizes = [*range(40, 18, -1), *[1] * 30]
    log = pd.DataFrame(
        [(f"{market}-{one}", f"m{market:02d}") for market, size in enumerate(sizes) for one in range(size)],
        columns=["customer_id", "market"],
    ).assign(date=pd.Timestamp("2023-05-05"), amount=2.0)
    table = period_profile(log, start="2023-01-01", end="2023-12-31", by=GROUPS).by_group.set_index("group")
    assert table.index.tolist() == ["(32 others)", *(f"m{market:02d}" for market in range(20))]
    assert table["customers"].tolist() == [sum(sizes[20:]), *sizes[:20]]
    assert table["revenue"].sum() == log["amount"].sum()


def test_groups_that_a_log_lacks_are_passed_over(cdnow):
    table = period_profile(SHOP, start="2023-01-01", end="2023-12-31", by=GROUPS).by_group
    assert table[["by", "group", "revenue"]].to_numpy().tolist() == [
        ["market", "(none)", 20.0],
        ["market", "DE", 135.0],
        ["market", "FR", 8.0],
    ]
    assert period_profile(cdnow, start="1997-01-01", end="1997-12-31", by=GROUPS).by_group.empty
    assert first_products(cdnow, as_of="1998-06-30").empty


def test_a_group_that_the_log_lacks_is_refused():
    with pytest.raises(CrmError, match="by is 'markt'; did you mean 'market'"):
        by_group(customer_totals, SHOP, by="markt", start="2023-01-01", end="2023-12-31")


# Any log

logs = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 400), st.sampled_from([0.0, 5.0, 12.5, -5.0, 30.0])),
    min_size=1,
    max_size=40,
)


def as_log(rows):
    log = pd.DataFrame(rows, columns=["customer_id", "age", "amount"])
    return log.assign(date=pd.Timestamp("2023-01-01") + pd.to_timedelta(log["age"], unit="D"))


@pytest.mark.thorough
@settings(max_examples=6)
@given(logs)
def test_on_any_log_nothing_is_lost_and_order_does_not_matter(rows):
    log = as_log(rows)
    if not (log["amount"] >= 0).any():
        return
    read = as_transactions(log).to_pandas()  # a purchase that went back in full is none
    buyers = set(read.loc[read["is_purchase"] & read["reversed_on"].isna(), "customer_id"])
    table = cohort_comparison(log, as_of="2024-12-31")
    assert table["revenue"].sum() == pytest.approx(
        log[log["customer_id"].isin(buyers)]["amount"].sum(), abs=1e-9
    )
    pd.testing.assert_frame_equal(table, cohort_comparison(log[::-1], as_of="2024-12-31"))
    halves = ("2023-01-01", "2023-06-30"), ("2023-07-01", "2024-12-31")
    found = period_change(log, *halves)
    assert found.waterfall["customers"].iloc[1:-1].sum() == found.migration.to_numpy().sum()
    assert acquired_by(log, "2024-12-31") == len(buyers)


def test_customer_totals_of_a_period_without_purchases_are_empty(cdnow):
    assert customer_totals(cdnow, start="1999-01-01", end="1999-12-31").empty
    assert period_profile(cdnow, start="1999-01-01", end="1999-12-31").totals["customers"] == 0
    with pytest.raises(CannotAnswerError, match="1990-12-31 is before the log"):
        period_profile(cdnow, start="1990-01-01", end="1990-12-31")


def test_first_products_of_few_customers_have_no_rank():
    sizes = {"tea": 30, "jam": 40, "gold": 1, "silver": 2, "rice": 35}
    paid = {"tea": 5.0, "jam": 9.0, "gold": 900.0, "silver": 400.0, "rice": 7.0}
    rows = [
        (f"{product}{one}", product, paid[product]) for product, size in sizes.items() for one in range(size)
    ]
    log = pd.DataFrame(rows, columns=["customer_id", "product", "amount"]).assign(
        date=pd.Timestamp("2023-01-05")
    )
    found = first_products(log, as_of="2024-06-30")
    assert found["first_product"].tolist() == ["jam", "rice", "tea", "silver", "gold"]
    assert found["rank"].tolist()[:3] == [1, 2, 3]
    assert found["rank"].isna().tolist()[3:] == [True, True]


def test_a_share_of_the_best_needs_one_whole_customer():
    log = pd.DataFrame(
        {"customer_id": ["a", *"bbcdefghijk"], "market": ["one", *["many"] * 11], "amount": 2.0}
    )
    log = log.assign(date=pd.Timestamp("2023-05-05"))
    table = period_profile(log, start="2023-01-01", end="2023-12-31", by=GROUPS).by_group.set_index("group")
    shares = ["top_1_share", "top_5_share", "top_10_share", "top_20_share"]
    assert table.loc["one", [*shares, "gini"]].isna().all()
    assert table.loc["many", shares].notna().tolist() == [False, False, True, True]
