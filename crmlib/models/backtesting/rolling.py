"""The same models fitted from several starting days, and for each market or channel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.arguments import checked
from crmlib.customers._log import as_day, by_group
from crmlib.customers.rfm.split import rfm_train_test_split
from crmlib.customers.rfm.summary import CustomerSummary, rfm_summary
from crmlib.errors import CrmError, FitError
from crmlib.models.backtesting.forecasts import Spend, check_models, expected_spend, fit_fresh, fit_spend
from crmlib.models.backtesting.origin_errors import OriginErrors, learn_from_origins
from crmlib.models.backtesting.scores import LEVEL, predictive_total, relative_error
from crmlib.models.purchase import PurchaseModel
from crmlib.progress import steps
from crmlib.units import TimeUnit, periods

_COLUMNS = ["group", "customers", "model", "parameter", "estimate", "low", "high", "note"]


@dataclass(frozen=True)
class RollingOrigins:
    """Totals predicted from several days, beside what happened, and the parameters of each day.

    - `totals`: one row per origin and model: `origin` (last day of the calibration), `model`, `customers`, `actual`,
      `predicted` (purchases within the horizon), `total_error` (predicted / actual - 1), `low`, `high` (80 % by the
      model's own account), `inside` (whether actual was), and with a spend model `actual_spend`, `predicted_spend`,
      `spend_error`.
    - `parameters`: one row per origin, model and parameter: `origin`, `model`, `parameter`, `estimate`, `low`, `high`
      (95 %; nan where the data do not identify it).
    - `horizon_days`: how far each origin looked.
    """

    totals: pd.DataFrame
    parameters: pd.DataFrame
    horizon_days: int

    @checked
    def choose(self, model: str | None = None) -> OriginErrors:
        """Which model to use, how to correct its totals, and how far they may still be off.

        By the errors of money where a spend model was given, else by those of purchases.

        Parameters
        ----------
        model : str, optional
            The model to use whatever its errors; by default the one that errs least on all origins but the last.

        Returns
        -------
        OriginErrors
            As of `learn_from_origins`.

        Raises
        ------
        CrmError
            If there is no such model.
        """
        of = "spend_error" if "spend_error" in self.totals else "total_error"
        models = list(dict.fromkeys(self.totals["model"]))
        errors = self.totals.pivot(index="origin", columns="model", values=of)[models]
        return learn_from_origins(errors, self.horizon_days, model=model)


def rolling_origins(
    transactions: Any,
    *,
    first: Any,
    as_of: Any,
    horizon: float | str,
    step: float | str,
    models: Sequence[PurchaseModel],
    time_unit: str = "W",
    collapse: str = "D",
    spend_model: Spend | None = None,
    random_state: int = 0,
) -> RollingOrigins:
    """Fit and forecast from several days, each by what was known then.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    first : date or str
        First origin: last day of the first calibration.
    as_of : date or str
        Last day that counts; an origin whose horizon ends later is not used.
    horizon, step : float or str
        How far to forecast, and from one origin to the next: numbers of `time_unit`, or such as "26W".
    models, time_unit, collapse, spend_model, random_state
        As in `backtest`.

    Returns
    -------
    RollingOrigins

    Raises
    ------
    CrmError
        If no origin fits between `first` and `as_of`.
    FitError
        If a model cannot be fitted at an origin; the message names it.

    Examples
    --------
    >>> import crmlib as crm
    >>> log = crm.open_study("cdnow-sample").transactions
    >>> found = rolling_origins(log, first="1997-06-30", as_of="1998-06-30", horizon="26W", step="13W",
    ...                         models=[crm.BetaGeoModel()])
    >>> found.totals[["origin", "actual", "predicted", "total_error"]].round(2)
           origin  actual  predicted  total_error
    0  1997-06-30  1443.0     1286.5        -0.11
    1  1997-09-29  1394.0     1154.8        -0.17
    2  1997-12-29  1162.0     1165.4         0.00
    """
    given, last, unit = check_models(models), as_day(as_of, "as_of"), TimeUnit.parse(time_unit)
    length, stride = (_days(value, unit, name) for value, name in ((horizon, "horizon"), (step, "step")))
    totals, parameters = [], []
    origins = _origins(as_day(first, "first"), last, length, stride)
    for origin in steps(origins, "forecasts tested", len(origins)):
        halves = rfm_train_test_split(
            transactions,
            calibration_end=origin,
            as_of=origin + dt.timedelta(days=length),
            time_unit=time_unit,
            collapse=collapse,
        )
        try:
            spend = fit_spend(spend_model, halves)
            fitted = [fit_fresh(model, halves) for model in given]
        except CrmError as error:
            raise FitError(f"at the origin {origin}: {error} (or give a later first)") from error
        totals += [_total(model, halves, spend, random_state) for model in fitted]
        parameters += [_parameters(model).assign(origin=origin, model=model.name) for model in fitted]
    drift = pd.concat(parameters, ignore_index=True)
    columns = ["origin", "model", "parameter", "estimate", "low", "high"]
    return RollingOrigins(pd.DataFrame(totals), drift[columns], length)


def _days(length: float | str, unit: TimeUnit, name: str) -> int:
    days = round(periods(length, unit) * unit.days)
    if days < 1:
        raise CrmError(f"{name} is {length!r}, {days} days; give a day or more")
    return days


def _origins(first: dt.date, last: dt.date, length: int, stride: int) -> list[dt.date]:
    room = (last - first).days - length
    if room < 0:
        raise CrmError(
            f"from first {first}, a horizon of {length} days ends after as_of {last}; give an earlier first"
        )
    return [first + dt.timedelta(days=days) for days in range(0, room + 1, stride)]


def _total(
    model: PurchaseModel, halves: CustomerSummary, spend: Spend | None, random_state: int
) -> dict[str, Any]:
    """One origin's total of one model beside what happened."""
    length, actual = float(halves["holdout_T"].iloc[0]), float(halves["holdout_frequency"].sum())
    total = predictive_total(model, halves, length, random_state)
    low, high = total.interval(LEVEL)
    row: dict[str, Any] = {"origin": halves.as_of, "model": model.name, "customers": len(halves)}
    row |= {"actual": actual, "predicted": total.mean, "total_error": relative_error(total.mean, actual)}
    row |= {"low": low, "high": high, "inside": low <= actual <= high}
    if spend is not None:
        expected = model.expected_purchases(halves, length).to_numpy() * expected_spend(spend, halves)
        predicted, paid = float(expected.sum()), float(halves["holdout_spend"].sum())
        row |= {"actual_spend": paid, "predicted_spend": predicted}
        row["spend_error"] = relative_error(predicted, paid)
    return row


def fit_by_group(
    transactions: Any,
    *,
    by: str | None,
    as_of: Any,
    models: Sequence[PurchaseModel],
    time_unit: str = "W",
    collapse: str = "D",
) -> pd.DataFrame:
    """Do the parameters differ between markets, channels or other groups of the log?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    by : str or None
        A column of it, such as "market". A customer of two groups is a customer of each; beyond the 20 groups
        with the most customers, all others are one. None: everybody, as the group "(all)".
    as_of, models, time_unit, collapse
        As in `backtest`.

    Returns
    -------
    DataFrame
        One row per group, model and parameter: `group, customers, model, parameter, estimate, low, high`
        (95 %) and `note`. A group to which a model cannot be fitted has one row, and its note says why.

    Raises
    ------
    CrmError
        If the log has no such column.
    """
    given = check_models(models)
    counted = {"as_of": as_of, "time_unit": time_unit, "collapse": collapse}
    if by is None:
        summaries = {"(all)": rfm_summary(transactions, **counted)}
    else:
        summaries = by_group(rfm_summary, transactions, by=by, **counted)
    frames = [
        _fitted_to(model, summary).assign(group=group, customers=len(summary), model=model.name)
        for group, summary in summaries.items()
        for model in given
    ]
    return pd.concat(frames, ignore_index=True)[_COLUMNS]


def _fitted_to(model: PurchaseModel, summary: pd.DataFrame) -> pd.DataFrame:
    try:
        fitted = fit_fresh(model, summary)
    except CrmError as error:
        numbers = dict.fromkeys(("estimate", "low", "high"), np.nan)
        return pd.DataFrame([{"parameter": "", **numbers, "note": str(error)}])
    return _parameters(fitted).assign(note=" ".join(str(finding) for finding in fitted.diagnosis_.findings))


def _parameters(model: PurchaseModel) -> pd.DataFrame:
    """`parameter, estimate, low, high` (95 %)."""
    frame = model.confint(0.95).reset_index()
    frame.insert(1, "estimate", list(model.params_.values()))
    return frame
