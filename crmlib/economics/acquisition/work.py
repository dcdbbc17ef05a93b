"""Acquisition beside relationships: receipts, the cost of selling, and the work of the staff, month by month."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import dated, fetch
from crmlib.data.sources import open_optional
from crmlib.economics.acquisition.data import WAGES, AcquisitionData, optional
from crmlib.economics.acquisition.sentences import receipts_in_words, trend_in_words
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows

_MONTHS = (
    "month acquisition_spend new_revenue repeat_revenue repeat_value spend_share selling_cost selling_share"
)
_YEARS = "year hours_per_lead hours_per_win hours_per_customer customers_per_manager managers left_share"
OVERHEAD = ("prospecting", "selling", "administration")


def receipts(data: AcquisitionData) -> pd.DataFrame:
    """What acquisition cost and what earlier customers brought, by month; see `Acquisition.receipts`."""
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
    with_finding(table, receipts_in_words, data.value)
    return with_finding(table, trend_in_words, *seasonal_trend(table["month"], table["selling_share"]),
                        measure="selling_share")  # fmt: skip


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
        years, of = (
            np.subtract.outer(rows["year"].to_numpy(), rows["year"].to_numpy()),
            rows["value"].to_numpy(),
        )
        later = years > 0
        gaps = np.subtract.outer(of, of)[later]
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
    """How much work prospects, wins and customers take, and who stays; see `Acquisition.workload`."""
    staff = open_optional(data.staff_hours)
    if staff is None:
        return no_rows(_YEARS, "no table staff_hours")
    by_year = data.staff.assign(year=data.staff["month"].dt.year)
    hours = by_year.pivot_table(index="year", columns="activity", values="hours", aggfunc="sum").astype(float)
    blank = pd.Series(np.nan, index=hours.index)
    leads = data.closing.assign(year=pd.to_datetime(data.closing["month"]).dt.year)
    came, won = (leads.groupby("year")[name].sum().reindex(hours.index) for name in ("leads", "won"))
    served = _active_by_year(data).reindex(hours.index)
    sales = hours.get("prospecting", blank).fillna(0) + hours.get("selling", blank).fillna(0)
    kept = hours.get("account management", blank).fillna(0) + hours.get("service", blank).fillna(0)
    table = pd.DataFrame(
        {
            "hours_per_lead": hours.get("prospecting", blank) / came.where(came > 0),
            "hours_per_win": sales / won.where(won > 0),
            "hours_per_customer": kept / served.where(served > 0),
        }
    )
    accounts, managers = _accounts(data)
    table["customers_per_manager"] = [
        *[np.nan] * (len(table) - 1),
        accounts / managers if managers else np.nan,
    ]
    table["left_share"] = _left(staff, [*table.index])
    return table.rename_axis("year").reset_index()


def _active_by_year(data: AcquisitionData) -> pd.Series:
    """Customers who bought, by calendar year."""
    rows = data._log
    bought = rows.filter(rows.counted).mutate(year=dated(rows.filter(rows.counted)).year())
    found = fetch(bought.group_by("year").agg(customers=_.customer_id.nunique()))
    return found.set_index("year")["customers"].astype(float)


def _accounts(data: AcquisitionData) -> tuple[int, int]:
    """Accounts that have a manager, and managers who have an account, as the customers' table has them today."""
    table = open_optional(data.customers)
    if table is None:
        return 0, 0
    manager = optional(table, "manager_id", "string")
    found = table.agg(accounts=manager.count(), managers=manager.nunique()).to_pyarrow().to_pylist()[0]
    return int(found["accounts"]), int(found["managers"])


def _left(staff: ibis.Table, years: list[int]) -> list[float]:
    """Of the employees of a year, the share who left in it; nan where nobody's last day is noted."""
    left = optional(staff, "left_on", "timestamp(6)").cast("date")
    hired = optional(staff, "hired_on", "timestamp(6)").cast("date")
    rows = fetch(
        staff.group_by("employee_id").agg(
            first=ibis.coalesce(hired.min(), staff.date.cast("date").min()), last=left.max()
        )
    )
    if rows["last"].isna().all():
        return [np.nan] * len(years)
    first, last = (pd.to_datetime(rows[name]) for name in ("first", "last"))
    found = []
    for year in years:
        there = (first.dt.year <= year) & ~(last.dt.year < year)
        found.append(float((last[there].dt.year == year).mean()) if there.any() else np.nan)
    return found
