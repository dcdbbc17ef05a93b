"""What acquisition claims to find, in worlds in which it is so, is not, and is the other way round."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.economics.acquisition.ratios import difference, ratio
from tests.economics.test_acquisition import DAY, firm_of, leads_of, simulated, spend_of

MONTHS = pd.date_range("2024-01-01", periods=12, freq="MS")


def sure(frame):
    """1 where the difference in the finding is above 0 beyond chance, -1 below, 0 where it may be chance."""
    gap = frame.attrs["compared"]
    return int(gap["low"] > 0) - int(gap["high"] < 0)


@pytest.mark.parametrize("strength", [1, 0, -1])
def test_wins_from_rivals_take_longer_and_cost_more(strength):
    _, firm = simulated({"rivals": strength}, 2000)
    rows = firm.rivals()
    days = rows.set_index("origin")["median_days"]
    apart = days["from a rival"] / days["others"]
    assert int(apart > 1.3) - int(apart < 1 / 1.3) == strength
    assert sure(rows) == strength


@pytest.mark.parametrize(("strength", "low", "high"), [(1, 0.0, 0.7), (0, 0.7, 1.4), (-1, 1.6, 9.0)])
def test_a_base_that_eases_selling_shows_in_the_hours_per_win(strength, low, high):
    _, firm = simulated({"base_eases_selling": strength}, 2000)
    hours = firm.workload().set_index("year")["hours_per_win"]
    assert low < hours[2025] / hours[2023] < high


def test_channels_whose_quality_is_reversed_rank_the_other_way_round():
    made, firm = simulated({"channel_quality": -1, "referred_better": 0, "referral_offer": 0, "discounts": 0})
    year = firm.value_by_age().query("age == 360").set_index("channel")["brought"]
    truth = made.truth["channels"].set_index("channel")["value_at_joining"]
    assert pd.concat([year, truth], axis=1, join="inner").corr(method="spearman").iloc[0, 1] > 0.6
    assert year["display"] > year["organic"]


def two_channels(dearer=1.0, likelier=1.0, seed=0):
    """Channels a and b by month: what a prospect of a costs, and how often one is won, as parts of those of b."""
    random = np.random.default_rng(seed)
    leads, spend = [], []
    for month in MONTHS:
        for name, cost, chance in (("a", 10 * dearer, 0.3 * likelier), ("b", 10.0, 0.3)):
            many = int(random.poisson(60))
            spend.append((month, name, cost * 60 * float(np.exp(0.1 * random.standard_normal()))))
            came = month + pd.to_timedelta(random.integers(0, 28, many), unit="D")
            won = random.random(many) < chance
            made = pd.DataFrame({"created": came, "channel": name})
            made["won_on"], made["lost_on"] = (made["created"] + pd.Timedelta(5, "D")).where(won), pd.NaT
            made["lost_on"] = (made["created"] + pd.Timedelta(20, "D")).where(~won)
            leads.append(made)
    leads = pd.concat(leads, ignore_index=True)
    leads["lead_id"] = leads.index.astype(str)
    leads["customer_id"] = leads["lead_id"].where(leads["won_on"].notna())
    return firm_of(leads, pd.DataFrame(spend, columns=["date", "channel", "amount"]))


@pytest.mark.parametrize("strength", [1, 0, -1])
def test_channels_of_different_cost_and_chance(strength):
    steps = two_channels(1.6**strength, 1.6**strength).unit_costs()
    finding = steps.attrs["finding"]
    if strength == 0:
        assert finding.count("may be chance") == 2
    else:  # who is dearer is won more often
        assert finding.startswith(f"Prospects of {'b' if strength == 1 else 'a'} are cheapest")
        assert finding.count(": beyond chance") == 2
        assert sure(steps) == -1


@pytest.mark.parametrize("strength", [1, 0, -1])
def test_visits_mislead_where_visitors_of_a_large_channel_are_worth_less(strength):
    random, people, spend = np.random.default_rng(1), [], []
    for channel, visits in (("small", 300), ("middle", 600), ("large", 1200)):
        for month in MONTHS:
            seen = random.poisson(visits)
            spend.append((month, channel, 100.0, float(seen)))
            amounts = (
                50
                * (visits / 600) ** -strength
                * np.exp(0.3 * random.standard_normal(random.poisson(visits / 20)))
            )
            people.append(pd.DataFrame({"acquisition_channel": channel, "date": month, "amount": amounts}))
    people = pd.concat(people, ignore_index=True)
    people["customer_id"] = people.index.astype(str)
    spend = pd.DataFrame(spend, columns=["date", "channel", "amount", "clicks"])
    log = people[["customer_id", "date", "amount"]]
    table = crm.Acquisition(log, DAY, customers=people, marketing_spend=spend, margin=0.5).traffic()
    assert table["share_of_brought"].sum() == pytest.approx(1)
    if strength:
        assert table.attrs["finding"].startswith("Large brings")
    assert sure(table) == -strength


def test_steps_of_the_funnel_are_compared_by_resamples_of_weeks():
    even = pd.concat(
        [
            leads_of(200, 10, created=str(day.date()))
            for day in pd.date_range("2024-01-02", periods=20, freq="7D")
        ]
    )
    table = firm_of(even, spend_of(1)).leaks()
    # 100 of 200 go on, and 10 of these are won: 90 lost later would have brought 50 each, 100 lost before a tenth.
    assert table["share_lost"].tolist() == pytest.approx([0.5, 0.9])
    assert sure(table) == 1
    assert "may be" not in table.attrs["finding"]
    one_week = firm_of(leads_of(200, 10, created="2024-03-01"), spend_of(1)).leaks()
    assert one_week["leak_low"].isna().all()
    assert "not tested" in one_week.attrs["finding"]


def test_the_interval_of_a_difference_holds_it_and_knows_shared_months():
    """Two costs that share their months' noise: their difference is surer than their own intervals say."""
    random, held, narrower = np.random.default_rng(2), 0, 0
    for _ in range(300):
        month = np.exp(0.25 * random.standard_normal(12))
        many = random.poisson(50, (2, 12))
        spent = many * np.array([[10.0], [12.0]]) * month * np.exp(0.1 * random.standard_normal((2, 12)))
        _, low, high = difference(*((spent[at], many[at], MONTHS) for at in (1, 0)))
        true = 2 * np.exp(0.25**2 / 2 + 0.1**2 / 2)
        held += low < true < high
        ends = [ratio(spent[at], many[at], MONTHS)[1:] for at in range(2)]
        narrower += (low > 0) > (ends[1][0] > ends[0][1])
    assert 0.9 < held / 300 < 0.98
    assert narrower > 250  # the two intervals overlap, and the difference is beyond chance all the same
