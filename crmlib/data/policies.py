"""How tables are read: text formats, and policies for rows that can be read in more than one way."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field

from crmlib.data.vocabulary import words
from crmlib.errors import did_you_mean

# Of a time zone: the clock in the text is the firm's own, whatever offset follows it.
AS_WRITTEN = "as written"

_STATES, _IDS = words("states that are no sale"), words("no id")
RETURN_WORDS, SALE_WORDS, DEBIT_CREDIT = words("money back").values()


def spellings(words: Sequence[str]) -> list[str]:
    """Each word in lower case, with the separators that firms write between its parts.

    Examples
    --------
    >>> spellings(["Payment_Error"])
    ['payment_error', 'payment error', 'payment-error', 'paymenterror']
    """
    spelt = (word.lower().replace("_", sign) for word in words for sign in ("_", " ", "-", ""))
    return list(dict.fromkeys(spelt))


# Columns that put rows into groups; one with nearly as many values as rows holds something else.
GROUPS = ("category", "channel", "market")
_ENOUGH_ROWS = 50


def mostly_different(values: int, rows: int) -> bool:
    """Whether a column has nearly as many values as rows, so that it puts them into no groups.

    Examples
    --------
    >>> mostly_different(900, 1000), mostly_different(40, 1000), mostly_different(3, 4)
    (True, False, False)
    """
    return rows >= _ENOUGH_ROWS and values > rows / 2


# Units of money in a file, by their worth in the currency.
UNITS: dict[str, float] = {"cents": 0.01, "thousands": 1e3, "millions": 1e6}


class Strict(BaseModel):
    """A part of a study file: unknown keys are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Policies(Strict):
    """Decisions about rows, each with a default; the data check counts what each concerns.

    Examples
    --------
    >>> Policies().returns
    'match'
    """

    returns: Literal["match", "reduce_spend", "set_aside"] = Field(
        "match",
        description="match: a purchase returned in full does not count (that of the order which the return names, else "
        "the latest of that amount), other returns reduce spend; "
        "reduce_spend: every return reduces spend; set_aside: returns are not used",
    )
    zero_amounts: Literal["purchase", "no_purchase"] = Field(
        "purchase", description="whether a row of amount zero is a purchase"
    )
    purchases_merged_within: Literal["H", "D", "W", "M"] = Field(
        "D", description="purchases within one hour, day, week or month are one purchase"
    )
    guests: Literal["set_aside", "one_customer_per_order"] = Field(
        "set_aside", description="what to do with a row without customer id but with an order id"
    )
    equal_rows: Literal["keep", "set_aside"] = Field(
        "keep", description="whether a row equal to an earlier one in every column is used"
    )
    amount_is: Literal["row", "order_total"] = Field(
        "row", description="order_total: every line of an order repeats its total, which is counted once"
    )
    amount_includes: tuple[Literal["tax", "shipping"], ...] = Field(
        (), description="parts of the amount that are not revenue and are subtracted from it"
    )
    missing_ids: tuple[str, ...] = Field(
        (*_IDS["empty"], *_IDS["guest"]), description="words for a missing id"
    )
    excluded_statuses: tuple[str, ...] = Field(
        tuple(chain.from_iterable(_STATES.values())),
        description="states of an order that are not sales; _ also matches a blank or a hyphen",
    )
    excluded_products: tuple[str, ...] = Field(
        (), description="items that are not products, such as postage and fees; their rows are set aside"
    )
    return_words: tuple[str, ...] = Field(
        tuple(RETURN_WORDS), description="words in the column returned, besides yes, that mark a return"
    )

    @property
    def words_of_returns(self) -> tuple[list[str], list[str]]:
        """Words in the column `returned` that mark a return, and those that mark a sale."""
        back = [word.lower() for word in self.return_words]
        others = DEBIT_CREDIT if {*back} & {*DEBIT_CREDIT} else []
        return back, [word for word in (*SALE_WORDS, *others) if word not in back]


@dataclass(frozen=True)
class Reading:
    """How the text of a table is read, and what of it may be written down.

    `columns` is contract column to source column, and `rename` gives other words for values of a column. Rows in
    another `currency` are set aside where one is given. `amount_unit` is
    the unit of every money column, or column to unit. `known_until` is the last day of the purchase log, after
    which no customer can have been born. With a `hash_secret` customer ids become keyed hashes; only with
    `keep_personal` are personal columns kept.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: Sequence[str] = ()
    decimal: str = "."
    amount_unit: str | Mapping[str, str] | None = None
    timezone: str = "UTC"
    rename: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    currency: str | None = None
    policies: Policies = field(default_factory=Policies)
    known_until: dt.date = dt.date(2199, 12, 31)
    hash_secret: str | None = None
    keep_personal: bool = False

    def unit_of(self, column: str) -> str | None:
        """The unit in which a column's money is written: one of UNITS, or None for the currency itself."""
        return self.amount_unit.get(column) if isinstance(self.amount_unit, Mapping) else self.amount_unit


_SECONDS = {"days": 86_400, "seconds": 1, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}
# Excel's 29 February 1900 included.
_COUNTED = {"excel": "days since 1899-12-30", "unix": "seconds since 1970-01-01"}
_PATTERN = re.compile(r"(?=.*%-?[A-Za-z])(?:[^%]|%%|%-?[aAbBcdfgGHIjmMnpSuUVwWxXyYzZ])+")


def counted_from(date_format: str) -> tuple[float, str] | None:
    """Seconds of a unit and the day that is its zero, where dates are numbers; None for other formats.

    Examples
    --------
    >>> counted_from("milliseconds since 1970-01-01"), counted_from("%d/%m/%Y")
    ((0.001, '1970-01-01'), None)
    """
    unit, _since, day = _COUNTED.get(date_format, date_format).partition(" since ")
    return (_SECONDS[unit], day) if unit in _SECONDS and re.fullmatch(r"\d{4}-\d\d-\d\d", day) else None


def check_date_format(pattern: str) -> str:
    """Return a format of dates, or refuse what is none.

    Raises a ValueError with what is allowed.

    Examples
    --------
    >>> check_date_format("%d.%m.%Y"), check_date_format("days since 2023-01-01")
    ('%d.%m.%Y', 'days since 2023-01-01')
    """
    if pattern == "iso" or counted_from(pattern) or _PATTERN.fullmatch(pattern):
        return pattern
    units = ", ".join(_SECONDS)
    raise ValueError(
        f"found {pattern!r}; allowed: a pattern such as %d/%m/%Y or %m/%d/%Y %H:%M; iso, excel, unix; or a count "
        f"such as 'days since 2023-01-01' ({units})"
    )


def check_encoding(name: str) -> str:
    """Return the name of an encoding of text, or refuse one that nobody knows.

    Raises a ValueError with some that are usual.

    Examples
    --------
    >>> check_encoding("cp1252")
    'cp1252'
    """
    try:
        "".encode(name)  # an encoding of text, unlike base64
    except (LookupError, ValueError):
        raise ValueError(
            f"found {name!r}; allowed: an encoding such as utf-8, utf-16, latin-1, cp1250 (Central Europe), cp1251 "
            "(Cyrillic), cp1252 (Western Europe), cp932 (Japanese) or gb18030 (Chinese)"
        ) from None
    return name


def check_delimiter(sign: str) -> str:
    """Return the sign between columns, also where it is called by its name, or refuse what is none.

    Raises ValueError if it is not one sign.

    Examples
    --------
    >>> check_delimiter(";"), check_delimiter("tab")
    (';', '\\t')
    """
    sign = "\t" if sign.lower() in ("tab", r"\t") else sign
    if len(sign) != 1:
        raise ValueError(f"found {sign!r}; allowed: one sign, such as ; or tab")
    return sign


def check_timezone(name: str) -> str:
    """Return the name of a time zone, or refuse one that nobody knows.

    `name`: a name of the IANA database, or "as written". Raises a ValueError with the nearest name.

    Examples
    --------
    >>> check_timezone("Europe/Berlin")
    'Europe/Berlin'
    """
    known = {AS_WRITTEN, *available_timezones()}
    if name in known:
        return name
    listed = f"'{AS_WRITTEN}', UTC, or a region and city such as Europe/Berlin or America/New_York"
    raise ValueError(f"found {name!r}; {did_you_mean(name, sorted(known), listed)}")
