"""Numbers, money and months as a title says them; no rounding turns "nearly all" into "all"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_LONGEST_NAME, _LONGEST_LINE = 36, 20


def number(value: float) -> str:
    """A count or a ratio, with thousands separators.

    Examples
    --------
    >>> number(69659), number(2.25), number(-3), number(0.0002), number(float("nan"))
    ('69,659', '2.25', '−3', 'under 0.01', 'unknown')
    """
    if not math.isfinite(value):
        return "unknown"
    if 0 < abs(value) < 0.005:
        return "under 0.01" if value > 0 else "just under 0"
    digits = 0 if abs(value) >= 100 or float(value).is_integer() else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}".replace("-", "−")


def share(value: float) -> str:
    """A share as a percentage: 100% and 0% only where it is all and nothing.

    Examples
    --------
    >>> share(0.4271), share(0.99999), share(1.0), share(0.0001), share(-0.071)
    ('43%', 'over 99.9%', '100%', 'under 0.1%', '−7.1%')
    """
    if not math.isfinite(value):
        return "unknown"
    if 0 < value < 0.001:
        return "under 0.1%"
    if -0.001 < value < 0:
        return "just under 0%"
    if 0.999 < value < 1:
        return "over 99.9%"
    digits = 0 if 0.1 <= abs(value) <= 0.9 or abs(value) >= 1.1 else 1
    return f"{100 * value:,.{digits}f}%".replace(".0%", "%").replace("-", "−")


def money(value: float, currency: str) -> str:
    """An amount with the currency's name; cents only where they matter.

    Examples
    --------
    >>> money(2500315.63, "USD"), money(35.894, "EUR"), money(-1200, "USD"), money(0.4, "")
    ('USD 2.50 million', 'EUR 35.89', '−USD 1,200', '0.40')
    """
    if not math.isfinite(value):
        return "unknown"
    size = abs(value)
    if size >= 999_999.5:
        divisor, unit = scale(size)
        text = f"{size / divisor:,.2f} {unit}"
    else:
        text = f"{size:,.0f}" if size >= 99.995 or size == 0 else f"{size:,.2f}"
    return f"{'−' if value < 0 else ''}{currency + ' ' if currency else ''}{text}"


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


def month(date: Any, *, short: bool = False) -> str:
    """A month by name, the same in every locale.

    Examples
    --------
    >>> month(pd.Timestamp("1997-03-01")), month("1997-03-25", short=True)
    ('March 1997', 'Mar 1997')
    """
    when = pd.Timestamp(date)
    if pd.isna(when):
        return "unknown"
    name = _MONTHS[when.month - 1]
    return f"{name[:3] if short else name} {when.year}"


PERIODS = {"W": "week", "M": "month", "Q": "quarter", "Y": "year"}


def period(date: Any, length: str, *, short: bool = False) -> str:
    """A calendar period by name, from its first day.

    Examples
    --------
    >>> [period("2024-04-01", length) for length in "MQY"], period("2024-04-08", "W")
    (['April 2024', 'Q2 2024', '2024'], 'the week of 8 Apr 2024')
    """
    when = pd.Timestamp(date)
    day = f"{when.day} {_MONTHS[when.month - 1][:3]} {when.year}"
    return {
        "W": day if short else f"the week of {day}",
        "Q": f"Q{when.quarter} {when.year}",
        "Y": str(when.year),
    }.get(length) or month(when, short=short)


def name(value: Any) -> str:
    """A category's name, cut where it would push the picture aside."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1].rstrip() + "…"


def stacked(value: Any) -> str:
    """A category's name beside its bar: on two lines where it is long."""
    text = name(value)
    spaces = [place for place, sign in enumerate(text) if sign == " "]
    if len(text) <= _LONGEST_LINE or not spaces:
        return text
    middle = min(spaces, key=lambda place: abs(2 * place - len(text)))
    return f"{text[:middle]}\n{text[middle + 1 :]}"


def plural(count: float, one: str, many: str | None = None) -> str:
    """A count with its noun.

    Examples
    --------
    >>> plural(1, "customer"), plural(2357, "customer")
    ('1 customer', '2,357 customers')
    """
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def listing(names: Sequence[str]) -> str:
    """Names in a row: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))
