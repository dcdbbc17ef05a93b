"""Add a table to a study file as it stands: its comments, its order and every other entry stay as they are."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crmlib.data.contracts import CONTRACTS, TABLE_NAMES
from crmlib.data.guessing.findings import Finding, Guess
from crmlib.errors import CrmError, StudyError, did_you_mean
from crmlib.new_study import entry_of, place_source, refuse_open_questions, table_lines
from crmlib.places import is_bundled, root_of
from crmlib.staging import whole_file
from crmlib.study import Study
from crmlib.study_file import check_study


def refuse_taken(study: Study, table: str, force: bool) -> None:
    """Refuse a table that no notebook knows, or that the study has already.

    Raises
    ------
    StudyError
        Also where `force` is given for the purchase log, which `crm new` reads.
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

    Parameters
    ----------
    path : Path
        The study file.
    table : str
        Which table of the contracts it is.
    guess : Guess
        What `guess_table` found; its questions have to be answered.
    force : bool
        Whether an entry of that name, or another file of that name in the study's folder, may be replaced.

    Returns
    -------
    Study
        The study with its new table, which has been cleaned.

    Raises
    ------
    StudyError
        If questions are open, or the study file is not the project's, or cannot be changed without touching other
        entries.
    DataError
        If the table cannot be used; the study file is then as it was.
    """
    refuse_open_questions(guess, "crm add has --date-format, --decimal and --column customer_id=CustNo")
    if is_bundled(path):
        raise StudyError(
            f"{path} came with the package, and stays as it is; copy its folder into data/ first"
        )
    root, folder = root_of(path), path.parent
    personal = _personal_columns(table, guess)
    source, why, copy = place_source(guess, root, folder)
    if personal and not guess.source.resolve().is_relative_to(root):
        source, why, copy = *_stay(guess, personal), None
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
        _write(path, changed)
    except (CrmError, OSError) as complaint:
        if made:
            made.unlink(missing_ok=True)
        if isinstance(complaint, OSError):
            raise StudyError(f"{path} cannot be changed: {complaint.strerror}") from complaint
        raise
    return study


def _personal_columns(table: str, guess: Guess) -> list[str]:
    """Columns of the source that say who a customer is."""
    personal = {f"columns.{column.name}" for column in CONTRACTS[table].columns if column.personal}
    return [str(one.value) for one in guess.findings if one.entry in personal]


def _stay(guess: Guess, personal: list[str]) -> tuple[str, str]:
    """A file that names people stays the only one of its kind."""
    why = f"where it is; it names people ({', '.join(personal)}), so it is not copied into the project"
    return os.path.abspath(guess.source), why


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


def _write(path: Path, text: str) -> None:
    """All of it or nothing, with the line ends and under the rights that the file had."""
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="")
        shutil.copymode(path, draft)


def _with_entry(text: str, table: str, entry: list[Finding], path: Path) -> tuple[dict[str, Any], str]:
    """The study's content with the new table, and its text with the entry put in."""
    content = yaml.safe_load(text)
    if "tables" not in content:
        raise StudyError(
            f"{path} names no tables, for they are made; a table can be added to a study of files only"
        )
    content["tables"] = {**content["tables"], table: _value(entry)}
    changed = _put_in(text, table, entry)
    try:
        if yaml.safe_load(changed) == content:
            return content, changed
    except yaml.YAMLError:
        pass
    by_hand = "\n".join(table_lines(table, entry, 2, 2))
    raise StudyError(
        f"{path} is written in a way that cannot be added to; add under tables by hand:\n{by_hand}"
    )


def _value(entry: list[Finding]) -> dict[str, Any]:
    """The entry as a study file holds it."""
    plain = {one.entry: list(one.value) if isinstance(one.value, tuple) else one.value for one in entry}
    columns = {k.removeprefix("columns."): v for k, v in plain.items() if k.startswith("columns.")}
    return {k: v for k, v in plain.items() if not k.startswith("columns.")} | {"columns": columns}


@dataclass(frozen=True)
class _Part:
    """Where a table's entry stands in the text, from its name to its last sign."""

    name: str
    start: int
    end: int
    indent: int


def _put_in(text: str, table: str, entry: list[Finding]) -> str:
    """Replace the entry of a table, or add one after the last."""
    tables = _tables_node(text)
    parts = list(_parts(tables))
    old = next((part for part in parts if part.name == table), None)
    place = old or parts[-1]
    if tables.flow_style:
        flow = yaml.safe_dump(
            {table: _value(entry)}, default_flow_style=True, allow_unicode=True, width=10_000
        )
        new = flow.strip()[1:-1]
        return (
            text[: place.start] + new + text[place.end :]
            if old
            else f"{text[: place.end]}, {new}{text[place.end :]}"
        )
    newline = "\r\n" if "\r\n" in text else "\n"
    block = newline.join(table_lines(table, entry, place.indent, 2))
    line_end = text.find("\n", place.end)
    line_end = len(text) if line_end < 0 else line_end
    end = line_end - 1 if text[line_end - 1 : line_end] == "\r" else line_end
    if old:
        return text[: place.start - place.indent] + block + text[end:]
    return text[:end] + newline + block + text[end:]


def _tables_node(text: str) -> yaml.MappingNode:
    top = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(top, yaml.MappingNode)
    return next(value for key, value in top.value if key.value == "tables")


def _parts(tables: yaml.MappingNode) -> Iterator[_Part]:
    for key, value in tables.value:
        yield _Part(key.value, key.start_mark.index, _end(value), key.start_mark.column)


def _end(node: yaml.Node) -> int:
    """The last sign of a value; a block's own mark stands behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
