"""Frames that functions return: those with methods, and those without rows that state the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Self, TypeVar, cast

import pandas as pd

from crmlib.errors import not_measured

Answer = TypeVar("Answer", bound=Callable[..., pd.DataFrame])


class ResultFrame(pd.DataFrame):
    """A frame with methods and attributes of its own: what pandas makes of it, such as its head, has them too."""

    @property
    def _constructor(self) -> Callable[..., Self]:
        return type(self)


class NoRows(ResultFrame):
    """The columns of an answer without a row, and the `reason`, which is shown in its place."""

    _metadata = ["reason"]  # noqa: RUF012  (pandas' own protocol)

    reason: str = ""

    def __repr__(self) -> str:
        return super().__repr__() if len(self) or not self.reason else not_measured(self.reason)

    def _repr_html_(self) -> str | None:
        return super()._repr_html_() if len(self) or not self.reason else None


def no_rows(columns: str | Iterable[str], reason: str) -> NoRows:
    """A frame with these columns, named one by one or in a text with blanks between, and no row.

    A name that ends in ± has the ends of its interval beside it.

    Examples
    --------
    >>> no_rows("month churn±", "no table subscriptions").tail(12).round(2)
    Not measured: no table subscriptions.
    >>> [*no_rows("month churn±", "")]
    ['month', 'churn', 'churn_low', 'churn_high']
    """
    names = columns.split() if isinstance(columns, str) else list(columns)
    parts = [("", "_low", "_high") if name.endswith("±") else ("",) for name in names]
    whole = [name.rstrip("±") + end for name, ends in zip(names, parts, strict=True) for end in ends]
    found = NoRows(columns=whole, dtype=float)
    found.reason = reason
    return found


def unless(reason: Callable[[Any], str], columns: str | Iterable[str]) -> Callable[[Answer], Answer]:
    """Of a function of a firm: these columns without rows, where there is a reason for no answer.

    `reason` takes the firm and says why there is none; an empty text where there is one.
    """

    def with_reason(function: Answer) -> Answer:
        @wraps(function)
        def answer(firm: Any, *given: Any, **options: Any) -> pd.DataFrame:
            why = reason(firm)
            return no_rows(columns, why) if why else function(firm, *given, **options)

        return cast(Answer, answer)

    return with_reason


def why_none(frame: pd.DataFrame) -> str:
    """Why a frame has no rows, as far as it is known; empty where it has some.

    Examples
    --------
    >>> why_none(no_rows("month", "no table leads")), why_none(pd.DataFrame({"month": [1]}))
    ('no table leads', '')
    """
    if len(frame):
        return ""
    return frame.reason if isinstance(frame, NoRows) and frame.reason else "there is no row"
