"""Repeated rows: found by hashes, confirmed by their content."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
from ibis import _

from crmlib.data.contracts.contract import Contract, spoken
from crmlib.data.engine import has_rows

EQUAL_ROW = "equal to an earlier row"


@ibis.udf.scalar.builtin(name="hash")
def _hash(value) -> dt.uint64:  # type: ignore[no-untyped-def]
    """DuckDB's hash as it is: on its way to a signed number, Ibis's own costs twice as much."""


def hash_of(*values: ir.Value) -> ir.IntegerValue:
    """A 64-bit number that is the same for the same values; whoever needs to be sure compares the values too."""
    together = ibis.struct({f"c{i}": value for i, value in enumerate(values)})
    return _hash(values[0] if len(values) == 1 else together)


def set_aside_repeats(staged: ibis.Table, contract: Contract, keep_equal: bool) -> ibis.Table:
    """Give usable rows whose key stands in an earlier one, and (if so decided) equal rows, their reason.

    Adds `equals_earlier`: whether a row that is usable so far equals an earlier one in every column of the source.
    """
    if contract.key in staged.columns:
        usable = staged.filter(_.reason.isnull() & staged[contract.key].notnull())
        later = _later(usable.mutate(candidate=hash_of(usable[contract.key])), "candidate", [contract.key])
        repeated = f"repeated {spoken(contract.key)}"
        staged = with_reasons(staged, None if later is None else _named(later, repeated))
    # The hash of the whole row, confirmed by the required columns.
    columns = ["row_hash", *[c.name for c in contract.columns if c.required and not c.unless]]
    later = _later(staged.filter(_.reason.isnull()), "row_hash", columns)
    equal = None if later is None else _named(later, EQUAL_ROW).cache()
    if equal is None or not has_rows(equal):
        return staged.mutate(equals_earlier=ibis.literal(False))
    staged = staged.left_join(equal, "source_row").drop("source_row_right")
    staged = staged.mutate(equals_earlier=_.why.notnull())
    return (staged if keep_equal else staged.mutate(reason=_.reason.fill_null(_.why))).drop("why")


def with_reasons(staged: ibis.Table, reasons: ibis.Table | None, override: bool = False) -> ibis.Table:
    """Give rows their reason, from `source_row, why`; one that a row has already stays, unless overridden."""
    reasons = None if reasons is None else reasons.cache()
    if reasons is None or not has_rows(reasons):
        return staged
    joined = staged.left_join(reasons, "source_row").drop("source_row_right")
    order = (joined.why, joined.reason) if override else (joined.reason, joined.why)
    return joined.mutate(reason=ibis.coalesce(*order)).drop("why")


def several_times(rows: ibis.Table, candidate: str) -> ibis.Table:
    """The 64-bit hashes that occur more than once: there are few, and millions of texts would not fit into memory."""
    return rows.group_by(candidate).agg(times=_.count()).filter(_.times > 1).select(candidate).cache()


def _later(rows: ibis.Table, candidate: str, key: Sequence[str]) -> ibis.Table | None:
    """Rows whose key stands in an earlier row; None if no hash stands twice."""
    several = several_times(rows, candidate)
    if not has_rows(several):
        return None
    rows = rows.semi_join(several, candidate).select("source_row", *key)
    first = rows.group_by(key).agg(first=_.source_row.min(), times=_.count()).filter(_.times > 1)
    return rows.join(first, key).filter(_.source_row > _.first).select("source_row")


def _named(rows: ibis.Table, reason: str) -> ibis.Table:
    return rows.select("source_row", why=ibis.literal(reason))
