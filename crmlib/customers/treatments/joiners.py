"""Members of a programme, at the time they joined, beside those who could have joined then and did not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, belongs_to, fetch, seen_by
from crmlib.data.sources import lacking, open_table
from crmlib.errors import CrmError, DataError, did_you_mean
from crmlib.no_rows import no_rows

_PURCHASES = [1, 2, 3, 5, 9]  # cells of alike customers begin at these counts
_TENURE = [1, 3, 6, 12, 24]  # months
_IN_MONTH = [2, 3]
_COLUMNS = (
    "month joined purchases_in_month tenure_months purchases_before spend_before purchases_after "
    "spend_after customer_id cell"
)


def joiners(transactions: Any, loyalty_ledger: Any, *, as_of: Any, months: int = 6) -> pd.DataFrame:
    """Who joined the programme in a month in which they bought, who bought as well and did not, and what then?

    Nobody is compared with customers who were not there to join. The month of joining itself is left out of
    both windows: people join at a purchase.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    loyalty_ledger : ibis.Table or DataFrame
        Movements of the accounts: `customer_id, date, kind`; the first one of a customer is their joining.
    as_of : date or str
        Last day that is known; windows end with a whole month before or on it.
    months : int, default 6
        Length of the windows before and after.

    Returns
    -------
    DataFrame
        One row per customer and month in which they bought and were no member before: `customer_id, month` (its
        first day), `joined` (in it), `purchases_in_month, tenure_months, purchases_before, spend_before,
        purchases_after, spend_after` (sums over the windows) and `cell`: customers alike in month, tenure and
        purchases have the same. Without rows, and with the `reason`, where there are not both tables, or nobody
        joined early enough to see `months` after it.

    Raises
    ------
    DataError
        If a column is missing.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "b"] * 2, "amount": [10.0, 10.0, 30.0, 20.0],
    ...     "date": pd.to_datetime(["2024-02-01", "2024-02-02", "2024-03-05", "2024-03-06"])})
    >>> ledger = pd.DataFrame({"customer_id": ["a"], "date": pd.to_datetime(["2024-02-01"]), "kind": ["joined"]})
    >>> joiners(log, ledger, as_of="2024-03-31", months=1)[["customer_id", "joined", "spend_after"]]
      customer_id  joined  spend_after
    0           a    True         30.0
    1           b   False         20.0
    """
    if not months >= 1:
        raise CrmError(f"months is {months}; give the length of the windows in whole months, 1 or more")
    if missing := lacking(transactions=transactions, loyalty_ledger=loyalty_ledger):
        return no_rows(_COLUMNS, missing)
    monthly = _monthly(transactions, as_of)
    monthly = monthly.merge(_joining(loyalty_ledger), on="customer_id", how="left")
    monthly["tenure_months"] = monthly["month"] - monthly.groupby("customer_id")["month"].transform("min")
    day = pd.Timestamp(as_day(as_of, "as_of"))
    last = _number((day + pd.Timedelta(days=1)).to_period("M").start_time) - 1  # the last whole month
    in_time = monthly["joining"][monthly["joining"] <= last - months]
    if in_time.empty:
        why = f"nobody who bought joined {months} whole months before {day.date()} or earlier; shorten months"
        return no_rows(_COLUMNS, why)
    slices = dict(iter(monthly.groupby("month", sort=True)))
    events = [
        _event(slices, month, months) for month in sorted(in_time.unique().astype(int)) if month in slices
    ]
    table = pd.concat([event for event in events if event["joined"].any()], ignore_index=True)
    table["cell"] = _cells(table)
    table["month"] = table["month"].to_numpy().astype("datetime64[M]").astype("datetime64[ns]")
    return table.sort_values(["month", "customer_id"], kind="stable", ignore_index=True)


def _number(when: Any) -> Any:
    """Months since January 1970."""
    return (when.year - 1970) * 12 + when.month - 1


def _monthly(transactions: Any, as_of: Any) -> pd.DataFrame:
    """Purchases and net spend of each customer and month with any."""
    rows = seen_by(transactions, as_day(as_of, "as_of"))
    when = belongs_to(rows).fill_null(rows.date)
    narrow = rows.select("customer_id", "amount", when=when, counted=rows.counted)
    found = narrow.group_by("customer_id", month=_number_of(narrow.when)).agg(
        purchases=_.when.date().nunique(where=_.counted), spend=_.amount.sum()
    )
    return fetch(found.order_by("month", "customer_id")).astype({"month": "int64", "purchases": "int64"})


def _number_of(when: Any) -> Any:
    return (when.year() - 1970) * 12 + when.month() - 1


def _joining(loyalty_ledger: Any) -> pd.DataFrame:
    table = open_table(loyalty_ledger)
    for name in ("customer_id", "date"):
        if name not in table.columns:
            raise DataError(f"loyalty_ledger: no column {name!r}; {did_you_mean(name, table.columns)}")
    first = (
        table.mutate(customer_id=table.customer_id.cast("string"))
        .group_by("customer_id")
        .agg(when=_.date.min())
    )
    return fetch(first.select("customer_id", joining=_number_of(first.when.cast("timestamp(6)"))))


def _event(slices: dict[int, pd.DataFrame], month: int, months: int) -> pd.DataFrame:
    """The customers of one month who were no members before it."""
    here = slices[month]
    here = here[(here["purchases"] > 0) & ~(here["joining"] < month)].set_index("customer_id")
    told = pd.DataFrame(
        {
            "month": month,
            "joined": here["joining"] == month,
            "purchases_in_month": here["purchases"],
            "tenure_months": here["tenure_months"],
        }
    )
    for name, window in (
        ("before", range(month - months, month)),
        ("after", range(month + 1, month + months + 1)),
    ):
        rows = [slices[one] for one in window if one in slices]
        sums = pd.concat(rows).groupby("customer_id")[["purchases", "spend"]].sum() if rows else None
        for measure in ("purchases", "spend"):
            told[f"{measure}_{name}"] = 0 if sums is None else sums[measure].reindex(told.index).fillna(0)
    return told.rename_axis("customer_id").reset_index()


def _cells(table: pd.DataFrame) -> pd.Series:
    """Customers alike in what was known when they joined or did not."""
    parts = [
        table["month"],
        np.digitize(table["tenure_months"], _TENURE),
        np.digitize(table["purchases_before"], _PURCHASES),
        np.digitize(table["purchases_in_month"], _IN_MONTH),
    ]
    return table.groupby(parts, sort=True).ngroup()
