"""What can go wrong, said so that the reader knows what to do next.

Every message names the column or parameter, what was found, what is allowed and the cure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any


class CrmError(ValueError):
    """Any refusal of this library."""


class StudyError(CrmError):
    """A study file, a parameter or a plan was refused before anything ran."""


class DataError(CrmError):
    """A table was refused: it cannot be read, or lacks what its contract asks for."""


class CannotAnswerError(CrmError):
    """These data cannot answer the question, whatever the parameters: too short, too few, none that came back.

    A report lists a notebook that ends so as not run, with the reason, and is published all the same.
    """


class FitError(CannotAnswerError):
    """A model was refused these data: they cannot identify it, or break its assumptions."""


class RunError(CrmError):
    """A run could not be carried out or published."""


def did_you_mean(word: str, allowed: Iterable[str], listed: str | None = None) -> str:
    """Say which of the allowed words is nearest, and list them all, or say `listed` where they are too many.

    Examples
    --------
    >>> did_you_mean("curency", ["currency", "margin"])
    "did you mean 'currency'? Allowed: currency, margin"
    >>> did_you_mean("xyz", ["currency", "margin"])
    'allowed: currency, margin'
    """
    words = [str(one) for one in allowed]
    listed = listed or ", ".join(words)
    near = get_close_matches(str(word), words, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'? Allowed: {listed}" if near else f"allowed: {listed}"


class NotTold(str):
    """A sentence that stands where an answer would be; it shows itself without quotation marks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def if_known(answer: Callable[..., Any], *tables: Any, **options: Any) -> Any:
    """What a function answers about tables that a firm may lack, or a sentence that says why it cannot.

    For a page that goes on without the answer: a table that is None is one that the firm does not supply, and
    a sentence in a table's place is passed on.

    Parameters
    ----------
    answer : callable
        Takes the tables, then the options.
    *tables
        Tables, or whatever was answered about them before.
    **options

    Returns
    -------
    What `answer` returns, or NotTold

    Examples
    --------
    >>> if_known(sum, [1, 2]), if_known(sum, None)
    (3, Not told: the study has no table for it.)
    """
    for table in tables:
        if table is None:
            return NotTold("Not told: the study has no table for it.")
        if isinstance(table, NotTold):
            return table
    try:
        return answer(*tables, **options)
    except CannotAnswerError as reason:
        return NotTold(f"Not told: {reason}.")
