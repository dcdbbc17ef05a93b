"""Keys that point to nothing: a service case of an unknown customer, a referrer who does not exist."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import pandas as pd
from ibis import _

from crmlib.data.contracts import CONTRACTS
from crmlib.data.contracts.contract import Column

COLUMNS = ["table", "column", "looked_for_in", "filled", "orphans", "keys"]


def orphan_keys(tables: Mapping[str, ibis.Table], log: ibis.Table | None) -> pd.DataFrame:
    """Rows whose key stands in no row of the table that it refers to; they are counted, and stay.

    Parameters
    ----------
    tables : mapping
        Cleaned optional tables by their names.
    log : ibis.Table or None
        The cleaned purchase log: who bought is a known customer, whether or not the table of customers has them.

    Returns
    -------
    DataFrame
        `table, column, looked_for_in, filled` (rows with a key), `orphans` (rows whose key points to nothing) and
        `keys` (different ones among them). Keys that nothing supplied could hold are not looked for; a lead may
        become a customer who has not bought yet, so it is looked for only where there is a table of customers.
    """
    targets: dict[str, tuple[str, ibis.Table] | None] = {}
    found = []
    for name, table in tables.items():
        for column in CONTRACTS[name].columns:
            if not column.refers_to or column.name not in table.columns:
                continue
            if name == "leads" and column.refers_to.startswith("customers.") and "customers" not in tables:
                continue
            if column.refers_to not in targets:
                targets[column.refers_to] = _target(column, tables, log)
            target = targets[column.refers_to]
            if target is not None:
                found.append({"table": name, "column": column.name, **_count(table, column, *target)})
    return pd.DataFrame([one for one in found if one["filled"]], columns=COLUMNS)


def _target(
    column: Column, tables: Mapping[str, ibis.Table], log: ibis.Table | None
) -> tuple[str, ibis.Table] | None:
    """Where a key is looked for, in words, and the keys that are there."""
    other, key = column.refers_to.split(".")
    places = {other: tables[other][key]} if other in tables else {}
    if other == "customers" and log is not None:
        places["transactions"] = log.customer_id
    if not places:
        return None
    keys = [place.name("known").as_table() for place in places.values()]
    known = (ibis.union(*keys) if len(keys) > 1 else keys[0]).distinct()
    return " and ".join(places), known.cache()


def _count(table: ibis.Table, column: Column, place: str, known: ibis.Table) -> dict[str, object]:
    keys = table.select(key=table[column.name]).filter(_.key.notnull())
    lost = keys.anti_join(known, keys.key == known.known)
    orphans = lost.agg(orphans=_.count(), keys=_.key.nunique()).to_pyarrow().to_pylist()[0]
    return {"looked_for_in": place, "filled": keys.count().to_pyarrow().as_py(), **orphans}
