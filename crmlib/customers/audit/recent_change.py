"""Lens 2 for the last months: two periods end to end that the log covers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.activity import profit_of
from crmlib.customers.audit.months import comparable_months, last_months
from crmlib.customers.audit.period_change import INACTIVE, PeriodChange, period_change
from crmlib.data.sources import as_transactions
from crmlib.errors import CannotAnswerError, not_measured
from crmlib.no_rows import no_rows

Period = tuple[dt.date, dt.date]


@dataclass(frozen=True)
class RecentChange:
    """The last complete months beside as many before them; nothing where the log does not cover two periods.

    Attributes
    ----------
    change : PeriodChange
        Its tables are empty where the log does not cover two periods.
    months : int
        Length of each period; where there are none, the length asked for.
    before, after : pair of date, or None
        First and last day of each period.
    sentence : str
        What is compared, and if it is less than was asked for, why.
    """

    change: PeriodChange
    months: int
    before: Period | None
    after: Period | None
    sentence: str

    @property
    def names(self) -> dict[str, str]:
        """The periods' names, `before` and `after`, as charts take them."""
        spans = {"before": self.before, "after": self.after}
        return {name: _named(one) if one else name for name, one in spans.items()}

    @property
    def total(self) -> float:
        """Value of the later period; nan where it is compared with nothing."""
        return float(self._totals.iloc[-1]) if len(self._totals) else np.nan

    @property
    def relative(self) -> float:
        """Relative change of the value; nan where there was none before."""
        start = float(self._totals.iloc[0]) if len(self._totals) else np.nan
        return self.change.change / start if start > 0 else np.nan

    @property
    def _totals(self) -> pd.Series:
        return self.change.waterfall["change"]


def recent_change(
    transactions: Any, *, as_of: Any, months: int, collapse: str = "D", margin: float | None = None
) -> RecentChange:
    """What changed from the months before to the last complete months, as far as the log reaches back?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts.
    months : int
        Complete months in each of the two periods; where the log is too short for so many, as many as fit.
    collapse, margin
        As in `period_change`.

    Returns
    -------
    RecentChange
        Its tables have no rows, and `.sentence` is the reason, where the log does not cover two complete months.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> found = recent_change(log, as_of="2024-02-29", months=6)
    >>> found.months, found.total, found.relative
    (1, 35.0, 2.5)
    """
    try:
        fitting = comparable_months(transactions, as_of=as_of, months=months)
    except CannotAnswerError as reason:
        value = "revenue" if profit_of(as_transactions(transactions), margin) is None else "profit"
        why = str(reason)
        return RecentChange(_nothing(value, why), months, None, None, not_measured(why))
    before, after = last_months(as_of, fitting, back=1), last_months(as_of, fitting)
    change = period_change(transactions, before=before, after=after, collapse=collapse, margin=margin)
    sentence = f"{after[0]} to {after[1]} is compared with {before[0]} to {before[1]}"
    if fitting < months:
        sentence += f": {fitting} complete months each instead of {months}, because the log does not reach further back"
    return RecentChange(change, fitting, before, after, f"{sentence}.")


def _named(period: Period) -> str:
    first, last = (fmt.month(day, short=True) for day in period)
    return first if first == last else f"{first} to {last}"


def _nothing(value: str, reason: str) -> PeriodChange:
    """Tables without a row: nothing is compared."""
    return PeriodChange(
        value,
        waterfall=no_rows(["step", "customers", "before", "after", "change"], reason),
        migration=no_rows([INACTIVE], reason),
        factors=no_rows(["factor", "before", "after", "effect", "weights"], reason),
    )
