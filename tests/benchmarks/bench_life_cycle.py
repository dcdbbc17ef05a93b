"""Time and memory of states by month and their transitions, beside the customers' summary.

    python -m tests.benchmarks.bench_life_cycle [--rows 10000000]

A log of two years and the same rows over four, and a tenth of the rows; Parquet through DuckDB, held to 1 GB. Medians
of processes of their own. Ends with 1 where a bound is passed: the bounds are meant for ten million rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS, AT_MOST, MOST_GIGABYTES, LINEAR = 3, 15.0, 2.0, 1.3
LOG = """
COPY (
  WITH rows AS (
    SELECT i, (hash(i) % 1000000) / 1e6 AS buyer, (hash(i + 1000000007) % 1000000) / 1e6 AS moment,
           (hash(i + 77777777777) % 1000000) / 1e6 AS draw
    FROM range({rows}) t(i)
  ), dated AS (
    SELECT *, TIMESTAMP '2023-01-01' - to_days(365 * ({years} - 2))
      + to_seconds((moment * (365 * {years} + 1) * 86400)::BIGINT - 1) AS date FROM rows
  )
  SELECT
    'C' || lpad((({rows} * 0.06) * buyer * buyer)::BIGINT::VARCHAR, 9, '0') AS customer_id,
    date,
    CASE WHEN draw < 0.05 THEN -1 ELSE 1 END * round(5 + draw * 100, 2) AS amount,
    draw >= 0.05 AS is_purchase,
    CASE WHEN draw > 0.97 THEN date + INTERVAL 10 DAY END AS reversed_on,
    CASE WHEN draw < 0.05 THEN date - INTERVAL 5 DAY END AS returned_purchase_date
  FROM dated
) TO '{file}' (FORMAT parquet)
"""
BEGIN = """
import json, resource, sys, time, datetime as dt, ibis, crmlib as crm
from crmlib.customers.life_cycle.months import Months
from crmlib.customers.life_cycle.rules import read_rules
engine = ibis.duckdb.connect(memory_limit="1GB")
log = engine.read_parquet(sys.argv[1])
start = time.perf_counter()
"""
SUMMARY = "crm.rfm_summary(log, as_of='2024-12-31', time_unit='W')"
STATES = "found = Months(log, {}, dt.date(2024, 12, 31), 0.4, read_rules()).moves"
END = """
seconds = time.perf_counter() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9]))
"""


def main() -> None:
    import duckdb

    reader = argparse.ArgumentParser()
    reader.add_argument("--rows", type=int, default=10_000_000)
    rows = reader.parse_args().rows
    passed = False
    print("| purchases | months | summary, s | states and transitions, s | × the summary | peak, GB |")
    print("|--:|--:|--:|--:|--:|--:|")
    spent: dict[tuple[int, int], float] = {}
    for size, years in ((rows // 10, 2), (rows, 2), (rows, 4)):
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / "log.parquet"
            duckdb.connect().execute(LOG.format(rows=size, years=years, file=file))
            summary, states = (measured(what, file) for what in (SUMMARY, STATES))
        times = states[0] / summary[0]
        spent[size, years] = states[0]
        passed |= size == rows and years == 2 and (times > AT_MOST or states[1] > MOST_GIGABYTES)
        print(
            f"| {size:,} | {12 * years} | {summary[0]:.2f} | {states[0]:.1f} | {times:.1f} | {states[1]:.2f} |"
        )
    grown = spent[rows, 4] / spent[rows, 2]
    print(f"\nAt most {AT_MOST:.0f} × the summary and {MOST_GIGABYTES:.0f} GB; twice the months took")
    print(f"{grown:.2f} × the time, at most {2 * LINEAR:.1f}.")
    sys.exit(passed or grown > 2 * LINEAR)


def measured(what: str, file: Path) -> tuple[float, float]:
    """Median seconds and peak memory of a script, in processes of their own."""
    command = [sys.executable, "-c", BEGIN + what + END, str(file)]
    runs = [
        json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        )
        for _ in range(RUNS)
    ]
    return statistics.median(run[0] for run in runs), max(run[1] for run in runs)


if __name__ == "__main__":
    main()
