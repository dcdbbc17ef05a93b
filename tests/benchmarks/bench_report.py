"""The CDNOW report beside the same notebooks reduced to their imports, and beside itself unchanged.

    python -m tests.benchmarks.bench_report [--runs 3]

Each figure is the time of a whole process. "Reduced to their imports" means notebooks that only touch every
name of the library that the full ones use, so that what loads lazily is loaded, and call nothing.
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
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_TIMES_THE_IMPORTS = 2.0
MOST_SECONDS_UNCHANGED = 3.0
MOST_SHARE_UNCHANGED = 0.1
MOST_SECONDS_HELP = 0.5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3)
    runs = arguments.parse_args().runs
    with tempfile.TemporaryDirectory() as scratch:
        full, reduced = project(Path(scratch) / "full"), project(Path(scratch) / "reduced")
        for path in (reduced / "notebooks").glob("*.ipynb"):
            reduce_to_imports(path)
        report = ["report", "cdnow", "--fresh"]
        pairs = [(seconds(full, report), seconds(reduced, report)) for _ in range(runs + 1)][1:]
        unchanged = [seconds(full, ["report", "cdnow"]) for _ in range(runs)]
        helped = [seconds(full, ["--help"]) for _ in range(runs)]
    fresh, imports = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    again, helps = statistics.median(unchanged), statistics.median(helped)
    print("| | seconds | ratio | at most |")
    print("|---|---|---|---|")
    print(f"| CDNOW report, fresh | {fresh:.1f} | {ratio:.2f} × the imports | {MOST_TIMES_THE_IMPORTS} × |")
    print(f"| the same notebooks reduced to their imports | {imports:.1f} | 1 | |")
    print(
        f"| the report again, unchanged | {again:.2f} | {again / fresh:.3f} × fresh | {MOST_SHARE_UNCHANGED} ×, 3 s |"
    )
    print(f"| `crm --help` | {helps:.2f} | | {MOST_SECONDS_HELP} s |")
    held = ratio <= MOST_TIMES_THE_IMPORTS and again <= min(
        MOST_SECONDS_UNCHANGED, MOST_SHARE_UNCHANGED * fresh
    )
    sys.exit(not (held and helps <= MOST_SECONDS_HELP))


def project(folder: Path) -> Path:
    """A project of its own with the suite's notebooks and CDNOW, its log cleaned already in both."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
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
