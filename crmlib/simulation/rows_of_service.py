"""The tables of contacts and of service cases."""

from __future__ import annotations

from typing import Any

import numpy as np

from crmlib.simulation import messages, service
from crmlib.simulation.acquisition import Leads, path
from crmlib.simulation.block import Block
from crmlib.simulation.customers import People
from crmlib.simulation.labels import Rows, numbered, order_ids
from crmlib.simulation.messages import OFFER_COST
from crmlib.simulation.persons import Persons
from crmlib.simulation.world import World


def touchpoints(world: World, block: Block, known: Persons, prospects: People, leads: Leads) -> Rows:
    """One row per contact, by customer and day, and then those on the paths of prospects."""
    parts = messages.touchpoints(world, block)
    sizes = [len(part["row"]) for part in parts]

    def column(name: str, missing: Any, dtype: Any) -> np.ndarray:
        """One column over all parts; a single value stands for a whole part."""
        return np.concatenate(
            [np.full(size, missing, dtype) if part.get(name) is None else np.broadcast_to(
                np.asarray(part[name], dtype), size) for part, size in zip(parts, sizes, strict=True)]
        )  # fmt: skip

    row, day = column("row", 0, int), column("day", np.nan, float)
    order = np.lexsort((day, row))
    row, day = row[order], day[order]
    kind = column("kind", None, object)[order]
    nth = np.arange(len(row)) - np.searchsorted(row, row)
    contacts = {
        "touchpoint_id": numbered("T", block.people.index[row], nth),
        "customer_id": known.customer_id[row],
        "date": world.moment(np.where(kind == "question", day, np.floor(day))),
        "channel": column("channel", None, object)[order],
        "kind": kind,
        "direction": column("direction", None, object)[order],
        "response": column("response", None, object)[order],
        "replied_at": world.moment(column("replied_at", np.nan, float)[order]),
        "customised": column("customised", False, bool)[order],
        "fields_learned": column("fields_learned", 0.0, float)[order],
        "minutes": column("minutes", 0.0, float)[order],
        "cost": column("cost", 0.0, float)[order],
        "promise_due": world.date(column("promise_due", np.nan, float)[order]),
        "promise_kept_on": world.date(column("promise_kept_on", np.nan, float)[order]),
        "lead_id": np.full(len(row), None, object),
    }
    paths = _paths(world, prospects, leads, len(block.people))
    missing = {"O": None, "f": 0.0, "b": False, "M": np.datetime64("NaT", "us")}
    size = len(paths["lead_id"])
    return {
        name: np.concatenate(
            [values, paths.get(name, np.full(size, missing[values.dtype.kind], values.dtype))]
        )
        for name, values in contacts.items()
    }


def _paths(world: World, prospects: People, leads: Leads, n_customers: int) -> Rows:
    """The channels that brought each prospect, whether or not a customer came of it."""
    found = path(world, prospects, leads, n_customers)
    lead = numbered("L", prospects.index[leads.row], leads.number)[found["lead"]]
    nth = np.array([f"-{number}" for number in range(8)], dtype=object)[found["nth"]]
    return {
        "touchpoint_id": lead + nth,
        "lead_id": lead,
        "date": world.date(found["day"]),
        "channel": np.where(found["offer"], "e-mail", found["channel"]).astype(object),
        "kind": np.where(found["offer"], "offer", "visit").astype(object),
        "direction": np.where(found["offer"], "out", "in").astype(object),
        "cost": np.where(found["offer"], OFFER_COST, 0.0),
    }


def case_minutes(world: World, block: Block) -> np.ndarray:
    """Minutes that each case took; those of demanding customers take longer."""
    asked = block.cases
    row = block.orders.row[asked.order]
    mean = service.MINUTES[asked.kind] * np.sqrt(block.people.demanding[row])
    return np.round(mean * world.streams.exponential("minutes", block.people.index[row], asked.slot), 1)


def service_cases(world: World, block: Block, buyer: np.ndarray) -> Rows:
    """One row per case, under the id of its order."""
    asked, found, streams = block.cases, block.orders, world.streams
    row = found.row[asked.order]
    who = block.people.index[row]
    inside = np.flatnonzero((asked.opened < world.days) & (asked.opened < block.left[row]))
    outlay = service.OUTLAY[asked.kind] * streams.exponential("outlay", who, asked.slot)
    theme = np.array(service.THEMES)[asked.kind, (4 * streams.uniform("theme", who, asked.slot)).astype(int)]
    which = (streams.uniform("case channel", who, asked.slot) * len(service.CHANNELS)).astype(int)
    contacts = 1 + streams.geometric("contacts", who, asked.slot, 0.5 * np.sqrt(block.people.demanding[row]))
    replied, closed = (np.where(day < world.days, day, np.nan) for day in (asked.first_reply, asked.closed))
    public = (asked.kind == 1) & (streams.uniform("public", who, asked.slot) < 0.15)
    table = {
        "case_id": numbered("S", who, asked.slot),
        "customer_id": buyer[asked.order],
        "opened": world.moment(asked.opened),
        "first_reply": world.moment(replied),
        "closed": world.moment(closed),
        "channel": service.CHANNELS[which],
        "kind": service.KINDS[asked.kind],
        "theme": theme,
        "order_id": order_ids(block, asked.order),
        "contacts": contacts.astype(float),
        "minutes": case_minutes(world, block),
        "cost": np.round(outlay, 2),
        "public": public | ((asked.kind == 1) & (which == 2)),
    }
    return {name: values[inside] for name, values in table.items()}
