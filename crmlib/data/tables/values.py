"""The values of an optional table: read by their kind, and judged by what its contract allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from crmlib.data.books import LARGEST_AMOUNT
from crmlib.data.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.hashing import hash_of
from crmlib.data.pseudonyms import pseudonym
from crmlib.data.reading import read_date, read_number, read_text, trim_signs
from crmlib.data.reasons import UNSPLIT_LINE
from crmlib.data.tables.contracts import Column, Contract
from crmlib.data.tables.table_reading import TableReading
from crmlib.data.tables.words import read_flag, read_word

HOW_READ = {
    "text": "string",
    "date": "timestamp(6)",
    "number": "float64",
    "money": "float64",
    "flag": "boolean",
}
_BLANKS = " \t\n\r\u00a0\u202f"
_EMPTY = ("null", "nan", "nat", "n/a", "#n/a", "<na>", "\\n")  # as databases and programs write an empty cell
_SCALES = {"nps": 10.0}  # of a survey's questions; others go to 5 unless scale_max says otherwise
_USUAL_SCALE = 5.0


def read_values(
    raw: ibis.Table, contract: Contract, columns: Mapping[str, str], reading: TableReading
) -> ibis.Table:
    """Every column under the contract's name, read by its kind, and as it was written (`written_...`)."""
    own = [name for name in raw.columns if name not in (FILE_COLUMN, UNSPLIT)]
    here = [column for column in contract.columns if column.name in columns]
    typed = {
        column.name: raw[columns[column.name]]
        for column in here
        if not raw[columns[column.name]].type().is_string() and column.kind != "text"
    }
    rows = raw.select(
        **{f"written_{column.name}": _written(raw[columns[column.name]], column) for column in here},
        **{f"typed_{name}": source for name, source in typed.items()},
        row_hash=hash_of(*[raw[name].cast("string") for name in own]),
        unsplit_line=raw[UNSPLIT].notnull() if UNSPLIT in raw.columns else ibis.literal(False),
        source_file=raw[FILE_COLUMN] if FILE_COLUMN in raw.columns else ibis.literal("frame"),
    ).view()  # as a view, what was read is computed once, however often the next step asks for it
    read = {
        column.name: _read(
            rows[f"{'typed' if column.name in typed else 'written'}_{column.name}"],
            column,
            contract.name,
            reading,
        )
        for column in here
    }
    return rows.mutate(**read).drop(*[f"typed_{name}" for name in typed]).view()


def _written(source: ir.Column, column: Column) -> ir.StringValue:
    """Text without blanks at its ends, null if nothing is left; whole numbers without a decimal point."""
    text = trim_signs(source if source.type().is_string() else read_text(source), _BLANKS).nullif("")
    if names_customer(column):  # what a missing id looks like is the study's to say
        return text
    return ibis.ifelse(text.lower().isin(_EMPTY), ibis.null("string"), text)


def _read(source: ir.Column, column: Column, table: str, reading: TableReading) -> ir.Value:
    if column.kind == "date":
        return read_date(source, reading.date_format, reading.timezone)
    if column.kind in ("number", "money"):
        size = (
            _read_share(source, reading) if column.unit == "share" else read_number(source, reading.decimal)
        )
        return ibis.ifelse(size.isnan(), ibis.null("float64"), size)  # how programs write an empty cell
    if column.kind == "flag":
        return read_flag(source)
    text = source
    if names_customer(column) and reading.missing_ids:
        missing = text.lower().isin([word.lower() for word in reading.missing_ids])
        text = ibis.ifelse(missing, ibis.null("string"), text)
    renamed = reading.rename.get(column.name)
    if renamed:
        text = text.substitute({old.strip(): new for old, new in renamed.items()}, else_=text)
    return read_word(text, table, column.name, column.words) if column.words else text


def _read_share(source: ir.Column, reading: TableReading) -> ir.FloatingValue:
    """A share of one, also where it is written in per cent."""
    if source.type().is_numeric():
        return source.cast("float64")
    size = read_number(source.re_replace(r"\s*%$", ""), reading.decimal)
    return ibis.ifelse(source.endswith("%"), size / 100, size)


def names_customer(column: Column) -> bool:
    """Whether a column holds ids of customers."""
    return column.name == "customer_id" or column.refers_to == "customers.customer_id"


def judge_values(
    rows: ibis.Table, contract: Contract, columns: Mapping[str, str], reading: TableReading
) -> ibis.Table:
    """Give each row that cannot be used its reason; leave faulty values of the others empty, with the fault.

    What leaves this function may be written: ids are hashed and personal columns gone where the study says so.
    """
    here = [column for column in contract.columns if column.name in columns]
    faults = {column.name: _fault(rows, column, reading) for column in here}
    required = {column.name for column in here if column.required}
    reasons = [(rows.unsplit_line, UNSPLIT_LINE)]
    for column in here:
        if column.required:
            missing = rows[column.name].isnull() & rows[f"written_{column.name}"].isnull()
            fault = faults[column.name]
            reasons += [(missing, f"no {spoken(column.name)}"), (fault.notnull(), fault)]
    reasons += list(_contradictions(rows, contract, columns))
    if contract.name == "surveys":
        reasons.append(_above_scale(rows, columns))
    judged = rows.mutate(
        reason=ibis.cases(*reasons, else_=ibis.null("string")),
        **{f"fault_{name}": fault for name, fault in faults.items() if name not in required},
    ).view()
    emptied = {
        column.name: ibis.ifelse(
            judged[f"fault_{column.name}"].isnull(), judged[column.name], ibis.null(HOW_READ[column.kind])
        )
        for column in here
        if column.name not in required
    }
    return _fit_to_write(judged.mutate(**emptied), here, reading)


def spoken(name: str) -> str:
    """A column's name in a sentence."""
    return name.replace("_", " ")


def _fault(rows: ibis.Table, column: Column, reading: TableReading) -> ir.StringValue:
    """What is wrong with a value that is written, or null."""
    value, name = rows[column.name], spoken(column.name)
    written = rows[f"written_{column.name}"].notnull()
    cases: list[tuple[Any, Any]] = []
    if column.kind in ("number", "money"):
        cases.append((value.abs() > LARGEST_AMOUNT, f"{name} is infinite or impossibly large"))
    if names_customer(column):
        cases.append((value.isnull() & written, f"{name} is a word for missing (policies.missing_ids)"))
    elif column.words or column.kind == "flag":
        allowed = ", ".join(column.words) or "yes, no"
        cases.append((value.isnull() & written, f"{name} is none of: {allowed}"))
    else:
        why = " or before 1900" if column.name == "birthday" else ""
        cases.append((value.isnull() & written, f"unreadable {name}{why}"))
    if column.low is not None:
        cases.append((value < column.low, f"{name} below {column.low:g}"))
    if column.high is not None:
        cases.append((value > column.high, f"{name} above {column.high:g}"))
    if column.name == "birthday":
        end = ibis.timestamp(f"{reading.known_until} 23:59:59")
        cases.append((value > end, f"{name} in the future"))
    return ibis.cases(*cases, else_=ibis.null("string"))


def _contradictions(
    rows: ibis.Table, contract: Contract, columns: Mapping[str, str]
) -> Iterator[tuple[ir.BooleanValue, str]]:
    """Rows in which what follows comes first: which of the two dates is wrong, nobody can tell."""
    for column in contract.columns:
        if column.not_before in columns and column.name in columns:
            early = rows[column.name].truncate("D") < rows[column.not_before].truncate("D")
            yield early, f"{spoken(column.name)} before {spoken(column.not_before)}"


def _above_scale(rows: ibis.Table, columns: Mapping[str, str]) -> tuple[ir.BooleanValue, str]:
    usual = ibis.cases(*[(rows.question == one, top) for one, top in _SCALES.items()], else_=_USUAL_SCALE)
    top = rows.scale_max.fill_null(usual) if "scale_max" in columns else usual
    return rows.score > top, "score above its scale (scale_max)"


def _fit_to_write(rows: ibis.Table, here: list[Column], reading: TableReading) -> ibis.Table:
    """Ids hashed where the study says so, and of personal columns only whether they are filled."""
    personal = [column.name for column in here if column.personal]
    changed: dict[str, ir.Value] = {f"has_{name}": rows[name].notnull() for name in personal}
    if reading.hash_secret is not None:
        hidden = [name for c in here if names_customer(c) for name in (c.name, f"written_{c.name}")]
        changed |= {name: pseudonym(rows[name], reading.hash_secret) for name in hidden}
    rows = rows.mutate(**changed) if changed else rows
    if reading.keep_personal:
        return rows.drop("unsplit_line")
    gone = [one for name in personal for one in (name, f"written_{name}")]
    return rows.drop("unsplit_line", *gone)
