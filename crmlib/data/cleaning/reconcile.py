"""Rows and money by reason, reconciled with the written tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.cleaning.ids import CHANGED, id_fault
from crmlib.data.cleaning.reading import moves_day
from crmlib.data.cleaning.repeats import EQUAL_ROW
from crmlib.data.cleaning.values import LARGEST_AMOUNT
from crmlib.data.contracts.contract import Contract, spoken
from crmlib.data.engine import engine
from crmlib.data.kept import QUARANTINE, USED
from crmlib.data.policies import AS_WRITTEN, Reading

MONEY = "decimal(38, 4)"
_MOST_WORDS = 20  # spellings of a column that are listed


@dataclass(frozen=True)
class Part:
    """Rows of one reason: how many, the money of each money column, and what else was counted of them."""

    rows: int
    money: dict[str, Decimal]
    counts: dict[str, int]

    @classmethod
    def total(cls, parts: Iterable[Part], money: Sequence[str]) -> Part:
        """All parts together."""
        listed = list(parts)
        sums = {name: sum((one.money[name] for one in listed), Decimal(0)) for name in money}
        return cls(sum(one.rows for one in listed), sums, {})


Tally = dict[str | None, Part]  # by reason; None stands for the rows that are used


def countable(rows: ibis.Table, name: str) -> ir.Value:
    """The money of a column where it can be counted; an unreadable or infinite amount is none."""
    amount = rows[name]
    fine = amount.notnull() & ~amount.isnan() & (amount.abs() <= LARGEST_AMOUNT)
    return ibis.ifelse(fine, amount, ibis.null("float64")).cast(MONEY)


def tally_by_reason(staged: ibis.Table, money: Sequence[str], counts: Mapping[str, ir.Value]) -> Tally:
    """Rows, money and further counts by reason, in one pass over the table."""
    sums = {f"money {name}": countable(staged, name).sum() for name in money}
    found = staged.group_by("reason").agg(rows=_.count(), **sums, **counts).to_pyarrow().to_pylist()
    tally: Tally = {
        one["reason"]: Part(
            one["rows"],
            {name: one[f"money {name}"] or Decimal(0) for name in money},
            {name: int(one[name] or 0) for name in counts},
        )
        for one in found
    }
    return tally if tally else {None: Part(0, dict.fromkeys(money, Decimal(0)), dict.fromkeys(counts, 0))}


def rows_by_outcome(tally: Tally, money: Sequence[str]) -> list[dict[str, Any]]:
    """The whole source, the rows used, and those set aside by reason, the most frequent first."""
    aside = sorted((key for key in tally if key is not None), key=lambda key: (-tally[key].rows, key))
    outcomes = [("in the source", Part.total(tally.values(), money)), ("used", tally[None])]
    outcomes += [(reason, tally[reason]) for reason in aside]
    return [
        {
            "outcome": outcome,
            "rows": part.rows,
            "money": {name: float(sum_) for name, sum_ in part.money.items()},
        }
        for outcome, part in outcomes
    ]


def assert_reconciled(tally: Tally, money: Sequence[str], folder: Path, name: str) -> None:
    """What was written is what was counted, to the row and to the cent of every money column."""
    aside = Part.total((part for reason, part in tally.items() if reason is not None), money)
    for file, expected in ((USED, tally[None]), (QUARANTINE, aside)):
        rows = engine().read_parquet(str(folder / file))
        money_of = {
            name: countable(rows, name) if file == USED else rows[f"readable_{name}"] for name in money
        }
        sums = {name: amounts.sum() for name, amounts in money_of.items()}
        found = rows.agg(rows=rows.count(), **sums).to_pyarrow().to_pylist()[0]
        written = (found["rows"], {one: found[one] or Decimal(0) for one in money})
        assert written == (expected.rows, expected.money), (
            f"{name}, {file}: counted {expected} but wrote {written}; this is a fault of crmlib"
        )


def rows_by_file(staged: ibis.Table) -> list[dict[str, Any]]:
    """How many rows each source file holds."""
    return staged.group_by(file="source_file").agg(rows=_.count()).order_by("file").to_pyarrow().to_pylist()


def what_is_filled(usable: ibis.Table, contract: Contract, folder: Path) -> dict[str, int]:
    """For every column of the contract that the source has: in how many rows that are used it holds something."""
    import pyarrow.parquet as pq

    written = pq.ParquetFile(folder / USED).metadata  # it has counted what is empty, column by column
    groups = [written.row_group(place) for place in range(written.num_row_groups)]
    empty = {
        written.schema.column(place).name: sum(group.column(place).statistics.null_count for group in groups)
        for place in range(written.num_columns)
    }
    filled: dict[str, int] = {}
    asked: dict[str, ir.Value] = {}
    for column in contract.columns:
        name, has = column.name, f"has_{column.name}"
        if column.personal and has in usable.columns:
            asked[name] = usable[has].sum()
        elif name in usable.columns and name in empty:
            filled[name] = written.num_rows - empty[name]
        elif name in usable.columns:
            asked[name] = usable[name].count()
    if asked:
        filled |= {key: int(n or 0) for key, n in usable.agg(**asked).to_pyarrow().to_pylist()[0].items()}
    return {name: filled[name] for name in contract.names if name in filled}


def what_is_changed(
    staged: ibis.Table, contract: Contract, reading: Reading
) -> dict[str, tuple[str, ir.StringValue]]:
    """Column, and what became of its value in each row: left empty, or read as another word than was written."""
    changed: dict[str, tuple[str, ir.StringValue]] = {}
    for column in contract.columns:
        name = column.name
        if f"fault_{name}" in staged.columns:
            changed[f"fault {name}"] = (name, staged[f"fault_{name}"])
        if f"written_{name}" in staged.columns and column.kind == "id" and name not in reading.rename:
            read, written = staged[name], staged[f"written_{name}"]
            lost = ibis.null("string") if column.names_customer else id_fault(written)
            other = ibis.ifelse(read != written, CHANGED, ibis.null("string"))
            what = ibis.ifelse(read.isnull(), lost, other)
            nothing = ibis.null("string")
            changed[f"id {name}"] = (name, ibis.ifelse(written.isnull(), nothing, f"{spoken(name)} " + what))
        elif f"written_{name}" in staged.columns and (column.words or name in reading.rename):
            read, written = staged[name], staged[f"written_{name}"]
            other = read.notnull() & (read != written.lower()) & (read != written)
            word = ibis.ifelse(other, written + " read as " + read, ibis.null("string"))
            changed[f"word {name}"] = (name, word)
        if f"written_{name}" in staged.columns and column.kind == "date" and reading.timezone != AS_WRITTEN:
            read = staged[name]
            what = f"on another day than written: days begin in {reading.timezone} (timezone)"
            moved = moves_day(staged[f"written_{name}"], read)
            changed[f"day {name}"] = (name, ibis.ifelse(moved, what, ibis.null("string")))
    return changed


def changed_values(
    usable: ibis.Table, changed: Mapping[str, tuple[str, ir.StringValue]], counts: Mapping[str, int]
) -> list[dict[str, Any]]:
    """What was changed in rows that are used, and how often; equal rows among them."""
    values = [
        {"column": column, **one}
        for key, (column, what) in changed.items()
        if counts[key]
        for one in _most_frequent(usable, what)
    ]
    if counts[EQUAL_ROW]:
        what = f"{EQUAL_ROW}, and used all the same"
        values.append({"column": "", "what": what, "rows": counts[EQUAL_ROW]})
    return values


def _most_frequent(used: ibis.Table, what: ir.StringValue) -> list[dict[str, Any]]:
    counts = used.group_by(what=what).agg(rows=_.count()).filter(_.what.notnull())
    return counts.order_by(_.rows.desc(), "what").limit(_MOST_WORDS).to_pyarrow().to_pylist()


def nothing_usable(staged: ibis.Table, contract: Contract, columns: Mapping[str, str], tally: Tally) -> str:
    """Why no row of a table can be used, with the most frequent fault, an example and the cure."""
    reason, part = max(tally.items(), key=lambda item: item[1].rows)
    total = sum(one.rows for one in tally.values())
    concerned = [c for c in contract.columns if spoken(c.name) in str(reason) and c.name in columns]
    text = f"{contract.name}: no row can be used; {part.rows} of {total} have the fault: {reason}"
    if not concerned:
        return text
    column = max(concerned, key=lambda one: len(one.name))
    example = staged.filter(_.reason == reason).limit(1).to_pyarrow().to_pylist()[0]
    shown = f"holds, for example, {example[f'written_{column.name}']!r}; " if not column.personal else ""
    where = "say which column it is under columns"
    if column.kind == "date":
        cure = 'say how dates are written under date_format, as in "%d/%m/%Y"'
    elif column.kind in ("number", "money"):
        cure = f"{where}, and the decimal sign under decimal"
    elif column.words:
        cure = f"{where}, or what its words mean under rename: {column.name}"
    else:
        cure = f"{where}, or see policies"
    return f"{text}. Column {columns[column.name]!r} {shown}{cure}"
