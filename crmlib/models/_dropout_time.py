"""When a customer dropped out, if they did: the one integral in Pareto/NBD's likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.models._inference import Array
from crmlib.models._special import legendre

_NEGLIGIBLE = 36.0  # in logs: beyond this fall the integrand adds nothing
_COUNTS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
_BLOCK = 400_000  # nodes held at once: few enough to stay in the processor's cache


@dataclass(frozen=True)
class DropoutTime:
    """The time tau at which customers who dropped out did so, between their last purchase and now.

    Attributes
    ----------
    log_odds : array
        Logarithm of P(dropped out) / P(alive).
    log_alpha, log_beta : arrays
        Means of log((alpha + tau) / (alpha + t_x)) and of the same with beta.
    per_alpha, per_beta : arrays
        Means of 1 / (alpha + tau) and of 1 / (beta + tau).
    """

    log_odds: Array
    log_alpha: Array
    log_beta: Array
    per_alpha: Array
    per_beta: Array


def dropout_time(rate: Array, alpha: float, s: float, beta: float, t_x: Array, age: Array) -> DropoutTime:
    """Integrate over the time of dropout, where the textbook subtracts two 2F1 that may be nearly equal.

    P(dropped out) / P(alive) is the integral over tau, from t_x to T, of
    s / (beta + tau) · ((alpha + T) / (alpha + tau))^rate · ((beta + T) / (beta + tau))^s.
    In xi = log((c + tau) / (c + t_x)) with c the smaller of alpha and beta this is a sum of positive, smooth
    terms; Gauss–Legendre takes as many nodes as its length and its fall ask for, and reaches about 1e-11.
    """
    to_alpha, to_beta = np.log1p((age - t_x) / (alpha + t_x)), np.log1p((age - t_x) / (beta + t_x))
    low, high = min(alpha, beta), max(alpha, beta)
    length = np.log1p(_reach(rate, alpha, s, beta, t_x, age) / (low + t_x))
    fall = np.minimum(rate * to_alpha + s * to_beta, 2 * _NEGLIGIBLE)
    needed = np.minimum(6 + 0.3 * fall + 3 * length, _COUNTS[-1])
    total = np.empty(len(age))
    means = np.empty((4, len(age)))
    which = np.searchsorted(_COUNTS, needed)
    for bucket in np.unique(which):
        inside = np.flatnonzero(which == bucket)
        node, weight = legendre(_COUNTS[bucket])
        for rows in np.array_split(inside, len(inside) * len(node) // _BLOCK + 1):
            xi = length[rows, None] * node
            start = t_x[rows, None]
            since = (low + start) * np.expm1(xi)
            other = np.log1p(since / (high + start))
            logs = (xi, other) if alpha <= beta else (other, xi)
            per = 1 / (alpha + start + since), 1 / (beta + start + since)
            mass = weight * np.exp(-rate[rows, None] * logs[0] - s * logs[1])
            if alpha < beta:
                mass *= per[1] / per[0]
            whole = mass.sum(axis=1)
            total[rows] = whole * length[rows]
            for mean, values in zip(means, (*logs, *per), strict=True):
                mean[rows] = np.einsum("ij,ij->i", mass, values) / whole
    with np.errstate(divide="ignore"):  # T = t_x: no time to drop out in
        log_odds = np.log(s) + rate * to_alpha + s * to_beta + np.log(total)
    return DropoutTime(log_odds, *means)


def _reach(rate: Array, alpha: float, s: float, beta: float, t_x: Array, age: Array) -> Array:
    """How long after t_x the integrand still matters."""
    by_rate = (alpha + t_x) * np.expm1(np.minimum(_NEGLIGIBLE / rate, 600))
    by_dropout = (beta + t_x) * np.expm1(min(_NEGLIGIBLE / s, 600))
    return np.minimum(age - t_x, np.minimum(by_rate, by_dropout))
