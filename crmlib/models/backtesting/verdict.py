"""Use, use with care, do not use: what a backtest says about a model, and why, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.errors import CrmError, did_you_mean
from crmlib.models.backtesting.thresholds import Thresholds

USE, CARE, REFUSE = "use", "use with care", "do not use"
NOT_JUDGED = "not judged"
_SEVERITY = {USE: 0, CARE: 1, REFUSE: 2}


@dataclass(frozen=True)
class Verdict:
    """What to make of a model; `reasons` in words, the gravest first."""

    model: str
    verdict: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.model}: {self.verdict}. {' '.join(self.reasons)}"

    def after(self, finding: str) -> str:
        """A finding with the verdict in brackets; empty where the finding is."""
        return f"{finding} ({self.verdict})" if finding else ""


@dataclass(frozen=True)
class _Facts:
    """What is judged: the model's row, and what it is compared with."""

    row: pd.Series
    rmse_ratio: float
    best_rule: str
    gini_behind: float
    best_ranking: str
    origin_error: float
    totals_held: tuple[int, int]  # of how many origins


@dataclass(frozen=True)
class _Test:
    """A value, the stem of its two thresholds, and how it reads."""

    stem: str
    value: Callable[[_Facts], float]
    words: Callable[[_Facts], str]


def _percent(value: float) -> str:
    return f"{abs(value):.0%}" if abs(value) >= 0.0095 else f"{abs(value):.1%}"


def _total(facts: _Facts) -> str:
    error = facts.row["total_error"]
    side = "fewer" if error < 0 else "more"
    return (
        f"It predicts {_percent(error)} {side} purchases than the {facts.row['actual']:,.0f} that happened."
    )


def _chances(facts: _Facts) -> str:
    return f"Its chances that a customer buys are off by {_percent(facts.row['probability_gap'])} on average."


def _coverage(facts: _Facts) -> str:
    gap = facts.row["coverage_gap"]
    side = "fewer" if gap < 0 else "more"
    return f"Its 80% intervals hold {_percent(gap)} of customers {side} than it says."


def _ranked(facts: _Facts) -> str:
    mine = facts.row["gini"]
    name = facts.best_ranking[0].upper() + facts.best_ranking[1:]
    return f"{name} ranks customers by later spend better (Gini {mine + facts.gini_behind:.2f} against {mine:.2f})."


_TESTS = (
    _Test("total_error", lambda one: abs(one.row["total_error"]), _total),
    _Test(
        "group_error",
        lambda one: one.row["group_error"],
        lambda one: (
            f"{_percent(one.row['group_error'])} of purchases are predicted for the wrong groups of customers."
        ),
    ),
    _Test("probability_gap", lambda one: one.row["probability_gap"], _chances),
    _Test("coverage_gap", lambda one: abs(one.row["coverage_gap"]), _coverage),
    _Test(
        "pit_distance",
        lambda one: one.row["pit_distance"],
        lambda one: f"Its distribution of counts is off by up to {_percent(one.row['pit_distance'])}.",
    ),
    _Test(
        "rmse_ratio",
        lambda one: one.rmse_ratio,
        lambda one: (
            f"The rule “{one.best_rule}” errs no more per customer (RMSE {one.rmse_ratio:.2f} of the rule's)."
        ),
    ),
    _Test("gini_behind", lambda one: one.gini_behind, _ranked),
    _Test(
        "origin_error",
        lambda one: one.origin_error,
        lambda one: (
            f"From other starting days its totals were off by {_percent(one.origin_error)} (root mean square)."
        ),
    ),
)


def verdict(
    scores: pd.DataFrame,
    model: str,
    *,
    origins: pd.DataFrame | None = None,
    thresholds: Thresholds | None = None,
) -> Verdict:
    """Whether a model is to be used, by its backtest; a pure function of the frame.

    Parameters
    ----------
    scores : DataFrame
        `BacktestResult.scores`. The likelihood of the calibration is in it, and is not looked at.
    model : str
        Which of its models.
    origins : DataFrame, optional
        `RollingOrigins.totals`, to judge the totals from several starting days too.
    thresholds : Thresholds, optional
        The usual ones by default.

    Returns
    -------
    Verdict
        As grave as its gravest reason: "use", "use with care" or "do not use". What cannot be told (nan)
        is a reason for care.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["BG/NBD", "same rate", "RFM score"], "kind": ["model", "rule", "ranking"],
    ...     "customers": 2357, "actual": 1882.0, "total_error": [-0.12, 0.56, None], "group_error": 0.12,
    ...     "probability_gap": 0.05, "coverage_gap": -0.02, "pit_distance": 0.03, "rmse": [1.61, 2.21, None],
    ...     "gini": [0.64, 0.68, 0.68], "converged": True})
    >>> print(verdict(scores, "BG/NBD"))
    BG/NBD: use with care. It predicts 12% fewer purchases than the 1,882 that happened.
    """
    limits = thresholds or Thresholds()
    facts = _facts(scores, model, origins)
    judged = [_conclude(test, facts, limits, origins is not None) for test in _TESTS]
    judged += [*_evidence(facts.row, limits), _held(facts, limits)]
    found = sorted((one for one in judged if one), key=lambda one: -_SEVERITY[one[0]])
    worst = found[0][0] if found else USE
    words = tuple(reason for _, reason in found) or (_good(facts),)
    return Verdict(model, worst, words)


def verdicts(
    scores: pd.DataFrame, *, origins: pd.DataFrame | None = None, thresholds: Thresholds | None = None
) -> pd.DataFrame:
    """The verdict on every model, the best first: by verdict, then by how far its total was off.

    Columns `model, verdict, total_error, log_score` (mean -log P(what happened); smaller is better) and
    `reasons`. The likelihood of the calibration decides nothing. Choosing the best of a few on one holdout
    flatters it: differences of a few percent are none.
    """
    models = scores.loc[scores["kind"] == "model"].set_index("model")
    rows = [verdict(scores, one, origins=origins, thresholds=thresholds) for one in models.index]
    told = {one.model: {"verdict": one.verdict, "reasons": " ".join(one.reasons)} for one in rows}
    frame = models[["total_error", "log_score"]].join(pd.DataFrame.from_dict(told, orient="index"))
    frame["_rank"], frame["_off"] = frame["verdict"].map(_SEVERITY), frame["total_error"].abs()
    ordered = frame.sort_values(["_rank", "_off"], kind="stable").rename_axis("model").reset_index()
    return ordered[["model", "verdict", "total_error", "log_score", "reasons"]]


def _facts(scores: pd.DataFrame, model: str, origins: pd.DataFrame | None) -> _Facts:
    names = scores.loc[scores["kind"] == "model", "model"].tolist()
    if model not in names:
        raise CrmError(f"model is {model!r}, which the backtest has not; {did_you_mean(model, names)}")
    by_name = scores.set_index("model")
    row, rules = by_name.loc[model], by_name.loc[by_name["kind"] == "rule", "rmse"]
    others = by_name.loc[by_name["kind"] == "ranking", "gini"].dropna()
    error, held = np.nan, (0, 0)
    if origins is not None:
        mine = origins[origins["model"] == model]
        error = float(np.sqrt((mine["total_error"] ** 2).mean()))
        held = int(mine["inside"].sum()), len(mine)
    return _Facts(
        row=row,
        rmse_ratio=row["rmse"] / rules.min() if len(rules) else 0.0,
        best_rule=str(rules.idxmin()) if len(rules) else "",
        gini_behind=others.max() - row["gini"] if len(others) else 0.0,
        best_ranking=str(others.idxmax()) if len(others) else "",
        origin_error=error,
        totals_held=held,
    )


def _conclude(test: _Test, facts: _Facts, limits: Thresholds, has_origins: bool) -> tuple[str, str] | None:
    if test.stem == "origin_error" and not has_origins:
        return None
    value = test.value(facts)
    if np.isnan(value):
        return CARE, f"Its {test.stem.replace('_', ' ')} cannot be told from this holdout."
    if value > getattr(limits, f"{test.stem}_refuse"):
        return REFUSE, test.words(facts)
    if value > getattr(limits, f"{test.stem}_care"):
        return CARE, test.words(facts)
    return None


def _evidence(row: pd.Series, limits: Thresholds) -> list[tuple[str, str] | None]:
    found: list[tuple[str, str] | None] = []
    if not row["converged"]:
        found.append((REFUSE, "Its fit did not converge, so its parameters are not those of the data."))
    if row["actual"] < limits.fewest_purchases:
        found.append(
            (CARE, f"Only {row['actual']:,.0f} purchases happened in the holdout: too few to prove much.")
        )
    if row["customers"] < limits.fewest_customers:
        found.append((CARE, f"Only {row['customers']:,.0f} customers were known: parameters are loose."))
    return found


def _held(facts: _Facts, limits: Thresholds) -> tuple[str, str] | None:
    held, origins = facts.totals_held
    if not origins or held / origins >= limits.totals_held_fewest:
        return None
    return (
        CARE,
        f"Its own 80% interval of the total held it from {held} of {origins} starting days: widen it.",
    )


def _good(facts: _Facts) -> str:
    return f"{_total(facts)} Nothing else is beyond its threshold."
