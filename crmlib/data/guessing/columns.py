"""Which column of a file is which of a contract's: names propose, and what a column holds decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import pandas as pd

from crmlib.data.contracts.contract import Column, Contract, plain_name
from crmlib.data.guessing.column_names import names_of
from crmlib.data.guessing.findings import Finding

MOSTLY = 0.5  # of the filled values have to look like what the column is said to hold
_NEARLY_ALL = 0.9
_LONGEST_FLAG = 20  # letters of a yes or no, however it is put


@dataclass(frozen=True)
class Profile:
    """What a column holds, from a sample: shares of all rows (filled) and of the filled ones (the rest)."""

    filled: float
    number: float
    date: float
    decimals: float
    distinct: float
    longest: int
    largest: float
    example: str


@dataclass(frozen=True)
class Match:
    """A column found for a purpose, and what speaks for it."""

    column: str
    evidence: str


def profile_columns(sample: pd.DataFrame) -> dict[str, Profile]:
    """What each column of a sample of text holds."""
    return {str(name): _profile(sample[name]) for name in sample.columns}


def _profile(column: pd.Series) -> Profile:
    text = column.dropna().astype(str).str.strip()
    text = text[text != ""]
    if text.empty:
        return Profile(0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, "")
    sign = r"[-−+(]*\s*(?:[A-Za-z]{1,3}\.?|[A-Z]{0,2}[$€£¥₹])?\s*[-−+]?"
    number = text.str.fullmatch(sign + r"\s*[\d.,'’\s]*\d[\d.,'’\s]*(?:[A-Za-z]{1,3}|[$€£¥₹])?\s*[-−)]?")
    date = text.str.match(
        r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|(?:19|20)\d{2}[01]\d[0-3]\d$"
        r"|\d{1,2}[- .]*[A-Za-z]{3,9}[-., ]+\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}"
    )
    return Profile(
        filled=len(text) / len(column),
        number=float(number.mean()),
        date=float(date.mean()),
        decimals=float(text.str.contains(r"[.,]\d{1,2}\D*$").mean()),
        distinct=text.nunique() / len(text),
        longest=int(text.str.len().max()),
        largest=float(pd.to_numeric(text.str.replace(",", "."), errors="coerce").max()),
        example=text.iloc[0][:40],
    )


def match_columns(
    contract: Contract,
    profiles: Mapping[str, Profile],
    given: Mapping[str, Match],
    own: OwnGuesses,
) -> dict[str, Match]:
    """Find a contract's columns among those of a file; what is given stands first.

    Parameters
    ----------
    contract : Contract
    profiles : mapping
        Columns of the file and what they hold.
    given : mapping
        Contract column to its match, where that is known.
    own : OwnGuesses
        It says what a column's content has to be.

    Returns
    -------
    dict
        Contract column to its match, in the contract's order; only what was found.
    """
    columns, found = {column.name: column for column in contract.columns}, dict(given)
    ranked = []
    for purpose, names in names_of(contract).items():
        for column, profile in profiles.items():
            rank = _rank(plain_name(column), names)
            if rank is not None and purpose not in found and own.holds(columns[purpose], profile, rank < 1):
                ranked.append((rank, purpose, column))
    # The clearest name is served first, so that "order_date" is no order and "total_tax" no total.
    for _rank_of, purpose, column in sorted(ranked, key=lambda one: one[0]):
        if purpose not in found and column not in {match.column for match in found.values()}:
            found[purpose] = Match(column, f"by its name{_example(columns[purpose], profiles[column])}")
    for purpose in contract.lacking(found):  # the one column left whose content can be nothing else
        taken = {match.column for match in found.values()}
        left = [n for n, one in profiles.items() if n not in taken and own.can_only_be(columns[purpose], one)]
        if len(left) == 1:
            example = _example(columns[purpose], profiles[left[0]])
            found[purpose] = Match(left[0], f"by its content: no other column holds such values{example}")
    return {name: found[name] for name in contract.names if name in found}


def _rank(name: str, words: Sequence[str]) -> float | None:
    """How well a name fits: its place among the words, after them names that hold one, None if none fits."""
    bare = name.replace("_", "")
    for place, word in enumerate(words):
        if name == word or bare == word.replace("_", ""):
            return place / 1000
    parts = name.split("_")
    for place, word in enumerate(words):
        wanted = word.split("_")
        within = any(parts[i : i + len(wanted)] == wanted for i in range(len(parts)))
        if within and (len(wanted) > 1 or len(word) > 3):
            return 1 + (len(parts) - len(wanted)) + place / 1000
    return None


class OwnGuesses:
    """How the columns of a table are recognised, and what else is guessed of it, where a table differs from others."""

    def known_columns(self, own: Sequence[str]) -> dict[str, Match]:
        """Contract column to its match, in files that are known as a whole."""
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

    def settle(self, matches: dict[str, Match], further: Sequence[Finding]) -> dict[str, Match]:
        """The matches that stay once everything is known."""
        return matches

    def further(
        self, table: ibis.Table, named: Mapping[str, str], given: Mapping[str, Any], decimal: str
    ) -> Iterator[Finding]:
        """What else is found in a table whose columns are known."""
        if given.get("currency"):
            yield Finding("currency", str(given["currency"]).upper(), "named by you")


def _example(column: Column, profile: Profile) -> str:
    """A value, unless it says who a customer is: that has no place in a study file or on a screen."""
    hidden = column.personal or column.names_customer
    return "" if hidden else f"; it holds, for example, {profile.example!r}"
