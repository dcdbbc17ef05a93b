"""The sentences of the scorecards, each of a frame and its figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import NOT_MET
from crmlib.relationship.scorecards.frameworks import Framework


def largest_change(card: pd.DataFrame) -> Any:
    """The row of the change to name: of the figures that miss their target the one that concerns most money, else most
    customers; None where none misses it, or nobody knows whom it concerns."""
    weak = card[(card["standing"] == NOT_MET) & (card["money"].notna() | card["customers"].notna())]
    if weak.empty:
        return None
    size = weak[["money", "customers"]].fillna(-np.inf)
    return weak.loc[size.sort_values(["money", "customers"], ascending=False, kind="stable").index[0]]


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
    return (
        f"Opinion: no element of {framework.name} rests on a measured figure, only on scores"
        if scored
        else ""
    )
