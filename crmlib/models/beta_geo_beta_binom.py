"""BG/BB: customers who may buy at every opportunity, and may drop out before any of them."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaln, digamma, gammaln

from crmlib.errors import CrmError
from crmlib.models._histories import Histories, read_histories, refuse_rows
from crmlib.models._inference import Array, LogLikelihood
from crmlib.models.purchase import PurchaseModel

_BUYING = "Customers hardly differ in how readily they buy, or too few were watched: use more customers."
_DROPOUT = "Dropout and slow buying cannot be separated: watch more opportunities."


class BetaGeoBetaBinomModel(PurchaseModel):
    """How often customers will buy when there are opportunities to, such as yearly appeals (BG/BB).

    Before each opportunity a customer drops out with a probability that is Beta(gamma, delta) across
    customers; while alive, they buy at an opportunity with a probability that is Beta(alpha, beta).

    Time is counted in opportunities: `T` is the number of opportunities since the first purchase, `recency`
    the place of the last one that was used (0 if none), `frequency` how many were used. P(alive) is that at
    opportunity T; the paper's, at T + 1, is smaller by the dropout before it.

    Parameters
    ----------
    time_unit : {"H", "D", "W", "M", "Q", "Y"}, optional
        How far opportunities are apart, for data that do not say.

    Attributes
    ----------
    params_ : dict
        alpha, beta (buying), gamma, delta (dropping out).

    Notes
    -----
    Fader, Hardie & Shang (2010), Customer-base analysis in a discrete-time noncontractual setting, Marketing
    Science 29(6), 1086–1108.

    Examples
    --------
    >>> model = BetaGeoBetaBinomModel.from_params(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
    >>> donors = pd.DataFrame({"frequency": [0, 6], "recency": [0, 6], "T": [6, 6]})
    >>> model.expected_purchases(donors, future_t=5).round(2).tolist()
    [0.07, 3.75]
    """

    name: ClassVar[str] = "BG/BB"
    parameter_names: ClassVar[tuple[str, ...]] = ("alpha", "beta", "gamma", "delta")
    cures: ClassVar[dict[str, str]] = {
        "alpha": _BUYING,
        "beta": _BUYING,
        "gamma": _DROPOUT,
        "delta": _DROPOUT,
    }

    def fit(self, data: pd.DataFrame) -> Self:
        """Estimate the parameters by maximum likelihood, as `PurchaseModel.fit`, from whole opportunities."""
        known = read_histories(data)
        wrong = {
            "T or recency is no whole number": (known.T % 1 != 0) | (known.recency % 1 != 0),
            "frequency is above recency": known.frequency > known.recency,
        }
        for what, bad in wrong.items():
            if bad.any():
                refuse_rows(data, bad[known.row], what, "count opportunities to buy once")
        return super().fit(data)

    def _starts(self, histories: Histories) -> list[dict[str, float]]:
        return [
            {"alpha": 1.0, "beta": 1.0, "gamma": 0.5, "delta": 2.0},
            {"alpha": 0.3, "beta": 3.0, "gamma": 1.0, "delta": 10.0},
            {"alpha": 5.0, "beta": 5.0, "gamma": 5.0, "delta": 50.0},
        ]

    def _log_likelihood(self, histories: Histories) -> LogLikelihood:
        return _LogLikelihood(histories)

    def _log_odds_dead(self, x: Array, t_x: Array, age: Array) -> Array:
        alpha, beta, gamma, delta = self._values()
        row, last = _ends(t_x, age)
        bought = betaln(alpha + x[row], beta + last - x[row]) - betaln(alpha + x, beta + age - x)[row]
        died = betaln(gamma + 1, delta + last) - betaln(gamma, delta + age)[row]
        return _log_sum(row, bought + died, len(x))

    def _purchases_if_alive(self, x: Array, age: Array, t: float) -> Array:
        return self._discounted_if_alive(x, age, t, 0.0)

    def _discounted_if_alive(self, x: Array, age: Array, horizon: float, discount_rate: float) -> Array:
        alpha, beta, gamma, delta = self._values()
        alive, total = np.ones_like(x), np.zeros_like(x)
        for step in range(1, _opportunities(horizon) + 1):
            alive = alive * (delta + age + step - 1) / (gamma + delta + age + step - 1)
            total += np.exp(-discount_rate * step) * alive
        return total * (alpha + x) / (alpha + beta + age)

    def _purchases_of_new(self, t: Array) -> Array:
        none = np.zeros(1)
        return np.array([self._purchases_if_alive(none, none, age)[0] for age in t])

    def _pmf_if_alive(self, n: int, x: Array, age: Array, t: float) -> Array:
        """n purchases at as many opportunities as the customer lives to see, up to all of them."""
        alpha, beta, gamma, delta = self._values()
        end, found = _opportunities(t), np.zeros_like(x)
        for seen in range(n, end + 1):
            ways = gammaln(seen + 1) - gammaln(n + 1) - gammaln(seen - n + 1)
            bought = betaln(alpha + x + n, beta + age - x + seen - n) - betaln(alpha + x, beta + age - x)
            stops = 0.0 if seen == end else 1.0
            lived = betaln(gamma + stops, delta + age + seen) - betaln(gamma, delta + age)
            found += np.exp(ways + bought + lived)
        return found

    def _sample_if_alive(
        self, x: Array, age: Array, t: float, random: np.random.Generator
    ) -> NDArray[np.int64]:
        alpha, beta, gamma, delta = self._values()
        dropout = random.beta(gamma, delta + age)
        with np.errstate(divide="ignore", over="ignore"):  # a dropout probability of 0 or 1
            seen = np.floor(random.standard_exponential(len(x)) / -np.log1p(-dropout))
        opportunities = np.minimum(seen, _opportunities(t)).astype(np.int64)
        return random.binomial(opportunities, random.beta(alpha + x, beta + age - x))


class _LogLikelihood:
    """Log-likelihood of BG/BB and its gradient: a sum over the last opportunity that a customer lived to see."""

    def __init__(self, known: Histories) -> None:
        row, last = _ends(known.recency, known.T)
        rows = np.arange(len(known.T))
        self.row = np.concatenate([row, rows])
        self.last = np.concatenate([last, known.T])
        self.died = np.concatenate([np.ones(len(row)), np.zeros(len(rows))])
        self.x, self.weight = known.frequency[self.row], known.weight

    def __call__(self, log_params: Array) -> tuple[float, Array]:
        alpha, beta, gamma, delta = np.exp(log_params)
        x, last, died = self.x, self.last, self.died
        terms = betaln(alpha + x, beta + last - x) - betaln(alpha, beta)
        terms += betaln(gamma + died, delta + last) - betaln(gamma, delta)
        total = _log_sum(self.row, terms, len(self.weight))
        share = self.weight[self.row] * np.exp(terms - total[self.row])
        trials = digamma(alpha + beta) - digamma(alpha + beta + last)
        lives = digamma(gamma + delta) - digamma(gamma + delta + last + died)
        gradient = [
            alpha * (share @ (digamma(alpha + x) - digamma(alpha) + trials)),
            beta * (share @ (digamma(beta + last - x) - digamma(beta) + trials)),
            gamma * (share @ (digamma(gamma + died) - digamma(gamma) + lives)),
            delta * (share @ (digamma(delta + last) - digamma(delta) + lives)),
        ]
        return float(self.weight @ total), np.array(gradient)


def _ends(t_x: Array, age: Array) -> tuple[NDArray[np.intp], Array]:
    """For every customer the opportunities, from the last purchase to the one before T, after which they may
    have dropped out: the customer's row, and the opportunity."""
    count = (age - t_x).astype(np.intp)
    row = np.repeat(np.arange(len(age)), count)
    first = np.repeat(t_x - (np.cumsum(count) - count), count)
    return row, first + np.arange(len(row))


def _log_sum(row: NDArray[np.intp], terms: Array, size: int) -> Array:
    """log of the sum of exp(terms) by row; -inf for a row without terms."""
    peak = np.full(size, -np.inf)
    np.maximum.at(peak, row, terms)
    total = np.bincount(row, np.exp(terms - peak[row]), size)
    return peak + np.log(total, out=np.zeros(size), where=total > 0)


def _opportunities(length: float) -> int:
    count = round(length)
    if abs(length - count) > 1e-9:
        raise CrmError(f"future_t is {length!r} opportunities; give a whole number of them")
    return count
