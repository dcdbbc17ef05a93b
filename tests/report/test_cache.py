"""What makes a finished notebook run again, and what does not; secrets stay out of all that is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from crmlib import secrets
from crmlib.report.cache import Cache
from crmlib.report.plan import plan_report
from crmlib.secrets import holds_secret, redact


def edit_cell(project, name, before, after):
    path = project.root / "notebooks" / f"{name}.ipynb"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_an_unchanged_report_is_cached_and_quick(published, project):
    took = json.loads((published.latest / "run.json").read_text())["seconds"]
    began = time.monotonic()
    done = project.crm("report", "tiny")
    assert set(done.ended.values()) == {"cached", "skipped"}
    assert done.record["seconds"] < took / 10
    assert (
        time.monotonic() - began < 10
    )  # the promise of 3 s is measured by the benchmarks, on a quiet machine
    for name in ("index.html", "01_data_check.html", "tables/fitness_gates.parquet", "metrics.json"):
        assert (project.latest / name).is_file()


@pytest.mark.thorough
def test_fresh_ignores_the_cache(project):
    done = project.crm("report", "tiny", "--fresh")
    assert done.ended["01_data_check"] == done.ended["02_base"] == done.ended["04_decisions"] == "ok"


def test_changed_code_runs_again_and_changed_figures_run_their_readers(project):
    edit_cell(project, "02_base", "Top {top} of", "The top {top} of")
    done = project.crm("report", "tiny")
    assert done.ended["01_data_check"] == "cached"
    assert (done.ended["02_base"], done.ended["04_decisions"]) == ("ok", "ok")


def test_outputs_stored_in_a_notebook_are_no_change(project):
    path = project.root / "notebooks" / "02_base.ipynb"
    content = json.loads(path.read_text())
    content["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["by hand"]}]
    content["cells"][-1]["execution_count"] = 7
    path.write_text(json.dumps(content))
    assert project.crm("report", "tiny").ended["02_base"] == "cached"


def key_of(project, name="01_data_check", **options) -> str:
    planned = plan_report("data/tiny/study.yaml", root=project.root, **options)
    return Cache(project.root / "cache", planned).key(planned.chapter(name), project.latest)


def test_the_key_covers_data_facts_parameters_and_upstream(project, monkeypatch):
    monkeypatch.chdir(project.root)
    keys = [key_of(project), key_of(project, as_of="2024-05-31"), key_of(project, "02_base")]
    assert key_of(project) == keys[0]
    keys.append(key_of(project, "02_base", set=["top=4"]))
    with (project.root / "data/tiny/orders.csv").open("a") as orders:
        orders.write("Anna,2024-06-29,5.00\n")
    keys.append(key_of(project))
    with (project.root / "data/tiny/study.yaml").open("a") as study:
        study.write("margin: 0.4\n")
    keys += [key_of(project), key_of(project, "02_base")]
    metrics = project.latest / "metrics/01_data_check.json"
    metrics.write_text(metrics.read_text().replace("every row", "each row"))
    keys.append(key_of(project, "02_base"))
    assert len(set(keys)) == len(keys)


@pytest.mark.thorough
def test_the_key_covers_the_library(project, tmp_path):
    shutil.copytree(project.library, tmp_path / "library")
    script = (
        "from pathlib import Path; from crmlib.report.cache import Cache; from crmlib.report.plan import plan_report; "
        "print(Cache(Path(), plan_report('tiny')).common)"
    )

    def common() -> str:
        environment = project.environment(PYTHONPATH=str(tmp_path / "library"))
        return subprocess.check_output(
            [sys.executable, "-c", script], cwd=project.root, env=environment, text=True
        )

    def after_an_edit_of(*modules: str) -> str:
        for module in modules:
            with (tmp_path / "library/crmlib" / module).open("a") as file:
                file.write("# changed\n")
        return common()

    keys = [common()]
    # The looks of a page or a command are no concern of a notebook's.
    assert after_an_edit_of("report/pages.py", "cli/commands.py", "cli/data.py") == keys[0]
    for module in (
        "units.py",
        "charts/segments.py",
        "data/cleaning/reading.py",
        "models/beta_geo.py",
        "arguments.py",
    ):
        keys.append(after_an_edit_of(module))
        assert keys[-1] != keys[-2], module


def test_the_last_seconds_are_those_of_the_newest_entry(project, monkeypatch):
    monkeypatch.chdir(project.root)
    cache = Cache(project.root / "cache", plan_report("data/tiny/study.yaml", root=project.root))
    assert cache.last_seconds("01_data_check") is None
    cache.keep("01_data_check", "one", project.latest, 3.0)
    cache.keep("01_data_check", "two", project.latest, 2.0)
    os.utime(project.root / "cache/01_data_check/one/contents.json", (0, 0))
    assert cache.last_seconds("01_data_check") == 2.0
    (project.root / "cache/01_data_check/two/contents.json").write_text("{")
    assert cache.last_seconds("01_data_check") is None


def test_a_damaged_entry_is_not_used(project):
    (kept,) = (project.root / ".cache/crmlib/notebooks/tiny/02_base").glob("*/notebooks/02_base.ipynb")
    kept.write_text("{")
    assert project.crm("report", "tiny").ended["02_base"] == "ok"


def test_secrets_of_the_environment_reach_no_artefact(project):
    address = "postgresql://shop:correct-horse@db.example/shop"
    edit_cell(
        project, "02_base", "print(say)", "print(say, os.environ['SHOP_URL'], os.environ['SHOP_TOKEN'])"
    )
    edit_cell(
        project, "04_decisions", 'print(\\"call Anna\\")', "import os; raise OSError(os.environ['SHOP_URL'])"
    )
    done = project.crm("report", "tiny", SHOP_URL=address, SHOP_TOKEN="battery-staple")
    assert done.code == 1
    assert "postgresql://shop:•••@db.example" in done.err
    texts = [done.out, done.err]
    for path in project.root.rglob("*"):
        if path.is_file() and path.suffix in {".ipynb", ".html", ".json"}:
            texts.append(path.read_text())
    assert len(texts) > 20
    for secret in ("correct-horse", "battery-staple"):
        assert not [text for text in texts if secret in text]


@pytest.fixture
def redacted(monkeypatch):
    def redact_in(environment, value):
        monkeypatch.setattr(secrets.os, "environ", environment)
        try:
            return redact(value)
        finally:
            monkeypatch.undo()

    return redact_in


def test_redaction_leaves_ordinary_words(redacted):
    assert (
        redacted({"API_TOKEN": "yes", "HOME": "good"}, "yes, the data are good") == "yes, the data are good"
    )
    assert redacted({"API_TOKEN": "abc123xyz"}, "token=abc123xyz") == "token=•••"


def test_redaction_leaves_numbers_keys_and_parts_of_words(redacted):
    environment = {
        "LLM_MAX_TOKENS": "100000",
        "PIN_SECRET": "100000",
        "DB_PASSWORD": "figures",
        "API_TOKEN": "mean_2",
    }
    record = {"figures": [100000, "100000 of figures"], "mean_2": 100000.5}
    assert redacted(environment, record) == record
    assert redacted(environment, "the mean_24 of figures") == "the mean_24 of figures"
    shell = {"PWD": "/srv/reports-2024", "OLDPWD": "/srv/old-1", "MYSQL_PWD": "s3cret!"}
    assert redacted(shell, "/srv/reports-2024/a /srv/old-1 s3cret!") == "/srv/reports-2024/a /srv/old-1 •••"
    assert redacted(environment, ["mean_2", {"mean_2": "is mean_2."}]) == ["•••", {"mean_2": "is •••."}]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("password: hunter2secret", True),
        ("db_password: 'hunter2secret'", True),
        ("Server=x;Password=abc;", True),
        ("title: 'Secret: what our best customers buy'", False),
        ('title: "The secret of 2024: Q3-2024"', False),
        ("Secret: the plan", False),
    ],
)
def test_a_title_is_no_password(text, is_one):
    assert holds_secret(text) == is_one


def test_redaction_finds_a_secret_as_json_and_html_write_it(redacted):
    environment = {"DB_PASSWORD": 'pa"ss<wörd>'}
    for written in ('pa"ss<wörd>', json.dumps('pa"ss<wörd>'), "pa&quot;ss&lt;wörd&gt;"):
        assert "ss" not in redacted(environment, written)
