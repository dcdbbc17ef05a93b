"""What the cleaning of a table does beside what its contract says: for most tables nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from crmlib.data.policies import Reading

_SCALES = {"nps": 10.0}  # of a survey's questions; others go to 5 unless scale_max says otherwise
_USUAL_SCALE = 5.0


class Steps:
    """The places at which a table may have steps of its own; each does nothing here."""

    needs_rows = False  # whether a source without any row is refused

    def prepare(self, rows: ibis.Table, reading: Reading) -> ibis.Table:
        """Change or add columns of rows that were read and not yet judged."""
        return rows

    def reasons(self, rows: ibis.Table, reading: Reading) -> list[tuple[ir.BooleanValue, str]]:
        """Why a row whose columns can be read is not used all the same."""
        return []

    def set_aside(self, staged: ibis.Table, reading: Reading) -> ibis.Table:
        """Give rows that cannot be judged by themselves their reason, before repeated rows get theirs."""
        return staged

    def keeps_equal_rows(self, reading: Reading) -> bool:
        """Whether a row that equals an earlier one is used."""
        return True

    def used(self, used: ibis.Table, reading: Reading) -> ibis.Table | None:
        """The columns of the rows that are used; None for those of the contract."""
        return None

    def report(self, staged: ibis.Table, folder: Path, reading: Reading) -> dict[str, Any]:
        """Further parts of the report."""
        return {}


class SurveySteps(Steps):
    """A score cannot be above its scale."""

    def reasons(self, rows: ibis.Table, reading: Reading) -> list[tuple[ir.BooleanValue, str]]:
        """Rows whose score is above `scale_max`, or above the usual scale of their question."""
        usual = ibis.cases(*[(rows.question == one, top) for one, top in _SCALES.items()], else_=_USUAL_SCALE)
        top = rows.scale_max.fill_null(usual) if "scale_max" in rows.columns else usual
        return [(rows.score > top, "score above its scale (scale_max)")]
