"""Grading: hand-ins with known faults are graded or refused with a reason, and none affects the others."""

import csv
import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from crmlib.cli import main
from crmlib.errors import DataError, StudyError
from crmlib.lessons import grade as grading
from crmlib.lessons.grade import number_from, read_key
from crmlib.lessons.hand_in import grade_id, put_back, read_cells
from tests.lessons.hand_ins import blank, cell_of, hand_in, solved, with_answers

KEY = bytes(range(16))
ROOT = Path(__file__).parents[2]


def put(notebook):
    return put_back(solved(), notebook["cells"], 5)


def sources(found):
    return [cell.get("source", cell.get("exercise")) for cell in found.cells]


def test_a_complete_hand_in_comes_back_as_the_lesson_on_another_firm():
    found = put(solved())
    assert found.remarks == ()
    assert found.memo.startswith("We had")
    assert "seed = 5  # the firm of your class" in sources(found)
    assert [cell["exercise"] for cell in found.cells if "exercise" in cell] == ["1.1", "1.2"]


def test_a_deleted_cell_counts_as_blank():
    notebook = solved()
    notebook["cells"].remove(cell_of(notebook, "exercise-1-2"))
    found = put(notebook)
    assert found.remarks == ("The cell of exercise 1.2 is missing; the answer counts as blank.",)
    assert sources(found).count("") == 1


def test_the_last_answer_of_a_copied_cell_counts():
    notebook = solved()
    place = notebook["cells"].index(cell_of(notebook, "exercise-1-1"))
    given = cell_of(blank(), "exercise-1-1")
    second = json.loads(json.dumps(notebook["cells"][place])) | {"id": "copy", "source": "answer_1_1 = 2"}
    notebook["cells"][place + 1 : place + 1] = [second, given | {"id": "copy-2"}]
    found = put(notebook)
    assert "answer_1_1 = 2" in sources(found)
    assert found.remarks == (
        "The cell of exercise 1.1 is there 3 times; the last one with an answer counts.",
    )


def test_moved_cells_are_put_back_and_added_cells_stay_where_they_were():
    notebook = solved()
    moved = cell_of(notebook, "exercise-1-2")
    notebook["cells"].remove(moved)
    notebook["cells"].insert(0, moved)
    place = notebook["cells"].index(cell_of(notebook, "exercise-1-1"))
    notebook["cells"].insert(place, {"cell_type": "code", "metadata": {}, "source": "help = 1", "id": "mine"})
    found = put(notebook)
    assert found.remarks == ()
    order = sources(found)
    assert order.index("help = 1") < order.index("1.1") < order.index("1.2")
    assert [one for one in order if one != "help = 1"] == sources(put(solved()))


def test_given_cells_cannot_be_changed():
    notebook = solved()
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            cell["source"] = "seed = 1"
        if grade_id(cell) == "check-1-1":
            cell["source"] = "crm.check = print"
    assert sources(put(notebook)) == sources(put(solved()))


def test_cells_that_lost_their_metadata_are_known_by_their_id():
    notebook = solved()
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    assert sources(put(notebook)) == sources(put(solved()))


def test_a_hand_in_saved_by_vs_code_is_read(tmp_path):
    """Lines in lists, sorted keys, new cells without metadata, another name of the kernel; names and ids are kept."""
    notebook = solved()
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
        cell["metadata"] |= {"vscode": {"languageId": "python"}} if cell["cell_type"] == "code" else {}
    place = notebook["cells"].index(cell_of(notebook, "check-1-1"))
    mine = {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": ["mine = 1"]}
    notebook["cells"].insert(place, mine)
    given = solved()["metadata"]
    notebook["metadata"] = given | {"kernelspec": given["kernelspec"] | {"display_name": ".venv (3.11.9)"}}
    del notebook["metadata"]["language_info"]
    path = tmp_path / "01_purchase_log.ipynb"
    path.write_text(json.dumps(notebook, indent=1, sort_keys=True), encoding="utf-8")
    found = put_back(solved(), read_cells(path)[0], 5)
    assert found.remarks == ()
    assert [one for one in sources(found) if one != "mine = 1"] == sources(put(solved()))
    assert sources(found).index("mine = 1") == sources(found).index("1.1") - 1


REFUSED = {
    "no JSON": ("{", "not a notebook"),
    "a list": ("[]", "not a notebook"),
    "no cells": ("{}", "not a notebook"),
    "cells of any kind": ('{"cells": [1, null, {"source": 3}], "metadata": {}}', "the notebook is empty"),
    "empty": (json.dumps({"cells": [], "metadata": {}}), "the notebook is empty"),
    "deep": ('{"cells": ' + "[" * 100_000, "not a notebook"),
    "another kernel": (
        json.dumps(solved() | {"metadata": {"kernelspec": {"language": "R"}}}),
        "its kernel is R",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_no_hand_in_is_refused_with_a_reason(tmp_path, what):
    text, feedback = REFUSED[what]
    hand_in(tmp_path, "s", text)
    with pytest.raises(DataError, match=feedback):
        read_cells(tmp_path / "s" / "01_purchase_log.ipynb")


def test_a_link_to_the_key_is_not_followed(tmp_path):
    (tmp_path / "key").write_text("x")
    (tmp_path / "01_x.ipynb").symlink_to(tmp_path / "key")
    with pytest.raises(DataError, match="a link"):
        read_cells(tmp_path / "01_x.ipynb")


def test_nothing_written_and_another_notebook_are_refused():
    with pytest.raises(DataError, match="nothing was written"):
        put(blank())
    with pytest.raises(DataError, match="no cell of this lesson"):
        put({"cells": [{"cell_type": "code", "source": "1", "metadata": {}, "id": "x"}]})


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    hand_ins = tmp_path / "class"
    hand_ins.mkdir()
    key = read_key(tmp_path / "key", hand_ins)
    assert len(key) == 16
    assert read_key(tmp_path / "key", hand_ins) == key
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(StudyError, match="among the hand-ins"):
        read_key(hand_ins / "key", hand_ins)
    (tmp_path / "other").write_text("abc")
    with pytest.raises(StudyError, match="32 hexadecimal digits"):
        read_key(tmp_path / "other", hand_ins)


def test_every_student_and_lesson_has_a_firm_of_its_own():
    seeds = {number_from(KEY, student, lesson) for student in "abc" for lesson in ("01", "02")}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**62 for seed in seeds)
    assert number_from(KEY, "a", "01") == number_from(KEY, "a", "01") != number_from(bytes(16), "a", "01")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Ten hand-ins of lesson 1, cut down to what its exercises need, graded by the command."""
    root = tmp_path_factory.mktemp("class")
    hand_ins, key = root / "hand-ins", root / "key"
    key.write_text(KEY.hex(), encoding="utf-8")  # the firms of these students are the same each time

    def short(notebook):
        needed = [cell for cell in notebook["cells"] if grade_id(cell) or cell["cell_type"] == "code"][:2]
        return notebook | {"cells": needed + [cell for cell in notebook["cells"] if grade_id(cell)]}

    lesson = short(solved())
    project = str(ROOT / "pyproject.toml")  # a key may lie here: the project is where the command is used
    spy = f"answer_1_1 = []\nfor path in {[str(key), project]!r}:\n    try:\n"
    spy += "        answer_1_1 += [open(path).read()]\n"
    spy += "    except PermissionError:\n        pass\nanswer_1_1 = answer_1_1 or 'refused'"
    typed_in = {"1.1": "answer_1_1 = 9947", "1.2": "answer_1_2 = log['amount'].mean()"}
    for student, notebook in {
        "best": lesson,
        "typed in": short(with_answers(typed_in)),
        "loop": short(with_answers({"1.1": "while True:\n    pass"})),
        "spy": short(with_answers({"1.1": spy, "1.2": "much = bytearray(2_000_000_000)\nanswer_1_2 = 1.0"})),
        "ends": short(with_answers({"1.2": "import os\nos._exit(0)"})),
    }.items():
        hand_in(hand_ins, student, notebook)
    hand_in(hand_ins, "broken", "{")
    hand_in(hand_ins, "nothing", blank())
    hand_in(hand_ins, "empty", REFUSED["empty"][0])
    hand_in(hand_ins, "R", REFUSED["another kernel"][0])
    hand_in(hand_ins, "unknown", solved(), name="homework.txt.ipynb")
    other = json.loads((hand_ins / "unknown" / "homework.txt.ipynb").read_text())
    other["metadata"].pop("crmlib_lesson")
    hand_in(hand_ins, "unknown", other, name="homework.txt.ipynb")
    patch = pytest.MonkeyPatch()
    graded_memo = lesson["metadata"]["crmlib_lesson"] | {"graded_memo": True}
    given = lesson | {"metadata": lesson["metadata"] | {"crmlib_lesson": graded_memo}}
    patch.setattr(grading, "_lesson", lambda path: given)
    words = [
        "lessons",
        "grade",
        str(hand_ins),
        "--key",
        str(key),
        "--to",
        str(root / "out"),
        "--seconds",
        "30",
    ]
    done = CliRunner().invoke(main, words)
    patch.undo()
    assert done.exit_code == 0, done.output
    assert "does not keep" not in done.output or not hasattr(os, "O_PATH")
    with (root / "out" / "grades.csv").open(encoding="utf-8") as file:
        return root / "out", {(row["student"], row["exercise"]): row for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("student", "exercise", "points", "feedback"),
    [
        ("best", "1.1", "1", "Right."),
        ("best", "1.2", "1", "Right."),
        ("best", "recommendation", "", "to be read"),
        ("typed in", "1.1", "0", "Not yet"),
        ("typed in", "1.2", "0", "This is the mean of the rows."),
        ("loop", "1.1", "0", "TimeoutError: the cell took too long"),
        ("loop", "1.2", "1", "Right."),
        ("ends", "1.1", "1", "Right."),
        ("ends", "1.2", "0", "ended its own process"),
        ("empty", "", "0", "the notebook is empty"),
        ("R", "", "0", "choose Python"),
        ("broken", "", "0", "not a notebook"),
        ("nothing", "", "0", "nothing was written"),
        ("unknown", "", "0", "none of the lessons"),
    ],
)
def test_each_hand_in_gets_its_points_and_feedback(graded, student, exercise, points, feedback):
    row = graded[1][student, exercise]
    assert row["points"] == points
    assert row["of"] == {"recommendation": "10", "": "0" if student == "unknown" else "12"}.get(exercise, "1")
    assert feedback in row["feedback"]


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="only Linux limits memory and files")
def test_memory_is_limited_and_the_key_cannot_be_read(graded):
    assert "MemoryError" in graded[1]["spy", "1.2"]["feedback"]
    assert graded[1]["spy", "1.1"]["feedback"] == "The answer is a text; give a number."  # it is "refused"


def test_each_student_gets_a_page_with_the_memo_and_a_question(graded):
    folder, rows = graded
    assert {path.stem for path in folder.glob("*.html")} == {student for student, _exercise in rows}
    page = (folder / "best.html").read_text(encoding="utf-8")
    assert "<h2>Lesson 1: A purchase log and its traps</h2>" in page
    assert "We had 9,947 orders" in page
    assert any(question in page for question in solved()["metadata"]["crmlib_lesson"]["questions"])


def test_a_folder_without_hand_ins_is_refused(tmp_path):
    done = CliRunner().invoke(main, ["lessons", "grade", str(tmp_path), "--key", str(tmp_path.parent / "k")])
    assert done.exit_code == 2
    assert "has no hand-in" in done.output
