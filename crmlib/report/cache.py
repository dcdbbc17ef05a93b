"""Reuse a finished notebook while nothing that it depends on has changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import crmlib
from crmlib import charts
from crmlib.code_key import code_key, modules_named
from crmlib.data.cleaning.cache import sha256
from crmlib.places import cache_folder
from crmlib.report.notebooks import Notebook
from crmlib.report.plan import Chapter, Plan
from crmlib.staging import whole_folder
from crmlib.study import Study

KEPT_PER_NOTEBOOK = 8


class Cache:
    """Finished notebooks of one study, each under a key of all that can change it.

    The key covers the notebook's cells and parameters, the library, the study's data, the Python environment,
    and the figures and tables of the notebooks that it reads.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.common = _digest([_library(), _environment(), _data(plan.study)])

    def key(self, chapter: Chapter, run: Path) -> str:
        """Return the key under which a chapter is kept, once the chapters it reads are in the run's folder."""
        upstream = [_file_digest(path) for read in chapter.notebook.reads for path in results_of(read, run)]
        return _digest([self.common, _code(chapter.notebook), chapter.parameters, upstream])

    def fetch(self, name: str, key: str, run: Path) -> float | None:
        """Copy a kept notebook and its results into a run; return the seconds it once took, or None."""
        entry = self.folder / name / key
        try:
            kept = json.loads((entry / "entry.json").read_text(encoding="utf-8"))
            if any(_file_digest(entry / path) != digest for path, digest in kept["files"].items()):
                return None
            for path in kept["files"]:
                (run / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(entry / path, run / path)
            (entry / "entry.json").touch()
            return float(kept["seconds"])
        except (OSError, ValueError, KeyError):  # not kept, or lost meanwhile: it is run
            return None

    def last_seconds(self, name: str) -> float | None:
        """How long a notebook took when it last ran on this study, whatever has changed since."""
        try:
            newest = _oldest_first(self.folder / name)[-1]
            return float(json.loads(newest.read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError, KeyError, IndexError):  # none is kept, or it was lost meanwhile
            return None

    def keep(self, name: str, key: str, run: Path, seconds: float) -> None:
        """Keep a finished notebook and its results, whole or not at all."""
        shelf = self.folder / name
        files = [run / "notebooks" / f"{name}.ipynb", *results_of(name, run)]
        with whole_folder(shelf / key, replace=True) as draft:
            for path in files:
                (draft / path.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, draft / path.relative_to(run))
            digests = {path.relative_to(run).as_posix(): _file_digest(path) for path in files}
            text = json.dumps({"seconds": seconds, "files": digests})
            (draft / "entry.json").write_text(text, encoding="utf-8")
        self._forget_the_oldest(shelf)

    def _forget_the_oldest(self, shelf: Path) -> None:
        for old in _oldest_first(shelf)[:-KEPT_PER_NOTEBOOK]:
            shutil.rmtree(old.parent, ignore_errors=True)


def _oldest_first(shelf: Path) -> list[Path]:
    """What is kept of a notebook, by when it was last of use."""
    return sorted(shelf.glob("*/entry.json"), key=lambda path: path.stat().st_mtime)


def results_of(name: str, run: Path) -> list[Path]:
    """Return the files in which a notebook of a run left its figures and tables."""
    metrics = run / "metrics" / f"{name}.json"
    if not metrics.is_file():
        return []
    tables = json.loads(metrics.read_text(encoding="utf-8")).get("tables", {})
    return [metrics, *(run / "tables" / f"{table}.parquet" for table in tables)]


def _code(notebook: Notebook) -> list[Any]:
    """A notebook's cells without outputs, for running it by hand is no change; and the modules that it imports."""
    cells = [
        [cell["cell_type"], "".join(cell["source"]), sorted(cell["metadata"].get("tags", []))]
        for cell in notebook.cells
    ]
    code = "\n".join(source for kind, source, _tags in cells if kind == "code")
    return [*cells, notebook.title, notebook.question, code_key(*sorted(set(modules_named(code))))]


def _data(study: Study) -> list[Any]:
    """The study's facts and tables by their content; the presets come with a chapter's parameters."""
    facts = study.file.model_dump(mode="json", exclude={"notebooks"})
    files = [path for name in study.file.tables for path in study.cleaned.files(name)]
    remembered = cache_folder(study.root)
    return [facts, str(study.as_of), study.data_key, [sha256(path, remembered) for path in files]]


def _library() -> str:
    """A key of the library's face and of all that a notebook can reach through it: not the runner, not the commands."""
    homes = {*crmlib.HOMES.values(), *charts.HOMES.values(), "crmlib.data", "crmlib.study"}
    return _digest([Path(crmlib.__file__).read_text(encoding="utf-8"), code_key(*sorted(homes))])


def _environment() -> list[str]:
    """The interpreter and the names of all installed distributions, which carry their versions."""
    installed = {path.name for folder in sys.path for path in Path(folder).glob("*.dist-info")}
    return [sys.version, *sorted(installed)]


def _digest(parts: Iterable[Any]) -> str:
    return hashlib.sha256(json.dumps(list(parts), sort_keys=True, default=str).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
