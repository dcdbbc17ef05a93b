"""Is there any difference between customers to use: does the contact help some more than others?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from crmlib.errors import FitError
from crmlib.models.uplift.assignment import read_effects
from crmlib.statistics import check_level, difference_of_means, normal_quantile

SIGNIFICANT = 0.05


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
    sentence : str
        The finding.
    """

    average_effect: float
    average_low: float
    average_high: float
    loading: float
    loading_error: float
    p_value: float
    groups: pd.DataFrame
    usable: bool
    sentence: str


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
    effect, treated, outcome = read_effects(cross_fitted, "control_outcome", "fold")
    fold = cross_fitted["fold"].to_numpy()
    centred = effect - pd.Series(effect).groupby(fold).transform("mean").to_numpy()
    contrast = treated - treated.mean()
    left_alone = cross_fitted["control_outcome"].to_numpy(dtype=float)
    told = bool(np.ptp(centred) > 1e-12 * max(1.0, np.abs(effect).max()))
    columns = [contrast, np.ones(len(effect)), left_alone - left_alone.mean()]
    columns += [contrast * centred, centred] if told else []
    values, errors = _regression(np.column_stack(columns), outcome)
    reach = normal_quantile(level) * errors[0]
    average = float(values[0]), float(values[0] - reach), float(values[0] + reach)
    loading, error = (float(values[3]), float(errors[3])) if told else (np.nan, np.nan)
    p = float(ndtr(-loading / error)) if told else 1.0
    sorted_groups = _groups(centred, effect, fold, treated, outcome, groups, level)
    usable = p < SIGNIFICANT
    return Heterogeneity(
        *average, loading, error, p, sorted_groups, usable, _sentence(average, p, sorted_groups)
    )


def calibrated_effects(cross_fitted: pd.DataFrame, *, predicted: pd.Series | None = None) -> pd.Series:
    """Which effect to plan with for each customer, after what the experiment says of the predictions?

    Parameters
    ----------
    cross_fitted : DataFrame
        As in `heterogeneity_test`.
    predicted : Series, optional
        Effects predicted for other customers, of `UpliftModel.predict`; by default the experiment's own.

    Returns
    -------
    Series
        Indexed as `predicted`, or as `cross_fitted`: the average effect and, where there is a difference to use,
        the predicted differences times their loading, 1 at most: models exaggerate. The same for all where there
        is none.

    Raises
    ------
    DataError
        As in `heterogeneity_test`.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> data = pd.DataFrame({"effect": random.normal(size=4000), "treated": random.random(4000) < 0.5})
    >>> data = data.assign(control_outcome=0.0, fold=np.arange(4000) % 5)
    >>> half = data.assign(outcome=random.normal(data["treated"] * data["effect"] / 2))
    >>> bool(0.4 < calibrated_effects(half).std() / data["effect"].std() < 0.6)
    True
    """
    found = heterogeneity_test(cross_fitted)
    effect = cross_fitted["effect"]
    if predicted is None:
        centred = effect - effect.groupby(cross_fitted["fold"]).transform("mean")
    else:
        centred = predicted - effect.mean()
    loading = min(found.loading, 1.0) if found.usable else 0.0
    return (found.average_effect + loading * centred).rename("effect")


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


def _sentence(average: tuple[float, float, float], p_value: float, groups: pd.DataFrame) -> str:
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
