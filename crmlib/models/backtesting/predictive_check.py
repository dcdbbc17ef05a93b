"""What a model holds possible beside what happened: counts of each customer, and their total."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.models._histories import Histories, distinct_pairs, read_histories
from crmlib.models._inference import Array
from crmlib.models.purchase import PurchaseModel
from crmlib.statistics import normal_quantile

LEVELS = (0.5, 0.8, 0.95)  # nominal probabilities of the intervals that are checked
DRAWN = 50_000  # customers drawn, at least, to learn how far single customers stray from their expectation
STEP = 1e-3  # of the differences, in log parameters, that tell how much a total depends on them


@dataclass(frozen=True)
class PredictiveCheck:
    """How what happened lies in what a model held possible.

    Attributes
    ----------
    pit : array, shape (customers,)
        Randomised probability integral transform: uniform between 0 and 1 for a true model.
    log_score : float
        Mean of -log P(the count that happened); smaller is better, on data the model has not seen.
    coverage : DataFrame
        A row per nominal level: `nominal`, `implied` (the share of customers that the model itself expects
        in its intervals: counts are discrete, so it is more than nominal) and `actual`.
    """

    pit: Array
    log_score: float
    coverage: pd.DataFrame

    @property
    def distance_to_uniform(self) -> float:
        """The largest distance of the PIT's shares below from what they should be (Kolmogorov–Smirnov)."""
        ordered, n = np.sort(self.pit), len(self.pit)
        return float(max((np.arange(1, n + 1) / n - ordered).max(), (ordered - np.arange(n) / n).max()))


def check_counts(
    model: PurchaseModel,
    customers: pd.DataFrame,
    counts: NDArray[np.int64],
    future_t: float,
    random_state: int | np.random.Generator,
) -> PredictiveCheck:
    """Compare each customer's count with the model's distribution of it, exactly.

    Parameters
    ----------
    model : PurchaseModel
        Fitted.
    customers : DataFrame
        Columns `frequency, recency, T`.
    counts : array of int, shape (customers,)
        What happened in the `future_t` after.
    future_t : float
        In the model's unit of time.
    random_state : int or numpy Generator
        For the randomised part of the PIT.

    Returns
    -------
    PredictiveCheck

    Notes
    -----
    Intervals are equal-tailed. Czado, Gneiting & Held (2009), Predictive model assessment for count data,
    Biometrics 65(4), 1254–1261.
    """
    known = read_histories(customers)
    ends = np.array([end for level in LEVELS for end in ((1 - level) / 2, (1 + level) / 2)])
    walk = _walk_up(model, known, counts, future_t, ends)
    random = np.random.default_rng(random_state)
    pit = walk.below + random.random(len(counts)) * walk.exactly
    rows = []
    for place, level in enumerate(LEVELS):
        low, high = 2 * place, 2 * place + 1
        inside = (counts >= walk.quantile[known.row, low]) & (counts <= walk.quantile[known.row, high])
        implied = walk.up_to[:, high] - walk.under[:, low]
        rows.append((level, float(implied[known.row].mean()), float(inside.mean())))
    coverage = pd.DataFrame(rows, columns=["nominal", "implied", "actual"])
    return PredictiveCheck(pit, float(-np.log(np.maximum(walk.exactly, 1e-300)).mean()), coverage)


@dataclass
class _Walk:
    """P(fewer), P(exactly) per customer; per history the quantiles, with P(up to) and P(under) each."""

    below: Array
    exactly: Array
    quantile: NDArray[np.int64]
    up_to: Array
    under: Array


def _walk_up(
    model: PurchaseModel, known: Histories, counts: NDArray[np.int64], t: float, ends: Array
) -> _Walk:
    """Go through 0, 1, 2 … purchases, for as long as somebody may buy or has bought that often.

    Future purchases of living customers depend on frequency and T alone: one probability per such pair.
    """
    alive = model._alive(known.frequency, known.recency, known.T)
    pair, unique = distinct_pairs(known.frequency, known.T)
    x, age = known.frequency[unique], known.T[unique]
    most = np.zeros(len(x), dtype=np.int64)
    np.maximum.at(most, pair[known.row], counts)
    customers = np.split(np.argsort(counts, kind="stable"), np.cumsum(np.bincount(counts))[:-1])
    size = (len(alive), len(ends))
    walk = _Walk(
        np.zeros(len(counts)), np.zeros(len(counts)), np.full(size, -1), np.zeros(size), np.zeros(size)
    )
    total, fresh = np.zeros(len(x)), np.zeros(len(x))
    left, active, n = np.arange(len(x)), np.arange(len(alive)), 0
    while len(left):
        fresh[left] = model._pmf_if_alive(n, x[left], age[left], t)
        total[left] += fresh[left]
        at, of = alive[active], pair[active]
        exactly = at * fresh[of] + (1 - at if n == 0 else 0.0)
        up_to = np.minimum(1 - at + at * total[of], 1.0)
        new = (up_to[:, None] >= ends) & (walk.quantile[active] < 0)
        row, column = np.nonzero(new)
        walk.quantile[active[row], column] = n
        walk.up_to[active[row], column] = up_to[row]
        walk.under[active[row], column] = (up_to - exactly)[row]
        if n < len(customers):
            here, position = customers[n], np.searchsorted(active, known.row[customers[n]])
            walk.exactly[here] = exactly[position]
            walk.below[here] = (up_to - exactly)[position]
        left = left[(total[left] < ends[-1]) | (n < most[left])]
        waiting = np.zeros(len(x), dtype=bool)
        waiting[left] = True
        active, n = active[waiting[pair[active]]], n + 1
    return walk


@dataclass(frozen=True)
class PredictiveTotal:
    """A total of purchases with its two sources of chance.

    Attributes
    ----------
    mean : float
    of_customers : float
        Standard deviation from what single customers do at the fitted parameters.
    of_parameters : float
        Standard deviation from not knowing the parameters; those that the data do not identify add nothing.
    """

    mean: float
    of_customers: float
    of_parameters: float

    def interval(self, level: float) -> tuple[float, float]:
        """Both ends; it knows nothing of what the model leaves out, so more totals than 1 - level miss it."""
        half = normal_quantile(level) * float(np.hypot(self.of_customers, self.of_parameters))
        return max(self.mean - half, 0.0), self.mean + half


def predictive_total(
    model: PurchaseModel, customers: pd.DataFrame, future_t: float, random_state: int | np.random.Generator
) -> PredictiveTotal:
    """How many purchases all customers make together, and how far chance may carry them from it.

    Parameters
    ----------
    model, customers, future_t
        As in `check_counts`.
    random_state : int or numpy Generator
        For the draws that give the variance.

    Returns
    -------
    PredictiveTotal
    """
    mean = model.expected_purchases(customers, future_t).to_numpy()
    draws = -(-DRAWN // len(customers))
    drawn = model.sample_purchases(customers, future_t, draws, random_state)
    of_customers = np.sqrt(((drawn - mean) ** 2).sum() / draws)
    covariance = np.nan_to_num(model._fitted("_log_covariance"))
    slopes = _slopes(model, read_histories(customers), model._periods(future_t))
    of_parameters = np.sqrt(max(slopes @ covariance @ slopes, 0.0))
    return PredictiveTotal(float(mean.sum()), float(of_customers), float(of_parameters))


def _slopes(model: PurchaseModel, known: Histories, t: float) -> Array:
    """The change of the total with the logarithm of each parameter."""
    customers = np.bincount(known.row)

    def total(name: str, step: float) -> float:
        moved = type(model).from_params(
            time_unit=model.time_unit_, **model.params_ | {name: model.params_[name] * np.exp(step)}
        )
        return float(customers @ moved._expected(t)(known.frequency, known.recency, known.T))

    return np.array([(total(name, STEP) - total(name, -STEP)) / (2 * STEP) for name in model.parameter_names])
