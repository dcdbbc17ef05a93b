"""Contracts as they stood on several days, with who left in the months after each: what churn is learnt from."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers._log import as_day
from crmlib.customers.retention.contract_spells import contract_spells
from crmlib.data.sources import lacking
from crmlib.errors import CrmError
from crmlib.no_rows import no_rows

_KEY = ["customer_id", "subscription_id", "start"]
_COLUMNS = (
    "customer_id date outcome_known_on churned tenure_months price_per_month price_changes plan "
    "market product_type"
)


def contract_samples(
    subscriptions: Any, *, as_of: Any, horizon_months: int = 3, cut_offs: int = 4
) -> pd.DataFrame:
    """Which contracts ran on some days, what was known of them then, and which ended in the months after?

    Parameters
    ----------
    subscriptions : ibis.Table or DataFrame
        As for `contract_spells`.
    as_of : date or str
        Last day that counts. The contracts that run then are in the answer too, without an outcome.
    horizon_months : int
        Who leaves within so many months after a day has left.
    cut_offs : int
        Days that are looked back to, the horizon apart, the latest of them one horizon before `as_of`.

    Returns
    -------
    DataFrame
        One row per day and contract that ran on it, as `churn_data` reads it: `customer_id`, `date` (the cut-off),
        `outcome_known_on`, `churned` ("Yes", "No", missing for `as_of`), and what was known: `tenure_months`,
        `price_per_month`, `price_changes`, and `plan`, `market`, `product_type` where there are any. Without rows,
        and with the `reason`, where there is no table or no contract ran on the days looked back to.

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
        return no_rows(_COLUMNS, missing)
    days = [_back(last, horizon_months * steps) for steps in range(cut_offs, -1, -1)]
    seen = [contract_spells(subscriptions, day) for day in days]
    samples = [
        _sample(now, later, day) for now, later, day in zip(seen[:-1], seen[1:], days[:-1], strict=True)
    ]
    if not sum(len(one) for one in samples):
        why = f"no contract ran between {days[0]} and {last}; take an earlier as_of or a shorter horizon"
        return no_rows(_COLUMNS, why)
    samples.append(seen[-1][~seen[-1]["ended"]].assign(date=pd.Timestamp(last), left=np.nan))
    frame = pd.concat([one for one in samples if len(one)], ignore_index=True)
    known_on = dict(zip(map(pd.Timestamp, days[:-1]), map(pd.Timestamp, days[1:]), strict=True))
    frame = frame.assign(
        tenure_months=frame["tenure_months"].round(1),
        outcome_known_on=frame["date"].map(known_on),
        churned=frame.pop("left").map({1.0: "Yes", 0.0: "No"}),
    )
    return frame.drop(
        columns=["subscription_id", "spell", "start", "end", "end_reason", "ended"], errors="ignore"
    )


def _back(day: dt.date, months: int) -> dt.date:
    """The same day some months before; the end of a month stays one."""
    stamp = pd.Timestamp(day)
    moved = stamp - pd.DateOffset(months=months)
    return (moved + pd.offsets.MonthEnd(0) if stamp.is_month_end else moved).date()


def _sample(now: pd.DataFrame, later: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """The contracts that ran on a day, and whether they had ended when next looked at."""
    running = now[~now["ended"]].assign(date=pd.Timestamp(day))
    after = later[[*_KEY, "ended"]].rename(columns={"ended": "left"})
    joined = running.merge(after, on=_KEY, how="left", validate="one_to_one")
    assert joined["left"].notna().all(), "a contract that ran was lost; this is a fault of crmlib"
    return joined.astype({"left": "float64"})
