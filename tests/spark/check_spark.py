"""Spark against DuckDB: the same study of the same rows in either engine; `make test-spark`."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
import yaml

import crmlib as crm
from crmlib.data.spark import spark
from crmlib.data.spark_sql import SparkSQL
from crmlib.errors import DataError, StudyError
from tests.data.test_databases import COLUMNS, NAMED, ROWS, SHUFFLED

matplotlib.use("Agg")
ROOT = Path(__file__).parents[2]
# Spark compiles each query; with few rows that takes ten times as long as to read them.
SETTINGS = (
    "spark.master=local[2]&spark.driver.host=localhost&spark.sql.shuffle.partitions=4"
    "&spark.sql.codegen.wholeStage=false&spark.sql.codegen.factoryMode=NO_CODEGEN"
)
POLICIES = {
    "as they are": {},
    "orders, guests, equal rows": {
        "amount_is": "order_total",
        "guests": "one_customer_per_order",
        "equal_rows": "set_aside",
    },
    "spend is reduced": {
        "returns": "reduce_spend",
        "zero_amounts": "no_purchase",
        "excluded_statuses": ["test"],
    },
    "no returns, other words": {
        "returns": "set_aside",
        "missing_ids": ["1e5"],
        "excluded_products": ["P3"],
        "purchases_merged_within": "M",
    },
}
# What the log of the other tests lacks: text with all its ways to write, no line of its own number.
TEXT = [
    ("a", "2024-01-05", "1,200.50", "1", "P1"),
    ("a", "2024-01-05T10:00:00+02:00", "€ -1,200.50", "1", "P1"),
    ('="007"', "2024-01-07 23:30:00Z", "(3.00)", "2", "P2"),
    ("13085.0", "2024-01-07", "12K", "2", "P3"),
    ("1.3085E+04", "05/01/2024", "10d", "3", "P3"),
    ("Total", "", "1e3", "", ""),
    ("b", "2024", "0x1p3", "4", "P\u00a04"),
    ("b", "2024-02-30", "5 USD", "4", "p3"),
    ("b", "2024-03-01", "-5.00", None, None),
    ("b", "2024-02-01", "7", "5", "a"),
    ("b", "2024-02-01", "7", "5", "b"),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A project with both logs, each as Parquet in two orders of its rows and as a database of DuckDB."""
    folder = tmp_path_factory.mktemp("project")
    logs = {
        "typed": (COLUMNS, ROWS, SHUFFLED),
        "text": ("buyer text, day text, paid text, order_no text, item text",),
    }
    logs["text"] += (TEXT * 2, [*reversed(TEXT), *TEXT])
    for name, (columns, *orders) in logs.items():
        for order, rows in enumerate(orders):
            with duckdb.connect(folder / f"{name}{order}.duckdb") as database:
                database.execute(f"CREATE TABLE log ({columns})")
                database.executemany(f"INSERT INTO log VALUES ({', '.join('?' * len(rows[0]))})", rows)
                database.execute(f"COPY log TO '{folder / f'{name}{order}.parquet'}'")
    with duckdb.connect(folder / "cdnow.duckdb") as database:
        source = ROOT / "data/cdnow-sample/transactions.csv.gz"
        database.execute(f"CREATE TABLE log AS FROM read_csv('{source}', all_varchar=true)")
        database.execute(f"COPY log TO '{folder / 'cdnow.parquet'}'")
    return folder


@pytest.fixture
def study(folder, monkeypatch):
    """Open a study of one of the logs in either engine."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CRMLIB_CACHE_DIR", str(folder / "cache"))

    def opened(engine, log, *, columns, schema="crm", entry=None, **content):
        chosen = f"SELECT {columns} FROM "
        source = f"duckdb://{folder}/{log}.duckdb", chosen + "log"
        if engine == "spark":
            source = f"pyspark://{folder}/warehouse?{SETTINGS}", f"{chosen} parquet.`{folder}/{log}.parquet`"
            content |= {"run_in": "engine", "workspace": schema}
        place = folder / "data" / engine
        place.mkdir(parents=True, exist_ok=True)
        table = {"source": source[0], "query": source[1], **(entry or {})}
        tables = {"transactions": table, **content.pop("tables", {})}
        facts = {"title": "A shop", "currency": "EUR", **content, "tables": tables}
        (place / "study.yaml").write_text(yaml.safe_dump(facts), encoding="utf-8")
        return crm.open_study(engine)

    return opened


@pytest.fixture
def cdnow(study):
    """Open the sample of CDNOW in either engine."""
    content = yaml.safe_load((ROOT / "data/cdnow-sample/study.yaml").read_text(encoding="utf-8"))
    del content["tables"]
    return lambda engine, **more: study(engine, "cdnow", columns="*", **content | more)


def found_in(study) -> list:
    """The report of the cleaning, the rows used and those set aside."""
    report = dataclasses.asdict(study.cleaned.report("transactions"))
    report["sources"] = [source["rows"] for source in report["sources"]]
    used = study.all_transactions.to_pyarrow().to_pandas()
    aside = study.cleaned.aside("transactions").order_by("source_row").to_pyarrow().to_pandas()
    used = used.sort_values([*used.columns]).reset_index(drop=True)
    return [report, used, aside.drop(columns="source_file")]


def assert_same(one: list, other: list) -> None:
    """The same counts, rows and money: amounts of a log are what it says, so they are equal to the last digit."""
    assert one[0] == other[0]
    for mine, theirs in zip(one[1:], other[1:], strict=True):
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)


TYPED = dict(
    columns="buyer, day, paid, order_no, state, pieces",
    entry={"columns": {k: v for k, v in NAMED.items() if k != "line_id"}, "timezone": "Europe/Berlin"},
)
OF_TEXT = dict(
    columns="*",
    entry={
        "columns": dict(customer_id="buyer", date="day", amount="paid", order_id="order_no", product="item"),
        "date_format": ["iso", "%d/%m/%Y"],
        "timezone": "America/New_York",
    },
)


@pytest.mark.parametrize("policies", POLICIES)
@pytest.mark.parametrize(("log", "read"), [("typed", TYPED), ("text", OF_TEXT)])
def test_cleaning_finds_the_same_in_every_order_of_the_rows(study, log, read, policies):
    here = found_in(study("duckdb", f"{log}0", policies=POLICIES[policies], **read))
    for order in (0, 1):
        assert_same(here, found_in(study("spark", f"{log}{order}", policies=POLICIES[policies], **read)))


def test_hashed_ids_are_the_same(study, monkeypatch):
    monkeypatch.setenv("CRMLIB_HASH_SECRET", "0123456789abcdef0123456789abcdef")
    both = [found_in(study(engine, "typed0", privacy="hash", **TYPED)) for engine in ("duckdb", "spark")]
    assert_same(*both)
    assert both[1][1]["customer_id"].str.fullmatch("[0-9a-f]{20}").all()


def functions_of_the_log(study) -> dict[str, object]:
    """What the functions that read a purchase log answer."""
    log, day = study.transactions, study.as_of
    start, end = crm.last_months(12, as_of=day)
    year, cut = dict(start=start, end=end), "1997-09-30"
    return {
        "rfm_summary": crm.rfm_summary(log, as_of=day),
        "period_profile": crm.period_profile(log, **year).deciles,
        "totals": crm.period_profile(log, **year).totals,
        "repeat_rate": crm.repeat_rate(log, as_of=day),
        "cohorts": crm.cohort_comparison(log, as_of=day),
        "months": crm.purchases_by_month(log, as_of=day),
        "retention_by_age": crm.retention_by_age(log, as_of=day),
        "repurchase_rate": crm.repurchase_rate(log, as_of=day, days=90),
        "profit": crm.customer_profit(log, **year, margin=0.3),
        "split": crm.rfm_train_test_split(log, calibration_end=cut, as_of=day),
    }


def test_the_functions_of_the_log_answer_the_same(cdnow):
    here, there = (functions_of_the_log(cdnow(engine)) for engine in ("duckdb", "spark"))
    # A standard error comes from a standard deviation, of which DuckDB keeps ten digits (crmlib.data.engine).
    errors = [functions["repurchase_rate"].pop("value_error") for functions in (here, there)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-9, abs=0)
    for name, found in here.items():
        same = (
            pd.testing.assert_series_equal if isinstance(found, pd.Series) else pd.testing.assert_frame_equal
        )
        same(found, there[name], rtol=1e-12, atol=0, obj=name)


def run_notebook(number: str, study: str, folder: Path) -> Path:
    """Run the code of a notebook on a study; it publishes into a folder."""
    notebook = nbformat.read(next((ROOT / "notebooks").glob(f"{number}_*.ipynb")), 4)
    names: dict[str, object] = {"display": lambda *shown: None}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
            plt.close("all")
        if "parameters" in cell.metadata.get("tags", []):
            names["study"] = study
    return folder


@pytest.mark.parametrize("number", ["02", "04", "06"])
def test_notebooks_publish_the_same(cdnow, tmp_path, monkeypatch, number):
    published = []
    for engine in ("duckdb", "spark"):
        cdnow(engine)
        (tmp_path / engine).mkdir()
        monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path / engine))
        published.append(run_notebook(number, engine, tmp_path / engine))
    here, there = (
        {str(path.relative_to(folder)): path for path in folder.rglob("*.*")} for folder in published
    )
    assert here.keys() == there.keys()
    assert any(name.endswith(".parquet") for name in here)
    for name, path in here.items():
        if name.endswith(".parquet"):
            pd.testing.assert_frame_equal(
                pd.read_parquet(path), pd.read_parquet(there[name]), rtol=1e-9, atol=0
            )
        elif name.endswith(".json"):
            assert_near(json.loads(path.read_text()), json.loads(there[name].read_text()))


def assert_near(one, other) -> None:
    """Equal but for the last digits of what was fitted."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_near(value, other[key])
    elif isinstance(one, list):
        for mine, theirs in zip(one, other, strict=True):
            assert_near(mine, theirs)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-9, abs=0, nan_ok=True)
    else:
        assert one == other


def test_small_tables_go_to_the_engine_of_the_log(cdnow, folder):
    cases = pd.DataFrame(
        {"customer_id": [f"{i:05d}" for i in range(1, 400)], "opened": "1998-03-01", "minutes": 7}
    )
    cases.to_csv(folder / "cases.csv", index=False)
    entry = {"source": str(folder / "cases.csv")}
    found = []
    for engine in ("duckdb", "spark"):
        firm = cdnow(engine, tables={"service_cases": entry}, costs={"per_service_minute": 1.0})
        assert firm.table("service_cases").get_backend().name == (
            "pyspark" if engine == "spark" else "duckdb"
        )
        start, end = crm.last_months(12, as_of=firm.as_of)
        known = dict(costs=firm.costs, service_cases=firm.table("service_cases"), margin=0.3)
        found.append(crm.customer_profit(firm.transactions, start=start, end=end, **known))
    pd.testing.assert_frame_equal(*found, rtol=1e-12, atol=0)
    assert found[0].filter(like="serv").sum().sum() > 0


def test_the_log_stays_and_the_first_rows_set_aside_come_home(study, monkeypatch):
    from crmlib.data.cleaning import places

    monkeypatch.setattr(places, "_MOST_HOME", 10)
    firm = study("spark", "typed0", policies={"returns": "set_aside"}, **TYPED)
    kept = firm.cleaned.folder("transactions")
    assert {path.name for path in kept.iterdir()} == {
        "contents.json",
        "quarantine.parquet",
        "report.json",
        "tables.json",
    }
    home = pd.read_parquet(kept / "quarantine.parquet")
    every = firm.cleaned.aside("transactions").order_by("source_row").to_pandas()
    assert len(home) == 10 < len(every)
    assert home["source_row"].tolist() == every["source_row"].tolist()[:10]


def test_a_workspace_that_cannot_be_written_is_refused_and_nothing_stays(study, folder):
    before = sorted((folder / "cache").rglob("*"))
    with pytest.raises(DataError, match="cannot write into the schema nowhere.crm"):
        study("spark", "typed0", schema="nowhere.crm", **TYPED).cleaned.report("transactions")
    assert sorted((folder / "cache").rglob("*")) == before


@pytest.mark.parametrize("content", [{"workspace": "crm"}, {"run_in": "engine"}])
def test_an_entry_alone_is_refused(study, content):
    with pytest.raises(StudyError, match="run_in: engine goes with workspace"):
        study("duckdb", "typed0", **TYPED, **content)


def tables_in(folder: Path) -> set[str]:
    return {path.name for path in (folder / "warehouse" / "crm.db").iterdir()}


def test_tables_that_somebody_removed_are_made_again(study, folder):
    firm = study("spark", "typed0", policies={"zero_amounts": "no_purchase"}, **TYPED)
    rows = firm.all_transactions.count().to_pyarrow().as_py()
    engine = spark(f"pyspark://{folder}/warehouse?{SETTINGS}")
    note = json.loads((firm.cleaned.folder("transactions") / "tables.json").read_text(encoding="utf-8"))
    engine.drop(note["tables"]["used.parquet"]["table"])
    again = crm.open_study("spark")
    assert again.all_transactions.count().to_pyarrow().as_py() == rows


KILLED = """
import os, signal
import crmlib as crm
from crmlib.data.cleaning import clean
def killed(*_arguments):
    os.kill(os.getpid(), signal.SIGKILL)
clean._account_for = killed
crm.open_study("spark").cleaned.report("transactions")
"""


def test_a_killed_run_is_cleared_by_the_next(study, folder):
    studied = dict(policies={"returns": "reduce_spend"}, **TYPED)
    study("spark", "typed0", **studied)
    before = tables_in(folder) if (folder / "warehouse" / "crm.db").exists() else set()
    code = [sys.executable, "-W", "ignore", "-c", KILLED]
    ended = subprocess.run(code, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    assert ended.returncode == -signal.SIGKILL
    left = tables_in(folder) - before
    assert len(left) > 1
    engine = spark(f"pyspark://{folder}/warehouse?{SETTINGS}")
    engine.project = ""  # as a new process finds it
    firm = study("spark", "typed0", **studied)
    firm.cleaned.report("transactions")
    assert not tables_in(folder) & left


def test_a_row_with_nothing_in_another_column_is_not_equal():
    import ibis

    from crmlib.data.cleaning.repeats import hash_of

    table = ibis.table({"a": "string", "b": "string"}, name="t")
    query = SparkSQL().to_sqlglot(table.select(h=hash_of(table.a, table.b))).sql("spark")
    assert query.count("IS NULL") == 2
