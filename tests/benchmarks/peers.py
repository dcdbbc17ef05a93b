"""Peers in environments of their own, and measurements in processes of their own."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path

LIFETIMES = ["lifetimes==0.11.3", "pandas==2.3.3", "pyarrow"]

# Gives a script `report(name, run, rounds)`: seconds of the best round under a name, and the peak in the end.
_PROLOGUE = """
import atexit, json, resource, sys, time, warnings
warnings.simplefilter("ignore")
found = {}
def report(name, run, rounds=3):
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter(); result = run(); seconds.append(time.perf_counter() - start)
    found[name] = min(seconds)
    return result
def finish():
    found["gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(found))
atexit.register(finish)
"""


def make_peer(folder: Path, packages: list[str] = LIFETIMES) -> str:
    """A Python that has these packages, in an environment made for them."""
    venv.create(folder, with_pip=True)
    python = next(
        one for one in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if one.exists()
    )
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


def measure(python: str, script: str, *arguments: object) -> dict[str, float]:
    """Run a script that calls `report`, with its arguments in `sys.argv[1:]`."""
    command = [python, "-c", _PROLOGUE + script, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])
