"""Which share of new customers makes a second purchase, within a time that all of them have lived?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import as_day, floor, purchase_days
from crmlib.customers.audit.cohorts import marked, period_of, with_birth
from crmlib.customers.audit.sentences import repeat_rates
from crmlib.findings import Estimate, with_finding
from crmlib.no_rows import ResultFrame
from crmlib.statistics import wilson_interval


class RepeatRates(ResultFrame):
    """What `repeat_rate` returns: cohorts of new customers who are old enough, and how many came back."""

    def of_a_year(self, back: int = 0) -> Estimate:
        """The share of the newest twelve months of cohorts that are old enough, or of so many years before them.

        Not known where there are no new customers in them, or the cohorts do not reach back over all of the year.

        Examples
        --------
        >>> days = pd.to_datetime(["2024-01-01", "2024-01-15", "2024-02-01", "2024-03-01"])
        >>> log = pd.DataFrame({"customer_id": ["a", "a", "b", "c"], "amount": 10.0, "date": days})
        >>> found = repeat_rate(log, as_of="2024-07-31").of_a_year()
        >>> str(found), found.base
        ('33 % (6.1 % to 79 %)', '3 new customers of Jan 2024 to Mar 2024')
        """
        cohorts = self.loc[self["is_new"].astype(bool)]
        if cohorts.empty:
            return Estimate(None, "share")
        ends = [cohorts["cohort"].max() - pd.DateOffset(years=years) for years in range(back + 2)]
        years = [
            cohorts[(cohorts["cohort"] > start) & (cohorts["cohort"] <= end)] for end, start in pairwise(ends)
        ]
        chosen = years[-1]
        if len(chosen) < len(years[0]):
            return Estimate(None, "share")
        came_back, people = int(chosen["came_back"].sum()), int(chosen["customers"].sum())
        low, high = (float(end) for end in wilson_interval(came_back, people))
        months = dict.fromkeys(
            fmt.month(start, short=True) for start in (chosen["cohort"].min(), chosen["cohort"].max())
        )
        window = " to ".join(months)
        base = f"{fmt.plural(people, 'new customer')} of {window}"
        return Estimate(came_back / people, "share", low, high, base=base, window=window)


def repeat_rate(
    transactions: Any,
    *,
    as_of: Any,
    within_days: int = 90,
    period: str = "M",
    collapse: str = "D",
    new_from: Any = None,
) -> RepeatRates:
    """Which share of each vintage of customers comes back within a time that all of them have lived?

    Parameters
    ----------
    transactions, as_of, period, collapse, new_from
        As in `cohort_comparison`.
    within_days : int
        The second purchase counts if it comes within so many days of the first.

    Returns
    -------
    RepeatRates
        One row per `cohort` whose youngest customer has lived `within_days` by `as_of`: `customers`,
        `came_back`, `repeat_rate` and its 95 % interval `low, high` (Wilson 1927); `is_new` as in
        `cohort_comparison`. The share of a year of cohorts together is `.of_a_year()`.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-15", "2024-01-29"])})
    >>> repeat_rate(log, as_of="2024-03-31", within_days=30)[["customers", "came_back", "repeat_rate"]]
       customers  came_back  repeat_rate
    0          2          1          0.5
    """
    day, unit = as_day(as_of, "as_of"), period_of(period)
    days = with_birth(purchase_days(transactions, day, collapse=collapse))
    gap = days.date.delta(days.born, unit="day")
    again = (gap > 0) & (gap <= within_days) & (days.purchase == 1)
    people = days.group_by("customer_id", "born").agg(came_back=again.any())
    vintages = people.group_by(cohort=floor(people.born, unit)).agg(
        customers=_.count(), came_back=_.came_back.sum(), youngest=_.born.max()
    )
    table = vintages.order_by("cohort").to_pandas()
    lived = pd.Timestamp(day) - pd.to_datetime(table.pop("youngest")) >= pd.Timedelta(within_days, "D")
    table = table[lived].reset_index(drop=True).astype({"cohort": "datetime64[s]"})
    low, high = wilson_interval(table["came_back"], table["customers"])
    rates = table.assign(repeat_rate=table["came_back"] / table["customers"], low=low, high=high)
    return with_finding(RepeatRates(marked(rates, new_from)), repeat_rates, within_days, period)
