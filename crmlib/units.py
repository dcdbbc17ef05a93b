"""Units of time and their conversion, and how days and calendar periods are written: only here."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from numbers import Real
from typing import Any

from crmlib.errors import NOT_KNOWN, CrmError, did_you_mean

FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2199, 12, 31)  # beyond them no shop has a purchase
_DAYS = {"H": 1 / 24, "D": 1.0, "W": 7.0, "M": 30.4375, "Q": 91.3125, "Y": 365.25}
_NAMES = {"H": "hour", "D": "day", "W": "week", "M": "month", "Q": "quarter", "Y": "year"}


class TimeUnit(StrEnum):
    """The unit in which recency, T and forecasts are counted.

    A month is 30.4375 days, a quarter 91.3125 and a year 365.25, so that they add up to each other.

    Examples
    --------
    >>> TimeUnit.parse("W").days
    7.0
    >>> TimeUnit.M.plural
    'months'
    """

    H = "H"
    D = "D"
    W = "W"
    M = "M"
    Q = "Q"
    Y = "Y"

    @classmethod
    def parse(cls, text: str | TimeUnit) -> TimeUnit:
        """Read a unit such as "W", or refuse with the allowed ones."""
        try:
            return cls(str(text).upper())
        except ValueError:
            raise CrmError(
                f"time_unit is {text!r}; {did_you_mean(str(text), [unit.value for unit in cls])}"
            ) from None

    @property
    def days(self) -> float:
        """Length of the unit in days."""
        return _DAYS[self.value]

    @property
    def singular(self) -> str:
        """The unit's name, such as "week"."""
        return _NAMES[self.value]

    @property
    def plural(self) -> str:
        """The unit's name in the plural, such as "weeks"."""
        return _NAMES[self.value] + "s"


def periods(length: float | str, time_unit: str | TimeUnit) -> float:
    """How many `time_unit`s a length of time is.

    `length`: a number, taken to be in `time_unit` already, or a text such as "12M", "39W" or "365D". `time_unit`: {"H",
    "D", "W", "M", "Q", "Y"}: the unit of the answer. Raises CrmError if the text is no number followed by a unit.

    Examples
    --------
    >>> periods("1Y", "W")
    52.17857142857143
    >>> periods(39, "W")
    39.0
    """
    unit = TimeUnit.parse(time_unit)
    number, counted = _read_length(length, unit)
    return number if counted is unit else number * counted.days / unit.days  # its own unit: to the last digit


def length(time: float | str, time_unit: str | TimeUnit) -> str:
    """A length of time in words; `time` and `time_unit` as in `periods`.

    Examples
    --------
    >>> length("1Y", "W"), length(52, "W")
    ('1 year', '52 weeks')
    """
    number, unit = _read_length(time, TimeUnit.parse(time_unit))
    return f"{number:g} {unit.singular if number == 1 else unit.plural}"


def _read_length(length: float | str, unit: TimeUnit) -> tuple[float, TimeUnit]:
    if isinstance(length, Real):
        return float(length), unit
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z])\s*", str(length))
    if not found:
        raise CrmError(
            f"{length!r} is no length of time; give a number of {unit.plural} or a text such as '12M' or '39W'"
        )
    return float(found[1]), TimeUnit.parse(found[2])


# After the end of a log: nobody asks it about that day, but years are mistyped.
_FAR = dt.timedelta(days=5 * 366)


def why_outside(day: dt.date, first: dt.date, last: dt.date) -> str:
    """Why a log has nothing to say about a day; empty where it has.

    Examples
    --------
    >>> why_outside(dt.date(1924, 6, 30), dt.date(2023, 1, 1), dt.date(2024, 6, 30))
    '1924-06-30 is before the log, which goes from 2023-01-01 to 2024-06-30; give a day within it'
    >>> why_outside(dt.date(2024, 12, 31), dt.date(2023, 1, 1), dt.date(2024, 6, 30))
    ''
    """
    # On the eve of the first day nobody has bought yet.
    if first - dt.timedelta(days=1) <= day <= last + _FAR:
        return ""
    where = "before the log" if day < first else "more than five years after the end of the log"
    return f"{day} is {where}, which goes from {first} to {last}; give a day within it"


# -- how days and calendar periods are written, in English whatever the locale

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


def unit_of(data: object) -> TimeUnit | None:
    """The unit of time that a customer summary carries, or None for a plain frame."""
    unit = getattr(data, "time_unit", None)
    return TimeUnit.parse(unit) if isinstance(unit, str) else None  # a column of that name is no unit
