"""Words of one meaning that are nearly spelt alike: suggested to whoever knows the firm, never merged."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from crmlib.data.contracts import CONTRACTS
from crmlib.data.contracts.contract import Column, Contract

COLUMNS = ["table", "column", "written", "rows", "suggested", "rows_suggested"]
# Columns that share their words with those of other tables; others have words of their own.
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


@ibis.udf.scalar.builtin
def damerau_levenshtein(one: str, other: str) -> int:  # type: ignore[empty-body]
    """DuckDB's number of letters to change, add, drop or swap."""


def near_spellings(tables: Mapping[str, ibis.Table]) -> pd.DataFrame:
    """Words that are probably the same as a more frequent one: "google-ads", "Gogle Ads" and "Google Ads".

    Parameters
    ----------
    tables : mapping
        Cleaned optional tables by their names.

    Returns
    -------
    DataFrame
        `table, column, written, rows, suggested, rows_suggested`, where the two differ in capitals, blanks and
        signs only, or by a letter (two in words of twelve letters or more) but in no digit. To take up a
        suggestion, a study says `rename: {channel: {"google-ads": "Google Ads"}}` in the table's entry.

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
        if column.name in table.columns and _holds_words(column, CONTRACTS[name])
    ]
    if not counted:
        return pd.DataFrame(columns=COLUMNS)
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
    found = pairs.select(*COLUMNS).to_pandas()
    found = found.assign(letters=found["suggested"].str.len()).sort_values(
        ["rows_suggested", "letters", "suggested"], ascending=[False, False, True]
    )
    found = found.drop_duplicates(["table", "column", "written"]).drop(columns="letters")
    return found.sort_values(["table", "column", "written"], ignore_index=True)


def _holds_words(column: Column, contract: Contract) -> bool:
    is_key = column.refers_to or column.name == contract.key or column.name.endswith("_id")
    free = column.kind == "text" and not column.words and not column.personal
    return free and not is_key and column.name not in _NOT_WORDS


def _counted(table: ibis.Table, contract: Contract, column: Column) -> ibis.Table:
    name = column.name
    own = name if name in _SHARED_EVERYWHERE else f"{contract.name}.{name}"
    counts = table.filter(table[name].notnull()).group_by(written=table[name]).agg(rows=_.count())
    return counts.select(
        "written",
        "rows",
        table=ibis.literal(contract.name),
        column=ibis.literal(name),
        vocabulary=ibis.literal(_SHARED.get((contract.name, name), own)),
    )


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
