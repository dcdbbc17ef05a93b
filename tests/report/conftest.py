"""A tiny project with four notebooks, and one published report of it that every test may copy.

Everything runs as a user runs it, by the command, on a copy of the library that nobody edits meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"
LIBRARY = Path(__file__).resolve().parents[2] / "crmlib"
RUN_CRM = [sys.executable, "-c", "from crmlib.cli import main; main(prog_name='crm')"]

# Imports once what a command imports, and then forks a process for each command: a second less for every test.
FORKING = """
import atexit, json, os, sys
import crmlib.report, crmlib.report.terminal, crmlib.report.publish
from crmlib.cli import main

for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["environment"])
        for number, path in ((1, order["out"]), (2, order["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        code = 70
        try:
            main(order["arguments"], prog_name="crm")
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        atexit._run_exitfuncs()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


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
    forking: subprocess.Popen[str]

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
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder) / "out", Path(folder) / "err"]
            order = {
                "arguments": arguments,
                "cwd": str(cwd or self.root),
                "environment": self.environment(**more),
                "out": str(streams[0]),
                "err": str(streams[1]),
            }
            self.forking.stdin.write(json.dumps(order) + "\n")
            self.forking.stdin.flush()
            code = int(self.forking.stdout.readline())
            out, err = (path.read_text() for path in streams)
        made = [folder for folder in self.runs() if folder not in before]
        record = json.loads((made[0] / "run.json").read_text()) if len(made) == 1 else {}
        return Done(code, out, err, record, made[0] if made else Path())

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
        return Project(to, self.library, self.forking)


@pytest.fixture(scope="session")
def _library(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(LIBRARY, folder / "crmlib", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docs").mkdir()
    shutil.copy(LIBRARY.parent / "docs" / "glossary.md", folder / "docs")
    return folder


@pytest.fixture(scope="session")
def _forking(_library):
    with subprocess.Popen(
        [sys.executable, "-c", FORKING],
        cwd=_library,
        env=os.environ | {"PYTHONPATH": str(_library)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture(scope="session")
def published(tmp_path_factory, _library, _forking) -> Project:
    """A project whose report has been published; not to be changed."""
    project = Project(tmp_path_factory.mktemp("published") / "project", _library, _forking)
    shutil.copytree(DATA, project.root)
    run = project.start("report", "tiny")
    out, _ = run.communicate()
    assert run.returncode == 0, out
    assert out.splitlines()[-1] == str(project.latest / "index.html")
    return project


@pytest.fixture
def project(published, tmp_path) -> Project:
    """A copy of the published project, its cache included."""
    return published.copy(tmp_path / "project")


@pytest.fixture
def unrun(tmp_path, _library, _forking) -> Project:
    """The project before anything has run."""
    shutil.copytree(DATA, tmp_path / "project")
    return Project(tmp_path / "project", _library, _forking)


@pytest.fixture
def small_disk(tmp_path):
    """A folder, and a function that runs a script in a project while a disk of some size is mounted there."""
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode
    ):
        pytest.skip("this system lets no test mount a small disk")
    folder = tmp_path / "small"
    folder.mkdir()

    def run(project: Project, size: str, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        mounted = f"mount -t tmpfs -o size={size} tmpfs {folder} || exit 70\n{script}"
        return subprocess.run(
            ["unshare", "-rm", "sh", "-c", mounted],
            cwd=project.root,
            env=project.environment(**environment),
            capture_output=True,
            text=True,
            timeout=60,
        )

    return folder, run
