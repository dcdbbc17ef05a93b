"""Use, use with care, do not use: what a backtest says about a model, and why.

The limits are conventions: no theorem gives them. They are named and explained, to be edited where a decision can bear
more, or less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import check_choice
from crmlib.findings import CARE, REFUSE, Reason, Rules, Verdict, judge, limit


@dataclass(frozen=True)
class Thresholds(Rules):
    """Beyond which values a model is to be used with care (`_care`), or not at all (`_refuse`).

    Every field is explained by `explain()`.

    Examples
    --------
    >>> Thresholds(total_error_care=0.2).explain().loc[0, "why"]
    'an error of a tenth in the total changes a budget'
    """

    total_error_care: float = limit(0.10, "an error of a tenth in the total changes a budget")
    total_error_refuse: float = limit(0.30, "an error of a third in the total misleads planning")
    group_error_care: float = limit(0.20, "purchases predicted for the wrong group of customers, of all")
    group_error_refuse: float = limit(0.50, "half the purchases are predicted for the wrong customers")
    probability_gap_care: float = limit(0.10, "a predicted 30 % is then 20 % or 40 %")
    probability_gap_refuse: float = limit(0.20, "predicted probabilities have almost no meaning")
    coverage_gap_care: float = limit(0.05, "intervals contain fewer or more customers than stated")
    coverage_gap_refuse: float = limit(0.15, "the share inside their interval is wrong by a seventh")
    pit_distance_care: float = limit(0.06, "the distribution of counts is off by as much somewhere")
    pit_distance_refuse: float = limit(0.20, "counts do not follow the predicted distribution")
    rmse_ratio_care: float = limit(1.00, "a simple rule has no larger error per customer")
    rmse_ratio_refuse: float = limit(1.10, "a simple rule has a clearly smaller error per customer")
    rival_ahead_care: float = limit(0.0, "RFM or last year's revenue ranks better, beyond chance")
    rival_ahead_refuse: float = limit(0.10, "RFM or last year's revenue ranks far better")
    origin_error_care: float = limit(0.20, "totals from other starting days were off by as much")
    origin_error_refuse: float = limit(0.50, "totals from other starting days were off by half")
    fewest_totals_held: float = limit(0.50, "its own 80 % interval missed the total as often as not")
    fewest_purchases: float = limit(100.0, "with fewer purchases, chance alone gives an error of 10 %")
    fewest_customers: float = limit(500.0, "with fewer customers the parameters are imprecise")


def verdict(
    scores: pd.DataFrame,
    model: str,
    *,
    origins: pd.DataFrame | None = None,
    thresholds: Thresholds | None = None,
    of_total: bool = False,
) -> Verdict:
    """Whether a model is to be used, by its backtest; a pure function of the frame.

    `of_total`: only for the total of all customers, whose interval comes from past totals and not from the model. What
    forbids to use the model for single customers then asks for care.

    `scores` are `BacktestResult.scores`; the likelihood of the calibration is in it, and is not looked at. `origins`
    are `RollingOrigins.totals`. The verdict is as grave as its gravest reason; what is not known (nan) is a reason
    for care.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["BG/NBD", "same rate", "RFM score"], "kind": ["model", "rule", "ranking"],
    ...     "customers": 2357, "actual": 1882.0, "total_error": [-0.12, 0.56, None], "group_error": 0.12,
    ...     "probability_gap": 0.05, "coverage_gap": -0.02, "pit_distance": 0.03, "rmse": [1.61, 2.21, None],
    ...     "converged": True})
    >>> print(verdict(scores, "BG/NBD"))
    BG/NBD: use with care. It predicts 12 % fewer purchases than the 1,882 that happened.
    """
    rules = thresholds or Thresholds()
    row = _row(scores, model)
    total, *single = _errors(row, rules)
    single += _rivals(row, scores, rules)
    if of_total:
        refused = [reason.sentence for reason in single if reason and reason.verdict == REFUSE]
        single = [Reason(CARE, f"Not for single customers: {why}") for why in refused]
    of_origins = [] if origins is None else _origins(origins[origins["model"] == model], rules)
    reasons = [total, *single, *of_origins, *_evidence(row, rules)]
    good = (
        "The total is within its thresholds."
        if of_total
        else "All other measures are within their thresholds."
    )
    return judge(model, reasons, f"{_total(row)} {good}")


def verdicts(
    scores: pd.DataFrame, *, origins: pd.DataFrame | None = None, thresholds: Thresholds | None = None
) -> pd.DataFrame:
    """As `BacktestResult.verdicts`, a pure function of the frames."""
    models = scores.loc[scores["kind"] == "model"].set_index("model")
    rows = [verdict(scores, name, origins=origins, thresholds=thresholds) for name in models.index]
    frame = models[["total_error", "log_score"]].assign(
        verdict=[row.verdict for row in rows],
        reasons=[" ".join(row.reasons) for row in rows],
        gravity=[row.gravity for row in rows],
        off=models["total_error"].abs(),
    )
    ordered = frame.sort_values(["gravity", "off"], kind="stable").rename_axis("model").reset_index()
    return ordered[["model", "verdict", "total_error", "log_score", "reasons"]]


def _row(scores: pd.DataFrame, model: str) -> pd.Series:
    names = scores.loc[scores["kind"] == "model", "model"].tolist()
    check_choice("model", model, names)
    return scores.set_index("model").loc[model]


def _total(row: pd.Series) -> str:
    side = "fewer" if row["total_error"] < 0 else "more"
    error, actual = fmt.share(abs(row["total_error"])), fmt.count(row["actual"])
    return f"It predicts {error} {side} purchases than the {actual} that happened."


def _errors(row: pd.Series, rules: Thresholds) -> list[Reason | None]:
    """Errors of the total, then of groups of customers, and of the predicted distributions."""
    side = "fewer" if row["coverage_gap"] < 0 else "more"
    covered = fmt.points(abs(row["coverage_gap"]))
    group, chance, distance = (
        fmt.share(abs(row[name])) for name in ("group_error", "probability_gap", "pit_distance")
    )
    sentences = {
        "total_error": _total(row),
        "group_error": f"{group} of purchases are predicted for the wrong groups of customers.",
        "probability_gap": f"Its predicted probabilities of a purchase are off by {chance} on average.",
        "coverage_gap": f"Its 80 % intervals contain {covered} {side} customers than stated.",
        "pit_distance": f"Its distribution of counts is off by up to {distance}.",
    }
    return [rules.reason(name, abs(row[name]), sentence) for name, sentence in sentences.items()]


def _rivals(row: pd.Series, scores: pd.DataFrame, rules: Thresholds) -> list[Reason | None]:
    """Against rules without a model, by error per customer, and against rankings, by later spend."""
    found: list[Reason | None] = []
    by_name = scores.set_index("model")
    errors = by_name.loc[by_name["kind"] == "rule", "rmse"]
    if len(errors):
        ratio = row["rmse"] / errors.min() if errors.min() > 0 else np.inf
        size = f"RMSE {fmt.number(ratio)} of the rule's" if np.isfinite(ratio) else "the rule is always right"
        sentence = f"The rule “{errors.idxmin()}” has no larger error per customer ({size})."
        found.append(rules.reason("rmse_ratio", ratio, sentence))
    if fmt.is_known(row.get("rival_ahead_low")):
        more = fmt.interval(row["rival_ahead_low"], row["rival_ahead_high"], "points")
        sentence = (
            f"{fmt.capital(row['rival'])} finds the best customers better: its first fifth brings {more} more"
        )
        found.append(rules.reason("rival_ahead", row["rival_ahead_low"], f"{sentence} of later spend."))
    return found


def _origins(origins: pd.DataFrame, rules: Thresholds) -> list[Reason | None]:
    """Totals from other starting days: their errors, and whether the model's own intervals held them."""
    error = float(np.sqrt((origins["total_error"] ** 2).mean()))
    off = f"From other starting days its totals were off by {fmt.share(error)} (root mean square)."
    inside, count = int(origins["inside"].sum()), len(origins)
    held = f"Its own 80 % interval held the actual total from {inside} of {count} starting days: widen it."
    return [
        rules.reason("origin_error", error, off),
        rules.reason("totals_held", inside / count if count else np.inf, held),
    ]


def _evidence(row: pd.Series, rules: Thresholds) -> list[Reason | None]:
    """Whether the fit and the holdout are enough to judge by."""
    unfitted = Reason(REFUSE, "Its fit did not converge, so its parameters are not those of the data.")
    few = f"Only {fmt.count(row['actual'])} purchases happened in the holdout: too few for a reliable test."
    small = f"Only {fmt.count(row['customers'])} customers were known: parameters are imprecise."
    return [
        None if row["converged"] else unfitted,
        rules.reason("purchases", row["actual"], few),
        rules.reason("customers", row["customers"], small),
    ]
