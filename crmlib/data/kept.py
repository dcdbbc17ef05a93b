"""Folders in a cache: each is found as it was made, or made anew; and what they all take on the disk is bounded."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from crmlib.data.staging import clear_leftovers, whole_folder

CONTENTS = "contents.json"  # size, time and digest of every file of an entry, and what is said of it
KEPT_BYTES = 4 * 2**30  # of cleaned tables, and as much of samples and of simulated firms
_IN_USE_SECONDS = 24 * 3600  # a run may still read what was opened so lately


def keep(folder: Path, make: Callable[[Path], None], **facts: Any) -> Path:
    """The folder of an entry: as it was made, or made now where it is not there or was damaged.

    Parameters
    ----------
    folder : Path
        Two processes may make it at once; both finish, and the first to be done is kept.
    make : callable
        Writes the entry's files into a folder.
    **facts
        What is said of the entry beside its files.
    """
    if facts_of(folder) is None:
        with whole_folder(folder) as draft:
            make(draft)
            seal(draft, **facts)
    return folder


def seal(folder: Path, **facts: Any) -> None:
    """Write down what a folder holds, so that it can be held against it."""
    files = {
        path.relative_to(folder).as_posix(): [path.stat().st_size, path.stat().st_mtime_ns, digest_of(path)]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    (folder / CONTENTS).write_text(json.dumps({"files": files, "facts": facts}), encoding="utf-8")


def facts_of(folder: Path) -> dict[str, Any] | None:
    """What was said of an entry when it was made; None, and no entry any more, where it is not as it was made."""
    if not folder.is_dir():
        return None
    try:
        return _checked(folder)
    except _DAMAGED:
        pass
    # Moved away before it is removed: by now another process may have made it anew, and that one comes back.
    aside = folder.with_name(f".making-{secrets.token_hex(4)}")
    try:
        folder.rename(aside)
        found = _checked(aside)
        aside.rename(folder)
    except _DAMAGED:
        if aside.is_dir():
            logging.getLogger("crmlib").warning("crm: %s was damaged, and is made anew", folder)
            shutil.rmtree(aside, ignore_errors=True)
        return None
    return found


_DAMAGED = (OSError, ValueError, KeyError, TypeError)


def _checked(folder: Path) -> dict[str, Any]:
    contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
    files, facts = dict(contents["files"]), dict(contents["facts"])
    if not all(_as_made(folder / name, *what) for name, what in files.items()):
        raise ValueError("a file differs")
    os.utime(folder / CONTENTS)  # when it was last of use
    return facts


def _as_made(path: Path, size: int, time_ns: int, digest: str) -> bool:
    stat = path.stat()
    return stat.st_size == size and (stat.st_mtime_ns == time_ns or digest_of(path) == digest)


def forget(shelf: Path, unwanted: Callable[[Mapping[str, Any]], bool] = lambda _facts: False) -> None:
    """Remove what killed processes left on a shelf, what is not wanted, and what was of use the longest ago.

    Parameters
    ----------
    shelf : Path
        The folder of the entries. They keep `KEPT_BYTES` in all; none of the last day is removed to get there.
    unwanted : callable
        Whether an entry has to go, by its facts.
    """
    clear_leftovers(shelf)
    kept = 0
    for used, entry, facts in sorted(_entries(shelf), key=lambda one: one[0], reverse=True):
        kept += sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
        if facts is None or unwanted(facts) or (kept > KEPT_BYTES and time.time() - used > _IN_USE_SECONDS):
            shutil.rmtree(entry, ignore_errors=True)


def _entries(shelf: Path) -> Iterator[tuple[float, Path, dict[str, Any] | None]]:
    """When each entry was last of use, where it is, and what is said of it; None of a damaged one."""
    for entry in shelf.glob("[!.]*"):
        try:
            facts = json.loads((entry / CONTENTS).read_text(encoding="utf-8"))["facts"]
            yield (entry / CONTENTS).stat().st_mtime, entry, dict(facts)
        except (OSError, ValueError, KeyError, TypeError):
            yield 0.0, entry, None


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
