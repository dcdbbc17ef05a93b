"""Use, use with care, do not use: what held-out customers say about a churn model, and why, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.errors import CrmError
from crmlib.models.backtesting.thresholds import Explained, limit
from crmlib.models.backtesting.verdict import CARE, NOT_JUDGED, REFUSE, USE, Verdict
from crmlib.no_rows import why_none

MODEL, TENURE = "churn model", "tenure alone"
_SEVERITY = {USE: 0, CARE: 1, REFUSE: 2}


@dataclass(frozen=True)
class ChurnThresholds(Explained):
    """Beyond which values a churn model is to be used with care (`_care`), or not at all (`_refuse`).

    Conventions, to be edited where a decision can bear more, or less; every field is explained by `explain()`.

    Examples
    --------
    >>> ChurnThresholds(rank_error_care=0.25).explain().loc[0, "why"]
    'three of ten pairs are in the wrong order: lists hold many who stay'
    """

    rank_error_care: float = limit(
        0.30, "three of ten pairs are in the wrong order: lists hold many who stay"
    )
    rank_error_refuse: float = limit(0.40, "a coin puts five of ten pairs in the wrong order")
    too_good_care: float = limit(
        0.97, "people are not that predictable: look for what was known only afterwards"
    )
    brier_ratio_care: float = limit(0.98, "chances are hardly better than the base rate for everybody")
    brier_ratio_refuse: float = limit(1.00, "chances are no better than the base rate for everybody")
    tenure_lead_care: float = limit(0.0, "the rule by tenure alone may rank as well")
    slope_gap_care: float = limit(0.10, "a stated 30 % is then 28 % or 32 %, a stated 90 % is 88 % or 92 %")
    slope_gap_refuse: float = limit(0.40, "stated chances are far too extreme, or far too timid")
    level_gap_care: float = limit(0.05, "the number who leave is off by a twentieth")
    level_gap_refuse: float = limit(0.25, "the number who leave is off by a quarter")
    group_gap_care: float = limit(0.03, "a kind of customer is judged wrongly, beyond chance")
    group_gap_refuse: float = limit(0.15, "a kind of customer is judged wrongly by far, beyond chance")
    fewest_churned: float = limit(100.0, "fewer who left prove little: chance alone is 10 %")


@dataclass(frozen=True)
class _Facts:
    row: pd.Series
    base_brier: float
    tenure: pd.Series | None
    worst: pd.Series | None  # the group that is furthest off beyond chance


def churn_verdict(
    scores: pd.DataFrame,
    *,
    subgroups: pd.DataFrame | None = None,
    leaks: pd.DataFrame | None = None,
    thresholds: ChurnThresholds | None = None,
) -> Verdict:
    """Whether a churn model is to be used, by its held-out customers; a pure function of the frames.

    Parameters
    ----------
    scores : DataFrame
        `ChurnEvaluation.scores`.
    subgroups : DataFrame, optional
        `ChurnEvaluation.subgroups`, to judge kinds of customers too.
    leaks : DataFrame, optional
        What `leak_check` found in the columns that the model uses.
    thresholds : ChurnThresholds, optional
        The usual ones by default.

    Returns
    -------
    Verdict
        As grave as its gravest reason: "use", "use with care" or "do not use"; "not judged" where there are no scores.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["churn model", "tenure alone", "base rate"], "roc_auc": [0.85, 0.74, 0.5],
    ...     "roc_auc_low": [0.84, 0.73, 0.49], "roc_auc_high": [0.86, 0.75, 0.51], "brier": [0.135, 0.169, 0.195],
    ...     "calibration_slope": [1.0, 1.0, None], "mean_predicted": 0.266, "base_rate": 0.265, "churned": 1869})
    >>> print(churn_verdict(scores))
    churn model: use. It puts 85% of pairs in order, with chances that are right on average.
    """
    if missing := why_none(scores):
        return Verdict(MODEL, NOT_JUDGED, (f"There is {missing}.",))
    limits = thresholds or ChurnThresholds()
    facts = _facts(scores, subgroups)
    judged = [_conclude(stem, value(facts), words(facts), limits) for stem, value, words in _TESTS]
    found = sorted(
        (one for one in [*judged, *_evidence(facts, leaks, limits)] if one),
        key=lambda one: -_SEVERITY[one[0]],
    )
    worst = found[0][0] if found else USE
    reasons = tuple(reason for _, reason in found)
    return Verdict(
        MODEL, worst, reasons or (f"{_order(facts)[:-1]}, with chances that are right on average.",)
    )


def _facts(scores: pd.DataFrame, subgroups: pd.DataFrame | None) -> _Facts:
    rows = scores.set_index("model")
    if MODEL not in rows.index:
        raise CrmError(f"scores has no row {MODEL!r}; give ChurnEvaluation.scores")
    row = rows.loc[MODEL]
    base = float(row["base_rate"])
    beyond = None if subgroups is None else subgroups[subgroups["beyond_chance"]]
    worst = None if beyond is None or beyond.empty else beyond.loc[beyond["gap"].abs().idxmax()]
    return _Facts(row, base * (1 - base), rows.loc[TENURE] if TENURE in rows.index else None, worst)


def _percent(value: float) -> str:
    return f"{abs(value):.0%}" if abs(value) >= 0.0095 else f"{abs(value):.1%}"


def _order(facts: _Facts) -> str:
    return f"It puts {_percent(facts.row['roc_auc'])} of pairs in order."


def _slope(facts: _Facts) -> str:
    slope = facts.row["calibration_slope"]
    return f"Its chances are too {'extreme' if slope < 1 else 'timid'} (calibration slope {slope:.2f})."


def _level(facts: _Facts) -> str:
    predicted, actual = facts.row["mean_predicted"], facts.row["base_rate"]
    return f"It expects {_percent(predicted)} to leave, and {_percent(actual)} did."


def _group(facts: _Facts) -> str:
    if facts.worst is None:
        return ""
    one = facts.worst
    return (
        f"Of customers with {one['column'].replace('_', ' ')} {one['group']} it expects {_percent(one['predicted'])} "
        f"to leave, and {_percent(one['actual'])} did."
    )


_TESTS: tuple[tuple[str, Callable[[_Facts], float], Callable[[_Facts], str]], ...] = (
    ("rank_error", lambda one: 1 - one.row["roc_auc"], _order),
    (
        "brier_ratio",
        lambda one: one.row["brier"] / one.base_brier,
        lambda one: (
            f"Its chances err {one.row['brier'] / one.base_brier:.0%} as much as the base rate for everybody (Brier)."
        ),
    ),
    ("slope_gap", lambda one: abs(one.row["calibration_slope"] - 1), _slope),
    ("level_gap", lambda one: abs(one.row["mean_predicted"] / one.row["base_rate"] - 1), _level),
    ("group_gap", lambda one: 0.0 if one.worst is None else abs(one.worst["gap"]), _group),
)


def _conclude(stem: str, value: float, words: str, limits: ChurnThresholds) -> tuple[str, str] | None:
    if np.isnan(value):
        return CARE, f"Its {stem.replace('_', ' ')} cannot be told from these customers."
    if value > getattr(limits, f"{stem}_refuse"):
        return REFUSE, words
    return (CARE, words) if value > getattr(limits, f"{stem}_care") else None


def _evidence(
    facts: _Facts, leaks: pd.DataFrame | None, limits: ChurnThresholds
) -> list[tuple[str, str] | None]:
    row, found = facts.row, list[tuple[str, str] | None]()
    if leaks is not None:
        for one in leaks[leaks["finding"] != "redundant"].itertuples():
            found.append((REFUSE if one.finding == "leak" else CARE, f"Was this known in time: {one.what}?"))
    if row["roc_auc"] > limits.too_good_care:
        found.append(
            (CARE, f"{_order(facts)[:-1]}, which is too good: look for what was known only afterwards.")
        )
    tenure = facts.tenure
    if tenure is not None and row["roc_auc_low"] - tenure["roc_auc_high"] <= limits.tenure_lead_care:
        found.append(
            (CARE, f"Tenure alone puts {_percent(tenure['roc_auc'])} of pairs in order: not clearly fewer.")
        )
    if row["churned"] < limits.fewest_churned:
        found.append(
            (CARE, f"Only {row['churned']:,.0f} of the held-out customers left: too few to prove much.")
        )
    return found
