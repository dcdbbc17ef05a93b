"""The states that a log's orders are in, and which of them count as sales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

SALE, NO_SALE = "counted as sales", "set aside"
_MOST_STATES = 10  # listed one by one; an unknown word among them is seen at a glance


def count_states(status: ir.StringColumn, excluded: Sequence[str]) -> list[dict[str, Any]]:
    """Rows in each state of an order, and whether the state counts as a sale.

    Parameters
    ----------
    status : ir.StringColumn
        State of each row's order, as `read_text` reads it.
    excluded : sequence of str
        States that are no sale, in any case.

    Returns
    -------
    list of dict
        `state` (in small letters), `rows` and `fate`; the ten largest, then the others in one record per fate.

    Examples
    --------
    >>> log = ibis.memtable({"status": ["Bezahlt", "bezahlt", "Storniert"]})
    >>> [(one["state"], one["rows"], one["fate"]) for one in count_states(log.status, ["storniert"])]
    [('bezahlt', 2, 'counted as sales'), ('storniert', 1, 'set aside')]
    """
    written = status.name("status").as_table().group_by("status").agg(rows=_.count())  # few, of many rows
    state = written.status.fill_null("").lower()
    is_sale = ~state.isin([word.lower() for word in excluded])
    counted = written.group_by(state=state, fate=ibis.ifelse(is_sale, SALE, NO_SALE)).agg(rows=_.rows.sum())
    records = counted.order_by(_.rows.desc(), "state").to_pyarrow().to_pylist()
    listed = [{**one, "state": one["state"] or "(none)"} for one in records[:_MOST_STATES]]
    for fate in (SALE, NO_SALE):
        others = [one["rows"] for one in records[_MOST_STATES:] if one["fate"] == fate]
        if others:
            name = f"({len(others)} other{'s' * (len(others) > 1)})"
            listed.append({"state": name, "rows": sum(others), "fate": fate})
    return listed
