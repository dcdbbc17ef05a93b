"""How far forecasts lie from what customers did: errors, calibration by group, and rankings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import Forecast

MANY = 7  # repeat purchases from which customers are one group
GROUPS = 10  # of predictions
TOP = 0.10  # share of customers whose share of the holdout's spend is told


def errors(forecast: Forecast, frequency: Array, happened: Array) -> dict[str, float]:
    """Total and per-customer errors of purchases and of P(at least one).

    Parameters
    ----------
    forecast : Forecast
    frequency, happened : array, shape (customers,)
        Repeat purchases in the calibration, purchases in the holdout.

    Returns
    -------
    dict
        The columns from `actual` to `probability_gap` of `BacktestResult.scores`.
    """
    predicted, some = forecast.purchases, (happened > 0).astype(float)
    away = predicted - happened
    total = float(happened.sum())
    chance = forecast.any_purchase
    return {
        "actual": total,
        "predicted": float(predicted.sum()),
        "total_error": float(predicted.sum() / total - 1) if total else np.nan,
        "mae": float(np.abs(away).mean()),
        "rmse": float(np.sqrt((away**2).mean())),
        "correlation": _correlation(predicted, happened),
        "spearman": spearman(predicted, happened),
        "brier": float(((chance - some) ** 2).mean()),
        "log_loss": _log_loss(chance, some),
        "group_error": gap(by_frequency(forecast, frequency, happened), relative=True),
        "probability_gap": gap(by_probability(forecast, happened), relative=False),
    }


def by_frequency(forecast: Forecast, frequency: Array, happened: Array) -> pd.DataFrame:
    """Purchases by how often customers had bought before: `frequency_group` "0" to "6", "7+"."""
    names = [str(one) for one in range(MANY)] + [f"{MANY}+"]
    group = np.minimum(frequency, MANY).astype(int)
    table = _means(group, happened, forecast.purchases)
    table.insert(0, "frequency_group", [names[one] for one in table.index])
    return _named(forecast, table)


def by_decile(forecast: Forecast, happened: Array) -> pd.DataFrame:
    """Purchases by tenth of customers, 1 with the lowest prediction; equal predictions share a tenth."""
    table = _means(tenth(forecast.purchases), happened, forecast.purchases)
    table.insert(0, "decile", table.index)
    return _named(forecast, table)


def by_probability(forecast: Forecast, happened: Array) -> pd.DataFrame:
    """Share of customers with a purchase, by tenth of P(at least one)."""
    table = _means(tenth(forecast.any_purchase), (happened > 0).astype(float), forecast.any_purchase)
    table.insert(0, "decile", table.index)
    return _named(forecast, table)


def tenth(values: Array) -> Array:
    """Which tenth of the customers each value is in, 1 the lowest; equal values share one."""
    place = pd.Series(values).rank(method="average").to_numpy()
    return np.ceil(place / len(values) * GROUPS).astype(int)


def gap(table: pd.DataFrame, *, relative: bool) -> float:
    """How far groups were off beyond chance: mean over customers, or relative to what happened.

    Of each group's distance one standard error is taken off: a few customers in a group stray by as much.
    """
    weight = table["customers"].to_numpy(float)
    away = np.abs(table["predicted_mean"] - table["actual_mean"]) - table["standard_error"]
    total = weight @ np.maximum(away, 0.0)
    whole = weight @ table["actual_mean"] if relative else weight.sum()
    return float(total / whole) if whole > 0 else np.nan


def ranking(score: Array, purchases: Array, spend: Array) -> dict[str, float]:
    """How well a score puts first the customers who will bring most.

    Parameters
    ----------
    score : array, shape (customers,)
        Highest is best; customers of equal score share what they bring.
    purchases, spend : arrays, shape (customers,)
        Of the holdout.

    Returns
    -------
    dict
        `spearman` with purchases; `gini` of the spend captured, 1 for the order that came true and 0 for
        chance; `top_10_share` of all spend from the tenth ranked best.
    """
    customers, held = captured(score, spend)
    best = _area(*captured(spend, spend))
    return {
        "spearman": spearman(score, purchases),
        "gini": float(_area(customers, held) / best) if best > 0 else np.nan,
        "top_10_share": float(np.interp(TOP, customers, held)),
    }


def captured(score: Array, spend: Array) -> tuple[Array, Array]:
    """Share of all spend held by the share of customers with the highest scores, from (0, 0) to (1, 1)."""
    levels, which = np.unique(-score, return_inverse=True)
    customers = np.bincount(which, minlength=len(levels)).cumsum() / len(score)
    total = spend.sum()
    held = np.bincount(which, spend).cumsum() / total if total > 0 else np.full(len(levels), np.nan)
    return np.concatenate([[0.0], customers]), np.concatenate([[0.0], held])


def spearman(one: Array, other: Array) -> float:
    """Rank correlation, equal values sharing a rank."""
    return _correlation(pd.Series(one).rank().to_numpy(), pd.Series(other).rank().to_numpy())


def _area(customers: Array, held: Array) -> float:
    return float(2 * np.trapezoid(held, customers) - 1)


def _correlation(one: Array, other: Array) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])


def _log_loss(chance: Array, some: Array) -> float:
    """Mean of -log of the probability of what happened; inf where a rule held it impossible."""
    with np.errstate(divide="ignore"):
        return float(-np.log(np.where(some > 0, chance, 1 - chance)).mean())


def _means(group: Array, happened: Array, predicted: Array) -> pd.DataFrame:
    columns = {"group": group, "actual": happened, "predicted": predicted, "away": happened - predicted}
    table = (
        pd.DataFrame(columns)
        .groupby("group")
        .agg(
            customers=("group", "size"),
            actual_mean=("actual", "mean"),
            predicted_mean=("predicted", "mean"),
            standard_error=("away", "sem"),
        )
    )
    # of one customer no spread is known, so that nothing can be said beyond chance
    return table.fillna({"standard_error": np.inf}).rename_axis(None)


def _named(forecast: Forecast, table: pd.DataFrame) -> pd.DataFrame:
    table = table.reset_index(drop=True)
    table.insert(0, "model", forecast.name)
    return table
