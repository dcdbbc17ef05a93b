"""What is summed over customers, block by block: spend, hours, capacity and plan need no customer's name."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.data.simulation import acquisition, catalogue, organisation
from crmlib.data.simulation.block import Block
from crmlib.data.simulation.labels import Rows
from crmlib.data.simulation.rows_of_service import case_minutes
from crmlib.data.simulation.world import World


class Totals:
    """Sums by month of all blocks that were added."""

    def __init__(self, world: World) -> None:
        self.world = world
        months = len(world.months)
        sizes = (months, len(catalogue.CHANNELS), len(catalogue.MARKETS), len(catalogue.PRODUCT_TYPES))
        self.leads = np.zeros(sizes)
        self.revenue, self.orders, self.service, self.joined = (np.zeros(months) for _ in range(4))
        self.worked: list[pd.DataFrame] = []

    def add(self, block: Block, tables: dict[str, Rows]) -> None:
        """Add a block."""
        world, people = self.world, block.people
        leads = tables["leads"]
        month = self._month(leads["created"])
        channel = _place(leads["channel"], catalogue.CHANNEL_NAMES)
        market = _place(leads["market"], catalogue.MARKETS)
        kind = _place(leads["product_type"], catalogue.PRODUCT_TYPES)
        np.add.at(self.leads, (month, channel, market, kind), 1)
        bought = tables["transactions"]
        size = len(self.revenue)
        self.revenue += np.bincount(self._month(bought["date"]), bought["amount"], minlength=size)
        inside = block.orders.day < world.days
        self.orders += np.bincount(world.month(block.orders.day[inside]), minlength=size)
        self.joined += np.bincount(world.month(people.join), minlength=size)
        self._add_hours(block, leads, month)

    def _add_hours(self, block: Block, leads: Rows, month: np.ndarray) -> None:
        world, asked = self.world, block.cases
        row = block.orders.row[asked.order]
        inside = (asked.opened < world.days) & (asked.opened < block.left[row])
        row, day = row[inside], asked.opened[inside]
        hours = case_minutes(world, block)[inside] / 60
        self.service += np.bincount(world.month(day), hours, minlength=len(self.service))
        index = block.people.index[row]
        selling = pd.notna(leads["considered_on"])
        self._book(leads["employee_id"], month, np.where(selling, "selling", "prospecting"), leads["hours"])
        self._book(organisation.employee(world, "service", index, day), world.month(day), "service", hours)
        given = block.promises
        at, which = np.nonzero((given.made < world.days) & (given.made < block.left[:, None]))
        made = given.made[at, which]
        who = organisation.employee(world, "account management", block.people.index[at], made)
        self._book(who, world.month(made), "account management", np.full(len(at), 0.4))

    def _book(self, employee: np.ndarray, month: np.ndarray, activity: object, hours: np.ndarray) -> None:
        frame = pd.DataFrame({"employee_id": employee, "month": month, "activity": activity, "hours": hours})
        self.worked.append(frame.groupby(["employee_id", "month", "activity"], as_index=False)["hours"].sum())

    def _month(self, date: np.ndarray) -> np.ndarray:
        return (date.astype("datetime64[M]") - self.world.months[0]).astype(int)

    def tables(self, n_customers: int) -> dict[str, pd.DataFrame]:
        """The tables of the firm as a whole."""
        world = self.world
        spend = pd.DataFrame(acquisition.spend(world, self.leads))
        spent = np.bincount(
            self._month(spend["date"].to_numpy()), spend["amount"], minlength=len(self.revenue)
        )
        return {
            "marketing_spend": spend,
            "network_partners": organisation.partners(world),
            "staff_hours": organisation.staff_hours(world, pd.concat(self.worked), n_customers),
            "capacity": organisation.capacity(world, self.orders, self.service),
            "budget": organisation.budget(world, self.revenue, spent, self.joined),
            "maturity_scores": organisation.maturity_scores(world),
        }


def _place(values: np.ndarray, words: object) -> np.ndarray:
    return pd.Index(list(words)).get_indexer(values)  # type: ignore[call-overload]
