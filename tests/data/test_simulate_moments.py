"""Moments of the simulated data against the equations of docs/simulated-firm.md; bounds are four standard errors."""

import numpy as np
import pytest
from scipy import stats

from crmlib.simulation import catalogue, expectations, purchases, service
from crmlib.simulation.block import blocks
from crmlib.simulation.firm import world_of
from crmlib.simulation.rows_of_service import case_minutes
from crmlib.simulation.settings import Simulation

pytestmark = pytest.mark.thorough  # what holds of the simulated firm changes with its code alone

PLAIN = dict.fromkeys(
    "treatments slow_replies broken_promises dormancy referrals capacity product_ageing".split(), 0
)


def firm(n_customers, years=2, seed=1, **effects):
    world = world_of(Simulation(n_customers=n_customers, years=years, random_state=seed, effects=effects))
    return world, list(blocks(world, n_customers))


def complaint_chances(world, block):
    usual = service.complaining(world, block.people, block.orders)[1]
    return np.minimum(usual * block.people.demanding[block.orders.row], 0.9)


@pytest.fixture(scope="module")
def plain():
    return firm(8000, **PLAIN)


def joined(parts):
    return np.concatenate(list(parts))


def test_customers_leave_at_the_documented_risk(plain):
    """The risk passed when they leave is exponential, cut off where the history ends."""
    world, found = plain
    risk, most = [], []
    for block in found:
        people = block.people
        there = world.days - people.join
        cut = people.leaving_per_year * world.ageing.at(np.zeros(1, int), there)
        age = np.minimum(block.left - people.join, there)
        passed = people.leaving_per_year * world.ageing.at(np.zeros(1, int), age)
        left = block.left < world.days
        risk.append(passed[left])
        most.append(cut[left])
    risk, most = joined(risk), joined(most)
    assert len(risk) > 2000
    assert stats.kstest(np.expm1(-risk) / np.expm1(-most), "uniform").pvalue > 0.001


def test_orders_come_at_the_documented_rate():
    world, found = firm(8000, **PLAIN | {"leaving": 0, "rate_leaving": 0})
    for shape, variance in ((0, 1.0), (1, 0.25), (2, 4.375)):
        due = came = 0.0
        for block in found:
            people = block.people
            season = world.seasons
            end = season.at(people.curve, np.full(len(people), float(world.days)))
            passed = people.orders_per_year * (end - season.at(people.curve, people.join))
            mine = people.gap_shape == shape
            first = (~people.tries_first).astype(float)
            due += (expectations.renewals(people.gap_shape, passed) + first)[mine].sum()
            came += np.bincount(block.orders.row, minlength=len(people))[mine].sum()
        assert abs(came - due) < 4 * np.sqrt(variance * due) + 0.005 * due


def test_seasons_move_orders_in_time_without_changing_their_total(plain):
    world, _ = plain
    yearly = world.seasons.totals[:, [365, 730]] / [1, 2]
    assert yearly == pytest.approx(np.ones_like(yearly), abs=0.01)
    in_december = np.diff(world.seasons.totals[:, [334, 365]], axis=1).ravel() * 365.25 / 31
    assert (in_december.reshape(2, 3, 4)[0, :, 0] > 1.2).all()  # things to give away


def test_amounts_costs_and_service_of_an_order_are_those_expected(plain):
    """Orders after the first and after the launch of the new category, all customers together."""
    world, found = plain
    wage = catalogue.WAGE_PER_HOUR / 60
    gaps = {"spend": [], "profit": []}
    for block in found:
        orders, lines, cases = block.orders, block.lines, block.cases
        n = len(orders.row)
        goods = np.where(
            np.isfinite(lines.returned), -lines.cost * (1 - purchases.RESTOCKED), lines.amount - lines.cost
        )
        outlay = service.OUTLAY[cases.kind] * world.streams.exponential(
            "outlay", block.people.index[orders.row[cases.order]], cases.slot
        )
        serving = np.bincount(cases.order, case_minutes(world, block) * wage + outlay, minlength=n)
        profit = np.bincount(lines.order, goods, minlength=n) - serving
        spend = np.bincount(lines.order, lines.amount, minlength=n)
        later = (orders.number > 0) & (orders.day >= purchases.launch_day(world))
        row = orders.row[later]
        gaps["spend"].append(spend[later] - expectations.spend_per_order(block.people)[row])
        gaps["profit"].append(profit[later] - expectations.contribution_per_order(block.people)[row])
    for name, parts in gaps.items():
        gap = joined(parts)
        assert len(gap) > 10_000
        assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap)), name


def test_returns_and_complaints_come_as_often_as_documented(plain):
    world, found = plain
    for came, chance in (
        (
            joined(np.isfinite(block.lines.returned) for block in found),
            joined(block.people.return_share[block.orders.row[block.lines.order]] for block in found),
        ),
        (
            joined(
                np.isin(np.arange(len(block.orders.row)), block.cases.order[block.cases.kind == 1])
                for block in found
            ),
            joined(complaint_chances(world, block) for block in found),
        ),
    ):
        assert abs(came.sum() - chance.sum()) < 4 * np.sqrt((chance * (1 - chance)).sum())


def test_heavy_buyers_join_the_programme_more_often():
    _, found = firm(6000, loyalty_programme=0)
    rate = joined(block.people.orders_per_year for block in found)
    need = joined(block.people.need for block in found)
    member = np.isfinite(joined(block.member_since for block in found))
    assert 0.1 < member.mean() < 0.5
    assert rate[member].mean() > 1.2 * rate[~member].mean()  # though the programme does nothing here
    assert need[member].mean() > need[~member].mean() + 0.4


def test_members_buy_a_tenth_more_but_a_naive_comparison_shows_far_more():
    with_it, without = (firm(6000, loyalty_programme=strength) for strength in (1, 0))
    orders = [
        joined(np.bincount(block.orders.row, minlength=len(block.people)) for block in found)
        for _, found in (with_it, without)
    ]
    same = joined(block.people.referrer for block in with_it[1]) == joined(
        block.people.referrer for block in without[1]
    )
    member = np.isfinite(joined(block.member_since for block in with_it[1]))
    true = orders[0][member & same].sum() / orders[1][member & same].sum()
    assert 1.02 < true < 1.12
    assert orders[1][member].mean() > 1.5 * orders[1][~member].mean()


def test_markets_move_at_different_speeds(plain):
    _, found = plain
    market = joined(block.people.market for block in found)
    for name in ("orders_per_year", "leaving_per_year"):
        pace = joined(getattr(block.people, name) for block in found)
        means = [pace[market == one].mean() for one in range(3)]
        assert means[1] < means[0] < means[2]


def test_quiet_customers_come_back():
    world, found = firm(6000, years=3)
    back = 0
    for block in found:
        spell = block.quiet[0]
        whole = np.flatnonzero((spell.end - spell.start > 60) & (spell.end < world.days - 90))
        after = (block.orders.day > spell.end[block.orders.row]) & np.isin(block.orders.row, whole)
        during = (block.orders.day > spell.start[block.orders.row]) & (
            block.orders.day < spell.end[block.orders.row]
        )
        back += len(np.unique(block.orders.row[after]))
        length = (spell.end - spell.start)[whole].sum() / 365.25
        rate = during[np.isin(block.orders.row, whole)].sum() / max(length, 1e-9)
        assert rate < 0.5
    assert back > 100


def test_a_recommender_is_an_active_buyer():
    for seed in range(5):
        _, found = firm(700, seed=seed)
        people = {int(one): block for block in found for one in block.people.index}
        checked = 0
        for block in found:
            for place in np.flatnonzero(block.people.referrer >= 0):
                other = people[int(block.people.referrer[place])]
                row = int(np.searchsorted(other.people.index, block.people.referrer[place]))
                assert other.left[row] > block.people.join[place]
                bought = other.orders.day[other.orders.row == row]
                assert bought.min() <= block.people.join[place]
                checked += 1
        assert checked > 40
