"""How a number is written: the same on a page, a card, a chart, a table, in a mail and in a notebook.

No rounding turns "nearly all" into "all" or "a few" into "none", and what is not known says so. Months and days are
written in English whatever the locale.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

from crmlib.units import length as length

Unit = Literal["count", "money", "share", "points", "ratio", "days", "date", "text"]
UNITS: tuple[Unit, ...] = ("count", "money", "share", "points", "ratio", "days", "date", "text")
NOT_KNOWN = "not known"
_MINUS = "−"
_MONTHS = "January February March April May June July August September October November December".split()
_LONGEST_NAME = 36
_MOST_DIGITS = 3  # more to tell the ends of an interval apart


def is_known(value: Any) -> bool:
    """Whether there is a value: neither None, nor NaN or NaT, nor infinite."""
    if value is None or value != value:
        return False
    return not isinstance(value, float) or math.isfinite(value)


def number(value: float, digits: int | None = None) -> str:
    """A count or a ratio, with thousands separators.

    Examples
    --------
    >>> number(69659), number(2.25), number(-3), number(0.0002), number(-0.0004, 2), number(float("nan"))
    ('69,659', '2.25', '−3', 'under 0.01', '0.00', 'not known')
    """
    if not is_known(value):
        return NOT_KNOWN
    if digits is None:
        if 0 < abs(value) < 0.005:
            return "under 0.01" if value > 0 else "just under 0"
        whole = abs(value) >= 100 or float(value).is_integer()
        digits = 0 if whole else 1 if abs(value) >= 10 else 2
    return _signed(f"{value:z,.{digits}f}")


def share(value: float, digits: int | None = None) -> str:
    """A share in per cent: 100 % and 0 % only where it is all and nothing.

    Examples
    --------
    >>> share(0.4271), share(0.99999), share(1.0), share(0.0001), share(-0.071)
    ('43 %', 'over 99.9 %', '100 %', 'under 0.1 %', '−7.1 %')
    """
    if not is_known(value):
        return NOT_KNOWN
    if digits is None:
        if 0 < value < 0.001:
            return "under 0.1 %"
        if -0.001 < value < 0:
            return "just under 0 %"
        if 0.999 < value < 1:
            return "over 99.9 %"
        digits = 0 if 0.1 <= abs(value) <= 0.9 or abs(value) >= 1.1 else 1
        return _signed(f"{100 * value:z,.{digits}f}".removesuffix(".0") + " %")
    return _signed(f"{100 * value:z,.{digits}f} %")


def points(value: float, digits: int | None = None) -> str:
    """A difference of two shares, in percentage points.

    Examples
    --------
    >>> points(0.05), points(-0.012), points(0.01)
    ('5 points', '−1.2 points', '1 point')
    """
    if not is_known(value):
        return NOT_KNOWN
    text = f"{100 * value:z,.1f}".removesuffix(".0") if digits is None else f"{100 * value:z,.{digits}f}"
    text = _signed(text)
    return f"{text} {'point' if text in ('1', f'{_MINUS}1') else 'points'}"


def money(value: float, currency: str = "", digits: int | None = None) -> str:
    """An amount with the currency's code; cents only where they matter.

    Examples
    --------
    >>> money(2500315.63, "USD"), money(35.894, "EUR"), money(-1200, "USD"), money(0.4), money(0.001, "EUR")
    ('USD 2.50 million', 'EUR 35.89', '−USD 1,200', '0.40', 'under EUR 0.01')
    """
    if not is_known(value):
        return NOT_KNOWN
    size = abs(value)
    if 0 < size < 0.005 and digits is None:
        return ("under " if value > 0 else "just under ") + money(0.01 if value > 0 else 0.0, currency)
    divisor, unit = scale(size)
    if unit:
        text = f"{size / divisor:,.{2 if digits is None else digits}f} {unit}"
    else:
        text = f"{size:,.{(0 if size >= 99.995 or size == 0 else 2) if digits is None else digits}f}"
    minus = _MINUS if value < 0 and text.strip("0.,") else ""  # what is rounded to zero has no sign
    return f"{minus}{currency + ' ' if currency else ''}{text}"


def scale(largest: float) -> tuple[float, str]:
    """What to divide an axis by, so that its numbers stay short, and the word for it.

    Examples
    --------
    >>> scale(250_000), scale(2_500_000), scale(7.1e9)
    ((1.0, ''), (1000000.0, 'million'), (1000000000.0, 'billion'))
    """
    if abs(largest) >= 999_999_500:
        return 1e9, "billion"
    return (1e6, "million") if abs(largest) >= 999_999.5 else (1.0, "")


def change(value: float) -> str:
    """A relative change with its sign, 0.125 being an eighth more.

    Examples
    --------
    >>> change(0.125), change(-0.031), change(float("nan"))
    ('+12 %', '−3.1 %', 'not known')
    """
    return f"+{share(value)}" if is_known(value) and value > 0 else share(value)


def write(value: Any, unit: Unit, currency: str = "", digits: int | None = None) -> str:
    """A value in its unit, as every page, card, table, mail and notebook writes it.

    `digits` are decimal places instead of the usual ones; None, NaN and infinity are "not known".

    Examples
    --------
    >>> write(0.2374, "share"), write(2357, "count"), write("1998-06-30", "date"), write(None, "money")
    ('24 %', '2,357', '30 June 1998', 'not known')
    """
    if not is_known(value):
        return NOT_KNOWN
    if unit == "text" or (isinstance(value, str) and unit != "date"):
        return str(value)
    if unit == "money":
        return money(value, currency, digits)
    whole: dict[str, Callable[[Any], str]] = {"count": count, "days": days, "date": date}
    if unit in whole:
        return whole[unit](value)
    return {"share": share, "points": points, "ratio": number}[unit](value, digits)


def interval(low: float, high: float, unit: Unit, currency: str = "") -> str:
    """The ends of an interval, with as many digits as tell them apart.

    Examples
    --------
    >>> interval(0.203, 0.271, "share"), interval(0.4312, 0.4337, "share"), interval(5.0, float("inf"), "ratio")
    ('20 % to 27 %', '43.1 % to 43.4 %', 'at least 5')
    """
    if not (is_known(low) or is_known(high)):
        return NOT_KNOWN
    if not is_known(high):
        return f"at least {write(low, unit, currency)}"
    if not is_known(low):
        return f"at most {write(high, unit, currency)}"
    digits = None
    ends = [write(end, unit, currency) for end in (low, high)]
    for more in range(1, _MOST_DIGITS + 1):
        if ends[0] != ends[1] or low == high or unit in ("count", "days", "date", "text"):
            break
        digits = more
        ends = [write(end, unit, currency, digits) for end in (low, high)]
    return " to ".join(ends)


def count(value: float) -> str:
    """A whole number with thousands separators.

    Examples
    --------
    >>> count(2357.0), count(-3)
    ('2,357', '−3')
    """
    return _signed(f"{value:z,.0f}") if is_known(value) else NOT_KNOWN


def days(value: float) -> str:
    """A number of days.

    Examples
    --------
    >>> days(1), days(1234.4)
    ('1 day', '1,234 days')
    """
    return plural(round(value), "day") if is_known(value) else NOT_KNOWN


def seconds(value: float) -> str:
    """A duration of a run.

    Examples
    --------
    >>> seconds(4.21), seconds(75)
    ('4.2 s', '1 min 15 s')
    """
    return f"{value:.1f} s" if value < 60 else f"{value // 60:.0f} min {value % 60:.0f} s"


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


def plural(number_of: float, one: str, many: str | None = None) -> str:
    """A count with its noun.

    Examples
    --------
    >>> plural(1, "customer"), plural(2357, "customer")
    ('1 customer', '2,357 customers')
    """
    return f"{number(number_of)} {one if number_of == 1 else many or one + 's'}"


def listing(names: Sequence[str]) -> str:
    """Names in a row.

    Examples
    --------
    >>> listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def cell(value: Any) -> str:
    """A value of a table.

    Examples
    --------
    >>> cell(True), cell(1234), cell(-0.5), cell(float("nan")), cell(dt.date(2024, 1, 31))
    ('yes', '1,234', '−0.50', '–', '2024-01-31')
    """
    if not is_known(value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.date):
        return value.isoformat()[:10]
    if isinstance(value, int):
        return _signed(f"{value:,}")
    return _signed(f"{value:z,.2f}") if isinstance(value, float) else str(value)


def column(name: str) -> str:
    """A column's name as words.

    Examples
    --------
    >>> column("time_since_last_purchase"), column("customer_id")
    ('time since last purchase', 'customer')
    """
    return name.removesuffix("_id").replace("_", " ")


def capital(text: str) -> str:
    """A text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def short_name(value: Any) -> str:
    """A name on one line, cut where it would push a sentence or a picture aside."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1].rstrip() + "…"


def sentence(text: str) -> str:
    """A phrase as a sentence.

    Examples
    --------
    >>> sentence("too few buyers")
    'Too few buyers.'
    """
    text = text.strip()
    return capital(text) + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def _signed(text: str) -> str:
    return text.replace("-", _MINUS, 1)


def _day(value: Any) -> dt.date | None:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value[:10])
        except ValueError:
            return None
    if not is_known(value):
        return None
    return value.astype("datetime64[D]").item() if hasattr(value, "astype") else value


def _month(day: dt.date, short: bool) -> str:
    name = _MONTHS[day.month - 1]
    return name[:3] if short else name
