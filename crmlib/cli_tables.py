"""The commands about the tables beside the purchase log: `crm add`, and what `crm check` says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmlib.cli_words import ask, described, named_column, table_lines

if TYPE_CHECKING:
    from crmlib.data.guessing.findings import Guess
    from crmlib.study import Study


@click.command()
@click.argument("study")
@click.argument("table")
@click.argument("file")
@click.option("--date-format", "date_formats", multiple=True, metavar="FORMAT", help="Such as %d/%m/%Y.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of numbers and amounts.")
@click.option("--sheet", metavar="SHEET", help="Sheet of an Excel file.")
@click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Such as customer_id=CustNo.")
@click.option(
    "--yes", is_flag=True, help="Ask nothing; end with 2 if something cannot be told from the file."
)
@click.option("--force", is_flag=True, help="Replace an entry of this table.")
def add(
    study: str,
    table: str,
    file: str,
    date_formats: tuple[str, ...],
    decimal: str | None,
    sheet: str | None,
    columns: tuple[str, ...],
    yes: bool,
    force: bool,
) -> None:
    """Look at the FILE of an optional TABLE, such as customers, and add it to STUDY's study.yaml."""
    from crmlib.add_table import add_table, refuse_taken
    from crmlib.places import find_study
    from crmlib.study import open_study

    firm = open_study(study)
    refuse_taken(firm, table, force)
    given: dict[str, Any] = {"date_format": date_formats, "decimal": decimal, "sheet": sheet}
    given |= {f"columns.{ours}": theirs for ours, theirs in map(named_column, columns)}
    guess = _guess(table, file, {entry: value for entry, value in given.items() if value}, yes)
    click.echo(described(guess))
    larger = add_table(find_study(study), table, guess, force=force)
    click.echo(f"\nAdded to {find_study(study)}\n")
    show_tables(larger, table)
    _show_possible(firm, larger)


def _guess(table: str, file: str, given: dict[str, Any], yes: bool) -> Guess:
    """Look at the file, and ask what it does not say, as long as there are answers to choose from."""
    from crmlib.data.contracts import CONTRACTS
    from crmlib.data.guessing.table import guess_table

    guess = guess_table(CONTRACTS[table], file, given=given)
    while guess.questions and not yes and all(one.answers for one in guess.questions):
        answers = {one.entry: ask(one) for one in guess.questions}
        given |= {key: (value,) if key == "date_format" else value for key, value in answers.items()}
        guess = guess_table(CONTRACTS[table], file, given=given)
    return guess


def show_tables(firm: Study, only: str | None = None) -> None:
    """Print what became of the rows of the optional tables, or of one of them."""
    for title, frame in firm.quality.tables_found.items():
        shown = frame if only is None else frame[frame["table"] == only].drop(columns="table")
        if "amount" in shown and not shown["amount_of"].any():  # there is no money in it
            shown = shown.loc[:, ~shown.columns.str.startswith("amount")]
        if len(shown):
            click.echo(f"\n{title}\n{table_lines(shown)}")
    near = firm.quality.spellings
    for one in near[near["table"] == (only or near["table"])].head(1).itertuples():
        click.echo(f"To merge two, say in the entry of {one.table}, for example:\n{_rename(one)}")


def _rename(suggestion: Any) -> str:
    """A suggestion as the study file would say it."""
    import yaml

    said = {"rename": {suggestion.column: {suggestion.written: suggestion.suggested}}}
    return (
        "    "
        + yaml.safe_dump(said, default_flow_style=None, allow_unicode=True).replace("\n", "\n    ").rstrip()
    )


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
