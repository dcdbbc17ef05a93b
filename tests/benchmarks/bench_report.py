"""The reports of CDNOW and of the simulated firm beside the same notebooks reduced to their imports.

    python -m tests.benchmarks.bench_report [--runs 3]

Each figure is the time of a whole process. "Reduced to their imports" means notebooks that import the modules
that the full ones have loaded when they end, in the same order, and call nothing: much loads lazily, on the first
call that needs it, and an `import` that defers its work is not yet paid for.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MAIN_JOB = ("00_start_here", "01_data_check", "02_customer_base_audit")
MOST_TIMES_THE_IMPORTS = {"cdnow": 2.0, "simulated-firm": 3.0}
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
        firm = beside_imports(folder / "firm", every, runs, "simulated-firm")
        unchanged = [seconds(folder / "suite" / "full", ["report", "cdnow"]) for _ in range(runs)]
        helped = [seconds(folder / "suite" / "full", ["--help"]) for _ in range(runs)]
    again, helps = statistics.median(unchanged), statistics.median(helped)
    print("| | seconds | ratio | at most |")
    print("|---|---|---|---|")
    rows = (
        ("CDNOW, 00 to 02, fresh", "cdnow", main_job),
        (f"CDNOW, all {len(every)} notebooks, fresh", "cdnow", suite),
        (f"the simulated firm, all {len(every)} notebooks and tables, fresh", "simulated-firm", firm),
    )
    for what, study, (fresh, imports, ratio) in rows:
        print(f"| {what} | {fresh:.1f} | {ratio:.2f} × the imports | {MOST_TIMES_THE_IMPORTS[study]} × |")
        print(f"| the same notebooks reduced to their imports | {imports:.1f} | 1 | |")
    share = again / suite[0]
    print(f"| CDNOW again, unchanged | {again:.2f} | {share:.3f} × fresh | {MOST_SHARE_UNCHANGED} ×, 3 s |")
    print(f"| `crm --help` | {helps:.2f} | | {MOST_SECONDS_HELP} s |")
    held = again <= MOST_SECONDS_UNCHANGED and share <= MOST_SHARE_UNCHANGED and helps <= MOST_SECONDS_HELP
    held &= all(ratio <= MOST_TIMES_THE_IMPORTS[study] for _what, study, (*_seconds, ratio) in rows)
    sys.exit(not held)


def beside_imports(
    folder: Path, notebooks: Sequence[str], runs: int, study: str = "cdnow"
) -> tuple[float, float, float]:
    """Medians of the report, of the same notebooks reduced to their imports, and of the ratio of the two."""
    full, reduced, asked = (project(folder / one, notebooks, study) for one in ("full", "reduced", "asked"))
    loaded = modules_loaded(asked, study)
    for path in (reduced / "notebooks").glob("*.ipynb"):
        reduce_to_imports(path, loaded.get(path.stem, []))  # none where the study lacks its tables
    report = ["report", study, "--fresh"]
    pairs = [(seconds(full, report), seconds(reduced, report)) for _ in range(runs + 1)][1:]
    fresh, imports = (statistics.median(side) for side in zip(*pairs, strict=True))
    return fresh, imports, statistics.median(one / other for one, other in pairs)


def project(folder: Path, notebooks: Sequence[str], study: str) -> Path:
    """A project of its own with these notebooks and a study, its log cleaned already."""
    (folder / "notebooks").mkdir(parents=True)
    for name in notebooks:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder / "notebooks")
    shutil.copytree(ROOT / "data" / study, folder / "data" / study)
    subprocess.run(
        [sys.executable, "-c", f"import crmlib as crm; crm.open_study({study!r}).as_of"],
        cwd=folder,
        env=environment(),
    )
    return folder


def modules_loaded(folder: Path, study: str) -> dict[str, list[str]]:
    """The modules that each notebook has loaded when it ends, in their order: it is run once to tell them."""
    for path in (folder / "notebooks").glob("*.ipynb"):
        names = "[name for name, module in sys.modules.items() if getattr(module, '__spec__', None)]"
        write = f"pathlib.Path({str(path.with_suffix('.json'))!r}).write_text(json.dumps({names}))"
        rewrite(path, f"import json, pathlib, sys\n\n_ = {write}", keep=lambda cell: True)
    seconds(folder, ["report", study, "--fresh"])
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("notebooks/*.json")}


def reduce_to_imports(path: Path, modules: Sequence[str]) -> None:
    """Replace a notebook's code by the import of these modules; some are private parts that import nothing."""
    source = (
        "from contextlib import suppress\nfrom importlib import import_module\n\n"
        f"for name in {modules!r}:\n    with suppress(Exception):\n        import_module(name)"
    )
    rewrite(path, source, keep=lambda cell: "parameters" in cell["metadata"].get("tags", []))


def rewrite(path: Path, last: str, *, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Keep some of a notebook's cells and put one of code behind them."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = {"cell_type": "code", "id": "last", "metadata": {}, "execution_count": None, "outputs": []}
    notebook["cells"] = [*filter(keep, notebook["cells"]), cell | {"source": last}]
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
