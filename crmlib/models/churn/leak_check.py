"""Columns that nearly give the answer away, and so were hardly known in time; and columns that say nothing new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.findings import Rules, limit
from crmlib.models._inference import Array
from crmlib.models.churn.data import ChurnData
from crmlib.models.churn.features import NUMBER, of_kind
from crmlib.models.churn.redundant_features import redundant_features
from crmlib.no_rows import no_rows
from crmlib.rankings import roc_auc

LEAK, SUSPECT, REDUNDANT = "leak", "suspect", "redundant"
_FOLDS = 5
_BINS = 32
_COLUMNS = ["column", "finding", "roc_auc", "what"]


@dataclass(frozen=True)
class LeakLimits(Rules):
    """Beyond which a column is taken for a leak; conventions, explained by `explain()`."""

    leak_auc: float = limit(0.95, "alone it puts 19 of 20 pairs in order; what is known in time hardly does")
    suspect_auc: float = limit(0.80, "alone it ranks as well as a whole model does elsewhere")
    suspect_lead: float = limit(0.05, "and no other column comes near it")
    named_auc: float = limit(0.60, "it ranks, and its name sounds like what is known only afterwards")
    pure_share: float = limit(
        0.20, "share of all who left, or of all who stayed, found in values that only they have"
    )
    pure_chance: float = limit(1e-6, "chance that values which mean nothing would be as pure as these")


# Parts of names of what a firm learns when, or after, a customer leaves; a call's duration after the call.
AFTERWARDS = (
    *("churn", "reason", "cancel", "terminat", "closed", "closing", "exit", "end_date", "left_on"),
    *("duration", "refund", "winback", "win_back", "last_day", "deactivat", "disconnect"),
)


def leak_check(data: ChurnData, *, limits: LeakLimits | None = None, random_state: int = 0) -> pd.DataFrame:
    """Name the columns that nearly give the answer away, and apart from them those that say nothing new.

    Parameters
    ----------
    data : ChurnData
    limits : LeakLimits, optional
        The usual ones by default.
    random_state : int
        Of the folds.

    Returns
    -------
    DataFrame
        The gravest first: `column`; `finding`: "leak" (to be left out, unless it was known at the cut-off),
        "suspect" (to be asked about) or "redundant" (harmless to the scores, but reasons are shared with the
        column it repeats); `roc_auc` that it reaches alone on held-out customers; `what` was found, in words.
        Columns without a finding are not listed. Without rows, and with the `reason`, where there are no data.

    Notes
    -----
    A column alone is scored by the share that left among customers of the other folds with the same value
    (numbers in up to 32 ranges, missing a value of its own).

    Examples
    --------
    >>> import crmlib as crm
    >>> found = leak_check(crm.churn_data(crm.open_study("telco").table("customer_features")))
    >>> print(found.loc[0, "what"])
    total_charges is tenure × monthly_charges (R² 0.999)
    """
    if data.reason:
        return no_rows(_COLUMNS, data.reason)
    limits = limits or LeakLimits()
    codes = {name: _codes(data.features[name], data.read.kinds[name]) for name in data.features}
    folds = _folds(data, random_state)
    areas = pd.Series({name: _alone(one, data.churned, folds) for name, one in codes.items()}).sort_values()
    rows = []
    for name in areas.index[::-1]:
        lead = areas[name] - areas.drop(name).max() if len(areas) > 1 else 0.0
        found = _judge(name, float(areas[name]), float(lead), codes[name], data, limits)
        if found:
            rows.append((name, found[0], float(areas[name]), found[1]))
    for name, what in redundant_features(data.features, of_kind(data.read.kinds, NUMBER)).items():
        rows.append((name, REDUNDANT, float(areas[name]), what))
    found_rows = pd.DataFrame(rows, columns=_COLUMNS)
    gravity = found_rows["finding"].map({LEAK: 0, SUSPECT: 1, REDUNDANT: 2})
    order = gravity.sort_values(kind="stable").index
    return found_rows.loc[order].reset_index(drop=True)


def leaking(found: pd.DataFrame) -> dict[str, str]:
    """The columns that `leak_check` calls leaks, and why."""
    rows = found[found["finding"] == LEAK]
    return dict(zip(rows["column"], rows["what"], strict=True))


def _judge(
    name: str, area: float, lead: float, codes: Array, data: ChurnData, limits: LeakLimits
) -> tuple[str, str] | None:
    if area >= limits.leak_auc:
        return LEAK, f"{name} alone tells who left (ROC AUC {area:.3f})"
    if pure := _pure(name, codes, data, limits):
        return LEAK, pure
    if area >= limits.suspect_auc and lead >= limits.suspect_lead:
        return SUSPECT, f"{name} alone has a ROC AUC of {area:.2f}, {lead:.2f} more than any other column"
    sounds = [part for part in AFTERWARDS if part in name.lower().replace(" ", "_")]
    if sounds and area >= limits.named_auc:
        return SUSPECT, f"{name} (ROC AUC {area:.2f}) sounds like something known only afterwards"
    return None


def _pure(name: str, codes: Array, data: ChurnData, limits: LeakLimits) -> str | None:
    """Values that only those have who left, or only those who stayed, beyond what chance can do."""
    n = np.bincount(codes)
    left = np.bincount(codes, data.churned)
    for kind, count, share in (
        ("left", left, data.churned.mean()),
        ("stayed", n - left, 1 - data.churned.mean()),
    ):
        # A value of n customers is pure by chance with probability share^n.
        pure = (count == n) & (n * np.log(share) < np.log(limits.pure_chance))
        covered = float(n[pure].sum() / count.sum())
        if covered >= limits.pure_share:
            missing = data.features[name].isna().to_numpy()
            if missing.any() and pure.sum() == 1 and pure[codes[missing][0]]:
                return f"{name} is empty only for customers who {kind} ({fmt.share(covered)} of them)"
            return f"{name} has values that only customers have who {kind} ({fmt.share(covered)} of them)"
    return None


def _codes(column: pd.Series, kind: str) -> Array:
    """A small number for each value; numbers in ranges of equal size, missing a value of its own."""
    if kind == NUMBER and column.nunique() > _BINS:
        edges = np.unique(np.nanquantile(column, np.linspace(0, 1, _BINS + 1)[1:-1]))
        codes = np.searchsorted(edges, column.to_numpy(), side="right")
        codes[column.isna().to_numpy()] = len(edges) + 1
        return codes
    codes, _ = pd.factorize(column)
    return np.where(codes < 0, codes.max() + 1, codes)


def _folds(data: ChurnData, random_state: int) -> Array:
    """The fold of each row; rows of a customer have the same."""
    groups = np.arange(len(data.churned)) if data.groups is None else data.groups
    drawn = np.random.default_rng(random_state).integers(0, _FOLDS, groups.max() + 1)
    return drawn[groups]


def _alone(codes: Array, churned: Array, folds: Array) -> float:
    """ROC AUC of the share that left among customers of other folds with the same value."""
    cells = codes * _FOLDS + folds
    size = (codes.max() + 1) * _FOLDS
    n = np.bincount(cells, minlength=size).reshape(-1, _FOLDS)
    left = np.bincount(cells, churned, minlength=size).reshape(-1, _FOLDS)
    base = churned.mean()
    share = (left.sum(1, keepdims=True) - left + base) / (n.sum(1, keepdims=True) - n + 1)
    return roc_auc(share[codes, folds], churned)
