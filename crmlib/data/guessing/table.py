"""Detect the format and the columns of a table's file, with evidence for each guess."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.reading import parse_number, read_text
from crmlib.data.cleaning.steps import SAYS_TOTAL
from crmlib.data.contracts.contract import NONE, Column, Contract, one_column
from crmlib.data.databases import DatabaseRows, rows_of
from crmlib.data.engine import first_row
from crmlib.data.files.csv_files import FILE_COLUMN, UNSPLIT
from crmlib.data.files.source_files import kind_of, source_files
from crmlib.data.guessing.amounts import money_units
from crmlib.data.guessing.columns import (
    IS_DATE,
    MOSTLY,
    Look,
    Match,
    OwnGuesses,
    match_columns,
    may_be_named,
    near_names,
    parts_of_date,
    profile_columns,
)
from crmlib.data.guessing.content import faulty_ids, mostly_empty, unread_amounts
from crmlib.data.guessing.date_columns import guess_date_formats, guess_timezone, stacked_texts
from crmlib.data.guessing.dates import BOTH_WAYS, PERIOD, unread_dates
from crmlib.data.guessing.findings import Finding, Guess, Question, findings_in, questions_in
from crmlib.data.guessing.purchase_log import PurchaseLogGuesses
from crmlib.data.guessing.text_format import detect_format
from crmlib.data.sources import open_table
from crmlib.data.staging import scratch
from crmlib.errors import DataError, did_you_mean

_NESTED = r"\s*(?:\{.*\}|\[.*\])\s*$"  # objects and lists, as JSON and Python write them
_HOW_TO_OPEN = {
    "sheet": {"excel": "a workbook"},
    "delimiter": {"csv": "a text file"},
    "encoding": {"csv": "a text file"},
    "table": {"duckdb": "a DuckDB file", "database": "a database"},
    "query": {"database": "a database"},
}
_BY_YOU = "named by you"
_SMALL_FILE = 10_000_000  # bytes
_SAMPLE_VALUES = 400_000  # of all columns together, to see what each holds
_OWN: dict[str, OwnGuesses] = {"transactions": PurchaseLogGuesses()}


def guess_table(contract: Contract, source: str | Path, *, given: Mapping[str, Any] | None = None) -> Guess:
    """Detect how the file of a table has to be read.

    - `contract`: what the table must and may hold.
    - `source`: a file, folder or pattern, as in a study file; or the address of a database, with `table` or `query` in
      `given`.
    - `given`: what is known already, and not guessed: `table`, `query`, `sheet`, `delimiter`, `encoding`,
      `date_format`, `timezone`, `decimal`, `currency`, `columns.customer_id` and the like.

    Returns: findings with their evidence, which quotes no id of a customer and nothing personal; and questions where
    two readings are possible, or a required column was not found. Raises DataError if the file cannot be read, or holds
    no rows.

    Examples
    --------
    >>> import tempfile
    >>> from crmlib.data.contracts import CONTRACTS
    >>> file = Path(tempfile.mkdtemp()) / "spend.csv"
    >>> _ = file.write_text("Monat;Kanal;Kosten\\n01.02.2024;Messe;1.200,50\\n15.03.2024;Messe;900,00\\n")
    >>> guess = guess_table(CONTRACTS["marketing_spend"], file)
    >>> guess.values["columns.amount"], guess.values["decimal"], guess.values["date_format"]
    ('Kosten', ',', ('%d.%m.%Y',))
    """
    given = dict(given or {})
    opened, own = open_file(source, given), _OWN.get(contract.name, OwnGuesses())
    table, there = opened.table, opened.own
    if len(there) == 1:
        raise DataError(f"{opened.place.name}: {one_column(there[0])}")
    known = own.known_columns(there) | _named(given, contract, there)
    sample = sample_of(table, there)
    table = _at_hand(table, there, [] if isinstance(opened.place, DatabaseRows) else source_files(source))
    profiles = profile_columns(sample)
    matches = match_columns(contract, profiles, known, own)
    apart = {*parts_of_date(profiles).values()}
    matches = {name: match for name, match in matches.items() if match.column not in apart or name in known}
    # An amount that is computed is not taken from a column of its name that holds none.
    computed = [c.name for c in contract.columns if c.computed_from and c.name in there]
    matches |= {name: Match(NONE, "it holds nothing like it") for name in computed if name not in matches}
    here = _columns_of(contract, own.settle(matches, []), there)
    decimal = list(_decimal(table, here, given))
    sign = next((str(finding.value) for finding in findings_in(decimal)), ".")
    dates = [*guess_date_formats(table, here, given)]
    if questions_in(dates):
        dates = [*guess_date_formats(_without_sums(table, here), here, given)]
    seen = [*decimal, *dates, *money_units(here, profiles, given), *guess_timezone(table, here, given)]
    look = Look(table, sample, profiles, _in_file(matches, there), known, given, sign)
    seen += own.compare(look)
    by_words = [finding for finding in findings_in(seen) if finding.entry.startswith("columns.")]
    matches |= {word.entry.removeprefix("columns."): Match(word.value, word.evidence) for word in by_words}
    lacking = contract.lacking(column.name for column, _theirs in _columns_of(contract, matches, there))
    look = replace(look, matches=_in_file(own.settle(matches, []), there))
    more = [*own.further(look), *faulty_ids(contract, look), *mostly_empty(contract, look)]
    further = findings_in(more)
    matches = own.settle(matches, further)
    columns = [_finding(contract.column(name), match) for name, match in matches.items()]
    found = [finding for finding in findings_in(seen) if finding not in by_words]
    findings = [*opened.found, *columns, *_unused(contract, matches, there), *found, *further]
    asked: dict[str, Question] = {}  # one about each entry
    for question in (*opened.questions, *questions_in(seen), *questions_in(more)):
        asked.setdefault(question.entry, question)
    missing = [_question(contract, name, look, there) for name in lacking if f"columns.{name}" not in asked]
    return Guess(opened.place, tuple(findings), (*asked.values(), *missing))


def _without_sums(table: ibis.Table, here: list[tuple[Column, str]]) -> ibis.Table:
    """The rows without totals, whose "dates" are none."""
    ids = [theirs for column, theirs in here if column.kind == "id" and column.name != "product"]
    sums = [table[name].cast("string").re_search(SAYS_TOTAL).fill_null(False) for name in ids]
    return table.filter(~ibis.or_(*sums)) if sums else table


def _at_hand(table: ibis.Table, own: list[str], files: Sequence[Path]) -> ibis.Table:
    """The table with its texts read once; a small file is cached while it is examined."""
    texts = {name: read_text(table[name]) for name in own if table[name].type().is_string()}
    read = table.mutate(**texts).view()
    return read.cache() if 0 < sum(file.stat().st_size for file in files) <= _SMALL_FILE else read


def _in_file(matches: Mapping[str, Match], there: Sequence[str]) -> dict[str, Match]:
    return {name: match for name, match in matches.items() if match.column in there}


def _columns_of(
    contract: Contract, matches: Mapping[str, Match], there: Sequence[str]
) -> list[tuple[Column, str]]:
    """The contract's columns that are there, each with that of the file."""
    found = _in_file(matches, there)
    return [(column, found[column.name].column) for column in contract.columns if column.name in found]


def _named(given: Mapping[str, Any], contract: Contract, own: Sequence[str]) -> dict[str, Match]:
    """The columns that a person named, checked on both sides."""
    named = {k.removeprefix("columns."): str(v) for k, v in given.items() if k.startswith("columns.")}
    for ours, theirs in named.items():
        if ours not in contract.names:
            raise DataError(f"{contract.name} has no column {ours!r}; {did_you_mean(ours, contract.names)}")
        if theirs not in own and theirs != NONE:
            why = f"there is no column {theirs!r}; {did_you_mean(theirs, own[:40])}"
            raise DataError(f"columns.{ours}: {why}")
    return {ours: Match(theirs, _BY_YOU) for ours, theirs in named.items()}


def _question(contract: Contract, name: str, look: Look, there: Sequence[str]) -> Question:
    """Ask for a required column; those whose names come near it are no answer by themselves, and stand first."""
    near, purpose = near_names(contract, name, there), contract.column(name).purpose
    if contract.column(name).kind == "date" and (parts := parts_of_date(look.profiles)):
        listed = ", ".join(f"the {part} in {theirs!r}" for part, theirs in parts.items())
        without = "" if "day" in parts else "; without a day, take the first one of the month or week"
        text = f"the {name} stands in several columns: {listed}. Make one of them, as 2024-01-31{without}"
        return Question(f"columns.{name}", f"{text}, and name it")
    wide = [column for column in look.profiles if _is_period(column)]
    if contract.column(name).kind == "date" and len(wide) > 2:
        text = f"the columns {wide[0]!r}, {wide[1]!r} and others are named like days or months; turn the table, so that"
        return Question(f"columns.{name}", f"{text} each row holds one of them, its customer and its amount")
    if contract.column(name).kind == "date":
        near += [n for n, seen in look.profiles.items() if n not in near and PERIOD.fullmatch(seen.example)]
    causes = {theirs: _cause(contract, name, theirs, look) for theirs in near}
    unclear = [theirs for theirs, cause in causes.items() if not cause]
    doubts = [f"; {theirs!r}: {cause}" for theirs, cause in causes.items() if cause]
    doubts += [f"; {', '.join(map(repr, unclear))}: name or content speak against it"] if unclear else []
    if name == "amount" and "unit_price" in look.matches:
        doubts += [f"; answer {look.source('unit_price')} if each row is one piece at this price"]
    doubts += [] if near else ["; if none does, add it to the file, or join the file that has it"]
    answers = (*near, *[name for name in look.profiles if name not in near])
    text = f"which column is the {name}? ({purpose}){''.join(doubts)}"
    return Question(f"columns.{name}", text, answers[:40])


def _cause(contract: Contract, name: str, theirs: str, look: Look) -> str:
    """Why a column whose name fits cannot be read, with an example; empty if it is not known, or is personal."""
    column, written = contract.column(name), look.table[theirs]
    if theirs not in look.profiles:
        return "it holds several values in a cell; export each of them as a column of its own"
    fits = may_be_named(theirs, contract, name) or PERIOD.fullmatch(look.profiles[theirs].example)
    if column.personal or not written.type().is_string() or not fits:
        return ""
    if column.kind == "date":
        unread = unread_dates(written)
        return f"{unread}, and that it is the date all the same: --column {name}={theirs}" if unread else ""
    causes = unread_amounts(look.table, written, look.decimal) if column.kind in ("money", "number") else []
    return f"{causes[0][1]:,} values cannot be read, such as {causes[0][2]!r}{causes[0][0]}" if causes else ""


def _finding(column: Column, match: Match) -> Finding:
    aside = "; personal: only whether it is filled is kept, unless the study says personal_columns: keep"
    evidence = match.evidence + (aside if column.personal else "")
    return Finding(f"columns.{column.name}", match.column, evidence)


def _unused(contract: Contract, matches: Mapping[str, Match], there: Sequence[str]) -> Iterator[Finding]:
    unused = [name for name in there if name not in {match.column for match in matches.values()}]
    if unused and not contract.free_columns:
        yield Finding("not used", tuple(unused), "not in the contract; --column NAME=COLUMN says otherwise")


def _decimal(
    table: ibis.Table, here: list[tuple[Column, str]], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    """The decimal sign, from every number of the file."""
    if "decimal" in given:
        yield Finding("decimal", given["decimal"], _BY_YOU)
        return
    stacked = stacked_texts(table, [theirs for column, theirs in here if column.kind in ("money", "number")])
    if stacked is None:
        return
    text = stacked.filter(_.text.notnull())
    # As a view, each number is read once, however often it is asked for.
    rows = text.mutate(point=parse_number(text.text, "."), comma=parse_number(text.text, ",")).view()
    point, comma = rows.point.notnull(), rows.comma.notnull()
    differ = point & comma & (rows.point != rows.comma)
    counted = {"comma": comma, "only_point": point & ~comma, "only_comma": comma & ~point, "differ": differ}
    examples = {
        "point_text": rows.text.min(where=counted["only_point"]),
        "comma_text": rows.text.min(where=counted["only_comma"]),
        "example": rows.text.max(where=differ | ~point),
        "column": rows.column.argmax(rows.text, where=differ | ~point),
    }
    sums = {name: which.sum().fill_null(0) for name, which in counted.items()}
    seen, both = first_row(rows.agg(rows=rows.count(), **sums, **examples)), (".", ",")
    only = {".": seen["only_point"], ",": seen["only_comma"]}
    if min(only.values()) >= BOTH_WAYS * seen["rows"]:
        text = (
            f"numbers are written in two ways: {only['.']:,} can only have a decimal point, such as "
            f"{seen['point_text']!r}, and {only[',']:,} only a decimal comma, such as {seen['comma_text']!r}; "
            "export them in one way, or say which one counts: the others are then set aside"
        )
        yield Question("decimal", text, both)
    elif only[","] > only["."]:
        evidence = f"{fmt.count(seen['comma'])} of {fmt.count(seen['rows'])} amounts can be read with a decimal comma"
        yield Finding("decimal", ",", f"{evidence}, such as {seen['example']!r}")
    elif only[","] == only["."] and seen["differ"]:
        text = f"{seen['example']!r} in {seen['column']!r} can be read with a decimal point or comma; "
        yield Question("decimal", f"{text}which is it?", both)


class OpenFile(NamedTuple):
    """Where the file is, its table, its own columns, and how it is written."""

    place: Path | DatabaseRows
    table: ibis.Table
    own: list[str]
    found: list[Finding]
    questions: list[Question]


def open_file(source: str | Path, given: Mapping[str, Any]) -> OpenFile:
    """Open a file or a table of a database, and detect its format; `given` is what the user has said about it."""
    rows = rows_of(source, given.get("table"), given.get("query"))
    files = [rows.kept_in(scratch(), rows.state())] if rows else source_files(source)
    kind, place = "database" if rows else kind_of(files[0]), rows or files[0]
    for entry, wanted in _HOW_TO_OPEN.items():
        if entry in given and kind not in wanted:
            raise DataError(f"{place.name}: {entry} goes with {' or '.join(wanted.values())}; leave it out")
    named = [Finding(entry, given[entry], _BY_YOU) for entry in _HOW_TO_OPEN if entry in given]
    seen = [*named, *detect_format(files[0], given)]
    questions, found = questions_in(seen), findings_in(seen)
    options: dict[str, Any] = {asked.entry: asked.answers[0] for asked in questions}
    options |= {known.entry: known.value for known in found}
    if rows:
        options = {}
    table = open_table([str(file) for file in files], keep_bad_lines=True, **options)
    if UNSPLIT in table.columns and "delimiter" not in given:
        _refuse_unsplit(files[0], table)
    own = [name for name in table.columns if name not in (FILE_COLUMN, UNSPLIT)]
    return OpenFile(rows or Path.cwd() / Path(source).expanduser(), table, own, found, questions)


def _refuse_unsplit(file: Path, table: ibis.Table) -> None:
    """Refuse a file of which most lines have other columns than the header; no text of them is quoted."""
    seen = first_row(table.agg(lines=_.count(), unsplit=_[UNSPLIT].count(), line=_[UNSPLIT].min()))
    if seen["unsplit"] > MOSTLY * seen["lines"]:
        raise DataError(
            f"{file.name}: {fmt.count(seen['unsplit'])} of {fmt.count(seen['lines'])} lines cannot be split into the "
            f"columns of the header, such as {seen['line'].split(':')[0]}. Put cells that hold the sign between the "
            "columns in double quotes, and write quotes within them twice; or name the sign: crm new has --delimiter"
        )


def sample_of(table: ibis.Table, own: list[str]) -> pd.DataFrame:
    """The first rows of a table, enough to see what each of its own columns holds."""
    rows = max(200, _SAMPLE_VALUES // max(len(own), 1))
    flat = [name for name in own if not table[name].type().is_nested()]  # several values in a cell are no id
    sample = table.select(*flat).limit(rows).to_pandas()
    if sample.empty:
        raise DataError("the file has a header but no rows; export it again")
    texts = sample.astype("string")
    nested = {name: texts[name].str.match(_NESTED).dropna() for name in flat}
    sample = sample[[name for name in flat if nested[name].empty or not nested[name].all()]]
    dated = any(IS_DATE.match(name) and texts[name].str.match(IS_DATE).any() for name in flat)
    if dated or all(map(_looks_like_data, own)) or any(map(_is_value, own)):
        raise DataError(
            f"the first line looks like data, not like a header ({', '.join(own[:5])}); add a header"
        )
    return sample


def _is_period(name: str) -> bool:
    return bool(IS_DATE.match(name) or PERIOD.fullmatch(name))


def _looks_like_data(name: str) -> bool:
    return not any(sign.isalpha() for sign in name) or name.startswith("column_")


def _is_value(name: str) -> bool:
    """Whether a name is a number such as no column goes by: one with decimals, or a long one that is no date."""
    return bool(re.fullmatch(r"\d+[.,]\d+|\d{7,}", name) and not IS_DATE.match(name))
