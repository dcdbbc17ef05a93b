"""Write what was found in a firm's files into its study file: every entry with a comment, nothing else touched.

`write_study` writes a new file from a purchase log; `add_table` adds a table to a file as it stands.
"""

from __future__ import annotations

import datetime as dt
import filecmp
import os
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import yaml

from crmlib.data.contracts import CONTRACTS, TABLE_NAMES
from crmlib.data.guessing.findings import Finding, Guess
from crmlib.data.policies import Policies
from crmlib.errors import CrmError, StudyError, did_you_mean
from crmlib.places import is_bundled, new_study_folder, root_of
from crmlib.staging import whole_file, write_whole
from crmlib.study import Study
from crmlib.study_file import READING, StudyFile, TableEntry, check_study, read_study_text
from crmlib.visible import visible

LARGEST_COPY_BYTES = 200 * 1024**2  # a larger log stays where it is
_OPTIONS = "--encoding, --sheet, --column customer_id=CustNo and --answer ENTRY=ANSWER"


def write_study(
    name: str,
    guess: Guess,
    *,
    root: Path | None = None,
    title: str | None = None,
    force: bool = False,
    table: str = "transactions",
    as_of: dt.date | None = None,
) -> Path:
    """Write `data/NAME/study.yaml` from what was found in a log, or in another table that a study can begin with.

    A log inside the project is referred to where it is; another file is copied into `data/NAME/`, unless it
    is larger than 200 MB, and folders and patterns are referred to by their whole path.

    Parameters
    ----------
    name : str
        Name of the study: letters, digits, - and _.
    guess : Guess
        What `guess_table` found of the table; its questions have to be answered.
    root : Path, optional
        The project; by default the nearest folder above that holds `data/`.
    title : str, optional
        How reports name the firm.
    force : bool
        Whether a study of that name may be replaced.
    table : str
        Which table it is.
    as_of : date, optional
        The last day that counts, which a firm without a purchase log has to name.

    Returns
    -------
    Path
        The study file.

    Raises
    ------
    StudyError
        If the name is taken or unusable, or questions are open.
    """
    folder = new_study_folder(name, root)
    _refuse_open_questions(guess, f"crm new has --date-format, --decimal, --currency, {_OPTIONS}")
    path = folder / "study.yaml"
    if path.exists() and not force:
        raise StudyError(
            f"study {name!r} exists already: {path}; choose another name, or replace it with --force"
        )
    source, why, copy = _place_source(guess, folder.parents[1], folder)
    entry = _entry_of(guess, source, why)
    text = _study_text(title or name, guess, entry, table, as_of)
    found = TableEntry.model_validate(_plain(entry))
    assert read_study_text(text, str(path)).tables[table] == found, (
        f"{path}: the table's entry is read back as another one; this is a fault of crmlib"
    )
    folder.mkdir(parents=True, exist_ok=True)
    if copy:
        shutil.copyfile(guess.source, copy)
    write_whole(path, text)
    return path


def study_of_guess(title: str, guess: Guess) -> dict[str, Any]:
    """What a study file would say of a log, for use without one.

    Raises
    ------
    StudyError
        If questions are open.
    """
    _refuse_open_questions(
        guess,
        'open_study(…, columns={"customer_id": "CustNo"}, date_format="%d/%m/%Y", decimal=",", currency="EUR")',
    )
    entry = _entry_of(guess, str(guess.source), "where it is")
    return yaml.safe_load(_study_text(title, guess, entry, "transactions", None))


def _refuse_open_questions(guess: Guess, answers: str) -> None:
    """Refuse to write down what is not known; `answers` says how a person can say it."""
    if guess.undecided:
        listed = "\n".join(f"  {one.entry}: {one.text}" for one in guess.undecided)
        raise StudyError(
            f"{guess.source.name}: this cannot be told from the file:\n{listed}\n  Say it: {answers}"
        )


def _place_source(guess: Guess, root: Path, folder: Path) -> tuple[str, str, Path | None]:
    """Where the study looks for a table's file, why there, and the copy of it that has to be made, if any."""
    source = Path(os.path.abspath(guess.source))
    if source.is_relative_to(root):
        return os.path.relpath(source, folder), "where it is in this project, seen from this file", None
    if not source.is_file():
        return str(source), "where it is; new files that fit are read as well", None
    if source.stat().st_size > LARGEST_COPY_BYTES:
        return str(source), "where it is, too large for a copy in the project", None
    return source.name, f"a copy of {source}", folder / source.name


def _study_text(title: str, guess: Guess, entry: list[Finding], table: str, as_of: dt.date | None) -> str:
    found = {one.entry: one for one in guess.findings}
    unknown = Finding(
        "currency", None, "nothing in the file says; amounts are written without a code until you do"
    )
    currency = found.get("currency", unknown)
    lines = [
        "# How this firm's data are read. Every entry can be changed; `crm check` shows what follows from it.",
        "",
    ]
    lines += _entry_lines("title", title, "how reports name the firm")
    lines += _entry_lines("data_kind", "real", "real, artificial or simulated")
    lines += _entry_lines("currency", currency.value, f"{currency.evidence}; it is that of every amount")
    for key in ("as_of", "time_unit", "margin", "discount_rate_per_year", "privacy"):
        field = StudyFile.model_fields[key]
        value = as_of if as_of and key == "as_of" else field.default
        lines += _entry_lines(key, value, str(field.description))
    lines += ["", "tables:", f"  # {CONTRACTS[table].grain}"]
    lines += _table_lines(table, entry, 2)
    lines += ["", "# what is done where two readings of a row are honest", "policies:"]
    lines += _policies(found)
    lines += [
        "",
        "# parameters of single notebooks, as in 02_customer_base_audit: {compare_months: 3}",
        "notebooks: {}",
    ]
    return "\n".join(lines) + "\n"


def _policies(found: dict[str, Finding]) -> list[str]:
    lines = []
    for key, field in Policies.model_fields.items():
        one = found.get(f"policies.{key}")
        comment = f"{field.description}; {one.evidence}" if one else str(field.description)
        lines += _entry_lines(key, one.value if one else field.default, comment, 2)
    return lines


def _entry_lines(key: str, value: Any, comment: str, indent: int = 0) -> list[str]:
    """One entry of the file under its comment."""
    margin = " " * indent
    clean = visible(" ".join(comment.split()))  # a value shown in a comment must not end it
    commented = textwrap.wrap(clean, 110 - indent, initial_indent="# ", subsequent_indent="# ")
    plain = list(value) if isinstance(value, tuple) else value
    width = 100 - indent if isinstance(plain, list) else 10_000  # a text is not broken, a list of words is
    written = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=width).strip()
    entry = f"{key}: {written.removesuffix('...').strip()}".splitlines()
    return [margin + line for line in (*commented, *entry)]


def _entry_of(guess: Guess, source: str, why: str) -> list[Finding]:
    """What the study file has to say of a table, in the order of its entries."""
    found = {one.entry: one for one in guess.findings}
    defaults = {key: TableEntry.model_fields[key].default for key in READING}
    how = [found[key] for key in READING if key in found and found[key].value != defaults[key]]
    columns = [one for one in guess.findings if one.entry.startswith("columns.")]
    return [Finding("source", source, why), *how, *columns]


def _plain(entry: list[Finding]) -> dict[str, Any]:
    """The entry as a study file holds it."""
    plain = {one.entry: list(one.value) if isinstance(one.value, tuple) else one.value for one in entry}
    columns = {k.removeprefix("columns."): v for k, v in plain.items() if k.startswith("columns.")}
    return {k: v for k, v in plain.items() if not k.startswith("columns.")} | {"columns": columns}


def _table_lines(table: str, entry: list[Finding], indent: int) -> list[str]:
    """A table's entry as lines, each part under what speaks for it."""
    margin = " " * (indent + 2)
    lines = [f"{' ' * indent}{table}:"]
    columns = [one for one in entry if one.entry.startswith("columns.")]
    for one in entry:
        if one not in columns:
            lines += _entry_lines(one.entry, one.value, one.evidence, indent + 2)
    lines += [f"{margin}# which column is which; left out ones are not used", f"{margin}columns:"]
    for one in columns:
        lines += _entry_lines(one.entry.removeprefix("columns."), one.value, one.evidence, indent + 4)
    return lines


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
    _refuse_open_questions(guess, f"crm add has --date-format, --decimal, {_OPTIONS}")
    if is_bundled(path):
        raise StudyError(
            f"{path} came with the package, and stays as it is; copy its folder into data/ first"
        )
    root, folder = root_of(path), path.parent
    source, why, copy = _place_source(guess, root, folder)
    personal = {f"columns.{column.name}" for column in CONTRACTS[table].columns if column.personal}
    named = [str(one.value) for one in guess.findings if one.entry in personal]
    if named and not guess.source.resolve().is_relative_to(root):  # it stays the only file of its kind
        source, copy = os.path.abspath(guess.source), None
        why = f"where it is; it names people ({', '.join(named)}), so it is not copied into the project"
    made = None
    try:
        if copy and _has_to_be_made(copy, guess.source, force):
            made = None if copy.exists() else copy
            shutil.copyfile(guess.source, copy)
        with path.open(encoding="utf-8", newline="") as stands:
            text = stands.read()
        content, changed = _with_entry(text, table, _entry_of(guess, source, why), path)
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
    content["tables"] = {**content["tables"], table: _plain(entry)}
    changed = _put_in(text, table, entry)
    try:
        if yaml.safe_load(changed) == content:
            return content, changed
    except yaml.YAMLError:
        pass
    by_hand = "\n".join(_table_lines(table, entry, 2))
    raise StudyError(
        f"{path} is written in a way that cannot be added to; add under tables by hand:\n{by_hand}"
    )


def _put_in(text: str, table: str, entry: list[Finding]) -> str:
    """Replace the entry of a table, or add one after the last."""
    top = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(top, yaml.MappingNode)
    tables = next(value for key, value in top.value if key.value == "tables")
    places = {key.value: (key.start_mark, _end(value)) for key, value in tables.value}
    start, end = places.get(table, next(reversed(places.values())))
    if tables.flow_style:
        new = yaml.safe_dump(
            {table: _plain(entry)}, default_flow_style=True, allow_unicode=True, width=10_000
        )
        new = new.strip()[1:-1]
        return (
            text[: start.index] + new + text[end:] if table in places else f"{text[:end]}, {new}{text[end:]}"
        )
    newline = "\r\n" if "\r\n" in text else "\n"
    block = newline.join(_table_lines(table, entry, start.column))
    line_end = re.compile(r"\r?$", re.M).search(text, end)
    assert line_end, "every text has an end"
    before = text[: start.index - start.column] if table in places else text[: line_end.start()] + newline
    return before + block + text[line_end.start() :]


def _end(node: yaml.Node) -> int:
    """The last sign of a value; a block's own mark stands behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
