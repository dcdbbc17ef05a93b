"""How often is a claim supported where it is true, where nothing is behind it, and where the opposite is true?

    python -m tests.benchmarks claims      200 worlds, about 40 minutes on two processors; keeps the table in README.md
    python -m tests.benchmarks.bench_claims [--worlds 200] [--customers 2500] [--jobs 2]

Small simulated firms, three of each seed: mechanisms on (twice as strong), off, and reversed. A claim by itself, at a
first look, by its 95 % interval; the referred are drawn by lot and cost nothing where nothing is behind it, for they
are cheaper to win in any firm. Ends with 1 where the upper end of the 95 % interval of the share supported under
"off" or "reversed" is above 8 %.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import crmlib as crm
from crmlib.findings import SUPPORTED, UNTESTED
from crmlib.relationship.claim_tests.chain import chain
from crmlib.relationship.claim_tests.data import ClaimData
from crmlib.relationship.claim_tests.effort import effort
from crmlib.relationship.claim_tests.entry import entry
from crmlib.relationship.claim_tests.promoters import promoters
from crmlib.relationship.claim_tests.prospecting import prospecting
from crmlib.relationship.claim_tests.referred import referred
from crmlib.relationship.claim_tests.retaining import rivals
from crmlib.relationship.claim_tests.tested import WHOLE
from crmlib.relationship.claim_tests.trust import trust
from crmlib.statistics import wilson_interval

DAY, MOST = "2025-12-31", 0.08
KINDS = {"on": 2.0, "off": 0.0, "reversed": -2.0}
SWITCHED = (
    "trust_keeps value_builds_trust effort_by_value promoters referred_better entry_product base_eases_selling rivals"
).split()
QUIET = dict.fromkeys(
    ("restless_moods", "broken_promises", "slow_replies"), 0
)  # they move trust, whatever it does
TABLES = "customers subscriptions surveys touchpoints leads marketing_spend service_cases".split()
TESTS = (trust, chain, effort, promoters, referred, prospecting, entry, rivals)


def world(kind: str, seed: int, customers: int) -> ClaimData:
    """The tables of a firm of a kind."""
    effects = QUIET | dict.fromkeys(SWITCHED, KINDS[kind])
    tables = crm.simulate_firm(n_customers=customers, years=3, random_state=seed, effects=effects).tables
    log = tables["transactions"]
    beside = {name: tables[name] for name in ("leads", "marketing_spend", "customers", "staff_hours")}
    apart = crm.Acquisition(log, DAY, **beside).rivals_apart()
    return ClaimData(log, DAY, **{name: tables[name] for name in TABLES}, rivals_apart=apart)


def by_lot(data: ClaimData, seed: int) -> ClaimData:
    """The same customers, of whom chance says who was referred, and nobody cost anything."""
    random = np.random.default_rng(seed)
    people = data.customers.sort_values("joined", ignore_index=True)
    month = people["joined"].dt.to_period("M")
    drawn = people.assign(lot=random.random(len(people)), month=month).sort_values(["month", "lot"])
    people = people.assign(referrer_id=drawn["referrer_id"].to_numpy())  # those of a month change places
    tables = {name: getattr(data, name) for name in TABLES}
    tables |= {"customers": people, "marketing_spend": data.marketing_spend.assign(amount=0.0)}
    return ClaimData(data.transactions, DAY, **tables)


def judged(seed: int, customers: int) -> list[tuple[str, str, str]]:
    """Each test's name, the kind of world and the verdict, of the three firms of a seed."""
    found = []
    for kind in KINDS:
        data = world(kind, seed, customers)
        for test in TESTS:
            rows = test(by_lot(data, seed) if test is referred and kind == "off" else data)
            whole = [row for row in rows if row["part"] == WHOLE and row["verdict"] != UNTESTED]
            found += [(row["test"], kind, row["verdict"]) for row in whole]
    return found


def main() -> None:
    reader = argparse.ArgumentParser()
    reader.add_argument("--worlds", type=int, default=200)
    reader.add_argument("--customers", type=int, default=2500)
    reader.add_argument("--jobs", type=int, default=os.cpu_count())
    asked = reader.parse_args()
    supported, tested = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    with ProcessPoolExecutor(asked.jobs) as pool:
        seeds = range(asked.worlds)
        for seed, found in enumerate(pool.map(judged, seeds, [asked.customers] * asked.worlds)):
            for name, kind, verdict in found:
                tested[name, kind] += 1
                supported[name, kind] += verdict == SUPPORTED
            print(f"world {seed + 1} of {asked.worlds}", end="\r", file=sys.stderr, flush=True)
    print(f"| claim | worlds | supported: {' | '.join(KINDS)} | at most where off | where reversed |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    passed = True
    for name in dict.fromkeys(name for name, _kind in tested):
        n = [tested[name, kind] for kind in KINDS]
        yes = [supported[name, kind] for kind in KINDS]
        shares = [f"{one / of:.1%}" if of else "" for one, of in zip(yes, n, strict=True)]
        highest = [
            float(wilson_interval(one, of)[1]) if of else 0.0 for one, of in zip(yes[1:], n[1:], strict=True)
        ]
        # The referred are cheaper to win in the reversed world too: there the claim may be true.
        passed &= highest[0] <= MOST and (highest[1] <= MOST or name == "referred")
        print(f"| {name} | {n[1]} | {' | '.join(shares)} | {highest[0]:.1%} | {highest[1]:.1%} |")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
