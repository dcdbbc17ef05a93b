"""`crm new` and `crm check`: from a file to a study that opens, with nothing overwritten."""

import re
from itertools import pairwise

import pandas as pd
import pytest
from click.testing import CliRunner

import crmlib as crm
from crmlib.cli import main
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.guessing.table import guess_table
from crmlib.errors import StudyError
from crmlib.study import writer
from crmlib.study.file import read_study_file
from crmlib.study.writer import write_study
from tests.data.test_guess import GERMAN, PRICES, SHOPIFY, WOOCOMMERCE


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def run(*arguments, answers=None):
    outcome = CliRunner().invoke(main, list(arguments), input=answers)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome


@pytest.mark.parametrize(
    ("text", "encoding", "used", "money"),
    [
        (SHOPIFY, "utf-8", 2, 55.0),
        (WOOCOMMERCE, "utf-8", 1, 45.0),
        (GERMAN, "cp1252", 2, 1244.0),
        (PRICES, "utf-8", 2, -12.2),
    ],
)
def test_two_commands_from_an_export_to_a_check(project, text, encoding, used, money):
    (project / "orders.csv").write_bytes(text.encode(encoding))
    made = run("new", "shop", "--transactions", "orders.csv", "--yes")
    assert made.exit_code == 0
    assert "Next: crm check shop" in made.output
    rows = crm.open_study("shop").quality.rows
    assert (rows["rows"][1], round(rows["amount"][1], 2)) == (used, money)
    checked = run("check", "shop")
    assert checked.exit_code == 0
    assert re.search(rf"in the source +{rows['rows'][0]} ", checked.output)
    assert "fail: buyers: " in checked.output


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        ("orders.csv", ","),
        ("orders.csv", ";"),
        ("orders.tsv", "\t"),
        ("orders.tsv", ","),
        ("orders.txt", "|"),
    ],
)
def test_a_file_with_any_delimiter_is_read_by_the_study_that_was_written(project, name, delimiter):
    lines = ["customer_id,date,amount", "A,2024-01-05,10", "B,2024-02-06,20", "A,2024-03-07,30"]
    (project / name).write_text("\n".join(lines).replace(",", delimiter) + "\n")
    assert run("new", "shop", "--transactions", name, "--yes").exit_code == 0
    study = crm.open_study("shop")
    assert study.file.tables["transactions"].delimiter == (None if delimiter == "," else delimiter)
    assert study.quality.rows["rows"].tolist() == [3, 3, 0]
    assert study.quality.rows["amount"][1] == 60
    (project / "spend.csv").write_text(
        f"date{delimiter}channel{delimiter}amount\n2024-01-01{delimiter}TV{delimiter}5\n"
    )
    assert run("add", "shop", "marketing_spend", "spend.csv", "--yes").exit_code == 0
    assert crm.open_study("shop").table("marketing_spend").amount.to_pandas().tolist() == [5]


def test_column_names_keep_their_blanks(project):
    log = pd.DataFrame({" Kunde": ["1", "2"], "Datum ": ["2024-01-05", "2024-01-06"], "Betrag": [9.5, 7.0]})
    log.to_parquet(project / "orders.parquet")
    assert run("new", "shop", "--transactions", "orders.parquet", "--yes").exit_code == 0
    assert crm.open_study("shop").quality.rows["rows"].tolist() == [2, 2, 0]


def test_an_invalid_study_file_is_not_left_behind(project):
    log = project.parent / "elsewhere" / "orders.csv"
    log.write_text("customer_id,date,amount\nA,2024-01-05,10\nB,2024-02-06,20\n")
    with pytest.raises(StudyError, match="holds a password"):
        write_study("shop", guess_table(TRANSACTIONS, log), title="A shop at https://me:hunter2@shop.example")
    with pytest.raises(StudyError, match="currency"):
        write_study("shop", guess_table(TRANSACTIONS, log, given={"currency": "euros"}))
    assert not (project / "data" / "shop").exists()


def test_every_entry_has_a_comment_and_is_allowed(project):
    (project / "orders.csv").write_text(SHOPIFY)
    path = write_study("shop", guess_table(TRANSACTIONS, "orders.csv"), title='Jörg\'s "shop": #1')
    lines = path.read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if re.match(r" *[a-z_]+:", line):
            assert before.strip().startswith("#") or line.strip() in ("tables:", "transactions:"), line
    study = read_study_file(path)
    assert study.title == 'Jörg\'s "shop": #1'
    assert study.policies.amount_is == "order_total"
    assert study.tables["transactions"].source == "../../orders.csv"


def test_a_file_elsewhere_is_copied_and_a_large_one_is_not(project, monkeypatch):
    log = project.parent / "elsewhere" / "orders.csv"
    log.write_text(GERMAN)
    small = read_study_file(write_study("small", guess_table(TRANSACTIONS, log)))
    assert small.tables["transactions"].source == "orders.csv"
    assert (project / "data" / "small" / "orders.csv").read_text() == GERMAN
    monkeypatch.setattr(writer, "LARGEST_COPY_BYTES", 10)
    large = read_study_file(write_study("large", guess_table(TRANSACTIONS, log)))
    assert large.tables["transactions"].source == str(log)
    assert not (project / "data" / "large" / "orders.csv").exists()


def test_a_study_is_never_overwritten_unasked(project):
    (project / "orders.csv").write_text(GERMAN)
    run("new", "shop", "--transactions", "orders.csv", "--yes")
    mine = (project / "data" / "shop" / "study.yaml").read_text() + "# mine\n"
    (project / "data" / "shop" / "study.yaml").write_text(mine)
    again = run("new", "shop", "--transactions", "orders.csv", "--yes")
    assert again.exit_code == 2
    assert "study 'shop' exists already" in again.stderr
    assert "replace it with --force" in again.stderr
    assert (project / "data" / "shop" / "study.yaml").read_text() == mine
    assert run("new", "shop", "--transactions", "orders.csv", "--yes", "--force").exit_code == 0
    assert "# mine" not in (project / "data" / "shop" / "study.yaml").read_text()


def test_an_ambiguous_date_is_asked_about_and_refused_where_nobody_answers(project):
    (project / "orders.csv").write_text("customer,date,amount\n1,01/02/2024,9.5\n2,03/04/2024,1\n")
    refused = run("new", "shop", "--transactions", "orders.csv", "--yes")
    assert refused.exit_code == 2
    assert "'01/02/2024' is 1 February 2024 (%d/%m/%Y) or 2 January 2024 (%m/%d/%Y)" in refused.stderr
    assert "--date-format" in refused.stderr
    assert not (project / "data" / "shop").exists()
    assert run("new", "asked", "--transactions", "orders.csv", answers="%d/%m/%Y\n").exit_code == 0
    assert str(crm.open_study("asked").as_of) == "2024-04-03"
    run(
        "new",
        "named",
        "--transactions",
        "orders.csv",
        "--yes",
        "--date-format",
        "%m/%d/%Y",
        "--currency",
        "eur",
    )
    named = crm.open_study("named")
    assert (str(named.as_of), named.currency) == ("2024-03-04", "EUR")


def test_columns_can_be_named(project):
    (project / "orders.csv").write_text("x,y,z\n1,2024-01-05,blue 9\n2,2024-01-06,red 7\n")
    refused = run("new", "shop", "--transactions", "orders.csv", "--yes")
    assert refused.exit_code == 2
    assert "which column is the customer_id?" in refused.stderr
    assert run("new", "shop", "--transactions", "orders.csv", "--yes", "--column", "x").exit_code == 2


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "ä"])
def test_a_name_is_a_folder_name(project, name):
    (project / "orders.csv").write_text(GERMAN)
    with pytest.raises(StudyError, match="cannot be called"):
        write_study(name, guess_table(TRANSACTIONS, "orders.csv"))


def test_a_check_of_what_cannot_be_used_ends_with_2(project):
    assert run("check", "nothing").exit_code == 2
    (project / "data" / "bad").mkdir()
    (project / "data" / "bad" / "study.yaml").write_text(
        "title: B\ntables: {transactions: {source: none.csv}}\n"
    )
    outcome = run("check", "bad")
    assert outcome.exit_code == 2
    assert "there is no file none.csv" in outcome.stderr


def test_the_check_finds_that_cdnow_is_a_closed_cohort():
    outcome = run("check", "cdnow")
    assert outcome.exit_code == 0
    assert "warn: closed cohort: nobody new after 1997-03-25, so a fall" in outcome.output
    assert "not because the firm declines" in " ".join(outcome.output.split())


def test_both_commands_say_which_states_are_sales(project):
    lines = ["1;05.01.2024;9,50;bezahlt", "2;16.01.2024;8,50;bezahlt", "3;17.01.2024;7,50;Storniert"]
    text = "\n".join(["Kunde;Datum;Betrag;Status", *lines, "4;18.01.2024;6,50;zurückgewiesen\n"])
    (project / "orders.csv").write_text(text, encoding="utf-8")
    made = run("new", "shop", "--transactions", "orders.csv", "--yes")
    assert (
        "states found: bezahlt (2) counted as sales, storniert (1) set aside, "
        "zurückgewiesen (1) counted as sales" in made.output
    )
    checked = run("check", "shop").output
    assert re.search(r"bezahlt +2  counted as sales\n", checked)
    assert re.search(r"storniert +1  set aside\n", checked)
    assert re.search(r"zurückgewiesen +1  counted as sales\n", checked)
    assert max(map(len, checked.splitlines())) < 160


def test_an_unknown_currency_is_not_invented(project):
    (project / "orders.csv").write_text("Kunde;Datum;Betrag\n1;31.01.2024;9,50\n2;28.02.2024;8,00\n")
    made = run("new", "shop", "--transactions", "orders.csv", "--yes")
    assert made.exit_code == 0
    lines = (project / "data" / "shop" / "study.yaml").read_text().splitlines()
    assert lines[lines.index("currency: null") - 1].startswith("# not stated in the file")
    assert "currency             not known" in made.output
    assert crm.open_study("shop").currency == ""
    assert re.search(r"outcome +rows +amount\n", run("check", "shop").output)


def test_a_file_with_a_title_above_its_header_ends_with_2_and_the_line(project):
    text = "Export vom 01.07.2025;;;;\nKundennr;Datum;Betrag;Ort;Status\n" + "1;05.01.2025;9,50;Bonn;ok\n" * 3
    (project / "orders.csv").write_text(text)
    refused = run("new", "shop", "--transactions", "orders.csv", "--yes")
    assert refused.exit_code == 2
    assert "orders.csv: line 1 is no header" in refused.stderr
    assert "are in line 2. Delete the lines above" in refused.stderr
