"""What `crm list` and `crm runs` print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from crmlib import format as fmt
from crmlib.data.contracts import CONTRACTS
from crmlib.data.samples import CURE, is_installed
from crmlib.errors import CrmError
from crmlib.places import notebooks_folder, studies
from crmlib.report.notebooks import Notebook, read_notebooks
from crmlib.report.runs import Reports
from crmlib.study import Study, open_study


def list_notebooks(study: str | None) -> None:
    """Print each notebook, its question and what it needs; for a study, which ones are possible."""
    notebooks = read_notebooks(notebooks_folder())
    if study is not None:
        _list_possible(study, open_study(study), notebooks)
        return
    for one in notebooks:
        click.echo(f"{one.name}\n    {one.question}\n    needs {', '.join(one.needs) or 'no table'}")
        if one.reads:
            click.echo(f"    reads {', '.join(one.reads)}")


def _list_possible(name: str, study: Study, notebooks: Sequence[Notebook]) -> None:
    lacking = {one.name: [table for table in one.needs if not study.has(table)] for one in notebooks}
    click.echo(f"Possible with {', '.join(study.file.tables)}")
    for one in notebooks:
        if not lacking[one.name]:
            click.echo(f"  {one.name}\n      {one.question}")
    missing = list(dict.fromkeys(table for tables in lacking.values() for table in tables))
    if not missing:
        return
    click.echo("\nNot yet")
    for one in notebooks:
        if lacking[one.name]:
            click.echo(f"  {one.name}\n      {one.question}\n      lacks {', '.join(lacking[one.name])}")
    click.echo(f"\nTo add a table: crm add {name} TABLE FILE")
    for table in missing:
        click.echo(f"  {table}: {CONTRACTS[table].grain}")


def list_studies() -> None:
    """Print each study that a name can mean here, and why one cannot be opened."""
    click.echo("\nStudies")
    for name, path in studies().items():
        click.echo(f"{name:<20} {_title(path)}")


def _title(path: Path) -> str:
    try:
        study = open_study(path)
        sample = study.file.sample
        return study.title if sample is None or is_installed(sample) else f"{study.title} (first: {CURE})"
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
        click.echo(f"{record['run']}  {kind:<9}  {fmt.seconds(record['seconds']):>9}  {told}{mark}")
