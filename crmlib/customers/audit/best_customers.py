"""Lens 1: how different are the customers of a period, and what did the best buy first?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_choice
from crmlib.customers._log import (
    as_day,
    by_group,
    customer_totals,
    dated,
    floor,
    profit_of,
    seen_by,
    with_contribution,
)
from crmlib.customers.audit.sentences import share_of_best_tenth, spread_of_purchases
from crmlib.data.sources import as_transactions
from crmlib.findings import with_finding
from crmlib.rankings import gini, parts_of_equal_size, top_share
from crmlib.units import TimeUnit

TOP_SHARES = (0.01, 0.05, 0.10, 0.20)
MANY = 10  # purchases from which on the distribution says "10 or more"
COLUMNS = ("rank", "first_product", "customers", "came_back_share", "value_per_customer", "standard_error")
FEWEST = 30  # customers of a product, below which its mean is mostly chance, and has no rank


@dataclass(frozen=True)
class PeriodProfile:
    """One period of a customer base.

    - `value`: what customers are ranked by: "contribution" where it is known, else "revenue".
    - `totals`: `customers, purchases, revenue, contribution` (NaN where unknown), `purchases_per_customer`,
      `spend_per_purchase`, `margin`, `one_time_share` (of customers), `gini` of the value and `top_1_share,
      top_5_share, top_10_share, top_20_share` of it (NaN of less than a customer).
    - `distribution`: by `purchases` ("1" to "9", "10+"): `customers, customer_share, value, value_share`.
    - `deciles`: `decile` 1 (best) to 10: `customers, purchases, value, value_share, cumulative_share,
      value_per_customer`.
    - `by_group`: one row per group, `by` and `group` and then the totals; empty where none were asked for, or the log
      has none of the columns. A customer of two groups is a customer of each. Beyond the 20 groups with the most
      customers, all others are one, "(4,980 others)".
    """

    value: str
    totals: pd.Series
    distribution: pd.DataFrame
    deciles: pd.DataFrame
    by_group: pd.DataFrame


def period_profile(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    collapse: str = "D",
    margin: float | None = None,
    by: Sequence[str] = (),
) -> PeriodProfile:
    """How different are the customers of one period, and how much does the firm depend on a few of them?

    Parameters
    ----------
    transactions, collapse
        As in `rfm_summary`.
    start, end : date or str
        First and last day of the period, both within it.
    margin : float, optional
        Contribution margin as a share of revenue; with it, or where the log has `cost`, customers are
        ranked by contribution.
    by : sequence of str
        Columns such as "market" and "channel", whose groups are described apart; those that the log lacks are passed
        over.

    Returns
    -------
    PeriodProfile

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Ross, M. (2022), The Customer-Base Audit, lens 1.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 10.0], "market": ["DE", "DE", "FR"],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-31"])})
    >>> profile = period_profile(log, start="2024-01-01", end="2024-01-31", by=["market"])
    >>> profile.totals[["customers", "one_time_share", "spend_per_purchase"]].tolist()
    [2.0, 0.5, 16.666666666666668]
    >>> profile.by_group[["by", "group", "revenue"]]
           by group  revenue
    0  market    DE     40.0
    1  market    FR     10.0
    """
    period = dict(start=start, end=end, collapse=collapse, margin=margin)
    ranked, value = _ranked(customer_totals(transactions, **period))
    deciles, distribution = _deciles(ranked, value), _distribution(ranked, value)
    for table in (deciles, distribution):
        assert table["customers"].sum() == len(ranked), "a customer was lost between tables"
        assert np.isclose(table["value"].sum(), ranked[value].sum()), "value was lost between tables"
    with_finding(distribution, spread_of_purchases, value)
    with_finding(deciles, share_of_best_tenth, value)
    apart = _by_group(transactions, by, **period)
    return PeriodProfile(value, _totals(ranked, value), distribution, deciles, apart)


def _ranked(customers: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The customers by value, the best first, and what their value is."""
    customers = with_contribution(customers)
    value = "contribution" if "contribution" in customers.columns else "revenue"
    ranked = customers.sort_values([value, "customer_id"], ascending=[False, True])
    return ranked.reset_index(drop=True), value


def _by_group(transactions: Any, by: Sequence[str], **period: Any) -> pd.DataFrame:
    """The totals of each market, channel or other group, by those columns that the log has."""
    rows = as_transactions(transactions)
    profiles = [
        {"by": name, "group": group, **_totals(*_ranked(customers)).to_dict()}
        for name in by
        if name in rows.columns
        for group, customers in by_group(customer_totals, rows, by=name, **period).items()
    ]
    return pd.DataFrame(profiles, columns=None if profiles else ["by", "group"])


def _totals(ranked: pd.DataFrame, value: str) -> pd.Series:
    customers, purchases = len(ranked), ranked["purchases"].sum()
    revenue = ranked["revenue"].sum()
    contribution = ranked["contribution"].sum() if "contribution" in ranked else np.nan
    totals = {
        "customers": customers,
        "purchases": purchases,
        "revenue": revenue,
        "contribution": contribution,
        "purchases_per_customer": _ratio(purchases, customers),
        "spend_per_purchase": _ratio(revenue, purchases),
        "margin": _ratio(contribution, revenue),
        "one_time_share": (ranked["purchases"] == 1).mean() if customers else np.nan,
        "gini": gini(ranked[value].to_numpy()) if customers > 1 else np.nan,
    }
    for share in TOP_SHARES:
        held = top_share(ranked[value].to_numpy(), share) if share * customers >= 1 else np.nan
        totals[f"top_{share * 100:.0f}_share"] = held
    return pd.Series(totals, dtype=float)


def _ratio(above: float, below: float) -> float:
    return above / below if below else np.nan


def _deciles(ranked: pd.DataFrame, value: str) -> pd.DataFrame:
    # Ten groups as equal as the number allows; customers of the same value are in the order of their ids.
    decile = parts_of_equal_size(len(ranked)) + 1
    table = ranked.groupby(decile).agg(
        customers=("customer_id", "size"), purchases=("purchases", "sum"), value=(value, "sum")
    )
    table = table.reindex(range(1, 11), fill_value=0).rename_axis("decile").reset_index()
    table["value_share"] = table["value"] / table["value"].sum()
    table["cumulative_share"] = table["value"].cumsum() / table["value"].sum()
    table["value_per_customer"] = table["value"] / table["customers"]
    return table


def _distribution(ranked: pd.DataFrame, value: str) -> pd.DataFrame:
    names = [*map(str, range(1, MANY)), f"{MANY}+"]
    group = ranked["purchases"].clip(upper=MANY).map(lambda count: names[int(count) - 1])
    table = ranked.groupby(group).agg(customers=("customer_id", "size"), value=(value, "sum"))
    table = table.reindex(names, fill_value=0).rename_axis("purchases").reset_index()
    table["customer_share"] = table["customers"] / table["customers"].sum()
    table["value_share"] = table["value"] / table["value"].sum()
    return table


def first_products(
    transactions: Any,
    *,
    as_of: Any,
    by: str | None = None,
    within_days: int = 365,
    margin: float | None = None,
    new_from: Any = None,
) -> pd.DataFrame:
    """How do customers develop by their first product, and with which did the best customers start?

    Parameters
    ----------
    transactions, as_of, margin
        As in `rfm_summary`; `margin` as in `cohort_comparison`.
    by : str, optional
        Column that says what was bought; `category`, else `product` where none is named.
    within_days : int
        Each customer's value is counted over so many days from their first purchase; only customers who
        have lived them count.
    new_from : date or str, optional
        The study's `new_customers_known_from`: who was first seen before it may be older, and
        is not counted.

    Returns
    -------
    DataFrame
        One row per first product: `rank` by value per customer, 1 the highest, `first_product, customers,
        came_back_share, value_per_customer` (contribution where it is known, else revenue) and its
        `standard_error`. Products with fewer than 30 customers have no rank (nan) and come last, those with
        most customers first. Who bought several on the first day counts for each of them. Empty where the log
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
    >>> found[["rank", "first_product", "customers", "value_per_customer"]]
       rank first_product  customers  value_per_customer
    0   NaN          jazz          1                40.0
    1   NaN           pop          1                 5.0
    """
    rows = seen_by(transactions, day := as_day(as_of, "as_of"))
    by = by or next((name for name in ("category", "product") if name in rows.columns), None)
    if by is None:
        return pd.DataFrame(columns=list(COLUMNS))
    check_choice("by", by, rows.columns)
    contribution = profit_of(rows, margin)
    rows = rows.mutate(
        value=rows.amount if contribution is None else contribution,
        day=floor(dated(rows), TimeUnit.D),
        bought=rows[by].cast("string").fill_null("(none)"),
    )
    born = rows.filter(rows.counted).group_by("customer_id").agg(born=_.day.min())
    lived = born.filter(born.born <= ibis.literal(day - pd.Timedelta(within_days, "D")))
    if new_from is not None:
        lived = lived.filter(lived.born >= ibis.literal(as_day(new_from, "new_from")))
    table = _by_first_product(rows.inner_join(lived, "customer_id"), within_days)
    ranked = table["value_per_customer"].where(table["customers"] >= FEWEST)
    table.insert(0, "rank", ranked.rank(method="first", ascending=False))
    few_last = table.sort_values("customers", ascending=False, kind="stable")
    return few_last.sort_values("rank", kind="stable", ignore_index=True)[list(COLUMNS)]


def _by_first_product(rows: ibis.Table, within_days: int) -> pd.DataFrame:
    """Customers and their value over so many days, by what they bought on the day on which they were `born`."""
    age = rows.day.delta(rows.born, unit="day")
    people = rows.group_by("customer_id").agg(
        value=rows.value.sum(where=age < within_days),
        came_back=(rows.counted & (age > 0) & (age < within_days)).any(),
    )
    starts = rows.filter(rows.counted & (rows.day == rows.born)).select("customer_id", first_product="bought")
    found = starts.distinct().inner_join(people, "customer_id").group_by("first_product").agg(
        customers=_.count(),
        came_back_share=_.came_back.cast("float64").mean(),
        value_per_customer=_.value.mean(),
        standard_error=_.value.std(how="sample") / _.count().cast("float64").sqrt(),
    )  # fmt: skip
    return found.to_pandas().sort_values("first_product", ignore_index=True)
