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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
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

# A quote that is never closed swallows the lines after it; no honest field has more line breaks.
LONGEST_RECORD_LINES = 200


@dataclass(frozen=True)
class Split:
    """Outcome of a rewriting: lines that could not be split, and where the first of them stands and why."""

    bad_lines: int
    first_line: int
    fault: str


def split_again(file: TextFile, target: Path) -> Split:
    """Write the file's records to `target` as plain UTF-8 CSV with one more column for unsplit lines.

    That column is empty for a record that was split, and holds "line 17, 6 fields instead of 5: ..." for a line that
    was not.

    Raises DataError if the file's bytes are not in its encoding.
    """
    width = len(file.header)
    bad, first_line, first_fault = 0, 0, ""
    with target.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow([*file.header, "line"])
        for line, fields, text in _records_of(file):
            if fields is not None:
                writer.writerow([*fields, ""])
                continue
            fault = _fault(text, file.delimiter, width)
            writer.writerow([*[""] * width, f"line {line}, {fault}: {text}"])
            if not bad:
                first_line, first_fault = line, fault
            bad += 1
    return Split(bad, first_line, first_fault)


def _fault(line: str, delimiter: str, width: int) -> str:
    """Why a line cannot be split, in words that hold nothing of it."""
    try:
        found = len(next(csv.reader([line], delimiter=delimiter, strict=True)))
    except csv.Error:
        return "its quotes do not close"
    return f"{fmt.plural(found, 'field')} instead of {width}"


def _records_of(file: TextFile) -> Iterator[tuple[int, list[str] | None, str]]:
    """Line number, fields (None where there is no telling them) and text of each record but the header."""
    width = len(file.header)
    lines = _Lines(file)
    in_header = True
    while lines.more():
        taken, fields = _next_record(lines, file)
        start = lines.number + 1
        if fields == [] or not "".join(taken).strip():
            lines.number += len(taken)
            continue
        if in_header:
            in_header = False
            lines.number += len(taken)
        elif fields is not None and (len(fields) == width or (len(fields) == width + 1 and not fields[-1])):
            lines.number += len(taken)
            yield start, fields[:width], ""
        else:
            # Only the first line is at fault: those after it are read again, each from its own start.
            lines.put_back(taken[1:])
            lines.number += 1
            yield start, None, taken[0].rstrip("\r\n")


def _next_record(lines: _Lines, file: TextFile) -> tuple[list[str], list[str] | None]:
    taken: list[str] = []

    def feed() -> Iterator[str]:
        while len(taken) < LONGEST_RECORD_LINES and lines.more():
            taken.append(lines.take())
            yield taken[-1]

    reader = csv.reader(feed(), delimiter=file.delimiter, strict=True)
    try:
        return taken, next(reader)
    except (csv.Error, StopIteration):
        return taken, None


class _Lines:
    """The lines of a file, with the possibility to put some back."""

    def __init__(self, file: TextFile) -> None:
        self._file = file
        self._text = io.TextIOWrapper(open_bytes(file.path), encoding=file.encoding, newline="")
        self._ahead: deque[str] = deque()
        self._read = 0
        self.number = 0  # lines that are dealt with

    def more(self) -> bool:
        if not self._ahead:
            try:
                line = self._text.readline()
            except UnicodeDecodeError:
                where = f"line {self._read + 1} or later"
                raise wrong_encoding(self._file.source, self._file.encoding, where) from None
            except UNREADABLE:
                raise DataError(
                    f"{self._file.source.name} is cut off at line {self._read + 1} or later; copy it again"
                ) from None
            if line:
                self._read += 1
                self._ahead.append(line.lstrip("\ufeff") if self._read == 1 else line)
        return bool(self._ahead)

    def take(self) -> str:
        return self._ahead.popleft()

    def put_back(self, lines: list[str]) -> None:
        self._ahead.extendleft(reversed(lines))


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
    split = split_again(file, copy)
    if split.bad_lines and not keep_bad_lines:
        raise DataError(
            f"{file.source.name}, line {split.first_line}: it cannot be split into the {len(file.header)} columns of "
            f"the header by {file.delimiter!r} and quotes '\"' ({split.fault}); "
            "correct the line, or name the sign between the columns under `delimiter`"
        )
    again = replace(file, path=copy, delimiter=",", header=(*file.header, UNSPLIT))
    table = _scan(engine, [again])
    fault = _fault_in(table)
    if fault is not None:
        raise DataError(
            f"{file.source.name} cannot be read: {why_refused(fault)}; a line may be longer than 2 MB, or the file "
            "damaged: export it again"
        )
    return table if split.bad_lines else table.drop(UNSPLIT)


def _scan(engine: Any, files: list[TextFile]) -> ibis.Table:
    """The engine's view of files, under neutral names first: no header can then mean anything to it."""
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
    """The engine's complaint on reading every value once, if it has any.

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
        with (
            io.TextIOWrapper(open_bytes(file.path), encoding=file.encoding, newline="") as text,
            copy.open("w", encoding="utf-8", newline="") as target,
        ):
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
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    absent = ibis.null("string")
    return ibis.union(
        *[table.select(**{n: table[n] if n in table.columns else absent for n in names}) for table in tables]
    )


def _scratch_file() -> Path:
    """Where a rewritten file stays as long as this process can read it."""
    return scratch() / f"{next(_numbers)}.csv"
