"""Real runs: how each way of ending is told, and that the others go on."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

HEADING = "The step that may go wrong"


@pytest.fixture(scope="module")
def broken(published, tmp_path_factory):
    """A project, and a report of it in which 02 raises."""
    project = published.copy(tmp_path_factory.mktemp("broken") / "project")
    return project, project.crm("report", "tiny", "--set", "02.how=raises")


def the_failure(done) -> dict:
    assert done.code == 1
    (failure,) = done.record["failures"]
    return failure


def test_a_published_run_holds_all_it_says(published):
    latest = published.latest
    record = json.loads((latest / "run.json").read_text())
    assert record["run"] == latest.resolve().name
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", record["run"])
    assert {one["name"]: one["status"] for one in record["notebooks"]} == {
        "00_aside": "ok",  # starts at the same moment as the next
        "01_data_check": "ok",
        "02_base": "ok",
        "03_acquisition": "skipped",
        "04_decisions": "ok",
    }
    assert [one["reason"] for one in record["notebooks"] if one["status"] == "skipped"] == [
        "needs table marketing_spend. To supply it, add “marketing_spend: {source: marketing_spend.csv}” "
        "under “tables:” in tiny/study.yaml."
    ]
    (source,) = record["inputs"]
    assert (source["file"], source["rows"], len(source["sha256"])) == ("orders.csv", 30, 64)
    assert {"crmlib", "python", "pandas", "duckdb", "papermill"} <= set(record["versions"])
    figures = json.loads((latest / "metrics.json").read_text())
    assert figures["01_data_check"]["figures"]["rows"]["value"] == 5
    assert figures["02_base"]["figures"]["top"]["value"] == 3
    assert (latest / "tables/customers_to_contact_first.parquet").is_file()
    assert not list((published.reports / ".staging").glob("2*"))


def test_a_failure_ends_with_1_and_fits_one_screen(broken):
    _, done = broken
    assert done.code == 1
    assert len(done.err.splitlines()) < 40
    assert "02_base: failed" in done.err
    assert f"cell 5, under the heading “{HEADING}”" in done.err
    assert 'before["no such figure"]' in done.err
    assert "KeyError: 'no such figure'" in done.err
    assert "again      crm report tiny --only 02 --set 02.how=raises\n" in done.err
    partial = Path(re.search(r"so far +(\S+)", done.err)[1])
    assert json.loads(partial.read_text())["cells"]
    assert "\x1b" not in done.out + done.err


def test_a_failed_run_is_kept_apart_and_latest_stays(published, broken):
    project, done = broken
    assert project.latest.resolve().name == published.latest.resolve().name
    assert done.folder.parent == project.reports / "failed"
    page = (done.folder / "failure.html").read_text()
    for word in ("02_base", HEADING, "no such figure", "--only 02", str(done.folder)):
        assert word in page
    assert [one["reason"] for one in done.record["notebooks"] if one["name"] == "04_decisions"] == [
        "reads 02, which failed"
    ]
    assert "was not published" in (done.folder / "index.html").read_text()


def test_what_did_run_is_cached_also_after_a_failed_run(broken):
    project, done = broken
    assert done.ended["01_data_check"] == "cached"
    assert re.search(r"01_data_check +cached", done.out)
    assert project.crm("report", "tiny").ended["02_base"] == "cached"


def test_a_timeout_is_distinguished_from_an_exception(project):
    done = project.crm("report", "tiny", "--set", "how=hangs", "--timeout", "2")
    failure = the_failure(done)
    assert failure["status"] == "timeout"
    assert "longer than 2 seconds" in failure["reason"]
    assert "--timeout" in failure["reason"]
    assert (failure["cell"], failure["heading"]) == (5, HEADING)
    assert done.ended["04_decisions"] == "skipped"


@pytest.mark.parametrize("how", ["dies", "ends_its_worker"])
def test_a_killed_kernel_or_worker_is_reported_and_blocks_nothing(project, how):
    done = project.crm("report", "tiny", "--set", f"how={how}")
    failure = the_failure(done)
    assert failure["status"] == "kernel died"
    assert "memory" in failure["reason"]
    assert "--jobs 1" in failure["reason"]
    assert (failure["cell"], failure["heading"], failure["source_line"]) == (5, HEADING, 'if how == "hangs":')
    assert done.ended["01_data_check"] == "cached"


def test_only_reruns_one_and_takes_the_rest_from_the_cache(project):
    done = project.crm("report", "tiny", "--only", "02")
    assert done.ended == {
        "00_aside": "cached",
        "01_data_check": "cached",
        "02_base": "ok",
        "03_acquisition": "skipped",
        "04_decisions": "cached",  # the figures that it reads came out the same
    }
    assert project.latest.resolve() == done.folder


@pytest.mark.thorough
@pytest.mark.parametrize("longest", ["00_aside", "01_data_check"])
def test_what_took_longest_last_time_begins_first(project, longest):
    for name in ("00_aside", "01_data_check"):  # neither reads the other
        (entry,) = (project.root / ".cache/crmlib/notebooks/tiny" / name).glob("*/contents.json")
        kept = json.loads(entry.read_text())
        entry.write_text(
            json.dumps(kept | {"facts": {"seconds": 99.0 if name == longest else 1.0, "clear": ["ids"]}})
        )
    done = project.crm("report", "tiny", "--only", "00", "--only", "01", "--jobs", "1")
    begun = {}
    for name in ("00_aside", "01_data_check"):
        executed = json.loads((done.folder / "notebooks" / f"{name}.ipynb").read_text())
        begun[name] = executed["metadata"]["papermill"]["start_time"]
    assert min(begun, key=begun.get) == longest


def test_only_without_a_cache_takes_no_chapter_from_latest(project):
    before = project.latest.resolve()
    shutil.rmtree(project.root / ".cache/crmlib/notebooks/tiny/04_decisions")
    done = project.crm("report", "tiny", "--only", "02")
    assert done.code == 0
    assert done.ended["04_decisions"] == "skipped"
    assert project.latest.resolve() == before
    assert done.folder.parent.name == "runs"
    assert done.out.splitlines()[-1] == str(done.folder / "index.html")


def test_notebooks_that_cannot_run_do_not_fail_the_report(published):
    page = re.sub("</?code>", "", (published.latest / "index.html").read_text())
    assert page.count("Not run: 03 Acquisition (needs table marketing_spend).") == 1


def test_data_that_cannot_answer_are_no_failure(project):
    """A model refused these data: its notebook takes back what it published, and the report is published."""
    done = project.crm("report", "tiny", "--set", "02.how=cannot_answer", "--fresh")
    assert done.code == 0
    assert done.ended["02_base"] == "skipped"
    reason = next(one["reason"] for one in done.record["notebooks"] if one["name"] == "02_base")
    assert reason == "these data are not sufficient: too few customers came back"
    assert "these data are not sufficient" in (project.latest / "index.html").read_text(encoding="utf-8")
    assert not (project.latest / "metrics" / "02_base.json").exists()


@pytest.mark.thorough
def test_a_notebook_runs_without_what_it_reads_only_if_it_is_there(project):
    path = project.root / "notebooks/04_decisions.ipynb"
    content = json.loads(path.read_text())
    content["metadata"]["crmlib"] |= {"reads": [], "reads_if_there": ["02_base", "03_acquisition"]}
    path.write_text(json.dumps(content))
    done = project.crm("report", "tiny", "--set", "02.how=raises")
    assert (done.ended["02_base"], done.ended["03_acquisition"]) == ("failed", "skipped")
    assert done.ended["04_decisions"] == "ok"
    done = project.crm("report", "tiny", "--set", "02.top=4")
    assert done.ended["04_decisions"] == "ok"  # what it reads is there now
    assert project.crm("report", "tiny", "--set", "02.top=4").ended["04_decisions"] == "cached"


def test_pictures_are_kept_with_a_finished_notebook(project):
    made = project.latest / "pictures/page_one.png"
    before = made.read_bytes()
    done = project.crm("report", "tiny")
    assert done.ended["01_data_check"] == "cached"
    assert (project.latest / "pictures/page_one.png").read_bytes() == before
