"""Time and memory of `rfm_summary` on ten million rows, beside a bare scan and beside lifetimes.

    python -m tests.benchmarks.bench_rfm [--rows 10000000] [--peer PYTHON]

`--peer` is the Python of an environment that has lifetimes 0.11.3, pandas and pyarrow; without it one is
made in a temporary folder. Every measurement runs in a process of its own, the engine held to 800 MB
(it spills what does not fit). Prints a table in Markdown and ends with 1 if a bound
is missed; the bounds are meant for ten million rows, where starting up no longer counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

MOST_TIMES_A_SCAN = 12
LEAST_TIMES_FASTER = 8
MOST_GIGABYTES = 1.5
ENGINE_MEMORY = "1GB"
AS_OF = "2024-12-31"
PEER = ["lifetimes==0.11.3", "pandas==2.3.3", "pyarrow"]

# A cleaned log of two years: heavy and light buyers, 5 % returns (of a purchase five days before), 3 % of
# the purchases gone back in full, two rows to an order, rows in no order of theirs.
LOG = """
COPY (
  WITH rows AS (
    SELECT i, (hash(i) % 1000000) / 1e6 AS buyer, (hash(i + 1000000007) % 1000000) / 1e6 AS moment,
           (hash(i + 77777777777) % 1000000) / 1e6 AS draw
    FROM range({rows}) t(i)
  ), dated AS (
    SELECT *, TIMESTAMP '2023-01-01' + to_seconds((moment * 731 * 86400)::BIGINT - 1) AS date FROM rows
  )
  SELECT
    'C' || lpad((({rows} * 0.06) * buyer * buyer)::BIGINT::VARCHAR, 9, '0') AS customer_id,
    date,
    CASE WHEN draw < 0.05 THEN -1 ELSE 1 END * round(5 + draw * 100, 2) AS amount,
    draw >= 0.05 AS is_purchase,
    CASE WHEN draw > 0.97 THEN date + INTERVAL 10 DAY END AS reversed_on,
    CASE WHEN draw < 0.05 THEN date - INTERVAL 5 DAY END AS returned_purchase_date,
    'O' || (i // 2)::VARCHAR AS order_id
  FROM dated
) TO '{file}' (FORMAT parquet)
"""
COLUMNS = ["customer_id", "date", "amount", "is_purchase", "reversed_on", "returned_purchase_date"]

# Run in the interpreter that has the package; prints seconds of the best of its rounds, peak GB and a count.
PROLOGUE = """
import json, resource, sys, time
def report(run, rounds, count):
    seconds = []
    for _ in range(rounds):
        result = None  # the last round's result is no part of this one's memory
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"seconds": min(seconds), "gigabytes": peak, "customers": count(result)}))
file, columns, as_of = sys.argv[1], sys.argv[2].split(","), sys.argv[3]
"""
SCAN = """
import duckdb
sums = ", ".join(f"sum(hash({column}))" for column in columns)
report(lambda: duckdb.sql(f"SELECT {sums} FROM '{file}'").fetchall(), 3, lambda rows: 0)
"""
OURS = """
import ibis
from crmlib import rfm_summary
engine = ibis.duckdb.connect(memory_limit="ENGINE_MEMORY")
log = engine.read_parquet(file).select(columns)
report(lambda: rfm_summary(log, as_of=as_of, time_unit="W"), 3, len)
"""
LIFETIMES = """
import warnings; warnings.simplefilter("ignore")
import pandas as pd
from lifetimes.utils import summary_data_from_transaction_data as summary
def run():  # from the Parquet file to the summary, as ours
    log = pd.read_parquet(file, columns=["customer_id", "date", "amount"])
    return summary(log, "customer_id", "date", "amount", observation_period_end=as_of)
report(run, 1, len)
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--peer", help="a Python that has lifetimes 0.11.3, pandas and pyarrow")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(folder / "log.parquet", given.rows)
        peer = given.peer or make_peer(folder / "peer")
        sys.exit(compare(folder / "log.parquet", given.rows, peer))


def write_log(file: Path, rows: int) -> None:
    import duckdb

    duckdb.sql(LOG.format(rows=rows, file=file))


def make_peer(folder: Path) -> str:
    """An environment of its own for lifetimes, so that it is no dependency of this one."""
    venv.create(folder, with_pip=True)
    python = next(
        one for one in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if one.exists()
    )
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER], check=True)
    return str(python)


def measure(python: str, script: str, file: Path, columns: list[str]) -> dict[str, float]:
    program = PROLOGUE + script.replace("ENGINE_MEMORY", ENGINE_MEMORY)
    command = [python, "-c", program, str(file), ",".join(columns), AS_OF]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(file: Path, rows: int, peer: str) -> bool:
    """Print the table and say whether a bound was missed."""
    with_orders = [*COLUMNS, "order_id"]
    # The scan before and after, the better one counts: other work on the machine only ever slows it.
    scan = [measure(sys.executable, SCAN, file, COLUMNS) for _ in range(2)]
    ours = measure(sys.executable, OURS, file, COLUMNS)
    scan.append(measure(sys.executable, SCAN, file, COLUMNS))
    floor = min(one["seconds"] for one in scan)
    orders_floor = measure(sys.executable, SCAN, file, with_orders)["seconds"]
    orders = measure(sys.executable, OURS, file, with_orders)
    theirs = measure(peer, LIFETIMES, file, COLUMNS)
    times, faster = ours["seconds"] / floor, theirs["seconds"] / ours["seconds"]
    print(f"`rfm_summary`, {rows:,} rows, {ours['customers']:,} customers, engine held to {ENGINE_MEMORY}\n")
    print("| | seconds | × scan | peak GB |\n|---|---|---|---|")
    for what, found, base in (
        ("bare scan of the six columns", scan[0] | {"seconds": floor}, floor),
        ("rfm_summary", ours, floor),
        ("rfm_summary with distinct order ids", orders, orders_floor),
        ("lifetimes 0.11.3, from the same Parquet file", theirs, floor),
    ):
        seconds, gigabytes = found["seconds"], found["gigabytes"]
        print(f"| {what} | {seconds:.2f} | {seconds / base:.1f} | {gigabytes:.2f} |")
    print(
        f"\n{times:.1f} × the scan (at most {MOST_TIMES_A_SCAN}), {faster:.1f} × as fast as lifetimes (at least"
    )
    print(f"{LEAST_TIMES_FASTER}), peak {ours['gigabytes']:.2f} GB (at most {MOST_GIGABYTES}).")
    small = max(ours["gigabytes"], orders["gigabytes"]) <= MOST_GIGABYTES
    return not (times <= MOST_TIMES_A_SCAN and faster >= LEAST_TIMES_FASTER and small)


if __name__ == "__main__":
    main()
