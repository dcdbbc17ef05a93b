"""Thousands of markets against five, in the functions that look at each market apart."""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

import crmlib as crm

ROWS, CUSTOMERS, AT_MOST = 500_000, 50_000, 2.0
STEPS = {
    "period_profile": lambda log: crm.period_profile(
        log, start="2022-06-01", end="2023-05-31", by=["market", "channel"]
    ),
    "fit_by_group": lambda log: crm.fit_by_group(
        log, by="market", as_of="2023-11-30", models=[crm.BetaGeoModel()]
    ),
}


def log_of(markets: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    days = pd.to_timedelta(random.integers(0, 700, ROWS), unit="D")
    return pd.DataFrame(
        {
            "customer_id": random.integers(0, CUSTOMERS, ROWS).astype(str),
            "date": pd.Timestamp("2022-01-01") + days,
            "amount": random.gamma(2, 10, ROWS).round(2),
            "market": random.integers(0, markets, ROWS).astype(str),
        }
    )


def seconds(step: str, log: pd.DataFrame) -> float:
    """Processor time, the median of three."""
    found = []
    for _ in range(3):
        start = time.process_time()
        STEPS[step](log)
        found.append(time.process_time() - start)
    return float(np.median(found))


def main() -> None:
    few, many = log_of(5), log_of(5_000)
    print(f"{ROWS:,} rows of {CUSTOMERS:,} customers, processor seconds\n")
    print("| function | 5 markets | 5,000 markets | times | at most |\n|---|--:|--:|--:|--:|")
    ratios = []
    for step in STEPS:
        one, other = seconds(step, few), seconds(step, many)
        ratios.append(other / one)
        print(f"| {step} | {one:.2f} | {other:.2f} | {other / one:.2f} | {AT_MOST:g} |")
    sys.exit(max(ratios) > AT_MOST)


if __name__ == "__main__":
    main()
