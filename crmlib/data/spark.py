"""Spark as the engine of a purchase log that outgrows one machine: one session, and tables in a schema of its own.

A table that a step of the work needs is written there, where DuckDB would keep it in memory: a plan of many steps
grows beyond what Spark can plan. Rows come home as Parquet, by way of this process's folder for temporary files: on a
cluster that has to be one that the workers see too (TMPDIR).
"""

from __future__ import annotations

import functools
import re
import socket
from collections import deque
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ibis
import ibis.expr.operations as ops
import pyarrow as pa
from ibis import _
from ibis.backends.pyspark import Backend
from ibis.backends.pyspark.converter import PySparkPandasData
from ibis.formats.pyarrow import PyArrowData
from pyarrow import parquet

from crmlib.data.cleaning.places import NOTE
from crmlib.data.spark_sql import SparkSQL
from crmlib.data.staging import LOCK, clear_leftovers, own_folder, scratch
from crmlib.errors import DataError
from crmlib.progress import progress

_OURS, _RUN = "crm", "crmlib-run-"
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",  # as Spark 3.5 has it
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_PARTITION = 2**33  # rows are numbered from a multiple of this in each part of a table


class SparkEngine(Backend):
    """Ibis' Spark backend; steps are stored as tables, and results are read by way of Parquet."""

    compiler = SparkSQL()
    workspace = project = ""

    def disconnect(self) -> None:
        """Do nothing: the session belongs to the whole process."""

    def work_in(self, workspace: str, shelf: Path) -> None:
        """Write tables into a schema, and remove those that killed runs of this project have left in it.

        `shelf`: the cache whose folders name the tables that are kept. Raises DataError if it cannot be written.
        """
        host = f"{socket.gethostname()} {shelf.resolve()}"
        project = f"{_OURS}_{sha256(host.encode()).hexdigest()[:8]}"
        if (workspace, project) == (self.workspace, self.project):
            return
        self.workspace, self.project = workspace, project
        try:
            self.raw_sql(f"CREATE SCHEMA IF NOT EXISTS {self._quoted()}")
            self.drop(self.step(ibis.memtable({"can_be_written": [1]})).op().name)
        except Exception as complaint:
            self.workspace = ""
            raise DataError(
                f"workspace: Spark cannot write into the schema {workspace} ({type(complaint).__name__}); name one "
                "in which this user may create tables"
            ) from None
        self.clear(shelf)

    def step(self, rows: ibis.Table, name: str = "") -> ibis.Table:
        """Write rows into a table; it is temporary unless it has a name of its own."""
        name = name or f"{self.project}_{scratch().name[-8:]}_{ibis.util.gen_name('step')[-26:]}"
        self._run_pre_execute_hooks(rows)
        self._session.sql(self.compile(rows)).write.saveAsTable(self._quoted(name))
        return self.kept(name, rows.schema())

    def kept(self, name: str, schema: ibis.Schema) -> ibis.Table:
        """A table of the workspace by its name; it is registered again if the catalogue has lost it."""
        if not self.knows(name):
            where = f"{self._location()}/{name}"
            self.raw_sql(f"CREATE TABLE {self._quoted(name)} USING parquet LOCATION '{where}'")
        catalog, _dot, database = self.workspace.rpartition(".")
        space = ops.Namespace(catalog=catalog or None, database=database)
        return ops.DatabaseTable(name=name, schema=schema, source=self, namespace=space).to_expr()

    def knows(self, name: str) -> bool:
        """Whether the catalogue has a table of this name."""
        return bool(self._session.catalog.tableExists(self._quoted(name)))

    def has_kept(self, name: str) -> bool:
        """Whether a table is still in the workspace."""
        return self.knows(name) or name in self._folders()

    def drop(self, name: str) -> None:
        """Remove a table with its rows."""
        self.raw_sql(f"DROP TABLE IF EXISTS {self._quoted(name)}")
        if name in self._folders():
            self._files(name, lambda system, path: system.delete(path, True))

    def clear(self, shelf: Path) -> None:
        """Remove tables that no cache entry names and no running process of this project uses."""
        beside = scratch().parent
        if beside.name.startswith(_RUN):  # a notebook of a run, which has done this
            return
        clear_leftovers(shelf)
        clear_leftovers(beside, _RUN)
        named = {owner_of(note) for note in [*shelf.glob("*/" + NOTE), *shelf.glob(".making-*/*/" + NOTE)]}
        folders = [*beside.glob(f"{_RUN}*"), *beside.glob(f"{_RUN}*/{_RUN}*")]
        living = named | {folder.name[-8:] for folder in folders}
        for name in {*self.list_tables(database=self.workspace), *self._folders()}:
            if name.startswith(f"{self.project}_") and name.split("_", 2)[2][:8] not in living:
                self.drop(name)

    def numbered(self, rows: ibis.Table) -> ibis.Table:
        """Rows in their order as a table, with their number as `source_row`."""
        self._run_pre_execute_hooks(rows)
        name = f"{self.project}_{scratch().name[-8:]}_{ibis.util.gen_name('rows')[-26:]}"
        query = f"SELECT *, monotonically_increasing_id() AS place FROM ({self.compile(rows)})"
        self._session.sql(query).write.saveAsTable(self._quoted(name))
        table = self.kept(name, ibis.schema({**rows.schema(), "place": "int64"}))
        parts = table.group_by(part=_.place // _PARTITION).agg(n=_.count()).order_by("part")
        found, before, starts = parts.to_pyarrow().to_pylist(), 1, {}
        for part in found:
            starts[part["part"]], before = before, before + part["n"]
        first = ibis.literal([starts.get(part, 0) for part in range(max(starts, default=0) + 1)])
        number = (table.place % _PARTITION) + first[(table.place // _PARTITION).cast("int32")]
        return table.mutate(source_row=number.cast("int64")).drop("place")

    def to_pyarrow(self, expr: ibis.Expr, /, *, params: Any = None, limit: Any = None, **options: Any) -> Any:
        """The result of a query, by way of Parquet."""
        table = expr.as_table()
        with LOCK, progress("the tables are read"), own_folder(scratch()) as folder:
            self._run_pre_execute_hooks(table)
            query = self._session.sql(self.compile(table, params=params, limit=limit, **options))
            void = [name for name, kind in query.dtypes if kind == "void"]
            query = query.withColumns({name: query[name].cast("string") for name in void}) if void else query
            query.write.parquet((folder / "rows").as_uri())
            found = parquet.read_table(folder / "rows").select([*table.columns])
        found = found.rename_columns([*table.columns]).cast(_plain(found.schema))
        return expr.__pyarrow_result__(PyArrowData.convert_table(found, table.schema()))

    def execute(self, expr: ibis.Expr, /, **options: Any) -> Any:
        """The same as a frame of pandas."""
        table = expr.as_table()
        frame = self.to_pyarrow(table, **options).to_pandas()
        return expr.__pandas_result__(PySparkPandasData.convert_table(frame, table.schema()))

    def to_pyarrow_batches(self, expr: ibis.Expr, /, *, chunk_size: int = 1_000_000, **options: Any) -> Any:
        """The same in batches."""
        found = self.to_pyarrow(expr.as_table(), **options)
        return pa.RecordBatchReader.from_batches(found.schema, found.to_batches(max_chunksize=chunk_size))

    def _create_cached_table(self, name: str, expr: ibis.Table) -> ibis.Table:
        return self.step(expr)

    def _drop_cached_table(self, name: str) -> None:
        # Garbage is collected in the midst of a query too: it is dropped before the next.
        _released.append(name)

    def _run_pre_execute_hooks(self, expr: ibis.Expr) -> None:
        while _released:
            self.drop(_released.popleft())
        super()._run_pre_execute_hooks(expr)

    def _register_udfs(self, expr: ibis.Expr) -> None:
        """Register nothing: only functions of Spark are used."""

    def _quoted(self, name: str = "") -> str:
        return ".".join(f"`{part}`" for part in [*self.workspace.split("."), name] if part)

    def _location(self) -> str:
        facts = self._session.sql(f"DESCRIBE SCHEMA {self._quoted()}").collect()
        return next((str(fact[1]) for fact in facts if fact[0] == "Location"), "")

    def _folders(self) -> list[str]:
        """The folders of tables in the workspace, also of tables that the catalogue has lost."""
        with suppress(Exception):  # a catalogue without folders
            listed = self._files("", lambda system, path: system.listStatus(path))
            return [found.getPath().getName() for found in listed]
        return []

    def _files(self, name: str, act: Any) -> Any:
        path = self._session._jvm.org.apache.hadoop.fs.Path(f"{self._location()}/{name}")
        return act(path.getFileSystem(self._session._jsc.hadoopConfiguration()), path)


_released: deque[str] = deque()


def owner_of(note: Path) -> str:
    """The owner of the tables that a note names."""
    found = re.search(rf"{_OURS}_[0-9a-f]{{8}}_(.{{8}})", note.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _plain(schema: pa.Schema) -> pa.Schema:
    """The schema with timestamps without a time zone: the session's is UTC."""
    kinds = [pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type for field in schema]
    return pa.schema(list(zip(schema.names, kinds, strict=True)))


@functools.cache
def spark(address: str) -> SparkEngine:
    """The session of this process: pyspark://FOLDER?spark.master=local[2]; the folder, if any, is its warehouse."""
    from pyspark.sql import SparkSession

    parts = urlsplit(address)
    builder = SparkSession.builder
    given = dict(parse_qsl(parts.query))
    if folder := parts.netloc + parts.path:
        given.setdefault("spark.sql.warehouse.dir", folder)
    for key, value in {"spark.app.name": "crm", **_SETTINGS, **given}.items():
        builder = builder.config(key, value)
    with progress("Spark starts"):
        session = builder.getOrCreate()
    assert ibis.pyspark  # named, it registers its options
    return SparkEngine().connect(session)
