"""Time and memory of the decision table of a million customers, from the other notebooks' tables, written to disk.

    python -m tests.benchmarks.bench_decisions

Tables as chapters 3 to 7 and 10 publish them, drawn at random; four rules and a budget. Ends with 1 above 30 seconds or
2 GB, or where the greedy list is more than .1 % below its bound.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import crmlib as crm
from crmlib import relationship
from crmlib.relationship.customer_table import RULED, customers_as_published
from crmlib.relationship.next_actions import next_actions
from crmlib.relationship.rules import read_rules
from crmlib.study.results import NotebookResults

CUSTOMERS, SECONDS, GIGABYTES = 1_000_000, 30, 2.0


def publish(run: Path, customers: int) -> pd.DataFrame:
    """The other notebooks' tables, and what a customer spends per purchase."""
    random = np.random.default_rng(1)
    ids = np.array([f"C{number:07d}" for number in range(customers)])
    clv = random.gamma(1.0, 80.0, customers)
    value = {
        "customer_id": ids, "segment": random.choice(["Champions", "Loyal", "Lost"], customers),
        "p_alive": random.random(customers), "expected_purchases": random.gamma(1.0, 2.0, customers),
        "clv": clv, "clv_low": clv / 2, "clv_high": clv * 2, "frequency": random.poisson(1.0, customers),
    }  # fmt: skip
    tables = {
        "lifetime_value": pd.DataFrame(value),
        "value_tiers": pd.DataFrame({"customer_id": ids, "tier": random.choice(["Gold", "Iron"], customers)}),
        "states_of_customers": pd.DataFrame({"customer_id": ids, "state": "stable"}),
        "customers_at_risk": pd.DataFrame({"customer_id": ids[::5], "p_churn": random.random(len(ids[::5]))}),
        "next_offers": pd.DataFrame({"customer_id": ids[::2], "next_product": "garden"}),
        "winnable_customers": pd.DataFrame(
            {"customer_id": ids[::4], "chance_to_buy": 0.2, "silent_days": 90.0}
        ),
    }
    (run / "tables").mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(run / "tables" / f"{name}.parquet", index=False)
    money = random.gamma(3.0, 20.0, customers)
    spend = pd.DataFrame({"spend": money, "error": 5.0, "even": money, "odd": money}, index=ids)
    return spend.rename_axis("customer_id")


def main() -> None:
    """Print the times and end with 1 where a promise does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        os.environ["CRMLIB_RUN_DIR"] = folder
        spend, study = publish(run, CUSTOMERS), crm.open_study("cdnow-sample")
        rules = read_rules(Path(relationship.__file__).with_name("rules.csv"), RULED)
        times = [time.monotonic()]
        customers = customers_as_published(study, spend.index)
        times.append(time.monotonic())
        asked = dict(margin=0.5, as_of=study.as_of, budget=50_000.0, key="bench")
        found = next_actions(customers.assign(open_case=False), rules, spend, **asked)
        times.append(time.monotonic())
        results = NotebookResults("12_decisions", run)
        results.table("customers", found.customers)
        results.table("next_actions", found.to_do)
        times.append(time.monotonic())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print("| Step | seconds |\n|---|---|")
    for name, taken in zip(
        ("one row per customer", "gains and the list", "Parquet and CSV"), np.diff(times), strict=True
    ):
        print(f"| {name} | {taken:.1f} |")
    took = times[-1] - times[0]
    print(
        f"\n{CUSTOMERS:,} customers, {len(found.to_do):,} on the list, {found.gap:.4%} below the bound; {took:.1f} s "
        f"({time.process_time():.0f} s of the processor, with the drawing of the tables), peak {peak:.2f} GB"
    )
    sys.exit(took > SECONDS or peak > GIGABYTES or found.gap > 0.001)


if __name__ == "__main__":
    main()
