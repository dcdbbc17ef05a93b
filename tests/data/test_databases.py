"""A table of a database as a source: the same study as from a file with these rows."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

import crmlib as crm
from crmlib.cli import main
from crmlib.data.contracts import CONTRACTS
from crmlib.data.database_rows import as_read, row_hashes
from crmlib.data.databases import SCHEMES, rows_of
from crmlib.data.guessing.table import guess_table
from crmlib.data.kept import QUARANTINE, USED
from crmlib.errors import DataError, RunError
from crmlib.report.plan import plan_report
from crmlib.study.tables import RUN_STATE

COLUMNS = "id int, buyer text, day timestamp, paid numeric(10,2), order_no text, state text, pieces double precision"
NAMED = dict(
    customer_id="buyer",
    date="day",
    amount="paid",
    order_id="order_no",
    status="state",
    quantity="pieces",
    line_id="id",
)


def awkward_log() -> list[tuple]:
    """Rows with all that a log may have: no customer, returns, repeats, equal amounts, states that are no sale."""
    draw, rows = random.Random(7), []
    for number in range(1, 400):
        buyer = draw.choice([f"{draw.randrange(60):05d}", " b ", 'Zoë, "Z"\tB;', "null", "", None, "1e5"])
        day = f"2024-{draw.randrange(1, 12):02d}-{draw.randrange(1, 28):02d} {draw.randrange(24):02d}:30:00"
        paid = draw.choice(["10.00", "-10.00", "0.00", "0.10", "19.99", None])
        state = draw.choice(["paid", "paid", None, "Cancelled", "test"])
        pieces = draw.choice([1.0, 2.5, None])
        rows.append((number, buyer, day, paid, f"O{number // 2}", state, pieces))
    return rows


ROWS = awkward_log()
SHUFFLED = random.Random(1).sample(ROWS, len(ROWS))


@pytest.fixture
def shop(tmp_path, monkeypatch, files):
    """Write a study of one source beside the awkward log, and open it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "shop"
    folder.mkdir(parents=True)
    for name in ("shop.db", "shop.duckdb"):
        shutil.copyfile(files / name, folder / name)

    def opened(source, columns=NAMED, further=None, currency="EUR", **entry):
        log = {"source": source, "columns": columns, **entry}
        content = {
            "title": "A shop",
            "currency": currency,
            "tables": {"transactions": log, **(further or {})},
        }
        (folder / "study.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return crm.open_study("shop")

    return opened


def cache_of(tmp_path: Path) -> list[str]:
    """The entries of the cache without notes; asserts that none is incomplete."""
    return sorted(
        path.relative_to(tmp_path / ".cache/crmlib").parts[0]
        for path in (tmp_path / ".cache/crmlib").glob("*/[!.]*")
        if path.parent.name != "digests"
    ) + [path.name for path in tmp_path.rglob(".making-*")]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The awkward log as a Parquet file, an SQLite and a DuckDB database; in these the rows stand in another order."""
    folder = tmp_path_factory.mktemp("files")
    with duckdb.connect(folder / "shop.duckdb") as connection:
        connection.execute(f"CREATE TABLE orders ({COLUMNS})")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", SHUFFLED)
        connection.execute(f"COPY (FROM orders ORDER BY id) TO '{folder / 'orders.parquet'}'")
    with sqlite3.connect(folder / "shop.db") as sqlite:
        sqlite.execute(f"CREATE TABLE orders ({COLUMNS})")
        sqlite.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", SHUFFLED)
    sqlite.close()
    return folder


def found_in(study) -> dict[str, object]:
    """All that a study finds in its log: the cleaned rows, those set aside, the report, and figures of customers."""
    folder, report = study.cleaned.folder("transactions"), study.cleaned.report("transactions")
    used = pd.read_parquet(folder / USED)
    aside = pd.read_parquet(folder / QUARANTINE).drop(columns="source_file")
    return {
        "used": used.sort_values("line_id", key=lambda number: number.astype(int)).to_dict("records"),
        "aside": aside.to_dict("records"),
        "report": [report.rows, report.values, report.filled, report.policies, report.states, report.days],
        "customers": crm.rfm_summary(study.transactions, as_of=study.as_of).reset_index().to_dict("records"),
    }


@pytest.fixture(scope="module")
def wanted(files):
    """What a study finds in the file."""
    entry = {"transactions": {"source": "orders.parquet", "columns": NAMED}}
    (files / "study.yaml").write_text(yaml.safe_dump({"title": "A shop", "currency": "EUR", "tables": entry}))
    return found_in(crm.open_study(files / "study.yaml"))


@pytest.mark.parametrize("kind", ["postgres", "sqlite", "duckdb"])
def test_a_study_of_a_database_is_that_of_a_file_with_its_rows(kind, shop, tmp_path, wanted, request):
    if kind == "postgres":
        server = request.getfixturevalue("postgres")
        server.fill("orders", COLUMNS, SHUFFLED)
        address = server.address()
    else:
        address = {"sqlite": "sqlite://shop.db", "duckdb": "duckdb://shop.duckdb"}[kind]
    found = found_in(shop(address, table="orders"))
    for part, value in wanted.items():
        if (kind, part) != (
            "sqlite",
            "aside",
        ):  # SQLite keeps 10.00 as 10, and so it stands among the rows set aside
            assert json.dumps(found[part], default=str) == json.dumps(value, default=str), part
    assert len(found["aside"]) == len(wanted["aside"]) > 50
    assert cache_of(tmp_path) == ["cleaned", "databases"]


def rows_in(kind, tmp_path, values, request):
    """A table with these rows in a database of a kind."""
    if kind == "postgres":
        server = request.getfixturevalue("postgres")
        server.fill("few", "a text, b text, n double precision", values)
        return rows_of(server.address(), "few")
    path = tmp_path / f"few.{kind}"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path) if kind == "sqlite" else duckdb.connect(path)
    connection.execute("CREATE TABLE few (a text, b text, n double precision)")
    for row in values:
        connection.execute("INSERT INTO few VALUES (?, ?, ?)", row)
    connection.commit()
    connection.close()
    return rows_of(f"{kind}://{path}", "few")


@pytest.mark.parametrize("kind", ["postgres", "sqlite", "duckdb"])
def test_a_key_changes_with_the_rows_but_not_with_their_order(kind, tmp_path, request):
    rows = [("a", "b", 1.5), ("a", "b", 1.5), ("c", None, 2.0), ("d", "", None)]
    same = [rows, rows[::-1]]
    others = [
        rows[1:],
        [*rows, rows[0]],
        [*rows[:2], rows[2], rows[2], rows[3]],
        [*rows[:3], ("d", None, None)],
        [*rows[:2], ("c", "", 2.0), ("d", None, None)],
        [("a", "b", 1.5), ("ab", "", 1.5), *rows[2:]],
        [("a;1:b", "b", 1.5), *rows[1:]],
        [("a", "b", 1.6), ("a", "b", 1.4), *rows[2:]],
        [],
    ]
    keys = [rows_in(kind, tmp_path, values, request).state().sha256 for values in (*same, *others)]
    assert keys[0] == keys[1]
    assert len({*keys}) == 1 + len(others)


TYPES = ("string", "int32", "int64", "float64", "boolean", "date", "timestamp", "decimal(12, 2)", "uuid")


@pytest.mark.parametrize("dialect", sorted({*SCHEMES} - {"postgresql", "pyspark"}))
def test_the_key_and_the_columns_compile_in_every_dialect(dialect):
    table = ibis.table({f"of {kind.partition('(')[0]}": kind for kind in TYPES}, name="orders")
    key = ibis.to_sql(row_hashes(table, table.columns, dialect), dialect=dialect)
    hashes = {
        "postgres": "HASHTEXTEXTENDED", "mysql": "CONV", "sqlite": "CRMLIB_HASH", "duckdb": "HASH", "trino": "XXHASH64",
        "snowflake": "HASH", "bigquery": "FARM_FINGERPRINT", "databricks": "XXHASH64", "clickhouse": "sipHash64",
    }  # fmt: skip
    assert f"{hashes[dialect]}(" in key
    assert key.count("orders") == 1  # one scan
    assert [name for name in table.columns if name not in key] == []
    assert "CAST(" in ibis.to_sql(as_read(table, table.columns, dialect), dialect=dialect)


def test_a_key_is_that_of_the_columns_that_a_study_reads(shop, tmp_path):
    database = tmp_path / "data" / "shop" / "shop.db"
    columns = {"customer_id": "buyer", "date": "day", "amount": "paid"}
    key = shop("sqlite://shop.db", columns, table="orders").cleaned.key("transactions")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE orders SET state = 'else', pieces = 3, id = id + 1000")
    assert crm.open_study("shop").cleaned.key("transactions") == key
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE orders SET paid = 0.11 WHERE id = 1007")
    assert crm.open_study("shop").cleaned.key("transactions") != key


def test_a_run_asks_a_database_before_and_after_and_not_between(shop, tmp_path, monkeypatch):
    shop("sqlite://shop.db", table="orders")
    plan = plan_report("shop")
    plan.require_unchanged(databases=True)
    monkeypatch.setenv(RUN_STATE, json.dumps(plan.state))
    database, away = tmp_path / "data" / "shop" / "shop.db", tmp_path / "away.db"
    database.rename(away)
    assert (
        crm.open_study("shop").transactions.count().to_pyarrow().as_py() > 100
    )  # as a notebook of the run does
    away.rename(database)
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM orders WHERE id = 7")
    plan.require_unchanged()
    with pytest.raises(
        RunError, match="sqlite://shop.db orders changed during the run; nothing was published"
    ):
        plan.require_unchanged(databases=True)


@pytest.mark.thorough
def test_no_copy_of_rows_with_personal_data_is_left_in_the_cache(postgres, shop, tmp_path, monkeypatch):
    postgres.fill("people", "id text, email text", [("00001", "ann@example.org"), ("00002", None)])
    postgres.fill("orders", COLUMNS, ROWS)
    people = {
        "source": postgres.address(),
        "table": "people",
        "columns": {"customer_id": "id", "email": "email"},
    }
    study = shop(postgres.address(), table="orders", further={"customers": people})
    assert study.table("customers").has_email.execute().tolist() == [True, False]
    assert cache_of(tmp_path) == ["cleaned", "cleaned", "databases"]
    monkeypatch.setenv("CRMLIB_HASH_SECRET", "only we know this one")
    text = (tmp_path / "data/shop/study.yaml").read_text()
    (tmp_path / "data/shop/study.yaml").write_text(f"{text}\nprivacy: hash\n")
    crm.open_study("shop").cleaned.folder("transactions")
    assert cache_of(tmp_path) == ["cleaned"]


def run(*arguments):
    outcome = CliRunner().invoke(main, list(arguments))
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome


def test_crm_new_and_crm_add_read_a_database(postgres, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    postgres.fill("orders", "id serial, customer_id text, day date, paid numeric(10,3)", [
        (number, f"{number % 9:05d}", f"2024-0{1 + number % 9}-11", f"{number}.250") for number in range(1, 90)
    ])  # fmt: skip
    postgres.run("CREATE SCHEMA IF NOT EXISTS crm", "DROP TABLE IF EXISTS crm.people")
    postgres.run(
        "CREATE TABLE crm.people AS SELECT DISTINCT customer_id, customer_id || '@x.org' AS email FROM orders"
    )
    made = run(
        "new", "shop", "--transactions", postgres.address(), "--table", "orders", "--currency", "EUR", "--yes"
    )
    assert made.exit_code == 0, made.output
    added = run("add", "shop", "customers", postgres.address(), "--table", "crm.people", "--yes")
    assert added.exit_code == 0, added.output
    entries = yaml.safe_load((tmp_path / "data/shop/study.yaml").read_text())["tables"]
    assert entries["transactions"]["source"] == postgres.address()
    assert entries["customers"]["table"] == "crm.people"
    assert "decimal" not in entries["transactions"]  # 1.250 is a number here, and no 1,250
    study = crm.open_study("shop")
    assert study.transactions.amount.sum().execute() == sum(range(1, 90)) + 89 * 0.25
    checked = run("check", "shop")
    assert f"Read: postgres://127.0.0.1:{postgres.port}/shop orders (89 rows)" in checked.output
    assert "shop@" not in checked.output + added.output


def test_a_file_in_the_project_is_named_from_the_study(shop, tmp_path):
    made = run("new", "other", "--transactions", "sqlite://data/shop/shop.db", "--query", "SELECT * FROM orders;",
               "--column", "customer_id=buyer", "--column", "amount=paid", "--yes")  # fmt: skip
    assert made.exit_code == 0, made.output
    entry = yaml.safe_load((tmp_path / "data/other/study.yaml").read_text())["tables"]["transactions"]
    assert entry["source"] == "sqlite://../shop/shop.db"
    assert crm.open_study("other").cleaned.key("transactions")
    by_address = crm.open_study(
        "duckdb://data/shop/shop.duckdb", table="orders", columns=NAMED, currency="EUR"
    )
    assert "table: orders" in repr(by_address)
    by_name = guess_table(CONTRACTS["transactions"], "data/shop/shop.duckdb", given={"table": "orders"})
    assert by_name.values["table"] == "orders"
    with pytest.raises(DataError, match="query goes with the address of a database"):
        guess_table(CONTRACTS["transactions"], "data/shop/shop.duckdb", given={"query": "SELECT 1"})
