"""Tables whose other columns the firm names itself: each becomes a column of the contract for this source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import ibis

from crmlib.data.contracts import Column, Contract
from crmlib.data.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.tables import CUSTOMERS

_PERSONAL = {column.name for column in CUSTOMERS.columns if column.personal}


def with_free_columns(contract: Contract, raw: ibis.Table, columns: Mapping[str, str]) -> Contract:
    """The contract with a column for each one of the source that it does not know.

    Parameters
    ----------
    contract : Contract
        As it is, unless it has `free_columns`.
    raw : ibis.Table
        The source; a column of numbers stays one, all else is text.
    columns : mapping of str
        The study's own words: contract column to source column.

    Returns
    -------
    Contract

    Examples
    --------
    >>> from crmlib.data.tables import CUSTOMER_FEATURES
    >>> raw = ibis.memtable({"CustNo": ["1"], "Churn": ["Yes"], "tenure": [4], "email": ["a@b.c"]})
    >>> opened = with_free_columns(CUSTOMER_FEATURES, raw, {"customer_id": "CustNo", "churned": "Churn"})
    >>> [(one.name, one.kind, one.personal) for one in opened.columns[4:]]
    [('tenure', 'number', False), ('email', 'text', True)]
    """
    if not contract.free_columns:
        return contract
    known = {*contract.names, *columns.values(), FILE_COLUMN, UNSPLIT}
    free = tuple(
        Column(
            name,
            "number" if raw[name].type().is_numeric() else "text",
            "a feature of the firm's own",
            personal=name in _PERSONAL,
        )
        for name in raw.columns
        if name not in known
    )
    return replace(contract, columns=contract.columns + free)
