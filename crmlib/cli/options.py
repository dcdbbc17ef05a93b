"""The options of `crm new` and `crm add` that say how a file is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def _checked(_context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Refuse a value, with what is allowed, as the study file would."""
    if not value:
        return value
    from crmlib.data import policies

    check = getattr(policies, f"check_{option.name}")
    try:
        return tuple(map(check, value)) if isinstance(value, tuple) else check(value)
    except ValueError as complaint:
        raise click.BadParameter(str(complaint)) from None


_READING = (
    click.option(
        "--date-format",
        "date_format",
        multiple=True,
        metavar="FORMAT",
        callback=_checked,
        help="Such as %d/%m/%Y; more than one if several occur.",
    ),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign of numbers and amounts."),
    click.option(
        "--timezone",
        metavar="ZONE",
        callback=_checked,
        help="Where the firm's days begin, such as Europe/Berlin.",
    ),
    click.option("--encoding", metavar="NAME", callback=_checked, help="Of a text file, such as cp1250."),
    click.option(
        "--delimiter",
        metavar="SIGN",
        callback=_checked,
        help="Between the columns of a text file, such as ; or tab.",
    ),
    click.option(
        "--sheet",
        multiple=True,
        metavar="SHEET",
        help="Sheet of an Excel file; more than one if they are one table.",
    ),
    click.option(
        "--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Such as customer_id=CustNo."
    ),
    click.option(
        "--answer",
        "answers",
        multiple=True,
        metavar="ENTRY=ANSWER",
        help="To a question by its entry, such as amount_unit=cents.",
    ),
    click.option(
        "--yes",
        is_flag=True,
        help="Ask nothing; end with 2 if a column, a sign, the dates, the decimal sign, the currency or the encoding "
        "cannot be told from the file. Only that postage is a sale is assumed.",
    ),
)


def how_to_read(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how a file is read."""
    for option in reversed(_READING):
        command = option(command)
    return command
