"""Contracts: their duration, retention per period, and training samples for churn models."""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_choice, check_columns
from crmlib.customers._log import as_day, fetch
from crmlib.customers.retention.repurchase import with_interval
from crmlib.data.cleaning.ids import own_ids
from crmlib.data.sources import lacking, open_table
from crmlib.errors import CrmError, DataError
from crmlib.no_rows import no_rows
from crmlib.units import TimeUnit

SHOWN = 5
_ALONG = ("plan", "market", "product_type")
_SPELLS = (
    "customer_id subscription_id spell start end price_changes price_per_month plan market "
    "product_type end_reason tenure_months ended"
)
_KEY = ["customer_id", "subscription_id", "start"]
_SAMPLES = (
    "customer_id date outcome_known_on churned tenure_months price_per_month price_changes plan "
    "market product_type"
)
_SIZES = ["period", "start", "new", "left", "joined_and_left", "end"]


def contract_spells(subscriptions: Any, as_of: Any, *, terms: str = "last") -> pd.DataFrame:
    """How long has each contract run by a day, and has it ended?

    - `subscriptions`: one row per contract and price: `customer_id, start, price_per_month`; optionally `end` (the last
      day at this price, empty while it runs), `subscription_id` (the customer's id where it is absent), `end_reason`,
      `plan`, `market`, `product_type`.
    - `as_of`: last day that counts, to its end; rows that start later and ends that lie later are not seen.
    - `terms`: {"last", "first"}: which price, plan, market and product type are given: the last ones seen, or those
      that the spell began with. To compare how long plans or prices last it has to be the first ones: a contract must
      have lasted to be changed, so those with a changed plan or a raised price seem to last longer.

    Returns: one row per contract, and one more for each time it was taken up again after a day without: `customer_id,
    subscription_id, spell` (1 for the first run of a contract), `start, end` (first and last day; `end` is missing
    while it runs), `tenure_months` (days from the first to the last one, both within it, over 30.4375), `ended`,
    `price_changes` (rows of the spell less one), and as the table has them, by `terms`, `price_per_month, plan, market,
    product_type`; `end_reason` says why the last row ended. Without rows where there is no such table. Raises DataError
    if a column is missing, or a row ends before it starts. Raises CrmError if `terms` is another word.

    A change of price or plan begins a new row of the same contract and ends nothing. A contract whose last row ends on
    `as_of` for the reason "changed" runs on.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a", "a", "b"], "price_per_month": [10.0, 12.0, 9.0],
    ...     "start": pd.to_datetime(["2024-01-01", "2024-07-01", "2024-03-01"]),
    ...     "end": pd.to_datetime(["2024-06-30", None, "2024-05-31"])})
    >>> contract_spells(rows, "2024-12-31")[["customer_id", "tenure_months", "ended", "price_per_month"]].round(1)
      customer_id  tenure_months  ended  price_per_month
    0           a           12.0  False             12.0
    1           b            3.0   True              9.0
    """
    day = as_day(as_of, "as_of")
    check_choice("terms", terms, ("last", "first"))
    if missing := lacking(subscriptions=subscriptions):
        return no_rows(_SPELLS, missing)
    rows = seen_rows(subscriptions, day)
    spells = _spells(rows, day, terms)
    last_day = ibis.ifelse(_.end.isnull(), ibis.literal(day), _.end)
    spells = spells.mutate(tenure_months=(last_day.delta(_.start, unit="day") + 1) / TimeUnit.M.days)
    spells = spells.order_by("customer_id", "subscription_id", "spell")
    frame = fetch(spells).astype({"start": "datetime64[s]", "end": "datetime64[s]", "spell": "int64"})
    return frame.assign(ended=frame["end"].notna())


def seen_rows(subscriptions: Any, day: dt.date) -> ibis.Table:
    """Rows that have started by the end of a day, with the contract's columns and types, checked.

    `end` is null where it lies after the day or the contract runs on; `subscription_id` and `end_reason` are there.
    """
    table = open_table(subscriptions)
    check_columns(
        "subscriptions", table, ("customer_id", "start", "price_per_month"),
        "it needs customer_id, start and price_per_month, and end where a contract is over",
    )  # fmt: skip
    text = {name: table[name].cast("string") for name in ("subscription_id", "end_reason", *_ALONG)
            if name in table.columns}  # fmt: skip
    end = table.end.cast("date") if "end" in table.columns else ibis.null("date")
    rows = table.select(
        customer_id=own_ids(table.customer_id),
        **text,
        start=table.start.cast("date"),
        end=end,
        price_per_month=table.price_per_month.cast("float64"),
    )
    if "subscription_id" not in rows.columns:
        rows = rows.mutate(subscription_id=rows.customer_id.cast("string"))
    rows = rows.mutate(subscription_id=rows.subscription_id.fill_null(rows.customer_id.cast("string")))
    if "end_reason" not in rows.columns:
        rows = rows.mutate(end_reason=ibis.null("string"))
    _refuse_backwards(rows)
    rows = rows.filter(rows.start <= day)
    runs_on = (rows.end > day) | ((rows.end == day) & (rows.end_reason.fill_null("") == "changed"))
    return rows.mutate(end=ibis.ifelse(runs_on, ibis.null("date"), rows.end))


def _refuse_backwards(rows: ibis.Table) -> None:
    wrong = rows.filter((rows.end < rows.start) | rows.start.isnull() | rows.customer_id.isnull())
    bad = fetch(wrong.select("customer_id").limit(SHOWN))
    if len(bad):
        first = ", ".join(map(str, bad["customer_id"]))
        count = int(wrong.count().to_pyarrow().as_py())
        raise DataError(
            f"subscriptions: {count:,} rows end before they start, or lack start or customer_id (customer_id {first}); "
            "end is the last day at this price and lies on or after start; correct or drop these rows"
        )


def _spells(rows: ibis.Table, day: dt.date, terms: str) -> ibis.Table:
    """One row per unbroken run of a contract's rows."""
    contract = ["customer_id", "subscription_id"]
    order = {"group_by": contract, "order_by": ["start", "price_per_month"]}
    reach = _.end.fill_null(ibis.literal(day))
    rows = rows.mutate(before=reach.max().over(ibis.window(**order, preceding=(None, 1))))
    begins = (_.before.isnull() | (_.start.delta(_.before, unit="day") > 1)).cast("int64")
    rows = rows.mutate(begins=begins)
    rows = rows.mutate(spell=_.begins.sum().over(ibis.cumulative_window(**order)))
    carried = [name for name in ("price_per_month", *_ALONG) if name in rows.columns]
    in_order = {"order_by": rows.start, "include_null": True}
    along = {name: getattr(rows[name], terms)(**in_order) for name in carried}
    spells = rows.group_by(*contract, "spell").agg(
        start=_.start.min(),
        end=ibis.ifelse(_.end.isnull().any(), ibis.null("date"), _.end.max()),
        price_changes=_.count() - 1,
        **along,
        end_reason=rows.end_reason.last(**in_order),
    )
    return spells.mutate(end_reason=ibis.ifelse(_.end.isnull(), ibis.null("string"), _.end_reason))


def contract_samples(
    subscriptions: Any, *, as_of: Any, horizon_months: int = 3, cut_offs: int = 4
) -> pd.DataFrame:
    """Which contracts ran on some days, what was known of them then, and which ended in the months after?

    The days are `cut_offs` in number and a horizon apart, the latest of them one horizon before `as_of`; the contracts
    that run on `as_of` are in the answer too, without an outcome.

    Returns: one row per day and contract that ran on it, as `churn_data` reads it: `customer_id`, `date` (the cut-off),
    `outcome_known_on`, `churned` ("Yes", "No", missing for `as_of`), and what was known: `tenure_months`,
    `price_per_month`, `price_changes`, and `plan`, `market`, `product_type` where there are any. Without rows, and with
    the `reason`, where there is no table or no contract ran on the days looked back to.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a", "b"], "price_per_month": [10.0, 9.0],
    ...     "start": pd.to_datetime(["2024-01-01", "2024-03-01"]), "end": pd.to_datetime([None, "2024-08-20"])})
    >>> found = contract_samples(rows, as_of="2024-09-30", cut_offs=1)
    >>> found[["customer_id", "date", "churned"]].astype(str).values.tolist()
    [['a', '2024-06-30', 'No'], ['b', '2024-06-30', 'Yes'], ['a', '2024-09-30', 'nan']]
    """
    if horizon_months < 1 or cut_offs < 1:
        raise CrmError(f"horizon_months is {horizon_months} and cut_offs {cut_offs}; give 1 or more of each")
    last = as_day(as_of, "as_of")
    if missing := lacking(subscriptions=subscriptions):
        return no_rows(_SAMPLES, missing)
    days = [back(last, horizon_months * steps) for steps in range(cut_offs, -1, -1)]
    seen = [contract_spells(subscriptions, day) for day in days]
    samples = [
        contracts_later(now, later).assign(date=pd.Timestamp(day))
        for now, later, day in zip(seen[:-1], seen[1:], days[:-1], strict=True)
    ]
    if not any(map(len, samples)):
        why = f"no contract ran between {days[0]} and {last}; take an earlier as_of or a shorter horizon"
        return no_rows(_SAMPLES, why)
    samples.append(seen[-1][~seen[-1]["ended"]].assign(date=pd.Timestamp(last), left=np.nan))
    frame = pd.concat([sample for sample in samples if len(sample)], ignore_index=True)
    known_on = dict(zip(map(pd.Timestamp, days[:-1]), map(pd.Timestamp, days[1:]), strict=True))
    frame = frame.assign(
        tenure_months=frame["tenure_months"].round(1),
        outcome_known_on=frame["date"].map(known_on),
        churned=frame.pop("left").map({1.0: "Yes", 0.0: "No"}),
    )
    return frame.drop(
        columns=["subscription_id", "spell", "start", "end", "end_reason", "ended"], errors="ignore"
    )


def back(day: dt.date, months: int) -> dt.date:
    """The same day some months before, or after where they are below 0; the end of a month stays one."""
    stamp = pd.Timestamp(day)
    moved = stamp - pd.DateOffset(months=months)
    return (moved + pd.offsets.MonthEnd(0) if stamp.is_month_end else moved).date()


def contracts_later(now: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """The contracts of `contract_spells` that ran on a day, and whether they had ended by another (`left`)."""
    running = now[~now["ended"]]
    after = later[[*_KEY, "ended"]].rename(columns={"ended": "left"})
    joined = running.merge(after, on=_KEY, how="left", validate="one_to_one")
    assert joined["left"].notna().all(), "a contract that ran was lost; this is a fault of crmlib"
    return joined.astype({"left": "float64"})


def contract_retention(subscriptions: Any, *, as_of: Any, period: str = "M") -> pd.DataFrame:
    """Which share of customers under contract stayed through each period?

    Parameters
    ----------
    subscriptions : ibis.Table or DataFrame
        As for `contract_spells`.
    as_of : date or str
        Last day that counts; the last period is the last one that is complete by then.
    period : {"M", "Q", "Y"}
        Calendar periods.

    Returns
    -------
    DataFrame
        One row per `period` (its first day): customers at its `start`, `new` (joined, and there at the end), `left`
        (there at the start, not at the end), `joined_and_left` within it, and at its `end`; `retention` = (end − new)
        / start with its 95 % interval `low, high` (Wilson). start + new − left = end. Without rows, and with the
        `reason`, where there is no table or no contract has started.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a", "b", "c"], "price_per_month": 10.0,
    ...     "start": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-10"]),
    ...     "end": pd.to_datetime([None, "2024-02-20", None])})
    >>> contract_retention(rows, as_of="2024-02-29")[["start", "new", "left", "end", "retention"]]
       start  new  left  end  retention
    0      0    2     0    2        NaN
    1      2    1     1    2        0.5
    """
    check_choice("period", period, ("M", "Q", "Y"))
    day = as_day(as_of, "as_of")
    spells = contract_spells(subscriptions, day)
    if spells.empty:
        why = f"no contract has started by {day}; retention needs some that have"
        return no_rows([*_SIZES, "retention", "low", "high"], lacking(subscriptions=subscriptions) or why)
    first = spells["start"].dt.to_period(period).min()
    who, ids = pd.factorize(spells["customer_id"])

    def customers(rows: pd.Series) -> np.ndarray:
        return np.bincount(who[rows.to_numpy()], minlength=len(ids)) > 0

    rows, there = [], np.zeros(len(ids), dtype=bool)
    for span in pd.period_range(first, pd.Timestamp(day) + pd.Timedelta(1, "D"), freq=period)[:-1]:
        begins, ends = span.start_time, span.end_time.normalize()
        # A contract that ends on the period's last day does not run after it.
        now = customers((spells["start"] <= ends) & (spells["end"].isna() | (spells["end"] > ends)))
        joined = customers((spells["start"] >= begins) & (spells["start"] <= ends))
        sizes = (there, now & ~there, there & ~now, joined & ~there & ~now, now)
        rows.append([begins, *(int(people.sum()) for people in sizes)])
        there = now
    table = pd.DataFrame(rows, columns=_SIZES)
    assert (table["start"] + table["new"] - table["left"] == table["end"]).all(), "a customer was lost"
    table = with_interval(table, table["end"] - table["new"], table["start"])
    return table.astype({"period": "datetime64[s]"})
