"""What became of every row, as it lies beside the cleaned log."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CleaningReport:
    """What became of every row: `rows` by fate, `policies` by decision and `states` of orders, as lists of records."""

    rows: list[dict[str, Any]]
    policies: list[dict[str, Any]]
    states: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    columns: list[str]
    days: dict[str, Any]

    def to_json(self) -> str:
        """The report as text, for the folder of the cleaned log."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> CleaningReport:
        """Read back what `to_json` wrote."""
        return cls(**json.loads(text))
