"""The months of a purchase log, those without a purchase among them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, belongs_to, seen_by
from crmlib.customers.rfm.summarise import purchase_periods
from crmlib.units import TimeUnit


def purchases_by_month(transactions: Any, *, as_of: Any, collapse: str = "D") -> pd.DataFrame:
    """How much was bought in each month, by how many customers, and how many of them were new.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts, to its end.
    collapse : {"D", "H", "W", "M", "Q", "Y"}
        Purchases of one customer within one such period are one purchase.

    Returns
    -------
    DataFrame
        One row per month from the first purchase to `as_of`, without a gap: `month` (its first day),
        `purchases`, `net` (money), `buyers` (customers who bought in it) and `new_customers` (who
        bought for the first time in it).

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-03-15", "2024-03-31"])})
    >>> purchases_by_month(log, as_of="2024-03-31")[["month", "purchases", "new_customers"]]
           month  purchases  new_customers
    0 2024-01-01          1              1
    1 2024-02-01          0              0
    2 2024-03-01          2              1
    """
    day = as_day(as_of, "as_of")
    rows = seen_by(transactions, day)
    periods = purchase_periods(rows, belongs_to(rows), TimeUnit.parse(collapse))
    bought = periods.filter(periods["first"].notnull()).mutate(month=_["first"].truncate("M"))
    monthly = bought.group_by("month").agg(
        purchases=_.count(), net=_.spend.sum(), buyers=_.customer_id.nunique()
    )
    born = (
        bought.group_by("customer_id").agg(month=_.month.min()).group_by("month").agg(new_customers=_.count())
    )
    found = monthly.left_join(born, "month").drop("month_right").order_by("month").to_pandas()
    if found.empty:
        return found.astype({"new_customers": "int64"})
    months = pd.date_range(found["month"].iloc[0], pd.Timestamp(day), freq="MS", unit="ns")
    whole = found.set_index("month").reindex(months).rename_axis("month").fillna(0).reset_index()
    return whole.astype({"purchases": "int64", "buyers": "int64", "new_customers": "int64"})
