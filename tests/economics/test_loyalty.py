"""Loyalty programmes: liability by hand, uplift in worlds whose truth is known, and on the simulated firm."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.treatments.loyalty import points_pressure
from crmlib.errors import CrmError, DataError
from crmlib.simulation.simulate import simulate_firm

MONTHS = 6
LEDGER = pd.DataFrame(
    [
        ("a", "2023-01-10", "joined", 50.0, None),
        ("a", "2023-02-10", "earned", 400.0, None),
        ("a", "2023-06-10", "redeemed", -300.0, 12.0),
        ("b", "2023-01-10", "earned", 100.0, None),
        ("b", "2024-01-10", "expired", -100.0, None),
        ("b", "2024-02-01", "earned", 80.0, None),
        ("c", "2024-09-01", "earned", 1000.0, None),  # after the day
    ],
    columns=["customer_id", "date", "kind", "points", "amount"],
).astype({"date": "datetime64[ns]", "amount": "float64"})


def test_liability_by_hand():
    found = crm.programme_liability(LEDGER, as_of="2024-08-31").iloc[0]
    assert found.members == 2
    assert found.points_outstanding == 230  # a: 50 + 400 − 300, b: 100 − 100 + 80
    assert found.point_value == pytest.approx(0.04)
    assert found.breakage == pytest.approx(100 / 400)
    assert found.liability == pytest.approx(230 * 0.04 * 0.75)
    assert found.liability_without_breakage == pytest.approx(9.2)
    assert found.dormant_share == pytest.approx(150 / 230)
    given = crm.programme_liability(LEDGER, as_of="2024-08-31", point_value=0.1, breakage=0.5)
    assert given["liability"].tolist() == pytest.approx([11.5])


def test_enrolments_by_hand():
    rows = [
        ("m", "2024-01-05", 10.0),  # seven months before joining
        ("m", "2024-08-02", 20.0),  # joins at this one
        ("m", "2024-08-20", 5.0),
        ("m", "2024-09-01", 7.0),
        ("o", "2024-07-31", 3.0),
        ("o", "2024-08-31", 4.0),
        ("o", "2024-10-31", 6.0),
        ("o", "2024-11-01", 99.0),  # after the window
        ("x", "2024-07-01", 1.0),  # did not buy in August: could not have joined then
    ]
    log = pd.DataFrame(rows, columns=["customer_id", "date", "amount"]).astype({"date": "datetime64[ns]"})
    ledger = pd.DataFrame({"customer_id": ["m", "m"], "date": pd.to_datetime(["2024-08-02", "2024-09-01"])})
    found = crm.programme_enrolments(log, ledger, as_of="2024-12-15", months=2).set_index("customer_id")
    assert found.index.tolist() == ["m", "o"]
    assert found["joined"].to_dict() == {"m": True, "o": False}
    assert found["tenure_months"].to_dict() == {"m": 7, "o": 1}
    assert found["purchases_in_month"].to_dict() == {"m": 2, "o": 1}
    assert found["spend_before"].to_dict() == {"m": 0.0, "o": 3.0}
    assert found["spend_after"].to_dict() == {"m": 7.0, "o": 6.0}
    late = crm.programme_enrolments(log, ledger, as_of="2024-12-15", months=6)
    assert late.empty
    assert late.reason.startswith("nobody who bought joined 6 whole months")
    assert crm.loyalty_uplift(late).reason == late.reason


def waiting_world(seed, *, hurry=1.0):
    """Members who get a reward at every fifth purchase; the last three gaps before it shrink by `hurry`."""
    random = np.random.default_rng(seed)
    gaps = random.gamma(2.0, random.gamma(2.0, 5.0, (150, 1)), (150, 15))
    gaps[:, [2, 3, 4, 7, 8, 9, 12, 13, 14]] /= hurry
    days = np.ceil(np.cumsum(gaps + 1, axis=1))
    start = pd.Timestamp("2023-01-01")
    log = pd.DataFrame({"customer_id": np.repeat([f"c{one:03}" for one in range(150)], 15), "amount": 10.0})
    log["date"] = start + pd.to_timedelta(days.ravel(), unit="D")
    rewards = log[np.tile(np.arange(15) % 5 == 4, 150)].assign(kind="redeemed")
    joined = rewards.drop_duplicates("customer_id").assign(kind="joined", date=start)
    return log, pd.concat([joined, rewards])[["customer_id", "date", "kind"]]


@pytest.mark.thorough
def test_no_points_pressure_is_reported_where_there_is_none():
    held = 0
    for seed in range(15):
        found = points_pressure(*waiting_world(seed), as_of="2028-12-31").iloc[0]
        assert found["waits"] == 450
        assert found["purchases"] == 150 * 12
        held += found["low"] <= 0.5 <= found["high"]
    assert held >= 12  # 95 % of 15; fewer in one of two hundred choices of seeds


def test_those_who_hurry_are_seen():
    found = points_pressure(*waiting_world(0, hurry=2.0), as_of="2028-12-31").set_index("members")
    assert found.loc["all", "low"] > 0.5
    assert found.loc[["heavy", "light"], "customers"].sum() == found.loc["all", "customers"] == 150
    assert found.loc[["heavy", "light"], "purchases"].sum() == found.loc["all", "purchases"]


def test_no_reward_no_pressure():
    log, ledger = waiting_world(0)
    found = points_pressure(log, ledger[ledger["kind"] == "joined"], as_of="2028-12-31")
    assert found.empty
    assert found.reason.startswith("nobody has waited for a reward")


def test_what_is_not_known_is_not_owed():
    owed = crm.programme_liability(LEDGER.drop(columns="amount"), as_of="2024-08-31")
    assert owed.reason.endswith("give point_value")
    assert owed.empty
    alone = crm.loyalty_uplift(matched_world(0).assign(tenure_months=1))
    assert alone.reason.startswith("none of 0 members")


def matched_world(seed, *, uplift=1.0):
    """Heavy and light buyers, of whom the heavy join more often; nothing else tells members apart."""
    random = np.random.default_rng(seed)
    heavy = random.random(900) < 0.4
    joined = random.random(900) < np.where(heavy, 0.3, 0.05)
    before = MONTHS * random.normal(np.where(heavy, 20, 5), 1.0)
    after = MONTHS * random.normal(np.where(heavy, 20, 5) + uplift * joined, 2.0)
    # Every other stands in the table twice, as those do who bought in two months.
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{one}" for one in range(900)],
            "joined": joined,
            "cell": heavy.astype(int),
            "tenure_months": 12,
            "spend_before": before,
            "spend_after": after,
        }
    )
    again = frame[~frame["joined"]].assign(cell=lambda one: one["cell"] + 2)
    joins_late = frame["joined"] & (np.arange(900) % 2 == 0)
    return pd.concat([frame.assign(cell=frame["cell"] + 2 * joins_late), again], ignore_index=True)


@pytest.mark.thorough
def test_matching_holds_the_truth_where_only_known_things_select():
    held, naive = 0, 0
    for seed in range(100):
        table = crm.loyalty_uplift(matched_world(seed)).set_index("comparison")
        held += table.loc["matched", "low"] < 1.0 < table.loc["matched", "high"]
        naive += table.loc["after joining", "low"] < 1.0
    assert held >= 87  # 95 % of 100; fewer in one of a thousand choices of seeds
    assert naive == 0  # the naive difference holds the heavy buyers


@pytest.fixture(scope="module")
def firms():
    """The simulated firm with and without an unseen need that makes heavy buyers join."""
    return {
        need: simulate_firm(7_000, 3, random_state=2, effects={"confounders": need}) for need in (1.0, 0.0)
    }


def reported_and_true(firm):
    """What the tables say of purchases per member and month, and what the programme did."""
    ledger = firm.tables["loyalty_ledger"]
    found, without = (
        crm.programme_enrolments(one.tables["transactions"], ledger, as_of=firm.as_of, months=MONTHS)
        for one in (firm, firm.counterfactual(loyalty_programme=0))
    )
    members = found[found["joined"] & (found["tenure_months"] >= MONTHS)]
    both = members.merge(without, on=["customer_id", "month"], suffixes=("", "_without"))
    truth = (both["purchases_after"] - both["purchases_after_without"]).mean() / MONTHS
    return crm.loyalty_uplift(found, measure="purchases", months=MONTHS).set_index("comparison"), truth


@pytest.mark.thorough
def test_on_the_simulated_firm_matching_finds_the_truth_where_nothing_unseen_selects(firms):
    found, truth = reported_and_true(firms[0.0])
    assert found.loc["matched", "low"] < truth < found.loc["matched", "high"]
    assert found.loc["after joining", "low"] > truth


@pytest.mark.thorough
def test_on_the_simulated_firm_an_unseen_need_keeps_even_the_matched_uplift_too_high(firms):
    found, truth = reported_and_true(firms[1.0])
    naive, matched = found.loc["after joining", "difference"], found.loc["matched", "difference"]
    assert truth < matched < naive
    assert matched - truth < 0.7 * (naive - truth)
    assert found.loc["before joining", "low"] > 0  # heavy buyers before they joined


@pytest.mark.thorough
def test_on_the_simulated_firm_nobody_hurries(firms):
    firm = firms[1.0]
    tables = firm.tables["transactions"], firm.tables["loyalty_ledger"]
    found = points_pressure(*tables, as_of=firm.as_of, level=0.99)  # three intervals of one firm
    assert ((found["low"] < 0.5) & (found["high"] > 0.5)).all()  # no mechanism of it draws purchases nearer


def test_points_add_up_on_the_simulated_firm(firms):
    firm = firms[1.0]
    ledger = firm.tables["loyalty_ledger"]
    found = crm.programme_liability(ledger, as_of=firm.as_of).iloc[0]
    assert found.points_outstanding == pytest.approx(ledger["points"].sum())
    assert found.point_value == pytest.approx(8.0 / 200)  # a reward of 8 for 200 points
    assert 0 < found.liability < found.liability_without_breakage


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: crm.programme_liability(LEDGER.drop(columns="points"), as_of="2024-08-31"),
            DataError,
            "'points'",
        ),
        (
            lambda: crm.programme_liability(LEDGER.assign(kind="spent"), as_of="2024-08-31"),
            DataError,
            "kind has 'spent'; allowed: joined, earned",
        ),
        (
            lambda: crm.programme_liability(LEDGER.assign(points=np.nan), as_of="2024-08-31"),
            DataError,
            "points are missing in 6 rows",
        ),
        (
            lambda: crm.programme_liability(LEDGER, as_of="2024-08-31", breakage=1.5),
            CrmError,
            "breakage is 1.5",
        ),
        (lambda: crm.loyalty_uplift(matched_world(0), measure="spent"), CrmError, "did you mean 'spend'"),
    ],
)
def test_refuses_by_name(call, error, words):
    with pytest.raises(error, match=words):
        call()
