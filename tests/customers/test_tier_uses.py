"""What tiers are used for: claims tested, costs shared out anew, effort weighed, ways out of Lead priced."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib import tier_claims, value_tiers, whale_curve
from crmlib.columns import COLUMNS
from crmlib.customers.profit.customer_profit import CustomerProfit
from crmlib.customers.tiers.pyramid import TIERS
from crmlib.customers.tiers.value_tiers import _cut, preferred_cut
from crmlib.errors import CannotAnswerError, CrmError
from tests.customers.logs import log_of

FEW = settings(max_examples=40)
NEXT = {"start": "2024-07-01", "end": "2024-12-31"}


def two_kinds(size: int = 60) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Platinum buys thrice and complains never; Lead buys once, at a discount, and complains twice, once in public."""
    rows, cases = [], []
    for n in range(size):
        best = n % 2 == 0
        spread = n % 3  # no two halves alike, or an interval would have no width
        rows += [
            (f"c{n}", f"2024-08-{day + 1:02d}", 20.0 + spread) for day in range(3 + spread if best else 1)
        ]
        cases += [] if best else [(f"c{n}", "2024-09-01", "complaint", True, 30.0 + spread)]
        cases += [] if best else [(f"c{n}", "2024-09-02", "complaint", False, 10.0)] * (1 + spread)
    log = log_of(*rows)
    log["discount"] = np.where(log["customer_id"].str[-1].isin(list("13579")), 5.0, 0.5)
    table = pd.DataFrame(cases, columns=["customer_id", "opened", "kind", "public", "minutes"])
    tiers = pd.DataFrame(
        {"customer_id": [f"c{n}" for n in range(size)], "tier": ["Platinum", "Lead"] * (size // 2)}
    )
    return log, table.assign(opened=pd.to_datetime(table["opened"])), tiers


def test_claims_that_hold_and_claims_that_cannot_be_tested():
    log, cases, tiers = two_kinds()
    found = tier_claims(tiers, log, **NEXT, service_cases=cases).set_index(["tier", "measure"])
    verdicts = found["verdict"]
    holding = ["Platinum purchases", "Platinum discount_share", "Lead complaints", "Lead public_complaints"]
    for claim in [tuple(one.split()) for one in [*holding, "Lead minutes_beyond"]]:
        assert verdicts[claim] == "supported", claim
    assert verdicts["Platinum", "active"] == "undecided"  # all of both are
    assert verdicts["Gold", "discount_share"] == "cannot be tested"
    assert "0 customers against 30" in found.loc[("Gold", "discount_share"), "why"]
    assert found.loc[("Platinum", "new_product_share"), "why"] == "needs a product first sold in the period"
    assert found.loc[("Gold", "share_of_wallet"), "why"] == "needs customers.share_of_wallet"
    purchases = found.loc[("Platinum", "purchases")]
    assert purchases["tier_mean"] == 4.0
    assert purchases["low"] < purchases["difference"] == 3.0 < purchases["high"]
    assert found.loc[("Lead", "complaints"), "tier_mean"] == 3.0


def test_the_other_way_round_nothing_is_supported():
    log, cases, tiers = two_kinds()
    swapped = tiers.assign(tier=tiers["tier"].map({"Platinum": "Lead", "Lead": "Platinum"}))
    verdicts = tier_claims(swapped, log, **NEXT, service_cases=cases)["verdict"]
    assert "supported" not in verdicts.tolist()
    assert "contradicted" in verdicts.tolist()


def test_an_interval_holds_the_difference_as_often_as_it_says():
    """Of 300 samples without a difference 5 % should fall outside; more than 27 would have a chance of .1 %."""
    random = np.random.default_rng(5)
    customers = [f"c{n}" for n in range(400)]
    outside = 0
    for _ in range(300):
        bought = random.poisson(2.0, 400)
        log = pd.DataFrame({"customer_id": np.repeat(customers, bought)})
        tiers = pd.DataFrame(
            {"customer_id": customers, "tier": np.where(np.arange(400) < 100, "Platinum", "Iron")}
        )
        row = _claim(tiers, log)
        outside += not row["low"] <= 0 <= row["high"]
    assert outside <= 27


def _claim(tiers: pd.DataFrame, log: pd.DataFrame) -> pd.Series:
    from crmlib.customers.tiers.claims import CLAIMS, _tested

    bought = log.groupby("customer_id").size().reindex(tiers["customer_id"]).fillna(0)
    return pd.Series(_tested(CLAIMS[0], tiers["tier"].to_numpy(), bought.rename("purchases").to_frame()))


def test_new_offers_are_products_first_sold_in_the_period():
    rows = [(f"c{n}", "2024-02-01", 5.0) for n in range(80)] + [
        (f"c{n}", "2024-08-01", 5.0) for n in range(80)
    ]
    log = log_of(*rows).assign(product=["old"] * 80 + ["new"] * 40 + ["old"] * 40)
    tiers = pd.DataFrame(
        {"customer_id": [f"c{n}" for n in range(80)], "tier": ["Platinum"] * 40 + ["Iron"] * 40}
    )
    found = tier_claims(tiers, log, **NEXT).set_index("measure").loc["new_product_share"]
    assert (found["tier_mean"], found["other_mean"], found["verdict"]) == (1.0, 0.0, "supported")


def test_iron_fills_capacity_if_it_takes_more_than_stands_idle():
    rows = [(f"c{n}", f"2024-08-{1 + day:02d}", 5.0) for n in range(100) for day in range(1 + n % 3)]
    log = log_of(*rows, ("newcomer", "2024-09-01", 5.0))
    tiers = pd.DataFrame(
        {"customer_id": [f"c{n}" for n in range(100)], "tier": ["Platinum"] * 20 + ["Iron"] * 80}
    )
    months = pd.DataFrame(
        {"date": pd.to_datetime(["2024-07-01", "2024-08-01"]), "capacity": 10.0, "used": [6.0, 8.0]}
    )
    found = tier_claims(tiers, log, **NEXT, capacity=months).set_index("measure").loc["capacity"]
    orders = sum(1 + n % 3 for n in range(20, 100))
    assert found["tier_mean"] == pytest.approx(0.7 * orders / len(log))
    assert found["other_mean"] == pytest.approx(0.3)
    assert found["verdict"] == "supported"
    idle = (
        tier_claims(tiers, log, **NEXT, capacity=months.assign(used=4.0)).set_index("measure").loc["capacity"]
    )
    assert idle["verdict"] == "contradicted"
    assert tier_claims(tiers, log, **NEXT).set_index("measure").loc["capacity", "why"] == "needs capacity"


def served(margins: list[float], service: list[float], **keys: list) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"revenue": margins, "cost_of_goods": 0.0, "cost_to_serve": service, **keys}, dtype=float
    )
    return frame.assign(profit=frame["revenue"] - frame["cost_to_serve"])


def test_the_same_cost_by_other_keys():
    profit = served([100, 100, 100, 10], [0, 0, 0, 40], orders=[1, 1, 1, 1], service_minutes=[0, 0, 0, 8])
    found = value_tiers(profit).allocation_sensitivity().set_index("key")
    assert found.loc["as calculated", "Lead"] == 1
    assert found.loc["per minute of service", "changed"] == 0
    assert found.loc["by revenue", "Lead"] == 0  # 40 × 10/310 is less than 10
    assert found.loc["per order", "changed"] == 1  # 10 each: the last one breaks even
    assert found.loc["equally", "lead_profit"] == 0
    assert "per contact" not in found.index
    assert value_tiers(served([5, 5], [0, 0])).allocation_sensitivity().empty
    with pytest.raises(CrmError, match="'cost_to_serve'"):
        value_tiers(pd.DataFrame({"revenue": [1.0], "cost_of_goods": 0.0})).allocation_sensitivity()


def test_to_drop_lead_saves_only_what_is_avoidable():
    profit = served([100, 30, 20], [0, 50, 60])
    tiers = value_tiers(profit)
    assert tiers["tier"].tolist() == ["Platinum", "Lead", "Lead"]
    found = tiers.ways_out_of_lead(avoidable_share=0.5, price_rise=0.1, leave=0.2, cheaper=0.3).set_index(
        "way"
    )
    gains = found["gain"]
    assert gains["drop them"] == pytest.approx(55 - 50)
    assert gains["raise prices"] == pytest.approx(0.8 * 5 - 0.2 * (50 - 55))
    assert gains["serve them more cheaply"] == pytest.approx(0.3 * 55)
    assert gains["charge until no customer makes a loss"] == 60
    assert found.loc["drop them", "of_loss"] == pytest.approx(5 / 60)
    assert tiers.ways_out_of_lead(avoidable_share=0)["gain"].iloc[0] == -50  # their margin is gone
    assert tiers.ways_out_of_lead(avoidable_share=1)["gain"].iloc[0] == 60
    assert tiers.iloc[:1].ways_out_of_lead().empty
    with pytest.raises(CrmError, match="avoidable_share is 50"):
        tiers.ways_out_of_lead(avoidable_share=50)


@FEW
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 60)), min_size=1, max_size=30))
def test_effort_and_value_are_those_of_the_firm(pairs):
    profit = served([one for one, _ in pairs], [other for _, other in pairs])
    table = value_tiers(profit).effort()
    assert table["customers"].sum() == len(pairs)
    assert table["value"].sum() == pytest.approx(profit["revenue"].sum())
    assert table["effort"].sum() == pytest.approx(profit["cost_to_serve"].sum())
    for name in ("share_of_value", "share_of_effort"):
        assert table[name].isna().all() or table[name].sum() == pytest.approx(1)


def test_clusters_are_cut_in_the_gaps_and_preferred_where_shares_cut_through():
    random = np.random.default_rng(0)
    clusters = [random.normal(10, 1, 300), random.normal(100, 8, 300), random.normal(1000, 60, 200)]
    value = np.concatenate([*clusters, [-5.0] * 50])
    profit = pd.DataFrame({"profit": value})
    found = value_tiers(profit, method="clusters")
    assert found["tier"].value_counts().to_dict() == {"Iron": 300, "Gold": 300, "Platinum": 200, "Lead": 50}
    assert found.clusters.groups_
    assert found.cut_offs.platinum > 500
    again = value_tiers(profit, cut_offs=found.cut_offs)
    assert again["tier"].tolist() == found["tier"].tolist()
    fixed, same = _cut("", found, value_tiers(profit)), _cut("", found, found)
    assert fixed["same"] < 0.8
    assert fixed["sentence"].startswith("Prefer the clusters")
    assert same["sentence"].startswith("Both are possible")
    assert same["rand"] == 1.0
    assert "not found again" in preferred_cut(0.5, True, 0.7)


def test_one_smooth_cloud_is_not_divided():
    random = np.random.default_rng(3)
    profit = pd.DataFrame({"profit": random.lognormal(3, 1, 800), "frequency": random.poisson(3, 800)})
    found = value_tiers(profit, method="clusters", features=["frequency"])
    assert found.cut_offs is None
    means = found.groupby("tier", observed=True)["profit"].mean()
    assert means.is_monotonic_increasing
    assert _cut("", found, value_tiers(profit))["sentence"].startswith("Prefer fixed shares")


def test_three_cuts_side_by_side():
    random = np.random.default_rng(3)
    profit = pd.DataFrame({"customer_id": range(400), "profit": random.lognormal(3, 1, 400) - 5})
    summary = pd.DataFrame({"customer_id": range(1, 400), "frequency": random.poisson(3, 399)})
    summary["time_since_last_purchase"] = random.exponential(20, 399)
    found = value_tiers(profit).compare_cuts(summary)
    assert found[["Platinum", "Gold", "Iron", "Lead"]].sum(axis=1).tolist() == [400] * 3
    assert found["Lead"].nunique() == 1  # split off before anything is clustered
    assert found.loc[0, ["same", "rand"]].tolist() == [1, 1]
    assert found.loc[1:, "same"].between(0, 0.99).all()
    assert found.loc[1:, "stability"].between(0, 1).all()
    assert found["sentence"].str.startswith("Prefer fixed shares").tolist() == [False, True, True]


@pytest.mark.parametrize("values", [[5.0] * 30, [5.0], [5.0, 6.0] * 20, [-1.0, -2.0]])
def test_too_few_values_for_three_clusters_are_refused(values):
    with pytest.raises(CannotAnswerError):
        value_tiers(pd.DataFrame({"profit": values}), method="clusters")


def test_the_list_holds_everybody_the_best_first():
    profit = served([100, 30, 60], [0, 50, 1]).assign(customer_id=list("abc"))
    tiers = value_tiers(profit)
    chances = pd.DataFrame({"customer_id": list("bca"), "most_likely": ["Lead", "Iron", "Platinum"]})
    chances["shrunk"] = [-3.0, 9.0, 50.0]
    chances[["Lead", "Iron", "Gold", "Platinum"]] = [[0.9, 0.1, 0, 0], [0, 0.6, 0.4, 0], [0, 0, 0.3, 0.7]]
    listed = tiers.customer_list(chances)
    assert listed["customer_id"].tolist() == ["a", "c", "b"]
    assert listed["chance"].tolist() == [0.7, 0.6, 0.9]


def test_tiers_of_profits_alone_have_a_table_and_say_what_else_they_need():
    tiers = value_tiers(pd.Series([9.0, 5.0, -2.0]))
    assert tiers.table()["customers"].sum() == 3
    for use in (tiers.effort, tiers.ways_out_of_lead):
        with pytest.raises(
            CrmError, match="profit has no column 'revenue'; pass what customer_profit returns"
        ):
            use()
    with pytest.raises(CrmError, match="no column 'customer_id'"):
        tiers.customer_list(pd.DataFrame())


def test_missing_tables_are_reported():
    basis = pd.DataFrame(
        {
            "component": ["gross", "cost of goods", "cost of orders"],
            "basis": ["measured", "assumed", "missing"],
        }
    )
    profit = CustomerProfit()
    profit.basis = basis
    assert profit.missing_costs.startswith("Not known, so not subtracted: cost of orders")
    profit.basis = basis.assign(basis="missing")
    assert "no customer can be Lead" in profit.missing_costs
    profit.basis = basis.assign(basis="measured")
    assert profit.missing_costs == "Every cost is measured or assumed."


@pytest.mark.parametrize(
    ("served", "named", "called"),
    [(0.0, "contribution", "contribution"), (3.0, "profit", "contribution after service cost")],
)
def test_only_what_is_after_a_known_cost_of_service_is_called_so(served, named, called):
    values = pd.DataFrame({"customer_id": range(40), "revenue": np.arange(40.0), "cost_of_goods": 0.0})
    tiers = value_tiers(values.assign(cost_to_serve=served, profit=values["revenue"] - served))
    assert (tiers.named, tiers.value_called) == (named, called)
    table = tiers.table()
    assert {named, f"share_of_{named}", f"{named}_per_customer"} <= set(table)
    assert ("after service" in table.attrs[f"finding_share_of_{named}"]) == (served > 0)
    assert COLUMNS[f"share_of_{named}"].label == f"share of {called}"
    sure = values[["customer_id"]].assign(most_likely="Iron", shrunk=1.0, **dict.fromkeys(TIERS, 0.25))
    assert named in tiers.customer_list(sure)


def test_equal_ranks_give_no_chart_and_losses_are_named_only_with_service_costs():
    by_margin = CustomerProfit({"revenue": [10.0, 30.0], "profit": [4.0, 12.0]})
    assert by_margin.ranks.empty
    assert len(CustomerProfit({"revenue": [10.0, 30.0], "profit": [4.0, 2.0]}).ranks) == 2
    for name, known in (
        ("revenue", False),
        ("contribution", False),
        ("contribution after service cost", True),
    ):
        curve = whale_curve(pd.Series([5.0, 3.0, 2.0], name=name)).curve
        assert ("makes a loss" in curve.attrs["finding"]) == known
