"""Open a file of which nothing is known: its encoding and delimiter are found out from its bytes."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import pandas as pd

from crmlib.data.files.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.files.source_files import CSV_SUFFIXES, source_files
from crmlib.data.files.text_file import decode_head, guess_delimiter, mark_of, open_bytes, read_head
from crmlib.data.guessing.findings import Finding
from crmlib.data.sources import open_table
from crmlib.errors import DataError

_SAMPLE_VALUES = 400_000  # of all columns together, to see what each holds


class OpenFile(NamedTuple):
    """Where the file is, the files that it stands for, its table, its own columns, and how it is written."""

    place: Path
    files: tuple[Path, ...]
    table: ibis.Table
    own: list[str]
    found: list[Finding]


def open_file(source: str | Path, base: Path | None, given: Mapping[str, Any]) -> OpenFile:
    """Open a file of which nothing is known but what `given` says."""
    files = source_files(source, base=base)
    found = [Finding(entry, value, "named by you") for entry, value in given.items() if entry == "sheet"]
    found += detect_format(files[0])
    options = {one.entry: one.value for one in found}
    table = open_table([str(file) for file in files], keep_bad_lines=True, **options)
    own = [name for name in table.columns if name not in (FILE_COLUMN, UNSPLIT)]
    return OpenFile((base or Path.cwd()) / Path(source).expanduser(), tuple(files), table, own, found)


def sample_of(table: ibis.Table, own: list[str]) -> pd.DataFrame:
    """The first rows of a table, enough to see what each of its own columns holds."""
    rows = max(200, _SAMPLE_VALUES // max(len(own), 1))
    sample = table.select(*own).limit(rows).to_pandas()
    if sample.empty:
        raise DataError("the file has a header but no rows; export it again")
    if all(_looks_like_data(name) for name in own):
        raise DataError(
            f"the first line looks like data, not like a header ({', '.join(own[:5])}); "
            "add a line with the columns' names"
        )
    return sample


def _looks_like_data(name: str) -> bool:
    return not any(sign.isalpha() for sign in name) or name.startswith("column_")


def detect_format(file: Path) -> Iterator[Finding]:
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
