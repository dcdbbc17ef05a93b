"""The commands that take up a firm's own files: `crm new` and `crm add`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from crmlib.cli_check import show_tables
from crmlib.errors import StudyError

if TYPE_CHECKING:
    from crmlib.data.guessing.findings import Guess, Question
    from crmlib.study import Study

_READING = (
    click.option("--date-format", "date_formats", multiple=True, metavar="FORMAT", help="Such as %d/%m/%Y."),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of numbers and amounts."),
    click.option("--sheet", metavar="SHEET", help="Sheet of an Excel file."),
    click.option(
        "--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Such as customer_id=CustNo."
    ),
    click.option(
        "--yes",
        is_flag=True,
        help="Ask nothing; end with 2 if a column, the order of day and month or the decimal sign cannot be told "
        "from the file. Only the currency is assumed.",
    ),
)


def _how_to_read(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how a file is read."""
    for option in reversed(_READING):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@click.option(
    "--transactions", required=True, metavar="FILE", help="The purchase log: CSV, Excel or Parquet."
)
@click.option(
    "--currency",
    metavar="CODE",
    help="Currency of the amounts, such as EUR; USD is assumed where neither this nor the file says.",
)
@_how_to_read
@click.option("--title", help="How reports name the firm.")
@click.option("--force", is_flag=True, help="Replace a study of this name.")
def new(
    name: str, transactions: str, currency: str | None, title: str | None, force: bool, **reading: Any
) -> None:
    """Look at a purchase log and write data/NAME/study.yaml, with a comment on every entry."""
    from crmlib.new_study import write_study

    guess = _look_at("transactions", transactions, currency=currency, **reading)
    path = write_study(name, guess, title=title, force=force)
    click.echo(f"\nWritten: {path}\nNext: crm check {name}")


@click.command()
@click.argument("study")
@click.argument("table")
@click.argument("file")
@_how_to_read
@click.option("--force", is_flag=True, help="Replace an entry of this table.")
def add(study: str, table: str, file: str, force: bool, **reading: Any) -> None:
    """Look at the FILE of an optional TABLE, such as customers, and add it to STUDY's study.yaml."""
    from crmlib.add_table import add_table, refuse_taken
    from crmlib.places import find_study
    from crmlib.study import open_study

    firm = open_study(study)
    refuse_taken(firm, table, force)
    guess = _look_at(table, file, **reading)
    larger = add_table(find_study(study), table, guess, force=force)
    click.echo(f"\nAdded to {find_study(study)}\n")
    show_tables(larger, table)
    _show_possible(firm, larger)


def _look_at(
    table: str,
    file: str,
    *,
    date_formats: tuple[str, ...],
    decimal: str | None,
    sheet: str | None,
    columns: tuple[str, ...],
    yes: bool,
    currency: str | None = None,
) -> Guess:
    """Look at a file, ask what it does not say as long as there are answers to choose from, and show what was found."""
    from crmlib.data.contracts import CONTRACTS
    from crmlib.data.guessing.table import guess_table

    said = {"currency": currency, "date_format": date_formats, "decimal": decimal, "sheet": sheet}
    said |= {f"columns.{ours}": theirs for ours, theirs in map(_named_column, columns)}
    given: dict[str, Any] = {entry: value for entry, value in said.items() if value}
    guess = guess_table(CONTRACTS[table], file, given=given)
    while guess.questions and not yes and all(one.answers for one in guess.questions):
        answers = {one.entry: _ask(one) for one in guess.questions}
        given |= {key: (value,) if key == "date_format" else value for key, value in answers.items()}
        guess = guess_table(CONTRACTS[table], file, given=given)
    click.echo(_described(guess))
    return guess


def _named_column(text: str) -> tuple[str, str]:
    """The two sides of a --column option."""
    ours, sign, theirs = text.partition("=")
    if not sign or not ours or not theirs:
        raise StudyError(f"--column {text!r}: write it as customer_id=CustNo")
    return ours.strip(), theirs.strip()


def _ask(question: Question) -> str:
    """Put a question to the person at the keyboard."""
    click.echo(question.text)
    return click.prompt(question.entry, type=click.Choice(list(question.answers)), show_choices=True)


def _described(guess: Guess) -> str:
    """What was guessed, each with what speaks for it."""
    width = max(len(one.entry) for one in guess.findings)
    return "\n".join(
        f"{one.entry:<{width}}  {_shown(one.value)}\n{'':<{width}}    {one.evidence}"
        for one in guess.findings
    )


def _shown(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "as it is"
    return str(value)


def _show_possible(before: Study, now: Study) -> None:
    """Print which notebooks the new table has made possible."""
    from crmlib.places import notebooks_folder
    from crmlib.report.notebooks import read_notebooks

    notebooks = read_notebooks(notebooks_folder())
    new = [one for one in notebooks if all(map(now.has, one.needs)) and not all(map(before.has, one.needs))]
    listed = "\n".join(f"  {one.name}: {one.question}" for one in new)
    click.echo(
        f"\nNow possible:\n{listed}"
        if new
        else f"\nNo further notebook has become possible; crm list {now.name}"
    )
