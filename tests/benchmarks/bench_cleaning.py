"""Time and memory of cleaning ten million rows with every policy, beside a bare scan of the same file.

    python -m tests.benchmarks.bench_cleaning [--rows 10000000]

Prints a table in Markdown and ends with 1 if cleaning takes more than 40 times the scan or 2 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOST_TIMES_A_SCAN = 40
MOST_GIGABYTES = 2.0

# A shop of text ids: one row in 25 is a return (half of them of a purchase in full), and there are
# guests, zeros, cancelled orders, repeated line ids, equal rows, other currencies and unreadable values.
LOG = """
COPY (
  WITH rows AS (
    SELECT i, (hash(i) >> 2)::BIGINT AS h, (hash(i * 7) % {customers})::BIGINT AS customer
    FROM range({rows}) t(i)
  )
  SELECT
    CASE WHEN h % 200 = 0 THEN NULL ELSE 'C' || lpad((customer)::VARCHAR, 8, '0') END AS customer_id,
    CASE WHEN h % 5000 = 1 THEN 'soon'
         ELSE strftime(TIMESTAMP '2022-01-01' + to_seconds(i * 9), '%Y-%m-%d %H:%M:%S') END AS date,
    CASE WHEN h % 5000 = 2 THEN 'free'
         WHEN h % 300 = 3 THEN '0.00'
         WHEN h % 25 = 4 THEN (-(500 + 100 * (h % 40)) / 100.0)::DECIMAL(10, 2)::VARCHAR
         ELSE ((500 + 100 * ((h >> 8) % 40)) / 100.0)::DECIMAL(10, 2)::VARCHAR END AS amount,
    'O' || (i // 2)::VARCHAR AS order_id,
    CASE WHEN h % 2000 = 5 THEN 'L' || (i - 1)::VARCHAR ELSE 'L' || i::VARCHAR END AS line_id,
    'P' || (h % 500)::VARCHAR AS product,
    CASE WHEN h % 100 = 6 THEN 'cancelled' ELSE 'paid' END AS status,
    CASE WHEN h % 1000 = 7 THEN 'CHF' ELSE 'EUR' END AS currency,
  FROM rows
) TO '{file}' ({form})
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--measure", nargs=2, metavar=("WHAT", "FILE"), help="used by itself")
    given = arguments.parse_args()
    if given.measure:
        print(json.dumps(measure(*given.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        too_much = [compare(kind, given.rows, Path(folder)) for kind in ("parquet", "csv")]
    sys.exit(any(too_much))


def compare(kind: str, rows: int, folder: Path) -> bool:
    """Print one line of the table; whether cleaning costs more than it may."""
    import duckdb

    file = folder / f"log.{kind}"
    form = "FORMAT parquet" if kind == "parquet" else "FORMAT csv, HEADER"
    duckdb.sql(LOG.format(rows=rows, customers=rows // 8, file=file, form=form))
    if kind == "parquet":
        print("| source | rows | bare scan, s | cleaning, s | times the scan | in CPU time | peak, GB |")
        print("|---|--:|--:|--:|--:|--:|--:|")
    scans = [run("scan", file) for _ in range(2)]
    clean = run("clean", file)
    scans += [
        run("scan", file) for _ in range(2)
    ]  # on both sides, as other work on the machine comes and goes
    scan = {key: sum(one[key] for one in scans) / len(scans) for key in ("seconds", "cpu")}
    times, cpu_times = (clean[key] / scan[key] for key in ("seconds", "cpu"))
    print(
        f"| {kind} | {rows:,} | {scan['seconds']:.2f} | {clean['seconds']:.1f} | {times:.1f} | {cpu_times:.1f} | "
        f"{clean['gigabytes']:.2f} |",
        flush=True,
    )
    return times > MOST_TIMES_A_SCAN or clean["gigabytes"] > MOST_GIGABYTES


def run(what: str, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_cleaning", "--measure", what, str(file)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure(what: str, file: str) -> dict[str, float]:
    """Wall and CPU time of one task in this process, without its imports, and the process's peak memory."""
    from crmlib.data.cleaning.clean import clean_table
    from crmlib.data.contracts import TRANSACTIONS
    from crmlib.data.engine import engine
    from crmlib.data.policies import Policies, Reading
    from crmlib.data.sources import open_table

    engine().raw_sql("SELECT 1")
    start, cpu = time.perf_counter(), time.process_time()
    if what == "scan":
        reader = "read_parquet" if file.endswith("parquet") else "read_csv"
        options = "" if file.endswith("parquet") else ", all_varchar = true"
        engine().con.execute(f"SELECT count(COLUMNS(*)) FROM {reader}('{file}'{options})").fetchall()
    else:
        policies = Policies(equal_rows="set_aside", guests="one_customer_per_order")
        with tempfile.TemporaryDirectory() as folder:
            raw = open_table(file, keep_bad_lines=True)
            clean_table(raw, TRANSACTIONS, Reading(currency="EUR", policies=policies), Path(folder))
    return {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


if __name__ == "__main__":
    main()
