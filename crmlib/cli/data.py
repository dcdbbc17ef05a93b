"""The commands on a firm's data: `crm new`, `crm add`, `crm check`, and `crm simulate`, which simulates a firm."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from crmlib import format as fmt
from crmlib.errors import StudyError
from crmlib.findings import FAIL, PASS
from crmlib.visible import say


def _checked(_context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Refuse a value, with what is allowed, as the study file would."""
    if not value:
        return value
    from crmlib.data import policies

    check = getattr(policies, f"check_{option.name}", None)
    if check is None:
        return value
    try:
        return tuple(map(check, value)) if isinstance(value, tuple) else check(value)
    except ValueError as complaint:
        raise click.BadParameter(str(complaint)) from None


_option = partial(click.option, callback=_checked)
_several = partial(_option, multiple=True)
_READING = (
    _several("--date-format", metavar="FORMAT", help="Date format, such as %d/%m/%Y; may be repeated."),
    _option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of numbers and amounts."),
    _option("--timezone", metavar="ZONE", help="Where the firm's days begin, such as Europe/Berlin."),
    _option("--encoding", metavar="NAME", help="Encoding of a text file, such as cp1250."),
    _option("--delimiter", metavar="SIGN", help="Sign between the columns of a text file, such as ; or tab."),
    _option("--table", "in_table", metavar="TABLE", help="Table of a DuckDB file or a database."),
    _option("--query", metavar="SQL", help="Rows of a database, instead of a table."),
    _several("--sheet", metavar="SHEET", help="Sheet of a workbook; may be repeated."),
    _several("--column", "columns", metavar="NAME=COLUMN", help="A column, as in customer_id=CustNo."),
    _several("--answer", "answers", metavar="ENTRY=ANSWER", help="An answer, as in amount_unit=cents."),
    _option(
        "--yes",
        is_flag=True,
        help="Ask nothing; end with 2 if a column, a sign, the dates, the decimal sign, the currency or the encoding "
        "is in doubt. Only that postage is a sale is assumed.",
    ),
)


def how_to_read(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how a file is read."""
    for option in reversed(_READING):
        command = option(command)
    return command


if TYPE_CHECKING:
    import pandas as pd

    from crmlib.data.guessing.findings import Guess, Question
    from crmlib.study import Study


@click.command()
@click.argument("name")
@click.option(
    "--transactions",
    metavar="FILE",
    help="The purchase log: CSV, Excel, Parquet, JSON or Feather, or an address.",
)
@click.option("--subscriptions", metavar="FILE", help="Contracts, if the firm has no purchase log.")
@click.option("--customer-features", metavar="FILE", help="Customer features, if the firm has no log.")
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE",
    help="Last day that counts (2024-06-30); default: the last day of the log.",
)  # fmt: skip
@click.option(
    "--currency",
    metavar="CODE",
    help="Currency that counts, such as EUR; where neither this nor the file says, amounts are written without one.",
)
@how_to_read
@click.option("--title", help="Name of the firm in reports.")
@click.option("--force", is_flag=True, help="Replace a study of this name.")
def new(
    name: str, as_of: dt.datetime | None, currency: str | None, title: str | None, force: bool, **others: Any
) -> None:
    """Read a purchase log and write data/NAME/study.yaml, with a comment on every entry.

    A firm without a log begins with its contracts or its table of customers.
    """
    from crmlib.study.writer import write_study

    files = {table: others.pop(table) for table in ("transactions", "subscriptions", "customer_features")}
    given = {table: file for table, file in files.items() if file}
    if len(given) != 1:
        raise StudyError(
            "name one file: --transactions, or for a firm without a purchase log --subscriptions or "
            "--customer-features; others are added by crm add"
        )
    table, file = given.popitem()
    if as_of is None and table != "transactions":
        raise StudyError(
            "without a purchase log, give the last day that the table covers: --as-of 2024-06-30"
        )
    guess = _look_at(table, file, currency=currency, **others)
    path = write_study(name, guess, title=title, force=force, table=table, as_of=as_of and as_of.date())
    say(f"\nWritten: {path}\nNext: crm check {name}")


@click.command()
@click.argument("study")
@click.argument("table")
@click.argument("file")
@how_to_read
@click.option("--force", is_flag=True, help="Replace an entry of this table.")
def add(study: str, table: str, file: str, force: bool, **reading: Any) -> None:
    """Read the FILE of an optional TABLE, such as customers, and add it to STUDY's study.yaml."""
    from crmlib.study import open_study
    from crmlib.study.places import find_study
    from crmlib.study.writer import add_table, refuse_taken

    firm = open_study(study)
    refuse_taken(firm, table, force)
    guess = _look_at(table, file, **reading)
    larger = add_table(find_study(study), table, guess, force=force)
    say(f"\nAdded to {find_study(study)}\n")
    _show_tables(larger, table)
    _show_possible(firm, larger)


def _look_at(
    table: str,
    file: str,
    *,
    columns: Sequence[str],
    answers: Sequence[str],
    yes: bool,
    sheet: Sequence[str],
    in_table: str | None,
    **options: Any,
) -> Guess:
    """Look at a file, ask what it does not say as long as there are answers to choose from, and show what was found."""
    from crmlib.data.contracts import CONTRACTS
    from crmlib.data.guessing.table import guess_table

    options["table"] = in_table
    options["sheet"] = sheet[0] if len(sheet) == 1 else sheet
    named = dict(_two_sides("--column", text, "customer_id=CustNo") for text in columns)
    options |= {f"columns.{ours}": theirs for ours, theirs in named.items()}
    options |= dict(_two_sides("--answer", answer, "amount_unit=cents") for answer in answers)
    given: dict[str, Any] = {entry: value for entry, value in options.items() if value}
    guess = guess_table(CONTRACTS[table], file, given=given)
    while guess.questions and not yes and all(question.answers for question in guess.questions):
        answered = {question.entry: _ask(question) for question in guess.questions}
        given |= {key: (value,) if key == "date_format" else value for key, value in answered.items()}
        guess = guess_table(CONTRACTS[table], file, given=given)
    say(_described(guess))
    return guess


def _two_sides(option: str, text: str, example: str) -> tuple[str, str]:
    """The two sides of an option that says what is what."""
    ours, _sign, theirs = text.partition("=")
    if not ours or not theirs:
        raise StudyError(f"{option} {text!r}: write it as {example}")
    return ours.strip(), theirs.strip()


def _ask(question: Question) -> str:
    """Put a question to the person at the keyboard."""
    say(question.text)
    return click.prompt(question.entry, type=click.Choice(list(question.answers)), show_choices=True)


def _described(guess: Guess) -> str:
    """What was guessed, each with what speaks for it."""
    width = max(len(finding.entry) for finding in guess.findings)
    return "\n".join(
        f"{finding.entry:<{width}}  {_shown(finding.value)}\n{'':<{width}}    {finding.evidence}"
        for finding in guess.findings
    )


def _shown(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "as it is"
    return fmt.NOT_KNOWN if value is None else str(value)


def _show_possible(before: Study, now: Study) -> None:
    """Print which notebooks the new table has made possible."""
    from crmlib.report.notebooks import read_notebooks
    from crmlib.study.places import notebooks_folder

    possible = [one for one in read_notebooks(notebooks_folder()) if all(map(now.has, one.needs))]
    new = [one for one in possible if not all(map(before.has, one.needs))]
    listed = "".join(f"\n  {note.name}: {note.question}" for note in new)
    say(f"\nNow possible:{listed}" if new else f"\nNo further notebook can run yet; see crm list {now.name}")


@click.command()
@click.argument("study")
def check(study: str) -> None:
    """Check a study's data: how every row was used, what each policy affects, and which analyses are possible.

    Ends with 0; with 1 if so much was lost on reading, or matches so little, that a gate fails; or with 2 if the
    study or the data were refused.
    """
    from crmlib.study import open_study

    firm = open_study(study)
    say(f"{firm.title}, up to {firm.as_of}")
    if firm.has("transactions"):
        _show_log(firm)
    if firm.optional_tables:
        _show_tables(firm)
    if firm.has("transactions") and firm.quality.gates["status"].eq(FAIL).any():
        raise click.exceptions.Exit(1)


def _show_log(firm: Study) -> None:
    """Print how the rows of the purchase log were used, what each policy affects, and the fitness gates."""
    quality, gates = firm.quality, firm.gates
    money = {"amount": f"amount, {firm.currency}" if firm.currency else "amount"}
    _show("Rows", quality.rows.rename(columns=money))
    for remark in quality.remarks:
        say(f"\n{remark}")
    policies = quality.policies[["policy", "rows", "amount", "setting"]]
    _show("Policies: the rows that each affects, and its setting", policies.rename(columns=money))
    _show("Values of used rows that were left empty or changed on reading", quality.values)
    _show("States of orders; policies.excluded_statuses lists those that are not sales", quality.states)
    _show("Fitness", gates[["status", "gate", "found"]])
    for gate in gates[gates["status"] != PASS].itertuples():
        say(f"\n{gate.status}: {gate.gate}: {gate.found}.\n  wanted: {gate.threshold}\n  {gate.meaning}")
        say(f"  concerns: {gate.analyses}")
    files = ", ".join(f"{row.file} ({row.rows:,} rows)" for row in quality.sources.itertuples())
    say(f"\nRead: {files}")


def _show_tables(firm: Study, only: str | None = None) -> None:
    """Print how the rows of the optional tables were used, or those of one table."""
    for title, frame in firm.quality.tables_found.items():
        shown = frame if only is None else frame[frame["table"] == only].drop(columns="table")
        if "amount" in shown and not shown["amount_of"].any():  # there is no money in it
            shown = shown.loc[:, ~shown.columns.str.startswith("amount")]
        _show(title, shown)
    near = firm.quality.spellings
    for row in near[near["table"] == (only or near["table"])].head(1).itertuples():
        say(f"To merge two spellings, write in the entry of {row.table}, for example:\n{_rename(row)}")


def _rename(suggestion: Any) -> str:
    """A suggestion as the study file would say it."""
    import yaml

    entry = {"rename": {suggestion.column: {suggestion.written: suggestion.suggested}}}
    text = yaml.safe_dump(entry, default_flow_style=None, allow_unicode=True)
    return "    " + text.replace("\n", "\n    ").rstrip()


def _show(title: str, frame: pd.DataFrame) -> None:
    """Print a frame that has rows as plain lines: numbers to the right, text to the left."""
    columns = []
    for name, values in frame.items():
        is_number = values.dtype.kind in "if"
        digits = 2 if values.dtype.kind == "f" else 0  # money to the cent, so that it can be reconciled
        texts = [str(name), *(fmt.number(value, digits) if is_number else str(value) for value in values)]
        width = max(map(len, texts))
        columns.append([text.rjust(width) if is_number else text.ljust(width) for text in texts])
    if len(frame):
        lines = ("  ".join(row).rstrip() for row in zip(*columns, strict=True))
        say("\n".join(["", title, *lines]))


@click.command()
@click.argument("name")
@click.option("--customers", default=5000, show_default=True, help="Number of customers.")
@click.option("--years", default=3, show_default=True, help="Whole years of history up to 2025-12-31.")
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same firm.")
@click.option(
    "--effect", "effects", multiple=True, metavar="MECHANISM=STRENGTH",
    help="Strength of a mechanism, such as reminders=0; 0 is off, 1 as documented.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a simulated firm of this name.")
def simulate(name: str, customers: int, years: int, seed: int, effects: tuple[str, ...], force: bool) -> None:
    """Simulate a firm with every table, and write it to data/NAME."""
    from crmlib.simulation.settings import simulation
    from crmlib.simulation.writer import write_firm
    from crmlib.study.places import new_study_folder

    folder = new_study_folder(name)
    settings = simulation(customers, years, seed, dict(map(_strength, effects)))
    write_firm(settings, folder, force=force)
    say(
        f"{folder / 'study.yaml'}: a simulated firm of {customers:,} customers and {years} years, seed {seed}"
    )


def _strength(text: str) -> tuple[str, float]:
    mechanism, _sign, strength = text.partition("=")
    try:
        return mechanism.strip(), float(strength)
    except ValueError:
        raise StudyError(f"--effect {text}: write a mechanism and its strength, as in reminders=0") from None
