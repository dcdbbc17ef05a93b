"""Does a log start with the firm, or later, so that old customers look new?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.policy_counts import stray_days
from crmlib.data.sources import as_transactions
from crmlib.findings import FAIL, NOT_JUDGED, PASS
from crmlib.statistics import normal_quantile

# Twelve months of equal length make a year of 365 days, so that the same months of two years can be compared; a
# pattern of five years of them fits into one number per customer.
YEAR_DAYS, YEAR_MONTHS, MOST_MONTHS = 365, 12, 60
# A customer comes back who buys in one of the four months after: long enough for slow buyers, and short enough to
# be seen of enough customers in a log of little more than a year.
BACK_MONTHS = 4
# In fewer months, or with fewer new customers to compare with, nothing can be compared.
FEWEST_MONTHS, FEWEST_NEW = 8, 20
# Cut is a log whose first month has more first purchases (with 95 % confidence) than the same month of the next
# year, of customers of whom so many come back as old ones do. In a log shorter than that the season may be the cause
# of both, and more is asked for. By simulation, tests/benchmarks/bench_log_start.py.
MORE_THAN_NEXT_YEAR, LIKE_OLD = 1.1, 0.15
MORE_THAN_LATER, LIKE_OLD_WITHIN_A_YEAR = 1.3, 0.3
# A month counts as one of new customers where at most one in five of them is likely to be older.
MOST_OLD_SHARE = 0.2

Stated = Literal["with_firm", "cut"]


@dataclass(frozen=True)
class LogStart:
    """Whether a log starts with the firm.

    `status`: "pass" if it does, "fail" if it was cut, "not judged" where that cannot be judged. `found`: what was
    found, in words. `new_customers_known_from`: in a log that was cut: the day from which a first purchase is taken for
    that of a new customer. Else None: every first purchase is.
    """

    status: str
    found: str
    new_customers_known_from: dt.date | None = None

    @property
    def sentence(self) -> str:
        """What a first purchase in the log means."""
        if self.new_customers_known_from is None:
            unsure = self.status == NOT_JUDGED
            doubt = " Whether the log starts with the firm cannot be judged." if unsure else ""
            return f"All first purchases are assumed to be by new customers.{doubt}"
        return (
            "The log does not start with the firm: customers first seen before "
            f"{self.new_customers_known_from} may be older. How many of them were new is not known; new customers are "
            "counted from that day on."
        )


def log_start(transactions: Any, *, as_of: dt.date | str, log_starts: Stated | None = None) -> LogStart:
    """Judge whether a log starts with the firm, or later.

    `transactions`: a cleaned log, as `study.transactions`; rows after `as_of` are not used. `as_of`: last day that
    counts. `log_starts`: what the study says: it overrules what is found.

    In a log that was cut, old customers are first seen when they come back. So the first month has more first
    purchases than the same month a year later (in a log of less than 13 months: than a month of its second half), and
    these customers come back more often than new ones do. How new and old customers come back is seen in the later
    part of the log: its first purchases are nearly all of new customers, and the others of old ones. Both signs are
    asked for, since a firm that opens with a rush of customers, or wins fewer each year, shows the first one too; where
    they disagree the start cannot be judged. A log whose firm doubles each year hides the first sign, and can pass.

    From which month on most first purchases are those of new customers is seen in the log itself: forget its first
    half, and count month by month how many of those who are then first seen are in the half that was forgotten.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a"], "date": pd.to_datetime(["2024-01-05"]), "amount": [5.0]})
    >>> log_start(log, as_of="2024-03-31").found
    'cannot be judged: 2 whole months, and 8 are needed'
    >>> print(log_start(log, as_of="2024-03-31", log_starts="with_firm").sentence)
    All first purchases are assumed to be by new customers.
    """
    if log_starts == "with_firm":
        return LogStart(PASS, "the study says that the log starts with the firm")
    last_day = dt.date.fromisoformat(str(as_of)[:10])
    rows = as_transactions(transactions)
    over = ibis.literal(dt.datetime.combine(last_day + dt.timedelta(days=1), dt.time()))
    bought = rows.is_purchase & (rows.date < over) & (rows.reversed_on.isnull() | (rows.reversed_on >= over))
    seen = rows.filter(bought).select("customer_id", day=rows.date.date())
    counted = seen.group_by("day").agg(purchases=_.count()).order_by("day")
    daily = counted.to_pandas().set_index("day")["purchases"]
    if daily.empty:
        return LogStart(NOT_JUDGED, "cannot be judged: there is no purchase")
    daily.index = pd.to_datetime(daily.index)
    begins = daily.index[stray_days(daily)].date()
    active, customers = _patterns(seen, begins, last_day)
    status, found = (FAIL, "the study says the log was cut") if log_starts else _judged(active, customers)
    if status != FAIL:
        return LogStart(status, found)
    unknown_days = -(-_unknown_months(active, customers) * YEAR_DAYS // YEAR_MONTHS)
    return LogStart(status, found, begins + dt.timedelta(days=unknown_days))


def _patterns(seen: ibis.Table, begins: dt.date, last_day: dt.date) -> tuple[np.ndarray, np.ndarray]:
    """In which whole months customers bought (patterns × months), and how many customers have each pattern."""
    months = min(((last_day - begins).days + 1) * YEAR_MONTHS // YEAR_DAYS, MOST_MONTHS)
    day = seen.day.delta(ibis.date(begins.isoformat()), unit="day").cast("int64")
    rows = seen.mutate(month=(day * YEAR_MONTHS) // YEAR_DAYS).filter((_.month >= 0) & (_.month < months))
    bit = ibis.literal(1, "int64") << rows.month.cast("int64")
    people = rows.mutate(bit=bit).group_by("customer_id").agg(pattern=_.bit.bit_or())
    counts = people.group_by("pattern").agg(customers=_.count()).order_by("pattern").to_pandas()
    active = (counts["pattern"].to_numpy(dtype="int64")[:, None] >> np.arange(months)) & 1
    return active.astype(bool), counts["customers"].to_numpy(dtype=float)


def _by_month(active: np.ndarray, customers: np.ndarray) -> pd.DataFrame:
    """Per month: `new` customers (first seen in it), `old` ones, and how many of either came back."""
    first, counts = active.argmax(axis=1), []
    for month in range(active.shape[1]):
        back = active[:, month + 1 : month + 1 + BACK_MONTHS].any(axis=1)
        new, old = first == month, active[:, month] & (first < month)
        groups = {"new": new, "new_back": new & back, "old": old, "old_back": old & back}
        counts.append({name: customers[who].sum() for name, who in groups.items()})
    return pd.DataFrame(counts)


def _judged(active: np.ndarray, customers: np.ndarray) -> tuple[str, str]:
    """Status and finding."""
    months = active.shape[1]
    if months < FEWEST_MONTHS:
        return NOT_JUDGED, (f"cannot be judged: {months} whole months, and {FEWEST_MONTHS} are needed")
    table = _by_month(active, customers)
    first, later = table.iloc[0], table[(months - BACK_MONTHS) // 2 : months - BACK_MONTHS].sum()
    if later["new"] < FEWEST_NEW:
        return NOT_JUDGED, (
            f"cannot be judged: {fmt.plural(int(later['new']), 'customer')} first seen in later months, and "
            f"{FEWEST_NEW} are needed to see how new customers come back"
        )
    a_year = months > YEAR_MONTHS
    reference = table["new"][YEAR_MONTHS : YEAR_MONTHS + 1] if a_year else table["new"][months // 2 :]
    more, surely_more = _times_as_many(first["new"], reference)
    like_old, surely_like_old = _like_old(first, later)
    bar, share = (MORE_THAN_NEXT_YEAR, LIKE_OLD) if a_year else (MORE_THAN_LATER, LIKE_OLD_WITHIN_A_YEAR)
    than = "the same month a year later" if a_year else "a later month"
    found = f"the first month has {fmt.number(more)} times the first purchases of {than}"
    part = f"about {fmt.share(min(like_old, 1.0))} of these customers come back as old customers do"
    if surely_more > bar:
        if like_old > share:
            return FAIL, f"the log seems to start later than the firm: {found}, and {part}"
        return NOT_JUDGED, f"cannot be judged: {found}, but these customers come back as new ones do"
    if surely_like_old > LIKE_OLD:
        return NOT_JUDGED, f"cannot be judged: {found}, which is not much more, but {part}"
    return PASS, f"{found}, and nothing shows that these customers are older"


def _times_as_many(first: float, others: pd.Series) -> tuple[float, float]:
    """The ratio of the first month to the mean of others, and the lower end of its 95 % interval."""
    total, of_months = others.sum() + 0.5, len(others)
    ratio = (first + 0.5) * of_months / total
    return ratio, ratio * float(np.exp(-normal_quantile(0.95) * np.sqrt(1 / (first + 0.5) + 1 / total)))


def _like_old(first: pd.Series, later: pd.Series) -> tuple[float, float]:
    """Where the first month's customers stand by how they come back, and the lower end of its 95 % interval.

    0 is as new customers do, 1 as old ones; not known where old customers come back no more than new ones.
    """
    everybody = np.array([first["new"], later["new"], later["old"]]) + 1.0
    back = (np.array([first["new_back"], later["new_back"], later["old_back"]]) + 0.5) / everybody
    rates = -np.log1p(-back)  # of coming back, from the share that did
    errors = np.sqrt(back / (1 - back) / everybody)
    if not rates[2] > rates[1]:
        return float("nan"), float("nan")
    place = float((rates[0] - rates[1]) / (rates[2] - rates[1]))
    within = float(np.clip(place, 0, 1))
    error = np.hypot(errors[0], np.hypot((1 - within) * errors[1], within * errors[2]))
    return place, place - normal_quantile(0.95) * float(error / (rates[2] - rates[1]))


def _unknown_months(active: np.ndarray, customers: np.ndarray) -> int:
    """How many months after a cut pass until most who are first seen are new; at most as the log can show."""
    forgotten = active.shape[1] // 2
    was_there, after = active[:, :forgotten].any(axis=1), active[:, forgotten:]
    if not after.shape[1]:
        return 1
    first = np.where(after.any(axis=1), after.argmax(axis=1), -1)
    for month in range(1, after.shape[1]):
        seen = first == month
        if customers[seen & was_there].sum() <= MOST_OLD_SHARE * customers[seen].sum():
            return month
    return after.shape[1]
