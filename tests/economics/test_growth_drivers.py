"""Beginnings of good customers, opinions, moves, the loyalty account and cohorts, by hand and on firms."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.economics.growth.drivers import against_the_rest
from crmlib.economics.growth.keeping import _simulated
from crmlib.errors import CrmError
from crmlib.models.beta_geo import BetaGeoModel
from crmlib.no_rows import why_none
from crmlib.statistics import difference_of_means

DAY = "2025-12-31"


def world(seed: int, customers: int = 400, better: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers whose value has a long tail and nothing to do with what is noted, but for channel c0 if `better`."""
    random = np.random.default_rng(seed)
    rate = random.gamma(0.8, 2.0, customers)
    channel = random.integers(0, 6, customers)
    rate = np.where(channel == 0, rate * (1 + better), rate)
    born = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, customers), "D")
    later = random.poisson(rate)
    who = np.concatenate([np.arange(customers), np.repeat(np.arange(customers), later)])
    days = np.concatenate([np.zeros(customers), random.integers(1, 365, later.sum())])
    log = pd.DataFrame(
        {"customer_id": [f"c{n}" for n in who], "date": born[who] + pd.to_timedelta(days, "D")}
    )
    log["amount"] = random.lognormal(3, 1, len(log))
    log["category"] = [f"k{n}" for n in random.integers(0, 8, len(log))]
    log["market"] = [f"m{n}" for n in random.integers(0, 4, customers)[who]]
    table = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in range(customers)],
            "acquisition_channel": [f"c{n}" for n in channel],
        }
    )
    table["goal_reached"] = later > np.median(later)  # set by what came after
    return log, table


def test_nothing_is_a_driver_where_nothing_is():
    """Of 20 null worlds, chance finds something in one at most; 200 are in the bench."""
    found = [crm.Growth(*(world(seed)[0], DAY, world(seed)[1])).drivers() for seed in range(20)]
    assert sum(frame["verdict"].isin(["better", "worse"]).any() for frame in found) <= 2
    assert all((frame["when"] == "set afterwards").any() for frame in found)


def test_a_better_channel_is_found_and_a_worse_one_too():
    for better, word in ((1.5, "better"), (-0.8, "worse")):
        log, table = world(1, 1500, better)
        found = crm.Growth(log, DAY, table).drivers()
        row = found[found["beginning"] == "acquisition channel: c0"].iloc[0]
        assert row["verdict"] == word
        assert (row["difference_low"] > 0) is np.bool_(better > 0)
        assert found[found["verdict"].isin(["better", "worse"])]["driver"].unique().tolist() == [
            "acquisition channel"
        ]


def test_what_is_set_afterwards_is_no_driver_however_large():
    log, table = world(2, 800)
    found = crm.Growth(log, DAY, table).drivers().set_index("beginning")
    row = found.loc["goal reached: yes"]
    assert (row["when"], row["verdict"]) == ("set afterwards", "no driver: set afterwards")
    assert row["difference_low"] > 0
    assert "no driver" in found.attrs["finding"]
    declared = crm.Growth(log, DAY, table).drivers(["goal_reached"]).set_index("beginning")
    assert declared.loc["goal reached: yes", "verdict"] == "better"
    with pytest.raises(CrmError, match="known names 'goal'"):
        crm.Growth(log, DAY, table).drivers(["goal"])


def test_a_programme_joined_later_is_set_afterwards():
    log, table = world(3, 800)
    born = log.groupby("customer_id")["date"].min()
    heavy = log.groupby("customer_id").size().loc[lambda n: n > 3].index
    ledger = pd.DataFrame(
        {"customer_id": heavy, "date": born[heavy].to_numpy() + pd.Timedelta(60, "D"), "kind": "joined"}
    )
    found = crm.Growth(log, DAY, table, loyalty_ledger=ledger).drivers().set_index("beginning")
    assert found.loc["loyalty programme later: yes", "verdict"] == "no driver: set afterwards"
    assert "loyalty programme by the first order: yes" not in found.index  # nobody had joined by then


def test_means_differences_and_ages_by_hand():
    """60 customers: half began with x and brought 10 + 5, half with y and brought 10; day 365 is too late."""
    rows = []
    for n in range(60):
        rows.append((f"c{n}", "2024-01-01", 10.0, "xy"[n % 2]))
        rows += [(f"c{n}", "2024-06-01", 5.0, "z")] * (n % 2 == 0)
        rows.append((f"c{n}", "2024-12-31", 99.0, "z"))  # 365 days after
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount", "category"])
    log["date"] = pd.to_datetime(log["date"])
    found = crm.Growth(log, DAY, margin=0.5).drivers().set_index("beginning")
    row = found.loc["first category: x", ["customers", "mean", "difference", "after_first", "again"]]
    assert row.tolist() == [30, 7.5, 1.25, 2.5, 1.0]
    assert found.loc["first category: y", "difference"] == -1.25


def test_the_difference_from_all_is_that_from_the_rest_scaled():
    values = np.random.default_rng(0).lognormal(0, 1, 500)
    mine, rest = values[:80], values[80:]
    groups = pd.DataFrame({"size": [80], "mean": [mine.mean()], "var": [mine.var(ddof=1)]})
    gap, error, _chance = against_the_rest(values, groups)
    apart = difference_of_means(mine, rest)
    assert gap[0] == pytest.approx(apart.difference * 420 / 500)
    assert error[0] >= apart.standard_error * 420 / 500 - 1e-12


def test_too_few_customers_are_no_basis():
    log, table = world(0, 50)
    assert "60 are needed" in crm.Growth(log, DAY, table).drivers().reason


@cache
def firm(seed: int = 0, **effects: float) -> crm.Growth:
    made = crm.simulate_firm(3000, 3, random_state=seed, effects=effects)
    names = ("customers", "subscriptions", "loyalty_ledger", "surveys", "touchpoints")
    return crm.Growth(made.tables["transactions"], made.as_of, **{name: made.tables[name] for name in names})


def test_promoters_recommend_more_where_that_is_so():
    rows = {
        s: firm(0, promoters=s).after_opinions().set_index("group")["brought_others"] for s in (4.0, -4.0)
    }
    assert rows[4.0]["promoters"] > 1.5 * rows[4.0]["detractors"]
    assert rows[-4.0]["promoters"] < rows[-4.0]["detractors"]


def test_what_came_after_an_answer_by_hand():
    log = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "amount": [10.0, 4.0, 10.0],
            "date": pd.to_datetime(["2024-01-01", "2024-03-01", "2024-01-01"]),
        }
    )
    asked = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "date": pd.to_datetime(["2024-01-05"] * 2),
            "question": "nps",
            "score": [9.0, 6.0],
        }
    )
    people = pd.DataFrame(
        {
            "customer_id": ["a", "b", "r"],
            "referrer_id": [None, None, "a"],
            "joined": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-01"]),
        }
    )
    found = crm.Growth(log, DAY, people, surveys=asked, margin=1.0).after_opinions().set_index("group")
    columns = ["customers", "again", "brought_after", "brought_others", "bought_before"]
    assert found.loc["promoters", columns].tolist() == [1, 1.0, 4.0, 1.0, 1.0]
    assert found.loc["detractors", columns].tolist() == [1, 0.0, 0.0, 0.0, 1.0]


def test_promises_and_themes():
    log = pd.DataFrame(
        {
            "customer_id": list("abab"),
            "amount": 5.0,
            "date": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-01", "2025-06-01"]),
        }
    )
    made = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "promise_due": pd.to_datetime(["2024-01-10"] * 2),
            "promise_kept_on": pd.to_datetime(["2024-01-09", "2024-01-11"]),
        }
    )
    found = crm.Growth(log, DAY, touchpoints=made).after_opinions().set_index("group")["again"]
    assert found.to_dict() == {"promise kept on time": 1.0, "promise not kept": 0.0}
    table = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "date": pd.to_datetime(["2023-12-20"] * 2),
            "theme": "price",
            "followed_up_on": pd.to_datetime(["2023-12-28", None]),
        }
    )
    row = crm.Growth(log, DAY, surveys=table).themes().set_index("theme").loc["price"]
    assert row[["comments", "followed_share", "again_followed", "again_not"]].tolist() == [2, 0.5, 1.0, 0.0]


def test_tables_that_lack_columns_or_name_nobody_in_some_rows_lose_no_customer():
    """Ids that are whole numbers, beside a contact with a prospect; no loyalty member bought when joining."""
    log = pd.DataFrame(
        {"customer_id": [1, 2, 1], "amount": 5.0, "date": pd.to_datetime(["2024-01-01"] * 2 + ["2024-02-01"])}
    )
    due = pd.to_datetime(["2024-01-10"] * 3)
    made = pd.DataFrame({"customer_id": [1, 2, None], "promise_due": due, "promise_kept_on": due})
    plans = pd.DataFrame(
        {
            "customer_id": [1, None, 1],
            "start": due + pd.to_timedelta([0, 1, 30], "D"),
            "price_per_month": [5.0, 1.0, 9.0],
        }
    )
    members = pd.DataFrame(
        {"customer_id": [1], "date": pd.to_datetime(["2024-06-01"]), "kind": "joined", "points": 0.0}
    )
    tables = dict(touchpoints=made, subscriptions=plans, loyalty_ledger=members)
    found = crm.Growth(log, DAY, surveys=pd.DataFrame({"customer_id": [1]}), **tables)
    after = found.after_opinions()
    assert (after["group"].tolist(), after["customers"].tolist()) == (["promise kept on time"], [2])
    assert found.plan_moves()["price_change"].tolist() == [4.0]
    assert why_none(found.loyalty_account()) == "nobody bought in the month of joining"
    assert why_none(found.themes()) == "no comment with a theme is known"


def test_moves_and_the_ladder_by_hand():
    """Three rungs by price; c0 goes up and down, the other thirty stay on the first, ten of them for 50 days."""
    rows = [
        ("c0", "2024-01-01", 1.0, "low"),
        ("c0", "2024-02-01", 3.0, "high"),
        ("c0", "2024-03-01", 2.0, "middle"),
    ]
    rows += [(f"c{n}", day, 1.0, "low") for n in range(1, 31) for day in ("2024-01-01", "2024-02-01")]
    rows += [(f"c{n}", "2024-02-20", 2.0, "middle") for n in range(1, 11)]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount", "product"]).assign(category="k")
    log["date"] = pd.to_datetime(log["date"])
    made = crm.Growth(log, DAY)
    row = made.grade_moves().iloc[0]
    assert row["moves"] == 2 + 30 + 10
    assert row[["up", "same_rung", "down", "net_up"]].tolist() == pytest.approx(
        [11 / 42, 30 / 42, 1 / 42, 10 / 42]
    )
    step = made.entry_ladder().iloc[0]
    assert step[["rung", "customers", "went_up"]].tolist() == [1, 31, 11]
    assert step["within_365"] == pytest.approx(11 / 31)


def test_plans_that_change_and_prices_that_change():
    rows = pd.DataFrame(
        {"customer_id": ["a", "a", "a", "b"], "subscription_id": ["1", "1", "1", "2"],
         "plan": ["light", "full", "full", "light"],
         "start": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01", "2024-01-01"]),
         "price_per_month": [10.0, 30.0, 32.0, 10.0]}
    )  # fmt: skip
    log, _table = world(0, 60)
    found = crm.Growth(log, DAY, subscriptions=rows).plan_moves().set_index("move")
    assert found["price_change"].to_dict() == {"another plan, dearer": 20.0, "same plan, dearer": 2.0}
    people = pd.DataFrame({"customer_id": ["a", "b"], "product_type": ["bank", "cloud"]})
    by_type = crm.Growth(log, DAY, people, subscriptions=rows).plan_moves().set_index("product_type")
    assert by_type.loc["bank", "changes"].tolist() == by_type.loc["all", "changes"].tolist() == [1, 1]
    assert "cloud" not in by_type.index  # nothing of b's has changed


def test_kinds_of_product_hold_every_customer_once():
    found = firm().products_held()
    counts = found.groupby("product_type")["customers"].sum()
    assert counts["all"] == firm().values["lived"].sum()
    types = firm().known_customers["product_type"].nunique()
    assert types > 1
    assert len(counts) == 1 + types
    assert counts.drop("all").sum() == counts["all"]  # every customer has one
    assert np.allclose(found.groupby("product_type")["share"].sum(), 1.0)
    assert found.loc[found["product_type"] == "all", "brought"].is_monotonic_increasing


def test_the_loyalty_account_adds_up_and_most_rewards_are_for_what_is_bought_anyway():
    rows = firm().loyalty_account().set_index("entry")
    parts = rows[rows["side"].isin(["merit", "demerit"])]
    assert parts["amount"].sum() == pytest.approx(rows.loc["in all", "amount"])
    assert parts["low"].sum() == pytest.approx(rows.loc["in all", "low"])
    anyway = rows.loc["for purchases that they would have made anyway"]
    assert (
        rows.loc["rewards redeemed so far", "amount"]
        <= anyway["low"]
        <= anyway["amount"]
        <= anyway["high"]
        < 0
    )
    assert {"heavy", "light"} < {*firm().points_pressure()["members"]}


def test_retention_rises_though_nobody_changes():
    """Of customers of a model each of whom keeps one chance, the share who stay rises."""
    model = BetaGeoModel.from_params(r=0.5, alpha=60.0, a=0.8, b=2.5, time_unit="D")
    active, unchanged = _simulated(model, 91, 8)
    kept = [active[active[:, n - 1], n].mean() for n in range(1, 8)]
    assert kept[0] > unchanged
    assert kept[-1] > kept[0]
    expected = model.expected_purchases_new_customer(91.0)
    assert active[:, 0].mean() < expected
    found = firm().apparent_rise()
    assert found["unchanged"].nunique() == 1
    assert found["if_unchanged"].iloc[-1] > found["if_unchanged"].iloc[0]


def test_a_customer_keeps_one_chance_in_the_model():
    """With all paces and chances alike, retention does not rise."""
    model = BetaGeoModel.from_params(r=1e6, alpha=1e6 / (1 / 91), a=2e5, b=8e5, time_unit="D")
    active, unchanged = _simulated(model, 91, 5)
    assert unchanged == pytest.approx(np.exp(-0.2) - np.exp(-1), abs=1e-3)
    stays = (np.exp(-0.2) - np.exp(-1)) / (1 - np.exp(-1)) * (1 - np.exp(-1))
    kept = [active[active[:, n - 1], n].mean() for n in range(1, 5)]
    assert kept == pytest.approx([stays] * 4, abs=0.025)


def test_money_and_customers_of_the_triangle():
    log = pd.DataFrame(
        {
            "customer_id": ["a", "b", "a"],
            "amount": [30.0, 10.0, 10.0],
            "date": pd.to_datetime(["2024-01-05", "2024-01-06", "2024-02-05"]),
        }
    )
    found = crm.Growth(log, "2024-03-31").triangle()
    assert found["money_share"].tolist() == [1.0, 0.25, 0.0]
    assert found["active_share"].tolist() == [1.0, 0.5, 0.0]
    chart = crm.charts.cohort_triangle(found, by="period", measure="money_share")
    assert "25 % in February 2024" in chart.alt.replace("Feb 2024", "February 2024")
