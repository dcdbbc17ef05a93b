"""Grade a folder of hand-ins: a table of points, and a page for each student."""

from __future__ import annotations

import csv
import functools
import hashlib
import hmac
import html
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crmlib.errors import CrmError, StudyError
from crmlib.lessons.check import lesson_firm
from crmlib.lessons.exercise import EXERCISES, Exercise
from crmlib.lessons.hand_in import put_back, read_cells
from crmlib.lessons.release import lesson_files
from crmlib.lessons.sandbox import run

_FAULT = "The grader failed here ({}); look at this hand-in by hand."
_BLANK = "There is no answer."
_HOW = "Your code was run on a firm of your own, which you have not seen: a number that was typed in is wrong there."


@dataclass(frozen=True)
class Row:
    """A row of grades.csv: one exercise, or the whole hand-in if `exercise` is empty; `points` is None until graded."""

    student: str
    lesson: str
    exercise: str
    points: int | None
    of: int
    feedback: str


@dataclass(frozen=True)
class Graded:
    """A graded hand-in: its points, remarks on its cells, the recommendation, and a question to ask the student."""

    title: str
    rows: list[Row]
    remarks: tuple[str, ...] = ()
    memo: str = ""
    question: str = ""
    shut: bool = True


def read_key(path: Path, hand_ins: Path) -> bytes:
    """Read the teacher's secret key; make a new one if there is no file.

    Raises
    ------
    StudyError
        If the file is no key, or lies among the hand-ins.
    """
    if path.resolve().is_relative_to(hand_ins.resolve()):
        raise StudyError(f"{path} lies among the hand-ins, which read each other; put the key elsewhere")
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16) + "\n", encoding="utf-8")
    try:
        key = bytes.fromhex(path.read_text(encoding="utf-8").strip())
    except ValueError:
        key = b""
    if len(key) != 16:
        needed = "32 hexadecimal digits are needed; without the file a new one is made"
        raise StudyError(f"{path} is no key: {needed}")
    return key


def number_from(key: bytes, *words: str) -> int:
    """A number of 62 bits from these words and the key; nobody without the key can compute it."""
    text = "\0".join(words).encode()
    return int.from_bytes(hmac.new(key, text, hashlib.sha256).digest()[:8], "big") >> 2


def grade(
    folder: Path, key_file: Path, to: Path, *, seconds: float, memory_mb: int, watch: Callable[[str], None]
) -> Path:
    """Grade every notebook of a folder with one folder per student; returns the table's path.

    Parameters
    ----------
    folder : Path
        `STUDENT/NN_lesson.ipynb`, with any folders between, as nbgrader has them.
    key_file : Path
        The file of the teacher's secret, from which each student's firm is made; made if it is not there.
    to : Path
        Where `grades.csv` and the pages are written.
    seconds, memory_mb : float, int
        Limits of a hand-in.
    watch : callable
        Called with a line for each hand-in.

    Raises
    ------
    StudyError
        If there is no hand-in, or the key is none.
    """
    paths = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    paths = [path for path in paths if len(path.relative_to(folder).parts) > 1]
    if not paths:
        raise StudyError(f"{folder} has no hand-in; they are found as {folder}/STUDENT/NN_lesson.ipynb")
    new = not key_file.exists()
    read_key(key_file, folder)
    if new:
        watch(f"{key_file} is your new key: keep it, and show it to nobody")
    to.mkdir(parents=True, exist_ok=True)
    by_student: dict[str, list[Graded]] = {}
    for path in paths:
        student = path.relative_to(folder).parts[0]
        try:
            graded = grade_one(path, student, key_file, seconds=seconds, memory_mb=memory_mb)
        except Exception as error:  # one hand-in must not end the others
            feedback = str(error) if isinstance(error, CrmError) else _FAULT.format(type(error).__name__)
            number = _number_of(path, {})
            lesson, of = (f"{number:02d}", _most_points(number)) if number else (path.stem, 0)
            row = Row(student, lesson, "", 0, of, f"This file was not graded: {feedback}")
            graded = Graded(path.name, [row])
        by_student.setdefault(student, []).append(graded)
        counted = [row for row in graded.rows if row.points is not None]
        points, of = sum(row.points or 0 for row in counted), sum(row.of for row in counted)
        watch(f"{student} {path.name}: {points} of {of}")
        if not graded.shut:
            watch("This system, or the place of the key, does not keep the hand-in from reading the key.")
    table = to / "grades.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Row.__dataclass_fields__))
        writer.writeheader()
        for found in by_student.values():
            writer.writerows(asdict(row) for graded in found for row in graded.rows)
    for student, found in by_student.items():
        (to / f"{student}.html").write_text(_page(student, found), encoding="utf-8")
    return table


def grade_one(path: Path, student: str, key_file: Path, *, seconds: float, memory_mb: int) -> Graded:
    """Grade one notebook on the student's own firm.

    Raises
    ------
    DataError
        If it cannot be graded at all.
    """
    cells, about = read_cells(path)
    number = _number_of(path, about)
    if not number:
        cure = "call it after its number, such as 03_answers.ipynb"
        raise StudyError(f"{path.name} is none of the lessons; {cure}")
    lesson, name = _lesson(lesson_files()[number]), f"{number:02d}"
    key = read_key(key_file, path.parent)
    seed = number_from(key, student, name)
    hand_in = put_back(lesson, cells, seed)
    ran = run(hand_in, key_file, seconds=seconds, memory_mb=memory_mb)
    firm = lesson_firm(seed)
    rows = []
    for exercise in _exercises(number):
        right, feedback = False, _BLANK
        if exercise.number in ran.answers:
            checked = exercise.judge(firm, ran.answers[exercise.number])
            right, feedback = checked.right, checked.feedback
        elif error := ran.errors.get(exercise.cell):
            feedback = f"The cell ended with an error: {error}"
        elif not ran.done:
            feedback = f"The notebook was stopped: it took more than {seconds:.0f} seconds, or ended its own process."
        rows.append(Row(student, name, exercise.number, int(right), 1, feedback))
    of_lesson = lesson["metadata"]["crmlib_lesson"]
    if of_lesson["graded_memo"]:
        feedback = "to be read" if hand_in.memo else "There is none."
        rows.append(Row(student, name, "recommendation", None if hand_in.memo else 0, 10, feedback))
    questions = of_lesson["questions"]
    question = questions[number_from(key, student, name, "question") % len(questions)]
    title = f"Lesson {number}: {of_lesson['title']}"
    return Graded(title, rows, hand_in.remarks, hand_in.memo, question, ran.shut or not ran.done)


def _number_of(path: Path, about: dict[str, Any]) -> int | None:
    """The number of a notebook's lesson, by its metadata or else its file name; None if there is no such lesson."""
    lesson = about.get("crmlib_lesson")
    number = lesson.get("number") if isinstance(lesson, dict) else None
    if number not in lesson_files() and path.name[:2].isdigit():
        number = int(path.name[:2])
    return number if number in lesson_files() else None


def _exercises(number: int) -> list[Exercise]:
    return [exercise for key, exercise in EXERCISES.items() if key.split(".")[0] == str(number)]


def _most_points(number: int) -> int:
    about = _lesson(lesson_files()[number])["metadata"]["crmlib_lesson"]
    return len(_exercises(number)) + 10 * about["graded_memo"]


@functools.cache
def _lesson(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _page(student: str, found: list[Graded]) -> str:
    """The HTML page for a student."""
    parts = [f"<!doctype html><meta charset=utf-8><title>{html.escape(student)}</title>"]
    parts += ["<style>body{font:16px/1.5 sans-serif;max-width:44em;margin:2em auto;padding:0 1em}"]
    parts += ["td,th{text-align:left;padding:.2em .8em .2em 0;vertical-align:top}</style>"]
    parts += [f"<h1>{html.escape(student)}</h1><p>{_HOW}</p>"]
    for graded in found:
        parts += [f"<h2>{html.escape(graded.title)}</h2><table>"]
        parts += ["<tr><th>Exercise<th>Points<th>What was found</tr>", *map(_line, graded.rows), "</table>"]
        parts += [f"<p>{html.escape(remark)}</p>" for remark in graded.remarks]
        if graded.question:
            memo = html.escape(graded.memo) or "There is none."
            parts += [f"<h3>Your recommendation</h3><p style='white-space:pre-wrap'>{memo}</p>"]
            parts += [f"<h3>Be ready to answer</h3><p>{html.escape(graded.question)}</p>"]
    return "\n".join(parts) + "\n"


def _line(row: Row) -> str:
    points = f"(of {row.of})" if row.points is None else f"{row.points} of {row.of}"
    cells = (row.exercise or "all", points, row.feedback)
    return f"<tr>{''.join(f'<td>{html.escape(cell)}' for cell in cells)}</tr>"
