"""Read what a student handed in, and put the answers back into a clean lesson."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crmlib.errors import DataError
from crmlib.lessons.exercise import EXERCISES
from crmlib.lessons.release import text_of, with_seed

LARGEST_BYTES = 10_000_000
_STUBS = ("raise NotImplementedError()", "YOUR ANSWER HERE")


@dataclass(frozen=True)
class HandIn:
    """A student's answers in a clean lesson.

    Attributes
    ----------
    cells : tuple of dict
        `source` of each code cell in order; at an exercise's check `exercise`, its number, instead of the source.
    memo : str
        The written recommendation.
    remarks : tuple of str
        What had to be put right.
    """

    cells: tuple[dict[str, str], ...]
    memo: str
    remarks: tuple[str, ...]


def read_cells(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The cells and the metadata of a notebook that somebody handed in.

    Raises
    ------
    DataError
        If it is no notebook in Python, or is too large.
    """
    if path.is_symlink() or not path.is_file():
        raise DataError("it is a link or no file")
    if path.stat().st_size > LARGEST_BYTES:
        raise DataError(f"it has more than {LARGEST_BYTES:,} bytes; remove the output of its cells")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells, about = content["cells"], content.get("metadata", {})
        kernel = about.get("kernelspec", {}).get("language") or about.get("language_info", {}).get("name")
        cells = [cell for cell in cells if _is_cell(cell)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError("it is not a notebook that can be read") from None
    if str(kernel or "python").lower() not in ("python", "ipython"):
        raise DataError(f"its kernel is {kernel}; choose Python")
    if not any(text_of(cell).strip() for cell in cells):
        raise DataError("the notebook is empty")
    return cells, about


def _is_cell(cell: Any) -> bool:
    is_dict = isinstance(cell, dict) and isinstance(cell.get("metadata", {}), dict)
    return is_dict and isinstance(cell.get("source", ""), (str, list))


def grade_id(cell: dict[str, Any]) -> str:
    """The name by which nbgrader knows the cell, or nothing."""
    about = cell.get("metadata", {}).get("nbgrader", {})
    return str(about.get("grade_id", "")) if isinstance(about, dict) else ""


def put_back(lesson: dict[str, Any], theirs: list[dict[str, Any]], seed: int) -> HandIn:
    """Put a student's answers into the clean lesson, by the names of the cells.

    Deleted, copied and moved cells are put right. Code cells that the student added stay behind the cell that they
    stood behind; changes to cells that are given are left out.

    Parameters
    ----------
    lesson : dict
        The lesson with its solutions.
    theirs : list of dict
        The cells that were handed in.
    seed : int
        The seed of the firm on which the answers are graded.

    Raises
    ------
    DataError
        If nothing of the lesson is in it, or nothing was written.
    """
    clean = with_seed(lesson, seed)["cells"]
    blanks = {grade_id(cell) for cell in clean if cell["metadata"].get("nbgrader", {}).get("solution")}
    names = {cell["id"]: grade_id(cell) or cell["id"] for cell in clean}
    names |= {name: name for name in names.values()}
    written: dict[str, list[str]] = defaultdict(list)
    added: dict[str, list[str]] = defaultdict(list)
    last = ""
    for cell in theirs:
        name = names.get(grade_id(cell)) or names.get(str(cell.get("id")))
        if name in blanks:
            written[name].append(text_of(cell))
        elif name is None and cell.get("cell_type") == "code" and text_of(cell).strip():
            added[last].append(text_of(cell))
        last = name or last
    if not last:
        raise DataError("no cell of this lesson is in it")
    if not any(_answered(text) for texts in written.values() for text in texts):
        raise DataError("nothing was written into the cells for answers")
    missing, several = "is missing; the answer counts as blank.", "the last one with an answer counts."
    remarks = [f"The cell of {_in_words(name)} {missing}" for name in sorted(blanks - {*written})]
    for name, texts in sorted(written.items()):
        if len(texts) > 1:
            remarks.append(f"The cell of {_in_words(name)} is there {len(texts)} times; {several}")
    cells, memo = [{"source": text} for text in added[""]], ""
    for cell in clean:
        name = names[cell["id"]]
        theirs_here = [text for text in written[name] if _answered(text)]
        if name in blanks and cell["cell_type"] == "markdown":
            memo = theirs_here[-1] if theirs_here else ""
        elif (number := name.removeprefix("check-").replace("-", ".")) in EXERCISES:
            cells.append({"exercise": number})
        elif cell["cell_type"] == "code":
            source = (theirs_here or [""])[-1] if name in blanks else text_of(cell)
            cells.append({"source": source, "name": name})
        cells += [{"source": text} for text in added[name]]
    return HandIn(tuple(cells), memo, tuple(remarks))


def _in_words(name: str) -> str:
    return "the recommendation" if name.startswith("memo-") else name.replace("-", " ", 1).replace("-", ".")


def _answered(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines()]
    return any(line and not line.startswith("#") and line not in _STUBS for line in lines)
