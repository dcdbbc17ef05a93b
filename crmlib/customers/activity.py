"""What the five lenses look through: the log reduced to days on which customers bought."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import as_day, belongs_to, fetch, floor, seen_by
from crmlib.data.sources import as_transactions
from crmlib.errors import CrmError, did_you_mean
from crmlib.units import TimeUnit

MOST_GROUPS = 20  # that are shown apart; a market of every postcode is no question anybody asked
_BETWEEN = "\x1f"  # no name of a group holds it


def purchase_days(
    transactions: Any, as_of: Any, *, collapse: str = "D", margin: float | None = None, outside: bool = False
) -> ibis.Table:
    """One row per customer and purchase period, as whoever looks at the end of `as_of` sees it.

    Columns `customer_id, date` (start of the period), `purchase` (1, or 0 where only a return without an
    earlier purchase falls on it), `revenue` net of returns, and `profit` where it is known: measured as
    revenue less `cost` where the log has it, else assumed as `margin` times revenue.
    """
    rows = dated_rows(transactions, as_of, collapse=collapse, margin=margin, outside=outside)
    measures = [name for name in rows.columns if name in ("revenue", "profit")]
    sums = {name: rows[name].sum() for name in measures}
    daily = rows.group_by("customer_id", "date").agg(purchase=_.counted.max().cast("int64"), **sums)
    return daily.select("customer_id", "date", "purchase", *measures)


def dated_rows(
    transactions: Any, as_of: Any, *, collapse: str = "D", margin: float | None = None, outside: bool = False
) -> ibis.Table:
    """The rows that `purchase_days` adds up: `customer_id, date, counted, revenue` and, where known, `profit`."""
    rows = seen_by(transactions, as_day(as_of, "as_of"), outside=outside)
    measures = {"revenue": rows.amount}
    profit = profit_of(rows, margin)
    if profit is not None:
        measures["profit"] = profit
    # A return's money belongs to its purchase; one without an earlier purchase counts where it stands.
    day = floor(belongs_to(rows).fill_null(rows.date), TimeUnit.parse(collapse))
    return rows.select("customer_id", date=day.cast("timestamp(6)"), counted=rows.counted, **measures)


def profit_of(rows: ibis.Table, margin: float | None) -> ibis.Value | None:
    """A row's profit: measured where the log has costs, else assumed from the margin, else None.

    A row without a cost in a log that has costs gets the margin's, or else the share of revenue that the
    costs of the other rows are: taking it for free would overstate profit in silence.
    """
    check_margin(margin)
    if "cost" in rows.columns:
        known = rows.cost.notnull() & (rows.amount > 0)
        share = (rows.cost.sum(where=known) / rows.amount.sum(where=known)).as_scalar()
        share = share if margin is None else 1 - margin
        return rows.amount - rows.cost.fill_null(rows.amount * share)
    return None if margin is None else rows.amount * margin


def check_margin(margin: float | None) -> None:
    if margin is not None and not 0 <= margin <= 1:
        raise CrmError(f"margin is {margin}; allowed: a share of revenue from 0 to 1, such as 0.4")


def customer_totals(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    collapse: str = "D",
    margin: float | None = None,
    outside: bool = False,
) -> pd.DataFrame:
    """What each customer bought in a period.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    start, end : date or str
        First and last day of the period, both within it.
    collapse : {"D", "H", "W", "M", "Q", "Y"}
        Purchases of one customer within one such period are one purchase.
    margin : float, optional
        Contribution margin as a share of revenue, used where the log has no `cost`.

    outside : bool
        Whether a period before the log has no purchases, instead of being refused.

    Returns
    -------
    DataFrame
        One row per customer active in the period (with a purchase in it): `customer_id, purchases, revenue`
        and, where it is known, `profit`. `first_purchase` is the customer's first ever.

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
    days = purchase_days(transactions, last, collapse=collapse, margin=margin, outside=outside)
    within = days.date >= first
    measures = {
        name: days[name].sum(where=within).fill_null(0.0)
        for name in ("revenue", "profit")
        if name in days.columns
    }
    totals = days.group_by("customer_id").agg(
        purchases=_.purchase.sum(where=within).fill_null(0),
        first_purchase=_.date.min(where=_.purchase == 1),
        **measures,
    )
    active = fetch(totals.filter(_.purchases > 0).order_by("customer_id"))
    return active.astype({"first_purchase": "datetime64[s]", "purchases": "int64"})


def acquired_by(transactions: Any, day: Any) -> int:
    """How many customers have bought at least once by the end of a day."""
    rows = seen_by(transactions, as_day(day, "day"), outside=True)
    return int(rows.filter(rows.counted).customer_id.nunique().to_pyarrow().as_py())


def by_group(
    per_customer: Callable[..., pd.DataFrame], transactions: Any, *, by: str, **options: Any
) -> dict[str, pd.DataFrame]:
    """The customers of each market, channel or other group apart, from one query.

    Parameters
    ----------
    per_customer : callable
        A function that takes transactions first and returns one row per customer, such as `customer_totals`.
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    by : str
        A column of the log, such as "market" or "channel".
    **options
        What the function takes besides.

    Returns
    -------
    dict
        Group to its customers, in the order of the groups' names; rows without one are "(none)". A customer of two
        groups is a customer of each. Beyond the `MOST_GROUPS` with the most customers, all others are one group,
        "(4,980 others)".

    Raises
    ------
    CrmError
        If the log has no such column.
    """
    rows = as_transactions(transactions)
    if by not in rows.columns:
        raise CrmError(f"by is {by!r}, which the log lacks; {did_you_mean(by, rows.columns)}")
    rows = rows.mutate(group=rows[by].cast("string").fill_null("(none)"))
    sizes = (
        rows.group_by("group").agg(customers=_.customer_id.nunique()).order_by(_.customers.desc(), "group")
    )
    groups = sizes.to_pandas()["group"].tolist()
    shown, others = groups[:MOST_GROUPS], len(groups) - MOST_GROUPS
    if others > 0:
        shown.append(rest := f"({fmt.plural(others, 'other')})")
        rows = rows.mutate(group=ibis.ifelse(rows.group.isin(groups[:MOST_GROUPS]), rows.group, rest))
    # A customer of two groups is two customers here.
    found = per_customer(
        rows.mutate(customer_id=rows.group + _BETWEEN + rows.customer_id.cast("string")), **options
    )
    names = found["customer_id"].str.split(_BETWEEN, n=1, regex=False)
    found = found.assign(customer_id=names.str[1])
    return {
        group: found[(names.str[0] == group).to_numpy()].reset_index(drop=True) for group in sorted(shown)
    }


def span(start: Any, end: Any) -> tuple[dt.date, dt.date]:
    """Read a period's first and last day."""
    first, last = as_day(start, "start"), as_day(end, "end")
    if first > last:
        raise CrmError(
            f"the period starts on {first} and ends on {last}; the start must not be after the end"
        )
    return first, last
