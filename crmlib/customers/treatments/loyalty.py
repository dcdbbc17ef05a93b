"""Loyalty programmes: members compared with similar customers, and whether members buy faster before a reward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_range
from crmlib.customers._log import as_day, dated, end_of, fetch, open_columns, seen_by, with_ids_of
from crmlib.data.sources import as_transactions, lacking, open_table
from crmlib.no_rows import no_rows
from crmlib.statistics import check_level, normal_quantile

_PURCHASES = [1, 2, 3, 5, 9]  # cells of alike customers begin at these counts
_TENURE = [1, 3, 6, 12, 24]  # months
_IN_MONTH = [2, 3]
_COMPARED = (
    "month joined purchases_in_month tenure_months purchases_before spend_before purchases_after "
    "spend_after customer_id cell"
)
GROUPS = ("all", "heavy", "light")
_PRESSURE = "members customers waits purchases share_in_second_half low high"


def programme_enrolments(
    transactions: Any, loyalty_ledger: Any, *, as_of: Any, months: int = 6
) -> pd.DataFrame:
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
    >>> programme_enrolments(log, ledger, as_of="2024-03-31", months=1)[["customer_id", "joined", "spend_after"]]
      customer_id  joined  spend_after
    0           a    True         30.0
    1           b   False         20.0
    """
    check_range("months", months, "the length of the windows in whole months, 1 or more", least=1)
    if missing := lacking(transactions=transactions, loyalty_ledger=loyalty_ledger):
        return no_rows(_COMPARED, missing)
    monthly = _monthly(transactions, as_of)
    monthly = monthly.merge(_joining(loyalty_ledger, transactions), on="customer_id", how="left")
    monthly["tenure_months"] = monthly["month"] - monthly.groupby("customer_id")["month"].transform("min")
    day = pd.Timestamp(as_day(as_of, "as_of"))
    after = day + pd.Timedelta(1, "D")
    last = (after.year - 1970) * 12 + after.month - 2  # the last whole month
    in_time = monthly["joining"][monthly["joining"] <= last - months]
    if in_time.empty:
        why = f"nobody who bought joined {months} whole months before {day.date()} or earlier; shorten months"
        return no_rows(_COMPARED, why)
    slices = dict(iter(monthly.groupby("month", sort=True)))
    events = [
        _event(slices, month, months) for month in sorted(in_time.unique().astype(int)) if month in slices
    ]
    if not (joining := [event for event in events if event["joined"].any()]):
        return no_rows(_COMPARED, "nobody bought in the month of joining")
    table = pd.concat(joining, ignore_index=True)
    table["cell"] = _cells(table)
    table["month"] = table["month"].to_numpy().astype("datetime64[M]").astype("datetime64[ns]")
    return table.sort_values(["month", "customer_id"], kind="stable", ignore_index=True)


def _monthly(transactions: Any, as_of: Any) -> pd.DataFrame:
    """Purchases and net spend of each customer and month with any."""
    rows = seen_by(transactions, as_day(as_of, "as_of"))
    when = dated(rows)
    narrow = rows.select("customer_id", "amount", when=when, counted=rows.counted)
    found = narrow.group_by("customer_id", month=_month_number(narrow.when)).agg(
        purchases=_.when.date().nunique(where=_.counted), spend=_.amount.sum()
    )
    return fetch(found.order_by("month", "customer_id")).astype({"month": "int64", "purchases": "int64"})


def _month_number(when: Any) -> Any:
    """Months since January 1970."""
    return (when.year() - 1970) * 12 + when.month() - 1


def _joining(loyalty_ledger: Any, transactions: Any) -> pd.DataFrame:
    table = open_columns(loyalty_ledger, "loyalty_ledger", "customer_id", "date")
    named = with_ids_of(as_transactions(transactions), table)
    first = named.group_by("customer_id").agg(when=_.date.min())
    return fetch(first.select("customer_id", joining=_month_number(first.when.cast("timestamp(6)"))))


def _event(slices: dict[int, pd.DataFrame], month: int, months: int) -> pd.DataFrame:
    """The active customers of one month who were not members before it."""
    here = slices[month]
    here = here[(here["purchases"] > 0) & ~(here["joining"] < month)].set_index("customer_id")
    event = pd.DataFrame(
        {
            "month": month,
            "joined": here["joining"] == month,
            "purchases_in_month": here["purchases"],
            "tenure_months": here["tenure_months"],
        }
    )
    for name, start in (("before", month - months), ("after", month + 1)):
        window = range(start, start + months)
        rows = [slices[number] for number in window if number in slices]
        sums = pd.concat(rows).groupby("customer_id")[["purchases", "spend"]].sum() if rows else None
        for measure in ("purchases", "spend"):
            event[f"{measure}_{name}"] = 0 if sums is None else sums[measure].reindex(event.index).fillna(0)
    return event.rename_axis("customer_id").reset_index()


def _cells(table: pd.DataFrame) -> pd.Series:
    """Customers alike in what was known when they joined or did not."""
    parts = [
        table["month"],
        np.digitize(table["tenure_months"], _TENURE),
        np.digitize(table["purchases_before"], _PURCHASES),
        np.digitize(table["purchases_in_month"], _IN_MONTH),
    ]
    return table.groupby(parts, sort=True).ngroup()


def points_pressure(
    transactions: Any, loyalty_ledger: Any, *, as_of: Any, level: float = 0.95
) -> pd.DataFrame:
    """Which share of the purchases between two rewards falls into the second half of the time between them?

    Half, if nobody hurries: whatever the pace of a customer, gaps come in any order. More, if the reward draws nearer
    purchases (points pressure).

    - `transactions`, `as_of`: as in `rfm_summary`.
    - `loyalty_ledger`: movements of the accounts: `customer_id, date, kind`; the first one and each redemption begin a
      wait, each redemption ends one.
    - `level`: of the intervals.

    Returns: by `members`: "all", "heavy" and "light" (above and up to the median of purchases per day while waiting):
    `customers, waits, purchases` (days with one, those at either end left out), `share_in_second_half`, `low, high` (by
    customer). A group without purchases has nan. Without rows, and with the `reason`, where there are not both tables,
    no wait for a reward is over, or none has a purchase in it. Raises DataError if a column is missing.

    Taylor & Neslin, Journal of Retailing 81(4), 2005; Kivetz, Urminsky & Zheng, Journal of Marketing Research 43(1),
    2006.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": "a", "amount": 10.0,
    ...     "date": pd.to_datetime(["2024-01-01", "2024-01-20", "2024-01-25", "2024-01-31"])})
    >>> ledger = pd.DataFrame({"customer_id": "a", "date": pd.to_datetime(["2024-01-01", "2024-01-31"]),
    ...     "kind": ["joined", "redeemed"]})
    >>> points_pressure(log, ledger, as_of="2024-06-30").loc[[0], ["waits", "purchases", "share_in_second_half"]]
       waits  purchases  share_in_second_half
    0      1          2                   1.0
    """
    check_level(level)
    day = as_day(as_of, "as_of")
    if missing := lacking(transactions=transactions, loyalty_ledger=loyalty_ledger):
        return no_rows(_PRESSURE, missing)
    waits = _waits(loyalty_ledger, transactions, day)
    if waits.empty:
        return no_rows(_PRESSURE, f"nobody has waited for a reward and got it by {day}")
    bought = _purchase_days(transactions, day, waits)
    inside = bought.merge(waits, on="customer_id")
    inside = inside[(inside["date"] > inside["start"]) & (inside["date"] < inside["end"])]
    middle = inside["start"] + (inside["end"] - inside["start"]) / 2
    # A day in the very middle belongs to both halves.
    inside = inside.assign(late=np.where(inside["date"] == middle, 0.5, inside["date"] > middle))
    by_customer = waits.assign(days=(waits["end"] - waits["start"]).dt.days).groupby("customer_id")
    members = by_customer["days"].agg(waits="size", days="sum")
    counts = inside.groupby("customer_id")["late"].agg(purchases="size", late="sum")
    members = members.join(counts).fillna(0.0)
    if not members["purchases"].sum() > 0:
        return no_rows(_PRESSURE, "no purchase lies between two rewards, so acceleration cannot be measured")
    pace = members["purchases"] / members["days"]
    kinds = {"all": pace >= 0, "heavy": pace > pace.median(), "light": pace <= pace.median()}
    return pd.DataFrame([{"members": name, **_share(members[kinds[name]], level)} for name in GROUPS])


def _waits(loyalty_ledger: Any, transactions: Any, day: Any) -> pd.DataFrame:
    """From joining or a reward to the next reward: one row each, of a day at least."""
    table = open_columns(loyalty_ledger, "loyalty_ledger", "customer_id", "date", "kind")
    table = with_ids_of(as_transactions(transactions), table)
    rows = table.select("customer_id", day=table.date.cast("timestamp(6)"), kind=table.kind)
    rows = rows.filter(_.day < end_of(day))
    first = rows.group_by("customer_id").agg(day=_.day.min())
    rewards = rows.filter(_.kind == "redeemed").select("customer_id", "day")
    ends = fetch(first.union(rewards).distinct())
    ends["day"] = ends["day"].dt.normalize()
    ends = ends.drop_duplicates().sort_values(["customer_id", "day"])
    waits = ends.assign(start=ends.groupby("customer_id")["day"].shift()).dropna(subset=["start"])
    return waits.rename(columns={"day": "end"}).reset_index(drop=True)


def _purchase_days(transactions: Any, day: Any, waits: pd.DataFrame) -> pd.DataFrame:
    """Days on which those who got a reward bought."""
    rows = seen_by(transactions, day)
    members = open_table(waits[["customer_id"]].drop_duplicates())
    days = rows.filter(_.counted).select("customer_id", date=rows.date.date().cast("timestamp(6)"))
    found = days.distinct().semi_join(members, "customer_id")
    return fetch(found.order_by("customer_id", "date"))


def _share(members: pd.DataFrame, level: float) -> dict[str, float]:
    """Purchases in second halves of all, with an interval from how customers differ."""
    all_of = float(members["purchases"].sum())
    share = float(members["late"].sum()) / all_of if all_of else np.nan
    scatter = members["late"] - share * members["purchases"]
    reach = normal_quantile(level) * float(np.sqrt((scatter**2).sum())) / all_of if all_of else np.nan
    return {
        "customers": len(members),
        "waits": int(members["waits"].sum()),
        "purchases": int(all_of),
        "share_in_second_half": share,
        "low": max(share - reach, 0.0),
        "high": min(share + reach, 1.0),
    }
