"""How an optional table is read: the firm's formats and words, and what of it may be written down."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TableReading:
    """How the text of an optional table is read, and what of it may be written down.

    `rename` gives other words for values of a column; `known_until` is the last day of the purchase log, after
    which no customer can have been born; only with `keep_personal` are personal columns kept.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: Sequence[str] = ()
    decimal: str = "."
    timezone: str = "UTC"
    rename: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing_ids: Sequence[str] = ()
    hash_secret: str | None = None
    known_until: dt.date = dt.date(2199, 12, 31)
    keep_personal: bool = False
