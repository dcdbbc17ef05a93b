"""The tables of acquisition, reduced in the engine: prospects by week, spend by day, customers by age."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import as_day, check_margin, dated, end_of, fetch, money_of, seen_by, with_ids_of
from crmlib.customers.audit.months import last_months
from crmlib.data.sources import open_optional
from crmlib.economics.acquisition.closing import closing
from crmlib.errors import CrmError, DataError

STAGES = ("interested", "considered", "activated", "won")  # after the prospect is known, in their order
ALL, UNKNOWN = "all channels", "(not known)"
AGE_DAYS = 30  # the values of customers are counted by so many days of age
SALES, WAGES = ("prospecting", "selling"), ("prospecting", "selling", "marketing")
_FACTS = "component market product_type partner_id impressions clicks organic".split()
_DATES = dict(zip(STAGES, ("interested_on", "considered_on", "activated_on", "won_on"), strict=True))


@dataclass(frozen=True, repr=False, eq=False)
class AcquisitionData:
    """A firm's tables of acquisition as of a day; see `Acquisition` for the fields."""

    transactions: Any
    as_of: Any
    leads: Any = None
    marketing_spend: Any = None
    customers: Any = None
    staff_hours: Any = None
    margin: float | None = None
    new_from: Any = None
    months: int = 12
    close_days: int = 180
    currency: str = ""

    def __post_init__(self) -> None:
        check_margin(self.margin)
        for name, low in (("months", 1), ("close_days", 1)):
            if getattr(self, name) < low:
                raise CrmError(f"{name} is {getattr(self, name)}; give a whole number from {low}")

    @cached_property
    def day(self) -> dt.date:
        """The last day that counts."""
        return as_day(self.as_of, "as_of")

    @cached_property
    def window(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First and last day of the last complete months, for which costs are told."""
        first, last = last_months(self.months, as_of=self.day)
        return pd.Timestamp(first), pd.Timestamp(last)

    @cached_property
    def _log(self) -> ibis.Table:
        return seen_by(self.transactions, self.day, outside=True)

    @cached_property
    def prospects(self) -> ibis.Table | None:
        """One row per prospect: stages reached by the day, `event` (won, lost, open) and `days` until it."""
        rows = open_optional(self.leads)
        if rows is None:
            return None
        for name in ("lead_id", "created", "channel"):
            if name not in rows.columns:
                raise DataError(f"leads has no column {name!r}; it needs lead_id, created and channel")
        end = ibis.literal(end_of(self.day))
        dates = {name: _date(rows, column, end) for name, column in {**_DATES, "lost": "lost_on"}.items()}
        facts = {name: optional(rows, name, "string") for name in ("customer_id", "won_from")}
        rows = rows.filter(rows.created.cast("timestamp(6)") < end)
        rows = rows.select(
            "lead_id", channel=rows.channel.cast("string").fill_null(UNKNOWN), created=rows.created.cast("date"),
            hours=optional(rows, "hours", "float64"), **dates, **facts,
        )  # fmt: skip
        # A number that stands twice is one prospect, won once.
        kept = {name: _[name].min() for name in ("created", "channel", "customer_id", "won_from", *dates)}
        twice = rows.count() > rows.lead_id.nunique()
        if bool(twice.to_pyarrow().as_py()):
            rows = rows.group_by("lead_id").agg(**kept, hours=_.hours.max())
        # Who stands at a stage has passed those before it, whether or not their days were noted.
        for earlier, later in reversed([*pairwise(STAGES)]):
            if earlier not in self.stages_missing(rows):
                rows = rows.mutate(**{earlier: rows[earlier].fill_null(rows[later])})
        won = rows.won.notnull() & (rows.lost.isnull() | (rows.won <= rows.lost))
        lost = rows.lost.notnull() & ~won
        event = ibis.cases((won, "won"), (lost, "lost"), else_="open")
        until = ibis.cases((won, rows.won), (lost, rows.lost), else_=ibis.literal(self.day))
        rows = rows.mutate(event=event, days=until.delta(rows.created, unit="day").cast("int64"))
        return rows.mutate(rival=rows.won_from.notnull())

    def stages_missing(self, rows: ibis.Table) -> frozenset[str]:
        """Stages whose dates the table does not have at all: how many reached them is not known."""
        known = rows.agg(**{name: rows[name].count() for name in STAGES}).to_pyarrow().to_pylist()[0]
        return frozenset(name for name in STAGES[:-1] if not known[name])

    @cached_property
    def closing(self) -> pd.DataFrame:
        """Prospects by `channel`, `rival`, `month` and `week` of the month in which they came, `event` and `days`."""
        rows = self.prospects
        names = ["channel", "rival", "month", "week", "event", "days"]
        if rows is None:
            return pd.DataFrame(columns=[*names, "leads", "hours", *STAGES]).astype(
                {"month": "datetime64[us]"}
            )
        rows = rows.mutate(month=rows.created.truncate("M"), week=(rows.created.day() - 1) // 7)
        reached = {name: rows[name].count() for name in STAGES}
        found = fetch(rows.group_by(names).agg(leads=rows.count(), hours=rows.hours.sum(), **reached))
        missing = [name for name in STAGES[:-1] if len(found) and not found[name].sum()]
        found[missing] = np.nan
        return found.assign(month=pd.to_datetime(found["month"]), channel=found["channel"].astype(str))

    @cached_property
    def lags(self) -> dict[str, float]:
        """Median days from the prospect to the first purchase, by channel and of all; 0 where it is not known."""
        found = {name: closing(rows, resamples=0).median_days for name, rows in by_channel(self.closing)}
        return {name: 0.0 if np.isnan(days) else days for name, days in found.items()}

    @cached_property
    def people(self) -> ibis.Table:
        """One row per new customer: `customer_id`, `channel` and the day of the first purchase, `born`."""
        rows = self._log
        people = rows.filter(rows.counted).group_by("customer_id").agg(born=_.date.min().cast("date"))
        if self.new_from is not None:
            people = people.filter(people.born >= ibis.literal(as_day(self.new_from, "new_from")))
        sources: list[ibis.Value] = []
        if self.prospects is not None:
            won = self.prospects.filter(_.customer_id.notnull() & (_.event == "won"))
            # Of a customer who was two prospects, the earlier one counts.
            first = (
                with_ids_of(rows, won).group_by("customer_id").agg(lead_channel=_.channel.argmin(_.created))
            )
            people = people.left_join(first, "customer_id").drop("customer_id_right")
            sources.append(people.lead_channel)
        table = open_optional(self.customers)
        if table is not None and "acquisition_channel" in table.columns:
            known = with_ids_of(
                rows, table.select("customer_id", own_channel=table.acquisition_channel.cast("string"))
            )
            known = known.group_by("customer_id").agg(own_channel=_.own_channel.min())
            people = people.left_join(known, "customer_id").drop("customer_id_right")
            sources = [people[name] for name in ("lead_channel", "own_channel") if name in people.columns]
        channel = ibis.coalesce(*sources, ibis.literal(UNKNOWN)) if sources else ibis.literal(UNKNOWN)
        return people.select("customer_id", "born", channel=channel)

    @cached_property
    def value(self) -> str:
        """What customers bring: "contribution" where costs or a margin are known, else "revenue"."""
        return "contribution" if self.margin is not None or "cost" in self._log.columns else "revenue"

    @cached_property
    def _money(self) -> ibis.Table:
        """Money by channel, day of the first purchase, calendar month and age (0: the first day, then 30 days each)."""
        rows, people = self._log, self.people
        money = money_of(rows, self.margin)
        worth = money["profit" if self.value == "contribution" else "revenue"]
        rows = rows.select("customer_id", on=dated(rows).cast("date"), revenue=money["revenue"], worth=worth)
        rows = rows.inner_join(people, "customer_id")
        age = ibis.greatest(rows.on.delta(rows.born, unit="day").cast("int64"), 0)
        rows = rows.mutate(
            age=((age + AGE_DAYS - 1) / AGE_DAYS).floor().cast("int64"), month=rows.on.truncate("M")
        )
        return rows.group_by("channel", "born", "age", "month").agg(
            revenue=_.revenue.sum(), worth=_.worth.sum()
        )

    @cached_property
    def money(self) -> pd.DataFrame:
        """`revenue` and `worth` by `channel`, `born`, `age` and calendar `month`."""
        found = fetch(self._money)
        return found.astype({"channel": str, "revenue": float, "worth": float}).assign(
            born=pd.to_datetime(found["born"]), month=pd.to_datetime(found["month"])
        )

    @cached_property
    def acquired(self) -> pd.DataFrame:
        """New customers by `channel` and day of the first purchase, `born`."""
        found = fetch(self.people.group_by("channel", "born").agg(customers=_.count()))
        return found.assign(born=pd.to_datetime(found["born"]), channel=found["channel"].astype(str))

    @cached_property
    def spend(self) -> pd.DataFrame:
        """Spend by `date`, `channel`, `component`, `campaign`, and what was shown and clicked (or `organic`)."""
        rows = open_optional(self.marketing_spend)
        names = ["date", "channel", "component", "campaign", "organic"]
        if rows is None:
            empty = pd.DataFrame(columns=[*names, "amount", "refunds", "impressions", "clicks", "impossible"])
            return empty.astype({"date": "datetime64[us]", "amount": float, "organic": bool})
        if lost := [name for name in ("date", "channel", "amount") if name not in rows.columns]:
            raise DataError(f"marketing_spend has no column {lost[0]!r}; it needs date, channel and amount")
        if "currency" in rows.columns:
            found = fetch(rows.select(_.currency).distinct())["currency"].dropna()
            others = sorted({*found.astype(str), *filter(None, [self.currency])})
            if len(others) > 1:
                raise DataError(
                    f"marketing_spend is in {fmt.listing(others)}; give all amounts in one currency"
                )
        text = {name: optional(rows, name, "string").fill_null("") for name in _FACTS[:4]}
        seen = {name: optional(rows, name, "float64") for name in ("impressions", "clicks")}
        campaign = text["market"] + " " + text["product_type"] + " " + text["partner_id"]
        rows = rows.select(
            date=rows.date.cast("date"), channel=rows.channel.cast("string").fill_null(UNKNOWN), campaign=campaign,
            component=text["component"], amount=rows.amount.cast("float64"),
            organic=optional(rows, "organic", "boolean").fill_null(False), **seen,
        )  # fmt: skip
        rows = rows.filter(rows.date <= ibis.literal(self.day))
        found = fetch(
            rows.group_by(names).agg(
                amount=_.amount.sum(), refunds=ibis.least(_.amount, 0.0).sum(), impressions=_.impressions.sum(),
                clicks=_.clicks.sum(), impossible=(_.clicks > _.impressions).sum().fill_null(0),
            )
        )  # fmt: skip
        return found.assign(date=pd.to_datetime(found["date"]))

    @cached_property
    def staff(self) -> pd.DataFrame:
        """Hours and wages by `month` and `activity`."""
        rows = open_optional(self.staff_hours)
        if rows is None:
            return pd.DataFrame(columns=["month", "activity", "hours", "cost"]).astype(
                {"month": "datetime64[us]"}
            )
        cost, hours = optional(rows, "cost", "float64"), rows.hours.cast("float64")
        rows = rows.mutate(month=rows.date.cast("date").truncate("M"), cost=cost, hours=hours)
        rows = rows.filter(rows.month <= ibis.literal(self.day))
        found = fetch(rows.group_by("month", "activity").agg(hours=_.hours.sum(), cost=_.cost.sum()))
        return found.assign(month=pd.to_datetime(found["month"]))


def by_channel(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """All channels together, then each."""
    return [(ALL, frame), *((str(name), rows) for name, rows in frame.groupby("channel"))]


def optional(rows: ibis.Table, name: str, kind: str) -> ibis.Value:
    """A column of a table as this kind, or nulls where the table lacks it."""
    return (rows[name] if name in rows.columns else ibis.null()).cast(kind)


def _date(rows: ibis.Table, name: str, end: ibis.Value) -> ibis.Value:
    """The day of a stage, null where it was not reached before the end."""
    if name not in rows.columns:
        return ibis.null("date")
    return ibis.ifelse(rows[name].cast("timestamp(6)") < end, rows[name].cast("date"), ibis.null("date"))
