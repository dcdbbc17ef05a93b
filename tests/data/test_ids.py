"""Customer ids: one id per customer in every table and source, however programs write it; losses are counted."""

import duckdb
import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import crmlib as crm
from crmlib.data.cleaning.ids import read_id
from crmlib.errors import DataError

AS_OF = "2024-12-31"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A function that writes tables and their study into a project of its own, and opens it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "shop").mkdir(parents=True)

    def shop(*, more="", **tables):
        lines = [f"  {name}: {{source: {name}.csv}}" for name in tables]
        for name, text in tables.items():
            (tmp_path / "data" / "shop" / f"{name}.csv").write_text(text)
        study = "\n".join(["title: Shop", *more.splitlines(), "tables:", *lines, ""])
        (tmp_path / "data" / "shop" / "study.yaml").write_text(study)
        return crm.open_study("shop")

    return shop


def rows_of(*ids, amount="10", date="2024-03-01"):
    return "customer_id,date,amount\n" + "".join(f"{one},{date},{amount}\n" for one in ids)


def ids_of(study):
    return sorted(set(study.transactions.customer_id.to_pyarrow().to_pylist()))


def gate(study, name):
    return study.quality.gates.set_index("gate").loc[name]


# --- one text for one id ---


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("13085", "13085"), ("13085.0", "13085"), ("13085.00", "13085"), ("13085,0", "13085"), ("-1.0", "-1"),
        ('="00123"', "00123"), ("=123", "123"), ("'00123", "00123"), ("'00123'", "00123"), ('"00123"', "00123"),
        ('="13085.0"', "13085"), ('=" 7 "', "7"), ("1.3085E+04", "13085"), ("1.308500000000000000e+04", "13085"),
        # Two ids may differ in these, and a product may be called so.
        ("007", "007"), ("a1", "a1"), ("A1", "A1"), ("1.000", "1.000"), ("12,347", "12,347"), ("12.5", "12.5"),
        ("'t Veer", "'t Veer"), ("A-7.0", "A-7.0"), ("#1 Mum!", "#1 Mum!"), ("C+1", "C+1"), ("1E5", "1E5"),
        # No id is left of these.
        ("1.23457E+11", None), ("1,23457E+11", None), ("1E+05", None), ("1.2345678901234568e+17", None),
        ("#REF!", None), ("#NAME?", None), ("#DIV/0!", None), ("#WERT!", None),
        ("#N/A", None), ("####", None), ('=""', None),
    ],
)  # fmt: skip
def test_what_a_program_put_around_an_id_is_taken_off(written, meant):
    assert read_id(ibis.memtable({"id": [written]}).id).to_pyarrow().to_pylist() == [meant]


WAYS = ["{}", "{}.0", " {} ", '="{}"', "'{}", "{}.00", "\t{}"]


@pytest.mark.thorough
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(WAYS)), min_size=1, max_size=30))
def test_a_log_gives_the_same_summary_however_its_ids_are_written(purchases):
    numbers = [number for number, _way in purchases]
    clean = pd.DataFrame({"customer_id": numbers, "amount": 10.0})
    clean["date"] = pd.date_range("2024-01-01", periods=len(clean))
    studies = {
        "text": crm.open_study(clean.assign(customer_id=[way.format(n) for n, way in purchases])),
        "int": crm.open_study(clean),
        "float": crm.open_study(clean.astype({"customer_id": float})),
        "mixed": crm.open_study(
            clean.assign(customer_id=pd.Series([numbers[0], *map(float, numbers[1:])], dtype=object))
        ),
    }
    found = {
        name: crm.rfm_summary(study.transactions, as_of=AS_OF)
        .astype({"customer_id": int})
        .sort_values("customer_id")
        for name, study in studies.items()
    }
    for name in ("text", "float", "mixed"):
        pd.testing.assert_frame_equal(
            pd.DataFrame(found[name]).reset_index(drop=True),
            pd.DataFrame(found["int"]).reset_index(drop=True),
        )


def as_csv(frame, path):
    frame.to_csv(path.with_suffix(".csv"), index=False)


def as_parquet(frame, path):
    frame.to_parquet(path.with_suffix(".parquet"))


def as_workbook(frame, path):
    frame.to_excel(path.with_suffix(".xlsx"), index=False)


def as_duckdb(frame, path):
    with duckdb.connect(str(path.with_suffix(".duckdb"))) as connection:
        connection.register("rows", frame)
        connection.execute("create table rows_of_it as select * from rows")


@pytest.mark.parametrize(
    ("write", "kind"),
    [(as_csv, "float64"), (as_parquet, "int64"), (as_parquet, "float64"), (as_workbook, "str"),
     (as_workbook, "float64"), (as_duckdb, "int64"), (as_duckdb, "str")],
)  # fmt: skip
def test_an_optional_table_of_any_source_finds_its_customers(tmp_path, monkeypatch, write, kind):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    (folder / "log.csv").write_text(rows_of("13085", "13086"))
    cases = pd.DataFrame(
        {"customer_id": pd.Series([13085, 13086, 13085]).astype(kind), "opened": "2024-03-02"}
    )
    write(cases, folder / "cases")
    file = next(folder.glob("cases.*")).name
    (folder / "study.yaml").write_text(
        f"title: Shop\ntables: {{transactions: {{source: log.csv}}, service_cases: {{source: {file}}}}}\n"
    )
    study = crm.open_study("shop")
    assert study.quality.orphans["orphans"].tolist() == [0]
    assert gate(study, "customers of the other tables")["status"] == "pass"


def test_a_log_of_two_spellings_is_one_customer_and_says_so(project):
    study = project(transactions="customer_id,date,amount\n13085.0,2024-01-05,10\n13085,2024-01-06,20\n")
    assert ids_of(study) == ["13085"]
    found = gate(study, "ids that a program changed")
    assert found["status"] == "warn"
    assert found["found"].startswith("1 id read without what a program put around it")
    assert "export these columns as text" in found["meaning"]


def test_ids_without_their_digits_are_set_aside_and_orders_left_without_one(project):
    study = project(
        transactions="customer_id,date,amount,order_id,product\n7,2024-01-05,10,1.23E+11,85123.0\n"
        "8,2024-01-05,10,1.23E+11,#REF!\n1.23457E+11,2024-01-06,20,5,x\n#NAME?,2024-01-06,20,6,x\n"
    )
    used = study.transactions.to_pandas()
    assert used["order_id"].isna().all()
    assert used["product"].fillna("").tolist() == ["85123", ""]
    assert study.quality.quarantine[["reason", "customer_id", "order_id"]].to_numpy().tolist() == [
        ["customer id in scientific notation, with digits lost", "1.23457E+11", "5"],
        ["customer id written as an error of a spreadsheet", "#NAME?", "6"],
    ]
    found = gate(study, "ids that a program changed")["found"]
    assert (
        "3 ids in scientific notation, with digits lost (transactions: customer id and transactions: order id)"
        in found
    )
    assert (
        "2 ids written as an error of a spreadsheet (transactions: customer id and transactions: product)"
        in found
    )


def test_ids_that_may_be_two_customers_stay_apart_and_are_shown_by_their_shape(project):
    study = project(transactions=rows_of("007", "7", "A17", "a17", "b 2", "b2", "c3"))
    assert len(ids_of(study)) == 7
    found = gate(study, "ids nearly alike")
    assert (found["status"], found["found"]) == ("warn", "3, of shapes such as '009' and '9'")


def test_a_table_of_other_customers_fails_loudly(project):
    study = project(
        transactions=rows_of("101", "102"),
        service_cases="customer_id,opened\nC-101,2024-03-02\nC-102,2024-03-02\n",
    )
    found = gate(study, "customers of the other tables")
    assert found["status"] == "fail"
    assert found["found"] == (
        "service_cases ('customer_id' with ids like 'A-999') shares no customer with the log "
        "('customer_id' with ids like '999')"
    )


def test_sums_of_other_rows_are_no_purchases(project):
    lines = ["A1,2024-01-05,10", "A2,2024-01-06,20", "A1,2024-01-07,5", "A3,2024-01-08,7"]
    head = "customer_id,date,amount\n"
    for total in ("Total,,42", ",Grand Total,42", "Gesamtsumme:,,42", ",2024-01-31,42", "Subtotal,,30"):
        study = project(transactions=head + "\n".join([*lines, total, ""]))
        assert ids_of(study) == ["A1", "A2", "A3"]
        assert study.quality.quarantine["reason"].tolist() == ["a sum of other rows"], total
        found = study.quality.gates.set_index("gate")
        assert found.loc["sums among the rows", "status"] == "warn"
        assert found.loc[["rows set aside", "money set aside"], "status"].tolist() == ["pass", "pass"]


def test_a_customer_with_dates_who_is_called_total_is_named_and_stays(project):
    study = project(transactions=rows_of("A1", "Total", "A2", "Total"))
    assert "Total" in ids_of(study)
    assert gate(study, "sums among the rows")["found"] == "customer 'Total' has 2 rows"


def test_two_equal_amounts_are_no_sum(project):
    study = project(transactions="customer_id,date,amount\nA1,2024-01-05,10\n,2024-01-06,10\n")
    assert study.quality.quarantine["reason"].tolist() == ["no customer id"]


# --- the way back ---


@pytest.mark.parametrize("kind", ["int64", "int32", "float64", "Int64", "category"])
def test_numbers_of_a_frame_come_back_as_numbers(kind):
    frame = pd.DataFrame({"customer_id": [10, 2, 10, 100], "amount": 5.0, "date": pd.Timestamp("2024-03-01")})
    frame["customer_id"] = frame["customer_id"].astype(kind)
    study = crm.open_study(frame)
    for log in (frame, study.transactions):
        ids = crm.rfm_summary(log, as_of=AS_OF)["customer_id"]
        assert ids.dtype == "int64"
        assert ids.tolist() == [2, 10, 100]
    if kind != "category":
        assert len(frame.merge(ids.to_frame(), on="customer_id")) == 4


def test_texts_come_back_as_texts(project, monkeypatch):
    frame = pd.DataFrame({"customer_id": ["10", "2"], "amount": 5.0, "date": pd.Timestamp("2024-03-01")})
    study = crm.open_study(frame)
    assert crm.rfm_summary(study.transactions, as_of=AS_OF)["customer_id"].tolist() == ["10", "2"]
    assert ids_of(project(transactions=rows_of(10, 2))) == ["10", "2"]
    monkeypatch.setenv("CRMLIB_HASH_SECRET", "only the tests know this")
    hashed = crm.open_study(frame.astype({"customer_id": int}), privacy="hash")
    assert all(len(one) == 20 for one in ids_of(hashed))


def test_the_hash_of_an_id_is_that_of_its_one_text(project, monkeypatch):
    monkeypatch.setenv("CRMLIB_HASH_SECRET", "only the tests know this")
    study = project(more="privacy: hash", transactions=rows_of("13085.0", "13085", '"=""13085"""'))
    assert len(ids_of(study)) == 1
    assert gate(study, "ids nearly alike")["found"] == "cannot be seen: ids are hashed"


def test_guests_named_after_their_orders_make_ids_texts():
    frame = pd.DataFrame({"customer_id": [7, None], "order_id": ["a", "b"], "amount": 5.0})
    study = crm.open_study(
        frame.assign(date=pd.Timestamp("2024-03-01")), policies={"guests": "one_customer_per_order"}
    )
    assert ids_of(study) == ["7", "guest of order b"]


@pytest.mark.parametrize(
    ("log_kind", "table_kind"),
    [("int64", "float64"), ("int64", "str"), ("float64", "int64"), ("str", "int64"), ("str", "float64")],
)
def test_two_frames_match_whatever_their_ids_are(log_kind, table_kind):
    log = pd.DataFrame({"customer_id": [7, 10], "amount": [5.0, 6.0], "date": pd.Timestamp("2024-03-05")})
    test = pd.DataFrame({"experiment": "x", "customer_id": [7, 10], "group": ["treated", "control"]})
    test["assigned"] = pd.Timestamp("2024-03-01")
    found = crm.experiment_outcomes(
        log.astype({"customer_id": log_kind}), test.astype({"customer_id": table_kind}), days=28, as_of=AS_OF
    )
    assert sorted(found["spend"]) == [5.0, 6.0]
    assert found["customer_id"].dtype == ("object" if log_kind == "str" else "int64")


def test_ids_that_cannot_match_are_refused():
    log = pd.DataFrame({"customer_id": [7], "amount": [5.0], "date": pd.Timestamp("2024-03-05")})
    cases = pd.DataFrame({"customer_id": ["C7"], "opened": pd.Timestamp("2024-03-06"), "minutes": [3.0]})
    with pytest.raises(DataError, match="customer_id: the purchase log has whole numbers, the other table"):
        crm.customer_profit(
            log, start="2024-01-01", end=AS_OF, service_cases=cases, costs={"per_service_minute": 1}
        )


# --- what is lost ---


def shares(project, lost, of=100, amount="10", policies=""):
    """A log in which so many rows have no customer."""
    lines = [f"{'' if place < lost else place},2024-03-01,{amount}" for place in range(of)]
    return project(more=policies, transactions="\n".join(["customer_id,date,amount", *lines, ""]))


@pytest.mark.parametrize(
    ("lost", "rows", "money"),
    [(0, "pass", "pass"), (5, "pass", "pass"), (6, "warn", "warn"), (15, "warn", "warn"),
     (16, "warn", "fail"), (20, "warn", "fail"), (21, "fail", "fail")],
)  # fmt: skip
def test_rows_and_money_without_a_customer(project, lost, rows, money):
    study = shares(project, lost)
    assert gate(study, "rows set aside")["status"] == rows
    assert gate(study, "money set aside")["status"] == money
    assert study.quality.shares_lost == {
        "rows": lost / 100,
        "money": pytest.approx(lost / 100),
        "unknown": 0.0,
    }


def test_amounts_that_cannot_be_read_are_not_nothing(project):
    lines = [f"{place},2024-03-01,{'ten' if place < 30 else '10'}" for place in range(100)]
    study = project(transactions="\n".join(["customer_id,date,amount", *lines, ""]))
    assert study.quality.rows.set_index("outcome")["amount"].isna().to_dict()["unreadable amount"]
    found = gate(study, "money set aside")
    assert (found["status"], found["found"]) == ("fail", "not known for 30 rows")


def test_returns_do_not_hide_purchases_without_a_customer(project):
    lines = ["a,2024-03-01,100", ",2024-03-02,100", ",2024-03-03,-100", "b,2024-03-02,100"]
    study = project(transactions="\n".join(["customer_id,date,amount", *lines, ""]))
    assert gate(study, "money set aside")["found"] == "50 %: no customer id 50 %"


def test_what_a_study_leaves_out_is_not_lost(project):
    lines = [f"{place},2024-03-01,10,{'cancelled' if place < 60 else 'paid'},EUR" for place in range(100)]
    study = project(
        more="currency: EUR", transactions="\n".join(["customer_id,date,amount,status,currency", *lines, ""])
    )
    assert study.quality.gates["status"].unique().tolist() == ["pass"]
    assert study.quality.shares_lost["rows"] == 0.0


def test_most_rows_in_another_currency_are_a_warning(project):
    lines = [f"{place},2024-03-01,10,{'SEK' if place < 60 else 'EUR'}" for place in range(100)]
    study = project(
        more="currency: EUR", transactions="\n".join(["customer_id,date,amount,currency", *lines, ""])
    )
    found = study.quality.gates.set_index("gate")["status"]
    assert found.loc[["other currencies", "rows set aside"]].tolist() == ["warn", "pass"]


@pytest.mark.parametrize(("lost", "code"), [(15, 0), (30, 1)])
def test_crm_check_ends_with_1_where_too_much_is_lost(project, lost, code):
    from click.testing import CliRunner

    from crmlib.cli import main

    shares(project, lost)
    done = CliRunner().invoke(main, ["check", "shop"])
    assert done.exit_code == code, done.output
    assert "money set aside" in done.output


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["cdnow", "cdnow-sample", "simulated-firm"])
def test_bundled_studies_lose_nothing(name):
    assert crm.open_study(name).quality.gates["status"].unique().tolist() == ["pass"]
