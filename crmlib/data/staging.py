"""Files and folders that are written completely or not at all, and temporary folders of a process."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.util import Finalize
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = threading.RLock()  # one query at a time; apart from the engine, which a cached report never loads


MAKING = ".making-"  # prefix of folders for drafts
_SCRATCH = "crmlib-run-"
_LOCK = ".lock"


@contextmanager
def own_folder(parent: Path, prefix: str = MAKING) -> Iterator[Path]:
    """A folder that is removed at the end; if this process is killed, `clear_leftovers` removes it later.

    Examples
    --------
    >>> with own_folder(Path(tempfile.mkdtemp())) as folder:
    ...     _ = (folder / "draft").write_text("half of it")
    >>> folder.exists()
    False
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder, held = _locked_folder(parent, prefix)
    try:
        yield folder
    finally:
        _give_up(folder, held)


def clear_leftovers(parent: Path, prefix: str = MAKING) -> None:
    """Remove the folders that killed processes have left in a folder: those whose lock nobody holds."""
    for folder in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # another user's, or another process is removing it
            if not (folder / _LOCK).exists():
                # Its maker was killed before it had a lock, or after all was removed; a kernel that was about to
                # start may have written into it then.
                shutil.rmtree(folder)
            elif lock := hold(folder / _LOCK, wait=False):
                _give_up(folder, lock)


@functools.cache
def scratch() -> Path:
    """The folder for temporary files of this process; if it is killed, the next process removes it."""
    clear_leftovers(Path(tempfile.gettempdir()), _SCRATCH)
    folder, held = _locked_folder(Path(tempfile.gettempdir()), _SCRATCH)
    # By multiprocessing, whose own folder may be in it and has to go before; in a forked process it does nothing.
    Finalize(None, _give_up, (folder, held), exitpriority=-200)
    return folder


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, FileLock | None]:
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        with contextlib.suppress(FileNotFoundError):  # another process removed it before it had its lock
            (folder / _LOCK).touch()
            lock = hold(folder / _LOCK)
            if (folder / _LOCK).exists():
                return folder, lock


def _give_up(folder: Path, lock: FileLock | None) -> None:
    """Remove a folder, its lock last: if the process is killed meanwhile, the rest is recognised as a leftover."""
    for path in [*folder.iterdir()] if folder.is_dir() else []:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _LOCK:
            with contextlib.suppress(OSError):
                path.unlink()
    if lock:
        lock.release()
    shutil.rmtree(folder, ignore_errors=True)


def hold(path: Path, *, wait: bool = True) -> FileLock | None:
    """Acquire a lock that the system releases when this process ends in any way; None if another process has it."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=wait)
    except (Timeout, OSError, NotImplementedError):
        return None
    return lock


@contextmanager
def whole_file(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """A draft beside a file; it replaces the file at the end, and is removed after an error.

    `path`: the file, which need not be there yet; nor its folder. `flush`: whether it is on the disk before it takes
    its place. What stands in a folder that is flushed as a whole later need not be.

    Examples
    --------
    >>> file = Path(tempfile.mkdtemp()) / "figures.txt"
    >>> with whole_file(file) as draft:
    ...     _ = draft.write_text("all of it")
    >>> file.read_text()
    'all of it'
    """
    with own_folder(path.parent) as folder:
        draft = folder / path.name
        yield draft
        if flush:
            _flush(draft)
        os.replace(draft, path)


def write_whole(path: Path, text: str, *, flush: bool = True) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    with whole_file(path, flush=flush) as draft:
        draft.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """A draft beside a folder; it becomes the folder at the end, and is removed after an error.

    `folder`: where it shall be. Two processes may make it at once; both finish, and the first to be done is kept.
    `replace`: whether it takes the place of a folder that is there, which comes back if that fails.
    """
    with own_folder(folder.parent) as own:
        draft, former = own / "draft", own / "former"
        draft.mkdir(mode=0o700)
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


def copy_files(folder: Path, to: Path, *, but: str = "") -> None:
    """Copy all files of a folder but those of one name; unlike in shutil, system errors are raised as they are."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != but:
            target = to / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def flush_folder(folder: Path) -> None:
    """Set the permissions of new files on all in a folder, and flush it to the disk, so that it survives a power loss.

    Some of it was made for one pair of eyes, as temporary folders are, or copied from a cache of other times.
    """
    umask = os.umask(0o077)  # it can only be read by setting it
    os.umask(umask)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~umask)
            _flush(path)
    for path in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        path.chmod(0o777 & ~umask)
        with contextlib.suppress(OSError):  # not every system lets folders be opened
            _flush(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
