"""Time and memory of simulating a firm and writing its fifteen tables, from 5,000 customers to a million.

    python -m tests.benchmarks.bench_simulate [--customers 5000 100000 1000000]

Prints a table in Markdown and ends with 1 if 5,000 customers take 10 s, if a customer of the largest firm takes
more than 1.1 times as long as one of 100,000, or if memory is not bounded.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

YEARS = 3
MOST_SECONDS_FOR_5000 = 10.0
MOST_TIMES_LINEAR = 1.1
MOST_GIGABYTES = 2.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, nargs="+", default=[5_000, 100_000, 1_000_000])
    arguments.add_argument("--measure", metavar="CUSTOMERS", type=int, help="used by itself")
    given = arguments.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return
    print(f"Customers over {YEARS} years, fifteen tables as Parquet, process start included\n")
    print("| customers | seconds | ms per 1,000 customers | rows | peak GB |")
    print("|--:|--:|--:|--:|--:|")
    found = {}
    for customers in given.customers:
        run = found[customers] = one_run(customers)
        print(
            f"| {customers:,} | {run['seconds']:.1f} | {1e6 * run['seconds'] / customers:,.0f} | {run['rows']:,} | "
            f"{run['gigabytes']:.2f} |",
            flush=True,
        )
    sys.exit(not all_hold(found))


def all_hold(found: dict[int, dict[str, float]]) -> bool:
    """Whether the promises hold, said line by line."""
    promises = []
    if 5_000 in found:
        promises.append(("5,000 customers, s", found[5_000]["seconds"], MOST_SECONDS_FOR_5000))
    most = max(found)
    if 100_000 in found and most > 100_000:
        per_customer = {size: found[size]["seconds"] / size for size in (100_000, most)}
        times = per_customer[most] / per_customer[100_000]
        promises.append((f"a customer of {most:,} against one of 100,000", times, MOST_TIMES_LINEAR))
    promises.append(("peak GB", max(run["gigabytes"] for run in found.values()), MOST_GIGABYTES))
    print()
    for name, value, bound in promises:
        print(f"{name}: {value:.2f} (at most {bound:g}).")
    return all(value <= bound for _, value, bound in promises)


def one_run(customers: int) -> dict[str, float]:
    """One firm in a process of its own, start included."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tests.benchmarks.bench_simulate", "--measure", str(customers)]
    run = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {**run, "seconds": time.perf_counter() - start - run.pop("counting")}


def measure(customers: int) -> dict[str, float]:
    """Write a firm; its rows, the seconds it took to count them, and the process's peak memory."""
    from crmlib.simulation.settings import Simulation
    from crmlib.simulation.writer import write_firm

    folder = Path(tempfile.mkdtemp())
    try:
        write_firm(Simulation(n_customers=customers, years=YEARS), folder / "firm")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        start = time.perf_counter()
        import pyarrow.parquet as pq

        rows = sum(pq.read_metadata(file).num_rows for file in (folder / "firm").glob("*.parquet"))
        shutil.rmtree(folder)
        return {"rows": rows, "gigabytes": peak, "counting": time.perf_counter() - start}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
