"""What the commands about data say and ask: questions, guesses with their evidence, frames as plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmlib import format as fmt
from crmlib.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd

    from crmlib.data.guessing.findings import Guess, Question


def named_column(text: str) -> tuple[str, str]:
    """The two sides of a --column option."""
    ours, sign, theirs = text.partition("=")
    if not sign or not ours or not theirs:
        raise StudyError(f"--column {text!r}: write it as customer_id=CustNo")
    return ours.strip(), theirs.strip()


def ask(question: Question) -> str:
    """Put a question to the person at the keyboard."""
    click.echo(question.text)
    return click.prompt(question.entry, type=click.Choice(list(question.answers)), show_choices=True)


def described(guess: Guess) -> str:
    """What was guessed, each with what speaks for it."""
    width = max(len(one.entry) for one in guess.findings)
    return "\n".join(
        f"{one.entry:<{width}}  {_shown(one.value)}\n{'':<{width}}    {one.evidence}"
        for one in guess.findings
    )


def _shown(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "as it is"
    return str(value)


def table_lines(frame: pd.DataFrame) -> str:
    """A frame as plain lines: numbers to the right, text to the left."""
    shown = frame.copy()
    for name in frame.columns:
        if frame[name].dtype.kind in "if":
            shown[name] = [fmt.cell(value) for value in frame[name]]
    widths = [max(len(str(name)), *(len(text) for text in shown[name].astype(str))) for name in shown.columns]
    right = [frame[name].dtype.kind in "if" for name in frame.columns]
    rows = [tuple(shown.columns), *shown.astype(str).itertuples(index=False, name=None)]
    return "\n".join(
        "  ".join(
            text.rjust(w) if r else text.ljust(w) for text, w, r in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    )
