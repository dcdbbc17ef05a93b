"""Read ids, dates and amounts from text: what cannot be read becomes null, never a guess.

Understood of a number are one sign (before, behind, or accounting brackets), a currency before or behind, a factor
such as K, M or lakh behind, and groups of digits as any country writes them, by one separator throughout.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crmlib.data.currencies import CODES, pattern_of
from crmlib.data.policies import AS_WRITTEN, counted_from
from crmlib.units import FIRST_DAY, LAST_DAY

_SPACES = " \t\u00a0\u2009\u202f"
_MINUS = r"\-−–‐‑"
_BLANKS = f"[{_SPACES}]*"
_BEFORE, _BEHIND = f"(?:{pattern_of()})", f"(?:{pattern_of(behind=True)})"
# Powers of ten. "m" is metres as well, and "bn" is not the same in all languages: neither is understood.
_POWERS = {
    3: "[KkTt]|(?i:tsd|thousand)",
    5: "(?i:lakhs?|lacs?)",
    6: "MM?|(?i:mn|mio|mln|millions?)",
    7: "(?i:crores?)",
}
_ANY_POWER = "|".join(_POWERS.values())
# Signs and brackets as they may stand around digits (#), and in their places any text without signs and digits: <
# before, > behind, ~ minus, _ blanks. What this text may be, `_marks_around` says: here it would stand in each form.
_FORMS = (r"(?:[+~]?<|<[+~]_)#>", r"<#(?:>[~]_|_[~]>)", r"(?:\(<|<\(_)#>\)_", r"\(_#_\)>", r"[+~]?_[$€£]?_%>")
_LETTER = f"[^0-9.,'’+()$€£{_MINUS}{_SPACES}]"  # quickly: all letters of Unicode make a long pattern
_NO_MARKS = f"[0-9.,'’+(){_MINUS}{_SPACES}]+"  # what is neither currency nor power
PRODUCT = " × "  # between the two factors of an amount that is computed
# #REF!, #WERT!, #N/A, and ##### of a narrow column.
SPREADSHEET_ERROR = r"^#¡?[\p{Lu}0/_]+[!?]$|^#N/?[ADV]$|^#+$"
_LEDGER_MARK = "(?i)(?:^|[^a-z])(?:cr|dr|credit|debit)(?:[^a-z]|$)"
# Why a text is no number: these two are also what a column without any doubt may hold.
DASH = ": a dash, which may be zero or not known"
SEPARATORS = ": separators that do not fit the decimal sign"


def _pattern(form: str) -> str:
    """A form with its parts put in: < and > are currencies, ~ minus and _ blanks."""
    form = form.replace("~", _MINUS).replace("<", _BEFORE).replace(">", _BEHIND)
    return form.replace("_", _BLANKS)


def _signs_around(decimal: str) -> str:
    """The pattern of a number by its signs, brackets and groups of digits."""
    point, comma = re.escape(decimal), re.escape("," if decimal == "." else ".")
    whole = [f"[1-9][0-9]{{0,2}}(?:{sign}[0-9]{{3}})+" for sign in (comma, "['’]", f"[{_SPACES}]")]
    whole += ["[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"] if decimal == "." else []  # lakh and crore
    digits = f"(?:{'|'.join([*whole, '[0-9]+'])})(?:{point}[0-9]+)?"
    other = f"[^0-9+(){_MINUS},'’"
    # A point before digits belongs to a word: "Rs.50" is fifty, but "$.50" is half a dollar.
    forms = "|".join(_FORMS).replace("<", rf"(?:{other}.]|{_LETTER}\.)*").replace(">", f"{other}]*")
    # A spreadsheet puts an apostrophe before a number that is text.
    return f"^'?(?:{_pattern(forms)})$".replace("#", f"(?:{digits})").replace("%", f"{point}[0-9]+")


def _marks_around(decimal: str) -> str:
    """The pattern of a number by what stands before and behind its digits: a currency, and a power before another one.

    T is a thousand only with a currency behind it, as in TEUR.
    """
    power = _ANY_POWER.replace("[KkTt]", "[Kk]")
    before = rf"[+()~{_SPACES}]*(?:<?[+()~{_SPACES}]*|[$€£]?_{re.escape(decimal)})[0-9]"
    behind = rf"_(?:(?:(?:{power})\.?_|[Tt]_|[~)]_)?>|(?:(?:{power})\.?)?)_[~)]?_"
    return _pattern(f"^'?{before}(?:[0-9.,'’{_SPACES}]*[0-9])?{behind}$")


_GRAMMAR = {decimal: (_signs_around(decimal), _marks_around(decimal)) for decimal in (".", ",")}
_SCIENTIFIC = r"^[-+]?[0-9]+(?:[.,][0-9]*)?[eE][-+]?[0-9]+$"
# With either decimal sign, as Python reads.
_PLAIN = "|".join(f"(?={marks}){signs}" for signs, marks in _GRAMMAR.values())
IS_NUMBER = re.compile(f"{_PLAIN}|{_SCIENTIFIC}")


def where(condition: ir.BooleanValue, value: Any) -> Any:
    """A value where a condition holds, else null."""
    return ibis.cases((condition, value))


def plain_number(text: ir.StringColumn, decimal: str = ".") -> ir.FloatingColumn:
    """A number with nothing around its digits but a minus, which the engine reads quickly; null for others."""
    if decimal == ",":  # a point is no decimal sign then
        text = where(~text.contains("."), text.replace(",", "."))
    return where(~text.contains("_"), text).try_cast("float64")  # the engine reads "12_34" too


def parse_number(text: ir.StringColumn, decimal: str = ".") -> ir.FloatingColumn:
    """Read a number from text without blanks at its ends; see `read_number`."""
    # "Rs." has no point
    words = ibis.ifelse(text.re_search(rf"{_LETTER}\."), text.re_replace(rf"({_LETTER})\.", r"\1"), text)
    digits = words.re_replace(f"[^0-9{decimal}]+", "").replace(decimal, ".")
    sign = ibis.ifelse(text.re_search(f"[({_MINUS}]"), "-", "")
    # "2.3e6" is read exactly, where a product need not be.
    power = text.re_extract(_pattern(rf"[0-9]_({_ANY_POWER})\.?_[)~]?_>?_[)~]?$"), 1)
    for zeros, names in _POWERS.items():
        power = power.re_replace(f"^(?:{names})$", f"e{zeros}")
    signs, marks = _GRAMMAR[decimal]
    dressed = where(text.re_search(signs) & text.re_search(marks), sign + digits + power)
    return ibis.coalesce(plain_number(text, decimal), dressed.try_cast("float64"))


def marks_of(text: ir.StringColumn, decimal: str = ".") -> ir.StringColumn:
    """Currency and power around a number, joined, as in "€K"; null where there is nothing but a number."""
    return where(plain_number(text, decimal).isnull(), text.re_replace(_NO_MARKS, "").nullif(""))


def is_of_currency(marks: ir.StringColumn, codes: Iterable[str]) -> ir.BooleanColumn:
    """Whether marks can stand for amounts in these currencies; those without a currency can."""
    codes = list(codes)
    before, behind = pattern_of(codes), pattern_of(codes, behind=True)
    return marks.re_search(f"^(?:{before})?(?:{_ANY_POWER})?(?:{behind})?$")


def currency_marks(marks: Iterable[str]) -> set[str]:
    """The currency signs, words and codes that stand in these marks.

    Examples
    --------
    >>> sorted(currency_marks(["€K", "$USD", "TEUR", "M", "pcs"]))
    ['$', 'EUR', 'USD', '€']
    """
    split = re.compile(f"({_BEFORE})?(?:{_ANY_POWER})?({_BEHIND})?")
    found = (split.fullmatch(mark) for mark in marks)
    return {part for match in found if match for part in match.groups() if part}


def why_unreadable(text: ir.StringColumn) -> ir.StringValue:
    """Why a text is no number, as the end of a sentence; empty if there is no digit in it."""
    ends = text.re_replace("[0-9].*[0-9]|[0-9]", "")
    within = text.re_extract("[0-9].*[0-9]", 0)
    return ibis.cases(
        (text.re_search(_pattern(f"^_<?_[{_MINUS}]+_>?$")), DASH),
        (text.re_search(SPREADSHEET_ERROR), ": an error of a spreadsheet"),
        (~text.re_search("[0-9]") & text.re_search(r"\p{Nd}"), ": other digits than 0 to 9"),
        (~text.re_search("[0-9]") | text.contains(PRODUCT), ""),
        (text.re_search("[%‰]"), ": a percentage"),
        (text.re_search(_LEDGER_MARK), ": CR or DR, of which only the ledger says the sign"),
        (ends.re_search(f"[+({_MINUS}].*[+({_MINUS}]"), ": two signs"),
        (~is_of_currency(ends.re_replace(_NO_MARKS, ""), CODES), ": a word or unit beside the number"),
        (within.re_search(f"[^0-9.,'’{_SPACES}]"), ": more than one number"),
        (within.re_replace(f"[.,'’{_SPACES}]", "") != within, SEPARATORS),
        else_=": a sign, factor or currency out of its place",
    )


_BLANK_CODES = (9, 10, 13, 32, 0xA0, 0x202F, 0x200B, 0xFEFF)  # two of them without width


@ibis.udf.scalar.builtin
def try_strptime(text: str, pattern: str) -> dt.timestamp:
    """DuckDB's date parser; null where the text cannot be read."""


@ibis.udf.scalar.builtin(name="chr")
def character(code: int) -> str:  # type: ignore[empty-body]
    """A character by its code point."""


@ibis.udf.scalar.builtin(name="trim")
def trim_signs(text: str, signs: str) -> str:  # type: ignore[empty-body]
    """Text without any of these signs at its ends."""


@ibis.udf.scalar.builtin(name="strlen")
def bytes_of(text: str) -> int:  # type: ignore[empty-body]
    """Length of a text in bytes, which is faster than counting letters."""


@ibis.udf.scalar.builtin(name="timezone")
def wall_clock(timezone: str, moment: dt.Timestamp(timezone="UTC")) -> dt.timestamp:  # type: ignore[valid-type]
    """The local date and time of a moment."""


def read_text(column: ir.Column) -> ir.StringColumn:
    """Text without blanks at its ends, null if nothing is left; whole numbers without a decimal point."""
    if column.type().is_floating():
        # "nan" is how programs write an empty cell; beyond 2^53 a float holds no id anyway.
        whole = (column.abs() < 2**53) & (column % 1 == 0)
        number = where(whole, column).cast("int64").cast("string")
        column = ibis.ifelse(whole, number, where(~column.isnan(), column).cast("string"))
    if column.type().is_timestamp() and (zone := column.type().timezone) is not None:
        return wall_clock(zone, _as_moment(column)).cast("string") + f" {zone}"
    return _tidy(column)


def without_words(text: ir.StringColumn, words: Sequence[str]) -> ir.StringColumn:
    """Null where a text is one of these words, in any case."""
    if not words:
        return text
    # Only texts that are short enough to be one are looked at: small letters take time.
    short = bytes_of(text) <= max(len(word.encode()) for word in words)
    return where(~(short & text.lower().isin([word.lower() for word in words])), text)


def read_number(column: ir.Column, decimal: str = ".") -> ir.FloatingColumn:
    """A number, also with a currency, a factor such as K, thousands separators, a trailing minus or brackets.

    `decimal` is the decimal sign. The other separators count as thousands only where they group
    the digits as such, so that "1,5" is not read as 15; see `crmlib.data.cleaning.reading`.
    """
    return column.cast("float64") if column.type().is_numeric() else parse_number(_tidy(column), decimal)


def read_moment(column: ir.Column, formats: Sequence[str] = (), timezone: str = "UTC") -> ir.TimestampColumn:
    """A date and time on the firm's own clock, without time zone; impossible years are not removed here.

    `column`: dates, timestamps, or text. `formats`: strptime patterns, tried in turn, or "excel" for serial days,
    "unix" for seconds since 1970, "days since 2023-01-01" and the like for other counts, "iso" for ISO 8601, which is
    also what no format means. `timezone`: where the firm's days begin; moments that carry an offset are converted to
    it. "as written" takes the clock in the text, as a shop's own export has it.
    """
    kind = column.type()
    if kind.is_timestamp() and kind.timezone is not None:
        return wall_clock(kind.timezone if timezone == AS_WRITTEN else timezone, _as_moment(column))
    if kind.is_date() or kind.is_timestamp():
        return column.cast("timestamp(6)")
    return parse_moment(_tidy(column), formats, timezone)


def parse_moment(text: ir.StringColumn, formats: Sequence[str], timezone: str) -> ir.TimestampColumn:
    """Read a date and time from text without blanks at its ends; see `read_moment`."""
    # The engine reads the word "epoch" as 1970.
    text = where(~(text.endswith("h") | text.endswith("H")), text)
    return ibis.coalesce(*[_read_one_format(text, pattern, timezone) for pattern in formats or ["iso"]])


def _as_moment(column: ir.Column) -> ir.TimestampColumn:
    return column.cast(dt.Timestamp(timezone="UTC"))


def within_calendar(moment: ir.TimestampColumn) -> ir.TimestampColumn:
    """Null outside the years 1900 to 2199, such as "infinity" and the year 19970."""
    moment = moment.cast("timestamp(6)")
    first, last = ibis.timestamp(f"{FIRST_DAY} 00:00:00"), ibis.timestamp(f"{LAST_DAY} 23:59:59.999999")
    return where(moment.between(first, last), moment)


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
    blanks, together = _blanks()
    for blank in blanks:
        suspect = suspect | text.endswith(blank)
    return ibis.ifelse(suspect, trim_signs(text, together).nullif(""), text)


@functools.cache
def _blanks() -> tuple[list[ir.StringScalar], ir.StringScalar]:
    """The blanks that are taken off the ends of a text, one by one and together."""
    blanks = [character(code) for code in _BLANK_CODES]
    return blanks, functools.reduce(operator.add, blanks)


def _read_iso(text: ir.StringColumn, timezone: str) -> ir.TimestampColumn:
    # Patterns are slow: only the rows that hold a sign of an offset are matched.
    suspect = text.like(["%:%-%", "%:%+%"]) | text.endswith("Z") | text.endswith("C") | text.endswith("T")
    return ibis.coalesce(where(suspect, _read_offset(text, timezone)), text.try_cast("timestamp(6)"))


def _read_offset(text: ir.StringColumn, timezone: str) -> ir.TimestampValue:
    """The pattern of a number between a currency and a power; T is a thousand only with a currency, as in TEUR."""
    offset = r" ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)$"
    if timezone == AS_WRITTEN:
        moment = text.re_replace(offset, "").try_cast("timestamp(6)")
    else:
        # The engine wants +02:00 right behind the time, where exports write " +0200".
        joined = text.re_replace(r" ?([+-][0-9]{2}):?([0-9]{2})$", r"\1:\2")
        moment = wall_clock(timezone, joined.try_cast(dt.Timestamp(timezone="UTC")))
    return where(text.contains(":") & text.re_search(f"[0-9]{offset}"), moment)


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
