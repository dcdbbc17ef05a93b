"""Effects in the simulated firm: paired worlds that differ in one switch, compared with the stated truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crmlib.errors import DataError
from crmlib.simulation.block import blocks
from crmlib.simulation.customers import draw_people
from crmlib.simulation.effects import GROUPS, MECHANISMS
from crmlib.simulation.firm import world_of
from crmlib.simulation.purchases import _gaps
from crmlib.simulation.settings import Simulation
from crmlib.simulation.simulate import simulate_firm
from crmlib.simulation.streams import Streams

pytestmark = pytest.mark.thorough  # what holds of the simulated firm changes with its code alone


@pytest.fixture(scope="module")
def firm():
    return simulate_firm(1500, 3, random_state=11)


def same(one, other):
    try:
        pd.testing.assert_frame_equal(one, other)
    except AssertionError:
        return False
    return True


# Tables that a switch cannot reach, however long the way.
OUT_OF_REACH = {
    "reminders": ["maturity_scores", "network_partners"],
    "retention_offers": ["maturity_scores", "network_partners"],
    "price_rises": ["transactions", "customers", "touchpoints", "service_cases", "leads", "marketing_spend"],
    "data_errors": [
        "leads",
        "marketing_spend",
        "loyalty_ledger",
        "surveys",
        "experiments",
        "touchpoints",
        "budget",
    ],
    "discounts": ["touchpoints", "service_cases", "leads", "surveys", "experiments", "subscriptions"],
}


@pytest.mark.parametrize("mechanism", OUT_OF_REACH)
def test_a_switch_changes_no_table_to_which_it_has_no_path(firm, mechanism):
    other = firm.counterfactual(**{mechanism: 0})
    unequal = {name for name in firm.tables if not same(firm.tables[name], other.tables[name])}
    assert not unequal & set(OUT_OF_REACH[mechanism])
    assert unequal


def purchases_of(world, customers):
    rows = world.tables["transactions"]
    return rows[rows["customer_id"].isin(customers)].reset_index(drop=True)


def by_themselves(*worlds):
    """Customers without a recommender in any of these worlds; the purchases of recommenders depend on switches."""
    found = [set(world.tables["customers"].query("referrer_id.isna()")["customer_id"]) for world in worlds]
    return {one for one in set.intersection(*found) if not one.startswith("C5")}


@pytest.mark.parametrize(
    ("mechanism", "reached"),
    [
        ("reminders", "kind == 'reminder' and group == 'treated'"),
        ("birthday_messages", "kind == 'birthday' and group == 'treated'"),
        ("retention_offers", "kind == 'offer' and group == 'treated'"),
    ],
)
def test_a_treatment_leaves_the_purchases_of_the_untreated_as_they_are(firm, mechanism, reached):
    other = firm.counterfactual(**{mechanism: 0})
    untouched = by_themselves(firm, other) - set(firm.tables["experiments"].query(reached)["customer_id"])
    assert len(untouched) > 300
    pd.testing.assert_frame_equal(purchases_of(firm, untouched), purchases_of(other, untouched))
    assert not same(firm.tables["transactions"], other.tables["transactions"])


def test_the_programme_leaves_those_outside_it_and_the_time_before_it_as_they_are(firm):
    other = firm.counterfactual(loyalty_programme=0)
    alone = by_themselves(firm, other)
    joined = firm.tables["loyalty_ledger"].query("kind == 'joined'").set_index("customer_id")["date"]
    pd.testing.assert_frame_equal(
        purchases_of(firm, alone - set(joined.index)), purchases_of(other, alone - set(joined.index))
    )

    def before(world):
        rows = purchases_of(world, alone & set(joined.index))
        return rows[rows["date"] <= rows["customer_id"].map(joined)].reset_index(drop=True)

    assert len(before(firm)) > 100
    pd.testing.assert_frame_equal(before(firm), before(other))
    members = alone & set(joined.index)
    assert len(purchases_of(firm, members)) > 1.02 * len(purchases_of(other, members))


def test_customers_stay_the_same_when_their_number_grows():
    few, many = (simulate_firm(number, 2, random_state=5) for number in (300, 1100))
    known = set(few.tables["customers"]["customer_id"])
    names = ("transactions", "customers", "touchpoints", "service_cases", "subscriptions", "surveys")
    for name in (*names, "experiments"):
        more = many.tables[name]
        kept = more[more["customer_id"].isin(known)]
        fewer = few.tables[name].dropna(subset="customer_id")
        sort = list(kept.columns)
        pd.testing.assert_frame_equal(
            fewer.sort_values(sort, ignore_index=True), kept.sort_values(sort, ignore_index=True)
        )
    leads = [one.tables["leads"].set_index("lead_id") for one in (few, many)]
    pd.testing.assert_frame_equal(leads[0], leads[1].loc[leads[0].index])
    truth = many.truth["customers"]
    columns = ["customer_id", "alive", "expected_value", "purchases_next_12m", "value_at_joining"]
    kept = truth.loc[truth["customer_id"].isin(known), columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(few.truth["customers"][columns], kept)


def test_the_same_seed_makes_the_same_firm_and_another_one_another():
    one, again, other = (simulate_firm(200, 1, random_state=seed) for seed in (3, 3, 4))
    assert all(same(one.tables[name], again.tables[name]) for name in one.tables)
    assert not same(one.tables["transactions"], other.tables["transactions"])


def test_uniforms_are_uniform_and_unrelated():
    """Kolmogorov–Smirnov and correlations at one false alarm in 1,000 each."""
    streams = Streams(1)
    customer = np.arange(20_000)
    drawn = [
        streams.uniform("a", customer),
        streams.uniform("a", customer, 1),
        streams.uniform("b", customer),
    ]
    drawn += [streams.uniform("a", 7, customer), Streams(2).uniform("a", customer)]
    for one in drawn:
        assert stats.kstest(one, "uniform").pvalue > 0.001
    correlations = np.corrcoef([*drawn, np.roll(drawn[0], 1)])[np.triu_indices(6, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(len(customer))


READ = ("newsletter-2025", "offer-2025")


def readouts(arms):
    """p of a plain comparison of purchases, experiment by experiment."""
    return [stats.ttest_ind(*arms[name]).pvalue for name in READ]


def arms_of_tables(seed, effects):
    """Purchases in 90 days of the treated and the others, as an analyst would count them in the tables."""
    tables = simulate_firm(250, 1, effects=effects, random_state=seed).tables
    rows = tables["transactions"].query("~returned")
    rows = rows.assign(customer_id=rows["customer_id"].str.replace(r"^C5", "C0", regex=True))
    found = {}
    for name, trial in tables["experiments"].groupby("experiment"):
        mine = rows.merge(trial, on="customer_id")
        since = (mine["date"] - mine["assigned"]).dt.days
        bought = mine[since.between(0, 89)].groupby("customer_id")["order_id"].nunique()
        trial = trial.assign(bought=bought.reindex(trial["customer_id"]).fillna(0).to_numpy())
        found[name] = [np.sort(arm["bought"].to_numpy(float)) for _, arm in trial.groupby("group")]
    return found


def arms_of_blocks(seed, effects):
    """As `arms_of_tables`, but without making the tables, which takes most of the time."""
    settings = Simulation(n_customers=250, years=1, effects=effects, random_state=seed)
    found = {}
    for block in blocks(world_of(settings), 250):
        for trial in block.trials:
            since = block.orders.day - np.nan_to_num(trial.assigned, nan=np.inf)[block.orders.row]
            within = (since >= 0) & (since < 90)
            bought = np.bincount(block.orders.row[within], minlength=len(block.people)).astype(float)
            for arm, mine in zip(
                found.setdefault(trial.name, ([], [])), (~trial.treated, trial.treated), strict=True
            ):
                arm.extend(bought[mine & trial.inside])
    return {name: [np.sort(arm) for arm in arms] for name, arms in found.items()}


def test_without_true_effects_the_experiments_show_none():
    """p-values of 200 firms are uniform (one false alarm in 1,000)."""
    for seed in range(3):
        tables, quick = arms_of_tables(seed, {"treatments": 0}), arms_of_blocks(seed, {"treatments": 0})
        assert all(
            np.array_equal(*pair) for name in READ for pair in zip(tables[name], quick[name], strict=True)
        )
    found = np.array([readouts(arms_of_blocks(seed, {"treatments": 0})) for seed in range(200)])
    for experiment in found.T:
        assert stats.kstest(experiment, "uniform").pvalue > 0.001
    assert stats.kstest(found.ravel(), "uniform").pvalue > 0.001


def test_a_true_effect_of_reminders_shows_with_many_customers():
    firm = simulate_firm(6000, 1, effects={"reminders": 3}, random_state=2)
    trial = firm.tables["experiments"].query("kind == 'reminder'")
    true = firm.truth["treatments"].query("kind == 'reminder'")
    rows = firm.tables["transactions"].query("~returned").merge(trial, on="customer_id")
    since = (rows["date"] - rows["assigned"]).dt.days
    bought = rows[since.between(0, 89)].groupby("customer_id")["order_id"].nunique()
    trial = trial.assign(bought=bought.reindex(trial["customer_id"]).fillna(0).to_numpy())
    treated, control = (trial.loc[trial["group"] == arm, "bought"] for arm in ("treated", "control"))
    error = np.sqrt(treated.var() / len(treated) + control.var() / len(control))
    assert abs(treated.mean() - control.mean() - true["effect_purchases"].mean()) < 3.5 * error
    assert true["effect_purchases"].mean() > 0.05


def test_the_effects_of_two_lives_are_on_average_what_the_equations_expect():
    true = simulate_firm(4000, 2, random_state=8).truth["treatments"]
    for kind in ("reminder", "birthday", "offer"):
        mine = true[true["kind"] == kind]
        error = mine["effect_purchases"].std() / np.sqrt(len(mine))
        gap = mine["effect_purchases"].mean() - mine["expected_effect_purchases"].mean()
        assert abs(gap) < 4 * error + 0.1 * abs(mine["expected_effect_purchases"].mean())
    assert (true.loc[true["kind"] == "newsletter", "effect_purchases"] == 0).all()
    price = true[true["kind"] == "price"]
    assert price["effect_purchases"].eq(0).all()
    assert price["effect_spend"].std() > 0


def test_a_second_life_is_the_counterfactual_world(firm):
    """Effects of the truth against two whole worlds, for customers in no experiment but that one."""
    true = firm.truth["treatments"]
    reminders = true.query("experiment == 'reminder-2025'").set_index("customer_id")
    off = firm.counterfactual(reminders=0)
    earlier = true.query("experiment in ['reminder-2023', 'reminder-2024']")["customer_id"]
    alone = by_themselves(firm, off)
    mine = reminders[reminders["treated"] & reminders.index.isin(alone) & ~reminders.index.isin(earlier)]

    def bought(world):
        rows = world.tables["transactions"].query("~returned")
        second = rows["customer_id"].str.startswith("C5")
        who = rows["customer_id"].where(~second, "C0" + rows["customer_id"].str[2:])
        within = rows["date"].between("2025-03-10", "2025-06-07")
        return rows[within].groupby(who)["order_id"].nunique().reindex(mine.index).fillna(0)

    assert len(mine) > 100
    difference = bought(firm) - bought(off)
    assert (difference == mine["effect_purchases"]).all()
    assert difference.abs().sum() > 5


def test_without_recommendations_the_type_one_stay_away_and_all_others_are_the_same(firm):
    firm = firm.counterfactual(referred_better=0, referral_offer=0)
    other = firm.counterfactual(referrals=0)
    true = firm.truth["referrals"]
    here, there = (set(world.truth["customers"]["customer_id"]) for world in (firm, other))
    only = set(true.loc[true["only_by_referral"], "customer_id"])
    assert here - there == only
    assert not there - here
    assert 0.5 < true["only_by_referral"].mean() < 0.85
    assert other.tables["customers"]["referrer_id"].isna().all()

    def theirs(world):
        rows = world.tables["transactions"]
        return rows[~rows["customer_id"].isin(only | {"C5" + one[2:] for one in only})].reset_index(drop=True)

    pd.testing.assert_frame_equal(theirs(firm), theirs(other))


def test_expected_values_are_those_of_the_year_that_follows():
    """Sums over 6,000 customers; the year after the last day is a holdout that no table shows."""
    true = simulate_firm(6000, 2, random_state=21).truth["customers"]
    there = true[true["alive"]]
    for expected, came in (
        ("expected_purchases_12m", "purchases_next_12m"),
        ("expected_spend_12m", "spend_next_12m"),
    ):
        assert there[came].sum() / there[expected].sum() == pytest.approx(1, abs=0.06)
    by_fifth = there.groupby(pd.qcut(there["expected_purchases_12m"], 5), observed=True)
    ratio = by_fifth["purchases_next_12m"].sum() / by_fifth["expected_purchases_12m"].sum()
    assert ratio.between(0.8, 1.25).all()
    assert (true.loc[~true["alive"], ["purchases_next_12m", "expected_purchases_12m"]] == 0).all().all()


def test_gaps_have_mean_one_and_the_spread_of_their_shape():
    world = world_of(Simulation(n_customers=2, years=1))
    people = draw_people(world, np.arange(3000))
    gaps = _gaps(world, people, np.arange(3000), 0, 20)
    for shape, variation in ((0, 1.0), (1, 0.25), (2, 4.375)):
        mine = gaps[people.gap_shape == shape]
        assert mine.mean() == pytest.approx(1, abs=0.04)
        assert mine.var() == pytest.approx(variation, rel=0.08)


def test_tiers_are_in_order_and_lead_costs_money(firm):
    true = firm.truth["customers"]
    assert (true["profit_per_year"] < 0).mean() == (true["tier"] == "Lead").mean() > 0.03
    bounds = true.groupby("tier", observed=True)["profit_per_year"].agg(["min", "max"])
    assert (bounds["max"].to_numpy()[:-1] <= bounds["min"].to_numpy()[1:]).all()
    rest = true[true["tier"] != "Lead"]["tier"].value_counts(normalize=True)
    assert rest["Platinum"] == pytest.approx(0.05, abs=0.002)
    assert rest["Gold"] == pytest.approx(0.15, abs=0.002)


def test_effects_of_treatments_have_nothing_to_do_with_the_risk_of_leaving():
    people = draw_people(world_of(Simulation(random_state=4)), np.arange(20_000))
    for kind in range(4):
        mine = people.take(people.kind == kind)
        assert abs(np.corrcoef(mine.response, mine.leaving_per_year)[0, 1]) < 4 / np.sqrt(len(mine))


@pytest.mark.parametrize(
    ("effects", "complaint"),
    [
        ({"remindrs": 0}, "no mechanism 'remindrs'; did you mean 'reminders'"),
        ({"returns": -1}, "returns is -1; a strength is a number from 0"),
        ({"reminders": float("nan")}, "reminders is nan"),
        ({"reminders": "much"}, "reminders is 'much'"),
        ({"reminders": 9}, "from -5 \\(reversed\\) through 0 \\(off\\) to 5"),
        ({"treatments": 0, "reminders": 1}, "contradict each other: treatments is 0 and reminders"),
        ({"leaving": 0, "broken_promises": 1}, "broken_promises is 1, but works through leaving, which is 0"),
    ],
)
def test_invalid_effects_are_refused_by_name(effects, complaint):
    with pytest.raises(DataError, match=complaint):
        simulate_firm(10, 1, effects=effects)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"n_customers": 0}, "n_customers is 0"),
        ({"n_customers": 1}, "n_customers is 1.*compare"),
        ({"n_customers": 2.5}, "n_customers is 2.5; a whole number"),
        ({"n_customers": True}, "n_customers is True"),
        ({"years": 0}, "years is 0"),
        ({"random_state": -1}, "random_state is -1"),
        ({"random_state": None}, "random_state is None"),
    ],
)
def test_invalid_parameters_are_refused_by_name(given, complaint):
    with pytest.raises(DataError, match=complaint):
        simulate_firm(**given)


@pytest.mark.parametrize("strength", [0, 5])
@pytest.mark.parametrize("mechanism", [*MECHANISMS, *GROUPS])
def test_every_switch_can_be_turned_to_both_ends(mechanism, strength):
    tables = simulate_firm(80, 1, effects={mechanism: strength}).tables
    assert len(tables["transactions"]) > 80
    assert np.isfinite(tables["transactions"]["amount"]).all()


def test_the_smallest_firm_has_every_table():
    assert len(simulate_firm(2, 1).tables) == 16
