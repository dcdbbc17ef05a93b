"""The tables that tests of claims need, and what was known of a customer on a day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.economics.growth.data import NONE, GrowthData

if TYPE_CHECKING:
    from crmlib.study import Study

FEWEST = 50  # customers, below which nothing is compared
YEAR, COMPLAINT_DAYS = 365, 180
_TABLES = (
    "customers subscriptions surveys touchpoints leads marketing_spend service_cases capacity experiments"
)


@dataclass(frozen=True, repr=False, eq=False)
class ClaimData(GrowthData):
    """A firm's tables as of a day; `costs` are the study's rates.

    `marginal_cac` and `rivals_apart` are what chapter 8 has published.
    """

    leads: Any = None
    marketing_spend: Any = None
    service_cases: Any = None
    capacity: Any = None
    experiments: Any = None
    marginal_cac: pd.DataFrame | None = None
    rivals_apart: pd.DataFrame | None = None
    costs: Any = None

    @classmethod
    def of(cls, study: Study) -> Self:
        """The tables of a study."""
        known: dict[str, Any] = {name: study.table(name) for name in _TABLES.split()}
        known |= {name: study.published(name) for name in ("marginal_cac", "rivals_apart")}
        known |= dict(margin=study.margin, new_from=study.new_customers_known_from, currency=study.currency)
        return cls(study.transactions, study.as_of, **known, costs=study.costs)

    @cached_property
    def kinds(self) -> pd.DataFrame:
        """Market and line of business of each customer, "(none)" where they are not known."""
        table = self.known_customers.reindex(columns=["market", "product_type"])
        return table.astype(object).where(table.notna(), NONE).astype(str)

    @cached_property
    def complaints(self) -> pd.DataFrame:
        """`customer_id` and the day of each complaint, `opened`."""
        cases = self.of_table(self.service_cases, "opened", "kind")
        cases = cases.assign(opened=pd.to_datetime(cases["opened"]))
        return cases.loc[cases["kind"] == "complaint", ["customer_id", "opened"]]

    def last(self, days: int) -> pd.Timestamp:
        """The last day that is followed by `days` known days."""
        return pd.Timestamp(self.day) - pd.Timedelta(days, "D")

    def around(self, events: pd.DataFrame, after: int) -> pd.DataFrame:
        """Events (`customer_id, date`, one per customer) with what was known that day, and what came after.

        `orders` and `worth` of the year before, `recency` and `tenure` in days (missing where nothing was bought yet),
        `complaints` of 180 days, `market, product_type`; `again`: whether they bought within `after` days.
        """
        events = events.assign(date=events["date"].dt.normalize().astype("datetime64[us]"))
        asked = ibis.memtable(events[["customer_id", "date"]].reset_index(drop=True))
        rows = self.rows.mutate(customer_id=self.rows.customer_id.cast("string"))
        rows = rows.inner_join(asked.select("customer_id", at=asked.date.cast("date")), "customer_id")
        age = rows.day.delta(rows["at"], unit="day")
        rows = rows.mutate(age=age, past=age <= 0, year=(age <= 0) & (age > -YEAR))
        found = fetch(
            rows.group_by("customer_id").agg(
                orders=_.order.nunique(where=_.year & _.counted), worth=_.worth.sum(where=_.year).fill_null(0.0),
                recency=-_.age.max(where=_.past & _.counted), tenure=-_.age.min(where=_.past & _.counted),
                again=((_.age > 0) & (_.age <= after) & _.counted).any().cast("float64"),
            )
        )  # fmt: skip
        found = events.merge(found.assign(customer_id=found["customer_id"].astype(str)), on="customer_id")
        both = self.complaints.merge(found[["customer_id", "date"]], on="customer_id")
        days = (both["date"] - both["opened"]).dt.days
        recent = both[(days >= 0) & (days < COMPLAINT_DAYS)].groupby("customer_id").size()
        found = found.assign(complaints=found["customer_id"].map(recent).fillna(0.0))
        return found.join(self.kinds, on="customer_id").fillna({"market": NONE, "product_type": NONE})


def controls(found: pd.DataFrame, *names: str) -> np.ndarray:
    """Control variables: these columns in logarithms, the market and the line of business."""
    logs = [np.sign(found[name]) * np.log1p(found[name].abs().astype(float)) for name in names]
    groups = pd.get_dummies(found[["market", "product_type"]], drop_first=True, dtype=float)
    return np.column_stack([*logs, groups.to_numpy()]) if logs else groups.to_numpy()


BASELINE = ("tenure", "recency", "orders", "worth", "complaints")
