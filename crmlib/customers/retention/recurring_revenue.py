"""How recurring revenue moved from month to month: new, expansion, contraction and churn, and their ratios."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_range
from crmlib.customers._log import as_day, fetch
from crmlib.customers.retention.contracts import seen_rows
from crmlib.customers.sentences import change_of_recurring_revenue
from crmlib.data.sources import lacking
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows

_MOVEMENTS = ["start", "new", "expansion", "contraction", "churn"]
_COLUMNS = "month start new returned expansion contraction churn end customers nrr grr quick_ratio"


def revenue_ratios(movements: pd.DataFrame) -> pd.DataFrame:
    """`nrr`, `grr` and `quick_ratio` of what moved recurring revenue, all amounts 0 or more.

    Net and gross revenue retention are (start + expansion − contraction − churn) / start and (start − contraction −
    churn) / start, both nan without a start. The quick ratio is what was won for each unit lost: (new + expansion) /
    (contraction + churn), nan if nothing was lost.

    Examples
    --------
    >>> moved = pd.DataFrame({"start": [100], "new": 30, "expansion": 20, "contraction": 5, "churn": 10})
    >>> revenue_ratios(moved).round(2)
        nrr   grr  quick_ratio
    0  1.05  0.85         3.33
    """
    start, new, expansion, contraction, churn = (movements[name].astype(float) for name in _MOVEMENTS)
    lost, begun = contraction + churn, start.where(start > 0)
    if not (movements[_MOVEMENTS] >= 0).all(axis=None) or (lost > start * (1 + 1e-9)).any():
        raise CrmError(
            f"movements hold an amount that is negative or missing, or lose more than the start: {_MOVEMENTS}"
        )
    ratios = {"nrr": (start + expansion - lost) / begun, "grr": (start - lost) / begun}
    return pd.DataFrame({**ratios, "quick_ratio": (new + expansion) / lost.where(lost > 0)})


def revenue_movements(subscriptions: Any, *, as_of: Any, months: int = 12) -> pd.DataFrame:
    """What moved monthly recurring revenue in each of the last complete months?

    Parameters
    ----------
    subscriptions : ibis.Table or DataFrame
        As for `contract_spells`.
    as_of : date or str
        Last day that counts.
    months : int, default 12
        How many complete months, as far as the table goes back.

    Returns
    -------
    DataFrame
        One row per `month` (its first day): recurring revenue at its `start`, `new` (of which `returned`: from
        customers who had been there before), `expansion`, `contraction`, `churn` (money, all 0 or more), `end`, and
        `nrr`, `grr`, `quick_ratio` as of `revenue_ratios`, `customers` at the end. Money adds up: start and
        movements are the end, and each end is the next start. Without rows, and with the `reason`, where there is no
        table or no month is complete.

    Notes
    -----
    A customer's recurring revenue is the sum of the prices due on the month's last day, a contract's last day
    included; it moves net over all contracts of a customer. Who joins and leaves within a month is not seen. Of
    two rows of one contract that overlap, the later one's price is due.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a", "a", "b"], "price_per_month": [10.0, 12.0, 9.0],
    ...     "start": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-01-05"]),
    ...     "end": pd.to_datetime(["2024-01-31", None, "2024-02-10"])})
    >>> moved = revenue_movements(rows, as_of="2024-02-29")
    >>> moved[["start", "new", "expansion", "contraction", "churn", "end"]]
       start   new  expansion  contraction  churn   end
    0    0.0  19.0        0.0          0.0    0.0  19.0
    1   19.0   0.0        2.0          0.0    9.0  12.0
    """
    day = as_day(as_of, "as_of")
    check_range("months", months, "1 or more", least=1)
    if missing := lacking(subscriptions=subscriptions):
        return no_rows(_COLUMNS, missing)
    rows = seen_rows(subscriptions, day)
    first = rows.start.min().to_pyarrow().as_py()
    complete = pd.Period(pd.Timestamp(day) + pd.Timedelta(1, "D"), freq="M") - 1
    if first is None or pd.Period(first, freq="M") > complete:
        return no_rows(_COLUMNS, f"no month with contracts is complete by {day}; movements need one")
    earliest = max(complete - (months - 1), pd.Period(first, freq="M"))
    calendar = pd.period_range(earliest, complete, freq="M")
    days = {"last_day": calendar.end_time.normalize(), "before": (calendar - 1).end_time.normalize()}
    moved = _moved(_one_price_a_day(rows), pd.DataFrame({"month": calendar.start_time, **days}))
    table = pd.DataFrame({"month": calendar.start_time}).merge(moved, on="month", how="left").fillna(0.0)
    came, went = (table[list(names)].sum(axis=1) for names in (_MOVEMENTS[:3], _MOVEMENTS[3:]))
    assert np.allclose(came - went, table["end"]), "money was lost between movements"
    assert np.allclose(table["end"].iloc[:-1], table["start"].iloc[1:]), "an end is not the next start"
    table = table.join(revenue_ratios(table)).astype({"customers": "int64", "month": "datetime64[s]"})
    return with_finding(table, change_of_recurring_revenue)


def _one_price_a_day(rows: ibis.Table) -> ibis.Table:
    """End each row at latest on the day before the next one of the same contract starts."""
    window = ibis.window(group_by=["customer_id", "subscription_id"], order_by=["start", "price_per_month"])
    rows = rows.mutate(until=_.start.lead().over(window) - ibis.interval(days=1))
    rows = rows.mutate(end=ibis.coalesce(ibis.least(_.end, _.until), _.end, _.until).cast("date"))
    return rows.filter(_.end.isnull() | (_.end >= _.start))


def _moved(rows: ibis.Table, calendar: pd.DataFrame) -> pd.DataFrame:
    """Movements by month, added up in the engine over customers who are there at either end of it."""
    dates = ibis.memtable(calendar)  # goes to the engine in which the contracts are
    dates = dates.mutate(**{name: dates[name].cast("date") for name in dates.columns})
    pairs = rows.cross_join(dates)
    due = pairs.end.isnull()
    at_start, at_end = (
        ((pairs.start <= pairs[day]) & (due | (pairs.end >= pairs[day]))) for day in ("before", "last_day")
    )
    people = pairs.filter(pairs.start <= pairs.last_day).group_by("customer_id", "month").agg(
        start=pairs.price_per_month.sum(where=at_start).fill_null(0.0),
        end=pairs.price_per_month.sum(where=at_end).fill_null(0.0),
        earlier=(pairs.start <= pairs.before).any(),
    )  # fmt: skip
    came, left = (_.start == 0) & (_.end > 0), (_.start > 0) & (_.end == 0)
    stayed = (_.start > 0) & (_.end > 0)
    rise = _.end - _.start
    moved = people.group_by("month").agg(
        start=_.start.sum(),
        new=_.end.sum(where=came),
        returned=_.end.sum(where=came & _.earlier),
        expansion=rise.sum(where=stayed & (rise > 0)),
        contraction=(-rise).sum(where=stayed & (rise < 0)),
        churn=_.start.sum(where=left),
        end=_.end.sum(),
        customers=(_.end > 0).sum(),
    )
    return fetch(moved.order_by("month")).astype({"month": "datetime64[ns]"}).fillna(0.0)
