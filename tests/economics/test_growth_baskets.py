"""Cross-selling: pairs, the next product, gaps and paths, against hand calculations, brute force and null worlds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.economics.growth.affinity import _expected
from crmlib.errors import CrmError, DataError
from crmlib.no_rows import NoRows
from crmlib.statistics import benjamini_yekutieli

DAY = "2024-12-31"


def baskets(orders: list[tuple[str, ...]], customers: int = 40) -> pd.DataFrame:
    """A log of orders, of one day each, by customers in turn."""
    rows = [
        (f"c{n % customers}", f"o{n}", pd.Timestamp("2024-01-01") + pd.Timedelta(n % 300, "D"), 10.0, item)
        for n, held in enumerate(orders)
        for item in held
    ]
    return pd.DataFrame(rows, columns=["customer_id", "order_id", "date", "amount", "product"])


def random_orders(seed: int, orders: int = 1500, together: float = 0.0) -> list[tuple[str, ...]]:
    """Orders of customers who buy little or much, whose products are independent, but for a pair that is not."""
    random = np.random.default_rng(seed)
    popular = np.array([0.30, 0.25, 0.2, 0.15, 0.15, 0.1, 0.1, 0.05])
    much = random.gamma(1.5, 1 / 1.5, 40)
    found = []
    for n in range(orders):
        odds = popular / (1 - popular) * much[n % 40] * 1.5
        held = {f"p{i}" for i in np.flatnonzero(random.random(8) < odds / (1 + odds))}
        if random.random() < together:
            held |= {"p4", "p5"}
        found.append(tuple(sorted(held)) or ("p0",))
    return found


def test_support_confidence_and_lift_by_hand():
    orders = [("a", "b")] * 10 + [("a",)] * 10 + [("b",)] * 15 + [("c",)] * 65
    row = crm.Growth(baskets(orders), DAY).affinity().iloc[0]
    assert (row["product"], row["other"], row["baskets"]) == ("b", "a", 10)
    assert row[["support", "confidence", "lift"]].tolist() == pytest.approx(
        [0.1, 10 / 25, 0.1 / (0.2 * 0.25)]
    )


def test_pairs_are_those_of_brute_force():
    orders = random_orders(1)
    found = crm.Growth(baskets(orders), DAY).affinity(0.005)
    counts = pd.Series([frozenset(pair) for held in orders for pair in combinations(held, 2)]).value_counts()
    table = {frozenset(pair): n for *pair, n in found[["product", "other", "baskets"]].to_numpy().tolist()}
    assert table == counts[counts >= max(5, 0.005 * len(orders))].to_dict()
    assert found["expected"].sum() == pytest.approx(counts.sum(), rel=0.02)  # but for pairs below the support


def test_what_is_expected_has_the_partners_of_each_product():
    """In orders of two, the expectation is exact: u_i u_j with the given sums."""
    weight = np.array([5.0, 3.0, 2.0, 1.0])
    joint = np.outer(weight, weight)
    np.fill_diagonal(joint, 0)
    first, second = np.triu_indices(4, 1)
    assert _expected(joint.sum(axis=1)[None, :], first, second) == pytest.approx(
        joint[first, second], rel=1e-4
    )


def test_large_orders_hold_everything_and_that_is_no_affinity():
    """Everybody buys by chance, some much: the plain lift is above 1, what is beyond the size of the order is not."""
    found = [crm.Growth(baskets(random_orders(seed)), DAY).affinity(0.005) for seed in range(12)]
    assert np.mean([frame["lift"].mean() for frame in found]) > 1.1
    assert np.mean([frame["lift_for_size"].mean() for frame in found]) == pytest.approx(1.0, abs=0.03)
    assert sum((frame["verdict"] == "bought together").any() for frame in found) <= 1


def test_a_pair_that_belongs_together_is_found():
    found = crm.Growth(baskets(random_orders(3, together=0.08)), DAY).affinity(0.005)
    sure = found[found["verdict"] == "bought together"]
    assert [{*pair} for pair in sure[["product", "other"]].to_numpy()] == [{"p4", "p5"}]
    assert sure["lift_for_size_low"].iloc[0] > 1.1
    assert found.attrs["finding"].startswith("P4 and p5 are together")


def test_lines_of_business_make_no_affinity():
    """Two lines of business, whose customers buy nothing of the other: only beyond that is a pair together."""
    orders = [tuple(f"{line}{item[1]}" for item in held) for line in "xy" for held in random_orders(4, 4000)]
    log = baskets(orders)
    log["customer_id"] = log["product"].str[0] + log["customer_id"]
    people = pd.DataFrame({"customer_id": log["customer_id"].unique()})
    people["product_type"] = people["customer_id"].str[0]
    apart, mixed = (crm.Growth(log, DAY, table).affinity(0.005) for table in (people, None))
    assert (mixed["verdict"] == "bought together").sum() > 10
    assert (apart["verdict"] == "bought together").sum() == 0


def test_a_firm_with_one_product_and_a_support_that_cannot_be():
    firm = crm.Growth(baskets([("a",)] * 50), DAY)
    for found in (firm.affinity(), firm.next_product(), firm.next_offers(firm.next_product())):
        assert isinstance(found, NoRows)
        assert found.reason
    with pytest.raises(CrmError, match="support is 2"):
        firm.affinity(2)
    with pytest.raises(CrmError, match="did you mean 'product'"):
        crm.Growth(baskets([("a",)]), DAY, item="produt")


def test_tests_that_were_not_shown_count_too():
    assert benjamini_yekutieli(pd.Series([0.001]), tests=3).tolist() == pytest.approx(
        [0.001 * 3 * (1 + 1 / 2 + 1 / 3)]
    )


def tastes(seed: int, taste: float) -> pd.DataFrame:
    """Customers of two tastes, ten products each; with a share of `taste` they buy by it, else anything."""
    random = np.random.default_rng(seed)
    rows = []
    for who in range(300):
        items = np.where(
            random.random(8) < taste, who % 2 * 10, random.integers(0, 2, 8) * 10
        ) + random.integers(0, 10, 8)
        days = np.sort(random.integers(0, 366, 8))
        rows += [
            (f"c{who}", pd.Timestamp("2024-01-01") + pd.Timedelta(int(d), "D"), 10.0, f"p{i}")
            for d, i in zip(days, items, strict=True)
        ]
    return pd.DataFrame(rows, columns=["customer_id", "date", "amount", "product"])


@pytest.mark.parametrize(("taste", "better"), [(1.0, True), (0.0, False)])
def test_item_to_item_beats_popularity_where_there_is_taste(taste: float, better: bool):
    found = crm.Growth(tastes(0, taste), "2024-12-31").next_product(120)
    ours, popular = found.set_index("method").loc["item-to-item"], found.set_index("method").loc["popularity"]
    assert (ours["hit_rate_low"] > popular["hit_rate_high"]) is np.bool_(better)
    assert ours["customers"] == popular["customers"]
    assert ("beyond chance" in found.attrs["finding"]) is better


def test_cosine_reciprocal_rank_and_hit_by_hand():
    """Before the split a and b are bought by the same ten, c by twenty others; x owns a and then buys b."""
    rows = [(f"s{n}", "2024-01-01", item) for n in range(10) for item in "ab"] + [
        (f"t{n}", "2024-01-01", "c") for n in range(20)
    ]
    rows += [("x", "2024-01-01", "a"), ("x", "2024-12-01", "b")]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "product"]).assign(amount=1.0)
    log["date"] = pd.to_datetime(log["date"])
    found = crm.Growth(log, DAY).next_product(90).set_index("method")
    assert found["mrr"].to_dict() == {
        "item-to-item": 1.0,
        "popularity": 0.5,
    }  # c is most popular among what x lacks
    offers = crm.Growth(log[log["date"] < "2024-06-01"], "2024-06-30").next_offers(found.reset_index())
    assert offers.set_index("customer_id").loc["x", ["next_product", "because"]].tolist() == ["b", "a"]


def test_gaps_are_kaplan_meier_by_hand():
    """Of four customers two came back after 10 and 30 days, one is seen for 20, one for 300 days."""
    dates = {
        "a": ["2024-01-01", "2024-01-11"],
        "b": ["2024-01-01", "2024-01-31"],
        "c": ["2024-12-11"],
        "d": ["2024-03-06"],
    }
    log = pd.DataFrame(
        [(who, pd.Timestamp(day), 1.0) for who, days in dates.items() for day in days],
        columns=["customer_id", "date", "amount"],
    )
    row = crm.Growth(log, DAY).order_gaps().iloc[0]
    assert row[["step", "customers", "came", "median_gap"]].tolist() == ["1 to 2", 4, 2, 30.0]
    assert row["within_30"] == pytest.approx(1 - 3 / 4 * 1 / 2)
    assert np.isnan(row["within_365"])


def test_what_follows_on_what():
    """After a always a, after b either; the usual share of a is that of all second orders."""
    rows = [
        (f"c{n}", day, item)
        for n in range(200)
        for day, item in (("2024-01-01", "ab"[n % 2]), ("2024-02-01", "a" if n % 4 < 3 else "b"))
    ]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "category"]).assign(amount=1.0)
    log["date"] = pd.to_datetime(log["date"])
    found = crm.Growth(log, DAY).next_after().set_index(["first", "then"])
    assert found.loc[("a", "a"), ["customers", "share", "usual"]].tolist() == [100, 1.0, 0.75]
    assert found.loc[("b", "b"), ["customers", "share", "usual"]].tolist() == [50, 0.5, 0.25]
    assert found.loc[("b", "b"), "verdict"] == "more than usual"
    third = pd.concat(
        [log, log[log["date"] == "2024-02-01"].assign(date=pd.Timestamp("2024-03-01"), category="c")]
    )
    paths = crm.Growth(third, DAY).purchase_paths().set_index("path")
    assert paths["customers"].to_dict() == {"a → a → c": 100, "b → a → c": 50, "b → b → c": 50}


def test_a_log_without_products_says_so():
    log = baskets([("a",)] * 40).drop(columns="product")
    firm = crm.Growth(log, DAY)
    for found in (
        firm.affinity(),
        firm.next_product(),
        firm.next_after(),
        firm.purchase_paths(),
        firm.products_held(),
    ):
        assert found.reason == "the log names no product or category"
    with pytest.raises((CrmError, DataError), match="within_days"):
        crm.Growth(log, DAY, within_days=0)
