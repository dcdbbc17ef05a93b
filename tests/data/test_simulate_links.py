"""Causal links of the simulated firm on retention, effort and cost of selling: each on, off and reversed."""

import numpy as np
import pandas as pd
import pytest

from crmlib.simulation import customers, demand, messages, prospects, service
from crmlib.simulation.acquisition import known_people, leads
from crmlib.simulation.block import blocks
from crmlib.simulation.firm import world_of
from crmlib.simulation.settings import Simulation
from crmlib.simulation.simulate import simulate_firm
from crmlib.simulation.truth_of_firm import SIZES, mechanisms
from tests.data.test_simulate_effects import same

pytestmark = pytest.mark.thorough  # what holds of the simulated firm changes with its code alone

ON_OFF_REVERSED = (1, 0, -1)


def lives(n_customers, years=3, seed=1, **effects):
    world = world_of(Simulation(n_customers=n_customers, years=years, random_state=seed, effects=effects))
    return world, list(blocks(world, n_customers))


def joined(parts):
    return np.concatenate(list(parts))


def hazard_slope(events, exposure, trait):
    """Log risk per unit of a trait, by the likelihood of a Poisson process, and its standard error."""
    design = np.column_stack([np.ones(len(trait)), trait])
    found = np.array([np.log(events.sum() / exposure.sum()), 0.0])
    for _ in range(30):
        expected = exposure * np.exp(design @ found)
        bread = np.linalg.inv((design * expected[:, None]).T @ design)
        found = found + bread @ design.T @ (events - expected)
    meat = (design * ((events - expected) ** 2)[:, None]).T @ design
    return found[1], np.sqrt((bread @ meat @ bread)[1, 1])


def risk_of_leaving(found, world, trait_of):
    """The slope with the other variables of the equations held equal."""
    events, exposure, trait = [], [], []
    for block in found:
        people = block.people
        events.append((block.left < world.days).astype(float))
        age = np.minimum(block.left, world.days) - people.join
        exposure.append(people.leaving_per_year * world.ageing.at(np.zeros(1, int), age))
        trait.append(trait_of(block))
    return joined(events), joined(exposure), joined(trait)


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
@pytest.mark.parametrize(("switch", "trait"), list(customers.KEEPS.items()))
def test_trust_success_and_met_expectations_keep_customers_by_their_strength(switch, trait, strength):
    plain = {
        "broken_promises": 0,
        "slow_replies": 0,
        "entry_product": 0,
        "treatments": 0,
        "value_builds_trust": 0,
    }
    world, found = lives(6000, **plain, **{switch: strength})
    events, exposure, value = risk_of_leaving(found, world, lambda block: getattr(block.people, trait))
    # `leaving_per_year` knows of the trait: taken out, its slope has to come back.
    known = exposure * np.exp(customers.KEPT_BY * strength * value)
    slope, error = hazard_slope(events, known, value)
    assert error < 0.03
    assert abs(slope + customers.KEPT_BY * strength) < 4 * error
    plainly, error = hazard_slope(
        events, joined(b.people.index * 0 + 1.0 for b in found) * years_there(found, world), value
    )
    assert abs(plainly) < 4 * error if not strength else np.sign(plainly) == -strength


def years_there(found, world):
    return joined((np.minimum(block.left, world.days) - block.people.join) / 365.25 for block in found)


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
@pytest.mark.parametrize("switch", ["entry_product", "referred_better"])
def test_small_first_products_and_referrals_keep_customers_by_their_strength(switch, strength):
    plain = {"broken_promises": 0, "slow_replies": 0, "treatments": 0, "referral_offer": 0}
    world, found = lives(8000, **plain, **{switch: strength})

    def trait(block):
        if switch == "referred_better":
            return (block.people.referrer >= 0).astype(float)
        line = (block.orders.number[block.lines.order] == 0) & (block.lines.number == 0)
        small = np.zeros(len(block.people))
        small[block.orders.row[block.lines.order[line]]] = block.lines.grade[line] == 0
        return small

    events, exposure, value = risk_of_leaving(found, world, trait)
    size = {"entry_product": 0.3, "referred_better": 0.25}[switch]
    if switch == "referred_better":
        exposure = exposure * np.exp(size * strength * value)
    slope, error = hazard_slope(events, exposure, value)
    assert error < 0.06
    # The smallest product keeps from the first order on, which some make after a while.
    assert abs(slope + size * strength) < 4 * error + 0.03


def test_trust_correlates_with_staying_without_a_causal_effect():
    """Restless customers trust less and leave sooner; what surveys show turns round with the switch."""
    found = {}
    for restless in ON_OFF_REVERSED:
        effects = {
            "trust_keeps": 0,
            "value_builds_trust": 0,
            "restless_moods": restless,
            "broken_promises": 0,
        }
        firm = simulate_firm(6000, 3, random_state=2, effects=effects)
        asked = firm.tables["surveys"].query("question == 'trust' and date < '2025-01-01'")
        trust = asked.groupby("customer_id")["score"].mean()
        true = firm.truth["customers"].set_index("customer_id")
        stays = true["leaving_per_year"].reindex(trust.index)
        both = pd.DataFrame({"trust": trust, "risk": stays}).dropna().rank()
        found[restless] = both["trust"].corr(both["risk"]), 1 / np.sqrt(len(both))
    assert all(error < 0.03 for _, error in found.values())
    assert found[1][0] < -4 * found[1][1]
    assert (
        abs(found[0][0] + 0.03) < 4 * found[0][1]
    )  # sociable people are in a better mood and leave a little later
    assert found[-1][0] > 4 * found[-1][1]


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_value_builds_trust_and_value_gets_effort_as_the_strengths_say(strength):
    switches = {"value_builds_trust": strength, "effort_by_value": strength}
    world, found = lives(6000, years=2, **switches)
    worth, trust = (joined(getattr(block.people, name) for block in found) for name in ("worth", "trust"))
    slope, error = line(worth, trust)
    assert abs(slope - customers.TRUST_BY_WORTH * strength) < 4 * error < 0.1
    calls, months, managed = [], [], []
    for block in found:
        row, _day = messages.calls(world, block.people)
        calls.append(np.bincount(row, minlength=len(block.people)).astype(float))
        months.append((world.days - block.people.join) / 30)
        managed.append(messages.calls_per_year(world, block.people) > 0)
    managed = joined(managed)
    slope, error = hazard_slope(joined(calls)[managed], joined(months)[managed], worth[managed])
    assert abs(slope - messages.CALLS_BY_WORTH * strength) < 4 * error < 0.16
    assert joined(calls)[~managed].sum() == 0
    delay = joined(np.log(b.cases.first_reply - b.cases.opened) for b in found)
    holder = joined(b.people.worth[b.orders.row[b.cases.order]] for b in found)
    slope, error = line(holder, delay)
    assert abs(slope + service.SOONER_BY_WORTH * strength) < 4 * error < 0.12


def line(x, y):
    """Slope of a straight line, with its robust standard error."""
    x, y = x - x.mean(), y - y.mean()
    slope = (x @ y) / (x @ x)
    return slope, np.sqrt(((x * (y - slope * x)) ** 2).sum()) / (x @ x)


def test_calls_stand_in_the_tables_with_their_hours():
    firm = simulate_firm(800, 2, random_state=3)
    calls = firm.tables["touchpoints"].query("kind == 'call'")
    managed = firm.tables["customers"].dropna(subset="manager_id")["customer_id"]
    assert len(calls) > 100
    assert set(calls["customer_id"]) <= set(managed)
    hours = [
        one.tables["staff_hours"].query("activity == 'account management'")["hours"].sum()
        for one in (firm, firm.counterfactual(effort_by_value=0))
    ]
    counts = [
        len(one.tables["touchpoints"].query("kind == 'call'"))
        for one in (firm, firm.counterfactual(effort_by_value=0))
    ]
    assert hours[0] - hours[1] == pytest.approx((counts[0] - counts[1]) * 5 / 60, abs=2)


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_content_customers_recommend_as_the_strength_says(strength):
    _, found = lives(12_000, promoters=strength, referrals=2)
    content = joined(block.people.content for block in found)
    index = joined(block.people.index for block in found)
    referrer = joined(block.people.referrer for block in found)
    brought = np.bincount(np.searchsorted(index, referrer[referrer >= 0]), minlength=len(index)).astype(float)
    slope, error = hazard_slope(brought, np.ones(len(index)), content)
    # The odds change by e^.8 for each unit of contentment, a chance of about a half by half as much.
    assert error < 0.06
    assert abs(slope - 0.38 * strength) < 4 * error
    late = simulate_firm(3000, 2, random_state=4, effects={"promoters": strength})
    nps = late.tables["surveys"].query("question == 'nps'").groupby("customer_id")["score"].mean()
    known = late.truth["customers"].set_index("customer_id")["content"].reindex(nps.index)
    assert np.corrcoef(nps, known.fillna(0))[0, 1] > 0.3  # surveys show it, whatever it does


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_selling_takes_fewer_hours_where_many_are_customers_as_the_strength_says(strength):
    """Log hours of a prospect, of one use and origin, on the log of customers there, by market and month."""
    world, found = lives(8000, base_eases_selling=strength)
    months = len(world.months)
    there = np.zeros((months, 3))
    parts = []
    for block in found:
        people = known_people(block)
        lead = leads(world, block, people)
        unit = (people.market * 4 + people.kind)[lead.row]
        columns = {
            "month": world.month(lead.created),
            "unit": unit,
            "market": people.market[lead.row],
            "hours": lead.hours,
            "channel": people.channel[lead.row],
        }
        alike = {
            "comes": lead.row < len(block.people),
            "first": lead.number == 0,
            "rival": pd.notna(lead.rival),
        }
        parts.append(pd.DataFrame(columns | alike))
        for month in range(months):
            middle = world.edges[month : month + 2].mean()
            here = (block.people.join < middle) & (middle < block.left)
            there[month] += np.bincount(block.people.market[here], minlength=3)
    all_leads = pd.concat(parts).query("hours > 0")
    all_leads["log"] = np.log(all_leads["hours"])
    all_leads["log"] -= all_leads.groupby(["comes", "first", "rival", "unit"])["log"].transform("mean")
    mean = all_leads.groupby(["month", "market"])["log"].mean().unstack().to_numpy()
    late = slice(6, None)
    y, x = mean[late], np.log(there[late])
    for _ in range(20):
        y, x = (one - one.mean(axis=0) - one.mean(axis=1, keepdims=True) + one.mean() for one in (y, x))
    slope, error = line(x.ravel(), y.ravel())
    assert error < 0.08
    assert abs(slope + demand.EASE * strength) < 4 * error
    true = mechanisms(world).set_index("mechanism").loc["base_eases_selling", "effect"]
    assert true == -demand.EASE * strength


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_customers_of_rivals_take_longer_and_more_hours_as_the_strength_says(strength):
    firm = simulate_firm(5000, 3, random_state=5, effects={"rivals": strength})
    won = firm.tables["leads"].dropna(subset="customer_id").query("hours > 0 and channel != 'referral'")
    rival = won["won_from"].notna().to_numpy(float)
    true = np.log(prospects.SLOWER_FROM_A_RIVAL) * strength
    slope, error = line(rival, np.log(won["hours"].to_numpy()))
    assert abs(slope - true) < 4 * error < 0.3
    days = (won["activated_on"] - won["created"]).dt.days.to_numpy() + 0.5
    slope, error = line(rival, np.log(days))
    assert abs(slope - true) < 4 * error + 0.1  # whole days


def test_orders_are_turned_away_in_busy_months_alone():
    firm = simulate_firm(4000, 3, random_state=6, effects={"referrals": 0})
    off = firm.counterfactual(capacity=0)
    tight = firm.counterfactual(capacity=2)
    assert (off.truth["months"]["turned_away"] == 0).all()
    orders = {}
    for name, one in (("on", firm), ("off", off), ("tight", tight)):
        parcels = one.tables["capacity"].query("resource == 'parcels'")
        full = parcels["used"] >= parcels["capacity"] - 0.5
        assert (parcels["used"] <= parcels["capacity"]).all()
        assert full.any() == (name != "off") or full.sum() <= 1
        rows = one.tables["transactions"].query("~returned")
        first = rows.groupby("customer_id")["date"].transform("min") == rows["date"]
        month = rows["date"].to_numpy().astype("datetime64[M]").astype("datetime64[us]")
        orders[name] = rows[~first].assign(month=month[~first]).groupby("month")["order_id"].nunique()
    for name, one in (("on", firm), ("tight", tight)):
        share = one.truth["months"].set_index("month")["turned_away"].reindex(orders["off"].index)
        lost = orders["off"] - orders[name]
        busy = share > 0
        assert 0 < busy.sum() < len(busy)
        expected = (share * orders["off"])[busy].sum()
        assert lost[busy].sum() == pytest.approx(expected, abs=4 * np.sqrt(expected))
        assert lost[~busy].abs().sum() <= 0.01 * orders["off"].sum()
    assert orders["tight"].sum() < orders["on"].sum()


PAIRS = {
    "broken_promises": lambda block, world: block.promises.broken.any(axis=1),
    "slow_replies": lambda block, world: np.ones(len(block.people), bool),
}


@pytest.mark.parametrize("switch", PAIRS)
def test_service_failures_change_the_lifetime_of_each_customer_in_one_direction(switch):
    """The same customers in three worlds: nobody leaves later who is driven away, nobody sooner who is kept."""
    worlds = [lives(2000, referrals=0, **{switch: strength}) for strength in ON_OFF_REVERSED]
    away, neither, kept = (
        joined(np.minimum(block.left, world.days) for block in found) for world, found in worlds
    )
    concerned = joined(PAIRS[switch](block, worlds[1][0]) for block in worlds[1][1])
    if switch == "broken_promises":
        assert (away <= neither + 1e-6).all()
        assert (neither <= kept + 1e-6).all()
        assert (away[~concerned] == kept[~concerned]).all()
    assert away.mean() < neither.mean() < kept.mean()


@pytest.mark.parametrize(
    "switch", ["reminders", "birthday_messages", "retention_offers", "loyalty_programme", "price_rises"]
)
def test_treatments_can_be_reversed(switch):
    kind = {
        "reminders": "reminder",
        "birthday_messages": "birthday",
        "retention_offers": "offer",
        "price_rises": "price",
    }
    found = {}
    for strength in ON_OFF_REVERSED:
        firm = simulate_firm(1500, 2, random_state=7, effects={switch: strength})
        if switch == "loyalty_programme":
            found[strength] = len(firm.tables["transactions"])
        else:
            mine = firm.truth["treatments"].query(f"kind == '{kind[switch]}'")
            column = "expected_effect_profit" if switch == "price_rises" else "expected_effect_purchases"
            found[strength] = mine[column].mean()
    if switch == "price_rises":
        assert found[1] < found[0] < found[-1]
    else:
        assert found[1] > found[0] > found[-1]
        assert switch == "loyalty_programme" or abs(found[0]) < 1e-12


def test_birthday_messages_keep_customers():
    worlds = [lives(3000, referrals=0, birthday_messages=strength) for strength in ON_OFF_REVERSED]
    here = [joined(np.minimum(block.left, world.days) for block in found).mean() for world, found in worlds]
    assert here[0] > here[1] > here[2]


@pytest.mark.parametrize(
    ("switch", "changes"),
    [
        ("base_eases_selling", {"leads", "staff_hours"}),
        ("restless_moods", {"surveys", "customers"}),
    ],
)
def test_a_link_changes_only_the_tables_that_it_reaches(switch, changes):
    firm = simulate_firm(500, 2, random_state=8)
    for strength in (0, -1):
        other = firm.counterfactual(**{switch: strength})
        assert {name for name in firm.tables if not same(firm.tables[name], other.tables[name])} == changes


def test_the_truth_names_the_size_of_every_link_at_its_strength():
    effects = {"trust_keeps": -2, "rivals": 0.5}
    table = mechanisms(world_of(Simulation(effects=effects))).set_index("measure")
    assert table.loc["log risk of leaving, per standard deviation of trust", "effect"] == 0.5
    assert table.loc["log hours and days to win", "effect"] == pytest.approx(np.log(1.8) / 2)
    assert len(table) == len(SIZES)
    assert not table.reset_index().duplicated(["mechanism", "measure"]).any()


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_customers_who_buy_little_fill_slack_months_or_crowd_the_busy_ones(strength):
    """Later orders in November and December, as a share, of customers who buy little against the others."""
    world, found = lives(6000, capacity=0, small_fill_slack=strength)
    small = joined(block.people.worth[block.orders.row] < 0 for block in found)
    day = joined(block.orders.day for block in found)
    later = joined(block.orders.number > 0 for block in found) & (day < world.days)
    busy = world.month(day[later]) % 12 >= 10
    ratio = busy[small[later]].mean() / busy[~small[later]].mean()
    error = ratio * np.sqrt(1 / busy[small[later]].sum() + 1 / busy[~small[later]].sum())
    assert error < 0.05
    assert abs(ratio - 1) < 4 * error if not strength else (1 - ratio) * strength > 3 * error


@pytest.mark.parametrize("strength", ON_OFF_REVERSED)
def test_products_age_as_the_strength_says(strength):
    """Log of the mean pieces beyond the first by year, of the oldest category; the middle one does not change."""
    world, found = lives(8000, product_ageing=strength)
    category = joined(block.lines.category for block in found)
    day = joined(block.orders.day[block.lines.order] for block in found)
    extra = joined(block.lines.quantity for block in found) - 1.0
    inside = (day < world.days) & (day >= 0)
    for which, size in ((0, -0.2), (1, 0.0), (2, 0.2)):
        mine = inside & (category == which)
        slope, error = hazard_slope(extra[mine], np.ones(mine.sum()), day[mine] / 365.25)
        assert error < 0.06
        assert abs(slope - size * strength) < 4 * error
