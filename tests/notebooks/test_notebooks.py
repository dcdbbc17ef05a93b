"""The notebooks are thin and stripped, declare what they need, and run by hand as they run in a report."""

import ast
import json
import os
import re
import subprocess
import sys

import pytest

from crmlib.data.tables import TABLE_NAMES
from crmlib.report.notebooks import read_notebooks
from tests.notebooks.refresh import CHECKED, NOTEBOOKS

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
    assert set(about) == {"title", "question", "needs", "reads"}
    assert about["question"].endswith("?")
    assert set(about["needs"]) <= set(TABLE_NAMES)
    assert set(about["reads"]) <= NAMES


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
    assert notebook["cells"][0]["source"][0].startswith("# ")
    assert "What to do on Monday" in "".join("".join(cell["source"]) for cell in notebook["cells"][-2:])


def test_only_key_figures_are_stored_and_only_as_text(notebook):
    (figures,) = tagged(notebook, CHECKED)
    assert [output["output_type"] for output in figures["outputs"]] == ["stream"]
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
