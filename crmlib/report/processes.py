"""The processes in which notebooks run.

Nothing heavy is imported here: the runner itself never imports Papermill.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from multiprocessing import connection, util
from pathlib import Path
from typing import Any

from crmlib.data.staging import scratch
from crmlib.report.outcomes import LONGEST_SOCKET, Outcome, Task, stopped_at


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
            stop, seconds = stopped_at(Path(self.task.output)), time.monotonic() - self.began
            why = "the process that ran it was killed, most often because memory ran out; try --jobs 1"
            where = stop.heading, stop.cell, stop.first_line
            return Outcome(self.task.name, "kernel died", seconds, why, *where)

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
    """Let multiprocessing make its temporary folder there; it does so once and then keeps it."""
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
