"""What states are worth, how customers move, where contacts should stop: by hand, by simulation, on a known firm."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.life_cycle.rules import read_rules
from crmlib.economics.formula_clv import markov_value
from crmlib.economics.life_cycle import fitting
from crmlib.economics.life_cycle.moves import chain, dwell, memory, transitions
from crmlib.economics.life_cycle.stages import STAGES, read_stages
from crmlib.economics.life_cycle.values import (
    contact_policy,
    simulated_values,
    values_of_states,
    with_memory,
    within,
)
from crmlib.errors import CrmError
from crmlib.findings import Estimate
from crmlib.no_rows import why_none
from tests.customers.logs import cdnow_sample, log_of

NAMES = ["a", "b", "gone"]
MATRIX = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.0, 0.0, 1.0]])
MONEY = np.array([10.0, 4.0, 0.0])
RATE, QUICK = 0.01, 0.03  # per month; by the quick one, nothing is left after thirty years


def histories(n: int, months: int, seed: int, tired: float = 0.0) -> pd.DataFrame:
    """Moves of people of a Markov chain, as `Months.moves` has them; `tired`: who is longer in a state leaves later."""
    random, rows = np.random.default_rng(seed), []
    state = random.choice(2, n)
    before, age = np.full(n, -1), np.ones(n, dtype=int)
    for month in range(months + 1):
        stay = MATRIX[state] * np.exp(-tired * (age[:, None] - 1) * (np.arange(3) != state[:, None]))
        stay = np.where(np.arange(3) == state[:, None], 0, stay)
        stay[np.arange(n), state] = 1 - stay.sum(axis=1)
        after = (random.random(n)[:, None] > stay.cumsum(axis=1)).sum(axis=1)
        brought = random.poisson(MONEY[state])
        went = after if month < months else -1
        now = {"month": month, "before": before, "place": state, "age": np.minimum(age, 12), "next": went}
        rows.append(pd.DataFrame(now | {"people": 1.0, "next_profit": brought}))
        before, age = state, np.where(after == state, age + 1, 1)
        state = after
    keys = ["month", "before", "place", "age", "next"]
    return pd.concat(rows).groupby(keys, as_index=False).sum()


def chain_of(*shape: int, tired: float = 0.0):
    n, months, seed = shape
    return chain(histories(n, months, seed, tired), 3, range(months), "profit")


def exact_values(found, rate: float) -> np.ndarray:
    """What `simulated_values` draws, solved: the chain of states and months in them."""
    shares, rewards = with_memory(found)
    states, ages = found.moved.shape[1:3]
    matrix = np.zeros((states * ages, states * ages))
    for cell in range(states * ages):
        place, age = divmod(cell, ages)
        for target in range(states):
            later = min(age + 1, ages - 1) if target == place else 0
            matrix[cell, target * ages + later] += shares[cell, target]
    value = markov_value(matrix, rewards / (1 + rate), rate).reshape(states, ages)
    people = found.people.sum(axis=0)
    weights = np.where(people.sum(axis=1, keepdims=True) > 0, people, np.eye(1, ages))
    return (value * weights).sum(axis=1) / weights.sum(axis=1)


def test_the_matrix_and_money_of_a_chain_are_recovered() -> None:
    found = chain_of(4000, 24, 1)
    np.testing.assert_allclose(found.matrix(), MATRIX, atol=0.015)
    np.testing.assert_allclose(found.money_each(), MONEY, atol=0.1)
    assert found.people.sum() == 4000 * 24


def test_intervals_of_moves_hold_the_truth() -> None:
    states = read_rules()
    held = []
    for seed in range(40):
        found = transitions(chain_of(300, 12, seed), _named(states))
        truth = [MATRIX[NAMES.index(row.state), NAMES.index(row.next_state)] for row in found.itertuples()]
        inside = (found["probability_low"] <= truth) & (truth <= found["probability_high"])
        held.extend(inside[found["moved"] > 30][found["probability_low"] < 1])
    assert 0.90 <= np.mean(held) <= 0.99


def _named(rules):
    from dataclasses import replace

    return replace(rules, states=tuple(replace(rules.states[n], name=name, also=(), next=name)
                                       for n, name in enumerate(NAMES)))  # fmt: skip


def test_simulated_histories_of_a_markov_chain_are_worth_its_markov_value() -> None:
    found = chain_of(4000, 24, 2)
    value = markov_value(found.matrix(), found.money_each() / (1 + RATE), RATE)
    simulated = simulated_values(found, RATE, random_state=1)
    error = (simulated["simulated_high"] - simulated["simulated"]) / 1.96
    assert (np.abs(simulated["simulated"] - value)[:2] < 4 * error[:2] + 0.03 * value[:2]).all()
    np.testing.assert_allclose(exact_values(found, RATE), value, rtol=0.03, atol=1e-6)
    np.testing.assert_allclose(within(found.matrix(), found.money_each(), RATE, 3000), value, rtol=1e-6)


def test_where_the_chain_has_a_memory_the_histories_are_right_and_the_markov_value_is_not() -> None:
    found = chain_of(6000, 24, 3, tired=0.5)
    exact = exact_values(found, QUICK)
    simulated = simulated_values(found, QUICK, random_state=1)
    assert ((simulated["simulated_low"] < exact) & (exact < simulated["simulated_high"]))[:2].all()
    markov = within(found.matrix(), found.money_each(), QUICK, None)
    assert (np.abs(markov - exact) > 0.1 * exact)[:2].all()
    # What those who began did bring in twenty months, beside both.
    happened = _brought(3, tired=0.5)
    near, far = (
        within(found.matrix(), found.money_each(), 0.0, 20),
        simulated_values(found, 0.0, months=20, random_state=1),
    )
    for place in (0, 1):
        assert abs(far["simulated"][place] - happened[place]) < abs(near[place] - happened[place])


def _brought(seed: int, tired: float) -> dict[int, float]:
    """What people bring in the twenty months after month 4, by their state then."""
    random, n = np.random.default_rng(100 + seed), 20_000
    state, age, total, then = random.choice(2, n), np.ones(n, dtype=int), np.zeros(n), None
    for month in range(24):
        if month == 4:
            then = state.copy()
        if month >= 4:
            total += MONEY[state]
        stay = MATRIX[state] * np.exp(-tired * (age[:, None] - 1) * (np.arange(3) != state[:, None]))
        stay[np.arange(n), state] = 0
        stay[np.arange(n), state] = 1 - stay.sum(axis=1)
        after = (random.random(n)[:, None] > stay.cumsum(axis=1)).sum(axis=1)
        age = np.where(after == state, age + 1, 1)
        state = after
    return {place: float(total[then == place].mean()) for place in (0, 1)}


def test_a_chain_without_memory_is_rarely_reported_to_have_memory() -> None:
    worlds = 200
    found = [memory(chain_of(300, 10, seed), NAMES)["memory"].any() for seed in range(worlds)]
    assert np.mean(found) <= 0.11  # two tests of two states, each corrected for the states: 10 % at most


def test_a_memory_is_found_and_its_direction() -> None:
    found = memory(chain_of(3000, 18, 5, tired=0.3), NAMES).set_index("state")
    assert found.loc["a", "memory"]
    assert found.loc["a", "p_age"] < 0.001
    assert found.loc["a", "leave_late"] < found.loc["a", "leave_early"]
    other = memory(chain_of(3000, 18, 5, tired=-0.05), NAMES).set_index(
        "state"
    )  # reversed: the longer, the sooner
    assert other.loc["b", "leave_late"] > other.loc["b", "leave_early"]


def test_stays_by_hand() -> None:
    moves = pd.DataFrame(
        [(0, -1, 0, 1, 0, 6.0), (0, -1, 0, 1, 1, 4.0), (1, 0, 0, 2, 0, 3.0), (1, 0, 0, 2, 1, 3.0)],
        columns=["month", "before", "place", "age", "next", "people"],
    ).assign(next_profit=0.0)
    found = dwell(chain(moves, 2, range(2), "profit"), ["x", "y"]).iloc[0]
    # 10 at risk, 4 leave: .6; of the 6, 3 leave: .3, the first below a half.
    assert (found["leave_share"], found["median_months"]) == (7 / 16, 2.0)


def test_the_interval_of_a_value_holds_the_truth() -> None:
    truth, held = markov_value(MATRIX, MONEY / (1 + RATE), RATE), []
    for seed in range(40):
        found = values_of_states(chain_of(300, 24, 500 + seed), NAMES, RATE)
        held.extend(((found["value_low"] <= truth) & (truth <= found["value_high"]))[:2])
    assert np.mean(held) >= 0.85


# -- where to stop -------------------------------------------------------------------------------------------------

DWYER = np.array([0.30, 0.20, 0.15, 0.05])


def test_pfeifer_and_carraway_stop_before_the_last_state() -> None:
    found = contact_policy(DWYER, 40, 4, 0.2, effect=None).set_index("months_contacted")
    assert found.loc[4, "value"] == pytest.approx(52.320, abs=5e-4)
    assert found.loc[3, "value"] == pytest.approx(53.149, abs=5e-4)
    assert found.index[found["best"]].tolist() == [3]


def test_without_an_effect_no_contact_pays_and_a_harmful_one_costs() -> None:
    for effect in (0.0, -0.2):
        found = contact_policy(DWYER, 40, 4, 0.2, effect=effect, contacted=0.3)
        assert found["months_contacted"][found["best"]].tolist() == [0]
    strong = contact_policy(DWYER, 40, 1, 0.2, effect=0.5)
    assert strong["months_contacted"][strong["best"]].iloc[0] == 4


def test_the_value_of_a_policy_is_that_of_simulated_customers() -> None:
    random, n, rate = np.random.default_rng(0), 60_000, 0.2
    alone = DWYER / (1 + 0.4 * 0.5)
    treated, contacted = alone * 1.5, 2
    silence, worth, discount = np.zeros(n, dtype=int), np.full(n, 40.0 - 4), 1.0
    for _month in range(80):
        here = silence < 4
        chance = np.where(silence < contacted, np.append(treated, 0)[silence], np.append(alone, 0)[silence])
        buys = here & (random.random(n) < chance)
        silence = np.where(buys, 0, np.minimum(silence + 1, 4))
        discount /= 1 + rate
        worth += discount * (40 * buys - 4 * (silence < contacted))
    found = contact_policy(DWYER, 40, 4, rate, effect=0.5, contacted=0.4).set_index("months_contacted")
    assert worth.mean() == pytest.approx(found.loc[2, "value"], abs=4 * worth.std() / np.sqrt(n))


# -- on a known firm -----------------------------------------------------------------------------------------------

TABLES = ("customers", "leads", "subscriptions", "surveys", "touchpoints", "experiments")


def life_of(firm, **options) -> crm.LifeCycle:
    return crm.LifeCycle(
        firm.tables["transactions"], "2025-12-31", **{name: firm.tables[name] for name in TABLES}, **options
    )


@pytest.fixture(scope="module")
def firm():
    return crm.simulate_firm(3000, 3, random_state=11)


@pytest.fixture(scope="module")
def life(firm) -> crm.LifeCycle:
    return life_of(firm)


@pytest.fixture(scope="module")
def truth(firm, life) -> pd.DataFrame:
    known = firm.truth["customers"].set_index("customer_id")
    return life.people().set_index("customer_id").join(known, how="inner")


def test_states_recover_who_is_still_there(truth: pd.DataFrame) -> None:
    alive = truth.groupby("state")["alive"].mean()
    assert alive["stable"] > alive["unstable"] > alive["latent"] > alive["terminated"]
    assert alive["terminated"] < 0.2 < 0.75 < alive["stable"]
    # The ceiling: no ranking by purchases can tell more than how many the true rates let expect.
    buyers = truth[truth["orders"] > 0]
    from crmlib.rankings import roc_auc

    found = roc_auc(-buyers["p_no_purchase"], buyers["purchases_next_12m"] > 0)
    ceiling = roc_auc(buyers["expected_purchases_12m"], buyers["purchases_next_12m"] > 0)
    assert 0.8 * ceiling < found < ceiling


def test_the_chance_of_no_purchase_is_calibrated(truth: pd.DataFrame) -> None:
    buyers = truth[(truth["orders"] > 0) & truth["p_no_purchase"].notna()]
    groups = pd.qcut(buyers["p_no_purchase"], 4, duplicates="drop")
    # A year is longer than the horizon of six months: fewer buy nothing, in every group, and in the same order.
    none = (buyers["purchases_next_12m"] == 0).groupby(groups, observed=True).mean()
    found = buyers.groupby(groups, observed=True)["p_no_purchase"].mean()
    assert (none.diff().dropna() > 0).all()
    assert (none < found + 0.05).all()


def test_histories_that_remember_are_nearer_to_the_true_values(life, truth: pd.DataFrame) -> None:
    worth = life.values().set_index("state")
    people = truth.groupby("state")["expected_value"].agg(["mean", "size"])
    people = people[people["size"] >= 100]
    off = {
        name: float((np.abs(worth[name].reindex(people.index) - people["mean"]) * people["size"]).sum())
        for name in ("value", "simulated")
    }
    assert off["simulated"] < 0.7 * off["value"]
    assert worth["simulated"].reindex(people.index).corr(people["mean"], method="spearman") > 0.7


@pytest.mark.parametrize(("strength", "sign"), [(2, 1), (0, 0), (-2, -1)])
def test_the_effect_of_a_contact_true_null_and_reversed(strength: float, sign: int) -> None:
    other = crm.simulate_firm(3000, 3, random_state=11, effects={"reminders": strength})
    effect = life_of(other).contact_effect("reminder", 42)
    if sign:
        assert sign * effect.low > 0 if sign > 0 else effect.high < 0
    else:
        assert effect.low < 0 < effect.high
    if sign <= 0:  # a message that does nothing, or harm, is not worth its cost
        policy = life_of(other).contact_policy(0.5, Estimate(min(effect.value, 0.0), "share"))
        assert policy["months_contacted"][policy["best"]].tolist() == [0]


def test_what_happened_since_adds_up(firm, life) -> None:
    found = life.forecast_check()
    log = firm.tables["transactions"]
    late = log[log["date"] >= "2025-01-01"]
    before = {*log.loc[log["date"] < "2025-01-01", "customer_id"]}
    rows = late[late["customer_id"].isin(before)]
    contribution = (rows["amount"] - rows["cost"]).sum()
    known = found[found["state"].isin(life.of_customers)]
    total = float((known["happened"] * known["people"]).sum())
    assert total == pytest.approx(contribution, rel=0.01)


def test_hops_sweep_readings_and_pictures_agree_with_the_states(life) -> None:
    states = life.states().set_index("state")["people"]
    hops = life.hops(1.0).set_index("state")
    assert (hops["people"] == states.reindex(hops.index)).all()
    worth = life.values().set_index("state")["simulated"]
    assert hops.loc["latent", "gain"] == pytest.approx(worth["stable"] - worth["latent"])
    assert hops.loc["latent", "break_even"] == pytest.approx(1 / hops.loc["latent", "gain"])
    effect = life.contact_effect("reminder")
    assert effect.is_known == bool(np.isfinite(hops.loc["latent", "measured"]))
    net = hops["measured"] * hops["gain"] - 1.0
    pd.testing.assert_series_equal(hops["net_gain"], net, check_names=False)
    assert hops.loc["stable", ["measured", "net_gain"]].isna().all()
    drawing = life.drawing()
    assert (
        drawing.drop_duplicates("state").set_index("state")["people"] == states[drawing["state"].unique()]
    ).all()
    readings = life.readings()
    for _reading, rows in readings[readings["state"] == "terminated"].groupby("reading"):
        assert rows["people"].iloc[0] <= states["terminated"]
    literal = readings[readings["reading"] == "literal"].set_index("state")
    assert literal.loc["latent", "people"] == states["latent"]


def test_an_edited_transition_table_is_checked_and_valued(life) -> None:
    moves = life.transitions()
    same = life.values(moves.assign(probability=moves["moved"] / moves["starts"]))
    assert same["value"].tolist() == pytest.approx(life.values()["value"].tolist())
    with pytest.raises(CrmError, match="from 'stable' sum to"):
        life.values(moves.assign(probability=moves["probability"].where(moves["state"] != "stable", 0.9)))
    with pytest.raises(CrmError, match="unknown state 'stabel'"):
        life.values(moves.replace({"next_state": {"stable": "stabel"}}))


def test_cdnow_terminates_one_time_buyers_that_p_alive_would_not() -> None:
    found = crm.LifeCycle(cdnow_sample(), "1998-06-30", margin=0.3).people()
    once = found[found["orders"] == 1]
    assert (once["state"] == "terminated").mean() > 0.7
    assert 0.02 < (found[found["orders"] >= 5]["state"] == "terminated").mean() < 0.6


@pytest.mark.parametrize(
    "rows", [[("a", "2024-01-10", 10)], [("a", "2024-01-10", 10), ("b", "2024-01-20", 5)]]
)
def test_a_young_log_says_why_it_has_no_moves(rows: list) -> None:
    young = crm.LifeCycle(log_of(*rows), "2024-01-31", margin=0.5)
    assert young.states()["people"].sum() == len(rows)
    for table in (young.transitions(), young.drawing(), young.values(), young.hops(), young.memory(), young.dwell(),
                  young.forecast_check(), young.contact_policy(1.0)):  # fmt: skip
        assert len(table) == 0
    assert young.buyers()["new"].tolist() == [len(rows)]


def test_no_complete_month_and_no_log_are_reported() -> None:
    early = crm.LifeCycle(log_of(("a", "2024-01-10", 10)), "2024-01-20")
    assert early.states().reason
    assert early.key_figures() == {}
    assert not early.has_prospects


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"months": 0}, "months is 0"),
        ({"discount_rate": -0.1}, "discount_rate is -0.1; give a rate per year from 0"),
        ({"discount_rate": 0, "horizon_months": None}, "discount_rate is 0; give a rate per year above 0"),
        ({"horizon_months": 0}, "horizon_months is 0"),
        ({"margin": 2}, "margin is 2"),
    ],
)
def test_parameters_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(CrmError, match=message):
        crm.LifeCycle(log_of(("a", "2024-01-10", 10)), "2024-03-31", **options)


def test_values_are_sums_where_nothing_is_discounted(life) -> None:
    free = replace(life, discount_rate=0.0, horizon_months=1)
    found = free.values().set_index("state")
    assert np.allclose(found["value"], found["money_each"])
    assert "no end at a discount rate of 0" in why_none(free.contact_policy())


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("customers", {"joined": "01.02.2024"}, "customers: joined is string; a date is needed"),
        ("customers", {"joined": 20240201}, "customers: joined is int64; a date is needed"),
        ("surveys", {"score": "9"}, "surveys: score is string; a number is needed"),
        (
            "customers",
            {"referral_offer": "yes"},
            "customers: referral_offer is string; true or false is needed",
        ),
    ],
)
def test_dates_and_numbers_that_are_text_are_refused_and_empty_columns_are_not(
    name: str, columns: dict, message: str
) -> None:
    """Dates of a German spreadsheet would be read with day and month exchanged."""
    log, table = log_of(("a", "2024-01-10", 10)), pd.DataFrame({"customer_id": ["a"]} | columns)
    for chapter in (crm.LifeCycle, crm.Growth):
        with pytest.raises(CrmError, match=message):
            chapter(log, "2024-03-31", **{name: table})
        chapter(log, "2024-03-31", **{name: table.assign(**dict.fromkeys(columns))})


def test_money_of_states_with_memory_is_shrunk_to_its_state() -> None:
    found = chain_of(50, 6, 1)
    shares, rewards = with_memory(found)
    assert np.allclose(shares.sum(axis=1), 1.0)
    assert np.abs(rewards.reshape(3, -1)[0] - found.money_each()[0]).max() < 10.0


# -- stages by product type ----------------------------------------------------------------------------------------


def test_stages_of_a_product_type_by_hand() -> None:
    leads = pd.DataFrame(
        {
            "lead_id": ["1", "2", "3", "4"], "created": pd.Timestamp("2023-01-01"), "channel": "web",
            "product_type": "physical",
            "interested_on": pd.to_datetime(["2023-01-11", "2023-01-21", None, "2024-06-01"]),
            "customer_id": ["a", "b", None, None],
        }
    )  # fmt: skip
    people = pd.DataFrame({"customer_id": ["c"], "joined": pd.Timestamp("2023-03-01"), "referrer_id": ["a"],
                           "product_type": "physical"})  # fmt: skip
    log = log_of(
        ("a", "2023-02-01", 10), ("a", "2023-02-11", 30), ("b", "2023-03-01", 5), ("b", "2024-03-01", 50),
        ("x", "2024-12-31", 1),
        category=["tea", "cups", "tea", "tea", "tea"],
    )  # fmt: skip
    life = crm.LifeCycle(log, "2024-12-31", leads=leads, customers=people, margin=1.0)
    found = life.stages().set_index("stage")
    # a, b and c (who has no order), 3 and 4 are known for a year; 4's interest came after it.
    assert found["entered"].tolist() == [5, 2, 2, 1, 1]
    assert found["reached"].tolist() == [2, 2, 1, 1, 1]
    assert found.loc["acquired", "median_days"] == 15
    # a brought 40 within the year and b 5: of one lost before the second order, 35.
    assert found.loc["retained", "leak"] == 35
    assert found.loc["acquired", "leak"] == 3 * 22.5


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"tea": {"acquired": "interest"}}, "product type 'tea' has no 'activated'"),
        ({"tea": dict.fromkeys(STAGES, "a click")}, "'a click' is unknown"),
    ],
)  # fmt: skip
def test_a_table_of_stages_with_a_fault_is_refused_by_name(table: dict, message: str) -> None:
    with pytest.raises(CrmError, match=message):
        read_stages(table)


def test_stages_of_the_known_firm_differ_by_type_and_count_everybody(firm, life) -> None:
    found = life.stages()
    assert {*found["product_type"]} == {"physical", "web/mobile", "web platform", "bank"}
    leads = firm.tables["leads"]
    old = leads[leads["created"] < pd.Timestamp("2025-01-01")]
    first = found[found["stage"] == "acquired"].set_index("product_type")["entered"]
    assert first.sum() == pytest.approx(old["customer_id"].fillna(old["lead_id"]).nunique(), rel=0.03)
    assert (found["reached"] <= found["entered"]).all()


def test_one_product_and_no_types_are_reported() -> None:
    assert "product_type" in crm.LifeCycle(cdnow_sample(), "1998-06-30").stages().reason


def test_values_that_were_far_off_are_refused_in_words() -> None:
    life = crm.LifeCycle(cdnow_sample(), "1998-06-30", margin=0.3)
    assert life.verdict().verdict == "do not use"
    worth = life.values()
    assert life.sentences(worth) == [life.verdict().refusal]
    assert worth["money_each"].notna().all()
    assert worth[["value", "simulated"]].isna().all(axis=None)
    for frame, column in ((life.states(), "value"), (life.people(), "value"), (life.hops(1.0), "gain")):
        assert frame[column].isna().all()
    assert not life.key_figures()["worth_of_steadiness"].is_known
    check = life.forecast_check()
    errors = ((check["simulated"] - check["happened"]).abs() * check["people"]).sum()
    assert errors / (check["happened"] * check["people"]).sum() > 0.3


def test_groups_that_differ_are_forecast_better_apart_and_groups_by_lot_are_not(firm, life) -> None:
    found = life.own_parameters()
    types = found[found["by"] == "product type"]
    assert types["nearer_low"].iloc[0] > 0
    off = [(types[name] - types["happened"]).abs().sum() for name in ("one_for_all", "own")]
    assert types["nearer"].iloc[0] == pytest.approx(off[0] - off[1])
    assert life.key_figures()["own_parameters_gain"].value == pytest.approx(
        types["nearer"].iloc[0] / types["happened"].sum()
    )
    people = firm.tables["customers"]
    lot = people["product_type"].sample(frac=1, random_state=3).to_numpy()
    other = replace(life, customers=people.assign(product_type=lot))
    drawn = other.own_parameters().query("by == 'product type'")
    assert drawn["nearer_low"].iloc[0] < 0.02 * drawn["happened"].sum()
    assert (drawn["own"] / drawn["one_for_all"]).between(0.9, 1.1).all()
    assert not other.drift()["drifts"].any()


def test_parameters_are_drawn_to_those_of_all_as_far_as_groups_differ_by_chance() -> None:
    random = np.random.default_rng(4)
    base = np.array([0.6, 0.3, 0.1])
    alike = random.multinomial(500, base, size=200)
    apart = np.array([random.multinomial(500, random.dirichlet(20 * base)) for _ in range(200)])
    assert fitting.best_weight(alike, base) > 5000
    assert fitting.best_weight(apart, base) == pytest.approx(20, rel=0.25)
    rows = np.column_stack([[10.0, 20.0], [9.0, 19.0], [11.0, 21.0]])
    assert fitting.drawn_to(15.0, rows) == pytest.approx([10, 20], abs=0.1)
    wide = np.column_stack([[14.0, 16.0], [4.0, 6.0], [24.0, 26.0]])
    assert fitting.drawn_to(15.0, wide).tolist() == [15, 15]


def test_a_market_that_loses_more_customers_than_a_year_ago_drifts(firm) -> None:
    log, tables = firm.tables["transactions"], dict(firm.tables)
    late = (log["date"] >= "2025-01-01") & (log["market"] == "France")
    dropped = late & (np.random.default_rng(1).random(len(log)) < 0.9)
    tables["transactions"] = log[~dropped & log["return_of"].isna()] if "return_of" in log else log[~dropped]
    found = life_of(replace(firm, tables=tables)).drift().query("by == 'market'").set_index("group")
    assert found.loc["France", "drifts"]
    assert found.loc["France", "change"] > 0.02
