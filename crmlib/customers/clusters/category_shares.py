"""What customers need, as far as their purchases show it: how their spend divides over categories."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, fetch, floor, seen_by
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.units import TimeUnit

OTHER, NONE = "other", "(none)"


def category_shares(
    transactions: Any,
    *,
    as_of: Any,
    by: str = "category",
    fewest_purchases: int = 5,
    most: int = 12,
    collapse: str = "D",
) -> pd.DataFrame:
    """How does each customer's spend divide over categories?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log with the column `by`.
    as_of : date or str
        Last day that counts, to its end.
    by : str
        The column of categories.
    fewest_purchases : int
        Purchase periods that a customer must have: one purchase is all of one category, which tells of no need.
    most : int
        Categories with most revenue that stand by themselves; all others are "other".
    collapse : {"D", "H", "W", "M", "Q", "Y"}
        Purchases of one customer within one such period are one purchase.

    Returns
    -------
    DataFrame
        One row per customer with enough purchases, sorted by customer: `customer_id` and a column per category, the
        largest first; shares from 0 to 1 that add up to 1. Rows without a category count as "(none)", and
        a category whose returns outweigh its purchases as 0. `.attrs["left_out"]` counts the customers with
        fewer purchases, or none of whose categories brought money.

    Raises
    ------
    CannotAnswerError
        If the log has no such column, or fewer than two categories.
    CrmError
        If a parameter is out of range.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": list("aab"), "category": ["beer", "bread", "beer"],
    ...     "amount": [30.0, 10.0, 5.0], "date": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02"])})
    >>> shares = category_shares(log, as_of="2024-01-31", fewest_purchases=2)
    >>> shares.to_dict("records"), shares.attrs["left_out"]
    ([{'customer_id': 'a', 'beer': 0.75, 'bread': 0.25}], 1)
    """
    for name, value, least in (("fewest_purchases", fewest_purchases, 1), ("most", most, 1)):
        if value < least:
            raise CrmError(f"{name} is {value}; allowed: a whole number from {least}")
    rows = seen_by(transactions, as_day(as_of, "as_of"))
    if by not in rows.columns:
        raise CannotAnswerError(f"the purchase log has no {by}, so that needs do not show in it")
    rows = rows.mutate(category=rows[by].cast("string").fill_null(NONE))
    named = _largest(rows, most)
    if len(named) < 2:
        raise CannotAnswerError(
            f"the purchase log has one {by} only ({', '.join(named)}), so that needs do not differ"
        )
    rows = rows.mutate(category=ibis.ifelse(rows.category.isin(named[:most]), rows.category, OTHER))
    money = rows.group_by("customer_id", "category").agg(spend=_.amount.sum())
    enough = _bought_often(rows, fewest_purchases, TimeUnit.parse(collapse))
    long = fetch(money.semi_join(enough, "customer_id"))
    spend = long.assign(spend=long["spend"].clip(lower=0)).pivot(
        index="customer_id", columns="category", values="spend"
    )
    order = list(dict.fromkeys([*(one for one in named[:most] if one in spend), *spend.columns]))
    spend = spend.reindex(columns=order).fillna(0.0).sort_index()
    total = spend.sum(axis=1)
    shares = spend[total > 0].div(total[total > 0], axis=0)
    assert np.allclose(shares.sum(axis=1), 1), "shares of a customer do not add up"
    told = shares.rename_axis(columns=None).reset_index()
    buyers = rows.filter(rows.counted).customer_id.nunique().to_pyarrow().as_py()
    told.attrs["left_out"] = int(buyers) - len(told)
    return told


def _largest(rows: ibis.Table, most: int) -> list[str]:
    """Categories with most revenue, the largest first, and one more where there are others."""
    revenue = rows.group_by("category").agg(revenue=_.amount.sum())
    ordered = revenue.order_by(_.revenue.desc(), _.category).limit(most + 1)
    return ordered.category.to_pyarrow().to_pylist()


def _bought_often(rows: ibis.Table, fewest: int, collapse: TimeUnit) -> ibis.Table:
    bought = rows.filter(rows.counted)
    periods = bought.select("customer_id", period=floor(bought.date, collapse)).distinct()
    return periods.group_by("customer_id").agg(purchases=_.count()).filter(_.purchases >= fewest)
