"""Sums and integrals that the models share, safe where the textbook formulas overflow or cancel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, gammaln

from crmlib.models._inference import Array

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680)
_LARGE = 40.0  # from here on the Stirling series above is exact to double precision
_NEGLIGIBLE = 40.0  # in logs: what adds less than exp(-40) of the largest term is left out
_HALVINGS = 32  # where an integrand is cut off need not be known more precisely
_STEP = 0.25  # of the trapezoidal rule on a scale where nothing changes faster than a logistic curve


def log_rising(start: ArrayLike, count: ArrayLike) -> Array:
    """Logarithm of start · (start + 1) ⋯ (start + count − 1), without cancellation for a large start."""
    a, n = np.broadcast_arrays(np.asarray(start, float), np.asarray(count, float))
    small = np.minimum(a, _LARGE)
    direct = gammaln(small + n) - gammaln(small)
    large = np.maximum(a, _LARGE)
    difference = (large - 0.5) * np.log1p(n / large) + n * (np.log(large + n) - 1)
    for power, term in zip((1, 3, 5, 7), _STIRLING, strict=True):
        difference = difference + term * ((large + n) ** -power - large**-power)
    return np.where(a < _LARGE, direct, difference)


def dot(one: Array, other: Array) -> float:
    """Sum of products, on one thread: BLAS would start its threads anew each time, and wait for them."""
    return float(np.einsum("i,i->", one, other))


def beta_rule(a: float, b: Array, reach: Array) -> tuple[Array, Array]:
    """Nodes and weights for expectations over p ~ Beta(a, b).

    Exact to about 1e-13 for functions that fall with p no faster than 1 / (1 + reach · p), as those of the
    dropout probability do. The rule is the trapezoidal one in y = logit p, which converges geometrically;
    beyond both ends of the region where anything changes, y runs away exponentially, so that the slow tails
    of a small a or b take few nodes. Weights sum to one, so that no beta function is evaluated.

    Parameters
    ----------
    a : float
    b, reach : arrays of shape (n,)

    Returns
    -------
    p, weight : arrays of shape (n, n_nodes)
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


def bisect(holds: Callable[[Array], NDArray[np.bool_]], here: Array, there: Array) -> Array:
    """Where a condition that holds from `here` on ceases to hold, on the way `there`."""
    for _ in range(_HALVINGS):
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
    root, weight = np.polynomial.legendre.leggauss(32 if rate * end <= 1 else 64)
    root = (root + 1) / 2
    u = end * root**4
    return u, end * 2 * root**3 * weight * rate * np.exp(-rate * u)
