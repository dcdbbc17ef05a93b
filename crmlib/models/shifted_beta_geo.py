"""sBG: how long customers under contract stay, when each has a retention rate of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betaln, digamma

from crmlib import format as fmt
from crmlib.arguments import check_columns, check_range
from crmlib.errors import CrmError, DataError, FitError
from crmlib.models._histories import numbers, read_weight, refuse_rows, refuse_values
from crmlib.models._inference import Array
from crmlib.models._special import beta_rule
from crmlib.models.base import LikelihoodModel


class ShiftedBetaGeoModel(LikelihoodModel):
    """How long contractual customers stay: the shifted-beta-geometric model.

    At every renewal a customer leaves with a probability of their own, which never changes and differs
    between customers as a beta variable with shapes alpha and beta. Retention of a cohort rises with age
    only because those likely to leave have left.

    Parameters
    ----------
    time_unit : {"H", "D", "W", "M", "Q", "Y"}, optional
        Length of a renewal period, needed only for forecasts given as text, such as "12M".

    Notes
    -----
    Fader & Hardie, "How to project customer retention", Journal of Interactive Marketing 21(1), 2007.
    Attributes as in `LikelihoodModel`.

    Examples
    --------
    >>> model = ShiftedBetaGeoModel().fit([1000, 869, 743, 653, 593, 551, 517, 491])
    >>> {one: round(value, 3) for one, value in model.params_.items()}
    {'alpha': 0.668, 'beta': 3.806}
    >>> (100 * model.expected_survival([8, 12])).round(1).tolist()
    [46.0, 37.8]
    """

    name: ClassVar[str] = "sBG"
    parameter_names: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    cures: ClassVar[dict[str, str]] = {
        "alpha": "Fit more renewals, or use one constant retention rate.",
        "beta": "Fit more renewals, or use one constant retention rate.",
    }

    def fit(self, data: pd.DataFrame | Sequence[float]) -> Self:
        """Estimate alpha and beta.

        Parameters
        ----------
        data : sequence of float, or DataFrame
            Survivors per period of one cohort, the first being its size; or one row per customer with
            `T` (for those who left, the period in which they did, 1 being the first renewal; for the
            others, the renewals made so far), `alive` (bool) and optionally `weight`.

        Returns
        -------
        ShiftedBetaGeoModel

        Raises
        ------
        DataError
            If survivors rise, a column is missing or holds impossible values.
        FitError
            If nobody left, or all customers met fewer than 2 renewals: then only one rate is known.
        """
        left, kept = _from_frame(data) if isinstance(data, pd.DataFrame) else _from_survivors(data)
        self.time_unit_ = self._unit_of(data)
        total = left.sum() + kept.sum()
        met = left[2:].sum() + kept[2:].sum()  # customers who came to a second renewal
        if not (left.sum() > 0 and met > 0):
            why = "nobody left" if left.sum() == 0 else "nobody came to a second renewal"
            raise FitError(
                f"T: {why} among {fmt.count(total)} customers: alpha and beta need a longer history"
            )
        first = np.clip(left[1] / (total - kept[0]), 0.02, 0.98)
        starts = [{"alpha": first * size, "beta": (1 - first) * size} for size in (3.0, 30.0, 0.5)]
        self._estimate(_LogLikelihood(left, kept), starts, total)
        return self

    # -- a cohort --------------------------------------------------------------------------------------------

    def expected_retention_rate(self, t: ArrayLike) -> Array:
        """Share of those who made t - 1 renewals who make the t-th: (beta + t - 1) / (alpha + beta + t - 1).

        Parameters
        ----------
        t : int or array of int
            Renewals, counted from 1.

        Returns
        -------
        ndarray, shape of `t`
        """
        alpha, beta = self._values()
        t = _whole("t", t, least=1)
        return (beta + t - 1) / (alpha + beta + t - 1)

    def expected_survival(self, t: ArrayLike) -> Array:
        """Share of a new cohort that makes at least t renewals (1 at t = 0); shape of `t`."""
        alpha, beta = self._values()
        return np.exp(betaln(alpha, beta + _whole("t", t, least=0)) - betaln(alpha, beta))

    def expected_lifetime_new_customer(self, discount_rate: float = 0.0) -> float:
        """Discounted number of periods that a new customer pays for.

        Timing: each period is paid at its start, the first one now and for certain.

        Parameters
        ----------
        discount_rate : float, default 0
            Per renewal period.

        Returns
        -------
        float
            Sum over t of S(t) / (1 + d)^t; inf if d = 0 and alpha <= 1.

        Notes
        -----
        Fader & Hardie, "Customer-base valuation in a contractual setting: the perils of ignoring
        heterogeneity", Marketing Science 29(1), 2010.

        Examples
        --------
        >>> model = ShiftedBetaGeoModel.from_params(alpha=0.668, beta=3.806)
        >>> round(model.expected_lifetime_new_customer(discount_rate=0.1), 2)
        5.92
        """
        return 1.0 + float(self._renewals_to_come(np.zeros(1), discount_rate)[0]) / (1.0 + discount_rate)

    # -- a customer ------------------------------------------------------------------------------------------

    def expected_probability_alive(self, data: pd.DataFrame, future_t: float | str = 0) -> pd.Series:
        """Probability that a customer is still there after `future_t` more renewals.

        Parameters
        ----------
        data : DataFrame
            `T`, the renewals made so far, and `alive` (taken to be true for all where it is missing).
        future_t : int or str, default 0
            Renewals to come, or a text such as "12M" if the model knows its time unit.

        Returns
        -------
        Series
            0 for those who have left; indexed as `data`.
        """
        alpha, beta = self._values()
        age, alive = self._ages(data)
        more = _whole("future_t", self._periods(future_t), least=0)
        stays = np.exp(betaln(alpha, beta + age + more) - betaln(alpha, beta + age))
        return pd.Series(np.where(alive, stays, 0.0), index=data.index, name="p_alive")

    def expected_residual_lifetime(self, data: pd.DataFrame, discount_rate: float = 0.0) -> pd.Series:
        """Discounted number of renewals still to come from each customer.

        Timing: the next renewal is due now and its money is not discounted (the paper's DERL, evaluated
        just before the decision); the paper's n is T + 1.

        Parameters
        ----------
        data : DataFrame
            As in `expected_probability_alive`.
        discount_rate : float, default 0
            Per renewal period.

        Returns
        -------
        Series
            0 for those who have left; inf without discounting if alpha <= 1.

        Notes
        -----
        Fader & Hardie 2010, as in `expected_lifetime_new_customer`.
        """
        age, alive = self._ages(data)
        values, row = np.unique(age, return_inverse=True)
        lifetime = self._renewals_to_come(values, discount_rate)[row]
        return pd.Series(np.where(alive, lifetime, 0.0), index=data.index, name="residual_lifetime")

    def _renewals_to_come(self, age: Array, discount_rate: float) -> Array:
        """Expectation of (1 - theta)(1 + d) / (d + theta) over theta ~ Beta(alpha, beta + age)."""
        alpha, beta = self._values()
        check_range("discount_rate", discount_rate, "a rate per period, 0 or more", least=0)
        if discount_rate == 0:
            return (beta + age) / (alpha - 1) if alpha > 1 else np.full_like(age, np.inf)
        theta, weight = beta_rule(alpha, beta + age, np.full_like(age, 1.0 / discount_rate))
        return np.sum(weight * (1 - theta) * (1 + discount_rate) / (discount_rate + theta), axis=1)

    def _ages(self, data: pd.DataFrame) -> tuple[Array, np.ndarray]:
        self._check_unit(data)
        return _lifetimes(data)


class _LogLikelihood:
    """ln P(T = t) for those who left in t, ln S(t) for those kept so far, and the gradient."""

    def __init__(self, left: Array, kept: Array) -> None:
        t = np.arange(len(left), dtype=float)
        # P(T = t) has B(alpha + 1, beta + t - 1), S(t) has B(alpha, beta + t)
        self.a = np.concatenate([np.ones(len(t) - 1), np.zeros(len(t))])
        self.b = np.concatenate([t[1:] - 1, t])
        self.weight = np.concatenate([left[1:], kept])

    def __call__(self, log_params: Array) -> tuple[float, Array]:
        alpha, beta = np.exp(log_params)
        value = self.weight @ (betaln(alpha + self.a, beta + self.b) - betaln(alpha, beta))
        both = digamma(alpha + beta) - digamma(alpha + beta + self.a + self.b)
        of_alpha = self.weight @ (digamma(alpha + self.a) - digamma(alpha) + both)
        of_beta = self.weight @ (digamma(beta + self.b) - digamma(beta) + both)
        return float(value), np.array([of_alpha * alpha, of_beta * beta])


def _from_survivors(data: Sequence[float]) -> tuple[Array, Array]:
    """Customers who left in each period, and customers kept through the last period."""
    survivors = np.asarray(data, dtype=float)
    if survivors.ndim != 1 or len(survivors) < 2:
        raise DataError("survivors: give the cohort's size and then its survivors per period, at least one")
    wrong = ~np.isfinite(survivors) | (survivors < 0) | (np.diff(survivors, prepend=survivors[0]) > 0)
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"survivors: value {place + 1} of {len(survivors)} is {survivors[place]:g}; they never rise or go below 0"
        )
    kept = np.zeros(len(survivors))
    kept[-1] = survivors[-1]
    return -np.diff(survivors, prepend=survivors[0]), kept


def _from_frame(data: pd.DataFrame) -> tuple[Array, Array]:
    check_columns("data", data, ("T", "alive"))
    weight = read_weight(data)
    age, alive = _lifetimes(data)
    period, size = age.astype(int), int(age.max()) + 1
    left, kept = (np.bincount(period, weight * state, size).astype(float) for state in (~alive, alive))
    return left, kept


def _lifetimes(data: pd.DataFrame) -> tuple[Array, np.ndarray]:
    check_columns("data", data, ["T"])
    age = numbers(data, "T")
    refuse_values(data, "T", age, None)
    if (broken := age != np.floor(age)).any():
        refuse_rows(data, broken, "T is no whole number", "it counts renewal periods")
    if "alive" not in data.columns:
        return age, np.ones(len(data), dtype=bool)
    flags = numbers(data, "alive")
    if (unknown := ~np.isin(flags, (0.0, 1.0))).any():
        refuse_rows(data, unknown, "alive is neither true nor false", "say who has left")
    alive = flags == 1.0
    if (early := ~alive & (age == 0)).any():
        refuse_rows(data, early, "alive is false although T is 0", "the first renewal is T = 1")
    return age, alive


def _whole(name: str, value: ArrayLike, least: int) -> Array:
    periods = np.asarray(value, dtype=float)
    rounded = np.round(periods)
    if not (np.all(np.abs(periods - rounded) < 1e-9) and np.all(periods >= least)):
        raise CrmError(f"{name} is {value!r}; give whole numbers of renewal periods, {least} or more")
    return rounded
