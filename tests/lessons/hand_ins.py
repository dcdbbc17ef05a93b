"""Example hand-ins: a lesson as a student might send it back."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from crmlib.lessons.hand_in import grade_id
from crmlib.lessons.release import lesson_files, text_of

LESSON = 1


def solved(number: int = LESSON) -> dict:
    """A lesson with its own solutions, as the best student has it."""
    return json.loads(lesson_files()[number].read_text(encoding="utf-8"))


def with_answers(answers: dict[str, str]) -> dict:
    """Lesson 1 with other code in the cells of exercises, by number."""
    notebook = copy.deepcopy(solved())
    for cell in notebook["cells"]:
        number = grade_id(cell).removeprefix("exercise-").replace("-", ".")
        if number in answers:
            cell["source"] = answers[number]
    return notebook


def blank() -> dict:
    """Lesson 1 as it was given out."""
    path = lesson_files()[LESSON]
    return json.loads((path.parent / "student" / path.name).read_text(encoding="utf-8"))


def hand_in(folder: Path, student: str, notebook: dict | str, name: str = "01_purchase_log.ipynb") -> None:
    """Write a hand-in where `crm lessons grade` looks for it."""
    place = folder / student
    place.mkdir(parents=True, exist_ok=True)
    text = notebook if isinstance(notebook, str) else json.dumps(notebook)
    (place / name).write_text(text, encoding="utf-8")


def cell_of(notebook: dict, name: str) -> dict:
    """The cell of this name."""
    return next(cell for cell in notebook["cells"] if grade_id(cell) == name)


__all__ = ["blank", "cell_of", "hand_in", "solved", "text_of", "with_answers"]
