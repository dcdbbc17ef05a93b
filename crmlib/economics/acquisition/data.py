"""The tables of acquisition, reduced in the engine: prospects by week, spend by day, customers by age."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.arguments import check_columns, check_range
from crmlib.customers._log import end_of, fetch, with_ids_of
from crmlib.customers.audit.months import last_months
from crmlib.data.sources import open_optional, optional
from crmlib.economics.acquisition.closing import closing
from crmlib.economics.firm import FirmTables
from crmlib.errors import DataError

STAGES = ("interested", "considered", "activated", "won")  # after the prospect is known, in their order
ALL, UNKNOWN = "all channels", "(not known)"
AGE_DAYS = 30  # the values of customers are counted by so many days of age
SALES, WAGES = ("prospecting", "selling"), ("prospecting", "selling", "marketing")
_TEXTS = ("component", "market", "product_type", "partner_id")
_DATES = dict(zip(STAGES, ("interested_on", "considered_on", "activated_on", "won_on"), strict=True))


@dataclass(frozen=True, repr=False, eq=False)
class AcquisitionData(FirmTables):
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
        super().__post_init__()
        for name in ("months", "close_days"):
            check_range(name, getattr(self, name), "a whole number from 1", least=1)

    @cached_property
    def window(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First and last day of the last complete months, for which costs are given."""
        first, last = last_months(self.months, as_of=self.day)
        return pd.Timestamp(first), pd.Timestamp(last)

    @cached_property
    def prospects(self) -> ibis.Table | None:
        """One row per prospect: stages reached by the day, `event` (won, lost, open) and `days` until it."""
        rows = open_optional(self.leads)
        if rows is None:
            return None
        check_columns("leads", rows, ("lead_id", "created", "channel"))
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
            empty = pd.DataFrame(columns=[*names, "leads", "hours", *STAGES])
            return empty.astype({"month": "datetime64[us]"})
        rows = rows.mutate(month=rows.created.truncate("M"), week=(rows.created.day() - 1) // 7)
        reached = {name: rows[name].count() for name in STAGES}
        counts = rows.group_by(names).agg(leads=rows.count(), hours=rows.hours.sum(), **reached)
        found = fetch(counts.order_by(names))  # resamples of weeks go by the order
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
        people, sources = self.new_customers, []
        if self.prospects is not None:
            # Of a customer who was two prospects, the earlier one counts.
            first = self.won_prospects.agg(lead_channel=_.channel.argmin(_.created))
            people, sources = people.left_join(first, "customer_id", rname="lead_{name}"), ["lead_channel"]
        table = open_optional(self.customers)
        if table is not None and "acquisition_channel" in table.columns:
            channel = table.acquisition_channel.cast("string")
            known = with_ids_of(self.log, table.select("customer_id", own_channel=channel))
            known = known.group_by("customer_id").agg(own_channel=_.own_channel.min())
            people, sources = (
                people.left_join(known, "customer_id", rname="own_{name}"),
                [*sources, "own_channel"],
            )
        channels = ibis.coalesce(*(people[name] for name in sources), ibis.literal(UNKNOWN))
        return people.select("customer_id", "born", channel=channels)

    @property
    def won_prospects(self) -> Any:
        """The prospects who became customers, by customer, ids as the log has them."""
        assert self.prospects is not None
        won = self.prospects.filter(_.customer_id.notnull() & (_.event == "won"))
        return with_ids_of(self.log, won).group_by("customer_id")

    @cached_property
    def money(self) -> pd.DataFrame:
        """`revenue` and `worth` by `channel`, `born`, `age` (0: the first day, then 30 days each) and `month`."""
        rows = self.rows.select("customer_id", "day", "amount", "worth").inner_join(
            self.people, "customer_id"
        )
        age = ibis.greatest(rows.day.delta(rows.born, unit="day").cast("int64"), 0)
        age = ((age + AGE_DAYS - 1) / AGE_DAYS).floor().cast("int64")
        rows = rows.group_by("channel", "born", age=age, month=rows.day.truncate("M"))
        found = fetch(rows.agg(revenue=_.amount.sum(), worth=_.worth.sum()))
        found = found.astype({"channel": str, "revenue": float, "worth": float})
        return found.assign(born=pd.to_datetime(found["born"]), month=pd.to_datetime(found["month"]))

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
        check_columns("marketing_spend", rows, ("date", "channel", "amount"))
        if "currency" in rows.columns:
            found = fetch(rows.select(_.currency).distinct())["currency"].dropna()
            codes = sorted({*found.astype(str), *filter(None, [self.currency])})
            if len(codes) > 1:
                raise DataError(
                    f"marketing_spend is in {fmt.listing(codes)}; give all amounts in one currency"
                )
        text = {name: optional(rows, name, "string").fill_null("") for name in _TEXTS}
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
            empty = pd.DataFrame(columns=["month", "activity", "hours", "cost"])
            return empty.astype({"month": "datetime64[us]"})
        cost, hours = optional(rows, "cost", "float64"), rows.hours.cast("float64")
        rows = rows.mutate(month=rows.date.cast("date").truncate("M"), cost=cost, hours=hours)
        rows = rows.filter(rows.month <= ibis.literal(self.day))
        found = fetch(rows.group_by("month", "activity").agg(hours=_.hours.sum(), cost=_.cost.sum()))
        return found.assign(month=pd.to_datetime(found["month"]))


def by_channel(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """All channels together, then each."""
    return [(ALL, frame), *((str(name), rows) for name, rows in frame.groupby("channel"))]


def of_channel(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of a channel, or of all."""
    return frame if name == ALL else frame[frame["channel"] == name]


def _date(rows: ibis.Table, name: str, end: ibis.Value) -> ibis.Value:
    """The day of a stage, null where it was not reached before the end."""
    when = optional(rows, name, "timestamp(6)")
    return ibis.ifelse(when < end, when.cast("date"), ibis.null("date"))
