"""Campaigns: by hand, against every subset, against the integral, and against a world whose effects are known."""

import itertools
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from crmlib.economics import contacts as economics
from crmlib.errors import CrmError, DataError


def test_a_contact_by_hand():
    # p = .5, kept at .3: gains .15 · 200 = 30; costs 1 and 10 for the .5 who stay and the .15 who are kept.
    one = economics.contacts_by_risk([0.5], 200).iloc[0]
    assert (one["gain"], one["cost"], one["profit"]) == pytest.approx((30.0, 7.5, 22.5))
    same = economics.contacts_by_effect([0.15], 200, p_stay=0.5).iloc[0]
    pd.testing.assert_series_equal(same, one)


def test_profit_of_a_list_is_verbrakens_formula():
    random = np.random.default_rng(1)
    left = random.random(500) < 0.3
    score = random.random(500) + left
    curve = economics.profit_curve(economics.contacts_by_risk(left, 200), by=score)
    row = curve.iloc[200]
    contacted = score >= row["score"]
    churners, stayers = (left & contacted).sum(), (~left & contacted).sum()
    delta, phi, gamma = 10 / 200, 1 / 200, 0.3
    expected = 200 * ((gamma * (1 - delta) - phi) * churners - (delta + phi) * stayers)
    assert row["profit"] == pytest.approx(expected)


def test_equal_scores_are_contacted_together():
    contacts = economics.contacts_by_risk([1.0, 0.0, 1.0, 0.0], 200)
    curve = economics.profit_curve(contacts, by=[1, 1, 0, 0])
    assert curve["customers"].tolist() == [0, 2, 4]
    assert curve["profit"].iloc[-1] == pytest.approx(contacts["profit"].sum())


def test_nobody_is_contacted_where_no_contact_pays():
    contacts = economics.contacts_by_risk([0.01, 0.02], 10)
    assert economics.profit_curve(contacts, by=contacts["profit"])["profit"].idxmax() == 0
    assert economics.campaign_list(contacts).empty


customers = st.lists(st.tuples(st.floats(0, 1), st.floats(1, 500)), min_size=1, max_size=8)


@given(customers, st.floats(0, 60))
@settings(max_examples=40)
def test_the_list_keeps_to_the_budget_and_no_other_earns_more_than_one_customer_on_top(people, budget):
    contacts = economics.contacts_by_risk(*np.array(people).T)
    chosen = economics.campaign_list(contacts, budget=budget)
    assert chosen["cost"].sum() <= budget + 1e-6
    profit, cost = contacts["profit"].to_numpy(), contacts["cost"].to_numpy()
    subsets = itertools.product([False, True], repeat=len(people))
    best = max(profit[list(one)].sum() for one in subsets if cost[list(one)].sum() <= budget)
    paying = economics.campaign_list(contacts)
    following = paying["profit"].iloc[len(chosen)] if len(paying) > len(chosen) else 0.0
    assert chosen["profit"].sum() <= best + 1e-6 <= chosen["profit"].sum() + following + 2e-6


def integrated(score, left, value, *, alpha, beta, offer_cost, contact_cost):
    """The measure by its definition: at each success rate, the best of all cut-offs; then the mean."""
    left, value = np.asarray(left, dtype=float), np.broadcast_to(np.asarray(value, dtype=float), len(left))
    cuts = [np.zeros(len(left), bool), *(np.asarray(score) >= one for one in np.unique(score))]
    kept = np.array([(left * (value - offer_cost))[cut].sum() for cut in cuts])
    cost = np.array([((1 - left) * offer_cost + contact_cost)[cut].sum() for cut in cuts])
    grid = np.linspace(0, 1, 4001)
    corners = np.flatnonzero(np.diff(np.argmax(np.outer(grid, kept) - cost, axis=1))) / 4000
    density = stats.beta(alpha, beta).pdf
    found = integrate.quad(
        lambda rate: (rate * kept - cost).max() * density(rate),
        0,
        1,
        points=corners[:40],
        limit=400,
        epsabs=1e-9,
    )
    return found[0] / len(left)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("alpha", "beta"), [(6, 14), (1, 1), (30, 10)])
def test_expected_maximum_profit_is_the_integral(seed, alpha, beta):
    random = np.random.default_rng(seed)
    left = random.random(60) < 0.35
    score = np.round(random.normal(left, 1.2), 1)  # with ties
    terms = {"offer_cost": 10.0, "contact_cost": 1.0}
    found = economics.expected_maximum_profit(score, left, success_alpha=alpha, success_beta=beta, **terms)
    assert found.profit_per_customer == pytest.approx(
        integrated(score, left, 200, alpha=alpha, beta=beta, **terms), rel=1e-5, abs=1e-7
    )
    value = random.gamma(1.0, 100.0, 60)  # some below the offer's cost
    found = economics.expected_maximum_profit(
        score, left, clv=value, success_alpha=alpha, success_beta=beta, **terms
    )
    assert found.profit_per_customer == pytest.approx(
        integrated(score, left, value, alpha=alpha, beta=beta, **terms), rel=1e-5, abs=1e-7
    )


def test_expected_maximum_profit_of_a_perfect_score():
    # Leavers are contacted wherever 190·g > 1: nearly always. Their part of the base is .2.
    left = np.arange(100) < 20
    found = economics.expected_maximum_profit(left.astype(float), left)
    assert found.profit_per_customer == pytest.approx(0.2 * (190 * 0.3 - 1), rel=1e-6)
    assert found.share_contacted == pytest.approx(0.2, rel=1e-6)


def test_equal_values_give_the_published_measure_and_money_counts():
    random = np.random.default_rng(3)
    left = random.random(4000) < 0.25
    score = random.normal(left, 1.0)
    plain = economics.expected_maximum_profit(score, left)
    by_value = economics.expected_maximum_profit(score, left, clv=np.full(4000, 200.0))
    assert by_value == plain
    value = random.lognormal(5.0, 1.0, 4000)
    ranked = economics.expected_maximum_profit(stats.norm.cdf(score) * value, left, clv=value)
    unranked = economics.expected_maximum_profit(score, left, clv=value)
    assert ranked.profit_per_customer > 1.05 * unranked.profit_per_customer


def test_free_contacts_are_no_division_by_zero():
    found = economics.expected_maximum_profit([3, 2, 1], [1, 1, 0], offer_cost=0, contact_cost=0)
    assert found.profit_per_customer == pytest.approx(0.3 * 200 * 2 / 3)


def test_those_who_respond_earn_more_than_those_at_risk():
    # The most at risk are lost whatever is done: effects are highest at middling risk (Ascarza 2018).
    random = np.random.default_rng(5)
    risk = random.beta(2, 2, 20_000)
    effect = 0.5 * risk * (1 - risk) ** 2 - 0.02
    truth = economics.contacts_by_effect(effect, 300, p_stay=1 - risk)
    planned = economics.contacts_by_effect(effect + random.normal(0, 0.01, 20_000), 300, p_stay=1 - risk)
    chosen = economics.campaign_list(planned).index
    earned = truth.loc[chosen, "profit"].sum()
    riskiest = truth.assign(risk=risk).nlargest(len(chosen), "risk")["profit"].sum()
    oracle = economics.campaign_list(truth)["profit"].sum()
    assert riskiest < earned
    assert 0.9 * oracle <= earned <= oracle


def test_a_million_customers_take_seconds():
    random = np.random.default_rng(4)
    risk = random.random(1_000_000)
    left = random.random(1_000_000) < 0.4 * risk
    value = random.gamma(1.0, 200.0, 1_000_000)
    started = time.process_time()
    economics.expected_maximum_profit(risk, left)
    contacts = economics.contacts_by_risk(risk, value)
    economics.profit_curve(contacts, by=contacts["profit"])
    economics.campaign_list(contacts, budget=1e6)
    assert time.process_time() - started < 6  # about 1.5 on an idle core; a loop over customers takes minutes


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: economics.contacts_by_risk([1.2], 200), "p_churn has 1.2"),
        (lambda: economics.contacts_by_risk([np.nan], 200), "p_churn has 1 values that are no number"),
        (lambda: economics.contacts_by_risk([0.2], 200, contact_cost=-1), "contact_cost"),
        (
            lambda: economics.contacts_by_risk(pd.Series([0.1, 0.5]), pd.Series([9, 8], index=[1, 0])),
            "p_churn and value have different indexes",
        ),
        (
            lambda: economics.profit_curve(
                economics.contacts_by_risk([0.1, 0.5], 200), by=pd.Series([1, 2], index=[1, 0])
            ),
            "contacts and by have different indexes",
        ),
        (lambda: economics.expected_maximum_profit([1, 2], [1, 1]), "needs both kinds"),
        (lambda: economics.expected_maximum_profit([1, 2], [1, 2]), "churned has 2; allowed: 0 to 1"),
        (lambda: economics.expected_maximum_profit([1, np.nan], [1, 0]), "no number"),
        (lambda: economics.campaign_list(economics.contacts_by_risk([0.2], 2), budget=-1), "budget"),
    ],
)
def test_refuses_by_name(call, words):
    with pytest.raises((CrmError, DataError), match=words):
        call()
