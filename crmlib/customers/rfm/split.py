"""From a purchase log to what customers did up to a day and after it.

Both halves are joined in the engine, which has room on the disk.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.customers._log import Part, as_day, belongs_to, end_of, fetch_customers, seen_by
from crmlib.customers.rfm.summary import (
    BornInHoldout,
    CustomerSummary,
    by_customer,
    purchase_periods,
    summary_of,
)
from crmlib.errors import CrmError
from crmlib.units import TimeUnit


def rfm_train_test_split(
    transactions: Any, *, calibration_end: Any, as_of: Any, time_unit: str = "W", collapse: str = "D"
) -> CustomerSummary:
    """What each customer did up to a day, for a model to learn from, and after it, to judge the model by.

    Parameters
    ----------
    transactions, time_unit, collapse
        As in `rfm_summary`.
    calibration_end : date or str
        Last day of the calibration, to its end.
    as_of : date or str
        Last day of the holdout, to its end; later than `calibration_end`.

    Returns
    -------
    CustomerSummary
        The columns of `rfm_summary(..., as_of=calibration_end)`, exactly, and for the holdout:

        holdout_frequency, holdout_T : purchase periods after `calibration_end`, length of the holdout in `time_unit`
        holdout_spend : float, net spend of these periods
        holdout_monetary_value : float, its mean per period; 0.0 where there are none
        holdout_late_returns : float, money of the holdout outside its purchase periods, above all of earlier purchases

        `.born_in_holdout` counts the customers who bought first in the holdout. Money adds up: `net`,
        `holdout_spend`, `holdout_late_returns`, `.left_out.net` and `.born_in_holdout.spend` are the log.

    Notes
    -----
    Refuses what `rfm_summary` refuses. A period that the cut divides (under `collapse` above a day) counts in each half
    that has a purchase in it. What happens in the holdout, a return included, changes nothing in the calibration.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-31"])})
    >>> halves = rfm_train_test_split(log, calibration_end="2024-01-10", as_of="2024-01-31", time_unit="D")
    >>> halves[["customer_id", "frequency", "T", "holdout_frequency", "holdout_spend"]]
      customer_id  frequency    T  holdout_frequency  holdout_spend
    0           a          0  9.0                  1           30.0
    >>> halves.born_in_holdout
    BornInHoldout(customers=1, purchases=1, spend=5.0)
    """
    unit, merged = TimeUnit.parse(time_unit), TimeUnit.parse(collapse)
    cut, last = as_day(calibration_end, "calibration_end"), as_day(as_of, "as_of")
    if cut >= last:
        raise CrmError(f"calibration_end is {cut}, not before as_of {last}; leave days for the holdout")
    before, rows = seen_by(transactions, cut), seen_by(transactions, last)

    def halves_of(part: Part) -> ibis.Table:
        customers = by_customer(part(before), merged, end_of(cut))
        both = customers.outer_join(_holdout(part(rows), cut, merged), "customer_id")
        known = both.customer_id.coalesce(both.customer_id_right)
        return both.mutate(customer_id=known).drop("customer_id_right")

    frame = fetch_customers(halves_of, rows)
    born = frame[frame.first_purchase.isna() & frame.holdout_frequency.notna()]
    counts = {"holdout_frequency": 0, "holdout_spend": 0.0, "holdout_late_returns": 0.0}
    after = frame.loc[frame.first_purchase.notna(), list(counts)].fillna(counts).reset_index(drop=True)
    halves = summary_of(frame, unit, merged, cut)
    del frame
    halves[list(counts)] = after.astype({"holdout_frequency": "int64"})
    periods = halves.holdout_frequency.where(halves.holdout_frequency > 0)
    halves["holdout_monetary_value"] = (halves.holdout_spend / periods).fillna(0.0)
    halves["holdout_T"] = _days_between(cut, last, merged) / unit.days
    apart = BornInHoldout(
        customers=int((born.holdout_frequency > 0).sum()),
        purchases=int(born.holdout_frequency.sum()),
        spend=float(born.holdout_spend.sum() + born.holdout_late_returns.sum()),
    )
    return halves.with_facts(born_in_holdout=apart)


def _holdout(rows: ibis.Table, cut: dt.date, collapse: TimeUnit) -> ibis.Table:
    """Purchase periods after the cut and their money, per customer; the rest of the money beside it."""
    after = ibis.literal(end_of(cut))
    rows = rows.filter(rows.date >= after)
    money_of = belongs_to(rows)
    own = ibis.ifelse(money_of >= after, money_of, ibis.null("timestamp(6)"))
    bought = _["first"].notnull()
    return (
        purchase_periods(rows, own, collapse)
        .group_by("customer_id")
        .agg(
            holdout_frequency=_["first"].count(),
            holdout_spend=_.spend.sum(where=bought).fill_null(0.0),
            holdout_late_returns=_.spend.sum(where=~bought).fill_null(0.0),
        )
    )


def _days_between(cut: dt.date, last: dt.date, collapse: TimeUnit) -> float:
    """Days by which every customer's T grows from the calibration's end to the holdout's."""
    instants = [pd.Timestamp(end_of(day)) - pd.Timedelta(1, "us") for day in (cut, last)]
    letter = {"H": "h", "M": "M", "Q": "Q", "Y": "Y", "W": "W", "D": "D"}[collapse]
    starts = [instant.to_period(letter).start_time for instant in instants]
    return (starts[1] - starts[0]) / pd.Timedelta(1, "D")
