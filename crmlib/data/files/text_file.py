"""What a text file is before any row of it is read: its encoding, its delimiter and its header."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crmlib.data.files.contents import HEAD_BYTES, mark_of, read_head
from crmlib.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
_NEARLY_ALL = 0.9  # of the lines below a header have as many cells as it has


@dataclass(frozen=True)
class TextFile:
    """One delimited text file: how its bytes become lines, and its lines columns.

    `path` is where it is read, `source` where the firm has it: another one for a rewritten file.
    """

    path: Path
    source: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]


def inspect_text_file(path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> TextFile:
    """Find a text file's encoding (UTF-8, or what its byte-order mark says), delimiter and header.

    Parameters
    ----------
    path : Path
        A delimited text file, possibly packed (.gz, .bz2, .zst, .zip).
    encoding, delimiter : str, optional
        What the study says about them.

    Raises
    ------
    DataError
        If the file is empty or binary, is not in the encoding, does not begin with its header, or names a column
        twice.
    """
    head = read_head(path)
    encoding = encoding or mark_of(head) or "utf-8"
    text = decode_head(path, head, encoding)
    delimiter = delimiter or guess_delimiter(text)
    first = next(_records(text, delimiter), None)
    if len(_filled(first or [])) <= 1:  # only then are all the others read
        refuse_preamble(path.name, *([*_records(text, sign)] for sign in (delimiter, *DELIMITERS)))
    if not first:
        raise DataError(f"{path.name} has no header line; export it again, with the names of its columns")
    return TextFile(path, path, encoding, delimiter, unique_names(first, path.name))


def decode_head(path: Path, head: bytes, encoding: str) -> str:
    """The first lines as text; the last, cut off one is left out where there are others."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        text = decoder.decode(head, final=False).lstrip("\ufeff")
    except UnicodeDecodeError as complaint:
        line = head[: complaint.start].count(b"\n") + 1
        raise wrong_encoding(path, encoding, f"line {line}") from None
    cut = max(text.rfind("\n"), text.rfind("\r"))
    return text[: cut + 1] if len(head) == HEAD_BYTES and cut > 0 else text


def wrong_encoding(path: Path, encoding: str, where: str) -> DataError:
    """The refusal of a file whose bytes are not what they are said to be."""
    cure = "cp1252 (Windows), latin-1 or utf-16" if encoding.startswith("utf-8") else "utf-8"
    return DataError(
        f"{path.name}, {where}: this is not {encoding} text; say under `encoding` what it is: {cure} "
        "is the usual one, and crm new finds it out"
    )


def guess_delimiter(text: str) -> str:
    """The delimiter under which most records have as many fields as the header, and the most of them.

    Examples
    --------
    >>> guess_delimiter("id;date;paid\\n7;2024-01-05;9,50\\n8;2024-01-06;1,20\\n")
    ';'
    """
    scores = {}
    for delimiter in DELIMITERS:
        counts = [len(record) for record in _records(text, delimiter) if record]
        alike = sum(count == counts[0] for count in counts) / len(counts) if counts else 0.0
        scores[delimiter] = (counts[0] > 1, round(alike, 2), counts[0]) if counts else (False, 0.0, 0)
    return max(DELIMITERS, key=lambda delimiter: scores[delimiter])


def refuse_preamble(where: str, *readings: Sequence[Sequence[object]]) -> None:
    """Refuse a table whose first line is a title and whose header stands further down.

    Parameters
    ----------
    where : str
        What is read, for the message.
    *readings : sequence of records
        Its first records, empty lines among them: one reading per delimiter that is possible, the likeliest first.

    Raises
    ------
    DataError
        If the first line has one filled cell at most, and the next one that has several is followed by lines of
        as many cells.
    """
    if not readings[0] or len(_filled(readings[0][0])) > 1:
        return
    width, line = max((_header_below(records) for records in readings), key=lambda found: found[0])
    if width:
        title = " ".join(_filled(readings[0][0]))[:60]
        raise DataError(
            f"{where}: line 1 is no header, for it holds {title!r} alone; the columns' names stand in line {line}. "
            "Delete the lines above that one and save the file"
        )


def _header_below(records: Sequence[Sequence[object]]) -> tuple[int, int]:
    """Cells and line of the first record with several filled ones, if those below are as wide; else zeros."""
    place = next((n for n, record in enumerate(records) if len(_filled(record)) > 1), len(records))
    below = [len(record) == len(records[place]) for record in records[place + 1 :] if _filled(record)]
    is_header = below and sum(below) >= _NEARLY_ALL * len(below)
    return (len(records[place]), place + 1) if is_header else (0, 0)


def _filled(record: Sequence[object]) -> list[str]:
    return [str(cell).strip() for cell in record if cell is not None and str(cell).strip()]


def unique_names(names: Iterable[object], where: str) -> tuple[str, ...]:
    """A header's names; a blank one becomes column_3, and one that stands twice is refused.

    The engine tells names apart without regard to case, and would rename the second in silence.
    """
    named: dict[str, int] = {}
    result = []
    for place, raw in enumerate(names, start=1):
        name = ("" if raw is None else str(raw)).strip() or f"column_{place}"
        if name.lower() in named:
            raise DataError(
                f"{where}: column {name!r} stands twice in the header, as columns {named[name.lower()]} and {place}; "
                "rename or remove one of them, so that it is clear which is meant"
            )
        named[name.lower()] = place
        result.append(name)
    while len(result) > 1 and result[-1] == f"column_{len(result)}":
        result.pop()  # a header line that ends with a delimiter
    return tuple(result)


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error:
        return
