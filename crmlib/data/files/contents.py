"""What a file holds, whatever its name says: its bytes, unpacked, and what they are."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import zipfile
import zlib
from pathlib import Path
from typing import IO

from crmlib.data.files.source_files import TEXT_SUFFIXES
from crmlib.errors import DataError

HEAD_BYTES = 256 * 1024  # enough lines to tell a delimiter by, and read in a blink
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error)  # what unpacking a damaged file raises
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it starts with
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROLS = bytes([*range(9), *range(14, 32)])  # all but tab, line ends and form feed: no text holds many
_BINARY = "binary data, not lines of text: it is "
_PAGE = "a web page, not a table; open it in a spreadsheet program and save it as .xlsx or CSV"
_KINDS = {
    b"PK\x03\x04": _BINARY
    + "an Excel workbook or a zip archive; name it .xlsx if it is a workbook, else .zip",
    b"\xd0\xcf\x11\xe0": _BINARY
    + "an old Excel workbook (name it .xls), or one under a password (save it without)",
    b"PAR1": _BINARY + "a Parquet file; name it .parquet",
    b"%PDF": _BINARY + "a PDF; export the table itself",
    b"SQLite": _BINARY + "an SQLite database; export the table as CSV",
    b"\x1f\x8b": _BINARY + "compressed; name it .csv.gz",
    b"ARROW1": _BINARY + "a Feather file; name it .feather",
    b"<!doctype": _PAGE,
    b"<html": _PAGE,
    b"<table": _PAGE,
    b"<?xml": _PAGE,
}


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
        held = [one for one in archive.infolist() if not one.is_dir() and "__MACOSX/" not in one.filename]
        names = ", ".join(one.filename for one in held[:20]) or "nothing"
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

    Raises
    ------
    DataError
        If there are none, or they are no text.
    """
    try:
        with open_bytes(path) as content:
            head = content.read(HEAD_BYTES)
    except UNREADABLE as complaint:
        raise cannot_be_read(path, complaint) from None
    if not head.strip(b"\0 \r\n\t\xff\xfe\xef\xbb\xbf"):
        raise DataError(
            f"{path.name} is empty ({path.stat().st_size} bytes); export it again, with its header line"
        )
    if kind := _kind_of(head):
        raise DataError(f"{path.name} holds {kind}")
    return head


def cannot_be_read(path: Path, complaint: Exception, own: bytes = b"\0") -> DataError:
    """The refusal of a file that is not what its ending says, or is damaged.

    Parameters
    ----------
    path : Path
    complaint : Exception
        Why it cannot be read; only what the system says, as on a lack of rights, is repeated.
    own : bytes
        The first bytes of files with such an ending.
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
        why = "it is damaged, cut off or not what its ending says; copy or export it again"
    else:
        why = f"it holds {_kind_of(head) or 'lines of text; name it .csv'}"
    return DataError(f"{path.name} cannot be read: {why}")


def _kind_of(head: bytes) -> str:
    """What a file holds by its first bytes, and what to do; empty if they are lines of text."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:16]
    found = next(
        (
            what
            for magic, what in _KINDS.items()
            if start.startswith(magic) or start.lower().startswith(magic)
        ),
        "",
    )
    odd_bytes = len(head) - len(head.translate(None, _CONTROLS))
    if not found and mark_of(head) is None and odd_bytes > len(head) / 100:
        return _BINARY + "not text; export the table as CSV, Parquet or Excel"
    return found


def mark_of(head: bytes) -> str | None:
    """The encoding that a byte-order mark names, or that every second byte being zero gives away."""
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return encoding
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) / 4 and min(even, odd) < len(head) / 100:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None
