"""Currencies as files write them: codes of ISO 4217, and the signs and words that stand for one or for several."""

from __future__ import annotations

import re
from collections.abc import Iterable

# In use, and those that the euro and others have replaced since 1999. KGS is left out: in a log it is a weight.
CODES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IQD IRR ISK JMD JOD JPY KES KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND
    VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
    ATS BEF DEM EEK ESP FIM FRF GRD HRK IEP ITL LTL LVL NLG PTE SIT SKK""".split()
)
# These are codes in small letters too; of the others, "all", "top" and "try" are words.
_KNOWN_IN_SMALL_LETTERS = (
    "aud brl cad chf cny czk dkk eur gbp hkd huf inr jpy krw mxn nok nzd pln rub sek sgd usd zar".split()
)
_MARKS = {
    "AUD": "$ a$ au$",
    "BRL": "r$",
    "CAD": "$ c$ ca$",
    "CHF": "sfr fr",
    "CLP": "$ cl$",
    "CNY": "¥ ￥ 元 rmb yuan",
    "ARS": "$ ar$",
    "AZN": "₼",
    "BDT": "৳ tk",
    "BGN": "лв",
    "COP": "$ co$",
    "CRC": "₡",
    "CZK": "kč kc",
    "DKK": "kr",
    "EUR": "€ euro euros",
    "GBP": "£",
    "GEL": "₾",
    "GHS": "₵ gh₵",
    "HKD": "$ hk$",
    "HUF": "ft",
    "IDR": "rp",
    "ILS": "₪",
    "INR": "₹ ₨ rs",
    "ISK": "kr",
    "JPY": "¥ ￥ 円 yen",
    "KES": "ksh",
    "KHR": "៛",
    "KRW": "₩ 원",
    "KZT": "₸",
    "LAK": "₭",
    "LKR": "₨ rs",
    "MDL": "lei",
    "MNT": "₮",
    "MUR": "₨ rs",
    "MXN": "$ mx$",
    "MYR": "rm",
    "NGN": "₦",
    "NOK": "kr",
    "NPR": "₨ rs",
    "NZD": "$ nz$",
    "PEN": "s/",
    "PHP": "₱",
    "PKR": "₨ rs",
    "PLN": "zł zl",
    "PYG": "₲",
    "RON": "lei",
    "RUB": "₽ руб р",
    "SEK": "kr",
    "SGD": "$ s$ sg$",
    "THB": "฿",
    "TRY": "₺ tl",
    "TWD": "$ nt$",
    "UAH": "₴ грн",
    "USD": "$ us$ dollar dollars",
    "VND": "₫",
    "XAF": "cfa fcfa",
    "XOF": "cfa fcfa",
    "ZAR": "r",
}
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
    return tuple(sorted(code for code, marks in _MARKS.items() if word in marks.split()))


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
    marks = {mark for code in codes for mark in _MARKS.get(code, "").split()}
    exact = [_ONLY_AS_HERE[one] for one in marks & _ONLY_AS_HERE.keys()]
    exact = [one for one in exact if not (behind and one == ONLY_BEFORE)]
    others = sorted(marks - _ONLY_AS_HERE.keys(), key=lambda text: (-len(text), text))
    signs = [re.escape(one) for one in others if not one.isalpha()]
    words = [one for one in others if one.isalpha()]
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
