"""`crm add`: a firm's file becomes a table of the study, and nothing else in the study file changes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

import crmlib as crm
from crmlib.cli import main
from crmlib.data.contracts import CONTRACTS
from crmlib.data.guessing.columns import NAMES, names_of
from crmlib.data.guessing.table import guess_table
from crmlib.errors import StudyError
from crmlib.report.cache import Cache
from crmlib.report.plan import plan_report
from crmlib.study.places import find_study
from crmlib.study.writer import add_table

OPTIONAL = [contract for contract in CONTRACTS.values() if contract.name != "transactions"]

ROOT = Path(__file__).parents[2]

ORDERS = "customer_id,date,amount\n007,2024-01-05,10\n007,2024-02-05,12\n008,2024-02-06,7\n009,2024-06-30,9\n"
STUDY = """\
# my shop, by hand
title: A shop   # "the" shop
tables:
  # what customers bought
  transactions:
    source: orders.csv  # from the till
    columns: {customer_id: customer_id}
    # nothing else

# what is done
policies:
  returns: match
"""
# As a service desk exports it: semicolons, decimal commas, days first, other words, and much that is wrong.
CASES = """\
Ticketnummer;Kundennr;Geöffnet;Geschlossen;Art;Dauer (Minuten);Kosten;Bearbeiterin
T1;007;05.01.2024 09:30;06.01.2024 10:00;Reklamation;12;1.234,50;Zimmerquist
T2;008;31.01.2024 11:00;;Anfrage;5;0,99 €;Zimmerquist
T2;008;31.01.2024 11:00;;Anfrage;5;2,00;Zimmerquist
T3;099;28.02.2024 10:00;27.02.2024 10:00;Retoure;x;3,00;Zimmerquist
T4;099;28.02.2024 10:00;29.02.2024 10:00;Gerücht;7;-4,00;Zimmerquist
T5;;28.02.2024 10:00;;Anfrage;7;5,00;Zimmerquist
T6;007;32.01.2024 10:00;;Anfrage;7;;Zimmerquist
T7;007;15.08.2024 10:00;;Anfrage;7;6,00;Zimmerquist
"""


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    """The same log is cleaned once for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(tmp_path, monkeypatch, shared_cache):
    monkeypatch.setenv("CRMLIB_CACHE_DIR", str(shared_cache))
    shop = tmp_path / "project" / "data" / "shop"
    shop.mkdir(parents=True)
    (shop / "orders.csv").write_text(ORDERS)
    (shop / "study.yaml").write_text(STUDY)
    notebooks = tmp_path / "project" / "notebooks"
    notebooks.mkdir()
    for name, needs in {
        "01_check": [],
        "08_service": ["service_cases"],
        "09_referral": ["customers"],
    }.items():
        about = {"title": name, "question": f"What of {name}?", "needs": needs, "reads": []}
        cell = {
            "cell_type": "code",
            "metadata": {"tags": ["parameters"]},
            "source": "study = 'shop'\nas_of = None",
        }
        content = {"cells": [cell], "metadata": {"crmlib": about}, "nbformat": 4}
        (notebooks / f"{name}.ipynb").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


@pytest.fixture
def spend(project):
    """The detected format of a table of marketing spend."""
    (project / "spend.csv").write_text("date,channel,amount\n2024-01-01,TV,5\n")
    return guess_table(CONTRACTS["marketing_spend"], project / "spend.csv")


def run(*words, code=0, **more):
    done = CliRunner().invoke(main, [str(word) for word in words], **more)
    assert done.exit_code == code, done.output
    return done.output


def study_text():
    return Path("data/shop/study.yaml").read_text(encoding="utf-8")


def test_a_messy_file_is_added_and_reconciles(project):
    file = project / "tickets.csv"
    file.write_text(CASES, encoding="cp1252")
    printed = run("add", "shop", "service_cases", file, "--column", "minutes=Dauer (Minuten)", "--yes")
    entry = crm.open_study("shop").file.tables["service_cases"]
    assert entry.columns == {
        "case_id": "Ticketnummer",
        "customer_id": "Kundennr",
        "opened": "Geöffnet",
        "closed": "Geschlossen",
        "kind": "Art",
        "minutes": "Dauer (Minuten)",
        "cost": "Kosten",
    }
    assert (entry.encoding, entry.delimiter, entry.decimal) == ("cp1252", ";", ",")
    assert entry.date_format == ("%d.%m.%Y %H:%M",)
    rows = crm.open_study("shop").quality.tables
    assert dict(zip(rows["outcome"], zip(rows["rows"], rows["amount"], strict=True), strict=True)) == {
        "in the source": (8, 1247.49),
        "used": (3, 1231.49),
        "after 2024-06-30": (1, 6.0),
        "closed before opened": (1, 3.0),
        "no customer id": (1, 5.0),
        "repeated case id": (1, 2.0),
        "unreadable opened": (1, 0.0),
    }
    assert rows["rows"][0] == rows["rows"][1:].sum()
    assert re.search(r"not used +Bearbeiterin\n", printed)
    assert re.search(r"closed before opened +1 +3.00", printed)
    assert "Gerücht" not in printed
    assert re.search(r"kind +kind is not one of: question, complaint, return, request +1", printed)
    assert re.search(r"customer_id +transactions +4 +1 +1", printed)
    assert "Now possible:\n  08_service: What of 08_service?\n" in printed
    assert (
        "example, '007'" not in printed + study_text()
    )  # the id of a customer, where others have an example
    assert "example, 'T1'" in printed


def test_the_rest_of_the_study_file_stays_as_it_is(project):
    (project / "spend.csv").write_text("date,channel,amount\n2024-01-01,TV,5\n")
    run("add", "shop", "marketing_spend", project / "spend.csv", "--yes")
    before, text = STUDY.splitlines(), study_text().splitlines()
    place = text.index("  marketing_spend:")
    end = place + next(i for i, line in enumerate(text[place:]) if line == "    # nothing else")
    assert text[:place] + text[end:] == before
    assert (project / "project" / "data" / "shop" / "spend.csv").read_text().endswith("TV,5\n")
    assert crm.open_study("shop").table("marketing_spend").amount.to_pandas().tolist() == [5]


@pytest.mark.parametrize(
    "text",
    [
        "title: A shop\ntables: {transactions: {source: orders.csv}}\n",
        "title: A shop\ntables: {transactions: {source: orders.csv}}  # one line\npolicies: {}\n",
        "tables:\n    transactions:\n        source: orders.csv",
        "tables:\n  transactions: {source: orders.csv}  # the till\ntitle: A shop\n",
        "title: A shop\r\ntables:\r\n  transactions:\r\n    source: orders.csv\r\nas_of: latest\r\n",
        "title: A shop\ntables:\n  transactions:\n    source:\n    - orders.csv\n\n\nas_of: latest\n",
        'title: >-\n  A shop\ntables:\n  transactions:\n    source: "orders.csv"\n    date_format: ["iso"]\n',
    ],
)
def test_any_way_of_writing_a_study_file_can_be_added_to(project, spend, text):
    path = project / "project" / "data" / "shop" / "study.yaml"
    text = text if "title" in text else "title: A shop\n" + text
    path.write_bytes(text.encode())
    path.chmod(0o640)
    add_table(path, "marketing_spend", spend)
    assert path.stat().st_mode & 0o777 == 0o640
    written = path.read_bytes().decode()
    content = yaml.safe_load(written)
    assert content.pop("tables").keys() == {"transactions", "marketing_spend"}
    assert content == {key: value for key, value in yaml.safe_load(text).items() if key != "tables"}
    assert written.count("\r\n") == (written.count("\n") if "\r\n" in text else 0)
    assert crm.open_study("shop").has("marketing_spend", "amount")


@pytest.mark.parametrize("replaced", [True, False])
def test_lines_that_a_round_trip_would_write_anew_stay_as_they_are(project, spend, replaced):
    path = project / "project" / "data" / "shop" / "study.yaml"
    above = (
        "---\r\ntitle:   A shop\r\ntables:\r\n    ? transactions\r\n    :   source: [ orders.csv,\r\n"
        "             'orders.csv' ]   \r\n        columns: {  customer_id:  customer_id }\r\n        # more\r\n\r\n"
    )
    old = "    marketing_spend:   # by hand\r\n        source: old.csv\r\n" * replaced
    below = "\r\n# what is done\r\n\r\npolicies:\r\n      returns:   'match'  \r\n"
    path.write_bytes((above + old + below).encode())
    add_table(path, "marketing_spend", spend, force=True)
    written = path.read_bytes().decode()
    assert written.startswith(above if replaced else above.partition("        # more")[0])
    assert written.endswith(below if replaced else "        # more\r\n\r\n" + below)
    assert "old.csv" not in written
    assert crm.open_study("shop").has("marketing_spend", "amount")


def test_a_file_that_cannot_be_added_to_is_left_alone_and_the_entry_shown(project, spend):
    path = project / "project" / "data" / "shop" / "study.yaml"
    text = "title: A shop\ntables: {transactions: {source: orders.csv}, # by hand\n  leads: {source: leads.csv}}\n"
    path.write_text(text)
    with pytest.raises(StudyError, match="add under tables by hand:\n  marketing_spend:\n"):
        add_table(path, "marketing_spend", spend)
    assert path.read_text() == text
    assert not (path.parent / "spend.csv").exists()


def test_an_entry_is_replaced_only_if_asked_for(project):
    file = project / "spend.csv"
    file.write_text("date,channel,amount\n2024-01-01,TV,5\n")
    run("add", "shop", "marketing_spend", file, "--yes")
    first = study_text()
    assert "replace its entry with --force" in run("add", "shop", "marketing_spend", file, "--yes", code=2)
    assert study_text() == first
    file.write_text("day;medium;cost\n2024-01-01;TV;6,50\n")
    words = ["add", "shop", "customers", project / "inner" / "spend.csv", "--yes"]
    words[3].parent.mkdir()
    words[3].write_text("customer_id,joined\n007,2024-01-01\n")
    assert "is there already, with another content" in run(*words, code=2)
    run("add", "shop", "marketing_spend", file, "--yes", "--force")
    assert crm.open_study("shop").table("marketing_spend").amount.to_pandas().tolist() == [6.5]
    assert study_text().count("marketing_spend:") == 1
    assert study_text().startswith(STUDY.split("    # nothing else")[0])
    assert study_text().endswith(STUDY.split("{customer_id: customer_id}\n")[1])


def test_a_table_that_cannot_be_used_changes_nothing(project):
    (project / "leads.csv").write_text("lead_id,created,channel\n,2024-01-01,TV\n,2024-01-02,TV\n")
    printed = run("add", "shop", "leads", project / "leads.csv", "--yes", code=2)
    assert "leads: no row can be used; 2 of 2 have the fault: no lead id" in printed
    assert study_text() == STUDY
    assert not (project / "project" / "data" / "shop" / "leads.csv").exists()


def test_a_table_that_no_notebook_knows_is_refused(project):
    printed = run("add", "shop", "marketing_spent", "nowhere.csv", code=2)
    assert "'marketing_spent' is no table that can be added; did you mean 'marketing_spend'?" in printed
    assert "no table that can be added" in run("add", "shop", "transactions", "nowhere.csv", code=2)


def test_what_the_file_does_not_say_is_asked_or_refused(project):
    (project / "spend.csv").write_text("when,where,paid\n01/02/2024,TV,5.00\n03/04/2024,TV,6.00\n")
    words = ["add", "shop", "marketing_spend", project / "spend.csv", "--column", "channel=where"]
    printed = run(*words, "--yes", code=2)
    assert "day first or the month first" in printed
    assert "--date-format" in printed
    assert study_text() == STUDY
    run(*words, input="%d/%m/%Y\n")
    assert crm.open_study("shop").file.tables["marketing_spend"].date_format == ("%d/%m/%Y",)
    assert crm.open_study("shop").table("marketing_spend").date.to_pandas().min() == pd.Timestamp(
        "2024-02-01"
    )


def test_a_column_that_is_not_there_is_named(project):
    (project / "spend.csv").write_text("date,channel,amount\n2024-01-01,TV,5\n")
    words = ["add", "shop", "marketing_spend", project / "spend.csv", "--yes", "--column"]
    assert "there is no column 'spent'" in run(*words, "amount=spent", code=2)
    assert "did you mean 'channel'" in run(*words, "chanel=channel", code=2)


PEOPLE = "Customer ID,Full Name,E-Mail,DOB,Newsletter,Referred By\n" + "".join(
    f"00{i},Zoe Zimmerquist{i},zoe{i}@example.org,{i:02}/05/1980,opt-in,\n" for i in range(7, 31)
)


def test_adding_a_table_of_people_prints_nothing_personal(project, shared_cache):
    (project / "people.csv").write_text(PEOPLE)
    printed = run("add", "shop", "customers", project / "people.csv", "--yes")
    entry = crm.open_study("shop").file.tables["customers"]
    assert entry.columns == {
        "customer_id": "Customer ID",
        "name": "Full Name",
        "email": "E-Mail",
        "birthday": "DOB",
        "consent": "Newsletter",
    }
    assert entry.date_format == ("%d/%m/%Y",)
    assert entry.source == str(project / "people.csv")  # no copy of people in the project
    assert "0012" not in printed + study_text()
    for word in ("Zimmerquist", "example.org", "/05/1980"):
        assert word not in printed + study_text()
        for path in [*(project / "project").rglob("*"), *shared_cache.rglob("*")]:
            assert not path.is_file() or word.encode() not in path.read_bytes(), path
    assert crm.open_study("shop").table("customers").has_birthday.to_pandas().all()


def test_the_order_of_day_and_month_in_birthdays_is_that_of_the_other_dates(project):
    (project / "people.csv").write_text(
        "customer_id,joined,birthday\n007,31/01/2024,05/06/1980\n008,01/02/2024,07/08/1981\n"
    )
    guess = guess_table(CONTRACTS["customers"], project / "people.csv")
    assert guess.values["date_format"] == ("%d/%m/%Y",)
    (project / "people.csv").write_text("customer_id,birthday\n007,05/06/1980\n008,07/08/1981\n")
    (question,) = guess_table(CONTRACTS["customers"], project / "people.csv").questions
    assert question.answers == ("%d/%m/%Y", "%m/%d/%Y")
    assert "19" not in question.text


def test_a_study_whose_tables_are_made_cannot_be_added_to(project, spend):
    path = Path("data/shop/study.yaml")
    path.write_text("title: A firm\nas_of: 2025-12-31\nsimulation: {n_customers: 10}\n")
    with pytest.raises(StudyError, match="a table can be added to a study of files only"):
        add_table(path.resolve(), "marketing_spend", spend)


def test_check_and_list_know_of_the_new_table(project):
    printed = run("list", "shop")
    assert "lacks service_cases" in printed.partition("Not yet")[2]
    assert "service_cases: one row per case" in printed
    (project / "cases.csv").write_text(
        "customer_id,opened,channel\n007,2024-01-06,e-mail\n099,2024-01-07,E-Mail\n"
    )
    assert "Rows by table" not in run("check", "shop")
    run("add", "shop", "service_cases", project / "cases.csv", "--yes")
    assert "08_service" in run("list", "shop").partition("Not yet")[0]
    checked = run("check", "shop")
    assert re.search(r"service_cases +2 +2 +0 +0", checked)
    assert re.search(r"service_cases +customer_id +transactions +2 +1 +1", checked)
    assert "channel: {e-mail: E-Mail}" in checked


def test_a_firm_without_a_log_is_checked_by_its_tables(project):
    shop = project / "project" / "data" / "shop"
    (shop / "contracts.csv").write_text("customer_id,start,price_per_month\n1,2024-01-01,5\n2,soon,5\n")
    text = "title: A gym\nas_of: 2024-06-30\ntables: {subscriptions: {source: contracts.csv}}\n"
    (shop / "study.yaml").write_text(text)
    checked = run("check", "shop")
    assert re.search(r"subscriptions +2 +1 +0 +1 +10.00 +5.00  price_per_month", checked)
    assert "Fitness" not in checked
    assert crm.open_study("shop").quality.tables_in_words.startswith(
        "This study has subscriptions. Rows used: 1;"
    )


@pytest.mark.parametrize("contract", OPTIONAL, ids=lambda contract: contract.name)
def test_a_file_in_the_contracts_own_names_is_recognised(contract, tmp_path):
    example = {"text": "x", "id": "x", "date": "2024-03-01", "number": "0.5", "money": "2.25", "flag": "yes"}
    values = ["a@example.org" if one.name == "email" else example[one.kind] for one in contract.columns]
    (tmp_path / "t.csv").write_text(",".join(contract.names) + "\n" + ",".join(values) + "\n")
    guess = guess_table(contract, tmp_path / "t.csv")
    columns = {
        key.removeprefix("columns."): v for key, v in guess.values.items() if key.startswith("columns.")
    }
    assert columns == {name: name for name in contract.names}
    assert guess.questions == ()


def test_the_dictionary_of_names_has_only_columns_of_the_contracts():
    known = {one.name for contract in CONTRACTS.values() for one in contract.columns}
    for key in NAMES:
        table, _, name = key.rpartition(".")
        assert name in (CONTRACTS[table].names if table else known), key
    assert names_of(CONTRACTS["leads"])["lead_id"][:2] == ["lead_id", "lead"]


def test_a_changed_table_or_fact_runs_the_notebooks_again(project, spend):
    def key():
        planned = plan_report("shop")
        return Cache(Path(), planned).key(planned.chapter("01_check"), Path())

    keys = [key()]
    add_table(find_study("shop"), "marketing_spend", spend)
    keys.append(key())
    with Path("data/shop/spend.csv").open("a") as file:
        file.write("2024-01-02,TV,6\n")
    keys.append(key())
    with Path("data/shop/study.yaml").open("a") as file:
        file.write("personal_columns: keep\n")
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert key() == keys[-1]


def test_a_report_from_the_cache_opens_no_table(project, spend):
    add_table(find_study("shop"), "marketing_spend", spend)
    script = (
        "import sys; from crmlib.report.plan import plan_report; inputs = plan_report('shop').inputs; "
        "print([one['rows'] for one in inputs], sorted({'pandas', 'ibis', 'duckdb'} & set(sys.modules)))"
    )
    printed = subprocess.check_output(
        [sys.executable, "-c", script], text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert printed == "[4, 1] []\n"
