"""The engine keeps to its memory limit, and names the cure if that is too little."""

import os
import subprocess
import sys

import pandas as pd
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
        "crmlib.errors.TooLittleMemoryError: the engine may take 20 MB of memory, its share beside 1 other"
    )
    assert "more were needed; raise CRMLIB_ENGINE_MEMORY, run one notebook at a time (--jobs 1)" in last


# A hundred and thirty thousand customers take more than 20 MB together, and a fourth of them less.
SUMMARY = """
import os
import crmlib as crm
from crmlib.customers import _log
from crmlib.data.engine import engine
log = engine().sql(
    "SELECT 'C' || hash(i) % 150000 AS customer_id, DATE '2024-01-01' + (i % 300)::INTEGER AS date, "
    "i % 97 + 1.0 AS amount FROM range(300000) t(i)"
)
fetch, parts = _log.fetch, []
_log.fetch = lambda table: parts.append(1) or fetch(table)
dates = dict(calibration_end="2024-06-30", as_of="2024-12-31")
for name, found in {
    "summary": crm.rfm_summary(log, as_of="2024-12-31"),
    "split": crm.rfm_train_test_split(log, **dates),
    "segments": crm.rfm_segments(log, as_of="2024-12-31"),
}.items():
    found.to_pickle(f"{os.environ['FOLDER']}/{name}")
print(len(parts))
"""


@pytest.mark.thorough
def test_customers_are_summed_up_in_parts_where_the_memory_is_too_small_for_all(tmp_path):
    parts = {}
    for memory in ("1GB", "24MB"):
        (tmp_path / memory).mkdir()
        ended = run(SUMMARY, CRMLIB_ENGINE_MEMORY=memory, FOLDER=str(tmp_path / memory))
        assert ended.returncode == 0, ended.stderr
        parts[memory] = int(ended.stdout)
    assert parts["1GB"] == 3 < parts["24MB"]
    for name in ("summary", "split", "segments"):
        whole, in_parts = (pd.read_pickle(tmp_path / memory / name) for memory in parts)
        pd.testing.assert_frame_equal(whole, in_parts)


def test_half_of_the_memory_is_the_default_limit(monkeypatch):
    monkeypatch.delenv(engines.MEMORY, raising=False)
    monkeypatch.setenv(engines.JOBS, "1")
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    engines._memory_limit.cache_clear()
    assert 0 < engines._memory_limit() <= 0.52 * machine  # a container may be given less than the machine has


@pytest.mark.parametrize("text", ["", "4", "0GB", "-1GB", "120%", "much"])
def test_an_invalid_amount_of_memory_is_refused(text, monkeypatch):
    monkeypatch.setenv(engines.MEMORY, text)
    engines._memory_limit.cache_clear()
    with pytest.raises(StudyError, match="CRMLIB_ENGINE_MEMORY is .*allowed: an amount such as 4GB"):
        engines._memory_limit()
