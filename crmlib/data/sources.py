"""Open tables from any source in the engine; a table that a firm lacks is empty.

Files are read as text, so that ids keep their leading zeros and no value is guessed away before
it is counted; what is a date or an amount is decided, and reported, by the cleaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import pandas as pd
from ibis import _

from crmlib.data.cleaning.ids import own_ids
from crmlib.data.cleaning.returns import with_matched_returns
from crmlib.data.contracts import CONTRACTS, TRANSACTIONS
from crmlib.data.contracts.contract import Contract
from crmlib.data.engine import engine, frame_table, has_rows
from crmlib.data.files.contents import cannot_be_read
from crmlib.data.files.csv_files import FILE_COLUMN, open_csv_files
from crmlib.data.files.duckdb_files import open_duckdb_table
from crmlib.data.files.excel import open_workbooks, stacked
from crmlib.data.files.source_files import kind_of, names_of, source_files
from crmlib.data.staging import LOCK
from crmlib.errors import DataError, did_you_mean

# Of each kind of column: what is needed, and the engine's types that are it.
_NEEDED = {
    "date": ("a date", ("temporal",)),
    **dict.fromkeys(("number", "money"), ("a number", ("numeric",))),
    "flag": ("true or false", ("boolean", "numeric")),
}
# What the cleaning adds to a log.
_OF_CLEANED = {"is_purchase": "boolean"}
_OF_CLEANED |= dict.fromkeys(("reversed_on", "returned_purchase_date"), "timestamp(6)")
_TYPES = {column.name: column.type for column in TRANSACTIONS.columns} | _OF_CLEANED


def open_table(source: Any, *, base: Path | None = None, called: str = "", **options: Any) -> ibis.Table:
    """Open a table wherever it is, without reading it into memory.

    `source`: a CSV or TSV (also .gz, .bz2, .zst, or alone in a .zip), Parquet, Excel, JSON (lines) or Feather file, a
    folder or glob of one kind, a DuckDB file, a list of such files, a file:// address, or a pandas, Polars or PyArrow
    frame. `base`: folder that a relative path starts from; the working directory by default. `called`: the name of a
    file whose own says nothing. `options`: how to read it: `delimiter` and `encoding` of a CSV, `sheet` (one or
    several) of a workbook, `table` of a DuckDB file; and `keep_bad_lines`: lines of a CSV that cannot be split into
    columns become rows with their text in a column of its own, where otherwise the file is refused. Returns every
    column of the source under its own name; columns of a CSV or a workbook as text. Files add a column with their name,
    seen from `base`. Raises DataError if there is nothing there, or it cannot be read, with what was looked for.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["00012"], "amount": [9.5]})
    >>> open_table(frame).columns
    ('customer_id', 'amount')
    """
    if isinstance(source, ibis.Table):
        return engine().hold(source.op()) if isinstance(source.op(), ops.InMemoryTable) else source
    if source is None or isinstance(source, (bool, int, float)):
        tables = "a pandas, Polars or PyArrow frame, an Ibis table or a path"
        raise DataError(f"{source!r} is no table; pass {tables}")
    if not isinstance(source, (str, Path, list, tuple)):
        return _open_frame(source)
    files = source_files(source, base=base)
    given = {key: value for key, value in options.items() if value is not None}
    table = _READERS[kind_of(files[0])](files, given)
    # Readers of the results must not see where the firm's files are stored.
    names = {str(file): called or name for file, name in names_of(files, base).items()}
    where = ibis.literal(*names.values()) if len(names) == 1 else table[FILE_COLUMN].substitute(names)
    return table.mutate(**{FILE_COLUMN: where})


def _read_excel(files: list[Path], options: Mapping[str, Any]) -> ibis.Table:
    sheet = options.get("sheet", ())
    return open_workbooks(files, sheet if isinstance(sheet, (list, tuple)) else (sheet,))


def _read_parquet(files: list[Path], options: Mapping[str, Any]) -> ibis.Table:
    with _in_our_words(files, b"PAR1"):
        return engine().read_parquet(files, filename=FILE_COLUMN)


def _read_json(files: list[Path], _options: Mapping[str, Any]) -> ibis.Table:
    """Objects in lines or in one array; every value as text, nested ones as JSON."""
    how = {"maximum_depth": 1, "map_inference_threshold": -1, "filename": FILE_COLUMN}
    with _in_our_words(files, b"{"):
        table = engine().read_json(files, **how)
        own = [name for name in table.columns if name != FILE_COLUMN]
        if own == ["json"]:  # the engine's own name for values without any
            raise DataError(f"{files[0].name} holds no objects with values; one per row is needed")
        text = table.mutate(**{name: _text_of(table[name], ibis.literal("$")) for name in own})
        text.count().to_pyarrow()  # to the last line, for a fault in it would come up later
        return text


@ibis.udf.scalar.builtin(name="json_extract_string")
def _text_of(value: dt.json, path: str) -> str:  # type: ignore[empty-body]
    """A value of a JSON text, without the quotes around it."""


def _read_feather(files: list[Path], _options: Mapping[str, Any]) -> ibis.Table:
    from pyarrow import feather

    with _in_our_words(files, b"ARROW1"):
        return stacked((file, feather.read_table(file)) for file in files)


def _read_duckdb(files: list[Path], options: Mapping[str, Any]) -> ibis.Table:
    if len(files) > 1:
        raise DataError(f"source names {len(files)} DuckDB files; name one, and its table under `table`")
    with LOCK, _in_our_words(files):  # between attaching the file and opening its table
        return open_duckdb_table(engine(), files[0], options.get("table"))


# For another kind of file: a line here, and its endings in `files`.
_READERS: dict[str, Callable[[list[Path], Mapping[str, Any]], ibis.Table]] = {
    "csv": lambda files, options: open_csv_files(engine(), files, options),
    "parquet": _read_parquet,
    "excel": _read_excel,
    "duckdb": _read_duckdb,
    "json": _read_json,
    "feather": _read_feather,
}


@contextmanager
def _in_our_words(files: list[Path], own: bytes = b"\0") -> Iterator[None]:
    """Turn the engine's errors about files into ours."""
    import duckdb
    import pyarrow as pa

    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError, UnicodeDecodeError) as complaint:
        raise cannot_be_read(files[0], complaint, own) from None


def _open_frame(frame: Any) -> ibis.Table:
    """Open a pandas, Polars or PyArrow frame; pandas' categories become what they are of, mixed objects text."""
    if isinstance(frame, pd.DataFrame):
        twice = frame.columns[frame.columns.duplicated()].unique().tolist()
        if twice:
            raise DataError(f"column {twice[0]!r} occurs twice in the frame; rename or drop one of them")
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1).reset_index(drop=True)
        named = [name for name in frame.columns if isinstance(frame[name].dtype, pd.CategoricalDtype)]
        frame = frame.assign(**{name: frame[name].astype(object).infer_objects() for name in named})
        mixed = [name for name in frame.columns if _is_mixed(frame[name])]
        texts = {name: frame[name].map(str, na_action="ignore").astype(object) for name in mixed}
        frame = frame.assign(**texts)
    try:
        return frame_table(frame)
    except Exception:  # whatever the reader of a foreign object raises; it may quote a row
        raise DataError(_no_table(frame)) from None


def _no_table(frame: Any) -> str:
    """The message for an object that cannot be opened, with the column at fault if it is a frame."""
    for name in getattr(frame, "columns", ()):
        try:
            frame_table(frame[[name]])
        except Exception:
            kind = getattr(frame[name], "dtype", "of unknown type")
            return (
                f"column {name!r} of the frame is {kind}, which no table can hold; make it numbers, dates or text "
                f"first, as in frame[{name!r}] = frame[{name!r}].astype(str), or for periods .dt.to_timestamp()"
            )
    return (
        f"a value of type {type(frame).__name__} cannot be opened as a table; pass a pandas, Polars or PyArrow frame "
        "with at least one column, or a path"
    )


def _is_mixed(column: pd.Series) -> bool:
    """Whether a column holds objects of several kinds that are no lists or the like."""
    if column.dtype != object:
        return False
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "decimal":
        return bool(column.hasnans)
    if not kind.startswith("mixed"):
        return False
    return not column.map(lambda value: isinstance(value, (list, dict, tuple, set))).any()


def as_transactions(log: Any) -> ibis.Table:
    """A purchase log with every column that the customer analyses rely on.

    A log that no study has cleaned is read as a study would by default, as far as its rows alone decide it: returns
    (negative amounts) undo or reduce the purchase that they belong to, and rows without a customer, date or amount
    do not count. Not done are other spellings of a missing id, states of orders, currencies, and repeated
    lines: `crm.open_study(frame)` does all of it and counts what it did.

    `log`: a study's cleaned transactions, or any table or frame with `customer_id, date, amount`. The answer has
    `is_purchase, reversed_on, returned_purchase_date`, those of the log where it has one of them. Ids that are whole
    numbers stay numbers; others are text (see `crmlib.data.cleaning.ids`). Raises DataError if a required column is
    missing or cannot be what it has to be.
    """
    rows, needed = open_table(log), ("customer_id", "date", "amount")
    # The engine keeps no table with a column of no type, as one that holds nothing has in a frame.
    if untyped := [name for name, kind in rows.schema().items() if kind.is_null()]:
        rows = rows.cast({name: _TYPES.get(name, "string") for name in untyped})
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
    cleaned = "is_purchase" in rows.columns  # then ids are read already
    rows = rows.mutate(
        customer_id=rows.customer_id if cleaned else own_ids(rows.customer_id),
        date=rows.date.cast("timestamp(6)"),
        amount=rows.amount.cast("float64"),
    )
    known = {*_OF_CLEANED} & {*rows.columns}
    if "is_purchase" not in known:
        rows = rows.mutate(is_purchase=rows.amount >= 0)
    if not known:  # a log that no study has cleaned: its returns are matched by the rules of the cleaning
        rows = rows.drop_null(needed)
        is_frame = isinstance(log, pd.DataFrame)  # which takes no query
        if (log["amount"] < 0).any() if is_frame else has_rows(rows.filter(_.amount < 0)):
            # Cached, so that every use sees the same row numbers.
            numbered = rows.mutate(source_row=ibis.row_number()).cache()
            return with_matched_returns(numbered).drop("source_row")
    absent = [name for name in _OF_CLEANED if name not in rows.columns]
    return rows.mutate(**{name: ibis.null(_OF_CLEANED[name]) for name in absent})


def empty_table(contract: Contract, *, keep_personal: bool = False) -> ibis.Table:
    """The columns of a cleaned table, with their types and without rows.

    Examples
    --------
    >>> from crmlib.data.contracts import CONTRACTS
    >>> empty_table(CONTRACTS["capacity"]).columns
    ('date', 'resource', 'capacity', 'used', 'fixed_cost')
    """
    return frame_table([], schema=ibis.schema(contract.cleaned_types(keep_personal)))


def open_optional(table: Any) -> ibis.Table | None:
    """Open a table that a firm may lack; None where it is None, or holds no row.

    Examples
    --------
    >>> from crmlib.data.contracts import CONTRACTS
    >>> open_optional(None), open_optional(empty_table(CONTRACTS["capacity"]))
    (None, None)
    """
    if table is None or (isinstance(table, pd.DataFrame) and table.empty):
        return None
    rows = open_table(table)
    if isinstance(table, pd.DataFrame):
        return rows
    if rows.op() not in _filled:  # asked once as long as the table is held
        _filled[rows.op()] = has_rows(rows)
    return rows if _filled[rows.op()] else None


_filled: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def check_kinds(tables: Mapping[str, Any]) -> None:
    """Refuse an optional table whose dates, numbers or yes and no are of another kind, such as text."""
    there = {name: given for name, given in tables.items() if given is not None and len(given.columns)}
    for name, rows in ((name, open_table(given)) for name, given in there.items()):
        for column in CONTRACTS[name].columns:
            word, fits = _NEEDED.get(column.kind, ("", ()))
            if column.name not in rows.columns or not fits:
                continue
            kind = rows[column.name].type()
            right = any(getattr(kind, f"is_{one}")() for one in fits)
            if not right and has_rows(rows.filter(rows[column.name].notnull())):
                raise DataError(
                    f"{name}: {column.name} is {kind}; {word} is needed. A study reads text and counts what it "
                    "cannot read; else convert the column first"
                )


def optional(rows: ibis.Table, name: str, kind: str = "") -> ibis.Value:
    """A column of a table as this kind, or nulls where the table lacks it."""
    column = rows[name] if name in rows.columns else ibis.null()
    return column.cast(kind) if kind else column


def lacking(**tables: Any) -> str:
    """Which of these tables a firm lacks, as a reason; empty where all are there.

    Examples
    --------
    >>> lacking(leads=None, marketing_spend=pd.DataFrame({"amount": [1.0]}))
    'no table leads'
    """
    names = [name for name, table in tables.items() if open_optional(table) is None]
    return f"no table {', '.join(names)}" if names else ""
