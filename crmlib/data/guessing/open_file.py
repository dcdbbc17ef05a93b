"""A stranger's file, opened as far as it tells by itself how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import pandas as pd

from crmlib.data.files.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.files.source_files import source_files
from crmlib.data.guessing.findings import Finding
from crmlib.data.guessing.text_format import guess_format
from crmlib.data.sources import open_table
from crmlib.errors import DataError

_SAMPLE_VALUES = 400_000  # of all columns together, to see what each holds


class Stranger(NamedTuple):
    """Where the file is, the files that it stands for, its table, its own columns, and how it is written."""

    place: Path
    files: tuple[Path, ...]
    table: ibis.Table
    own: list[str]
    found: list[Finding]


def open_stranger(source: str | Path, base: Path | None, given: Mapping[str, Any]) -> Stranger:
    """Open a file of which nothing is known but what `given` says."""
    files = source_files(source, base=base)
    found = [Finding(entry, value, "named by you") for entry, value in given.items() if entry == "sheet"]
    found += guess_format(files[0])
    options = {one.entry: one.value for one in found}
    table = open_table([str(file) for file in files], keep_bad_lines=True, **options)
    own = [name for name in table.columns if name not in (FILE_COLUMN, UNSPLIT)]
    return Stranger((base or Path.cwd()) / Path(source).expanduser(), tuple(files), table, own, found)


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
