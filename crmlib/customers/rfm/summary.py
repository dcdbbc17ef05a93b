"""From a purchase log to one row per customer: frequency, recency, T and monetary value.

The log stays in the engine and is reduced in two steps, to purchase periods and then to customers.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.customers._log import (
    Part,
    as_day,
    belongs_to,
    end_of,
    fetch_customers,
    floor,
    orders_among,
    seen_by,
)
from crmlib.no_rows import ResultFrame
from crmlib.units import TimeUnit

SUMMARY_COLUMNS = (
    "customer_id frequency recency T monetary_value time_since_last_purchase first_purchase last_purchase orders "
    "gross returns net mean_spend_per_period"
).split()


@dataclass(frozen=True)
class LeftOut:
    """Customers without a purchase that counts, and their money, which no row of a summary holds."""

    customers: int
    net: float


@dataclass(frozen=True)
class BornInHoldout:
    """Customers whose first purchase falls in the holdout: no model of the calibration knows them.

    `spend` is all the net money of the holdout from customers whom the calibration does not know.
    """

    customers: int
    purchases: int
    spend: float


class CustomerSummary(ResultFrame):
    """One row per customer, with the `time_unit` and the last day `as_of` that its figures hold for.

    Made by `rfm_summary` and `rfm_train_test_split`. `.left_out` counts the customers without a row, and after a split
    `.born_in_holdout` those who came in the holdout; `as_of` is then the calibration's last day. The attributes stay
    with slices, copies, left merges and pickles, so that a model refuses a summary that counts time in another unit
    than it was fitted in.

    Examples
    --------
    >>> frame = CustomerSummary({"customer_id": ["a"], "frequency": [2]}).with_facts(time_unit=TimeUnit.W)
    >>> frame[frame.frequency > 1].time_unit.plural
    'weeks'
    """

    _metadata = ["time_unit", "as_of", "left_out", "born_in_holdout"]  # noqa: RUF012  (pandas' own protocol)

    time_unit: TimeUnit | None = None
    as_of: dt.date | None = None
    left_out: LeftOut | None = None
    born_in_holdout: BornInHoldout | None = None

    def with_facts(self, **facts: Any) -> CustomerSummary:
        """A new summary of the same columns that carries these attributes."""
        summary = self.copy(deep=False)
        for name, fact in facts.items():
            if name not in self._metadata:
                raise AttributeError(f"a customer summary carries {', '.join(self._metadata)}, not {name!r}")
            object.__setattr__(summary, name, fact)
        return summary

    def __finalize__(self, other: Any, method: str | None = None, **kwargs: Any) -> CustomerSummary:
        # pandas hands over the merge or the concatenation itself, whose sources hold the attributes.
        if method in ("merge", "concat"):
            sources = [other.left] if method == "merge" else list(other.objs)
            for name in self._metadata:
                facts = [getattr(source, name, None) for source in sources]
                same = all(fact == facts[0] for fact in facts)
                object.__setattr__(self, name, facts[0] if same else None)
            return self
        return super().__finalize__(other, method=method, **kwargs)


def rfm_summary(
    transactions: Any, *, as_of: Any, time_unit: str = "W", collapse: str = "D"
) -> CustomerSummary:
    """How often, how recently and for how much each customer has bought, up to the end of a day.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log, `customer_id, date, amount` at least (see `crmlib.data.sources.as_transactions`).
    as_of : date or str
        Last day that counts, to its end.
    time_unit : {"W", "H", "D", "M", "Q", "Y"}
        Unit of `recency`, `T` and `time_since_last_purchase`; they are fractions (days / 7 for "W").
    collapse : {"D", "H", "W", "M", "Q", "Y"}
        Purchases of one customer within one such period are one purchase.

    Returns
    -------
    CustomerSummary
        Sorted by customer, one row per customer with a purchase that counts:

        customer_id : int where the ids of a frame are whole numbers, else str
        frequency : int, purchase periods after the first
        recency : float, age at the last purchase: from the first period's start to the last one's
        T : float, age at `as_of`
        monetary_value : float, mean net spend of the repeat periods; 0.0 where there are none
        time_since_last_purchase : float, T - recency
        first_purchase, last_purchase : timestamp
        orders : int, how many different `order_id` of purchases; where there is none, the purchase row
        gross, returns, net : float, money of purchase rows, of all other rows (≤ 0), and both together
        mean_spend_per_period : float, mean net spend of all purchase periods, the first included

        `.left_out` counts the customers without a row, and their money: whose every purchase had gone back
        by `as_of`, or who only have returns. The rows' `net` and `.left_out.net` add up to the log.

    Raises
    ------
    CrmError, DataError
        If a parameter or the log is refused.

    Notes
    -----
    A return reduces the spend of the period of the purchase it belongs to; a return without an earlier
    purchase counts in `returns` and `net` and in no period. A purchase that has gone back in full by `as_of`
    is no purchase, though `gross` and `returns` show its money both ways; gone back later, it still is one.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005), "Counting Your Customers the Easy Way", Marketing
    Science 24(2), 275-284.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-31"])})
    >>> summary = rfm_summary(log, as_of="2024-01-31", time_unit="D")
    >>> summary[["customer_id", "frequency", "recency", "T", "monetary_value"]]
      customer_id  frequency  recency     T  monetary_value
    0           a          1     14.0  30.0            30.0
    1           b          0      0.0   0.0             0.0
    """
    unit, merged, day = TimeUnit.parse(time_unit), TimeUnit.parse(collapse), as_day(as_of, "as_of")
    rows = seen_by(transactions, day)
    frame = fetch_customers(lambda part: by_customer(part(rows), merged, end_of(day)), rows)
    return summary_of(frame, unit, merged, day)


def summary_of(frame: pd.DataFrame, unit: TimeUnit, collapse: TimeUnit, day: dt.date) -> CustomerSummary:
    """What `by_customer` gives, of those who bought, in the unit of time."""
    bought = frame.first_purchase.notna()
    out = ~bought & frame.net.notna()  # the rest are those whom only the holdout knows
    left_out = LeftOut(int(out.sum()), float(frame.net[out].sum()))
    if not bought.all():
        frame = frame[bought].reset_index(drop=True).astype({"frequency": "int64", "orders": "int64"})
    summary = CustomerSummary(_in_units(frame, unit, collapse))
    return summary.with_facts(time_unit=unit, as_of=day, left_out=left_out)


def rfm_measures(transactions: Any, *, as_of: Any, time_unit: str, collapse: str) -> CustomerSummary:
    """`customer_id, frequency, time_since_last_purchase, net` as `rfm_summary` has them, at half its cost."""
    unit, merged, day = TimeUnit.parse(time_unit), TimeUnit.parse(collapse), as_day(as_of, "as_of")
    rows = seen_by(transactions, day)
    bought = ibis.ifelse(_.counted, _.date, ibis.null("timestamp(6)"))
    now = floor(ibis.literal(end_of(day) - dt.timedelta(microseconds=1)), merged)

    def measures_of(part: Part) -> ibis.Table:
        table = part(rows).mutate(bought=bought).group_by("customer_id")
        table = table.agg(periods=floor(_.bought, merged).nunique(), last=_.bought.max(), net=_.amount.sum())
        since = _days(floor(table.last, merged), now, merged) / unit.days
        table = table.select(
            "customer_id", frequency=_.periods - 1, time_since_last_purchase=since, net=_.net
        )
        return table.filter(_.frequency >= 0)

    return CustomerSummary(fetch_customers(measures_of, rows)).with_facts(time_unit=unit, as_of=day)


def purchase_periods(rows: ibis.Table, money_of: ibis.Value, collapse: TimeUnit) -> ibis.Table:
    """One row per customer and period in which money of theirs counts; `first` is null without a purchase.

    Columns `customer_id, period, purchases, gross, returns, spend, first, last`.
    """
    purchased = ibis.ifelse(rows.counted, rows.date, ibis.null("timestamp(6)"))
    narrow = rows.select(
        "customer_id",
        period=floor(money_of, collapse),
        purchased=purchased,
        paid=ibis.ifelse(rows.is_purchase, rows.amount, 0.0),
        back=ibis.ifelse(rows.is_purchase, 0.0, rows.amount),
    )
    grouped = narrow.group_by("customer_id", "period").agg(
        purchases=_.purchased.count(),
        gross=_.paid.sum(),
        returns=_.back.sum(),
        first=_.purchased.min(),
        last=_.purchased.max(),
    )
    return grouped.mutate(spend=_.gross + _.returns)


@ibis.udf.agg.builtin(name="arg_min")
def _arg_min(value: float, at: dt.datetime) -> float:  # type: ignore[empty-body]
    """The value where `at` is smallest and not null; Ibis' own argmin sorts every group, at half the speed."""


def by_customer(rows: ibis.Table, collapse: TimeUnit, end: dt.datetime) -> ibis.Table:
    """One row per customer, ages in days."""
    # Nearly every row is a period of its own: what need not be known by period is summed apart, by customer.
    narrow = rows.select("customer_id", "amount", "counted", period=floor(belongs_to(rows), collapse))
    periods = narrow.group_by("customer_id", "period").agg(spend=_.amount.sum(), bought=_.counted.any())
    by_period = periods.group_by("customer_id").agg(
        frequency=_.bought.sum() - 1,
        spend=_.spend.sum(where=_.bought),
        first_spend=_arg_min(_.spend, ibis.ifelse(_.bought, _.period, ibis.null("date"))),
    )
    purchased = ibis.ifelse(rows.counted, rows.date, ibis.null("timestamp(6)"))
    totals = rows.group_by("customer_id").agg(
        first_purchase=purchased.min(),
        last_purchase=purchased.max(),
        orders=orders_among(rows, rows.counted),
        gross=ibis.ifelse(rows.is_purchase, rows.amount, 0.0).sum(),
        returns=ibis.ifelse(rows.is_purchase, 0.0, rows.amount).sum(),
    )
    customers = totals.inner_join(by_period, "customer_id")
    start, latest = (floor(customers[name], collapse) for name in ("first_purchase", "last_purchase"))
    now = floor(ibis.literal(end - dt.timedelta(microseconds=1)), collapse)
    return customers.mutate(
        net=_.gross + _.returns, recency=_days(start, latest, collapse), T=_days(start, now, collapse)
    )


def _days(start: ibis.Value, stop: ibis.Value, collapse: TimeUnit) -> ibis.Value:
    """Days from one period's start to another's, a fraction only where periods are hours."""
    if collapse is TimeUnit.H:
        return stop.delta(start, unit="hour") / 24
    return stop.delta(start, unit="day").cast("float64")


def _in_units(frame: pd.DataFrame, unit: TimeUnit, collapse: TimeUnit) -> pd.DataFrame:
    """The public columns: ages in the unit of time, means of money."""
    repeat = frame.spend - frame.first_spend
    # The difference of two equal sums is not exactly 0, and a tiny amount below zero is no spend.
    repeat = repeat.where(repeat.abs() > 1e-12 * (frame.spend.abs() + frame.first_spend.abs()), 0.0)
    summary = frame.assign(
        recency=frame.recency / unit.days,
        T=frame["T"] / unit.days,
        monetary_value=(repeat / frame.frequency.where(frame.frequency > 0)).fillna(0.0),
        time_since_last_purchase=(frame["T"] - frame.recency) / unit.days,
        mean_spend_per_period=frame.spend / (frame.frequency + 1),
    )
    return summary[SUMMARY_COLUMNS]
