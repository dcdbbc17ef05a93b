"""How far forecasts lie from what customers did: errors, calibration by group, and rankings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import Forecast
from crmlib.rankings import Ranking, log_losses, rank_correlation, squared_losses, tenths

MANY = 7  # repeat purchases from which customers are one group
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
    predicted, some = forecast.purchases, happened > 0
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
        "spearman": rank_correlation(predicted, happened),
        "brier": float(squared_losses(chance, some).mean()),
        "log_loss": float(log_losses(chance, some).mean()),
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
    table = _means(tenths(forecast.purchases), happened, forecast.purchases)
    table.insert(0, "decile", table.index)
    return _named(forecast, table)


def by_probability(forecast: Forecast, happened: Array) -> pd.DataFrame:
    """Share of customers with a purchase, by tenth of P(at least one)."""
    table = _means(tenths(forecast.any_purchase), (happened > 0).astype(float), forecast.any_purchase)
    table.insert(0, "decile", table.index)
    return _named(forecast, table)


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
    levels, best = Ranking(score, spend).levels(), Ranking(spend, spend).levels().gini()
    return {
        "spearman": rank_correlation(score, purchases),
        "gini": levels.gini() / best if best > 0 else np.nan,
        "top_10_share": float(levels.captured_by(TOP)),
    }


def _correlation(one: Array, other: Array) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])


def _means(group: NDArray[Any], happened: Array, predicted: Array) -> pd.DataFrame:
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
