"""Time to tell which of a million customers will buy again, and which are overdue, and survival of their contracts.

    python -m tests.benchmarks.bench_activity [--customers 1000000]

Prints a table in Markdown and ends with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.bench_lifetime_value import write_customers
from tests.benchmarks.peers import measure

MOST_SECONDS = {"P(active) by Pareto/NBD": 2.0}
OURS = """
import pandas as pd
from crmlib import ParetoNBDModel
from crmlib.models.overdue import overdue_customers
from crmlib.models.survival_curves import survival_curves
data = pd.read_parquet(sys.argv[1])
model = ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W")
report("P(active) by Pareto/NBD", lambda: 1 - model.expected_probability_no_purchase(data, "26W"))
report("overdue, purchases at random", lambda: overdue_customers(data, model))
report("overdue, gaps of three phases", lambda: overdue_customers(data, model, regularity=3))
spells = pd.DataFrame({"tenure_months": data["T"] / 4.35, "ended": data["frequency"] == 0})
spells["plan"] = pd.Series(["S", "M", "L"]).iloc[data.index % 3].to_numpy()
report("Kaplan-Meier by three groups", lambda: survival_curves(spells, by="plan"))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=1_000_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file = write_customers(Path(name, "customers.parquet"), given.customers)
        found = measure(sys.executable, OURS, file)
    print(f"{given.customers:,} customers of two years, observed by the day\n")
    print("| | seconds | at most |\n|---|---|---|")
    for task, seconds in found.items():
        if task != "gigabytes":
            print(f"| {task} | {seconds:.2f} | {MOST_SECONDS.get(task, '')} |")
    print(f"\nPeak of memory: {found['gigabytes']:.2f} GB")
    sys.exit(any(found[task] > most for task, most in MOST_SECONDS.items()))


if __name__ == "__main__":
    main()
