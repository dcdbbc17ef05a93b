"""The engine that this process works in: DuckDB through Ibis, one query at a time.

Neither of them is made to be used by several threads at once; this is the one place where queries run, so a lock here
is enough for a web application, or for joblib's threads.
"""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import ibis
import ibis.expr.operations as ops
from ibis.backends.duckdb import Backend

from crmlib.data.same_sums import SameSums
from crmlib.staging import scratch

LOCK = threading.RLock()


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def locked(*arguments: Any, **options: Any) -> Any:
        with LOCK:
            return method(*arguments, **options)

    return locked


class _Engine(Backend):
    """DuckDB whose every public method waits its turn, and that lets go of frames nobody holds any more."""

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        super()._register_in_memory_table(op)
        # Garbage is collected in any thread, also in one of the engine's own in the midst of a query: there, to wait
        # for the lock would be to wait for ever. So names are only noted, and forgotten before the next query.
        weakref.finalize(op, _forgotten.append, op.name)

    def _make_memtable_finalizer(self, name: str) -> None:
        """Nothing at exit: see above."""

    def _run_pre_execute_hooks(self, expr: ibis.Expr) -> None:
        while _forgotten:
            self.con.unregister(_forgotten.popleft())
        super()._run_pre_execute_hooks(expr)


_forgotten: deque[str] = deque()
for _name in dir(Backend):
    _method = getattr(Backend, _name)
    if not _name.startswith("_") and callable(_method) and not hasattr(_method, "__self__"):
        setattr(_Engine, _name, _one_at_a_time(_method))


def engine() -> Any:
    """The in-memory DuckDB in which this process works (one, opened on first use)."""
    with LOCK:
        return _open()


@functools.cache
def _open() -> Any:
    # What does not fit into memory goes to the system's folder for such files, not beside the user's own.
    spill = scratch() / "spill"
    # A report runs several notebooks at a time, and each is told its share of the processor.
    threads = {"threads": int(share)} if (share := os.environ.get("CRMLIB_ENGINE_THREADS")) else {}
    connection = _Engine().connect(temp_directory=str(spill), **threads)
    connection.compiler = SameSums()
    # In a kernel with ipywidgets a progress bar is on, and draws over the page; without them it is off, and
    # even to say so is an error.
    if connection.raw_sql("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
        connection.raw_sql("SET enable_progress_bar = false")
    if ibis.options.default_backend is None:
        ibis.set_backend(connection)  # else frames alone would be asked in another DuckDB, without the lock
    return connection


def frame_table(data: Any, **options: Any) -> ibis.Table:
    """A frame as a table that this engine reads in place; `options` as of `ibis.memtable`."""
    engine()
    return ibis.memtable(data, **options)
