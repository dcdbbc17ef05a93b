"""Run one notebook with Papermill, in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill import execute_notebook
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from crmlib.report.tasks import Outcome, Task

START_TIMEOUT_SECONDS = 120
# Sockets in the file system where there are such: two kernels that start at once cannot pick the same port,
# and nobody else on the machine can listen.
_KERNELS = Config() if os.name == "nt" else Config(KernelManager={"transport": "ipc"})
_ADDED = {
    "injected-parameters",
    "papermill-error-cell-tag",
}  # by Papermill: cells are counted as in the source
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class SaveOnce(NBClientEngine):
    """Papermill's engine, but saving when the notebook ends and not twice a cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        """Run all cells; `notebook_complete` saves after that, whatever happened."""
        output, nb_man.output_path = nb_man.output_path, None
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            nb_man.output_path = output


papermill_engines.register("save_once", SaveOnce)
logging.getLogger("papermill").setLevel(logging.ERROR)


def run(task: Task) -> Outcome:
    """Run a notebook and say how it ended; nothing but a lost worker raises."""
    os.environ.update(
        CRMLIB_RUN_DIR=task.run_folder,
        OMP_NUM_THREADS="1",  # two notebooks at a time share the cores; threads within each only get in the way
        MPLBACKEND="module://matplotlib_inline.backend_inline",
    )
    began = time.monotonic()
    try:
        execute_notebook(
            task.notebook,
            task.output,
            parameters=task.parameters,
            engine_name="save_once",
            kernel_name="python3",
            progress_bar=False,
            cwd=task.root,
            execution_timeout=task.cell_timeout_seconds,
            start_timeout=START_TIMEOUT_SECONDS,
            config=_KERNELS,
        )
    except Exception as error:
        return _explain(task, error, time.monotonic() - began)
    return Outcome(task.name, "ok", time.monotonic() - began)


def _explain(task: Task, error: Exception, seconds: float) -> Outcome:
    """Tell a failing cell, a timeout and a killed kernel apart; Papermill's own record does not."""
    cells = _partial_cells(Path(task.output))
    at = _stopped_at(cells)
    heading = _heading_above(cells, at)
    cell = None if at is None else at + 1
    source = "" if at is None else "".join(cells[at]["source"])
    first_line = next((line for line in source.splitlines() if line.strip()), "")
    if isinstance(error, PapermillExecutionError):
        traceback = _ANSI.sub("", "\n".join(error.traceback))
        reason = f"{error.ename}: {_ANSI.sub('', error.evalue)}"
        return Outcome(
            task.name, "failed", seconds, reason, heading, cell, _failing_line(traceback, source), traceback
        )
    if isinstance(error, CellTimeoutError):
        reason = (
            f"a cell ran longer than {task.cell_timeout_seconds:g} seconds; "
            "allow more with --timeout SECONDS, or give it less to do"
        )
        return Outcome(task.name, "timeout", seconds, reason, heading, cell, first_line)
    if isinstance(error, DeadKernelError):
        reason = (
            "the kernel was killed without an exception, most often because memory ran out; "
            "run fewer at a time (--jobs 1) or on a machine with more memory"
        )
        return Outcome(task.name, "kernel died", seconds, reason, heading, cell, first_line)
    return Outcome(
        task.name, "failed", seconds, f"{type(error).__name__}: {error}", heading, cell, first_line
    )


def _partial_cells(path: Path) -> list[dict[str, Any]]:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):  # it never came to be written
        return []
    return [one for one in cells if not _ADDED & set(one["metadata"].get("tags", []))]


def _stopped_at(cells: list[dict[str, Any]]) -> int | None:
    """The last cell that was started: whatever its status says, the run ended in it."""
    begun = [
        index
        for index, cell in enumerate(cells)
        if cell["cell_type"] == "code" and cell["metadata"].get("papermill", {}).get("start_time")
    ]
    return begun[-1] if begun else None


def _heading_above(cells: list[dict[str, Any]], at: int | None) -> str:
    for cell in reversed(cells[: (at or 0) + 1]):
        if cell["cell_type"] == "markdown":
            lines = [line for line in "".join(cell["source"]).splitlines() if line.startswith("#")]
            if lines:
                return lines[-1].lstrip("# ").strip()
    return ""


def _failing_line(traceback: str, source: str) -> str:
    """The line of the cell that raised, as IPython's traceback numbers it."""
    found = re.findall(r"Cell In\[\d+\], line (\d+)", traceback)
    lines = source.splitlines()
    if found and int(found[0]) <= len(lines):
        return lines[int(found[0]) - 1].strip()
    return lines[-1].strip() if lines else ""
