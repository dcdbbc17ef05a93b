"""Which first purchases bring the best customers?"""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, belongs_to, floor, seen_by
from crmlib.customers.activity import profit_of
from crmlib.errors import CrmError, did_you_mean
from crmlib.units import TimeUnit

COLUMNS = ("first_product", "customers", "came_back_share", "value_per_customer", "standard_error")


def first_products(
    transactions: Any,
    *,
    as_of: Any,
    by: str | None = None,
    within_days: int = 365,
    margin: float | None = None,
) -> pd.DataFrame:
    """What do customers become who started with a product, and with which did the best ones start?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts, to its end.
    by : str, optional
        Column that says what was bought; `category`, else `product` where none is named.
    within_days : int
        Each customer's value is counted over so many days from their first purchase; only customers who
        have lived them count.
    margin : float, optional
        Contribution margin as a share of revenue, used where the log has no `cost`.

    Returns
    -------
    DataFrame
        One row per first product, by value per customer, highest first: `first_product, customers,
        came_back_share, value_per_customer` (profit where it is known, else revenue) and its
        `standard_error`. Who bought several on the first day counts for each of them. Empty where the log
        names no product.

    Notes
    -----
    Who starts with a product has chosen it: that its buyers become good customers does not say that
    selling it to others would make them so.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Ross, M. (2022), The Customer-Base Audit.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-29"]),
    ...                     "category": ["jazz", "pop", "pop"]})
    >>> found = first_products(log, as_of="2024-12-31", within_days=180)
    >>> found[["first_product", "customers", "value_per_customer"]]
      first_product  customers  value_per_customer
    0          jazz          1                40.0
    1           pop          1                 5.0
    """
    day = as_day(as_of, "as_of")
    rows = seen_by(transactions, day)
    named = [one for one in ("category", "product") if one in rows.columns]
    by = by or next(iter(named), None)
    if by is None:
        return pd.DataFrame(columns=list(COLUMNS))
    if by not in rows.columns:
        raise CrmError(f"by is {by!r}, which the log lacks; {did_you_mean(by, rows.columns)}")
    profit = profit_of(rows, margin)
    rows = rows.mutate(
        value=rows.amount if profit is None else profit,
        day=floor(belongs_to(rows).fill_null(rows.date), TimeUnit.D),
        bought=rows[by].cast("string").fill_null("(none)"),
    )
    born = rows.filter(rows.counted).group_by("customer_id").agg(born=_.day.min())
    lived = born.filter(born.born <= ibis.literal(day - pd.Timedelta(days=within_days)))
    rows = rows.inner_join(lived, "customer_id")
    age = rows.day.delta(rows.born, unit="day")
    people = rows.group_by("customer_id").agg(
        value=rows.value.sum(where=age < within_days),
        came_back=(rows.counted & (age > 0) & (age < within_days)).any(),
    )
    starts = rows.filter(rows.counted & (rows.day == rows.born)).select("customer_id", first_product="bought")
    table = starts.distinct().inner_join(people, "customer_id").group_by("first_product")
    found = table.agg(
        customers=_.count(),
        came_back_share=_.came_back.cast("float64").mean(),
        value_per_customer=_.value.mean(),
        standard_error=_.value.std(how="sample") / _.count().cast("float64").sqrt(),
    )
    return found.order_by(ibis.desc("value_per_customer"), "first_product").to_pandas()
