"""How far "if nobody had changed" is from what happened to customers who never change, in 50 worlds of each kind.

    python -m tests.benchmarks.bench_no_change [--worlds 50]

Prints a table in Markdown and ends with 1 if more mean errors than chance allows are beyond two standard errors where
purchases are at random.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd

from tests.customers.still_customers import AMOUNTS, MEASURES, WORLDS, judged, periods

CUSTOMERS = 23_570


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=50)
    worlds = parser.parse_args().worlds
    print("| purchases | amounts | gaps | measure | happened | mean error | standard errors |")
    print("|---|---|---|---|--:|--:|--:|")
    beyond, tests = 0, 0
    for regular, gaps in ((1, "random"), (2, "Erlang-2")):
        for world in WORLDS:
            for amounts in AMOUNTS if regular == 1 else AMOUNTS[:1]:
                options = dict(amounts=amounts, regular=regular, customers=CUSTOMERS)
                runs = [judged(*periods(seed, world, **options), CUSTOMERS) for seed in range(worlds)]
                for measure in MEASURES:
                    rows = pd.DataFrame([run[measure] for run in runs])
                    error = rows["expected"] - rows["happened"]
                    z = error.mean() / (error.std() / np.sqrt(worlds))
                    if regular == 1:
                        tests += 1
                        beyond += abs(z) > 2
                    happened = rows["happened"].mean()
                    found = f"{happened:.3f} | {error.mean():+.4f} | {z:+.1f}"
                    print(f"| {world} | {amounts} | {gaps} | {measure} | {found} |", flush=True)
    chance = f"by chance {tests * 0.046:.0f}"
    print(f"\nOf {tests} mean errors with random gaps {beyond} are beyond two standard errors ({chance}).")
    sys.exit(beyond > 3 * max(tests * 0.046, 1))


if __name__ == "__main__":
    main()
