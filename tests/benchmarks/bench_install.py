"""What `pip install` of the wheel weighs and takes, beside lifetimes and pymc-marketing.

    python -m tests.benchmarks.bench_install

Each into an empty environment by pip, its cache filled before, so that seconds are those of resolving, unpacking and
compiling; then the time of the first import in a new process. Megabytes are those of files, with bytecode, without pip.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PEERS = {"lifetimes": "lifetimes==0.11.3", "pymc-marketing": "pymc-marketing"}
IMPORTS = {"pymc-marketing": "pymc_marketing.clv"}
MOST_PACKAGES, MOST_MEGABYTES, MOST_SECONDS_TO_IMPORT = 100, 950, 1.0
MOST_TIMES_PYMC = 2.0  # megabytes and seconds


class Installed(NamedTuple):
    packages: int
    megabytes: float
    seconds: float
    to_import: float


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], check=True
        )
        (wheel,) = folder.glob("crmlib-*.whl")
        print(f"The wheel has {wheel.stat().st_size / 1e6:.1f} MB.\n")
        print("| | packages | MB | seconds by pip | seconds of the first import |")
        print("|---|--:|--:|--:|--:|", flush=True)
        found = {}
        for name, what in ({"crmlib": str(wheel)} | PEERS).items():
            found[name] = one = installed(folder / name, what, IMPORTS.get(name, name))
            print(
                f"| {name} | {one.packages} | {one.megabytes:.0f} | {one.seconds:.0f} | {one.to_import:.1f} |",
                flush=True,
            )
    print(
        f"\nHeld for crmlib: at most {MOST_PACKAGES} packages, {MOST_MEGABYTES} MB, {MOST_SECONDS_TO_IMPORT:.0f} s to "
        f"import, and {MOST_TIMES_PYMC} × the megabytes and seconds of pymc-marketing. It brings what runs a report "
        "(kernel, papermill, DuckDB, charts); lifetimes is models alone."
    )
    ours, theirs = found["crmlib"], found["pymc-marketing"]
    held = ours.packages <= MOST_PACKAGES and ours.megabytes <= MOST_MEGABYTES
    held = held and ours.to_import <= MOST_SECONDS_TO_IMPORT
    held = held and ours.megabytes <= MOST_TIMES_PYMC * theirs.megabytes
    sys.exit(not (held and ours.seconds <= MOST_TIMES_PYMC * theirs.seconds))


def installed(folder: Path, what: str, imported: str) -> Installed:
    """Install twice, into two environments: the first one fills pip's cache."""
    seconds = 0.0
    for place in (folder / "first", folder / "second"):
        venv.create(place, with_pip=True)
        python = next(place.glob("[bS]*/python*"))
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        empty = megabytes(place)
        began = time.perf_counter()
        subprocess.run([*pip, "install", "-q", what], check=True)
        seconds = time.perf_counter() - began
    listed = json.loads(
        subprocess.run([*pip, "list", "--format=json"], check=True, capture_output=True).stdout
    )
    packages = [one for one in listed if one["name"] not in ("pip", "setuptools")]
    began = time.perf_counter()
    subprocess.run([python, "-W", "ignore", "-c", f"import {imported}"], check=True, cwd=folder)
    return Installed(len(packages), megabytes(place) - empty, seconds, time.perf_counter() - began)


def megabytes(folder: Path) -> float:
    return (
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        / 1e6
    )


if __name__ == "__main__":
    main()
