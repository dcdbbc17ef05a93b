"""The engine keeps within its memory, and says so where that is too little."""

import os
import subprocess
import sys

import pytest

from crmlib.data import engine as engines
from crmlib.errors import StudyError

# A list of ten million numbers by group is held in memory, whatever else is written to the disk.
HUNGRY = """
from crmlib.data.engine import engine
engine().raw_sql("SELECT list(i) FROM range(10_000_000) t(i) GROUP BY i % 1000").fetchall()
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = os.environ | environment
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True)


def test_too_small_a_limit_is_named_with_what_was_needed_and_the_cure():
    ended = run(HUNGRY, CRMLIB_ENGINE_MEMORY="40MB", CRMLIB_ENGINE_JOBS="2")
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "crmlib.errors.RunError: the engine may take 20 MB of memory, its share beside 1 other"
    )
    assert "more were needed; raise CRMLIB_ENGINE_MEMORY, run one notebook at a time (--jobs 1)" in last


def test_half_of_the_memory_is_taken_where_nothing_is_said(monkeypatch):
    monkeypatch.delenv(engines.MEMORY, raising=False)
    monkeypatch.setenv(engines.JOBS, "1")
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    engines._memory_limit.cache_clear()
    assert 0 < engines._memory_limit() <= 0.52 * machine  # a container may be given less than the machine has


@pytest.mark.parametrize("text", ["", "4", "0GB", "-1GB", "120%", "much"])
def test_what_is_no_amount_of_memory_is_refused(text, monkeypatch):
    monkeypatch.setenv(engines.MEMORY, text)
    engines._memory_limit.cache_clear()
    with pytest.raises(StudyError, match="CRMLIB_ENGINE_MEMORY is .*allowed: an amount such as 4GB"):
        engines._memory_limit()
