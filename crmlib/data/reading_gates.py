"""Gates on reading: lost rows and money, and ids that do not match."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import ibis
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.ids import CHANGED, ERROR_TEXT, LOST_DIGITS
from crmlib.data.cleaning.steps import LEFT_OUT, OTHER_CURRENCY, SAYS_TOTAL, TOTAL_ROW
from crmlib.data.engine import count_of
from crmlib.data.fitness import COLUMNS, gate, graded, suspicion
from crmlib.findings import FAIL, PASS, WARN

# Rows without a customer, a date or an amount are no fair sample of all rows. Up to one in twenty they move figures
# about as much as one season differs from another; beyond one in five, a customer's history is a part of it at best.
ROWS_LOST = (0.05, 0.20)
# Money without a customer is missing from every value and every total: a firm whose revenue changed by 15 %
# in a year would call it a different year.
MONEY_LOST = (0.05, 0.15)
# A table that finds its customers in less than half of its rows is of other customers, or writes ids differently.
FOUND_CUSTOMERS = 0.5
_NAMED = 3  # reasons that are listed one by one
_SEEN = 500  # ids that are looked at for the shape that most of them have

Gate = dict[str, str]


class Read(NamedTuple):
    """A cleaned table: its rows, the column of the source that names its customers, and what was changed in it."""

    rows: ibis.Table
    id_column: str
    values: list[dict[str, Any]]


def reading_gates(
    tables: Mapping[str, Read], lost: pd.DataFrame, used: Mapping[str, float], *, hashed: bool
) -> pd.DataFrame:
    """Check what was lost or changed when the tables of a study were read.

    `tables`: the cleaned tables by their names; "transactions" is among them. `lost`: what was set aside of the
    purchase log: `reason, rows, money` (of all amounts without their signs, those that are known) and `unknown` (rows
    whose amount is not known). `used`: `rows` and `money`, counted in the same way, of the rows that are used.
    `hashed`: whether ids are hashed, so that how they were written can no longer be seen. Returns columns as those of
    `fitness_gates`. Rows that the study leaves out by a decision of its own, such as cancelled orders, count as lost
    nowhere.

    Examples
    --------
    >>> log = Read(ibis.memtable({"customer_id": ["7", "8"]}), "CustNo", [])
    >>> lost = pd.DataFrame({"reason": ["no customer id"], "rows": [1], "money": [5.0], "unknown": [0]})
    >>> gates = reading_gates({"transactions": log}, lost, {"rows": 2, "money": 45.0}, hashed=False)
    >>> gates[["gate", "found", "status"]].head(2)
                  gate                     found status
    0   rows set aside  33 %: no customer id 33 %   fail
    1  money set aside  10 %: no customer id 10 %   warn
    """
    log = tables["transactions"]
    faults = lost[~lost["reason"].isin(LEFT_OUT)]
    shares = shares_lost(lost, used)
    gates = [
        _rows(faults, used["rows"], shares["rows"]),
        _money(faults, used["money"], shares),
        _other_currency(lost, used["rows"]),
        _sums(lost, log, hashed),
        _changed(tables, faults),
        _nearly_alike(tables, hashed),
        _matching(tables, hashed),
    ]
    return pd.DataFrame(gates, columns=COLUMNS)


def _listed(faults: pd.DataFrame, column: str, whole: float) -> str:
    """The share of all, and of the most frequent reasons."""
    ranked = faults[faults[column] > 0].sort_values(column, ascending=False, kind="stable")
    if ranked.empty:
        return "none"
    named = ranked.head(_NAMED).itertuples()
    parts = [f"{row.reason} {fmt.share(getattr(row, column) / whole)}" for row in named]
    if (more := ranked[column].iloc[_NAMED:].sum()) > 0:
        parts.append(f"other reasons {fmt.share(more / whole)}")
    return f"{fmt.share(ranked[column].sum() / whole)}: {', '.join(parts)}"


def shares_lost(lost: pd.DataFrame, used: Mapping[str, float]) -> dict[str, float]:
    """Shares of the log that were lost on reading: of `rows`, of known `money`, and of rows whose money is `unknown`.

    Parameters as of `reading_gates`.
    """
    faults = lost[~lost["reason"].isin(LEFT_OUT)][["rows", "money", "unknown"]].sum()
    rows, money = used["rows"] + faults["rows"], used["money"] + faults["money"]
    return {
        "rows": float(faults["rows"] / rows),
        "money": float(faults["money"] / money) if money else 0.0,
        "unknown": float(faults["unknown"] / rows),
    }


def _rows(faults: pd.DataFrame, used: float, share: float) -> Gate:
    found = _listed(faults, "rows", used + faults["rows"].sum())
    return gate("rows set aside", found, graded(share, ROWS_LOST), *map(fmt.share, ROWS_LOST))


def _money(faults: pd.DataFrame, used: float, shares: Mapping[str, float]) -> Gate:
    parts = [_listed(faults, "money", used + faults["money"].sum())]
    if unknown := int(faults["unknown"].sum()):
        parts = [*(part for part in parts if part != "none"), f"not known for {fmt.plural(unknown, 'row')}"]
    statuses = {graded(shares["money"], MONEY_LOST), graded(shares["unknown"], ROWS_LOST)}
    status = next(grade for grade in (FAIL, WARN, PASS) if grade in statuses)
    return gate("money set aside", "; ".join(parts), status, *map(fmt.share, MONEY_LOST))


def _other_currency(lost: pd.DataFrame, used: float) -> Gate:
    other = lost.loc[lost["reason"] == OTHER_CURRENCY, "rows"].sum()
    share, limit = other / (used + lost["rows"].sum()), ROWS_LOST[0]
    found = f"{fmt.share(share)} of rows" if other else "none"
    return gate("other currencies", found, graded(share, (limit, 1.0)), fmt.share(limit))


def _sums(lost: pd.DataFrame, log: Read, hashed: bool) -> Gate:
    found = []
    if rows := int(lost.loc[lost["reason"] == TOTAL_ROW, "rows"].sum()):
        found.append(f"{fmt.plural(rows, 'row')} set aside")
    if not hashed and log.rows.customer_id.type().is_string():
        sums = log.rows.filter(log.rows.customer_id.re_search(SAYS_TOTAL)).customer_id.value_counts(name="n")
        named = sums.to_pyarrow().to_pylist()
        found += [f"customer {row['customer_id']!r} has {fmt.plural(row['n'], 'row')}" for row in named]
    return suspicion("sums among the rows", ", ".join(found))


def _changed(tables: Mapping[str, Read], faults: pd.DataFrame) -> Gate:
    """Ids that a program took for numbers or formulas, in any column of any table."""
    listed = [("transactions", row.reason, row.rows) for row in faults.itertuples()]
    listed += [(name, row["what"], row["rows"]) for name, table in tables.items() for row in table.values]
    found = []
    for what in (LOST_DIGITS, ERROR_TEXT, CHANGED):
        named = [(name, text.removesuffix(what), n) for name, text, n in listed if text.endswith(what)]
        if named:
            columns = [*dict.fromkeys(f"{name}: {column.strip()}" for name, column, _n in named)]
            ids = fmt.plural(sum(n for *_column, n in named), "id")
            found.append(f"{ids} {what} ({fmt.listing(columns)})")
    return suspicion("ids that a program changed", "; ".join(found))


def _nearly_alike(tables: Mapping[str, Read], hashed: bool) -> Gate:
    """Ids that differ in capitals, blanks, separators or leading zeros only, over all tables."""
    keys = [table.rows.select(id=table.rows.customer_id) for table in tables.values() if _is_text(table)]
    found, several = "none", 0
    if keys and not hashed:
        ids = ibis.union(*keys, distinct=True) if len(keys) > 1 else keys[0].distinct()
        ids = ids.filter(_.id.notnull())
        bare = ids.id.lower().re_replace(r"[\s,'’]+", "").re_replace(r"^0+(.)", r"\1")
        groups = ids.group_by(bare=bare).agg(n=_.count(), one=_.id.min(), other=_.id.max()).filter(_.n > 1)
        first = groups.order_by("bare").mutate(several=_.count().over()).limit(1).to_pyarrow().to_pylist()
        if first:
            several = first[0]["several"]
            shapes = " and ".join(repr(_shape(first[0][key])) for key in ("one", "other"))
            found = f"{several:,}, of shapes such as {shapes}"
    found = "cannot be seen: ids are hashed" if hashed else found
    return gate("ids nearly alike", found, WARN if several else PASS)


def _matching(tables: Mapping[str, Read], hashed: bool) -> Gate:
    """Tables whose customers are not those of the log."""
    log = tables["transactions"]
    known = log.rows.select(id=log.rows.customer_id).distinct().cache()
    others = {name: table for name, table in tables.items() if "customer_id" in table.rows.columns}
    others.pop("transactions")
    found, status = [], PASS
    for name, table in others.items():
        keys = table.rows.select(id=table.rows.customer_id).filter(_.id.notnull())
        rows = count_of(keys)
        share = count_of(keys.semi_join(known, "id")) / rows if rows else 1.0
        if not share:
            status = FAIL
            seen = ["" if hashed else f" with ids like {_usual(ids)}" for ids in (keys, known)]
            here, there = f"{table.id_column!r}{seen[0]}", f"{log.id_column!r}{seen[1]}"
            found.append(f"{name} ({here}) shares no customer with the log ({there})")
        elif share < FOUND_CUSTOMERS and name != "customers":  # not everybody who is known has bought
            status = FAIL if status == FAIL else WARN
            found.append(f"{name}: {fmt.share(share)} of its rows are of customers who bought")
    fine = fmt.plural(len(others), "table") + " of customers who bought" if others else "no such table"
    shown = "; ".join(found) or fine
    return gate("customers of the other tables", shown, status, fmt.share(FOUND_CUSTOMERS))


def _is_text(table: Read) -> bool:
    return "customer_id" in table.rows.columns and table.rows.customer_id.type().is_string()


def _usual(keys: ibis.Table) -> str:
    """The shape of most ids."""
    seen = keys.limit(_SEEN).to_pyarrow()["id"].to_pylist()
    return repr(pd.Series(map(_shape, seen)).mode().iloc[0])


def _shape(customer_id: Any) -> str:
    """What an id looks like, without saying whose it is: "C99" for C17."""
    digits = str(customer_id).lstrip("0")
    zeros = "0" * (len(str(customer_id)) - len(digits))  # leading zeros distinguish ids
    shape = zeros + re.sub(r"\d", "9", digits)
    return re.sub(r"[^\W\d_]", lambda letter: "A" if letter[0].isupper() else "a", shape)
