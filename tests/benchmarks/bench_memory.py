"""Peak memory of a hundred million rows through cleaning, summary and split, and of ten million customers' tables.

    python -m tests.benchmarks.bench_memory [--rows 100000000] [--customers 10000000]

Each step runs in a process of its own, with 2 GB for its engine, which spills what does not fit. Prints a table in
Markdown and ends with 1 if a step takes more than 5 GB, or a table of customers more than 6 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_FOR_ROWS, MOST_FOR_CUSTOMERS = 5.0, 6.0  # GB
ENGINE_MEMORY = "2GB"

# Whole numbers as ids; everybody buys, some more than others; rows in no order of theirs; one in 50 goes back.
LOG = """
COPY (
  WITH rows AS (
    SELECT i, (hash(i) % 1000000007) / 1000000007 AS buyer, hash(i + 1000000007) % (731 * 86400) AS moment,
           (hash(i + 77777777777) % 10000) AS draw
    FROM range({rows}) t(i)
  )
  SELECT CASE WHEN i < {customers} THEN i ELSE ({customers} * buyer ** 1.5)::BIGINT END AS customer_id,
         TIMESTAMP '2023-01-01' + to_seconds(moment::BIGINT) AS date,
         (CASE WHEN draw < 200 THEN -1 ELSE 1 END * (500 + draw) / 100.0)::DECIMAL(9, 2) AS amount
  FROM rows
) TO '{file}' (FORMAT parquet)
"""
PROLOGUE = """
import json, resource, sys, time
from pathlib import Path
import pandas as pd
import crmlib as crm
from crmlib.data.engine import engine
source, kept = sys.argv[1:]
began = time.perf_counter()
"""
CLEANING = """
from crmlib.data.cleaning.clean import clean_table
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.policies import Policies, Reading
from crmlib.data.sources import open_table
rows = open_table(source, keep_bad_lines=True)
clean_table(rows, TRANSACTIONS, Reading(currency="EUR", policies=Policies()), Path(kept))
"""
SUMMARY = """
log = engine().read_parquet(Path(kept) / "used.parquet")
crm.rfm_summary(log, as_of="2024-12-31").to_parquet(source)
"""
SPLIT = """
log = engine().read_parquet(Path(kept) / "used.parquet")
crm.rfm_train_test_split(log, calibration_end="2024-06-30", as_of="2024-12-31")
"""
SCORES = """
summary = pd.read_parquet(source)
model = crm.BetaGeoModel(time_unit="W").fit(summary)
about = pd.DataFrame({"customer_id": summary["customer_id"], "p_alive": model.expected_probability_alive(summary)})
about.assign(expected=model.expected_purchases(summary, future_t=52)).to_parquet(Path(kept) / "scores.parquet")
"""
SEGMENTS = """
summary = pd.read_parquet(source)
found = crm.rfm_segments(summary)
found.table(summary)
found.to_parquet(Path(kept) / "segments.parquet")
"""
VALUES = """
summary = pd.read_parquet(source)
model, spend = crm.BetaGeoModel(time_unit="W").fit(summary), crm.GammaGammaModel().fit(summary)
terms = dict(horizon="52W", discount_rate_per_year=0.1, margin=0.4)
values = crm.customer_lifetime_value(model, spend, summary, **terms)
values.sort_values("clv", ascending=False).to_parquet(Path(kept) / "values.parquet")
"""
EPILOGUE = """
marks = open("/proc/self/status").read().split()
used = resource.getrusage(resource.RUSAGE_SELF)
gigabytes = int(marks[marks.index("VmHWM:") + 1]) / 1e6
print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "seconds": time.perf_counter() - began, "peak": gigabytes}))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000_000)
    arguments.add_argument("--customers", type=int, default=10_000_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| | processor s | wall s | peak GB | at most |\n|---|--:|--:|--:|--:|")
        rows, customers = f"{given.rows / 1e6:g}M rows", f"{given.customers / 1e6:g}M customers"
        log, summary = (
            write_log(folder / "log.parquet", given.rows, given.rows * 6 // 100),
            folder / "summary",
        )
        held = [
            measured(f"{rows}: cleaning", CLEANING, log, folder, MOST_FOR_ROWS),
            measured(f"{rows}: summary", SUMMARY, summary, folder, MOST_FOR_ROWS),
            measured(f"{rows}: split", SPLIT, log, folder, MOST_FOR_ROWS),
        ]
        log = write_log(log, given.customers * 3, given.customers)
        measured(f"{customers}: cleaning", CLEANING, log, folder, MOST_FOR_CUSTOMERS)
        held += [
            measured(f"{customers}: {what}", script, summary, folder, MOST_FOR_CUSTOMERS)
            for what, script in {
                "summary": SUMMARY,
                "scores": SCORES,
                "segments": SEGMENTS,
                "lifetime values": VALUES,
            }.items()
        ]
    sys.exit(not all(held))


def write_log(file: Path, rows: int, customers: int) -> Path:
    import duckdb

    duckdb.sql(LOG.format(rows=rows, customers=customers, file=file))
    return file


def measured(what: str, script: str, source: Path, kept: Path, most: float) -> bool:
    """Print one line of the table; whether the step stays within its memory."""
    environment = {
        **os.environ,
        "CRMLIB_ENGINE_MEMORY": ENGINE_MEMORY,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(kept),
    }
    command = [sys.executable, "-c", PROLOGUE + script + EPILOGUE, str(source), str(kept)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    one = json.loads(run.stdout.splitlines()[-1])
    print(f"| {what} | {one['cpu']:.0f} | {one['seconds']:.0f} | {one['peak']:.2f} | {most:g} |", flush=True)
    return one["peak"] <= most


if __name__ == "__main__":
    main()
