"""How a text file is written: its encoding and what stands between its columns."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from crmlib.data.files.source_files import CSV_SUFFIXES
from crmlib.data.files.text_file import decode_head, guess_delimiter, mark_of, open_bytes, read_head
from crmlib.data.guessing.findings import Finding


def guess_format(file: Path) -> Iterator[Finding]:
    """Encoding and delimiter of a text file."""
    if not file.name.lower().endswith(CSV_SUFFIXES):
        return
    head = read_head(file)
    mark = mark_of(head)
    encoding, evidence = (
        (mark, "by its byte-order mark or its pattern of zero bytes") if mark else _encoding_of(file)
    )
    if encoding != "utf-8":
        yield Finding("encoding", encoding, evidence)
    delimiter = guess_delimiter(decode_head(file, head, encoding))
    if delimiter != ",":
        yield Finding(
            "delimiter", delimiter, "the lines have as many fields as the header under this sign alone"
        )


def _encoding_of(file: Path) -> tuple[str, str]:
    """UTF-8 if every byte agrees with it; else the Windows one, or Latin-1 for bytes that Windows lacks."""
    utf8, windows = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementaldecoder("cp1252")()
    is_utf8 = is_windows = True
    with open_bytes(file) as content:
        while (piece := content.read(1 << 20)) and (is_utf8 or is_windows):
            is_utf8 = is_utf8 and _decodes(utf8, piece)
            is_windows = is_windows and _decodes(windows, piece)
    if is_utf8:
        return "utf-8", "every byte agrees with it"
    if is_windows:
        return "cp1252", "the bytes are not UTF-8, and each is a sign of Windows-1252 (Western Europe)"
    return "latin-1", "the bytes are neither UTF-8 nor Windows-1252"


def _decodes(decoder: codecs.IncrementalDecoder, piece: bytes) -> bool:
    try:
        decoder.decode(piece)
    except UnicodeDecodeError:
        return False
    return True
