"""What impressions, clicks, prospects and customers cost, by channel and month."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.closing import closing
from crmlib.economics.acquisition.data import (
    ALL,
    SALES,
    UNKNOWN,
    WAGES,
    AcquisitionData,
    by_channel,
    of_channel,
)
from crmlib.economics.acquisition.ratios import difference, with_ratio
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows

PAID = "paid channels"
FEW = 30  # customers below which a channel is not ranked
_UNIT_COSTS = (
    "channel spent impressions clicks leads trials cpm± cpc± ctr± cpl± cpa± close_rate± median_days roi_per_lead "
    "brought_per_money brought_per_hour remark"
)
_CAC = "channel customers spent wages lag_days cac_spend± cac± remark"


def lagged_spend(data: AcquisitionData) -> pd.DataFrame:
    """Spend by `channel`, `component` and the `month` in which customers are due of it: later by the channel's lag.

    Where all spend is dated on first days of months, it is that of the whole month.
    """
    rows = data.spend.groupby(["date", "channel", "component"], as_index=False)["amount"].sum()
    monthly = bool((rows["date"].dt.day == 1).all())
    length = rows["date"].dt.days_in_month if monthly else pd.Series(1, index=rows.index)
    each = rows.loc[rows.index.repeat(length)]
    nth = each.groupby(level=0).cumcount()
    later = each["channel"].map(data.lags).fillna(data.lags.get(ALL, 0.0)).round()
    due = each["date"] + pd.to_timedelta(nth + later, unit="D")
    amount = each["amount"] / length.loc[each.index]
    each = each.assign(month=due.dt.to_period("M").dt.start_time, amount=amount)
    return each.groupby(["channel", "component", "month"], as_index=False)["amount"].sum()


def cells(data: AcquisitionData) -> pd.DataFrame:
    """Customers and what they cost, by `channel` and `month` of the first purchase, as far as the spend is known.

    `spend` (lagged), `wages` (of prospecting, selling and marketing), `cost` (both), `customers`. Wages of prospecting
    and selling go to channels by the hours of their prospects, or else by prospects; those of marketing by spend.
    """
    people = data.acquired.assign(month=data.acquired["born"].dt.to_period("M").dt.start_time)
    found = people.groupby(["channel", "month"])["customers"].sum().to_frame()
    spend = lagged_spend(data).groupby(["channel", "month"])["amount"].sum()
    found = found.join(spend.rename("spend"), how="outer").fillna(0.0).reset_index()
    last = pd.Timestamp(data.day) + pd.Timedelta(1, "D")
    whole = found["month"] + pd.offsets.MonthBegin(1) <= last
    first = data.spend["date"].min()
    if pd.notna(first):
        first = first + pd.Timedelta(max(data.lags.values(), default=0.0), "D")
        whole &= found["month"] >= first
    found = found[whole & (found["month"] <= data.window[1])].reset_index(drop=True)
    found["wages"] = _wages(data, found)
    return found.assign(cost=found["spend"] + found["wages"])


def _wages(data: AcquisitionData, found: pd.DataFrame) -> pd.Series:
    """Wages of each cell."""
    wages = pd.Series(0.0, index=found.index)
    rows = data.closing[data.closing["month"].isin(found["month"])]
    worked = rows.groupby("channel")[["hours", "leads"]].sum().astype(float)
    by_people = found.groupby("channel")["customers"].sum()
    by_hours = worked["hours"] if worked["hours"].sum() > 0 else worked["leads"] if len(worked) else by_people
    by_money = found.groupby("channel")["spend"].sum().clip(lower=0)
    for activity in WAGES:
        paid = data.staff[data.staff["activity"] == activity].set_index("month")["cost"].astype(float)
        keys = by_hours if activity in SALES else by_money if by_money.sum() > 0 else by_people
        keys = keys.reindex(found["channel"].unique(), fill_value=0.0)
        shares = keys / (keys.sum() or 1.0)
        wages += found["month"].map(paid).fillna(0.0) * found["channel"].map(shares).fillna(0.0)
    return wages


def paid_channels(data: AcquisitionData) -> set[str]:
    """Channels for which money was spent."""
    money = data.spend[~data.spend["organic"].astype(bool)].groupby("channel")["amount"].sum()
    return {*money.index[money != 0].astype(str)}


def acquisition_cost(data: AcquisitionData, by: str = "channel") -> pd.DataFrame:
    """What does a new customer cost?

    `by` "channel" (of the last complete months: all, paid channels, and each) or "cohort" (all channels, by quarter of
    the first purchase). `customers`, `spent` (lagged), `wages` (of prospecting, selling and marketing), `cac_spend`
    (spend alone) and `cac` (fully loaded) per new customer, with intervals, `lag_days`, and a `remark` where a cost is
    zero or infinite.
    """
    table = cells(data)
    if by == "channel":
        table = table[table["month"] >= data.window[0]]
    if table.empty or not len(data.spend):
        why = "no table marketing_spend" if not len(data.spend) else "no complete month whose spend is known"
        return no_rows(_CAC if by == "channel" else _CAC.replace("channel", "cohort"), why)
    paid, waits = paid_channels(data), data.lags
    groups = [(ALL, table), (PAID, table[table["channel"].isin(paid)]), *by_channel(table)[1:]]
    if by != "channel":
        cohort = table["month"].dt.to_period("Q").dt.start_time
        groups = [(start, rows) for start, rows in table.groupby(cohort) if rows["month"].nunique() == 3]
    refunds = data.spend.groupby("channel")["refunds"].sum()
    found = []
    for name, rows in groups:
        sums = rows[["customers", "spend", "wages"]].sum().rename({"spend": "spent"}).to_dict()
        row: dict[str, Any] = {by: name, **sums, "lag_days": waits.get(name, np.nan)}
        row = with_ratio(row, "cac_spend", rows["spend"], rows["customers"], rows["month"])
        row = with_ratio(row, "cac", rows["cost"], rows["customers"], rows["month"])
        if name == UNKNOWN:  # what they cost is with the other channels
            row |= dict.fromkeys(("spent", "wages", "cac_spend", "cac"), np.nan)
        # Below 0, more came back than was spent.
        row |= {cost: np.nan for cost in ("cac_spend", "cac") if row[cost] < 0}
        found.append(row | {"remark": _remark(row, float(refunds.get(name, 0.0)))})
    apart = np.nan, np.nan
    if by != "channel" and len(groups) > 1:
        ends = [(rows["cost"], rows["customers"], rows["month"]) for _, rows in (groups[-1], groups[0])]
        apart = difference(*ends)[1:]
    return with_finding(pd.DataFrame(found), sentences.cost_of_customers, by, apart)


def _remark(row: dict[str, Any], refunds: float) -> str:
    """What a reader has to know of a cost, in words."""
    remarks = ["their cost is with the other channels"] if row[next(iter(row))] == UNKNOWN else []
    if row["spent"] > 0 and not row["customers"] > 0:
        remarks.append("money was spent and nobody was won: the cost per customer is infinite")
    elif row["customers"] > 0 and row["spent"] == 0:
        remarks.append(
            f"no money was spent on it: {'only wages' if row['wages'] > 0 else 'its cost is zero'}"
        )
    if refunds < 0:
        remarks.append(f"refunds of {fmt.money(-refunds)} are taken off")
    if row["spent"] < 0:
        remarks.append("more came back than was spent: what a customer costs is not known")
    if 0 < row["customers"] < FEW:
        remarks.append(f"only {fmt.plural(row['customers'], 'customer')}")
    return "; ".join(remarks)


def cost_parts(data: AcquisitionData) -> pd.DataFrame:
    """Of which parts does the cost of a customer consist: `part`, `amount`, `share`, `per_customer`."""
    whole = cells(data)
    months = whole.loc[whole["month"] >= data.window[0], "month"].unique()
    customers = whole.loc[whole["month"].isin(months), "customers"].sum()
    spend = lagged_spend(data)
    spend = spend[spend["month"].isin(months)].assign(part=spend["component"].replace("", "(not split)"))
    parts = spend.groupby("part")["amount"].sum()
    staff = data.staff[data.staff["activity"].isin(WAGES) & data.staff["month"].isin(months)]
    wages = staff.astype({"cost": float}).groupby("activity")["cost"].sum().rename(index="wages of {}".format)
    parts = pd.concat([part for part in (parts, wages) if len(part)] or [parts])
    parts = parts[parts != 0].astype(float).sort_values(ascending=False)
    if parts.empty:
        return no_rows("part amount share per_customer", "no complete month whose spend is known")
    per_customer = parts / customers if customers > 0 else parts * np.nan
    found = pd.DataFrame({"amount": parts, "share": parts / parts.sum(), "per_customer": per_customer})
    return found.rename_axis("part").reset_index()


def unit_costs(data: AcquisitionData, worth: dict[str, float]) -> pd.DataFrame:
    """What each step costs; see `Acquisition.unit_costs`. `worth`: what a customer brings, by channel."""
    start, end = data.window
    money = data.spend[data.spend["date"].between(start, end)]
    asked = data.closing[data.closing["month"].between(start, end)]
    if money.empty and asked.empty:
        return no_rows(_UNIT_COSTS, "no spend and no prospect in the window")
    found, closes, monthly = [], {}, {}
    for name in [ALL, *sorted({*money["channel"], *asked["channel"]})]:
        spent, leads = of_channel(money, name), of_channel(asked, name)
        closes[name] = closing(of_channel(data.closing, name))
        monthly[name] = _by_month(spent, leads, "leads")
        found.append(_steps(name, spent, leads, closes[name], data.close_days))
    table = pd.DataFrame(found)

    def apart(one: str, other: str) -> tuple[tuple[float, float], tuple[float, float]]:
        """Ends of the differences in cost per lead and in share won."""
        return difference(monthly[one], monthly[other])[1:], closes[one].apart(closes[other], data.close_days)

    each = table["channel"].map(worth).astype(float)
    table["roi_per_lead"] = roi_per_lead(table["close_rate"], each, table["cpl"])
    hours = asked.groupby("channel")["hours"].sum()
    hours[ALL] = hours.sum()
    coming = table["leads"] * table["close_rate"] * each
    table["brought_per_money"] = coming / table["spent"].where(table["spent"] > 0)
    table["brought_per_hour"] = coming / table["channel"].map(hours[hours > 0]).astype(float)
    return with_finding(table, sentences.dearest_lead, apart)


def _by_month(spent: pd.DataFrame, leads: pd.DataFrame, column: str) -> tuple[pd.Series, pd.Series, pd.Index]:
    """Spend, prospects and the months, as of `ratio`."""
    month = spent["date"].dt.to_period("M").dt.start_time
    both = spent["amount"].groupby(month).sum(), leads.groupby("month")[column].sum()
    by_month = pd.concat(both, axis=1).astype(float)
    return by_month.iloc[:, 0], by_month.iloc[:, 1], by_month.index


def _steps(
    name: str, spent: pd.DataFrame, leads: pd.DataFrame, closes: Any, close_days: int
) -> dict[str, Any]:
    bought = spent[~spent["organic"].astype(bool)]
    sure = bought[~(bought["impossible"] > 0)]  # more clicks than impressions: one of them is wrong
    sums = {column: spent[column].sum(min_count=1) for column in ("impressions", "clicks")}
    row: dict[str, Any] = {"channel": name, "spent": spent["amount"].sum(), **sums}
    row |= {"leads": leads["leads"].sum(), "trials": leads["interested"].sum(min_count=1)}
    campaign = [sure["campaign"] + sure["date"].astype(str), bought["campaign"] + bought["date"].astype(str)]
    row = with_ratio(row, "cpm", 1000 * sure["amount"], sure["impressions"], campaign[0])
    row = with_ratio(row, "cpc", bought["amount"], bought["clicks"], campaign[1])
    row = with_ratio(row, "ctr", sure["clicks"], sure["impressions"], campaign[0])
    for cost, column in (("cpl", "leads"), ("cpa", "interested")):
        row = with_ratio(row, cost, *_by_month(spent, leads, column))
    row |= closes.columns(close_days)
    remarks = []
    if wrong := int((bought["impossible"] > 0).sum()):
        rows = fmt.plural(wrong, "row")
        remarks.append(f"{rows} with more clicks than impressions left out of CPM and click rate")
    if row["spent"] > 0 and not row["leads"] > 0:
        remarks.append("money was spent without a prospect: the cost per lead is infinite")
    return row | {"remark": "; ".join(remarks)}


def roi_per_lead(close_rate: Any, margin_value: Any, cost_per_lead: Any) -> Any:
    """What a prospect returns for the money spent on it: 1 is twice its cost; nan where nothing was spent.

    Parameters
    ----------
    close_rate : float or array
        Share of prospects won.
    margin_value : float or array
        Contribution of a customer won, before acquisition cost.
    cost_per_lead : float or array
        Money per prospect.

    Examples
    --------
    >>> float(roi_per_lead(0.05, 400.0, 10.0))
    1.0
    """
    cost = np.asarray(cost_per_lead, dtype=float)
    returned = np.asarray(close_rate, dtype=float) * margin_value
    return np.where(cost > 0, returned / np.where(cost > 0, cost, 1.0) - 1, np.nan)
