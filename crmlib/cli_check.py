"""The command that shows what became of a firm's rows: `crm check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmlib import format as fmt
from crmlib.findings import PASS

if TYPE_CHECKING:
    import pandas as pd

    from crmlib.study import Study


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
        show_tables(firm)


def _show_log(firm: Study) -> None:
    """Print what became of the purchase log's rows, what each policy concerns, and what the log is fit for."""
    from crmlib.data.fitness import fitness_gates

    quality, money = firm.quality, f"amount, {firm.currency}"
    click.echo("\nRows")
    click.echo(lines_of(quality.rows.rename(columns={"amount": money})))
    click.echo("\nPolicies: what each concerns, and how it is set")
    policies = quality.policies[["policy", "rows", "amount", "setting"]]
    click.echo(lines_of(policies.rename(columns={"amount": money})))
    if len(quality.states):
        click.echo("\nStates of orders: which are sales is for policies.excluded_statuses to say")
        click.echo(lines_of(quality.states))
    gates = fitness_gates(firm.all_transactions, as_of=firm.as_of)
    click.echo("\nFitness")
    click.echo(lines_of(gates[["status", "gate", "found", "threshold"]]))
    for gate in gates[gates["status"] != PASS].itertuples():
        click.echo(
            f"\n{gate.status}: {gate.gate}: {gate.found}.\n  {gate.meaning}\n  concerns: {gate.analyses}"
        )
    files = ", ".join(f"{one.file} ({one.rows:,} rows)" for one in quality.sources.itertuples())
    click.echo(f"\nRead: {files}")


def show_tables(firm: Study, only: str | None = None) -> None:
    """Print what became of the rows of the optional tables, or of one of them."""
    for title, frame in firm.quality.tables_found.items():
        shown = frame if only is None else frame[frame["table"] == only].drop(columns="table")
        if "amount" in shown and not shown["amount_of"].any():  # there is no money in it
            shown = shown.loc[:, ~shown.columns.str.startswith("amount")]
        if len(shown):
            click.echo(f"\n{title}\n{lines_of(shown)}")
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


def lines_of(frame: pd.DataFrame) -> str:
    """A frame as plain lines: numbers to the right, text to the left."""
    shown = frame.copy()
    for name in frame.columns:
        if frame[name].dtype.kind in "if":
            shown[name] = [fmt.cell(value) for value in frame[name]]
    widths = [max(len(str(name)), *(len(text) for text in shown[name].astype(str))) for name in shown.columns]
    right = [frame[name].dtype.kind in "if" for name in frame.columns]
    rows = [tuple(shown.columns), *shown.astype(str).itertuples(index=False, name=None)]
    return "\n".join(
        "  ".join(
            text.rjust(w) if r else text.ljust(w) for text, w, r in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    )
