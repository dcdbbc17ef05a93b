"""What the terminal, or a log, shows of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from crmlib import format as fmt
from crmlib.report.execute import Watch
from crmlib.report.make import Made
from crmlib.report.plan import Plan
from crmlib.report.tasks import Outcome
from crmlib.secrets import redact

_TRACEBACK_LINES = 8


def line(outcome: Outcome) -> str:
    """One line on how a notebook ended."""
    if outcome.status == "ok":
        return f"{outcome.name:<32} ok          {fmt.seconds(outcome.seconds):>8}"
    status = "not run" if outcome.status == "skipped" else outcome.status
    said = f": {outcome.reason}" if status == "not run" else f"  {outcome.reason.splitlines()[0]}"
    return f"{outcome.name:<32} {status}{said}"


@contextmanager
def watching(plan: Plan) -> Iterator[Watch]:
    """Follow a run: a moving display on a terminal, plain lines elsewhere."""
    click.echo(f"{plan.study.title}, as of {fmt.date(plan.study.as_of)}")
    if not sys.stdout.isatty():
        yield lambda name, outcome: click.echo(redact(line(outcome))) if outcome else None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    running: list[str] = []
    columns = (
        SpinnerColumn(),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, transient=True) as display:
        bar = display.add_task("", total=len(plan.chapters))

        def watch(name: str, outcome: Outcome | None) -> None:
            if outcome is None:
                running.append(name)
            else:
                if name in running:
                    running.remove(name)
                display.advance(bar)
                display.console.print(redact(line(outcome)), markup=False, highlight=False)
            display.update(bar, description=", ".join(running))

        yield watch


def show_failures(made: Made) -> None:
    """Say on one screen what failed, where, and what to do; failure.html says the same."""
    for one in made.failures:
        where = f"cell {one['cell']}" + (f", under the heading “{one['heading']}”" if one["heading"] else "")
        said = [
            "",
            f"{one['name']}: {one['status']}",
            f"  where      {where if one['cell'] else 'before its first cell'}",
            f"  line       {one['source_line']}",
            f"  what       {one['reason']}",
            f"  so far     {one['partial']}",
            f"  again      {one['again']}",
        ]
        if one["traceback"]:
            tail = one["traceback"].strip().splitlines()[-_TRACEBACK_LINES:]
            said += ["  traceback  " + tail[0], *("             " + text for text in tail[1:])]
        click.echo("\n".join(said), err=True)
    click.echo(
        f"\nNothing was published; latest is as it was. Details: {made.folder / 'failure.html'}", err=True
    )
