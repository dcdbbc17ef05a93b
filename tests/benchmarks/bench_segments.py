"""Time of segments and of clustering at 100 thousand and a million customers, and how often groups are told from cuts.

    python -m tests.benchmarks.bench_segments [--customers 1000000] [--clouds 100]

Segments: from 15 rows a customer, as Parquet, to named segments, beside the customer summary of the same rows.
Clustering: fit, choice of the number and 20 stability resamples. Each measurement runs in a process of its
own. Prints tables in Markdown and ends with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.bench_rfm import write_log

MOST_TIMES_THE_SUMMARY = 3
MOST_SECONDS = 60  # clustering a million customers, 2 cores
MOST_GROWTH = 1.5  # times linear, from a tenth to all
LEAST_RIGHT = 0.95

PROLOGUE = """
import json, resource, sys, time
import numpy as np, pandas as pd
def report(run, **more):
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"seconds": seconds, "gigabytes": peak} | {name: one(result) for name, one in more.items()}))
file, customers, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
"""
SEGMENTS = """
import ibis, crmlib as crm
log = ibis.duckdb.connect(memory_limit="1GB").read_parquet(file)
started = time.perf_counter()
summary = crm.rfm_summary(log, as_of="2024-12-31")
base = time.perf_counter() - started
started = time.perf_counter()
found = crm.rfm_segments(summary)
table = found.table(summary)
print(json.dumps({"customers": len(summary), "summary": base, "segments": time.perf_counter() - started}))
"""
CLUSTERS = """
from crmlib.customers.clusters.cluster_segments import ClusterSegments
random = np.random.default_rng(0)
data = pd.DataFrame({
    "frequency": random.geometric(0.2, customers), "time_since_last_purchase": random.exponential(20, customers),
    "mean_spend_per_period": random.lognormal(3, 0.8, customers),
})
report(lambda: ClusterSegments(resamples=20, method=kind).fit(data), verdict=lambda found: found.sentence_[:40])
"""
CLOUDS = """
from crmlib.customers.clusters.cluster_segments import ClusterSegments
from tests.customers.clouds import CLOUDS, frame, groups
def right(seed):
    random = np.random.default_rng(seed)
    if kind == "groups":
        found = ClusterSegments(most=5, random_state=seed).fit(frame(groups(random, 400, 2 + seed % 3)[0]))
        return found.groups_ and found.n_clusters_ == 3
    found = ClusterSegments(most=5, random_state=seed).fit(frame(CLOUDS[kind](random, 400, 2 + seed % 3)))
    return not found.groups_
report(lambda: sum(right(seed) for seed in range(customers)), right=int)
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=1_000_000)
    arguments.add_argument("--clouds", type=int, default=100)
    given = arguments.parse_args()
    kept = [segments(given.customers), clustering(given.customers), verdicts(given.clouds)]
    sys.exit(0 if all(kept) else 1)


def measure(script: str, file: str = "", customers: int = 0, kind: str = "", threads: str = "2") -> dict:
    command = [sys.executable, "-c", PROLOGUE + script, file, str(customers), kind]
    threads_of = {**os.environ, "OMP_NUM_THREADS": threads}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=threads_of)
    return json.loads(done.stdout.splitlines()[-1])


def segments(customers: int) -> bool:
    """Segments and their table beside the summary they are made of."""
    print(
        "| customers | summary of their rows, s | segments and table, s | times the summary |\n|--:|--:|--:|--:|"
    )
    kept = True
    with tempfile.TemporaryDirectory() as folder:
        for share in (0.1, 1.0):
            file = Path(folder) / "log.parquet"
            write_log(file, round(15 * customers * share))
            found = measure(SEGMENTS, str(file))
            times = found["segments"] / found["summary"]
            kept &= times <= MOST_TIMES_THE_SUMMARY
            print(
                f"| {found['customers']:,} | {found['summary']:.2f} | {found['segments']:.2f} | {times:.2f} |"
            )
    print(f"\nAt most {MOST_TIMES_THE_SUMMARY} × the summary.\n")
    return kept


def clustering(customers: int) -> bool:
    print("| clustering, 20 resamples | customers | seconds | peak GB |\n|---|--:|--:|--:|")
    seconds = {}
    for kind in ("kmeans", "gaussian_mixture"):
        for count in (customers // 10, customers):
            found = measure(CLUSTERS, customers=count, kind=kind)
            seconds[kind, count] = found["seconds"]
            print(f"| {kind} | {count:,} | {found['seconds']:.1f} | {found['gigabytes']:.2f} |")
    growth = seconds["kmeans", customers] / seconds["kmeans", customers // 10] / 10
    print(
        f"\nk-means: at most {MOST_SECONDS} s, and {growth:.2f} of linear growth (at most {MOST_GROWTH}).\n"
    )
    return seconds["kmeans", customers] <= MOST_SECONDS and growth <= MOST_GROWTH


def verdicts(clouds: int) -> bool:
    """Verdicts with all defaults on clouds of 400 customers and 2 to 4 features."""
    print(f"| {clouds} clouds of 400 customers | right verdicts | at least |\n|---|--:|--:|")
    kept, names = (
        True,
        {"heavy": "heavy tails", "spending": "lognormal", "groups": "three groups, 6 sd apart"},
    )
    kinds = ("bell", "box", "heavy", "spending", "groups")
    with ThreadPoolExecutor(2) as two:  # nothing is timed here
        found = two.map(lambda kind: measure(CLOUDS, customers=clouds, kind=kind, threads="1"), kinds)
    for kind, right in zip(kinds, (one["right"] for one in found), strict=True):
        kept &= right >= LEAST_RIGHT * clouds
        print(f"| {names.get(kind, kind)} | {right} | {LEAST_RIGHT * clouds:.0f} |")
    return kept


if __name__ == "__main__":
    main()
