"""Time and memory of every notebook on a million customers, beside cleaning and summary of the same ten million rows.

    python -m tests.benchmarks.bench_suite [--customers 1000000]

Each notebook runs alone in a process of its own, as in a report with two jobs: its engine has half of the cores and of
the memory. Processor time is what is compared, as other work on the machine makes everything wait. Prints a table in
Markdown and ends with 1 if all notebooks together take more than 12 times the processor time of cleaning and summary,
or one of them more than 3 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
MOST_TIMES = 12
BEFORE_LIFE_CYCLE = (
    "00",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "09",
)  # what the suite was when 12 was promised
MOST_GIGABYTES = 3.0
YEARS = 3

STUDY = """title: a large shop
data_kind: simulated
currency: EUR
as_of: 2023-12-31
time_unit: W
margin: 0.4
discount_rate_per_year: 0.10
log_starts: with_firm
tables:
  transactions:
    source: log.parquet
"""
PROLOGUE = """
import contextlib, io, json, os, resource, sys, time
def report():
    used, own = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - began
    marks = open("/proc/self/status").read().split() if os.path.exists("/proc/self/status") else []
    # the kernel's own mark of this process: what getrusage says begins with the parent's
    peak = int(marks[marks.index("VmHWM:") + 1]) if marks else used.ru_maxrss
    print(json.dumps({"seconds": own, "cpu": used.ru_utime + used.ru_stime, "gigabytes": peak / 1e6}))
began = time.perf_counter()
"""
BASE = """
import crmlib as crm
study = crm.open_study("large")
crm.rfm_summary(study.transactions, as_of=study.as_of, time_unit=study.time_unit, collapse=study.collapse)
report()
"""
# The cells as a kernel runs them, pictures drawn, in one process whose peak can be asked for.
NOTEBOOK = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        code = "".join(cell["source"])
        if "parameters" in cell["metadata"].get("tags", []):
            code += "\\nstudy = 'large'\\n"
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            done = shell.run_cell(code)
        if not done.success:
            raise SystemExit(f"{sys.argv[1]}: {done.error_in_exec or done.error_before_exec}\\n{printed.getvalue()}")
report()
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=1_000_000)
    customers = arguments.parse_args().customers
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        rows = write_study(home / "data" / "large", customers)
        print(
            f"{customers:,} customers, {rows:,} rows; each notebook with one thread and 1.5 GB for its engine\n"
        )
        print("| | processor s | × cleaning and summary | wall s | peak GB |\n|---|--:|--:|--:|--:|")
        base = measured(home, BASE, CRMLIB_ENGINE_JOBS="1")
        print_row("cleaning and summary", base, base)
        notebooks = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
        found = {path.stem: print_row(path.stem, measured(home, NOTEBOOK, path), base) for path in notebooks}
    times = sum(one["cpu"] for one in found.values()) / base["cpu"]
    first = sum(one["cpu"] for name, one in found.items() if name[:2] in BEFORE_LIFE_CYCLE) / base["cpu"]
    peak = max(one["gigabytes"] for one in found.values())
    print(
        f"\nAll notebooks: {times:.1f} × cleaning and summary (at most {MOST_TIMES}), 00 to 06 and 09 "
        f"alone {first:.1f} ×; peak of one {peak:.2f} GB (at "
        f"most {MOST_GIGABYTES:g})."
    )
    sys.exit(times > MOST_TIMES or peak > MOST_GIGABYTES)


def print_row(what: str, one: dict[str, float], base: dict[str, float]) -> dict[str, float]:
    """Print one line of the table."""
    times = one["cpu"] / base["cpu"]
    print(
        f"| {what} | {one['cpu']:.0f} | {times:.2f} | {one['seconds']:.0f} | {one['gigabytes']:.2f} |",
        flush=True,
    )
    return one


def write_study(folder: Path, customers: int) -> int:
    """A study with some ten rows a customer, in the order of their dates; how many rows."""
    import duckdb
    import pandas as pd

    random, days = np.random.default_rng(1), YEARS * 365
    born = random.uniform(0, days, customers)
    life = random.exponential(1 / np.maximum(random.gamma(0.9, 1 / 250, customers), 1e-5))
    span = np.minimum(life, days - born)
    times = random.poisson(random.gamma(0.8, 1 / 25, customers) * span) + 1
    who = np.repeat(np.arange(customers), times)
    when = born[who] + span[who] * random.random(len(who))
    when[times.cumsum() - times] = born
    amount = np.round(random.gamma(4, 10, customers)[who] * random.gamma(3, 1 / 3, len(who)) + 1, 2)
    category = (random.integers(0, 3, len(who)) + who % 6) % 8
    seconds = (when * 86400).astype(np.int64)
    rows = pd.DataFrame({"who": who, "seconds": seconds, "amount": amount, "category": category})
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    connection = duckdb.connect()
    connection.register("rows", rows)
    connection.execute(
        f"""COPY (
          SELECT 'C' || lpad(who::VARCHAR, 8, '0') AS customer_id, amount, 'O' || row_number() OVER () AS order_id,
                 TIMESTAMP '2021-01-01' + to_seconds(seconds) AS date, 'kind ' || category AS category,
                 ['north', 'south', 'west'][who % 3 + 1] AS market
          FROM rows ORDER BY seconds
        ) TO '{folder}/log.parquet' (FORMAT parquet)"""
    )
    return len(rows)


def measured(home: Path, script: str, *arguments: object, **more: str) -> dict[str, float]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CRMLIB_CACHE_DIR": str(home / "cache"),
        "CRMLIB_RUN_DIR": str(home / "run"),
        "CRMLIB_ENGINE_JOBS": "2",
        "CRMLIB_ENGINE_MEMORY": "3GB",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "OMP_NUM_THREADS": "1",
        **more,
    }
    command = [sys.executable, "-c", PROLOGUE + script, *map(str, arguments)]
    done = subprocess.run(command, cwd=home, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
