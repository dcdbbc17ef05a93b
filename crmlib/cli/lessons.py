"""The commands of the course: the students' edition, and grading what they hand in."""

from __future__ import annotations

from pathlib import Path

import click

from crmlib.visible import say

_path = click.Path(path_type=Path, file_okay=False)


@click.group()
def lessons() -> None:
    """Teach with the lessons: make the students' edition, grade what they hand in (docs/teaching.md)."""


@lessons.command()
@click.option("--seed", type=click.IntRange(0), help="Seed of the practice firm; without it the usual one.")
@click.option("--to", type=_path, required=True, help="Folder to write to.")
def release(seed: int | None, to: Path) -> None:
    """Write the lessons without their solutions, for students."""
    from crmlib.lessons.check import PRACTICE_SEED
    from crmlib.lessons.release import release

    written = release(to, PRACTICE_SEED if seed is None else seed)
    say(f"{to}: {len(written)} files")


@lessons.command()
@click.argument("folder", type=_path)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File of your secret; made if it is not there.",
)
@click.option("--to", type=_path, default="grades", show_default=True, help="Folder for points and pages.")
@click.option("--seconds", type=click.IntRange(5), default=120, show_default=True, help="Limit of a hand-in.")
@click.option(
    "--memory",
    type=click.IntRange(100),
    default=1000,
    show_default=True,
    help="Limit in megabytes, on Linux.",
)
def grade(folder: Path, key: Path, to: Path, seconds: int, memory: int) -> None:
    """Grade hand-ins, found as FOLDER/STUDENT/NN_lesson.ipynb, each on a firm of the student's own."""
    from crmlib.lessons.grade import grade

    say(grade(folder, key, to, seconds=seconds, memory_mb=memory, watch=say))
