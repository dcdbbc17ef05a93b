"""Where a study's reports live, and how one becomes the latest without ever being half there.

``reports/<study>/``
    ``runs/<id>/``      published reports
    ``failed/<id>/``    runs in which a notebook failed; they never become the latest
    ``latest``          a link to the newest published run (a copy where links are not possible)
    ``.staging/<id>/``  a run that is being made; its maker holds a lock on ``.staging/<id>.lock``
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from crmlib.errors import RunError
from crmlib.staging import flush_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class Reports:
    """The folder of one study's reports.

    Parameters
    ----------
    folder : Path
        Such as ``reports/cdnow``; made when a run begins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.runs, self.failed = self.folder / "runs", self.folder / "failed"
        self.staging, self.latest = self.folder / ".staging", self.folder / "latest"

    @contextmanager
    def new_run(self) -> Iterator[Path]:
        """Give a staging folder that is cleared in the end, and that no other run clears meanwhile."""
        self.staging.mkdir(parents=True, exist_ok=True)
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        staged, lock_file = self.staging / run_id, self.staging / f"{run_id}.lock"
        with self._alone():
            self._clear_leftovers()
            lock = _lock(lock_file)
            staged.mkdir()
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)
            if lock:
                lock.close()
            lock_file.unlink(missing_ok=True)

    def _clear_leftovers(self) -> None:
        """Remove what killed runs left behind: staging folders whose lock nobody holds."""
        for leftover in self.staging.iterdir():
            owner = leftover if leftover.suffix == ".lock" else leftover.with_name(leftover.name + ".lock")
            lock = _lock(owner, wait=False)
            if lock is None:
                continue
            _remove(leftover)
            lock.close()
            owner.unlink(missing_ok=True)

    def publish(self, staged: Path, *, latest: bool) -> Path:
        """Move a finished run to ``runs`` and let ``latest`` point to it."""
        with self._alone():
            published = self._move(staged, self.runs)
            if latest:
                self._point_latest_to(published)
        return published

    def keep_failed(self, staged: Path) -> Path:
        """Move a run in which a notebook failed to ``failed``; ``latest`` stays."""
        return self._move(staged, self.failed)

    def _move(self, staged: Path, to: Path) -> Path:
        to.mkdir(parents=True, exist_ok=True)
        moved = to / staged.name
        flush_folder(staged)
        staged.rename(moved)
        return moved

    def _point_latest_to(self, published: Path) -> None:
        link = self.staging / f"{published.name}.latest"
        try:
            link.symlink_to(Path("runs") / published.name, target_is_directory=True)
        except OSError:  # Windows without the right to make links
            shutil.copytree(published, link)
        if self.latest.is_dir() and not self.latest.is_symlink():
            # A folder cannot be replaced in one step: for an instant there is none, never a half one.
            self.latest.rename(self.staging / f"{published.name}.former")
        os.replace(link, self.latest)
        shutil.rmtree(self.staging / f"{published.name}.former", ignore_errors=True)

    def latest_run(self) -> dict[str, Any]:
        """Return run.json of the latest run, or an empty dict where there is none."""
        return read_record(self.latest)

    def kept(self) -> list[dict[str, Any]]:
        """Return run.json of every run kept, the newest first, with its folder and whether it is the latest."""
        latest = self.latest_run().get("run")
        found = []
        for folder in [*_folders(self.runs), *_folders(self.failed)]:
            record = read_record(folder)
            if record:
                found.append(record | {"folder": folder, "latest": record["run"] == latest})
        return sorted(found, key=lambda record: record["run"], reverse=True)

    def prune(self, keep: int) -> list[Path]:
        """Remove all but the newest `keep` published and `keep` failed runs; never the latest.

        Returns
        -------
        list of Path
            The folders removed.
        """
        if keep < 1:
            raise RunError(f"keep is {keep}; allowed: 1 or more")
        removed = []
        with self._alone():
            latest = self.latest_run().get("run")
            for kind in (self.runs, self.failed):
                for folder in _folders(kind)[keep:]:
                    if folder.name != latest:
                        doomed = self.staging / folder.name
                        folder.rename(doomed)  # gone at once; a prune that is killed leaves no half run
                        shutil.rmtree(doomed, ignore_errors=True)
                        removed.append(folder)
        return removed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time change which runs there are; held for moments only."""
        self.staging.mkdir(parents=True, exist_ok=True)
        lock = _lock(self.folder / ".lock")
        try:
            yield
        finally:
            if lock:
                lock.close()


def read_record(folder: Path) -> dict[str, Any]:
    """Return a run's run.json, or an empty dict where it has none."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _folders(parent: Path) -> list[Path]:
    """The runs in a folder, the newest first."""
    return sorted((one for one in parent.glob("*") if one.is_dir()), key=lambda one: one.name, reverse=True)


def _lock(path: Path, *, wait: bool = True) -> IO[bytes] | None:
    """Hold a lock that the system takes away when this process ends, however it ends; None if another has it."""
    handle = path.open("ab")
    try:
        if sys.platform == "win32":
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle
