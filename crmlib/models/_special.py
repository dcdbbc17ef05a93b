"""Sums and integrals that the models share, safe where the textbook formulas overflow or cancel.

NumPy is enough for them, so that a first fit need not wait for the import of scipy.special.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crmlib.models._inference import Array

_SHIFT = 10  # from here on Stirling's series, to these powers, is exact to double precision
_STIRLING = (
    (1, 1 / 12), (3, -1 / 360), (5, 1 / 1260), (7, -1 / 1680), (9, 1 / 1188), (11, -691 / 360360), (13, 1 / 156)
)  # fmt: skip
_NEGLIGIBLE = 40.0  # in logs: what adds less than exp(-40) of the largest term is left out
_HALVINGS = 16  # where an integrand is cut off need not be known more precisely
_STEP = 0.25  # of the trapezoidal rule on a scale where nothing changes faster than a logistic curve


def log_rising(start: ArrayLike, count: ArrayLike) -> Array:
    """Logarithm of Γ(start + count) / Γ(start), without cancellation for a large start."""
    a, n = np.asarray(start, float), np.asarray(count, float)
    shifted, above = a + _SHIFT, a + n + _SHIFT
    difference = (shifted - 0.5) * np.log1p(n / shifted) + n * (np.log(above) - 1)
    for power, term in _STIRLING:
        difference = difference + term * (above**-power - shifted**-power)
    ratio = np.ones(difference.shape)
    for i in range(_SHIFT):
        ratio *= 1 + n / (a + i)
    return difference - np.log(ratio)


def digamma_rise(start: ArrayLike, count: ArrayLike) -> Array:
    """ψ(start + count) − ψ(start): the slope of `log_rising` by its start, without cancellation either."""
    a, n = np.asarray(start, float), np.asarray(count, float)
    shifted, above = a + _SHIFT, a + n + _SHIFT
    difference = np.log1p(n / shifted) + n / (2 * shifted * above)
    for power, term in _STIRLING:
        difference = difference - power * term * (above ** -(power + 1) - shifted ** -(power + 1))
    for i in range(_SHIFT):
        difference = difference + n / ((a + i) * (a + n + i))
    return difference


def expit(x: ArrayLike) -> Array:
    """1 / (1 + exp(−x)), as precise for a large negative x."""
    x = np.asarray(x, dtype=float)
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def dot(left: Array, right: Array) -> float:
    """Sum of products in one thread: BLAS would start its threads anew each time, and wait for them."""
    return float(np.einsum("i,i->", left, right))


def beta_rule(a: float, b: Array, reach: Array) -> tuple[Array, Array]:
    """Nodes and weights for expectations over p ~ Beta(a, b).

    Exact to about 1e-13 for functions that fall with p no faster than 1 / (1 + reach · p), as those of the dropout
    probability do. The rule is the trapezoidal one in y = logit p, which converges geometrically; beyond both ends of
    the region where anything changes, y runs away exponentially, so that the slow tails of a small a or b take few
    nodes. Weights sum to one, so that no beta function is evaluated.

    `b`, `reach`: of shape (n,).
    """
    a_, b, reach = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float), reach)
    peak = np.log(a_) - np.log(b)
    left, right = -np.log1p(reach + b) - 1, np.log1p(a_) + 1
    low = _cut(a_, b, reach, peak, left, right, side=-1)
    high = _cut(a_, b, reach, peak, left, right, side=1)
    step = np.minimum(_STEP, 0.55 * np.sqrt(1 / a_ + 1 / b))
    count = int(np.max(np.ceil((high - low) / step))) + 1
    t = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, count)
    y, slope = _stretch(t, left[:, None], right[:, None])
    log_weight = _log_beta(a_[:, None], b[:, None], peak[:, None], y) + np.log(slope)
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return expit(y), weight / weight.sum(axis=1, keepdims=True)


def _stretch(t: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """y(t) and its slope: t itself between left and right, exponentially further beyond."""
    before, after = np.exp(left - t), np.exp(t - right)
    return t - before + after, 1 + before + after


def _log_beta(a: Array, b: Array, peak: Array, y: Array) -> Array:
    """a·log p + b·log(1 − p) against its value at the peak, precise for large a and b."""
    d = y - peak
    p, q = expit(peak), expit(-peak)
    return -a * _log_mean_exp(q, p, -d) - b * _log_mean_exp(p, q, d)


def _log_mean_exp(share: Array, rest: Array, d: Array) -> Array:
    """log(rest + share·exp(d)) where rest + share = 1."""
    near = np.log1p(share * np.expm1(np.minimum(d, 30.0)))
    return np.where(d > 30.0, d + np.log(share + rest * np.exp(-np.maximum(d, 30.0))), near)


def _cut(a: Array, b: Array, reach: Array, peak: Array, left: Array, right: Array, side: int) -> Array:
    """Where, in t, the integrand becomes negligible on one side of its peak."""
    falls = reach if side < 0 else np.zeros_like(reach)  # the function that leaves most weight on that side

    def height(t: Array) -> Array:
        y, slope = _stretch(t, left, right)
        return _log_beta(a, b, peak, y) + np.log(slope) - np.log1p(falls * expit(y))

    def rises(y: Array) -> NDArray[np.bool_]:
        return a - (a + b - 1) * expit(y) - expit(y + np.log1p(falls)) > 0

    y_top = bisect(rises, np.minimum(left, peak) - 60, np.maximum(right, peak) + 60)
    inside = np.clip(y_top, left, right)
    top = np.maximum(_log_beta(a, b, peak, y_top) - np.log1p(falls * expit(y_top)), height(inside))
    near, far = np.clip(y_top, left - 8, right + 8), left - 40 if side < 0 else right + 40
    return bisect(lambda t: height(t) > top - _NEGLIGIBLE, near, far)


def bisect(
    holds: Callable[[Array], NDArray[np.bool_]], here: Array, there: Array, halvings: int = _HALVINGS
) -> Array:
    """Where a condition that holds from `here` on ceases to hold, on the way `there`, or just beyond."""
    for _ in range(halvings):
        middle = (here + there) / 2
        met = holds(middle)
        here, there = np.where(met, middle, here), np.where(met, there, middle)
    return there


def discount_rule(rate: float, horizon: float) -> tuple[Array, Array]:
    """Nodes and weights for the integral of rate · exp(−rate · u) · f(u) over (0, horizon).

    For an f that rises from 0 and ever less, as expected purchases do: Gauss–Legendre in the fourth root of
    u, dense near 0, and no further than where the discount leaves nothing. Good to about 1e-11 of f.
    """
    end = min(horizon, _NEGLIGIBLE / rate)
    root, weight = legendre(32 if rate * end <= 1 else 64)
    u = end * root**4
    return u, end * 4 * root**3 * weight * rate * np.exp(-rate * u)


@cache
def legendre(count: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss–Legendre on (0, 1); finding them costs more than most integrals."""
    node, weight = np.polynomial.legendre.leggauss(count)
    rule = (node + 1) / 2, weight / 2
    for array in rule:
        array.flags.writeable = False  # the same arrays for everybody
    return rule
