"""Do members hurry before a reward? What a loyalty programme is supposed to do, by heavy and light buyers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import as_day, end_of, fetch, seen_by
from crmlib.data.sources import lacking, open_table
from crmlib.errors import DataError, did_you_mean
from crmlib.no_rows import no_rows
from crmlib.statistics import check_level, normal_quantile

GROUPS = ("all", "heavy", "light")
_COLUMNS = "members customers waits purchases share_in_second_half low high"


def points_pressure(
    transactions: Any, loyalty_ledger: Any, *, as_of: Any, level: float = 0.95
) -> pd.DataFrame:
    """Which share of the purchases between two rewards falls into the second half of the time between them?

    Half, if nobody hurries: whatever the pace of a customer, gaps come in any order. More, if the reward draws
    nearer purchases (points pressure).

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    loyalty_ledger : ibis.Table or DataFrame
        Movements of the accounts: `customer_id, date, kind`; the first one and each redemption begin a wait,
        each redemption ends one.
    as_of : date or str
        Last day that counts.
    level : float, default 0.95
        Of the intervals.

    Returns
    -------
    DataFrame
        By `members`: "all", "heavy" and "light" (above and up to the median of purchases per day while waiting):
        `customers, waits, purchases` (days with one, those at either end left out), `share_in_second_half`,
        `low, high` (by customer). A group without purchases has nan. Without rows, and with the `reason`, where
        there are not both tables, no wait for a reward is over, or none has a purchase in it.

    Raises
    ------
    DataError
        If a column is missing.

    Notes
    -----
    Taylor & Neslin, Journal of Retailing 81(4), 2005; Kivetz, Urminsky & Zheng, Journal of Marketing Research
    43(1), 2006.

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
        return no_rows(_COLUMNS, missing)
    waits = _waits(loyalty_ledger, day)
    if waits.empty:
        return no_rows(_COLUMNS, f"nobody has waited for a reward and got it by {day}")
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
        return no_rows(_COLUMNS, "no purchase lies between two rewards, so nobody can be seen to hurry")
    pace = members["purchases"] / members["days"]
    kinds = {"all": pace >= 0, "heavy": pace > pace.median(), "light": pace <= pace.median()}
    return pd.DataFrame([{"members": name, **_share(members[kinds[name]], level)} for name in GROUPS])


def _waits(loyalty_ledger: Any, day: Any) -> pd.DataFrame:
    """From joining or a reward to the next reward: one row each, of a day at least."""
    table = open_table(loyalty_ledger)
    for name in ("customer_id", "date", "kind"):
        if name not in table.columns:
            raise DataError(f"loyalty_ledger: no column {name!r}; {did_you_mean(name, table.columns)}")
    rows = table.select(
        customer_id=table.customer_id.cast("string"), day=table.date.cast("timestamp(6)"), kind=table.kind
    ).filter(_.day < end_of(day))
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
