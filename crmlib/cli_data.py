"""The commands about a firm's own data: `crm new` and `crm check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmlib.cli_words import ask, described, named_column, table_lines
from crmlib.findings import PASS

if TYPE_CHECKING:
    from crmlib.study import Study


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
@click.option("--date-format", "date_formats", multiple=True, metavar="FORMAT", help="Such as %d/%m/%Y.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of the amounts.")
@click.option("--sheet", metavar="SHEET", help="Sheet of an Excel file.")
@click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Such as customer_id=CustNo.")
@click.option("--title", help="How reports name the firm.")
@click.option(
    "--yes",
    is_flag=True,
    help="Ask nothing; end with 2 if a column, the order of day and month or the decimal sign cannot be told "
    "from the file. Only the currency is assumed.",
)
@click.option("--force", is_flag=True, help="Replace a study of this name.")
def new(
    name: str,
    transactions: str,
    currency: str | None,
    date_formats: tuple[str, ...],
    decimal: str | None,
    sheet: str | None,
    columns: tuple[str, ...],
    title: str | None,
    yes: bool,
    force: bool,
) -> None:
    """Look at a purchase log and write data/NAME/study.yaml, with a comment on every entry."""
    from crmlib.data.guessing.transactions import guess_transactions
    from crmlib.new_study import write_study

    given: dict[str, Any] = {
        "currency": currency,
        "date_format": date_formats,
        "decimal": decimal,
        "sheet": sheet,
    }
    given |= {f"columns.{ours}": theirs for ours, theirs in map(named_column, columns)}
    given = {entry: value for entry, value in given.items() if value}
    guess = guess_transactions(transactions, given=given)
    while guess.questions and not yes and all(one.answers for one in guess.questions):
        answers = {one.entry: ask(one) for one in guess.questions}
        given |= {key: (value,) if key == "date_format" else value for key, value in answers.items()}
        guess = guess_transactions(transactions, given=given)
    click.echo(described(guess))
    path = write_study(name, guess, title=title, force=force)
    click.echo(f"\nWritten: {path}\nNext: crm check {name}")


@click.command()
@click.argument("study")
def check(study: str) -> None:
    """Check a study's data alone: every row accounted for, what each policy concerns, and what the log is fit for.

    Ends with 0, or with 2 if the study or the data were refused.
    """
    from crmlib.study import open_study

    firm = open_study(study)
    click.echo(f"{firm.title}, up to {firm.as_of}")
    if firm.has("transactions"):
        _show_log(firm)
    if firm.optional_tables:
        from crmlib.cli_tables import show_tables

        show_tables(firm)


def _show_log(firm: Study) -> None:
    """Print what became of the purchase log's rows, what each policy concerns, and what the log is fit for."""
    from crmlib.data.fitness import fitness_gates

    quality, money = firm.quality, f"amount, {firm.currency}"
    click.echo("\nRows")
    click.echo(table_lines(quality.rows.rename(columns={"amount": money})))
    click.echo("\nPolicies: what each concerns, and how it is set")
    policies = quality.policies[["policy", "rows", "amount", "setting"]]
    click.echo(table_lines(policies.rename(columns={"amount": money})))
    if len(quality.states):
        click.echo("\nStates of orders: which are sales is for policies.excluded_statuses to say")
        click.echo(table_lines(quality.states))
    gates = fitness_gates(firm.all_transactions, as_of=firm.as_of)
    click.echo("\nFitness")
    click.echo(table_lines(gates[["status", "gate", "found", "threshold"]]))
    for gate in gates[gates["status"] != PASS].itertuples():
        click.echo(
            f"\n{gate.status}: {gate.gate}: {gate.found}.\n  {gate.meaning}\n  concerns: {gate.analyses}"
        )
    files = ", ".join(f"{one.file} ({one.rows:,} rows)" for one in quality.sources.itertuples())
    click.echo(f"\nRead: {files}")
