"""How figures, dates and column names are written on a page."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

_SIGNS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "INR": "₹",
    "CHF": "CHF ",
    "CAD": "CA$",
    "AUD": "A$",
}
NOTHING = "–"


def cards(metrics: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What page one and the mail show of each notebook: its figures marked as cards whose value is known."""
    found = {
        name: [one for one in notebook["figures"].values() if one.get("card") and _known(one["value"])]
        for name, notebook in metrics.items()
    }
    return {name: figures for name, figures in found.items() if figures}


def figure(value: Any, unit: str, currency: str = "") -> str:
    """Write a key figure in its unit.

    Examples
    --------
    >>> figure(2500315.63, "money", "USD"), figure(0.4271, "share"), figure("1998-06-30", "date")
    ('$2,500,316', '42.7%', '30 June 1998')
    """
    if not _known(value):
        return NOTHING
    if unit == "date":
        return date(value)
    if isinstance(value, str) or unit == "text":
        return str(value)
    written = {
        "money": lambda: money(value, currency),
        "share": lambda: f"{value:.1%}",
        "count": lambda: f"{value:,.0f}",
        "days": lambda: f"{value:,.0f} days",
        "ratio": lambda: f"{value:,.2f}",
    }.get(unit)
    return _minus(written() if written else str(value))


def change(value: Any) -> str:
    """Write a relative change, or nothing where none is known.

    Examples
    --------
    >>> change(0.125), change(-0.031), change(None)
    ('+12.5%', '−3.1%', '')
    """
    if not _known(value):
        return ""
    return _minus(f"{value:+.1%}")


def money(value: float, currency: str) -> str:
    """Write an amount; cents only where they matter."""
    sign = _SIGNS.get(currency, f"{currency} " if currency else "")
    digits = 0 if abs(value) >= 1000 or value == 0 else 2
    return f"{'-' if value < 0 else ''}{sign}{abs(value):,.{digits}f}"


def date(value: Any) -> str:
    """Write a date in words that no country reads differently."""
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value[:10])
        except ValueError:
            return value
    return f"{value.day} {value:%B %Y}"


def cell(value: Any) -> str:
    """Write a table's value."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dt.date, dt.datetime)):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _minus(f"{value:,.2f}")
    return str(value)


def column(name: str) -> str:
    """Write a column's name as words.

    Examples
    --------
    >>> column("time_since_last_purchase"), column("customer_id")
    ('time since last purchase', 'customer')
    """
    return name.removesuffix("_id").replace("_", " ")


def sentence(text: str) -> str:
    """Write a phrase as a sentence.

    Examples
    --------
    >>> sentence("too few buyers")
    'Too few buyers.'
    """
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def seconds(value: float) -> str:
    """Write a duration."""
    return f"{value:.1f} s" if value < 60 else f"{value // 60:.0f} min {value % 60:.0f} s"


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _minus(text: str) -> str:
    return text.replace("-", "−", 1) if text.startswith("-") else text
