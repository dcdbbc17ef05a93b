"""The claims ledger: verdicts by bar and interval, effects by randomisation alone, and what cannot be tested."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import StudyError
from crmlib.findings import Estimate
from crmlib.relationship.scorecards.ledger import FILE, read_claims
from crmlib.study.ledger import lock
from crmlib.study.results import NotebookResults
from tests.relationship.firms import firm


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


@pytest.fixture(scope="module")
def stall(tmp_path_factory):
    """A firm with a purchase log alone."""
    return firm(tmp_path_factory.mktemp("firm"))


def verdicts(study):
    return crm.Scorecards(study).ledger().set_index("claim")[["verdict", "why"]]


LTV = "A customer's lifetime value is at least three times the cost of winning one"
RISE = "Five more points of retention raise the value of a customer by 80 %"
BIRTHDAY = "Birthday messages make customers buy"


def test_a_claim_without_its_tables_is_listed_as_not_testable(stall, run):
    found = verdicts(stall)
    assert len(found) == len(read_claims(FILE))
    assert found.loc[LTV].tolist() == ["cannot be tested", "not published by chapter 08"]
    assert found.loc[BIRTHDAY, "verdict"] == "cannot be tested"
    assert found["why"].ne("").all()


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (3.5, 3.1, 3.9, "met"), (2.0, 1.5, 2.5, "not met"), (3.1, 2.5, 3.6, "undecided"),
        (3.1, np.nan, np.nan, "met"), (2.9, np.nan, np.nan, "not met"), (None, np.nan, np.nan, "cannot be tested"),
    ],
)  # fmt: skip
def test_a_target_is_met_not_met_or_undecided(stall, run, value, low, high, verdict):
    chapter = NotebookResults("08_acquisition", run, "EUR", as_of=stall.as_of)
    chapter.figure("ltv_to_cac", Estimate(value, "ratio", low, high, window="2024"), value="contribution")
    assert verdicts(stall).loc[LTV, "verdict"] == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.9, 1.0, "supported"),
        (0.1, 0.2, "contradicted"),
        (0.5, 0.9, "undecided"),
        (np.nan, np.nan, "cannot be tested"),
    ],
)
def test_a_description_needs_an_interval(stall, run, low, high, verdict):
    chapter = NotebookResults("09_retention", run, "EUR", as_of=stall.as_of)
    words = {"value": "contribution", "before": "", "rate": "80 %", "days": "90"}
    chapter.figure("five_points", Estimate(0.9, "share", low, high), **words)
    assert verdicts(stall).loc[RISE, "verdict"] == verdict


def test_a_published_test_is_taken_over_unchanged(stall, run):
    rows = {"tier": "Lead", "claim": "complain", "against": "the others", "measure": "complaints", "difference": 0.3,
            "low": 0.1, "high": 0.5, "verdict": "supported", "why": ""}  # fmt: skip
    NotebookResults("04_value_tiers", run).table("tier_claims", pd.DataFrame([rows]))
    found = verdicts(stall)
    assert found.loc["Lead complain"].tolist() == ["supported", "difference from the others: complaints"]
    assert found.loc["Gold buy from several vendors", "verdict"] == "cannot be tested"


def one_test(difference, error=0.1, test="trust"):
    """The row of a test of a claim, as the chapter publishes it."""
    low, high = difference - 1.96 * error, difference + 1.96 * error
    verdict = "supported" if low > 0 else "undecided"
    return pd.DataFrame(
        [{"test": test, "part": "the claim", "measure": "again", "difference": difference, "low": low, "high": high,
          "bar": 0.0, "unit": "points", "customers": 90, "verdict": verdict, "why": "at equal history"}]
    )  # fmt: skip


TRUST = "Trust goes with retention"


def test_the_ledger_reads_the_tests_of_its_own_chapter(stall, run):
    NotebookResults("11_relationship", run).table("claim_tests", one_test(0.5))
    found = crm.Scorecards(stall).ledger().set_index("claim").loc[TRUST]
    assert (found["verdict"], found["chapter"]) == ("supported", "11")
    assert found["answer"] == "50 points (30.4 points to 69.6 points)"
    assert found["why"] == "again; at equal history"


def test_a_later_run_repeats_the_look_of_its_quarter_and_spends_less_in_the_next(
    stall, run, tmp_path, monkeypatch
):
    """At p = .01 the first look decides, the second does not; a day of the same quarter repeats the first."""
    monkeypatch.setenv("CRMLIB_LEDGER", str(tmp_path / "ledger"))
    NotebookResults("11_relationship", run).table("claim_tests", one_test(0.26))
    cards = crm.Scorecards(stall)
    looks = cards.looks(cards.ledger())
    assert looks[["claim", "look", "verdict"]].values.tolist() == [[TRUST, 1, "supported"]]
    for day, look, verdict in (("2024-10-31", 1, "contradicted"), ("2024-09-30", 2, "undecided")):
        folder = tmp_path / day
        (folder / "tables").mkdir(parents=True)
        earlier = looks.assign(looked_on=pd.Timestamp(day), verdict="contradicted")
        earlier.to_parquet(folder / "tables" / "claim_looks.parquet")
        monkeypatch.setenv("CRMLIB_LEDGER", str(tmp_path / f"ledger-{day}"))
        assert lock(tmp_path / f"ledger-{day}", dt.date.fromisoformat(day), folder)
        found = cards.ledger().set_index("claim").loc[TRUST]
        assert (found["look"], found["verdict"]) == (look, verdict)


def test_a_firm_with_a_log_alone_has_a_row_for_each_test_of_a_claim(stall):
    found = crm.Scorecards(stall).claim_tests()
    wanted = {entry.where["test"] for entry in read_claims(FILE) if entry.table == "claim_tests"}
    assert wanted <= {*found.loc[found["part"] == "the claim", "test"]}
    assert found["verdict"].eq("cannot be tested").all()
    assert found["why"].ne("").all()


def experiment(effect, kind="birthday", n=400, seed=0):
    """An experiment in which the treated buy more often by `effect`, and a log of who bought."""
    random = np.random.default_rng(seed)
    people = pd.DataFrame({"customer_id": [f"x{number}" for number in range(n)], "experiment": "first"})
    people = people.assign(group=["treated", "control"] * (n // 2), assigned="2024-06-01", kind=kind)
    buys = random.random(n) < 0.3 + effect * (people["group"] == "treated")
    first = [f"{who} 2023-05-01 10" for who in people["customer_id"]]
    again = [f"{who} 2024-06-10 10" for who in people.loc[buys, "customer_id"]]
    return people, "\n".join([*first, *again])


@pytest.mark.parametrize(
    ("effect", "verdict"), [(0.2, "supported"), (-0.2, "contradicted"), (0.0, "undecided")]
)
def test_an_effect_is_judged_by_randomised_experiments(tmp_path, run, effect, verdict):
    """A true, a reversed and a null world."""
    people, log = experiment(effect)
    found = verdicts(firm(tmp_path, log, experiments=people))
    assert found.loc[BIRTHDAY, "verdict"] == verdict
    assert "randomised" in found.loc[BIRTHDAY, "why"]


@pytest.mark.parametrize(
    ("claim", "kind"),
    [
        ("Fast replies keep customers", "reply"),
        ("Kept promises keep customers", "promise"),
        ("Helping customers to succeed keeps them", "success"),
    ],
)
def test_what_service_does_is_judged_by_an_experiment_of_its_kind(tmp_path, run, claim, kind):
    people, log = experiment(0.2, kind)
    found = verdicts(firm(tmp_path, log, experiments=people))
    assert found.loc[claim, "verdict"] == "supported"
    assert found.loc[BIRTHDAY, "why"] == "no experiment of kind birthday"


PROGRAMME = "A loyalty programme pays"


@pytest.mark.parametrize(
    ("effect", "cost", "verdict"),
    [
        (0.3, 0.2, "supported"),
        (0.3, 20.0, "contradicted"),
        (0.0, 0.0, "undecided"),
        (-0.3, 0.0, "contradicted"),
    ],
)
def test_a_loyalty_programme_pays_where_members_drawn_by_lot_bring_more_than_it_costs(
    tmp_path, run, effect, cost, verdict
):
    """A purchase of 10 brings 5: of ten treated three buy more, which brings 1.50 each."""
    people, log = experiment(effect, "loyalty")
    people = people.assign(cost=cost * (people["group"] == "treated"))
    found = crm.Scorecards(firm(tmp_path, log, experiments=people)).ledger().set_index("claim").loc[PROGRAMME]
    assert found["verdict"] == verdict
    assert found["value"] == pytest.approx(5 * effect - cost, abs=0.5)
    assert found["why"] == "profit less cost of the treatment within 60 days, 1 randomised experiment"


def test_whether_a_programme_pays_is_not_known_where_its_cost_or_the_margin_is_not(tmp_path, run):
    people, log = experiment(0.3, "loyalty")
    found = verdicts(firm(tmp_path / "cost", log, experiments=people)).loc[PROGRAMME]
    assert found.tolist() == ["cannot be tested", "no experiment of kind loyalty has an interval and cost"]
    bare = firm(tmp_path / "margin", log, experiments=people.assign(cost=1.0), margin=None)
    assert verdicts(bare).loc[PROGRAMME].tolist() == [
        "cannot be tested",
        "profit is unknown: the study names neither margin nor cost",
    ]


ENTRY = "- claim: They come back\n  figure: retention\n  above: 0.5\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("figure: retention", "figure: retentoin", "'retentoin' is no key figure; did you mean 'retention'"),
        ("  above: 0.5\n", "", "a figure needs one bar: above or below"),
        (
            "  figure: retention\n  above: 0.5\n",
            "",
            "give one of figure, table and experiment, or under needs",
        ),
        ("above: 0.5", "above: 0.5\n  experiment: offer", "give one of figure, table and experiment"),
        (
            "above: 0.5",
            "above: 0.5\n  kind: effect\n  evidence: randomised",
            "a figure shows no randomised effect",
        ),
        ("claim:", "clam:", "Field required|Extra inputs"),
    ],
)
def test_a_faulty_entry_is_refused(tmp_path, old, new, message):
    assert old in ENTRY
    path = tmp_path / "claims.yaml"
    path.write_text(ENTRY.replace(old, new))
    with pytest.raises(StudyError, match=message):
        read_claims(path)


def test_no_effect_in_the_ledger_is_decided_by_observational_data():
    effects = [one for one in read_claims(FILE) if one.kind == "effect"]
    assert effects
    assert all(one.experiment or one.needs or one.evidence == "randomised" for one in effects)
