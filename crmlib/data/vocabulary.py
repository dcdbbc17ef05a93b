"""The words that firms' files use, by section and key: for columns, states, flags, currencies; see vocabulary.ini."""

from __future__ import annotations

from configparser import RawConfigParser
from pathlib import Path

_FILE = RawConfigParser(delimiters=(":",), comment_prefixes=("#",))
_FILE.optionxform = str  # type: ignore[assignment, method-assign]  # capitals count
_FILE.read_string(Path(__file__).with_suffix(".ini").read_text(encoding="utf-8"))


def words(section: str) -> dict[str, list[str]]:
    """The words of a section under each of its keys, in their order; no section, no words.

    Examples
    --------
    >>> words("columns of last resort")["transactions.customer_id"][:2]
    ['customer_name', 'cust_name']
    """
    return {key: text.split() for key, text in _FILE.items(section)} if _FILE.has_section(section) else {}


def phrases(section: str) -> dict[str, list[str]]:
    """The same of a section whose entries may be of several words, with commas between them."""
    texts = {key: " ".join(parts) for key, parts in words(section).items()}
    return {key: [phrase.strip() for phrase in text.split(",")] for key, text in texts.items()}
