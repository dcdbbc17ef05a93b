"""The words behind `allowed:` in a parameters cell, and the values that they admit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from crmlib.errors import CrmError
from crmlib.units import periods

_N = r"(-?\d+(?:\.\d+)?)"
_WORD = r"[\w/.+-]+"


def admits(allowed: str, value: Any) -> bool:
    """Whether a value is among those that the words allow.

    Parameters
    ----------
    allowed : str
        "1 to 500", "2 or more", "above 0, below 1", each also as "a whole number, 2 or more"; "an amount";
        "a length such as 13W or 12M", "lengths such as 26W and 104W"; or the allowed words: "M, Q, Y".
    value : number, str or list

    Raises
    ------
    ValueError
        If the words are of no such form: a notebook would refuse all that its own comment allows.

    Examples
    --------
    >>> admits("1 to 500", 20), admits("a length such as 13W or 12M", "8W"), admits("M, Q, Y", "W")
    (True, True, False)
    """
    if whole := allowed.startswith("a whole number, "):
        allowed = allowed.removeprefix("a whole number, ")
    for form, test in _FORMS:
        if found := re.fullmatch(form, allowed):
            return test(value, *found.groups()) and (not whole or isinstance(value, int))
    raise ValueError(f"'allowed: {allowed}' is of no known form; see crmlib.report.allowed.admits")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_length(value: Any) -> bool:
    try:
        return isinstance(value, str) and periods(value, "D") > 0
    except CrmError:
        return False


_FORMS: tuple[tuple[str, Callable[..., bool]], ...] = (
    (f"{_N} to {_N}", lambda value, low, high: _is_number(value) and float(low) <= value <= float(high)),
    (f"{_N} or more", lambda value, low: _is_number(value) and value >= float(low)),
    (
        f"above {_N}, below {_N}",
        lambda value, low, high: _is_number(value) and float(low) < value < float(high),
    ),
    ("an amount", lambda value: _is_number(value) and value >= 0),
    (r"a length such as .*", _is_length),
    (r"lengths such as .*", lambda value: isinstance(value, list) and all(map(_is_length, value))),
    (f"({_WORD}(?:, {_WORD})*)", lambda value, words: str(value) in words.split(", ")),
)
