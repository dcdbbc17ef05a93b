"""Results of detecting a file's format: findings with their evidence, and questions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One guess: the entry of the study file, its value, and what speaks for it."""

    entry: str
    value: Any
    evidence: str


def findings_in(seen: Iterable[Finding | Question]) -> list[Finding]:
    """The findings among findings and questions."""
    return [found for found in seen if isinstance(found, Finding)]


def questions_in(seen: Iterable[Finding | Question]) -> list[Question]:
    """The questions among them."""
    return [asked for asked in seen if isinstance(asked, Question)]


CURRENCY_UNKNOWN = Finding(
    "currency", None, "not stated in the file; amounts are written without a code until you set it"
)


@dataclass(frozen=True)
class Question:
    """What the file does not decide: the entry, the question, the answers that are possible, and the one that holds
    where nobody is asked; without one, nothing is written before it is answered.
    """

    entry: str
    text: str
    answers: tuple[str, ...] = ()
    assumed: str = ""


@dataclass(frozen=True)
class Guess:
    """What was found in a file, and what has to be asked."""

    source: Any  # a file, a folder or a pattern; or a table of a database
    findings: tuple[Finding, ...]
    questions: tuple[Question, ...]

    @property
    def values(self) -> dict[str, Any]:
        """Entry of the study file to value, such as "columns.customer_id": "CustNo"."""
        return {finding.entry: finding.value for finding in self.findings}

    @property
    def undecided(self) -> tuple[Question, ...]:
        """Questions of which no answer can be assumed."""
        return tuple(question for question in self.questions if not question.assumed)
