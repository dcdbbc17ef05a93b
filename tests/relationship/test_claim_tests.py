"""Tests of claims: hand calculations, and simulated firms whose mechanism is on, off and reversed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.findings import ASSOCIATED, CONTRADICTED, SUPPORTED, UNDECIDED, UNTESTED
from crmlib.relationship.claim_tests import iron as of_iron
from crmlib.relationship.claim_tests.all_tests import TESTS
from crmlib.relationship.claim_tests.answers import first_answers
from crmlib.relationship.claim_tests.chain import chain
from crmlib.relationship.claim_tests.data import ClaimData
from crmlib.relationship.claim_tests.effort import concentration, effort
from crmlib.relationship.claim_tests.entry import entry
from crmlib.relationship.claim_tests.iron import iron
from crmlib.relationship.claim_tests.looks import LOGGED, logged, looked, spent
from crmlib.relationship.claim_tests.price import price
from crmlib.relationship.claim_tests.promoters import promoters
from crmlib.relationship.claim_tests.prospecting import _elasticities, prospecting
from crmlib.relationship.claim_tests.referred import referred, roots, within_cells
from crmlib.relationship.claim_tests.retaining import retaining, rivals
from crmlib.relationship.claim_tests.slopes import as_student, slope
from crmlib.relationship.claim_tests.tested import Part, result
from crmlib.relationship.claim_tests.traffic import lost, traffic
from crmlib.relationship.claim_tests.trust import trust

DAY = "2025-12-31"
FALLS = "fall of its share of use from the emptiest to the fullest month"
TABLES = "customers subscriptions surveys touchpoints leads marketing_spend service_cases capacity experiments".split()


def world(n=1500, seed=7, years=3, leave_out=(), **effects):
    """The tables of a simulated firm with these strengths of its mechanisms."""
    tables = crm.simulate_firm(n_customers=n, years=years, random_state=seed, effects=effects).tables
    beside = {name: tables[name] for name in TABLES if name not in leave_out}
    return ClaimData(tables["transactions"], DAY, **beside)


@pytest.fixture(scope="module")
def plain():
    return world()


def claim(rows, part="the claim"):
    return next(row for row in rows if row["part"] == part)


# -- the statistics, by hand --


def test_the_verdict_of_a_claim_is_that_of_its_weakest_part():
    strong, weak = Part("links", 4.0, 1.0, "ratio", 9), Part("keeps", 1.0, 1.0, "ratio", 9)
    whole = result("x", [strong, weak])
    assert claim(whole)["verdict"] == UNDECIDED
    assert claim(whole)["difference"] == weak.value
    assert claim(result("x", [strong, strong]))["verdict"] == SUPPORTED


def test_a_part_on_the_wrong_side_contradicts_only_after_correction_for_several_parts():
    """-2.1 standard errors are beyond 95 % by themselves, not as the worst of three (2.39)."""
    good = [Part("a", 4.0, 1.0, "ratio", 9)] * 2
    assert claim(result("x", [Part("b", -2.1, 1.0, "ratio", 9)]))["verdict"] == CONTRADICTED
    assert claim(result("x", [*good, Part("b", -2.1, 1.0, "ratio", 9)]))["verdict"] == UNDECIDED
    assert claim(result("x", [*good, Part("b", -2.5, 1.0, "ratio", 9)]))["verdict"] == CONTRADICTED


def test_an_unknown_part_leaves_a_claim_untested_and_a_doubt_leaves_it_undecided():
    part = Part("a", 4.0, 1.0, "ratio", 9)
    assert claim(result("x", [part, Part("b", np.nan, np.nan, "ratio", 0)]))["verdict"] == UNTESTED
    doubted = claim(result("x", [part], doubt="it was so before"))
    assert (doubted["verdict"], doubted["why"]) == (UNDECIDED, "it was so before")


def test_a_direction_below_the_bar():
    assert claim(result("x", [Part("a", -4.0, 1.0, "ratio", 9, -1)]))["verdict"] == SUPPORTED
    assert claim(result("x", [Part("a", 0.5, 0.1, "share", 9, 1, 0.9)]))["verdict"] == CONTRADICTED


def test_the_slope_is_that_of_the_normal_equations_with_white_errors():
    random = np.random.default_rng(0)
    x, other = random.normal(size=(2, 60))
    weights = random.uniform(0.5, 2, 60)
    y = 0.3 * x + other + random.normal(size=60)
    design = np.column_stack([np.ones(60), other, x])
    bread = np.linalg.inv(design.T @ (weights[:, None] * design))
    beta = bread @ design.T @ (weights * y)
    moves = design * (weights * (y - design @ beta))[:, None]
    error = np.sqrt((bread @ moves.T @ moves @ bread)[2, 2] * 60 / 57)
    assert slope(y, x, other[:, None], weights) == pytest.approx((beta[2], error))


def test_few_clusters_widen_the_error_and_a_constant_cause_has_no_slope():
    y, x, groups = [1.0, 1, 3, 3, 4, 4], [0.0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]
    alone, together = slope(y, x, np.zeros((6, 0))), slope(y, x, np.zeros((6, 0)), groups=groups)
    assert together[0] == alone[0]
    assert together[1] / alone[1] == pytest.approx(np.sqrt(2) * as_student(3))
    assert np.isnan(slope(y, np.ones(6), np.zeros((6, 0)))).all()


def test_concentration_by_hand():
    """All to the best of ten: 1 - 1/n; the same to each: 0."""
    value = np.arange(10.0)
    assert concentration((value == 9) * 5.0, value)[0] == pytest.approx(0.9)
    assert concentration(np.full(10, 3.0), value)[0] == pytest.approx(0.0)


def test_the_net_of_the_referred_is_weighted_by_their_cells():
    """Cell 0: 10 against 4; cell 1: 8 against 6, with 25 and 75 referred: 0.25 · 6 + 0.75 · 2."""
    rows = [(0, True, 10.0)] * 25 + [(0, False, 4.0)] * 5 + [(1, True, 8.0)] * 75 + [(1, False, 6.0)] * 9
    people = pd.DataFrame([*rows, (2, False, 99.0)], columns=["cell", "referred", "net"])
    value, error, n = within_cells(people.assign(tree=[str(place) for place in range(len(people))]))
    assert (value, n) == (pytest.approx(3.0), 100)
    assert error < 0.2


def test_all_members_of_a_referral_tree_have_the_same_root():
    found = roots(pd.Index([*"abcde"]), pd.Series({"b": "a", "c": "b", "e": "d"}))
    assert [*found] == [*"aaadd"]


def test_channels_that_differ_by_chance_alone_show_no_loss():
    """The best in one half of the months are no better in the other: the mean over worlds is 0, not above."""
    random = np.random.default_rng(0)
    visits = np.full((24, 6), 100.0)
    losses = [lost(visits, random.poisson(100.0, (24, 6)).astype(float), np.ones(24)) for _ in range(300)]
    assert abs(np.mean(losses)) < 4 * np.std(losses) / np.sqrt(300)


def panel(elasticity, units=12, months=36, seed=0):
    """Markets whose hours follow their customers, which follow earlier prospects."""
    random = np.random.default_rng(seed)
    rows = []
    for unit in range(units):
        size, asked = 3 + 0.3 * random.normal(), 0.0
        for month in pd.date_range("2022-01-01", periods=months, freq="MS"):
            size += 0.2 * asked
            asked = 0.3 * random.normal()
            leads = np.exp(4 + asked)
            hours = leads * np.exp(elasticity * size + 0.1 * random.normal())
            rows.append((f"m{unit}", month, hours, leads, leads / 5, np.exp(size)))
    return pd.DataFrame(rows, columns=["unit", "month", "hours", "leads", "won", "base"])


@pytest.mark.parametrize("elasticity", [-0.5, 0.0, 0.5])
def test_the_elasticity_of_hours_is_found_where_customers_are_earlier_prospects(elasticity):
    value, error = _elasticities(panel(elasticity))["per_lead"]
    assert value == pytest.approx(elasticity, abs=3 * error)
    assert error < 0.1


def test_the_elasticity_is_corrected_for_the_bias_of_short_panels():
    """Without the correction by halves the mean over worlds is clearly below 0."""
    found = [_elasticities(panel(0.0, months=30, seed=seed))["total"][0] for seed in range(12)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(12) + 0.03


# -- looks --


def claims(*values, error=0.25, verdict=SUPPORTED):
    rows = [
        (f"c{place}", value, value - 1.96 * error, value + 1.96 * error) for place, value in enumerate(values)
    ]
    table = pd.DataFrame(rows, columns=["claim", "value", "low", "high"])
    decided = (table["low"] > 0).map({True: verdict, False: UNDECIDED})
    return table.assign(bar=0.0, kind="description", basis="test", why="found", verdict=decided)


def test_the_levels_of_all_looks_sum_to_five_per_cent():
    assert sum(spent(look) for look in range(1, 200_000)) == pytest.approx(0.05, abs=1e-6)


def test_claims_keep_their_verdict_after_correction_for_multiple_testing():
    """p = .0455 alone is decided at 5 %, at a first look (3.04 %) it is not; p < 1e-6 is among ten."""
    day = pd.Timestamp("2025-03-31").date()
    alone = looked(claims(0.5), pd.DataFrame(), day)
    assert alone["verdict"].tolist() == [UNDECIDED]
    assert "not among 1 claim looked at" in alone["why"][0]
    many = looked(claims(1.3, *[0.1] * 9), pd.DataFrame(), day)
    assert many["verdict"].tolist() == [SUPPORTED, *[UNDECIDED] * 9]
    # z = 2.6, p = .0093: decided alone, not as the one of ten.
    assert looked(claims(0.65), pd.DataFrame(), day)["verdict"].tolist() == [SUPPORTED]
    assert looked(claims(0.65, *[0.1] * 9), pd.DataFrame(), day)["verdict"][0] == UNDECIDED


def test_the_first_look_of_a_quarter_counts_and_later_ones_spend_less():
    first = looked(claims(0.65), pd.DataFrame(), pd.Timestamp("2025-01-31").date())
    log = logged(first, pd.Timestamp("2025-01-31").date())
    assert log[LOGGED[:4]].values.tolist() == [["c0", 1, pd.Timestamp("2025-01-31"), SUPPORTED]]
    again = looked(claims(0.0), log, pd.Timestamp("2025-03-31").date())
    assert again[["look", "verdict"]].values.tolist() == [[1, SUPPORTED]]
    assert "one look a quarter counts" in again["why"][0]
    assert logged(again, pd.Timestamp("2025-03-31").date()).empty
    # The second look spends .76 %, and p = .0093 is above it.
    later = looked(claims(0.65), log, pd.Timestamp("2025-04-30").date())
    assert later[["look", "verdict"]].values.tolist() == [[2, UNDECIDED]]


def test_targets_computations_and_claims_without_an_interval_are_no_looks():
    table = claims(1.0, 1.0, 1.0).assign(
        kind=["target", "description", "description"], basis=["test", "computation", "test"]
    )
    table.loc[2, ["low", "high", "verdict"]] = [np.nan, np.nan, UNTESTED]
    found = looked(table, pd.DataFrame(), pd.Timestamp("2025-03-31").date())
    assert found["look"].tolist() == [0, 0, 0]
    assert found["verdict"].tolist() == [SUPPORTED, SUPPORTED, UNTESTED]


def test_looks_together_only_ever_weaken_a_verdict():
    for verdict in (SUPPORTED, ASSOCIATED, CONTRADICTED):
        found = looked(claims(0.5, 3.0, verdict=verdict), pd.DataFrame(), pd.Timestamp("2025-03-31").date())
        assert found["verdict"].tolist() == [UNDECIDED, verdict]


def test_repeated_looks_at_a_null_rarely_decide_whatever_their_dependence():
    """Twenty quarters of one claim whose estimates depend on each other: 5 % at most are ever decided."""
    random = np.random.default_rng(0)
    z = np.cumsum(random.normal(size=(4000, 20)), axis=1) / np.sqrt(np.arange(1, 21))
    from scipy.special import ndtri

    ever = (np.abs(z) > -ndtri([spent(look) / 2 for look in range(1, 21)])).any(axis=1)
    assert ever.mean() < 0.05


# -- simulated firms --


def test_every_test_returns_a_row_for_a_firm_with_a_purchase_log_only(plain):
    bare = ClaimData(plain.transactions, DAY)
    for test in TESTS:
        for row in test(bare):
            assert (row["verdict"], bool(row["why"])) == (UNTESTED, True) or row["test"] == "entry"


def test_every_row_of_a_firm_with_all_tables_has_a_verdict_and_a_reason(plain):
    rows = [row for test in TESTS for row in test(plain)]
    assert {row["test"] for row in rows} >= {
        "trust",
        "chain",
        "effort",
        "referred",
        "prospecting",
        "selling",
        "iron",
    }
    for row in rows:
        assert row["verdict"] in (SUPPORTED, CONTRADICTED, UNDECIDED, UNTESTED, "")
        assert row["part"] != "the claim" or row["why"]
        if row["verdict"] != UNTESTED:
            assert row["low"] < row["difference"] < row["high"]


def test_trust_counts_one_answer_per_customer_that_is_old_enough(plain):
    found = first_answers(plain, "trust", 180)
    answers = plain.surveys[plain.surveys["question"] == "trust"]
    old = answers[answers["date"] <= pd.Timestamp("2025-07-04 23:59")]
    assert len(found) == found["customer_id"].nunique() == old["customer_id"].nunique()
    assert (found["score"] <= 1).all()


ON_AND_OFF = (
    "trust_keeps effort_by_value promoters entry_product base_eases_selling value_builds_trust rivals"
).split()
WORLDS = {"on": 2, "off": 0, "reversed": -2}


@pytest.fixture(scope="module")
def worlds():
    """Three firms whose mechanisms are on, off and reversed; nothing else moves trust."""
    quiet = dict(restless_moods=0, broken_promises=0, slow_replies=0)
    return {word: world(3000, **quiet, **dict.fromkeys(ON_AND_OFF, size)) for word, size in WORLDS.items()}


@pytest.mark.parametrize(
    ("test", "part"),
    [
        (trust, "the claim"),
        (chain, "the claim"),
        (effort, "the claim"),
        (promoters, "the claim"),
        (entry, "the claim"),
        (lambda data: prospecting(data)[1:], "elasticity of hours per prospect"),
    ],
    ids="trust chain effort promoters entry selling".split(),
)
def test_a_mechanism_that_is_on_off_or_reversed(worlds, test, part):
    found = {word: claim(test(data), part) for word, data in worlds.items()}
    assert found["on"]["verdict"] == SUPPORTED
    assert found["off"]["verdict"] == UNDECIDED
    assert found["reversed"]["verdict"] in (CONTRADICTED, UNDECIDED)
    sign = np.sign(found["on"]["difference"])
    assert (
        sign * found["on"]["difference"]
        > sign * found["off"]["difference"]
        > sign * found["reversed"]["difference"]
    )


def test_a_reversed_mechanism_contradicts_the_claim(worlds):
    for test in (trust, chain, entry):
        assert claim(test(worlds["reversed"]))["verdict"] == CONTRADICTED


def test_a_chain_is_judged_by_its_weakest_link(worlds):
    assert claim(chain(worlds["reversed"]))["measure"] == "again, per standard deviation of trust"


def test_trust_that_correlates_with_earlier_purchases_is_not_supported(worlds):
    """Answers that follow from what was bought before: the control finds it."""
    data = worlds["off"]
    answers = first_answers(data, "trust", 180)
    day = answers["date"] - pd.Timedelta(194, "D")
    before = data.around(answers[["customer_id"]].assign(date=day), 180).set_index("customer_id")
    kept = worlds["on"].around(answers[["customer_id", "date"]], 180).set_index("customer_id")["again"]
    wishes = answers["customer_id"].map(before["again"]).fillna(0) + answers["customer_id"].map(kept).fillna(
        0
    )
    surveys = answers[["customer_id", "date"]].assign(question="trust", score=1 + wishes, scale_max=5.0)
    found = trust(ClaimData(data.transactions, DAY, surveys=surveys, customers=data.customers))
    assert claim(found, "purchases before the answer")["low"] > 0
    assert claim(found)["verdict"] != SUPPORTED


def test_the_referred_who_stay_longer_are_better():
    found = [
        claim(
            referred(world(3000, referred_better=size)), "net contribution within a year, against all others"
        )
        for size in (4, -4)
    ]
    assert found[0]["difference"] > found[1]["difference"]
    assert found[0]["verdict"] == SUPPORTED


def test_iron_customers_with_stronger_seasons_than_others_contradict_the_claim():
    """Where small customers have the stronger seasons, the claim is contradicted; where they buy evenly, it is not."""
    rows = [iron(world(3000, small_fill_slack=size)) for size in (4, 0, -4)]
    assert [claim(some, FALLS)["verdict"] for some in rows] == [UNDECIDED, UNDECIDED, CONTRADICTED]
    assert claim(rows[2])["verdict"] == CONTRADICTED


def stall(iron_month, other_month, months=12):
    """A resource used by orders alone: Iron and others have so many orders in each month, worth 1 and 3."""
    rows = []
    for month, (ours, theirs) in enumerate(zip(iron_month, other_month, strict=True)):
        day = pd.Timestamp("2025-01-01") + pd.DateOffset(months=month)
        rows += [(f"i{place % 60}", day, 0.9 + 0.1 * (place % 3), 1.0, 0.0) for place in range(ours)]
        rows += [(f"o{place % 60}", day, 2.9 + 0.1 * (place % 3), 1.0, 0.0) for place in range(theirs)]
    frame = pd.DataFrame(rows, columns=["customer_id", "month", "worth", "orders", "minutes"])
    used = frame.groupby("month")["orders"].sum()
    resource = pd.DataFrame({"capacity": 300.0, "used": used, "fixed_cost": 100.0})
    names = pd.Series(
        {f"i{place}": "Iron" for place in range(60)} | {f"o{place}": "Gold" for place in range(60)}
    )
    return of_iron._of_resource(
        "iron", "seats", resource, frame.groupby(["customer_id", "month"]).sum().reset_index(), names
    )


def test_iron_by_hand():
    """Iron has 60 orders each month, others 60 in six months and 240 in six, when nothing is free."""
    rows = stall([60] * 12, [60, 240] * 6)
    assert claim(rows, "contribution in months of slack")["difference"] == pytest.approx(6 * 60)
    assert claim(rows, FALLS)["difference"] == pytest.approx(60 / 120 - 60 / 300)
    assert claim(rows, "contribution per unit in full months, less others'")["difference"] == pytest.approx(
        -2.0
    )
    bears = claim(rows, "fixed cost per unit that others would bear more")
    assert bears["difference"] == pytest.approx(1200 / 1800 - 1200 / 2520)


def test_iron_customers_who_displace_more_valuable_orders_contradict_the_claim():
    assert claim(stall([60] * 12, [60, 240] * 6))["verdict"] == CONTRADICTED
    assert claim(stall([60] * 12, [60, 180] * 6))["verdict"] == SUPPORTED  # no month is full


def kept_and_won(cost):
    """400 new customers bring 19 or 21 in their first year; an offer to half of them adds 10 a year later, for COST."""
    people = [f"p{place}" for place in range(400)]
    first = pd.DataFrame({"customer_id": people, "date": "2023-06-01", "amount": [19.0, 21.0] * 200})
    again = pd.DataFrame({"customer_id": people[::2], "date": "2024-07-01", "amount": [9.0, 11.0] * 100})
    log = pd.concat([first, again], ignore_index=True)
    trial = pd.DataFrame(
        {"experiment": "offer-1", "customer_id": people, "group": ["treated", "control"] * 200}
    )
    trial = trial.assign(kind="offer", cost=cost, assigned=pd.Timestamp("2024-06-10"))
    cac = pd.DataFrame({"spent": 100.0, "marginal_cac": [10.0, 30.0], "verdict": "estimated"})
    cac = cac.assign(marginal_cac_low=[9.0, 27.0], marginal_cac_high=[11.5, 34.0])
    log = log.assign(date=pd.to_datetime(log["date"]))
    return ClaimData(log, DAY, margin=1.0, experiments=trial, marginal_cac=cac)


def test_retaining_and_winning_are_compared_per_unit_of_money():
    """10 for 2 against 20 for 10 or 30: 5 less 20 · (1/10 + 1/30) / 2."""
    found = claim(retaining(kept_and_won(2.0)))
    assert found["difference"] == pytest.approx(5 - 20 * (1 / 10 + 1 / 30) / 2)
    assert found["verdict"] == SUPPORTED
    assert claim(retaining(kept_and_won(20.0)))["verdict"] == CONTRADICTED


def test_retaining_needs_marginal_costs_and_a_randomised_offer(plain):
    assert claim(retaining(plain))["why"] == "no marginal cost of a customer is published by chapter 08"
    none = kept_and_won(2.0).experiments.assign(kind="newsletter")
    assert claim(retaining(ClaimData(plain.transactions, DAY, experiments=none)))["verdict"] == UNTESTED


def priced(lost, n=20_000):
    """Of the best twentieth, every second bought again; of those with a dearer price so many in ten fewer."""
    at, groups = np.arange(n), ["treated", "control"] * (n // 2)
    people = pd.DataFrame({"customer_id": [f"p{place}" for place in at], "group": groups})
    money, tenth = np.where(at // 2 % 20 == 0, 500.0, 10.0), at // 40 % 10
    comes = tenth < 5 - lost * (people["group"] == "treated")
    first = people[["customer_id"]].assign(date=pd.Timestamp("2024-05-01"), amount=money)
    again = people.loc[comes, ["customer_id"]].assign(date=pd.Timestamp("2024-08-01"), amount=5.0)
    trial = people.assign(experiment="price-1", kind="price", assigned=pd.Timestamp("2024-06-01"))
    return ClaimData(pd.concat([first, again], ignore_index=True), DAY, margin=1.0, experiments=trial)


@pytest.mark.parametrize(("lost", "verdict"), [(0, SUPPORTED), (3, CONTRADICTED), (1, UNDECIDED)])
def test_a_price_makes_no_difference_only_within_a_margin(lost, verdict):
    """0, 30 and 10 points fewer: within ten points, beyond them, and just on the margin."""
    found = claim(price(priced(lost)))
    assert found["difference"] == pytest.approx(-lost / 10)
    assert found["verdict"] == verdict


def test_too_few_customers_leave_the_price_test_undecided():
    assert claim(price(priced(0, n=4000)))["verdict"] == UNDECIDED


@pytest.mark.parametrize(("size", "verdict"), [(1, SUPPORTED), (0, UNDECIDED), (-1, CONTRADICTED)])
def test_customers_of_rivals(plain, size, verdict):
    tables = crm.simulate_firm(n_customers=1500, years=3, random_state=7, effects={"rivals": size}).tables
    beside = {name: tables[name] for name in ("leads", "marketing_spend", "customers", "staff_hours")}
    apart = crm.Acquisition(tables["transactions"], DAY, **beside).rivals_apart()
    assert apart["measure"].tolist() == ["days to the first purchase", "cost per win"]
    assert claim(rivals(ClaimData(tables["transactions"], DAY, rivals_apart=apart)))["verdict"] == verdict


def test_traffic_needs_channels_and_months(plain):
    assert claim(traffic(plain))["bar"] == 0.1
    few = plain.marketing_spend[plain.marketing_spend["channel"].isin(["search", "social"])]
    assert (
        claim(traffic(ClaimData(plain.transactions, DAY, customers=plain.customers, marketing_spend=few)))[
            "verdict"
        ]
        == UNTESTED
    )
