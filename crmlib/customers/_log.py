"""What a customer analysis sees of a purchase log at a day, the same for all of them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from weakref import WeakKeyDictionary

import ibis
import numpy as np
import pandas as pd

from crmlib.data.cleaning.ids import holds_other, own_ids
from crmlib.data.sources import as_transactions, open_table
from crmlib.errors import CannotAnswerError, CrmError, DataError, did_you_mean
from crmlib.units import TimeUnit, why_outside

_FLOOR = {"H": "h", "W": "W", "M": "M", "Q": "Q", "Y": "Y"}


def as_day(value: Any, name: str) -> dt.date:
    """Read a day, or refuse it by the parameter's name."""
    try:
        if isinstance(value, (int, float)):  # pandas would take 20240131 for nanoseconds since 1970
            raise ValueError
        stamp = pd.Timestamp(value)
        if pd.isna(stamp):
            raise ValueError
    except (ValueError, TypeError):
        raise CrmError(f"{name} is {value!r}; give a day such as '1998-06-30' or a datetime.date") from None
    return stamp.date()


def end_of(day: dt.date) -> dt.datetime:
    """The instant at which a day is over: the next midnight."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time())


def seen_by(transactions: Any, day: dt.date, *, outside: bool = False) -> ibis.Table:
    """The rows up to the end of a day, with `counted`: whether a row is a purchase for who looks then.

    A purchase that goes back in full later still counts on this day; a return of later is not seen. A day that the
    log has nothing to say about is refused, unless one `outside` is meant.
    """
    # A frame says by itself what a table has to be asked.
    log = transactions if isinstance(transactions, pd.DataFrame) else open_table(transactions)
    rows = as_transactions(log)
    days = None if outside else _days_of(log, rows)
    if days and (reason := why_outside(day, *days)):
        raise CannotAnswerError(reason)
    end = ibis.literal(end_of(day))
    back = rows.reversed_on.isnull() | (rows.reversed_on >= end)
    return rows.filter(rows.date < end).mutate(counted=rows.is_purchase & back)


_days: WeakKeyDictionary[Any, tuple[dt.date, dt.date] | None] = WeakKeyDictionary()


def _days_of(log: Any, rows: ibis.Table) -> tuple[dt.date, dt.date] | None:
    """First and last day of a log, asked once as long as the log is held; None where it has no row."""
    if isinstance(log, pd.DataFrame) and isinstance(log["date"].dtype, np.dtype):
        first, last = log["date"].min(), log["date"].max()
        return None if pd.isna(first) else (first.date(), last.date())
    if log.op() not in _days:
        found = rows.agg(first=rows.date.min(), last=rows.date.max()).to_pyarrow().to_pylist()[0]
        _days[log.op()] = found["first"] and (found["first"].date(), found["last"].date())
    return _days[log.op()]


def belongs_to(rows: ibis.Table) -> ibis.Value:
    """When the money of a row counts: a purchase's own date, a return's purchase, else never (null)."""
    return ibis.ifelse(rows.is_purchase, rows.date, rows.returned_purchase_date)


def orders_among(rows: ibis.Table, wanted: ibis.Value) -> ibis.Value:
    """How many orders there are among those rows of a customer that are wanted.

    An order is what has an id of its own; a row without one is an order by itself, for nothing says what it goes with.
    """
    if "order_id" not in rows.columns:
        return wanted.sum()
    return rows.order_id.nunique(where=wanted) + (wanted & rows.order_id.isnull()).sum()


def floor(instant: ibis.Value, collapse: TimeUnit) -> ibis.Value:
    """Start of the hour, day, week (Monday), month, quarter or year of an instant."""
    if collapse is TimeUnit.H:
        return instant.truncate("h")
    day = instant.date()
    return day if collapse is TimeUnit.D else day.truncate(_FLOOR[collapse])


def known_since(values: pd.Series, periods: Any, new_from: Any) -> pd.Series:
    """Numbers of new customers by the first day of their period; not known where that is before `new_from`."""
    if new_from is None:
        return values
    return values.where(pd.DatetimeIndex(periods) >= pd.Timestamp(as_day(new_from, "new_from")))


def open_columns(table: Any, name: str, *needed: str) -> ibis.Table:
    """Open a table of the study, or refuse it by its name and the column that it lacks."""
    rows = open_table(table)
    for column in needed:
        if column not in rows.columns:
            raise DataError(f"{name}: no column {column!r}; {did_you_mean(column, rows.columns[:40])}")
    return rows


def with_ids_of(log: ibis.Table, table: ibis.Table) -> ibis.Table:
    """A table with its customers as the log has them, numbers or text, so that the same ones match.

    Raises
    ------
    DataError
        If the log's ids are whole numbers, and the table's are not.
    """
    ids = own_ids(table.customer_id)
    if not log.customer_id.type().is_integer():
        return table.mutate(customer_id=ids.cast("string"))
    if ids.type().is_string() and holds_other(ids):
        raise DataError(
            "customer_id: the ids of the purchase log are whole numbers, and those of the other table are not all; "
            "give both as text, or the same ids"
        )
    return table.mutate(customer_id=ids.cast("int64"))


def fetch(table: ibis.Table) -> pd.DataFrame:
    """Run a reduced table; by way of Arrow, several times faster than Ibis's own way where there are nulls."""
    return table.to_pyarrow().to_pandas()
