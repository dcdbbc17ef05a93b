"""Files and folders that are there whole or not at all: made aside, flushed to disk, and renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a draft beside a file; it takes the file's place in the end, and is gone if that is not reached.

    Parameters
    ----------
    path : Path
        The file, which need not be there yet; nor its folder.
    flush : bool
        Whether it is on the disk before it takes its place. What stands in a folder that is flushed as a whole later
        need not be.

    Examples
    --------
    >>> file = Path(tempfile.mkdtemp()) / "figures.txt"
    >>> with whole_file(file) as draft:
    ...     _ = draft.write_text("all of it")
    >>> file.read_text()
    'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.writing")
    try:
        yield draft
        if flush:
            _flush(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, text: str, *, flush: bool = True) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    with whole_file(path, flush=flush) as draft:
        draft.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a draft beside a folder; it becomes the folder in the end, and is gone if that is not reached.

    Parameters
    ----------
    folder : Path
        Where it shall be. Two processes may make it at once; both finish, and the first to be done is kept.
    replace : bool
        Whether it takes the place of a folder that is there, which comes back if that fails.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    former = draft.with_name(f"{draft.name}-former")
    try:
        yield draft
        flush_folder(draft)
        if replace:
            with contextlib.suppress(FileNotFoundError):
                folder.rename(former)
        try:
            draft.rename(folder)
        except OSError:
            if former.exists():
                former.rename(folder)
                raise
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def flush_folder(folder: Path) -> None:
    """Give all in a folder the rights of new files, and wait until it is on the disk and survives a loss of power.

    Some of it was made for one pair of eyes, as temporary folders are, or copied from a cache of other times.
    """
    umask = os.umask(0o077)  # it can only be read by setting it
    os.umask(umask)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~umask)
            _flush(path)
    for one in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        one.chmod(0o777 & ~umask)
        with contextlib.suppress(OSError):  # not every system lets folders be opened
            _flush(one)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
