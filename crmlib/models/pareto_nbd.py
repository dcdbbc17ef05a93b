"""Pareto/NBD: customers buy at random at their own rate and drop out at any time, unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import exprel, gammaln

from crmlib.models._histories import Histories
from crmlib.models._inference import Array, LogLikelihood
from crmlib.models._special import bisect, digamma_rise, dot, expit, legendre, log_rising
from crmlib.models.purchase import PurchaseModel

_MIXING = "Customers hardly differ in it, or too few were watched: use more customers or a longer period."
_RIDGE = (
    "s and beta trade off along a ridge: predictions within the calibration period's length hardly depend on "
    "where on it they are, but do not read them one by one; a longer calibration period pins them down."
)
_NODES = 40
_NEGLIGIBLE = 36.0  # in logs: beyond this fall the integrand adds nothing
_COUNTS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
_BLOCK = 400_000  # nodes held at once: few enough to stay in the processor's cache


class ParetoNBDModel(PurchaseModel):
    """How often customers will buy if each may drop out at any time, bought or not (Pareto/NBD).

    While alive, a customer buys at a Poisson rate; rates are Gamma(r, alpha) across customers. Lifetimes are
    exponential, with dropout rates that are Gamma(s, beta) across customers.

    Parameters
    ----------
    time_unit : {"H", "D", "W", "M", "Q", "Y"}, optional
        The unit of recency, T and forecasts, for data that do not carry one.

    Attributes
    ----------
    params_ : dict
        r, alpha (a length of time), s, beta (a length of time).

    Notes
    -----
    Schmittlein, Morrison & Colombo (1987), Counting your customers, Management Science 33(1), 1–24; Fader &
    Hardie (2005), A note on deriving the Pareto/NBD model and related expressions.

    Examples
    --------
    >>> import pandas as pd
    >>> model = ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W")
    >>> customer = pd.DataFrame({"frequency": [26], "recency": [30.86], "T": [31.0]})
    >>> model.expected_purchases(customer, future_t="52W").round(2).tolist()
    [25.46]
    >>> model.expected_probability_alive(customer).round(3).tolist()
    [0.998]
    """

    name: ClassVar[str] = "Pareto/NBD"
    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    # Mixing and mean rate of purchases, mixing and mean rate of dropout: where a mixing has no end, the rates have.
    _basis = np.array([[1.0, 0, 0, 0], [1, -1, 0, 0], [0, 0, 1, 0], [0, 0, 1, -1]])
    cures: ClassVar[dict[str, str]] = {"r": _MIXING, "alpha": _MIXING, "s": _RIDGE, "beta": _RIDGE}

    def _starts(self, histories: Histories) -> list[dict[str, float]]:
        rate = float(histories.weight @ histories.frequency / (histories.weight @ histories.T))
        age = float(histories.weight @ histories.T / histories.weight.sum())
        return [
            {"r": r, "alpha": 0.5 * r / rate, "s": s, "beta": beta * age}
            for r, s, beta in ((0.5, 0.5, 0.5), (2.0, 0.2, 2.0), (0.5, 3.0, 10.0))
        ]

    def _log_likelihood(self, histories: Histories) -> LogLikelihood:
        return _LogLikelihood(histories)

    def _log_odds_dead(self, x: Array, t_x: Array, age: Array) -> Array:
        r, alpha, s, beta = self._values()
        return _dropout_time(r + x, alpha, s, beta, t_x, age).log_odds

    def _purchases_if_alive(self, x: Array, age: Array, t: float) -> Array:
        r, alpha, s, beta = self._values()
        return (r + x) / (alpha + age) * _mean_time_alive(t, s, beta + age)

    def _purchases_of_new(self, t: Array) -> Array:
        r, alpha, s, beta = self._values()
        return r / alpha * _mean_time_alive(t, s, np.full_like(t, beta))

    def _pmf_if_alive(self, n: int, x: Array, age: Array, t: float) -> Array:
        """n purchases by a customer who lives through t, or by one who drops out within it."""
        if t == 0:
            return np.full_like(x, float(n == 0))
        r, alpha, s, beta = self._values()
        rate, scale = r + x, beta + age
        density = _log_nbd(n, rate, t / (alpha + age)) - s * np.log1p(t / scale)
        return np.exp(density) + _pmf_if_dropped_out(n, rate, s, alpha + age, scale, t)

    def _sample_if_alive(
        self, x: Array, age: Array, t: float, random: np.random.Generator
    ) -> NDArray[np.int64]:
        r, alpha, s, beta = self._values()
        rate = random.gamma(r + x, 1 / (alpha + age))
        with np.errstate(divide="ignore", over="ignore"):  # a dropout rate of 0
            lifetime = random.standard_exponential(len(x)) / random.gamma(s, 1 / (beta + age))
        return random.poisson(rate * np.minimum(lifetime, t))


def _mean_time_alive(t: float | Array, s: float, scale: Array) -> Array:
    """The mean of min(lifetime, t) when the dropout rate is Gamma(s, scale); s = 1 is no special case."""
    log_growth = np.log1p(t / scale)
    return scale * log_growth * exprel((1 - s) * log_growth)


def _log_nbd(n: int, rate: Array, v: Array) -> Array:
    """Logarithm of P(n purchases) in v times the length that the rate has been learned from."""
    return log_rising(rate, n) - gammaln(n + 1) - rate * np.log1p(v) - n * np.log1p(1 / v)


def _pmf_if_dropped_out(n: int, rate: Array, s: float, alpha: Array, beta: Array, t: float) -> Array:
    """P(n purchases and a dropout within t): an integral over y = log(time of dropout / alpha)."""
    ratio = alpha / beta
    constant = np.log(ratio) + log_rising(rate, n) - gammaln(n + 1)

    def height(y: Array) -> Array:
        v = np.exp(y)
        return constant + (n + 1) * y - (n + rate) * np.log1p(v) - (s + 1) * np.log1p(ratio * v)

    # The summit is where (n + 1) = (n + rate) v / (1 + v) + (s + 1) ratio v / (1 + ratio v).
    def rises(y: Array) -> NDArray[np.bool_]:
        return n + 1 > (n + rate) * expit(y) + (s + 1) * expit(y + np.log(ratio))

    end = np.log(t / alpha)
    low = np.minimum(end, -np.log1p((n + rate + s) * (1 + ratio))) - 50
    top = np.minimum(bisect(rises, low, np.full_like(end, 700.0)), end)
    floor = height(top) - 38
    first = bisect(lambda y: height(y) < floor, low, top)
    last = bisect(lambda y: height(y) > floor, top, end)
    return s * (_between(height, first, top) + _between(height, top, last))


def _between(height: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """The integral of exp(height), which rises or falls all the way."""
    total = np.zeros_like(low)
    for node, weight in zip(*legendre(_NODES), strict=True):
        total += weight * np.exp(height(low + (high - low) * node))
    return (high - low) * total


class _LogLikelihood:
    """Log-likelihood of Pareto/NBD and its gradient in log parameters, by unique histories."""

    def __init__(self, known: Histories) -> None:
        self.known = known
        self.x, of_x = np.unique(known.frequency, return_inverse=True)
        self.n_of_x = np.bincount(of_x, known.weight)

    def __call__(self, log_params: Array) -> tuple[float, Array]:
        r, alpha, s, beta = np.exp(log_params)
        x, t_x, age, weight = self.known.frequency, self.known.recency, self.known.T, self.known.weight
        rate = r + x
        tau = _dropout_time(rate, alpha, s, beta, t_x, age)
        dead = weight * expit(tau.log_odds)
        log_alpha, log_beta = np.log1p(age / alpha), np.log1p(age / beta)

        value = self.n_of_x @ log_rising(r, self.x) - dot(weight, r * log_alpha + x * np.log(alpha + age))
        value += dot(weight, np.logaddexp(0, tau.log_odds) - s * log_beta)

        since_alpha = np.log1p((age - t_x) / (alpha + t_x))
        since_beta = np.log1p((age - t_x) / (beta + t_x))
        slope_r = self.n_of_x @ digamma_rise(r, self.x) - dot(weight, log_alpha)
        slope_r += dot(dead, since_alpha - tau.log_alpha)
        slope_alpha = dot(weight, (r * age / alpha - x) / (alpha + age))
        slope_alpha += dot(dead, rate * (1 / (alpha + age) - tau.per_alpha))
        slope_s = dot(dead, 1 / s + since_beta - tau.log_beta) - dot(weight, log_beta)
        slope_beta = dot(weight, s * age / (beta * (beta + age)))
        slope_beta += dot(dead, s / (beta + age) - (s + 1) * tau.per_beta)
        return float(value), np.array([r * slope_r, alpha * slope_alpha, s * slope_s, beta * slope_beta])


@dataclass(frozen=True)
class _DropoutTime:
    """The time tau at which customers who dropped out did so, between their last purchase and now.

    `log_odds`: logarithm of P(dropped out) / P(alive). `log_alpha`, `log_beta`: means of log((alpha + tau) / (alpha +
    t_x)) and of the same with beta. `per_alpha`, `per_beta`: means of 1 / (alpha + tau) and of 1 / (beta + tau).
    """

    log_odds: Array
    log_alpha: Array
    log_beta: Array
    per_alpha: Array
    per_beta: Array


def _dropout_time(rate: Array, alpha: float, s: float, beta: float, t_x: Array, age: Array) -> _DropoutTime:
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
    return _DropoutTime(log_odds, *means)


def _reach(rate: Array, alpha: float, s: float, beta: float, t_x: Array, age: Array) -> Array:
    """How long after t_x the integrand still matters."""
    by_rate = (alpha + t_x) * np.expm1(np.minimum(_NEGLIGIBLE / rate, 600))
    by_dropout = (beta + t_x) * np.expm1(min(_NEGLIGIBLE / s, 600))
    return np.minimum(age - t_x, np.minimum(by_rate, by_dropout))
