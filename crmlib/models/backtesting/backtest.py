"""Backtest: models fitted up to a day, and tested on what the same customers did after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import as_day, seen_by
from crmlib.customers.rfm.split import rfm_train_test_split
from crmlib.customers.rfm.summary import BornInHoldout
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import Verdict
from crmlib.models._inference import Array
from crmlib.models.backtesting.forecasts import (
    Forecast,
    Spend,
    check_models,
    fit_spend,
    model_forecasts,
    naive_forecasts,
    track,
    tracking_unit,
)
from crmlib.models.backtesting.scores import (
    best_rivals,
    by_decile,
    by_frequency,
    by_probability,
    check_counts,
    forecast_scores,
    model_scores,
    ranking_scores,
)
from crmlib.models.backtesting.verdict import verdict, verdicts
from crmlib.models.purchase import PurchaseModel
from crmlib.models.sentences import with_findings_by_model
from crmlib.units import TimeUnit, periods

ORIGINS = 4
FEWEST_DAYS = 60


@dataclass(frozen=True)
class BacktestResult:
    """What models and simple rules predicted for a holdout, beside what happened.

    All of it concerns the customers known at the end of the calibration. `model` names a model, or one of the rules
    "same rate", "last period again", "hiatus rule".

    - `scores`: one row per model, rule and mere ranking ("spend so far", "RFM score", "last year's revenue"), and all
      that a verdict needs: `model`; `kind` (model, rule, ranking); `customers`; `actual`, `predicted` (purchases of
      all), `total_error` (predicted / actual - 1); `mae`, `rmse`, `correlation`, `spearman` (per customer); `brier`,
      `log_loss` (of P(at least one purchase)); `group_error` (purchases predicted for the wrong frequency group, as a
      share of actual) and `probability_gap` (mean distance of predicted and actual share of buyers over tenths), both
      beyond chance: one standard error of each group is taken off; `actual_spend`, `predicted_spend`, `spend_error`
      (money; nan without a spend model); `top_20_share` (of the holdout's spend, from the fifth of customers ranked
      first); for models also `predicted_low`, `predicted_high` (80 % by the model's own account), `log_score` (mean
      -log P(what happened)), `coverage_gap` (actual - implied, of nominal 80 % intervals), `pit_distance` (largest
      distance to uniform), `loglik` (of the calibration), `converged`, and `rival` (the better of the mere rankings)
      with `rival_ahead` (how much more of the spend its first fifth brings), `_low` and `_high`.
    - `tracking`: one row per model and period: `model`, `period` (1 is the first), `holdout` (bool), and `actual`,
      `predicted`, `by_age` (repeat purchases in the period), each also `_cumulative`. `predicted` is by age in the
      calibration and by each customer's own history in the holdout; `by_age` is by age throughout, the papers' tracking
      curve. Customers count as they are acquired.
    - `by_frequency`, `by_decile`, `by_probability`: one row per model or rule and group: `model`, `frequency_group`
      ("0" … "7+") or `decile` (of the prediction, 10 the highest), `customers`, `actual_mean`, `predicted_mean`:
      purchases per customer, in `by_probability` the share with at least one; `standard_error` of their difference.
    - `coverage`: one row per model and level: `model`, `nominal`, `implied` (by the model: counts are discrete, so it
      is more), `actual` (share of customers in their interval).
    - `tracking_unit`: of `period`.
    - `holdout`: its length in the models' unit of time.
    - `last_calibration_period`: `period` that ends with the calibration.
    - `born_in_holdout`: customers who came later, whom no forecast concerns.
    """

    scores: pd.DataFrame
    tracking: pd.DataFrame
    by_frequency: pd.DataFrame
    by_decile: pd.DataFrame
    by_probability: pd.DataFrame
    coverage: pd.DataFrame
    calibration_end: dt.date
    tracking_unit: TimeUnit
    holdout: float
    last_calibration_period: int
    born_in_holdout: BornInHoldout

    def verdict(self, model: str, **by: Any) -> Verdict:
        """Whether a model is to be used, and why: "use", "use with care" or "do not use".

        `by`: `origins`, of which `RollingOrigins.totals` are judged too; `thresholds`, the usual ones by default; and
        `of_total`, for the total of all customers alone and not for single ones.
        """
        return verdict(self.scores, model, **by)

    def verdicts(self, **by: Any) -> pd.DataFrame:
        """The verdict on every model, the best first: by verdict, then by how far its total was off.

        Columns `model, verdict, total_error, log_score` (mean -log P(what happened); smaller is better) and
        `reasons`; `by` as in `verdict`. Choosing the best of a few on one holdout flatters it: differences of a few
        percent are none.
        """
        return verdicts(self.scores, **by)


def backtest(
    transactions: Any,
    *,
    calibration_end: Any,
    as_of: Any,
    models: Sequence[PurchaseModel],
    time_unit: str = "W",
    collapse: str = "D",
    spend_model: Spend | None = None,
    random_state: int = 0,
) -> BacktestResult:
    """Fit models up to a day and compare what they predict with what happened after it.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    calibration_end, as_of : date or str
        Last days of the calibration and of the holdout.
    models : sequence of PurchaseModel
        To fit, such as `[BetaGeoModel(), ParetoNBDModel()]`; they stay as they are.
    time_unit, collapse
        As in `rfm_summary`.
    spend_model : GammaGammaModel or float, optional
        To predict money too; a number is the spend on every purchase.
    random_state : int
        Of the randomised PIT and of the interval of totals.

    Returns
    -------
    BacktestResult

    Raises
    ------
    CrmError, DataError
        If a parameter or the log is refused.
    FitError
        If a model cannot be fitted to the calibration.

    Notes
    -----
    Nothing after `calibration_end` enters a prediction. The hiatus rule (6 months) is Wübben & von Wangenheim's (2008),
    Instant customer base analysis, Journal of Marketing 72(3), 82–93.

    Examples
    --------
    >>> import crmlib as crm
    >>> log = crm.open_study("cdnow-sample").transactions
    >>> found = backtest(log, calibration_end="1997-09-30", as_of="1998-06-30", models=[crm.BetaGeoModel()])
    >>> found.scores.loc[:1, ["model", "actual", "predicted", "total_error", "mae"]].round(3)
           model  actual  predicted  total_error    mae
    0     BG/NBD  1882.0   1653.409       -0.121  0.785
    1  same rate  1882.0   2930.101        0.557  1.024
    """
    given = check_models(models)
    cut, last = as_day(calibration_end, "calibration_end"), as_day(as_of, "as_of")
    halves = rfm_train_test_split(
        transactions, calibration_end=cut, as_of=last, time_unit=time_unit, collapse=collapse
    )
    length = _length(halves, cut, last)
    spend = fit_spend(spend_model, halves)
    forecasts = model_forecasts(given, halves, length, spend)
    fitted = [forecast.model for forecast in forecasts if forecast.model is not None]
    assert halves.born_in_holdout is not None, "a split tells who came in the holdout"
    happened = halves["holdout_frequency"].to_numpy()
    checks = {model.name: check_counts(model, halves, happened, length, random_state) for model in fitted}
    rules = naive_forecasts(transactions, halves, length, collapse=collapse, spend=spend is not None)
    rivals = best_rivals(forecasts, transactions, halves, random_state)
    scores = [
        model_scores(f, checks[f.name], halves, length, random_state) | rivals[f.name] for f in forecasts
    ]
    scores += [forecast_scores(rule, halves) for rule in rules]
    coverage = pd.concat(
        [check.coverage.assign(model=name) for name, check in checks.items()], ignore_index=True
    )
    tracking = track(transactions, halves, fitted, as_of=last, collapse=collapse)
    with_findings_by_model(tracking)
    return BacktestResult(
        scores=pd.DataFrame(scores + ranking_scores(transactions, halves)),
        tracking=tracking,
        **_calibration([*forecasts, *rules], halves["frequency"].to_numpy(), happened),
        coverage=coverage[["model", "nominal", "implied", "actual"]],
        calibration_end=cut,
        tracking_unit=tracking_unit(time_unit),
        holdout=length,
        last_calibration_period=int(tracking.loc[~tracking["holdout"], "period"].max()),
        born_in_holdout=halves.born_in_holdout,
    )


@dataclass(frozen=True)
class BacktestPlan:
    """Days of a backtest and of rolling origins; lengths are texts such as "182D".

    `calibration_end`: last day of the calibration of the backtest; the holdout is as long as the horizon, half the log
    at most. `first`: first of four evenly spaced origins, a third of the log after its start at the earliest.
    `origin_horizon`, `step`: how far each origin looks, a third of the log at most, and how far they are apart.
    """

    calibration_end: dt.date
    first: dt.date
    origin_horizon: str
    step: str

    @property
    def origins(self) -> dict[str, Any]:
        """The plan's part for `rolling_origins`: first, horizon and step."""
        return {"first": self.first, "horizon": self.origin_horizon, "step": self.step}


def plan_backtest(
    transactions: Any, *, as_of: Any, horizon: str, calibration_end: Any | None = None
) -> BacktestPlan:
    """Cut a log so that each part has enough to learn from, and enough to judge by.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts.
    horizon : str
        How far the forecast that matters looks, such as "52W".
    calibration_end : date or str, optional
        Kept where it is given.

    Returns
    -------
    BacktestPlan

    Raises
    ------
    CrmError
        If the log is shorter than 60 days.

    Examples
    --------
    >>> import crmlib as crm
    >>> plan_backtest(crm.open_study("cdnow-sample").transactions, as_of="1998-06-30", horizon="52W")
    BacktestPlan(calibration_end=datetime.date(1997, 9, 30), first=datetime.date(1997, 7, 1),
                 origin_horizon='182D', step='60D')
    """
    last = as_day(as_of, "as_of")
    start = seen_by(transactions, last).filter(lambda rows: rows.counted).date.min().to_pyarrow().as_py()
    days = (last - start.date()).days + 1 if start else 0
    if not start or days < FEWEST_DAYS:
        raise CannotAnswerError(
            f"the log covers {fmt.days(days)} up to {last}; a backtest needs {FEWEST_DAYS} to learn from and judge by"
        )
    wanted = round(periods(horizon, "D"))
    holdout, ahead = min(wanted, days // 2), min(wanted, days // 3)
    first = start.date() + dt.timedelta(days=days // 3 - 1)
    room = (last - first).days - ahead
    cut = (
        last - dt.timedelta(days=holdout)
        if calibration_end is None
        else as_day(calibration_end, "calibration_end")
    )
    return BacktestPlan(cut, first, f"{ahead}D", f"{max(room // (ORIGINS - 1), 1)}D")


def _length(halves: pd.DataFrame, cut: dt.date, last: dt.date) -> float:
    """Length of the holdout, or why there is nothing to judge by."""
    if halves.empty:
        raise CrmError(f"no customer bought up to calibration_end {cut}; give a later day")
    length = float(halves["holdout_T"].iloc[0])
    if not length > 0:
        raise CrmError(
            f"calibration_end {cut} and as_of {last} lie in one purchase period; use a smaller collapse"
        )
    return length


def _calibration(forecasts: list[Forecast], frequency: Array, happened: Array) -> dict[str, pd.DataFrame]:
    """What was predicted for groups of customers beside what they did."""
    tables = {
        "by_frequency": [by_frequency(forecast, frequency, happened) for forecast in forecasts],
        "by_decile": [by_decile(forecast, happened) for forecast in forecasts],
        "by_probability": [by_probability(forecast, happened) for forecast in forecasts],
    }
    return {
        name: with_findings_by_model(
            pd.concat(frames, ignore_index=True), "frequency_group" if name == "by_frequency" else "decile"
        )
        for name, frames in tables.items()
    }
