"""Time of funnel, acquisition cost and value by age of a million prospects and customers, beside their summary.

    python -m tests.benchmarks.bench_acquisition

One million prospects, one million customers with three orders each, seven channels, three years; Parquet through
DuckDB. Medians of three, each in a process of its own. Ends with 1 where the bound is passed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS, AT_MOST = 3, 3.0
MAKE = """
CREATE TABLE one AS SELECT i, 'c' || i AS customer_id, DATE '2022-01-01' + (hash(i) % 1000)::INT AS created,
  'channel ' || hash(i + 7) % 7 AS channel, (hash(i + 9) % 90)::INT AS wait FROM range(1000000) t(i);
COPY (SELECT 'l' || i AS lead_id, created, channel, created + wait // 3 AS interested_on,
  created + wait AS won_on, CASE WHEN FALSE THEN created END AS lost_on, customer_id, 0.5 AS hours FROM one)
  TO '{folder}/leads.parquet' (FORMAT parquet);
COPY (SELECT customer_id, (created + wait + (n * (hash(i * 31 + n) % 300))::INT)::TIMESTAMP AS date,
  5.0 + hash(i + n) % 100 AS amount FROM one, range(3) r(n)) TO '{folder}/log.parquet' (FORMAT parquet);
COPY (SELECT d::DATE AS date, 'channel ' || c AS channel, 500.0 AS amount, 20000.0 AS impressions, 900.0 AS clicks
  FROM range(DATE '2022-01-01', DATE '2025-01-01', INTERVAL 1 DAY) a(d), range(7) b(c))
  TO '{folder}/spend.parquet' (FORMAT parquet);
"""
BEGIN = """
import sys, time, ibis, crmlib as crm
con = ibis.duckdb.connect()
log, leads, spend = (con.read_parquet(f"{sys.argv[1]}/{name}.parquet") for name in ("log", "leads", "spend"))
never = ibis.null("timestamp")
log = log.mutate(is_purchase=log.amount >= 0, reversed_on=never, returned_purchase_date=never)
start = time.perf_counter()
"""
SUMMARY = "crm.rfm_summary(log, as_of='2025-06-30', time_unit='W')"
CHAPTER = """firm = crm.Acquisition(log, "2025-06-30", leads=leads, marketing_spend=spend, margin=0.5)
firm.funnel(), firm.cost_per_customer(), firm.value_by_age()"""
END = "\nprint(time.perf_counter() - start)"


def main() -> None:
    import duckdb

    with tempfile.TemporaryDirectory() as name:
        duckdb.connect().execute(MAKE.format(folder=name))
        taken = {what: spent(BEGIN + what + END, Path(name)) for what in (SUMMARY, CHAPTER)}
    print("1,000,000 prospects and customers, 3,000,000 orders; seconds\n")
    times = taken[CHAPTER] / taken[SUMMARY]
    print("| | seconds | × the summary | at most |\n|---|---|---|---|")
    print(f"| summary of the customers | {taken[SUMMARY]:.2f} | 1.00 | |")
    print(f"| funnel, acquisition cost, value by age | {taken[CHAPTER]:.2f} | {times:.2f} | {AT_MOST} |")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    print(f"\nMeasured on {time.strftime('%Y-%m-%d')} at {commit}.")
    sys.exit(times > AT_MOST)


def spent(script: str, folder: Path) -> float:
    """Median seconds of a script, in processes of their own."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", script, str(folder)], check=True, capture_output=True, text=True
        )
        for _ in range(RUNS)
    ]
    return statistics.median(float(run.stdout.splitlines()[-1]) for run in runs)


if __name__ == "__main__":
    main()
