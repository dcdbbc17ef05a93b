"""A run is made from one state of its inputs, gives the same from the cache, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

from crmlib.data.kept import facts_of
from crmlib.report.runs import read_record
from crmlib.study import places

from .conftest import RUN_CRM, Project
from .test_runs import KILLS, wait_for

# When a source is changed, in seconds after the first notebook began; where a run is killed often, that is done too.
INSTANTS = [(0.0, False), (0.6, True)]
if KILLS > 12:
    INSTANTS += [(1.5, False), *((n / 5, False) for n in range(1, 8))]


def contents(run: Path, *kinds: str) -> dict[str, bytes]:
    """Every file of a run, or those in the folders named."""
    run = run.resolve()
    files = {path.relative_to(run): path for path in sorted(run.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in files.items()
        if not kinds or name.parts[0] in kinds
    }


def cleaned(project: Project) -> list[Path]:
    return sorted((project.root / ".cache/crmlib/cleaned").iterdir())


def running_in(temporary: Path) -> list[str]:
    """The processes whose folder for temporary files it is, by the environment they were started with."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or belongs to another user
            if f"TMPDIR={temporary}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(process.name)
    return found


def test_a_report_from_the_cache_is_the_report(project):
    first = project.latest.resolve()  # made when nothing was cached
    cached = project.crm("report", "tiny")
    assert set(cached.ended.values()) == {"cached", "skipped"}
    assert {*contents(first)} == {*contents(cached.folder)}
    assert "tables/customers_to_contact_first.csv" in contents(cached.folder)
    kept = ("metrics.json", "metrics", "tables", "notebooks", "quarantine.parquet")
    assert contents(first, *kept) == contents(cached.folder, *kept)


@pytest.mark.thorough
def test_rows_in_another_order_give_the_same_figures_and_tables(project):
    """Whatever the jobs, the folder, the time zone and the hash seed."""
    before = contents(
        project.latest, "metrics", "tables"
    )  # of a run with two jobs, or as many as there are cores
    orders = project.root / "data/tiny/orders.csv"
    header, *rows = orders.read_text().splitlines()
    orders.write_text("\n".join([header, *rows[::-1]]) + "\n")
    other = {"TZ": "Asia/Kolkata", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    done = project.crm("report", "tiny", "--jobs", "1", **other)
    assert done.ended["02_base"] == "ok"
    assert contents(done.folder, "metrics", "tables") == before


@pytest.mark.parametrize(("seconds", "put_back"), INSTANTS)
def test_a_source_that_changes_during_a_run_is_named_and_nothing_is_published(project, seconds, put_back):
    orders = project.root / "data/tiny/orders.csv"
    planned, before = orders.read_bytes(), project.latest.resolve()
    run = project.start("report", "tiny", "--fresh", "--set", "02.top=4")
    wait_for(lambda: [*project.reports.glob(".staging/*/*/notebooks")])
    time.sleep(seconds)
    orders.write_bytes(planned + b"Anna,2024-06-29,500.00\n")
    if put_back:
        time.sleep(0.5)
        orders.write_bytes(planned)
    output, _ = run.communicate(timeout=60)
    if run.returncode == 0:  # put back before anybody looked
        assert put_back
        figures = "metrics/01_data_check.json"
        assert contents(project.latest, "metrics")[figures] == contents(before, "metrics")[figures]
    else:
        assert run.returncode == 1
        assert "orders.csv changed" in output or "the source of transactions changed" in output
        assert project.latest.resolve() == before
    orders.write_bytes(planned)
    assert project.crm("report", "tiny").code == 0
    assert contents(project.latest, "metrics") == contents(before, "metrics")


@pytest.mark.thorough
def test_a_damaged_cache_entry_is_made_again_with_a_warning(project):
    for damaged in ("used.parquet", "report.json", "contents.json"):
        (entry,) = cleaned(project)
        content = (entry / damaged).read_bytes()
        (entry / damaged).write_bytes(content[: len(content) // 2])
        done = project.crm("check", "tiny")
        assert done.code == 0, done.err
        assert f"{entry} was damaged, and is made again" in done.err
        assert facts_of(entry) == {"study": "tiny", "clear": ["ids"]}
    for damage in ("null", "", '{"files": 1}', "[]"):
        (entry,) = (project.root / ".cache/crmlib/notebooks/tiny/02_base").glob("*/contents.json")
        whole = shutil.copytree(entry.parent, project.root / "whole", dirs_exist_ok=True)
        entry.write_text(damage)
        assert facts_of(entry.parent) is None
        assert not entry.exists()
        shutil.copytree(whole, entry.parent)
    entry.write_text("[]")
    assert project.crm("report", "tiny").ended["02_base"] == "ok"


def test_a_stricter_privacy_removes_what_was_kept_in_the_clear(project):
    study = project.root / "data/tiny/study.yaml"
    (in_the_clear,) = cleaned(project)
    study.write_text(study.read_text() + "privacy: hash\n")
    secret = {"CRMLIB_HASH_SECRET": "only for this test 1234"}
    assert project.crm("report", "tiny", **secret).code == 0
    assert in_the_clear not in cleaned(project)
    for path in (project.root / ".cache").rglob("*"):
        assert path.suffix not in (".parquet", ".csv") or b"Anna" not in path.read_bytes(), path


def test_the_cache_has_a_budget_and_what_is_in_use_stays(tmp_path, monkeypatch):
    from crmlib.data import kept

    for number in range(4):
        entry = kept.keep(
            tmp_path / f"e{number}", lambda folder: (folder / "f").write_bytes(b"x" * 1000), of=number
        )
        os.utime(entry / kept.CONTENTS, (number, number) if number < 3 else None)
    monkeypatch.setattr(kept, "KEPT_BYTES", 2500)
    kept.forget(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["e2", "e3"]
    monkeypatch.setattr(kept, "KEPT_BYTES", 10)
    kept.forget(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["e3"]
    kept.forget(tmp_path, lambda facts: facts["of"] == 3)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_nothing_is_left_of_runs_that_were_ended_on_a_cold_cache(unrun):
    project, temporary = unrun, Path(tempfile.mkdtemp(dir="/tmp"))  # a socket's path must be short
    ends = [(signal.SIGKILL, 0.9), (signal.SIGTERM, 2.0)]
    if KILLS > 12:
        ends += [(signal.SIGINT, 1.5), (signal.SIGTERM, 2.5), (signal.SIGKILL, 3.0)]
        ends += [(signal.SIGKILL, one / 10) for one in range(8, 8 + KILLS - 12)]
    for how, seconds in ends:
        run = subprocess.Popen(
            [*RUN_CRM, "report", "tiny"],
            cwd=project.root,
            env=project.environment(TMPDIR=str(temporary)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(seconds)
        run.send_signal(how)
        run.wait(timeout=30)
    wait_for(
        lambda: not running_in(temporary)
    )  # a kernel ends a second after its runner, later on a busy machine
    last = subprocess.run(
        [*RUN_CRM, "report", "tiny"],
        cwd=project.root,
        env=project.environment(TMPDIR=str(temporary)),
        check=True,
    )
    assert last.returncode == 0
    assert [*temporary.iterdir()] == []
    temporary.rmdir()
    left = [path for path in project.root.rglob(".*") if path.name.startswith((".making-", ".cleaning-"))]
    assert left == []
    assert list((project.reports / ".staging").iterdir()) == []


def test_a_disk_that_is_full_while_cleaning_is_a_clear_error(unrun, small_disk):
    rows = (f"customer {one},2024-05-{one % 28 + 1:02},{one}.50" for one in range(40_000))
    (unrun.root / "data/tiny/orders.csv").write_text("\n".join(["customer_id,date,amount", *rows]))
    small, run = small_disk
    done = run(unrun, "100k", shlex.join([*RUN_CRM, "report", "tiny"]), CRMLIB_CACHE_DIR=str(small))
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("crm: the disk is full")
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_record_of_a_run_breaks_no_command(project):
    record = '{"run": "x", "seconds": 1, "notebooks": [1]}'
    for damage in ("null", "{}", "{", '{"run": 1}', record, "[]"):
        (project.latest / "run.json").write_text(damage)
        assert read_record(project.latest) == {}
    listed = project.crm("runs", "tiny")
    assert (listed.code, listed.err) == (0, "")
    assert "its run.json is damaged" in listed.out
    assert project.crm("prune", "tiny", "--keep", "1").code == 0
    assert project.crm("report", "tiny").code == 0
    assert json.loads((project.latest / "run.json").read_text())["study"] == "tiny"


def test_runs_may_stand_on_another_disk(project):
    elsewhere = Path("/dev/shm")
    if not os.access(elsewhere, os.W_OK) or elsewhere.stat().st_dev == project.root.stat().st_dev:
        pytest.skip("there is no other disk")
    other = elsewhere / f"crmlib-test-{os.getpid()}"
    try:
        shutil.copytree(project.reports / "runs", other)
        shutil.rmtree(project.reports / "runs")
        (project.reports / "runs").symlink_to(other)
        done = project.crm("report", "tiny")
        assert done.code == 0, done.err
        assert (project.latest / "index.html").is_file()
        assert project.latest.resolve().parent == other.resolve()
        assert not [*other.glob(".*")]
    finally:
        shutil.rmtree(other, ignore_errors=True)


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("CRMLIB_SMTP_PORT", "smtp", "CRMLIB_SMTP_PORT is 'smtp'"),
        ("CRMLIB_SMTP_PORT", "70000", "CRMLIB_SMTP_PORT is '70000'"),
        ("CRMLIB_SMTP_SECURITY", "ssl", "CRMLIB_SMTP_SECURITY is 'ssl'"),
        ("CRMLIB_SMTP_FROM", "café@example.org", "CRMLIB_SMTP_FROM"),
    ],
)
def test_mail_is_checked_before_the_run(project, variable, value, complaint):
    before = project.runs()
    done = project.crm("report", "tiny", "--mail-to", "boss@example.org", **{variable: value})
    assert (done.code, project.runs()) == (2, before)
    assert complaint in done.err
    assert "Traceback" not in done.err


def test_the_cache_of_a_study_that_came_with_the_package_is_where_one_works(tmp_path, monkeypatch):
    shipped, own = places.find_study("cdnow-sample"), tmp_path / "data/mine/study.yaml"
    monkeypatch.chdir(tmp_path)
    assert places.root_of(shipped) == tmp_path.resolve()
    assert places.root_of(own.resolve()) == places.find_root(own.parent)


def test_what_is_made_from_a_frame_outlives_its_study():
    import crmlib as crm

    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "date": ["2024-01-01", "2024-02-01", "2024-02-03"],
            "amount": [1.0, 2.0, 3.0],
        }
    )
    rows = crm.open_study(frame).transactions
    assert crm.rfm_summary(rows, as_of="2024-03-01")["frequency"].tolist() == [1, 0]
    derived = crm.open_study(frame).transactions.filter(lambda one: one.amount > 1)
    assert derived.count().execute() == 2
