"""Lessons: their form, right solutions, and a students' edition without the solutions."""

import json
import os
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from crmlib.lessons.check import PRACTICE_SEED
from crmlib.lessons.exercise import EXERCISES
from crmlib.lessons.hand_in import grade_id
from crmlib.lessons.release import lesson_files, release, text_of, with_seed
from crmlib.report.pages import anchor

ROOT = Path(__file__).parents[2]
SEEDS = [int(seed) for seed in os.environ.get("CRMLIB_LESSON_SEEDS", str(PRACTICE_SEED)).split()]
LESSONS = lesson_files()
EACH = pytest.mark.parametrize("number", LESSONS)
ENTRIES = re.findall(r"^## (.+)$", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), flags=re.M)
# A cell of prose may hold more than one of them.
PARTS = (
    *("**The decision.**", "## Your guess", "## By hand", "## When this lies", "## Your recommendation"),
    *("## The truth", "## What would change your mind?"),
)


def lesson(number, edition=""):
    path = LESSONS[number]
    return json.loads((path.parent / edition / path.name).read_text(encoding="utf-8"))


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell as a kernel has it, in a folder of its own."""
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    # The shell becomes the main module, and a reset takes from it what processes are started by.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    plt.switch_backend("Agg")
    one = InteractiveShell.instance()
    one.reset(new_session=False)
    yield one
    plt.close("all")
    one.reset(new_session=False)


def test_fourteen_lessons_ten_of_them_core_and_four_graded_memos():
    about = [lesson(number)["metadata"]["crmlib_lesson"] for number in LESSONS]
    assert [one["number"] for one in about] == list(range(1, 15))
    assert sum(one["core"] for one in about) == 10
    assert sum(one["graded_memo"] for one in about) == 4
    assert all(45 <= one["minutes"] <= 75 for one in about)
    assert all(len(one["questions"]) >= 3 for one in about)


@EACH
def test_the_form_of_a_lesson(number):
    notebook = lesson(number)
    prose = "\n".join(text_of(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    places = [prose.index(part) for part in PARTS]
    assert places == sorted(places)
    assert "that we test:*" in prose
    names = [grade_id(cell) for cell in notebook["cells"] if grade_id(cell)]
    assert names == [
        *(f"{what}-{number}-{place}" for place in (1, 2) for what in ("exercise", "check")),
        f"memo-{number}",
    ]
    for cell in code(notebook):
        lines = [line for line in text_of(cell).splitlines() if line.strip() and "###" not in line]
        assert len(lines) <= 8, text_of(cell)
        assert not cell["outputs"]
    graded = cell_points(notebook)[f"memo-{number}"]
    assert graded == (10 if notebook["metadata"]["crmlib_lesson"]["graded_memo"] else 0)


def cell_points(notebook):
    return {
        grade_id(cell): cell["metadata"]["nbgrader"].get("points")
        for cell in notebook["cells"]
        if grade_id(cell)
    }


@EACH
def test_links_lead_to_the_glossary(number):
    prose = "\n".join(text_of(cell) for cell in lesson(number)["cells"])
    links = re.findall(r"\]\(([^)]*)\)", prose)
    assert {link.partition("#")[0] for link in links} <= {"../../docs/glossary.md"}
    assert {link.partition("#")[2] for link in links} <= set(map(anchor, ENTRIES))


@EACH
@pytest.mark.parametrize("seed", SEEDS)
def test_a_lesson_runs_and_its_solutions_are_right(number, seed, shell):
    """The hidden tests are in the lessons themselves: they fail where a solution is wrong."""
    for cell in code(with_seed(lesson(number), seed)):
        result = shell.run_cell(text_of(cell), silent=True)
        result.raise_error()
    assert shell.user_ns["firm"].settings.random_state == seed
    assert set(shell.user_ns) >= {
        one.variable for one in EXERCISES.values() if one.number.split(".")[0] == str(number)
    }


@pytest.mark.parametrize("number", [1, 3, 8])
def test_a_students_edition_runs_until_the_first_blank(number, shell):
    for cell in code(lesson(number, "student")):
        result = shell.run_cell(text_of(cell), silent=True)
        if grade_id(cell).startswith("exercise-"):
            assert isinstance(result.error_in_exec, NotImplementedError)
            break
        result.raise_error()
    else:
        pytest.fail("there is no blank")


@EACH
def test_the_students_edition_is_the_lesson_without_its_solutions(number):
    """`make lessons` writes it anew."""
    ours, theirs = lesson(number)["cells"], lesson(number, "student")["cells"]
    assert [cell["id"] for cell in ours] == [cell["id"] for cell in theirs]
    for our, their in zip(ours, theirs, strict=True):
        if grade_id(our).startswith("exercise-"):
            assert text_of(their).endswith("# YOUR CODE HERE\nraise NotImplementedError()")
        elif grade_id(our).startswith("memo-"):
            assert text_of(their) == "YOUR ANSWER HERE"
        else:
            kept = re.sub(r"\n?### BEGIN HIDDEN.*?### END HIDDEN TESTS", "", text_of(our), flags=re.S)
            assert text_of(their) == kept.replace("../../docs/glossary.md", "../../../docs/glossary.md")


def test_nbgrader_makes_the_edition_that_is_committed(tmp_path):
    if "CRMLIB_REQUIRE_NBGRADER" not in os.environ:
        pytest.importorskip("nbgrader", reason="nbgrader brings JupyterLab, which slows every kernel")
    for path in release(tmp_path):
        if path.name != "glossary.md":
            committed = (LESSONS[1].parent / "student" / path.name).read_text(encoding="utf-8")
            assert path.read_text(encoding="utf-8") == committed.replace(
                "../../../docs/glossary.md", "glossary.md"
            )
    (other,) = [path for path in release(tmp_path, 7) if path.name.startswith("01_")]
    assert "seed = 7  #" in other.read_text(encoding="utf-8")
    assert (tmp_path / "glossary.md").is_file()
