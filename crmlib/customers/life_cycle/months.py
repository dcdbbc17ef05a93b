"""The state of every person at the end of every month, from what was known then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from copy import copy
from functools import cached_property
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_columns
from crmlib.customers._log import fetch
from crmlib.customers.life_cycle.known import NEVER, events, number_of
from crmlib.customers.life_cycle.rules import Rules
from crmlib.data.cleaning.ids import own_ids
from crmlib.data.engine import has_rows
from crmlib.data.sources import open_table, optional
from crmlib.errors import DataError

GROUPS = (1, 2, 3, 4, 6, 10)  # orders so far: from each of these on a group of its own
LONGEST = 24  # months of silence, beyond which all are one
OLDEST = 12  # months in a state, beyond which all are one
_MONEY = ("revenue", "profit")
PRIOR = 20.0  # customers whose share counts beside those of a cell
GIVEN = {"p_no_purchase": "float64", "overdue": "boolean", "contact_margin": "float64"}


class Months:
    """Persons and their states by month, in the engine.

    `tables`: those of `customers, leads, subscriptions, surveys, touchpoints` that there are. `last`: last day of the
    last month. `margin`: contribution as a share of revenue, where the log has no `cost`. `known`: what higher rooms
    know: `customer_id`, `month` and any of `p_no_purchase`, `overdue`, `contact_margin`, used instead of what is made
    here.
    """

    def __init__(
        self, transactions: Any, tables: Mapping[str, Any], last: dt.date, margin: float | None, rules: Rules,
        known: pd.DataFrame | None = None,
    ) -> None:  # fmt: skip
        self.rules, self.known = rules, known
        log = open_table(transactions) if not isinstance(transactions, pd.DataFrame) else transactions
        self.measured = ("profit",) if margin is not None or "cost" in log.columns else ()
        self.events = events(transactions, tables, last, margin, rules).cache()
        self.last = number_of(pd.Period(last, "M"))
        self.first = int(self.events.month.min().to_pyarrow().as_py() or self.last)

    def with_rules(self, rules: Rules) -> Months:
        """The same persons under other rules; thresholds by which events are read stay as they were."""
        other, stale = copy(self), {"moves", "_places"}
        if rules.who_is_gone != self.rules.who_is_gone:
            stale.add("spans")
        if rules.thresholds["horizon_months"] != self.rules.thresholds["horizon_months"]:
            stale.add("chances")
        for name in stale:
            other.__dict__.pop(name, None)
        other.rules = rules
        return other

    def since(self, month: int) -> Months:
        """The same persons and states, with the moves from a month on alone."""
        other = copy(self)
        other.spans = self.spans  # of all months, for who came back is known by those before
        other.first = max(self.first, month)
        return other

    @cached_property
    def chances(self) -> pd.DataFrame:
        """P(no purchase within the horizon) by `group` of orders, last `bought` month and `month`, as known then.

        Learned anew each quarter from customers whose horizon was over when it began: see `chances_by_quarter`.
        """
        horizon = int(self.rules.thresholds["horizon_months"])
        rows = self.events.filter(_.orders > 0)
        rows = rows.select("bought", "next_bought", group=_group(rows.orders), month=_each_month(rows))
        cells = rows.group_by("group", "month", silent=ibis.least(rows.month - rows.bought, LONGEST)).agg(
            people=_.count(), none=(_.next_bought > _.month + horizon).sum()
        )
        found = fetch(cells).astype({"people": float, "none": float})
        return chances_by_quarter(found, self.first, self.last, horizon)

    def at(self, rows: ibis.Table) -> ibis.Table:
        """The facts at the end of `month` of rows of events, with the `place` of their state among the rules'."""
        limits = self.rules.thresholds
        learned, ends = ibis.memtable(self.chances), ibis.memtable(_month_ends(self.first, self.last))
        rows = rows.mutate(orders=rows.orders.fill_null(0), group=_group(rows.orders))
        rows = rows.inner_join(ends, "month").left_join(learned, ["group", "bought", "month"])
        rows = rows.drop("group_right", "bought_right", "month_right")
        given = {name: ibis.null(kind) for name, kind in GIVEN.items()}
        if self.known is not None:
            rows = rows.left_join(_as_known(self.known), ["person", "month"])
            rows = rows.drop("person_right", "month_right")
            given = {name: rows[f"known_{name}"] for name in GIVEN}
        share = (rows.last_day - rows.first_day + 1) / (rows.end - rows.first_day + 1)
        own = (rows.orders >= 2) & (share ** (rows.orders - 1) <= limits["false_alarm_rate"])
        chance = ibis.coalesce(given["p_no_purchase"], rows.chance)
        per_order = rows.profit_so_far / rows.orders.nullif(0)
        running = (rows.spell_moves > 0).fill_null(False)
        came_back = rows.returned if "returned" in rows.columns else ibis.null("int16")
        rows = rows.mutate(
            lead=rows.created_month.notnull(), signed_up=rows.signed_up_month.notnull(),
            activated=rows.activated_month.notnull(), lost=rows.lost_month.notnull(),
            months_since_activated=rows.month - rows.activated_month,
            on_time=rows.orders - rows.last_late.fill_null(1), months_silent=rows.month - rows.bought,
            overdue=ibis.coalesce(given["overdue"], own, False), p_no_purchase=chance,
            contact_margin=ibis.coalesce(given["contact_margin"], per_order * (1 - chance)),
            under_contract=running, contract_ended=~running & (rows.contract_end_month > rows.bought).fill_null(False),
            months_since_contact=rows.month - rows.contact_month, months_back=rows.month - came_back,
            won_back=rows.won if "won" in rows.columns else ibis.literal(False),
            **{name: (rows.month - rows[f"{name}_month"] < int(limits["advocate_months"])).fill_null(False)
               for name in ("recommended", "promoter")},
        )  # fmt: skip
        rows = rows.mutate(gone=self.rules.condition(self.rules.gone, rows))
        return rows.mutate(place=self.rules.place(rows))

    @cached_property
    def spans(self) -> ibis.Table:
        """The events, with the month in which who was gone `returned` last by a purchase, and whether `won` back."""
        known = self.events
        ends = self.at(known.mutate(month=known.until)).filter(_.gone & _.buys_next)
        back = ends.select("person", month=(ends.until + 1).cast("int16"), came=ends.until + 1)
        back = back.inner_join(known.select("person", "month", "written"), ["person", "month"])
        back = back.select("person", "month", "came", came_written=back.written).cache()
        # Few come back: the rows of all others need not be sorted.
        theirs = known.semi_join(back, "person").left_join(back, ["person", "month"])
        so_far = ibis.cumulative_window(group_by="person", order_by="month")
        returned = theirs.came.max().over(so_far)
        won = ibis.ifelse(theirs.came_written, theirs.came, ibis.null("int16")).max().over(so_far)
        theirs = theirs.select(*known.columns, returned=returned, won=(won == returned).fill_null(False))
        others = known.anti_join(back, "person").mutate(returned=ibis.null(theirs.returned.type()), won=False)
        return ibis.union(theirs, others).cache()

    def of_month(self, month: int) -> ibis.Table:
        """The persons who had a state at the end of a month."""
        rows = self.spans.filter((_.month <= month) & (_.until >= month))
        rows = rows.mutate(began=_.month, month=ibis.literal(month, "int16"))
        return self.at(rows).filter(_.place.notnull())

    def places(self, month: int) -> ibis.Table:
        """Persons and the `place` of their state at the end of a month; kept, for several questions ask for it."""
        if month not in self._places:
            self._places[month] = self.of_month(month).select("person", "place").cache()
        return self._places[month]

    @cached_property
    def _places(self) -> dict[int, ibis.Table]:
        return {}

    @property
    def panel(self) -> ibis.Table:
        """One row per person and month in which they have a state: its `place`, and the month's money."""
        spans = self.spans
        money = {name: ibis.ifelse(_.month == _.began, _[name].fill_null(0.0), 0.0) for name in _MONEY}
        rows = spans.mutate(began=spans.month, month=_each_month(spans)).mutate(**money)
        return self.at(rows).filter(_.place.notnull())

    @cached_property
    def moves(self) -> pd.DataFrame:
        """Persons by `month`, the `place` of their state, that of the month `before` and the `next`, and `age`.

        `age`: months in the state so far, 1 in the first, at most `OLDEST`; -1 stands for no state. `revenue` and
        `profit` are those of the month, `next_revenue` and `next_profit` those of the month after.
        """
        return self.moves_by()

    def moves_by(self, groups: pd.DataFrame | None = None) -> pd.DataFrame:
        """The `moves` of each `group`, counted over the persons in a group."""
        rows = self.panel.select("person", "month", "place", "revenue", "profit")
        own = [] if groups is None else ["group"]
        if groups is not None:
            rows = rows.inner_join(ibis.memtable(groups), "person")
        order = ibis.window(group_by="person", order_by="month")
        after = {f"next_{name}": rows[name].lead().over(order).fill_null(0.0) for name in _MONEY}
        rows = rows.mutate(
            before=rows.place.lag().over(order).fill_null(-1),
            next=rows.place.lead().over(order).fill_null(-1),
            **after,
        )
        entered = ibis.ifelse(rows.place != rows.before, rows.month, ibis.null("int16"))
        so_far = ibis.cumulative_window(group_by="person", order_by="month")
        rows = rows.mutate(age=ibis.least(rows.month - entered.max().over(so_far) + 1, OLDEST))
        sums = {"people": _.count(), **{name: rows[name].sum() for name in (*_MONEY, *after)}}
        counts = rows.group_by(*own, "month", "before", "place", "age", "next").agg(**sums)
        found = fetch(counts).astype(dict.fromkeys(sums, float))
        return found.sort_values([*own, "month", "place", "before", "age", "next"], ignore_index=True)

    @cached_property
    def buyers(self) -> pd.DataFrame:
        """Customers by `month`: `new`, `recurring` (bought the month before too), `resurrected` and `dormant`."""
        rows = self.events.filter(_.buys)
        new, recurring = rows.bought_before == NEVER, rows.bought_before == rows.month - 1
        by_month = rows.group_by("month")
        found = fetch(by_month.agg(new=new.sum(), recurring=recurring.sum(), bought=_.count()))
        found = found.set_index("month").reindex(range(self.first, self.last + 1), fill_value=0).astype(int)
        found["resurrected"] = found["bought"] - found["new"] - found["recurring"]
        found["dormant"] = found["new"].cumsum() - found["bought"]
        return found.drop(columns="bought").rename_axis("month").reset_index()


def _each_month(rows: ibis.Table) -> ibis.Value:
    """A row for every month from a row's own to the one before the next row of the person."""
    return ibis.range(rows.month.cast("int64"), rows.until.cast("int64") + 1).unnest().cast("int16")


def _group(orders: ibis.Value) -> ibis.Value:
    """The group of a number of orders: the place of the last of `GROUPS` that it reaches, from 1."""
    reached = [(orders >= least, place) for place, least in enumerate(GROUPS, start=1)]
    return ibis.cases(*reversed(reached)).cast("int8")


def _month_ends(first: int, last: int) -> pd.DataFrame:
    """The last day of each month, as `day_number` has it."""
    months = np.arange(first, last + 1)
    after = [pd.Timestamp((month + 1) // 12, (month + 1) % 12 + 1, 1) for month in months]
    days = (pd.DatetimeIndex(after) - pd.Timestamp("1970-01-01")).days - 1
    return pd.DataFrame({"month": months.astype("int16"), "end": days.astype("int32")})


def _as_known(known: pd.DataFrame) -> ibis.Table:
    """What higher rooms know, by person and month, of whom each has one row."""
    check_columns("known", known, ("customer_id", "month"))
    month = pd.to_datetime(known["month"].astype(str), format="ISO8601")
    rows = open_table(known.assign(month=month.dt.year * 12 + month.dt.month - 1))
    if texts := [name for name in GIVEN if optional(rows, name).type().is_string()]:
        raise DataError(f"known: {texts[0]} is text; give numbers, of overdue true or false")
    facts = {f"known_{name}": optional(rows, name, kind) for name, kind in GIVEN.items()}
    person, month = own_ids(rows.customer_id).cast("string"), rows.month.cast("int16")
    table = rows.select(person=person, month=month, **facts).filter(_.person.notnull())
    for fault, found in {
        "p_no_purchase is not between 0 and 1": table.filter(~_.known_p_no_purchase.between(0, 1)),
        "a customer has two rows of a month": table.group_by("person", "month").having(_.count() > 1).agg(),
    }.items():
        if has_rows(found):
            raise DataError(f"known: {fault}; give one row per customer and month, with a chance from 0 to 1")
    return table


def chances_by_quarter(cells: pd.DataFrame, first: int, last: int, horizon: int) -> pd.DataFrame:
    """P(no purchase within the horizon), from what had happened when each quarter began.

    `cells`: by `group` of orders, `month` and months `silent`: `people`, and how many of them made no purchase within
    the horizon after it (`none`). `first`, `last`, `horizon`: months. Returns: `group, bought, month, chance`. The
    share without a purchase, drawn to that of all orders with as long a silence, and this to that of all, by the weight
    of `PRIOR` customers; it does not fall while a customer is silent. Months before any horizon was over have no row.
    """
    groups, silent = np.arange(1, len(GROUPS) + 1), np.arange(LONGEST + 1)
    shape = (last - first + 1, len(groups), len(silent))
    place = (cells["month"] - first, cells["group"] - 1, cells["silent"])
    people, none = np.zeros(shape), np.zeros(shape)
    np.add.at(people, place, cells["people"])
    np.add.at(none, place, cells["none"])
    people, none = people.cumsum(axis=0), none.cumsum(axis=0)
    rows = []
    for month in range(first, last + 1):
        # The last month whose horizon was over before the quarter.
        seen = month - month % 3 - 1 - horizon - first
        if seen < 0 or not people[seen].sum():
            continue
        n, k = people[seen], none[seen]
        overall = k.sum() / n.sum()
        by_silence = (k.sum(axis=0) + PRIOR * overall) / (n.sum(axis=0) + PRIOR)
        chance = np.maximum.accumulate((k + PRIOR * by_silence) / (n + PRIOR), axis=1)
        reach = np.arange(min(month - first, 10 * LONGEST) + 1)
        rows.append(
            pd.DataFrame(
                {
                    "group": np.repeat(groups, len(reach)).astype("int8"),
                    "bought": np.tile(month - reach, len(groups)).astype("int16"),
                    "month": np.int16(month),
                    "chance": chance[:, np.minimum(reach, LONGEST)].ravel(),
                }
            )
        )
    if not rows:
        kinds = {"group": "int8", "bought": "int16", "month": "int16", "chance": "float64"}
        return pd.DataFrame(columns=[*kinds]).astype(kinds)
    found = pd.concat(rows, ignore_index=True).sort_values("month", kind="stable")
    found["chance"] = found.groupby(["group", "bought"])["chance"].cummax()
    return found
