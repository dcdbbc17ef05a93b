"""Use, use with care, do not use: what held-out customers say about a churn model, and why."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from crmlib import format as fmt
from crmlib.errors import CrmError
from crmlib.findings import CARE, NOT_JUDGED, REFUSE, Reason, Rules, Verdict, judge, limit
from crmlib.no_rows import why_none

MODEL, WITHOUT, TENURE = "churn model", "without columns in doubt", "tenure alone"  # rows of the scores


@dataclass(frozen=True)
class ChurnThresholds(Rules):
    """Beyond which values a churn model is to be used with care (`_care`), or not at all (`_refuse`).

    Conventions, to be edited where a decision can bear more, or less; every field is explained by `explain()`.

    Examples
    --------
    >>> ChurnThresholds(rank_error_care=0.25).explain().loc[0, "why"]
    'three of ten pairs are in the wrong order'
    """

    rank_error_care: float = limit(0.30, "three of ten pairs are in the wrong order")
    rank_error_refuse: float = limit(0.40, "a coin puts five of ten pairs in the wrong order")
    too_good_care: float = limit(0.97, "look for columns known only afterwards")
    brier_ratio_care: float = limit(0.98, "hardly better than the base rate for everybody")
    brier_ratio_refuse: float = limit(1.00, "probabilities are no better than the base rate for everybody")
    tenure_lead_care: float = limit(0.0, "the rule by tenure alone may rank as well")
    slope_gap_care: float = limit(0.10, "a predicted 30 % is then 28 % or 32 %")
    slope_gap_refuse: float = limit(0.40, "predicted probabilities are far too extreme or too moderate")
    level_gap_care: float = limit(0.05, "the number who leave is off by a twentieth")
    level_gap_refuse: float = limit(0.25, "the number who leave is off by a quarter")
    group_gap_care: float = limit(0.03, "a group of customers is predicted wrongly, beyond chance")
    group_gap_refuse: float = limit(0.15, "a group of customers is predicted wrongly by far, beyond chance")
    fewest_churned: float = limit(100.0, "with fewer leavers, chance alone gives an error of 10 %")


def churn_verdict(
    scores: pd.DataFrame, *, subgroups: pd.DataFrame | None = None, thresholds: ChurnThresholds | None = None
) -> Verdict:
    """Whether a churn model is to be used, by its held-out customers; a pure function of the frames.

    `scores`: `ChurnEvaluation.scores`; the columns in doubt that it names are a reason for care. `subgroups`:
    `ChurnEvaluation.subgroups`, to judge kinds of customers too. `thresholds`: the usual ones by default. Returns: as
    grave as its gravest reason: "use", "use with care" or "do not use"; "not judged" where there are no scores.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["churn model", "tenure alone", "base rate"], "roc_auc": [0.85, 0.74, 0.5],
    ...     "lead_low": [0.0, 0.10, 0.34], "lift_top_10": [2.8, 2.3, 1.0], "brier": [0.135, 0.169, 0.195],
    ...     "calibration_slope": [1.0, 1.0, None], "mean_predicted": 0.266, "base_rate": 0.265, "churned": 1869})
    >>> print(churn_verdict(scores))
    churn model: use. It ranks 85 % of pairs correctly, and its probabilities are right on average.
    """
    if missing := why_none(scores):
        return Verdict(MODEL, NOT_JUDGED, (missing,))
    rules = thresholds or ChurnThresholds()
    rows = scores.set_index("model")
    if MODEL not in rows.index:
        raise CrmError(f"scores has no row {MODEL!r}; give ChurnEvaluation.scores")
    row = rows.loc[MODEL]
    reasons = [
        *_errors(row, rules),
        _worst_group(subgroups, rules),
        _in_doubt(row, rows["roc_auc"].get(WITHOUT)),
        *_rivals(row, rows.loc[TENURE] if TENURE in rows.index else None, rules),
    ]
    return judge(MODEL, reasons, f"{_order(row)}, and its probabilities are right on average.")


def _order(row: pd.Series) -> str:
    return f"It ranks {fmt.share(row['roc_auc'])} of pairs correctly"


def _errors(row: pd.Series, rules: ChurnThresholds) -> list[Reason | None]:
    """The order of customers, and how right the predicted chances are."""
    base, slope = float(row["base_rate"]), row["calibration_slope"]
    brier = row["brier"] / (base * (1 - base))
    level, happened = fmt.share(row["mean_predicted"]), fmt.share(base)
    side = "extreme" if slope < 1 else "timid"
    sentences = {
        "rank_error": f"{_order(row)}.",
        "brier_ratio": f"Its Brier score is {fmt.share(brier)} of that of the base rate for everybody.",
        "slope_gap": f"Its probabilities are too {side} (calibration slope {fmt.number(slope)}).",
        "level_gap": f"It expects {level} to leave, and {happened} did.",
    }
    values = 1 - row["roc_auc"], brier, abs(slope - 1), abs(row["mean_predicted"] / base - 1)
    return [rules.reason(*measure) for measure in zip(sentences, values, sentences.values(), strict=True)]


def _worst_group(subgroups: pd.DataFrame | None, rules: ChurnThresholds) -> Reason | None:
    """The group of customers whose prediction is furthest off, beyond chance."""
    beyond = None if subgroups is None else subgroups[subgroups["beyond_chance"]]
    if beyond is None or beyond.empty:
        return None
    worst = beyond.loc[beyond["gap"].abs().idxmax()]
    sentence = (
        f"Of customers with {fmt.column(worst['column'])} {worst['group']} it expects {fmt.share(worst['predicted'])} "
        f"to leave, and {fmt.share(worst['actual'])} did."
    )
    return rules.reason("group_gap", abs(worst["gap"]), sentence)


def _in_doubt(row: pd.Series, without: float | None) -> Reason | None:
    """The columns that may have been known only afterwards, and what the model is worth without them."""
    if not row.get("in_doubt"):
        return None
    worth = "" if without is None else f" Without it, {fmt.share(without)} of pairs are ranked correctly."
    return Reason(CARE, f"Was this known in time: {row['in_doubt']}?{worth}")


def _rivals(row: pd.Series, tenure: pd.Series | None, rules: ChurnThresholds) -> list[Reason | None]:
    """Whether scores are too good to be true, no better than tenure alone, or of too few customers."""
    suspicious = f"{_order(row)}, which is suspiciously high: look for columns known only afterwards."
    found = [rules.reason("too_good", row["roc_auc"], suspicious)]
    if tenure is not None:
        found.append(_beside_tenure(row, tenure, rules))
    few = f"Only {fmt.count(row['churned'])} of the held-out customers left: too few for a reliable test."
    return [*found, rules.reason("churned", row["churned"], few)]


def _beside_tenure(row: pd.Series, tenure: pd.Series, rules: ChurnThresholds) -> Reason | None:
    """Whether the simpler rule is as good: no worse in the riskiest tenth or in all pairs, or not clearly worse."""
    for name, what in {"lift_top_10": "lift in the riskiest tenth", "roc_auc": "ROC AUC"}.items():
        if row[name] <= tenure[name]:
            values = f"{fmt.number(tenure[name])} against {fmt.number(row[name])}"
            return Reason(REFUSE, f"A simpler rule is as good: tenure has the better {what} ({values}).")
    if tenure["lead_low"] <= rules.tenure_lead_care:
        sentence = (
            f"Tenure alone ranks {fmt.share(tenure['roc_auc'])} of pairs correctly: not fewer beyond chance."
        )
        return Reason(CARE, sentence)
    return None
