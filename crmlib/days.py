"""How days, months and other calendar periods are written, in English whatever the locale."""

from __future__ import annotations

import datetime as dt
from typing import Any

from crmlib.errors import NOT_KNOWN

_MONTHS = "January February March April May June July August September October November December".split()


def date(value: Any, *, short: bool = False) -> str:
    """A day in words that no country reads differently; a text that is no day stays as it is.

    Examples
    --------
    >>> date("1998-06-30"), date(dt.date(1998, 6, 3), short=True), date("latest")
    ('30 June 1998', '3 Jun 1998', 'latest')
    """
    day = _day(value)
    if day is None:
        return value if isinstance(value, str) else NOT_KNOWN
    return f"{day.day} {_month(day, short)} {day.year}"


def month(value: Any, *, short: bool = False) -> str:
    """A month by name.

    Examples
    --------
    >>> month(dt.date(1997, 3, 1)), month("1997-03-25", short=True)
    ('March 1997', 'Mar 1997')
    """
    day = _day(value)
    return NOT_KNOWN if day is None else f"{_month(day, short)} {day.year}"


def period(value: Any, length: str, *, short: bool = False) -> str:
    """A calendar period by name, from its first day.

    Examples
    --------
    >>> [period("2024-04-01", length) for length in "MQY"], period("2024-04-08", "W")
    (['April 2024', 'Q2 2024', '2024'], 'the week of 8 Apr 2024')
    """
    day = _day(value)
    if day is None:
        return NOT_KNOWN
    if length == "W":
        return date(day, short=True) if short else f"the week of {date(day, short=True)}"
    if length == "Q":
        return f"Q{(day.month + 2) // 3} {day.year}"
    return str(day.year) if length == "Y" else month(day, short=short)


def _day(value: Any) -> dt.date | None:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value[:10])
        except ValueError:
            return None
    if value is None or value != value:
        return None
    return value.astype("datetime64[D]").item() if hasattr(value, "astype") else value


def _month(day: dt.date, short: bool) -> str:
    name = _MONTHS[day.month - 1]
    return name[:3] if short else name
