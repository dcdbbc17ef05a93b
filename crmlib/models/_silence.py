"""The law of a living customer's last purchase, by which a silence is called long."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaln, gammaln

from crmlib.models._inference import Array
from crmlib.models._special import bisect


class Silence:
    """The law of a living customer's last purchase, given frequency and age, when gaps have some phases."""

    def __init__(self, phases: int, r: float, alpha: float, x: Array) -> None:
        self.k, self.r, self.alpha = phases, r, alpha
        self.a = phases * x

    def chance(self, t_x: Array, age: Array) -> Array:
        """P(the last purchase lies at t_x or before)."""
        j = np.arange(self.k)[:, None]
        log_weight = gammaln(self.a + j + self.r) - gammaln(j + 1) + betaln(self.a, j + 1)
        log_weight = log_weight + j * np.log(self.k * age / (self.alpha + self.k * age))
        weight = np.exp(log_weight - log_weight.max(axis=0))
        return np.sum(weight * betainc(self.a, j + 1, t_x / age), axis=0) / weight.sum(axis=0)

    def longest(self, t_x: Array, chance: float) -> Array:
        """The silence from which the chance is at most this: found on the logarithm of silence / t_x."""
        low, high = np.full_like(t_x, -30.0), np.full_like(t_x, 60.0)
        end = bisect(lambda y: self.chance(t_x, t_x * (1 + np.exp(y))) > chance, low, high, halvings=32)
        return t_x * np.exp(end)
