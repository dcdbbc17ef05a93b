"""Scores written beside a Parquet table of customers by the engine, so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from crmlib.data.staging import whole_file
from crmlib.errors import CrmError, DataError
from crmlib.models._histories import HISTORY, Histories, read_distinct_histories

if TYPE_CHECKING:
    import duckdb

# Scores hardly repeat: looking for a dictionary of them takes a fifth of the writing and finds none.
_FORMAT = "FORMAT parquet, DICTIONARY_SIZE_LIMIT 1000"


def _hash(table: str) -> str:
    return f"hash({', '.join(f'{table}.{name}' for name in HISTORY)})"


# One number is found faster than three. Should two histories share it, or a type not survive the way to the scores and
# back, other than all rows come out, and all three decide.
_SAME_HISTORY = (
    f"{_hash('c')} = {_hash('s')}",
    " AND ".join(f"c.{name} = s.{name}" for name in HISTORY),
)


def rewrite_parquet(
    source: str | Path,
    target: str | Path,
    new: Iterable[str],
    queries: Callable[[duckdb.DuckDBPyConnection], Iterable[str]],
    *,
    needed: Iterable[str] = (),
    memory_limit: str = "2GB",
    ordered: bool = False,
) -> int:
    """Write a Parquet table of customers with new columns, by the first of some queries that gives all its rows.

    Parameters
    ----------
    source, target : path
        Parquet files; `source` may be a pattern such as "customers/*.parquet".
    new, needed : iterable of str
        Columns that the table must not have, and those that it must.
    queries : callable
        From an engine in which the table is called `c`.
    memory_limit : str
        What the engine may hold at once, such as "2GB"; beyond it, it spills beside `target`.
    ordered : bool
        Whether the order of rows stays; then a single thread writes.

    Returns
    -------
    int
        Rows written: as many as were read.
    """
    import duckdb

    target = Path(target)
    with whole_file(target) as part, duckdb.connect() as engine:
        engine.execute("SET memory_limit = ?", [memory_limit])
        engine.execute("SET temp_directory = ?", [str(target.with_name(f".{target.name}.spill"))])
        # several threads that keep the order would let row groups queue up in memory
        engine.execute("SET threads = 1" if ordered else "SET preserve_insertion_order = false")
        table = engine.read_parquet(str(source))
        table.create_view("c")
        if missing := [name for name in needed if name not in table.columns]:
            raise DataError(f"{source} lacks {', '.join(missing)} (it has {', '.join(table.columns)})")
        if twice := [name for name in new if name in table.columns]:
            raise DataError(f"{source} has {', '.join(twice)} already; leave them out or rename them")
        rows, written = int(table.count("*").fetchall()[0][0]), 0
        if not rows:
            raise DataError(f"{source} has no rows; there is no customer to score")
        path = str(part).replace("'", "''")
        for query in queries(engine):
            written = engine.execute(f"COPY ({query}) TO '{path}' ({_FORMAT})").fetchall()[0][0]
            if written == rows:
                return rows
        raise CrmError(
            f"{source} has {rows:,} rows, of which {written:,} were scored; nothing was written. Give numbers as "
            "integers or doubles"
        )


def join_scores(
    source: str | Path,
    target: str | Path,
    score: Callable[[Histories], pd.DataFrame],
    columns: Mapping[str, str],
    *,
    spend: bool,
    memory_limit: str,
) -> int:
    """Score the distinct histories of a Parquet table and write the table with new columns.

    Parameters
    ----------
    source, target, memory_limit
        As in `rewrite_parquet`.
    score : callable
        Histories -> a frame with a row for each.
    columns : mapping of str to str
        New columns: name -> SQL of the customer `c` and the history's scores `s`.
    spend : bool
        Whether `monetary_value` is used and so must be there.
    """
    import pyarrow as pa

    def queries(engine: duckdb.DuckDBPyConnection) -> Iterable[str]:
        if spend:
            unknown = "frequency > 0 AND NOT coalesce(isfinite(monetary_value::DOUBLE), false)"
            count, rows = engine.sql(f"SELECT count(*) FILTER ({unknown}), count(*) FROM c").fetchall()[0]
            if count:
                raise DataError(
                    f"monetary_value is missing or infinite in {count:,} of {rows:,} rows of {source}"
                )
        known = engine.sql(f"SELECT DISTINCT {', '.join(HISTORY)} FROM c").to_arrow_table()
        for name, scores in score(read_distinct_histories(known.to_pandas())).items():
            known = known.append_column(name, pa.array(scores))
        engine.register("s", known)  # read in place, in the types it came in: a copy would cost a tenth
        new = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
        return (f"SELECT c.*, {new} FROM c JOIN s ON {same}" for same in _SAME_HISTORY)

    needed = (*HISTORY, "monetary_value") if spend else HISTORY
    return rewrite_parquet(source, target, columns, queries, needed=needed, memory_limit=memory_limit)
