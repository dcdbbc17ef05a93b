"""Write the study file of a firm whose log was looked at: every entry with a comment, nothing overwritten."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import yaml

from crmlib.data.guessing.findings import Finding, Guess
from crmlib.data.policies import Policies
from crmlib.errors import StudyError
from crmlib.places import find_root
from crmlib.staging import write_whole
from crmlib.study_file import StudyFile, TableEntry, read_study_text

LARGEST_COPY_BYTES = 200 * 1024**2  # a larger log stays where it is
READING = ("sheet", "delimiter", "encoding", "decimal", "date_format", "timezone")


def write_study(
    name: str, guess: Guess, *, root: Path | None = None, title: str | None = None, force: bool = False
) -> Path:
    """Write `data/NAME/study.yaml` from what was found in a log.

    A log inside the project is referred to where it is; another file is copied into `data/NAME/`, unless it
    is larger than 200 MB, and folders and patterns are referred to by their whole path.

    Parameters
    ----------
    name : str
        Name of the study: letters, digits, - and _.
    guess : Guess
        What `guess_table` found of the purchase log; its questions have to be answered.
    root : Path, optional
        The project; by default the nearest folder above that holds `data/`.
    title : str, optional
        How reports name the firm.
    force : bool
        Whether a study of that name may be replaced.

    Returns
    -------
    Path
        The study file.

    Raises
    ------
    StudyError
        If the name is taken or unusable, or questions are open.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise StudyError(f"a study cannot be called {name!r}; use letters, digits, - and _, as in my-shop")
    refuse_open_questions(
        guess, "crm new has --date-format, --decimal, --currency and --column customer_id=CustNo"
    )
    root = (root or find_root()).resolve()
    path = root / "data" / name / "study.yaml"
    if path.exists() and not force:
        raise StudyError(
            f"study {name!r} exists already: {path}; choose another name, or replace it with --force"
        )
    source, why, copy = place_source(guess, root, path.parent)
    text = _study_text(title or name, guess, source, why)
    _check_what_is_read_back(text, guess, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if copy:
        shutil.copyfile(guess.source, copy)
    write_whole(path, text)
    return path


def refuse_open_questions(guess: Guess, answers: str) -> None:
    """Refuse to write down what is not known; `answers` says how a person can say it."""
    if guess.questions:
        listed = "\n".join(f"  {one.entry}: {one.text}" for one in guess.questions)
        raise StudyError(
            f"{guess.source.name}: this cannot be told from the file:\n{listed}\n  Say it: {answers}"
        )


def place_source(guess: Guess, root: Path, folder: Path) -> tuple[str, str, Path | None]:
    """Where the study looks for a table's file, why there, and the copy of it that has to be made, if any."""
    source = Path(os.path.abspath(guess.source))
    if source.is_relative_to(root):
        return os.path.relpath(source, folder), "where it is in this project, seen from this file", None
    if not source.is_file():
        return str(source), "where it is; new files that fit are read as well", None
    if source.stat().st_size > LARGEST_COPY_BYTES:
        return str(source), "where it is, too large for a copy in the project", None
    return source.name, f"a copy of {source}", folder / source.name


def _check_what_is_read_back(text: str, guess: Guess, where: str) -> None:
    """Refuse a study file whose reader would refuse it, or read another thing than was found."""
    entry = read_study_text(text, where).tables["transactions"]
    found = guess.values
    read = {f"columns.{ours}": theirs for ours, theirs in entry.columns.items()}
    read |= {key: value for key, value in entry.model_dump(include=set(READING)).items() if key in found}
    lost = [key for key, value in read.items() if found[key] != value]
    assert not lost, f"{where}: {lost[0]} is read back as {read[lost[0]]!r}; this is a fault of crmlib"


def _study_text(title: str, guess: Guess, source: str, why: str) -> str:
    found = {one.entry: one for one in guess.findings}
    lines = [
        "# How this firm's data are read. Every entry can be changed; `crm check` shows what follows from it.",
        "",
    ]
    lines += entry_lines("title", title, "how reports name the firm")
    lines += entry_lines("data_kind", "real", "real, artificial or simulated")
    lines += entry_lines(
        "currency", found["currency"].value, f"{found['currency'].evidence}; it is that of every amount"
    )
    for key in ("as_of", "time_unit", "margin", "discount_rate_per_year", "privacy"):
        field = StudyFile.model_fields[key]
        lines += entry_lines(key, field.default, str(field.description))
    lines += ["", "tables:", "  # what customers bought"]
    lines += table_lines("transactions", entry_of(guess, source, why), 2, 2)
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
        lines += entry_lines(key, one.value if one else field.default, comment, 2)
    return lines


def entry_lines(key: str, value: Any, comment: str, indent: int = 0) -> list[str]:
    """One entry of the file under its comment."""
    margin = " " * indent
    clean = " ".join(comment.split())  # a value shown in a comment must not end it
    commented = textwrap.wrap(clean, 110 - indent, initial_indent="# ", subsequent_indent="# ")
    plain = list(value) if isinstance(value, tuple) else value
    width = 100 - indent if isinstance(plain, list) else 10_000  # a text is not broken, a list of words is
    written = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=width).strip()
    entry = f"{key}: {written.removesuffix('...').strip()}".splitlines()
    return [margin + line for line in (*commented, *entry)]


def entry_of(guess: Guess, source: str, why: str) -> list[Finding]:
    """What the study file has to say of a table, in the order of its entries."""
    found = {one.entry: one for one in guess.findings}
    defaults = {key: TableEntry.model_fields[key].default for key in READING}
    said = [found[key] for key in READING if key in found and found[key].value != defaults[key]]
    columns = [one for one in guess.findings if one.entry.startswith("columns.")]
    return [Finding("source", source, why), *said, *columns]


def table_lines(table: str, entry: list[Finding], indent: int, step: int) -> list[str]:
    """A table's entry as lines, each part under what speaks for it."""
    lines = [f"{' ' * indent}{table}:"]
    for one in entry:
        if not one.entry.startswith("columns."):
            lines += entry_lines(one.entry, one.value, one.evidence, indent + step)
    margin = " " * (indent + step)
    lines += [f"{margin}# which column is which; left out ones are not used", f"{margin}columns:"]
    for one in entry:
        if one.entry.startswith("columns."):
            name = one.entry.removeprefix("columns.")
            lines += entry_lines(name, one.value, one.evidence, indent + 2 * step)
    return lines
