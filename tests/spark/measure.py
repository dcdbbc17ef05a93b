"""Time and memory of cleaning and of the summary of a log, in DuckDB and in Spark on the same machine.

    python -m tests.spark.measure [--customers 1000000]

In the environment that `make test-spark` makes. Some ten rows a customer, those of the bench of the suite. Each engine
works in a process of its own, whose memory is that of it and of all its children, looked at twice a second: that of
Spark is its driver's, which may hold 8 GB. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from tests.benchmarks.bench_suite import ROOT, STUDY, write_study

SPARK = "?spark.master=local[2]&spark.driver.host=localhost&spark.driver.memory=8g"
STEPS = """
import json, time
import crmlib as crm
def mark(what, then):
    print(json.dumps({"what": what, "seconds": time.perf_counter() - then}), flush=True)
    return time.perf_counter()
began = time.perf_counter()
study = crm.open_study("large")
log = study.transactions
began = mark("cleaning", began)
found = crm.rfm_summary(log, as_of=study.as_of, time_unit=study.time_unit, collapse=study.collapse)
mark("summary", began)
print(json.dumps([len(found), int(found["frequency"].sum()), round(float(found["net"].sum()), 2)]))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=1_000_000)
    customers = arguments.parse_args().customers
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        rows = write_study(home / "data" / "large", customers)
        print(f"{rows:,} rows, {customers:,} customers\n")
        print("| engine | step | wall s | processor s | peak GB |\n|---|---|--:|--:|--:|")
        answers = [measured(home, "DuckDB")]
        content = yaml.safe_load(STUDY)
        query = f"SELECT * FROM parquet.`{home}/data/large/log.parquet`"
        table = {"source": f"pyspark://{home}/warehouse{SPARK}", "query": query}
        content |= {"run_in": "engine", "workspace": "crm", "tables": {"transactions": table}}
        (home / "data/large/study.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        answers.append(measured(home, "Spark"))
    equal = answers[0] == answers[1]
    print(f"\nCustomers, purchases and revenue are {'equal' if equal else 'NOT equal'}: {answers[0]}.")
    sys.exit(not equal)


def measured(home: Path, engine: str) -> list[float]:
    """Print the lines of an engine; its customers, purchases and revenue."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CRMLIB_CACHE_DIR": str(home / "cache" / engine)}
    work = subprocess.Popen(
        [sys.executable, "-c", STEPS], cwd=home, env=environment, stdout=subprocess.PIPE, text=True
    )
    os.set_blocking(work.stdout.fileno(), False)
    peak = used = before = 0.0
    lines: list = []
    while True:
        ended = work.poll() is not None
        if not ended:
            peak, used = max(peak, _held(work.pid)), max(used, _used(work.pid))
        for line in iter(work.stdout.readline, ""):
            found = json.loads(line)
            lines.append(found)
            if isinstance(found, dict):
                taken, before = used - before, used
                print(
                    f"| {engine} | {found['what']} | {found['seconds']:.0f} | {taken:.0f} | {peak:.2f} |",
                    flush=True,
                )
        if ended:
            break
        time.sleep(0.5)
    if work.returncode:
        raise SystemExit(f"{engine} ended with {work.returncode}")
    return lines[-1]


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _held(pid: int) -> float:
    """GB of memory of a process and its children."""
    total = 0
    for one in _family(pid):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e9


def _used(pid: int) -> float:
    """Seconds of the processor of a process and its children."""
    total = 0.0
    for one in _family(pid):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


if __name__ == "__main__":
    main()
