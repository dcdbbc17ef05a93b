"""Translate expressions of the cleaning and of the log's functions into Spark's SQL, where it differs from DuckDB's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import ibis.expr.datatypes as dt
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.backends.sql.datatypes import PySparkType

from crmlib.errors import StudyError

# Java's signs of a pattern of dates for those of strptime.
_OF_STRPTIME, _OF_JAVA = "YymdHIMSpfbBaAjz%", "yyyy yy M d H h m s a SSSSSS MMM MMMM EEE EEEE D xx '%'"
_DATE_SIGNS = dict(zip(_OF_STRPTIME, _OF_JAVA.split(), strict=True))
# A text that DuckDB reads as a moment, and as a number: Spark would read "2024" and "10d" too.
_MOMENT = r"^[0-9]{1,6}([-/])[0-9]{1,2}\1[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?.*)?$"
_NUMBER = r"(?i)^([-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[-+]?[0-9]+)?|[-+]?inf(inity)?|nan)$"


class _Types(PySparkType):
    """Spark has no numbers without a sign."""

    @classmethod
    def from_ibis(cls, dtype: Any) -> Any:
        signed = {8: dt.int16, 16: dt.int32, 32: dt.int64, 64: dt.int64}
        return super().from_ibis(signed[dtype.nbytes * 8] if dtype.is_unsigned_integer() else dtype)


class SparkSQL(PySparkCompiler):
    """Ibis' compiler for Spark, with the functions of DuckDB that the library calls by their name."""

    type_mapper = _Types

    def visit_ScalarUDF(self, op: Any, **parts: Any) -> Any:
        """Call a function by Spark's name."""
        if function := _FUNCTIONS.get(self.__sql_name__(op)):
            return function(self.f, *parts.values())
        return super().visit_ScalarUDF(op, **parts)

    def visit_AggUDF(self, op: Any, *, where: Any, **parts: Any) -> Any:
        """The value where another one is smallest."""
        if self.__sql_name__(op) == "arg_min":
            return self.agg.min_by(*parts.values(), where=where)
        return super().visit_AggUDF(op, where=where, **parts)

    def visit_BitOr(self, op: Any, *, arg: Any, where: Any) -> Any:
        """All bits that are set in one of the numbers."""
        return self.f.anon.bit_or(arg if where is None else self.if_(where, arg, sge.Null()))

    def visit_RegexSearch(self, op: Any, *, arg: Any, pattern: Any) -> Any:
        """Find a pattern."""
        return super().visit_RegexSearch(op, arg=arg, pattern=_of_java(pattern))

    def visit_RegexExtract(self, op: Any, *, arg: Any, pattern: Any, index: Any) -> Any:
        """Take out what a pattern finds."""
        return super().visit_RegexExtract(op, arg=arg, pattern=_of_java(pattern), index=index)

    def visit_RegexReplace(self, op: Any, *, arg: Any, pattern: Any, replacement: Any) -> Any:
        """Replace what a pattern finds; Java calls a group $1."""
        by = sge.convert(re.sub(r"\\(\d)", r"$\1", replacement.this.replace("$", r"\$")))
        return super().visit_RegexReplace(op, arg=arg, pattern=_of_java(pattern), replacement=by)

    def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """Read a text only where DuckDB reads it."""
        read = super().visit_TryCast(op, arg=arg, to=to)
        allowed = _MOMENT if to.is_timestamp() else _NUMBER if to.is_floating() else None
        if allowed is None or not op.arg.dtype.is_string():
            return read
        return self.if_(self.f.anon.regexp_like(arg, sge.convert(allowed)), read, sge.Null())


def _of_java(pattern: Any) -> Any:
    """The pattern for Java, where "ignore case" needs a flag for letters beyond English."""
    return sge.convert(pattern.this.replace("(?i", "(?iu")) if isinstance(pattern, sge.Literal) else pattern


def _hash(f: Any, value: Any) -> Any:
    """Spark's hash; nulls are hashed too, which Spark itself would skip."""
    parts = value.expressions if isinstance(value, sge.Struct) else []
    values = [part.expression if isinstance(part, sge.PropertyEQ) else part.this for part in parts]
    values = values or [value]
    return f.anon.xxhash64(*[part for value in values for part in (value, value.is_(sge.Null()))])


def _parsed(f: Any, text: Any, pattern: Any) -> Any:
    java, rest = "", pattern.this
    for literal, sign in re.findall(r"([^%]*)(?:%-?(.))?", rest):
        if sign and sign not in _DATE_SIGNS:
            unknown = f"%{sign} of {rest!r} is not known to Spark"
            raise StudyError(f"date_format: {unknown}; make it a date in a query")
        java += re.sub("([A-Za-z]+)", r"'\1'", literal) + _DATE_SIGNS.get(sign, "")
    return f.anon.try_to_timestamp(text, sge.convert(java))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "hash": _hash,
    "sha256": lambda f, text: f.anon.sha2(text, 256),
    "chr": lambda f, code: sge.convert(chr(int(code.this))),
    "trim": lambda f, text, signs: sge.Trim(this=text, expression=signs),
    "strlen": lambda f, text: f.anon.octet_length(text),
    "timezone": lambda f, zone, moment: f.anon.from_utc_timestamp(moment, zone),
    "try_strptime": _parsed,
    "bit_count": lambda f, bits: f.anon.bit_count(bits),
}
