"""How profit is spread over customers: the whale curve, and how much of the differences is chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import span
from crmlib.customers.profit.cost_to_serve import as_costs
from crmlib.customers.profit.customer_profit import profit_in_weeks
from crmlib.customers.sentences import whale
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import with_finding
from crmlib.rankings import gini, top_share
from crmlib.study.file import Costs

FEWEST_WEEKS = 8
FEWEST = 50  # customers, below which true differences and chance cannot be separated
_CALLED = {"clv": "lifetime value"}  # columns of value, as a sentence names them
_CURVE = 501  # points of a curve, more than a chart can show
_CALLED = {"clv": "lifetime value"}  # columns of value, as a sentence names them
_SUPPORT, _STEPS = 401, 5  # more steps fit the noise: on made-up firms the chances then grow too sure


@dataclass(frozen=True)
class WhaleCurve:
    """Cumulative profit of customers, the best first.

    Attributes
    ----------
    curve : DataFrame
        `customers` (how many of the best), `share_of_customers`, `profit` (theirs together) and
        `share_of_profit` (NaN where the total is not positive); thinned where there are many, the peak kept.
    total : float
        Profit of all.
    peak, peak_share : float
        Profit of all who bring any, and as a share of the total; above 100 % the others destroy value.
    peak_customers : int
        How many they are; who brings nothing is not among them.
    tail : float
        What the others lose, 0 or less: total − peak.
    top_20_share : float
        Share of the total that the best fifth of customers hold.
    gini : float
        NaN where somebody loses money, for the measure is not defined there.
    """

    curve: pd.DataFrame
    total: float
    peak: float
    peak_share: float
    peak_customers: int
    tail: float
    top_20_share: float
    gini: float


def whale_curve(profit: pd.Series | np.ndarray) -> WhaleCurve:
    """How much more would the firm make from its profitable customers alone?

    Not what it would make without the others: their fixed costs would stay, see `ValueTiers.ways_out_of_lead`.

    Parameters
    ----------
    profit : array of float
        Profit per customer, as in `customer_profit(...)["profit"]`.

    Returns
    -------
    WhaleCurve

    References
    ----------
    Kaplan, R. S. and Narayanan, V. G. (2001), "Measuring and managing customer profitability", Journal of
    Cost Management 15(5), 5-15.

    Examples
    --------
    >>> whale = whale_curve([400, 250, 150, 80, 40, 20, 10, -20, -130, -200])
    >>> whale.total, whale.peak, round(whale.peak_share, 3), whale.peak_customers, whale.tail
    (600.0, 950.0, 1.583, 7, -350.0)
    """
    values = np.asarray(profit, dtype=float)
    if infinite := int((~np.isfinite(values)).sum()):
        raise CrmError(f"{infinite:,} customers have no finite value; leave them out")
    ranked = np.sort(values)[::-1]
    cumulative = np.concatenate([[0.0], np.cumsum(ranked)])
    peak_customers = int((ranked > 0).sum())
    total, peak = float(cumulative[-1]), float(cumulative[peak_customers])
    points = np.linspace(0, len(ranked), min(len(ranked) + 1, _CURVE)).round().astype(int)
    customers = np.unique(np.append(points, peak_customers))
    whole = total if total > 0 else np.nan
    curve = pd.DataFrame({"customers": customers, "share_of_customers": customers / max(len(ranked), 1)})
    curve["profit"] = cumulative[customers]
    curve["share_of_profit"] = curve["profit"] / whole
    name = getattr(profit, "name", None)
    with_finding(curve, whale, _CALLED.get(name, name) if isinstance(name, str) else "profit")
    best_fifth = top_share(values, 0.2)
    return WhaleCurve(
        curve, total, peak, peak / whole, peak_customers, total - peak, best_fifth, gini(values)
    )


def profit_halves(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    costs: Costs | Mapping[str, float] | None = None,
    **known: Any,
) -> pd.DataFrame:
    """What would each customer's profit have been in another period just like this one, twice?

    The weeks are dealt out to two halves in the order of Thue and Morse (0110 1001 …), so that a trend or a
    season falls on both alike, and so do habits such as every second week: what is left between them is chance.
    Parameters are those of `customer_profit`.

    Returns
    -------
    DataFrame
        By customer: `customer_id`, `one`, `other` (profit of the halves; revenue where no cost is known),
        `value` (their sum: the period's) and `exposure_days`; `.attrs["value"]` says which of the two it is.

    Raises
    ------
    CannotAnswerError
        If the period has fewer than 8 weeks.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a"], "amount": [10.0, 30.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-10"])})
    >>> profit_halves(log, start="2024-01-01", end="2024-02-29")[["one", "other", "value"]]
        one  other  value
    0  10.0   30.0   40.0
    """
    first, last = span(start, end)
    weeks = ((last - first).days + 1) // 7
    if weeks < FEWEST_WEEKS:
        raise CannotAnswerError(
            f"{first} to {last} are {max(weeks, 0)} weeks; {FEWEST_WEEKS} are needed to separate chance from habit"
        )
    prices = as_costs(costs)
    whole = profit_in_weeks(transactions, first, last, costs=prices, **known)
    value = "profit" if "profit" in whole else "revenue"
    # An account costs the same in either half, whether or not anything happens in it.
    moving = prices.model_copy(update={"fixed_per_year": None if prices.fixed_per_year is None else 0.0})
    account = whole["cost_of_account"] / 2
    found = pd.DataFrame(whole[["customer_id", "exposure_days"]])
    for name, odd in (("one", 0), ("other", 1)):
        dealt = [week for week in range((last - first).days // 7 + 1) if week.bit_count() % 2 == odd]
        half = profit_in_weeks(transactions, first, last, costs=moving, weeks=dealt, **known)
        found[name] = found["customer_id"].map(half.set_index("customer_id")[value]).fillna(0.0) - account
    found["value"] = found["one"] + found["other"]
    assert abs(found["value"].sum() - whole[value].sum()) < 0.005 + 1e-9 * whole["gross"].sum(), (
        "the halves do not add up to the period"
    )
    found.attrs["value"] = value
    return found


@dataclass(frozen=True)
class ProfitNoise:
    """Chance and truth in a base's profit, learned from two halves of a period.

    Attributes
    ----------
    coefficients : array
        Noise variance of a period's profit whose true value is t: a + b·max(t, 0) + c·max(−t, 0) + d·t².
    scale : float
        Money at which the asinh scale of `support` bends from straight to logarithmic.
    support, weights : array
        True values and how many customers have them; the weights add up to 1.
    reliability : float
        Share of the variance between customers that is true: 1 − noise variance / variance.
    """

    coefficients: np.ndarray
    scale: float
    support: np.ndarray
    weights: np.ndarray
    reliability: float

    def variance(self, true_values: np.ndarray) -> np.ndarray:
        """Noise variance of a period's profit, by true value."""
        return _terms(true_values) @ self.coefficients

    def posterior(self, values: np.ndarray) -> np.ndarray:
        """Chances of each true value of `support` (columns) for observed values (rows)."""
        deviation = np.sqrt(
            self.variance(self.support) + np.gradient(self.support) ** 2
        )  # not finer than the grid
        apart = (values[:, None] - self.support) / deviation
        joint = np.exp(-0.5 * np.minimum(apart**2, 1400.0)) / deviation * self.weights
        return joint / joint.sum(axis=1, keepdims=True)


def profit_noise(halves: pd.DataFrame) -> ProfitNoise:
    """How much of the differences between customers' profits is chance, from halves as of `profit_halves`?

    Raises
    ------
    CannotAnswerError
        With fewer than 50 customers, or if all have the same profit.

    Notes
    -----
    The squared difference of the halves has the noise variance as its mean, whatever the true value, as long
    as chance in one half does not depend on the other. It is regressed on the profit, for who buys much
    varies much. The distribution of true values is the one that, blurred by that noise, gives the observed
    one: expectation maximisation on a fine grid, stopped early, so that it stays smooth.

    References
    ----------
    Efron, B. and Morris, C. (1975), "Data analysis using Stein's estimator and its generalizations", JASA
    70(350), 311-319. Efron, B. (2016), "Empirical Bayes deconvolution estimates", Biometrika 103(1), 1-20.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> true = random.gamma(1.0, 50.0, 2000)
    >>> halves = pd.DataFrame({name: true / 2 + random.normal(0, 25, 2000) for name in ("one", "other")})
    >>> round(profit_noise(halves).reliability, 1)  # variances: 50² true, 2 × 25² noise
    0.7
    """
    one, other = (halves[name].to_numpy(dtype=float) for name in ("one", "other"))
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise CrmError("halves hold a value that is missing or infinite; leave these customers out")
    values, squares = one + other, (one - other) ** 2
    if len(values) < FEWEST or np.ptp(values) == 0:
        raise CannotAnswerError(
            f"{fmt.plural(len(values), 'customer')} with {fmt.plural(len(np.unique(values)), 'different profit')}; "
            f"{FEWEST} customers who differ are needed to separate chance from real differences"
        )
    coefficients = _regressed(values, squares)
    scale = float(np.median(np.abs(values[values != 0])))
    low, high = np.arcsinh(np.array([values.min(), values.max()]) / scale)
    support = scale * np.sinh(np.linspace(low, high, _SUPPORT))
    reliability = float(np.clip(1 - squares.mean() / values.var(), 0.0, 1.0))
    # Each step of the grid stands for the customers in it.
    cell = np.searchsorted((support[1:] + support[:-1]) / 2, values)
    counts = np.bincount(cell, minlength=_SUPPORT)
    held = counts > 0
    means = np.bincount(cell, values, minlength=_SUPPORT)[held] / counts[held]
    noise = ProfitNoise(coefficients, scale, support, np.full(_SUPPORT, 1 / _SUPPORT), reliability)
    for _ in range(_STEPS):
        noise = replace(noise, weights=counts[held] / len(values) @ noise.posterior(means))
    return noise


def _terms(values: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones_like(values), np.maximum(values, 0), np.maximum(-values, 0), values**2])


def _regressed(values: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Coefficients of the noise variance, none negative, from means of customers with like profits."""
    from scipy.optimize import nnls

    groups = np.array_split(np.argsort(values, kind="stable"), min(60, len(values) // 10))
    noise = np.array([squares[group].mean() for group in groups])
    terms = np.array([_terms(values[group]).mean(axis=0) for group in groups])
    if not noise.any():
        return np.zeros(4)
    size = noise + 0.01 * noise.mean()  # relative errors count, but not those of groups without noise
    # Each column by its own size: money squared and a constant 1 differ too much for the solver.
    unit = np.where(terms.max(axis=0) > 0, terms.max(axis=0), 1.0)
    found = nnls(terms / unit / size[:, None], noise / size)[0] / unit
    # The square of an observed profit holds the noise itself.
    return found / (1 + found[3])
