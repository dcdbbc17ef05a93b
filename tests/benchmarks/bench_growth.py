"""Pairs of products against the bare self-join that counts them; false findings in null worlds; bounds that hold.

    python -m tests.benchmarks.bench_growth

The Complete Journey (1.5 million rows; without the package of its data as many rows drawn from a simulated firm's
orders), by department and by product, kept in DuckDB; medians of three, in one process. Null worlds: 200 of customers
whose value has nothing to do with what is noted of them, and 200 of orders of every size whose products are
independent. 200 simulated firms, of whom the true share of type one is known. Ends with 1 where a promise fails.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

import crmlib as crm
from crmlib.errors import CrmError
from tests.economics.test_growth_baskets import baskets, random_orders
from tests.economics.test_growth_drivers import world

RUNS, ROWS, WORLDS, FIRMS = 3, 1_500_000, 200, 200
MOST_TIMES, MOST_FALSE, FEWEST_HELD = 3.0, 0.05, 0.95


def log() -> ibis.Table:
    """The Complete Journey, else orders of a simulated firm, drawn until there are as many rows."""
    try:
        return crm.open_study("complete-journey").transactions.cache()
    except CrmError:
        rows = crm.simulate_firm(3000, 3).tables["transactions"]
        orders = rows["order_id"].unique()
        drawn = np.random.default_rng(0).choice(len(orders), int(ROWS / len(rows) * len(orders)))
        copies = pd.DataFrame({"order_id": orders[drawn], "copy": np.arange(len(drawn)).astype(str)})
        many = copies.merge(rows, on="order_id")
        many["order_id"] += "-" + many.pop("copy")
        return ibis.memtable(many.drop(columns="line_id")).cache()


def bare(rows: ibis.Table, column: str) -> int:
    """How many pairs of values stand in one order: nothing but the self-join and the count."""
    one = rows.filter(_.amount >= 0).select(order=_.order_id, item=_[column]).distinct()
    two = one.view()
    pairs = one.inner_join(two, [one.order == two.order, one.item < two.item])
    counted = pairs.select(a=one.item, b=two.item).group_by("a", "b").agg(n=_.count()).cache()
    return int(counted.count().to_pyarrow().as_py())


def seconds(work: Callable[[], Any]) -> float:
    """Median of some runs."""
    taken = []
    for _run in range(RUNS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def false_shares() -> tuple[float, float]:
    """Shares of null worlds with a false driver, and with a false pair."""
    driven = paired = 0
    for seed in range(WORLDS):
        rows, people = world(10_000 + seed)
        driven += crm.Growth(rows, "2025-12-31", people).drivers()["verdict"].isin(["better", "worse"]).any()
        pairs = crm.Growth(baskets(random_orders(10_000 + seed)), "2024-12-31").affinity(0.005)
        paired += (pairs["verdict"] == "bought together").any()
    return driven / WORLDS, paired / WORLDS


def held_bounds() -> int:
    """In how many simulated firms the bounds of the share of type one hold the truth."""
    held = 0
    for seed in range(FIRMS):
        firm = crm.simulate_firm(3000, 3, random_state=500 + seed)
        tables = firm.tables
        made = crm.Growth(tables["transactions"], firm.as_of, tables["customers"])
        found = made.type_one_share(offer_share=0.5).iloc[-1]
        held += found["low"] <= firm.truth["referrals"]["only_by_referral"].mean() <= found["high"]
    return held


def main() -> None:
    rows, good = log(), True
    print(f"{int(rows.count().to_pyarrow().as_py()):,} rows; seconds\n")
    print("| pairs by | bare self-join | affinity | × the self-join | at most |\n|---|---|---|---|---|")
    for column in ("category", "product"):
        floor = seconds(lambda column=column: bare(rows, column))
        ours = seconds(lambda column=column: crm.Growth(rows, "2025-12-31", item=column).affinity())
        good &= ours <= MOST_TIMES * floor
        print(f"| {column} | {floor:.2f} | {ours:.2f} | {ours / floor:.2f} | {MOST_TIMES:g} |")
    drivers, pairs = false_shares()
    held = held_bounds()
    good &= max(drivers, pairs) <= MOST_FALSE and held >= FEWEST_HELD * FIRMS
    print("\n| | found | at most |\n|---|---|---|")
    print(f"| null worlds with a false driver, of {WORLDS} | {drivers:.1%} | {MOST_FALSE:.0%} |")
    print(f"| null worlds with a false pair, of {WORLDS} | {pairs:.1%} | {MOST_FALSE:.0%} |")
    print(
        f"\nThe bounds of the share of type one hold the truth in {held} of {FIRMS} firms (at least {FEWEST_HELD:.0%})."
    )
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    print(f"\nMeasured on {time.strftime('%Y-%m-%d')} at {commit.strip()}.")
    sys.exit(not good)


if __name__ == "__main__":
    main()
