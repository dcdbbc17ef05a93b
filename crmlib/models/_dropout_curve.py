"""Expected purchases of a customer who is alive, when each purchase may be the last."""

from __future__ import annotations

import numpy as np

from crmlib.models._inference import Array
from crmlib.models._special import beta_rule

_BLOCK = 2_000_000  # numbers held at once


class DropoutCurve:
    """Expected purchases by frequency x as a function of v = t / (α + T).

    A customer who is alive has a rate from Gamma(r + x, α + T) and a dropout probability p from Beta(a, b + x).
    With R = r + x they are expected to make E[(1 − (1 + p·v)^−R) / p] purchases within t; that is the closed
    form with 2F1, and unlike it stays finite at a = 1 and for a + b ≤ 1. The mean over p is a quadrature; as a
    function of log(1 + (R + 1)·v) its logarithm is smooth, so it is evaluated at a few Chebyshev points for
    each distinct x and interpolated, to about 1e-11, for any number of customers.

    Parameters
    ----------
    r, a, b : float
    x : array of shape (n_customers,)
    furthest : float
        The largest v that will be asked for.
    """

    def __init__(self, r: float, a: float, b: float, x: Array, furthest: float) -> None:
        distinct, self._of_x = np.unique(x, return_inverse=True)
        self._rate = r + distinct
        self._reach = np.log1p((self._rate + 1) * furthest)
        count = int(np.ceil(16 + 9 * self._reach.max()))
        points = np.cos(np.pi * (np.arange(count) + 0.5) / count)
        basis = np.cos(np.pi * np.outer(np.arange(count), np.arange(count) + 0.5) / count) * 2 / count
        basis[0] /= 2
        self._coefficients = np.empty((count, len(distinct)))
        p, weight = beta_rule(a, b + distinct, (self._rate + 1) * furthest)
        p = np.maximum(p, 1e-300)
        block = max(1, _BLOCK // (count * p.shape[1]))
        for start in range(0, len(distinct), block):
            now = slice(start, start + block)
            rate = self._rate[now, None]
            v = np.expm1(self._reach[now, None] * (points + 1) / 2) / (rate + 1)
            self._coefficients[:, now] = basis @ _log_mean(p[now], weight[now], rate, v).T

    def __call__(self, v: Array) -> Array:
        """Expected purchases at each customer's v."""
        rate, reach = self._rate[self._of_x], self._reach[self._of_x]
        position = 2 * np.log1p((rate + 1) * v) / np.where(reach > 0, reach, 1) - 1
        last, before = np.zeros_like(v), np.zeros_like(v)
        for coefficient in self._coefficients[:0:-1]:  # Clenshaw's recurrence
            last, before = 2 * position * last - before + coefficient[self._of_x], last
        return rate * v * np.exp(position * last - before + self._coefficients[0][self._of_x])


def _log_mean(p: Array, weight: Array, rate: Array, v: Array) -> Array:
    """log E[(1 − (1 + p·v)^−rate) / (p·rate·v)], shape (n_x, n_v)."""
    v = np.maximum(v, 1e-300)[:, :, None]
    lost = -np.expm1(-rate[:, :, None] * np.log1p(p[:, None, :] * v))
    return np.log(np.einsum("ik,ijk->ij", weight / p, lost / v)) - np.log(rate)
