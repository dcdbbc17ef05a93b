"""How long each contract has run, and whether it has ended: from a table of subscriptions, seen on a day."""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, fetch
from crmlib.data.sources import lacking, open_table
from crmlib.errors import CrmError, DataError, did_you_mean
from crmlib.no_rows import no_rows
from crmlib.units import TimeUnit

SHOWN = 5
_ALONG = ("plan", "market", "product_type")
_COLUMNS = (
    "customer_id subscription_id spell start end price_changes price_per_month plan market "
    "product_type end_reason tenure_months ended"
)


def contract_spells(subscriptions: Any, as_of: Any, *, terms: str = "last") -> pd.DataFrame:
    """How long has each contract run by a day, and has it ended?

    Parameters
    ----------
    subscriptions : ibis.Table or DataFrame
        One row per contract and price: `customer_id, start, price_per_month`; optionally `end` (the last day
        at this price, empty while it runs), `subscription_id` (the customer's id where it is absent),
        `end_reason`, `plan`, `market`, `product_type`.
    as_of : date or str
        Last day that counts, to its end; rows that start later and ends that lie later are not seen.
    terms : {"last", "first"}
        Which price, plan, market and product type are told: the last ones seen, or those that the spell began
        with. To compare how long plans or prices last it has to be the first ones: a contract must have lasted
        to be changed, so those with a changed plan or a raised price seem to last longer.

    Returns
    -------
    DataFrame
        One row per contract, and one more for each time it was taken up again after a day without:

        customer_id, subscription_id : str
        spell : int, 1 for the first run of a contract
        start, end : timestamp, first and last day; `end` is missing while the contract runs
        tenure_months : float, days from the first to the last one, both within it, over 30.4375
        ended : bool
        price_per_month : float, by `terms`
        price_changes : int, rows of the spell less one
        plan, market, product_type : where the table has them, by `terms`
        end_reason : why the spell's last row ended

        Without rows where there is no such table.

    Raises
    ------
    DataError
        If a column is missing, or a row ends before it starts.
    CrmError
        If `terms` is another word.

    Notes
    -----
    A change of price or plan begins a new row of the same contract and ends nothing. A contract whose last row
    ends on `as_of` for the reason "changed" runs on.

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
    if terms not in ("last", "first"):
        raise CrmError(f"terms is {terms!r}; {did_you_mean(str(terms), ['last', 'first'])}")
    if missing := lacking(subscriptions=subscriptions):
        return no_rows(_COLUMNS, missing)
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
    if missing := [one for one in ("customer_id", "start", "price_per_month") if one not in table.columns]:
        raise DataError(
            f"subscriptions lacks {', '.join(missing)} (it has {', '.join(table.columns)}); "
            "it needs customer_id, start and price_per_month, and end where a contract is over"
        )
    text = {one: table[one].cast("string") for one in ("customer_id", "subscription_id", "end_reason", *_ALONG)
            if one in table.columns}  # fmt: skip
    end = table.end.cast("date") if "end" in table.columns else ibis.null("date")
    rows = table.select(
        **text, start=table.start.cast("date"), end=end, price_per_month=table.price_per_month.cast("float64")
    )
    if "subscription_id" not in rows.columns:
        rows = rows.mutate(subscription_id=rows.customer_id)
    rows = rows.mutate(subscription_id=rows.subscription_id.fill_null(rows.customer_id))
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
        first = ", ".join(str(one) for one in bad["customer_id"])
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
    told = [one for one in ("price_per_month", *_ALONG) if one in rows.columns]
    in_order = {"order_by": rows.start, "include_null": True}
    along = {
        one: rows[one].first(**in_order) if terms == "first" else rows[one].last(**in_order) for one in told
    }
    spells = rows.group_by(*contract, "spell").agg(
        start=_.start.min(),
        end=ibis.ifelse(_.end.isnull().any(), ibis.null("date"), _.end.max()),
        price_changes=_.count() - 1,
        **along,
        end_reason=rows.end_reason.last(**in_order),
    )
    return spells.mutate(end_reason=ibis.ifelse(_.end.isnull(), ibis.null("string"), _.end_reason))
