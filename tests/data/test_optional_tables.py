"""Tables beside the purchase log: every row used or set aside, and nothing personal in what is written."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

import crmlib as crm
from crmlib.data.cleaning.clean import clean_table
from crmlib.data.cleaning.words import NO, YES, spellings_of
from crmlib.data.contracts import CONTRACTS
from crmlib.data.contracts.known_at import known_at
from crmlib.data.policies import Policies, Reading
from crmlib.data.sources import open_table
from crmlib.data.suspects import near_spellings
from crmlib.errors import DataError, StudyError
from tests.data.dictionary import dictionary

OPTIONAL = [contract for contract in CONTRACTS.values() if contract.name != "transactions"]

ORDERS = "customer_id,date,amount\n1,2024-01-05,10\n1,2024-02-05,12\n2,2024-02-06,7\n3,2024-06-30,9\n"


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    """The same log is cleaned once for the tests that do not look into the cache."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def own_cache(monkeypatch, shop, tmp_path):
    monkeypatch.setenv("CRMLIB_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shop(tmp_path, monkeypatch, shared_cache):
    """A shop to which a test adds tables as text, and which it then opens."""
    monkeypatch.setenv("CRMLIB_CACHE_DIR", str(shared_cache))
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "orders.csv").write_text(ORDERS)
    monkeypatch.chdir(tmp_path)

    def opened(facts="", entries=None, **tables):
        lines = [f"title: A shop\n{facts}", "tables:", "  transactions: {source: orders.csv}"]
        for name, text in tables.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
            lines.append(f"  {name}: {{source: {name}.csv{(entries or {}).get(name, '')}}}")
        (folder / "study.yaml").write_text("\n".join(lines))
        return crm.open_study("shop")

    return opened


def column(study, table, name):
    values = study.table(table)[name].to_pandas()
    return [None if pd.isna(value) else value for value in values]


def outcomes(study, table):
    rows = study.quality.tables
    return rows[rows["table"] == table].set_index("outcome")["rows"].to_dict()


def values(study, table):
    rows = study.quality.table_values
    return rows[rows["table"] == table].set_index(["column", "what"])["rows"].to_dict()


# Every row used or set aside

CELLS = {
    "customer_id": ["1", "2", "99", "", "n/a"],
    "opened": ["2024-01-10", "2024-02-31", "soon", "", "2025-01-01", "2024-03-01 12:30"],
    "closed": ["2024-01-01", "2024-01-12", "", "later"],
    "kind": ["question", "Beschwerde", "RETURNS", "gossip", ""],
    "minutes": ["5", "-3", "", "x", "1e3"],
    "cost": ["1.10", "-2.05", "", "abc", "inf", "1e15", "(3.07)", "1,234.56", "nan"],
    "case_id": ["a", "b", "", "c"],
}


@settings(max_examples=7)
@given(st.lists(st.tuples(*[st.sampled_from(cells) for cells in CELLS.values()]), min_size=1, max_size=40))
def test_rows_and_money_add_up_whatever_the_file_holds(tmp_path_factory, rows):
    frame = pd.DataFrame(
        [("1", "2024-01-10", "", "", "", "0.5", ""), *rows], columns=list(CELLS), dtype="object"
    )
    folder = tmp_path_factory.mktemp("cleaned")
    report = clean_table(
        ibis.memtable(frame),
        CONTRACTS["service_cases"],
        Reading(policies=Policies(missing_ids=("n/a",))),
        folder,
    )
    countable = {"1.10": "1.10", "-2.05": "-2.05", "0.5": "0.5", "(3.07)": "-3.07", "1,234.56": "1234.56"}
    money = sum(Decimal(countable.get(text, "0")) for text in frame["cost"])
    total, *parts = report.rows
    assert total["rows"] == len(frame) == sum(one["rows"] for one in parts)
    assert Decimal(str(total["money"]["cost"])) == money
    assert round(sum(Decimal(str(one["money"]["cost"])) for one in parts), 4) == money
    used, aside = pd.read_parquet(folder / "used.parquet"), pd.read_parquet(folder / "quarantine.parquet")
    assert parts[0] == {"outcome": "used", "rows": len(used), "money": parts[0]["money"]}
    assert len(used) + len(aside) == len(frame)
    assert set(aside["reason"]) == {one["outcome"] for one in parts[1:]}
    assert sorted([*aside["source_row"]]) == sorted(set(aside["source_row"]))
    assert used["customer_id"].notna().all()
    assert used["opened"].notna().all()
    assert used["case_id"].dropna().is_unique
    assert not (used["closed"].dt.normalize() < used["opened"].dt.normalize()).any()
    assert not {path.name for path in folder.iterdir()} - {"used.parquet", "quarantine.parquet"}


@pytest.mark.parametrize("contract", OPTIONAL, ids=lambda contract: contract.name)
def test_a_table_in_contract_form_is_used_whole_under_the_contracts_types(contract, tmp_path):
    example = {
        "text": "x",
        "id": "x",
        "date": pd.Timestamp("2024-03-01 08:00"),
        "number": 0.5,
        "money": -2.25,
        "flag": True,
    }
    row = {
        one.name: one.words[0] if one.words else 1.0 if one.name == "scale_max" else example[one.kind]
        for one in contract.columns
    }
    report = clean_table(ibis.memtable(pd.DataFrame([row])), contract, Reading(keep_personal=True), tmp_path)
    assert [one["rows"] for one in report.rows] == [1, 1]
    assert report.values == []
    used = ibis.read_parquet(tmp_path / "used.parquet")
    types = {
        "text": "string",
        "id": "string",
        "date": "timestamp(6)",
        "number": "float64",
        "money": "float64",
        "flag": "boolean",
    }
    assert {one.name: str(used[one.name].type()) for one in contract.columns} == {
        one.name: types[one.kind] for one in contract.columns
    }
    assert used.to_pandas()[contract.names].iloc[0].to_dict() == row


def test_every_fault_of_a_required_column_sets_the_row_aside_with_its_reason(shop):
    study = shop(
        surveys="customer_id,date,question,score,scale_max\n"
        "1,2024-01-06,Net Promoter Score,9,\n"
        ",2024-01-06,nps,9,\nnull,2024-01-06,nps,9,\n"
        "1,,nps,9,\n1,soon,nps,9,\n"
        "1,2024-01-06,mood,9,\n"
        "1,2024-01-06,nps,many,\n1,2024-01-06,nps,-1,\n1,2024-01-06,nps,11,\n"
        "1,2024-01-06,trust,6,\n1,2024-01-06,trust,6,7\n1,2025-01-06,nps,8,\n1,2024-01-06\n"
    )
    assert outcomes(study, "surveys") == {
        "in the source": 13,
        "used": 2,
        "after 2024-06-30": 1,
        "no customer id": 1,
        "customer id is a word for missing (policies.missing_ids)": 1,
        "no date": 1,
        "unreadable date": 1,
        "question is not one of: nps, satisfaction, trust, expectation, expectation met": 1,
        "unreadable score": 1,
        "score below 0": 1,
        "score above its scale (scale_max)": 2,
        "line cannot be split into columns": 1,
    }
    aside = study.quality.table_quarantine("surveys")
    assert aside.set_index("source_row").loc[5, ["reason", "date"]].tolist() == ["unreadable date", "soon"]


def test_a_fault_of_another_column_leaves_the_value_empty_and_is_counted(shop):
    study = shop(
        customers="customer_id,birthday,adoption,recommender_type,consent\n"
        "1,1980-02-29,80%,Freund,Ja\n2,2031-01-01,1.5,boss,perhaps\n3,1850-01-01,much,,withdrawn\n"
    )
    assert outcomes(study, "customers") == {"in the source": 3, "used": 3, "after 2024-06-30": 0}
    assert column(study, "customers", "has_birthday") == [True, False, False]
    assert column(study, "customers", "adoption") == [0.8, None, None]
    assert column(study, "customers", "recommender_type") == ["friend", None, None]
    assert column(study, "customers", "consent") == [True, None, False]
    assert values(study, "customers") == {
        ("birthday", "birthday in the future"): 1,
        ("birthday", "unreadable birthday or before 1900"): 1,
        ("adoption", "adoption above 1"): 1,
        ("adoption", "unreadable adoption"): 1,
        ("recommender_type", "Freund read as friend"): 1,
        ("recommender_type", "recommender type is not one of: family, friend, associate"): 1,
        ("consent", "consent is not one of: yes, no"): 1,
    }


def test_a_key_that_stands_twice_is_used_once(shop):
    study = shop(
        service_cases="case_id,customer_id,opened,cost\na,1,2024-01-06,1\na,2,2024-01-07,2\n"
        ",2,2024-01-07,4\n,2,2024-01-08,8\nb,2,soon,16\nb,3,2024-01-08,32\n"
    )
    assert column(study, "service_cases", "cost") == [1, 4, 8, 32]
    money = study.quality.tables.set_index("outcome")["amount"].to_dict()
    assert money == {
        "in the source": 63,
        "used": 45,
        "after 2024-06-30": 0,
        "repeated case id": 2,
        "unreadable opened": 16,
    }


def test_what_ends_before_it_starts_is_set_aside_but_not_within_a_day(shop):
    study = shop(
        subscriptions="customer_id,start,end,price_per_month\n1,2024-01-05,2024-01-04,5\n"
        "2,2024-01-05 14:00,2024-01-05,6\n3,2024-01-05,,7\n"
    )
    assert column(study, "subscriptions", "price_per_month") == [6, 7]
    assert outcomes(study, "subscriptions")["end before start"] == 1


def test_equal_rows_are_used_and_counted(shop):
    study = shop(marketing_spend="date,channel,amount\n2024-01-01,TV,5\n2024-01-01,TV,5\n2024-01-01,TV,6\n")
    assert column(study, "marketing_spend", "amount") == [5, 5, 6]
    assert values(study, "marketing_spend") == {("", "equal to an earlier row, and used all the same"): 1}


def test_a_table_without_rows_is_empty_and_one_without_a_usable_row_is_refused(shop):
    empty = shop(leads="lead_id,created,channel\n")
    assert column(empty, "leads", "lead_id") == []
    assert outcomes(empty, "leads") == {"in the source": 0, "used": 0, "after 2024-06-30": 0}
    with pytest.raises(
        DataError, match=r"leads: no row can be used; 2 of 2 .* 'made' holds, for example, '31/12/2023'"
    ):
        shop(
            entries={"leads": ", columns: {created: made}"},
            leads="lead_id,made,channel\n1,31/12/2023,TV\n2,30/12/2023,TV\n",
        ).table("leads")


def test_null_words_of_databases_are_empty_values(shop):
    study = shop(
        service_cases="customer_id,opened,closed,theme,minutes\n1,2024-01-06,NULL,nan,\\N\n2,2024-01-06,NaT,n/a,7\n1,NULL,,,\n"
    )
    assert values(study, "service_cases") == {}
    assert column(study, "service_cases", "theme") == [None, None]
    assert column(study, "service_cases", "minutes") == [None, 7]
    assert outcomes(study, "service_cases")["no opened"] == 1


def test_typed_numbers_that_are_none_are_empty_and_infinite_ones_are_faults(tmp_path):
    minutes = [1.0, float("nan"), float("inf"), None, None]
    ids = pa.array([7.0, 8.0, 9.0, 2.0**60, float("nan")])
    opened = pa.array([dt.datetime(2024, 1, 2)] * 5)
    cases = pa.table({"customer_id": ids, "opened": opened, "minutes": pa.array(minutes)})
    pq.write_table(cases, tmp_path / "cases.parquet")  # written from pandas, "nan" would be null
    raw = open_table(tmp_path / "cases.parquet")
    report = clean_table(raw, CONTRACTS["service_cases"], Reading(), tmp_path)
    assert {one["outcome"]: one["rows"] for one in report.rows} == {
        "in the source": 5,
        "used": 3,
        "customer id in scientific notation, with digits lost": 1,  # several ids are this number
        "no customer id": 1,
    }
    assert [(one["column"], one["rows"]) for one in report.values] == [("minutes", 1)]
    used = ibis.read_parquet(tmp_path / "used.parquet").to_pandas()
    assert used["customer_id"].tolist() == ["7", "8", "9"]
    assert used["minutes"].fillna(-1).tolist() == [1.0, -1, -1]


def test_a_missing_column_is_named_with_the_cure(shop):
    with pytest.raises(DataError, match="leads: no column 'created'; say which one it is under `columns`"):
        shop(leads="lead_id,channel\n1,TV\n").table("leads")


# Words


def test_consent_in_words_of_several_kinds(shop):
    yes = ["yes", "Ja", "OUI", "opt-in", "Opted In", "true", "1", "1.0", "granted", " sí ", "x"]
    no = ["no", "Nein", "non", "opt-out", "opted_out", "FALSE", "0", "withdrawn", "revoked"]
    unknown = ["perhaps", "yes and no", "2"]
    words = [*yes, *no, *unknown, ""]
    study = shop(customers="customer_id,consent\n" + "".join(f"{i},{word}\n" for i, word in enumerate(words)))
    assert column(study, "customers", "consent") == [True] * 11 + [False] * 9 + [None] * 4
    assert values(study, "customers") == {("consent", "consent is not one of: yes, no"): 3}


def test_no_word_is_both_yes_and_no_and_no_spelling_has_two_meanings():
    assert not set(YES) & set(NO)
    for contract in OPTIONAL:
        for one in contract.columns:
            spellings = [
                text for known in spellings_of(contract.name, one.name, one.words).values() for text in known
            ]
            assert len(spellings) == len(set(spellings)), (contract.name, one.name)


def test_channels_spelt_two_ways_are_suggested_and_not_merged(shop):
    spend = (
        "date,channel,amount\n"
        + "2024-01-01,Google Ads,5\n" * 3
        + "2024-01-02,google-ads,5\n2024-01-03,TV,2\n"
    )
    people = "customer_id,acquisition_channel\n1,Gogle Ads\n2,TV\n"
    study = shop(marketing_spend=spend, customers=people)
    assert sorted(set(column(study, "marketing_spend", "channel"))) == ["Google Ads", "TV", "google-ads"]
    assert study.quality.spellings.values.tolist() == [
        ["customers", "acquisition_channel", "Gogle Ads", 1, "Google Ads", 3],
        ["marketing_spend", "channel", "google-ads", 1, "Google Ads", 3],
    ]
    renamed = shop(
        entries={"marketing_spend": ', rename: {channel: {"google-ads": "Google Ads"}}'},
        marketing_spend=spend,
        customers=people,
    )
    assert column(renamed, "marketing_spend", "channel") == ["Google Ads"] * 4 + ["TV"]
    assert values(renamed, "marketing_spend")[("channel", "google-ads read as Google Ads")] == 1
    assert renamed.quality.spellings["table"].tolist() == ["customers"]


def test_words_that_differ_in_a_number_or_are_short_are_not_alike():
    words = ["Plan 1", "Plan 2", "north", "south", "TV", "PV", "e-mail", "gmail", "--", "?"]
    assert near_spellings({"marketing_spend": ibis.memtable({"channel": words})}).empty


def test_rename_gives_a_words_meaning_and_names_known_columns_only(shop):
    survey = "customer_id,date,question,score\n1,2024-01-06,Q17,9\n"
    study = shop(entries={"surveys": ", rename: {question: {Q17: nps}}"}, surveys=survey)
    assert column(study, "surveys", "question") == ["nps"]
    with pytest.raises(StudyError, match="rename of surveys names 'questoin'; did you mean 'question'"):
        shop(entries={"surveys": ", rename: {questoin: {Q17: nps}}"}, surveys=survey)


# Keys


def test_keys_that_point_to_nothing_are_counted_and_their_rows_stay(shop):
    study = shop(
        customers="customer_id,referrer_id,manager_id\n1,,m\n2,77,\n50,1,\n",
        service_cases="customer_id,opened\n1,2024-01-06\n3,2024-01-06\n50,2024-01-06\n88,2024-01-06\n88,2024-01-07\n",
        leads="lead_id,created,channel,customer_id\n1,2024-01-01,TV,50\n2,2024-01-01,TV,\n",
    )
    assert study.quality.orphans.values.tolist() == [
        ["customers", "referrer_id", "customers and transactions", 2, 1, 1],
        ["service_cases", "customer_id", "customers and transactions", 4 + 1, 2, 1],
        ["leads", "customer_id", "customers and transactions", 1, 0, 0],
    ]
    assert len(column(study, "service_cases", "customer_id")) == 5


def test_without_a_table_of_customers_keys_of_leads_are_not_checked(shop):
    study = shop(leads="lead_id,created,channel,customer_id\n1,2024-01-01,TV,50\n")
    assert study.quality.orphans.empty


# What was known


def test_nothing_that_happened_after_as_of_is_seen(shop):
    text = (
        "case_id,customer_id,opened,closed,minutes\n"
        "a,1,2024-02-01,2024-02-03,5\nb,1,2024-02-01,2024-03-05,9\nc,1,2024-03-02,,7\n"
    )
    study = shop(facts="as_of: 2024-03-01", service_cases=text)
    assert column(study, "service_cases", "case_id") == ["a", "b"]
    assert column(study, "service_cases", "closed") == [pd.Timestamp("2024-02-03"), None]
    assert column(study, "service_cases", "minutes") == [5, None]
    assert outcomes(study, "service_cases")["after 2024-03-01"] == 1
    later = "known only after 2024-03-01, and left empty"
    assert values(study, "service_cases") == {("closed", later): 1, ("minutes", later): 1}
    assert column(crm.open_study("shop", as_of="2024-03-05"), "service_cases", "minutes") == [5, 9, 7]


def test_a_promise_and_a_budget_may_lie_ahead():
    promises = ibis.memtable(
        pd.DataFrame({"date": [dt.datetime(2024, 1, 1)], "promise_due": [dt.datetime(2024, 9, 1)]})
    )
    assert (
        known_at(promises, CONTRACTS["touchpoints"], dt.date(2024, 3, 1))
        .promise_due.to_pandas()
        .notna()
        .all()
    )
    budget = ibis.memtable(pd.DataFrame({"date": [dt.datetime(2024, 9, 1)], "revenue": [1.0]}))
    assert known_at(budget, CONTRACTS["budget"], dt.date(2024, 3, 1)).revenue.to_pandas().tolist() == [1.0]


@pytest.mark.parametrize("contract", OPTIONAL, ids=lambda contract: contract.name)
def test_contracts_name_columns_that_they_have(contract):
    columns = {one.name: one for one in contract.columns}
    assert {contract.key, contract.dated_by} <= {"", *columns}
    for one in contract.columns:
        assert {one.not_before, one.known_from} <= {"", *columns}
        for other in (one.not_before, one.known_from):
            assert not other or columns[other].kind == "date"
        if one.refers_to:
            table, key = one.refers_to.split(".")
            assert key in CONTRACTS[table].names


# Who a customer is

PEOPLE = (
    "customer_id,full name,Mail,phone,birthday,consent,note\n"
    "ACME-1,Zoe Zimmerquist,zoe@example.org,+49 555 0101,1980-05-17,yes,Quellworth\n"
    "ACME-1,Bob Quellworth,bob@example.org,+49 555 0102,1981-06-18,yes,Quellworth\n"
    ",Cyd Ypsilon,cyd@example.org,+49 555 0103,1982-07-19,yes,Quellworth\n"
    "ACME-2,Dan Xylander,dan@example.org,+49 555 0104,never,no,Quellworth\n"
    "ACME-3,Eve Xylander\n"
)
SURVEYS = (
    "customer_id,date,question,score,comment\n"
    "ACME-1,2024-01-06,nps,9,Zimmerquist was rude\nACME-2,soon,nps,9,Xylander\n"
)
NAMED = {"customers": ", columns: {name: full name, email: Mail}"}
PERSONAL = ("Zimmerquist", "Quellworth", "Ypsilon", "Xylander", "example.org", "555 01", "1980-05-17", "rude")


def written(folder):
    """Every file below a folder with its content, tables as text."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix == ".parquet":
            yield path, pd.read_parquet(path).to_csv()
        if path.is_file():
            yield path, path.read_bytes().decode("latin-1")


def test_nothing_personal_is_in_any_file_that_is_written(shop, own_cache, tmp_path):
    study = shop(entries=NAMED, customers=PEOPLE, surveys=SURVEYS)
    quality, results = study.quality, study.results("01_data_check")
    frames = {
        "people": study.table("customers").to_pandas(),
        "surveys": study.table("surveys").to_pandas(),
        "aside": quality.table_quarantine("customers"),
        "values": quality.table_values,
        "spellings": quality.spellings,
        "orphans": quality.orphans,
    }
    for name, frame in frames.items():
        results.table(name, frame)
    assert outcomes(study, "customers")["used"] == 2
    seen = list(written(own_cache)) + list(written(tmp_path / "reports"))
    assert {path.name for path, _text in seen} >= {"used.parquet", "quarantine.parquet", "aside.parquet"}
    for path, text in seen:
        assert not [word for word in PERSONAL if word in text], path
    assert not {"name", "email", "phone", "birthday"} & set(study.table("customers").columns)


def test_a_study_may_say_that_personal_columns_are_kept(shop):
    study = shop("personal_columns: keep", NAMED, customers=PEOPLE, surveys=SURVEYS)
    assert column(study, "customers", "name") == ["Zoe Zimmerquist", "Dan Xylander"]
    assert column(study, "customers", "birthday") == [pd.Timestamp("1980-05-17"), None]
    assert column(study, "surveys", "comment") == ["Zimmerquist was rude"]
    assert "Bob Quellworth" in study.quality.table_quarantine("customers")["name"].tolist()


def test_names_beside_hashed_ids_are_refused(shop):
    with pytest.raises(StudyError, match="names would be written next to hashed ids"):
        shop("privacy: hash\npersonal_columns: keep", NAMED, customers=PEOPLE)


def test_a_refusal_quotes_nothing_personal(shop):
    with pytest.raises(DataError, match="no row can be used") as caught:
        shop(entries=NAMED, customers="customer_id,full name,Mail\n,Zoe Zimmerquist,zoe@example.org\n").table(
            "customers"
        )
    assert not [word for word in PERSONAL if word in str(caught.value)]


def test_hashed_ids_meet_in_every_table_and_the_others_are_nowhere(shop, own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLIB_HASH_SECRET", "a secret that is long enough")
    (tmp_path / "data" / "shop" / "orders.csv").write_text(
        "customer_id,date,amount\nACME-1,2024-01-05,10\nACME-2,2024-02-05,12\n"
    )
    people = "customer_id,referrer_id\nACME-1,ACME-2\nACME-1,ACME-2\nACME-2,ACME-9\n"
    study = shop(
        "privacy: hash",
        customers=people,
        leads="lead_id,created,channel,customer_id\n1,2024-01-01,TV,ACME-1\n",
    )
    bought = set(study.transactions.customer_id.to_pandas())
    assert set(column(study, "customers", "customer_id")) == bought
    assert set(column(study, "leads", "customer_id")) < bought
    assert study.quality.orphans["orphans"].tolist() == [1, 0]
    assert outcomes(study, "customers")["repeated customer id"] == 1
    for path, text in written(own_cache):
        assert "ACME" not in text, path


# The cache


def test_a_table_is_cleaned_once_and_again_when_it_changes(shop):
    spend = "date,channel,amount\n2024-01-01,TV,5\n"
    first = shop(marketing_spend=spend).cleaned.folder("marketing_spend")
    assert crm.open_study("shop").cleaned.folder("marketing_spend") == first
    assert crm.open_study("shop", as_of="2024-03-01").cleaned.folder("marketing_spend") == first
    changed = shop(marketing_spend=spend + "2024-01-02,TV,6\n")
    assert changed.cleaned.folder("marketing_spend") != first
    assert column(changed, "marketing_spend", "amount") == [5, 6]


def test_has_says_which_columns_hold_something(shop):
    study = shop(customers="customer_id,birthday,referrer_id\n1,1980-05-17,\n2,,\n")
    assert study.has("customers", "birthday")
    assert not study.has("customers", "referrer_id")
    assert not study.has("customers", "phone")
    assert study.has("transactions", "amount")
    assert not study.has("transactions", "cost")
    assert not study.has("surveys", "score")


def test_a_study_without_optional_tables_says_so(shop):
    quality = shop().quality
    assert quality.tables_in_words.startswith("This study has only a purchase log")
    assert quality.tables.empty
    assert quality.orphans.empty
    assert quality.spellings.empty
    assert quality.tables_found == {}


def test_the_sentence_counts_what_the_frames_count(shop):
    study = shop(service_cases="customer_id,opened\n1,2024-01-06\n88,2024-01-06\n2,soon\n")
    assert study.quality.tables_in_words == (
        "In addition to its purchase log, this study has service cases. Rows used: 2; dated later: 0; set aside: 1; "
        "keys without a match: 1; similar spellings: 0."
    )
    found = study.quality.tables_found
    assert list(found) == [
        "Rows by table",
        "Set aside, by reason",
        "Keys without a match; their rows are used",
    ]
    by_table = found["Rows by table"].iloc[0]
    assert by_table[["table", "in_the_source", "used", "later", "set_aside"]].tolist() == [
        "service_cases",
        3,
        2,
        0,
        1,
    ]
    report = json.loads((study.cleaned.folder("service_cases") / "report.json").read_text())
    assert report["filled"] == {"customer_id": 2, "opened": 2}


def test_the_data_dictionary_is_that_of_the_contracts():
    path = Path(__file__).parents[2] / "data" / "README.md"
    assert path.read_text(encoding="utf-8") == dictionary(), "run python -m tests.data.dictionary"
    for contract in CONTRACTS.values():
        part = dictionary().split(f"## {contract.name}\n")[1].split("\n## ")[0]
        listed = [line.split("`")[1] for line in part.splitlines() if line.startswith("| `")]
        assert listed == contract.names
    assert "| `birthday` | date | personal |" in dictionary()
    assert "one of: control, treated" in dictionary()


def test_what_is_known_from_a_planned_day_is_not_known_before():
    day = [dt.datetime(2024, 9, 1)]
    rows = ibis.memtable(pd.DataFrame({"churned": ["Yes"], "outcome_known_on": day}))
    seen = known_at(rows, CONTRACTS["customer_features"], dt.date(2024, 3, 1)).to_pandas()
    assert seen["churned"].isna().all()
    assert seen["outcome_known_on"].tolist() == day


def test_a_contact_without_customer_and_lead_is_set_aside(shop):
    study = shop(
        touchpoints="customer_id,lead_id,date,channel\n1,,2024-01-06,web\n,L1,2024-01-07,search\n"
        ",,2024-01-08,web\n2,L2,2024-01-09,shop\n"
    )
    assert column(study, "touchpoints", "lead_id") == [None, "L1", "L2"]
    assert column(study, "touchpoints", "channel") == ["web", "search", "shop"]
    aside = study.quality.tables.set_index("outcome")["rows"].to_dict()
    assert aside["no customer id"] == 1
    assert CONTRACTS["touchpoints"].lacking(["date", "channel", "lead_id"]) == []
    assert CONTRACTS["touchpoints"].lacking(["date", "channel"]) == ["customer_id"]
