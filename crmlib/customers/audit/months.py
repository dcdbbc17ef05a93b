"""The months of a purchase log, and the last complete one against the month before, the year before and the budget."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.arguments import check_columns
from crmlib.customers._log import (
    as_day,
    belongs_to,
    dated,
    fetch,
    known_since,
    money_of,
    orders_among,
    seen_by,
)
from crmlib.customers.audit.sentences import course_of_months, month_compared
from crmlib.customers.rfm.summary import purchase_periods
from crmlib.data.engine import first_row
from crmlib.data.sources import open_optional
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import Estimate, with_finding
from crmlib.no_rows import ResultFrame
from crmlib.statistics import normal_quantile
from crmlib.units import TimeUnit

GROUPS = ("all", "existing", "new")


class MonthReview(ResultFrame):
    """What `month_review` returns: the last complete month, and its figures with what they are compared with."""

    def of(self, measure: str, customers: str = "all") -> dict[str, Any]:
        """One figure of the month, as `results.figure` takes it: `found`, its `change` with interval, `against` what.

        Against the same month of the year before, or where that is not known, the month before.
        """
        rows = self[(self["measure"] == measure) & (self["customers"] == customers)]
        if rows.empty:
            return {"found": Estimate(None, "money", window=fmt.month(self["month"].iloc[0]))}
        row = rows.iloc[0]
        months, name = (12, "year") if np.isfinite(row["change_year"]) else (1, "month")
        then = fmt.month(row["month"] - pd.DateOffset(months=months))
        found = Estimate(row["value"], row["unit"], window=fmt.month(row["month"]))
        change, before = row[f"change_{name}"], row[f"{name}_before"]
        reach = row[f"reach_{name}"] / before if before > 0 else float("nan")
        return {
            "found": found,
            "change": Estimate(change, "change", change - reach, change + reach),
            "against": then,
        }

    @property
    def against_budget(self) -> Estimate:
        """By how much revenue differed from the budget, a share of it; not known without a budget."""
        row = self[(self["measure"] == "revenue") & (self["customers"] == "all")].iloc[0]
        return Estimate(row["against_budget"], "change", window=fmt.month(row["month"]))


def month_review(
    transactions: Any,
    *,
    as_of: Any,
    budget: Any = None,
    marketing_spend: Any = None,
    margin: float | None = None,
    new_from: Any = None,
) -> MonthReview:
    """How the last complete month went, for existing and for new customers.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts. A month is complete if its last day is not after it.
    budget : ibis.Table or DataFrame, optional
        The plan, a row per month: `date` (any day of it), `revenue`, and `new_customers` if these are planned.
    marketing_spend : ibis.Table or DataFrame, optional
        What was spent to win customers: `date` and `amount`; adds the measure `acquisition cost` of new customers.
    margin : float, optional
        Contribution margin as a share of revenue; adds the measure `contribution`. Where the log has `cost` for
        its rows, contribution is measured instead.
    new_from : date or str, optional
        The study's `new_customers_known_from`: who was new in months that begin before it is not known.

    Returns
    -------
    MonthReview
        One row per `customers` (all, existing, new: first purchase in that month) and `measure` (buyers,
        orders (not lines), revenue net of returns, and contribution where it is known): `month`, `value`, `unit`,
        `month_before`, `year_before`, `budget` (of everybody's revenue, and of new buyers), and the relative changes
        `change_month`, `change_year`, `against_budget`; `reach_month` and `reach_year` are half the width of the 95 %
        interval of the difference. NaN where the log does not reach back to the first day of the month that is
        compared, or the comparison would divide by zero.

    Raises
    ------
    CannotAnswerError
        If the log has no complete month.
    CrmError
        If the budget lacks a column.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> review = month_review(log, as_of="2024-03-10")
    >>> review.loc[review["measure"] == "revenue", ["customers", "value", "month_before", "change_month"]]
      customers  value  month_before  change_month
    2       all   35.0          10.0           2.5
    5  existing   30.0           0.0           NaN
    8       new    5.0          10.0          -0.5
    """
    day = as_day(as_of, "as_of")
    month = last_complete_month(day)
    monthly, first_day, people = _by_month(transactions, day, margin)
    if first_day is None or first_day > month.end_time:
        began = f"the first purchase is on {first_day.date()}" if first_day else "there is no purchase"
        raise CannotAnswerError(f"no complete month by {as_of}: {began}")
    months = {"value": month, "month_before": month - 1, "year_before": month - 12}
    table = pd.concat(
        {name: _of_month(monthly, first_day, then, new_from) for name, then in months.items()}, axis=1
    )
    if costs := _acquisition_costs(marketing_spend, table.loc[("new", "buyers")], months):
        table.loc[("new", "marketing spend per new customer"), :] = costs
    review = MonthReview(table.rename_axis(["customers", "measure"]).reset_index())
    review.insert(0, "month", month.start_time)
    review["unit"] = review["measure"].map(dict.fromkeys(("buyers", "orders"), "count")).fillna("money")
    plan = _planned(budget, month)
    review["budget"] = [plan.get(row, float("nan")) for row in table.index]
    changes = dict(change_month="month_before", change_year="year_before", against_budget="budget")
    for name, base in changes.items():
        review[name] = review["value"] / review[base].where(review[base] > 0) - 1
    for name, then in {"reach_month": month - 1, "reach_year": month - 12}.items():
        review[name] = pd.Series(_reach(people, month, then)).reindex(table.index).to_numpy()
    for measure in review.loc[review["customers"] == "all", "measure"].unique():
        with_finding(review, month_compared, measure, measure=measure)
    return review


def last_complete_month(day: dt.date) -> pd.Period:
    """The last month that is over by the end of a day.

    Examples
    --------
    >>> str(last_complete_month(dt.date(2024, 2, 28))), str(last_complete_month(dt.date(2024, 2, 29)))
    ('2024-01', '2024-02')
    """
    month = pd.Period(day, "M")
    return month if month.end_time.date() == day else month - 1


def last_months(months: int, *, as_of: Any, back: int = 0) -> tuple[dt.date, dt.date]:
    """First and last day of the last so many complete months, or of as many that lie before them.

    Parameters
    ----------
    months : int
        Length of the period.
    as_of : date or str
        Last day that counts.
    back : int
        How many such periods to go back; 1 is the period before.

    Examples
    --------
    >>> last_months(6, as_of="1998-06-30")
    (datetime.date(1998, 1, 1), datetime.date(1998, 6, 30))
    >>> last_months(6, as_of="1998-06-30", back=1)
    (datetime.date(1997, 7, 1), datetime.date(1997, 12, 31))
    """
    if months < 1 or back < 0:
        raise CrmError(f"months is {months} and back is {back}; allowed: months from 1, back from 0")
    last = last_complete_month(as_day(as_of, "as_of")) - months * back
    return (last - (months - 1)).start_time.date(), last.end_time.date()


def comparable_months(transactions: Any, *, as_of: Any, months: int) -> int:
    """How many complete months each of two periods end to end can have, so that the log covers both; at most `months`.

    The log covers a month if its first purchase is not after the month's first day, whether or not it went
    back later; what is missing before that day is unknown, and not zero.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "b"], "amount": [10.0, 30.0],
    ...                     "date": pd.to_datetime(["2024-01-04", "2024-05-31"])})
    >>> comparable_months(log, as_of="2024-05-31", months=6)
    2
    """
    last = last_months(months, as_of=as_of)[1]  # refuses what months cannot be
    rows = seen_by(transactions, as_day(as_of, "as_of"))
    first = rows.filter(rows.is_purchase).date.min().to_pyarrow().as_py()
    begins = pd.Period(first, "M") + int(first.day > 1) if first else None
    covered = (pd.Period(last, "M") - begins).n + 1 if begins else 0
    if covered < 2:
        day = first.date() if first else "none"
        raise CannotAnswerError(
            f"two periods to compare need a complete month each, and up to {as_of} the log covers {max(covered, 0)} "
            f"(first purchase: {day}); give a log that reaches further back, or a later as_of"
        )
    return min(months, covered // 2)


def _by_month(
    transactions: Any, day: dt.date, margin: float | None
) -> tuple[pd.DataFrame, pd.Timestamp | None, Callable[..., ibis.Table]]:
    """Each month's measures for new and existing customers, the log's first day, and their parts by customer."""
    rows = seen_by(transactions, day)
    bought = rows.filter(rows.counted)
    born = bought.group_by("customer_id").agg(born=_.date.min().truncate("M")).cache()
    money = money_of(rows, margin)
    if "profit" in money:  # no cost to serve is subtracted
        money["contribution"] = money.pop("profit")
    rows = rows.mutate(month=dated(rows).truncate("M"), **money)

    def people(*days: ibis.Value) -> ibis.Table:
        # An order id is looked for among one customer's rows, so first by customer.
        # A return may count in a later month than it stands in, see below.
        some = rows.filter(_.month.cast("date").isin(days) | ~_.counted) if days else rows
        sums = {name: some[name].sum() for name in money}
        orders = orders_among(some, some.counted)
        by_month = some.group_by("customer_id", "month").agg(buyers=_.counted.any(), orders=orders, **sums)
        # As everywhere in the audit, the money of customers who never bought is no customer's.
        # A return without an earlier purchase can stand before the first one: as in the cohorts, it counts with that.
        joined = by_month.inner_join(born, "customer_id").mutate(month=ibis.greatest(_.month, _.born))
        return joined.mutate(is_new=_.month == _.born)

    everybody = people()
    measures = {name: everybody[name].sum() for name in ("buyers", "orders", *money)}
    monthly = everybody.group_by("month", "is_new").agg(**measures).order_by("month", "is_new").to_pandas()
    monthly["month"] = pd.to_datetime(monthly["month"]).dt.to_period("M")
    first = bought.date.min().to_pyarrow().as_py()
    return monthly, first and pd.Timestamp(first), people


def _reach(people_of: Callable[..., ibis.Table], month: pd.Period, then: pd.Period) -> dict[Any, float]:
    """Half the width of the 95 % interval of the difference between two months; as in `PeriodChange`."""
    days = [ibis.literal(period.start_time.date()) for period in (month, then)]
    people = people_of(*days)
    measures = [name for name in people.columns if name not in ("customer_id", "month", "born", "is_new")]
    sign = ibis.ifelse(people.month.cast("date") == days[0], 1.0, -1.0)
    both = people.filter(people.month.cast("date").isin(days))
    counts = {"all": both.is_new.notnull(), "existing": ~both.is_new, "new": both.is_new}
    sums = {
        f"{group} {name}": ibis.ifelse(counts[group], both[name].cast("float64") * sign, 0.0).sum()
        for group in GROUPS
        for name in measures
    }
    each = both.group_by("customer_id").agg(**sums)
    squares = first_row(each.agg(**{name: (each[name] * each[name]).sum() for name in sums}))
    widths = {tuple(name.split(" ")): float(square or 0.0) ** 0.5 for name, square in squares.items()}
    return {name: normal_quantile(0.95) * width for name, width in widths.items()}


def _of_month(monthly: pd.DataFrame, first_day: pd.Timestamp, month: pd.Period, new_from: Any) -> pd.Series:
    """All measures of one month; not known where the log, or what is known of new customers, begins after its start."""
    measures = [name for name in monthly.columns if name not in ("month", "is_new")]
    known = first_day.normalize() <= month.start_time
    rows = monthly[monthly["month"] == month]
    groups = {"all": rows, "existing": rows[~rows["is_new"]], "new": rows[rows["is_new"]]}
    sums = {(group, name): float(groups[group][name].sum()) for group in GROUPS for name in measures}
    found = pd.Series(sums) if known else pd.Series(float("nan"), index=pd.MultiIndex.from_tuples(sums))
    if new_from is None or month.start_time.date() >= as_day(new_from, "new_from"):
        return found
    return found.where(found.index.get_level_values(0) == "all")


def _planned(budget: Any, month: pd.Period) -> dict[tuple[str, str], float]:
    """The budget of a month, by the row of the review that it is compared with."""
    rows = open_optional(budget)
    if rows is None:
        return {}
    plan = fetch(rows)
    check_columns("budget", plan, ("date", "revenue"), "it needs date and revenue, one row per month")
    plan = plan[pd.to_datetime(plan["date"]).dt.to_period("M") == month]
    planned = {("all", "revenue"): "revenue", ("new", "buyers"): "new_customers"}
    return {row: float(plan[name].sum(min_count=1)) for row, name in planned.items() if name in plan.columns}


def _acquisition_costs(spend: Any, won: pd.Series, months: dict[str, pd.Period]) -> list[float]:
    """What a new customer of each month cost; not known of a month of which no spend is."""
    rows = open_optional(spend)
    if rows is None:
        return []
    spent = rows.group_by(month=_.date.truncate("M")).agg(amount=_.amount.cast("float64").sum()).to_pandas()
    by_month = spent.set_index(pd.to_datetime(spent["month"]).dt.to_period("M"))["amount"]
    return [by_month.get(month, float("nan")) / (won[name] or float("nan")) for name, month in months.items()]


def purchases_by_month(
    transactions: Any, *, as_of: Any, collapse: str = "D", new_from: Any = None
) -> pd.DataFrame:
    """How much was bought in each month, by how many customers, and how many of them were new.

    Parameters
    ----------
    transactions, as_of, collapse
        As in `rfm_summary`.
    new_from : date or str, optional
        The study's `new_customers_known_from`: `new_customers` of months that begin before
        it are not known (NaN).

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
    first = bought.group_by("customer_id").agg(month=_.month.min())
    born = first.group_by("month").agg(new_customers=_.count())
    found = monthly.left_join(born, "month").drop("month_right").order_by("month").to_pandas()
    if found.empty:
        return found.astype({"new_customers": "int64"})
    months = pd.date_range(found["month"].iloc[0], pd.Timestamp(day), freq="MS", unit="ns")
    whole = found.set_index("month").reindex(months).rename_axis("month").fillna(0).reset_index()
    whole = whole.astype({"purchases": "int64", "buyers": "int64", "new_customers": "int64"})
    whole["new_customers"] = known_since(whole["new_customers"], whole["month"], new_from)
    for measure in ("purchases", "new_customers"):
        with_finding(whole, course_of_months, measure, pd.Timestamp(day), measure=measure)
    return whole
