"""What is summed over customers, block by block: spend, hours, capacity and plan need no customer's name."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.simulation import acquisition, catalogue, messages, organisation
from crmlib.simulation.acquisition import Leads
from crmlib.simulation.block import Block
from crmlib.simulation.customers import People
from crmlib.simulation.labels import Rows
from crmlib.simulation.rows_of_service import case_minutes
from crmlib.simulation.world import World


class Totals:
    """Sums by month of all blocks that were added."""

    def __init__(self, world: World) -> None:
        self.world = world
        months = len(world.months)
        sizes = (months, len(catalogue.CHANNELS), len(catalogue.MARKETS), len(catalogue.PRODUCT_TYPES))
        self.leads = np.zeros(sizes)
        self.revenue, self.orders, self.service, self.joined = (np.zeros(months) for _ in range(4))
        self.worked: list[organisation.Hours] = []

    def add(self, block: Block, known: People, leads: Leads, bought: Rows) -> None:
        """Add a block: its leads and its rows of the purchase log."""
        world, people, size = self.world, block.people, len(self.revenue)
        row = leads.row
        place = (world.month(leads.created), known.channel[row], known.market[row], known.kind[row])
        np.add.at(self.leads, place, 1)
        month = (bought["date"].astype("datetime64[M]") - world.months[0]).astype(int)
        self.revenue += np.bincount(month, bought["amount"], minlength=size)
        inside = block.orders.day < world.days
        self.orders += np.bincount(world.month(block.orders.day[inside]), minlength=size)
        self.joined += np.bincount(world.month(people.join), minlength=size)
        self._add_hours(block, known, leads)

    def _add_hours(self, block: Block, known: People, leads: Leads) -> None:
        world, asked, people = self.world, block.cases, block.people
        index = known.index[leads.row]
        sold = np.isfinite(leads.considered)
        for activity, mine in (("selling", sold), ("prospecting", ~sold)):
            self._add_worked(activity, index[mine], leads.created[mine], leads.hours[mine])
        row = block.orders.row[asked.order]
        inside = (asked.opened < world.days) & (asked.opened < block.left[row])
        hours = case_minutes(world, block)[inside] / 60
        self.service += np.bincount(world.month(asked.opened[inside]), hours, minlength=len(self.service))
        self._add_worked("service", people.index[row[inside]], asked.opened[inside], hours)
        given = block.promises
        at, which = np.nonzero((given.made < world.days) & (given.made < block.left[:, None]))
        self._add_worked("account management", people.index[at], given.made[at, which], np.full(len(at), 0.4))
        at, day = messages.calls(world, people)
        hours = np.full(len(at), messages.CALL_MINUTES / 60)
        self._add_worked("account management", people.index[at], day, hours)

    def _add_worked(self, activity: str, index: np.ndarray, day: np.ndarray, hours: np.ndarray) -> None:
        code = organisation.seat_code(self.world, activity, index, day)
        self.worked.append(organisation.sum_hours(activity, code, self.world.month(day), hours))

    def tables(self, n_candidates: int) -> dict[str, pd.DataFrame]:
        """The tables of the firm as a whole."""
        world = self.world
        spend = pd.DataFrame(acquisition.spend(world, n_candidates, self.leads))
        spent = spend.groupby("date")["amount"].sum().reindex(world.months, fill_value=0.0).to_numpy()
        return {
            "marketing_spend": spend,
            "network_partners": organisation.partners(world),
            "staff_hours": organisation.staff_hours(world, self.worked, n_candidates),
            "capacity": organisation.capacity(world, self.orders, self.service),
            "budget": organisation.budget(world, self.revenue, spent, self.joined),
            "maturity_scores": organisation.maturity_scores(world),
            "hypotheses": organisation.hypotheses(world),
        }
