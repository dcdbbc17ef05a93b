"""Tests of predicted effects: do they differ between customers, and what does choosing by them bring?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from scipy.special import ndtr

from crmlib.errors import FitError
from crmlib.findings import Estimate, with_finding
from crmlib.models.sentences import order_by_effect
from crmlib.rankings import parts_of_equal_size, rank_correlation
from crmlib.statistics import (
    bootstrap_weights,
    difference_of_means,
    normal_quantile,
    percentile_interval,
    with_intervals,
)

# One-sided: folds share customers, so that at 5 % more than one null in twenty would pass.
SIGNIFICANT = 0.025
LEVEL = 0.95  # of all intervals
GROUPS = 5  # of predicted effect
ORDERED = 0.7  # rank correlation of predicted and measured order of the groups: two may have changed places, not more


@dataclass(frozen=True)
class Heterogeneity:
    """Whether the contact helps some more than others, as far as the model can tell.

    - `average_effect`, `average_low`, `average_high`: of contacting everybody, with its 95 % interval.
    - `loading`, `loading_error`: how much of a predicted difference of effects comes about: 1 if predictions are right,
      0 if they say nothing; nan where the model predicts the same for all.
    - `p_value`: One-sided, of a loading at least as large if the effect is the same for all.
    - `order`: rank correlation of the groups' predicted order with the effects measured in them.
    - `groups`: by `group` of predicted effect within each fold, 1 the highest of five: `customers, predicted, effect`,
      with the 95 % interval `low, high`.
    """

    average_effect: float
    average_low: float
    average_high: float
    loading: float
    loading_error: float
    p_value: float
    order: float
    groups: pd.DataFrame

    @property
    def usable(self) -> bool:
        """Whether to choose by predicted effects: more than chance, and in an order that customers not seen follow."""
        return self.p_value < SIGNIFICANT and self.order > ORDERED - 1e-9

    @property
    def sentence(self) -> str:
        """The finding."""
        if self.usable:
            ends = self.groups.iloc[[0, -1]][["effect", "low", "high"]].to_numpy()
            first, last = (Estimate(value, "ratio", low, high) for value, low, high in ends)
            return (
                f"The contact helps some more than others (p = {self.p_value:.2g}): {first} where most is predicted, "
                f"{last} where least is. Choose by predicted effect."
            )
        average = Estimate(self.average_effect, "ratio", self.average_low, self.average_high)
        why = f"p = {self.p_value:.2g}"
        if self.p_value < SIGNIFICANT:
            why = "groups do not follow the order that is predicted for them"
        return (
            f"No difference between customers can be shown ({why}): predicted effects are not to be "
            f"used. On average the contact changes the outcome by {average}; choose by value and cost alone."
        )


def heterogeneity_test(cross_fitted: pd.DataFrame) -> Heterogeneity:
    """Does the contact help some customers more than others, as far as the model can tell?

    The outcome is regressed on the treatment and on the treatment times the predicted effect, each customer's predicted
    by models that did not see them (`UpliftModel.cross_fitted_`): if the second has no weight, predicted differences
    are noise. What is to be used must also put groups of unseen customers in the order of their effects.

    Best linear predictor and sorted group effects of Chernozhukov, Demirer, Duflo & Fernández-Val, "Generic machine
    learning inference on heterogeneous treatment effects in randomized experiments" (2018; Econometrica 93, 2025), with
    cross-fitted predictions centred within folds in place of the median over random splits, and standard errors that
    allow unequal variances (HC3).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> data = pd.DataFrame({"effect": random.normal(size=4000), "treated": random.random(4000) < 0.5})
    >>> data = data.assign(control_outcome=0.0, fold=np.arange(4000) % 5)
    >>> same_for_all = data.assign(outcome=random.normal(data["treated"] * 1.0))
    >>> heterogeneity_test(same_for_all).usable
    False
    """
    effect, treated, outcome = _read(cross_fitted)
    fold = cross_fitted["fold"].to_numpy()
    centred = effect - pd.Series(effect).groupby(fold).transform("mean").to_numpy()
    contrast = treated - treated.mean()
    left_alone = cross_fitted["control_outcome"].to_numpy(dtype=float)
    differs = bool(np.ptp(centred) > 1e-12 * max(1.0, np.abs(effect).max()))
    columns = [contrast, np.ones(len(effect)), left_alone - left_alone.mean()]
    columns += [contrast * centred, centred] if differs else []
    values, errors = _regression(np.column_stack(columns), outcome)
    reach = normal_quantile(LEVEL) * errors[0]
    average = float(values[0]), float(values[0] - reach), float(values[0] + reach)
    loading, error = (float(values[3]), float(errors[3])) if differs else (np.nan, np.nan)
    p = float(ndtr(-loading / error)) if differs else 1.0
    groups = _groups(centred, effect, fold, treated, outcome)
    order = rank_correlation(-groups["group"], groups["effect"]) if differs else np.nan
    return Heterogeneity(*average, loading, error, p, order, groups)


def calibrated_effects(cross_fitted: pd.DataFrame, predicted: pd.Series) -> pd.Series:
    """Which effect to plan with for customers of a predicted effect, after what the experiment says of predictions?

    The average effect and, where there is a difference to use, the predicted differences times their loading, 1 at
    most: models exaggerate. The same for all where there is none.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> data = pd.DataFrame({"effect": random.normal(size=4000), "treated": random.random(4000) < 0.5})
    >>> data = data.assign(control_outcome=0.0, fold=np.arange(4000) % 5)
    >>> half = data.assign(outcome=random.normal(data["treated"] * data["effect"] / 2))
    >>> bool(0.4 < calibrated_effects(half, half["effect"]).std() / data["effect"].std() < 0.6)
    True
    """
    found = heterogeneity_test(cross_fitted)
    loading = min(found.loading, 1.0) if found.usable else 0.0
    return (found.average_effect + loading * (predicted - cross_fitted["effect"].mean())).rename("effect")


def _read(cross_fitted: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted effect, treatment and outcome of each customer."""
    effect, outcome = (cross_fitted[name].to_numpy(dtype=float) for name in ("effect", "outcome"))
    return effect, cross_fitted["treated"].to_numpy(dtype=bool), outcome


def _regression(design: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with HC3 standard errors."""
    inverse = np.linalg.pinv(design.T @ design)
    values = inverse @ design.T @ outcome
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    scaled = design * ((outcome - design @ values) / (1.0 - leverage))[:, None]
    return values, np.sqrt(np.diag(inverse @ (scaled.T @ scaled) @ inverse))


def _groups(
    centred: np.ndarray, effect: np.ndarray, fold: np.ndarray, treated: np.ndarray, outcome: np.ndarray
) -> pd.DataFrame:
    """The effect in each group of predicted effect."""
    # Equals are parted by chance, not by their place in the file.
    shuffled = pd.Series(-centred).sample(frac=1, random_state=0)
    rank = shuffled.groupby(fold[shuffled.index]).rank(method="first", pct=True).sort_index().to_numpy()
    group = np.ceil(rank * GROUPS - 1e-9).astype(int)
    rows = []
    for number in range(1, GROUPS + 1):
        here = group == number
        of_treated, of_control = outcome[here & treated], outcome[here & ~treated]
        if min(len(of_treated), len(of_control)) < 2:
            raise FitError(
                f"group {number} of {GROUPS} has {len(of_treated)} treated and {len(of_control)} control; too few"
            )
        found = difference_of_means(of_treated, of_control, level=LEVEL)
        rows.append((number, int(here.sum()), effect[here].mean(), found.difference, found.low, found.high))
    return pd.DataFrame(rows, columns=["group", "customers", "predicted", "effect", "low", "high"])


@dataclass(frozen=True)
class UpliftCurves:
    """What contacting the best first brings, on customers whom the models did not see.

    `curve`: by `share` of customers contacted, the highest predicted effect first: `uplift` (the outcome gained per
    customer of the base, contacted or not: share times the difference of means among them; Gutierrez & Gérardy 2017),
    `qini` (the outcome gained per treated customer of the experiment; Radcliffe 2007), each with `_low` and `_high`,
    and `at_random` (the uplift if chance chose). `qini_coefficient`, `qini_low`, `qini_high`: area between the Qini
    curve and the line of a choice by chance; 0 if the order is no better.
    """

    curve: pd.DataFrame
    qini_coefficient: float
    qini_low: float
    qini_high: float


def uplift_curves(
    cross_fitted: pd.DataFrame, *, steps: int = 20, resamples: int = 200, random_state: int = 0
) -> UpliftCurves:
    """How much is gained by contacting those first who are predicted to gain most?

    `cross_fitted`: `UpliftModel.cross_fitted_`, or `effect` (any score), `treated` and `outcome` of customers whom the
    score's model did not see. `steps`: Cut-offs, evenly over the share contacted. `resamples`, `random_state`: of the
    bootstrap of customers, for the intervals; the model stays as it is.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> data = pd.DataFrame({"effect": random.normal(size=4000), "treated": random.random(4000) < 0.5})
    >>> data["outcome"] = random.normal(data["treated"] * data["effect"])
    >>> curves = uplift_curves(data)
    >>> curves.qini_low > 0, len(curves.curve)
    (True, 21)
    """
    effect, treated, outcome = _read(cross_fitted)
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
    curve = {"share": share} | with_intervals(("uplift", "qini"), drawn[0], drawn[1:], level=LEVEL)
    curve["at_random"] = share * drawn[0, 0, -1]
    low, high = percentile_interval(beyond[1:], level=LEVEL)
    table = with_finding(pd.DataFrame(curve), order_by_effect, low, high)
    return UpliftCurves(table, float(beyond[0]), float(low), float(high))


def _measures(
    cell: np.ndarray, outcome: np.ndarray, weights: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Uplift and Qini at each cut-off; `cell` is the step, those of the treated after those of the control."""
    count = np.bincount(cell, weights=weights, minlength=2 * steps).reshape(2, steps)
    total = np.bincount(cell, weights=weights * outcome, minlength=2 * steps).reshape(2, steps)
    (control, treated), (control_total, treated_total) = count.cumsum(axis=1), total.cumsum(axis=1)
    # A cut-off with nobody to compare with tells of no gain yet.
    both = (control > 0) & (treated > 0)
    gap = np.where(both, treated_total / np.maximum(treated, 1) - control_total / np.maximum(control, 1), 0.0)
    uplift = gap * (control + treated) / (control[-1] + treated[-1])
    qini = gap * treated / max(treated[-1], 1.0)
    return np.append(0.0, uplift), np.append(0.0, qini)
