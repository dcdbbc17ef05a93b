"""A text file with lines that cannot be split into columns, rewritten so that none is lost.

The engine refuses such a file, or drops the lines. Here it is read once more, record by record: what
splits into as many fields as the header is kept, and each line that does not is kept as text, in a
column of its own.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crmlib import format as fmt
from crmlib.data.files.contents import UNREADABLE, open_bytes
from crmlib.data.files.text_file import TextFile, wrong_encoding
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

    Raises
    ------
    DataError
        If the file's bytes are not in its encoding.
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
                raise wrong_encoding(
                    self._file.source, self._file.encoding, f"line {self._read + 1} or later"
                ) from None
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
