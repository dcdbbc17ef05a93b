"""Scorecards on measured figures: hand calculations, missing and faulty input, and scores by raters alone."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

import crmlib as crm
from crmlib.errors import CrmError, StudyError
from crmlib.findings import Estimate
from crmlib.no_rows import why_none
from crmlib.relationship.scorecards.facts import ratio
from crmlib.relationship.scorecards.frameworks import CHAPTER, HERE, read_framework, read_frameworks
from crmlib.relationship.scorecards.groups import outcome
from crmlib.relationship.scorecards.measures import MEASURES
from crmlib.relationship.scorecards.raters import agreement
from crmlib.relationship.scorecards.sentences import largest_change
from crmlib.simulation.organisation import SCORECARDS
from crmlib.study.results import FIGURES, NotebookResults
from tests.relationship.firms import TABLES, firm, scores

HOUSE = read_frameworks(HERE)


@pytest.fixture(autouse=True)
def run(tmp_path, monkeypatch):
    """A run of the test's own, in which no other chapter has published anything."""
    folder = tmp_path / "run"
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    """Of the firm with all tables, which no test changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRMLIB_RUN_DIR", str(tmp_path_factory.mktemp("run")))
        yield crm.Scorecards(firm(tmp_path_factory.mktemp("firm"), **TABLES))


# -- frameworks are data


@pytest.mark.parametrize("name", HOUSE)
def test_at_least_half_of_the_elements_rest_on_key_figures(name):
    framework = HOUSE[name]
    assert framework.measured_share >= 0.5
    assert framework.source
    assert framework.year == "not known" or framework.year <= 2015
    assert str(framework.year) in framework.reference


def test_the_elements_are_those_that_raters_score():
    for name, elements in SCORECARDS.items():
        framework = next(one for one in HOUSE.values() if one.scores == name)
        assert list(framework.elements) == elements.split("|")


def test_payne_and_frow_have_two_questions_each():
    assert [len(one.questions) for one in HOUSE["payne"].elements.values()] == [2] * 5


def test_measures_and_key_figures_of_the_chapter_are_the_same():
    assert {*MEASURES} == {key for key, about in FIGURES.items() if about["notebook"] == CHAPTER}


WHOLE = """
name: Mine
source: Me
year: 2025
elements:
  all of it:
    owner: I
    questions:
      - ask: Are they content?
        figure: satisfied
        at_least: 0.9
        change: Ask them why
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("figure: satisfied", "figure: satisfid", "'satisfid' is no key figure; did you mean 'satisfied'"),
        ("figure: satisfied", "figure: satisfied\n        concerns: custommers", "did you mean 'customers'"),
        ("        figure: satisfied\n", "", "no measured figure, no advice"),
        ("        change: Ask them why\n", "", "a bar .* and a change belong together"),
        ("at_least: 0.9", "at_leest: 0.9", "no such entry; did you mean 'at_least'"),
        ("at_least: 0.9", "one_of: [good]", "satisfied is a share; a text has one_of, a number a bar"),
        ("at_least: 0.9", "at_least: 0.9\n        at_most: 1", "at_least and at_most; give one of them"),
        ("figure: satisfied", "figure: retention", "say under concerns which figure counts"),
        (
            "figure: satisfied",
            "figure: satisfied\n        concerns: retention",
            "counts neither customers nor money",
        ),
        ("year: 2025\n", "", "year: field required"),
        ("name: Mine\n", "name: Mine\nname: Yours\n", "occurs twice"),
        (WHOLE, "- one\n", "holds no entries"),
        (WHOLE, "", "holds no entries"),
    ],
)
def test_a_faulty_file_is_refused_with_what_is_allowed(tmp_path, old, new, message):
    path = tmp_path / "mine.yaml"
    assert old in WHOLE
    path.write_text(WHOLE.replace(old, new))
    with pytest.raises(StudyError, match=message):
        read_framework(path)


def test_a_framework_of_the_study_is_read_without_any_code(tmp_path):
    (tmp_path / "frameworks").mkdir()
    (tmp_path / "frameworks" / "mine.yaml").write_text(WHOLE)
    cards = crm.Scorecards(firm(tmp_path, **TABLES))
    assert cards.others()[["framework", "answer", "standing"]].to_numpy().tolist() == [
        ["Mine", "50 % (9.5 % to 90.5 %)", "undecided"]
    ]
    assert "mine" in cards.frameworks
    with pytest.raises(CrmError, match="there is no framework 'idik'; did you mean 'idic'"):
        cards.scorecard("idik")


def test_a_file_of_the_study_takes_the_place_of_one_of_the_same_name(tmp_path):
    (tmp_path / "frameworks").mkdir()
    shutil.copy(HERE / "idic.yaml", tmp_path / "frameworks" / "idic.yaml")
    file = tmp_path / "frameworks" / "idic.yaml"
    file.write_text(file.read_text().replace("at_least: 0.80", "at_least: 0.01"))
    study = firm(tmp_path, **TABLES)
    assert (
        crm.Scorecards(study)
        .scorecard("idic")
        .set_index("measure")
        .loc["customers who bought and may be written to", "target"]
        == "at least 1 %"
    )


# -- measures, by hand


@pytest.mark.parametrize(
    ("key", "value", "customers", "money"),
    [
        ("identified", 3 / 4, 1, 5),  # d has neither e-mail nor telephone
        ("profile_filled", (6 + 5 + 3 + 3) / 24, 3, 65),
        ("consented", 2 / 4, 2, 55),  # b's is missing, d's is no
        ("birthday_reachable", 1 / 4, 3, 65),  # b gave no consent to write at all
        ("fields_per_contact", 2 / 4, 1, 50),  # of the year's four contacts, one filled two fields
        ("response_rate", 1 / 3, 1, 50),  # b's second call has no outcome
        ("customised", 1 / 4, 1, 50),
        ("answered_in_day", 2 / 4, 2, 60),  # after exactly a day counts; the last case is too young
        ("promises_broken", 2 / 3, 1, 50),
        ("feedback_followed", 1 / 2, 1, 10),
        ("satisfied", 1 / 2, 1, 50),  # the last answer counts
        ("promoters", 0.0, 1, 10),
        ("contacted_lately", 1 / 2, 1, 10),  # of a and c, who may be written to
        ("both_gain", 1 / 2, 1, 50),
        ("accounts_per_manager", 2.0, 2, 150),
        ("plan_captured", 150 / 170, 1, 40),  # a 100 of 80, b 50 of 90; d joined within the year
        ("plan_reached", 1 / 2, 1, 40),
        ("value_recognised", 1 / 2, 1, 50),
        ("network_balance", 40 - 25, np.nan, 25),
        ("partners_losing", 1, np.nan, 25),
        ("success", np.mean([(1 + 0.8 + 1) / 3, (0 + 0.5 + 0) / 3, (0 + 0.1 + 0) / 3]), 2, 60),
    ],
)  # fmt: skip
def test_a_measure_by_hand(cards, key, value, customers, money):
    found = MEASURES[key](cards.facts)
    assert found.reason == ""
    assert found.estimate.value == pytest.approx(value)
    assert found.customers == pytest.approx(customers, nan_ok=True)
    assert found.money == pytest.approx(money)


def test_missing_tables_give_unknown_figures_and_not_zero(tmp_path):
    cards = crm.Scorecards(firm(tmp_path))
    reasons = {key: MEASURES[key](cards.facts) for key in MEASURES}
    known = {key for key, one in reasons.items() if one.estimate.is_known}
    assert known == {"significant_customers"}  # three old customers make no grid
    assert reasons["consented"].reason == "no table customers"
    assert reasons["loyalty_and_value"].reason.startswith("fewer than four")
    customers = TABLES["customers"].drop(columns=["consent"])
    (tmp_path / "two").mkdir()
    cards = crm.Scorecards(firm(tmp_path / "two", customers=customers))
    assert MEASURES["consented"](cards.facts).reason == "customers.consent is empty"
    assert MEASURES["birthday_reachable"](cards.facts).estimate.value == 0  # without leave to write, none


def test_the_grid_by_hand(tmp_path):
    days = ["2022-01-05", "2022-02-05", "2023-06-05", "2023-07-05"]
    paid = [100, 10, 90, 20]
    old = [f"{who} {day} 30" for who, day in zip("abcd", days, strict=True)]
    now = [f"{who} 2024-03-01 {money}" for who, money in zip("abcd", paid, strict=True)]
    cards = crm.Scorecards(firm(tmp_path, "\n".join([*old, *now, "e 2024-04-01 999"])))
    grid = cards.loyalty_grid().set_index("loyalty_group")
    assert grid["customers"].to_dict() == dict.fromkeys(grid.index, 1)
    assert grid["value"].tolist() == [
        50,
        45,
        5,
        10,
    ]  # true friends a, butterflies c, barnacles b, strangers d
    assert MEASURES["loyalty_and_value"](cards.facts).estimate.value == pytest.approx(0.4)
    assert MEASURES["barnacle_value"](cards.facts).estimate.value == 5


def test_value_types_by_hand(cards):
    """Untapped: a 100, b 12.5, c 190; d's share is not known. Much is the best fifth: a today, c elsewhere."""
    types = cards.value_types().set_index("value_type")
    assert types["customers"].to_dict() == {
        "below zero": 0, "super-growth": 0, "most valuable": 1, "most growable": 1, "low maintenance": 1,
    }  # fmt: skip
    assert types.loc["most growable", "untapped"] == pytest.approx(190)


def test_strategic_roles_and_network_by_hand(cards):
    roles = cards.significant().set_index("role")
    assert roles.loc["door opener", "customers"] == 1
    assert roles.loc["door opener", "value"] == 100
    assert cards.network()["balance"].tolist() == [40, -25]


def test_the_ratio_of_independent_rows_has_the_usual_interval():
    holds = pd.Series(np.random.default_rng(3).random(400) < 0.3, dtype=float)
    value, low, high = ratio(holds, pd.Series(1.0, index=holds.index))
    error = holds.std(ddof=1) / 20
    assert (low, high) == pytest.approx((value - 1.959964 * error, value + 1.959964 * error))


def test_the_interval_of_a_ratio_is_clustered_by_customer():
    part, who = pd.Series([1.0] * 50 + [0.0] * 50), np.repeat([0, 1], 50)
    _, low, high = ratio(part, pd.Series(1.0, index=part.index), who)
    _, less, more = ratio(part, pd.Series(1.0, index=part.index))
    assert high - low > 5 * (more - less)


# -- the one change


def test_a_change_names_figure_target_money_and_owner(cards):
    finding = cards.scorecard("buttle").attrs["finding"]
    assert finding == (
        "Renegotiate with each partner who costs more than it brings (partners who cost more than they bring: 1, "
        "target at most 0). It concerns EUR 25.00 that partners cost more than they bring. Owner: partnerships"
    )
    changes = cards.changes()
    assert changes["money_to_target"].is_monotonic_decreasing
    assert finding in changes["sentence"].tolist()


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([("not met", 5, 10.0), ("not met", 900, 9.0), ("met", 1, 99.0)], 0),
        ([("not met", 5, np.nan), ("not met", 7, np.nan)], 1),
        ([("not met", 500, np.nan), ("not met", 1, 0.5)], 1),  # money comes before customers
        ([("undecided", 5, 10.0), ("no target", 5, 10.0), ("missing", np.nan, np.nan)], None),
        ([("not met", np.nan, np.nan)], None),  # nobody knows whom it concerns
    ],
)
def test_the_named_change_has_most_money_else_most_customers(rows, chosen):
    found = largest_change(
        pd.DataFrame(rows, columns=["standing", "customers", "money"]).eval("money_to_target = money")
    )
    assert (None if found is None else found.name) == chosen


def test_without_a_measured_figure_there_is_no_advice(tmp_path):
    cards = crm.Scorecards(firm(tmp_path, margin=None))
    assert why_none(cards.changes())
    assert len(cards.scorecard("habits")) == 0
    assert "no table surveys" in why_none(cards.scorecard("habits"))
    assert len(cards.scorecard("payne", missing=True)) == 10
    assert not any("Owner" in line for name in cards.frameworks for line in cards.sentences(name))


def test_a_figure_of_another_chapter_is_read_and_a_refused_one_is_missing(tmp_path, run):
    study = firm(tmp_path, **TABLES)
    chapter = NotebookResults("04_value_tiers", run, "EUR", as_of=study.as_of)
    chapter.figure("lead_value", Estimate(-70.0, "money", base="all", window="2024"), value="contribution")
    chapter.headline("Lead cost 70.", figure="use")
    card = crm.Scorecards(study).scorecard("buttle").set_index("measure")
    assert card.loc["contribution of Lead", ["standing", "money"]].tolist() == ["not met", 70]
    assert card.loc["contribution of Lead", "chapter"] == "04"
    chapter.headline("Not usable: tiers.", figure="do not use")
    gone = crm.Scorecards(study).scorecard("buttle", missing=True)
    assert "refused by chapter 04" in gone["why"].tolist()


# -- raters


def test_weighted_kappa_is_that_of_scikit_learn():
    random = np.random.default_rng(1)
    for _ in range(20):
        one, two = random.integers(0, 5, (2, 8))
        rows = [
            ("m", f"e{place}", who, score)
            for who, row in (("r", one), ("s", two))
            for place, score in enumerate(row)
        ]
        expected = cohen_kappa_score(one, two, labels=range(5), weights="quadratic")
        assert agreement(scores(*rows))[0].value == pytest.approx(expected)


def test_one_rater_or_equal_scores_give_no_kappa():
    one = [("idic", element, "r", 2.0) for element in "abcde"]
    assert "One rater alone" in agreement(scores(*one))[1]
    both = [(*row[:2], who, row[3]) for row, who in itertools.product(one, "rs")]
    assert "undefined" in agreement(scores(*both))[1]


def test_scores_alone_are_an_opinion_and_partial_ones_are_shown(tmp_path):
    rows = scores(("idic", "identify", "r", 4), ("idic", "identify", "s", 1), ("idic", "courage", "r", 3))
    cards = crm.Scorecards(firm(tmp_path, maturity_scores=rows))
    assert any(line.startswith("Opinion: no element of IDIC") for line in cards.sentences("idic"))
    ratings = cards.ratings("idic").set_index("element")
    assert ratings.loc["identify", ["score_low", "score_high", "raters"]].tolist() == [1, 4, 2]
    assert ratings.loc["identify", "says"] == ratings.loc["courage", "says"] == "scores alone: opinion"
    assert ratings.loc["customise", "says"] == "not scored"
    assert why_none(cards.ratings("qci")) == "no score of qci"


def test_scores_against_measures(tmp_path):
    """Interact: of four targets the firm misses three or more, and both raters say that all is proven."""
    rows = scores(*(("idic", "interact", who, 4) for who in "rs"))
    tables = TABLES | {"surveys": pd.concat([TABLES["surveys"]] * 20), "maturity_scores": rows}
    cards = crm.Scorecards(firm(tmp_path, **tables))
    row = cards.ratings("idic").set_index("element").loc["interact"]
    card = cards.scorecard("idic")
    here = card[(card["element"] == "interact") & card["standing"].isin(["met", "not met"])]
    assert row["targets"] == len(here)
    assert row["targets_met"] == (here["standing"] == "met").sum()


def test_an_empty_file_of_scores_is_no_score(tmp_path):
    cards = crm.Scorecards(firm(tmp_path, maturity_scores=scores()))
    assert why_none(cards.ratings("idic")) == "no table maturity_scores"
    assert not any("Opinion" in line for line in cards.sentences("idic"))


# -- beliefs


def test_a_pass_mark_set_after_the_result_is_no_test(tmp_path):
    log = pd.DataFrame(
        [
            ("x", "get", 0.1, "2024-01-01", 0.2, "2024-02-01", None),
            ("late", "get", 0.1, "2024-03-01", 0.2, "2024-02-01", None),
            ("same day", "get", 0.1, "2024-02-01", 0.2, "2024-02-01", None),
            ("open", "keep", 0.1, "2024-01-01", None, None, None),
            ("few", "discovery", 0.1, "2024-01-01", 0.2, "2024-02-01", "at most"),
            ("no mark", "grow", None, "2024-01-01", 0.2, "2024-02-01", None),
        ],
        columns=["belief", "stage", "pass_mark", "pass_mark_set_on", "result", "result_on", "pass_if"],
    )
    cards = crm.Scorecards(firm(tmp_path, hypotheses=log))
    found = cards.hypotheses().set_index("belief")["outcome"]
    assert found.index[0] == "few"
    late = "no test: the pass mark was not set before the result"
    assert found.to_dict() == {
        "few": "failed", "x": "passed", "late": late, "same day": late, "open": "open",
        "no mark": "no test: there is no pass mark",
    }  # fmt: skip
    assert MEASURES["hypotheses_tested"](cards.facts).estimate.value == pytest.approx(2 / 6)
    ledger = cards.ledger().set_index("claim")["verdict"]
    assert ledger[["x", "few", "late", "open"]].tolist() == [
        "supported", "contradicted", "cannot be tested", "undecided",
    ]  # fmt: skip


def test_a_result_without_a_date_decides_nothing():
    row = pd.DataFrame({"pass_mark": [1.0], "result": [2.0], "pass_if": [None],
                        "pass_mark_set_on": [pd.Timestamp("2024-01-01")], "result_on": [pd.NaT]})  # fmt: skip
    assert outcome(row).tolist() == ["no test: a day is missing"]


def test_value_by_need_counts_every_buyer_once(tmp_path, run):
    """Contribution is a 100, b 50, c 10, d 5; a is in no tier of chapter 4, d in no cluster of chapter 3."""
    cards = crm.Scorecards(firm(tmp_path, **TABLES))
    assert why_none(cards.value_and_need()) == "no chapter published the tier of customers"
    tiers = pd.DataFrame({"customer_id": [*"bcd"], "tier": ["Gold", "Iron", "Gold"]})
    needs = pd.DataFrame({"customer_id": [*"abc"], "need": ["tea", "tea", "tea"]})
    NotebookResults("04_value_tiers", run).table("value_tiers", tiers)
    NotebookResults("03_segments", run).table("customers_by_segment", needs)
    found = crm.Scorecards(firm(tmp_path, **TABLES)).value_and_need()
    rows = found[["tier", "need", "customers", "value"]].round(6).to_numpy().tolist()
    assert sorted(rows[:2]) == [["Gold", "no need", 1, 5.0], ["Gold", "tea", 1, 50.0]]
    assert rows[2:] == [["Iron", "tea", 1, 10.0], ["no tier", "tea", 1, 100.0]]
    assert found["share_of_all"].sum() == pytest.approx(1)
