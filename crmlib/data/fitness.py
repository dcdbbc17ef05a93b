"""Is this log fit for the analyses? Each gate with what was found, what is needed, and the consequence."""

from __future__ import annotations

import datetime as dt
import tomllib
from operator import itemgetter
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.policy_counts import STRAY_GAP_DAYS, stray_days
from crmlib.data.engine import count_of, first_row
from crmlib.data.log_start import LogStart, Stated, log_start
from crmlib.data.sources import as_transactions
from crmlib.errors import CannotAnswerError
from crmlib.findings import FAIL, PASS, WARN

# Klaviyo shows predictions from 500 buyers, 180 days and an order within 30 days on; below the second
# number of each pair the models' parameters are guesswork.
BUYERS = (500, 100)
HISTORY_DAYS = (180, 90)
DAYS_SINCE_LAST = (30, 90)
# Repeat buying is what the models learn from: below one in twenty its rate is hardly known, and the spread
# between customers shows only in those who came three times.
REPEAT_SHARE = 0.05
THRICE_BUYERS = 30
# A pause is suspicious where at least 20 purchases were to be expected (by chance: once in 500 million), and
# it lasts longer than a weekend with holidays.
PAUSE_EXPECTED_PURCHASES = 20.0
PAUSE_DAYS = 5
PAUSE_NEIGHBOUR_DAYS = 28
# A shift is sudden where from one week to the next sales double or halve, and four weeks on either side
# do not overlap; weeks of fewer than 20 purchases jump by chance.
SHIFT_RATIO = 2.0
SHIFT_WEEKS = 4
SHIFT_PURCHASES = 20
# No new customer for two months and a tenth of the history: the log follows one cohort, or was filtered.
CLOSED_DAYS = 60
CLOSED_SHARE = 0.1
# An id that stands for everybody: more purchases than a person makes, a share of the firm's that is felt, and
# far ahead of the second, which the best of real customers is not.
PLACEHOLDER_PURCHASES = 50
PLACEHOLDER_SHARE = 0.01
PLACEHOLDER_RATIO = 5

COLUMNS = ["gate", "found", "threshold", "status", "meaning", "analyses"]
_TEXTS = tomllib.loads(Path(__file__).with_name("gates.toml").read_text(encoding="utf-8"))


def gate(name: str, found: str, status: str, *limits: Any, meaning: str = "meaning") -> dict[str, str]:
    """A row of the table of gates; thresholds and consequences stand in gates.toml."""
    wanted, follows = (_TEXTS[name][key].format(*limits) for key in ("threshold", meaning))
    return dict(zip(COLUMNS, (name, found, wanted, status, follows, _TEXTS[name]["analyses"]), strict=True))


def suspicion(name: str, found: str, *limits: Any) -> dict[str, str]:
    """A gate that warns if something was found, and else passes."""
    return gate(name, found or "none", WARN if found else PASS, *limits)


def fitness_gates(
    transactions: Any, *, as_of: dt.date | str, log_starts: Stated | None = None
) -> pd.DataFrame:
    """Check whether a purchase log can carry the analyses, gate by gate.

    `transactions`: a cleaned log, as `study.all_transactions`; rows after `as_of` are counted as stray, and else not
    used. `as_of`: last day that counts. Who has sent back every purchase in full by then is no buyer, as in
    `rfm_summary`. `log_starts`: where the study says how the log starts: see `log_start`. Returns columns `gate, found,
    threshold, status` ("pass", "warn", "fail" or "not judged"), `meaning` and `analyses` (those that it concerns); one
    row per gate. Raises CannotAnswerError if there is no purchase up to `as_of` that was kept.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "date": pd.to_datetime(["2024-01-05"] * 2 + ["2024-03-01"]),
    ...                     "amount": [5.0, 7.0, 9.0]})
    >>> fitness_gates(log, as_of="2024-03-31")[["gate", "found", "status"]].head(3)
                           gate                 found status
    0                    buyers              2 buyers   fail
    1                   history               57 days   fail
    2  time since last purchase  30 days before `as_of`   pass
    """
    last_day = dt.date.fromisoformat(str(as_of)[:10])
    log = rows = as_transactions(transactions)
    over = ibis.literal(dt.datetime.combine(last_day + dt.timedelta(days=1), dt.time()))
    kept = rows.reversed_on.isnull() | (rows.reversed_on >= over)
    order = rows.order_id if "order_id" in rows.columns else ibis.null("string")
    rows = rows.filter(rows.is_purchase).select("customer_id", day=rows.date.date(), order=order, kept=kept)
    within = rows.filter(rows.day <= ibis.date(last_day.isoformat()))
    customers = _customers(within.filter(within.kept))
    if not customers["buyers"]:
        none = f"there is no purchase up to {last_day} that was kept"
        raise CannotAnswerError(f"transactions: {none}; choose a later as_of")
    seen = within.drop("kept", "order")  # for the calendar, a purchase that was returned later counts too
    days = _days(seen)
    strays = stray_days(days["purchases"])
    later = count_of(rows.filter(rows.day > ibis.date(last_day.isoformat())))
    stray_dates = _stray_dates(days["purchases"][:strays], later, last_day)
    days = days[strays:]
    span = pd.date_range(days.index[0], pd.Timestamp(last_day))
    last_new, buyers = days.index[days["new"] > 0][-1], customers["buyers"]
    length, since = (days.index[-1] - days.index[0]).days + 1, (pd.Timestamp(last_day) - days.index[-1]).days
    lately = graded(since, DAYS_SINCE_LAST)
    gates = [
        gate("buyers", f"{buyers:,} buyers", graded(buyers, BUYERS), BUYERS[0]),
        gate("history", f"{length:,} days", graded(length, HISTORY_DAYS), HISTORY_DAYS[0]),
        gate("time since last purchase", f"{since:,} days before `as_of`", lately, DAYS_SINCE_LAST[0]),
        _repeat_buyers(customers),
        _pauses(days["purchases"].reindex(span[span <= days.index[-1]], fill_value=0)),
        _level_shifts((days["purchases"] - days["new"]).reindex(span, fill_value=0)),
        _closed_cohort(last_new, days.index[0], last_day),
        _log_start(log_start(log, as_of=last_day, log_starts=log_starts)),
        stray_dates,
        _placeholder(within),
    ]
    return pd.DataFrame(gates, columns=COLUMNS)


def _customers(seen: ibis.Table) -> dict[str, int]:
    times = seen.group_by("customer_id").agg(days=_.day.nunique())
    counts = times.agg(buyers=times.count(), twice=(times.days >= 2).sum(), thrice=(times.days >= 3).sum())
    return {key: int(value or 0) for key, value in first_row(counts).items()}


def _days(seen: ibis.Table) -> pd.DataFrame:
    """Customers who bought on each day, and those of them who did for the first time."""
    first = seen.group_by("customer_id").agg(day=_.day.min()).group_by("day").agg(new=_.count())
    daily = seen.distinct().group_by("day").agg(purchases=_.count())
    frame = daily.left_join(first, "day").select("day", "purchases", "new").order_by("day").to_pandas()
    frame["day"] = pd.to_datetime(frame["day"])
    return frame.set_index("day").fillna(0).astype("int64")


def graded(value: float, limits: tuple[float, float]) -> str:
    """Pass up to the first limit, warn up to the second; more is better where the first is the larger one."""
    good, bearable = limits
    sign = 1 if good > bearable else -1
    return PASS if sign * value >= sign * good else WARN if sign * value >= sign * bearable else FAIL


def _repeat_buyers(customers: dict[str, int]) -> dict[str, str]:
    share = customers["twice"] / customers["buyers"]
    enough = share >= REPEAT_SHARE and customers["thrice"] >= THRICE_BUYERS
    found = f"{fmt.share(share)} bought again, {customers['thrice']:,} on three days or more"
    status = PASS if enough else WARN if customers["twice"] else FAIL
    return gate("repeat buyers", found, status, fmt.share(REPEAT_SHARE), THRICE_BUYERS)


def _pauses(daily: pd.Series) -> dict[str, str]:
    """Long gaps without a purchase where, by the days around them, many were expected."""
    groups = (daily > 0).cumsum()[daily == 0]
    found = []
    for _group, pause in groups.groupby(groups):
        begins = pause.index[0] - pd.Timedelta(PAUSE_NEIGHBOUR_DAYS, "D")
        around = daily[begins : pause.index[-1]][: -len(pause)]
        after = daily[pause.index[-1] :][1 : PAUSE_NEIGHBOUR_DAYS + 1]
        expected = float(min(around.mean(), after.mean())) * len(pause) if len(around) and len(after) else 0.0
        if len(pause) >= PAUSE_DAYS and expected >= PAUSE_EXPECTED_PURCHASES:
            found.append((pause.index[0].date(), len(pause), expected))
    start, length, expected = max(found, key=itemgetter(1), default=(None, 0, 0.0))
    text = f"{len(found)}, the longest {length} days from {start} ({fmt.count(expected)} purchases to be expected)"
    return suspicion("gaps in the calendar", text if found else "", PAUSE_DAYS, PAUSE_EXPECTED_PURCHASES)


def _level_shifts(daily_repeats: pd.Series) -> dict[str, str]:
    """Weeks in which purchases of known customers doubled or halved at once, and stayed so."""
    weekly = daily_repeats.resample("7D").sum().to_numpy(dtype=float)
    full_weeks = weekly[: len(daily_repeats) // 7]
    found = []
    for week in range(SHIFT_WEEKS, len(full_weeks) - SHIFT_WEEKS + 1):
        before, after = full_weeks[week - SHIFT_WEEKS : week], full_weeks[week : week + SHIFT_WEEKS]
        low, high = sorted((before, after), key=np.median)
        jump = max(before[-1], after[0]) / max(min(before[-1], after[0]), 1.0)
        if low.max() < high.min() and jump >= SHIFT_RATIO and np.median(high) >= SHIFT_PURCHASES:
            ratio = np.median(after) / max(np.median(before), 1.0)
            if ratio >= SHIFT_RATIO or ratio <= 1 / SHIFT_RATIO:
                found.append((daily_repeats.index[0].date() + dt.timedelta(weeks=week), ratio))
    start, ratio = max(found, key=lambda shift: abs(np.log(max(shift[1], 1e-9))), default=(None, 1.0))
    text = f"repeat purchases ×{ratio:.2f} from {start} on" if found else ""
    return suspicion("sudden level shifts", text, SHIFT_RATIO)


def _closed_cohort(last_new: pd.Timestamp, first: pd.Timestamp, last_day: dt.date) -> dict[str, str]:
    since = (pd.Timestamp(last_day) - last_new).days
    if since >= max(CLOSED_DAYS, CLOSED_SHARE * (pd.Timestamp(last_day) - first).days):
        found = f"nobody new after {last_new.date()}, so a fall may come from age alone"
        return gate("closed cohort", found, WARN, CLOSED_DAYS)
    return gate("closed cohort", f"newest customer on {last_new.date()}", PASS, CLOSED_DAYS, meaning="fine")


def _log_start(start: LogStart) -> dict[str, str]:
    meaning = {PASS: "fine", FAIL: "meaning"}.get(start.status, "unjudged")
    known_from = start.new_customers_known_from
    return gate("start of the log", start.found, start.status, known_from, meaning=meaning)


def _stray_dates(early: pd.Series, later: int, last_day: dt.date) -> dict[str, str]:
    parts = []
    if len(early):
        parts.append(f"{early.sum():,} purchases from {early.index[0].date()} on, long before the others")
    if later:
        parts.append(f"{later:,} purchases after {last_day}")
    return suspicion("stray dates", "; ".join(parts), STRAY_GAP_DAYS)


def _placeholder(purchases: ibis.Table) -> dict[str, str]:
    limits = PLACEHOLDER_PURCHASES, fmt.share(PLACEHOLDER_SHARE), PLACEHOLDER_RATIO
    who, found = id_of_many(purchases)
    return suspicion("one id for many", f"customer {who!r} has {found}" if found else "", *limits)


def id_of_many(purchases: ibis.Table) -> tuple[str, str]:
    """An id with far more purchases than any other (orders where the log has them, else rows), and how many; or ""."""
    several = _.order.nunique() + _.order.isnull().sum()  # a row without an order is one
    counts = purchases.group_by("customer_id").agg(purchases=several).mutate(total=_.purchases.sum().over())
    ranked = counts.order_by(_.purchases.desc(), "customer_id").limit(2).to_pyarrow().to_pylist()
    first, second = [*ranked, *[{"purchases": 0, "total": 1}] * 2][:2]
    share, least = first["purchases"] / first["total"], PLACEHOLDER_RATIO * second["purchases"]
    if share < PLACEHOLDER_SHARE or first["purchases"] < max(PLACEHOLDER_PURCHASES, least):
        return "", ""
    found = f"{first['purchases']:,} purchases, {fmt.share(share)} of all; the next one has {second['purchases']:,}"
    return str(first["customer_id"]), found
