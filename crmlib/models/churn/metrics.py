"""Metrics of predicted probabilities: ranking, losses and calibration, for all customers and by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.models._inference import Array
from crmlib.rankings import Ranking, log_losses, roc_auc, squared_losses
from crmlib.statistics import normal_quantile, wilson_interval

TENTHS = np.arange(1, 11) / 10
_TINY = 1e-12
_FLAT = 0.01  # log odds of nearly one value have no slope
_STEPS = 25
FALSE_ALARMS = 0.05  # for all groups together
SUBGROUPS = "column group customers churned actual predicted gap standard_error beyond_chance roc_auc"


class Predictions:
    """Predicted chances and who left, shape (customers,), prepared once for resamples, which are weights."""

    def __init__(self, chance: Array, churned: Array) -> None:
        self._ranking = Ranking(chance, churned)
        self._losses = np.stack([squared_losses(chance, churned), bounded_log_losses(chance, churned)])

    def metrics(self, weights: Array | None = None) -> dict[str, float]:
        """Ranking, losses and calibration; that is nan where all chances are equal.

        `calibration_slope` is that of a logistic regression of what happened on the predicted log odds (1 where
        chances are neither too extreme, below 1, nor too timid), `calibration_intercept` that with the slope held
        at 1 (0 where their mean is right).
        """
        levels = self._ranking.levels(weights)
        n, left, p = levels.weight, levels.outcome, np.clip(levels.score, _TINY, 1 - _TINY)
        brier, log_loss = np.average(self._losses, axis=1, weights=weights)
        log_odds = np.log(p) - np.log1p(-p)
        flat, no_column = np.ptp(log_odds) < _FLAT, np.empty((len(n), 0))
        shift = np.nan if flat else float(logistic_line(no_column, n, left, log_odds)[0])
        return {
            "roc_auc": levels.roc_auc(),
            "pr_auc": levels.average_precision(),
            "brier": float(brier),
            "log_loss": float(log_loss),
            "calibration_slope": np.nan if flat else float(logistic_line(log_odds[:, None], n, left)[1]),
            "calibration_intercept": shift,
            "mean_predicted": float(n @ p / n.sum()),
            "lift_top_10": float(levels.captured_by(TENTHS[0]) / TENTHS[0]),
        }

    def gains(self, weights: Array | None = None) -> Array:
        """Share of those who left among the riskiest 10 %, 20 %, … 100 % of customers."""
        return self._ranking.levels(weights).captured_by(TENTHS)


def bounded_log_losses(p: Array, churned: Array) -> Array:
    """-log of the chance that was given to what happened, of each customer; finite for chances of 0 and 1 too."""
    return log_losses(np.clip(p, _TINY, 1 - _TINY), churned)


def logistic_line(columns: Array, n: Array, left: Array, offset: Array | float = 0.0) -> Array:
    """Intercept and slopes of the logistic regression of `left` out of `n` on columns, by Newton's method.

    `offset` are log odds that are taken for granted.
    """
    design = np.column_stack([np.ones(len(n)), columns])
    rate = left.sum() / n.sum()
    line = np.zeros(design.shape[1])
    line[0] = np.log(rate / (1 - rate)) - np.average(offset * np.ones(len(n)), weights=n)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ line + offset, -30, 30)))
        curvature = (design * (n * p * (1 - p))[:, None]).T @ design
        step = np.linalg.lstsq(curvature, design.T @ (left - n * p), rcond=None)[0]
        line = line + np.clip(step, -2, 2)  # far steps only where the two kinds hardly overlap
        if np.abs(step).max() < 1e-9:
            break
    return line


@dataclass(frozen=True)
class Calibration:
    """Calibrated log odds as a rising function of the estimator's: c − a log(1 + e^−f) + b log(1 + e^f).

    With a = b it is Platt's straight line. With a < b chances that are far too small are raised without
    touching the large ones, which is what boosted trees need. a and b are not negative, so the order of customers
    stays. Kull, Silva Filho & Flach (2017), Beta calibration, AISTATS.
    """

    c: float
    a: float
    b: float

    def __call__(self, log_odds: Array) -> Array:
        """The calibrated log odds."""
        return self.c + _shape(np.asarray(log_odds, dtype=float)) @ (self.a, self.b)

    def stretch(self, log_odds: Array, base: float) -> Array:
        """By how much the calibration stretches the way from a base to each log odds."""
        log_odds = np.asarray(log_odds, dtype=float)
        way = log_odds - base
        near = np.abs(way) < 1e-6
        middle = 1 / (1 + np.exp(-base))
        slope = self.a * (1 - middle) + self.b * middle  # where there is hardly a way
        rise = self(log_odds) - self(np.array([base]))
        return np.where(near, slope, rise / np.where(near, 1.0, way))


def calibrate(log_odds: Array, churned: Array) -> Calibration:
    """Learn the calibration from log odds of customers that the estimator has not seen, and who left.

    Examples
    --------
    >>> f = np.linspace(-4, 4, 4001)
    >>> found = calibrate(f, np.random.default_rng(0).random(4001) < 1 / (1 + np.exp(-0.5 * f)))
    >>> round(found.a, 1), round(found.b, 1)
    (0.6, 0.5)
    """
    shape, left = _shape(log_odds), np.asarray(churned, dtype=float)
    ones = np.ones(len(left))
    used = [0, 1]
    while used:
        line = logistic_line(shape[:, used], ones, left)
        if (line[1:] >= 0).all():
            break
        used.remove(used[int(line[1:].argmin())])
    line = logistic_line(shape[:, used], ones, left)
    slopes = dict(zip(used, line[1:], strict=True))
    return Calibration(float(line[0]), float(slopes.get(0, 0.0)), float(slopes.get(1, 0.0)))


def _shape(log_odds: Array) -> Array:
    return np.column_stack([-np.logaddexp(0, -log_odds), np.logaddexp(0, log_odds)])


def calibration_groups(p: Array, churned: Array) -> pd.DataFrame:
    """What happened to customers of similar predicted chances, with the uncertainty of a share."""
    order = np.argsort(p, kind="stable")
    parts = enumerate(np.array_split(order, 10), start=1)
    rows = [(number, len(part), p[part].mean(), churned[part].mean()) for number, part in parts]
    table = pd.DataFrame(rows, columns=["group", "customers", "predicted_mean", "actual_mean"])
    low, high = wilson_interval(table["customers"] * table["actual_mean"], table["customers"])
    return table.assign(low=low, high=high)


def by_subgroup(
    features: pd.DataFrame, churned: Array, p_churn: Array, columns: Sequence[str]
) -> pd.DataFrame:
    """What was predicted for groups of customers beside what happened.

    `features`: of held-out customers. `churned`, `p_churn`: what happened, and the chance that was predicted.
    `columns`: whose values make the groups. Returns: as `ChurnEvaluation.subgroups`. The standard error of a gap is
    that of a model whose chances are true.
    """
    rows = []
    for column in columns:
        codes, groups = pd.factorize(features[column], sort=True, use_na_sentinel=False)
        for code, group in enumerate(groups):
            mine = codes == code
            rows.append({"column": column, "group": _named(group)} | _group(churned[mine], p_churn[mine]))
    found = pd.DataFrame(rows, columns=SUBGROUPS.split())
    limit = normal_quantile(1 - FALSE_ALARMS / max(len(rows), 1))
    return found.assign(beyond_chance=found["gap"].abs() > limit * found["standard_error"])


def _group(churned: Array, p: Array) -> dict[str, float]:
    actual, predicted = float(churned.mean()), float(p.mean())
    error = float(np.sqrt((p * (1 - p)).sum()) / len(p))
    counted = {"customers": len(p), "churned": int(churned.sum()), "actual": actual, "predicted": predicted}
    area = roc_auc(p, churned) if 0 < actual < 1 else np.nan
    return counted | {"gap": predicted - actual, "standard_error": error, "roc_auc": area}


def _named(group: object) -> str:
    if isinstance(group, float):
        return "missing" if np.isnan(group) else f"{group:g}"
    return "missing" if group is None else fmt.column(str(group))
