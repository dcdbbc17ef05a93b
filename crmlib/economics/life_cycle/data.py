"""A firm's customers in their states, as of a day: what all answers of the chapter rest on."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from crmlib.arguments import check_range
from crmlib.customers.audit.months import last_months
from crmlib.customers.life_cycle.months import Months
from crmlib.customers.life_cycle.rules import Rules, read_rules
from crmlib.data.sources import lacking
from crmlib.economics.firm import FirmTables
from crmlib.economics.life_cycle.moves import Chain, chain
from crmlib.economics.life_cycle.values import LONGEST_MONTHS, simulated_values
from crmlib.no_rows import unless

PROSPECTS = ("prospect", "new prospect", "acquired", "activated", "activated but not bought", "given up")
LOST = ("given up", "latent", "terminated")  # where nobody wants people to go


@dataclass(frozen=True, repr=False, eq=False)
class LifeCycleData(FirmTables):
    """A firm's tables and the states that they show; see `LifeCycle` for the fields."""

    transactions: Any
    as_of: Any
    customers: Any = None
    leads: Any = None
    subscriptions: Any = None
    surveys: Any = None
    touchpoints: Any = None
    experiments: Any = None
    margin: float | None = None
    months: int = 12
    discount_rate: float = 0.10
    horizon_months: int | None = 60
    rules: Any = None
    reading: str = "extended"
    known: Any = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    currency: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("months", self.months, "a whole number from 1", least=1)
        endless = "a whole number from 1, or None for no end"
        check_range("horizon_months", self.horizon_months, endless, least=1)
        if self.horizon_months is None:  # a sum without end needs discounting
            check_range("discount_rate", self.discount_rate, "a rate per year above 0, such as 0.10", above=0)
        check_range("discount_rate", self.discount_rate, "a rate per year from 0, such as 0.10", least=0)

    @cached_property
    def table(self) -> Rules:
        """The states of the reading, with the thresholds."""
        return self.table_of(self.reading)

    def table_of(self, reading: str, **limits: float) -> Rules:
        """The states of a reading, of the firm's own file or, where it lacks them, of the library's."""
        own = self.rules if reading == self.reading else None
        return read_rules(own, reading, **{**self.thresholds, **limits})

    @cached_property
    def data(self) -> Months:
        """Persons and their states by month, in the engine."""
        names = ("customers", "leads", "subscriptions", "surveys", "touchpoints")
        tables = {name: getattr(self, name) for name in names}
        return Months(self.transactions, tables, self.last_day, self.margin, self.table, self.known)

    def in_reading(self, reading: str) -> LifeCycleData:
        """The same customers in another reading, from the same events; moves are those of the last months."""
        if reading == self.reading:
            return self
        other, rules = replace(self, reading=reading), self.table_of(reading)
        data = self.data.with_rules(rules)
        other.__dict__.update(table=rules, data=data.since(data.last - self.months - 1))
        return other

    @cached_property
    def last_day(self) -> dt.date:
        """Last day of the last complete month."""
        return last_months(1, as_of=self.as_of)[1]

    @property
    def missing(self) -> str:
        """Why there are no states; empty where there are."""
        if why := lacking(transactions=self.transactions):
            return why
        return "" if len(self.data.moves) else "nobody has a state: no month is complete, or no rule holds"

    @cached_property
    def value(self) -> str:
        """What customers bring: "contribution" where costs or a margin are known, else "revenue"."""
        return "contribution" if "profit" in self.data.measured else "revenue"

    @property
    def money(self) -> str:
        """The column of the months that holds it."""
        return "profit" if self.value == "contribution" else "revenue"

    @cached_property
    def rate(self) -> float:
        """The discount rate per month."""
        return math.expm1(math.log1p(self.discount_rate) / 12)

    @cached_property
    def chain(self) -> Chain:
        """The moves of the last complete months."""
        return self.chain_to(self.data.last)

    def chain_to(self, last: int) -> Chain:
        """The moves of the complete months up to one."""
        months = range(max(last - self.months, self.data.first), last)
        return chain(self.data.moves, len(self.table.states), months, self.money)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """People by month (its number) and state."""
        moves, months = self.data.moves, range(self.data.first, self.data.last + 1)
        rows = moves.pivot_table("people", "month", "place", aggfunc="sum")
        whole = rows.reindex(index=months, columns=range(len(self.table.states))).fillna(0.0)
        return whole.set_axis(self.table.names, axis=1)

    @property
    def of_customers(self) -> list[str]:
        """The states of those who have bought, in the order of life."""
        return [name for name in self.table.names[::-1] if name not in PROSPECTS]

    @property
    def has_prospects(self) -> bool:
        """Whether anybody is known before the first purchase."""
        names = [name for name in self.table.names if name in PROSPECTS]
        return not self.missing and bool((self.counts[names] > 0).any(axis=None))

    @cached_property
    def simulated(self) -> pd.DataFrame:
        """What people of each state bring by histories that remember, with its interval."""
        months = self.horizon_months or LONGEST_MONTHS
        return simulated_values(self.chain, self.rate, months=months, random_state=0)

    def in_order(self, found: pd.DataFrame) -> pd.DataFrame:
        """Rows of states in the order of life."""
        order = {name: place for place, name in enumerate(self.table.names[::-1])}
        names = [name for name in ("state", "next_state") if name in found]
        return found.sort_values(names, key=lambda names: names.map(order), ignore_index=True)


def with_states(columns: str) -> Any:
    """Of a function of the chapter: these columns without rows, where nobody has a state."""
    return unless(attrgetter("missing"), columns)


def dates(months: Any) -> pd.DatetimeIndex:
    """First days of months by their numbers."""
    return pd.DatetimeIndex([pd.Timestamp(month // 12, month % 12 + 1, 1) for month in np.asarray(months)])
