"""Problems in cleaned tables that a person should check: keys without a match, and similar spellings.

Both are counted and shown; no row is set aside for them, and nothing is merged.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from crmlib.data.contracts import CONTRACTS
from crmlib.data.contracts.contract import Column, Contract
from crmlib.data.engine import count_of, first_row

ORPHAN_COLUMNS = ["table", "column", "looked_for_in", "filled", "orphans", "keys"]
SPELLING_COLUMNS = ["table", "column", "written", "rows", "suggested", "rows_suggested"]
# Columns that share a vocabulary with columns of other tables; every other column has its own.
_SHARED = {
    ("marketing_spend", "channel"): "channels of acquisition",
    ("leads", "channel"): "channels of acquisition",
    ("customers", "acquisition_channel"): "channels of acquisition",
}
_SHARED_EVERYWHERE = ("market", "product_type", "won_from")
_NOT_WORDS = ("name", "rater", "evidence")
_MOST_WORDS = 500  # a column with more of them holds free text
_SHORTEST = 6  # letters; of shorter words, one letter can be the whole difference
_LONG = 12  # letters, from which on two may differ


def orphan_keys(tables: Mapping[str, ibis.Table], log: ibis.Table | None) -> pd.DataFrame:
    """Count rows whose key is missing in the table that it refers to; the rows are kept.

    `tables`: cleaned optional tables by their names. `log`: the cleaned purchase log: who bought is a known customer,
    whether or not the table of customers has them. Returns `table, column, looked_for_in, filled` (rows with a key),
    `orphans` (rows whose key points to nothing) and `keys` (different ones among them). Keys that nothing supplied
    could hold are not looked for; a lead may become a customer who has not bought yet, so it is looked for only where
    there is a table of customers.
    """
    target = functools.cache(lambda refers_to: _target(refers_to, tables, log))
    found = []
    for name, table in tables.items():
        for column in CONTRACTS[name].columns:
            if not column.refers_to or column.name not in table.columns:
                continue
            if name == "leads" and column.refers_to.startswith("customers.") and "customers" not in tables:
                continue
            if place := target(column.refers_to):
                found.append({"table": name, "column": column.name, **_count(table, column, *place)})
    return pd.DataFrame([row for row in found if row["filled"]], columns=ORPHAN_COLUMNS)


def _target(
    refers_to: str, tables: Mapping[str, ibis.Table], log: ibis.Table | None
) -> tuple[str, ibis.Table] | None:
    """The names of the tables that a key refers to, and the keys in them."""
    other, key = refers_to.split(".")
    places = {other: tables[other][key]} if other in tables else {}
    if other == "customers" and log is not None:
        places["transactions"] = log.customer_id
    if not places:
        return None
    keys = [place.name("known").as_table() for place in places.values()]
    known = (ibis.union(*keys) if len(keys) > 1 else keys[0]).distinct()
    return " and ".join(places), known.cache()


def _count(table: ibis.Table, column: Column, place: str, known: ibis.Table) -> dict[str, object]:
    keys = table.select(key=table[column.name]).filter(_.key.notnull())
    lost = keys.anti_join(known, keys.key == known.known)
    orphans = first_row(lost.agg(orphans=_.count(), keys=_.key.nunique()))
    return {"looked_for_in": place, "filled": count_of(keys), **orphans}


@ibis.udf.scalar.builtin
def damerau_levenshtein(word: str, other: str) -> int:  # type: ignore[empty-body]
    """DuckDB's Damerau–Levenshtein distance: letters to change, add, drop or swap."""


def near_spellings(tables: Mapping[str, ibis.Table]) -> pd.DataFrame:
    """Words that are probably misspellings of a more frequent one, such as "google-ads" of "Google Ads".

    `tables`: cleaned optional tables by their names. Returns `table, column, written, rows, suggested, rows_suggested`,
    where the two differ in capitals, blanks and signs only, or by a letter (two in words of twelve letters or more) but
    in no digit. To take up a suggestion, a study says `rename: {channel: {"google-ads": "Google Ads"}}` in the table's
    entry.

    Examples
    --------
    >>> spend = ibis.memtable({"channel": ["Google Ads", "Google Ads", "google-ads", "TV 1", "TV 2"]})
    >>> near_spellings({"marketing_spend": spend})[["written", "suggested"]].values.tolist()
    [['google-ads', 'Google Ads']]
    """
    counted = [
        _counted(table, CONTRACTS[name], column)
        for name, table in tables.items()
        for column in CONTRACTS[name].columns
        if column.name in table.columns and _holds_words(column)
    ]
    if not counted:
        return pd.DataFrame(columns=SPELLING_COLUMNS)
    words = ibis.union(*counted) if len(counted) > 1 else counted[0]
    words = words.mutate(bare=_.written.lower().re_replace(r"[^\p{L}\p{N}]+", "")).filter(_.bare != "")
    words = words.mutate(digits=_.bare.re_replace(r"[^\p{N}]+", ""), of=_.count().over(group_by="vocabulary"))
    words = words.filter(_.of <= _MOST_WORDS).cache()
    whole = words.group_by("vocabulary", suggested="written").agg(
        rows_suggested=_.rows.sum(), bare_suggested=_.bare.max(), digits=_.digits.max()
    )
    own = whole.select("vocabulary", written="suggested", rows_of_written="rows_suggested")
    pairs = words.join(own, ["vocabulary", "written"]).join(whole, ["vocabulary", "digits"])
    pairs = pairs.filter((_.written != _.suggested) & _near(pairs) & _more_frequent(pairs))
    found = pairs.select(*SPELLING_COLUMNS).to_pandas()
    found["letters"] = found["suggested"].str.len()
    order = ["rows_suggested", "letters", "suggested"]
    found = found.sort_values(order, ascending=[False, False, True])
    found = found.drop_duplicates(["table", "column", "written"]).drop(columns="letters")
    return found.sort_values(["table", "column", "written"], ignore_index=True)


def _holds_words(column: Column) -> bool:
    free = column.kind == "text" and not column.words and not column.personal
    return free and column.name not in _NOT_WORDS


def _counted(table: ibis.Table, contract: Contract, column: Column) -> ibis.Table:
    name = column.name
    own = name if name in _SHARED_EVERYWHERE else f"{contract.name}.{name}"
    counts = table.filter(table[name].notnull()).group_by(written=table[name]).agg(rows=_.count())
    vocabulary = _SHARED.get((contract.name, name), own)
    about = {"table": contract.name, "column": name, "vocabulary": vocabulary}
    return counts.mutate(**{part: ibis.literal(text) for part, text in about.items()})


def _near(pairs: ibis.Table) -> ir.BooleanValue:
    letters = ibis.greatest(pairs.bare.length(), pairs.bare_suggested.length())
    allowed = ibis.cases((letters >= _LONG, 2), (letters >= _SHORTEST, 1), else_=0)
    return damerau_levenshtein(pairs.bare, pairs.bare_suggested) <= allowed


def _more_frequent(pairs: ibis.Table) -> ir.BooleanValue:
    """Whether the other spelling has more rows; of two that have as many, the longer one, then the first one."""
    tie = pairs.rows_suggested == pairs.rows_of_written
    longer = pairs.suggested.length() - pairs.written.length()
    first = (longer > 0) | ((longer == 0) & (pairs.suggested < pairs.written))
    return (pairs.rows_suggested > pairs.rows_of_written) | (tie & first)
