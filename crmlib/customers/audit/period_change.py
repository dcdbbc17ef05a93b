"""Lens 2: what changed between two periods, and in the last months?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import as_day
from crmlib.customers.activity import acquired_by, customer_totals, profit_of, span
from crmlib.customers.audit.decompose import decompose_change
from crmlib.customers.audit.months import comparable_months, first_purchase_day, last_months
from crmlib.customers.audit.sentences import change_by_factors, change_by_steps, moves_of_tenths
from crmlib.data.sources import as_transactions
from crmlib.errors import CannotAnswerError, CrmError, not_measured
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.rankings import parts_of_equal_size

# Steps of the waterfall from one period's value to the next one's, in the order in which they are drawn.
GROUPS = ("lapsed", "bought less", "bought the same", "bought more", "came back", "new")
INACTIVE = "not active"
Period = tuple[dt.date, dt.date]


@dataclass(frozen=True)
class PeriodChange:
    """Two periods of a customer base side by side.

    Attributes
    ----------
    value : str
        What is compared: "profit" where it is known, else "revenue".
    waterfall : DataFrame
        `step` ("before", six groups of customers, "after"), `customers`, `before`, `after` and `change` (money);
        the groups' changes add up from "before" to "after". "came back" bought before the first period and
        not in it.
    migration : DataFrame
        Customers by decile of value before (rows) and after (columns), 1 the best, and "not active".
    factors : DataFrame
        `factor, before, after, effect, weights`: acquired customers, share active, purchases per active
        customer, spend per purchase and, for profit, margin; the effects add up to the change.
    """

    value: str
    waterfall: pd.DataFrame
    migration: pd.DataFrame
    factors: pd.DataFrame

    @property
    def change(self) -> float:
        """Change of the value from the first period to the second."""
        return float(self.factors["effect"].sum())


def period_change(
    transactions: Any,
    *,
    before: tuple[Any, Any],
    after: tuple[Any, Any],
    collapse: str = "D",
    margin: float | None = None,
    log_begins: Any = None,
) -> PeriodChange:
    """What changed between two periods, which customers changed it, and which factor it came from?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    before, after : pair of date or str
        First and last day of each period, both within it; the first period ends before the second starts,
        and the log begins on its first day at the latest.
    collapse : {"D", "H", "W", "M", "Q", "Y"}
        Purchases of one customer within one such period are one purchase.
    margin : float, optional
        Contribution margin as a share of revenue; with it, or where the log has `cost`, profit is compared.
    log_begins : date or str, optional
        Since when the log is complete, where that is before its first purchase: of a market that opened
        later, the day on which the whole log begins.

    Returns
    -------
    PeriodChange

    Raises
    ------
    CannotAnswerError
        If the log begins after the first day of `before`: what it does not hold is unknown, and not zero.
    CrmError
        If the periods overlap, or a parameter is refused.

    References
    ----------
    Fader, P. S., Hardie, B. G. S. and Ross, M. (2022), The Customer-Base Audit, lens 2.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> found = period_change(log, before=("2024-01-01", "2024-01-31"), after=("2024-02-01", "2024-02-29"))
    >>> found.waterfall.loc[found.waterfall["customers"] > 0, ["step", "customers", "change"]]
              step  customers  change
    0       before          1    10.0
    4  bought more          1    20.0
    6          new          1     5.0
    7        after          2    35.0
    """
    first, second = span(*before), span(*after)
    if first[1] >= second[0]:
        raise CrmError(
            f"before ends on {first[1]} and after starts on {second[0]}; the periods must not overlap"
        )
    _assert_covered(transactions, first[0], second[1], log_begins)
    totals = [
        customer_totals(transactions, start=start, end=end, collapse=collapse, margin=margin, outside=True)
        for start, end in (first, second)
    ]
    value = "profit" if "profit" in totals[0].columns else "revenue"
    pairs = _pairs(totals[0], totals[1], value)
    acquired = [acquired_by(transactions, end) for _start, end in (first, second)]
    waterfall, factors = _waterfall(pairs, pd.Timestamp(first[0])), _factors(totals, acquired, value)
    with_finding(waterfall, change_by_steps, value)
    with_finding(factors, change_by_factors, value)
    migration = with_finding(_migration(pairs), moves_of_tenths, value)
    found = PeriodChange(value, waterfall, migration, factors)
    assert np.isclose(found.change, pairs["after"].sum() - pairs["before"].sum()), "factors do not add up"
    return found


def _assert_covered(transactions: Any, start: dt.date, end: dt.date, log_begins: Any) -> None:
    """Refuse a first period of which the log does not hold the beginning."""
    begins = first_purchase_day(transactions, end) if log_begins is None else as_day(log_begins, "log_begins")
    if begins is None or begins > start:
        raise CannotAnswerError(
            f"before starts on {start}, but the first purchase of the log up to {end} is on {begins}; let before start "
            "no earlier (comparable_months says how many months fit), or say log_begins where nobody bought until then"
        )


def _pairs(before: pd.DataFrame, after: pd.DataFrame, value: str) -> pd.DataFrame:
    """Each customer's value in both periods; NaN became 0 and `was`/`is` say who was active."""
    columns = {"customer_id": "customer_id", value: "value", "first_purchase": "first"}
    sides = (one[list(columns)].rename(columns=columns) for one in (before, after))
    pairs = next(sides).merge(next(sides), on="customer_id", how="outer", suffixes=("_before", "_after"))
    return pairs.assign(
        was_active=pairs["value_before"].notna(),
        is_active=pairs["value_after"].notna(),
        before=pairs["value_before"].fillna(0.0),
        after=pairs["value_after"].fillna(0.0),
        first_purchase=pairs[["first_before", "first_after"]].min(axis=1),
    )


def _waterfall(pairs: pd.DataFrame, first_day: pd.Timestamp) -> pd.DataFrame:
    change = (pairs["after"] - pairs["before"]).round(9)
    was, now = pairs["was_active"], pairs["is_active"]
    earlier = pairs["first_purchase"] < first_day
    conditions = [was & ~now, was & (change < 0), was & (change == 0), was, earlier]
    group = np.select(conditions, GROUPS[:5], default=GROUPS[5])
    parts = pairs.assign(customers=1, change=pairs["after"] - pairs["before"])
    columns = ["customers", "before", "after", "change"]
    table = parts.groupby(group)[columns].sum().reindex(list(GROUPS), fill_value=0)
    totals = pairs["before"].sum(), pairs["after"].sum()
    ends = pd.DataFrame(
        {"customers": [was.sum(), now.sum()], "before": totals, "after": totals, "change": totals},
        index=["before", "after"],
    )
    assert table["customers"].sum() == len(pairs), "a customer was lost between groups"
    assert np.isclose(totals[0] + table["change"].sum(), totals[1]), "the waterfall does not add up"
    whole = pd.concat([ends[:1], table, ends[1:]]).rename_axis("step").reset_index()
    return whole.astype({**dict.fromkeys(columns, float), "customers": "int64"})


def _migration(pairs: pd.DataFrame) -> pd.DataFrame:
    names = [*range(1, 11), INACTIVE]
    deciles = {
        side: _decile(pairs[side], pairs[active], pairs["customer_id"])
        for side, active in (("before", "was_active"), ("after", "is_active"))
    }
    table = pd.crosstab(deciles["before"], deciles["after"])
    return table.reindex(index=names, columns=names, fill_value=0)


def _decile(values: pd.Series, active: pd.Series, customer_id: pd.Series) -> pd.Series:
    ranked = pd.DataFrame({"value": values, "customer_id": customer_id})[active]
    ranked = ranked.sort_values(["value", "customer_id"], ascending=[False, True])
    decile = pd.Series(parts_of_equal_size(len(ranked)) + 1, index=ranked.index, dtype=object)
    return decile.reindex(values.index, fill_value=INACTIVE)


def _factors(totals: list[pd.DataFrame], acquired: list[int], value: str) -> pd.DataFrame:
    sides = [_side(customers, base, value) for customers, base in zip(totals, acquired, strict=True)]
    # What nobody did has no mean: it takes the other period's, so that the whole effect is that nobody was active.
    before, after = (
        {name: _or(one[name], other[name]) for name in one} for one, other in (sides, sides[::-1])
    )
    return decompose_change(before, after)


def _side(customers: pd.DataFrame, base: int, value: str) -> dict[str, float]:
    active, purchases, revenue = len(customers), customers["purchases"].sum(), customers["revenue"].sum()
    side = {
        "acquired customers": float(base),
        "share active": active / base if base else np.nan,
        "purchases per active customer": purchases / active if active else np.nan,
        "spend per purchase": revenue / purchases if purchases else np.nan,
    }
    if value == "profit":
        side["margin"] = customers["profit"].sum() / revenue if revenue else np.nan
    return side


def _or(mean: float, others: float) -> float:
    """A mean, or else the other period's, or else nothing."""
    return next((one for one in (mean, others) if np.isfinite(one)), 0.0)


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
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts.
    months : int
        Complete months in each of the two periods; where the log is too short for so many, as many as fit.
    collapse, margin
        As in `period_change`.
    new_from : date or str, optional
        The study's `new_customers_known_from`: if the later period begins before it, the
        sentence says that not all who count as new in it are.

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
    if new_from is not None and after[0] < as_day(new_from, "new_from"):
        sentence += f". Who was first seen before {new_from} may be an older customer, though counted as new"
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
