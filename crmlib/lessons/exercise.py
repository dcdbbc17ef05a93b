"""An exercise: the right answer for a firm, known mistakes, and a hint for each of them."""

from __future__ import annotations

import functools
import math
import numbers
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crmlib.simulation.simulate import SimulatedFirm

Reference = Callable[[SimulatedFirm], tuple[Any, dict[str, Any]]]
MOST_VALUES = 20_000
_NOT_KNOWN = "Not yet, and it is none of the mistakes that we know. Read the question again, word by word."
_PER_CENT = "This is a hundred times too much: give a share, such as 0.25, and not per cent."


@dataclass(frozen=True)
class Checked:
    """Whether an answer is right, and the feedback on it; a notebook shows the sentence."""

    right: bool
    feedback: str

    def __repr__(self) -> str:
        return ("✓ " if self.right else "✗ ") + self.feedback


@dataclass(frozen=True)
class Exercise:
    """An exercise of the course.

    Attributes
    ----------
    number : str
        Lesson and place in it, such as "3.2".
    reference : callable
        Of a firm to the right answer, and to the wrong answers that are known, named as in hints.toml.
    tolerance : float
        Largest relative distance to a number that is right.
    """

    number: str
    reference: Reference
    tolerance: float

    @property
    def variable(self) -> str:
        """The name that the answer has in the notebook."""
        return "answer_" + self.number.replace(".", "_")

    @property
    def cell(self) -> str:
        """The name by which nbgrader knows the cell of the answer."""
        return "exercise-" + self.number.replace(".", "-")

    def judge(self, firm: SimulatedFirm, answer: Any) -> Checked:
        """Compare an answer with the right one of this firm, and with the mistakes that are known."""
        right, mistakes = self.reference(firm)
        given, right = plain(answer), plain(right)
        if complaint := _of_another_kind(given, right):
            return Checked(False, complaint)
        if self.same(given, right):
            return Checked(True, "Right.")
        for name, wrong in mistakes.items():
            if self.same(given, plain(wrong)):
                return Checked(False, hints()[self.number][name])
        of_numbers = _kind(right) == "a number" and right != 0
        return Checked(False, _PER_CENT if of_numbers and self.same(given / 100, right) else _NOT_KNOWN)

    def same(self, given: Any, right: Any) -> bool:
        """Whether two plain answers are the same: numbers within the tolerance, lists in any order."""
        if _kind(given) != _kind(right):
            return False
        if isinstance(given, str):
            return given.strip().casefold() == right.strip().casefold()
        if isinstance(given, list):
            return sorted(map(str, given)) == sorted(map(str, right))
        return math.isclose(given, right, rel_tol=self.tolerance, abs_tol=1e-9)


EXERCISES: dict[str, Exercise] = {}


@functools.cache
def hints() -> dict[str, dict[str, str]]:
    """The feedback on each known mistake, by exercise."""
    text = Path(__file__).parent.joinpath("exercises", "hints.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def exercise(number: str, tolerance: float = 0.002) -> Callable[[Reference], Reference]:
    """Enter a function as the reference of an exercise.

    Parameters
    ----------
    number : str
        Lesson and place in it, such as "3.2".
    tolerance : float
        Largest relative distance to a number that is right.
    """

    def enter(reference: Reference) -> Reference:
        EXERCISES[number] = Exercise(number, reference, tolerance)
        return reference

    return enter


def plain(value: Any) -> Any:
    """A number, a text, or a list of them; of everything else the name of its type, in angle brackets.

    Examples
    --------
    >>> plain(np.float64(0.25)), plain(np.array(["A", "B"])), plain(None)
    (0.25, ['A', 'B'], '<NoneType>')
    """
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, str):
        return value[:200]
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return plain(value.item())
    one_column = getattr(value, "ndim", 1) == 1 and not isinstance(value, (Mapping, bytes))
    if one_column and hasattr(value, "__iter__") and hasattr(value, "__len__") and len(value) <= MOST_VALUES:
        return [plain(item) for item in value]
    return f"<{type(value).__name__}>"


def _kind(value: Any) -> str:
    if isinstance(value, str) and value.startswith("<"):
        return f"of type {value[1:-1]}"
    return {float: "a number", str: "a text", list: "a list"}[type(value)]


def _of_another_kind(given: Any, right: Any) -> str:
    if _kind(given) == _kind(right):
        return ""
    if given == "<ellipsis>" or given == "<NoneType>":
        return f"There is no answer yet; give {_kind(right)}."
    return f"The answer is {_kind(given)}; give {_kind(right)}."
