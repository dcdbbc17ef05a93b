"""Where the revenue comes from: by first purchase of its customers, and who left of those with a contract."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import as_day, customer_totals, fetch, seen_by
from crmlib.customers.audit.months import last_complete_month
from crmlib.data.sources import lacking
from crmlib.findings import with_finding
from crmlib.models.churn.data import ChurnData
from crmlib.no_rows import no_rows, why_none
from crmlib.relationship.forecasts import with_first_month
from crmlib.relationship.sentences import largest_share_that_left, revenue_by_band
from crmlib.statistics import normal_quantile, wilson_interval

MOST_BANDS = 6
MOST_GROUPS = 8
_FEWEST = 30  # customers of a group, below which its share says little
Period = tuple[dt.date, dt.date]


def revenue_by_first_purchase(transactions: Any, *, as_of: Any, new_from: Any = None) -> pd.DataFrame:
    """How much does each month bring, and from customers of which year, quarter or month of first purchase?

    Parameters
    ----------
    transactions, as_of, new_from
        As in `month_review`; who was first seen before `new_from` is one band, for these customers may be older.

    Returns
    -------
    DataFrame
        One row per `band` and complete month (`period`, its first day): `cohort` (the band's first month), `revenue`
        (money, net of returns); six bands at most, the oldest first. The sum over bands is the month's revenue.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> revenue_by_first_purchase(log, as_of="2024-02-29")[["band", "period", "revenue"]]
           band     period  revenue
    0  Jan 2024 2024-01-01     10.0
    1  Jan 2024 2024-02-01     30.0
    2  Feb 2024 2024-01-01      0.0
    3  Feb 2024 2024-02-01      5.0
    """
    columns = ["band", "cohort", "period", "revenue"]
    if missing := lacking(transactions=transactions):
        return no_rows(columns, missing)
    day = as_day(as_of, "as_of")
    rows = with_first_month(seen_by(transactions, day))
    sums = fetch(rows.group_by("born", "period").agg(revenue=_.amount.sum()))
    for name in ("born", "period"):
        sums[name] = pd.to_datetime(sums[name]).astype("datetime64[s]")
    sums = sums[sums["period"] <= last_complete_month(day).start_time]
    if sums.empty or not sums["revenue"].sum() > 0:
        return no_rows(columns, f"no complete month with revenue by {day}")
    sums = _banded(sums, None if new_from is None else pd.Timestamp(as_day(new_from, "new_from")))
    months = pd.date_range(sums["period"].min(), last_complete_month(day).start_time, freq="MS", unit="s")
    table = sums.pivot_table(index=["cohort", "band"], columns="period", values="revenue", aggfunc="sum")
    table = table.reindex(columns=months.rename("period")).fillna(0.0)
    assert np.isclose(table.to_numpy().sum(), sums["revenue"].sum()), "revenue was lost between bands"
    found = table.stack().rename("revenue").reset_index()
    return with_finding(found[columns], revenue_by_band)


def _banded(sums: pd.DataFrame, new_from: pd.Timestamp | None) -> pd.DataFrame:
    """The rows with their band: the shortest period of which there are at most six, else years, the oldest as one."""
    first_known = sums["born"].min() if new_from is None else max(new_from, sums["born"].min())
    older = sums["born"] < first_known
    room = MOST_BANDS - bool(older.any())
    for length in "MQY":
        cohort = sums["born"].dt.to_period(length)
        if cohort[~older].nunique() <= room:
            break
    years = np.sort(cohort[~older].unique())
    start = cohort.dt.start_time
    name = start.map(lambda day: fmt.period(day, length, short=True))
    if len(years) > room:
        eldest = ~older & (cohort <= years[-room])
        start, name = start.mask(eldest, years[0].start_time), name.mask(eldest, f"{years[-room]} or before")
    # A band may begin within the time in which nobody is known to be new.
    start = start.clip(lower=first_known)
    if older.any():
        start = start.mask(older, sums["born"].min())
        name = name.mask(older, f"first seen before {fmt.date(first_known, short=True)}")
    return sums.assign(cohort=start, band=name)


def difference_of_revenue(
    transactions: Any, before: Period, after: Period, *, margin: float | None = None
) -> tuple[float, float, float]:
    """By how much do two periods differ, as far as chance among the customers can tell?

    Parameters
    ----------
    transactions, margin
        As in `period_change`: the difference is one of profit where costs or a margin are known, else of revenue.
    before, after : pair of date
        First and last day of each period.

    Returns
    -------
    tuple of float
        The difference and the ends of its 95 % interval, money.

    Notes
    -----
    Each customer's difference is one draw; the variance of their sum is estimated by the sum of its squares, as for a
    number of customers that is itself random (a compound Poisson sum).

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> months = [(dt.date(2024, 1, 1), dt.date(2024, 1, 31)), (dt.date(2024, 2, 1), dt.date(2024, 2, 29))]
    >>> [round(end, 1) for end in difference_of_revenue(log, *months)]
    [25.0, -15.4, 65.4]
    """
    asked = dict(margin=margin, outside=True)
    found = (customer_totals(transactions, start=start, end=end, **asked) for start, end in (before, after))
    totals = [period.set_index("customer_id") for period in found]
    value = "profit" if "profit" in totals[0] else "revenue"
    each = totals[1][value].sub(totals[0][value], fill_value=0.0).to_numpy(dtype=float)
    return sum_with_interval(each)


def sum_with_interval(each: np.ndarray) -> tuple[float, float, float]:
    """A sum over a random number of customers, and the ends of its 95 % interval."""
    total, reach = float(each.sum()), normal_quantile(0.95) * float(np.sqrt(np.square(each).sum()))
    return total, total - reach, total + reach


def share_that_left(data: ChurnData) -> pd.DataFrame:
    """In which groups of contract customers did most leave, by the column whose groups differ most?

    Parameters
    ----------
    data : ChurnData
        Who left, and what was known of them before.

    Returns
    -------
    DataFrame
        One row per `group` of that column, those with the highest share first: `customers, left`, the `share_left` and
        its 95 % interval `share_left_low, share_left_high`. Numbers are cut into fifths. Groups of fewer than 30
        customers are left out. A difference between groups is no cause.

    Examples
    --------
    >>> import crmlib as crm
    >>> share_that_left(crm.churn_data(crm.open_study("telco")))[["group", "customers", "left"]].head(2)
                         group  customers  left
    0  contract Month-to-month       3875  1655
    1        contract One year       1473   166
    """
    columns = ["group", "customers", "left", "share_left", "share_left_low", "share_left_high"]
    if data.reason:
        return no_rows(columns, data.reason)
    best, spread = no_rows(columns, f"no column has two groups of {_FEWEST} customers"), 0.0
    looked_at = 0
    for name in data.features:
        counted = pd.DataFrame({"group": _groups(data.features[name]), "left": data.churned})
        counted = counted.groupby("group", observed=True)["left"].agg(["size", "sum"])
        table = counted.set_axis(["customers", "left"], axis=1).query(f"customers >= {_FEWEST}")
        if not 2 <= len(table) <= MOST_GROUPS:
            continue
        looked_at += len(table)
        between = table["customers"] * (table["left"] / table["customers"] - data.churned.mean()) ** 2
        if between.sum() / (len(table) - 1) > spread:
            spread, best = between.sum() / (len(table) - 1), table.rename_axis("group").reset_index()
            best["group"] = f"{fmt.column(name)} " + best["group"].astype(str)
    if why_none(best):
        return best
    low, high = wilson_interval(best["left"], best["customers"])
    best = best.assign(share_left=best["left"] / best["customers"], share_left_low=low, share_left_high=high)
    best = best.sort_values("share_left", ascending=False, ignore_index=True)
    return with_finding(best[columns], largest_share_that_left, looked_at)


def _groups(values: pd.Series) -> pd.Series:
    """The categories of a column, or the fifths of its numbers."""
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= MOST_GROUPS:
        return values
    cut, least = pd.qcut(values, 5, duplicates="drop"), values.min()
    ends = [(max(part.left, least), part.right) for part in cut.cat.categories]
    return cut.cat.rename_categories([f"{fmt.number(low)} to {fmt.number(high)}" for low, high in ends])
