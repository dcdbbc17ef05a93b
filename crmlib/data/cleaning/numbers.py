"""The grammar of numbers: what stands around the digits is understood, or the cell is no number, with its cause.

Understood are one sign (before, behind, or accounting brackets), a currency before or behind, a factor such as K,
M or lakh behind, and groups of digits as any country writes them, by one separator throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import ibis
import ibis.expr.types as ir

from crmlib.data.currencies import CODES, pattern_of

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
# T is a thousand only with a currency behind it, as in TEUR.
_BEHIND_DIGITS = rf"(?:(?:(?:{_ANY_POWER.replace('[KkTt]', '[Kk]')})\.?_)?>?|[Tt]_>)"
# An amount, of its parts: < and > a currency, # digits, @ power and currency behind them, ~ minus, _ blanks.
_FORMS = (
    r"[+~]?_<?_#_@",
    r"<_[+~]_#_@",
    r"<?_#_@_[~]",
    r"<?_#_[~]_>",
    r"\(_<?_#_@_\)",
    r"<_\(_#_@_\)",
    r"\(_#_\)_>",
    r"[+~]?_[$€£]?_%_@",  # no digit before the point; behind a word the point is the word's own: "Rs.50" is fifty
)
_NO_MARKS = f"[0-9.,'’+(){_MINUS}{_SPACES}]+"  # what is neither currency nor power
PRODUCT = " × "  # between the two factors of an amount that is computed
_LEDGER_MARK = "(?i)(?:^|[^a-z])(?:cr|dr|credit|debit)(?:[^a-z]|$)"
# Why a text is no number: these two are also what a column without any doubt may hold.
DASH = ": a dash, which may be zero or not known"
SEPARATORS = ": separators that do not fit the decimal sign"


def _pattern(form: str) -> str:
    """A form with its parts put in."""
    form = form.replace("@", _BEHIND_DIGITS).replace("~", _MINUS).replace("<", _BEFORE).replace(">", _BEHIND)
    return form.replace("_", _BLANKS)


def _grammar(decimal: str) -> str:
    """The pattern of a number that is more than plain digits, for the engine and for Python alike."""
    point, comma = re.escape(decimal), re.escape("," if decimal == "." else ".")
    whole = [f"[1-9][0-9]{{0,2}}(?:{one}[0-9]{{3}})+" for one in (comma, "['’]", f"[{_SPACES}]")]
    whole += ["[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"] if decimal == "." else []  # lakh and crore
    digits = f"(?:{'|'.join([*whole, '[0-9]+'])})(?:{point}[0-9]+)?"
    forms = _pattern("|".join(_FORMS)).replace("#", f"(?:{digits})").replace("%", f"{point}[0-9]+")
    return f"^(?:{forms})$"


_GRAMMAR = {decimal: _grammar(decimal) for decimal in (".", ",")}
IS_NUMBER = re.compile("|".join(_GRAMMAR.values()))  # with either decimal sign, as Python reads


def plain_number(text: ir.StringColumn, decimal: str = ".") -> ir.FloatingColumn:
    """A number with nothing around its digits but a minus, which the engine reads quickly; null for others."""
    if decimal == ",":  # a point is no decimal sign then
        text = ibis.ifelse(text.contains("."), ibis.null("string"), text.replace(",", "."))
    # The engine reads "12_34" too.
    return ibis.ifelse(text.contains("_"), ibis.null("string"), text).try_cast("float64")


def parse_number(text: ir.StringColumn, decimal: str = ".") -> ir.FloatingColumn:
    """What `read_number` makes of text without blanks at its ends."""
    words = ibis.ifelse(
        text.re_search(r"\pL\."), text.re_replace(r"(\pL)\.", r"\1"), text
    )  # "Rs." has no point
    digits = words.re_replace(f"[^0-9{decimal}]+", "").replace(decimal, ".")
    sign = ibis.ifelse(text.re_search(f"[({_MINUS}]"), "-", "")
    powers = [(text.re_search(_ending(one)), f"e{power}") for power, one in _POWERS.items()]
    power = ibis.ifelse(text.re_search(_ending(_ANY_POWER)), ibis.cases(*powers), "")
    # "2.3e6" is read exactly, where a product need not be.
    dressed = ibis.ifelse(text.re_search(_GRAMMAR[decimal]), sign + digits + power, ibis.null("string"))
    return ibis.coalesce(plain_number(text, decimal), dressed.try_cast("float64"))


def _ending(power: str) -> str:
    return _pattern(rf"[0-9]_(?:{power})\.?_[)~]?_>?_[)~]?$")


def marks_of(text: ir.StringColumn, decimal: str = ".") -> ir.StringColumn:
    """Currency and power around a number, joined, as in "€K"; null where there is nothing but a number."""
    marks = text.re_replace(_NO_MARKS, "").nullif("")
    return ibis.ifelse(plain_number(text, decimal).notnull(), ibis.null("string"), marks)


def is_of_currency(marks: ir.StringColumn, codes: Iterable[str]) -> ir.BooleanColumn:
    """Whether marks can stand for amounts in these currencies; those without a currency can."""
    codes = list(codes)
    return marks.re_search(
        f"^(?:{pattern_of(codes)})?(?:{_ANY_POWER})?(?:{pattern_of(codes, behind=True)})?$"
    )


def currency_marks(marks: Iterable[str]) -> set[str]:
    """The currency signs, words and codes that stand in these marks.

    Examples
    --------
    >>> sorted(currency_marks(["€K", "$USD", "TEUR", "M", "pcs"]))
    ['$', 'EUR', 'USD', '€']
    """
    split = re.compile(f"({_BEFORE})?(?:{_ANY_POWER})?({_BEHIND})?")
    found = (split.fullmatch(one) for one in marks)
    return {part for one in found if one for part in one.groups() if part}


def why_unreadable(text: ir.StringColumn) -> ir.StringValue:
    """Why a text is no number, as the end of a sentence; empty if there is no digit in it."""
    ends = text.re_replace("[0-9].*[0-9]|[0-9]", "")
    within = text.re_extract("[0-9].*[0-9]", 0)
    return ibis.cases(
        (text.re_search(_pattern(f"^_<?_[{_MINUS}]+_>?$")), DASH),
        (~text.re_search("[0-9]") | text.contains(PRODUCT), ""),
        (text.re_search("[%‰]"), ": a percentage"),
        (text.re_search(_LEDGER_MARK), ": CR or DR, of which only the ledger says the sign"),
        (ends.re_search(f"[+({_MINUS}].*[+({_MINUS}]"), ": two signs"),
        (~is_of_currency(ends.re_replace(_NO_MARKS, ""), CODES), ": a word or unit beside the number"),
        (within.re_search(f"[^0-9.,'’{_SPACES}]"), ": more than one number"),
        (within.re_replace(f"[.,'’{_SPACES}]", "") != within, SEPARATORS),
        else_=": a sign, factor or currency out of its place",
    )
