"""A contract: the required and optional columns of a table, with their purpose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crmlib.errors import DataError, did_you_mean

NONE = "none"  # in the place of a source column: the source has no such column, whatever its names say
# Of other kinds: text.
_TYPES = {"date": "timestamp(6)", "number": "float64", "money": "float64", "flag": "boolean"}


# Letters that are no other letter with an accent; "N° client" is the number of a customer, and a share is no money.
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ł": "l", "Ł": "L", "°": "o", "%": " percent "}
)


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    `kind` is text, date, number, money, flag or id; `words` are the only ones allowed where there are any, unless
    `other_words` are; `low` and `high` bound a number; `refers_to` names the column of another table that holds
    the same key, as in "customers.customer_id"; a `personal` column says who a customer is. Of the same row,
    `not_before` names the date that this one cannot precede, and `known_from` the date before which the firm did
    not know this; a `planned` date may lie ahead of the day on which it is known. `also` is another name that it
    goes by. A `required` one may be empty where the column `unless` is filled. Where it is absent, the product of the
    columns in `computed_from` stands for it.
    """

    name: str
    purpose: str
    kind: str
    required: bool = False
    unless: str = ""
    unit: str = ""
    words: tuple[str, ...] = ()
    other_words: bool = False
    low: float | None = None
    high: float | None = None
    refers_to: str = ""
    personal: bool = False
    not_before: str = ""
    known_from: str = ""
    planned: bool = False
    also: str = ""
    computed_from: tuple[str, ...] = ()

    @property
    def names_customer(self) -> bool:
        """Whether it holds ids of customers."""
        return self.name == "customer_id" or self.refers_to == "customers.customer_id"

    @property
    def type(self) -> str:
        """What the engine holds once a value has been read."""
        return _TYPES.get(self.kind, "string")


@dataclass(frozen=True)
class Contract:
    """What a table must and may hold.

    `key` is the column in which no value may stand twice, and `dated_by` the date from which the firm knows
    of a row; either is empty where there is no such column. With `free_columns` whatever else the source has is
    part of the table too. A line of a `quotable` table may be shown as it stands; those of others may name a person.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: str = ""
    dated_by: str = ""
    free_columns: bool = False
    quotable: bool = False

    @property
    def names(self) -> list[str]:
        """Every column that the contract knows."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column:
        """One of its columns by name."""
        return self.columns[self.names.index(name)]

    def cleaned_types(self, keep_personal: bool) -> dict[str, str]:
        """The columns of a cleaned table: of personal ones only whether they are filled, unless they are kept."""
        types: dict[str, str] = {}
        for column in self.columns:
            types |= {f"has_{column.name}": "boolean"} if column.personal else {}
            types |= {column.name: column.type} if keep_personal or not column.personal else {}
        return types

    def resolve(self, mapping: dict[str, str], found: Iterable[str]) -> dict[str, str]:
        """Match the contract's columns to those of a source.

        `mapping`: the study's own words: contract column to source column. What it leaves out is taken from a source
        column of the same name, if there is one; else, where it names none or the column is required, from the only one
        whose name differs in case and blanks around it alone. "none" says that the source has no such column. `found`:
        columns of the source. Returns contract column to source column; required ones are among them, but for those
        that are computed. Raises DataError if a named column is not in the source, or a required one is nowhere.
        """
        available = list(found)
        absent = {ours for ours, theirs in mapping.items() if theirs == NONE and NONE not in available}
        mapping = {ours: theirs for ours, theirs in mapping.items() if ours not in absent}
        for ours, theirs in mapping.items():
            if ours not in self.names:
                raise DataError(
                    f"{self.name}: columns names {ours!r}, which the contract lacks; "
                    f"{did_you_mean(ours, self.names)}"
                )
            if theirs not in available:
                raise DataError(
                    f"{self.name}: columns.{ours} names {theirs!r}, which the source lacks; "
                    f"{did_you_mean(theirs, available[:40])}"
                )
        named = {**self.alike(mapping, available), **mapping}
        resolved = {name: named.get(name, name) for name in self.names}
        resolved = {o: theirs for o, theirs in resolved.items() if theirs in available and o not in absent}
        missing = self.lacking(resolved)
        if missing:
            raise DataError(
                f"{self.name}: no column {missing[0]!r}; say which one it is under `columns`, as in "
                f"{missing[0]}: <source column>. The source has: {', '.join(available[:40])}"
                + (f". {one_column(available[0])}" if len(available) == 1 else "")
            )
        return resolved

    def lacking(self, found: Iterable[str]) -> list[str]:
        """Required columns that are neither among those found nor can be computed from them."""
        there = set(found)
        wanted = [c for c in self.columns if c.required and c.name not in there and c.unless not in there]
        return [c.name for c in wanted if not (c.computed_from and there.issuperset(c.computed_from))]

    def alike(self, mapping: Mapping[str, str], found: Iterable[str]) -> dict[str, str]:
        """Source columns of nearly the contract's names, for columns that are neither mapped nor there.

        Examples
        --------
        >>> from crmlib.data.contracts import TRANSACTIONS
        >>> TRANSACTIONS.alike({}, ["Customer_ID", " Date", "amount", "Order"])
        {'customer_id': 'Customer_ID', 'date': ' Date', 'order_id': 'Order'}
        """
        available = list(found)
        left = [name for name in available if name not in self.names and name not in mapping.values()]
        matched: dict[str, str] = {}
        for column in self.columns:
            wanted = column.required or not mapping  # whoever named columns left the others out on purpose
            if wanted and column.name not in mapping and column.name not in available:
                known = (column.name, column.also)
                own, other = ([n for n in left if n.strip().lower() == name] for name in known)
                if len(names := own or other) == 1:
                    matched[column.name] = names[0]
        return matched


def one_column(name: str) -> str:
    """The likeliest cause of a table that has one column alone."""
    if re.search(r"\S {2,}\S", name) or len(name.split()) > 2:
        return (
            f"its columns stand apart by blanks, as in {name!r}: open it in a spreadsheet program as text of fixed "
            "width, write their names in the first line if they are not there, and save it as CSV"
        )
    return (
        f"There is one column alone, {name!r}: if it holds several, what stands between them is not the comma, "
        "semicolon, tab or | that are looked for; name it under `delimiter` (crm new: --delimiter). If the rows stand "
        "within it, as in JSON, export these alone: one object for each row"
    )


def plain_name(name: str) -> str:
    """A column's name in small letters, Latin ones without accents, its words joined by underscores.

    Examples
    --------
    >>> plain_name("CustomerID"), plain_name("Numéro de commande"), plain_name("Beløb (DKK)"), plain_name("顧客ID")
    ('customer_id', 'numero_de_commande', 'belob_dkk', '顧客id')
    """
    name = unicodedata.normalize("NFC", name).translate(_LETTERS)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    bare = (unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode() or sign for sign in name)
    return re.sub(r"[\W_]+", "_", "".join(bare).lower()).strip("_")


def spoken(name: str) -> str:
    """A column's name in a sentence."""
    return name.replace("_", " ")
