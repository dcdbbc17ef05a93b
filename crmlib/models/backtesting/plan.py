"""Where to cut a log for a backtest, when nobody says."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from crmlib.customers._log import as_day, seen_by
from crmlib.errors import CannotAnswerError
from crmlib.units import periods

ORIGINS = 4
FEWEST_DAYS = 60


@dataclass(frozen=True)
class BacktestPlan:
    """Days of a backtest and of rolling origins; lengths are texts such as "182D".

    Attributes
    ----------
    calibration_end : date
        Last day of the calibration of the backtest; the holdout is as long as the horizon, half the log at most.
    first : date
        First of four evenly spaced origins, a third of the log after its start at the earliest.
    origin_horizon, step : str
        How far each origin looks, a third of the log at most, and how far they are apart.
    """

    calibration_end: dt.date
    first: dt.date
    origin_horizon: str
    step: str


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
            f"the log covers {days} days up to {last}; a backtest needs {FEWEST_DAYS} to learn from and to judge by"
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
