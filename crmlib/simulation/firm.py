"""A firm as pieces of tables: block after block of customers, then what is summed over all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crmlib.data.contracts import CONTRACTS
from crmlib.simulation import acquisition
from crmlib.simulation.block import blocks, candidates
from crmlib.simulation.effects import check_effects
from crmlib.simulation.labels import Rows
from crmlib.simulation.rows import block_tables
from crmlib.simulation.settings import Simulation
from crmlib.simulation.streams import Streams
from crmlib.simulation.totals import Totals
from crmlib.simulation.world import World


def world_of(settings: Simulation) -> World:
    """The world in which a firm lives."""
    seed = settings.random_state
    return World(settings.years, seed, check_effects(settings.effects), Streams(seed))


def pieces(settings: Simulation) -> Iterator[tuple[str, Rows]]:
    """Every table in pieces, with its contract's columns in the contract's order."""
    world = world_of(settings)
    totals = Totals(world)
    for block in blocks(world, settings.n_customers):
        known = acquisition.known_people(block)
        leads = acquisition.leads(world, block, known)
        tables = block_tables(world, block, known, leads)
        totals.add(block, known, leads, tables["transactions"])
        yield from ((name, _in_order(name, columns)) for name, columns in tables.items())
    for name, frame in totals.tables(candidates(settings.n_customers)).items():
        yield name, _in_order(name, {column: frame[column].to_numpy() for column in frame})


def _in_order(name: str, columns: Rows) -> dict[str, np.ndarray]:
    return {column: columns[column] for column in CONTRACTS[name].names if column in columns}
