"""The purchase log as of a day, for all customer analyses: its rows, purchase days and customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.arguments import check_choice, check_columns, check_share
from crmlib.data.cleaning.ids import holds_other, own_ids
from crmlib.data.sources import as_transactions, open_table
from crmlib.errors import CannotAnswerError, CrmError, DataError, TooLittleMemoryError
from crmlib.units import TimeUnit, why_outside

_FLOOR = {"H": "h", "W": "W", "M": "M", "Q": "Q", "Y": "Y"}
MOST_GROUPS = 20  # that are shown apart; a market of every postcode is no question anybody asked


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


def within(when: ibis.Value, first: dt.date, last: dt.date | None = None) -> ibis.Value:
    """Whether an instant is on or after a day, and not after another one."""
    inside = when >= ibis.literal(dt.datetime.combine(first, dt.time()))
    return inside if last is None else inside & (when < end_of(last))


def seen_by(transactions: Any, day: dt.date, *, outside: bool = False) -> ibis.Table:
    """The rows up to the end of a day, with `counted`: whether a row is a purchase, as it is seen then.

    A purchase that goes back in full later still counts on this day; a return of later is not seen. A day outside
    the log is refused, unless `outside` allows it.
    """
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


def dated(rows: ibis.Table) -> ibis.Value:
    """When the money of a row counts; a return without an earlier purchase counts where it stands."""
    return belongs_to(rows).fill_null(rows.date)


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
    check_columns(name, rows, needed)
    return rows


def with_ids_of(log: ibis.Table, table: ibis.Table) -> ibis.Table:
    """A table with customer ids of the same type as in the log, numbers or text, so that they match.

    Those of referrers are text. Raises DataError if the log's ids are whole numbers, and the table's are not.
    """
    check_columns("a table of customers", table, ("customer_id",))
    ids = own_ids(table.customer_id)
    if "referrer_id" in table.columns:
        table = table.mutate(referrer_id=own_ids(table.referrer_id).cast("string"))
    if not log.customer_id.type().is_integer():
        return table.mutate(customer_id=ids.cast("string"))
    if ids.type().is_string() and holds_other(ids):
        raise DataError(
            "customer_id: the purchase log has whole numbers, the other table other ids; give both as text"
        )
    return table.mutate(customer_id=ids.cast("int64"))


def fetch(table: ibis.Table) -> pd.DataFrame:
    """Run a reduced table; by way of Arrow, several times faster than Ibis's own way where there are nulls."""
    return table.to_pyarrow().to_pandas(split_blocks=True, self_destruct=True)  # no column is held twice


Part = Callable[[ibis.Table], ibis.Table]


def fetch_customers(
    query: Callable[[Part], ibis.Table], rows: ibis.Table, part: Part = lambda table: table, halvings: int = 5
) -> pd.DataFrame:
    """Run a query that has a row per customer, in their order; if memory is short, for half of the customers at a time.

    `query`: of a function that picks the rows of some customers. `rows`: of the customers, to find their middle.
    """
    try:
        return fetch(query(part).order_by("customer_id"))
    except TooLittleMemoryError:
        some = part(rows).select("customer_id").sample(0.001, method="row", seed=1).distinct()
        ids = some.order_by("customer_id").to_pyarrow()["customer_id"].to_pylist()
        if not halvings or not ids:
            raise
        middle = ids[len(ids) // 2]  # wherever it is, nobody is lost
    halves: list[Part] = [
        lambda table: part(table).filter(_.customer_id < middle),
        lambda table: part(table).filter(_.customer_id >= middle),
    ]
    found = [fetch_customers(query, rows, half, halvings - 1) for half in halves]
    return pd.concat([half for half in found if len(half)] or found[:1], ignore_index=True)


def purchase_days(transactions: Any, as_of: Any, **reading: Any) -> ibis.Table:
    """One row per customer and purchase period, as it is seen at the end of `as_of`.

    Columns `customer_id, date` (start of the period), `purchase` (1, or 0 where only a return without an
    earlier purchase falls on it), `revenue` net of returns, and `profit` where it is known: measured as
    revenue less `cost` where the log has it, else assumed as `margin` times revenue.
    """
    return _by_day(dated_rows(transactions, as_of, **reading))


def _by_day(rows: ibis.Table) -> ibis.Table:
    sums = {name: rows[name].sum() for name in ("revenue", "profit") if name in rows.columns}
    daily = rows.group_by("customer_id", "date").agg(purchase=_.counted.max().cast("int64"), **sums)
    return daily.select("customer_id", "date", "purchase", *sums)


def dated_rows(
    transactions: Any, as_of: Any, *, collapse: str = "D", margin: float | None = None, outside: bool = False
) -> ibis.Table:
    """The rows that `purchase_days` adds up: `customer_id, date, counted, revenue` and, where known, `profit`."""
    rows = seen_by(transactions, as_day(as_of, "as_of"), outside=outside)
    day = floor(dated(rows), TimeUnit.parse(collapse)).cast("timestamp(6)")
    return rows.select("customer_id", date=day, counted=rows.counted, **money_of(rows, margin))


def money_of(rows: ibis.Table, margin: float | None) -> dict[str, ibis.Value]:
    """A row's `revenue` and, where it is known, `profit`."""
    profit = profit_of(rows, margin)
    return {"revenue": rows.amount} | ({} if profit is None else {"profit": profit})


def profit_of(rows: ibis.Table, margin: float | None) -> ibis.Value | None:
    """A row's profit: measured where the log has costs, else assumed from the margin, else None.

    A row without a cost in a log that has costs gets the margin's, or else the share of revenue that the
    costs of the other rows are: taking it for free would overstate profit in silence.
    """
    check_share("margin", margin)
    if "cost" in rows.columns:
        known = rows.cost.notnull() & (rows.amount > 0)
        share = (rows.cost.sum(where=known) / rows.amount.sum(where=known)).as_scalar()
        share = share if margin is None else 1 - margin
        return rows.amount - rows.cost.fill_null(rows.amount * share)
    return None if margin is None else rows.amount * margin


def with_contribution(table: Any) -> Any:
    """A frame or an Ibis table whose `profit`, from which no cost to serve is subtracted, is called `contribution`."""
    if "profit" not in table.columns:
        return table
    if isinstance(table, pd.DataFrame):
        return table.rename(columns={"profit": "contribution"})
    return table.rename(contribution="profit")


def customer_totals(transactions: Any, *, start: Any, end: Any, **reading: Any) -> pd.DataFrame:
    """What each customer bought in a period, its first and last day within it; `reading` is as in `dated_rows`.

    One row per customer with a purchase in it: `customer_id, purchases, revenue`, where it is known `profit`, and
    `first_purchase`, the customer's first ever.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> customer_totals(log, start="2024-02-01", end="2024-02-29")[["customer_id", "purchases", "revenue"]]
      customer_id  purchases  revenue
    0           a          1     30.0
    1           b          1      5.0
    """
    first, last = span(start, end)
    rows = dated_rows(transactions, last, **reading)
    born = rows.filter(rows.counted).group_by("customer_id").agg(first_purchase=_.date.min())
    days = _by_day(rows.filter(rows.date >= first))  # all days of a long log are many more
    measures = {name: days[name].sum() for name in ("revenue", "profit") if name in days.columns}
    totals = days.group_by("customer_id").agg(purchases=_.purchase.sum(), **measures)
    active = totals.filter(_.purchases > 0).inner_join(born, "customer_id")
    active = active.select("customer_id", "purchases", "first_purchase", *measures)
    active = fetch(active.order_by("customer_id"))
    return active.astype({"first_purchase": "datetime64[s]", "purchases": "int64"})


def acquired_by(transactions: Any, day: Any) -> int:
    """How many customers have bought at least once by the end of a day."""
    rows = seen_by(transactions, as_day(day, "day"), outside=True)
    return int(rows.filter(rows.counted).customer_id.nunique().to_pyarrow().as_py())


def by_group(
    per_customer: Callable[..., pd.DataFrame], transactions: Any, *, by: str, **options: Any
) -> dict[str, pd.DataFrame]:
    """The customers of each market, channel or other group apart, from one query.

    `per_customer` takes transactions first and `options` besides, and returns one row per customer, as
    `customer_totals` does. The answer has the groups in the order of their names; rows without one are "(none)". A
    customer of two groups is a customer of each. Beyond the `MOST_GROUPS` with the most customers, all others are one
    group, "(4,980 others)".
    """
    rows = as_transactions(transactions)
    check_choice("by", by, rows.columns)
    rows = rows.mutate(group=rows[by].cast("string").fill_null("(none)"))
    sizes = rows.group_by("group").agg(customers=_.customer_id.nunique())
    groups = sizes.order_by(_.customers.desc(), "group").to_pandas()["group"].tolist()
    # A customer of two groups is two customers here; a letter before the id says which one, and keeps ids short.
    shown, others = groups[:MOST_GROUPS], len(groups) - MOST_GROUPS
    if others > 0:
        shown.append(rest := f"({fmt.plural(others, 'other')})")
        rows = rows.mutate(group=ibis.ifelse(rows.group.isin(groups[:MOST_GROUPS]), rows.group, rest))
    if not shown:
        return {}
    letters = {group: chr(ord("A") + place) for place, group in enumerate(shown)}
    letter = rows.group.cases(*letters.items())
    found = per_customer(rows.mutate(customer_id=letter + rows.customer_id.cast("string")), **options)
    of_group, found = found["customer_id"].str[0], found.assign(customer_id=found["customer_id"].str[1:])
    return {
        group: found[(of_group == letters[group]).to_numpy()].reset_index(drop=True)
        for group in sorted(shown)
    }


def span(start: Any, end: Any) -> tuple[dt.date, dt.date]:
    """Read a period's first and last day."""
    first, last = as_day(start, "start"), as_day(end, "end")
    if first > last:
        raise CrmError(f"the period starts on {first} and ends on {last}; the start may not be after the end")
    return first, last
