"""Tables of DuckDB files, attached to the engine for reading."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import ibis

from crmlib.data.files.csv_files import FILE_COLUMN
from crmlib.errors import DataError, did_you_mean

_TABLES = """
SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = $catalog UNION ALL
SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = $catalog AND NOT internal ORDER BY ALL
"""


def open_duckdb_table(engine: Any, file: Path, table: str | None) -> ibis.Table:
    """Open a table or view of a DuckDB file in the engine itself, where it can be joined and written.

    `engine`: the engine that this process works in. `table`: its name, as in "orders" or "sales.orders"; not needed
    where the file has but one. Raises DataError if there is no such table, with those that there are.
    """
    catalog = _attach(engine.con, file)
    found = engine.con.execute(_TABLES, {"catalog": catalog}).fetchall()
    tables = {name if schema == "main" else f"{schema}.{name}": (schema, name) for schema, name in found}
    wanted = table or (next(iter(tables)) if len(tables) == 1 else None)
    if wanted not in tables:
        raise DataError(
            f"{file.name} has no table {wanted!r}; name it under `table`: {did_you_mean(str(wanted), list(tables))}"
        )
    schema, name = tables[wanted]
    opened = engine.table(name, database=(catalog, schema))
    return opened.mutate(**{FILE_COLUMN: ibis.literal(str(file))})


def _attach(connection: Any, file: Path) -> str:
    """The name under which a file is attached; one that has changed since is attached anew."""
    path, stat = str(file.resolve()), file.stat()
    stamp = f"{path} {stat.st_mtime_ns} {stat.st_size}"
    name = f"file_{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"
    there = connection.execute("SELECT path, database_name FROM duckdb_databases() WHERE NOT internal")
    attached = dict(there.fetchall())
    if attached.get(path) != name:
        if path in attached:
            connection.execute(f"DETACH {attached[path]}")
        quoted = path.replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS {name} (READ_ONLY)")
    return name
