"""A study file is refused before anything runs, naming key, value, what is allowed and the nearest key."""

import datetime as dt
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import crmlib as crm
from crmlib.errors import CannotAnswerError, CrmError, StudyError
from crmlib.study.file import check_study

GOOD = {"title": "A shop", "tables": {"transactions": {"source": "orders.csv"}}}


def refusal(**entries):
    with pytest.raises(StudyError) as caught:
        check_study(GOOD | entries, "study.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"curency": "EUR"}, "curency: no such entry; did you mean 'currency'?"),
        ({"currency": "euro"}, "currency: found 'euro'"),
        ({"title": ""}, "title: found ''; string should have at least 1 character (name of the firm"),
        ({"title": " "}, "title: found ' '; string should have at least 1 character"),
        ({"margin": 40}, "margin: found 40; allowed: a number, 0 to 1 (contribution margin"),
        ({"margin": "high"}, "margin: found 'high'; allowed: a number, 0 to 1"),
        ({"margin": True}, "margin: found True; allowed: a number, 0 to 1"),
        ({"margin": "0.4"}, "margin: found '0.4'; allowed: a number, 0 to 1"),
        ({"margin": float("nan")}, "margin: found nan; allowed: a number, 0 to 1"),
        ({"discount_rate_per_year": -0.1}, "discount_rate_per_year: found -0.1; allowed: a number, 0 to 1"),
        ({"discount_rate_per_year": True}, "discount_rate_per_year: found True; allowed: a number, 0 to 1"),
        ({"costs": {"per_return": -1}}, "costs.per_return: found -1; allowed: a number, 0 or more"),
        ({"costs": {"per_return": True}}, "costs.per_return: found True; allowed: a number, 0 or more"),
        ({"notebooks": {2: {}, "2": {}}}, "notebooks: a notebook occurs twice among 2, 2; keep one"),
        ({"as_of": "yesterday"}, "as_of: found 'yesterday'"),
        ({"time_unit": "weeks"}, "time_unit: found 'weeks'; input should be 'H', 'D', 'W', 'M', 'Q' or 'Y'"),
        ({"policies": {"return": "match"}}, "policies.return: no such entry; did you mean 'returns'?"),
        ({"policies": {"returns": "ignore"}}, "policies.returns: found 'ignore'; input should be 'match'"),
        ({"tables": {"orders": {"source": "x.csv"}}}, "tables: 'orders' is not a table of the contracts"),
        ({"tables": {}}, "tables: the purchase log is missing"),
        ({"tables": {"subscriptions": {"source": "x.csv"}}}, "the study: as_of is latest, which is the last"),
        (
            {"tables": {"transactions": {"source": "x.csv", "colums": {}}}},
            "tables.transactions.colums: no such entry; did you mean 'columns'?",
        ),
        (
            {"tables": {"transactions": {"source": "x.csv", "decimal": ";"}}},
            "tables.transactions.decimal: found ';'; input should be '.' or ','",
        ),
        ({"tables": {"transactions": {}}}, "tables.transactions.source: missing"),
        (
            {"tables": {"transactions": {"source": "x.csv", "timezone": "Europe/Berlim"}}},
            "tables.transactions.timezone: found 'Europe/Berlim'; did you mean 'Europe/Berlin'? Allowed: 'as written'",
        ),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(entries, expected):
    assert expected in refusal(**entries)


def test_every_fault_is_named_at_once():
    text = refusal(curency="EUR", margin=40, time_unit="weeks")
    assert all(key in text for key in ("curency", "margin", "time_unit"))


def test_a_file_that_is_no_yaml_says_where(tmp_path):
    (tmp_path / "study.yaml").write_text("title: [unclosed")
    with pytest.raises(StudyError, match="no readable YAML"):
        crm.open_study(tmp_path / "study.yaml")


TABLES = "tables: {transactions: {source: x.csv}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"title: A shop\nas_of: 2024-02-31\n{TABLES}",
            "as_of: found 2024-02-31 in line 2, which is no day of the calendar; allowed: a day such as 2024-02-29, "
            "as_of also latest",
        ),
        (f"title: A shop\nas_of: 2024-13-01\n{TABLES}", "as_of: found 2024-13-01 in line 2"),
        (f"notebooks: {{05: {{end: 2023-02-29}}}}\n{TABLES}", "notebooks.05.end: found 2023-02-29 in line 1"),
        (f"margin: 0.4\n{TABLES}\nmargin: 0.5", "margin: occurs twice, in line 1 and in line 3; keep one"),
        (
            "tables:\n  transactions:\n    source: a.csv\n    source: b.csv",
            "tables.transactions.source: occurs twice, in line 3 and in line 4",
        ),
        ("notebooks: {2: {top: 1}, '2': {top: 2}}", "notebooks.2: occurs twice, in line 1 and in line 1"),
    ],
)
def test_days_that_no_calendar_has_and_keys_that_stand_twice_are_named_with_their_line(
    tmp_path, text, expected
):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(StudyError) as refused:
        crm.open_study(tmp_path / "study.yaml")
    assert str(refused.value).startswith(f"{tmp_path / 'study.yaml'}:\n  ")
    assert expected in str(refused.value)


def test_aliases_and_merged_entries_are_no_repetition(tmp_path):
    text = (
        "title: A shop\ntables:\n  transactions: &log {source: x.csv, decimal: ','}\n"
        "  customers: {<<: *log, source: y.csv}\n"
    )
    (tmp_path / "study.yaml").write_text(text)
    customers = crm.open_study(tmp_path / "study.yaml").file.tables["customers"]
    assert (customers.source, customers.decimal) == ("y.csv", ",")


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "as written"])
def test_time_zones_that_are_known(timezone):
    tables = {"transactions": {"source": "x.csv", "timezone": timezone}}
    assert check_study(GOOD | {"tables": tables}, "here").tables["transactions"].timezone == timezone


def test_whole_numbers_are_numbers():
    file = check_study(GOOD | {"margin": 1, "costs": {"per_return": 6}}, "here")
    assert (file.margin, file.costs.per_return) == (1.0, 6.0)


def test_a_name_is_found_from_a_folder_below(monkeypatch, tmp_path):
    below = tmp_path / "deep" / "er"
    below.mkdir(parents=True)
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text("title: A shop\ntables: {transactions: {source: x.csv}}")
    monkeypatch.chdir(below)
    assert crm.open_study("shop").title == "A shop"
    assert crm.open_study(str(folder)).folder == folder.resolve()


def test_an_unknown_name_lists_the_known():
    with pytest.raises(StudyError, match="no data/cdnw/study.yaml.*did you mean 'cdnow'"):
        crm.open_study("cdnw")


def test_facts_of_the_bundled_study():
    study = crm.open_study("cdnow-sample")
    assert (study.currency, study.as_of, study.time_unit) == ("USD", dt.date(1998, 6, 30), "W")
    assert (study.margin, study.has("transactions"), study.has("marketing_spend")) == (None, True, False)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_a_frame_with_a_column_mapping_opens(make):
    log = {
        "CustNo": ["007", "007", "012"],
        "day": ["2024-01-05", "2024-02-01", "2024-02-03"],
        "paid": [1.5, 2.0, 3.0],
    }
    columns = {"customer_id": "CustNo", "date": "day", "amount": "paid"}
    study = crm.open_study(make(log), columns=columns, currency="EUR", margin=0.4)
    summary = crm.rfm_summary(study.transactions, as_of=study.as_of, time_unit="W")
    assert summary["customer_id"].tolist() == ["007", "012"]
    assert summary["net"].tolist() == [3.5, 3.0]


def test_columns_do_not_go_with_a_name():
    with pytest.raises(StudyError, match="columns go with a frame"):
        crm.open_study("cdnow", columns={"customer_id": "x"})


def test_a_study_that_is_open_already_is_returned():
    study = crm.open_study("cdnow-sample")
    assert crm.open_study(study) is study


@pytest.mark.parametrize(
    "day", ["soon", "1998-03-01xyz", "1998-03-01 12:00", "1998-03-01T00:00", "19980301", "1998-02-30", ""]
)
def test_as_of_that_is_no_day_is_refused(day):
    with pytest.raises(
        StudyError, match=re.escape(f"as_of is {day!r}; give a day such as 1998-06-30, or latest")
    ):
        crm.open_study("cdnow", as_of=day)


@pytest.mark.parametrize(
    "day",
    [
        "1998-03-01",
        dt.date(1998, 3, 1),
        dt.datetime(1998, 3, 1, 12),
        pd.Timestamp("1998-03-01 12:00"),
        np.datetime64("1998-03-01", "ns"),
    ],
)
def test_as_of_is_a_text_a_date_or_a_timestamp(day):
    assert crm.open_study("cdnow", as_of=day).as_of_override == dt.date(1998, 3, 1)


def test_what_became_of_a_table_that_the_firm_lacks_says_how_to_add_it():
    with pytest.raises(StudyError, match=r"no table marketing_spend, only transactions; add it under tables"):
        crm.open_study("cdnow").quality.table_quarantine("marketing_spend")


@pytest.mark.parametrize(
    "line",
    ['tables: {transactions: {source: "postgres://me:hunter2secret@db/shop"}}', "password: hunter2secret"],
)
def test_a_password_in_a_study_file_is_refused_and_not_repeated(tmp_path, line):
    (tmp_path / "study.yaml").write_text(f"title: A shop\n{line}\n")
    with pytest.raises(StudyError, match="holds a password.*environment") as caught:
        crm.open_study(tmp_path / "study.yaml")
    assert "hunter2secret" not in str(caught.value)


def test_a_firm_without_a_log_has_a_day_and_tables_but_no_transactions():
    tables = {"subscriptions": {"source": "contracts.csv"}}
    file = check_study({"title": "A gym", "as_of": "2024-06-30", "tables": tables}, "here")
    study = crm.Study("gym", file, Path(), Path())
    assert study.as_of == dt.date(2024, 6, 30)
    assert not study.has("transactions")
    with pytest.raises(StudyError, match="no purchase log, only subscriptions; add it under tables"):
        study.transactions  # noqa: B018


def small_log():
    days = pd.to_datetime(["2024-01-01", "2024-01-05", "2024-01-15", "2024-01-03"])
    return pd.DataFrame(
        {"customer_id": [*"aaa", "Jane Doe"], "date": days, "amount": [20.0, 50.0, -50.0, 7.0]}
    )


def test_a_used_study_is_pickled_and_works_after():
    study = crm.open_study(small_log(), currency="EUR", as_of="2024-01-14")
    used = study.transactions.count().to_pyarrow().as_py(), study.quality, study.table("customers")
    again = pickle.loads(pickle.dumps(study))
    assert again.transactions.count().to_pyarrow().as_py() == used[0] == 3
    assert (again.as_of, again.currency, again.absent_tables) == (study.as_of, "EUR", ["customers"])


def test_the_picture_of_a_study_shows_no_customer():
    study = crm.open_study(small_log().rename(columns={"amount": "paid"}), columns={"amount": "paid"})
    assert repr(study) == (
        "Study('frame': a purchase log; currency not known, as of latest; tables transactions; amount: paid)"
    )


@pytest.mark.parametrize("as_of", ["1924-01-10", "2042-01-10"])
def test_a_mistyped_year_is_refused_with_the_days_of_the_log(as_of):
    for ask in (
        lambda: crm.open_study(small_log(), as_of=as_of).as_of,
        lambda: crm.rfm_summary(small_log(), as_of=as_of),
        lambda: crm.cohort_comparison(small_log(), as_of=as_of),
    ):
        with pytest.raises(CrmError, match="log, which goes from 2024-01-01 to 2024-01-15"):
            ask()


def test_a_study_is_opened_again_as_of_another_day():
    study = crm.open_study(small_log())
    assert crm.open_study(study) is study
    assert crm.open_study(study, as_of="2024-01-06").as_of == dt.date(2024, 1, 6)
    with pytest.raises(StudyError, match="margin go with a frame"):
        crm.open_study(study, margin=0.4)


def test_a_frame_and_a_study_of_the_same_rows_agree():
    nobody = pd.DataFrame({"customer_id": [None], "date": pd.to_datetime(["2024-01-02"]), "amount": [5.0]})
    frame = pd.concat([small_log(), nobody], ignore_index=True)
    study = crm.open_study(frame)
    bare, through = (crm.rfm_summary(one, as_of="2024-01-31") for one in (frame, study.transactions))
    pd.testing.assert_frame_equal(pd.DataFrame(bare), pd.DataFrame(through))
    assert bare.set_index("customer_id").loc["a", ["frequency", "net"]].tolist() == [0, 20.0]


def test_a_file_is_looked_at_as_by_crm_new_and_says_what_was_guessed(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text(
        "Kunde;Datum;Betrag\n007;31.01.2024;1.200,50 \n007;28.02.2024;900,00\n008;01.03.2024;5,00\n"
    )
    study = crm.open_study(file, currency="EUR", margin=0.3)
    assert (study.as_of, study.currency, study.margin) == (dt.date(2024, 3, 1), "EUR", 0.3)
    assert study.transactions.amount.sum().to_pyarrow().as_py() == pytest.approx(2105.5)
    for guessed in ("delimiter: ;", "decimal: ,", "%d.%m.%Y", "customer_id: Kunde", "amount: Betrag"):
        assert guessed in repr(study)
    assert pickle.loads(pickle.dumps(study)).as_of == study.as_of


def test_what_a_file_does_not_decide_is_asked_by_the_argument(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("customer_id,date,amount\n007,01/02/2024,1.50\n008,03/04/2024,2.50\n")
    with pytest.raises(
        StudyError, match='(?s)date_format: .*Set it: open_study.*date_format="%d/%m/%Y"'
    ) as refused:
        crm.open_study(str(file))
    assert "orders.csv: the file does not show this" in str(refused.value)
    study = crm.open_study(str(file), date_format="%d/%m/%Y", columns={"amount": "amount"})
    assert study.as_of == dt.date(2024, 4, 3)
    with pytest.raises(StudyError, match="did you mean 'decimal'"):
        crm.open_study(file, decimals=",")


def test_terms_of_value_say_where_each_figure_comes_from():
    sample = crm.open_study("cdnow-sample")
    terms = sample.value_terms()
    assert (terms.value, terms.factor, terms.margin, terms.assumed) == ("revenue", 1.0, None, True)
    assert terms.sentence == (
        "Value is revenue, since no margin is known, discounted at 10 % per year (assumed in the study file)."
    )
    assert sample.value_terms(measured_margin=0.529).margin is None  # its log has no costs
    given = sample.value_terms(0.4, 0.08, measured_margin=0.529)
    assert (given.factor, given.discount_rate_per_year, given.assumed) == (0.4, 0.08, False)
    assert given.sentence.count("given as a parameter") == 2


@pytest.mark.parametrize(
    ("entries", "origins"),
    [
        ({"margin": 0.4, "discount_rate_per_year": 0.1}, ["given in the study file"] * 2),
        ({"margin": 0.4, "discount_rate_per_year": 0.1, "assumed": ["margin"]}, ["assumed", "given"]),
        ({"margin": 0.4}, ["given in the study file", "assumed: none is given"]),
    ],
)
def test_a_study_says_which_of_its_figures_are_assumed(entries, origins):
    log = pd.DataFrame({"customer_id": ["a"], "date": ["2024-01-05"], "amount": [10.0]})
    terms = crm.open_study(log, **entries).value_terms()
    assert terms.margin_origin.startswith(origins[0])
    assert terms.discount_origin.startswith(origins[1])


def test_costs_in_the_log_are_measured_and_count_before_the_study_s_margin():
    log = pd.DataFrame({"customer_id": ["a"], "date": ["2024-01-05"], "amount": [10.0], "cost": [4.0]})
    study = crm.open_study(log, margin=0.4)
    with pytest.raises(
        CannotAnswerError, match="the margin is −50 % of revenue .measured from the costs in the log"
    ):
        study.value_terms(measured_margin=-0.5)
    terms = study.value_terms(measured_margin=0.6)
    assert (terms.value, terms.factor) == ("contribution", 0.6)
    assert "60 % (measured from the costs in the log)" in terms.sentence
    assert "60 % of revenue (measured from the costs in the log)" in terms.of_margin
    assert study.value_terms(measured_margin=float("nan")).factor == 0.4


def test_a_margin_given_by_hand_replaces_measured_costs_wherever_money_is_valued():
    log = pd.DataFrame({"customer_id": ["a"], "date": ["2024-01-05"], "amount": [10.0], "cost": [4.0]})
    study = crm.open_study(log)
    by_hand, measured = study.value_terms(0.3, measured_margin=0.6), study.value_terms(measured_margin=0.6)
    assert by_hand.factor == 0.3
    assert "cost" not in by_hand.valued(study.transactions).columns
    assert "cost" in measured.valued(study.transactions).columns


def test_only_figures_of_the_study_can_be_assumed():
    assert refusal(assumed=["currency"]).startswith("study.yaml")
