"""Acquisition in the simulated firm: effects of budgets, paths, offers and word of mouth, on, off and reversed."""

import numpy as np
import pandas as pd
import pytest

from crmlib.simulation import catalogue, prospects, who_comes
from crmlib.simulation.block import candidates
from crmlib.simulation.customers import draw_people
from crmlib.simulation.firm import world_of
from crmlib.simulation.settings import Simulation
from crmlib.simulation.simulate import simulate_firm

PAID = ("search", "social", "display", "price comparison", "partner")
ON_OFF_REVERSED = (1, 0, -1)


def of(rows, customers):
    return rows[rows["customer_id"].isin(customers)].reset_index(drop=True)


def by_cell(leads):
    month = leads["created"].to_numpy().astype("datetime64[M]").astype("datetime64[us]")
    return leads.assign(month=month).groupby(["month", "channel", "market"]).size()


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_more_budget_brings_as_many_more_leads_as_the_strength_says(strength):
    """Leads of each month, channel and market against their usual number and what the budget should add to it."""
    firm = simulate_firm(5000, 3, random_state=1, effects={"spend_response": strength, "referrals": 0})
    usual, full = (
        prospects.expected(
            world_of(Simulation(random_state=1, effects={"spend_response": one})), candidates(5000)
        )
        for one in (0, 1)
    )
    cells = firm.truth["spend"].set_index(["month", "channel", "market"])
    came = by_cell(firm.tables["leads"]).reindex(cells.index).fillna(0).to_numpy()
    paid = prospects.has_budget(np.indices(usual["level"].shape)[1])
    level, more = usual["expected_leads"][paid], (full["expected_leads"] - usual["expected_leads"])[paid]
    design = np.column_stack([level, more]) / np.sqrt(level)[:, None]
    seen = came / np.sqrt(level)
    found, *_ = np.linalg.lstsq(design, seen, rcond=None)
    left = seen - design @ found
    bread = np.linalg.inv(design.T @ design)
    error = np.sqrt((bread @ (design * left[:, None] ** 2).T @ design @ bread)[1, 1])
    assert error < 0.15
    assert abs(found[1] - strength) < 4 * error


def customers_of(effects, n_customers=20_000):
    """How many people become customers; purchases need not be simulated for that."""
    world = world_of(Simulation(n_customers=n_customers, random_state=2, effects=effects))
    people = draw_people(world, np.arange(candidates(n_customers)))
    people = people.take(~people.warm)
    return world, (who_comes.seen(world, people) & who_comes.won(world, people)).sum()


@pytest.mark.parametrize("channel", PAID)
def test_marginal_cost_is_what_the_last_customers_cost(channel):
    """The slope of the equations against a hundredth more budget, and a fifth more against customers who came."""
    switch = f"budget_{channel.replace(' ', '_')}"
    at = [one.name for one in catalogue.CHANNELS].index(channel)

    def plan(strength):
        world = world_of(Simulation(n_customers=20_000, random_state=2, effects={switch: strength}))
        return prospects.expected(world, candidates(20_000))

    low, middle, high = (plan(1 + step) for step in (-0.005, 0, 0.005))
    money = (high["spend"] - low["spend"])[:, at]
    gained = (high["expected_customers"] - low["expected_customers"]).sum(axis=1)
    assert gained == pytest.approx(money / middle["marginal_cac"][:, at], rel=1e-4)
    assert (middle["marginal_cac"][:, at] > middle["average_cac"][:, at]).mean() > 0.95
    less, more = plan(0.9)["expected_customers"].sum(), plan(1.1)["expected_customers"].sum()
    came = customers_of({switch: 1.1})[1] - customers_of({switch: 0.9})[1]
    assert more - less > 20
    assert abs(came - (more - less)) < 4 * np.sqrt(more - less)


def test_expected_customers_and_leads_are_those_who_come():
    world, came = customers_of({})
    found = prospects.expected(world, candidates(20_000))
    expected = found["expected_customers"].sum()
    assert abs(came - expected) < 4 * np.sqrt(expected)
    firm = simulate_firm(5000, 3, random_state=4)
    leads = firm.tables["leads"].query("channel in @PAID").groupby("channel").size()
    expected = firm.truth["spend"].groupby("channel")["expected_leads"].sum()
    assert (leads / expected).between(0.85, 1.15).all()  # recommendations take some, and give some back


@pytest.fixture(scope="module")
def alone():
    """A firm without referrals: a customer who is not won costs no other customer."""
    return simulate_firm(1500, 2, random_state=5, effects={"referrals": 0})


@pytest.mark.parametrize("channel", [*PAID, "organic"])
def test_incremental_customers_are_those_who_are_missing_in_the_world_without_the_channel(alone, channel):
    off = alone.counterfactual(**{f"budget_{channel.replace(' ', '_')}": 0})
    here, there = (set(one.truth["customers"]["customer_id"]) for one in (alone, off))
    assert there < here
    gained = alone.truth["channels"].set_index("channel")["incremental_customers"]
    assert len(here) - len(there) == gained[channel]
    assert (off.truth["channels"].set_index("channel")["incremental_customers"] >= 0).all()
    assert not off.tables["marketing_spend"].query("channel == @channel and amount > 0").size
    both = there | {"C5" + one[2:] for one in there}
    pd.testing.assert_frame_equal(*(of(one.tables["transactions"], both) for one in (alone, off)))


def test_channels_without_effect_win_no_incremental_customers(alone):
    idle = alone.counterfactual(spend_response=0, assists=0)
    gained = idle.truth["channels"].set_index("channel")["incremental_customers"]
    assert (gained[list(PAID)] == 0).all()
    assert np.isinf(idle.truth["spend"]["marginal_cac"]).all()
    assert idle.tables["marketing_spend"]["amount"].sum() == pytest.approx(
        alone.tables["marketing_spend"]["amount"].sum(), rel=1e-6
    )


def test_no_attribution_rule_gives_the_true_effect_of_a_channel(alone):
    """Display helps others and price comparison takes what others won; without assists display does not."""
    leads = alone.tables["leads"]
    visits = (
        alone.tables["touchpoints"]
        .query("kind == 'visit' and lead_id.notna()")
        .sort_values("date", kind="stable")
    )
    won = visits[visits["lead_id"].isin(leads.dropna(subset="customer_id")["lead_id"])]
    last = won.groupby("lead_id")["channel"].last().value_counts()
    first = won.groupby("lead_id")["channel"].first().value_counts()
    gained = alone.truth["channels"].set_index("channel")["incremental_customers"]
    assert gained["display"] > 1.15 * first["display"]
    assert gained["price comparison"] < 0.75 * last["price comparison"]
    without = alone.counterfactual(assists=0)
    own = without.truth["channels"].set_index("channel")
    assert (own["incremental_customers"] <= own["customers"])[list(PAID)].all()


@pytest.fixture(scope="module", params=ON_OFF_REVERSED)
def paths(request):
    effects = {"assists": request.param, "referrals": 0}
    return request.param, simulate_firm(9000, 2, random_state=6, effects=effects)


def test_who_met_display_on_the_way_is_won_as_often_as_the_strength_says(paths):
    strength, firm = paths
    leads = firm.tables["leads"].set_index("lead_id")
    leads = leads[leads["channel"].isin(PAID) & (leads["created"] < "2025-10-01")]
    visits = firm.tables["touchpoints"].query("kind == 'visit' and lead_id.notna()")
    later = visits[~visits["touchpoint_id"].str.endswith("-0") & visits["lead_id"].isin(leads.index)]
    others = prospects.SLOTS * sum(one.touches * one.lift for one in catalogue.CHANNELS)
    for channel in ("display", "price comparison"):
        met = leads.index.isin(later.loc[later["channel"] == channel, "lead_id"])
        wins = [leads.loc[mine, "customer_id"].notna() for mine in (met, ~met)]
        ratio = wins[0].mean() / wins[1].mean()
        error = ratio * np.sqrt(sum(1 / one.sum() for one in wins))
        lift = catalogue.CHANNELS[[one.name for one in catalogue.CHANNELS].index(channel)].lift
        share = lift * (1 - lift)  # those who met it hardly differ in what else they met
        expected = (1 + strength * (others / 2 + lift)) / (1 + strength * (others - share * 0.3))
        assert error < 0.08
        assert abs(ratio - expected) < 4 * error, channel
        if channel == "display" and strength:
            assert np.sign(ratio - 1) == strength


def test_paths_begin_with_the_lead_and_end_with_its_outcome(paths):
    _, firm = paths
    leads = firm.tables["leads"].set_index("lead_id")
    visits = firm.tables["touchpoints"].dropna(subset="lead_id")
    assert visits["customer_id"].isna().all()
    assert set(visits["lead_id"]) == set(leads.index)
    first = visits[visits["touchpoint_id"] == visits["lead_id"] + "-0"].set_index("lead_id")
    assert (first["date"] == leads.loc[first.index, "created"]).all()
    assert (first["channel"] == leads.loc[first.index, "channel"]).all()
    mine = leads.loc[visits["lead_id"]]
    assert (visits["date"].to_numpy() >= mine["created"].to_numpy()).all()
    for end in ("activated_on", "lost_on"):
        known = mine["customer_id" if end == "activated_on" else "lost_on"].notna().to_numpy()
        if end == "lost_on":
            known &= mine["customer_id"].isna().to_numpy()
        assert (visits["date"].to_numpy() <= mine[end].to_numpy())[known].all(), end
    several = visits.groupby("lead_id")["channel"].nunique() > 1
    assert 0.3 < several.mean() < 0.9
    assert 0.3 < several[leads["customer_id"].isna().reindex(several.index)].mean() < 0.9
    assert leads["lost_on"].isna()[leads["customer_id"].isna()].sum() > 50  # open ones
    assert not leads.loc[leads["customer_id"].notna(), "activated_on"].isna().any()


def test_a_budget_changes_who_comes_and_nothing_else(alone):
    for switch, strength in (
        ("spend_response", -1),
        ("assists", 0),
        ("word_of_mouth", -1),
        ("budget_display", 2),
    ):
        other = alone.counterfactual(**{switch: strength})
        here, there = (set(one.truth["customers"]["customer_id"]) for one in (alone, other))
        assert here != there, switch
        both = here & there
        truths = [
            of(one.truth["customers"], both).drop(columns=["channel", "tier"]) for one in (alone, other)
        ]
        pd.testing.assert_frame_equal(*truths)


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_an_offer_wins_and_keeps_as_many_as_the_strength_says(strength):
    effects = {"referral_offer": strength, "referrals": 3}
    firm = simulate_firm(9000, 2, random_state=7, effects=effects)
    true = firm.truth["referrals"]
    people = firm.tables["customers"].dropna(subset="referrer_id").drop_duplicates("customer_id")
    offered = people.set_index("customer_id")["referral_offer"].reindex(true["customer_id"])
    assert (offered.to_numpy() == true["offered"].to_numpy()).all()
    had, not_had = true["offered"].sum(), (~true["offered"]).sum()
    error = np.sqrt(1 / had + 1 / not_had)
    # Those whom friends would send in any case are most; offers win 1.35 times as many of them, and none of the others.
    risk = firm.truth["customers"].set_index("customer_id")["leaving_per_year"].loc[true["customer_id"]]
    risk = np.log(risk.to_numpy())
    apart = risk[true["offered"]].mean() - risk[~true["offered"]].mean()
    assert abs(apart + 0.20 * strength) < 4 * risk.std() * error
    assert np.sign(round(true["effect_of_offer"].mean(), 6)) == strength
    warm = true["customer_id"].isin(warm_ids(firm))
    ratio = np.log((true["offered"] & warm).sum() / (~true["offered"] & warm).sum())
    error = np.sqrt(1 / (true["offered"] & warm).sum() + 1 / (~true["offered"] & warm).sum())
    assert error < 0.08
    assert abs(ratio - np.log(1 + 0.35 * strength)) < 4 * error
    lost = firm.tables["touchpoints"].query("kind == 'offer' and lead_id.notna()")
    assert len(lost) > 50  # offers to those who did not come
    assert set(lost["lead_id"]) <= set(firm.tables["leads"].query("channel == 'referral'")["lead_id"])


def warm_ids(firm):
    people = draw_people(world_of(firm.settings), np.arange(candidates(firm.settings.n_customers)))
    return {f"C{one + 1:07d}" for one in people.index[people.warm]}


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_after_a_month_of_public_complaints_fewer_are_won(strength):
    world = world_of(Simulation(n_customers=20_000, random_state=8, effects={"word_of_mouth": strength}))
    people = draw_people(world, np.arange(candidates(20_000)))
    people = people.take(~people.warm & who_comes.seen(world, people))
    before = prospects.slips(world)[np.maximum(world.month(people.created) - 1, 0), people.market]
    after = before & (world.month(people.created) > 0)
    won = who_comes.won(world, people)
    ratio = won[after].mean() / won[~after].mean()
    error = ratio * np.sqrt((1 - won[after].mean()) / won[after].sum())
    assert error < 0.05
    assert abs(ratio - (1 - 0.25 * strength)) < 4 * error


def test_slips_show_as_public_complaints():
    firm = simulate_firm(6000, 3, random_state=9)
    slips = prospects.slips(world_of(firm.settings))
    market = firm.tables["customers"].drop_duplicates("customer_id").set_index("customer_id")["market"]
    orders = firm.tables["transactions"].query("~returned").drop_duplicates("order_id")
    complaints = firm.tables["service_cases"].query("kind == 'complaint'")
    month = (orders["date"].to_numpy().astype("datetime64[M]") - np.datetime64("2023-01")).astype(int)
    place = pd.Series(catalogue.MARKETS).reset_index().set_index(0)["index"]
    slip = slips[month, orders["customer_id"].map(market).map(place)]
    wrong = orders["order_id"].isin(complaints["order_id"]).to_numpy()
    ratio = wrong[slip].mean() / wrong[~slip].mean()
    assert 2.4 < ratio < 3.3  # three times, but for those who nearly always complain
    assert complaints["public"].mean() > 0.2


def test_the_first_two_customers_always_join():
    for seed in range(20):
        firm = simulate_firm(2, 1, random_state=seed, effects={"budget_organic": 0, "budget_search": 0})
        assert {"C0000001", "C0000002"} <= set(firm.tables["customers"]["customer_id"])


def test_about_as_many_come_as_were_asked_for():
    for years in (1, 3):
        came = [len(simulate_firm(1000, years, random_state=seed).truth["customers"]) for seed in range(3)]
        assert 0.88 * 1000 < np.mean(came) < 1.08 * 1000
