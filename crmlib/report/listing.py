"""What `crm list` and `crm runs` print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from crmlib.errors import CrmError
from crmlib.places import notebooks_folder, studies
from crmlib.report import wording
from crmlib.report.notebooks import read_notebooks
from crmlib.report.runs import Reports
from crmlib.study import open_study


def list_notebooks(study: str | None) -> None:
    """Print each notebook, its question and what it needs; for a study, whether that is there."""
    opened = open_study(study) if study else None
    for one in read_notebooks(notebooks_folder()):
        click.echo(f"{one.name}\n    {one.question}")
        there = "" if opened is None else _there([table for table in one.needs if not opened.has(table)])
        click.echo(f"    needs {', '.join(one.needs) or 'no table'}{there}")
        if one.reads:
            click.echo(f"    reads {', '.join(one.reads)}")


def _there(missing: Sequence[str]) -> str:
    return f": not there: {', '.join(missing)}" if missing else ": there"


def list_studies() -> None:
    """Print each study that a name can mean here, and why one cannot be opened."""
    click.echo("\nStudies")
    for name, path in studies().items():
        click.echo(f"{name:<20} {_title(path)}")


def _title(path: Path) -> str:
    try:
        return open_study(path).title
    except CrmError as error:
        return f"cannot be opened: {str(error).splitlines()[0]}"


def list_runs(reports: Reports) -> None:
    """Print each run that is kept: when, how it ended, and which one is the latest."""
    found = reports.kept()
    if not found:
        click.echo(f"no runs in {reports.folder}; `crm report` makes one")
    for record in found:
        ended = [one["status"] for one in record["notebooks"]]
        told = ", ".join(f"{ended.count(status)} {status}" for status in dict.fromkeys(ended))
        mark = " latest" if record["latest"] else ""
        kind = "failed" if record["folder"].parent.name == "failed" else "published"
        click.echo(f"{record['run']}  {kind:<9}  {wording.seconds(record['seconds']):>9}  {told}{mark}")
