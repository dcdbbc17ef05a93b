"""From an estimator's log odds to chances that are true: beta calibration, learnt on customers it was not fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.models._inference import Array
from crmlib.models.churn.metrics import logistic_line


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
