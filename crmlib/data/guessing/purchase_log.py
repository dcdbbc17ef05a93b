"""Look at a stranger's file: which column is which, how it is written, and what speaks for each guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from crmlib.data.cleaning.reading import read_number, read_text
from crmlib.data.guessing.columns import REQUIRED, Match, match_columns, profile_columns
from crmlib.data.guessing.dates import guess_dates
from crmlib.data.guessing.findings import Finding, Guess, Question
from crmlib.data.guessing.grain import guess_grain
from crmlib.data.guessing.money import guess_decimal, guess_money, guess_states
from crmlib.data.guessing.stranger import open_stranger, sample_of
from crmlib.errors import DataError, did_you_mean

# Shops whose exports are known by columns that nobody else has together.
_EXPORTS = {
    "Shopify": ("Name", "Email", "Financial Status", "Created at", "Lineitem name", "Total"),
    "WooCommerce": ("Order Number", "Order Status", "Order Date", "Order Total Amount"),
}
_OF_EXPORT = {
    "Shopify": {
        "customer_id": "Email",
        "date": "Created at",
        "amount": "Total",
        "order_id": "Name",
        "status": "Financial Status",
        "channel": "Source",
        "market": "Shipping Country",
    },
    "WooCommerce": {"date": "Order Date", "amount": "Order Total Amount", "order_id": "Order Number"},
}
# Where an order's total is counted once, these tell of its first line only.
_LINE_COLUMNS = ("product", "category", "quantity", "unit_price", "cost", "line_id")


def guess_transactions(
    source: str | Path, *, base: Path | None = None, given: Mapping[str, Any] | None = None
) -> Guess:
    """Look at a purchase log and guess how it has to be read.

    Parameters
    ----------
    source : str or Path
        A file, folder or pattern, as in a study file.
    base : Path, optional
        Folder that a relative path starts from.
    given : mapping, optional
        What is known already, and not guessed: `sheet`, `date_format`, `decimal`, `currency`, `columns.customer_id` and
        the like.

    Returns
    -------
    Guess
        Findings with their evidence; and questions where two readings are possible.

    Raises
    ------
    DataError
        If the file cannot be read, or holds no rows.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "orders.csv"
    >>> _ = file.write_text("Kunde;Datum;Betrag\\n00012;31.12.2024;9,50 €\\n00013;01.01.2025;12,00 €\\n")
    >>> guess = guess_transactions(file)
    >>> guess.values["columns.amount"], guess.values["decimal"], guess.values["date_format"]
    ('Betrag', ',', ('%d.%m.%Y',))
    """
    given = dict(given or {})
    opened = open_stranger(source, base, given)
    table, own, found = opened.table, opened.own, list(opened.found)
    sample = sample_of(table, own)
    columns, questions = _columns(sample, own, given)
    found += columns
    named = {
        one.entry.removeprefix("columns."): one.value for one in columns if one.entry.startswith("columns.")
    }
    seen = [*guess_decimal(table, named, given), *_dates(table, named, given)]
    questions += [one for one in seen if isinstance(one, Question)]
    found += [one for one in seen if isinstance(one, Finding)]
    decimal = next((str(one.value) for one in found if one.entry == "decimal"), ".")
    found += _orders(table, named, decimal)
    found += guess_money(table, named, given, decimal)
    if any(one.value == "order_total" for one in found):
        found = [one for one in found if one.entry.removeprefix("columns.") not in _LINE_COLUMNS]
    return Guess(opened.place, opened.files, tuple(found), tuple(questions))


def _columns(
    sample: pd.DataFrame, own: list[str], given: Mapping[str, Any]
) -> tuple[list[Finding], list[Question]]:
    """The contract's columns, and a question for each required one that was not found."""
    named = {
        entry.removeprefix("columns."): value
        for entry, value in given.items()
        if entry.startswith("columns.")
    }
    for purpose, column in named.items():
        if column not in own:
            raise DataError(
                f"columns.{purpose}: there is no column {column!r}; {did_you_mean(column, own[:40])}"
            )
    export = next((shop for shop, signs in _EXPORTS.items() if set(signs) <= set(own)), None)
    known = {p: c for p, c in _OF_EXPORT.get(export or "", {}).items() if c in own and p not in named}
    matches = match_columns(profile_columns(sample), {**known, **named})
    matches |= {purpose: Match(column, f"as {export} exports it") for purpose, column in known.items()}
    found = [Finding(f"columns.{purpose}", one.column, one.evidence) for purpose, one in matches.items()]
    if export:
        found.insert(0, Finding("export", export, f"it has the columns {', '.join(_EXPORTS[export])}"))
    counted = {"quantity", "unit_price"} <= matches.keys()
    questions = [
        Question(f"columns.{purpose}", f"which column is the {purpose}?", tuple(own[:40]))
        for purpose in REQUIRED
        if purpose not in matches and not (purpose == "amount" and counted)
    ]
    return found, questions


def _dates(
    table: ibis.Table, named: Mapping[str, str], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    if "date" not in named:
        return
    if given.get("date_format"):
        yield Finding("date_format", tuple(given["date_format"]), "named by you")
        return
    guess = guess_dates(table[named["date"]])
    if guess.question:
        yield Question("date_format", f"{named['date']!r}: {guess.question}", guess.readings)
        return
    yield Finding("date_format", guess.formats, guess.evidence)
    if guess.timezone:
        yield Finding(
            "timezone", guess.timezone, "the dates carry offsets; a day is the shop's own, as written"
        )


def _orders(table: ibis.Table, named: Mapping[str, str], decimal: str) -> Iterator[Finding]:
    """The grain, and what the states of orders are."""
    if "order_id" in named and "amount" in named:
        order_id, amount = read_text(table[named["order_id"]]), read_number(table[named["amount"]], decimal)
        grain = guess_grain(table.select(order_id=order_id, amount=amount), named["amount"])
        yield Finding("grain", grain.row_is, grain.evidence)
        if grain.amount_is != "row":
            yield Finding("policies.amount_is", grain.amount_is, grain.evidence)
    if "status" in named:
        yield guess_states(table, named)
