"""How often a log that was cut is told from one that starts with the firm, on firms whose start is known.

    python -m tests.benchmarks.bench_log_start

Prints a table in Markdown and ends with 1 if a bound is missed.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

import numpy as np
import pandas as pd

from crmlib.data.log_start import log_start
from crmlib.findings import FAIL, NOT_JUDGED, PASS
from tests.data.firms_by_age import KINDS, firm, last_days, simulated_log

CUT_DAYS = 400
FIRMS, MOST_FAILED, FEWEST_FOUND = 210, 0.05, 16


def main() -> None:
    rng = np.random.default_rng(20241231)
    table: dict[tuple[str, str], Counter[str]] = {}
    begin = time.perf_counter()
    for number in range(FIRMS):
        kind = KINDS[number % len(KINDS)]
        days = int(rng.choice([300, 365, CUT_DAYS, 730, 1095]))
        size = int(10 ** rng.uniform(2.7, 3.9))
        whole = firm(kind, days=days, customers=size, rng=rng)
        _count(table, kind, "whole", whole)
        older = days + int(rng.uniform(365, 1095))
        _count(
            table,
            kind,
            "cut",
            last_days(firm(kind, days=older, customers=size * older // days, rng=rng), days),
        )
    for seed in range(20):
        log = simulated_log(seed)
        _count(table, "simulate_firm, 5,000 customers", "whole", log)
        _count(table, "simulate_firm, 5,000 customers", "cut", last_days(log, CUT_DAYS))
    seconds = (time.perf_counter() - begin) / (2 * FIRMS + 40)

    print(
        "| firms | log | logs | judged cut | not judged | starts with the firm |\n|---|---|--:|--:|--:|--:|"
    )
    for (kind, state), found in sorted(table.items(), key=lambda one: (one[0][1], one[0][0])):
        print(f"| {kind} | {state} | {found.total()} | {found[FAIL]} | {found[NOT_JUDGED]} | {found[PASS]} |")
    whole = [found for (_kind, state), found in table.items() if state == "whole"]
    failed = sum(found[FAIL] for found in whole) / sum(found.total() for found in whole)
    simulated = table["simulate_firm, 5,000 customers", "cut"][FAIL]
    print(f"\nWhole logs of 300 to 1,095 days judged cut: {failed:.1%} (at most {MOST_FAILED:.0%}).")
    print(f"Simulated firms cut to {CUT_DAYS} days judged cut: {simulated} of 20 (at least {FEWEST_FOUND}).")
    print(f"A log takes {seconds:.2f} s.")
    sys.exit(failed > MOST_FAILED or simulated < FEWEST_FOUND)


def _count(table: dict[tuple[str, str], Counter[str]], kind: str, state: str, log: pd.DataFrame) -> None:
    found = log_start(log, as_of=log["date"].max().date())
    table.setdefault((kind, state), Counter())[found.status] += 1


if __name__ == "__main__":
    main()
