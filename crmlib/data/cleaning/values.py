"""The values of a table: read by their kind, and judged by what its contract allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from crmlib.data.cleaning.ids import id_fault, read_id
from crmlib.data.cleaning.reading import (
    PRODUCT,
    currency_marks,
    is_of_currency,
    marks_of,
    parse_moment,
    parse_number,
    read_moment,
    read_number,
    read_text,
    where,
    why_unreadable,
    within_calendar,
    without_words,
)
from crmlib.data.cleaning.repeats import hash_of
from crmlib.data.cleaning.words import read_flag, read_word
from crmlib.data.contracts.contract import Column, Contract, spoken
from crmlib.data.currencies import common_currencies
from crmlib.data.files.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.policies import UNITS, Reading
from crmlib.errors import DataError

LARGEST_AMOUNT = 1e12  # beyond it a sum no longer keeps its cents in the engine's decimals
# Hexadecimal digits of a hashed id: 80 bits, at which a billion customers meet with a chance of one in a million.
_HASH_LENGTH = 20
UNSPLIT_LINE = "line cannot be split into columns"
OTHER_CURRENCY = "other currency"
_EMPTY = ("null", "nan", "nat", "n/a", "#n/a", "<na>", "\\n")  # as databases and programs write an empty cell


@ibis.udf.scalar.builtin(name="sha256")
def _sha256(text: str) -> str:  # type: ignore[empty-body]
    """DuckDB's digest, in hexadecimal digits."""


def read_values(
    raw: ibis.Table, contract: Contract, columns: Mapping[str, str], reading: Reading
) -> ibis.Table:
    """Every column under the contract's name, read by its kind, and as it was written (`written_...`).

    A value of a column that is not required is left empty if it is faulty, with the fault beside it (`fault_...`).
    The text of a column that is read as it stands is not kept twice; that of an id only where it is another one.
    """
    own = [name for name in raw.columns if name not in (FILE_COLUMN, UNSPLIT)]
    _refuse_nested(raw, columns, contract)
    here = [column for column in contract.columns if column.name in columns]
    sources = {column.name: raw[columns[column.name]] for column in here}
    typed = [c.name for c in here if c.type != "string" and not sources[c.name].type().is_string()]
    dressed = [c.name for c in here if c.kind == "id" and not sources[c.name].type().is_integer()]
    rows = raw.select(
        **{f"written_{column.name}": read_text(sources[column.name]) for column in here},
        **{f"typed_{name}": sources[name] for name in typed},
        row_hash=hash_of(*[raw[name].cast("string") for name in own]),
        unsplit_line=raw[UNSPLIT] if UNSPLIT in raw.columns else ibis.null("string"),
        source_file=raw[FILE_COLUMN] if FILE_COLUMN in raw.columns else ibis.literal("frame"),
    ).view()  # as a view, what was read is computed once, however often the next step asks for it
    read = {c.name: _read(rows, c, c.name in typed, contract.name, reading) for c in here}
    marked = [c.name for c in here if c.kind == "money" and c.name not in typed]
    read |= {f"marks_{name}": marks_of(rows[f"written_{name}"], reading.decimal) for name in marked}
    judged = [c for c in here if c.name in dressed or not _is_plain(c, reading)]
    plain = [f"written_{c.name}" for c in here if c not in judged]
    rows = rows.mutate(**read).drop(*[f"typed_{name}" for name in typed], *plain).view()
    possible = {c.name: _possible(rows[c.name], c) for c in here if c.kind in ("date", "number", "money")}
    possible |= {name: read_id(rows[name]) for name in dressed}
    rows = rows.mutate(**possible, **_computed(rows, contract, columns)).view()
    # The text of an id is kept beside its value, to report what was changed before both are hashed.
    apart = [c for c in judged if c.kind == "id" and not c.required]
    faulty = [c for c in judged if not c.required and (c not in apart or c.names_customer)]
    faults = {c.name: _fault(rows, c, reading) for c in faulty}
    if not faults and not apart:
        return rows
    kept = {f"written_{c.name}": rows[f"written_{c.name}"].nullif(rows[c.name]) for c in apart}
    rows = rows.mutate(**{f"fault_{name}": fault for name, fault in faults.items()}, **kept).view()
    emptied = {name: where(rows[f"fault_{name}"].isnull(), rows[name]) for name in faults}
    return rows.mutate(**emptied).view() if emptied else rows


def _refuse_nested(raw: ibis.Table, columns: Mapping[str, str], contract: Contract) -> None:
    """Refuse a column whose cells hold several values."""
    for ours, theirs in columns.items():
        if raw[theirs].type().is_nested():
            raise DataError(
                f"{contract.name}: columns.{ours} names {theirs!r}, which has several values in a cell "
                f"({raw[theirs].type()}); export each of them as a column of its own"
            )


def _is_plain(column: Column, reading: Reading) -> bool:
    """Whether a column's text is its value."""
    other = column.required or column.words or column.name in reading.rename or column.names_customer
    return column.kind in ("text", "id") and not other


def _says_something(rows: ibis.Table, column: Column) -> ir.BooleanValue:
    """Whether a cell is filled; which words mean a missing id is a policy of the study."""
    text = rows[f"written_{column.name}"]
    return (text if column.names_customer else without_words(text, _EMPTY)).notnull()


def _read(rows: ibis.Table, column: Column, typed: bool, table: str, reading: Reading) -> ir.Value:
    text = rows[f"written_{column.name}"]
    source = rows[f"typed_{column.name}"] if typed else None
    if column.kind == "date":
        if source is None:
            return parse_moment(text, reading.date_format, reading.timezone)
        return read_moment(source, reading.date_format, reading.timezone)
    if column.kind in ("number", "money"):
        if source is not None:
            size = read_number(source, reading.decimal)
        else:
            size = (_parse_share if column.unit == "share" else parse_number)(text, reading.decimal)
        return in_currency(size, reading.unit_of(column.name)) if column.kind == "money" else size
    if column.kind == "flag":
        yes, no = reading.policies.words_of_returns if column.name == "returned" else ((), ())
        return read_flag(text if source is None else source, yes, no)
    text = without_words(text, reading.policies.missing_ids if column.names_customer else _EMPTY)
    if renamed := reading.rename.get(column.name):
        text = text.substitute({old.strip(): new for old, new in renamed.items()}, else_=text)
    if not column.words:
        return text
    word = read_word(text, table, column.name, column.words)
    return word.fill_null(text) if column.other_words else word


def _possible(value: ir.Column, column: Column) -> ir.Value:
    """A value that was read, without impossible dates and without nan."""
    return within_calendar(value) if column.kind == "date" else where(~value.isnan(), value)


def in_currency(size: ir.NumericValue, unit: str | None) -> ir.NumericValue:
    """Money in the currency, from the unit in which it is written; a division keeps cents exact."""
    return size if unit is None else size / (1 / UNITS[unit]) if UNITS[unit] < 1 else size * UNITS[unit]


def _parse_share(text: ir.StringColumn, decimal: str) -> ir.FloatingValue:
    """A share of one, also where it is written in per cent."""
    size = read_number(text.re_replace(r"\s*%$", ""), decimal)
    return ibis.ifelse(text.endswith("%"), size / 100, size)


def _computed(rows: ibis.Table, contract: Contract, columns: Mapping[str, str]) -> dict[str, ir.Value]:
    """Required columns that are absent, as the product of others, and how that is written."""
    made: dict[str, ir.Value] = {}
    for column in contract.columns:
        factors = column.computed_from
        if column.name in columns or not factors or not columns.keys() >= {*factors}:
            continue
        texts = [rows[f"written_{name}"] for name in factors]
        product = texts[0].fill_null("") + PRODUCT + texts[1].fill_null("")
        made[column.name] = rows[factors[0]] * rows[factors[1]]
        made[f"written_{column.name}"] = where(texts[0].notnull() | texts[1].notnull(), product)
        if marks := [rows[f"marks_{name}"] for name in factors if f"marks_{name}" in rows.columns]:
            made[f"marks_{column.name}"] = ibis.coalesce(*marks)
    return made


def judge_rows(
    rows: ibis.Table, contract: Contract, reading: Reading, further: list[tuple[ir.BooleanValue, str]]
) -> ibis.Table:
    """Give each row that cannot be used its reason, the first that applies: the line, required columns, `further` ones.

    What leaves this function may be written: ids are hashed and personal columns gone where the study says so.
    """
    here = [column for column in contract.columns if column.name in rows.columns]
    reasons = [(rows.unsplit_line.notnull(), UNSPLIT_LINE)]
    for column in here:
        if column.required:
            missing = rows[column.name].isnull() & ~_says_something(rows, column)
            missing &= rows[column.unless].isnull() if column.unless in rows.columns else True
            fault = _fault(rows, column, reading)
            reasons += [(missing, f"no {spoken(column.name)}"), (fault.notnull(), fault)]
    reasons += [*_contradictions(rows, contract), *further]
    return _fit_to_write(rows.mutate(reason=ibis.cases(*reasons)), contract, here, reading)


def _fault(rows: ibis.Table, column: Column, reading: Reading) -> ir.StringValue:
    """What is wrong with a value that is written, or null."""
    value, name = rows[column.name], spoken(column.name)
    written = _says_something(rows, column)
    cases: list[tuple[Any, Any]] = []
    if column.kind in ("number", "money"):
        cases.append((value.abs() > LARGEST_AMOUNT, f"infinite or impossibly large {name}"))
    if column.kind == "id":
        missing = f"{name} is a word for missing (policies.missing_ids)"
        word = missing if column.names_customer else f"unreadable {name}"
        no_id = ibis.coalesce(ibis.literal(f"{name} ") + id_fault(rows[f"written_{column.name}"]), word)
        # The text is examined only where no id was read, which is faster.
        return where(value.isnull(), where(written, no_id))
    if column.words or column.kind == "flag":
        allowed = ", ".join(column.words) or "yes, no"
        cases.append((value.isnull() & written, f"{name} is not one of: {allowed}"))
    else:
        why: Any = " or before 1900" if column.name == "birthday" else ""
        if column.kind in ("number", "money") and f"written_{column.name}" in rows.columns:
            why = why_unreadable(rows[f"written_{column.name}"])
        cases.append((value.isnull() & written, ibis.literal(f"unreadable {name}") + why))
    marks = f"marks_{column.name}"
    if marks in rows.columns and reading.currency:
        other = value.notnull() & ~is_of_currency(rows[marks], [reading.currency.upper()])
        cases.append((other, OTHER_CURRENCY if column.required else f"{name} in another currency"))
    if column.low is not None:
        cases.append((value < column.low, f"{name} below {column.low:g}"))
    if column.high is not None:
        cases.append((value > column.high, f"{name} above {column.high:g}"))
    if column.name == "birthday":
        end = ibis.timestamp(f"{reading.known_until} 23:59:59")
        cases.append((value > end, f"{name} in the future"))
    return ibis.cases(*cases)


def refuse_several_currencies(staged: ibis.Table, contract: Contract) -> None:
    """Refuse to add up what is in several currencies, where the study does not say which is its own.

    Raises DataError if the rows that would be used are marked with signs or codes of different currencies.
    """
    money = [f"marks_{column.name}" for column in contract.columns if column.kind == "money"]
    usable, marks = staged.filter(staged.reason.isnull()), set()
    for name in {"currency", *money} & {*staged.columns}:
        written = usable.select(mark=usable[name]).distinct().filter(lambda t: t.mark.notnull()).limit(1_000)
        texts = written.to_pyarrow()["mark"].to_pylist()
        marks |= currency_marks(texts if name in money else [text.upper() for text in texts])
    if common_currencies(marks) is None:
        raise DataError(
            f"{contract.name}: the amounts are in several currencies ({', '.join(sorted(marks))}); say which one "
            "counts, as in currency: EUR, and rows in another one are set aside"
        )


def _contradictions(rows: ibis.Table, contract: Contract) -> Iterator[tuple[ir.BooleanValue, str]]:
    """Rows whose dates are in the wrong order; it is unknown which of the two is wrong."""
    for column in contract.columns:
        if column.not_before in rows.columns and column.name in rows.columns:
            early = rows[column.name].truncate("D") < rows[column.not_before].truncate("D")
            yield early, f"{spoken(column.name)} before {spoken(column.not_before)}"


def _fit_to_write(rows: ibis.Table, contract: Contract, here: list[Column], reading: Reading) -> ibis.Table:
    """Hash ids where the study says so, and replace personal columns by whether they are filled."""
    personal = [column.name for column in here if column.personal]
    changed: dict[str, ir.Value] = {f"has_{name}": rows[name].notnull() for name in personal}
    if reading.hash_secret is not None:
        hidden = [name for c in here if c.names_customer for name in (c.name, f"written_{c.name}")]
        changed |= {name: _pseudonym(rows[name], reading.hash_secret) for name in hidden}
    if reading.hash_secret is not None or not contract.quotable:
        changed["unsplit_line"] = where(rows.unsplit_line.notnull(), "(hidden)")
    gone = set() if reading.keep_personal else {*personal, *(f"written_{name}" for name in personal)}
    rows = rows.mutate(**changed) if changed else rows
    return rows.drop(*[name for name in rows.columns if name in gone])


def _pseudonym(customer_id: ir.StringValue, secret: str) -> ir.StringValue:
    """A keyed hash of a customer's id: the same for the same id and secret, not reversible without the secret."""
    # Hashed twice with the key: once would let who knows some hashes go on from them (length extension).
    inner = _sha256(ibis.literal(secret) + customer_id)
    return _sha256(ibis.literal(secret) + inner).substr(0, _HASH_LENGTH)
