"""Words and numbers that tables show for what is counted inside."""

from __future__ import annotations

import numpy as np

from crmlib.simulation import catalogue
from crmlib.simulation.block import Block

Rows = dict[str, np.ndarray]
MARKETS = np.array(catalogue.MARKETS, dtype=object)
TYPES = np.array(catalogue.PRODUCT_TYPES, dtype=object)


def order_ids(block: Block, order: np.ndarray) -> np.ndarray:
    """The orders' own numbers."""
    found = block.orders
    who = (block.people.index[found.row[order]] + 1).tolist()
    ids = np.empty(len(order), dtype=object)
    ids[:] = [
        f"O{person:07d}-{nth:03d}" for person, nth in zip(who, found.number[order].tolist(), strict=True)
    ]
    return ids


def numbered(letter: str, index: np.ndarray, slot: np.ndarray) -> np.ndarray:
    """Numbers of a person's contacts, cases, leads or contracts."""
    who = (index + 1).tolist()
    ids = np.empty(len(who), dtype=object)
    ids[:] = [f"{letter}{person:07d}-{nth}" for person, nth in zip(who, slot.tolist(), strict=True)]
    return ids
