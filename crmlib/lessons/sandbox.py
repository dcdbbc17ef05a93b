"""Run a hand-in's cells in a process of its own, with limits, and collect its answers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crmlib.lessons.exercise import EXERCISES
from crmlib.lessons.hand_in import HandIn

_MOST_BYTES = 5_000_000
_KEPT = ("PATH", "LANG", "LC_ALL", "HOME", "PYTHONPATH", "SYSTEMROOT", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


@dataclass
class Ran:
    """The result of a run: answers by exercise, errors by cell, whether it finished, and whether it was sandboxed."""

    answers: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    done: bool = False
    shut: bool = False


def run(hand_in: HandIn, secret: Path, *, seconds: float, memory_mb: int) -> Ran:
    """Run a hand-in in a process of its own.

    Parameters
    ----------
    hand_in : HandIn
        Its cells in order.
    secret : Path
        A file that it must not be able to read; `shut` says whether that is so.
    seconds : float
        Of the whole run, on the clock and of the processor; a cell may take a third of it.
    memory_mb : int
        Megabytes beyond those of the libraries; on Linux.
    """
    cells = [
        cell | {"variable": EXERCISES[cell["exercise"]].variable} if "exercise" in cell else cell
        for cell in hand_in.cells
    ]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, tempfile.TemporaryFile() as out:
        job = {"cells": cells, "seconds": seconds, "cell_seconds": seconds / 3, "memory_mb": memory_mb}
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= dict.fromkeys(("CRMLIB_CACHE_DIR", "IPYTHONDIR", "TMPDIR"), folder)
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "crmlib.lessons.worker"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(
                json.dumps(job | {"folder": folder, "secret": str(secret.resolve())}).encode(),
                timeout=seconds + 30,
            )
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)  # with all that it started
        process.kill()
        process.wait()
        out.seek(0)
        return _read(out.read(_MOST_BYTES).decode("utf-8", "replace"))


def _read(text: str) -> Ran:
    """Read the messages of the worker; other lines are ignored."""
    ran = Ran()
    for line in text.splitlines():
        try:
            message = json.loads(line)
            ran.done |= message.get("done") is True
            ran.shut |= message.get("shut") is True
            if str(message.get("exercise")) in EXERCISES:
                ran.answers[str(message["exercise"])] = message["answer"]
            if "error" in message:
                ran.errors.setdefault(str(message["cell"]), str(message["error"])[:300])
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            continue
    return ran
