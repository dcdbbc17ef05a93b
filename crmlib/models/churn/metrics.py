"""How good predicted chances are: ranking, losses and calibration, with weights, so that they can be resampled."""

from __future__ import annotations

import numpy as np

from crmlib.models._inference import Array
from crmlib.rankings import Ranking, log_losses, squared_losses

TENTHS = np.arange(1, 11) / 10
_TINY = 1e-12
_FLAT = 0.01  # log odds of nearly one value have no slope
_STEPS = 25


class Predictions:
    """Predicted chances and who left, shape (customers,), prepared once for all resamples."""

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
        flat = np.ptp(log_odds) < _FLAT
        return {
            "roc_auc": levels.roc_auc(),
            "pr_auc": levels.average_precision(),
            "brier": float(brier),
            "log_loss": float(log_loss),
            "calibration_slope": np.nan if flat else float(logistic_line(log_odds[:, None], n, left)[1]),
            "calibration_intercept": np.nan if flat else _shift(log_odds, n, left),
            "mean_predicted": float(n @ p / n.sum()),
            "lift_top_10": float(levels.captured_by(TENTHS[0]) / TENTHS[0]),
        }

    def gains(self, weights: Array | None = None) -> Array:
        """Share of those who left among the riskiest 10 %, 20 %, … 100 % of customers."""
        return self._ranking.levels(weights).captured_by(TENTHS)


def bounded_log_losses(p: Array, churned: Array) -> Array:
    """-log of the chance that was given to what happened, of each customer; finite for chances of 0 and 1 too."""
    return log_losses(np.clip(p, _TINY, 1 - _TINY), churned)


def logistic_line(columns: Array, n: Array, left: Array) -> Array:
    """Intercept and slopes of the logistic regression of `left` out of `n` on columns, by Newton's method."""
    design = np.column_stack([np.ones(len(n)), columns])
    rate = left.sum() / n.sum()
    line = np.zeros(design.shape[1])
    line[0] = np.log(rate / (1 - rate))
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ line, -30, 30)))
        curvature = (design * (n * p * (1 - p))[:, None]).T @ design
        step = np.linalg.lstsq(curvature, design.T @ (left - n * p), rcond=None)[0]
        line = line + np.clip(step, -2, 2)  # far steps only where the two kinds hardly overlap
        if np.abs(step).max() < 1e-9:
            break
    return line


def _shift(log_odds: Array, n: Array, left: Array) -> float:
    """What has to be added to all log odds for their mean chance to be right."""
    shift = 0.0
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(log_odds + shift, -30, 30)))
        step = float((left - n * p).sum() / max((n * p * (1 - p)).sum(), _TINY))
        shift += float(np.clip(step, -2, 2))
        if abs(step) < 1e-9:
            break
    return shift
