"""`latest` is whole at every instant, whoever is killed and whoever runs beside."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

KILLS = 50 if os.environ.get("CRMLIB_THOROUGH") else 12

# A report that comes from the cache, killed over and over: imported once, so that most kills hit the publishing.
_KILLER = """
import os, random, signal, sys, time
from crmlib.report.make import make_report
from crmlib.report.plan import plan_report
from crmlib.report.runs import Reports
import crmlib.report.publish

plan = plan_report("tiny")
reports = Reports(plan.root / "reports" / "tiny")

def child():
    pid = os.fork()
    if pid == 0:
        make_report(plan, reports, jobs=1, cell_timeout_seconds=60, watch=lambda name, outcome: None)
        os._exit(0)
    return pid

began = time.monotonic()
assert os.waitpid(child(), 0)[1] == 0
whole = time.monotonic() - began
dice = random.Random(int(sys.argv[2]))
for _ in range(int(sys.argv[1])):
    pid = child()
    time.sleep(dice.uniform(0, whole))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    print("killed", flush=True)
"""


def assert_whole(latest: Path) -> str:
    """The report that `latest` shows is complete; return its run id."""
    folder = latest.resolve(strict=True)
    record = json.loads((folder / "run.json").read_text())
    index = (folder / "index.html").read_text()
    assert record["run"] == folder.name
    assert index.rstrip().endswith("</html>")
    for page in re.findall(r'href="([\w]+\.html)"', index):
        assert (folder / page).read_text().rstrip().endswith("</html>")
    for one in record["notebooks"]:
        assert one["status"] in ("ok", "cached", "skipped")
        if one["status"] != "skipped":
            assert (folder / "notebooks" / f"{one['name']}.ipynb").is_file()
    return record["run"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_latest_is_whole_at_every_instant_under_kill_9(project):
    seen, done = set(), threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(assert_whole(project.latest))

    problems: list[threading.ExceptHookArgs] = []
    before, threading.excepthook = threading.excepthook, problems.append
    reader = threading.Thread(target=look)
    reader.start()
    try:
        output = subprocess.run(
            [sys.executable, "-c", _KILLER, str(KILLS), "7"],
            cwd=project.root,
            env=project.environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        done.set()
        reader.join()
        threading.excepthook = before
    assert output.stdout.count("killed") == KILLS, output.stderr
    assert not problems, problems[0].exc_value
    assert len(seen) >= 2
    assert project.crm("report", "tiny").code == 0
    assert list((project.reports / ".staging").iterdir()) == []


def test_a_run_killed_in_mid_notebook_leaves_latest_no_processes_and_is_cleared(project):
    before = assert_whole(project.latest)
    run = project.start("report", "tiny", "--set", "how=hangs")
    kernel = wait_for(
        lambda: [
            one for one in psutil.Process(run.pid).children(recursive=True) if "ipykernel" in command(one)
        ]
    )
    family = psutil.Process(run.pid).children(recursive=True)
    assert kernel
    run.send_signal(signal.SIGKILL)
    run.communicate()
    assert assert_whole(project.latest) == before
    assert psutil.wait_procs(family, timeout=10)[1] == [], "processes outlived a killed run"
    assert len(list((project.reports / ".staging").iterdir())) == 1
    assert project.crm("report", "tiny").code == 0
    assert list((project.reports / ".staging").iterdir()) == []


def test_a_run_that_is_stopped_clears_up_itself(project):
    run = project.start("report", "tiny", "--set", "how=hangs")
    wait_for(
        lambda: [
            one for one in psutil.Process(run.pid).children(recursive=True) if "ipykernel" in command(one)
        ]
    )
    family = psutil.Process(run.pid).children(recursive=True)
    run.terminate()
    run.communicate(timeout=20)
    assert run.returncode == 128 + signal.SIGTERM
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert list((project.reports / ".staging").iterdir()) == []


def test_runs_side_by_side_both_end_and_neither_clears_the_others_staging(project):
    slow = project.start("report", "tiny", "--only", "02")
    wait_for(lambda: list((project.reports / ".staging").glob("*/.lock")))
    beside = [project.start("report", "tiny") for _ in range(2)]
    for one in [*beside, slow]:
        output, _ = one.communicate(timeout=60)
        assert one.returncode == 0, output
    assert_whole(project.latest)
    assert len(list((project.reports / "runs").iterdir())) == 4
    assert list((project.reports / ".staging").iterdir()) == []


def test_runs_are_listed_and_pruned_but_never_the_latest(project):
    from crmlib.report.runs import Reports

    reports = Reports(project.reports)
    first = assert_whole(project.latest)
    for number in range(4):
        copy = project.reports / "runs" / f"2099010{number}T000000Z-abcdef"
        shutil.copytree(project.latest.resolve(), copy)
        record = json.loads((copy / "run.json").read_text()) | {"run": copy.name}
        (copy / "run.json").write_text(json.dumps(record))
    listed = project.crm("runs", "tiny").out.splitlines()
    assert [line.split()[0] for line in listed][-1] == first
    assert listed[-1].endswith("4 ok, 1 skipped latest")
    pruned = project.crm("prune", "tiny", "--keep", "2")
    assert pruned.code == 0
    assert "2 runs removed" in pruned.out
    assert [one["run"][:8] for one in reports.kept()] == ["20990103", "20990102", first[:8]]
    assert assert_whole(project.latest) == first
    assert project.crm("prune", "tiny", "--keep", "0").code == 2


def test_a_full_disk_is_a_clear_error_and_latest_stays(project, small_disk):
    small, run = small_disk
    report = f"{sys.executable} -c 'from crmlib.cli import main; main()' report tiny --out {small}"
    script = f"""
        {report}
        first=$?; ls {small}/tiny/latest/index.html
        head -c 10M /dev/zero > {small}/ballast 2>/dev/null
        {report}
        echo "ended with $first and $?"; ls {small}/tiny/latest/index.html {small}/tiny/.staging
    """
    done = run(project, "600k", script)
    assert "ended with 0 and 1" in done.stdout, done.stdout + done.stderr
    assert "crm: the disk is full" in done.stderr
    assert "the latest report is unchanged" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.count(f"{small}/tiny/latest/index.html") >= 2


def test_a_folder_that_cannot_be_written_is_a_clear_error(project):
    taken = project.root / "taken"
    taken.mkdir()
    (taken / "tiny").write_text("a file")
    done = project.crm("report", "tiny", "--out", "taken")
    assert done.code == 1
    assert str(taken / "tiny") in done.err
    assert "nothing was published" in done.err
    assert "Traceback" not in done.err


def command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def wait_for(condition, seconds: float = 30):
    """Wait until something is there, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")
