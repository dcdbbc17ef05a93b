"""Check an answer to an exercise, with a hint if it is wrong."""

from __future__ import annotations

import functools
from typing import Any

from crmlib.errors import StudyError, did_you_mean
from crmlib.lessons.exercise import EXERCISES, Checked, Exercise
from crmlib.lessons.exercises import customers, decisions, models  # noqa: F401  they enter the exercises
from crmlib.simulation.simulate import SimulatedFirm, simulate_firm

PRACTICE_SEED, N_CUSTOMERS, YEARS = 14, 2000, 3


@functools.lru_cache(maxsize=2)
def lesson_firm(seed: int = PRACTICE_SEED) -> SimulatedFirm:
    """The firm of the lessons with this seed."""
    return simulate_firm(N_CUSTOMERS, YEARS, random_state=seed)


def find_exercise(number: Any) -> Exercise:
    """The exercise of this number.

    Raises
    ------
    StudyError
        If there is none, with the nearest number.
    """
    if str(number) not in EXERCISES:
        raise StudyError(f"exercise {number!r}: there is none; {did_you_mean(str(number), EXERCISES)}")
    return EXERCISES[str(number)]


def check(exercise: str, answer: Any, firm: SimulatedFirm | None = None) -> Checked:
    """Is an answer to an exercise of the course right, and if not, which mistake is it?

    It helps to learn and keeps nothing secret: the functions that compute the right answers can be read in
    crmlib/lessons/exercises. A grade is given on another firm, which the student does not see.

    Parameters
    ----------
    exercise : str
        Lesson and exercise, such as "3.2".
    answer : number, text or list
        The answer.
    firm : SimulatedFirm, optional
        The firm that the answer is about; without one the firm of the lessons as they come with the library.

    Returns
    -------
    Checked
        `right`, and `feedback`: "Right." or a hint; never the solution.

    Raises
    ------
    StudyError
        If there is no such exercise.

    Examples
    --------
    >>> import crmlib as crm
    >>> crm.check("1.1", "many")
    ✗ The answer is a text; give a number.
    """
    return find_exercise(exercise).judge(firm or lesson_firm(), answer)
