"""The table of customers: what the firm knows of each, and of some of them twice."""

from __future__ import annotations

import numpy as np

from crmlib.simulation import acquisition, catalogue, messages, organisation, prospects
from crmlib.simulation.block import Block
from crmlib.simulation.expectations import contribution_per_year
from crmlib.simulation.labels import MARKETS, TYPES, Rows
from crmlib.simulation.persons import Persons, customer_ids
from crmlib.simulation.referrals import TYPE_SHARES
from crmlib.simulation.referrals import TYPES as RECOMMENDERS
from crmlib.simulation.world import World, only_where


def customers(world: World, block: Block, known: Persons) -> Rows:
    """One row per customer, then one per second id."""
    people, streams = block.people, world.streams
    index = people.index
    refused = np.zeros(len(people), bool)
    for trial in block.trials:
        refused |= np.isfinite(messages.unsubscribed(world, block, trial))
    managed = np.isin(people.kind, catalogue.MANAGED)
    last = np.full(len(people), float(world.days - 1))
    manager = organisation.employee(world, "account management", index, last)
    wallet = 1 / (1 + np.exp(-0.3 + 0.7 * people.restless - 0.4 * people.need))
    restless = world.effects["restless_moods"] * people.restless
    goal = streams.uniform("goal", index) < 1 / (1 + np.exp(-0.9 + 0.7 * restless - 0.8 * people.success))
    adoption = 1 / (
        1 + np.exp(-0.4 + 0.6 * restless - 0.5 * people.success - 0.8 * streams.normal("adoption", index))
    )
    plan = np.maximum(contribution_per_year(world, people), 0) * np.exp(
        0.4 * streams.normal("account plan", index)
    )
    recommender = RECOMMENDERS[streams.choice("recommender", index, 0, TYPE_SHARES)]
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
        "product_type": TYPES[people.kind],
        "market": MARKETS[people.market],
        "referrer_id": only_where(people.referrer >= 0, customer_ids(np.maximum(people.referrer, 0))),
        "recommender_type": only_where(people.referrer >= 0, recommender),
        "referral_offer": people.offered,
        "won_from": prospects.rivals(world, index),
        "manager_id": only_where(managed, manager),
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
        "referral_offer": False,
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
