"""The list to contact and the list to thank: who is on it, in which order, with which money."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.no_rows import no_rows, why_none
from crmlib.relationship.actions import (
    Effect,
    contracts_to_save,
    customers_to_thank,
    customers_to_win_back,
    margin_of,
    measured_effect,
)

WINNABLE = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c"],
        "spent": [100.0, 900.0, 50.0],
        "chance_to_buy": [0.4, 0.2, 0.15],
        "revenue_at_risk": [80.0, 60.0, 10.0],
    }
)
SPEND = pd.DataFrame({"customer_id": ["c", "b", "a"], "mean_spend_per_period": [5.0, 300.0, 20.0]})


def test_without_margin_the_money_is_revenue_at_risk_and_says_so():
    found = customers_to_win_back(WINNABLE, SPEND)
    assert list(found.columns)[-1] == "revenue_at_risk"
    assert found["revenue_at_risk"].tolist() == [80.0, 60.0, 10.0]


def test_with_a_margin_the_money_is_the_margin_of_the_revenue_at_risk():
    found = customers_to_win_back(WINNABLE, SPEND, margin=0.25)
    assert "revenue_at_risk" not in found
    assert found["margin_at_risk"].tolist() == [20.0, 15.0, 2.5]
    assert WINNABLE.columns[-1] == "revenue_at_risk"  # what was given is as it was


def test_money_that_chapter_5_calls_margin_is_not_multiplied_again():
    known = WINNABLE.rename(columns={"revenue_at_risk": "margin_at_risk"})
    assert customers_to_win_back(known, SPEND, margin=0.25)["margin_at_risk"].tolist() == [80.0, 60.0, 10.0]


def test_a_known_effect_sorts_by_gain_and_leaves_out_who_costs_more():
    """Gain = change × spend per purchase × margin − cost: a .1×20×.5−.8=.2, b .1×300×.5−.8=14.2, c −.55."""
    found = customers_to_win_back(WINNABLE, SPEND, margin=0.5, effect=Effect(0.1, 0.8, "letter"))
    assert found["customer_id"].tolist() == ["b", "a"]
    assert found["expected_gain"].tolist() == pytest.approx([14.2, 0.2])
    assumed = customers_to_win_back(WINNABLE, SPEND, margin=0.5, effect=Effect(0.1, 0.8))
    assert list(assumed.columns)[-1] == "expected_gain_assumed"  # without an experiment it says so
    assert not {"revenue_at_risk", "margin_at_risk"} & {*found.columns}


def test_an_effect_without_a_margin_is_no_gain():
    assert "expected_gain" not in customers_to_win_back(WINNABLE, SPEND, effect=Effect(0.1, 0.8))


def test_where_no_contact_pays_nobody_is_listed_and_the_reason_is_given():
    found = customers_to_win_back(WINNABLE, SPEND, margin=0.5, effect=Effect(0.01, 99.0))
    assert why_none(found) == "a contact costs more than it is expected to bring"


def test_nobody_to_win_back_keeps_the_reason():
    nobody = no_rows("customer_id revenue_at_risk", "all is well")
    assert why_none(customers_to_win_back(nobody, SPEND, margin=0.5)) == "all is well"


def test_margin_is_measured_where_the_log_has_costs_and_else_as_given():
    log = pd.DataFrame(
        {"customer_id": list("aab"), "amount": [10.0, 10.0, 20.0], "date": pd.Timestamp("2024-03-05")}
    )
    assert margin_of(log, as_of="2024-03-31") is None
    assert margin_of(log, as_of="2024-03-31", margin=0.3) == pytest.approx(0.3)
    assert margin_of(log.assign(cost=[4.0, 6.0, 10.0]), as_of="2024-03-31") == pytest.approx(0.5)


# An experiment of 200: everybody of the first half is treated, and so many of each half buy.
def an_experiment(treated: int, control: int, cost: float | None = 0.5):
    people = [f"c{number:03d}" for number in range(200)]
    groups = ["treated"] * 100 + ["control"] * 100
    test = pd.DataFrame({"experiment": "letter", "customer_id": people, "group": groups})
    test = test.assign(assigned=pd.Timestamp("2024-03-01"), cost=cost)
    buyers = people[:treated] + people[100 : 100 + control]
    log = pd.DataFrame({"customer_id": buyers, "date": pd.Timestamp("2024-03-05"), "amount": 10.0})
    return log, test


def test_an_effect_is_measured_only_beyond_chance_and_with_its_cost():
    log, test = an_experiment(60, 20)
    assert measured_effect(log, test, as_of="2024-06-30") == Effect(pytest.approx(0.4), 0.5, "letter")
    assert measured_effect(*an_experiment(22, 20), as_of="2024-06-30") is None
    assert measured_effect(*an_experiment(60, 20, cost=None), as_of="2024-06-30") is None
    assert measured_effect(*an_experiment(20, 60), as_of="2024-06-30") is None  # it drives customers away
    assert measured_effect(log, test.iloc[:0], as_of="2024-06-30") is None


def test_thanks_go_to_the_best_customers_with_regular_purchases():
    """Of 30 customers the best three: one is silent beyond the own gap, one has bought twice only."""
    rows = []
    for number in range(30):
        days = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-03-25"]
        amount = 10.0
        if number == 0:
            amount = 900.0
        elif number == 1:
            amount, days = 800.0, ["2023-01-01", "2023-01-05", "2023-01-09"]
        elif number == 2:
            amount, days = 1500.0, ["2024-01-01", "2024-03-20"]
        rows += [(f"c{number:02d}", day, amount) for day in days]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"]).assign(
        date=lambda d: pd.to_datetime(d["date"])
    )
    summary = crm.rfm_summary(log, as_of="2024-03-31")
    nobody = pd.DataFrame({"customer_id": []})
    found = customers_to_thank(summary, nobody)
    assert found["customer_id"].tolist() == ["c00"]
    row = found.iloc[0]
    assert (row["spent"], row["purchases"], row["silent_days"], row["usual_gap_days"]) == (
        3600.0,
        4,
        6.0,
        28.0,
    )
    assert why_none(customers_to_thank(summary, pd.DataFrame({"customer_id": ["c00"]}))).startswith(
        "none of the best"
    )


def test_nobody_is_on_both_lists_of_a_real_firm():
    study = crm.open_study("cdnow-sample")
    summary = crm.rfm_summary(study.transactions, as_of=study.as_of)
    model = crm.ParetoNBDModel().fit(summary)
    late = crm.winnable_customers(summary, crm.overdue_customers(summary, model), model, "26W")
    listed = customers_to_win_back(late, summary)
    thanked = customers_to_thank(summary, late)
    assert len(listed) > 10
    assert len(thanked) == 20
    assert not {*listed["customer_id"]} & {*thanked["customer_id"]}
    assert (thanked["silent_days"] <= thanked["usual_gap_days"] + 0.5).all()
    assert np.all(np.diff(thanked["spent"]) <= 0)


def test_without_churn_nobody_is_listed():
    """Customers who buy at random for ever: some are called overdue by mistake, the model sees next to nobody leave."""
    random = np.random.default_rng(5)
    days = [np.cumsum(random.exponential(1 / rate, 60)) for rate in random.gamma(1.0, 0.01, 600)]
    rows = [(f"c{one}", day) for one, own in enumerate(days) for day in own[own < 1000]]
    log = pd.DataFrame(rows, columns=["customer_id", "date"]).assign(amount=20.0)
    log["date"] = pd.Timestamp("2022-01-01") + pd.to_timedelta(log["date"].astype(int), unit="D")
    summary = crm.rfm_summary(log, as_of="2024-09-26")
    model = crm.ParetoNBDModel().fit(summary)
    overdue = crm.overdue_customers(summary, model)
    assert overdue["overdue"].sum() > 5
    found = crm.winnable_customers(summary, overdue, model, "26W")
    assert len(found) < overdue["overdue"].sum() / 2
    assert why_none(found) or found["revenue_at_risk"].min() >= 0.01 * 20


def test_contracts_are_sorted_by_gain():
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "p_churn": [0.8, 0.5],
            "reason_1": ["tenure 1: +1.5 in log odds", "contract: Month-to-month: +0.2 in log odds"],
            "profit": [4.0, 40.0],
        }
    )
    found = contracts_to_save(rows)
    assert found["customer_id"].tolist() == ["b", "a"]
    assert found["main_reason"].tolist() == ["contract: Month-to-month", "tenure 1"]
    assert list(found.columns)[-1] == "expected_gain_assumed"
