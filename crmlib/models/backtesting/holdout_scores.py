"""The row of scores of each model, simple rule and ranking: all that a verdict needs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.activity import customer_totals
from crmlib.customers.rfm.segments import rfm_segments
from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import Forecast
from crmlib.models.backtesting.holdout_metrics import errors, ranking
from crmlib.models.backtesting.predictive_check import PredictiveCheck, distance_to_uniform
from crmlib.models.predictive_total import predictive_total

LEVEL = 0.8  # of the intervals that the scores tell
YEAR = 365  # days of "last year's revenue"

Score = dict[str, Any]


def rule_scores(forecast: Forecast, halves: pd.DataFrame, *, kind: str = "rule") -> Score:
    """Errors of a forecast, and how well it ranks: by expected money where there is any, else by purchases."""
    happened, spend = _happened(halves)
    score: Score = {"model": forecast.name, "kind": kind, "customers": len(halves)}
    score |= errors(forecast, halves["frequency"].to_numpy(), happened)
    if forecast.spend is not None:
        predicted, total = float(forecast.spend.sum()), float(spend.sum())
        score |= {"actual_spend": total, "predicted_spend": predicted}
        score["spend_error"] = predicted / total - 1 if total > 0 else np.nan
    ranked = ranking(forecast.purchases if forecast.spend is None else forecast.spend, happened, spend)
    return score | {name: ranked[name] for name in ("gini", "top_10_share")}


def model_scores(
    forecast: Forecast, check: PredictiveCheck, halves: pd.DataFrame, length: float, random_state: int
) -> Score:
    """The same of a model, and whether its distributions are right."""
    model = forecast.model
    assert model is not None, "a model's scores are asked of a rule"
    total = predictive_total(model, halves, length, random_state, expected=forecast.purchases)
    low, high = total.interval(LEVEL)
    covered = check.coverage.set_index("nominal").loc[LEVEL]
    return rule_scores(forecast, halves, kind="model") | {
        "predicted_low": low,
        "predicted_high": high,
        "log_score": check.log_score,
        "coverage_gap": float(covered["actual"] - covered["implied"]),
        "pit_distance": distance_to_uniform(check.pit),
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
