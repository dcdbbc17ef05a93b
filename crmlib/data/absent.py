"""A table that a firm lacks is an empty one of its contract, and an empty one has measured nothing."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd

from crmlib.data.cleaning.values import HOW_READ
from crmlib.data.contracts.contract import Contract
from crmlib.data.sources import open_table


def empty_table(contract: Contract, *, keep_personal: bool = False) -> ibis.Table:
    """The columns of a cleaned table, with their types and without rows.

    Examples
    --------
    >>> from crmlib.data.contracts import CAPACITY
    >>> empty_table(CAPACITY).columns
    ('date', 'resource', 'capacity', 'used', 'fixed_cost')
    """
    types: dict[str, str] = {}
    for column in contract.columns:
        if column.personal:
            types[f"has_{column.name}"] = "boolean"
        if not column.personal or keep_personal:
            types[column.name] = HOW_READ[column.kind]
    return ibis.memtable([], schema=ibis.schema(types))


def open_optional(table: Any) -> ibis.Table | None:
    """Open a table that a firm may lack; None where it is None, or holds no row.

    Parameters
    ----------
    table : None or whatever `open_table` opens

    Examples
    --------
    >>> from crmlib.data.contracts import CAPACITY
    >>> open_optional(None), open_optional(empty_table(CAPACITY))
    (None, None)
    """
    if table is None or (isinstance(table, pd.DataFrame) and table.empty):
        return None
    rows = open_table(table)
    return rows if rows.limit(1).count().to_pyarrow().as_py() else None


def lacking(**tables: Any) -> str:
    """Which of these tables a firm lacks, as a reason; empty where all are there.

    Examples
    --------
    >>> lacking(leads=None, marketing_spend=pd.DataFrame({"amount": [1.0]}))
    'no table leads'
    """
    names = [name for name, table in tables.items() if open_optional(table) is None]
    return f"no table {', '.join(names)}" if names else ""
