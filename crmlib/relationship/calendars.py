"""What is due: birthdays, reminders and contract ends; accounts by manager; the current month against its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import as_day, dated, fetch, seen_by
from crmlib.no_rows import no_rows, why_none

if TYPE_CHECKING:
    from crmlib.study import Study

AHEAD_DAYS = 30
_DUE = ["due", "kind", "customer_id", "what"]
_FEWEST_MONTHS = 3  # by which the course of a month is known


def calendar(study: Study, customers: pd.DataFrame) -> pd.DataFrame:
    """What is due within 30 days, the earliest first?

    Parameters
    ----------
    study : Study
    customers : DataFrame
        As of `next_actions`: `customer_id, next_action, left_out`.

    Returns
    -------
    DataFrame
        `due` (a day), `kind` ("birthday": with consent to it, and only where the study keeps birthdays; "contract
        ends"; "promise"; "reminder": actions of the list, now), `customer_id` and `what`. Nobody who is left out by
        chance gets a reminder.
    """
    today = pd.Timestamp(study.as_of)
    last = today + pd.Timedelta(AHEAD_DAYS, "D")
    parts = [_birthdays(study, today)]
    if study.has("touchpoints", "promise_due"):
        promised = study.table("touchpoints").filter(_.promise_due.notnull() & _.promise_kept_on.isnull())
        found = fetch(promised.filter(_.customer_id.notnull()).select("customer_id", due="promise_due"))
        parts.append(found[found["due"] <= last].assign(kind="promise", what="was promised"))
    # For an earlier day: which contracts would end was not known then.
    if study.has("subscriptions") and study.as_of_override is None:
        ends = study.cleaned.rows("subscriptions").filter(_.end.notnull())
        ends = fetch(ends.select("customer_id", due="end"))
        ends = ends[ends["due"].between(today, last)]
        parts.append(ends.assign(kind="contract ends", what="renew it, or ask why not"))
    listed = customers[(customers["next_action"] != "none") & ~customers["left_out"].eq(True)]
    now = listed[["customer_id"]].assign(due=today, kind="reminder", what=listed["next_action"])
    filled = [part[_DUE].astype({"due": "datetime64[ns]"}) for part in [*parts, now] if len(part)]
    if not filled:
        return no_rows(_DUE, f"nothing is due within {AHEAD_DAYS} days")
    found = pd.concat(filled, ignore_index=True)
    found = found.assign(due=pd.to_datetime(found["due"]).dt.normalize())
    return found.sort_values(["due", "kind", "customer_id"], ignore_index=True)[_DUE]


def _birthdays(study: Study, today: pd.Timestamp) -> pd.DataFrame:
    names = ["customer_id", "birthday", "birthday_consent"]
    if study.file.personal_columns != "keep" or not study.has("customers", "birthday", "birthday_consent"):
        return pd.DataFrame(columns=_DUE)
    people = fetch(study.table("customers").select(*names))
    people = people[people["birthday"].notna() & people["birthday_consent"].eq(True)]
    born = pd.to_datetime(people["birthday"])
    ahead = [today + pd.Timedelta(n, "D") for n in range(AHEAD_DAYS + 1)]
    by_day = {(day.month, day.day): day for day in reversed(ahead)}
    if (3, 1) in by_day and not by_day[3, 1].is_leap_year:
        by_day[2, 29] = by_day[3, 1]
    due = [by_day.get((month, day)) for month, day in zip(born.dt.month, born.dt.day, strict=True)]
    found = people[["customer_id"]].assign(due=pd.to_datetime(pd.Series(due, people.index, dtype=object)))
    return found[found["due"].notna()].assign(kind="birthday", what="has a birthday")


def accounts_of_managers(study: Study, customers: pd.DataFrame) -> pd.DataFrame:
    """How many customers has each account manager, of what value, and for how many is there something to do?

    By `manager_id`: `customers`, `clv` (the sum, where it is known), `to_act_on` (on the list of next actions, not left
    out), the most actions first; customers without a manager are one row, so that none is lost.
    """
    names = "manager_id customers clv to_act_on"
    if not study.has("customers", "manager_id"):
        return no_rows(names, "no column manager_id of customers")
    managers = fetch(study.table("customers").select("customer_id", "manager_id"))
    managers = managers.drop_duplicates("customer_id")
    rows = customers.merge(managers, on="customer_id", how="left", validate="many_to_one")
    to_do = (rows["next_action"] != "none") & ~rows["left_out"].eq(True)
    rows = rows.assign(to_act_on=to_do.astype(int), manager_id=rows["manager_id"].fillna("no manager"))
    found = rows.groupby("manager_id").agg(
        customers=("customer_id", "size"), clv=("clv", "sum"), to_act_on=("to_act_on", "sum")
    )
    assert found["customers"].sum() == len(customers), "a customer was lost between managers"
    return found.sort_values(["to_act_on", "customers"], ascending=False, kind="stable").reset_index()


def pacing(transactions: Any, budget: Any, *, as_of: Any) -> pd.DataFrame:
    """Which revenue will the current month reach, by the pace of earlier months, and against its budget?

    Parameters
    ----------
    transactions, as_of
        As in `month_review`.
    budget : ibis.Table or DataFrame
        `date, revenue`: planned revenue by the first day of the month.

    Returns
    -------
    DataFrame
        One row: `month`, `so_far` (revenue up to `as_of`), `usual_share` (of a month's revenue that earlier months had
        by that day: the sum of twelve at most), `expected` with the ends `low` and `high` by the months that
        came slowest and fastest, the `planned` revenue and `against_plan` (a share); without a row on the last day of a
        month, and where fewer than three months are known.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", "2024-05-15")
    >>> log = pd.DataFrame({"customer_id": "a", "date": days, "amount": 10.0})
    >>> plan = pd.DataFrame({"date": [pd.Timestamp("2024-05-01")], "revenue": [400.0]})
    >>> pacing(log, plan, as_of="2024-05-15")[["so_far", "expected", "planned"]].round().values.tolist()
    [[150.0, 300.0, 400.0]]
    """
    names = "month so_far usual_share expected low high planned against_plan"
    if transactions is None:
        return no_rows(names, "no table transactions")
    day = pd.Timestamp(as_day(as_of, "as_of"))
    month = day.to_period("M")
    if day == month.end_time.normalize():
        return no_rows(names, "the month is over")
    rows = seen_by(transactions, day.date(), outside=True)
    rows = rows.mutate(period=dated(rows).truncate("M"), early=dated(rows).day() <= day.day)
    sums = fetch(rows.group_by("period").agg(all=_.amount.sum(), early=_.amount.sum(where=_.early)))
    sums = sums.set_index(pd.PeriodIndex(sums["period"], freq="M")).sort_index().fillna(0.0)
    so_far = float(sums["early"].get(month, 0.0))
    past = sums[(sums.index < month) & (sums["all"] > 0)].iloc[1:][-12:]  # the first month is rarely whole
    if len(past) < _FEWEST_MONTHS or not (past["early"] > 0).all():
        return no_rows(names, "fewer than three complete months are known")
    usual, each = past["early"].sum() / past["all"].sum(), past["early"] / past["all"]
    plan = fetch(budget) if not isinstance(budget, pd.DataFrame) else budget
    mine = plan[pd.to_datetime(plan["date"]).dt.to_period("M") == month]["revenue"].dropna()
    planned = float(mine.sum()) if len(mine) else np.nan
    expected = so_far / usual
    row = (month.start_time, so_far, usual, expected, so_far / each.max(), so_far / each.min(), planned)
    against = expected / planned - 1 if planned > 0 else np.nan
    return pd.DataFrame([(*row, against)], columns=names.split())


def pacing_in_words(found: pd.DataFrame, currency: str) -> str:
    """Where the month will end, in a sentence; empty where that is not known."""
    if why_none(found):
        return ""
    row = found.iloc[0]
    so_far, expected = (fmt.money(row[name], currency) for name in ("so_far", "expected"))
    ends = fmt.interval(row["low"], row["high"], "money", currency)
    text = f"{fmt.month(row['month'])} has brought {so_far} so far; at the pace of earlier months "
    text += f"it ends at {expected} ({ends})"
    if fmt.is_known(row["against_plan"]):
        text += f", {fmt.change(row['against_plan'])} against the budget"
    return f"{text}."
