"""Tables of databases as sources: their address, and how their rows are copied.

The database itself says what a table holds: the number of its rows and the sum of their hashes, in one scan. The rows
are read once for each such key, as they are with a file, and are then sorted: a table of a database has no order.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from crmlib.data.kept import FileState, keep
from crmlib.data.staging import own_folder, scratch, write_whole
from crmlib.errors import CrmError, DataError, did_you_mean, disk_full
from crmlib.progress import progress
from crmlib.secrets import holds_secret

if TYPE_CHECKING:
    import ibis

    from crmlib.data.contracts.contract import Contract

_FILES = ("sqlite", "duckdb")
_WITH_EXTRA = ("postgres", "mysql", "snowflake", "bigquery", "pyspark")
SCHEMES = (*_FILES, *_WITH_EXTRA, "postgresql", "databricks", "trino", "clickhouse")
_FORM = 1  # version of the cached rows; increase it when they are read in another way
_KEPT = "rows.parquet"
_CONNECT_SECONDS = 15
# What is in a driver's complaint (its type, SQLSTATE, and words, which may name the user or quote a value), and what we
# say instead.
_CAUSES = {
    r"^(ModuleNotFound|Import)Error": 'its driver is not installed: pip install "{package}"',
    r"42501|(permission|command) denied|privilege|not authorized": "the user has no right to read it; ask for the "
    "right to select, or name under `query` what may be read",
    r"28P01|28000|passwor|authenti|access denied|credential|role .* exist": "the server refuses the user or the "
    "password; put the password where the driver looks for it, as in PGPASSWORD or ~/.pgpass for PostgreSQL",
    r"3D000|database .* does not exist|unknown database": "there is no database of this name on the server",
    r"^TableNotFound|42P01|3F000|no such table|table .*n[o']t exist": "there is no such table{tables}",
    r"42703|no such column|unknown column": "the query names a column that is not there",
    r"42601|^ParseError|syntax error": "the database does not understand the query",
    r"57014|statement timeout": "the server stopped the query, for it took longer than the server allows",
    r"25006|read-?only": "the query would change the database; one that only reads is needed",
    r"^(Arrow|DataError|Overflow|NumericValue|ValueError|Conversion|Invalid(Datetime|Text))": "a value of it is not of "
    "its column's type, or larger than can be read, such as the date infinity; leave it out, or make it text, in a "
    "`query`",
}


@dataclass(frozen=True)
class DatabaseRows:
    """The rows of a table or of a query of a database.

    `address`: without a password, which stays where the driver looks for it. `table`: its name, as in "orders" or
    "sales.orders". `query`: rows chosen by the database, instead of a table.

    Examples
    --------
    >>> DatabaseRows("postgres://me@db.example.org/shop", "orders").name
    'postgres://db.example.org/shop orders'
    """

    address: str
    table: str | None = None
    query: str | None = None

    @property
    def scheme(self) -> str:
        """The kind of the database, as Ibis calls it."""
        return self.address.partition("://")[0].lower().replace("postgresql", "postgres")

    @property
    def name(self) -> str:
        """The name shown to readers: without the user, and of a file without its folder."""
        parts = urlsplit(self.address)
        where = self.file.name if self.file else parts.netloc.rpartition("@")[2] + parts.path
        where = "" if self.scheme == "pyspark" else where
        return f"{parts.scheme}://{where} {self.table or 'query'}"

    @property
    def file(self) -> Path | None:
        """The file that the database is, if it is one."""
        return Path(self.address.partition("://")[2]) if self.scheme in _FILES else None

    def state(self, contract: Contract | None = None, named: Mapping[str, str] | None = None) -> RowsState:
        """The current state of the columns that a contract needs: those in `named` and those with the contract's names.

        Where it has free columns, or there is none, that is every column with one value in a cell, bytes excepted.
        Raises DataError if the database cannot be asked, or a column is not there.
        """
        from crmlib.data import database_rows

        with self._opened() as (connection, table):
            kinds = database_rows.kinds_of(table)
            personal = contract is None or contract.free_columns
            if contract and not contract.free_columns:
                chosen = contract.resolve(dict(named or {}), kinds)
                kinds = {name: kind for name, kind in kinds.items() if name in chosen.values()}
                personal = any(contract.column(ours).personal for ours in chosen)
            return RowsState(self._key(connection, table, kinds), (), kinds, personal)

    def kept_in(self, cache: Path, state: RowsState, **facts: Any) -> Path:
        """The Parquet file with the rows, written now if the cache has none; sorted by all columns.

        `state`: which columns, and the key that they must have to the end. `facts`: see `keep`. Raises DataError if the
        rows change while they are read.
        """
        made = keep(cache / "databases" / state.sha256[:24], lambda draft: self._copy(draft, state), **facts)
        return made / _KEPT

    def _copy(self, to: Path, state: RowsState) -> None:
        from crmlib.data.database_rows import bring_home
        from crmlib.data.engine import engine

        with own_folder(scratch()) as folder:
            with self._opened() as (connection, table):
                bring_home(connection, table, list(state.kinds), folder / "unsorted.parquet")
                if self._key(connection, table, state.kinds) != state.sha256:
                    raise DataError(
                        f"{self.name} changed while it was read; run again when it is complete, or choose under "
                        "`query` rows that do not change, such as those before today"
                    )
            rows = engine().read_parquet(folder / "unsorted.parquet")
            engine().to_parquet(rows.order_by(rows.columns), to / _KEPT)

    def in_place(self, state: RowsState) -> ibis.Table:
        """The rows as a table of the database itself, in the columns of the state and as they would be copied."""
        from crmlib.data.database_rows import as_read

        with self._opened() as (connection, table):
            return as_read(table, [*state.kinds], connection.name)

    def _key(self, connection: Any, table: ibis.Table, columns: Iterable[str]) -> str:
        from crmlib.data.database_rows import row_hashes

        types = {name: str(table[name].type()) for name in columns}
        with progress("rows in the database are counted"):
            found = connection.execute(row_hashes(table, [*types], connection.name)).to_dict("records")[0]
        facts = [_FORM, self.name, self.query, [*types.items()], found]
        return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, ibis.Table]]:
        """The database and the table in it, open for reading alone."""
        connection: Any = None
        reached = False
        try:
            connection = self._connect()
            reached = True
            yield connection, self._table_of(connection)
        except CrmError:
            raise
        except Exception as complaint:  # whatever a driver raises
            raise self._refusal(complaint, connection, reached) from None
        finally:
            with suppress(Exception):
                connection.disconnect()

    def _connect(self) -> Any:
        import ibis

        from crmlib.data.database_rows import OF_SQLITE, hash_for_sqlite

        if self.scheme == "pyspark":
            from crmlib.data.spark import spark

            return spark(self.address)
        if (file := self.file) is None:
            patience = {"connect_timeout": _CONNECT_SECONDS} if self.scheme in ("postgres", "mysql") else {}
            connection = ibis.connect(self.address, **patience)
            if self.scheme == "postgres":
                connection.con.execute("SET default_transaction_read_only = on")
            return connection
        if not file.is_file():
            raise DataError(f"{self.name}: there is no file {file.name} in {file.parent}; name another")
        if self.scheme == "duckdb":
            return ibis.duckdb.connect(file, read_only=True)
        opened = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)
        opened.create_function(OF_SQLITE, 1, hash_for_sqlite, deterministic=True)
        return ibis.sqlite.from_connection(opened)

    def _table_of(self, connection: Any) -> ibis.Table:
        if self.query:
            query, schema = self.query.strip().rstrip(";"), None
            if self.scheme == "postgres":  # Ibis would make a view, for which a reader may lack the right
                read = connection.compiler.type_mapper.from_string
                found = connection.con.execute(f"SELECT * FROM ({query}\n) AS asked LIMIT 0").description
                schema = {column.name: read(column.type_display) for column in found}
            return connection.sql(query, schema=schema)
        database, _dot, name = str(self.table).rpartition(".")
        return connection.table(name, database=database or None)

    def _refusal(self, complaint: Exception, connection: Any, reached: bool) -> DataError:
        """Say in our words why a database cannot be read."""
        refused = f"{type(complaint).__name__} {getattr(complaint, 'sqlstate', None) or ''} {complaint}"
        if "No space left on device" in refused:
            raise disk_full(f"what was read of {self.name}") from None
        extra = self.scheme.removeprefix("py")
        package = f"crmlib[{extra}]" if self.scheme in _WITH_EXTRA else f"ibis-framework[{self.scheme}]"
        tables = ""
        with suppress(Exception):
            tables = f"; {did_you_mean(str(self.table), connection.list_tables()[:40])}"
        if not reached and self.file:
            why = "it is no database of this kind, or another program holds it"
        elif not reached:
            why = "the server cannot be reached; see whether it runs, and whether host and port are right"
        elif re.match(r"(Operational|Interface)Error|\w+ (57P|08)", refused) and not self.file:
            why = "the connection was lost half way; nothing of it was kept. Run again"
        else:
            why = f"the driver stopped ({type(complaint).__name__})"
        for pattern, words in _CAUSES.items():
            if re.search(pattern, refused, re.IGNORECASE):
                why = words.format(package=package, tables=tables)
                break
        return DataError(f"{self.name} cannot be read: {why}")


@dataclass(frozen=True)
class RowsState(FileState):
    """The state of columns of a database: a digest of the key that the database computed.

    `kinds`: column to what its type holds, as in "numbers". `personal`: whether one of them may say who a customer is.
    """

    kinds: dict[str, str]
    personal: bool

    def is_still_that_of(self, file: DatabaseRows) -> bool:
        """Whether the database holds the same now."""
        with file._opened() as (connection, table):
            there = self.kinds.keys() <= {*table.columns}
            return there and file._key(connection, table, self.kinds) == self.sha256

    def require_same_kinds(self, rows: DatabaseRows, notes: Path) -> None:
        """Check that every column has the same kind as in the last run, which is noted in the folder `notes`.

        Raises DataError if one holds, say, text where it held numbers.
        """
        note = notes / f"{hashlib.sha256(f'{rows.name} {rows.query}'.encode()).hexdigest()[:24]}-kinds.json"
        before: dict[str, str] = {}
        with suppress(OSError, ValueError):  # there is none yet, or it was damaged
            before = dict(json.loads(note.read_text(encoding="utf-8")))
        for column, kind in self.kinds.items():
            if before.get(column, kind) != kind:
                raise DataError(
                    f"{rows.name}: column {column!r} holds {kind} now, and {before[column]} in the last run; "
                    f"correct it in the database or in a `query`. If it is meant, remove {note} and run again"
                )
        write_whole(note, json.dumps(self.kinds), flush=False)


def rows_of(
    source: Any, table: str | None = None, query: str | None = None, base: Path | None = None
) -> DatabaseRows | None:
    """The rows that an address with a table or a query names; None where the source is no address of a database.

    `base`: the folder that the path of an SQLite or DuckDB file starts from. Raises DataError if the address holds a
    password, or not exactly one of `table` and `query` is given.

    Examples
    --------
    >>> rows_of("orders.csv"), rows_of("sqlite://shop.db", "orders", base=Path("/data")).address
    (None, 'sqlite:///data/shop.db')
    """
    if not is_address(source):
        if query:
            raise DataError("query goes with the address of a database, as in source: postgres://host/shop")
        return None
    address = str(source)
    scheme, _sign, rest = address.partition("://")
    if scheme.lower() in _FILES:
        address = f"{scheme}://{(base or Path.cwd()) / Path(rest).expanduser()}"
    elif holds_secret(address) or _may_hold_password(address):
        raise DataError(
            f"the address {scheme}://… holds a password, or a port that is no number; take it out, for a study is read "
            "by many. The driver finds a password in its own environment, as in PGPASSWORD or ~/.pgpass for PostgreSQL"
        )
    if bool(table) == bool(query):
        raise DataError(
            "the address of a database needs `table`, as in table: orders, or `query`, and not both "
            "(crm new and crm add: --table or --query)"
        )
    return DatabaseRows(address, table, query)


def is_address(source: Any) -> bool:
    """Whether a source is the address of a database, and not of a file.

    Examples
    --------
    >>> is_address("sqlite://shop.db"), is_address("shop.duckdb")
    (True, False)
    """
    scheme, sign, _rest = str(source).partition("://")
    return isinstance(source, str) and bool(sign) and scheme.lower() in SCHEMES


def _may_hold_password(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.password is not None or "@" in parts.path or (parts.port or 0) < 0
    except ValueError:  # a port that is no number
        return True
