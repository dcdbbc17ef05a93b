"""What makes all tests quicker, and which of them wait for CI."""

import gc
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import settings

# The tests start some hundred processes: without bytecode each of them would compile the library again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples in every run: a failure is seen again by who looks for it.
THOROUGH = bool(os.environ.get("CRMLIB_THOROUGH"))
settings.register_profile(
    "reproducible", derandomize=True, deadline=None, max_examples=100 if THOROUGH else 25
)
settings.load_profile("reproducible")


def pytest_configure(config: Any) -> None:
    """Where every case runs, a number that the library could not compute (0/0, log of 0) fails the test.

    Not every day, for a newer numpy than the locked one may warn of more.
    """
    if THOROUGH:
        config.addinivalue_line("filterwarnings", "error::RuntimeWarning:crmlib")


def pytest_collection_finish():
    """What was imported stays: to look for garbage in it, again and again, would take a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


CASES = 2  # of a test with many of them, that run every day
WHOLE = (Path(__file__).parent, Path(__file__).parent / "lessons")  # folders of which every case does


def pytest_collection_modifyitems(config, items):
    """Every kind of test runs every day, and every case of it where CRMLIB_THOROUGH is set, as in CI.

    Left out are tests marked as thorough and, in the rooms, further cases of one test. The tests of this folder itself
    hold rules for all files, and are quick; every lesson is a case of its own.
    """
    if THOROUGH:
        return
    seen, left = Counter(), []
    for item in items:
        test = item.nodeid.split("[")[0]
        seen[test] += hasattr(item, "callspec") and item.path.parent not in WHOLE
        if seen[test] > CASES or item.get_closest_marker("thorough"):
            left.append(item)
    config.hook.pytest_deselected(items=left)
    gone = set(left)
    items[:] = [item for item in items if item not in gone]
