"""Run one notebook with Papermill, in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill import execute_notebook
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from crmlib.errors import CannotAnswerError, DataError, FitError
from crmlib.report.outcomes import CANNOT_ANSWER, LONGEST_SOCKET, Outcome, Task, results_of, stopped_at

START_TIMEOUT_SECONDS = 120
_CANNOT_ANSWER = (CannotAnswerError.__name__, FitError.__name__, DataError.__name__)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


logging.getLogger("papermill").setLevel(logging.ERROR)


class _WritesWhenCodeBegins(NBClientEngine):
    """Papermill's own engine, which writes the notebook as often as someone could want to read it.

    Papermill checks and writes all of it, pictures too, before and after every cell, of prose as of code. Of a run
    that is killed one asks which cell had begun: so it is written when code begins, in one line, which takes a
    fifth of the time; and by Papermill when all has ended.
    """

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any
    ) -> None:
        """Run the notebook's cells as Papermill does, saved after each cell that ends."""

        def save(**_: Any) -> None:
            code = [cell for cell in nb_man.nb.cells if cell.cell_type == "code"]
            if any(cell.metadata.papermill["status"] == nb_man.RUNNING for cell in code):
                Path(nb_man.output_path).write_text(json.dumps(nb_man.nb), encoding="utf-8")

        nb_man.save = save
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            del nb_man.save  # what comes last is written whatever has happened


papermill_engines.register("crmlib", _WritesWhenCodeBegins)


def run(task: Task) -> Outcome:
    """Run a notebook and return how it ended; only a lost worker raises."""
    os.environ.update(
        task.environment,
        CRMLIB_RUN_DIR=task.run_folder,
        OMP_NUM_THREADS="1",  # two notebooks at a time share the cores; threads within each only get in the way
        CRMLIB_ENGINE_JOBS=str(task.at_a_time),
        MPLBACKEND="module://matplotlib_inline.backend_inline",
    )
    began = time.monotonic()
    tempfile.tempdir = None  # it is another one now
    with tempfile.TemporaryDirectory(prefix="crm-", ignore_cleanup_errors=True) as sockets:
        try:
            execute_notebook(
                _no_template(task.notebook),
                _no_template(task.output),
                parameters=task.parameters,
                engine_name="crmlib",
                kernel_name="python3",
                progress_bar=False,
                cwd=task.root,
                execution_timeout=task.cell_timeout_seconds,
                start_timeout=START_TIMEOUT_SECONDS,
                config=_transport(Path(sockets)),
                shutdown_kernel="immediate",  # all it made is on disk; a farewell takes another third of a second
            )
        except Exception as error:
            return _explain(task, error, time.monotonic() - began)
    return Outcome(task.name, "ok", time.monotonic() - began)


def _no_template(path: str) -> str:
    """A path with its braces escaped: Papermill reads text in braces as the name of a parameter."""
    return path.replace("{", "{{").replace("}", "}}")


def _transport(folder: Path) -> Config:
    """Use Unix sockets in a private folder to talk to the kernel, where the system has them.

    Jupyter's network ports are picked before they are taken, so that two kernels that start at once can pick
    the same one and wait for ever; and everybody on the machine can reach them.
    """
    if os.name == "nt" or len(str(folder / "kernel-5")) > LONGEST_SOCKET:
        return Config()
    return Config(KernelManager={"transport": "ipc", "ip": str(folder / "kernel")})


def _withdraw(task: Task) -> None:
    """Take back what a notebook published before it found that the data cannot answer its question."""
    for path in results_of(task.name, Path(task.run_folder)):
        path.unlink()


def _explain(task: Task, error: Exception, seconds: float) -> Outcome:
    """Tell a failing cell, a timeout and a killed kernel apart; Papermill's own record does not."""
    if isinstance(error, PapermillExecutionError) and error.ename in _CANNOT_ANSWER:
        _withdraw(task)
        return Outcome(task.name, "skipped", seconds, f"{CANNOT_ANSWER}: {_ANSI.sub('', error.evalue)}")
    stop = stopped_at(Path(task.output))
    status, reason, traceback = "failed", f"{type(error).__name__}: {error}", ""
    line = stop.first_line
    if isinstance(error, PapermillExecutionError):
        traceback = _ANSI.sub("", "\n".join(error.traceback))
        reason = f"{error.ename}: {_ANSI.sub('', error.evalue)}"
        line = stop.failing_line(traceback)
    elif isinstance(error, CellTimeoutError):
        cure = "allow more with --timeout SECONDS, or let it do less"
        status, reason = "timeout", f"a cell ran longer than {task.cell_timeout_seconds:g} seconds; {cure}"
    elif isinstance(error, DeadKernelError):
        cure = "run fewer at a time (--jobs 1) or on a machine with more memory"
        killed = "the kernel was killed without an exception, most often because memory ran out"
        status, reason = "kernel died", f"{killed}; {cure}"
    return Outcome(task.name, status, seconds, reason, stop.heading, stop.cell, line, traceback)
