"""The sentences of the scorecards, each of a frame and its figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import NOT_MET, UNNAMED
from crmlib.relationship.scorecards.frameworks import Framework


def largest_change(card: pd.DataFrame) -> Any:
    """The row of the change to name; None where no figure misses its target, or nobody knows whom it concerns.

    Of the figures that miss their target the one with most money between it and the target, else with most customers.
    """
    weak = card[(card["standing"] == NOT_MET) & (card["money"].notna() | card["customers"].notna())]
    if weak.empty:
        return None
    size = weak[["money_to_target", "customers"]].fillna(-np.inf)
    return weak.loc[size.sort_values([*size], ascending=False, kind="stable").index[0]]


def part_to_target(value: float, bar: float, at_least: bool) -> float:
    """Which part of the customers who miss a target would have to change so that the share reaches the bar.

    Examples
    --------
    >>> round(part_to_target(0.6, 0.9, True), 2), round(part_to_target(0.2, 0.05, False), 2)
    (0.75, 0.75)
    """
    whole, gap = (1 - value, bar - value) if at_least else (value, value - bar)
    return float(np.clip(gap / whole, 0.0, 1.0)) if whole > 0 else 0.0


def missing_in_words(card: pd.DataFrame) -> str:
    """How many figures of a framework are missing, and why; empty where none is."""
    gone = card[card["standing"] == "missing"]
    if gone.empty:
        return ""
    reasons = [*dict.fromkeys(gone["why"])]
    tables = [reason.removeprefix("no table ") for reason in reasons if reason.startswith("no table ")]
    causes = [f"no table {', '.join(tables)}"] if tables else []
    causes += [reason for reason in reasons if not reason.startswith("no table ")]
    return f"{fmt.plural(len(gone), 'figure')} of {fmt.count(len(card))} missing: {'; '.join(causes)}"


def change_in_words(row: Any, currency: str) -> str:
    """A change with its figure, its target, whom it concerns and who owns it; money concerned is no gain."""
    found = f"{row['measure']}: {row['answer']}, target {row['target']}"
    people = fmt.plural(row["customers"], "customer") if fmt.is_known(row["customers"]) else ""
    money = f"{fmt.money(row['money'], currency)} {row['money_is']}" if fmt.is_known(row["money"]) else ""
    concerned = " and ".join(filter(None, [people, money]))
    return f"{row['to_change']} ({found}). It concerns {concerned}. Owner: {row['owner']}"


def rests_on(framework: Framework, card: pd.DataFrame, scored: bool) -> str:
    """How many elements rest on measured figures; scores alone are an opinion."""
    known = card[card["standing"] != "missing"]["element"].nunique()
    of = f"{fmt.count(known)} of {fmt.plural(len(framework.elements), 'element')} rest on measured figures"
    if known:
        return f"{of} ({framework.reference})"
    opinion = f"Opinion: no element of {framework.name} rests on a measured figure, only on scores"
    return opinion if scored else ""


def spent_elsewhere(types: pd.DataFrame) -> str:
    """What customers buy elsewhere, and how much of it those who could grow."""
    grow = types["value_type"].isin(["super-growth", "most growable"])
    total, theirs = (fmt.money(rows["untapped"].sum(), UNNAMED) for rows in (types, types[grow]))
    people = fmt.plural(types.loc[grow, "customers"].sum(), "customer")
    return f"buyers spend {total} elsewhere; {theirs} of it is of {people} who could grow"


def friends_and_barnacles(grid: pd.DataFrame) -> str:
    """What customers of long standing bring: those of much value and those of little."""
    rows = grid.set_index("loyalty_group")
    friends, barnacles = rows.loc["true friends"], rows.loc["barnacles"]
    return (
        f"{fmt.count(friends['customers'])} true friends bring {fmt.money(friends['value'], UNNAMED)}, "
        f"{fmt.count(barnacles['customers'])} barnacles {fmt.money(barnacles['value'], UNNAMED)}"
    )


def verdicts_in_words(ledger: pd.DataFrame) -> str:
    """How many claims have which verdict."""
    counted = ledger["verdict"].value_counts()
    counts = fmt.listing([f"{fmt.count(number)} {verdict}" for verdict, number in counted.items()])
    return f"Of {fmt.plural(len(ledger), 'claim')}: {counts}"
