"""Scores joined to a Parquet table of customers in the engine, so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from crmlib.errors import CrmError, DataError
from crmlib.models._histories import HISTORY, Histories, read_distinct_histories
from crmlib.staging import whole_file

if TYPE_CHECKING:
    import duckdb

ScoreHistories = Callable[[Histories], pd.DataFrame]
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


def join_scores(
    source: str | Path,
    target: str | Path,
    score: ScoreHistories,
    columns: Mapping[str, str],
    *,
    spend: bool,
    memory_limit: str,
) -> int:
    """Score the distinct histories of a Parquet table and write the table with new columns.

    Parameters
    ----------
    source, target : path
        Parquet files; `source` may be a pattern such as "customers/*.parquet".
    score : callable
        Histories -> a frame with a row for each.
    columns : mapping of str to str
        New columns: name -> SQL of the customer `c` and the history's scores `s`.
    spend : bool
        Whether `monetary_value` is used and so must be there.
    memory_limit : str
        What the engine may hold at once, such as "2GB"; beyond it, it spills beside `target`.

    Returns
    -------
    int
        Rows written: as many as were read.
    """
    import duckdb
    import pyarrow as pa

    target = Path(target)
    new = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    with whole_file(target) as part, duckdb.connect() as engine:
        engine.execute("SET memory_limit = ?", [memory_limit])
        engine.execute("SET temp_directory = ?", [str(target.with_name(f".{target.name}.spill"))])
        engine.execute("SET preserve_insertion_order = false")  # else row groups queue up in memory
        engine.read_parquet(str(source)).create_view("c")
        rows = _check(engine, source, columns, spend)
        known = engine.sql(f"SELECT DISTINCT {', '.join(HISTORY)} FROM c").to_arrow_table()
        for name, scores in score(read_distinct_histories(known.to_pandas())).items():
            known = known.append_column(name, pa.array(scores))
        engine.register("s", known)  # read in place, in the types it came in: a copy would cost a tenth
        path = str(part).replace("'", "''")
        for same in _SAME_HISTORY:
            copy = f"COPY (SELECT c.*, {new} FROM c JOIN s ON {same}) TO '{path}' ({_FORMAT})"
            written = engine.execute(copy).fetchall()[0][0]
            if written == rows:
                break
        if written != rows:
            raise CrmError(
                f"{source} has {rows:,} rows, of which {written:,} were scored; nothing was written. Give frequency, "
                "recency and T as integers or doubles"
            )
    return rows


def _check(engine: duckdb.DuckDBPyConnection, source: str | Path, new: Mapping[str, str], spend: bool) -> int:
    """Refuse a table that cannot be scored; else return how many rows it has."""
    there = engine.table("c").columns
    needed = (*HISTORY, "monetary_value") if spend else HISTORY
    if missing := [name for name in needed if name not in there]:
        raise DataError(f"{source} lacks {', '.join(missing)} (it has {', '.join(there)})")
    if twice := [name for name in new if name in there]:
        raise DataError(f"{source} has {', '.join(twice)} already; leave them out or rename them")
    unknown = "count(*) FILTER (frequency > 0 AND NOT coalesce(isfinite(monetary_value::DOUBLE), false))"
    row = engine.sql(f"SELECT count(*), {unknown if spend else 0} FROM c").fetchall()[0]
    if row[1]:
        raise DataError(f"monetary_value is missing or infinite in {row[1]:,} of {row[0]:,} rows of {source}")
    if not row[0]:
        raise DataError(f"{source} has no rows; there is no customer to score")
    return int(row[0])
