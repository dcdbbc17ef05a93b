"""How far forecasts lie from what the same customers did in a holdout: errors, groups, rankings, comparisons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.customers._log import customer_totals
from crmlib.customers.rfm.segments import rfm_segments
from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import Forecast
from crmlib.models.backtesting.predictive_check import PredictiveCheck, predictive_total
from crmlib.rankings import Ranking, log_losses, rank_correlation, squared_losses, tenths
from crmlib.statistics import bootstrap_weights, percentile_interval, with_intervals

FREQUENCY_GROUPS = np.array(
    [*map(str, range(7)), "7+"], dtype=object
)  # repeat purchases; from 7 on one group
TOP = 0.10  # share of customers whose share of the holdout's spend is measured
LEVEL = 0.8  # of the intervals of totals
SHOWN = 0.0005  # a Brier score is written to three digits; forecasts less apart are not told apart
YEAR = 365  # days of "last year's revenue"

Score = dict[str, Any]


def frequency_group(frequency: Any) -> NDArray[np.intp]:
    """The place of each number of repeat purchases in `FREQUENCY_GROUPS`."""
    return np.minimum(frequency, len(FREQUENCY_GROUPS) - 1).astype(np.intp)


def by_frequency(forecast: Forecast, frequency: Array, happened: Array) -> pd.DataFrame:
    """Purchases by how often customers had bought before: `frequency_group` "0" to "6", "7+"."""
    group = frequency_group(frequency)
    table = _by_group(forecast, "frequency_group", group, happened, forecast.purchases)
    return table.assign(frequency_group=FREQUENCY_GROUPS[table["frequency_group"]])


def by_decile(forecast: Forecast, happened: Array) -> pd.DataFrame:
    """Purchases by tenth of customers, 1 with the lowest prediction; equal predictions share a tenth."""
    return _by_group(forecast, "decile", tenths(forecast.purchases), happened, forecast.purchases)


def by_probability(forecast: Forecast, happened: Array) -> pd.DataFrame:
    """Share of customers with a purchase, by tenth of P(at least one)."""
    chance = forecast.any_purchase
    return _by_group(forecast, "decile", tenths(chance), (happened > 0).astype(float), chance)


def _by_group(
    forecast: Forecast, name: str, group: NDArray[Any], happened: Array, predicted: Array
) -> pd.DataFrame:
    columns = {name: group, "actual": happened, "predicted": predicted, "away": happened - predicted}
    table = (
        pd.DataFrame(columns)
        .groupby(name, as_index=False)
        .agg(
            customers=("away", "size"),
            actual_mean=("actual", "mean"),
            predicted_mean=("predicted", "mean"),
            standard_error=("away", "sem"),
        )
    )
    table.insert(0, "model", forecast.name)
    # of one customer no spread is known, so that nothing can be said beyond chance
    return table.fillna({"standard_error": np.inf})


def gap(table: pd.DataFrame, *, relative: bool = False) -> float:
    """How far groups were off beyond chance: mean over customers, or relative to what happened.

    Of each group's distance one standard error is taken off: a few customers in a group stray by as much.
    """
    weight = table["customers"].to_numpy(float)
    away = np.abs(table["predicted_mean"] - table["actual_mean"]) - table["standard_error"]
    total = weight @ np.maximum(away, 0.0)
    whole = weight @ table["actual_mean"] if relative else weight.sum()
    return float(total / whole) if whole > 0 else np.nan


def relative_error(predicted: float, actual: float) -> float:
    """Predicted / actual - 1; nan where nothing happened."""
    return predicted / actual - 1 if actual > 0 else np.nan


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
    predicted, chance, some = forecast.purchases, forecast.any_purchase, happened > 0
    away, total = predicted - happened, float(happened.sum())
    return {
        "actual": total,
        "predicted": float(predicted.sum()),
        "total_error": relative_error(float(predicted.sum()), total),
        "mae": float(np.abs(away).mean()),
        "rmse": float(np.sqrt((away**2).mean())),
        "correlation": float(pd.DataFrame([predicted, happened]).T.corr().iloc[0, 1]),
        "spearman": rank_correlation(predicted, happened),
        "brier": float(squared_losses(chance, some).mean()),
        "log_loss": float(log_losses(chance, some).mean()),
        "group_error": gap(by_frequency(forecast, frequency, happened), relative=True),
        "probability_gap": gap(by_probability(forecast, happened)),
    }


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


def forecast_scores(forecast: Forecast, halves: pd.DataFrame) -> Score:
    """Errors of a forecast, and how well it ranks: by expected money where there is any, else by purchases."""
    happened, spend = _happened(halves)
    score: Score = {"model": forecast.name, "kind": forecast.kind, "customers": len(halves)}
    score |= errors(forecast, halves["frequency"].to_numpy(), happened)
    if forecast.spend is not None:
        predicted, total = float(forecast.spend.sum()), float(spend.sum())
        score |= {"actual_spend": total, "predicted_spend": predicted}
        score["spend_error"] = relative_error(predicted, total)
    ranked = ranking(forecast.purchases if forecast.spend is None else forecast.spend, happened, spend)
    return score | {name: ranked[name] for name in ("gini", "top_10_share")}


def model_scores(
    forecast: Forecast, check: PredictiveCheck, halves: pd.DataFrame, length: float, random_state: int
) -> Score:
    """The same of a model, and whether its distributions are right."""
    model = forecast.model
    assert model is not None, "a model's scores are asked of a rule"
    low, high = predictive_total(model, halves, length, random_state).interval(LEVEL)
    covered = check.coverage.set_index("nominal").loc[LEVEL]
    return forecast_scores(forecast, halves) | {
        "predicted_low": low,
        "predicted_high": high,
        "log_score": check.log_score,
        "coverage_gap": float(covered["actual"] - covered["implied"]),
        "pit_distance": check.distance_to_uniform,
        "loglik": model.loglik_,
        "converged": model.diagnosis_.converged,
    }


def ranking_scores(transactions: Any, halves: pd.DataFrame) -> list[Score]:
    """How well customers are ranked by the sum of their RFM scores, and by what they spent last year."""
    happened, spend = _happened(halves)
    rfm = rfm_segments(halves)
    start = halves.as_of - dt.timedelta(days=YEAR - 1)
    lately = customer_totals(transactions, start=start, end=halves.as_of).set_index("customer_id")["revenue"]
    given = {
        "RFM score": rfm[["r_score", "f_score", "m_score"]].sum(axis=1).to_numpy(float),
        "last year's revenue": lately.reindex(halves["customer_id"], fill_value=0.0).to_numpy(float),
    }
    about = {"kind": "ranking", "customers": len(halves)}
    return [{"model": name} | about | ranking(score, happened, spend) for name, score in given.items()]


def _happened(halves: pd.DataFrame) -> tuple[Array, Array]:
    return halves["holdout_frequency"].to_numpy(), halves["holdout_spend"].to_numpy()


def compare_probabilities(
    forecasts: Sequence[Forecast], happened: Array, *, resamples: int, random_state: int
) -> pd.DataFrame:
    """Scores of P(at least one purchase) with bootstrap intervals, and how far each is behind the best.

    Parameters
    ----------
    forecasts : sequence of Forecast
        Of the same customers.
    happened : array of bool, shape (customers,)
        Who bought.
    resamples, random_state : int
        Of the bootstrap over customers, the same draws for every forecast.

    Returns
    -------
    DataFrame
        As `ActivityComparison.scores`.
    """
    chances = np.stack([one.any_purchase for one in forecasts])
    losses = np.stack([squared_losses(chances, happened), log_losses(chances, happened)])
    rankings = [Ranking(one, happened) for one in chances]
    weights = bootstrap_weights(len(happened), resamples, random_state)
    # shape (1 + resamples, 3, forecasts); the first round is the customers as they are
    rounds = np.stack(
        [
            np.vstack([losses @ one / one.sum(), [ranking.levels(one).roc_auc() for ranking in rankings]])
            for one in chain([np.ones(len(happened))], weights)
        ]
    )
    best = int(rounds[0, 0].argmin())
    behind = rounds[:, 0] - rounds[:, 0, [best]]
    low, high = percentile_interval(behind[1:])
    table = {
        "forecast": [one.name for one in forecasts],
        "kind": [one.kind for one in forecasts],
        "predicted": chances.mean(axis=1),
        "actual": happened.mean(),
        **with_intervals(("brier", "log_loss", "auc"), rounds[0], rounds[1:]),
        "brier_behind": behind[0],
        "behind_low": low,
        "behind_high": high,
        "gap": [gap(by_probability(one, happened)) for one in forecasts],
        "behind_beyond_chance": low >= SHOWN,
    }
    return pd.DataFrame(table).sort_values("brier", kind="stable", ignore_index=True)
