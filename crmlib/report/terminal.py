"""The terminal output of a run, of `crm list` and of `crm runs`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crmlib import format as fmt
from crmlib.columns import show_table
from crmlib.data.contracts import CONTRACTS
from crmlib.data.samples import CURE, home_of
from crmlib.errors import CrmError
from crmlib.report.compare import Comparison
from crmlib.report.execute import Watch
from crmlib.report.make import Made
from crmlib.report.notebooks import Notebook, read_notebooks
from crmlib.report.outcomes import Outcome
from crmlib.report.plan import Plan
from crmlib.report.runs import Reports
from crmlib.secrets import redact
from crmlib.study import Study, open_study
from crmlib.study.places import notebooks_folder, studies
from crmlib.visible import say, visible

_TRACEBACK_LINES = 8
_WORDS = {name: (name, "text") for name in ("before", "after", "change")} | {"p_value": ("p", "chance")}


def line(outcome: Outcome) -> str:
    """One line on how a notebook ended."""
    if outcome.status == "ok":
        return f"{outcome.name:<32} ok          {fmt.seconds(outcome.seconds):>8}"
    status = "not run" if outcome.status == "skipped" else outcome.status
    reason = f": {outcome.reason}" if status == "not run" else f"  {outcome.reason.splitlines()[0]}"
    return f"{outcome.name:<32} {status}{reason}"


@contextmanager
def watching(plan: Plan) -> Iterator[Watch]:
    """Follow a run: a moving display on a terminal, plain lines elsewhere."""
    say(f"{plan.study.title}, as of {fmt.date(plan.study.as_of)}")
    if not sys.stdout.isatty():
        yield lambda name, outcome: say(line(outcome)) if outcome else None
        return
    from rich import progress

    running: list[str] = []
    columns = [progress.SpinnerColumn(), progress.BarColumn(24), progress.MofNCompleteColumn()]
    columns += [progress.TimeElapsedColumn(), progress.TextColumn("{task.description}")]
    with progress.Progress(*columns, transient=True) as display:
        bar = display.add_task("", total=len(plan.chapters))

        def watch(name: str, outcome: Outcome | None) -> None:
            if outcome is None:
                running.append(name)
            else:
                if name in running:
                    running.remove(name)
                display.advance(bar)
                display.console.print(visible(redact(line(outcome))), markup=False, highlight=False)
            display.update(bar, description=", ".join(running))

        yield watch


def show_failures(made: Made) -> None:
    """Print on one screen what failed, where, and what to do; failure.html holds the same."""
    for failure in made.failures:
        heading = f", under the heading “{failure['heading']}”" if failure["heading"] else ""
        where = f"cell {failure['cell']}{heading}" if failure["cell"] else "before its first cell"
        about = {"where": where, "line": failure["source_line"], "what": failure["reason"]}
        about |= {"so far": failure["partial"], "again": failure["again"]}
        lines = ["", f"{failure['name']}: {failure['status']}"]
        lines += [f"  {name:<10} {text}" for name, text in about.items()]
        if failure["traceback"]:
            tail = failure["traceback"].strip().splitlines()[-_TRACEBACK_LINES:]
            lines += ["  traceback  " + tail[0], *("             " + text for text in tail[1:])]
        say("\n".join(lines), err=True)
    say(f"\nNothing was published; latest is unchanged. Details: {made.folder / 'failure.html'}", err=True)


def list_notebooks(study: str | None) -> None:
    """Print each notebook, its question and what it needs; for a study, which ones are possible."""
    notebooks = read_notebooks(notebooks_folder())
    if study is not None:
        _list_possible(study, open_study(study), notebooks)
        return
    for notebook in notebooks:
        say(f"{notebook.name}\n    {notebook.question}\n    needs {', '.join(notebook.needs) or 'no table'}")
        if notebook.after:
            say(f"    reads {', '.join(notebook.after)}")


def _list_possible(name: str, study: Study, notebooks: Sequence[Notebook]) -> None:
    lacking = {
        notebook.name: [table for table in notebook.needs if not study.has(table)] for notebook in notebooks
    }
    say(f"Possible with {', '.join(study.file.tables)}")
    for notebook in notebooks:
        if not lacking[notebook.name]:
            say(f"  {notebook.name}\n      {notebook.question}")
    missing = list(dict.fromkeys(table for tables in lacking.values() for table in tables))
    if not missing:
        return
    say("\nNot yet")
    for notebook in notebooks:
        if tables := lacking[notebook.name]:
            say(f"  {notebook.name}\n      {notebook.question}\n      lacks {', '.join(tables)}")
    say(f"\nTo add a table: crm add {name} TABLE FILE")
    for table in missing:
        say(f"  {table}: {CONTRACTS[table].grain}")


def list_studies() -> None:
    """Print each study that a name can mean here, and why one cannot be opened."""
    say("\nStudies")
    for name, path in studies().items():
        say(f"{name:<20} {_title(path)}")


def _title(path: Path) -> str:
    try:
        study = open_study(path)
        sample = study.file.sample
        return study.title if sample is None or home_of(sample) else f"{study.title} (first: {CURE})"
    except CrmError as error:
        return f"cannot be opened: {str(error).splitlines()[0]}"


def list_runs(reports: Reports) -> None:
    """Print each run that is kept: when, how it ended, and which one is the latest."""
    found = reports.kept()
    if not found:
        say(f"no runs in {reports.folder}; `crm report` makes one")
    for record in found:
        if "notebooks" not in record:
            say(f"{record['run']}  its run.json is damaged")
            continue
        ended = [entry["status"] for entry in record["notebooks"]]
        endings = ", ".join(f"{ended.count(status)} {status}" for status in dict.fromkeys(ended))
        mark = " latest" if record["latest"] else ""
        kind = "failed" if record["folder"].parent.name == "failed" else "published"
        say(f"{record['run']}  {kind:<9}  {fmt.seconds(record['seconds']):>9}  {endings}{mark}")


def show_comparison(found: Comparison, rows: int) -> None:
    """Print what differs between two runs: figures, then customers by group, the first `rows` by name."""
    say("\n".join(found.sentences))
    if len(found.moved):
        say(f"\nFigures that moved beyond chance\n{show_table(found.moved, None, None, _WORDS)!r}")
    for name, counts in found.counts.items():
        say(f"\nCustomers in another {name}: {fmt.count(len(found.groups[name]))}")
        if len(counts):
            say(f"{show_table(counts, None, None, _WORDS)!r}")
        if len(found.groups[name]) and rows:
            say(f"\n{show_table(found.groups[name], None, rows, _WORDS)!r}")
