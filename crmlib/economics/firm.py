"""What the chapters on a firm's tables have in common: the day, the purchase log, its money and its new customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.arguments import check_share
from crmlib.customers._log import as_day, dated, money_of, seen_by
from crmlib.data.contracts import CONTRACTS
from crmlib.data.sources import check_kinds
from crmlib.findings import in_currency


class FirmTables:
    """A firm's purchase log as of a day; a chapter adds the tables that it needs."""

    transactions: Any
    as_of: Any
    margin: float | None
    new_from: Any = None
    currency: str

    def __post_init__(self) -> None:
        check_share("margin", self.margin)
        given = {name: getattr(self, name, None) for name in CONTRACTS if name != "transactions"}
        check_kinds(given)

    def kept(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What several questions ask for, made once."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    @cached_property
    def day(self) -> dt.date:
        """The last day that counts."""
        return as_day(self.as_of, "as_of")

    @cached_property
    def log(self) -> ibis.Table:
        """The rows of the purchase log up to the day."""
        return seen_by(self.transactions, self.day, outside=True)

    @cached_property
    def value(self) -> str:
        """What customers bring: "contribution" where costs or a margin are known, else "revenue"."""
        return "contribution" if self.margin is not None or "cost" in self.log.columns else "revenue"

    @cached_property
    def rows(self) -> ibis.Table:
        """Rows of the log with the `day` on which their money counts, `worth` (of `value`) and `order`.

        Rows of a customer without an order of their own are one order a day.
        """
        worth = money_of(self.log, self.margin)["profit" if self.value == "contribution" else "revenue"]
        rows = self.log.mutate(day=dated(self.log).cast("date"), worth=worth)
        order = rows.customer_id.cast("string") + " " + rows.day.cast("string")
        if "order_id" in rows.columns:
            order = rows.order_id.cast("string").fill_null(order)
        return rows.mutate(order=order)

    @cached_property
    def new_customers(self) -> ibis.Table:
        """One row per new customer: the day of the first purchase, `born`."""
        bought = self.log.filter(_.counted)
        people = bought.group_by("customer_id").agg(born=_.date.min().cast("date"))
        if self.new_from is None:
            return people
        return people.filter(people.born >= ibis.literal(as_day(self.new_from, "new_from")))

    def sentences(self, *frames: pd.DataFrame) -> list[str]:
        """What the frames of this chapter say, a sentence each, in the currency."""
        return [in_currency(frame.attrs.get("finding", ""), self.currency) for frame in frames]
