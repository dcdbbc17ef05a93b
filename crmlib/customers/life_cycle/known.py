"""What was known of each customer and prospect, month by month: the log and the firm's other tables, as events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.customers._log import end_of, money_of, seen_by, with_ids_of
from crmlib.customers.life_cycle.rules import Rules
from crmlib.data.sources import open_optional

WRITTEN = ("offer", "reminder", "win-back")  # kinds of messages that ask for a purchase
NEVER = -1000  # month of what has not happened
_EPOCH = ibis.date(1970, 1, 1)
_STAGES = ("created_month", "signed_up_month", "activated_month")
_LATEST = ("lost_month", "contract_end_month", "recommended_month", "promoter_month", "contact_month")
_FACTS = {
    **dict.fromkeys(("orders", "last_late", "first_day", "last_day", "spell_moves"), "int32"),
    **dict.fromkeys((*_STAGES, *_LATEST), "int16"),
    **dict.fromkeys(("contact_day", "bought_day"), "int32"),
    "bought": "int16",
    **dict.fromkeys(("revenue", "profit"), "float64"),
}  # fmt: skip


def month_number(date: ibis.Value) -> ibis.Value:
    """Months since the year 0, so that months can be counted."""
    return (date.year() * 12 + date.month() - 1).cast("int16")


def number_of(month: pd.Period) -> int:
    """The same of a month of pandas."""
    return month.year * 12 + month.month - 1


def day_number(date: ibis.Value) -> ibis.Value:
    """Days since 1970."""
    return date.delta(_EPOCH, unit="day").cast("int32")


def events(
    transactions: Any, tables: Mapping[str, Any], last: dt.date, margin: float | None, rules: Rules
) -> ibis.Table:
    """One row per person and month in which something became known of them, with what is known at its end.

    Nothing of a row comes from after its month, but for `until`, the last month before the person's next row,
    `buys_next`, whether a purchase is in that row, and `next_bought`, the month of the next purchase (`NEVER` where
    there is none).
    """
    log = seen_by(transactions, last, outside=True)
    parts = [_purchases(log, margin, rules.thresholds["late_gap_rate"])]
    parts += [part for part in _others(log, tables, last, rules) if part is not None]
    # Whose row names nobody is no person.
    parts = [part.filter(_.person.notnull()) for part in parts]
    merged = _by_month(ibis.union(*parts)) if len(parts) > 1 else parts[0]
    return _carried_on(merged, number_of(pd.Period(last, "M")), rules)


def _row(rows: ibis.Table, person: ibis.Value, month: ibis.Value, **facts: Any) -> ibis.Table:
    """Events of one kind, with every fact."""
    all_facts = {name: facts.get(name, ibis.null(kind)).cast(kind) for name, kind in _FACTS.items()}
    return rows.select(person=person.cast("string"), month=month.cast("int16"), **all_facts)


def _purchases(log: ibis.Table, margin: float | None, late_rate: float) -> ibis.Table:
    """The months of each customer's purchases, returns and money.

    A purchase counts if it had not gone back by the end of its month, so that no later return changes what was known.
    A gap is late if a steady customer's last gap, among so many in so many days, is as long with a chance below the
    rate: (age before / age)^(repeat purchases before).
    """
    month = log.date.truncate("M")
    kept = log.reversed_on.isnull() | (log.reversed_on >= (month + ibis.interval(months=1)))
    rows = log.select(
        "customer_id", day=day_number(log.date.cast("date")), month=month_number(log.date),
        bought=log.is_purchase & kept, **money_of(log, margin),
    )  # fmt: skip
    sums = {name: rows[name].sum() for name in ("revenue", "profit") if name in rows.columns}
    days = rows.group_by("customer_id", "month", "day").agg(bought=_.bought.any(), **sums)
    bought_day = ibis.ifelse(days.bought, days.day, ibis.null("int32"))
    order = {"group_by": "customer_id", "order_by": "day"}
    before = ibis.window(**order, preceding=(None, 1))
    days = days.mutate(bought_day=bought_day).mutate(
        n=_.bought_day.count().over(ibis.cumulative_window(**order)),
        first=_.bought_day.min().over(ibis.cumulative_window(**order)),
        previous=_.bought_day.max().over(before),
    )
    # Of a gap's length by the clock of whole days, the last purchase counts at the end of its day.
    share = (days.previous - days["first"] + 1) / (days.day - days["first"] + 1)
    late = days.bought & (days.n >= 3) & (share ** (days.n - 2) <= late_rate)
    by_month = days.group_by("customer_id", "month").agg(
        orders=days.n.max(), last_late=days.n.max(where=late), first_day=days["first"].min(),
        last_day=days.bought_day.max(), bought_day=days.bought_day.min(),
        **{name: days[name].sum() for name in sums},
    )  # fmt: skip
    facts = {name: by_month[name] for name in by_month.columns if name not in ("customer_id", "month")}
    bought = ibis.ifelse(by_month.bought_day.notnull(), by_month.month, ibis.null("int16"))
    return _row(by_month, by_month.customer_id, by_month.month, **facts, bought=bought)


def _others(
    log: ibis.Table, tables: Mapping[str, Any], last: dt.date, rules: Rules
) -> list[ibis.Table | None]:
    """Events of prospects, contracts, recommendations and messages, of the tables that there are."""
    end = ibis.literal(end_of(last))
    opened = {name: open_optional(table) for name, table in tables.items()}

    def of(name: str, *needed: str) -> ibis.Table | None:
        rows = opened.get(name)
        if rows is None or not {*needed} <= {*rows.columns}:
            return None
        return with_ids_of(log, rows) if "customer_id" in rows.columns else rows

    found: list[ibis.Table | None] = []

    def add(rows: ibis.Table, person: str, date: str, *facts: str, **further: ibis.Value) -> None:
        """Events whose month is that of some facts."""
        month = month_number(rows[date])
        found.append(_row(rows, rows[person], month, **dict.fromkeys(facts, month), **further))

    if (leads := of("leads", "lead_id", "created")) is not None:
        found += _stages(leads, end)
    if (people := of("customers", "customer_id", "joined")) is not None:
        rows = people.filter(people.joined < end)
        add(rows, "customer_id", "joined", "created_month", "signed_up_month")
        if "referrer_id" in rows.columns:
            add(rows.filter(rows.referrer_id.notnull()), "referrer_id", "joined", "recommended_month")
    if (surveys := of("surveys", "date", "question", "score")) is not None:
        likely = (surveys.question == "nps") & (surveys.score >= rules.thresholds["promoter_score"])
        add(surveys.filter(likely & (surveys.date < end)), "customer_id", "date", "promoter_month")
    if (contracts := of("subscriptions", "start")) is not None:
        found += _contracts(contracts, end)
    if (touches := of("touchpoints", "date", "kind", "direction")) is not None:
        sent = touches.kind.isin(WRITTEN) & (touches.direction == "out") & touches.customer_id.notnull()
        out = touches.filter(sent & (touches.date < end))
        day = day_number(out.date.cast("date"))
        add(out, "customer_id", "date", "contact_month", contact_day=day)
    return found


def _stages(leads: ibis.Table, end: ibis.Value) -> list[ibis.Table]:
    """Stages that prospects reached; one of whom no customer came is known by its own number."""
    customer = leads.customer_id.cast("string") if "customer_id" in leads.columns else ibis.null("string")
    person = ibis.coalesce(customer, ibis.literal("lead:") + leads.lead_id.cast("string"))
    stages = {"created": ("created",), "signed_up": ("interested_on", "considered_on"), "activated": ("activated_on",),
              "lost": ("lost_on",)}  # fmt: skip
    found = []
    for fact, columns in stages.items():
        for column in columns:
            if column in leads.columns:
                rows = leads.mutate(person=person).filter(_[column] < end)
                month = month_number(rows[column])
                found.append(_row(rows, rows.person, month, **{f"{fact}_month": month}))
    return found


def _contracts(rows: ibis.Table, end: ibis.Value) -> list[ibis.Table]:
    """Starts and ends of contracts, counted, so that a customer is under contract while any of them runs.

    A contract has ended when its last day is over: where a new price begins on the day after, it goes on.
    """
    begun = rows.filter(rows.start < end)
    found = [_row(begun, begun.customer_id, month_number(begun.start), spell_moves=ibis.literal(1))]
    if "end" in rows.columns:
        over = begun.mutate(over=begun.end.cast("date") + ibis.interval(days=1))
        over = over.filter(_.over < end.cast("date"))
        month = month_number(over.over)
        found.append(
            _row(over, over.customer_id, month, spell_moves=ibis.literal(-1), contract_end_month=month)
        )
    return found


def _by_month(rows: ibis.Table) -> ibis.Table:
    """All that became known of a person within a month, in one row."""
    sums = ("revenue", "profit", "spell_moves")
    least = (*_STAGES, "first_day", "contact_day", "bought_day")
    kept: dict[str, Any] = {name: rows[name].sum() for name in sums}
    kept |= {name: rows[name].min() for name in least}
    kept |= {name: rows[name].max() for name in _FACTS if name not in kept}
    return rows.group_by("person", "month").agg(**kept)


def _carried_on(rows: ibis.Table, last: int, rules: Rules) -> ibis.Table:
    """What is known stays known until something newer is: facts are carried on to the person's later rows."""
    order = {"group_by": "person", "order_by": "month"}
    so_far, before = ibis.cumulative_window(**order), ibis.window(**order, preceding=(None, 1))
    least = (*_STAGES, "first_day")
    most = ("orders", "last_late", "last_day", "bought", *_LATEST)
    carried: dict[str, Any] = {name: rows[name].min().over(so_far) for name in least}
    carried |= {name: rows[name].max().over(so_far) for name in most}
    carried |= {
        "spell_moves": rows.spell_moves.sum().over(so_far),
        "profit_so_far": rows.profit.sum().over(so_far),
    }
    written_before = rows.contact_month.max().over(before).fill_null(NEVER)
    same_month = (rows.contact_day <= rows.bought_day).fill_null(False)
    month_after = rows.month.lead().over(ibis.window(**order))
    return rows.select(
        "person", "month", "revenue", "profit", **carried,
        buys=rows.bought.notnull(),
        bought_before=rows.bought.max().over(before).fill_null(NEVER),
        written=(written_before >= rows.month - int(rules.thresholds["win_back_months"])) | same_month,
        next_bought=rows.bought.min().over(ibis.window(**order, following=(1, None))).fill_null(-NEVER * 100),
        until=month_after.fill_null(last + 1) - 1,
        buys_next=rows.bought.notnull().lead().over(ibis.window(**order)).fill_null(False),
    )  # fmt: skip
