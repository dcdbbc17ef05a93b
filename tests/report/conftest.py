"""A tiny project with four notebooks, and one published report of it that every test may copy.

Everything runs as a user runs it, by the command, on a copy of the library that nobody edits meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"
LIBRARY = Path(__file__).resolve().parents[2] / "crmlib"
RUN_CRM = [sys.executable, "-c", "from crmlib.cli import main; main(prog_name='crm')"]


@dataclass
class Done:
    """A command that ended, and the record of the run that it made."""

    code: int
    out: str
    err: str
    record: dict[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def ended(self) -> dict[str, str]:
        """Status by notebook."""
        return {one["name"]: one["status"] for one in self.record["notebooks"]}


@dataclass
class Project:
    """A project's folder and the library with which its commands run."""

    root: Path
    library: Path

    @property
    def reports(self) -> Path:
        """Where the reports of its study go."""
        return self.root / "reports" / "tiny"

    @property
    def latest(self) -> Path:
        """The latest report."""
        return self.reports / "latest"

    def environment(self, **more: str) -> dict[str, str]:
        """The environment in which `crm` and its kernels find the library."""
        return os.environ | {"PYTHONPATH": str(self.library)} | more

    def crm(self, *arguments: str, cwd: Path | None = None, **more: str) -> Done:
        """Run a command to its end; for `crm report`, read what it made."""
        before = self.runs()
        done = subprocess.run(
            [*RUN_CRM, *arguments],
            cwd=cwd or self.root,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=120,
        )
        made = [folder for folder in self.runs() if folder not in before]
        record = json.loads((made[0] / "run.json").read_text()) if len(made) == 1 else {}
        return Done(done.returncode, done.stdout, done.stderr, record, made[0] if made else Path())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and return at once."""
        return subprocess.Popen(
            [*RUN_CRM, *arguments],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def runs(self) -> list[Path]:
        """The folders of all runs that are kept, failed ones too."""
        return sorted([*self.reports.glob("runs/*"), *self.reports.glob("failed/*")])

    def copy(self, to: Path) -> Project:
        """A project that is the same, cache included, and may be changed."""
        shutil.copytree(self.root, to, symlinks=True)
        return Project(to, self.library)


@pytest.fixture(scope="session")
def _library(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(LIBRARY, folder / "crmlib", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory, _library) -> Project:
    """A project whose report has been published; not to be changed."""
    project = Project(tmp_path_factory.mktemp("published") / "project", _library)
    shutil.copytree(DATA, project.root)
    done = project.crm("report", "tiny")
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines()[-1] == str(project.latest / "index.html")
    return project


@pytest.fixture
def project(published, tmp_path) -> Project:
    """A copy of the published project, its cache included."""
    return published.copy(tmp_path / "project")


@pytest.fixture
def unrun(tmp_path, _library) -> Project:
    """The project before anything has run."""
    shutil.copytree(DATA, tmp_path / "project")
    return Project(tmp_path / "project", _library)
