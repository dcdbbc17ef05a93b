"""How a number is written: the same on a page, a card, a chart, a table, in a mail and in a notebook.

No rounding turns "nearly all" into "all" or "a few" into "none", and what is not known says so. Months and days are
written in English whatever the locale.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from crmlib.errors import NOT_KNOWN as NOT_KNOWN
from crmlib.units import TimeUnit
from crmlib.units import date as date
from crmlib.units import length as length
from crmlib.units import month as month
from crmlib.units import period as period

Unit = Literal["count", "money", "share", "points", "ratio", "days", "date", "text", "change"]
UNITS: tuple[Unit, ...] = get_args(Unit)  # of estimates; `write` knows those of columns.toml as well
_DAY = re.compile(r"(?<![\w-])[12]\d{3}-\d\d-\d\d(?![\w-])")
_MINUS = "−"
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
        digits = 0 if 0.1 <= abs(value) <= 0.9 or abs(value) >= 1.01 else 1
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


def write(value: Any, unit: str, currency: str = "", digits: int | None = None) -> str:
    """A value in its unit, as every page, card, table, mail and notebook writes it.

    `value`: None, NaN and infinity are "not known"; text stays as it is. `unit`: of `UNITS`; for columns also "chance",
    "day" (a short date), "month", "flag", "name", "coefficient" and, for times, the code of a time unit such as "W".
    `currency`: of money. `digits`: decimal places instead of the usual ones.

    Examples
    --------
    >>> write(0.2374, "share"), write(2357, "count"), write("1998-06-30", "date"), write(None, "money")
    ('24 %', '2,357', '30 June 1998', 'not known')
    >>> write(0.0003, "chance"), write(True, "flag"), write(1.84, "W"), write("1998-06-30", "day")
    ('under 1 %', 'yes', '1.8 weeks', '30 Jun 1998')
    """
    if not is_known(value):
        return NOT_KNOWN
    if unit in ("text", "name", "code") or (isinstance(value, str) and unit not in ("date", "day", "month")):
        return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
    if unit == "money":
        return money(value, currency, digits)
    if unit in _DECIMALS:
        return _DECIMALS[unit](value, digits)
    return _WHOLE[unit](value) if unit in _WHOLE else _time(value, unit)


def interval(low: float, high: float, unit: str, currency: str = "") -> str:
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


def plural(number_of: float, noun: str, many: str | None = None) -> str:
    """A count with its noun.

    Examples
    --------
    >>> plural(1, "customer"), plural(2357, "customer")
    ('1 customer', '2,357 customers')
    """
    return f"{number(number_of)} {noun if number_of == 1 else many or noun + 's'}"


def listing(names: Sequence[str]) -> str:
    """Names in a row.

    Examples
    --------
    >>> listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def cell(value: Any) -> str:
    """A value of which no unit is known, by its type.

    Examples
    --------
    >>> cell(True), cell(1234), cell(-0.5), cell(float("nan")), cell(dt.date(2024, 1, 31))
    ('yes', '1,234', '−0.50', 'not known', '31 Jan 2024')
    """
    for kind, unit in ((bool, "flag"), (dt.date, "day"), (int, "count"), (float, "ratio")):
        if isinstance(value, kind):
            return write(value, unit)
    return write(value, "text")


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


def with_days(text: str) -> str:
    """A text in which days stand in words.

    Examples
    --------
    >>> with_days("nobody new after 1997-03-25")
    'nobody new after 25 Mar 1997'
    """
    return _DAY.sub(lambda day: date(day[0], short=True), text)


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
    return capital(text) + ("" if text.endswith((".", "!", "?", "…")) else ".") if text else ""


def chance(value: float, digits: int | None = None) -> str:
    """A probability in whole per cent; nothing is certain but what is 0 or 1.

    Examples
    --------
    >>> chance(0.004), chance(0.416), chance(0.9999), chance(0.0)
    ('under 1 %', '42 %', 'over 99 %', '0 %')
    """
    if digits is None and 0 < value < 0.01:
        return "under 1 %"
    if digits is None and 0.99 < value < 1:
        return "over 99 %"
    return share(value, digits or 0)


def _time(value: float, unit: str) -> str:
    """A length of time in its unit, given by its code, with a decimal where it is not whole."""
    rounded, name = round(value, 1), TimeUnit(unit)
    whole = number(rounded, 0 if rounded == int(rounded) else 1)
    return f"{whole} {name.singular if rounded == 1 else name.plural}"


def _signed(text: str) -> str:
    return text.replace("-", _MINUS, 1)


_DECIMALS: dict[str, Callable[[Any, int | None], str]] = {
    "share": share,
    "points": points,
    "ratio": number,
    "chance": chance,
    "coefficient": lambda value, digits: number(value, 3 if digits is None else digits),
}
_WHOLE: dict[str, Callable[[Any], str]] = {
    "count": count,
    "days": days,
    "date": date,
    "day": lambda value: date(value, short=True),
    "month": lambda value: month(value, short=True),
    "change": change,
    "flag": lambda value: "yes" if value else "no",
}
