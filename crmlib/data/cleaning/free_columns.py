"""Tables that may have further columns of the firm's own: each becomes a column of the contract for this source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import ibis

from crmlib.data.cleaning.reading import currency_marks, marks_of, read_number, read_text
from crmlib.data.contracts.contract import Column, Contract, plain_name
from crmlib.data.currencies import common_currencies
from crmlib.data.engine import first_row
from crmlib.data.files.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.vocabulary import words

# What the cleaning itself calls its columns.
_TAKEN = {"reason", "row_hash", "source_file", "source_row", "unsplit_line", "equals_earlier"}
_NO_VALUE = ("", "na", "n/a", "nan", "null", "none", "<na>", "?")
_PERSONAL = {"phone", "phone_number", "telephone"} | {
    word for name, others in words("personal columns").items() for word in (name, *others)
}


def with_free_columns(
    contract: Contract, raw: ibis.Table, columns: Mapping[str, str], decimal: str = "."
) -> tuple[Contract, dict[str, str]]:
    """The contract with a column for each one of the source that it does not know, and where each comes from.

    `contract`: as it is, unless it has `free_columns`. `raw`: the source. A column is one of numbers if everything in
    it can be read as a number, else text. `columns`: the study's own words: contract column to source column.
    `decimal`: the decimal sign. The columns are: as given, columns of nearly the contract's names, and a name with "_"
    added for a column whose own name the cleaning uses, such as `reason`.

    Examples
    --------
    >>> from crmlib.data.contracts import CONTRACTS
    >>> raw = ibis.memtable({"CustNo": ["1"], "Churn": ["Yes"], "tenure": ["4"], "E-Mail": ["a@b.c"]})
    >>> named = {"customer_id": "CustNo", "churned": "Churn"}
    >>> opened, _ = with_free_columns(CONTRACTS["customer_features"], raw, named)
    >>> [(one.name, one.kind, one.personal) for one in opened.columns[4:]]
    [('tenure', 'number', False), ('E-Mail', 'text', True)]
    """
    if not contract.free_columns:
        return contract, dict(columns)
    columns = {**contract.alike(columns, raw.columns), **columns}
    known = {*contract.names, *columns.values(), FILE_COLUMN, UNSPLIT}
    names = {f"{name}_" if name in _TAKEN else name: name for name in raw.columns if name not in known}
    numbers = _numbers(raw, list(names.values()), decimal)
    kinds = {theirs: "number" if theirs in numbers else "text" for theirs in names.values()}
    free = tuple(
        Column(ours, "a feature of the firm's own", kinds[theirs], personal=plain_name(theirs) in _PERSONAL)
        for ours, theirs in names.items()
    )
    return replace(contract, columns=contract.columns + free), {**columns, **names}


def _numbers(raw: ibis.Table, names: list[str], decimal: str) -> set[str]:
    """Columns in which there is a number, and nothing but numbers, in one currency if in any."""
    asked = {}
    for place, name in enumerate(names):
        text, number = read_text(raw[name]), read_number(raw[name], decimal)
        asked[f"read_{place}"] = number.notnull().sum()
        asked[f"marks_{place}"] = marks_of(text, decimal).collect(distinct=True)
        asked[f"unread_{place}"] = (number.isnull() & ~text.lower().isin(_NO_VALUE)).sum()
    found = first_row(raw.agg(**asked)) if asked else {}
    return {
        name
        for place, name in enumerate(names)
        if found[f"read_{place}"]
        and not found[f"unread_{place}"]
        and common_currencies(currency_marks(found[f"marks_{place}"] or [])) is not None
    }
