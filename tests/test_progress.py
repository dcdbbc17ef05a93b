"""What takes long shows that it goes on, to people alone, and stops at Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORK = """
import time
from crmlib import progress
progress.PATIENCE_SECONDS, progress._EVERY_SECONDS = 0.3, 0.1
for _ in progress.steps(range(4), "forecasts tested", 4):
    with progress.progress("inner work"):
        time.sleep(1)
"""
QUERY = """
from crmlib.data.engine import engine
engine()
print("begun", flush=True)
engine().raw_sql("SELECT sum(hash(a.i * b.i)) FROM range(300000) a(i), range(300000) b(i)").fetchall()
"""
CLEAN = """
import duckdb, crmlib.cli
from crmlib.data.engine import engine
from pathlib import Path
Path("data/shop").mkdir(parents=True)
duckdb.sql("COPY (SELECT 'C' || i % 700000 AS customer_id, DATE '2023-01-01' + (i % 700)::INT AS date, 5.0 + i % 9 AS "
    "amount FROM range(6000000) t(i)) TO 'data/shop/log.parquet'")
about = ["title: shop", "data_kind: simulated", "currency: EUR", "as_of: 2024-06-30"]
about.append("tables: {transactions: {source: log.parquet}}")
Path("data/shop/study.yaml").write_text("\\n".join(about))
import crmlib.data.cleaning.clean, crmlib.study.study
engine()
print("begun", flush=True)
crmlib.cli.main(["check", "shop"])
"""
FIT = """
from tests.models.worlds import pareto_histories
from crmlib import ParetoNBDModel
data = pareto_histories("both differ", 400_000, seed=1, days=1 / 24)
print("begun", flush=True)
ParetoNBDModel().fit(data)
"""
TESTS = """
import pandas as pd, crmlib as crm
from tests.models.worlds import beta_geo_world
log, cut, last = beta_geo_world(60_000, seed=1)
print("begun", flush=True)
for _ in range(20):
    crm.backtest(log, calibration_end=cut, as_of=last, models=[crm.ParetoNBDModel(), crm.BetaGeoModel()])
"""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def seen_on_a_terminal(code: str, **more: str) -> str:
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env=environment(**more)):
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # nobody writes any more
                break
            if not part:
                break
            shown += part
    os.close(ours)
    return shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_progress_is_shown_on_a_terminal_alone():
    shown = seen_on_a_terminal(WORK)
    assert "forecasts tested" in shown
    assert "3 of 4" in shown
    assert "inner work" not in shown, "two bars at once"
    assert shown.rstrip(" ").endswith("\r"), "it goes when the work is done"
    assert seen_on_a_terminal(WORK, CRMLIB_RUN_DIR="/nowhere") == "", "a report is no place for it"
    piped = subprocess.run([sys.executable, "-c", WORK], env=environment(), capture_output=True, check=True)
    assert piped.stderr + piped.stdout == b""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for a child alone")
@pytest.mark.parametrize(
    ("code", "status"),
    [(QUERY, -signal.SIGINT), (CLEAN, 130), (FIT, -signal.SIGINT), (TESTS, -signal.SIGINT)],
)
def test_ctrl_c_ends_what_takes_long(code, status, tmp_path):
    temporary = tempfile.mkdtemp(dir="/tmp")
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(TMPDIR=temporary, CRMLIB_CACHE_DIR=str(tmp_path / "cache")),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert "begun\n" in iter(child.stdout.readline, "")
        time.sleep(1.5)
        assert child.poll() is None, "too quick to be stopped"
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, printed = child.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert child.returncode == status
    if status == 130:
        assert printed == "crm: stopped\n"
        left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
        assert not [name for name in left if name.endswith(".parquet")]
    else:  # Python's own last line, whoever calls the library
        assert printed.rstrip().endswith("KeyboardInterrupt")
    assert os.listdir(temporary) == []
    os.rmdir(temporary)
