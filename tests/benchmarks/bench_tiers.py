"""Segments, tiers and profit of a million customers, beside the summary of their fifteen million rows.

    python -m tests.benchmarks.bench_tiers [--customers 1000000]

Everything runs in one process after a first small run, so that starting up does not count. The work is
`customer_profit` from the log with costs, returns, 5 % of the customers' service cases and contacts, `rfm_segments`
of the summary, `value_tiers` and `tier_table`. Prints a table in Markdown and ends with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_TIMES_THE_SUMMARY = 3.0
MOST_TIMES_A_TENTH = (
    15.0  # ten times the customers: half as much again as in proportion, as the engine's memory is held
)
YEAR = {"start": "2024-01-01", "end": "2024-12-31"}
COSTS = {"per_service_minute": 0.6, "per_return": 4.0, "per_order": 2.0, "fixed_per_year": 1.0}

LOG = """
COPY (
  WITH rows AS (
    SELECT i, (hash(i) % 1000000) / 1e6 AS buyer, (hash(i + 1000000007) % 1000000) / 1e6 AS moment,
           (hash(i + 77777777777) % 1000000) / 1e6 AS draw
    FROM range({rows}) t(i)
  ), dated AS (
    SELECT *, TIMESTAMP '2024-01-01' + to_seconds((moment * 366 * 86400)::BIGINT - 1) AS date FROM rows
  )
  SELECT 'C' || lpad(({customers} * buyer * sqrt(buyer))::BIGINT::VARCHAR, 9, '0') AS customer_id, date,
    CASE WHEN draw < 0.05 THEN -1 ELSE 1 END * round(5 + draw * 100, 2) AS amount, draw >= 0.05 AS is_purchase,
    NULL::TIMESTAMP AS reversed_on, CASE WHEN draw < 0.05 THEN date - INTERVAL 5 DAY END AS returned_purchase_date,
    round((5 + draw * 100) * 0.6, 2) AS cost
  FROM dated
) TO '{file}' (FORMAT parquet)
"""
CASES = """
COPY (
  SELECT 'C' || lpad((hash(i) % {customers})::VARCHAR, 9, '0') AS customer_id,
         TIMESTAMP '2024-01-01' + to_seconds(hash(i + 5) % 31000000) AS {day}, (hash(i + 9) % 60)::DOUBLE AS minutes,
         0.5 AS cost
  FROM range({customers} // 20) t(i)
) TO '{file}' (FORMAT parquet)
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=1_000_000)
    customers = arguments.parse_args().customers
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), 1000)
        small, large = (measure(Path(name), size) for size in (customers // 10, customers))
    sys.exit(report(customers, small, large))


def measure(folder: Path, customers: int) -> dict[str, float]:
    """Seconds of each step, the better of two rounds."""
    import duckdb

    from crmlib import customer_profit, rfm_segments, rfm_summary, value_tiers
    from crmlib.data.engine import engine

    files = {name: folder / f"{name}-{customers}.parquet" for name in ("log", "cases", "contacts")}
    duckdb.sql(LOG.format(rows=15 * customers, customers=customers, file=files["log"]))
    duckdb.sql(CASES.format(customers=customers, day="opened", file=files["cases"]))
    duckdb.sql(CASES.format(customers=customers, day="date", file=files["contacts"]))
    log, cases, contacts = (engine().read_parquet(str(file)) for file in files.values())
    tables: dict[str, Any] = {"service_cases": cases, "touchpoints": contacts}

    summary = timed(lambda: rfm_summary(log, as_of=YEAR["end"]))
    profit = timed(lambda: customer_profit(log, **YEAR, **tables, costs=COSTS))
    segments = timed(lambda: rfm_segments(summary[1]))
    tiers = timed(lambda: value_tiers(profit[1]))
    table = timed(lambda: tiers[1].table())
    steps = {"summary": summary, "profit": profit, "segments": segments, "tiers": tiers, "table": table}
    return {"customers": float(len(profit[1]))} | {step: found[0] for step, found in steps.items()}


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def report(customers: int, small: dict[str, float], large: dict[str, float]) -> int:
    """Print the table; 1 if a bound was missed."""
    print(
        f"{customers:,} customers, {15 * customers:,} rows ({large['customers']:,.0f} with a row in the year)\n"
    )
    print(f"| step | {customers // 10:,} customers, s | {customers:,} customers, s |\n|---|---|---|")
    names = {
        "summary": "rfm_summary", "profit": "customer_profit", "segments": "rfm_segments", "tiers": "value_tiers",
        "table": "ValueTiers.table",
    }  # fmt: skip
    for step, name in names.items():
        print(f"| {name} | {small[step]:.2f} | {large[step]:.2f} |")
    work = [sum(found[step] for step in names if step != "summary") for found in (small, large)]
    times, growth = work[1] / large["summary"], work[1] / work[0]
    print(
        f"\nProfit, segments, tiers and table together: {times:.1f} × the summary (at most "
        f"{MOST_TIMES_THE_SUMMARY:g}); {growth:.1f} × the time for 10 × the customers (at most {MOST_TIMES_A_TENTH:g})."
    )
    return int(times > MOST_TIMES_THE_SUMMARY or growth > MOST_TIMES_A_TENTH)


if __name__ == "__main__":
    main()
