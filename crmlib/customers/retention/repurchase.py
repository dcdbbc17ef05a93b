"""Who buys again: retention measures for customers without a contract.

"Retention" needs a definition. A purchase log shows nobody leave; it shows who bought again, and within which time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.arguments import check_range
from crmlib.customers._log import as_day, dated_rows, fetch
from crmlib.customers.sentences import rate_compared
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import with_finding
from crmlib.statistics import normal_quantile, wilson_interval

_MOST_PERIODS = 12


def repurchase_rate(
    transactions: Any, *, as_of: Any, days: int, margin: float | None = None, collapse: str = "D"
) -> pd.Series:
    """Of those who bought in one period, which share bought in the next, and how many came back later?

    What stands for "retention" where customers have no contract. It understates how many are still customers: one who
    skips a period is not gone.

    Parameters
    ----------
    transactions, margin
        As in `rfm_summary`; `margin` as in `cohort_comparison`.
    as_of : date or str
        Last day of the later period.
    days : int
        Length of each period.
    collapse : {"D", "W", "M", "Q", "Y"}

    Returns
    -------
    Series
        `buyers` (in the earlier period), `bought_again` (of them, in the later one), `rate`, `low, high` (95 %,
        Wilson); `value_per_buyer` in the later period (profit where it is known, else revenue) and its standard error
        `value_error`; and where the log has a third period before: `skipped` (bought in the first, not in the
        second), `came_back` (of them, in the third), which a retention rate takes for lost, and `came_back_rate`.
        Where the log reaches back far enough: `change` of the rate against the year before and its 95 % interval
        `change_low, change_high`, among new and among older customers as they are mixed now: those who stay are no
        average, so a base without new customers seems to improve by itself.

    Raises
    ------
    CannotAnswerError
        If nobody bought in one of the two periods.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-01-09"])})
    >>> repurchase_rate(log, as_of="2024-02-29", days=30)[["buyers", "bought_again", "rate"]].tolist()
    [2.0, 1.0, 0.5]
    """
    last = _checked(as_of, days)
    counts = _buyers(dated_rows(transactions, last, collapse=collapse, margin=margin), last, days)
    if not (counts["buyers"] > 0 and counts["now"] > 0):
        raise CannotAnswerError(
            f"{fmt.count(counts['buyers'])} customers bought in the {days} days before the last {days} to {last}, and "
            f"{fmt.count(counts['now'])} in these; a repurchase rate needs buyers in both: choose other lengths"
        )
    sizes = pd.DataFrame([counts[["buyers", "bought_again"]]])
    rates = with_interval(sizes, sizes["bought_again"], sizes["buyers"]).iloc[0]
    rates = rates.rename({"retention": "rate"})
    rates["value_per_buyer"] = counts["value_per_buyer"]
    rates["value_error"] = counts["spread"] / np.sqrt(counts["now"])
    for name in ("skipped", "came_back"):
        rates[name] = counts[name] if counts["covered"] >= 3 * days else np.nan
    rates["came_back_rate"] = rates["came_back"] / rates["skipped"] if rates["skipped"] else np.nan
    year = max(round(365 / days), 1) * days
    rows = dated_rows(transactions, last, collapse=collapse)
    # Of a whole period before the earlier buyers', to know the new ones.
    enough = counts["covered"] >= year + 3 * days
    low, high = _against(rows, last, year, days) if enough else (np.nan, np.nan)
    rates["change"], rates["change_low"], rates["change_high"] = (low + high) / 2, low, high
    return with_finding(rates.astype(float).rename(None), rate_compared)


def _against(rows: ibis.Table, last: dt.date, year: int, days: int) -> tuple[float, float]:
    """How far the rate is from that of a year before, among new and among older customers, as they are mixed now."""
    now, then = (_of_kind(rows, day, days) for day in (last, last - dt.timedelta(days=year)))
    both = now.join(then, rsuffix="_then", how="inner")
    weight = both["buyers"] / both["buyers"].sum()
    rate, before = both["again"] / both["buyers"], both["again_then"] / both["buyers_then"]
    change = float((weight * (rate - before)).sum())
    noise = rate * (1 - rate) / both["buyers"] + before * (1 - before) / both["buyers_then"]
    reach = normal_quantile(0.95) * float(np.sqrt((weight**2 * noise).sum()))
    return (change - reach, change + reach) if len(both) else (np.nan, np.nan)


def _of_kind(rows: ibis.Table, last: dt.date, days: int) -> pd.DataFrame:
    """Buyers of the period before the last up to a day, and those who bought again, by whether they were new then."""
    rows = _with_age(rows, last, days).filter((_.since >= 0) & _.counted)
    people = rows.group_by("customer_id").agg(
        p0=(_.ago == 0).any(), p1=(_.ago == 1).any(), new=_.ago.max() == 1
    )
    found = people.filter(_.p1).group_by("new").agg(buyers=_.count(), again=_.p0.sum())
    return fetch(found).set_index("new").astype(float)


def buying_streaks(transactions: Any, *, as_of: Any, days: int, collapse: str = "D") -> pd.Series:
    """How many customers bought in every one of the periods since the first of them?

    The survivors of a cohort by period, 0 the earliest, as `ShiftedBetaGeoModel` takes them, for customers without a
    contract: a customer who skips a period has ended the streak, though not for good. Periods are counted back from
    `as_of`, as far as the log covers whole ones, at most 12.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-01-09"])})
    >>> buying_streaks(log, as_of="2024-02-29", days=30).tolist()
    [2, 1]
    """
    last = _checked(as_of, days)
    rows = _with_age(dated_rows(transactions, last, collapse=collapse), last, days).filter(_.counted)
    covered = rows.since.max().to_pyarrow().as_py()
    covered = 0 if covered is None else covered + 1
    periods = min(covered // days, _MOST_PERIODS)
    if periods < 2:
        raise CannotAnswerError(
            f"the log covers {covered} days up to {last}; a streak needs two periods of {days}: choose a shorter one"
        )
    rows = rows.mutate(period=periods - 1 - _.ago).filter(_.period >= 0)
    bought = rows.select("customer_id", "period").distinct()
    number = ibis.row_number().over(group_by=bought.customer_id, order_by=bought.period)
    # In an unbroken streak from the first period on, the nth period with a purchase is period n.
    unbroken = bought.mutate(number=number).filter(_.number == _.period)
    counts = fetch(unbroken.group_by("period").agg(n=_.count()))
    found = counts.set_index("period")["n"].reindex(range(periods), fill_value=0)
    return found.rename("survivors").astype("int64")


def _checked(as_of: Any, days: int) -> dt.date:
    check_range("days", days, "the length of a period in days, 1 or more", least=1)
    return as_day(as_of, "as_of")


def _with_age(rows: ibis.Table, last: dt.date, days: int) -> ibis.Table:
    """How many days, `since`, and whole periods, `ago`, each row lies before a day."""
    rows = rows.mutate(last=ibis.literal(last)).mutate(since=_.last.delta(_.date.date(), unit="day"))
    return rows.mutate(ago=(_.since / days).floor().cast("int64"))


def _buyers(rows: ibis.Table, last: dt.date, days: int) -> pd.Series:
    """Customers by which of the three periods up to a day they bought in, and their value in the last."""
    value = "profit" if "profit" in rows.columns else "revenue"
    rows = _with_age(rows, last, days).mutate(value=_[value])
    bought = {f"p{ago}": ((_.ago == ago) & _.counted).any() for ago in range(3)}
    people = rows.group_by("customer_id").agg(
        **bought, value=_.value.sum(where=_.ago == 0).fill_null(0.0), since=_.since.max()
    )
    counts = people.agg(
        buyers=_.p1.sum(),
        bought_again=(_.p1 & _.p0).sum(),
        now=_.p0.sum(),
        skipped=(_.p2 & ~_.p1).sum(),
        came_back=(_.p2 & ~_.p1 & _.p0).sum(),
        value_per_buyer=_.value.mean(where=_.p0),
        spread=_.value.std(where=_.p0),
        covered=_.since.max() + 1,
    )
    buyers = fetch(counts).iloc[0].astype(float)
    return buyers.fillna({"buyers": 0.0, "bought_again": 0.0, "now": 0.0})


def with_interval(table: pd.DataFrame, kept: pd.Series, of: pd.Series) -> pd.DataFrame:
    """Add `retention` and its 95 % interval (Wilson 1927)."""
    low, high = wilson_interval(kept, of)
    return table.assign(retention=kept / of.where(of > 0), low=low, high=high)


def retention_by_age(
    transactions: Any,
    *,
    as_of: Any,
    days: Sequence[int] = (7, 30, 90, 180, 365),
    collapse: str = "D",
    new_from: Any = None,
) -> pd.DataFrame:
    """Which share of customers bought again at an age, by three definitions side by side?

    Parameters
    ----------
    as_of, collapse
        As in `rfm_summary`.
    transactions : ibis.Table or DataFrame
        Cleaned purchase log, or any log of use with `customer_id, date, amount`.
    days : sequence of int
        Ages in days after the first purchase, ascending.
    new_from : date or str, optional
        The study's `new_customers_known_from`: who was first seen before it may be older, and is not counted.

    Returns
    -------
    DataFrame
        One row per definition and age: `definition`, `from_day, to_day`, `meaning`; `customers` (first bought early
        enough to have lived through it), `retained`, `retention`, `low, high` (95 %, Wilson).

        N-day: bought on that very day. Bracket: bought within the days since the age before. Rolling: bought
        on that day or any later one, to which `to_day` is nan; it still grows as time passes.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": 1.0,
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-01"])})
    >>> by_age = retention_by_age(log, as_of="2024-02-29", days=[7, 30])
    >>> by_age[["definition", "from_day", "to_day", "customers", "retained"]]
      definition  from_day  to_day  customers  retained
    0      N-day         7     7.0          2         1
    1      N-day        30    30.0          2         0
    2    bracket         1     7.0          2         1
    3    bracket         8    30.0          2         0
    4    rolling         7     NaN          2         1
    5    rolling        30     NaN          2         0
    """
    ages = [int(age) for age in days]
    if not ages or ages[0] < 1 or sorted(set(ages)) != ages:
        raise CrmError(f"days is {list(days)!r}; give ages in days, 1 or more, ascending")
    last = as_day(as_of, "as_of")
    spans: list[tuple[str, int, int | None]] = [("N-day", age, age) for age in ages]
    spans += [("bracket", before + 1, age) for before, age in zip([0, *ages[:-1]], ages, strict=True)]
    spans += [("rolling", age, None) for age in ages]
    counts = _came_back(transactions, last, spans, collapse, new_from)
    meaning = {
        "N-day": "bought on day {0}",
        "bracket": "bought from day {0} to day {1}",
        "rolling": "bought on day {0} or later",
    }
    table = pd.DataFrame(
        {
            "definition": [name for name, _low, _high in spans],
            "from_day": [low for _name, low, _high in spans],
            "to_day": [np.nan if high is None else float(high) for _name, _low, high in spans],
            "meaning": [meaning[name].format(low, high) for name, low, high in spans],
            "customers": [int(counts[f"customers_{place}"]) for place in range(len(spans))],
            "retained": [int(counts[f"retained_{place}"]) for place in range(len(spans))],
        }
    )
    return with_interval(table, table["retained"], table["customers"])


def _came_back(
    transactions: Any,
    last: dt.date,
    spans: Sequence[tuple[str, int, int | None]],
    collapse: str,
    new_from: Any,
) -> pd.Series:
    """For each span of ages: customers old enough to have lived through it, and those who bought in it."""
    days = dated_rows(transactions, last, collapse=collapse).filter(_.counted)
    born = days.group_by("customer_id").agg(born=_.date.min())
    if new_from is not None:
        born = born.filter(_.born.date() >= ibis.literal(as_day(new_from, "new_from")))
    rows = days.inner_join(born, "customer_id").mutate(last=ibis.literal(last))
    rows = rows.mutate(
        age=_.date.date().delta(_.born.date(), unit="day"), lived=_.last.delta(_.born.date(), unit="day")
    )
    inside = {
        f"in_{place}": ((_.age >= low) & (_.age <= (10**6 if high is None else high))).any()
        for place, (_name, low, high) in enumerate(spans)
    }
    people = rows.group_by("customer_id").agg(lived=_.lived.max(), **inside)
    counts = {}
    for place, (_name, low, high) in enumerate(spans):
        lived = people.lived >= (low if high is None else high)
        counts[f"customers_{place}"] = lived.sum()
        counts[f"retained_{place}"] = (lived & people[f"in_{place}"]).sum()
    return fetch(people.agg(**counts)).iloc[0].fillna(0)
