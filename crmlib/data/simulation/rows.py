"""A block of customers as rows of the tables that a firm supplies."""

from __future__ import annotations

from typing import Any

import numpy as np

from crmlib.data.simulation import acquisition, catalogue, loyalty, messages, organisation, service, surveys
from crmlib.data.simulation.block import Block
from crmlib.data.simulation.persons import Persons, customer_ids, persons
from crmlib.data.simulation.referrals import TYPE_SHARES, TYPES
from crmlib.data.simulation.subscriptions import subscription_rows
from crmlib.data.simulation.expectations import contribution_per_year
from crmlib.data.simulation.world import World

Rows = dict[str, np.ndarray]
_MARKETS = np.array(catalogue.MARKETS, dtype=object)
_TYPES = np.array(catalogue.PRODUCT_TYPES, dtype=object)
_CATEGORIES = np.array(catalogue.CATEGORIES, dtype=object)
_GRADES = np.array(catalogue.GRADES, dtype=object)
_SALES_CHANNELS = np.array(catalogue.SALES_CHANNELS, dtype=object)
_MANAGED = (2, 3)  # product types whose customers have an account manager


def block_tables(world: World, block: Block) -> dict[str, Rows]:
    """The tables that have rows of customers; what is summed over customers is left to `Totals`."""
    known = persons(world, block.people)
    buyer = _buyers(world, block, known)
    won = acquisition.won_leads(world, block.people, block.orders, block.left)
    return {
        "transactions": _transactions(world, block, buyer),
        "customers": _customers(world, block, known),
        "touchpoints": _touchpoints(world, block, known),
        "service_cases": _service_cases(world, block, buyer),
        "leads": _leads(world, block, known, won),
        "subscriptions": _subscriptions(world, block, known),
        "loyalty_ledger": _ledger(world, block, known),
        "surveys": _surveys(world, block, known),
        "experiments": _experiments(world, block, known),
    }


def _buyers(world: World, block: Block, known: Persons) -> np.ndarray:
    """Under which id each order was made: at times the customer's second one, but not the first time."""
    found = block.orders
    who = block.people.index[found.row]
    from crmlib.data.simulation.persons import SECOND_ID_OFFSET, UNDER_SECOND_ID

    other = known.has_second[found.row] & (found.number > 0)
    other &= world.streams.uniform("under second id", who, found.number) < UNDER_SECOND_ID
    ids = known.customer_id[found.row]
    ids[other] = customer_ids(who[other] + SECOND_ID_OFFSET)
    return ids


def order_ids(block: Block, order: np.ndarray) -> np.ndarray:
    """The orders' own numbers."""
    found = block.orders
    who = (block.people.index[found.row[order]] + 1).tolist()
    ids = np.empty(len(order), dtype=object)
    ids[:] = [f"O{one:07d}-{nth:03d}" for one, nth in zip(who, found.number[order].tolist(), strict=True)]
    return ids


def _transactions(world: World, block: Block, buyer: np.ndarray) -> Rows:
    people, found, held = block.people, block.orders, block.lines
    line = np.flatnonzero(found.day[held.order] < world.days)
    back = line[held.returned[line] < world.days]
    both, sign = np.concatenate([line, back]), np.repeat([1.0, -1.0], [len(line), len(back)])
    order = held.order[both]
    row = found.row[order]
    kind, category = people.kind[row], held.category[both]
    where = world.streams.uniform("sales channel", people.index[row], found.number[order]) < 0.3
    ids = order_ids(block, order)
    suffix = np.array([f"-{one + 1}" for one in range(8)], dtype=object)[held.number[both]]
    is_return = sign < 0
    name = _CATEGORIES[kind, category]
    return {
        "customer_id": buyer[order],
        "date": world.date(np.where(is_return, held.returned[both], found.day[order])),
        "amount": sign * held.amount[both],
        "order_id": ids,
        "line_id": ids + suffix + np.where(is_return, "R", "").astype(object),
        "product": name + " " + _GRADES[held.grade[both]],
        "category": name,
        "quantity": held.quantity[both].astype(float),
        "unit_price": held.unit_price[both],
        "cost": np.round(np.where(is_return, -purchases_restocked(), 1.0) * held.cost[both], 2),
        "discount": np.where(is_return, 0.0, held.discount[both]),
        "channel": _SALES_CHANNELS[kind, where.astype(int)],
        "market": _MARKETS[people.market[row]],
        "currency": np.full(len(both), catalogue.CURRENCY, dtype=object),
        "returned": is_return,
    }


def purchases_restocked() -> float:
    """Share of the cost of goods that comes back with a return."""
    from crmlib.data.simulation.purchases import RESTOCKED

    return RESTOCKED


def _customers(world: World, block: Block, known: Persons) -> Rows:
    people, streams = block.people, world.streams
    index = people.index
    refused = np.zeros(len(people), bool)
    for trial in block.trials:
        refused |= np.isfinite(messages.unsubscribed(world, block, trial))
    managed = np.isin(people.kind, _MANAGED)
    last = np.full(len(people), float(world.days - 1))
    manager = organisation.employee(world, "account management", index, last)
    wallet = 1 / (1 + np.exp(-0.3 + 0.7 * people.restless - 0.4 * people.need))
    goal = streams.uniform("goal", index) < 1 / (1 + np.exp(-0.9 + 0.7 * people.restless))
    adoption = 1 / (1 + np.exp(-0.4 + 0.6 * people.restless - 0.8 * streams.normal("adoption", index)))
    plan = np.maximum(contribution_per_year(world, people), 0) * np.exp(
        0.4 * streams.normal("account plan", index)
    )
    recommender = TYPES[streams.choice("recommender", index, 0, TYPE_SHARES)]
    rival = catalogue.RIVALS[(3 * streams.uniform("rival", index)).astype(int)]
    table = {
        "customer_id": known.customer_id,
        "name": known.name,
        "email": known.email,
        "phone": known.phone,
        "birthday": people.birthday.astype("datetime64[D]").astype("datetime64[us]"),
        "consent": people.consent & ~refused,
        "birthday_consent": people.birthday_consent & people.consent & ~refused,
        "joined": world.date(people.join),
        "acquisition_channel": catalogue.CHANNEL_NAMES[people.channel],
        "partner_id": acquisition.partner(world, index, people.channel),
        "product_type": _TYPES[people.kind],
        "market": _MARKETS[people.market],
        "referrer_id": np.where(people.referrer >= 0, customer_ids(np.maximum(people.referrer, 0)), None),
        "recommender_type": np.where(people.referrer >= 0, recommender, None),
        "won_from": np.where(streams.uniform("rival", index, 1) < 0.25, rival, None),
        "manager_id": np.where(managed, manager, None),
        "share_of_wallet": np.round(wallet, 2),
        "goal_reached": goal,
        "adoption": np.round(adoption, 2),
        "planned_value": np.where(managed, np.round(plan, -1), np.nan),
    }
    return _with_second_ids(table, known)


def _with_second_ids(table: Rows, known: Persons) -> Rows:
    """Add a row for each second id: the same person, typed again, and little else."""
    second = {
        "customer_id": known.second_id,
        "name": known.second_name,
        "email": known.second_email,
        "phone": known.second_phone,
        "acquisition_channel": None,
        "partner_id": None,
        "referrer_id": None,
        "recommender_type": None,
        "won_from": None,
        "manager_id": None,
        "planned_value": np.nan,
        "consent": False,
        "birthday_consent": False,
    }
    found = {}
    for name, values in table.items():
        more = second.get(name, values[known.second_row])
        if not isinstance(more, np.ndarray):
            more = np.full(len(known.second_row), more, dtype=values.dtype)
        found[name] = np.concatenate([values, more])
    return found


def _numbered(letter: str, block: Block, row: np.ndarray, slot: np.ndarray) -> np.ndarray:
    who = (block.people.index[row] + 1).tolist()
    ids = np.empty(len(row), dtype=object)
    ids[:] = [f"{letter}{one:07d}-{nth}" for one, nth in zip(who, slot.tolist(), strict=True)]
    return ids


def _touchpoints(world: World, block: Block, known: Persons) -> Rows:
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
    nth = np.arange(len(row)) - np.searchsorted(row, row)
    return {
        "touchpoint_id": _numbered("T", block, row, nth),
        "customer_id": known.customer_id[row],
        "date": world.date(day),
        "channel": column("channel", None, object)[order],
        "kind": column("kind", None, object)[order],
        "direction": column("direction", None, object)[order],
        "response": column("response", None, object)[order],
        "replied_at": world.date(column("replied_at", np.nan, float)[order]),
        "customised": column("customised", False, bool)[order],
        "fields_learned": column("fields_learned", 0.0, float)[order],
        "minutes": column("minutes", 0.0, float)[order],
        "cost": column("cost", 0.0, float)[order],
        "promise_due": world.date(column("promise_due", np.nan, float)[order]),
        "promise_kept_on": world.date(column("promise_kept_on", np.nan, float)[order]),
    }


def case_minutes(world: World, block: Block) -> np.ndarray:
    """Minutes that each case took; those of demanding customers take longer."""
    asked = block.cases
    row = block.orders.row[asked.order]
    mean = service.MINUTES[asked.kind] * np.sqrt(block.people.demanding[row])
    return np.round(mean * world.streams.exponential("minutes", block.people.index[row], asked.slot), 1)


def _service_cases(world: World, block: Block, buyer: np.ndarray) -> Rows:
    asked, found, streams = block.cases, block.orders, world.streams
    row = found.row[asked.order]
    who = block.people.index[row]
    inside = np.flatnonzero((asked.opened < world.days) & (asked.opened < block.left[row]))
    outlay = service.OUTLAY[asked.kind] * streams.exponential("outlay", who, asked.slot)
    theme = np.array(service.THEMES)[asked.kind, (4 * streams.uniform("theme", who, asked.slot)).astype(int)]
    which = (streams.uniform("case channel", who, asked.slot) * len(service.CHANNELS)).astype(int)
    contacts = 1 + streams.geometric("contacts", who, asked.slot, 0.5 * np.sqrt(block.people.demanding[row]))
    known = lambda day: np.where(day < world.days, day, np.nan)  # noqa: E731
    public = (asked.kind == 1) & (streams.uniform("public", who, asked.slot) < 0.15)
    table = {
        "case_id": _numbered("S", block, row, asked.slot),
        "customer_id": buyer[asked.order],
        "opened": world.date(asked.opened),
        "first_reply": world.date(known(asked.first_reply)),
        "closed": world.date(known(asked.closed)),
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


def _leads(world: World, block: Block, known: Persons, won: Rows) -> Rows:
    lost = acquisition.lost_leads(world, block.people, won)
    both = {name: np.concatenate([won[name], lost[name]]) for name in won}
    row, channel = both["row"], both["channel"]
    index = block.people.index[row]
    reason = acquisition.LOST_REASONS[
        (4 * world.streams.uniform("lost reason", index, both["number"])).astype(int)
    ]
    return {
        "lead_id": _numbered("L", block, row, both["number"]),
        "created": world.date(both["created"]),
        "channel": catalogue.CHANNEL_NAMES[channel],
        "market": _MARKETS[block.people.market[row]],
        "product_type": _TYPES[block.people.kind[row]],
        "partner_id": acquisition.partner(world, index, channel),
        **{name: world.date(both[name]) for name in ("interested_on", "considered_on", "activated_on")},
        "won_on": world.date(both["won_on"]),
        "lost_on": world.date(both["lost_on"]),
        "lost_reason": np.where(np.isfinite(both["lost_on"]), reason, None),
        "customer_id": np.where(both["is_customer"], known.customer_id[row], None),
        "employee_id": organisation.employee(world, "selling", index, both["created"]),
        "hours": both["hours"],
    }


def _subscriptions(world: World, block: Block, known: Persons) -> Rows:
    found = subscription_rows(world, block.people, block.contracts)
    row = found["row"]
    return {
        "customer_id": known.customer_id[row],
        "subscription_id": _numbered("A", block, row, np.ones(len(row), int)),
        "start": world.date(found["start"]),
        "end": world.date(found["end"]),
        "price_per_month": found["price_per_month"],
        "plan": found["plan"],
        "end_reason": found["end_reason"],
        "market": _MARKETS[block.people.market[row]],
        "product_type": _TYPES[block.people.kind[row]],
    }


def _ledger(world: World, block: Block, known: Persons) -> Rows:
    inside = block.orders.day < world.days
    spend = np.bincount(block.lines.order, block.lines.amount, minlength=len(inside))
    found = loyalty.ledger(world, block.people, block.orders.take(inside), spend[inside], block.member_since)
    return {
        "customer_id": known.customer_id[found["row"]],
        "date": world.date(found["date"]),
        "kind": found["kind"],
        "points": found["points"],
        "amount": found["amount"],
    }


def _surveys(world: World, block: Block, known: Persons) -> Rows:
    found = surveys.answers(world, block)
    row = found.pop("row")
    dates = {name: world.date(found.pop(name)) for name in ("date", "followed_up_on")}
    return {"customer_id": known.customer_id[row], **dates, **found}


def _experiments(world: World, block: Block, known: Persons) -> Rows:
    parts = []
    for trial in block.trials:
        row = np.flatnonzero(trial.inside)
        size = len(row)
        parts.append(
            {
                "experiment": np.full(size, trial.name, dtype=object),
                "customer_id": known.customer_id[row],
                "assigned": world.date(trial.assigned[row]),
                "group": np.where(trial.treated[row], "treated", "control").astype(object),
                "kind": np.full(size, trial.kind, dtype=object),
                "cost": np.where(trial.treated[row], trial.cost, 0.0),
                "unsubscribed_on": world.date(messages.unsubscribed(world, block, trial)[row]),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
