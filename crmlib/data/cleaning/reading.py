"""From the text of a file to ids, dates and amounts: what cannot be read becomes null, never a guess."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crmlib.data.cleaning.numbers import parse_number
from crmlib.data.policies import AS_WRITTEN, counted_from
from crmlib.units import FIRST_DAY, LAST_DAY

_BLANK_CODES = (9, 10, 13, 32, 0xA0, 0x202F)


@ibis.udf.scalar.builtin
def try_strptime(text: str, pattern: str) -> dt.timestamp:
    """DuckDB's date parser that answers null where it cannot read."""


@ibis.udf.scalar.builtin(name="chr")
def character(code: int) -> str:  # type: ignore[empty-body]
    """A sign by its number."""


@ibis.udf.scalar.builtin(name="trim")
def trim_signs(text: str, signs: str) -> str:  # type: ignore[empty-body]
    """Text without any of these signs at its ends."""


@ibis.udf.scalar.builtin(name="strlen")
def bytes_of(text: str) -> int:  # type: ignore[empty-body]
    """Length of a text in bytes, which is at hand where letters have to be counted."""


@ibis.udf.scalar.builtin(name="timezone")
def wall_clock(timezone: str, moment: dt.Timestamp(timezone="UTC")) -> dt.timestamp:  # type: ignore[valid-type]
    """The local date and time of a moment."""


def read_text(column: ir.Column) -> ir.StringColumn:
    """Text without blanks at its ends, null if nothing is left; whole numbers without a decimal point."""
    if column.type().is_floating():
        # "nan" is how programs write an empty cell; beyond 2^53 a float holds no id anyway.
        whole = (column.abs() < 2**53) & (column % 1 == 0)
        nothing = ibis.null(column.type())
        number = ibis.ifelse(whole, column, nothing).cast("int64").cast("string")
        column = ibis.ifelse(whole, number, ibis.ifelse(column.isnan(), nothing, column).cast("string"))
    if column.type().is_timestamp() and (zone := column.type().timezone) is not None:
        return wall_clock(zone, _as_moment(column)).cast("string") + f" {zone}"
    return _tidy(column)


def without_words(text: ir.StringColumn, words: Sequence[str]) -> ir.StringColumn:
    """Null where a text is one of these words, in any case."""
    if not words:
        return text
    # Only texts that are short enough to be one are looked at: small letters take time.
    short = bytes_of(text) <= max(len(word.encode()) for word in words)
    absent = short & text.lower().isin([word.lower() for word in words])
    return ibis.ifelse(absent, ibis.null("string"), text)


def read_number(column: ir.Column, decimal: str = ".") -> ir.FloatingColumn:
    """A number, also with a currency, a factor such as K, thousands separators, a trailing minus or brackets.

    `decimal` is the decimal sign. The other separators count as thousands only where they group
    the digits as such, so that "1,5" is not read as 15; see `crmlib.data.cleaning.numbers`.
    """
    return column.cast("float64") if column.type().is_numeric() else parse_number(_tidy(column), decimal)


def read_date(column: ir.Column, formats: Sequence[str] = (), timezone: str = "UTC") -> ir.TimestampColumn:
    """A date and time on the firm's own clock, without zone.

    Parameters
    ----------
    column : ibis column
        Dates, timestamps, or text.
    formats : sequence of str
        strptime patterns, tried in turn, or "excel" for serial days, "unix" for seconds since 1970, "days since
        2023-01-01" and the like for other counts, "iso" for ISO 8601, which is also what no format means.
    timezone : str
        Where the firm's days begin; moments that carry an offset are converted to it. "as written" takes
        the clock in the text, as a shop's own export has it.
    """
    return within_calendar(read_moment(column, formats, timezone))


def read_moment(column: ir.Column, formats: Sequence[str] = (), timezone: str = "UTC") -> ir.TimestampColumn:
    """What `read_date` reads, before moments that no calendar of a shop holds become null."""
    kind = column.type()
    if kind.is_timestamp() and kind.timezone is not None:
        return wall_clock(kind.timezone if timezone == AS_WRITTEN else timezone, _as_moment(column))
    if kind.is_date() or kind.is_timestamp():
        return column.cast("timestamp(6)")
    return parse_moment(_tidy(column), formats, timezone)


def parse_moment(text: ir.StringColumn, formats: Sequence[str], timezone: str) -> ir.TimestampColumn:
    """What `read_moment` makes of text without blanks at its ends."""
    # The engine reads the word "epoch" as 1970.
    text = ibis.ifelse(text.endswith("h") | text.endswith("H"), ibis.null("string"), text)
    return ibis.coalesce(*[_read_one_format(text, pattern, timezone) for pattern in formats or ["iso"]])


def _as_moment(column: ir.Column) -> ir.TimestampColumn:
    return column.cast(dt.Timestamp(timezone="UTC"))


def within_calendar(moment: ir.TimestampColumn) -> ir.TimestampColumn:
    """Null outside 1900 to 2199: "infinity" and the year 19970 are no dates of a purchase."""
    moment = moment.cast("timestamp(6)")
    first, last = ibis.timestamp(f"{FIRST_DAY} 00:00:00"), ibis.timestamp(f"{LAST_DAY} 23:59:59.999999")
    return ibis.ifelse(moment.between(first, last), moment, ibis.null("timestamp(6)"))


def moves_day(written: ir.StringColumn, read: ir.TimestampColumn) -> ir.BooleanValue:
    """Whether a moment that is written with an offset falls on another day than the written one."""
    # Only a text that is longer than a date and a time can have an offset: a quick look at each row.
    has_more = (bytes_of(written) > len("2024-01-05T10:30")) & (written.substr(4, 1) == "-")
    return ibis.ifelse(has_more, written.left(10) != read.strftime("%Y-%m-%d"), False).fill_null(False)


def _tidy(column: ir.Column) -> ir.StringColumn:
    """Text without blanks at its ends, null if nothing is left; only where there are such does it take time."""
    text = column.cast("string")
    if not column.type().is_string():
        return text
    suspect = (text < "!") | (text > "~")
    for code in _BLANK_CODES:
        suspect = suspect | text.endswith(character(code))
    signs = functools.reduce(operator.add, map(character, _BLANK_CODES))
    return ibis.ifelse(suspect, trim_signs(text, signs).nullif(""), text)


def _read_iso(text: ir.StringColumn, timezone: str) -> ir.TimestampColumn:
    # Patterns are slow: only the rows that hold a sign of an offset are matched.
    suspect = text.like(["%:%-%", "%:%+%"]) | text.endswith("Z") | text.endswith("C") | text.endswith("T")
    dated = ibis.ifelse(suspect, _read_offset(text, timezone), ibis.null("timestamp(6)"))
    return ibis.coalesce(dated, text.try_cast("timestamp(6)"))


def _read_offset(text: ir.StringColumn, timezone: str) -> ir.TimestampValue:
    """The moment of a text that ends with an offset or Z; null for others."""
    offset = r" ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)$"
    if timezone == AS_WRITTEN:
        moment = text.re_replace(offset, "").try_cast("timestamp(6)")
    else:
        # The engine wants +02:00 right behind the time, where exports write " +0200".
        joined = text.re_replace(r" ?([+-][0-9]{2}):?([0-9]{2})$", r"\1:\2")
        moment = wall_clock(timezone, joined.try_cast(dt.Timestamp(timezone="UTC")))
    has_offset = text.contains(":") & text.re_search(f"[0-9]{offset}")
    return ibis.ifelse(has_offset, moment, ibis.null("timestamp(6)"))


def _read_one_format(text: ir.StringColumn, pattern: str, timezone: str) -> ir.TimestampColumn:
    if pattern == "iso":
        return _read_iso(text, timezone)
    if counted := counted_from(pattern):
        seconds, day_zero = counted
        return _from_day_zero(text.try_cast("float64") * seconds, day_zero)
    return try_strptime(text, pattern)


def _from_day_zero(seconds: ir.NumericColumn, day_zero: str) -> ir.TimestampColumn:
    start = ibis.timestamp(f"{day_zero} 00:00:00")
    # The engine overflows rather than answer null; whatever is clipped here is no date of a purchase either.
    return start + seconds.clip(-86_400e6, 86_400e6).round().as_interval("s")
