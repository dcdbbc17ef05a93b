"""The runs of a study, and how one becomes the latest in a single step.

``reports/<study>/``
    ``runs/<id>/``      published reports
    ``failed/<id>/``    runs in which a notebook failed; they never become the latest
    ``ledger/<day>/``   what a run of that last day has forecast, for later runs to score; never changed or removed
    ``latest``          a link to the newest published run (a copy where links are not possible)
    ``.staging/``       a folder for each run that is being made; its maker holds a lock in it
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crmlib.data.staging import (
    MAKING,
    clear_leftovers,
    copy_files,
    flush_folder,
    hold,
    own_folder,
    whole_folder,
)
from crmlib.errors import RunError


class Reports:
    """The folder of one study's reports.

    `folder`: such as ``reports/cdnow``; made when a run begins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.runs, self.failed = self.folder / "runs", self.folder / "failed"
        self.staging, self.latest = self.folder / ".staging", self.folder / "latest"
        self.ledger = self.folder / "ledger"

    @contextmanager
    def new_run(self) -> Iterator[Path]:
        """Give a staging folder that is cleared in the end, and clear what killed runs have left."""
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        for folder in (self.runs, self.failed):
            clear_leftovers(folder)
        with self._alone():
            clear_leftovers(self.staging, "")
        with own_folder(self.staging, f"{run_id}-") as own:
            staged = own / run_id
            staged.mkdir()
            yield staged

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
        for left in staged.rglob(f"{MAKING}*"):  # by a kernel that was killed
            shutil.rmtree(left, ignore_errors=True)
        flush_folder(staged)
        try:
            staged.rename(moved)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with whole_folder(moved) as draft:  # on another disk
                copy_files(staged, draft)
                draft.chmod(staged.stat().st_mode)
        return moved

    def _point_latest_to(self, published: Path) -> None:
        with own_folder(self.staging) as own:
            link = own / "latest"
            try:
                link.symlink_to(Path("runs") / published.name, target_is_directory=True)
            except OSError:  # Windows without the right to make links
                shutil.copytree(published, link)
            if self.latest.is_dir() and not self.latest.is_symlink():
                # A folder cannot be replaced in one step: for an instant there is none, never a half one.
                self.latest.rename(own / "former")
            os.replace(link, self.latest)

    def latest_run(self) -> dict[str, Any]:
        """Return run.json of the latest run, or an empty dict where there is none."""
        return read_record(self.latest)

    def kept(self) -> list[dict[str, Any]]:
        """Return run.json of every run kept, the newest first, with its folder and whether it is the latest.

        Of a run whose run.json is damaged there is its id alone.
        """
        latest = self.latest_run().get("run")
        found = []
        for folder in [*_folders(self.runs), *_folders(self.failed)]:
            record = read_record(folder) or {"run": folder.name}
            found.append(record | {"folder": folder, "latest": record["run"] == latest})
        return sorted(found, key=lambda record: record["run"], reverse=True)

    def prune(self, keep: int) -> list[Path]:
        """Remove all but the newest `keep` published and `keep` failed runs; never the latest.

        Returns the folders removed.
        """
        if keep < 1:
            raise RunError(f"keep is {keep}; allowed: 1 or more")
        removed = []
        with self._alone():
            latest = self.latest_run().get("run")
            for kind in (self.runs, self.failed):
                for folder in _folders(kind)[keep:]:
                    if folder.name != latest:
                        with own_folder(kind) as own:
                            folder.rename(own / "gone")  # at once; a prune that is killed leaves no half run
                        removed.append(folder)
        return removed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time change which runs there are; held for moments only."""
        self.staging.mkdir(parents=True, exist_ok=True)
        lock = hold(self.folder / ".lock")
        try:
            yield
        finally:
            if lock:
                lock.release()


def read_record(folder: Path) -> dict[str, Any]:
    """Return a run's run.json, or an empty dict where it has none, or one that is not whole."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        ended = all(notebook["name"] and notebook["status"] for notebook in record["notebooks"])
        return record if ended and isinstance(record["run"], str) and record["seconds"] >= 0 else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _folders(parent: Path) -> list[Path]:
    """The runs in a folder, the newest first."""
    folders = [path for path in parent.glob("[!.]*") if path.is_dir()]
    return sorted(folders, key=lambda path: path.name, reverse=True)
