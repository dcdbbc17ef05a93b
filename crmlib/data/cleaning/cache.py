"""Cleaned tables on disk, each under a key of what it was made from, so that it is made once; and their reports."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from crmlib.code_key import code_key
from crmlib.errors import DataError
from crmlib.staging import whole_folder, write_whole

CLEANING = (
    "crmlib.data.cleaning.clean",
    "crmlib.data.sources",
)  # modules that import all that cleaning needs
USED, QUARANTINE, REPORT = "used.parquet", "quarantine.parquet", "report.json"


@dataclass(frozen=True)
class CleaningReport:
    """What became of every row of a table.

    `rows` holds each fate with its `rows` and the `money` of every money column; `values` what was changed or
    left out in rows that are used; `sources` the rows of each file; `columns` is contract column to source column,
    `filled` contract column to the number of used rows in which it holds something. Of the purchase log,
    `policies` says what each decision concerns, `states` those of its orders, and `days` the first and the last.
    """

    rows: list[dict[str, Any]]
    values: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    columns: dict[str, str]
    filled: dict[str, int]
    policies: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    days: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The report as text, for the folder of the cleaned table."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> CleaningReport:
        """Read back what `to_json` wrote."""
        return cls(**json.loads(text))


def cache_key(files: Iterable[Path], settings: str, cache: Path) -> str:
    """A name for the outcome of cleaning these files with these settings and the code that cleans.

    Parameters
    ----------
    files : iterable of Path
        The source files; their content counts, not their names' age.
    settings : str
        Formats and policies, as text.
    cache : Path
        Folder of the cache, where digests of unchanged files are remembered.
    """
    parts = [settings, version("duckdb"), version("ibis-framework"), code_key(*CLEANING)]
    parts += [f"{file.name} {sha256(file, cache)}" for file in files]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def sha256(file: Path, cache: Path) -> str:
    """Digest of a file's content, remembered while its size and time of change stay the same."""
    stat = file.stat()
    stamp = f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    note = cache / "digests" / hashlib.sha256(stamp.encode()).hexdigest()[:24]
    if note.exists():
        return note.read_text()
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    write_whole(note, digest, flush=False)
    return digest


def keep_cleaned(
    key: str, cache: Path, clean: Callable[[Path], CleaningReport], files: Iterable[Path] = ()
) -> Path:
    """The folder of a cleaned log or table, made now if it is not there yet.

    Two processes may clean at once; both finish, and the first to be done is kept.

    Raises
    ------
    DataError
        If a source file changed while it was read.
    """
    folder = cache / "cleaned" / key
    if folder.is_dir():
        return folder
    with whole_folder(folder) as draft:
        before = {file: _stamp(file) for file in files}
        report = clean(draft)
        for file, stamp in before.items():
            if _stamp(file) != stamp:
                raise DataError(f"{file.name} changed while it was read; run again when it is complete")
        (draft / REPORT).write_text(report.to_json(), encoding="utf-8")
    return folder


def _stamp(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def read_report(folder: Path) -> CleaningReport:
    """What became of every row when this folder was made."""
    return CleaningReport.from_json((folder / REPORT).read_text(encoding="utf-8"))


def describe(settings: object) -> str:
    """Settings as text in a fixed order, for a key."""
    return json.dumps(settings, sort_keys=True, default=str)
