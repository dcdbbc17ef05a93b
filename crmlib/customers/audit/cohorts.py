"""Lenses 3, 4 and 5: how one cohort behaves, how cohorts compare, and how healthy the base is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_choice
from crmlib.customers._log import as_day, dated_rows, fetch, purchase_days, with_contribution
from crmlib.customers.audit.sentences import value_of_cohort, with_cohort_findings
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import ResultFrame
from crmlib.units import TimeUnit

_PERIODS = ("W", "M", "Q", "Y")
_MEASURES = ("active", "purchases", "revenue", "contribution")


class Cohorts(ResultFrame):
    """What `cohort_comparison` returns: cohorts by calendar period; their sums by period are `.health`."""

    @property
    def acquired(self) -> int:
        """How many customers there are: those of all cohorts."""
        return int(self.loc[self["age"] == 0, "customers"].sum())

    @property
    def health(self) -> pd.DataFrame:
        """How healthy is the base: who brings each period's money, and how much hangs on the newest?

        One row per calendar `period`, with `complete`: `new_customers, active, active_share` (of all acquired by then),
        `purchases, revenue`, where it is known `contribution`, `new_share` (of the period's revenue from customers
        acquired in it) and `repeat_revenue` (from all others). New customers, and what is counted by them, are not
        known (NaN) up to the last cohort whose customers may be older.
        """
        measures = [name for name in _MEASURES if name in self.columns]
        known = pd.DataFrame(self)
        table = known.groupby("period")[measures].sum()
        newest = known[known["age"] == 0].set_index("period")
        table["new_customers"] = newest["customers"].reindex(table.index, fill_value=0)
        newest_revenue = newest["revenue"].reindex(table.index, fill_value=0.0)
        table["active_share"] = table["active"] / table["new_customers"].cumsum()
        table["new_share"] = newest_revenue / table["revenue"].where(table["revenue"] > 0)
        table["repeat_revenue"] = table["revenue"] - newest_revenue
        unknown = table.index <= known.loc[~known["is_new"], "cohort"].max()
        if unknown.any():
            by_new = ["new_customers", "active_share", "new_share", "repeat_revenue"]
            table[by_new] = table[by_new].astype(float)
            table.loc[unknown, by_new] = np.nan
        table["complete"] = known.groupby("period")["complete"].first()
        return table.reset_index()


def cohort_comparison(
    transactions: Any,
    *,
    as_of: Any,
    period: str = "M",
    collapse: str = "D",
    margin: float | None = None,
    new_from: Any = None,
) -> Cohorts:
    """How do cohorts compare at the same age, and in the same calendar period?

    Parameters
    ----------
    transactions, as_of, collapse
        As in `rfm_summary`.
    period : {"M", "W", "Q", "Y"}
        A cohort is who first bought in one such calendar period; behaviour is counted by the same.
    margin : float, optional
        Contribution margin as a share of revenue, used where the log has no `cost`.
    new_from : date or str, optional
        The study's `new_customers_known_from`: the customers of cohorts that begin before it may be older.

    Returns
    -------
    Cohorts
        One row per `cohort` and calendar `period` from its first on (both by their first day), with `age`
        (periods since the first, which is 0), `complete` (the period is over by `as_of`) and `is_new` (the cohort
        begins on `new_from` or later: its customers are new):
        `customers` (acquired), `active`, `active_share`, `purchases`, `purchases_per_active`,
        `spend_per_purchase`, `revenue`, where it is known `contribution` and `margin`, and
        `value_per_customer` up to then (cumulative contribution, else revenue, per acquired customer). The
        product customers × active_share × purchases_per_active × spend_per_purchase (× margin) is the
        revenue (contribution) of the row. `revenue` adds up to the log, less the money of customers who have no
        purchase.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Ross, M. (2022), The Customer-Base Audit, lenses 3 to 5.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> cohort_comparison(log, as_of="2024-02-29")[["age", "customers", "active", "value_per_customer"]]
       age  customers  active  value_per_customer
    0    0          1       1                10.0
    1    1          1       1                40.0
    2    0          1       1                 5.0
    """
    unit = period_of(period)
    day = as_day(as_of, "as_of")
    rows = with_contribution(dated_rows(transactions, day, collapse=collapse, margin=margin))
    sums = fetch(_cohort_sums(rows, unit, hourly=TimeUnit.parse(collapse) is TimeUnit.H))
    table = _every_period(sums, day, unit).merge(sums, on=["cohort", "number"], how="left")
    table = table.drop(columns="number").assign(cohort=_start(table["cohort"], unit))
    measures = [name for name in _MEASURES if name in sums.columns]
    table[measures] = table[measures].fillna(0)
    assert np.isclose(table["revenue"].sum(), sums["revenue"].sum()), "money was lost between cohorts"
    value = "contribution" if "contribution" in measures else "revenue"
    table = _with_means(table)
    table["value_per_customer"] = table.groupby("cohort")[value].cumsum() / table["customers"]
    if value == "contribution":
        table["margin"] = table["contribution"] / table["revenue"].where(table["revenue"] != 0)
    cohorts = Cohorts(marked(table, new_from))
    with_cohort_findings(cohorts, period)
    return cohorts


def cohort_history(
    transactions: Any,
    *,
    cohort: tuple[Any, Any],
    as_of: Any,
    age_unit: str = "M",
    collapse: str = "D",
    margin: float | None = None,
) -> pd.DataFrame:
    """How does one cohort behave as it grows older?

    Parameters
    ----------
    transactions, as_of
        As in `rfm_summary`.
    cohort : pair of date or str
        First and last day of the acquisition, both within it.
    age_unit : {"M", "D", "W", "Q", "Y"}
        Unit of age, counted from each customer's own first purchase (a month is 30.4375 days).
    collapse, margin
        As in `cohort_comparison`.

    Returns
    -------
    DataFrame
        One row per `age` (0 is the time from the first purchase to the end of the first unit) that every customer of
        the cohort has lived to the end: `customers, active, active_share, purchases, purchases_per_active,
        spend_per_purchase, revenue`, where it is known `contribution`, `value_per_customer` (cumulative), and
        `bought_twice_share`: who has bought twice by the end of it. Empty if the youngest has not lived one unit.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-01-29"])})
    >>> history = cohort_history(log, cohort=("2024-01-01", "2024-01-31"), as_of="2024-04-15")
    >>> history[["age", "active", "value_per_customer", "bought_twice_share"]]
       age  active  value_per_customer  bought_twice_share
    0    0       2                 7.5                 0.0
    1    1       1                22.5                 0.5
    """
    start, end, day = as_day(cohort[0], "cohort"), as_day(cohort[1], "cohort"), as_day(as_of, "as_of")
    days = with_birth(with_contribution(purchase_days(transactions, day, collapse=collapse, margin=margin)))
    rows = days.filter((days.born >= start) & (days.born <= end))
    lived = rows.agg(customers=_.customer_id.nunique(), youngest=_.born.max()).to_pyarrow().to_pylist()[0]
    if not lived["customers"]:
        raise CrmError(f"nobody first bought from {start} to {end}; choose a cohort within the log")
    length = TimeUnit.parse(age_unit).days
    ages = int(((pd.Timestamp(day) - lived["youngest"]).days + 1) // length)
    rows = rows.mutate(age=((rows.date.delta(rows.born, unit="day")) / length).floor().cast("int64"))
    value = "contribution" if "contribution" in days.columns else "revenue"
    sums = rows.group_by("age").agg(**_measures(rows)).to_pandas()
    by_age = pd.DataFrame({"age": range(ages), "customers": lived["customers"]})
    table = _with_means(by_age.merge(sums, on="age", how="left").fillna(0))
    table["value_per_customer"] = table[value].cumsum() / table["customers"]
    table["bought_twice_share"] = _bought_twice(rows, ages) / table["customers"]
    return with_finding(table, value_of_cohort, TimeUnit.parse(age_unit).singular)


def marked(table: pd.DataFrame, new_from: Any) -> pd.DataFrame:
    """The cohorts of a table with `is_new`: whether their customers are new, as far as is known."""
    if new_from is None:
        return table.assign(is_new=True)
    return table.assign(is_new=table["cohort"] >= pd.Timestamp(as_day(new_from, "new_from")))


def period_of(period: str) -> TimeUnit:
    """A cohort's length as a unit of time; others are refused."""
    check_choice("period", period, _PERIODS)
    return TimeUnit(period)


def with_birth(days: ibis.Table) -> ibis.Table:
    """Add each customer's first purchase; who has none is left out."""
    born = days.filter(days.purchase == 1).group_by("customer_id").agg(born=_.date.min())
    # A return without an earlier purchase can stand before the first one: it counts at age 0.
    return days.inner_join(born, "customer_id").mutate(date=ibis.greatest(_.date, _.born))


def _measures(rows: ibis.Table) -> dict[str, Any]:
    active = rows.customer_id.nunique(where=rows.purchase == 1)
    money = {name: rows[name].sum() for name in ("revenue", "contribution") if name in rows.columns}
    return {"active": active, "purchases": rows.purchase.sum(), **money}


def _with_means(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({"active": "int64", "purchases": "int64"}).assign(
        active_share=table["active"] / table["customers"],
        purchases_per_active=table["purchases"] / table["active"].where(table["active"] > 0),
        spend_per_purchase=table["revenue"] / table["purchases"].where(table["purchases"] > 0),
    )


@ibis.udf.scalar.builtin(name="bit_count")
def _bit_count(bits: int) -> int:  # type: ignore[empty-body]
    """How many bits are set."""


def _cohort_sums(rows: ibis.Table, unit: TimeUnit, *, hourly: bool) -> ibis.Table:
    """Measures by `cohort` and period, both as the `number` of a calendar period.

    One pass over the log reduces it to customers and periods. The days on which a customer bought within a month
    (or week) are bits of one number: counting those is several times faster than grouping by customer and day.
    """
    place = rows.date.day_of_week.index() if unit is TimeUnit.W else rows.date.day() - 1
    bits = (ibis.literal(1, "int32") << place.cast("int32")).bit_or(where=rows.counted)
    bought = rows.date.nunique(where=rows.counted) if hourly else _bit_count(bits).fill_null(0)
    sums = {name: rows[name].sum() for name in ("revenue", "contribution") if name in rows.columns}
    reduced = rows.group_by("customer_id", number=_number(rows.date, unit)).agg(purchases=bought, **sums)
    if unit in _MONTHS and _MONTHS[unit] > 1:
        by_period = reduced.group_by("customer_id", number=_.number // _MONTHS[unit])
        reduced = by_period.agg(**{name: _[name].sum() for name in ("purchases", *sums)})
    bought_in = ibis.ifelse(reduced.purchases > 0, reduced.number, ibis.null("int64"))
    born = reduced.group_by("customer_id").agg(cohort=bought_in.min()).drop_null("cohort")
    joined = reduced.inner_join(born, "customer_id")
    # A return without an earlier purchase can stand before the first one: it counts at age 0.
    return joined.group_by("cohort", number=ibis.greatest(_.number, _.cohort)).agg(
        active=(_.purchases > 0).sum(), purchases=_.purchases.sum(), **{name: _[name].sum() for name in sums}
    )


_MONTHS = {TimeUnit.M: 1, TimeUnit.Q: 3, TimeUnit.Y: 12}
_FIRST_MONDAY = dt.date(1969, 12, 29)  # of the week that 1970 begins in


def _number(date: ibis.Value, unit: TimeUnit) -> ibis.Value:
    """The number of a date's week, or else of its month, since 1970: faster to group by than its first day."""
    if unit is TimeUnit.W:
        return date.date().delta(ibis.date(_FIRST_MONDAY.isoformat()), unit="day") // 7
    return (date.year() - 1970) * 12 + date.month() - 1


def _start(number: pd.Series, unit: TimeUnit) -> pd.Series:
    """The first day of the periods of these numbers."""
    if unit is TimeUnit.W:
        days = np.datetime64(_FIRST_MONDAY) + 7 * number.to_numpy("int64")
    else:
        days = (number.to_numpy("int64") * _MONTHS[unit]).astype("datetime64[M]")
    return pd.Series(days.astype("datetime64[s]"), index=number.index)


def _every_period(sums: pd.DataFrame, day: dt.date, unit: TimeUnit) -> pd.DataFrame:
    """Cohort by calendar period, those without a purchase among them."""
    # At age 0 the whole cohort has bought, and nobody else.
    sizes = sums.loc[sums["cohort"] == sums["number"], ["cohort", "active"]]
    sizes = sizes.rename(columns={"active": "customers"}).sort_values("cohort")
    today = (
        (day - _FIRST_MONDAY).days // 7 if unit is TimeUnit.W else (12 * (day.year - 1970) + day.month - 1)
    )
    last = today // _MONTHS.get(unit, 1)
    numbers = np.arange(sizes["cohort"].min() if len(sizes) else last, last + 1, dtype="int64")
    whole = sizes.merge(pd.DataFrame({"number": numbers}), how="cross")
    whole = whole[whole["number"] >= whole["cohort"]].reset_index(drop=True)
    return whole.assign(
        period=_start(whole["number"], unit),
        age=whole["number"] - whole["cohort"],
        complete=_start(whole["number"] + 1, unit) <= pd.Timestamp(day) + pd.Timedelta(1, "D"),
    )[["cohort", "period", "age", "customers", "complete", "number"]]


def _bought_twice(rows: ibis.Table, ages: int) -> np.ndarray:
    """How many customers have made their second purchase by the end of each age."""
    later = rows.filter((rows.purchase == 1) & (rows.date > rows.born))
    second = later.group_by("customer_id").agg(age=_.age.min())
    counts = second.group_by("age").agg(customers=_.count()).to_pandas().set_index("age")["customers"]
    return counts.reindex(range(ages), fill_value=0).cumsum().to_numpy()
