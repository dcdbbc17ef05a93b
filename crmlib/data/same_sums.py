"""Sums in an engine that works in several threads, the same whatever the threads and the order of the rows."""

from __future__ import annotations

from typing import Any

import ibis.expr.operations as ops
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler

# A sum below the first number is rounded to one part in the second: all digits that a float holds but the last two.
_STEPS = (
    (1e-9, 1e23),
    (1e-2, 1e16),
    (1e1, 1e13),
    (1e3, 1e11),
    (1e5, 1e9),
    (1e8, 1e6),
    (1e11, 1e4),
    (1e13, 1e2),
)
_ADDS_UP = (ops.Sum, ops.Mean, ops.StandardDev)


class SameSums(DuckDBCompiler):
    """Ibis' compiler for DuckDB, with sums, means and standard deviations of floats that depend on no order.

    A sum of floats ends in noise that differs with the order in which they are added: in its sixteenth digit, and
    so in everything that is fitted to it. Here they are added with compensation, which leaves noise in the last
    digit alone, and the sum is rounded above that: 9445.92, and never 9445.920000000002.
    """

    def visit_Sum(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Add up."""
        if not op.arg.dtype.is_floating():
            return super().visit_Sum(op, arg=arg, where=where)
        return self._rounded(self.agg.fsum(arg, where=where))

    def visit_Mean(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Divide the sum by the count."""
        if not op.arg.dtype.is_floating():
            return super().visit_Mean(op, arg=arg, where=where)
        return self.visit_Sum(op, arg=arg, where=where) / self.agg.count(arg, where=where)

    def visit_StandardDev(self, op: Any, **parts: Any) -> Any:
        """Round a standard deviation, which the engine cannot add with compensation."""
        return self._rounded(super().visit_VarianceStandardDevCovariance(op, **parts))

    def visit_WindowFunction(self, op: Any, *, func: Any, **frame: Any) -> Any:
        """Open a window over what is added up, not over its rounding."""
        over = super().visit_WindowFunction
        if not isinstance(op.func, _ADDS_UP):
            return over(op, func=func, **frame)
        return func.transform(lambda part: over(op, func=part, **frame) if _adds_up(part) else part)

    def _rounded(self, value: Any) -> Any:
        """So many decimals as its size leaves; multiplied and divided, which the engine does faster than by digits."""
        size = self.f.abs(value)
        cases = [self.if_(size < below, self.f.round(value * parts) / parts) for below, parts in _STEPS]
        return sge.Case(ifs=cases, default=value)


def _adds_up(part: Any) -> bool:
    return isinstance(part, (sge.Filter, sge.AggFunc)) or (
        isinstance(part, sge.Anonymous) and part.name == "fsum"
    )
