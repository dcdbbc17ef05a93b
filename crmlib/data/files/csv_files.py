"""CSV files in the engine: every column as text, every line accounted for.

The engine refuses a file with lines that cannot be split into columns, or drops the lines. Such a file is read once
more, record by record: each line that does not split into as many fields as the header is kept as text, in a column
of its own.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import ibis

from crmlib import format as fmt
from crmlib.data.engine import why_refused
from crmlib.data.files.contents import (
    UNREADABLE,
    TextFile,
    cannot_be_read,
    inspect_text_file,
    open_bytes,
    wrong_encoding,
)
from crmlib.data.files.source_files import REPACKED
from crmlib.data.staging import scratch
from crmlib.errors import DataError

# An unclosed quote takes in all lines after it; no valid field has more line breaks than this.
LONGEST_RECORD_LINES = 200


def split_again(file: TextFile, target: Path) -> tuple[int, str]:
    """Write the file's records to `target` as plain UTF-8 CSV with one more column for unsplit lines.

    That column is empty for a record that was split, and holds "line 17, 6 fields instead of 5: ..." for a line that
    was not. Returns the number of the first such line, 0 where there is none, and why it cannot be split.

    Raises DataError if the file's bytes are not in its encoding.
    """
    width, first = len(file.header), (0, "")
    with target.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow([*file.header, "line"])
        for line, fields, text in _records_of(file):
            if fields is not None:
                writer.writerow([*fields, ""])
                continue
            fault = _fault(text, file.delimiter, width)
            writer.writerow([*[""] * width, f"line {line}, {fault}: {text}"])
            first = first if first[0] else (line, fault)
    return first


def _fault(line: str, delimiter: str, width: int) -> str:
    """Why a line cannot be split, in words that hold nothing of it."""
    try:
        found = len(next(csv.reader([line], delimiter=delimiter, strict=True)))
    except csv.Error:
        return "its quotes do not close"
    return f"{fmt.plural(found, 'field')} instead of {width}"


def _records_of(file: TextFile) -> Iterator[tuple[int, list[str] | None, str]]:
    """Line number, fields (None if it cannot be split) and text of each record but the header."""
    width, number, in_header = len(file.header), 1, True
    ahead: deque[str] = deque()
    next_line = _lines_of(file, ahead)
    while record := _next_record(next_line, file.delimiter):
        taken, fields = record
        start, number = number, number + len(taken)
        if fields == [] or not "".join(taken).strip():
            continue
        if in_header:
            in_header = False
        elif fields is not None and (len(fields) == width or (len(fields) == width + 1 and not fields[-1])):
            yield start, fields[:width], ""
        else:
            # Only the first line is at fault: those after it are read again, each from its own start.
            ahead.extendleft(reversed(taken[1:]))
            number = start + 1
            yield start, None, taken[0].rstrip("\r\n")


def _next_record(next_line: Callable[[], str], delimiter: str) -> tuple[list[str], list[str] | None] | None:
    """The lines of a record and its fields (None if it cannot be split); None at the end of the file."""
    taken: list[str] = []

    def feed() -> Iterator[str]:
        for line in islice(iter(next_line, ""), LONGEST_RECORD_LINES):
            taken.append(line)
            yield line

    try:
        return taken, next(csv.reader(feed(), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return (taken, None) if taken else None


def _lines_of(file: TextFile, ahead: deque[str]) -> Callable[[], str]:
    """A function that returns the next line of a file, empty at its end; lines in `ahead` come first."""
    text, numbers = io.TextIOWrapper(open_bytes(file.path), encoding=file.encoding, newline=""), count(1)

    def next_line() -> str:
        if ahead:
            return ahead.popleft()
        number = next(numbers)
        try:
            line = text.readline()
        except UnicodeDecodeError:
            raise wrong_encoding(file.source, file.encoding, f"line {number} or later") from None
        except UNREADABLE:
            raise DataError(f"{file.source.name} is cut off after line {number}; copy it again") from None
        return line.lstrip("\ufeff") if number == 1 else line

    return next_line


# Columns that are added to those of a source; no firm names its own like this.
FILE_COLUMN = "crmlib_source_file"
UNSPLIT = "crmlib_unsplit_line"  # text of a line that could not be split into columns
_numbers = count()


def open_csv_files(engine: Any, paths: Sequence[Path], options: Mapping[str, Any]) -> ibis.Table:
    """Open CSV files as one table: its columns, the file's name, and unsplit lines if there are any.

    `paths`: files; a column that one of them lacks is null in its rows. `options`: `encoding` and `delimiter`; and
    `keep_bad_lines`: whether lines that cannot be split into columns are kept, as rows with their text under UNSPLIT,
    or the file is refused. Raises DataError if a file cannot be read to its last line, naming the line and the cure.
    """
    how = {key: options.get(key) for key in ("encoding", "delimiter")}
    groups: dict[Any, list[TextFile]] = {}
    for path in paths:
        file = inspect_text_file(path, **how)
        groups.setdefault((file.encoding, file.delimiter, file.header), []).append(file)
    keep = bool(options.get("keep_bad_lines"))
    alike = [[_as_utf8(file) for file in group] for group in groups.values()]
    return _stacked([_open_alike(engine, group, keep) for group in alike])


def _open_alike(engine: Any, files: list[TextFile], keep_bad_lines: bool) -> ibis.Table:
    """Open files that one scan can read: the same header, delimiter and encoding."""
    table = _scan(engine, files)
    fault = _fault_in(table)
    if fault is None:
        return table
    if len(files) > 1:  # then find the one at fault
        return _stacked([_open_alike(engine, [file], keep_bad_lines) for file in files])
    file = files[0]
    copy = _scratch_file()
    line, why = split_again(file, copy)
    if line and not keep_bad_lines:
        raise DataError(
            f"{file.source.name}, line {line}: it cannot be split into the {len(file.header)} columns of the header "
            f"by {file.delimiter!r} and quotes '\"' ({why}); correct the line, or name the sign between the columns "
            "under `delimiter`"
        )
    again = replace(file, path=copy, delimiter=",", header=(*file.header, UNSPLIT))
    table = _scan(engine, [again])
    fault = _fault_in(table)
    if fault is not None:
        raise DataError(
            f"{file.source.name} cannot be read: {why_refused(fault)}; a line may be longer than 2 MB, or the file "
            "damaged: export it again"
        )
    return table if line else table.drop(UNSPLIT)


def _scan(engine: Any, files: list[TextFile]) -> ibis.Table:
    """Read files in the engine under neutral column names first, so that no header has a special meaning."""
    file = files[0]
    neutral = [f"c{place}" for place in range(len(file.header))]
    table = engine.read_csv(
        [file.path for file in files],
        columns=dict.fromkeys(neutral, "VARCHAR"),
        header=True,
        delim=file.delimiter,
        quote='"',
        escape='"',
        strict_mode=True,
        filename=FILE_COLUMN,
    )
    moved = {str(file.path): str(file.source) for file in files if file.path != file.source}
    where = table[FILE_COLUMN].substitute(moved) if moved else table[FILE_COLUMN]
    named = {ours: table[c] for ours, c in zip(file.header, neutral, strict=True)}
    return table.select(**named, **{FILE_COLUMN: where})


def _fault_in(table: ibis.Table) -> Exception | None:
    """The engine's error when every value is read once, if there is one.

    Scans are lazy: without this, a fault in the last line would come up in the midst of an analysis. And
    values that a query does not ask for are not checked, so all are asked for.
    """
    import duckdb

    try:
        table.agg([table[name].count().name(f"n{i}") for i, name in enumerate(table.columns)]).to_pyarrow()
    except duckdb.Error as complaint:
        return complaint
    return None


def _as_utf8(file: TextFile) -> TextFile:
    """The file as the engine reads it, rewritten piece by piece if it is in another encoding or packing."""
    if file.encoding == "utf-8" and not file.path.name.lower().endswith(REPACKED):
        return file
    copy = _scratch_file()
    try:
        text = io.TextIOWrapper(open_bytes(file.path), encoding=file.encoding, newline="")
        with text, copy.open("w", encoding="utf-8", newline="") as target:
            shutil.copyfileobj(text, target, 1 << 20)
    except UnicodeError as complaint:
        raise wrong_encoding(file.path, file.encoding, _place_in(complaint)) from None
    except UNREADABLE as complaint:
        raise cannot_be_read(file.path, complaint) from None
    return replace(file, path=copy, encoding="utf-8")


def _place_in(complaint: UnicodeError) -> str:
    found = re.search(r"position (\d+)", str(complaint))
    return f"near byte {found[1]}" if found else "at its end"


def _stacked(tables: list[ibis.Table]) -> ibis.Table:
    """Tables one below the other, columns matched by name; what a table lacks is null in its rows."""
    if len(tables) == 1:
        return tables[0]
    names, absent = dict.fromkeys(chain(*(table.columns for table in tables))), ibis.null("string")
    columns = ({n: table[n] if n in table.columns else absent for n in names} for table in tables)
    return ibis.union(*[table.select(**own) for table, own in zip(tables, columns, strict=True)])


def _scratch_file() -> Path:
    """The path of a new temporary file, which is kept as long as this process runs."""
    return scratch() / f"{next(_numbers)}.csv"
