"""A block of customers as rows of the tables that a firm supplies."""

from __future__ import annotations

import numpy as np

from crmlib.simulation import acquisition, catalogue, loyalty, messages, organisation, surveys
from crmlib.simulation.acquisition import Leads
from crmlib.simulation.block import Block
from crmlib.simulation.customers import People
from crmlib.simulation.labels import MARKETS, TYPES, Rows, numbered, order_ids
from crmlib.simulation.persons import (
    SECOND_ID_OFFSET,
    UNDER_SECOND_ID,
    Persons,
    customer_ids,
    persons,
)
from crmlib.simulation.purchases import RESTOCKED
from crmlib.simulation.rows_of_customers import customers
from crmlib.simulation.rows_of_service import service_cases, touchpoints
from crmlib.simulation.subscriptions import subscription_rows
from crmlib.simulation.world import World, only_where

_CATEGORIES = np.array(catalogue.CATEGORIES, dtype=object)
_GRADES = np.array(catalogue.GRADES, dtype=object)
_SALES_CHANNELS = np.array(catalogue.SALES_CHANNELS, dtype=object)


def block_tables(world: World, block: Block, prospects: People, leads: Leads) -> dict[str, Rows]:
    """The tables that have rows of customers; what is summed over customers is left to `Totals`."""
    known = persons(world, block.people)
    buyer = _buyers(world, block, known)
    return {
        "transactions": _transactions(world, block, buyer),
        "customers": customers(world, block, known),
        "touchpoints": touchpoints(world, block, known, prospects, leads),
        "service_cases": service_cases(world, block, buyer),
        "leads": _leads(world, known, prospects, leads),
        "subscriptions": _subscriptions(world, block, known),
        "loyalty_ledger": _ledger(world, block, known),
        "surveys": _surveys(world, block, known),
        "experiments": _experiments(world, block, known),
    }


def _buyers(world: World, block: Block, known: Persons) -> np.ndarray:
    """Under which id each order was made: at times the customer's second one, but not the first time."""
    found = block.orders
    who = block.people.index[found.row]
    other = known.has_second[found.row] & (found.number > 0)
    other &= world.streams.uniform("under second id", who, found.number) < UNDER_SECOND_ID
    ids = known.customer_id[found.row]
    ids[other] = customer_ids(who[other] + SECOND_ID_OFFSET)
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
    suffix = np.array([f"-{number + 1}" for number in range(8)], dtype=object)[held.number[both]]
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
        "cost": np.round(np.where(is_return, -RESTOCKED, 1.0) * held.cost[both], 2),
        "discount": np.where(is_return, 0.0, held.discount[both]),
        "channel": _SALES_CHANNELS[kind, where.astype(int)],
        "market": MARKETS[people.market[row]],
        "currency": np.full(len(both), catalogue.CURRENCY, dtype=object),
        "returned": is_return,
    }


def _leads(world: World, known: Persons, people: People, found: Leads) -> Rows:
    mine = people.take(found.row)
    index, is_customer = mine.index, (found.number == 0) & (found.row < len(known.customer_id))
    reason = acquisition.LOST_REASONS[
        (4 * world.streams.uniform("lost reason", index, found.number)).astype(int)
    ]
    return {
        "lead_id": numbered("L", index, found.number),
        "created": world.date(found.created),
        "channel": catalogue.CHANNEL_NAMES[mine.channel],
        "market": MARKETS[mine.market],
        "product_type": TYPES[mine.kind],
        "partner_id": acquisition.partner(world, index, mine.channel),
        "interested_on": world.date(found.interested),
        "considered_on": world.date(found.considered),
        "activated_on": world.date(found.activated),
        "won_on": world.date(found.won),
        "lost_on": world.date(found.lost),
        "lost_reason": only_where(np.isfinite(found.lost), reason),
        "customer_id": only_where(is_customer, known.customer_id[np.where(is_customer, found.row, 0)]),
        "won_from": found.rival,
        "employee_id": organisation.employee(world, "selling", index, found.created),
        "hours": found.hours,
    }


def _subscriptions(world: World, block: Block, known: Persons) -> Rows:
    found = subscription_rows(world, block.people, block.contracts)
    row = found["row"]
    return {
        "customer_id": known.customer_id[row],
        "subscription_id": numbered("A", block.people.index[row], np.ones(len(row), int)),
        "start": world.date(found["start"]),
        "end": world.date(found["end"]),
        "price_per_month": found["price_per_month"],
        "plan": found["plan"],
        "end_reason": found["end_reason"],
        "market": MARKETS[block.people.market[row]],
        "product_type": TYPES[block.people.kind[row]],
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
