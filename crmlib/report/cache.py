"""Reuse a finished notebook while nothing that it depends on has changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from crmlib.data.code_key import code_key, modules_named
from crmlib.data.kept import CONTENTS, digest_of, facts_of, forget, seal
from crmlib.data.staging import copy_files, whole_folder
from crmlib.lazy import homes
from crmlib.report.notebooks import Notebook
from crmlib.report.outcomes import results_of
from crmlib.report.plan import Chapter, Plan
from crmlib.study import Study
from crmlib.study.ledger import ledger_key

KEPT_PER_NOTEBOOK = 8


class Cache:
    """Finished notebooks of one study, each under a key of all that can change it.

    The key covers the notebook's cells and parameters, the library, the study's data, the Python environment,
    the figures and tables of the notebooks that it reads, and the ledger where it reads that.
    """

    def __init__(self, folder: Path, plan: Plan, ledger: Path = Path("ledger")) -> None:
        self.folder, self.ledger = folder, ledger
        self.common = _digest([_library(), _environment(), _data(plan.study)])
        self.clear = plan.study.cleaned.clear
        self.ledger_key = ledger_key(ledger, plan.study.as_of)

    def key(self, chapter: Chapter, run: Path) -> str:
        """Return the key under which a chapter is kept, once the chapters it reads are in the run's folder."""
        upstream = [digest_of(path) for read in chapter.notebook.after for path in results_of(read, run)]
        locked = self.ledger_key if chapter.notebook.ledger else ""
        return _digest([self.common, _code(chapter.notebook), chapter.parameters, upstream, locked])

    def fetch(self, name: str, key: str, run: Path) -> float | None:
        """Copy a kept notebook and its results into a run; return the seconds it once took, or None."""
        entry = self.folder / name / key
        facts = facts_of(entry)
        if facts is None:  # not kept, or damaged: it is run
            return None
        copy_files(entry, run, but=CONTENTS)
        return float(facts["seconds"])

    def last_seconds(self, name: str) -> float | None:
        """How long a notebook took when it last ran on this study, whatever has changed since."""
        try:
            newest = _oldest_first(self.folder / name)[-1]
            return float(json.loads(newest.read_text(encoding="utf-8"))["facts"]["seconds"])
        except (OSError, ValueError, KeyError, TypeError, IndexError):  # none is kept, or it was damaged
            return None

    def keep(self, name: str, key: str, run: Path, seconds: float) -> None:
        """Keep a finished notebook and its results, whole or not at all."""
        shelf = self.folder / name
        files = [run / "notebooks" / f"{name}.ipynb", *results_of(name, run)]
        with whole_folder(shelf / key, replace=True) as draft:
            for path in files:
                (draft / path.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, draft / path.relative_to(run))
            seal(draft, seconds=seconds, clear=self.clear)
        for old in _oldest_first(shelf)[:-KEPT_PER_NOTEBOOK]:
            shutil.rmtree(old.parent, ignore_errors=True)

    def forget(self, unwanted: Callable[[Mapping[str, Any]], bool]) -> None:
        """Remove what killed runs left, and what is not wanted, of every notebook."""
        for shelf in self.folder.glob("*"):
            forget(shelf, unwanted)


def _oldest_first(shelf: Path) -> list[Path]:
    """The kept notebooks, ordered by when each was last used."""
    return sorted(shelf.glob(f"[!.]*/{CONTENTS}"), key=lambda path: path.stat().st_mtime)


def _code(notebook: Notebook) -> list[Any]:
    """A notebook's cells without outputs (running it by hand changes nothing), and the modules that it imports."""
    cells = [
        [cell["cell_type"], "".join(cell["source"]), sorted(cell["metadata"].get("tags", []))]
        for cell in notebook.cells
    ]
    code = "\n".join(source for kind, source, _tags in cells if kind == "code")
    return [*cells, notebook.title, notebook.question, code_key(*sorted(set(modules_named(code))))]


def _data(study: Study) -> list[Any]:
    """The study's facts, tables, frameworks and rules by content; the presets come with a chapter's parameters."""
    facts = study.file.model_dump(mode="json", exclude={"notebooks"})
    states = [state for name in study.file.tables for state in study.cleaned.states(name).values()]
    files = [*sorted((study.folder / "frameworks").glob("*.yaml")), *study.folder.glob("rules.csv")]
    own = [path.read_text(encoding="utf-8") for path in files]
    return [facts, str(study.as_of), study.data_key, [state.sha256 for state in states], own]


def _library() -> str:
    """A key of the library's public names and all modules behind them, without the runner and the commands."""
    modules = {*homes("crmlib").values(), *homes("crmlib.charts").values(), "crmlib.lazy", "crmlib.study"}
    return code_key(*sorted(modules))


def _environment() -> list[str]:
    """The interpreter and the names of all installed distributions, which carry their versions."""
    installed = {path.name for folder in sys.path for path in Path(folder).glob("*.dist-info")}
    return [sys.version, *sorted(installed)]


def _digest(parts: Iterable[Any]) -> str:
    return hashlib.sha256(json.dumps(list(parts), sort_keys=True, default=str).encode()).hexdigest()
