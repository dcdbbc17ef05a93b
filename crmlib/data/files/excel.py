"""Excel and OpenDocument workbooks: a sheet as a table of text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import product, zip_longest
from pathlib import Path
from typing import Any

import ibis

from crmlib.data.engine import frame_table
from crmlib.data.files.contents import cannot_be_read, refuse_preamble, unique_names
from crmlib.data.files.csv_files import FILE_COLUMN
from crmlib.errors import DataError, did_you_mean


def open_workbooks(files: Sequence[Path], sheets: Sequence[str | int] = ()) -> ibis.Table:
    """Open sheets of workbooks as one table: its columns as text, and the file's name.

    `files`: workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods); a column that a sheet lacks is null in its rows. `sheets`:
    names, or places counted from 1; needed where a workbook has several that hold rows. Raises DataError if a workbook
    cannot be read, the sheet is not there or not named, or a column stands twice.
    """
    import pyarrow as pa

    tables = []
    wanted: Sequence[str | int | None] = sheets or [None]
    for file, sheet in product(files, wanted):
        header, rows = read_sheet(file, sheet)
        columns = zip_longest(*rows) if rows else [()] * len(header)
        arrays = [pa.array(column, pa.string()) for column in columns]
        tables.append((file, pa.table(arrays, names=[*header])))
    return stacked(tables)


def stacked(tables: Iterable[tuple[Path, Any]]) -> ibis.Table:
    """Tables of PyArrow, each with the file that it comes from, one below the other; a column names the file."""
    import pyarrow as pa

    named = [
        table.append_column(FILE_COLUMN, pa.array([str(file)] * len(table), pa.string()))
        for file, table in tables
    ]
    return frame_table(pa.concat_tables(named, promote_options="default"))


def read_sheet(file: Path, sheet: str | int | None = None) -> tuple[tuple[str, ...], list[list[str | None]]]:
    """Header and rows of a sheet, as text; rows without any value are left out, as blank lines are."""
    from python_calamine import CalamineError, CalamineWorkbook, ZipError

    try:
        workbook = CalamineWorkbook.from_path(str(file))
        name = _sheet_name(workbook, file, sheet)
        cells = workbook.get_sheet_by_name(name).to_python()
    except (CalamineError, ZipError, OSError) as complaint:
        own = b"\xd0\xcf\x11\xe0" if file.suffix.lower() == ".xls" else b"PK\x03\x04"
        raise cannot_be_read(file, complaint, own) from None
    if not cells:
        raise DataError(f"{file.name}: sheet {name!r} is empty; export it again, with its header line")
    refuse_preamble(f"{file.name}, sheet {name!r}", cells)
    header = unique_names(cells[0], f"{file.name}, sheet {name!r}")
    rows = [[_text(value) for value in row[: len(header)]] for row in cells[1:]]
    return header, [row for row in rows if any(value is not None for value in row)]


def _sheet_name(workbook: Any, file: Path, sheet: str | int | None) -> str:
    names = workbook.sheet_names
    if sheet in names:
        return str(sheet)
    if str(sheet).isdecimal() and 1 <= int(str(sheet)) <= len(names):
        return names[int(str(sheet)) - 1]
    filled = [name for name in names if workbook.get_sheet_by_name(name).height > 1]
    if sheet is None and len(filled) <= 1:
        return (filled or names)[0]
    asked = f"no sheet {sheet!r}" if sheet is not None else f"{len(filled)} sheets hold rows"
    raise DataError(
        f"{file.name}: {asked}; name one, or all that are one table, under `sheet`: "
        f"{did_you_mean(str(sheet), names)}"
    )


def _text(value: Any) -> str | None:
    """A cell as a CSV export would hold it: 12 for 12.0, ISO for dates, nothing for an empty cell."""
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return str(value)
