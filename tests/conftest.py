"""What makes all tests quicker."""

import gc
import os
import sys

from hypothesis import settings

# The tests start some hundred processes: without bytecode each of them would compile the library again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples in every run: a failure is seen again by who looks for it.
settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")


def pytest_collection_finish():
    """What was imported stays: to look for garbage in it, again and again, would take a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
