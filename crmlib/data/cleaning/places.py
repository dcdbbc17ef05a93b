"""Where cleaning stores its steps and results: in files (DuckDB), or in tables of the engine that holds the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import ibis
import ibis.expr.operations as ops
from ibis import _

from crmlib.data.engine import engine
from crmlib.data.kept import QUARANTINE

# Writing dictionaries of millions of ids takes longer than the ids themselves.
_QUICK = {"COMPRESSION": "lz4", "STRING_DICTIONARY_PAGE_SIZE_LIMIT": 10_000}
_MOST_HOME = 100_000  # rows set aside that are copied; all of them stay in the workspace
NOTE = "tables.json"


class Files:
    """Files in a folder, read by DuckDB; rows are numbered as they stand in the source."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._view = folder, ibis.util.gen_name("judged")
        self._staged = folder / "staged.parquet"

    def in_order(self, raw: ibis.Table) -> ibis.Table:
        """The source as it stands."""
        return raw

    def staged(self, rows: ibis.Table) -> ibis.Table:
        """Rows written, with their number in the source as `source_row`."""
        try:
            # The engine makes a join of a list of words, and a join does not keep the rows in the source's order.
            engine().raw_sql("SET disabled_optimizers = 'in_clause'")
            engine().to_parquet(rows, self._staged, **_QUICK)
        finally:
            engine().raw_sql("RESET disabled_optimizers")
        # Rows are numbered as they stand in the file: a window over the source would take one core for all of it.
        staged = engine().read_parquet(str(self._staged), file_row_number=True)
        return staged.mutate(source_row=_.file_row_number + 1).drop("file_row_number")

    def judged(self, staged: ibis.Table) -> ibis.Table:
        """The rows as a view, so that later queries share their common part."""
        return engine().create_view(self._view, staged)

    def write(self, rows: ibis.Table, file: str) -> None:
        """Write the rows that are used, or those set aside."""
        engine().to_parquet(rows, self._folder / file, **({} if file == QUARANTINE else _QUICK))

    def read(self, file: str) -> ibis.Table:
        """Read what was written."""
        return engine().read_parquet(str(self._folder / file))

    def empty(self, file: str) -> tuple[int, dict[str, int]]:
        """How many rows were written, and in how many each column is empty: Parquet has counted it."""
        import pyarrow.parquet as pq

        written = pq.ParquetFile(self._folder / file).metadata
        groups = [written.row_group(place) for place in range(written.num_row_groups)]
        return written.num_rows, {
            written.schema.column(place).name: sum(
                group.column(place).statistics.null_count for group in groups
            )
            for place in range(written.num_columns)
        }

    def close(self, done: bool) -> None:
        """Remove temporary files."""
        engine().drop_view(self._view, force=True)
        self._staged.unlink(missing_ok=True)


class Tables:
    """Tables in the workspace of Spark; which row is earlier is decided by content, for there is no other order."""

    def __init__(self, spark: Any, folder: Path) -> None:
        self._spark, self._folder, self._owner = spark, folder, token_hex(4)
        self._steps: list[str] = []
        self._note: dict[str, Any] = {}
        self._say()

    def _say(self) -> None:
        note = {"owner": f"{self._spark.project}_{self._owner}", "tables": self._note}
        (self._folder / NOTE).write_text(json.dumps(note), encoding="utf-8")

    def in_order(self, raw: ibis.Table) -> ibis.Table:
        """The source, sorted by all columns."""
        return raw.order_by(raw.columns)

    def staged(self, rows: ibis.Table) -> ibis.Table:
        """Rows written, with their number in that order as `source_row`."""
        staged = self._spark.numbered(rows)
        self._steps += [table.name for table in staged.op().find(ops.DatabaseTable)]
        return staged

    def judged(self, staged: ibis.Table) -> ibis.Table:
        """Rows with their reasons, written."""
        judged = self._spark.step(staged)
        self._steps.append(judged.op().name)
        return judged

    def write(self, rows: ibis.Table, file: str) -> None:
        """Write a table; of the rows set aside the first ones come home too."""
        name = f"{self._spark.project}_{self._owner}_{Path(file).stem}"
        self._note[file] = {"table": name, "schema": {n: str(kind) for n, kind in rows.schema().items()}}
        self._say()
        table = self._spark.step(rows, name)
        if file == QUARANTINE:
            import pyarrow.parquet as pq

            first = table.order_by("source_row").limit(_MOST_HOME)
            pq.write_table(first.to_pyarrow(), self._folder / file)

    def read(self, file: str) -> ibis.Table:
        """Read what was written."""
        return kept_rows(self._folder, file, self._spark)

    def empty(self, file: str) -> tuple[int, dict[str, int]]:
        """Unknown for these tables: nothing has been counted."""
        return 0, {}

    def close(self, done: bool) -> None:
        """Remove temporary tables; remove all tables if cleaning did not finish."""
        unfinished = [] if done else [table["table"] for table in self._note.values()]
        for name in [*self._steps, *unfinished]:
            self._spark.drop(name)


@contextmanager
def place_of(raw: ibis.Table, folder: Path) -> Iterator[Files | Tables]:
    """Choose where a table is cleaned: in the engine that holds it."""
    sources = raw.op().find((ops.DatabaseTable, ops.SQLQueryResult))
    backend = sources[0].source if sources else engine()
    place = Tables(backend, folder) if backend.name == "pyspark" else Files(folder)
    done = False
    try:
        yield place
        done = True
    finally:
        place.close(done)


def kept_rows(folder: Path, file: str, spark: Any = None) -> ibis.Table:
    """The rows that cleaning has written: of a file, or of a table that a note in the folder names."""
    if spark is None:
        return engine().read_parquet(str(folder / file))
    found = json.loads((folder / NOTE).read_text(encoding="utf-8"))["tables"][file]
    return spark.kept(found["table"], ibis.schema(found["schema"]))


def is_kept(folder: Path, spark: Any) -> bool:
    """Whether the workspace still has the tables that a folder names."""
    tables = json.loads((folder / NOTE).read_text(encoding="utf-8"))["tables"]
    return all(spark.has_kept(table["table"]) for table in tables.values())
