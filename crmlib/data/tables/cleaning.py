"""An optional table is cleaned as the purchase log is: every row used, or set aside with a reason.

A fault in a required column sets the row aside. A fault in another one leaves that value empty and is
counted, for the rest of the row can be used. Rows in = rows used + rows set aside, and the money of every
money column adds up to the cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib.data.books import LARGEST_AMOUNT, MONEY, rows_by_file
from crmlib.data.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.sources import engine
from crmlib.data.tables.contracts import Column, Contract
from crmlib.data.tables.free_columns import with_free_columns
from crmlib.data.tables.report import TableReport
from crmlib.data.tables.table_reading import TableReading
from crmlib.data.tables.values import HOW_READ, judge_values, read_values, spoken
from crmlib.errors import DataError

_ROW = "source_row"
_ADDED = (_ROW, FILE_COLUMN, UNSPLIT)
_MOST_WORDS = 20  # spellings of a column that are listed


def clean_table(raw: ibis.Table, contract: Contract, reading: TableReading, folder: Path) -> TableReport:
    """Clean an optional table into `table.parquet` and `quarantine.parquet`.

    Parameters
    ----------
    raw : ibis.Table
        The table as it stands, text or typed.
    contract : Contract
        What it must and may hold.
    reading : TableReading
        Which column is which, in which formats, and what is personal.
    folder : Path
        Where the two files go; it must exist. Neither holds a personal column unless `reading` says so.

    Returns
    -------
    TableReport
        Rows and money by fate, which add up; asserted against the files as written.

    Raises
    ------
    DataError
        If a required column is missing, or there are rows and none can be used.
    """
    contract, named = with_free_columns(contract, raw, reading.columns, reading.decimal)
    columns = contract.resolve(named, [c for c in raw.columns if c not in _ADDED])
    staged_file = folder / "staged.parquet"
    rows = judge_values(read_values(raw, contract, columns, reading), contract, columns, reading)
    _write(rows, staged_file, contract.name)
    staged = engine().read_parquet(str(staged_file), file_row_number=True)
    staged = staged.mutate(source_row=_.file_row_number + 1).drop("file_row_number")
    view = ibis.util.gen_name("judged")
    try:
        judged = _set_aside_repeats(staged, contract.key) if contract.key in columns else staged
        return _keep_books(engine().create_view(view, judged), contract, columns, reading, folder)
    finally:
        engine().drop_view(view, force=True)
        staged_file.unlink(missing_ok=True)


def _write(rows: ibis.Table, file: Path, name: str) -> None:
    """Run the reading; what the engine cannot do with these data is said in our words."""
    import duckdb

    try:
        engine().to_parquet(rows, file)
    except duckdb.Error as complaint:
        # The engine's own words may quote a value, and a value may be personal.
        raise DataError(
            f"{name}: the source cannot be read ({type(complaint).__name__}); check timezone, date_format and the "
            "source in the study"
        ) from None


def _set_aside_repeats(staged: ibis.Table, key: str) -> ibis.Table:
    """Give a usable row whose key stands in an earlier usable row its reason."""
    usable = staged.reason.isnull() & staged[key].notnull()
    keys = (
        staged.agg(rows=usable.sum(), different=staged[key].nunique(where=usable)).to_pyarrow().to_pylist()[0]
    )
    if (keys["rows"] or 0) == keys["different"]:  # then no window over all rows is needed
        return staged
    place = ibis.row_number().over(group_by=[staged[key], usable], order_by=staged.source_row)
    repeated = usable & (place > 0)
    return staged.mutate(reason=ibis.ifelse(repeated, f"repeated {spoken(key)}", staged.reason))


def _keep_books(
    staged: ibis.Table, contract: Contract, columns: dict[str, str], reading: TableReading, folder: Path
) -> TableReport:
    money = [column.name for column in contract.columns if column.kind == "money" and column.name in columns]
    tally = _tally(staged, money)
    if tally and None not in tally:
        raise DataError(_nothing_usable(staged, contract, columns, tally))
    tally.setdefault(None, (0, {name: Decimal(0) for name in money}))
    used = staged.filter(_.reason.isnull())
    engine().to_parquet(_used_columns(used, contract, reading.keep_personal), folder / "table.parquet")
    engine().to_parquet(_quarantine_columns(staged, contract, money), folder / "quarantine.parquet")
    _assert_reconciled(tally, money, folder, contract.name)
    values, filled = _values(used, contract, columns, reading)
    return TableReport(_rows_by_fate(tally, money), values, rows_by_file(staged), columns, filled)


def _used_columns(used: ibis.Table, contract: Contract, keep_personal: bool) -> ibis.Table:
    """Every column of the contract in its order, empty where the firm has none."""
    kept: dict[str, ir.Value] = {}
    for column in contract.columns:
        if column.personal:
            has = f"has_{column.name}"
            kept[has] = used[has] if has in used.columns else ibis.null("boolean")
        if not column.personal or keep_personal:
            there = column.name in used.columns
            kept[column.name] = used[column.name] if there else ibis.null(HOW_READ[column.kind])
    return used.order_by(_ROW).select(**kept)


def _quarantine_columns(staged: ibis.Table, contract: Contract, money: Sequence[str]) -> ibis.Table:
    written = {c.name: f"written_{c.name}" for c in contract.columns if f"written_{c.name}" in staged.columns}
    aside = staged.filter(_.reason.notnull())
    return aside.select(
        "reason",
        _ROW,
        "source_file",
        **written,
        **{f"readable_{name}": countable(aside, name) for name in money},
    ).order_by(_ROW)


def countable(rows: ibis.Table, name: str) -> ir.Value:
    """The money of a column where it can be counted; an infinite amount is none."""
    amount = rows[name]
    fine = amount.notnull() & ~amount.isnan() & (amount.abs() <= LARGEST_AMOUNT)
    return ibis.ifelse(fine, amount, ibis.null("float64")).cast(MONEY)


Tally = dict[str | None, tuple[int, dict[str, Decimal]]]


def _tally(staged: ibis.Table, money: Sequence[str]) -> Tally:
    """Rows and money by reason; None stands for the rows that are used."""
    sums = {f"money_{name}": countable(staged, name).sum() for name in money}
    found = staged.group_by("reason").agg(rows=_.count(), **sums).to_pyarrow().to_pylist()
    return {
        one["reason"]: (one["rows"], {name: one[f"money_{name}"] or Decimal(0) for name in money})
        for one in found
    }


def _total(
    parts: Iterable[tuple[int, dict[str, Decimal]]], money: Sequence[str]
) -> tuple[int, dict[str, Decimal]]:
    listed = list(parts)
    return sum(rows for rows, _m in listed), {
        name: sum((sums[name] for _r, sums in listed), Decimal(0)) for name in money
    }


def _rows_by_fate(tally: Tally, money: Sequence[str]) -> list[dict[str, Any]]:
    aside = sorted((key for key in tally if key is not None), key=lambda key: (-tally[key][0], key))
    fates = [("in the source", _total(tally.values(), money)), ("used", tally[None])]
    fates += [(reason, tally[reason]) for reason in aside]
    return [
        {"fate": fate, "rows": rows, "money": {name: float(value) for name, value in sums.items()}}
        for fate, (rows, sums) in fates
    ]


def _assert_reconciled(tally: Tally, money: Sequence[str], folder: Path, name: str) -> None:
    """What was written is what was counted, to the row and to the cent of every money column."""
    counted = {
        "table": tally[None],
        "quarantine": _total((value for key, value in tally.items() if key is not None), money),
    }
    for file, expected in counted.items():
        rows = engine().read_parquet(str(folder / f"{file}.parquet"))
        sums = {
            one: (countable(rows, one) if file == "table" else rows[f"readable_{one}"]).sum() for one in money
        }
        found = rows.agg(rows=rows.count(), **sums).to_pyarrow().to_pylist()[0]
        written = (found["rows"], {one: found[one] or Decimal(0) for one in money})
        assert written == expected, (
            f"{name}, {file}: counted {expected} but wrote {written}; this is a fault of crmlib"
        )


def _values(
    used: ibis.Table, contract: Contract, columns: Mapping[str, str], reading: TableReading
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Values that were left empty or read as another word than was written; and filled values by column."""
    here = [column for column in contract.columns if column.name in columns]
    asked: dict[str, ir.Value] = {"repeated": used.count() - used.row_hash.nunique()}
    changed: dict[str, ir.StringValue] = {}
    for column in here:
        name = column.name
        asked[f"filled_{name}"] = used[f"has_{name}"].sum() if column.personal else used[name].count()
        if not column.required:
            changed[f"{name}.fault"] = used[f"fault_{name}"]
        if column.words or name in reading.rename:
            read, written = used[name], used[f"written_{name}"]
            other = read.notnull() & (read != written.lower()) & (read != written)
            changed[f"{name}.word"] = ibis.ifelse(other, written + " read as " + read, ibis.null("string"))
    asked |= {key: what.count() for key, what in changed.items()}
    found = {key: int(rows or 0) for key, rows in used.agg(**asked).to_pyarrow().to_pylist()[0].items()}
    values = [
        {"column": key.split(".")[0], **one}
        for key, what in changed.items()
        if found[key]
        for one in _most_frequent(used, what)
    ]
    if found["repeated"]:
        what = "equal to an earlier row, and used all the same"
        values.append({"column": "", "what": what, "rows": found["repeated"]})
    return values, {column.name: found[f"filled_{column.name}"] for column in here}


def _most_frequent(used: ibis.Table, what: ir.StringValue) -> list[dict[str, Any]]:
    counts = used.group_by(what=what).agg(rows=_.count()).filter(_.what.notnull())
    return counts.order_by(_.rows.desc(), "what").limit(_MOST_WORDS).to_pyarrow().to_pylist()


def _nothing_usable(staged: ibis.Table, contract: Contract, columns: Mapping[str, str], tally: Tally) -> str:
    reason, (rows, _money) = max(tally.items(), key=lambda item: item[1][0])
    total = sum(count for count, _m in tally.values())
    concerned = [c for c in contract.columns if spoken(c.name) in str(reason) and c.name in columns]
    text = f"{contract.name}: no row can be used; {rows} of {total} have the fault: {reason}"
    if not concerned:
        return text
    column: Column = max(concerned, key=lambda one: len(one.name))
    example = staged.filter(_.reason == reason).limit(1).to_pyarrow().to_pylist()[0]
    shown = f"holds, for example, {example[f'written_{column.name}']!r}; " if not column.personal else ""
    cure = {
        "date": 'say how dates are written under date_format, as in "%d/%m/%Y"',
        "number": "say the decimal sign under decimal",
        "money": "say the decimal sign under decimal",
    }.get(
        column.kind,
        f"say which column it is under columns, or what its words mean under rename: {column.name}",
    )
    return f"{text}. Column {columns[column.name]!r} {shown}{cure}"
