"""Queries to an open database: a key of a table's content, in one query, and the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
from ibis import _

from crmlib.progress import progress

# Hashes are summed modulo these primes: that does not overflow, and two sums together hold 62 bits.
_PRIMES = (2_147_483_647, 2_147_483_629)
OF_SQLITE = "crmlib_hash"
_ROWS_AT_A_TIME = 50_000
_KINDS: dict[Any, str] = {
    dt.Boolean: "yes or no",
    dt.Numeric: "numbers",
    (dt.Date, dt.Timestamp): "dates",
    (dt.Array, dt.Map, dt.Struct, dt.Binary): "",  # several values in a cell, or none that could be read
}


def kinds_of(table: ibis.Table) -> dict[str, str]:
    """The kind of each column; columns with several values in a cell, or bytes, are left out.

    Examples
    --------
    >>> kinds_of(ibis.table({"paid": "decimal(9, 2)", "day": "timestamp('UTC')", "tags": "array<string>"}))
    {'paid': 'numbers', 'day': 'dates with a time zone'}
    """
    kinds = {name: _kind_of(kind) for name, kind in table.schema().items()}
    return {name: kind for name, kind in kinds.items() if kind}


def _kind_of(kind: Any) -> str:
    if kind.is_timestamp() and kind.timezone:
        return "dates with a time zone"
    return next((words for kinds, words in _KINDS.items() if isinstance(kind, kinds)), "text")


def row_hashes(table: ibis.Table, columns: Sequence[str], dialect: str) -> ibis.Table:
    """The query for a key of some columns: the number of rows and the sums of their hashes.

    A row is hashed by the database's own function from the text of its values, in the order of `columns`. A string goes
    with its length, and nothing is not an empty text, so that no two rows read alike. Sums do not depend on the rows'
    order, and count equal rows as often as they are there.

    Examples
    --------
    >>> orders = ibis.table({"customer": "string", "paid": "float64"}, name="orders")
    >>> print(ibis.to_sql(row_hashes(orders, ["paid"], "postgres"), dialect="postgres"))
    SELECT
      COUNT(*) AS "rows",
      SUM("t1"."hash" % 2147483647) AS "sum_0",
      SUM("t1"."hash" % 2147483629) AS "sum_1"
    FROM (
      SELECT
        HASHTEXTEXTENDED(COALESCE(CAST("t0"."paid" AS VARCHAR) || ';', '-;'), 0) AS "hash"
      FROM "orders" AS "t0"
    ) AS "t1"
    """
    texts = [_marked(table[name]) for name in columns]
    row_text = reduce(lambda text, value: text.concat(value), texts)
    hashed = _HASHES.get(dialect, lambda text: text.hash())(row_text)
    sums = {f"sum_{place}": (_.hash % prime).cast("int64").sum() for place, prime in enumerate(_PRIMES)}
    return table.select(hash=hashed).agg(rows=_.count(), **sums)


def _marked(column: ir.Value) -> ir.StringValue:
    text = column.cast("string")
    if column.type().is_string():
        text = text.length().cast("string").concat(":", text)
    return ibis.coalesce(text.concat(";"), ibis.literal("-;"))


def hash_for_sqlite(text: str) -> int:
    """The hash that SQLite lacks: less than 2 to the 53rd, for its remainders are floats.

    Examples
    --------
    >>> hash_for_sqlite("3:pen;") < 2**53
    True
    """
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:6], "big")


def _built_in(name: str, takes: str, gives: str) -> Any:
    return ibis.udf.scalar.builtin(lambda value: None, name=name, signature=((takes,), gives))


def _of_mysql(text: ir.StringValue) -> Any:
    signature = (("string", "int64", "int64"), "string")
    number = ibis.udf.scalar.builtin(lambda digits, base, wanted: None, name="conv", signature=signature)
    return number(_built_in("md5", "string", "string")(text).left(15), 16, 10).cast("int64")


def _of_trino(text: ir.StringValue) -> Any:
    digest = _built_in("xxhash64", "binary", "binary")(_built_in("to_utf8", "string", "binary")(text))
    return _built_in("from_big_endian_64", "binary", "int64")(digest)


# Where Ibis knows no hash of the dialect, or one of 32 bits only.
_HASHES: dict[str, Callable[[ir.StringValue], Any]] = {
    "databricks": _built_in("xxhash64", "string", "int64"),
    "mysql": _of_mysql,
    "pyspark": _built_in("xxhash64", "string", "int64"),
    "sqlite": _built_in(OF_SQLITE, "string", "float64"),
    "trino": _of_trino,
}


def as_read(table: ibis.Table, columns: Sequence[str], dialect: str) -> ibis.Table:
    """Columns as they are copied: numbers, dates and yes or no unchanged, all else as text.

    A column of SQLite may hold anything, whatever its type: there all is read as text, as in a CSV.
    """
    return table.select(**{name: _plain(table[name], dialect) for name in columns})


def _plain(column: ir.Value, dialect: str) -> ir.Value:
    kind = column.type()
    if dialect == "sqlite" or _kind_of(kind) == "text":
        return column.cast("string")
    if kind.is_decimal() and dialect == "postgres":  # one without digits of its own, and its type "money" too
        return column.cast("float64" if kind.scale is None else f"decimal(38, {kind.scale})")
    return column


def bring_home(connection: Any, table: ibis.Table, columns: Sequence[str], file: Path) -> None:
    """Write columns of an open database into a Parquet file, some rows at a time."""
    from pyarrow import parquet

    rows = as_read(table, columns, connection.name)
    reading = progress("rows of the database are read")
    with reading, parquet.ParquetWriter(file, rows.schema().to_pyarrow()) as writer:
        for batch in _batches(connection, rows):
            writer.write_batch(batch.cast(writer.schema))


def _batches(connection: Any, rows: ibis.Table) -> Iterator[Any]:
    import pyarrow as pa

    if connection.name != "sqlite":
        yield from connection.to_pyarrow_batches(rows, chunk_size=_ROWS_AT_A_TIME)
        return
    kind = rows.schema().as_struct().to_pyarrow()
    cursor = connection.raw_sql(connection.compile(rows))  # Ibis would read all of them into memory
    while some := cursor.fetchmany(_ROWS_AT_A_TIME):
        yield pa.RecordBatch.from_struct_array(pa.array(some, type=kind))
