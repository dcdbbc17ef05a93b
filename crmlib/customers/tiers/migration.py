"""Where customers of each tier went by the next period, and how much of that is chance alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.customers.sentences import moves_of_tiers, stayed_beside_chance
from crmlib.customers.tiers.value_tiers import TIERS
from crmlib.errors import CrmError
from crmlib.findings import with_finding

GONE, NEW = "not active", "new"
_BEST_FIRST = list(reversed(TIERS))


@dataclass(frozen=True)
class TierMigration:
    """Tiers of the same customers in two periods.

    Attributes
    ----------
    matrix : DataFrame
        Customers by tier before (rows, Platinum first, and "new") and after (columns, and "not active").
    stayed : DataFrame
        `tier`, `customers`, `stayed` (share still in it; who is not active measures 0 and so is Iron) and, where
        chances were given, `by_chance` (share that would still be measured in it, had nobody changed) and
        `noise_share`: how much of the moving out chance explains, at most 1.
    """

    matrix: pd.DataFrame
    stayed: pd.DataFrame


def tier_migration(
    before: pd.DataFrame, after: pd.DataFrame, *, chances: pd.DataFrame | None = None
) -> TierMigration:
    """Do the best stay the best, and how much of the coming and going is only noise?

    Parameters
    ----------
    before, after : ValueTiers
        `customer_id` and `tier` of two periods of like length, `after` measured by `before.cut_offs`, so that a
        decline of everybody is seen.
    chances : TierProbabilities, optional
        Of the first period, from `tier_probabilities`.

    Returns
    -------
    TierMigration

    Raises
    ------
    CrmError
        If a customer stands twice, or `chances` are of other customers than `before`.

    Notes
    -----
    A tier's customers were chosen for a good period; part of it was luck, which does not return. What
    noise alone would do is worked out from the spread of two halves of the first period, see
    `tier_probabilities`; who is not active measures a value of 0 there.

    Examples
    --------
    >>> before = pd.DataFrame({"customer_id": ["a", "b"], "tier": ["Gold", "Iron"]})
    >>> after = pd.DataFrame({"customer_id": ["a", "c"], "tier": ["Iron", "Gold"]})
    >>> tier_migration(before, after).matrix.loc[["Gold", "Iron", "new"], ["Gold", "Iron", "not active"]]
    after   Gold  Iron  not active
    before
    Gold       0     1           0
    Iron       0     0           1
    new        1     0           0
    """
    was, now = (_tiers_of(frame, name) for frame, name in ((before, "before"), (after, "after")))
    both = pd.DataFrame({"before": was, "after": now}).astype(object)
    counts = pd.crosstab(both["before"].fillna(NEW), both["after"].fillna(GONE))
    matrix = counts.reindex(index=[*_BEST_FIRST, NEW], columns=[*_BEST_FIRST, GONE], fill_value=0)
    assert matrix.to_numpy().sum() == len(both), "a customer was lost between periods"
    rows = matrix.loc[_BEST_FIRST].sum(axis=1)
    same = pd.Series({tier: matrix.loc[tier, tier] for tier in _BEST_FIRST}, dtype=float)
    same["Iron"] += matrix.loc["Iron", GONE]
    same /= rows.where(rows > 0)
    stayed = pd.DataFrame({"tier": _BEST_FIRST, "customers": rows.to_numpy(), "stayed": same.to_numpy()})
    if chances is not None:
        stayed["by_chance"] = _by_chance(was, chances)
        moved = 1 - stayed["stayed"]
        share = (1 - stayed["by_chance"]) / moved.where(moved > 0)
        stayed["noise_share"] = share.clip(upper=1.0)
        with_finding(stayed, stayed_beside_chance)
    return TierMigration(with_finding(matrix, moves_of_tiers), stayed)


def regression_to_the_mean(chances: pd.DataFrame, after: pd.DataFrame, *, value: str) -> pd.DataFrame:
    """How far does each tier fall or rise towards the mean, and how much of it was to be expected?

    Parameters
    ----------
    chances : TierProbabilities
        Of the first period: `customer_id, tier, value, shrunk`.
    after : DataFrame
        `customer_id` and the value's column in a next period of the same length; who is absent brought 0.
    value : str
        That column, such as "profit".

    Returns
    -------
    DataFrame
        Platinum first: `tier`, `customers`, and per customer `before`, `expected` (the noise taken off, had nobody
        changed) and `after`.
    """
    later = chances["customer_id"].map(_indexed(after, "after")[value]).fillna(0.0)
    frame = pd.DataFrame(
        {
            "tier": chances["tier"].astype(str),
            "before": chances["value"],
            "expected": chances["shrunk"],
            "after": later,
        }
    )
    grouped = frame.groupby("tier")
    table = grouped.mean().assign(customers=grouped.size()).reindex(_BEST_FIRST).rename_axis("tier")
    table["customers"] = table["customers"].fillna(0).astype("int64")
    return table.reset_index()[["tier", "customers", "before", "expected", "after"]]


def _by_chance(was: pd.Series, chances: pd.DataFrame) -> list[float]:
    if set(chances["customer_id"]) != set(was.index):
        raise CrmError("chances are of other customers than before; make both from the same period")
    again = _indexed(chances, "chances")
    return [
        float(again.loc[was.index[was == tier], f"again_{tier}"].mean()) if (was == tier).any() else np.nan
        for tier in _BEST_FIRST
    ]


def _tiers_of(frame: pd.DataFrame, name: str) -> pd.Series:
    return _indexed(frame, name)["tier"].astype(str)


def _indexed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    if "customer_id" not in frame or not frame["customer_id"].is_unique:
        raise CrmError(f"{name} needs a customer_id per row, each once; pass what value_tiers returns")
    return pd.DataFrame(frame).set_index("customer_id")
