"""The text of a study file: each entry with a comment on its evidence."""

from __future__ import annotations

import datetime as dt
import textwrap
from typing import Any

import yaml

from crmlib.data.contracts import CONTRACTS
from crmlib.data.databases import DatabaseRows
from crmlib.data.guessing.findings import CURRENCY_UNKNOWN, Finding, Guess
from crmlib.data.policies import Policies
from crmlib.errors import StudyError
from crmlib.study.file import READING, StudyFile, TableEntry
from crmlib.visible import visible


def study_of_guess(title: str, guess: Guess) -> dict[str, Any]:
    """What a study file would say of a log, for use without one.

    Raises StudyError if questions are open.
    """
    answers = 'columns={"customer_id": "CustNo"}, date_format="%d/%m/%Y", decimal=",", currency="EUR"'
    refuse_open_questions(guess, f"open_study(…, {answers})")
    source = guess.source.address if isinstance(guess.source, DatabaseRows) else str(guess.source)
    entry = entry_of(guess, source, "where it is")
    return yaml.safe_load(study_text(title, guess, entry, "transactions", None))


def refuse_open_questions(guess: Guess, answers: str) -> None:
    """Refuse to write an entry with open questions; `answers` says how the user can set them."""
    if guess.undecided:
        listed = "\n".join(f"  {question.entry}: {question.text}" for question in guess.undecided)
        raise StudyError(f"{guess.source.name}: the file does not show this:\n{listed}\n  Set it: {answers}")


def study_text(title: str, guess: Guess, entry: list[Finding], table: str, as_of: dt.date | None) -> str:
    """A study file that says how the firm's data are read, each entry with its reason."""
    found = {finding.entry: finding for finding in guess.findings}
    currency = found.get("currency", CURRENCY_UNKNOWN)
    lines = ["# How this firm's data are read. Every entry can be changed; `crm check` shows the effect.", ""]
    lines += _entry_lines("title", title, "name of the firm in reports")
    lines += _entry_lines("data_kind", "real", "real, artificial or simulated")
    lines += _entry_lines("currency", currency.value, f"{currency.evidence}; it applies to every amount")
    for key in ("as_of", "time_unit", "margin", "discount_rate_per_year", "privacy"):
        field = StudyFile.model_fields[key]
        value = as_of if as_of and key == "as_of" else field.default
        lines += _entry_lines(key, value, str(field.description))
    lines += ["", "tables:", f"  # {CONTRACTS[table].grain}"]
    lines += table_lines(table, entry, 2)
    lines += ["", "# decisions about rows that can be read in more than one way", "policies:"]
    for key, field in Policies.model_fields.items():
        finding = found.get(f"policies.{key}", Finding(key, field.default, ""))
        comment = "; ".join(filter(None, (field.description, finding.evidence)))
        lines += _entry_lines(key, finding.value, comment, 2)
    lines += ["", "# parameters of single notebooks, as in 02_customer_base_audit: {compare_months: 3}"]
    return "\n".join([*lines, "notebooks: {}", ""])


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


def entry_of(guess: Guess, source: str, why: str) -> list[Finding]:
    """What the study file has to say of a table, in the order of its entries."""
    found = {finding.entry: finding for finding in guess.findings}
    defaults = {key: TableEntry.model_fields[key].default for key in READING}
    how = [found[key] for key in READING if key in found and found[key].value != defaults[key]]
    columns = [finding for finding in guess.findings if finding.entry.startswith("columns.")]
    return [Finding("source", source, why), *how, *columns]


def plain_entry(entry: list[Finding]) -> dict[str, Any]:
    """The entry as a study file holds it."""
    plain = {part.entry: list(part.value) if isinstance(part.value, tuple) else part.value for part in entry}
    columns = {k.removeprefix("columns."): v for k, v in plain.items() if k.startswith("columns.")}
    return {k: v for k, v in plain.items() if not k.startswith("columns.")} | {"columns": columns}


def table_lines(table: str, entry: list[Finding], indent: int) -> list[str]:
    """A table's entry as lines, each part below a comment with the reason for it."""
    margin = " " * (indent + 2)
    lines = [f"{' ' * indent}{table}:"]
    columns = [part for part in entry if part.entry.startswith("columns.")]
    for part in entry:
        if part not in columns:
            lines += _entry_lines(part.entry, part.value, part.evidence, indent + 2)
    lines += [f"{margin}# which column is which; left out ones are not used", f"{margin}columns:"]
    for part in columns:
        lines += _entry_lines(part.entry.removeprefix("columns."), part.value, part.evidence, indent + 4)
    return lines
