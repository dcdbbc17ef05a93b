"""The processes in which notebooks run: what they are given, and how a notebook ended.

Nothing heavy is imported here: the runner itself never imports Papermill.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from multiprocessing import connection, util
from pathlib import Path
from typing import Any

from crmlib.data.staging import scratch

# What the reason of a notebook begins with that found no answer in these data: it ran, and nothing is broken.
CANNOT_ANSWER = "these data cannot answer it"
LONGEST_SOCKET = 100  # characters of its path, about as many as systems allow
# Added by Papermill: cells are counted as in the source.
_ADDED = {"injected-parameters", "papermill-error-cell-tag"}


@dataclass(frozen=True)
class Task:
    """A notebook to run: absolute paths only, for the worker stands elsewhere."""

    name: str
    notebook: str  # a copy, as the plan has read it
    output: str
    parameters: dict[str, Any]
    run_folder: str
    root: str
    cell_timeout_seconds: float
    environment: dict[str, str]
    engine_threads: int  # its share of the processor, where several run at a time


@dataclass(frozen=True)
class Outcome:
    """How a notebook ended: ok, cached, skipped, failed, timeout or kernel died."""

    name: str
    status: str
    seconds: float = 0.0
    reason: str = ""
    heading: str = ""
    cell: int | None = None
    source_line: str = ""
    traceback: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the report may be published with it."""
        return self.status in ("ok", "cached", "skipped")


@dataclass(frozen=True)
class Stop:
    """The cell in which a notebook stopped: its number, the heading above it and its source."""

    cell: int | None = None
    heading: str = ""
    source: str = ""

    @property
    def first_line(self) -> str:
        """The cell's first line that is not empty."""
        return next((line.strip() for line in self.source.splitlines() if line.strip()), "")

    def failing_line(self, traceback: str) -> str:
        """The line of the cell that raised, as IPython's traceback numbers it."""
        found = re.search(r"Cell In\[\d+\], line (\d+)", traceback)
        lines = self.source.splitlines()
        return lines[int(found[1]) - 1].strip() if found and int(found[1]) <= len(lines) else self.first_line


def stopped_at(path: Path) -> Stop:
    """Return where an executed notebook stopped: the last cell that was begun, whatever its status says."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):  # it never came to be written
        return Stop()
    cells = [cell for cell in cells if not _ADDED & set(cell["metadata"].get("tags", []))]
    begun = [index for index, cell in enumerate(cells) if _begun(cell)]
    if not begun:
        return Stop()
    return Stop(begun[-1] + 1, _heading_above(cells[: begun[-1]]), "".join(cells[begun[-1]]["source"]))


def _begun(cell: dict[str, Any]) -> bool:
    return cell["cell_type"] == "code" and bool(cell["metadata"].get("papermill", {}).get("start_time"))


def _heading_above(cells: list[dict[str, Any]]) -> str:
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    headings = [
        line.lstrip("# ").strip() for text in prose for line in text.splitlines() if line.startswith("#")
    ]
    return headings[-1] if headings else ""


class Worker:
    """A process that runs one notebook after another, started when it gets its first."""

    def __init__(self) -> None:
        self.process: multiprocessing.process.BaseProcess | None = None

    def submit(self, task: Task) -> connection.Connection:
        """Start a task; the connection returned becomes readable when it ended or the process is gone."""
        if self.process is None:
            processes = _processes()
            self.pipe, there = processes.Pipe()
            self.process = processes.Process(target=_serve, args=(there,), daemon=True)
            self.process.start()
            there.close()
        self.task, self.began = task, time.monotonic()
        self.pipe.send(task)
        return self.pipe

    def outcome(self) -> Outcome:
        """Return how the task ended, also where the process that ran it was killed."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.close()
            stop = stopped_at(Path(self.task.output))
            return Outcome(
                self.task.name,
                "kernel died",
                time.monotonic() - self.began,
                "the process that ran it was killed, most often because memory ran out; try --jobs 1",
                stop.heading,
                stop.cell,
                stop.first_line,
            )

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self.process is not None:
            self.pipe.close()
            self.process.terminate()
            self.process.join()
            self.process = None


def _processes() -> Any:
    """Fork workers from a server that has imported Papermill once; elsewhere than on Linux that is not safe."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    _keep_sockets_in(scratch())
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crmlib.report.worker"])
    return context


def _keep_sockets_in(folder: Path) -> None:
    """Let multiprocessing make its own folder there; it makes it once, wherever such folders are made then."""
    if len(str(folder / "pymp-12345678" / "listener-12345678")) > LONGEST_SOCKET:
        return
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        util.get_temp_dir()
    finally:
        tempfile.tempdir = before


def _serve(pipe: connection.Connection) -> None:
    """Run tasks until the runner closes the pipe, or is killed."""
    from crmlib.report import worker

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner decides what Ctrl-C ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # kernels chat on stderr; what fails is in their notebooks
    runner = multiprocessing.parent_process()
    if runner is not None:
        threading.Thread(target=_end_with, args=(runner.sentinel,), daemon=True).start()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(worker.run(task))


def _end_with(sentinel: int) -> None:
    """Do not outlive a runner that was killed in mid-notebook; the kernel follows within a second."""
    connection.wait([sentinel])
    os._exit(1)
