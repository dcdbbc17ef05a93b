"""BG/NBD and MBG/NBD: customers buy at random at their own rate and may drop out after any purchase."""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from crmlib.models._histories import Histories
from crmlib.models._inference import Array, LogLikelihood
from crmlib.models._special import beta_rule, digamma_rise, dot, log_rising
from crmlib.models.purchase import PurchaseModel

_MIXING = "Customers hardly differ in it, or too few were watched: use more customers or a longer period."
_DROPOUT = "The data show almost no dropout, or cannot separate it from slow buying: use a longer calibration period."


_NUMBERS = 2_000_000  # held at once
_BLOCK = 32_768  # histories at once: their numbers stay in the processor's cache


class BetaGeoModel(PurchaseModel):
    """How often customers will buy if each may drop out after any repeat purchase (BG/NBD).

    While alive, a customer buys at a Poisson rate; rates are Gamma(r, alpha) across customers. After each
    repeat purchase the customer drops out with a probability that is Beta(a, b) across customers. So a
    customer without repeat purchases is alive for certain; `ModifiedBetaGeoModel` lifts that.

    Parameters
    ----------
    time_unit : {"H", "D", "W", "M", "Q", "Y"}, optional
        The unit of recency, T and forecasts, for data that do not carry one.

    Attributes
    ----------
    params_ : dict
        r, alpha (a length of time), a, b.

    Notes
    -----
    Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2), 275–284.

    Examples
    --------
    >>> import pandas as pd
    >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
    >>> customer = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]})
    >>> model.expected_purchases(customer, future_t="39W").round(3).tolist()
    [1.226]
    >>> model.expected_probability_alive(customer).round(3).tolist()
    [0.727]
    """

    name: ClassVar[str] = "BG/NBD"
    parameter_names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    cures: ClassVar[dict[str, str]] = {"r": _MIXING, "alpha": _MIXING, "a": _DROPOUT, "b": _DROPOUT}
    _chances_at_start: ClassVar[int] = 0  # chances to drop out before the first repeat purchase

    def _chances(self, x: Array) -> Array:
        """How many chances to drop out a customer has survived or met."""
        return x + self._chances_at_start

    def _starts(self, histories: Histories) -> list[dict[str, float]]:
        rate = float(histories.weight @ histories.frequency / (histories.weight @ histories.T))
        return [
            {"r": r, "alpha": r / rate, "a": a, "b": b}
            for r, a, b in ((0.5, 0.5, 1.5), (2.0, 0.2, 5.0), (0.1, 1.0, 1.0))
        ]

    def _log_likelihood(self, histories: Histories) -> LogLikelihood:
        return _LogLikelihood(histories, self._chances_at_start)

    def _log_odds_dead(self, x: Array, t_x: Array, age: Array) -> Array:
        r, alpha, a, b = self._values()
        met = self._chances(x)
        since = (r + x) * np.log1p((age - t_x) / (alpha + t_x))
        odds = np.log(a) - np.log(b + np.maximum(met - 1, 0)) + since
        return np.where(met > 0, odds, -np.inf)

    def _purchases_if_alive(self, x: Array, age: Array, t: float) -> Array:
        return self._purchase_curve(x, age, t)(t)

    def _purchase_curve(self, x: Array, age: Array, furthest: float) -> Callable[[float], Array]:
        r, alpha, a, b = self._values()
        scale = alpha + age
        curve = _DropoutCurve(r, a, b + self._chances_at_start, x, furthest / scale.min())
        return lambda t: curve(t / scale)

    def _purchases_of_new(self, t: Array) -> Array:
        r, alpha, a, b = self._values()
        survived = b + self._chances_at_start
        stays = b / (a + b) if self._chances_at_start else 1.0
        return stays * _DropoutCurve(r, a, survived, np.zeros_like(t), t.max() / alpha)(t / alpha)

    def _pmfs_if_alive(self, n: Array, x: Array, age: Array, t: float) -> Array:
        """Either n purchases without dropout, or dropout at the n-th purchase.

        Of n that follow each other, what only n changes is multiplied up from the first.
        """
        if t == 0:
            return np.tile(np.where(n == 0, 1.0, 0.0), (len(x), 1))
        if (np.diff(n) != 1).any():
            return np.hstack([self._pmfs_if_alive(count, x, age, t) for count in np.split(n, len(n))])
        r, alpha, a, b = self._values()
        rate, v = (r + x)[:, None], (t / (alpha + age))[:, None]
        survived, first = (b + self._chances(x))[:, None], n[0]
        rises = np.log((rate + n[:-1]) / n[1:]) - np.log1p(1 / v)
        start = log_rising(rate, first) - lgamma(first + 1) - rate * np.log1p(v) - first * np.log1p(1 / v)
        exactly = np.exp(start + np.hstack([np.zeros_like(v), np.cumsum(rises, axis=1)]))
        at_least = _at_least(first, rate, v) if first > 0 else np.ones_like(v)
        at_least = np.maximum(at_least - np.cumsum(exactly, axis=1) + exactly, 0)
        stays = np.exp(log_rising(survived, first) - log_rising(a + survived, first))
        stays = stays * np.hstack(
            [np.ones_like(v), np.cumprod((survived + n[:-1]) / (a + survived + n[:-1]), axis=1)]
        )
        # of those who stayed before the n-th purchase, a / (survived + n - 1) for each who stays drop out at it
        drops = np.where(n > 0, stays * a / (survived + np.maximum(n - 1, 0)), 0)
        return stays * exactly + drops * at_least

    def _sample_if_alive(
        self, x: Array, age: Array, t: float, random: np.random.Generator
    ) -> NDArray[np.int64]:
        r, alpha, a, b = self._values()
        wished = random.poisson(random.gamma(r + x, t / (alpha + age)))
        dropout = random.beta(a, b + self._chances(x))
        with np.errstate(divide="ignore", over="ignore"):  # a dropout probability of 0 or 1
            fatal = np.ceil(random.standard_exponential(len(x)) / -np.log1p(-dropout))
        return np.minimum(wished, np.maximum(fatal, 1)).astype(np.int64)


class ModifiedBetaGeoModel(BetaGeoModel):
    """How often customers will buy if each may drop out after any purchase, the first included (MBG/NBD).

    As `BetaGeoModel`, with one more chance to drop out at time 0; so customers without repeat purchases are
    not alive for certain. Parameters and attributes are its own.

    Notes
    -----
    Batislam, Denizel & Filiztekin (2007), Empirical validation and comparison of models for customer base
    analysis, International Journal of Research in Marketing 24(3), 201–209.

    Examples
    --------
    >>> import pandas as pd
    >>> model = ModifiedBetaGeoModel.from_params(r=0.525, alpha=6.183, a=0.891, b=1.614, time_unit="W")
    >>> once = pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [38.86]})
    >>> model.expected_probability_alive(once).round(2).tolist()
    [0.39]
    """

    name: ClassVar[str] = "MBG/NBD"
    _chances_at_start: ClassVar[int] = 1


def _at_least(n: int, rate: Array, v: Array) -> Array:
    """P(n purchases or more, if none is fatal) in v times the length that the rate has been learned from."""
    from scipy.special import betainc, betaincc  # not at the top: a first fit is faster without its import

    return np.where(v < 1, betainc(n, rate, v / (1 + v)), betaincc(rate, n, 1 / (1 + v)))


class _LogLikelihood:
    """Log-likelihood of BG/NBD and MBG/NBD and its gradient in log parameters, by unique histories.

    What depends on x alone, or on T alone, is summed over the distinct x or T once.
    """

    def __init__(self, known: Histories, chances_at_start: int) -> None:
        x, t_x, age, weight = known.frequency, known.recency, known.T, known.weight
        self.x, of_x = np.unique(x, return_inverse=True)
        self.age, of_age = np.unique(age, return_inverse=True)
        self.n_of_x = np.bincount(of_x, weight)
        self.n_of_age = np.bincount(of_age, weight)
        self.purchases_of_age = np.bincount(of_age, weight * x)
        self.met = self.x + chances_at_start
        fallible = x + chances_at_start > 0  # the others cannot have dropped out
        self.of_x, self.of_age, self.weight = of_x[fallible], of_age[fallible], weight[fallible]
        self.t_x, self.of_t_x = np.unique(t_x[fallible], return_inverse=True)

    def __call__(self, log_params: Array) -> tuple[float, Array]:
        r, alpha, a, b = np.exp(log_params)
        n, met = self.n_of_x, self.met
        value = n @ (log_rising(r, self.x) + log_rising(b, met) - log_rising(a + b, met))
        value -= r * (self.n_of_age @ np.log1p(self.age / alpha))
        value -= self.purchases_of_age @ np.log(alpha + self.age)

        later = self.age / (alpha + self.age)  # α·d/dα of −r·log(1 + T/α), over r
        slope_r = n @ digamma_rise(r, self.x) - self.n_of_age @ np.log1p(self.age / alpha)
        slope_alpha = r * (self.n_of_age @ later) - alpha * (self.purchases_of_age @ (1 / (alpha + self.age)))
        both = digamma_rise(a + b, met)
        slope_a, slope_b = -(n @ both), n @ (digamma_rise(b, met) - both)

        dead, more = self._dead(r, alpha, a, b)
        value += dead
        slopes = np.array([r * slope_r, slope_alpha, a * slope_a, b * slope_b])
        return float(value), slopes + more

    def _dead(self, r: float, alpha: float, a: float, b: float) -> tuple[float, Array]:
        """What the chance of having dropped out adds: sum of log(1 + odds), and its gradient."""
        last = b + np.maximum(self.met - 1, 0)
        rate, log_ratio = r + self.x, np.log(a) - np.log(last)
        log_age, log_t_x = np.log(alpha + self.age), np.log(alpha + self.t_x)
        by_age, by_t_x = alpha / (alpha + self.age), alpha / (alpha + self.t_x)
        value, slopes, of_x = 0.0, np.zeros(3), np.zeros(len(self.x))
        for start in range(0, len(self.weight), _BLOCK):
            now = slice(start, start + _BLOCK)
            x, age, t_x, weight = self.of_x[now], self.of_age[now], self.of_t_x[now], self.weight[now]
            since, power = log_age[age] - log_t_x[t_x], rate[x]
            log_odds = power * since + log_ratio[x]
            small = np.exp(-np.abs(log_odds))
            value += dot(weight, np.maximum(log_odds, 0) + np.log1p(small))
            dead = weight * np.where(log_odds > 0, 1, small) / (1 + small)
            slopes += r * dot(dead, since), dot(dead * power, by_age[age] - by_t_x[t_x]), dead.sum()
            of_x += np.bincount(x, dead, len(of_x))
        return value, np.append(slopes, -dot(of_x, b / last))


class _DropoutCurve:
    """Expected purchases by frequency x as a function of v = t / (α + T).

    A customer who is alive has a rate from Gamma(r + x, α + T) and a dropout probability p from Beta(a, b + x). With R
    = r + x they are expected to make E[(1 − (1 + p·v)^−R) / p] purchases within t; that is the closed form with 2F1,
    and unlike it stays finite at a = 1 and for a + b ≤ 1. The mean over p is a quadrature; as a function of log(1 + (R
    + 1)·v) its logarithm is smooth, so it is evaluated at a few Chebyshev points for each distinct x and interpolated,
    to about 1e-11, for any number of customers.

    `x`: of shape (n_customers,). `furthest`: the largest v that will be asked for.
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
        block = max(1, _NUMBERS // (count * p.shape[1]))
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
    """Either n purchases without dropout, or dropout at the n-th purchase; consecutive n by multiplying up."""
    v = np.maximum(v, 1e-300)[:, :, None]
    lost = -np.expm1(-rate[:, :, None] * np.log1p(p[:, None, :] * v))
    return np.log(np.einsum("ik,ijk->ij", weight / p, lost / v)) - np.log(rate)
