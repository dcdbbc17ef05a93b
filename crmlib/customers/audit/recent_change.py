"""The last complete months beside as many before them, as far as the log reaches back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import as_day, profit_of
from crmlib.customers.audit.months import comparable_months, last_months
from crmlib.customers.audit.period_change import INACTIVE, Period, PeriodChange, named, period_change
from crmlib.data.sources import as_transactions
from crmlib.errors import CannotAnswerError, not_measured
from crmlib.findings import Estimate
from crmlib.no_rows import no_rows


@dataclass(frozen=True)
class RecentChange:
    """The last complete months beside as many before them; nothing where the log does not cover two periods.

    `change`: its tables are empty where the log does not cover two periods. `months`: length of each period; where
    there are none, the length asked for. `before`, `after`: first and last day of each period. `sentence`: what is
    compared, and if it is less than was asked for, why.
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
        return {name: named(span) if span else name for name, span in spans.items()}

    @property
    def total(self) -> float:
        """Value of the later period; nan where there is no earlier period."""
        return float(self._totals.iloc[-1]) if len(self._totals) else np.nan

    @property
    def relative(self) -> Estimate:
        """Relative change of the value; not known where there was none before."""
        start = float(self._totals.iloc[0]) if len(self._totals) else np.nan
        if not start > 0:
            return Estimate(None, "change")
        change, reach = self.change.change / start, self.change.reach / start
        return Estimate(change, "change", change - reach, change + reach)

    @property
    def _totals(self) -> pd.Series:
        return self.change.waterfall["change"]


def recent_change(
    transactions: Any,
    *,
    as_of: Any,
    months: int,
    collapse: str = "D",
    margin: float | None = None,
    new_from: Any = None,
) -> RecentChange:
    """What changed from the months before to the last complete months, as far as the log reaches back?

    Parameters
    ----------
    transactions, as_of, collapse
        As in `rfm_summary`.
    months : int
        Complete months in each of the two periods; where the log is too short for so many, as many as fit.
    margin : float, optional
        Contribution margin as a share of revenue; with it, or where the log has `cost`, contribution is compared.
    new_from : date or str, optional
        The study's `new_customers_known_from`: if the later period begins before it, the
        sentence says that not all who count as new in it are.

    Returns
    -------
    RecentChange
        Its tables have no rows, and `.sentence` is the reason, where the log does not cover two complete months.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Ross, M. (2022), The Customer-Base Audit, lens 2.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> found = recent_change(log, as_of="2024-02-29", months=6)
    >>> found.months, found.total, found.relative.value
    (1, 35.0, 2.5)
    """
    try:
        fitting = comparable_months(transactions, as_of=as_of, months=months)
    except CannotAnswerError as reason:
        value = "revenue" if profit_of(as_transactions(transactions), margin) is None else "contribution"
        why = str(reason)
        return RecentChange(_nothing(value, why), months, None, None, not_measured(why))
    before, after = (last_months(fitting, as_of=as_of, back=back) for back in (1, 0))
    change = period_change(transactions, before, after, collapse=collapse, margin=margin, new_from=new_from)
    sentence = "{} to {} is compared with {} to {}".format(*(fmt.date(day) for day in (*after, *before)))
    if fitting < months:
        sentence += f": {fitting} complete months each instead of {months}, because the log does not reach further back"
    if new_from is not None and after[0] < as_day(new_from, "new_from"):
        sentence += f". Customers first seen before {fmt.date(new_from)} may be older, but count as new"
    return RecentChange(change, fitting, before, after, f"{sentence}.")


def _nothing(value: str, reason: str) -> PeriodChange:
    """Tables without a row: nothing is compared."""
    return PeriodChange(
        value,
        waterfall=no_rows("step customers before after change unit", reason),
        migration=no_rows([INACTIVE], reason),
        factors=no_rows("factor before after effect weights unit", reason),
    )
