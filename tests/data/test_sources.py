"""Every kind of source opens through the one function, and gives the same rows."""

import gzip

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import crmlib as crm
from crmlib.data.files.source_files import source_files
from crmlib.data.sources import as_transactions, open_table
from crmlib.errors import DataError

ROWS = pd.DataFrame(
    {
        "customer_id": ["00012", "1e5", "7"],
        "date": ["2024-01-05", "2024-01-06", "2024-02-01"],
        "amount": ["9.50", "0", "-3.25"],
    }
)


def csv(path, frame=ROWS):
    frame.to_csv(path, index=False)
    return path


def rows_of(table):
    return table.select("customer_id", "date", "amount").order_by("date").to_pandas().astype(str)


def parquet(path, frame=ROWS):
    frame.to_parquet(path)
    return path


def as_gz(folder):
    (folder / "log.csv.gz").write_bytes(gzip.compress(ROWS.to_csv(index=False).encode()))
    return folder / "log.csv.gz"


def as_folder_of_csv(folder):
    csv(folder / "a.csv", ROWS[:1])
    csv(folder / "b.csv", ROWS[1:])
    return folder


def as_glob_of_parquet(folder):
    parquet(folder / "a.parquet", ROWS[:2])
    parquet(folder / "b.parquet", ROWS[2:])
    (folder / "notes.md").write_text("not a table")
    return str(folder / "*.parquet")


def as_duckdb(folder):
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.register("rows", ROWS)
        connection.execute("create table orders as select * from rows")
    return folder / "shop.duckdb"


SOURCES = {
    "CSV": lambda folder: csv(folder / "log.csv"),
    "gzipped CSV": as_gz,
    "Parquet": lambda folder: parquet(folder / "log.parquet"),
    "folder": as_folder_of_csv,
    "glob": as_glob_of_parquet,
    "DuckDB file": as_duckdb,
    "pandas": lambda folder: ROWS,
    "Polars": lambda folder: pl.from_pandas(ROWS),
    "PyArrow": lambda folder: pa.Table.from_pandas(ROWS),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_gives_the_same_rows_with_leading_zeros(kind, tmp_path):
    found = rows_of(open_table(SOURCES[kind](tmp_path)))
    pd.testing.assert_frame_equal(found, ROWS.astype(str), check_dtype=False)


def test_a_relative_path_starts_from_the_base(tmp_path):
    csv(tmp_path / "log.csv")
    assert open_table("log.csv", base=tmp_path).count().to_pyarrow().as_py() == 3


def test_columns_of_files_are_matched_by_name(tmp_path):
    csv(tmp_path / "a.csv")
    csv(tmp_path / "b.csv", ROWS[["amount", "customer_id", "date"]])
    table = open_table(tmp_path)
    assert set(table.customer_id.to_pandas()) == {"00012", "1e5", "7"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ordrs.csv", "did you mean 'orders.csv'"),
        ("orders.xyz", "its file ending is not supported"),
        ("*.parquet", "no CSV or Parquet file found there"),
        ("nowhere/orders.csv", "the folder does not exist"),
    ],
)
def test_a_missing_source_is_named_with_what_exists(source, expected, tmp_path):
    csv(tmp_path / "orders.csv")
    (tmp_path / "orders.xyz").write_text("x")
    with pytest.raises(DataError, match=expected.replace("*", r"\*")):
        open_table(source, base=tmp_path)


def test_a_mixed_folder_is_refused(tmp_path):
    csv(tmp_path / "a.csv")
    parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="mixes kinds of files"):
        open_table(tmp_path)


def test_a_duckdb_file_says_which_tables_it_has(tmp_path):
    with pytest.raises(DataError, match="no table 'ordrs'.*did you mean 'orders'"):
        open_table(as_duckdb(tmp_path), table="ordrs")


def test_a_table_in_a_schema_of_a_duckdb_file_is_named_with_it(tmp_path):
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            "create schema sales; create table sales.log as select 1 as a; create view b as select 2 as b"
        )
    assert open_table(tmp_path / "shop.duckdb", table="sales.log").a.execute().tolist() == [1]
    assert open_table(tmp_path / "shop.duckdb", table="b").b.execute().tolist() == [2]
    with pytest.raises(DataError, match=r"no table None.*sales\.log"):
        open_table(tmp_path / "shop.duckdb")


def test_a_duckdb_file_that_changed_is_read_anew(tmp_path):
    """An export replaces the file, as another process does it, while this one goes on."""
    for value in (1, 2):
        with duckdb.connect(str(tmp_path / f"{value}.duckdb")) as connection:
            connection.execute(f"create table log as select {value} as a from range({value}000)")
        (tmp_path / f"{value}.duckdb").replace(tmp_path / "shop.duckdb")
        assert open_table(tmp_path / "shop.duckdb").a.execute().unique().tolist() == [value]


def test_a_study_reads_a_duckdb_file(tmp_path):
    """The log is cleaned and kept, and an optional table beside it: both go through the one engine."""
    as_duckdb(tmp_path)
    with duckdb.connect(str(tmp_path / "plan.duckdb")) as connection:
        connection.execute("create table plan as select date '2024-01-01' as date, 5.0 as revenue")
    tables = "{transactions: {source: shop.duckdb, table: orders}, budget: {source: plan.duckdb}}"
    (tmp_path / "study.yaml").write_text(f"title: A shop\ntables: {tables}\n")
    study = crm.open_study(tmp_path / "study.yaml")
    assert set(study.transactions.customer_id.execute()) == {"00012", "1e5", "7"}
    assert study.cleaned.report("transactions").sources[0]["file"].endswith("shop.duckdb")
    assert study.table("budget").revenue.execute().tolist() == [5.0]


def test_an_address_of_a_file_is_its_path_and_a_server_is_refused(tmp_path):
    path = csv(tmp_path / "my log.csv")
    assert open_table(path.as_uri()).count().to_pyarrow().as_py() == 3
    with pytest.raises(DataError, match="source begins with postgresql://; allowed: the path of a file"):
        open_table("postgresql://me:secret@host/shop")


def test_a_frame_with_a_column_twice_is_refused():
    twice = pd.concat([ROWS, ROWS[["amount"]]], axis=1)
    with pytest.raises(DataError, match="'amount' occurs twice"):
        open_table(twice)


def test_files_come_in_a_fixed_order(tmp_path):
    for name in ("c", "a", "b"):
        csv(tmp_path / f"{name}.csv")
    assert [one.name for one in source_files(tmp_path)] == ["a.csv", "b.csv", "c.csv"]


def test_a_plain_frame_serves_as_transactions():
    frame = pd.DataFrame({"customer_id": [7], "date": [pd.Timestamp("2024-01-05")], "amount": [-2]})
    row = as_transactions(frame).to_pandas().iloc[0]
    assert row["customer_id"] == 7
    assert not row["is_purchase"]
    assert pd.isna(row["reversed_on"])


def test_text_where_numbers_belong_is_refused_with_the_cure():
    with pytest.raises(DataError, match=r"amount is string.*crm\.open_study"):
        as_transactions(ROWS)


def test_a_missing_column_names_the_nearest():
    with pytest.raises(DataError, match="no column 'customer_id'; did you mean 'customerid'"):
        as_transactions(ROWS.rename(columns={"customer_id": "customerid"}))


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA])
def test_a_column_that_holds_nothing_has_the_type_of_its_contract_or_is_text(nothing):
    frame = pd.DataFrame(
        {"customer_id": ["a", "a"], "date": pd.to_datetime(["2024-01-05"] * 2), "amount": [2.0, -2.0]}
    )
    for name in ("cost", "product", "note"):
        frame[name] = pd.Series([nothing] * 2, dtype=object)
    rows = as_transactions(frame)
    kinds = {name: str(rows[name].type()) for name in ("cost", "product", "note")}
    assert kinds == {"cost": "float64", "product": "string", "note": "string"}
    assert rows.reversed_on.to_pandas().notna().tolist() == [True, False]
    assert crm.rfm_summary(frame, as_of="2024-02-01").empty
    assert as_transactions(frame.assign(reversed_on=None)).reversed_on.type().is_timestamp()
