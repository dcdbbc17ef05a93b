"""Rows and money by reason, reconciled with the written tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.cleaning.ids import CHANGED, id_fault
from crmlib.data.cleaning.reading import moves_day, read_text, where
from crmlib.data.cleaning.repeats import EQUAL_ROW
from crmlib.data.cleaning.values import LARGEST_AMOUNT
from crmlib.data.contracts.contract import Contract, spoken
from crmlib.data.engine import first_row, most_frequent
from crmlib.data.kept import USED
from crmlib.data.policies import AS_WRITTEN, Reading

MONEY = "decimal(38, 4)"
_MOST_WORDS = 20  # spellings of a column that are listed


class Part(NamedTuple):
    """Rows of one reason: how many, and the money of each money column."""

    rows: int
    money: dict[str, Decimal]


Tally = dict[str | None, Part]  # by reason; None stands for the rows that are used


def total_of(parts: Iterable[Part], money: Sequence[str]) -> Part:
    """The sum of all parts."""
    listed = list(parts)
    sums = {name: sum((part.money[name] for part in listed), Decimal(0)) for name in money}
    return Part(sum(part.rows for part in listed), sums)


def countable(rows: ibis.Table, name: str) -> ir.Value:
    """The money of a column where it can be counted; an unreadable or infinite amount is none."""
    amount = rows[name]
    fine = amount.notnull() & ~amount.isnan() & (amount.abs() <= LARGEST_AMOUNT)
    return ibis.ifelse(fine, amount, ibis.null("float64")).cast(MONEY)


def tally_by_reason(
    staged: ibis.Table, money: Sequence[str], counts: Mapping[str, ir.Value]
) -> tuple[Tally, dict[str, int]]:
    """Rows and money by reason, and further counts of the rows that are used, in one pass over the table."""
    sums = {f"money {name}": countable(staged, name).sum() for name in money}
    found = staged.group_by("reason").agg(rows=_.count(), **sums, **counts).to_pyarrow().to_pylist()
    tally: Tally = {
        part["reason"]: Part(part["rows"], {name: part[f"money {name}"] or Decimal(0) for name in money})
        for part in found
    }
    used: dict[str, Any] = next((part for part in found if part["reason"] is None), {})
    return tally or {None: total_of([], money)}, {name: int(used.get(name) or 0) for name in counts}


def rows_by_outcome(tally: Tally, money: Sequence[str]) -> list[dict[str, Any]]:
    """The whole source, the rows used, and those set aside by reason, the most frequent first."""
    aside = sorted((key for key in tally if key is not None), key=lambda key: (-tally[key].rows, key))
    outcomes = {"in the source": total_of(tally.values(), money), "used": tally[None]}
    outcomes |= {str(reason): tally[reason] for reason in aside}
    return [
        {"outcome": outcome, "rows": rows, "money": {name: float(total) for name, total in sums.items()}}
        for outcome, (rows, sums) in outcomes.items()
    ]


def assert_reconciled(tally: Tally, money: Sequence[str], files: Mapping[str, ibis.Table], name: str) -> None:
    """Assert that the written tables have exactly the rows and the money that were counted."""
    aside = total_of((part for reason, part in tally.items() if reason is not None), money)
    for (file, rows), expected in zip(files.items(), (tally[None], aside), strict=True):
        amounts = {c: countable(rows, c) if file == USED else rows[f"readable_{c}"] for c in money}
        found = first_row(rows.agg(rows=rows.count(), **{c: amount.sum() for c, amount in amounts.items()}))
        written = Part(found["rows"], {c: found[c] or Decimal(0) for c in money})
        assert written == expected, (
            f"{name}, {file}: counted {expected} but wrote {written}; this is a fault of crmlib"
        )


def rows_by_file(staged: ibis.Table) -> list[dict[str, Any]]:
    """How many rows each source file holds."""
    return staged.group_by(file="source_file").agg(rows=_.count()).order_by("file").to_pyarrow().to_pylist()


def what_is_filled(
    usable: ibis.Table, contract: Contract, rows: int, empty: Mapping[str, int]
) -> dict[str, int]:
    """How many of the used rows have a value, for each column of the contract that the source has.

    `rows`, `empty`: how many rows were written, and in how many of them a column is empty, where that is known.
    """
    personal = {c.name: f"has_{c.name}" for c in contract.columns if c.personal}
    personal = {name: has for name, has in personal.items() if has in usable.columns}
    here = [name for name in contract.names if name in usable.columns and name not in personal]
    filled = {name: rows - empty[name] for name in here if name in empty}
    asked = {name: usable[name].count() for name in here if name not in empty}
    asked |= {name: usable[has].sum() for name, has in personal.items()}
    filled |= {name: int(n or 0) for name, n in first_row(usable.agg(**asked)).items()} if asked else {}
    return {name: filled[name] for name in contract.names if name in filled}


def what_is_changed(
    staged: ibis.Table, contract: Contract, reading: Reading
) -> dict[str, tuple[str, ir.StringValue]]:
    """For each column: which values were left empty, or read as something other than what was written."""
    changed: dict[str, tuple[str, ir.StringValue]] = {}
    for column in contract.columns:
        name = column.name
        if f"fault_{name}" in staged.columns:
            changed[f"fault {name}"] = (name, staged[f"fault_{name}"])
        if f"written_{name}" not in staged.columns:
            continue
        read, written = staged[name], staged[f"written_{name}"]
        if column.kind == "id" and name not in reading.rename:
            lost = ibis.null("string") if column.names_customer else id_fault(written)
            what = ibis.ifelse(read.isnull(), lost, where(read != written, CHANGED))
            changed[f"id {name}"] = (name, where(written.notnull(), f"{spoken(name)} " + what))
        elif column.words or name in reading.rename:
            other = read.notnull() & (read != written.lower()) & (read != written)
            changed[f"word {name}"] = (name, where(other, written + " read as " + read))
        elif column.kind == "number" and contract.free_columns:  # "12M" may be months
            factor = where(written.re_search("[0-9] ?[A-Za-z]"), written)
            changed[f"factor {name}"] = (name, factor + " read as " + read_text(read))
        elif column.kind == "date" and reading.timezone != AS_WRITTEN:
            what = f"on another day than written: days begin in {reading.timezone} (timezone)"
            changed[f"day {name}"] = (name, where(moves_day(written, read), what))
    return changed


def changed_values(
    usable: ibis.Table, changed: Mapping[str, tuple[str, ir.StringValue]], counts: Mapping[str, int]
) -> list[dict[str, Any]]:
    """What was changed in rows that are used, and how often; equal rows among them."""
    values = [
        {"column": column, **counted}
        for key, (column, what) in changed.items()
        if counts[key]
        for counted in most_frequent(usable, "what", what, _MOST_WORDS)
    ]
    if counts[EQUAL_ROW]:
        what = f"{EQUAL_ROW}, and used all the same"
        values.append({"column": "", "what": what, "rows": counts[EQUAL_ROW]})
    return values


def nothing_usable(staged: ibis.Table, contract: Contract, columns: Mapping[str, str], tally: Tally) -> str:
    """Why no row of a table can be used, with the most frequent fault, an example and the cure."""
    reason, part = max(tally.items(), key=lambda item: item[1].rows)
    total = sum(part.rows for part in tally.values())
    concerned = [c for c in contract.columns if spoken(c.name) in str(reason) and c.name in columns]
    text = f"{contract.name}: no row can be used; {part.rows} of {total} have the fault: {reason}"
    if not concerned:
        return text
    column = max(concerned, key=lambda column: len(column.name))
    example = first_row(staged.filter(_.reason == reason).limit(1))
    shown = f"holds, for example, {example[f'written_{column.name}']!r}; " if not column.personal else ""
    naming = "say which column it is under columns"
    if column.kind == "date":
        cure = 'say how dates are written under date_format, as in "%d/%m/%Y"'
    elif column.kind in ("number", "money"):
        cure = f"{naming}, and the decimal sign under decimal"
    elif column.words:
        cure = f"{naming}, or what its words mean under rename: {column.name}"
    else:
        cure = f"{naming}, or see policies"
    return f"{text}. Column {columns[column.name]!r} {shown}{cure}"
