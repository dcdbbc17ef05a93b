"""How good predicted chances are: ranking, probabilities and calibration, with weights, so that they can be resampled.

Customers with equal chances are not told apart: areas and lifts are means over the orders in which such
customers could stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crmlib.models._inference import Array

METRICS = (
    "roc_auc",
    "pr_auc",
    "brier",
    "log_loss",
    "calibration_slope",
    "calibration_intercept",
    "mean_predicted",
    "lift_top_10",
)
TENTHS = np.arange(1, 11) / 10
_TINY = 1e-12
_FLAT = 0.01  # log odds of nearly one value have no slope
_STEPS = 25


@dataclass(frozen=True)
class Ranking:
    """Customers gathered by their predicted chance, the highest first."""

    chance: Array  # one per distinct chance
    place: NDArray[np.intp]  # of each customer among them
    churned: Array  # 1.0 or 0.0 of each customer

    def counts(self, weights: NDArray[Any] | None = None) -> tuple[Array, Array]:
        """Weight of all customers, and of those who left, at each distinct chance."""
        size, left = len(self.chance), self.churned if weights is None else weights * self.churned
        return np.bincount(self.place, weights, size).astype(float), np.bincount(
            self.place, left, size
        ).astype(float)


def rank(chance: Array, churned: Array) -> Ranking:
    """Gather customers by their predicted chance."""
    distinct, place = np.unique(-np.asarray(chance, dtype=float), return_inverse=True)
    return Ranking(-distinct, place, np.asarray(churned, dtype=float))


def metrics(ranking: Ranking, weights: NDArray[Any] | None = None) -> dict[str, float]:
    """Every metric of `METRICS`; those of calibration are nan where all chances are equal.

    `calibration_slope` is that of a logistic regression of what happened on the predicted log odds (1 where
    chances are neither too extreme, below 1, nor too timid), `calibration_intercept` that with the slope held
    at 1 (0 where their mean is right).
    """
    n, left = ranking.counts(weights)
    p = np.clip(ranking.chance, _TINY, 1 - _TINY)
    total = n.sum()
    log_odds = np.log(p) - np.log1p(-p)
    flat = np.ptp(log_odds) < _FLAT
    return {
        "roc_auc": _roc_area(n, left),
        "pr_auc": _pr_area(n, left),
        "brier": float((left * (1 - p) ** 2 + (n - left) * p**2).sum() / total),
        "log_loss": float(-(left * np.log(p) + (n - left) * np.log1p(-p)).sum() / total),
        "calibration_slope": np.nan if flat else float(logistic_line(log_odds[:, None], n, left)[1]),
        "calibration_intercept": np.nan if flat else _shift(log_odds, n, left),
        "mean_predicted": float((n * p).sum() / total),
        "lift_top_10": float(gains(ranking, weights)[0] / TENTHS[0]),
    }


def gains(ranking: Ranking, weights: NDArray[Any] | None = None) -> Array:
    """Share of those who left among the riskiest 10 %, 20 %, … 100 % of customers."""
    n, left = ranking.counts(weights)
    seen = np.concatenate([[0.0], n.cumsum()])
    caught = np.concatenate([[0.0], left.cumsum()])
    return np.interp(TENTHS * seen[-1], seen, caught) / caught[-1]


def area_under_roc(chance: Array, churned: Array) -> float:
    """The chance that someone who left was ranked above someone who stayed."""
    return _roc_area(*rank(chance, churned).counts())


def log_losses(p: Array, churned: Array) -> Array:
    """-log of the chance that was given to what happened, of each customer."""
    p = np.clip(p, _TINY, 1 - _TINY)
    return -np.where(churned, np.log(p), np.log1p(-p))


def _roc_area(n: Array, left: Array) -> float:
    stayed = n - left
    below = stayed.sum() - stayed.cumsum()  # who stayed and was ranked lower
    return float((left * (below + stayed / 2)).sum() / (left.sum() * stayed.sum()))


def _pr_area(n: Array, left: Array) -> float:
    """Average precision."""
    seen = n.cumsum()
    precision = np.divide(left.cumsum(), seen, out=np.zeros_like(seen), where=seen > 0)
    return float((left * precision).sum() / left.sum())


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
