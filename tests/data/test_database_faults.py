"""Faults of databases: the error names the cause and no user, and nothing incomplete is left behind."""

from __future__ import annotations

import sqlite3
import threading

import pytest
import yaml
from click.testing import CliRunner

import crmlib as crm
from crmlib.cli import main
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.databases import rows_of
from crmlib.errors import DataError, StudyError
from tests.data.conftest import PASSWORD, READER

AS_NAMED = "SELECT i::text AS customer_id, date '2024-01-01' + (i % 300)::int AS date, i * 0.5 AS amount"
MANY = f"{AS_NAMED} FROM generate_series(1, 60000) AS i"
FEW = MANY.replace("60000", "60")


@pytest.fixture
def refusal(tmp_path, monkeypatch):
    """Open a study of a database, and give the refusal; there must be one, and it must leave nothing."""
    monkeypatch.chdir(tmp_path)

    def refused(source, table=None, query=None) -> str:
        entry = {"source": source, "table": table, "query": query}
        log = {name: value for name, value in entry.items() if value}
        (tmp_path / "study.yaml").write_text(
            yaml.safe_dump({"title": "A shop", "tables": {"transactions": log}})
        )
        with pytest.raises(DataError) as complaint:
            crm.open_study(tmp_path / "study.yaml").cleaned.folder("transactions")
        made = [path for path in tmp_path.glob(".cache/crmlib/*/*") if path.parent.name != "digests"]
        assert made == []
        own = complaint.value
        assert own.__suppress_context__ or own.__context__ is None  # the driver's own words are not shown
        text = str(complaint.value)
        assert not [word for word in ("shop@", READER, PASSWORD, "FATAL", "psycopg") if word in text], text
        return text

    return refused


def test_a_server_that_cannot_be_asked(postgres, refusal, monkeypatch):
    assert "the server cannot be reached" in refusal("postgres://shop@127.0.0.1:1/shop", "orders")
    nowhere = postgres.address(database="nowhere")
    assert "no database of this name" in refusal(nowhere, "orders")
    refused = "the server refuses the user or the password; put the password where the driver looks for it"
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    assert refused in refusal(postgres.address(READER), "orders")
    monkeypatch.setenv("PGPASSWORD", "another one")
    assert refused in refusal(postgres.address(READER), "orders")
    assert refused in refusal(postgres.address("nobody"), "orders")


def test_a_password_of_the_environment_is_used(postgres, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert rows_of(postgres.address(READER), query=FEW).state().kinds["amount"] == "numbers"


def test_a_table_without_rights_or_that_is_not_there(postgres, refusal, monkeypatch):
    postgres.run("DROP TABLE IF EXISTS secret", f"CREATE TABLE secret AS {FEW}")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert "the user has no right to read it" in refusal(postgres.address(READER), "secret")
    postgres.run(
        f"GRANT SELECT (customer_id, date, amount) ON secret TO {READER}", "ALTER TABLE secret ADD name text"
    )
    assert rows_of(postgres.address(READER), "secret").state(TRANSACTIONS, {}).kinds.keys() >= {
        "customer_id",
        "amount",
    }
    text = refusal(postgres.address(), "secrets")
    assert "there is no such table; did you mean 'secret'?" in text
    assert "names a column that is not there" in refusal(postgres.address(), query="SELECT price FROM secret")
    assert "does not understand the query" in refusal(postgres.address(), query="SELEC 1")
    postgres.run("ALTER TABLE secret RENAME amount TO price")
    assert "transactions: no column 'amount'" in refusal(postgres.address(), "secret")


def test_a_connection_that_is_lost_half_way(postgres, refusal):
    """The server ends it while the rows come home, and not while it counts them: these are fetched by a cursor."""
    ends = "CASE WHEN current_query() LIKE 'FETCH%' AND i = 59000 THEN pg_terminate_backend(pg_backend_pid()) END"
    text = refusal(
        postgres.address(),
        query=f"SELECT *, {ends} AS returned FROM ({MANY.replace('SELECT', 'SELECT i,')}) q",
    )
    assert "the connection was lost half way; nothing of it was kept" in text


def test_a_table_that_changes_while_it_is_read(postgres, refusal):
    differs = MANY.replace("i * 0.5", "i * random()")
    assert "changed while it was read; run again" in refusal(postgres.address(), query=differs)
    postgres.run("DROP TABLE IF EXISTS busy", f"CREATE TABLE busy AS {MANY}")
    ended = threading.Event()

    def sell():
        while not ended.wait(0.01):
            postgres.run("INSERT INTO busy VALUES ('new', '2024-05-05', 7)")

    seller = threading.Thread(target=sell)
    seller.start()
    try:
        text = refusal(postgres.address(), "busy")
    finally:
        ended.set()
        seller.join()
    assert "choose under `query` rows that do not change" in text


def test_forbidden_or_slow_queries_and_invalid_values_are_refused(postgres, refusal):
    postgres.run("CREATE OR REPLACE FUNCTION sold() RETURNS int LANGUAGE sql AS 'CREATE TABLE x(); SELECT 1'")
    changes = FEW.replace("i * 0.5", "sold()")
    assert "would change the database" in refusal(postgres.address(), query=changes)
    endless = FEW.replace("i * 0.5", "'infinity'::date")
    assert "such as the date infinity" in refusal(postgres.address(), query=endless)
    postgres.run("ALTER ROLE shop SET statement_timeout = 50")
    try:
        slow = FEW.replace("i * 0.5", "length(pg_sleep(1)::text)")
        assert "took longer than the server allows" in refusal(postgres.address(), query=slow)
    finally:
        postgres.run("ALTER ROLE shop RESET statement_timeout")


def test_a_column_whose_type_changed_since_the_last_run(postgres, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    postgres.run("DROP TABLE IF EXISTS orders", f"CREATE TABLE orders AS {FEW}")
    tables = {"transactions": {"source": postgres.address(), "table": "orders"}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"title": "A shop", "tables": tables}))

    def key():
        return crm.open_study(tmp_path / "study.yaml").cleaned.key("transactions")

    first = key()
    postgres.run("ALTER TABLE orders ALTER amount TYPE double precision, ALTER customer_id TYPE varchar(20)")
    assert key() != first  # numbers are numbers, and text is text
    postgres.run("ALTER TABLE orders ALTER amount TYPE text")
    with pytest.raises(
        DataError, match="column 'amount' holds text now, and numbers in the last run"
    ) as refused:
        key()
    note = str(refused.value).partition("remove ")[2].partition(" and run again")[0]
    (tmp_path / note).unlink()
    assert key() != first


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"source": "postgres://me:hunter22@db/shop", "table": "orders"}, "holds a password"),
        ({"source": "postgres://me:hun/ter@db/shop", "table": "orders"}, "holds a password"),
        ({"source": "mysql://me@db/shop?passwd=hunter22", "table": "orders"}, "holds a password"),
        ({"source": "postgres://db/shop"}, "needs `table`, as in table: orders, or `query`"),
        ({"source": "postgres://db/shop", "table": "a", "query": "SELECT 1"}, "and not both"),
        ({"source": "orders.csv", "query": "SELECT 1"}, "query goes with the address of a database"),
    ],
)
def test_an_entry_that_names_no_rows_or_too_much(entry, words, tmp_path):
    (tmp_path / "study.yaml").write_text(
        yaml.safe_dump({"title": "A shop", "tables": {"transactions": entry}})
    )
    with pytest.raises(StudyError) as refused:
        crm.open_study(tmp_path / "study.yaml")
    assert words in str(refused.value)
    assert "hunter22" not in str(refused.value)


def test_a_password_on_the_command_line_is_refused_and_not_repeated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    outcome = CliRunner().invoke(
        main, ["new", "shop", "--transactions", "postgres://me:hunter22@db/shop", "--table", "orders"]
    )
    assert outcome.exit_code == 2
    assert "PGPASSWORD or ~/.pgpass" in outcome.output
    assert "hunter22" not in outcome.output
    assert not (tmp_path / "data/shop").exists()


def test_a_file_that_is_no_database(refusal, tmp_path):
    assert "there is no file shop.db in" in refusal("sqlite://shop.db", "orders")
    (tmp_path / "shop.db").write_text("customer_id,date,amount\n" * 99)
    assert "it is no database of this kind" in refusal("duckdb://shop.db", "orders")
    assert "sqlite://shop.db orders cannot be read" in refusal("sqlite://shop.db", "orders")
    (tmp_path / "shop.db").unlink()
    sqlite3.connect(tmp_path / "shop.db").execute("CREATE TABLE sales (customer_id)").connection.close()
    assert "there is no such table; allowed: sales" in refusal("sqlite://shop.db", "orders")
    assert not [
        path.name for path in tmp_path.iterdir() if path.name not in (".cache", "shop.db", "study.yaml")
    ]


def test_a_driver_that_is_not_installed(refusal):
    assert 'pip install "crmlib[mysql]"' in refusal("mysql://db/shop", "orders")
