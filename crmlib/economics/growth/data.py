"""The tables of growth, reduced in the engine: what was bought in which order, and customers by their first one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_choice, check_range
from crmlib.customers._log import fetch, with_ids_of
from crmlib.data.sources import open_optional
from crmlib.economics.firm import FirmTables

NONE, ALL_TYPES = "(none)", "all"
USED, SELF, UNKNOWN = "used", "a customer who recommended themselves", "a referrer who is no customer"
CYCLE, LATER = "a cycle: each was brought by the other", "a referrer who joined later"
NO_DATE = "a date that is not known"
PROBLEMS = (SELF, UNKNOWN, CYCLE, NO_DATE, LATER)
BY = ("recommender_type", "referral_offer")
OF_LOG = ("category", "product", "channel", "market", "code", "coupon", "campaign")


@dataclass(frozen=True, repr=False, eq=False)
class GrowthData(FirmTables):
    """A firm's tables of growth as of a day; see `Growth` for the fields."""

    transactions: Any
    as_of: Any
    customers: Any = None
    subscriptions: Any = None
    loyalty_ledger: Any = None
    surveys: Any = None
    touchpoints: Any = None
    item: str | None = None
    within_days: int = 365
    margin: float | None = None
    new_from: Any = None
    currency: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("within_days", self.within_days, "a number of days from 1", least=1)
        check_choice("item", self.item, self.log.columns)

    @cached_property
    def product(self) -> str:
        """The column that names what was bought: the requested one, else `product` or `category`; empty without any."""
        return self.item or next((name for name in ("product", "category") if name in self.log.columns), "")

    @cached_property
    def group(self) -> str:
        """The coarse column that names what was bought: the requested one, else `category`, else `product`."""
        return self.item or next((name for name in ("category", "product") if name in self.log.columns), "")

    @property
    def no_product(self) -> str:
        """Why what was bought is not known; empty where it is."""
        return "" if self.product else "the log names no product or category"

    def baskets(self, column: str) -> ibis.Table:
        """What each order held, each `item` once: `customer_id`, `order`, `day`, `item`."""
        rows = self.rows.filter(_.counted & _[column].notnull())
        return rows.group_by("customer_id", "order", item=rows[column].cast("string")).agg(day=_.day.min())

    @cached_property
    def lines_of_business(self) -> ibis.Table | None:
        """Customers with the number of their `product_type`, `line`; None where it is not known."""
        table = open_optional(self.customers)
        if table is None or "product_type" not in table.columns:
            return None
        known = with_ids_of(self.log, table.filter(table.product_type.notnull()))
        known = known.group_by("customer_id").agg(kind=known.product_type.cast("string").min())
        return known.mutate(line=ibis.dense_rank().over(order_by=known.kind).cast("int64") + 1).drop("kind")

    def with_line_of_business(self, rows: ibis.Table) -> ibis.Table:
        """Rows with the number of their customer's line of business, `line`: 0 where it is not known."""
        if self.lines_of_business is None:
            return rows.mutate(line=ibis.literal(0, "int64"))
        joined = rows.left_join(self.lines_of_business, "customer_id").drop("customer_id_right")
        return joined.mutate(line=joined.line.fill_null(0))

    @cached_property
    def values(self) -> pd.DataFrame:
        """New customers: `customer_id`, `born`, `worth` within `within_days`, `later` (after the first day), `again`
        (came back within them) and `lived` (old enough to have lived them).
        """
        rows = self.rows.inner_join(self.new_customers, "customer_id")
        age = ibis.greatest(rows.day.delta(rows.born, unit="day"), 0)
        soon = age < self.within_days
        found = fetch(
            rows.group_by("customer_id", "born").agg(
                worth=rows.worth.sum(where=soon).fill_null(0.0), orders=rows.order.nunique(where=soon & rows.counted),
                later=rows.worth.sum(where=soon & (age > 0)).fill_null(0.0),
                again=(soon & (age > 0) & rows.counted).any().fill_null(False), total=rows.worth.sum(),
            )
        )  # fmt: skip
        found["born"] = pd.to_datetime(found["born"])
        lived = found["born"] <= pd.Timestamp(self.day) - pd.Timedelta(self.within_days, "D")
        found = found.assign(lived=lived, customer_id=found["customer_id"].astype(str))
        return found.sort_values("customer_id", ignore_index=True)

    @property
    def known_long(self) -> pd.DataFrame:
        """Of `values` those old enough, by customer."""
        return self.values[self.values["lived"]].set_index("customer_id")

    @cached_property
    def first_orders(self) -> pd.DataFrame:
        """What was known of a customer with the first order: the main value of each column, by the money paid."""
        rows = self.rows.inner_join(self.new_customers, "customer_id").filter(_.counted & (_.day == _.born))
        known = [name for name in dict.fromkeys([*OF_LOG, self.group]) if name in rows.columns]
        main = {name: rows[name].cast("string").argmax(rows.amount) for name in known}
        if "discount" in rows.columns:
            discounted = (rows.discount > 0).any().fill_null(False)
            main["discount"] = ibis.ifelse(discounted, "with a discount", "without")
        found = fetch(rows.group_by("customer_id").agg(rows=_.count(), **main)).drop(columns="rows")
        return _by_customer(found)

    @cached_property
    def known_customers(self) -> pd.DataFrame:
        """The customers' table, one row per id, ids as the log has them; without rows where there is none."""
        table = open_optional(self.customers)
        if table is None:
            return pd.DataFrame({"customer_id": pd.Series(dtype=str)}).set_index("customer_id")
        return _by_customer(self._of_somebody(table).to_pandas().drop_duplicates("customer_id"))

    def by_product_type(self, rows: pd.DataFrame, ids: Any) -> list[tuple[str, pd.DataFrame]]:
        """All rows, and those of the customers (`ids`) of each product type, where several are noted."""
        table = self.known_customers
        noted = table["product_type"].dropna() if "product_type" in table else pd.Series(dtype=object)
        kind = noted.astype(str).reindex(ids).to_numpy()
        return [(ALL_TYPES, rows), *(rows.groupby(kind) if noted.nunique() > 1 else ())]

    @cached_property
    def joined(self) -> pd.Series:
        """The day on which each customer joined, as noted; else that of the first order."""
        table = self.known_customers
        noted = pd.to_datetime(table["joined"]) if "joined" in table else pd.Series(pd.NaT, index=table.index)
        born = self.values.set_index("customer_id")["born"]
        both = noted.reindex(noted.index.union(born.index))
        return both.fillna(born.reindex(both.index)).dt.normalize()

    @cached_property
    def links(self) -> pd.DataFrame:
        """One row per customer of whom a referrer is noted: `referrer_id`, `joined`, what was noted, and a `problem`.

        Each link has one problem at most, the first of: themselves, no customer, a cycle, a date, joined later.
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        table = self.known_customers
        names = ["referrer_id", *BY, "joined", "referrer_joined", "problem"]
        if "referrer_id" not in table or table["referrer_id"].isna().all():
            return pd.DataFrame(columns=names)
        found = table[table["referrer_id"].notna()].reindex(columns=["referrer_id", *BY])
        found["referrer_id"] = found["referrer_id"].astype(str)
        found["joined"] = self.joined.reindex(found.index)
        found["referrer_joined"] = found["referrer_id"].map(self.joined)
        ids = pd.Index(np.unique([*found.index, *found["referrer_id"]]))
        ends = ids.get_indexer(found.index), ids.get_indexer(found["referrer_id"])
        graph = csr_array((np.ones(len(found)), ends), shape=(len(ids), len(ids)))
        ring = connected_components(graph, connection="strong")[1]
        sizes = np.bincount(ring)
        # A link is of the cycle where both its ends are; who was brought by one of them is not.
        inside = (ring[ends[0]] == ring[ends[1]]) & (sizes[ring[ends[0]]] > 1)
        own = found["referrer_id"] == found.index
        absent = ~found["referrer_id"].isin(self.joined.index)
        undated = found["joined"].isna() | found["referrer_joined"].isna()
        later = found["referrer_joined"] > found["joined"]
        problems = [own, absent, pd.Series(inside, index=found.index), undated, later]
        found["problem"] = np.select(problems, PROBLEMS, USED)
        return found[names].sort_index()

    def of_table(self, table: Any, *columns: str) -> pd.DataFrame:
        """Columns of an optional table by customer as the log has them; without rows where it is missing.

        What the table lacks is empty; rows of nobody, as of contacts with prospects, are left out.
        """
        rows = open_optional(table)
        if rows is None:
            return pd.DataFrame(columns=["customer_id", *columns])
        there = [name for name in columns if name in rows.columns]
        found = self._of_somebody(rows).select("customer_id", *there).to_pandas()
        return found.reindex(columns=["customer_id", *columns])

    def _of_somebody(self, table: ibis.Table) -> ibis.Table:
        # As text before pandas sees them: a whole number beside a gap would become a fraction.
        rows = with_ids_of(self.log, table).filter(_.customer_id.notnull())
        return rows.mutate(customer_id=rows.customer_id.cast("string"))


def _by_customer(found: pd.DataFrame) -> pd.DataFrame:
    return found.assign(customer_id=found["customer_id"].astype(str)).set_index("customer_id").sort_index()
