"""The notebooks are thin and stripped, declare what they need, and run by hand as they run in a report."""

import ast
import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from crmlib.data.contracts import TABLE_NAMES
from crmlib.report.notebooks import read_notebooks
from crmlib.report.plan import plan_report
from tests.notebooks.refresh import CHECKED, NOTEBOOKS
from tests.notebooks.warm import run_notebook

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
NAMES = {path.stem for path in PATHS}


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def tagged(notebook, tag):
    return [cell for cell in notebook["cells"] if tag in cell["metadata"].get("tags", [])]


def test_the_suite_is_there():
    assert {"00_start_here", "01_data_check", "02_customer_base_audit"} <= NAMES


def test_the_runner_reads_every_notebook():
    assert {one.name for one in read_notebooks(NOTEBOOKS)} == NAMES


def test_the_map_and_the_readme_list_every_notebook_with_its_question():
    asked = {one.name: one.question for one in read_notebooks(NOTEBOOKS)}
    readme = (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `(\d\d_\w+)` \| (.+) \|$", readme, flags=re.M)) == asked
    start = "".join("".join(cell["source"]) for cell in json.loads(PATHS[0].read_text())["cells"])
    listed = dict(re.findall(r"^\| \[(\d\d_\w+)\]\(\1\.ipynb\) \| (.+) \|$", start, flags=re.M))
    assert listed == {name: question for name, question in asked.items() if name != "00_start_here"}


def test_it_declares_its_question_and_its_needs(notebook):
    about = notebook["metadata"]["crmlib"]
    assert set(about) - {"reads_if_there", "ledger"} == {"title", "question", "needs", "reads"}
    assert about["question"].endswith("?")
    assert set(about["needs"]) <= set(TABLE_NAMES)
    assert {*about["reads"], *about.get("reads_if_there", ())} <= NAMES


def test_one_parameters_cell_with_a_comment_on_each(notebook):
    (cell,) = tagged(notebook, "parameters")
    lines = [line for line in "".join(cell["source"]).splitlines() if line.strip()]
    assert all("  # " in line for line in lines)
    assert lines[0].startswith('study = "')
    assert lines[1].startswith("as_of = None")


def test_cells_are_short_and_define_nothing(notebook):
    for cell in code_cells(notebook):
        source = "".join(cell["source"])
        assert len(source.splitlines()) <= 12, source
        kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.AsyncFunctionDef)
        assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(source))), source


def test_prose_stands_before_the_code(notebook):
    assert notebook["cells"][0]["cell_type"] == "markdown"
    assert "".join(notebook["cells"][0]["source"]).startswith("# ")
    lines = [line for cell in notebook["cells"] for line in "".join(cell["source"]).splitlines()]
    assert lines.count("## What to do on Monday") == 1


def test_tables_are_written_by_the_library(notebook):
    """A frame that a notebook rounds or styles has neither labels nor units."""
    code = "\n".join("".join(cell["source"]) for cell in code_cells(notebook))
    assert not re.findall(r".*(?:\.round\(|\.style\b|set_option\(|\.to_frame\().*", code)


@pytest.mark.parametrize("name", ["03_segments", "05_churn", "09_retention", "12_decisions"])
def test_no_list_rests_on_a_model_by_which_nobody_with_one_purchase_has_left(name):
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    code = "\n".join("".join(cell["source"]) for cell in code_cells(notebook))
    assert not re.findall(r"(?<!Modified)BetaGeoModel", code)


def test_no_text_calls_known_what_may_be_missing_on_other_data():
    """Prose stands on every page: what holds for some data only is advice with its condition, or a frame's sentence."""
    prose = "\n".join(
        "".join(cell["source"])
        for path in sorted(NOTEBOOKS.glob("*.ipynb"))
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "markdown"
    )
    results = r"(?i)most customers (?:buy|bought|have)|intervals? overlap|\b\d+ % of (?:the )?customers (?:buy|bring)"
    assert not re.findall(results, prose)


def test_only_key_figures_are_stored_and_only_as_text(notebook):
    (figures,) = tagged(notebook, CHECKED)
    # A notebook made of other chapters alone differs with those that ran: nothing of it is stored.
    about = notebook["metadata"]["crmlib"]
    stored = [] if about.get("reads_if_there") and not about["needs"] else ["stream"]
    assert [output["output_type"] for output in figures["outputs"]] == stored
    others = [cell for cell in code_cells(notebook) if cell is not figures]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in others)


def test_one_notebook_by_hand_with_papermill(tmp_path):
    """As the README has it: an output notebook, and its figures where a run by hand leaves them."""
    output = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", "--no-progress-bar"]
    command += [str(NOTEBOOKS / "02_customer_base_audit.ipynb"), str(output), "-p", "study", "cdnow"]
    run = subprocess.run(
        command,
        cwd=NOTEBOOKS.parent,
        env={**os.environ, "CRMLIB_RUN_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert not any(
        one["output_type"] == "error"
        for cell in code_cells(json.loads(output.read_text()))
        for one in cell["outputs"]
    )
    figures = json.loads((tmp_path / "metrics" / "02_customer_base_audit.json").read_text())["figures"]
    assert figures["customers"]["value"] == 23_570


def shop_from(first, folder):
    """A study of 60 customers who buy now and then from a day to 1 June 2025; its file."""
    rng = np.random.default_rng(0)
    days = pd.date_range(first, "2025-06-01")
    rows = pd.DataFrame(
        {"customer_id": rng.integers(0, 60, 400), "date": rng.choice(days, 400), "amount": 10.0}
    )
    pd.concat([rows, rows[:1].assign(date=days[0])]).to_csv(folder / "transactions.csv", index=False)
    about = "title: Short\ndata_kind: real\ncurrency: USD\nas_of: 2025-06-01\ntables:\n"
    (folder / "study.yaml").write_text(f"{about}  transactions:\n    source: transactions.csv\n")
    return folder / "study.yaml"


@pytest.mark.parametrize(
    ("first", "label"), [("2025-01-04", "revenue of the last 2 months"), ("2025-04-20", None)]
)
def test_the_audit_of_a_short_log_says_nothing_of_months_that_it_does_not_hold(
    first, label, tmp_path, monkeypatch
):
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path))
    plan = plan_report(str(shop_from(first, tmp_path)))
    ended = run_notebook(NOTEBOOKS / "02_customer_base_audit.ipynb", plan, tmp_path)
    assert ended.how == "ok", ended.faults
    found = json.loads((tmp_path / "metrics" / "02_customer_base_audit.json").read_text())
    period = found["figures"]["period_value"]
    shown = (tmp_path / "02_customer_base_audit.ipynb").read_text(encoding="utf-8")
    assert "2024" not in found["headline"]
    assert "Dec 2024" not in shown
    if label:
        assert (period["label"], period["against"]) == (label, "the 2 before")
        assert "2 complete months each instead of 12" in shown
    else:
        assert period["value"] is None
        assert "Not measured: two periods to compare need a complete month each" in shown
        assert "Revenue rose" not in found["headline"]
