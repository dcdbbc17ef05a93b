"""The next action of each customer: rules, gains, consent, and that no customer is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib import relationship
from crmlib.errors import StudyError
from crmlib.no_rows import why_none
from crmlib.relationship.actions import measured_effect
from crmlib.relationship.customer_table import RULED, customers_as_published, spend_by_customer
from crmlib.relationship.next_actions import CAP_DAYS, LIST, next_actions
from crmlib.relationship.rules import Rule, effects_of, measured, read_rules
from crmlib.study.results import NotebookResults

HERE = Path(relationship.__file__).parent
HEAD = "rule,action,when,unless,why,worth,change,cost,experiment\n"
DAY = "2024-06-30"
LETTER = Rule("letter", "write", "overdue = yes", "open_case = yes", "silent", "purchase", 0.1, 1.0, "")
CALL = Rule("call", "call", "p_churn >= 0.2", "", "likely to leave", "value", 0.1, 5.0, "")


def customers(**columns) -> pd.DataFrame:
    rows = pd.DataFrame({"customer_id": list("abcd"), **columns})
    return rows.reindex(columns=["customer_id", *RULED])


def spent(**amounts: float) -> pd.DataFrame:
    table = pd.DataFrame({"spend": amounts, "error": 2.0, "even": amounts, "odd": amounts})
    return table.rename_axis("customer_id")


def test_the_rules_of_the_library_are_sound():
    assert len(read_rules(HERE / "rules.csv", RULED)) == 4


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a,write,overdue = yes,,silent,purchase,0.1,1,\na,call,,,late,value,0.1,1,", "two rules 'a'"),
        ("a,write,overdu = yes,,silent,purchase,0.1,1,", "overdue"),
        ("a,write,overdue is yes,,silent,purchase,0.1,1,", "is no condition"),
        ("a,write,tier > Gold,,silent,purchase,0.1,1,", "needs a number"),
        ("a,write,,,silent,money,0.1,1,", "worth is 'money'"),
        ("a,write,,,silent,purchase,10,1,", "change is '10'; allowed: a share"),
        ("a,write,,,silent,purchase,,1,", "change is ''"),
        ("a,write,,,silent,purchase,0.1,-1,", "cost is '-1'"),
        (",write,,,silent,purchase,0.1,1,", "rule is empty"),
        ("a,write,__import__('os'),,silent,purchase,0.1,1,", "is no condition"),
    ],
)
def test_an_invalid_rule_is_refused_with_its_row(tmp_path, row, expected):
    path = tmp_path / "rules.csv"
    path.write_text(HEAD + row)
    with pytest.raises(StudyError, match=expected.replace("(", r"\(").replace("?", r"\?")) as refused:
        read_rules(path, RULED)
    assert "rules.csv, row" in str(refused.value)


def test_rules_are_read_however_a_program_saved_them(tmp_path):
    """Semicolons, decimal commas and a mark before the text, blanks, and an empty row in between."""
    path, empty = tmp_path / "rules.csv", ";" * HEAD.count(",")
    row = "a ;write;overdue = yes;;silent;purchase;0,1;1,5;"
    path.write_text(HEAD.replace(",", ";") + f"{row}\n{empty}\n{row}\n", encoding="utf-8-sig")
    with pytest.raises(StudyError, match="row 4: there are two rules 'a'"):
        read_rules(path, RULED)
    path.write_text(HEAD.replace(",", ";") + f"{row}\n{empty}\n", encoding="utf-8-sig")
    (rule,) = read_rules(path, RULED)
    assert (rule.rule, rule.change, rule.cost) == ("a", 0.1, 1.5)


def test_a_file_without_a_column_names_it(tmp_path):
    path = tmp_path / "rules.csv"
    path.write_text("rule,action\na,write\n")
    with pytest.raises(StudyError, match="no column 'when'"):
        read_rules(path, RULED)


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("p_churn >= 0.2", "bc"),
        ("p_churn < 0.2 and tier = Gold", "a"),
        ("tier known", "ab"),
        ("tier != Gold", "b"),
        ("overdue = no", "bd"),
        ("", "abcd"),
    ],
)
def test_conditions_hold_only_for_known_values(when, who):
    table = customers(
        p_churn=[0.1, 0.2, 0.9, np.nan],
        tier=["Gold", "Iron", None, None],
        overdue=[True, False, True, False],
    )
    rule = Rule("r", "do", when, "", "why", "purchase", 0.1, 1.0, "")
    assert "".join(table["customer_id"][rule.applies(table)]) == who


def test_the_gain_is_change_times_margin_of_a_purchase_less_cost():
    """a: .1 × 40 × .5 − 1 = 1; b: .1 × 300 × .5 − 1 = 14, by value .1 × 500 − 5 = 45; c is no case; d costs more."""
    table = customers(
        overdue=[True, True, False, True],
        p_churn=[np.nan, 0.5, 0.1, np.nan],
        clv=[10.0, 500.0, 10.0, 10.0],
        clv_low=[0.0, 400.0, 0.0, 0.0],
        clv_high=[20.0, 600.0, 20.0, 20.0],
    )
    spend = spent(a=40.0, b=300.0, c=1.0, d=10.0)
    found = next_actions(table, [LETTER, CALL], spend, margin=0.5, as_of=DAY)
    assert found.to_do["customer_id"].tolist() == ["b", "a"]
    assert found.to_do["expected_gain"].tolist() == pytest.approx([45.0, 1.0])
    assert found.to_do["next_action"].tolist() == ["call", "write"]
    row = found.to_do.iloc[0]
    assert (row["gain_low"], row["gain_high"]) == pytest.approx(
        (35.0, 55.0)
    )  # a tenth of 400 and 600, less 5
    reason = found.customers.set_index("customer_id")["reason"]
    assert reason["c"] == "no rule is for this customer"
    assert reason["d"] == "a contact costs more than it is expected to bring"
    assert list(found.to_do.columns) == LIST
    assert found.to_do["assumed"].tolist() == [True, True]


def test_customers_without_consent_are_not_contacted_and_the_reason_is_given():
    table = customers(
        overdue=True,
        consent=[False, True, True, True],
        open_case=[False, True, False, False],
        contacted_days=[99.0, np.nan, CAP_DAYS - 1.0, CAP_DAYS],
    )
    found = next_actions(table, [LETTER], spent(a=90.0, b=90.0, c=90.0, d=90.0), margin=0.5, as_of=DAY)
    assert found.to_do["customer_id"].tolist() == ["d"]
    assert found.customers["reason"].tolist()[:3] == [
        "has not agreed to be written to",
        "no rule is for this customer",
        "contacted within the last 14 days",
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"margin": None}, "the gain is not known without a margin"),
        ({"budget": 0.0}, "others bring more within the budget"),
        ({"rules": []}, "no rule is for this customer"),
    ],
)
def test_without_any_action_every_customer_has_the_reason(changed, expected):
    asked = dict(margin=0.5, as_of=DAY, rules=[LETTER]) | changed
    found = next_actions(customers(overdue=True), spend=spent(a=90.0, b=90.0, c=90.0, d=90.0), **asked)
    assert found.customers["reason"].tolist() == [expected] * 4
    assert why_none(found.to_do) == expected
    assert (found.customers["next_action"] == "none").all()


def test_a_rule_with_a_negative_effect_is_never_chosen():
    harm = Rule("harm", "annoy", "", "", "because", "purchase", -0.2, 0.0, "")
    assert next_actions(customers(), [harm], spent(a=90.0, b=9.0), margin=0.5, as_of=DAY).to_do.empty


def many(count: int, seed: int):
    """Customers whose true spend per purchase is known, and the log of a few purchases of each (Gamma–Gamma)."""
    random = np.random.default_rng(seed)
    true = 200.0 / random.gamma(6.0, 1.0, count)
    bought = random.integers(1, 6, count)
    who = np.repeat(np.arange(count), bought)
    amount = true[who] * random.gamma(2.0, 0.5, len(who))
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(who)) % 180, unit="D")
    ids = np.array([f"c{number:05d}" for number in range(count)])
    return pd.Series(true, ids), pd.DataFrame({"customer_id": ids[who], "date": days, "amount": amount})


def test_shrunk_gains_are_unbiased_and_raw_ones_are_too_high():
    """The list of the largest estimates: what was promised, against what the customers truly are."""
    true, log = many(4_000, 5)
    spend = spend_by_customer(log, as_of=DAY)
    raw = log.groupby("customer_id")["amount"].mean()
    best, best_raw = spend["spend"].nlargest(400), raw.nlargest(400)
    assert best_raw.mean() / true[best_raw.index].mean() > 1.2
    assert best.mean() / true[best.index].mean() == pytest.approx(1.0, abs=0.07)


def test_the_total_of_a_list_is_checked_on_other_purchases():
    _true, log = many(4_000, 6)
    spend = spend_by_customer(log, as_of=DAY)
    table = pd.DataFrame({"customer_id": spend.index}).reindex(columns=["customer_id", *RULED])
    rule = Rule("letter", "write", "", "", "why", "purchase", 0.1, 1.0, "")
    expected, found = next_actions(table, [rule], spend, margin=0.5, as_of="2024-06-30", budget=300.0).checked
    assert found == pytest.approx(expected, rel=0.1)
    raw = log.assign(even=log.groupby("customer_id").cumcount() % 2 == 0)
    halves = raw.pivot_table(index="customer_id", columns="even", values="amount").dropna()
    naive = halves.nlargest(300, True)
    assert naive[True].mean() / naive[False].mean() > 1.3  # what the check would find without shrinking


def test_a_change_that_an_experiment_measured_is_used_shrunk_and_is_not_assumed():
    """200 customers, of each half 60 and 20 buy: 40 points with an error of sqrt(.24/100 + .16/100) = 6.3."""
    people = [f"c{number:03d}" for number in range(200)]
    test = pd.DataFrame(
        {"experiment": "spring", "customer_id": people, "group": ["treated"] * 100 + ["control"] * 100}
    )
    test = test.assign(assigned=pd.Timestamp("2024-03-01"), cost=0.5, kind="letter")
    log = pd.DataFrame({"customer_id": people[:60] + people[100:120], "date": pd.Timestamp("2024-03-05")})
    found = measured(
        [LETTER, CALL, Rule("letter", "write", "", "", "why", "purchase", 0.1, 1.0, "letter")],
        log.assign(amount=10.0),
        test,
        as_of=DAY,
        days=60,
    )
    assert found[:2] == [LETTER, CALL]
    error = np.sqrt((0.24 + 0.16) / 100)
    assert found[2].change == pytest.approx(0.4 * (1 - (error / 0.4) ** 2), rel=0.02)
    assert (found[2].source, found[2].cost) == ("spring", 0.5)


def test_an_experiment_without_a_control_group_measures_nothing_and_stops_no_list():
    test = pd.DataFrame({"experiment": ["spring"], "customer_id": "a", "group": "treated", "kind": "letter"})
    test = test.assign(assigned=pd.Timestamp("2024-03-01"), cost=0.5)
    log = pd.DataFrame({"customer_id": ["a"], "date": pd.Timestamp("2024-03-05"), "amount": 10.0})
    assert measured([LETTER], log, test, as_of=DAY, days=60) == [LETTER]
    assert measured_effect(log, test, as_of=DAY) is None
    assert "no group is 'control'" in why_none(effects_of(log, test, as_of=DAY, days=60))


def test_every_customer_known_to_a_chapter_has_one_row(tmp_path, monkeypatch):
    """A customer in no tier, one with a contract and no purchase, and a prospect who is no customer."""
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path))
    results = NotebookResults("04_value_tiers", tmp_path)
    results.table("value_tiers", pd.DataFrame({"customer_id": ["a", "x"], "tier": ["Gold", "Iron"]}))
    segments = pd.DataFrame({"customer_id": ["a", "b"], "segment": "Loyal", "need": ["tea", "fewer than 5"]})
    results.table("customers_by_segment", segments)
    results.table("customers_at_risk", pd.DataFrame({"customer_id": ["y"], "p_churn": [0.4]}))
    states = pd.DataFrame({"customer_id": ["a", "lead:7"], "state": ["stable", "suspect"]})
    results.table("states_of_customers", states)
    found = customers_as_published(crm.open_study("cdnow-sample"), ["a", "b"]).set_index("customer_id")
    assert found.index.tolist() == ["a", "b", "x", "y"]
    assert found["tier"].fillna("none").tolist() == ["Gold", "none", "Iron", "none"]
    assert found.loc["a", ["tier", "need"]].tolist() == ["Gold", "tea"]  # value and need of each customer
    assert found["need"].fillna("none").tolist() == ["tea", "fewer than 5", "none", "none"]
    assert found.loc["y", "p_churn"] == 0.4
    assert found.loc["a", "state"] == "stable"
    assert found["consent"].isna().all()  # the firm has no such table: not known, which is not no
