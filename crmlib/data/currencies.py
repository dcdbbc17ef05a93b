"""Currencies as files write them: codes of ISO 4217, and the signs and words that stand for one or for several."""

from __future__ import annotations

import re
from collections.abc import Iterable

from crmlib.data.vocabulary import words

CODES = frozenset(words("codes of currencies")["all"])
_KNOWN_IN_SMALL_LETTERS = words("codes of currencies")["in small letters"]
_MARKS = words("signs of currencies")
_ONLY_AS_HERE = {"ft": "Ft", "r": "R"}  # in small letters they are feet, and a letter
ONLY_BEFORE = "R"  # behind an amount, a single letter is a tax class or a remark


def codes_of(mark: str) -> tuple[str, ...]:
    """The currencies that a code, sign or word can stand for; none if it is no currency.

    Examples
    --------
    >>> codes_of("€"), codes_of("kr."), codes_of("usd"), codes_of("pcs")
    (('EUR',), ('DKK', 'ISK', 'NOK', 'SEK'), ('USD',), ())
    """
    bare = mark.strip().removesuffix(".")
    if bare in CODES or bare.lower() in _KNOWN_IN_SMALL_LETTERS:
        return (bare.upper(),)
    word = bare.lower()
    if word in _ONLY_AS_HERE and bare != _ONLY_AS_HERE[word]:
        return ()
    return tuple(sorted(code for code, marks in _MARKS.items() if word in marks))


def codes_in_name(column: str) -> list[str]:
    """Codes and signs in a column's name that can hardly be another word.

    Examples
    --------
    >>> codes_in_name("amountUSD"), codes_in_name("Preis in €"), codes_in_name("total_all")
    (['USD'], ['€'], [])
    """
    words = re.split(r"[\s_()\[\]/.,:;-]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column))
    return [word for word in words if codes_of(word) and _is_no_other_word(word, column)]


def _is_no_other_word(word: str, column: str) -> bool:
    known = word.lower() in (*_KNOWN_IN_SMALL_LETTERS, "kr", "rs", "euro", "euros", "dollar", "dollars")
    return known or not word.isalpha() or not word.isascii() or (word in CODES and not column.isupper())


def pattern_of(codes: Iterable[str] = CODES, *, behind: bool = False) -> str:
    """A pattern, for Python and the engine alike, of what stands for these currencies; `behind` an amount or before."""
    codes = sorted(codes)
    small = [code.lower() for code in codes if code.lower() in _KNOWN_IN_SMALL_LETTERS]
    marks = {mark for code in codes for mark in _MARKS.get(code, [])}
    exact = [_ONLY_AS_HERE[mark] for mark in marks & _ONLY_AS_HERE.keys()]
    exact = [mark for mark in exact if not (behind and mark == ONLY_BEFORE)]
    others = sorted(marks - _ONLY_AS_HERE.keys(), key=lambda text: (-len(text), text))
    signs = [re.escape(other) for other in others if not other.isalpha()]
    words = [other for other in others if other.isalpha()]
    parts = [f"(?i:{'|'.join([*signs, *small])})"] if signs or small else []
    parts += [rf"(?i:{'|'.join(words)})\.?"] if words else []
    return "|".join([*parts, *exact, *codes])


def common_currencies(marks: Iterable[str]) -> tuple[str, ...] | None:
    """The currencies that all of these marks can stand for together; None if they are of several.

    Examples
    --------
    >>> common_currencies(["$", "CAD"]), common_currencies(["€", "$"]), common_currencies(["kr", "NOK"])
    (('CAD',), None, ('NOK',))
    """
    possible = [{*codes} for mark in marks if (codes := codes_of(mark))]
    shared = set.intersection(*possible) if possible else set()
    return tuple(sorted(shared)) if shared or not possible else None
