"""Yes, no and the fixed words of contracts, in the spellings that firms use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import ibis
import ibis.expr.types as ir

from crmlib.data import vocabulary

YES, NO = vocabulary.words("flags").values()


def read_flag(column: ir.Column, yes: Iterable[str] = (), no: Iterable[str] = ()) -> ir.BooleanValue:
    """True or false for the words of either; null for a blank and for any other word.

    `yes` and `no` are further words, which come before the usual ones.

    Examples
    --------
    >>> table = ibis.memtable({"consent": ["Ja", "opt-in", "withdrawn", "0", "perhaps", ""]})
    >>> table.select(flag=read_flag(table.consent)).flag.to_pyarrow().to_pylist()
    [True, True, False, False, None, None]
    """
    if column.type().is_boolean():
        return column
    word = column.cast("string").lower().re_replace(r"[\s._/-]+", "")
    given = ((yes, True), (no, False))
    further = [([re.sub(r"[\s._/-]+", "", word) for word in words], flag) for words, flag in given]
    flags = (*further, (YES, True), (NO, False))
    return ibis.cases(*[(word.isin(words), flag) for words, flag in flags if words])


def read_word(column: ir.Column, table: str, name: str, words: Iterable[str]) -> ir.StringValue:
    """One of a contract's words, however it is spelt; null for any other word.

    Examples
    --------
    >>> table = ibis.memtable({"kind": ["Complaints", "RETURN", "Anfrage", "gossip"]})
    >>> read = read_word(table.kind, "service_cases", "kind", ["question", "complaint", "return"])
    >>> table.select(word=read).word.to_pyarrow().to_pylist()
    ['complaint', 'return', 'question', None]
    """
    text = column.cast("string").lower().re_replace(r"[\s_-]+", " ").strip()
    return ibis.cases(*[(text.isin(known), word) for word, known in spellings_of(table, name, words).items()])


def spellings_of(table: str, name: str, words: Iterable[str]) -> Mapping[str, list[str]]:
    """Each of a contract's words with the spellings that mean it, in small letters."""
    others, spellings = vocabulary.phrases(f"{table}.{name}"), {}
    for word in words:
        known = [word, *others.get(word, [])]
        known += [f"{spelt}s" for spelt in known] + [f"{word}es"]
        known += [re.sub("s$", "", spelt) for spelt in known]
        spellings[word] = sorted(set(known))
    taken = set(spellings)
    return {word: [k for k in known if k == word or k not in taken] for word, known in spellings.items()}
