"""Write the entries for a firm's files into its study file, each with a comment, without other changes.

`write_study` writes a new file from a purchase log; `add_table` adds a table to a file as it stands.
"""

from __future__ import annotations

import datetime as dt
import filecmp
import io
import os
import re
import shutil
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from crmlib.data.contracts import CONTRACTS, TABLE_NAMES
from crmlib.data.databases import DatabaseRows
from crmlib.data.guessing.findings import Finding, Guess
from crmlib.data.staging import whole_file, write_whole
from crmlib.errors import CrmError, StudyError, did_you_mean
from crmlib.study.entries import entry_of, plain_entry, refuse_open_questions, study_text, table_lines
from crmlib.study.file import TableEntry, check_study, read_study_text
from crmlib.study.places import is_bundled, new_study_folder, root_of
from crmlib.study.study import Study

LARGEST_COPY_BYTES = 200 * 1024**2  # a larger log stays where it is
_ROUND_TRIP = YAML()
_ROUND_TRIP.preserve_quotes, _ROUND_TRIP.width = True, 1_000_000
OPTIONS = "--encoding, --sheet, --column customer_id=CustNo and --answer ENTRY=ANSWER"


def write_study(
    name: str,
    guess: Guess,
    *,
    title: str | None = None,
    force: bool = False,
    table: str = "transactions",
    as_of: dt.date | None = None,
) -> Path:
    """Write `data/NAME/study.yaml` from what was found in a log, or in another table that a study can begin with.

    A log inside the project is referred to where it is; another file is copied into `data/NAME/`, unless it
    is larger than 200 MB, and folders and patterns are referred to by their whole path.

    `name`: name of the study: letters, digits, - and _. `guess`: what `guess_table` found of the table; its questions
    have to be answered. `title`: how
    reports name the firm. `force`: whether a study of that name may be replaced. `table`: which table it is. `as_of`:
    the last day that counts, which a firm without a purchase log has to name. Returns the study file. Raises StudyError
    if the name is taken or unusable, or questions are open.
    """
    folder = new_study_folder(name)
    refuse_open_questions(guess, f"crm new has --date-format, --decimal, --currency, {OPTIONS}")
    path = folder / "study.yaml"
    if path.exists() and not force:
        raise StudyError(
            f"study {name!r} exists already: {path}; choose another name, or replace it with --force"
        )
    source, why, copy = _place_source(guess, folder.parents[1], folder)
    entry = entry_of(guess, source, why)
    text = study_text(title or name, guess, entry, table, as_of)
    found = TableEntry.model_validate(plain_entry(entry))
    assert read_study_text(text, str(path)).tables[table] == found, (
        f"{path}: the table's entry is read back as another one; this is a fault of crmlib"
    )
    folder.mkdir(parents=True, exist_ok=True)
    if copy:
        shutil.copyfile(guess.source, copy)
    write_whole(path, text)
    return path


def _place_source(guess: Guess, root: Path, folder: Path) -> tuple[str, str, Path | None]:
    """Where the study looks for a table's file, why there, and the copy of it that has to be made, if any."""
    if isinstance(rows := guess.source, DatabaseRows):
        address = rows.address
        if rows.file and rows.file.resolve().is_relative_to(root):
            address = f"{rows.scheme}://{os.path.relpath(rows.file, folder)}"
        return address, "where the database is; its rows are read when they have changed", None
    source = Path(os.path.abspath(guess.source))
    if source.is_relative_to(root):
        return os.path.relpath(source, folder), "where it is in this project, seen from this file", None
    if not source.is_file():
        return str(source), "where it is; new files that fit are read as well", None
    if source.stat().st_size > LARGEST_COPY_BYTES:
        return str(source), "where it is, too large for a copy in the project", None
    return source.name, f"a copy of {source}", folder / source.name


def refuse_taken(study: Study, table: str, force: bool) -> None:
    """Refuse a table that no notebook knows, or that the study has already.

    Raises StudyError, also where `force` is given for the purchase log, which `crm new` reads.
    """
    known = [name for name in TABLE_NAMES if name != "transactions"]
    if table not in known:
        raise StudyError(f"{table!r} is no table that can be added; {did_you_mean(table, known)}")
    if study.has(table) and not force:
        raise StudyError(
            f"study {study.name!r} has a table {table!r} already; replace its entry with --force"
        )


def add_table(path: Path, table: str, guess: Guess, *, force: bool = False) -> Study:
    """Add a table to a study file, if it can be read and used.

    `path`: the study file. `table`: which table of the contracts it is. `guess`: what `guess_table` found; its
    questions have to be answered. `force`: whether an entry of that name, or another file of that name in the study's
    folder, may be replaced. Returns the study with its new table, which has been cleaned. Raises StudyError if
    questions are open, or the study file is not the project's, or cannot be changed without touching other entries;
    DataError if the table cannot be used; the study file is then as it was.
    """
    refuse_open_questions(guess, f"crm add has --date-format, --decimal, {OPTIONS}")
    if is_bundled(path):
        raise StudyError(
            f"{path} came with the package, and stays as it is; copy its folder into data/ first"
        )
    root, folder = root_of(path), path.parent
    source, why, copy = _place_source(guess, root, folder)
    personal = {f"columns.{column.name}" for column in CONTRACTS[table].columns if column.personal}
    named = [str(finding.value) for finding in guess.findings if finding.entry in personal]
    is_file = not isinstance(guess.source, DatabaseRows)
    if named and is_file and not guess.source.resolve().is_relative_to(root):
        source, copy = os.path.abspath(guess.source), None  # it stays the only file of its kind
        why = f"where it is; it names people ({', '.join(named)}), so it is not copied into the project"
    made = None
    try:
        if copy and _has_to_be_made(copy, guess.source, force):
            made = None if copy.exists() else copy
            shutil.copyfile(guess.source, copy)
        with path.open(encoding="utf-8", newline="") as stands:
            text = stands.read()
        content, changed = _with_entry(text, table, entry_of(guess, source, why), path)
        study = Study(folder.name, check_study(content, str(path)), folder, root)
        study.cleaned.report(table)  # cleaned before a word is written
        with whole_file(path) as draft:  # with the line ends and under the rights that the file had
            draft.write_text(changed, encoding="utf-8", newline="")
            shutil.copymode(path, draft)
    except (CrmError, OSError) as complaint:
        if made:
            made.unlink(missing_ok=True)
        if isinstance(complaint, OSError):
            raise StudyError(f"{path} cannot be changed: {complaint.strerror}") from complaint
        raise
    return study


def _has_to_be_made(copy: Path, source: Path, force: bool) -> bool:
    """Whether there is no such copy in the study's folder yet; another file of its name is replaced by force only."""
    if not copy.exists():
        return True
    alike = filecmp.cmp(source, copy, shallow=False)
    if not alike and not force:
        raise StudyError(
            f"{copy} is there already, with another content; rename {source.name}, or use --force"
        )
    return not alike


def _with_entry(text: str, table: str, entry: list[Finding], path: Path) -> tuple[dict[str, Any], str]:
    """The study's content with the new table, and its text with the entry put in."""
    content = yaml.safe_load(text)
    if "tables" not in content:
        raise StudyError(
            f"{path} names no tables, for they are made; a table can be added to a study of files only"
        )
    content["tables"] = {**content["tables"], table: plain_entry(entry)}
    try:
        changed = _put_in(text, table, entry)
        if yaml.safe_load(changed) == content:
            return content, changed
    except (yaml.YAMLError, YAMLError, LookupError):
        pass
    by_hand = "\n".join(table_lines(table, entry, 2))
    raise StudyError(
        f"{path} is written in a way that cannot be added to; add under tables by hand:\n{by_hand}"
    )


def _put_in(text: str, table: str, entry: list[Finding]) -> str:
    """Replace the entry of a table, or add one.

    A round trip through ruamel.yaml keeps comments and quotes, but not every blank and line break. So it only says
    which lines the entry changes; all others stay as they are.

    Raises LookupError if the place of these lines in the text is not clear.
    """
    lines = text.removesuffix("\n").split("\n")
    document = _ROUND_TRIP.load("\n".join(line.removesuffix("\r") for line in lines))
    tables = document["tables"]
    before = _lines_of(document)
    replaced = table in tables
    in_one_line = dict(default_flow_style=True, allow_unicode=True, width=10_000)
    tables[table] = _ROUND_TRIP.load(yaml.safe_dump(plain_entry(entry), **in_one_line))
    after = _lines_of(document)
    first = _alike(before, after)
    below = _alike(before[first:][::-1], after[first:][::-1])
    last = len(before) - below
    new = after[first : len(after) - below]
    if in_block := not tables.fa.flow_style():
        new = table_lines(table, entry, tables.lc.col)
        while before[last - 1].lstrip()[:1] in ("", "#"):
            last -= 1  # comments below an entry are not its own
        first = min(first, last)
    plain, written = ([re.sub(r"\s", "", line) for line in part] for part in (before, lines))
    same = SequenceMatcher(None, plain, written, autojunk=False).get_opcodes()
    start, end = (_line_in_text(line, same) for line in (first, last))
    loses_comment = "#" in "".join(lines[start : end - 1])
    if (end > start and not replaced) if in_block else loses_comment:
        raise LookupError("a line or a comment would be lost")
    returns = "\r" if "\r\n" in text else ""
    return "\n".join([*lines[:start], *(line + returns for line in new), *lines[end:], ""])


def _lines_of(document: Any) -> list[str]:
    written = io.StringIO()
    _ROUND_TRIP.dump(document, written)
    return written.getvalue().splitlines()


def _alike(before: Sequence[str], after: Sequence[str]) -> int:
    """The number of lines at the start that are the same in both."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _line_in_text(line: int, same: Sequence[tuple[str, int, int, int, int]]) -> int:
    """Where a line of the round trip stands in the text."""
    for kind, start, end, in_text, _end in same:
        if line == start or (kind == "equal" and start < line < end):
            return in_text + line - start
    if line == same[-1][2]:
        return same[-1][4]
    raise LookupError(line)
