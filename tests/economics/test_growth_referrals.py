"""Recommendations: the tree and what cannot be in it, wins at equal age, bounds that hold the truth, others alike."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.economics.growth.referral_value import won_by_offer
from crmlib.economics.growth.referrals import _mean_wins, e_value, e_values
from crmlib.errors import CrmError

DAY = "2024-12-31"


def people(*links: tuple[str, str | None, str | None], **columns: list) -> pd.DataFrame:
    """Customers: id, referrer, day of joining."""
    table = pd.DataFrame(links, columns=["customer_id", "referrer_id", "joined"])
    return table.assign(joined=pd.to_datetime(table["joined"]), **columns)


def log_of(table: pd.DataFrame, amount: float = 10.0) -> pd.DataFrame:
    """Each customer buys on the day of joining."""
    days = table["joined"].fillna(pd.Timestamp("2024-01-01"))
    return pd.DataFrame({"customer_id": table["customer_id"], "date": days, "amount": amount})


def growth(table: pd.DataFrame, **options: object) -> crm.Growth:
    return crm.Growth(log_of(table), DAY, table, margin=1.0, **options)


def test_each_link_that_cannot_be_is_set_aside_with_its_reason_and_none_is_lost():
    table = people(
        ("a", None, "2024-01-01"), ("b", "a", "2024-02-01"), ("c", "b", "2024-03-01"),
        ("d", "d", "2024-01-01"), ("e", "nobody", "2024-01-01"), ("f", "c", "2024-02-15"),  # c came on 1 March
        ("x", "z", "2024-05-01"), ("y", "x", "2024-05-01"), ("z", "y", "2024-05-01"), ("w", "x", "2024-06-01"),
    )  # fmt: skip
    found = growth(table).referral_checks()
    assert dict(zip(found["problem"], found["links"], strict=True)) == {
        "used": 3, "a customer who recommended themselves": 1, "a referrer who is no customer": 1,
        "a cycle: each was brought by the other": 3, "a referrer who joined later": 1,
    }  # fmt: skip
    assert "3 with a cycle" in found.attrs["finding"]
    assert found["share"].sum() == pytest.approx(1.0)


def test_the_tree_counts_those_brought_and_those_whom_they_brought():
    table = people(
        ("a", None, "2024-01-01"), ("b", "a", "2024-02-01"), ("c", "b", "2024-03-01"), ("d", "b", "2024-03-02"),
        ("e", "d", "2024-04-01"),
    )  # fmt: skip
    found = growth(table).referral_tree().set_index("customer_id")
    assert found.loc[["a", "b", "d"]].to_numpy().tolist() == [[0, 1, 4], [1, 2, 3], [2, 1, 1]]


def test_ids_that_are_numbers_in_the_log_and_second_rows_of_a_customer():
    table = people(("1", None, "2024-01-01"), ("2", "1", "2024-02-01"), ("2", "1", "2024-02-01"))
    log = log_of(table).astype({"customer_id": "int64"})
    assert crm.Growth(log, DAY, table).referral_tree()["direct"].tolist() == [1]


@pytest.mark.parametrize("kind", ["int64", "string"])
@pytest.mark.parametrize("ids", [[np.nan, 1, 2], pd.array([None, 1, 2], "Int64"), ["", "1.0", " 2"]])
def test_ids_of_referrers_are_the_same_whatever_a_program_made_of_them(kind: str, ids: object):
    """A column of whole numbers with a gap becomes one of fractions, which are no other customers."""
    table = people(("1", None, "2024-01-01"), ("2", "1", "2024-02-01"), ("3", "2", "2024-03-01"))
    table = table.astype({"customer_id": kind}).assign(referrer_id=ids, product_type="tea")
    log = log_of(table)
    assert crm.Growth(log, DAY, table).referral_checks()["links"].tolist() == [2]
    found = crm.LifeCycle(log, "2024-03-31", table).people().set_index("customer_id")["state"]
    assert found.to_dict() == {"1": "advocate", "2": "advocate", "3": "unstable"}


def test_the_links_are_made_once():
    found = growth(people(("a", None, "2024-01-01"), ("b", "a", "2024-02-01")))
    share, kept = found.type_one_share(), vars(found)["links"]
    before = kept.copy()
    for asked in (found.referral_tree, found.referral_wins, found.referral_checks, found.referred_by_type):
        asked()
    for asked in (found.referral_account, found.value_groups, found.referral_values):
        asked(share)
    assert found.links is kept
    pd.testing.assert_frame_equal(kept, before)


def test_wins_at_equal_age_censor_the_young_by_hand():
    """Four customers: lived 4, 4, 2 and 1 steps; wins in step 1 of the first and in step 0 of the third."""
    wins, mean, _error = _mean_wins(np.array([4, 4, 2, 1]), np.array([0, 2]), np.array([1, 0]))
    assert wins.tolist() == [1, 2, 2, 2]
    assert mean.tolist() == pytest.approx([1 / 4, 1 / 4 + 1 / 3, 1 / 4 + 1 / 3, 1 / 4 + 1 / 3])


def test_a_win_after_the_last_whole_step_is_not_counted():
    assert _mean_wins(np.array([1, 3]), np.array([0, 1]), np.array([1, 1]))[0].tolist() == [0, 1, 1]


def test_the_error_of_wins_covers_the_truth():
    """Customers differ in how many they bring: rate .02 a step on average, many young; 300 worlds."""
    inside, random = 0, np.random.default_rng(5)
    for _world in range(300):
        lived = random.integers(0, 13, 400)
        rate = 0.02 * random.gamma(0.5, 2.0, 400)
        counts = random.poisson(rate[:, None], (400, 12)) * (np.arange(12) < lived[:, None])
        who, step = np.nonzero(counts)
        repeat = counts[who, step]
        _wins, mean, error = _mean_wins(lived, np.repeat(who, repeat), np.repeat(step, repeat))
        inside += abs(mean[5] - 0.02 * 6) < 1.96 * error[5]
    assert 0.91 < inside / 300 < 0.98


@cache
def firm(seed: int, **effects: float) -> crm.Growth:
    made = crm.simulate_firm(4000, 3, random_state=seed, effects=effects)
    tables = {name: made.tables[name] for name in ("customers", "surveys", "touchpoints", "loyalty_ledger")}
    return crm.Growth(made.tables["transactions"], made.as_of, **tables)


@pytest.mark.parametrize("seed", range(3))
def test_bounds_of_the_type_one_share_hold_the_truth(seed: int):
    made = crm.simulate_firm(4000, 3, random_state=seed)
    truth = made.truth["referrals"]
    found = firm(seed).type_one_share(offer_share=0.5).iloc[-1]
    assert found["low"] < truth["only_by_referral"].mean() < found["high"]
    assert found["basis"] == "the offer given by chance"


def test_an_offer_that_wins_much_narrows_the_range_and_one_that_wins_nobody_does_not():
    strong, none = (
        firm(4, referral_offer=strength).type_one_share(offer_share=0.5).iloc[-1] for strength in (5.0, 0.0)
    )
    assert strong["low"] > 0.15
    assert none["low"] < 0.03


def test_what_the_offer_wins_by_hand():
    """600 with and 400 without an offer, as likely: 200 of 1,000 more; the lower end of the ratio 1.5 is 1.322."""
    low = 1.5 * np.exp(-1.959964 * np.sqrt(1 / 600 + 1 / 400))
    assert won_by_offer(600, 400, 0.5) == pytest.approx(0.6 * (1 - 1 / low))
    assert won_by_offer(300, 700, 0.3) == 0.0  # as the odds of the offer alone would have it
    assert won_by_offer(0, 10, 0.5) == won_by_offer(10, 0, 0.5) == 0.0


def test_an_entered_range_is_used_and_held_against_the_offer():
    found = firm(4, referral_offer=5.0).type_one_share((0.0, 0.05), offer_share=0.5)
    assert found["used"].tolist() == [False, False, True]
    assert "contradicts the offer" in found.attrs["finding"]
    for wrong in ((0.9, 0.2), (0.1, 0.2, 0.3), (0.1,), ("a", "b"), (np.nan, 0.5), 0.4):
        with pytest.raises(CrmError, match=re.escape(f"type_one is {wrong}; give two shares")):
            firm(4, referral_offer=5.0).type_one_share(wrong)
    with pytest.raises(CrmError, match="offer_share is 1"):
        firm(4, referral_offer=5.0).type_one_share(offer_share=1.0)


def test_the_account_holds_every_choice_of_who_is_of_type_one():
    """Five recommended of different worth, one negative: brute force over all sets of two to four of them."""
    table = people(("a", None, "2024-01-01"), *((f"r{n}", "a", "2024-02-01") for n in range(5)))
    log = log_of(table).assign(amount=[100.0, 50.0, 20.0, 5.0, 8.0, 0.0])
    log = pd.concat(
        [log, pd.DataFrame({"customer_id": ["r4"], "date": pd.to_datetime(["2024-02-05"]), "amount": [-3.0]})]
    )
    made = crm.Growth(log, DAY, table, margin=1.0)
    share = made.type_one_share((0.4, 0.8))
    rows = made.referral_account(share, saved=10.0, reward=4.0).set_index("entry")
    worth = [50.0, 20.0, 5.0, 8.0, -3.0]
    sums = [sum(some) for k in (2, 3, 4) for some in combinations(worth, k)]
    assert rows.iloc[2][["at_least", "at_most"]].tolist() == [min(sums), max(sums)]
    assert rows.loc["in all", ["at_least", "at_most"]].tolist() == [min(sums) + 30, max(sums) + 30]
    assert rows.loc["rewards", "at_least"] == -20.0


@pytest.mark.parametrize("seed", range(3))
def test_the_account_holds_the_true_value_of_type_one(seed: int):
    """With true values at joining instead of estimates, the sum over those who are of type one is within."""
    made = crm.simulate_firm(4000, 3, random_state=seed)
    truth = made.truth["referrals"]
    here = firm(seed)
    ahead = truth.set_index("customer_id")["value_at_joining"] - here.values.set_index("customer_id")["total"]
    values = ahead.dropna().rename("clv").rename_axis("customer_id").reset_index()
    rows = (
        here.referral_account(here.type_one_share(offer_share=0.5), values).set_index("entry").loc["in all"]
    )
    seen = truth["customer_id"].isin(here.values["customer_id"])
    true = truth.loc[seen & truth["only_by_referral"], "value_at_joining"].sum()
    assert rows["at_least"] <= true <= rows["at_most"]


def test_four_groups_by_hand():
    """Two buy much, two little; one of each has brought somebody who is worth 6."""
    table = people(
        ("big", None, "2024-01-01"), ("bigger", None, "2024-01-01"), ("small", None, "2024-01-01"),
        ("smaller", None, "2024-01-01"), ("r1", "big", "2024-02-01"), ("r2", "small", "2024-02-01"),
    )  # fmt: skip
    log = log_of(table).assign(amount=[100.0, 90.0, 5.0, 4.0, 6.0, 6.0])
    made = crm.Growth(log, DAY, table, margin=1.0)
    found = made.value_groups(made.type_one_share((0.5, 1.0)), saved=2.0).set_index("group")
    assert found["customers"].to_dict() == {"Champions": 1, "Affluents": 3, "Advocates": 1, "Misers": 1}
    assert found.loc["Advocates", ["referral_value_low", "referral_value_high"]].tolist() == [
        0.5 * 6 + 2,
        6 + 2,
    ]
    assert found["unsure"].sum() == 0


def test_the_cost_of_a_customer_without_recommendations():
    """One of four new customers was recommended and would not have come: 30 is spread over three, not four."""
    table = people(*((f"c{n}", None, "2024-03-01") for n in range(3)), ("r", "c0", "2024-04-01"))
    made = growth(table)
    rows = made.referral_account(made.type_one_share((0.0, 1.0)), saved=30.0).set_index("entry")
    assert rows.loc["cost of a new customer without recommendations"].tolist()[1:] == pytest.approx(
        [30.0, 40.0]
    )


def test_e_values_of_the_literature():
    assert e_value(1.5) == pytest.approx(2.366, abs=0.001)
    assert e_value(3.9) == pytest.approx(7.26, abs=0.01)  # VanderWeele & Ding 2017, the first example
    assert e_values(3.9, 1.8, 8.7)[1] == pytest.approx(3.0, abs=0.01)
    assert e_values(1.2, 0.9, 1.6)[1] == 1.0
    assert e_values(0.8, 0.7, 0.9) == pytest.approx((e_value(1 / 0.8), e_value(1 / 0.9)))


def matched(seed: int, strength: float) -> pd.Series:
    effects = {"referred_better": strength, "referral_offer": 0.0, "channel_quality": 0.0, "confounders": 0.0}
    found = firm(seed, **effects).referred_against_others().set_index(["outcome", "comparison"])
    return found.loc[("brought after the first day", "others like them")]


def test_the_recommended_against_others_true_null_and_reversed():
    """Means of two firms: they stay longer, as long, or shorter because they were recommended."""
    gaps = {
        strength: np.mean([matched(seed, strength)["difference"] for seed in range(2)])
        for strength in (4, 0, -4)
    }
    assert gaps[4] > gaps[0] > gaps[-4]
    assert all(
        matched(seed, 0)["difference_low"] < 0 < matched(seed, 0)["difference_high"] for seed in range(2)
    )


def test_a_firm_without_recommendations_says_so():
    table = people(("a", None, "2024-01-01"), ("b", None, "2024-02-01"))
    made, none = growth(table), crm.Growth(log_of(table), DAY)
    for name in (
        "referral_checks",
        "referral_tree",
        "referral_wins",
        "referred_by_type",
        "referred_against_others",
    ):
        assert getattr(made, name)().reason == "no customer has a referrer that can be used"
        assert getattr(none, name)().reason == "no table customers"
    assert made.referral_account(made.type_one_share()).empty
    assert made.value_groups(made.type_one_share()).empty
