"""What became of every row of an optional table, as it lies beside the cleaned one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TableReport:
    """What became of every row: all parts but the last two are lists of records.

    `rows` holds each fate with its `rows` and the `money` of every money column; `values` what was changed or
    left out in rows that are used; `columns` is contract column to source column, `filled` contract column to
    the number of used rows in which it holds something.
    """

    rows: list[dict[str, Any]]
    values: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    columns: dict[str, str]
    filled: dict[str, int]

    def to_json(self) -> str:
        """The report as text, for the folder of the cleaned table."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> TableReport:
        """Read back what `to_json` wrote."""
        return cls(**json.loads(text))
