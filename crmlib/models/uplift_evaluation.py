"""Is there a difference between customers to use, and how much does choosing by it bring?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from crmlib.errors import DataError, FitError, did_you_mean
from crmlib.models.assignment import as_treatment
from crmlib.models.differences import check_level, difference_of_means

SIGNIFICANT = 0.05


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


@dataclass(frozen=True)
class Heterogeneity:
    """Whether the contact helps some more than others, as far as the model can tell.

    Attributes
    ----------
    average_effect, average_low, average_high : float
        Of contacting everybody.
    loading, loading_error : float
        How much of a predicted difference of effects comes about: 1 if predictions are right, 0 if they say
        nothing; nan where the model predicts the same for all.
    p_value : float
        One-sided, of a loading at least as large if the effect is the same for all.
    groups : DataFrame
        By `group` of predicted effect, 1 the highest: `customers, predicted, effect, low, high`.
    usable : bool
        Whether to choose by predicted effects.
    answer : str
        The plain words.
    """

    average_effect: float
    average_low: float
    average_high: float
    loading: float
    loading_error: float
    p_value: float
    groups: pd.DataFrame
    usable: bool
    answer: str


def uplift_curves(
    cross_fitted: pd.DataFrame,
    *,
    steps: int = 20,
    bootstrap: int = 200,
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
    bootstrap : int, default 200
        Samples of customers for the intervals; the model stays as it is.
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
    effect, treated, outcome = _read(cross_fitted)
    random = np.random.default_rng(random_state)
    customers = len(effect)
    # Customers with the same score come in the order of chance, not of the file.
    order = np.lexsort((random.random(customers), -effect))
    cell = np.empty(customers, dtype=np.intp)
    cell[order] = np.arange(customers) * steps // customers
    cell += steps * treated
    drawn = [_measures(cell, outcome, np.ones(customers), steps)]
    for _ in range(bootstrap):
        drawn.append(_measures(cell, outcome, random.poisson(1.0, customers).astype(float), steps))
    uplift, qini = (np.array([one[which] for one in drawn]) for which in (0, 1))
    share = np.linspace(0, 1, steps + 1)
    above = qini - qini[:, -1:] * share
    beyond = (above[:, 1:] + above[:, :-1]).sum(axis=1) / (2 * steps)
    ends = [(1 - level) / 2, (1 + level) / 2]
    curve = {"share": share}
    for name, values in (("uplift", uplift), ("qini", qini)):
        low, high = np.quantile(values[1:], ends, axis=0) if bootstrap else np.full((2, steps + 1), np.nan)
        curve |= {name: values[0], f"{name}_low": low, f"{name}_high": high}
    curve["at_random"] = share * uplift[0, -1]
    low, high = np.quantile(beyond[1:], ends) if bootstrap else (np.nan, np.nan)
    return UpliftCurves(pd.DataFrame(curve), float(beyond[0]), float(low), float(high), level)


def heterogeneity_test(cross_fitted: pd.DataFrame, *, groups: int = 5, level: float = 0.95) -> Heterogeneity:
    """Does the contact help some customers more than others, as far as the model can tell?

    The outcome is regressed on the treatment and on the treatment times the predicted effect, each customer's
    predicted by models that did not see them: if the second has no weight, predicted differences are noise.

    Parameters
    ----------
    cross_fitted : DataFrame
        `UpliftModel.cross_fitted_`: `effect, control_outcome, fold, treated, outcome`.
    groups : int, default 5
        Groups of customers by predicted effect, formed within each fold.
    level : float, default 0.95
        Of the intervals.

    Returns
    -------
    Heterogeneity

    Raises
    ------
    DataError
        If a column is missing or holds no number.
    FitError
        If a group of predicted effect lacks treated or control customers.

    Notes
    -----
    Best linear predictor and sorted group effects of Chernozhukov, Demirer, Duflo & Fernández-Val, "Generic
    machine learning inference on heterogeneous treatment effects in randomized experiments" (2018; Econometrica
    93, 2025), with cross-fitted predictions centred within folds in place of the median over random splits,
    and standard errors that allow unequal variances (HC3).

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> data = pd.DataFrame({"effect": random.normal(size=4000), "treated": random.random(4000) < 0.5})
    >>> data = data.assign(control_outcome=0.0, fold=np.arange(4000) % 5)
    >>> same_for_all = data.assign(outcome=random.normal(data["treated"] * 1.0))
    >>> heterogeneity_test(same_for_all).usable
    False
    >>> heterogeneity_test(data.assign(outcome=random.normal(data["treated"] * data["effect"]))).usable
    True
    """
    check_level(level)
    effect, treated, outcome = _read(cross_fitted, "control_outcome", "fold")
    fold = cross_fitted["fold"].to_numpy()
    centred = effect - pd.Series(effect).groupby(fold).transform("mean").to_numpy()
    contrast = treated - treated.mean()
    left_alone = cross_fitted["control_outcome"].to_numpy(dtype=float)
    told = bool(np.ptp(centred) > 1e-12 * max(1.0, np.abs(effect).max()))
    columns = [contrast, np.ones(len(effect)), left_alone - left_alone.mean()]
    columns += [contrast * centred, centred] if told else []
    values, errors = _regression(np.column_stack(columns), outcome)
    reach = float(ndtri((1 + level) / 2)) * errors[0]
    average = float(values[0]), float(values[0] - reach), float(values[0] + reach)
    loading, error = (float(values[3]), float(errors[3])) if told else (np.nan, np.nan)
    p = float(ndtr(-loading / error)) if told else 1.0
    sorted_groups = _groups(centred, effect, fold, treated, outcome, groups, level)
    usable = p < SIGNIFICANT
    return Heterogeneity(
        *average, loading, error, p, sorted_groups, usable, _answer(average, p, sorted_groups)
    )


def _read(frame: pd.DataFrame, *more: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    for name in ("effect", "treated", "outcome", *more):
        if name not in frame:
            raise DataError(
                f"cross_fitted has no column {name!r}; {did_you_mean(name, map(str, frame.columns))}"
            )
    treated = as_treatment(frame["treated"], frame)
    effect, outcome = (frame[name].to_numpy(dtype=float) for name in ("effect", "outcome"))
    for name, values in (("effect", effect), ("outcome", outcome)):
        if not np.isfinite(values).all():
            raise DataError(
                f"cross_fitted has {int((~np.isfinite(values)).sum()):,} customers without a number in {name!r}"
            )
    return effect, treated, outcome


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


def _regression(design: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with HC3 standard errors."""
    inverse = np.linalg.pinv(design.T @ design)
    values = inverse @ design.T @ outcome
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    scaled = design * ((outcome - design @ values) / (1.0 - leverage))[:, None]
    return values, np.sqrt(np.diag(inverse @ (scaled.T @ scaled) @ inverse))


def _groups(
    centred: np.ndarray,
    effect: np.ndarray,
    fold: np.ndarray,
    treated: np.ndarray,
    outcome: np.ndarray,
    groups: int,
    level: float,
) -> pd.DataFrame:
    """The effect in each group of predicted effect."""
    # Equals are parted by chance, not by their place in the file.
    shuffled = pd.Series(-centred).sample(frac=1, random_state=0)
    rank = shuffled.groupby(fold[shuffled.index]).rank(method="first", pct=True).sort_index().to_numpy()
    group = np.ceil(rank * groups - 1e-9).astype(int)
    rows = []
    for number in range(1, groups + 1):
        here = group == number
        one, other = outcome[here & treated], outcome[here & ~treated]
        if min(len(one), len(other)) < 2:
            raise FitError(
                f"group {number} of {groups} has {len(one)} treated and {len(other)} control; ask for fewer"
            )
        found = difference_of_means(one, other, level=level)
        rows.append((number, int(here.sum()), effect[here].mean(), found.difference, found.low, found.high))
    return pd.DataFrame(rows, columns=["group", "customers", "predicted", "effect", "low", "high"])


def _answer(average: tuple[float, float, float], p_value: float, groups: pd.DataFrame) -> str:
    told = "{:.3g} ({:.3g} to {:.3g})"
    if p_value < SIGNIFICANT:
        first, last = (told.format(*groups.loc[at, ["effect", "low", "high"]]) for at in (0, len(groups) - 1))
        return (
            f"The contact helps some more than others (p = {p_value:.2g}): {first} where most is predicted, {last} "
            "where least is. Choose by predicted effect."
        )
    return (
        f"No difference between customers can be shown (p = {p_value:.2g}): predicted effects are not to be used. On "
        f"average the contact changes the outcome by {told.format(*average)}; choose by value and cost alone."
    )
