"""The CDNOW report beside the same notebooks reduced to their imports, and beside itself unchanged.

    python -m tests.benchmarks.bench_report [--runs 3]

Each figure is the time of a whole process. "Reduced to their imports" means notebooks that only touch every
name of the library that the full ones use, so that what loads lazily is loaded, and call nothing.

The promise is about the main job, from a log to the audit of its customers. The notebooks after it fit, resample
and backtest, which no import does: what they add is shown beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAIN_JOB = ("00_start_here", "01_data_check", "02_customer_base_audit")
MOST_TIMES_THE_IMPORTS = 2.0
MOST_SECONDS_UNCHANGED = 3.0
MOST_SHARE_UNCHANGED = 0.1
MOST_SECONDS_HELP = 0.5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3)
    runs = arguments.parse_args().runs
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        main_job = beside_imports(folder / "main", MAIN_JOB, runs)
        every = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
        suite = beside_imports(folder / "suite", every, runs)
        unchanged = [seconds(folder / "suite" / "full", ["report", "cdnow"]) for _ in range(runs)]
        helped = [seconds(folder / "suite" / "full", ["--help"]) for _ in range(runs)]
    again, helps = statistics.median(unchanged), statistics.median(helped)
    print("| | seconds | ratio | at most |")
    print("|---|---|---|---|")
    for what, (fresh, imports, ratio), most in (
        ("CDNOW report, 00 to 02, fresh", main_job, f"{MOST_TIMES_THE_IMPORTS} ×"),
        (f"CDNOW report, all {len(every)} notebooks, fresh", suite, ""),
    ):
        print(f"| {what} | {fresh:.1f} | {ratio:.2f} × the imports | {most} |")
        print(f"| the same notebooks reduced to their imports | {imports:.1f} | 1 | |")
    share = again / suite[0]
    print(
        f"| all of it again, unchanged | {again:.2f} | {share:.3f} × fresh | {MOST_SHARE_UNCHANGED} ×, 3 s |"
    )
    print(f"| `crm --help` | {helps:.2f} | | {MOST_SECONDS_HELP} s |")
    held = again <= MOST_SECONDS_UNCHANGED and share <= MOST_SHARE_UNCHANGED and helps <= MOST_SECONDS_HELP
    sys.exit(not (held and main_job[2] <= MOST_TIMES_THE_IMPORTS))


def beside_imports(folder: Path, notebooks: Sequence[str], runs: int) -> tuple[float, float, float]:
    """Medians of the report, of the same notebooks reduced to their imports, and of the ratio of the two."""
    full, reduced = project(folder / "full", notebooks), project(folder / "reduced", notebooks)
    for path in (reduced / "notebooks").glob("*.ipynb"):
        reduce_to_imports(path)
    report = ["report", "cdnow", "--fresh"]
    pairs = [(seconds(full, report), seconds(reduced, report)) for _ in range(runs + 1)][1:]
    fresh, imports = (statistics.median(side) for side in zip(*pairs, strict=True))
    return fresh, imports, statistics.median(one / other for one, other in pairs)


def project(folder: Path, notebooks: Sequence[str]) -> Path:
    """A project of its own with these notebooks and CDNOW, its log cleaned already."""
    (folder / "notebooks").mkdir(parents=True)
    for name in notebooks:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder / "notebooks")
    shutil.copytree(ROOT / "data" / "cdnow", folder / "data" / "cdnow")
    subprocess.run(
        [sys.executable, "-c", "import crmlib as crm; crm.open_study('cdnow').as_of"],
        cwd=folder,
        env=environment(),
    )
    return folder


def reduce_to_imports(path: Path) -> None:
    """Replace a notebook's code by its imports and the names of the library that it uses."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    imports = [
        line for source in sources for line in source.splitlines() if re.match(r"(import|from) ", line)
    ]
    names = sorted({name for source in sources for name in re.findall(r"\bcrm\.[\w.]+", source)})
    kept = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    code = {"cell_type": "code", "id": "imports", "metadata": {}, "execution_count": None, "outputs": []}
    notebook["cells"] = [*kept, code | {"source": "\n".join([*imports, *names[:-1], f"_ = {names[-1]}"])}]
    path.write_text(json.dumps(notebook), encoding="utf-8")


def seconds(folder: Path, words: list[str]) -> float:
    """How long one `crm` command takes, from the start of its process to its end."""
    command = [sys.executable, "-c", "from crmlib.cli import main; main(prog_name='crm')", *words]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"crm {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return took


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    main()
