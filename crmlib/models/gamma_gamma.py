"""Gamma-Gamma: what a customer spends per purchase, and whether that depends on how often they buy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln, stdtrit

from crmlib import format as fmt
from crmlib.arguments import check_columns
from crmlib.errors import FitError, not_measured
from crmlib.models._diagnosis import Diagnosis, Finding
from crmlib.models._histories import numbers, read_weight, refuse_rows, refuse_values
from crmlib.models._inference import Array, LogLikelihood
from crmlib.models._special import dot, log_rising
from crmlib.models.base import LikelihoodModel
from crmlib.rankings import rank_correlation

CONSTANT = 1e6  # p and q of a fit to constant spend: they grow without limit there
SAME_SPEND = 1e-9  # relative spread of mean spend below which it is constant
HARMLESS = 0.05  # relative change of spend per doubling of frequency that changes no decision
SAMPLE = 5000  # customers that a large base is fitted to first


class GammaGammaModel(LikelihoodModel):
    """How much repeat customers spend per purchase: the Gamma-Gamma model.

    A customer's spend on a purchase is gamma distributed with shape p and rate nu; nu differs between
    customers as a gamma variable with shape q and rate v. Spend does not depend on how often a customer buys:
    `crmlib.models.gamma_gamma_check` says how far that holds.

    Parameters
    ----------
    time_unit : {"H", "D", "W", "M", "Q", "Y"}, optional
        Accepted as in every model; spend does not depend on it.

    Attributes
    ----------
    params_ : dict
        p, q (shapes) and v (money). The paper's gamma is v.
    n_left_out_ : float
        Repeat customers without positive mean spend, whom the fit leaves out.

    Notes
    -----
    Fader & Hardie, "The Gamma-Gamma model of monetary value" (2013). Further attributes as in
    `LikelihoodModel`.

    Examples
    --------
    >>> model = GammaGammaModel.from_params(p=6.25, q=3.74, v=15.44)
    >>> data = pd.DataFrame({"frequency": [0, 2], "monetary_value": [0.0, 30.0]})
    >>> model.expected_customer_spend(data).round(2).tolist()
    [35.22, 30.94]
    """

    name: ClassVar[str] = "Gamma-Gamma"
    parameter_names: ClassVar[tuple[str, ...]] = ("p", "q", "v")

    n_left_out_: float

    def fit(self, data: pd.DataFrame) -> Self:
        """Estimate p, q and v from the repeat customers.

        Parameters
        ----------
        data : DataFrame
            One row per customer: `frequency` (repeat purchases), `monetary_value` (their mean spend) and
            optionally `weight`. Rows with frequency 0 are ignored; repeat customers whose mean spend is 0 or
            below are left out, counted in `n_left_out_` and named in `diagnosis_`.

        Returns
        -------
        GammaGammaModel

        Raises
        ------
        DataError
            If a column is missing or holds impossible values.
        FitError
            If fewer than 3 repeat customers have positive spend.
        """
        read = read_spend(data, weighted=True)
        repeat = read.frequency > 0
        used = repeat & (read.monetary_value > 0) & (read.weight > 0)
        self.n_left_out_ = float(read.weight[repeat & ~used].sum())
        self.time_unit_ = self._unit_of(data)
        if used.sum() < 3:
            raise FitError(
                f"{int(used.sum())} of {len(used)} customers have frequency > 0 and monetary_value > 0; at "
                "least 3 are needed: use a longer calibration period, or a fixed spend per purchase"
            )
        x, m, weight = read.frequency[used], read.monetary_value[used], read.weight[used]
        if np.ptp(m) <= SAME_SPEND * m.max():
            return self._set_constant(x, m, weight)
        mean, shapes = float(np.average(m, weights=weight)), ((2.0, 2.0), (10.0, 10.0), (0.5, 1.0))
        starts = [{"p": p, "q": q, "v": mean * (q - 0.5) / p} for p, q in shapes]
        some = slice(None, None, len(x) // SAMPLE + 1)
        sample: tuple[LogLikelihood, float] | None = None
        if len(x) > 2 * SAMPLE and np.ptp(m[some]) > SAME_SPEND * m.max():
            sample = _LogLikelihood(x[some], m[some], weight[some]), float(weight[some].sum())
        self._estimate(_LogLikelihood(x, m, weight), starts, weight.sum(), sample)
        return self

    def _set_constant(self, x: Array, m: Array, weight: Array) -> Self:
        self.params_ = {"p": CONSTANT, "q": CONSTANT, "v": float(m[0]) * (CONSTANT - 1) / CONSTANT}
        self.loglik_ = _LogLikelihood(x, m, weight)(np.log(self._values()))[0]
        self.n_customers_ = float(weight.sum())
        self._log_covariance = np.full((3, 3), np.nan)
        what = f"every repeat customer spends {m[0]:g}: p and q have no limit; both are set to {CONSTANT:g}."
        cure = "Every prediction is that constant; ask whether monetary_value is a price list's entry."
        findings = (Finding(self.parameter_names, what, cure), *self._findings())
        self.diagnosis_ = Diagnosis(True, 0.0, findings)
        return self

    def _findings(self) -> tuple[Finding, ...]:
        q, found = self.params_["q"], []
        if q <= 1:
            what = f"q = {q:.3g}, at most 1: the tail of spend is so heavy that its mean is infinite."
            cure = "Use medians, or cap the largest purchases and say so; value no new customers by it."
            found.append(Finding(("q",), what, cure))
        elif q <= 2:
            what = f"q = {q:.3g}, at most 2: the variance of mean spend between customers is infinite."
            found.append(Finding(("q",), what, "Look at the largest purchases: a few carry the mean."))
        if self.n_left_out_:
            what = f"{fmt.count(self.n_left_out_)} repeat customers with monetary_value <= 0 are left out."
            cure = "Check how returns and free orders are booked; they are scored as at spend 0."
            found.append(Finding(("p", "q", "v"), what, cure))
        return tuple(found)

    # -- what a customer spends ------------------------------------------------------------------------------

    def expected_customer_spend(self, data: pd.DataFrame) -> pd.Series:
        """Mean spend to expect per future purchase of each customer.

        Parameters
        ----------
        data : DataFrame
            Columns `frequency` and `monetary_value`. A mean below 0 (more returned than bought) counts as 0.

        Returns
        -------
        Series
            Money per purchase, indexed as `data`. A customer without repeat purchases gets the mean of the
            population; inf where the fitted tail has no mean (see `diagnosis_`), never negative.
        """
        p, _, _ = self._values()
        total, shape = self._posterior(read_spend(data))
        mean = np.divide(p * total, shape - 1, out=np.full_like(total, np.inf), where=shape > 1)
        return pd.Series(mean, index=data.index, name="expected_spend")

    def expected_new_customer_spend(self) -> float:
        """Mean spend per purchase of a customer of whom nothing is known: p v / (q - 1), inf if q <= 1."""
        p, q, v = self._values()
        return p * v / (q - 1) if q > 1 else float("inf")

    def _posterior(self, read: SpendData) -> tuple[Array, Array]:
        """Rate and shape of what is known of nu: x m + v and p x + q."""
        p, q, v = self._values()
        total = v + read.frequency * np.maximum(read.monetary_value, 0.0)
        return total, p * read.frequency + q


class _LogLikelihood:
    """The log-likelihood and its gradient: one logarithm per customer, gamma functions once per frequency."""

    def __init__(self, x: Array, m: Array, weight: Array) -> None:
        self.w, self.wx, self.z, self.total = weight, weight * x, x * m, float(weight.sum())
        self.values, inverse = np.unique(x, return_inverse=True)
        self.counts = np.bincount(inverse, weight)
        self.log_m = dot(weight, np.log(m))
        self.x_log_z = dot(self.wx, np.log(self.z))

    def __call__(self, log_params: Array) -> tuple[float, Array]:
        p, q, v = np.exp(log_params)
        rate = self.z + v
        log_rate, inverse = np.log(rate), 1.0 / rate
        w_log, wx_log = dot(self.w, log_rate), dot(self.wx, log_rate)
        px, log_v = p * self.values, np.log(v)
        value = self.counts @ log_rising(px, q) + self.total * (q * log_v - gammaln(q))
        value += p * (self.x_log_z - wx_log) - self.log_m - q * w_log
        known = digamma(px + q)
        gradient = np.array(
            [
                self.counts @ (self.values * (known - digamma(px))) + self.x_log_z - wx_log,
                self.counts @ known - self.total * (digamma(q) - log_v) - w_log,
                self.total * q / v - p * dot(self.wx, inverse) - q * dot(self.w, inverse),
            ]
        )
        return float(value), gradient * np.exp(log_params)


@dataclass(frozen=True)
class SpendData:
    """Arrays of one value per customer; `monetary_value` is 0 where frequency is 0."""

    frequency: Array
    monetary_value: Array
    weight: Array


def read_spend(data: pd.DataFrame, *, weighted: bool = False) -> SpendData:
    """Read `frequency` and `monetary_value`, refusing what no customer can have.

    With `weighted` customers are counted: one a row, or as the column `weight` says; ids must then be unique.
    """
    check_columns("data", data, ("frequency", "monetary_value"), "rfm_summary makes it")
    x, money = numbers(data, "frequency"), numbers(data, "monetary_value")
    refuse_values(data, "frequency", x, None)
    unknown = (x > 0) & ~np.isfinite(money)
    if unknown.any():
        refuse_rows(data, unknown, "monetary_value is missing or infinite", "give the mean repeat spend")
    weight = read_weight(data) if weighted else np.ones(len(data))
    return SpendData(x, np.where(x > 0, money, 0.0), weight)


@dataclass(frozen=True)
class SpendFrequencyCheck:
    """How far mean spend goes with frequency among repeat customers.

    `pearson`, `spearman`: correlations of frequency and mean spend. `per_doubling`, `low`, `high`: relative change of
    mean spend when frequency doubles, with its 95 % interval. `sentence`: what follows for the Gamma-Gamma model.
    """

    customers: int
    pearson: float
    spearman: float
    per_doubling: float
    low: float
    high: float
    sentence: str


def spend_frequency_check(data: pd.DataFrame) -> SpendFrequencyCheck:
    """Does spend depend on frequency, as the Gamma-Gamma model says it does not?

    Parameters
    ----------
    data : DataFrame
        Columns `frequency` and `monetary_value`; repeat customers with positive spend are looked at.

    Returns
    -------
    SpendFrequencyCheck
        Not known (nan), with the reason as `sentence`, for fewer than 3 such customers or a single frequency.

    Notes
    -----
    The effect is the slope of mean spend on log frequency, relative to mean spend, with standard errors
    that allow for the smaller variance of larger frequencies (HC1). A large base makes any correlation
    significant: judge by the effect.

    Examples
    --------
    >>> data = pd.DataFrame({"frequency": [1, 1, 2, 2, 4, 4], "monetary_value": [9, 11, 19, 21, 29, 31.]})
    >>> spend_frequency_check(data).per_doubling
    0.5
    """
    read = read_spend(data)
    used = (read.frequency > 0) & (read.monetary_value > 0)
    x, m = read.frequency[used], read.monetary_value[used]
    if len(x) < 3 or np.ptp(x) == 0:
        found = f"{len(x)} and {len(np.unique(x))} are there"
        why = not_measured(f"spend by frequency needs 3 repeat customers and 2 frequencies; {found}")
        return SpendFrequencyCheck(len(x), np.nan, np.nan, np.nan, np.nan, np.nan, why)
    doublings = np.log2(x) - np.log2(x).mean()
    spread = doublings @ doublings
    slope = doublings @ m / spread
    residual = m - m.mean() - slope * doublings
    error = np.sqrt((doublings * residual) @ (doublings * residual) * len(x) / (len(x) - 2)) / spread
    half = stdtrit(len(x) - 2, 0.975) * error
    effect, low, high = (float(change / m.mean()) for change in (slope, slope - half, slope + half))
    spearman = 0.0 if np.ptp(m) == 0 else rank_correlation(x, m)
    pearson = 0.0 if np.ptp(m) == 0 else float(np.corrcoef(x, m)[0, 1])
    return SpendFrequencyCheck(len(x), pearson, spearman, effect, low, high, _sentence(effect, low, high))


def _sentence(effect: float, low: float, high: float) -> str:
    reach = f"95 %: {fmt.change(low)} to {fmt.change(high)}"
    size = f"mean spend changes by {fmt.change(effect)} when frequency doubles ({reach})"
    if abs(effect) < HARMLESS and max(abs(low), abs(high)) < 2 * HARMLESS:
        return f"{size}: close enough to independent for the Gamma-Gamma model."
    if low <= 0 <= high:
        return f"{size}: no dependence is shown, but these customers are too few to rule one out."
    rare, heavy = ("too high", "too low") if effect > 0 else ("too low", "too high")
    return (
        f"{size}: the Gamma-Gamma model draws customers with few purchases towards the mean of all "
        f"and so values them {rare}, frequent ones slightly {heavy}; model spend by frequency group where "
        "that decides."
    )
