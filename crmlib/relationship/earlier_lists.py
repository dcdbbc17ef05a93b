"""Results of the lists of earlier runs: how many actions were done, and their effect against the holdout."""

from __future__ import annotations

from typing import Any

import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.customers.treatments.experiments import experiment_outcomes
from crmlib.economics.experiments import read_experiments
from crmlib.findings import SUPPORTED
from crmlib.no_rows import no_rows, why_none

WINDOW_DAYS = 30  # after the day of a list, in which a purchase counts
COLUMNS = "rule assigned customers done left_out treated_mean control_mean difference low high result".split()


def lists_read_out(
    lists: pd.DataFrame, transactions: Any, done: Any, *, as_of: Any, currency: str, ids_by: str
) -> pd.DataFrame:
    """How many actions of earlier lists were done, and how much more often did the chosen buy than the holdout?

    Parameters
    ----------
    lists : DataFrame
        Earlier lists of the ledger: `customer_id, rule, assigned, left_out, runs, currency, ids_by`.
    transactions, as_of
        As in `experiment_outcomes`.
    done : ibis.Table or DataFrame
        The table `actions_done`: `customer_id, rule, done_on`.
    currency, ids_by : str
        Of this run; lists of another currency are read all the same, those with other ids cannot be.

    Returns
    -------
    DataFrame
        By `rule`, with the day of its last list `assigned`: `customers` of all its lists, `done`, `left_out`; where as
        many lists are over as were planned before the first of them, the shares who bought within 30 days
        (`treated_mean`, `control_mean`) and their `difference` with its interval; `result`, all of it in a sentence.
        All who were not left out count as treated, whether or not anybody acted: chance chose them.
    """
    if not len(lists):
        return no_rows(COLUMNS, "no list of an earlier run is kept")
    known = lists[lists["ids_by"] == ids_by]
    if known.empty:
        why = "the earlier lists have customers' ids by another key, so nobody can be matched"
        return no_rows(COLUMNS, why)
    acted = fetch(done) if not isinstance(done, pd.DataFrame) else done
    acted = acted[acted["done_on"].notna()]
    pairs = set(zip(acted["customer_id"].astype(str), acted["rule"], strict=True))
    rows, listed = [], set(zip(known["customer_id"], known["rule"], strict=True))
    for rule, mine in known.sort_values("assigned", kind="stable").groupby("rule", sort=False):
        first = mine.drop_duplicates("customer_id")  # who was listed again is no second draw
        of_done = sum((who, rule) in pairs for who in first["customer_id"])
        read = _read(first, str(rule), transactions, as_of)
        counts = (len(first), of_done, int(first["left_out"].eq(True).sum()))
        measured = [float("nan")] * 5
        wanted, had = int(mine["runs"].iloc[0]), mine["assigned"].nunique()
        if not wanted:
            result = "nobody was left out by chance, so what they changed is not known"
        elif had < wanted or read is None:
            result = (
                f"what they changed is known after {fmt.plural(wanted, 'list')}, each {WINDOW_DAYS} days old"
            )
        else:
            names = ["treated_mean", "control_mean", "difference", "low", "high"]
            measured = [float(read[name]) for name in names]
            beyond = read["verdict"] == SUPPORTED
            result = (
                f"{fmt.share(measured[0])} bought within {WINDOW_DAYS} days, of those left out "
                f"{fmt.share(measured[1])}: {fmt.points(measured[2])} "
                f"({fmt.interval(measured[3], measured[4], 'points')}), "
                f"{'beyond chance' if beyond else 'which may be chance'}"
            )
        text = (
            f"Of the list “{rule}” ({fmt.plural(counts[0], 'customer')}), "
            f"{fmt.count(of_done) if of_done else 'none'} {'was' if of_done == 1 else 'were'} done; {result}."
        )
        rows.append((rule, mine["assigned"].max(), *counts, *measured, text))
    table = pd.DataFrame(rows, columns=COLUMNS)
    if other := len(pairs - listed):
        verb = "is" if other == 1 else "are"
        count = fmt.plural(other, "action")
        table.iloc[-1, -1] += f" {count} of the table actions_done {verb} on no earlier list: not counted."
    return table


def _read(first: pd.DataFrame, rule: str, transactions: Any, as_of: Any) -> pd.Series | None:
    left = first["left_out"].eq(True)
    if not left.any() or left.all():
        return None
    people = pd.DataFrame({
        "experiment": rule, "customer_id": first["customer_id"], "assigned": first["assigned"] + pd.Timedelta(1, "D"),
        "group": left.map({True: "control", False: "treated"}),
    })  # fmt: skip
    found = experiment_outcomes(transactions, people, days=WINDOW_DAYS, as_of=as_of)
    read = read_experiments(found, outcome="bought")
    return None if why_none(read) else read.iloc[0]
