"""Acquisition beside relationships: receipts, the cost of selling, and the work of the staff, month by month."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.data.sources import open_optional, optional
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.data import WAGES, AcquisitionData
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows

_MONTHS = (
    "month acquisition_spend new_revenue repeat_revenue repeat_value spend_share selling_cost selling_share"
)
_YEARS = "year hours_per_lead hours_per_win hours_per_customer customers_per_manager managers left_share"
OVERHEAD = ("prospecting", "selling", "administration")


def receipts(data: AcquisitionData) -> pd.DataFrame:
    """By month: acquisition cost, revenue of new and of earlier customers, and what selling costs of revenue.

    `acquisition_spend` (with wages), `new_revenue`, `repeat_revenue`, `repeat_value` (their contribution),
    `spend_share` (of it), `selling_cost` (wages of prospecting, selling and administration), `selling_share` (of
    revenue). The finding "selling_share" tells its trend.
    """
    rows = data.money
    if rows.empty:
        return no_rows(_MONTHS, "no new customer in the log")
    is_new = rows["month"] == rows["born"].dt.to_period("M").dt.start_time
    new = rows[is_new].groupby("month")["revenue"].sum().rename("new_revenue")
    old = rows[~is_new].groupby("month")[["revenue", "worth"]].sum()
    months = pd.period_range(rows["born"].min(), data.window[1], freq="M").to_timestamp()
    table = pd.DataFrame(index=months).join(new).join(old).fillna(0.0)
    table = table.rename(columns={"revenue": "repeat_revenue", "worth": "repeat_value"})
    spend = data.spend.groupby(data.spend["date"].dt.to_period("M").dt.start_time)["amount"].sum()
    staff = data.staff.astype({"cost": float})
    wages, overhead = (
        staff[staff["activity"].isin(some)].groupby("month")["cost"].sum() for some in (WAGES, OVERHEAD)
    )
    known = spend.reindex(months) if len(data.spend) else pd.Series(np.nan, index=months)
    table["acquisition_spend"] = known.add(wages.reindex(months).fillna(0.0))
    revenue = table["new_revenue"] + table["repeat_revenue"]
    table["spend_share"] = table["acquisition_spend"] / table["repeat_value"].where(table["repeat_value"] > 0)
    table["selling_cost"] = overhead.reindex(months)
    table["selling_share"] = table["selling_cost"] / revenue.where(revenue > 0)
    table = table.rename_axis("month").reset_index()[_MONTHS.split()]
    with_finding(table, sentences.receipts_in_words, data.value)
    trend = seasonal_trend(table["month"], table["selling_share"])
    return with_finding(table, sentences.trend_in_words, *trend, measure="selling_share")


def seasonal_trend(months: pd.Series, values: pd.Series) -> tuple[float, float]:
    """Change per year and the p-value of no trend, by comparing each month with the same month of other years.

    Parameters
    ----------
    months : Series of datetime
    values : Series of float
        Months without a value are left out.

    Returns
    -------
    per_year, p_value : float
        nan where no calendar month has three values.

    Notes
    -----
    Seasonal Mann–Kendall test and Sen's slope: Hirsch, Slack & Smith, Water Resources Research 18, 1982; the seasons
    cannot be taken for a trend.

    Examples
    --------
    >>> months = pd.Series(pd.date_range("2021-01-01", periods=36, freq="MS"))
    >>> per_year, p = seasonal_trend(months, 0.3 - 0.02 * months.dt.year + 0.05 * months.dt.month)
    >>> round(per_year, 3), p < 0.001
    (-0.02, True)
    """
    known = pd.DataFrame({"year": months.dt.year, "season": months.dt.month, "value": values}).dropna()
    total, variance, slopes = 0.0, 0.0, []
    for _season, rows in known.groupby("season"):
        n = len(rows)
        years, gaps = (np.subtract.outer(*[rows[name].to_numpy()] * 2) for name in ("year", "value"))
        later = years > 0
        gaps = gaps[later]
        slopes.extend(gaps / years[later])
        if n >= 3:
            total += np.sign(gaps).sum()
            variance += n * (n - 1) * (2 * n + 5) / 18
    if not variance > 0:
        return np.nan, np.nan
    from scipy.special import ndtr

    z = (total - np.sign(total)) / np.sqrt(variance)
    return float(np.median(slopes)), float(2 * ndtr(-abs(z)))


def workload(data: AcquisitionData) -> pd.DataFrame:
    """By year: hours per prospect, win and customer, accounts per manager today, share of the staff who left."""
    staff = open_optional(data.staff_hours)
    if staff is None:
        return no_rows(_YEARS, "no table staff_hours")
    by_year = data.staff.assign(year=data.staff["month"].dt.year)
    hours = by_year.pivot_table(index="year", columns="activity", values="hours", aggfunc="sum").astype(float)
    asked = hours.reindex(columns=["prospecting"])["prospecting"]
    hours = hours.reindex(columns=["prospecting", "selling", "account management", "service"]).fillna(0)
    leads = data.closing.assign(year=pd.to_datetime(data.closing["month"]).dt.year)
    sums = leads.groupby("year")[["leads", "won"]].sum().reindex(hours.index)
    bought = data.rows.filter(_.counted).group_by(year=_.day.year())
    served = fetch(bought.agg(customers=_.customer_id.nunique())).set_index("year")["customers"]
    sums["customers"] = served.reindex(hours.index).astype(float)
    sums = sums.where(sums > 0)
    table = pd.DataFrame(
        {
            "hours_per_lead": asked / sums["leads"],
            "hours_per_win": (hours["prospecting"] + hours["selling"]) / sums["won"],
            "hours_per_customer": (hours["account management"] + hours["service"]) / sums["customers"],
            "customers_per_manager": np.nan,
        }
    )
    table.iloc[-1, -1] = _accounts_per_manager(data)
    table["left_share"] = _left(staff, [*table.index])
    return table.rename_axis("year").reset_index()


def _accounts_per_manager(data: AcquisitionData) -> float:
    """Accounts with a manager per manager, as the customers' table has them today; nan without a manager."""
    table = open_optional(data.customers)
    if table is None:
        return np.nan
    manager = optional(table, "manager_id", "string")
    found = table.agg(accounts=manager.count(), managers=manager.nunique()).to_pyarrow().to_pylist()[0]
    return found["accounts"] / found["managers"] if found["managers"] else np.nan


def _left(staff: ibis.Table, years: list[int]) -> list[float]:
    """Of the employees of a year, the share who left in it; nan where nobody's last day is noted."""
    left = optional(staff, "left_on", "timestamp(6)").cast("date")
    hired = optional(staff, "hired_on", "timestamp(6)").cast("date")
    begun = ibis.coalesce(hired.min(), staff.date.cast("date").min())
    rows = fetch(staff.group_by("employee_id").agg(first=begun, last=left.max()))
    if rows["last"].isna().all():
        return [np.nan] * len(years)
    first, last = (pd.to_datetime(rows[name]) for name in ("first", "last"))
    found = []
    for year in years:
        there = (first.dt.year <= year) & ~(last.dt.year < year)
        found.append(float((last[there].dt.year == year).mean()) if there.any() else np.nan)
    return found
