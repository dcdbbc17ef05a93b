"""Errors, whose messages say what to do next.

Every message names the column or parameter, what was found, what is allowed and the cure.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CrmError(ValueError):
    """Any refusal of this library.

    Examples
    --------
    >>> import crmlib as crm
    >>> try:
    ...     crm.open_study("a-shop")
    ... except crm.CrmError as refusal:
    ...     print(str(refusal).partition(";")[0])
    study 'a-shop': no data/a-shop/study.yaml in this folder or above
    """


class StudyError(CrmError):
    """A study file, a parameter or a plan was refused before anything ran."""


class DataError(CrmError):
    """A table was refused: it cannot be read, or lacks what its contract asks for.

    A report whose purchase log is refused is not begun; a notebook to which another table is refused is not run.
    """


class CannotAnswerError(CrmError):
    """These data cannot answer the question, whatever the parameters: too short, too few, none that came back.

    A report lists a notebook that ends so as not run, with the reason, and is published all the same.
    """


class FitError(CannotAnswerError):
    """A model was refused these data: they cannot identify it, or break its assumptions."""


def not_fitted(message: str) -> CrmError:
    """The refusal of a model that has not been fitted, which scikit-learn knows for one too."""
    from sklearn.exceptions import NotFittedError  # not at the top: it brings the whole package

    class NotFitted(CrmError, NotFittedError):
        """A model was asked before it was fitted."""

    return NotFitted(message)


class RunError(CrmError):
    """A run could not be carried out or published."""


class TooLittleMemoryError(RunError):
    """The engine may not take the memory that a query needs."""


def disk_full(path: object) -> RunError:
    """The refusal to go on where a disk is full, with what can be removed."""
    return RunError(
        f"the disk is full (writing {path}); nothing was published and the latest report is unchanged. Free some "
        "space (`crm prune STUDY --keep 3` removes old runs; .cache/crmlib may be deleted), then run again"
    )


def require_text(path: object) -> None:
    """Refuse a path that cannot be written down, for its bytes are no text in UTF-8.

    Raises StudyError with the path as far as it can be written.

    Examples
    --------
    >>> require_text("data/été.csv")
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise StudyError(f"{str(path)!a}: the name of a file or folder is no UTF-8 text; rename it") from None


def did_you_mean(word: str, allowed: Iterable[str], listed: str | None = None) -> str:
    """Say which of the allowed words is nearest, and list them all, or say `listed` where they are too many.

    Examples
    --------
    >>> did_you_mean("curency", ["currency", "margin"])
    "did you mean 'currency'? Allowed: currency, margin"
    >>> did_you_mean("xyz", ["currency", "margin"])
    'allowed: currency, margin'
    """
    words = [str(value) for value in allowed]
    listed = listed or ", ".join(words)
    near = get_close_matches(str(word), words, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'? Allowed: {listed}" if near else f"allowed: {listed}"


NOT_MEASURED, NOT_KNOWN = "Not measured: ", "not known"
NO_ROW = "There is no such row."  # stands for a table that was measured and has none


def not_measured(reason: str) -> str:
    """The sentence that stands where an answer would be; pages gather such sentences in one line.

    Examples
    --------
    >>> not_measured("no table service_cases")
    'Not measured: no table service_cases.'
    """
    return f"{NOT_MEASURED}{reason}."


def require_an_answer(*reasons: str) -> None:
    """Go on if one of a chapter's questions has an answer.

    Parameters
    ----------
    *reasons : str
        Of each question why it has none; empty where it has one.

    Raises
    ------
    CannotAnswerError
        With all the reasons, if there is no answer at all.

    Examples
    --------
    >>> require_an_answer("no table subscriptions", "")
    """
    if all(reasons):
        raise CannotAnswerError("; ".join(reasons))
