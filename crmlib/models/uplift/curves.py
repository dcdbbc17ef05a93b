"""How much choosing customers by predicted effect brings: uplift and Qini curves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd

from crmlib.models.uplift.assignment import read_effects
from crmlib.rankings import parts_of_equal_size
from crmlib.statistics import bootstrap_weights, check_level, percentile_interval, with_intervals


@dataclass(frozen=True)
class UpliftCurves:
    """What contacting the best first brings, on customers whom the models did not see.

    Attributes
    ----------
    curve : DataFrame
        By `share` of customers contacted, the highest predicted effect first: `uplift` (the outcome gained per
        customer of the base, contacted or not: share times the difference of means among them; Gutierrez &
        Gérardy 2017), `qini` (the outcome gained per treated customer of the experiment; Radcliffe 2007), each
        with `_low` and `_high`, and `at_random` (the uplift if chance chose).
    qini_coefficient, qini_low, qini_high : float
        Area between the Qini curve and the line of a choice by chance; 0 if the order is no better.
    level : float
    """

    curve: pd.DataFrame
    qini_coefficient: float
    qini_low: float
    qini_high: float
    level: float


def uplift_curves(
    cross_fitted: pd.DataFrame,
    *,
    steps: int = 20,
    resamples: int = 200,
    level: float = 0.95,
    random_state: int = 0,
) -> UpliftCurves:
    """How much is gained by contacting those first who are predicted to gain most?

    Parameters
    ----------
    cross_fitted : DataFrame
        `UpliftModel.cross_fitted_`, or `effect` (any score), `treated` and `outcome` of customers whom the
        score's model did not see.
    steps : int, default 20
        Cut-offs, evenly over the share contacted.
    resamples : int, default 200
        Of customers, for the intervals; the model stays as it is.
    level : float, default 0.95
    random_state : int, default 0

    Returns
    -------
    UpliftCurves

    Raises
    ------
    DataError
        If a column is missing or holds no number.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> data = pd.DataFrame({"effect": random.normal(size=4000), "treated": random.random(4000) < 0.5})
    >>> data["outcome"] = random.normal(data["treated"] * data["effect"])
    >>> curves = uplift_curves(data)
    >>> curves.qini_low > 0, len(curves.curve)
    (True, 21)
    """
    check_level(level)
    effect, treated, outcome = read_effects(cross_fitted)
    random = np.random.default_rng(random_state)
    customers = len(effect)
    # Customers with the same score come in the order of chance, not of the file.
    order = np.lexsort((random.random(customers), -effect))
    cell = np.empty(customers, dtype=np.intp)
    cell[order] = parts_of_equal_size(customers, steps)
    cell += steps * treated
    # The first round is the customers as they are.
    rounds = chain([np.ones(customers)], bootstrap_weights(customers, resamples, random, poisson=True))
    drawn = np.array([_measures(cell, outcome, weights, steps) for weights in rounds])
    share, qini = np.linspace(0, 1, steps + 1), drawn[:, 1]
    above = qini - qini[:, -1:] * share
    beyond = (above[:, 1:] + above[:, :-1]).sum(axis=1) / (2 * steps)
    curve = {"share": share} | with_intervals(("uplift", "qini"), drawn[0], drawn[1:], level=level)
    curve["at_random"] = share * drawn[0, 0, -1]
    low, high = percentile_interval(beyond[1:], level=level)
    return UpliftCurves(pd.DataFrame(curve), float(beyond[0]), float(low), float(high), level)


def _measures(
    cell: np.ndarray, outcome: np.ndarray, weights: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Uplift and Qini at each cut-off; `cell` is the step, those of the treated after those of the control."""
    count = np.bincount(cell, weights=weights, minlength=2 * steps).reshape(2, steps)
    total = np.bincount(cell, weights=weights * outcome, minlength=2 * steps).reshape(2, steps)
    (control, treated), (control_total, treated_total) = (np.cumsum(one, axis=1) for one in (count, total))
    # A cut-off with nobody to compare with tells of no gain yet.
    both = (control > 0) & (treated > 0)
    gap = np.where(both, treated_total / np.maximum(treated, 1) - control_total / np.maximum(control, 1), 0.0)
    uplift = gap * (control + treated) / (control[-1] + treated[-1])
    qini = gap * treated / max(treated[-1], 1.0)
    return np.append(0.0, uplift), np.append(0.0, qini)
