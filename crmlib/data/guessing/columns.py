"""Map the columns of a file to a contract: names propose a column, and its content decides."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from crmlib.data.cleaning.reading import IS_NUMBER, parse_number, read_number, read_text
from crmlib.data.contracts.contract import Column, Contract, plain_name
from crmlib.data.guessing.findings import Finding, Question
from crmlib.data.vocabulary import words

NAMES = words("columns") | words("personal columns")  # the usual ones first
_LAST_RESORT = words("columns of last resort")
_MAY_STAND_BESIDE, _MAY_NOT = words("beside a column's name"), words("not beside a column's name")
BY_CONTENT = "by its content"
IS_DATE = re.compile(  # as a date begins
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|(?:19|20)\d{2}[01]\d[0-3]\d(?:T\d|$)"
    r"|\d{1,2}[- .]*[A-Za-z]{3,9}[-., ]+\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}"
    r"|\d{1,2}[A-Za-z]{3}(?:19|20)\d\d(?!\d)|\d{4}年\d{1,2}月\d{1,2}日"
)
_PARTS_OF_DATE = words("parts of a date")
MOSTLY = 0.5  # of the filled values have to look like what the name promises
_NEARLY_ALL = 0.9
_LONGEST_FLAG = 20  # letters of a yes or no, however it is put


@dataclass(frozen=True)
class Profile:
    """What a column holds, from a sample: shares of all rows (filled) and of the filled ones, and counts."""

    rows: int  # that are filled
    different: int  # values
    filled: float
    number: float
    date: float
    decimals: float
    distinct: float
    longest: int
    largest: float
    example: str
    ids: float  # that are no plain words: digits, an address, a code


@dataclass(frozen=True)
class Match:
    """A column found for a purpose, and what speaks for it."""

    column: str
    evidence: str

    @property
    def is_by_content(self) -> bool:
        """Whether the column was found by its content alone."""
        return self.evidence.startswith(BY_CONTENT)


@dataclass(frozen=True)
class Look:
    """A file whose format is being detected, and what is known of it so far."""

    table: ibis.Table  # whose texts have no blanks at their ends, and are null where nothing is left
    sample: pd.DataFrame  # its first rows
    profiles: Mapping[str, Profile]
    matches: Mapping[str, Match]  # by column of the contract
    known: Collection[str]  # certain matches: named by the user, or of a known export
    given: Mapping[str, Any]  # the user's answers, by entry of the study file
    decimal: str

    def source(self, name: str) -> str:
        """The file's own name of a column of the contract."""
        return self.matches[name].column

    def text(self, name: str) -> ir.StringColumn:
        """A column of the contract as text."""
        return text_of(self.table[self.source(name)])

    def number(self, name: str) -> ir.FloatingColumn:
        """A column of the contract as numbers."""
        column = self.table[self.source(name)]
        read = parse_number if column.type().is_string() else read_number
        return read(column, self.decimal)


def text_of(column: ir.Column) -> ir.StringColumn:
    """A column as text."""
    return column if column.type().is_string() else read_text(column)


def profile_columns(sample: pd.DataFrame) -> dict[str, Profile]:
    """What each column of a sample of text holds."""
    return {str(name): _profile(sample[name]) for name in sample.columns}


def _profile(column: pd.Series) -> Profile:
    text = column.dropna().astype(str).str.strip()
    text = text[text != ""]
    if text.empty:
        return Profile(0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, "", 0.0)
    date = text.str.match(IS_DATE)
    return Profile(
        rows=len(text),
        different=text.nunique(),
        filled=len(text) / len(column),
        number=float(text.str.fullmatch(IS_NUMBER).mean()),
        date=float(date.mean()),
        decimals=float(text.str.contains(r"[.,]\d{1,2}\D*$").mean()),
        distinct=text.nunique() / len(text),
        longest=int(text.str.len().max()),
        largest=float(pd.to_numeric(text.str.replace(",", "."), errors="coerce").max()),
        example=text.iloc[0][:40],
        ids=1 - float(text.str.contains(r"^[^\W\d_]{3,}$|\s").mean()),
    )


def match_columns(
    contract: Contract, profiles: Mapping[str, Profile], given: Mapping[str, Match], own: OwnGuesses
) -> dict[str, Match]:
    """Find a contract's columns among those of a file; what is given stands first.

    `profiles`: columns of the file and what they hold. `given`: contract column to its match, where that is known.
    `own`: it says what a column's content has to be. Returns contract column to its match, in the contract's order;
    only what was found.
    """
    columns, found = {column.name: column for column in contract.columns}, dict(given)
    ranked = []
    for purpose, names in names_of(contract).items():
        for column, profile in profiles.items():
            rank = rank_of(plain_name(column), columns[purpose], names)
            if rank is not None and purpose not in found and own.holds(columns[purpose], profile, rank < 1):
                ranked.append((rank, purpose, column))
    # The clearest names are matched first, so that "order_date" is no order and "total_tax" no total.
    for _rank_of, purpose, column in sorted(ranked, key=itemgetter(0)):
        if purpose not in found and column not in {match.column for match in found.values()}:
            found[purpose] = Match(column, f"by its name{_example(columns[purpose], profiles[column])}")
    for purpose in contract.lacking(found):
        names = [name.replace("_", "") for name in _LAST_RESORT.get(f"{contract.name}.{purpose}", [])]
        last = [n for n, seen in profiles.items() if plain_name(n).replace("_", "") in names and seen.rows]
        if last:
            note = "by its name; there is no id, and two customers of one name count as one"
            found[purpose] = Match(last[0], note)
    for purpose in contract.lacking(found):  # the one column left whose content can be nothing else
        taken = {match.column for match in found.values()} | {*near_names(contract, purpose, profiles)}
        free = [name for name in profiles if name not in taken]
        left = [name for name in free if own.can_only_be(columns[purpose], profiles[name])]
        if len(left) == 1:
            example = _example(columns[purpose], profiles[left[0]])
            found[purpose] = Match(left[0], f"{BY_CONTENT}: no other column holds such values{example}")
    return {name: found[name] for name in contract.names if name in found}


def rank_of(name: str, purpose: Column, words: Sequence[str]) -> float | None:
    """How well a name fits: its place among the words, after them names that hold one, None if none fits."""
    bare = name.replace("_", "")
    for place, word in enumerate(words):
        if name == word or bare == word.replace("_", ""):
            return place / 1000
    parts = name.split("_")
    for place, word in enumerate(words):
        wanted = word.split("_")
        starts = [i for i in range(len(parts)) if parts[i : i + len(wanted)] == wanted]
        if starts and (len(wanted) > 1 or len(word) > 3):
            rest = parts[: starts[0]] + parts[starts[0] + len(wanted) :]
            if keeps_its_meaning(purpose, rest):
                return 1 + len(rest) + place / 1000
    return None


def may_be_named(name: str, contract: Contract, purpose: str) -> bool:
    """Whether a name can be that of a column of the contract.

    Examples
    --------
    >>> from crmlib.data.contracts import TRANSACTIONS
    >>> may_be_named("Loyalty Customer ID", TRANSACTIONS, "customer_id"), may_be_named("City", TRANSACTIONS, "product")
    (True, False)
    """
    return rank_of(plain_name(name), contract.column(purpose), names_of(contract)[purpose]) is not None


def keeps_its_meaning(column: Column, rest: Sequence[str]) -> bool:
    """Whether a longer name still names a column of the contract, by the other words in it.

    Examples
    --------
    >>> from crmlib.data.contracts import TRANSACTIONS
    >>> customer = TRANSACTIONS.columns[0]
    >>> keeps_its_meaning(customer, ["loyalty"]), keeps_its_meaning(customer, ["city"])
    (True, False)
    """
    purpose = "customer_id" if column.names_customer else column.name
    if purpose in _MAY_STAND_BESIDE:
        return set(rest) <= {*_MAY_STAND_BESIDE[purpose]}
    excluded = _MAY_NOT["money"] if column.kind == "money" else []
    return not set(rest) & {*excluded, *_MAY_NOT.get(column.name, [])}


def names_of(contract: Contract) -> dict[str, list[str]]:
    """The names that each column of a contract goes by, the usual ones first."""
    found = {}
    for column in contract.columns:
        names = NAMES.get(f"{contract.name}.{column.name}", NAMES.get(column.name, []))
        found[column.name] = names if column.name in names else [column.name, *names]
    return found


def near_names(contract: Contract, purpose: str, there: Iterable[str]) -> list[str]:
    """Columns whose names contain one of a purpose's names: "customer id", but also "customer city"."""
    words = [set(word.split("_")) for word in names_of(contract)[purpose]]
    return [name for name in there if any(word <= set(plain_name(name).split("_")) for word in words)]


def parts_of_date(profiles: Mapping[str, Profile]) -> dict[str, str]:
    """Columns that hold the parts of a date: year, month, week or day to column; empty without a year."""
    found: dict[str, str] = {}
    for name, profile in profiles.items():
        parts = {*plain_name(name).split("_")} if profile.date < MOSTLY else set()
        for part, named in _PARTS_OF_DATE.items():
            if parts & {*named}:
                found.setdefault(part, name)
    return found if "year" in found and len({*found.values()}) > 1 else {}


class OwnGuesses:
    """How the columns of a table are recognised; subclasses change it for tables with rules of their own."""

    def known_columns(self, own: Sequence[str]) -> dict[str, Match]:
        """The matches of files with a known layout, such as exports of shops."""
        return {}

    def holds(self, column: Column, profile: Profile, exact: bool) -> bool:
        """Whether what a column of the file holds can be what its name promises.

        `exact` says whether the name is one of the dictionary's, or only contains one.
        """
        if profile.filled == 0:
            return exact and column.required  # the cleaning then says what is missing
        if column.kind == "date":  # serial days and seconds are numbers; then only a whole name will do
            return profile.date >= MOSTLY or (exact and profile.number >= MOSTLY)
        if column.kind in ("number", "money"):
            return profile.number >= MOSTLY and (profile.date < MOSTLY or profile.decimals > 0)
        if column.kind == "flag":
            return profile.longest <= _LONGEST_FLAG and profile.date < MOSTLY
        if column.name == "email":
            return "@" in profile.example
        if column.name == "name":
            return profile.number < MOSTLY
        return profile.date < MOSTLY

    def can_only_be(self, column: Column, profile: Profile) -> bool:
        """Whether what a column of the file holds can be nothing else."""
        if column.kind == "date":
            return profile.date > _NEARLY_ALL
        is_amount = profile.number > _NEARLY_ALL and profile.decimals > MOSTLY
        return column.kind == "money" and is_amount and profile.date < 1 - _NEARLY_ALL

    def compare(self, look: Look) -> Iterator[Finding | Question]:
        """Findings and questions from comparing the content of columns with their names."""
        yield from ()

    def settle(self, matches: dict[str, Match], further: Sequence[Finding]) -> dict[str, Match]:
        """Drop matches that the findings rule out."""
        return matches

    def further(self, look: Look) -> Iterator[Finding | Question]:
        """What else is found in a table whose columns are known."""
        if look.given.get("currency"):
            yield Finding("currency", str(look.given["currency"]).upper(), "named by you")


def _example(column: Column, profile: Profile) -> str:
    """An example value; none for personal columns and ids of customers."""
    hidden = column.personal or column.names_customer
    return "" if hidden else f"; it holds, for example, {profile.example!r}"
