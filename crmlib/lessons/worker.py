"""Run one hand-in in a process of its own: `python -m crmlib.lessons.worker`, started by `crmlib.lessons.sandbox`.

The job comes as JSON on the standard input; an answer or an error is a line of JSON on the standard output.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, TextIO


def main() -> None:
    """Read the job, restrict this process, and run its cells in order."""
    job = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot
    import seaborn  # noqa: F401  before the door is shut: both read files of their own
    from IPython.core.interactiveshell import InteractiveShell

    import crmlib
    from crmlib.data.engine import engine
    from crmlib.lessons.shut_in import limit, shut_in

    engine()
    shell = InteractiveShell.instance()
    home = [sys.prefix, sys.base_prefix, str(Path(crmlib.__file__).parent), "/usr", "/lib", "/lib64", "/etc"]
    limit(job["seconds"], job["memory_mb"])
    home += [f"/proc/{os.getpid()}"]  # where libraries look for what this process has loaded
    home += [folder for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")]
    send(out, shut=shut_in(home, job["folder"]) and not _can_read(job["secret"]))
    signal.signal(signal.SIGALRM, _too_long) if hasattr(signal, "SIGALRM") else None
    for cell in job["cells"]:
        if "variable" in cell:
            _send_answer(out, shell, cell)
        elif error := _run(shell, cell["source"], job["cell_seconds"]):
            send(out, cell=cell.get("name", ""), error=error)
    for cell in job["cells"]:
        if "variable" in cell:
            _send_answer(out, shell, cell)
    send(out, done=True)
    out.flush()
    os._exit(0)  # ends threads that a cell left running


def _can_read(path: str) -> bool:
    try:
        return bool(Path(path).read_bytes())
    except OSError:
        return False


def send(out: TextIO, **what: Any) -> None:
    """Send a message to the waiting process, as a line of JSON."""
    out.write(json.dumps(what) + "\n")
    out.flush()


def _run(shell: Any, source: str, seconds: float) -> str:
    """Run a cell; returns its error, or an empty text."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        result = shell.run_cell(source, silent=True, store_history=False)
        error = result.error_before_exec or result.error_in_exec
    except BaseException as failure:
        error = failure
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
    return " ".join(f"{type(error).__name__}: {error}".split())[:300] if error else ""


def _send_answer(out: TextIO, shell: Any, cell: dict[str, str]) -> None:
    from crmlib.lessons.exercise import plain

    try:
        if cell["variable"] in shell.user_ns:
            send(out, exercise=cell["exercise"], answer=plain(shell.user_ns[cell["variable"]]))
    except Exception as failure:
        send(out, exercise=cell["exercise"], answer=f"<{type(failure).__name__}>")


def _too_long(*_: Any) -> None:
    raise TimeoutError("the cell took too long")


if __name__ == "__main__":
    main()
