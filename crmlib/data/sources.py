"""Where tables come from: one function that opens any of them in the engine; one that a firm lacks is empty.

Files are read as text, so that ids keep their leading zeros and no value is guessed away before
it is counted; what is a date or an amount is decided, and reported, by the cleaning.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from crmlib.data.contracts.contract import Contract
from crmlib.data.files.csv_files import FILE_COLUMN, open_csv_files
from crmlib.data.files.duckdb_files import open_duckdb_table
from crmlib.data.files.excel import open_workbooks
from crmlib.data.files.source_files import kind_of, source_files
from crmlib.data.same_sums import SameSums
from crmlib.errors import DataError, did_you_mean
from crmlib.staging import scratch


@functools.cache
def engine() -> Any:
    """The in-memory DuckDB in which this process works (one, opened on first use)."""
    # What does not fit into memory goes to the system's folder for such files, not beside the user's own.
    spill = scratch() / "spill"
    # A report runs several notebooks at a time, and each is told its share of the processor.
    threads = {"threads": int(share)} if (share := os.environ.get("CRMLIB_ENGINE_THREADS")) else {}
    connection = ibis.duckdb.connect(temp_directory=str(spill), **threads)
    connection.compiler = SameSums()
    # In a kernel with ipywidgets a progress bar is on, and draws over the page; without them it is off, and
    # even to say so is an error.
    if connection.raw_sql("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
        connection.raw_sql("SET enable_progress_bar = false")
    return connection


def open_table(source: Any, *, base: Path | None = None, **options: Any) -> ibis.Table:
    """Open a table wherever it is, without reading it into memory.

    Parameters
    ----------
    source : str, Path, list of str, DataFrame or ibis.Table
        A CSV (also .gz), TSV, Parquet or Excel file, a folder or glob of one kind, a DuckDB file, a list of
        such files, a file:// address, or a pandas, Polars or PyArrow frame.
    base : Path, optional
        Folder that a relative path starts from; the working directory by default.
    **options
        How to read it: `delimiter` and `encoding` of a CSV, `sheet` of a workbook, `table` of a
        DuckDB file; and `keep_bad_lines`: lines of a CSV that cannot be split into columns become rows with
        their text in a column of its own, where otherwise the file is refused.

    Returns
    -------
    ibis.Table
        Every column of the source under its own name; columns of a CSV or a workbook as text. Files add
        a column with their name.

    Raises
    ------
    DataError
        If there is nothing there, or it cannot be read, with what was looked for and where.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["00012"], "amount": [9.5]})
    >>> open_table(frame).columns
    ('customer_id', 'amount')
    """
    if isinstance(source, ibis.Table):
        return source
    if not isinstance(source, (str, Path, list, tuple)):
        return _open_frame(source)
    files = source_files(source, base=base)
    return _READERS[kind_of(files[0])](
        files, {key: value for key, value in options.items() if value is not None}
    )


def _read_csv(files: list[Path], options: Mapping[str, Any]) -> ibis.Table:
    return open_csv_files(engine(), files, options)


def _read_excel(files: list[Path], options: Mapping[str, Any]) -> ibis.Table:
    return open_workbooks(files, options.get("sheet"))


def _read_parquet(files: list[Path], options: Mapping[str, Any]) -> ibis.Table:
    return _opened(files, lambda paths: engine().read_parquet(paths, filename=FILE_COLUMN))


def _read_duckdb(files: list[Path], options: Mapping[str, Any]) -> ibis.Table:
    if len(files) > 1:
        raise DataError(f"source names {len(files)} DuckDB files; name one, and its table under `table`")
    return _opened(files, lambda _paths: open_duckdb_table(engine(), files[0], options.get("table")))


# Another engine joins by another line here, and a kind in `files`.
_READERS: dict[str, Callable[[list[Path], Mapping[str, Any]], ibis.Table]] = {
    "csv": _read_csv,
    "parquet": _read_parquet,
    "excel": _read_excel,
    "duckdb": _read_duckdb,
}


def _opened(files: list[Path], opener: Callable[[list[str]], Any]) -> Any:
    """Run an opener, turning the engine's complaint into ours."""
    import duckdb

    try:
        return opener([str(file) for file in files])
    except (duckdb.Error, UnicodeDecodeError) as complaint:
        first = str(complaint).strip().splitlines()[0]
        raise DataError(
            f"{files[0].name} cannot be read: {first} "
            "Check that it is what its ending says, and its delimiter and encoding in the study."
        ) from complaint


def _open_frame(frame: Any) -> ibis.Table:
    """Open a pandas, Polars or PyArrow frame; pandas' categories and mixed objects become text."""
    if isinstance(frame, pd.DataFrame):
        twice = frame.columns[frame.columns.duplicated()].unique().tolist()
        if twice:
            raise DataError(f"column {twice[0]!r} stands twice in the frame; rename or drop one of them")
        frame = frame.rename(columns=str).reset_index(drop=True)
        mixed = [name for name in frame.columns if _is_mixed(frame[name])]
        frame = frame.assign(
            **{name: frame[name].map(str, na_action="ignore").astype(object) for name in mixed}
        )
    try:
        return ibis.memtable(frame)
    except Exception as complaint:
        raise DataError(
            f"a {type(frame).__name__} cannot be opened as a table ({complaint}); "
            "pass a pandas, Polars or PyArrow frame, or a path"
        ) from complaint


def _is_mixed(column: pd.Series) -> bool:
    """Whether a column is a category, or holds objects of several kinds."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True).startswith("mixed")


def as_transactions(log: Any) -> ibis.Table:
    """A purchase log with every column that the customer analyses rely on.

    Parameters
    ----------
    log : ibis.Table or DataFrame
        A study's cleaned transactions, or any table or frame with `customer_id, date, amount`.

    Returns
    -------
    ibis.Table
        With `is_purchase` (where absent: amount ≥ 0), `reversed_on` and `returned_purchase_date` (where
        absent: null, so that returns reduce nobody's past purchase).

    Raises
    ------
    DataError
        If a required column is missing or cannot be what it has to be.
    """
    rows = open_table(log)
    needed = ("customer_id", "date", "amount")
    for name in needed:
        if name not in rows.columns:
            raise DataError(
                f"transactions: no column {name!r}; {did_you_mean(name, rows.columns[:40])}. Open the frame with "
                f"crm.open_study(frame, columns={{{name!r}: ...}}) to say which one it is"
            )
    if not rows.amount.type().is_numeric() or not rows.date.type().is_temporal():
        raise DataError(
            f"transactions: date is {rows.date.type()} and amount is {rows.amount.type()}; a date (or timestamp) "
            "and a number are needed. crm.open_study(frame, columns=...) reads text and counts what it cannot read"
        )
    rows = rows.mutate(
        customer_id=rows.customer_id.cast("string"),
        date=rows.date.cast("timestamp(6)"),
        amount=rows.amount.cast("float64"),
    )
    absent = {
        "is_purchase": rows.amount >= 0,
        "reversed_on": ibis.null("timestamp(6)"),
        "returned_purchase_date": ibis.null("timestamp(6)"),
    }
    return rows.mutate(**{name: value for name, value in absent.items() if name not in rows.columns})


def empty_table(contract: Contract, *, keep_personal: bool = False) -> ibis.Table:
    """The columns of a cleaned table, with their types and without rows.

    Examples
    --------
    >>> from crmlib.data.contracts import CAPACITY
    >>> empty_table(CAPACITY).columns
    ('date', 'resource', 'capacity', 'used', 'fixed_cost')
    """
    types: dict[str, str] = {}
    for column in contract.columns:
        if column.personal:
            types[f"has_{column.name}"] = "boolean"
        if not column.personal or keep_personal:
            types[column.name] = column.type
    return ibis.memtable([], schema=ibis.schema(types))


def open_optional(table: Any) -> ibis.Table | None:
    """Open a table that a firm may lack; None where it is None, or holds no row.

    Parameters
    ----------
    table : None or whatever `open_table` opens

    Examples
    --------
    >>> from crmlib.data.contracts import CAPACITY
    >>> open_optional(None), open_optional(empty_table(CAPACITY))
    (None, None)
    """
    if table is None or (isinstance(table, pd.DataFrame) and table.empty):
        return None
    rows = open_table(table)
    return rows if rows.limit(1).count().to_pyarrow().as_py() else None


def lacking(**tables: Any) -> str:
    """Which of these tables a firm lacks, as a reason; empty where all are there.

    Examples
    --------
    >>> lacking(leads=None, marketing_spend=pd.DataFrame({"amount": [1.0]}))
    'no table leads'
    """
    names = [name for name, table in tables.items() if open_optional(table) is None]
    return f"no table {', '.join(names)}" if names else ""
