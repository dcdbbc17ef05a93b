"""Retention measures that say what they mean: by period, by age, and of recurring revenue.

"Retention" without a definition is no figure. Contracts end, so that who stays is known; in a purchase log
nobody is seen to leave, and what can be told is who bought again, within which time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, fetch
from crmlib.customers.activity import purchase_days
from crmlib.customers.retention.contract_spells import contract_spells
from crmlib.customers.retention.repurchase import with_interval
from crmlib.data.sources import lacking
from crmlib.errors import CrmError
from crmlib.no_rows import no_rows

_SIZES = ["period", "start", "new", "left", "joined_and_left", "end"]


def retention_rate(*, start: float, new: float, end: float) -> float:
    """Which share of the customers at a period's start is there at its end: (end − new) / start.

    Parameters
    ----------
    start, end : float
        Customers on the first and on the last day.
    new : float
        Those at the end who joined within the period; who joined and left within it is in none of the three.

    Returns
    -------
    float

    Raises
    ------
    CrmError
        If there is nobody at the start, or more or fewer remain than can be.

    Examples
    --------
    >>> retention_rate(start=200, new=40, end=210)
    0.85
    """
    if not (start > 0 and 0 <= new <= end and end - new <= start):
        raise CrmError(
            f"start is {start}, new {new} and end {end}; give customers at the start (above 0), and at the end those "
            "who are new and those who stayed, of whom there are no more than at the start"
        )
    return (end - new) / start


def contract_retention(subscriptions: Any, *, as_of: Any, period: str = "M") -> pd.DataFrame:
    """Which share of customers under contract stayed through each period?

    Parameters
    ----------
    subscriptions : ibis.Table or DataFrame
        As for `contract_spells`.
    as_of : date or str
        Last day that counts; the last period is the last one that is complete by then.
    period : {"M", "Q", "Y"}
        Calendar periods.

    Returns
    -------
    DataFrame
        One row per `period` (its first day): customers at its `start`, `new` (joined, and there at the end), `left`
        (there at the start, not at the end), `joined_and_left` within it, and at its `end`; `retention` = (end − new)
        / start with its 95 % interval `low, high` (Wilson). start + new − left = end. Without rows, and with the
        `reason`, where there is no table or no contract has started.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a", "b", "c"], "price_per_month": 10.0,
    ...     "start": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-10"]),
    ...     "end": pd.to_datetime([None, "2024-02-20", None])})
    >>> contract_retention(rows, as_of="2024-02-29")[["start", "new", "left", "end", "retention"]]
       start  new  left  end  retention
    0      0    2     0    2        NaN
    1      2    1     1    2        0.5
    """
    day = as_day(as_of, "as_of")
    spells = contract_spells(subscriptions, day)
    if spells.empty:
        why = f"no contract has started by {day}; retention needs some that have"
        return no_rows([*_SIZES, "retention", "low", "high"], lacking(subscriptions=subscriptions) or why)
    first = spells["start"].dt.to_period(_calendar(period)).min()
    who, people = pd.factorize(spells["customer_id"])

    def customers(rows: pd.Series) -> np.ndarray:
        return np.bincount(who[rows.to_numpy()], minlength=len(people)) > 0

    rows, there = [], np.zeros(len(people), dtype=bool)
    for one in pd.period_range(first, pd.Timestamp(day) + pd.Timedelta(days=1), freq=_calendar(period))[:-1]:
        begins, ends = one.start_time, one.end_time.normalize()
        # who ends on the period's last day is not there after it
        now = customers((spells["start"] <= ends) & (spells["end"].isna() | (spells["end"] > ends)))
        joined = customers((spells["start"] >= begins) & (spells["start"] <= ends))
        sizes = (there, now & ~there, there & ~now, joined & ~there & ~now, now)
        rows.append([begins, *(int(one.sum()) for one in sizes)])
        there = now
    table = pd.DataFrame(rows, columns=_SIZES)
    assert (table["start"] + table["new"] - table["left"] == table["end"]).all(), "a customer was lost"
    return with_interval(table, table["end"] - table["new"], table["start"]).astype(
        {"period": "datetime64[s]"}
    )


def retention_by_age(
    transactions: Any, *, as_of: Any, days: Sequence[int] = (7, 30, 90, 180, 365), collapse: str = "D"
) -> pd.DataFrame:
    """Which share of customers bought again at an age, by three definitions side by side?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log, or any log of use with `customer_id, date, amount`.
    as_of : date or str
        Last day that counts, to its end.
    days : sequence of int
        Ages in days after the first purchase, ascending.
    collapse : {"D", "W", "M", "Q", "Y"}
        Purchases of one customer within one such period are one purchase.

    Returns
    -------
    DataFrame
        One row per definition and age: `definition`, `from_day, to_day`, `meaning`; `customers` (first bought early
        enough to have lived through it), `retained`, `retention`, `low, high` (95 %, Wilson).

        N-day: bought on that very day. Bracket: bought within the days since the age before. Rolling: bought
        on that day or any later one, to which `to_day` is nan; it still grows as time passes.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": 1.0,
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-01"])})
    >>> told = retention_by_age(log, as_of="2024-02-29", days=[7, 30])
    >>> told[["definition", "from_day", "to_day", "customers", "retained"]]
      definition  from_day  to_day  customers  retained
    0      N-day         7     7.0          2         1
    1      N-day        30    30.0          2         0
    2    bracket         1     7.0          2         1
    3    bracket         8    30.0          2         0
    4    rolling         7     NaN          2         1
    5    rolling        30     NaN          2         0
    """
    ages = [int(one) for one in days]
    if not ages or ages[0] < 1 or sorted(set(ages)) != ages:
        raise CrmError(f"days is {list(days)!r}; give ages in days, 1 or more, ascending")
    last = as_day(as_of, "as_of")
    spans: list[tuple[str, int, int | None]] = [("N-day", one, one) for one in ages]
    spans += [("bracket", before + 1, one) for before, one in zip([0, *ages[:-1]], ages, strict=True)]
    spans += [("rolling", one, None) for one in ages]
    counts = _came_back(transactions, last, spans, collapse)
    meaning = {
        "N-day": "bought on day {0}",
        "bracket": "bought from day {0} to day {1}",
        "rolling": "bought on day {0} or later",
    }
    table = pd.DataFrame(
        {
            "definition": [name for name, _low, _high in spans],
            "from_day": [low for _name, low, _high in spans],
            "to_day": [np.nan if high is None else float(high) for _name, _low, high in spans],
            "meaning": [meaning[name].format(low, high) for name, low, high in spans],
            "customers": [int(counts[f"customers_{place}"]) for place in range(len(spans))],
            "retained": [int(counts[f"retained_{place}"]) for place in range(len(spans))],
        }
    )
    return with_interval(table, table["retained"], table["customers"])


def _came_back(
    transactions: Any, last: dt.date, spans: Sequence[tuple[str, int, int | None]], collapse: str
) -> pd.Series:
    """For each span of ages: customers old enough to have lived through it, and those who bought in it."""
    days = purchase_days(transactions, last, collapse=collapse).filter(_.purchase == 1)
    born = days.group_by("customer_id").agg(born=_.date.min())
    rows = days.inner_join(born, "customer_id").mutate(last=ibis.literal(last))
    rows = rows.mutate(
        age=_.date.date().delta(_.born.date(), unit="day"), lived=_.last.delta(_.born.date(), unit="day")
    )
    inside = {
        f"in_{place}": ((_.age >= low) & (_.age <= (10**6 if high is None else high))).any()
        for place, (_name, low, high) in enumerate(spans)
    }
    people = rows.group_by("customer_id").agg(lived=_.lived.max(), **inside)
    counts = {}
    for place, (_name, low, high) in enumerate(spans):
        lived = people.lived >= (low if high is None else high)
        counts[f"customers_{place}"] = lived.sum()
        counts[f"retained_{place}"] = (lived & people[f"in_{place}"]).sum()
    return fetch(people.agg(**counts)).iloc[0].fillna(0)


def _calendar(period: str) -> str:
    if period not in ("M", "Q", "Y"):
        raise CrmError(f"period is {period!r}; allowed: M, Q, Y")
    return period
