"""How far "if nobody had changed" is from what happened to customers who never change, in 50 worlds of each kind.

    python -m tests.benchmarks.bench_no_change [--worlds 50] [--customers 23570] [--only "most buy"] [--gaps Erlang-2]

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
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--only", choices=[*WORLDS], help="one rate of buying instead of all")
    parser.add_argument("--gaps", choices=["random", "Erlang-2"], help="one kind of gaps instead of both")
    asked = parser.parse_args()
    worlds, customers = asked.worlds, asked.customers
    print("| purchases | amounts | gaps | measure | happened | mean error | standard errors |")
    print("|---|---|---|---|--:|--:|--:|")
    beyond, tests = 0, 0
    for regular, gaps in ((1, "random"), (2, "Erlang-2")):
        for world in [] if asked.gaps not in (None, gaps) else [asked.only] if asked.only else WORLDS:
            for amounts in AMOUNTS if regular == 1 else AMOUNTS[:1]:
                options = dict(amounts=amounts, regular=regular, customers=customers)
                runs = [judged(*periods(seed, world, **options), customers) for seed in range(worlds)]
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
    if tests:
        print(
            f"\nOf {tests} mean errors with random gaps {beyond} are beyond two standard errors ({chance})."
        )
    sys.exit(beyond > 3 * max(tests * 0.046, 1))


if __name__ == "__main__":
    main()
