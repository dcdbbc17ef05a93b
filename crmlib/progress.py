"""Progress of what takes longer than ten seconds: on a terminal and in a notebook, and nowhere else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 10.0
_EVERY_SECONDS = 1.0
_showing = threading.Lock()  # held by the outermost work: what it consists of is not shown apart


def is_watched() -> bool:
    """Whether somebody sees it: not in a report, and not where output goes into a file or to another program."""
    if "CRMLIB_RUN_DIR" in os.environ:
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return sys.stderr.isatty() or hasattr(shell, "kernel")


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Show, after ten seconds, that work goes on and how far it is.

    `what`: said before the bar, such as "forecasts tested". `total`: steps of the work; without it only the time is
    shown. Yields: to be called after each step.

    Examples
    --------
    >>> with progress("forecasts tested", 2) as step:
    ...     step()
    ...     step()
    """
    if not is_watched() or not _showing.acquire(blocking=False):
        yield lambda: None
        return
    done, ended = [0], threading.Event()

    def advance() -> None:
        done[0] += 1

    def draw() -> None:
        if ended.wait(PATIENCE_SECONDS):
            return
        # Without widgets, to ask for a notebook's bar is a warning, and a bar of text all the same.
        tqdm = import_module("tqdm.auto" if find_spec("ipywidgets") else "tqdm").tqdm
        form = "{desc} {elapsed}" if total is None else "{desc} {n_fmt} of {total_fmt} {bar} {elapsed}"
        with tqdm(desc=what, total=total, leave=False, bar_format=form) as bar:
            bar.start_t -= PATIENCE_SECONDS
            while not ended.wait(_EVERY_SECONDS):
                bar.n = done[0]
                bar.refresh()

    drawing = threading.Thread(target=draw, daemon=True)
    drawing.start()
    try:
        yield advance
    finally:
        ended.set()
        drawing.join()
        _showing.release()


def steps(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """The items one by one, with `progress` over them.

    Examples
    --------
    >>> list(steps("ab", "letters", 2))
    ['a', 'b']
    """
    with progress(what, total) as step:
        for item in items:
            yield item
            step()
