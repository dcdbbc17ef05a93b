"""A table as it was known at the end of a day, so that no later information leaks into an analysis."""

from __future__ import annotations

import datetime as dt

import ibis
import ibis.expr.types as ir

from crmlib.data.contracts.contract import Contract


def known_at(rows: ibis.Table, contract: Contract, as_of: dt.date) -> ibis.Table:
    """Rows dated up to the end of a day, and of what came later in their course nothing.

    `rows`: a cleaned table in the contract's columns. `contract`: it says which column dates a row, and which others
    are known only from a date on. `as_of`: last day that counts. Rows that begin later are gone; a row without a
    date stays. A later date is empty, unless it was planned ahead, and so is whatever was known from that date only,
    such as the reason why a contract ended.

    Examples
    --------
    >>> import pandas as pd
    >>> from crmlib.data.contracts import CONTRACTS
    >>> rows = pd.DataFrame({"start": pd.to_datetime(["2024-01-01"]), "end": pd.to_datetime(["2024-05-31"])})
    >>> contracts = ibis.memtable(rows.assign(end_reason="cancelled"))
    >>> seen = known_at(contracts, CONTRACTS["subscriptions"], dt.date(2024, 3, 1))
    >>> seen.end.to_pandas().isna().tolist(), seen.end_reason.to_pandas().isna().tolist()
    ([True], [True])
    """
    end, here = _end_of(as_of), [column for column in contract.columns if column.name in rows.columns]
    dates = [column.name for column in here if column.kind == "date"]
    later = {name: (rows[name] >= end).fill_null(False) for name in dates}
    known = {
        column.name: ibis.cases((~later[source], rows[column.name]))
        for column in here
        for source in ("" if column.planned else column.name, column.known_from)
        if source in later and column.name != contract.dated_by
    }
    return dated_up_to(rows.mutate(**known), contract, as_of)


def dated_up_to(rows: ibis.Table, contract: Contract, as_of: dt.date) -> ibis.Table:
    """Rows that the firm knew of at the end of a day; one without a date is among them."""
    if contract.dated_by not in rows.columns:
        return rows
    date = rows[contract.dated_by]
    known = date < _end_of(as_of)
    return rows.filter(known if contract.column(contract.dated_by).required else date.isnull() | known)


def _end_of(day: dt.date) -> ir.TimestampScalar:
    return ibis.timestamp((dt.datetime.combine(day, dt.time()) + dt.timedelta(days=1)).isoformat(sep=" "))
