"""The engine that this process works in: DuckDB through Ibis, one query at a time.

Neither of them is made to be used by several threads at once; this is the one place where queries run, so a lock here
is enough for a web application, or for joblib's threads.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis import _
from ibis.backends.duckdb import Backend
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler

from crmlib import format as fmt
from crmlib.data.staging import LOCK, scratch
from crmlib.errors import DataError, StudyError, TooLittleMemoryError, disk_full
from crmlib.progress import progress

# A sum below the first number is rounded to one part in the second: all digits that a float holds but the last two.
_STEPS = {1e-9: 1e23, 1e-2: 1e16, 1e1: 1e13, 1e3: 1e11, 1e5: 1e9, 1e8: 1e6, 1e11: 1e4, 1e13: 1e2}
_OF_SPARK = ("pyspark", "py4j")
MEMORY, JOBS = "CRMLIB_ENGINE_MEMORY", "CRMLIB_ENGINE_JOBS"
_OWN_SHARE, _DEFAULT_SHARE = 0.8, 0.5  # of the machine's memory: DuckDB's own default, and ours
_BYTES = {"B": 1} | {f"{sign}B": 1000**power for power, sign in enumerate("KMGT", 1)}
_BYTES |= {f"{sign}iB": 1024**power for power, sign in enumerate("KMGT", 1)}
# Rounding is a macro of the engine, because Ibis would repeat the whole expression in every step.
_ROUNDED = "crmlib_rounded"
_ADDS_UP = (ops.Sum, ops.Mean, ops.StandardDev)


class SameSums(DuckDBCompiler):
    """Ibis' compiler for DuckDB, with sums, means and standard deviations of floats that depend on no order.

    A sum of floats ends in noise that differs with the order in which they are added: in its sixteenth digit, and
    so in everything that is fitted to it. Here they are added with compensation, which leaves noise in the last
    digit alone, and the sum is rounded above that: 9445.92, and never 9445.920000000002, unless the amounts nearly
    cancel each other.
    """

    def translate(self, op: Any, *, params: Any) -> Any:
        """Translate a query step by step; to merge its steps takes Ibis longer than the engine, which does it too."""
        merged, ibis.options.sql.fuse_selects = ibis.options.sql.fuse_selects, False
        try:
            return super().translate(op, params=params)
        finally:
            ibis.options.sql.fuse_selects = merged

    def visit_Sum(self, op: Any, *, arg: Any, where: Any) -> Any:
        if not op.arg.dtype.is_floating():
            return super().visit_Sum(op, arg=arg, where=where)
        return self.f.anon[_ROUNDED](self.agg.fsum(arg, where=where), 1)

    def visit_Mean(self, op: Any, *, arg: Any, where: Any) -> Any:
        if not op.arg.dtype.is_floating():
            return super().visit_Mean(op, arg=arg, where=where)
        return self.visit_Sum(op, arg=arg, where=where) / self.agg.count(arg, where=where)

    def visit_StandardDev(self, op: Any, **parts: Any) -> Any:
        """Round a standard deviation by three digits more, for the engine cannot add it with compensation."""
        return self.f.anon[_ROUNDED](super().visit_VarianceStandardDevCovariance(op, **parts), 1000)

    def visit_WindowFunction(self, op: Any, *, func: Any, **frame: Any) -> Any:
        """Apply a window to the sum inside the rounding."""
        over = super().visit_WindowFunction
        if not isinstance(op.func, _ADDS_UP):
            return over(op, func=func, **frame)
        return func.transform(lambda part: over(op, func=part, **frame) if _adds_up(part) else part)


def _macro_of_rounding() -> str:
    """The macro that rounds a sum to the decimals that a float of its size can hold; faster than rounding by digits."""
    step = "WHEN abs(x) < {0} THEN round(x * ({1} / coarser)) / ({1} / coarser)"
    steps = " ".join(step.format(below, parts) for below, parts in _STEPS.items())
    return f"CREATE MACRO {_ROUNDED}(x, coarser) AS CASE {steps} ELSE x END"


def _adds_up(part: Any) -> bool:
    compensated = isinstance(part, sge.Anonymous) and part.name == "fsum"
    return compensated or isinstance(part, (sge.Filter, sge.AggFunc))


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def locked(*arguments: Any, **options: Any) -> Any:
        import duckdb

        with LOCK, progress("the tables are read"), _stopped_by_ctrl_c(arguments[0]):
            try:
                return method(*arguments, **options)
            except duckdb.OutOfMemoryException as complaint:
                raise _too_little_memory(str(complaint)) from None

    return locked


@contextmanager
def _stopped_by_ctrl_c(engine: Any) -> Iterator[None]:
    """Stop a query at Ctrl-C; otherwise the engine would finish the query first and then raise an error."""
    import duckdb

    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        if (connection := getattr(engine, "con", None)) is not None:
            connection.interrupt()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as complaint:
        if "nterrupt" not in str(complaint):
            raise
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _too_little_memory(complaint: str) -> TooLittleMemoryError:
    """The error for too little memory: the limit, what was needed, and the cure."""
    needed = re.search(r"(?:block|data) of size ([\d.]+ \w+)", complaint)
    more = f"{needed[1]} more were needed" if needed else "more was needed"
    jobs = os.environ.get(JOBS, "1")
    others = fmt.plural(int(jobs) - 1, "other notebook")
    shared = f", its share beside {others} at the same time" if jobs != "1" else ""
    cure = f"raise {MEMORY}" if MEMORY in os.environ else f"give more with {MEMORY} (such as 8GB)"
    return TooLittleMemoryError(
        f"the engine may take {_in_words(_memory_limit())} of memory{shared}, and {more}; {cure}, run one notebook at "
        "a time (--jobs 1), or use a machine with more memory"
    )


def literally(path: Path | str) -> str:
    """Escape a path, so that the engine does not read some of its characters as a pattern.

    Examples
    --------
    >>> literally("orders[1].csv")
    'orders[[]1].csv'
    """
    text = str(path)
    if not re.search(r"[\[*?]", text):
        return text
    text = re.sub(r"[\[*?]", r"[\g<0>]", text)
    # In a pattern the engine reads a backslash as the end of a folder; in brackets it is a plain character.
    return text.replace("\\", "[[-]]") if os.sep == "/" else text


def _literal(paths: Any) -> list[str]:
    return [literally(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]


class _Engine(Backend):
    """DuckDB with a lock around every public method; frames that are no longer used are released.

    Paths are literal, whatever signs are in them; nor does a folder called "year=2024" add a column.
    """

    def read_csv(self, paths: Any, /, **options: Any) -> ibis.Table:
        return super().read_csv(_literal(paths), hive_partitioning=False, **options)

    def read_json(self, paths: Any, /, **options: Any) -> ibis.Table:
        return super().read_json(_literal(paths), hive_partitioning=False, **options)

    def read_parquet(self, paths: Any, /, **options: Any) -> ibis.Table:
        return super().read_parquet(_literal(paths), hive_partitioning=False, **options)

    def _to_duckdb_relation(self, expr: ibis.Expr, **options: Any) -> Any:
        """The result of a query, planned once; Ibis would plan it twice to learn the types of its columns."""
        self._run_pre_execute_hooks(expr)
        return self.con.execute(self.compile(expr.as_table(), **options))

    def to_parquet(self, expr: ibis.Table, /, path: Any, **options: Any) -> None:
        """Write a table to a path, also one with special characters."""
        target = str(path).replace("'", "''")  # Ibis writes it as Python would, not as SQL does
        how = ", ".join(["FORMAT parquet", *(f"{key} {value!r}" for key, value in options.items())])
        self._run_pre_execute_hooks(expr)
        self.raw_sql(f"COPY ({self.compile(expr)}) TO '{target}' ({how})")

    def hold(self, op: ops.InMemoryTable) -> ibis.Table:
        """Register a frame as a table of this engine, and not of the backend that a user's program has chosen."""
        try:
            super()._register_in_memory_table(op)
        except Exception:
            self.con.execute("SELECT 1")  # ends the aborted transaction; else the next query fails too
            raise
        table = ops.DatabaseTable(name=op.name, schema=op.schema, source=self)
        # Garbage is collected in any thread, also in one of the engine's own in the midst of a query: there, to wait
        # for the lock would be to wait for ever. So names are only noted, and forgotten before the next query.
        weakref.finalize(table, _forgotten.append, op.name)
        return table.to_expr()

    def _cached_table(self, table: ibis.Table) -> ibis.Table:
        with LOCK:
            return super()._cached_table(table)

    def _drop_cached_table(self, name: str) -> None:
        _released.append(name)  # noted for the same reason

    def _run_pre_execute_hooks(self, expr: ibis.Expr) -> None:
        while _forgotten:
            self.con.unregister(_forgotten.popleft())
        while _released:
            super().drop_table(_released.popleft(), force=True)
        super()._run_pre_execute_hooks(expr)


_forgotten: deque[str] = deque()
_released: deque[str] = deque()
for _name in dir(_Engine):
    _method = getattr(_Engine, _name)
    if not _name.startswith("_") and callable(_method) and not hasattr(_method, "__self__"):
        setattr(_Engine, _name, _one_at_a_time(_method))


def why_refused(complaint: Exception) -> str:
    """The cause of an engine's error, without its own message, which may quote personal values."""
    import duckdb

    causes = {
        duckdb.OutOfMemoryException: "there is too little memory",
        duckdb.IOException: "a file of it cannot be read, or none can be written",
        duckdb.OutOfRangeException: "a number is too large",
        duckdb.ConversionException: "a value is not of its column's type",
        duckdb.InvalidInputException: "the engine cannot read a value or a line",
    }
    why = next((words for kind, words in causes.items() if isinstance(complaint, kind)), "the engine stopped")
    line = re.search(r"\bLine: (\d+)", str(complaint))
    return f"{why} ({type(complaint).__name__}{f', line {line[1]}' if line else ''})"


@contextmanager
def in_our_words(table: str) -> Iterator[None]:
    """Turn the engine's errors about a table into ours, which quote no values.

    Raises DataError with the kind of the complaint; RunError if the disk is full.
    """
    import duckdb

    try:
        yield
    except Exception as complaint:
        if not (isinstance(complaint, duckdb.Error) or type(complaint).__module__.startswith(_OF_SPARK)):
            raise
        if "No space left on device" in str(complaint):
            raise disk_full(f"what was read of {table}") from None
        raise DataError(
            f"{table}: the source cannot be read: {why_refused(complaint)}; check timezone, date_format and the "
            "source in the study, or export it again"
        ) from None


def engine() -> Any:
    """The in-memory DuckDB in which this process works (one, opened on first use)."""
    with LOCK:
        return _open()


@functools.cache
def _open() -> Any:
    # What does not fit into memory goes to the system's folder for such files, not beside the user's own.
    spill = scratch() / "spill"
    jobs = int(os.environ.get(JOBS, "1"))
    threads = {"threads": max(1, (os.cpu_count() or 1) // jobs)} if jobs > 1 else {}
    limit = f"{_memory_limit()}B"
    connection = _Engine().connect(temp_directory=str(spill), memory_limit=limit, **threads)
    connection.compiler = SameSums()
    connection.raw_sql(_macro_of_rounding())
    # In a kernel with ipywidgets a progress bar is on, and draws over the page; without them it is off, and
    # even to say so is an error.
    if connection.raw_sql("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
        connection.raw_sql("SET enable_progress_bar = false")
    return connection


@functools.cache
def _memory_limit() -> int:
    """Bytes that this engine may hold: what the user allows or half of the machine's, shared by a report's jobs."""
    import duckdb

    text = os.environ.get(MEMORY, f"{_DEFAULT_SHARE:.0%}")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%|[KMGT]i?B)", text.strip())
    if not found or not float(found[1]) or (found[2] == "%" and float(found[1]) > 100):
        allowed = "an amount such as 4GB or 500MB, or a share such as 50%"
        raise StudyError(f"{MEMORY} is {text!r}; allowed: {allowed}")
    if found[2] == "%":
        # Such as 19.1 GiB.
        own = duckdb.connect().sql("SELECT current_setting('memory_limit')").fetchall()[0][0]
        amount, unit = own.split()
        whole = float(amount) * _BYTES[unit] / _OWN_SHARE
        total = whole * float(found[1]) / 100
    else:
        total = float(found[1]) * _BYTES[found[2]]
    return int(total / int(os.environ.get(JOBS, "1")))


def _in_words(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def frame_table(data: Any, **options: Any) -> ibis.Table:
    """A frame as a table that this engine reads in place; `options` as of `ibis.memtable`."""
    return engine().hold(ibis.memtable(data, **options).op())


def first_row(query: ibis.Table) -> dict[str, Any]:
    """The only row of a table with one row, such as its totals."""
    return query.to_pyarrow().to_pylist()[0]


def count_of(rows: ibis.Table) -> int:
    """How many rows a table has."""
    return int(rows.count().to_pyarrow().as_py())


def has_rows(rows: ibis.Table) -> bool:
    """Whether a table has a row."""
    return count_of(rows.limit(1)) > 0


def most_frequent(
    rows: ibis.Table, name: str, value: ir.Value, most: int, **further: ir.Value
) -> list[dict[str, Any]]:
    """The most frequent values of a column with their number of `rows`, the most frequent first."""
    counts = rows.group_by(**{name: value}).agg(rows=_.count(), **further)
    known = counts.filter(counts[name].notnull())
    return known.order_by(_.rows.desc(), name).limit(most).to_pyarrow().to_pylist()
