"""Cache folders, such as cleaned tables: checked, made again if damaged, and limited in size."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from operator import itemgetter
from pathlib import Path
from typing import Any

from crmlib.data.code_key import code_key
from crmlib.data.staging import clear_leftovers, whole_folder, write_whole
from crmlib.errors import DataError

# Modules that import all that cleaning needs.
CLEANING = ("crmlib.data.cleaning.clean", "crmlib.data.sources")
USED, QUARANTINE, REPORT = "used.parquet", "quarantine.parquet", "report.json"
_DAMAGED = (OSError, ValueError, KeyError, TypeError)  # what reading a damaged entry raises
_SETTLED_NS = 2 * 10**9  # a younger file may change again without a new modification time


@dataclass(frozen=True)
class CleaningReport:
    """What became of every row of a table.

    `rows` holds each outcome with its `rows` and the `money` of every money column; `values` what was changed or
    left out in rows that are used; `sources` the rows of each file; `columns` is contract column to source column,
    `filled` contract column to the number of used rows in which it holds something. Of the purchase log,
    `policies` says what each decision concerns, `states` those of its orders, `days` the first and the last, and
    `no_groups` which columns of groups are left out, for they have nearly as many values as rows.
    """

    rows: list[dict[str, Any]]
    values: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    columns: dict[str, str]
    filled: dict[str, int]
    policies: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    days: dict[str, Any] = field(default_factory=dict)
    no_groups: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FileState:
    """The content of a file by its digest, and its size and times, by which a later change is seen."""

    sha256: str
    marks: tuple[int, ...]

    def is_still_that_of(self, file: Any) -> bool:
        """Whether the file holds the same now."""
        try:
            return _marks(file) == self.marks or digest_of(file) == self.sha256
        except OSError:
            return False


def file_state(file: Path, cache: Path) -> FileState:
    """The state of a file; its digest is cached while size, times and place on the disk stay the same.

    Raises DataError if it changes while it is read.
    """
    marks = _marks(file)
    note = cache / "digests" / hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:24]
    with contextlib.suppress(*_DAMAGED):  # or there is none yet
        remembered = json.loads(note.read_text(encoding="utf-8"))
        if remembered["marks"] == list(marks):
            return FileState(str(remembered["sha256"]), marks)
    digest = digest_of(file)
    if _marks(file) != marks:
        raise changed_while_read(file)
    if time.time_ns() - max(marks[1:3]) > _SETTLED_NS:
        write_whole(note, json.dumps({"sha256": digest, "marks": marks}), flush=False)
    return FileState(digest, marks)


def _marks(file: Path) -> tuple[int, ...]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def changed_while_read(file: Path) -> DataError:
    """The error for a file that changed while it was read."""
    return DataError(f"{file.name} changed while it was read; run again when it is complete")


def cache_key(files: Mapping[Any, FileState], settings: str) -> str:
    """The name of a cache entry: by the source files, the settings and the code that cleans.

    `files`: the source files, or rows of a database; their content counts, not their names' age. `settings`: formats
    and policies, as text.
    """
    parts = [settings, version("duckdb"), version("ibis-framework"), code_key(*CLEANING)]
    parts += [f"{file.name} {state.sha256}" for file, state in files.items()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def keep_cleaned(
    folder: Path, clean: Callable[[Path], CleaningReport], files: Mapping[Any, FileState], **facts: Any
) -> Path:
    """The folder of a cleaned log or table; it is made now if it is missing or damaged.

    Raises DataError if a source file is not what it was when the key was made; RunError if the disk is full.
    """

    def make(draft: Path) -> None:
        report = clean(draft)
        for file, state in files.items():
            if not state.is_still_that_of(file):
                raise changed_while_read(file)
        (draft / REPORT).write_text(json.dumps(asdict(report), indent=1), encoding="utf-8")

    return keep(folder, make, **facts)


def read_report(folder: Path) -> CleaningReport:
    """The cleaning report in a folder."""
    return CleaningReport(**json.loads((folder / REPORT).read_text(encoding="utf-8")))


def describe(settings: object) -> str:
    """Settings as text in a fixed order, for a key."""
    return json.dumps(settings, sort_keys=True, default=str)


CONTENTS = "contents.json"  # size, time and digest of every file of an entry, and facts about it
KEPT_BYTES = 4 * 2**30  # of cleaned tables, and as much of samples and of simulated firms
_IN_USE_SECONDS = 24 * 3600  # a run may still read what was opened so lately


def keep(folder: Path, make: Callable[[Path], None], **facts: Any) -> Path:
    """The folder of a cache entry; it is made now if it is missing or damaged.

    `folder`: two processes may make it at once; both finish, and the first to be done is kept. `make`: writes the
    entry's files into a folder. `facts`: further facts about the entry.
    """
    if facts_of(folder) is None:
        with whole_folder(folder) as draft:
            make(draft)
            seal(draft, **facts)
    return folder


def seal(folder: Path, **facts: Any) -> None:
    """Write a list of the files in a folder with their digests, so that damage can be found."""
    files = {
        path.relative_to(folder).as_posix(): [path.stat().st_size, path.stat().st_mtime_ns, digest_of(path)]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / CONTENTS).write_text(json.dumps({"files": files, "facts": facts}), encoding="utf-8")


def facts_of(folder: Path) -> dict[str, Any] | None:
    """The facts about an entry; None if it is missing or damaged, and a damaged entry is removed."""
    if not folder.is_dir():
        return None
    with contextlib.suppress(*_DAMAGED):
        return _checked(folder)
    # Moved away before it is checked again: another process may have made it anew meanwhile; then it is moved back.
    aside = folder.with_name(f".making-{secrets.token_hex(4)}")
    try:
        folder.rename(aside)
        found = _checked(aside)
        aside.rename(folder)
    except _DAMAGED:
        if aside.is_dir():
            logging.getLogger("crmlib").warning("crm: %s was damaged, and is made again", folder)
            shutil.rmtree(aside, ignore_errors=True)
        return None
    return found


def _checked(folder: Path) -> dict[str, Any]:
    contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
    facts = dict(contents["facts"])
    for name, (size, time_ns, digest) in dict(contents["files"]).items():
        stat = (folder / name).stat()
        if stat.st_size != size or (stat.st_mtime_ns != time_ns and digest_of(folder / name) != digest):
            raise ValueError("a file differs")
    os.utime(folder / CONTENTS)  # when it was last of use
    return facts


def forget(shelf: Path, unwanted: Callable[[Mapping[str, Any]], bool] = lambda _facts: False) -> None:
    """Remove leftovers of killed processes, unwanted entries, and those that were used the longest ago.

    `shelf`: the folder of the entries. They keep `KEPT_BYTES` in all; none of the last day is removed to get there.
    `unwanted`: whether an entry has to go, by its facts.
    """
    clear_leftovers(shelf)
    kept = 0
    for used, entry, facts in sorted(_entries(shelf), key=itemgetter(0), reverse=True):
        kept += sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
        if facts is None or unwanted(facts) or (kept > KEPT_BYTES and time.time() - used > _IN_USE_SECONDS):
            shutil.rmtree(entry, ignore_errors=True)


def _entries(shelf: Path) -> Iterator[tuple[float, Path, dict[str, Any] | None]]:
    """For each entry: when it was last used, its folder, and its facts (None if damaged)."""
    for entry in shelf.glob("[!.]*"):
        try:
            facts = json.loads((entry / CONTENTS).read_text(encoding="utf-8"))["facts"]
            yield (entry / CONTENTS).stat().st_mtime, entry, dict(facts)
        except _DAMAGED:
            yield 0.0, entry, None


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
