"""The edition for students: the lessons without their solutions, made by nbgrader's own preprocessors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from crmlib.errors import StudyError
from crmlib.lessons.check import PRACTICE_SEED
from crmlib.study.places import document, notebooks_folder

_GLOSSARY = re.compile(r"\((?:\.\./)+docs/glossary\.md")


def lessons_folder() -> Path:
    """The folder of the lessons with their solutions."""
    return notebooks_folder() / "lessons"


def lesson_files() -> dict[int, Path]:
    """The lessons by their number."""
    found = sorted(lessons_folder().glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise StudyError(f"{lessons_folder()} has no lesson named NN_name.ipynb")
    return {int(path.name[:2]): path for path in found}


def with_seed(notebook: dict[str, Any], seed: int) -> dict[str, Any]:
    """The notebook with this seed in its parameters cell, so that it is about another firm."""
    cells = []
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            cell = cell | {"source": re.sub(r"^seed = \d+", f"seed = {seed}", text_of(cell), flags=re.M)}
        cells.append(cell)
    return notebook | {"cells": cells}


def text_of(cell: dict[str, Any]) -> str:
    """The text of a cell, which a file may hold in lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(map(str, source))


def release(to: Path, seed: int = PRACTICE_SEED) -> list[Path]:
    """Write the students' edition of every lesson, with the glossary that they link to.

    Beside the lessons themselves they link to the project's own glossary, and get no copy.

    Parameters
    ----------
    to : Path
        The folder to write to; files of the same names are replaced.
    seed : int
        The seed of the class's practice firm.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    StudyError
        If nbgrader is not installed.
    """
    try:
        from nbgrader import preprocessors as steps
    except ImportError:
        raise StudyError(
            "the students' edition is made by nbgrader, which is not installed: pip install 'crmlib[class]'"
        ) from None
    import nbformat

    # nbgrader's own order of `generate_assignment`, less what needs a database
    chain = [steps.LockCells(), steps.ClearSolutions(), steps.ClearOutput(), steps.CheckCellMetadata()]
    chain += [steps.ComputeChecksums(), steps.ClearHiddenTests(), steps.ClearMarkScheme()]
    chain += [steps.ComputeChecksums(), steps.CheckCellMetadata()]
    to.mkdir(parents=True, exist_ok=True)
    beside = to.resolve().parent == lessons_folder().resolve()
    link = "(../../../docs/glossary.md" if beside else "(glossary.md"
    written = []
    for path in lesson_files().values():
        content = with_seed(json.loads(path.read_text(encoding="utf-8")), seed)
        notebook = nbformat.from_dict(content)
        for cell in notebook.cells:
            cell.source = _GLOSSARY.sub(link, text_of(cell))
        resources: dict[str, Any] = {}
        for step in chain:
            notebook, resources = step.preprocess(notebook, resources)
        written.append(to / path.name)
        written[-1].write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")
    readme = (lessons_folder() / "README.md").read_text("utf-8")
    texts = {"README.md": _GLOSSARY.sub(link, readme)}
    texts |= {} if beside else {"glossary.md": document("glossary.md")}
    for name, text in texts.items():
        written.append(to / name)
        written[-1].write_text(text, encoding="utf-8")
    return written
