"""Detect the format of a file from its content: packing, and for text its encoding, delimiter and header."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import IO

from crmlib.data.files.source_files import TEXT_SUFFIXES
from crmlib.errors import DataError

HEAD_BYTES = 256 * 1024  # enough lines to detect the delimiter, and quickly read
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error)  # what unpacking a damaged file raises
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it starts with
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROLS = bytes([*range(9), *range(14, 32)])  # but tab, line ends and form feed; text has few of them
_PAGES = (b"<!doctype", b"<html", b"<table", b"<?xml")
_BINARY = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; name it .xlsx if it is a workbook, else .zip",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (name it .xls), or one under a password (save it without)",
    b"PAR1": "a Parquet file; name it .parquet",
    b"%PDF": "a PDF; export the table itself",
    b"SQLite": "an SQLite database; export the table as CSV",
    b"\x1f\x8b": "compressed; name it .csv.gz",
    b"ARROW1": "a Feather file; name it .feather",
}


def read_edited(path: str | Path, copied_from: str | Path = "") -> str:
    """The text of a small file that people edit, without the mark that editors write before it."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        cure = f"; copy {copied_from} there and edit it" if copied_from else ""
        raise DataError(f"no file {path}{cure}") from None
    except (OSError, UnicodeDecodeError):
        raise DataError(
            f"{path} is no text in UTF-8; save it as such, with an editor for plain text"
        ) from None


def edited_number(value: object) -> float:
    """A number as people write it, with a point or a comma; not a number where it is none."""
    try:
        return float(str(value).replace(",", "."))
    except ValueError:
        return float("nan")


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of a text file, unpacked."""
    name = path.name.lower()
    if name.endswith(".gz"):
        return gzip.open(path)  # type: ignore[return-value]
    if name.endswith(".bz2"):
        return bz2.open(path)
    if name.endswith(".zip"):
        return _only_file_in(path)
    if name.endswith(".zst"):
        import pyarrow as pa

        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def _only_file_in(path: Path) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:
        held = [file for file in archive.infolist() if not file.is_dir() and "__MACOSX/" not in file.filename]
        names = ", ".join(file.filename for file in held[:20]) or "nothing"
        if len(held) != 1 or not names.lower().endswith(TEXT_SUFFIXES):
            raise DataError(
                f"{path.name} holds {names}; of an archive one text file is read: unpack it, and name a file, the "
                "folder or a pattern"
            )
        if held[0].flag_bits & 1:
            raise DataError(f"{path.name} is under a password; unpack it, and name {names}")
        return archive.open(held[0])


def read_head(path: Path) -> bytes:
    """The first bytes of a text file.

    Raises DataError if there are none, or they are no text.
    """
    try:
        with open_bytes(path) as content:
            head = content.read(HEAD_BYTES)
    except UNREADABLE as complaint:
        raise cannot_be_read(path, complaint) from None
    if not head.strip(b"\0 \r\n\t\xff\xfe\xef\xbb\xbf"):
        size = path.stat().st_size
        raise DataError(f"{path.name} is empty ({size} bytes); export it again, with its header line")
    if kind := _kind_of(head):
        raise DataError(f"{path.name} holds {kind}")
    return head


def cannot_be_read(path: Path, complaint: Exception, own: bytes = b"\0") -> DataError:
    """The error for a file that is damaged, or whose content does not match its ending.

    `complaint`: why it cannot be read; only what the system says, as on a lack of rights, is repeated. `own`: the first
    bytes of files with such an ending.
    """
    if isinstance(complaint, OSError) and complaint.errno and complaint.strerror:
        return DataError(f"{path} cannot be read: {complaint.strerror}")
    try:
        with path.open("rb") as content:
            head = content.read(HEAD_BYTES)
    except OSError as refusal:  # which the engine does not say in the same way
        return DataError(f"{path} cannot be read: {refusal.strerror}")
    if not head:
        why = "it is empty; export it again"
    elif head.startswith(own) or path.name.lower().endswith(".gz"):
        why = "it is damaged, incomplete or has the wrong file ending; copy or export it again"
    else:
        why = f"it holds {_kind_of(head) or 'lines of text; name it .csv'}"
    return DataError(f"{path.name} cannot be read: {why}")


def _kind_of(head: bytes) -> str:
    """The kind of a file by its first bytes, with the cure; empty if it is text."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:16]
    if start.lower().startswith(_PAGES):
        return "a web page, not a table; open it in a spreadsheet program and save it as .xlsx or CSV"
    found = next((what for magic, what in _BINARY.items() if start.startswith(magic)), "")
    odd_bytes = len(head) - len(head.translate(None, _CONTROLS))
    if not found and mark_of(head) is None and odd_bytes > len(head) / 100:
        found = "not text; export the table as CSV, Parquet or Excel"
    return found and f"binary data, not lines of text: it is {found}"


def mark_of(head: bytes) -> str | None:
    """The encoding by the byte-order mark, or UTF-16 where every second byte is zero."""
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return encoding
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) / 4 and min(even, odd) < len(head) / 100:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


DELIMITERS = (",", ";", "\t", "|")
_HEAD_LINES = 50  # to see whether the header is narrower than what stands below
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

    `path`: a delimited text file, possibly packed (.gz, .bz2, .zst, .zip). `encoding`, `delimiter`: what the study says
    about them. Raises DataError if the file is empty or binary, is not in the encoding, does not begin with its header,
    or names a column twice.
    """
    head = read_head(path)
    encoding = encoding or mark_of(head) or "utf-8"
    text = decode_head(path, head, encoding)
    delimiter = delimiter or guess_delimiter(text)
    records = [*islice(_records(text, delimiter), _HEAD_LINES)]
    first = records[0] if records else []
    others = DELIMITERS if len(_filled(first)) <= 1 else ()  # only then are they likely as well
    refuse_preamble(path.name, records, *([*islice(_records(text, sign), _HEAD_LINES)] for sign in others))
    if not first:
        raise DataError(f"{path.name} has no header line; export it again, with the names of its columns")
    header = unique_names(first, path.name, max(map(_width, records)))
    return TextFile(path, path, encoding, delimiter, header)


def decode_head(path: Path, head: bytes, encoding: str) -> str:
    """Decode the first lines; the last, incomplete one is left out if there are others."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        text = decoder.decode(head, final=False).lstrip("\ufeff")
    except UnicodeDecodeError as complaint:
        line = head[: complaint.start].count(b"\n") + 1
        raise wrong_encoding(path, encoding, f"line {line}") from None
    cut = max(text.rfind("\n"), text.rfind("\r"))
    return text[: cut + 1] if len(head) == HEAD_BYTES and cut > 0 else text


def wrong_encoding(path: Path, encoding: str, where: str) -> DataError:
    """The error for a file whose bytes do not fit the stated encoding."""
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

    def score(delimiter: str) -> tuple[bool, float, int]:
        counts = [len(record) for record in _records(text, delimiter) if record] or [0]
        return counts[0] > 1, round(counts.count(counts[0]) / len(counts), 2), counts[0]

    return max(DELIMITERS, key=score)


def refuse_preamble(where: str, *readings: Sequence[Sequence[object]]) -> None:
    """Refuse a table whose header stands further down, below a title or a header that is narrower.

    `where`: what is read, for the message. `readings`: its first records, empty lines among them: one reading per
    delimiter that is possible, the likeliest first. Raises DataError if the first line is narrower than most are, and
    has one filled cell at most, or is followed by a line as wide as most in which every cell begins with a letter.
    """
    width, line = max((_header_below(records[:_HEAD_LINES]) for records in readings), key=itemgetter(0))
    if not width:
        return
    below = _filled(readings[0][line - 1]) if line <= len(readings[0]) else []
    if len(_filled(readings[0][0])) <= 1 or all(cell[0].isalpha() for cell in below):
        title = " ".join(_filled(readings[0][0]))[:60]
        raise DataError(
            f"{where}: line 1 is no header, for it holds {title!r} alone; the column names are in line {line}. "
            "Delete the lines above that one and save the file"
        )


def _header_below(records: Sequence[Sequence[object]]) -> tuple[int, int]:
    """Cells and line of the first record as wide as most are, if it is not the very first; else zeros."""
    widths = [_width(record) for record in records]
    usual = Counter(width for width in widths if width > 1).most_common(1)
    place = next((n for n, width in enumerate(widths) if usual and width >= usual[0][0]), 0)
    if place == 0:
        return (0, 0)
    below = [len(record) == len(records[place]) for record in records[place + 1 :] if _filled(record)]
    is_header = below and sum(below) >= _NEARLY_ALL * len(below)
    return (len(records[place]), place + 1) if is_header else (0, 0)


def _filled(record: Sequence[object]) -> list[str]:
    return [str(cell).strip() for cell in record if cell is not None and str(cell).strip()]


def _width(record: Sequence[object]) -> int:
    """The place of the last cell that is filled."""
    return max((place for place, cell in enumerate(record, start=1) if _filled([cell])), default=0)


def unique_names(names: Iterable[object], where: str, width: int = 1) -> tuple[str, ...]:
    """A header's names; a blank one becomes column_3, or is left out beyond `width`; one that stands twice is refused.

    The engine tells names apart without regard to case, and would rename the second in silence.
    """
    result = [("" if raw is None else str(raw)).strip() or f"column_{n}" for n, raw in enumerate(names, 1)]
    places: dict[str, int] = {}
    for place, name in enumerate(result, start=1):
        if (first := places.setdefault(name.lower(), place)) < place:
            raise DataError(
                f"{where}: column {name!r} occurs twice in the header, as columns {first} and {place}; "
                "rename or remove one of them, so that the name is unique"
            )
    while len(result) > max(width, 1) and result[-1] == f"column_{len(result)}":
        result.pop()  # a header line that ends with a delimiter
    return tuple(result)


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error:
        return
