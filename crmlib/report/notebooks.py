"""The metadata and the parameters cell of a notebook.

Notebooks are read as JSON and their parameters cell by `ast`, for importing Papermill or nbformat costs a
second, which a report taken from the cache does not have.
"""

from __future__ import annotations

import ast
import datetime as dt
import io
import json
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crmlib.errors import CrmError, StudyError, did_you_mean
from crmlib.units import FIRST_DAY, LAST_DAY, periods

RUNNER_OWNED = ("study", "as_of")
PARAMETER_TAGS = frozenset({"parameters", "injected-parameters"})
_WORDS_FOR_NONE = (None, "none", "None", "null")  # messages say none, Python None, YAML null
_N = r"(-?\d+(?:\.\d+)?)"
_WORD = r"[\w/.+-]+"
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}


@dataclass(frozen=True)
class Parameter:
    """One choice of a notebook: its default, and what else it may be.

    `allowed` comes from the comment beside it: ``top = 20  # rows shown; allowed: 1 to 500``,
    ``unit = "W"  # allowed: W, M`` or ``end = None  # allowed: a date``; all forms: `admits`.
    """

    name: str
    default: Any
    allowed: str = ""

    @property
    def expected(self) -> str:
        """What a value has to be, in words."""
        kind = "a date such as 1998-06-30" if self._is_date else _KINDS.get(type(self.default), "any value")
        if self.allowed and self.allowed != "a date":
            kind = self.allowed if kind == "any value" or self._says_its_kind else f"{kind}, {self.allowed}"
        return f"{kind}, or none" if self.default is None and kind != "any value" else kind

    @property
    def _says_its_kind(self) -> bool:
        return self.allowed.startswith(("a ", "an ", "lengths "))

    @property
    def _is_date(self) -> bool:
        return self.allowed == "a date" or (isinstance(self.default, str) and _is_iso_date(self.default))

    def accept(self, value: Any, where: str) -> Any:
        """Return the value as the notebook will see it, or refuse it."""
        if isinstance(value, dt.date):
            value = value.isoformat()
        accepted = self._convert(value)
        if accepted is _REFUSED or not self._in_range(accepted):
            raise StudyError(f"{where}: {self.name} is {value!r}; allowed: {self.expected}")
        return accepted

    def _convert(self, value: Any) -> Any:
        kind = type(self.default)
        if self.default is None and value in _WORDS_FOR_NONE:
            return None
        if value is None:
            return _REFUSED
        if self._is_date:
            return str(value) if _is_iso_date(str(value)) else _REFUSED
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if kind is str and isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        return value if self.default is None or type(value) is kind else _REFUSED

    def _in_range(self, value: Any) -> bool:
        return not self.allowed or self.allowed == "a date" or value is None or admits(self.allowed, value)


_REFUSED = object()


def _is_iso_date(text: str) -> bool:
    try:
        return FIRST_DAY <= dt.date.fromisoformat(text) <= LAST_DAY
    except ValueError:
        return False


@dataclass(frozen=True)
class Notebook:
    """A notebook of the suite and what it declares of itself."""

    name: str
    path: Path
    title: str
    question: str
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    reads_if_there: tuple[str, ...] = ()
    ledger: bool = False
    parameters: dict[str, Parameter] = field(default_factory=dict)
    cells: tuple[dict[str, Any], ...] = ()
    text: str = field(default="", repr=False)

    @property
    def after(self) -> tuple[str, ...]:
        """The notebooks whose results it reads: those that it cannot do without, and the others."""
        return (*self.reads, *self.reads_if_there)

    @property
    def number(self) -> str:
        """The number its name begins with, such as "02"."""
        return self.name.split("_")[0]


def read_notebooks(folder: Path) -> list[Notebook]:
    """Read every ``NN_name.ipynb`` of a folder, in the order of their names.

    Raises StudyError if the folder has no notebook, or one of them cannot be read.
    """
    paths = sorted(path for path in folder.glob("*.ipynb") if re.match(r"\d\d_", path.name))
    if not paths:
        raise StudyError(f"{folder} holds no notebook named NN_name.ipynb, such as 01_data_check.ipynb")
    return [read_notebook(path) for path in paths]


def read_notebook(path: Path) -> Notebook:
    """Read one notebook's metadata and parameters.

    Raises StudyError if it is no notebook, says nothing of itself under ``metadata["crmlib"]``, or has no parameters
    cell.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        about = content["metadata"]["crmlib"]
        cells = content["cells"]
        title, question = str(about["title"]), str(about["question"])
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(
            f"{path} cannot be run: it needs metadata.crmlib with title, question, needs and reads "
            f"({type(error).__name__}: {error})"
        ) from error
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise StudyError(f"{path} has {len(tagged)} cells tagged 'parameters'; exactly one is needed")
    needs, reads, if_there = (tuple(about.get(name, ())) for name in ("needs", "reads", "reads_if_there"))
    says = (title, question, needs, reads, if_there, bool(about.get("ledger", False)))
    parameters = read_parameters("".join(tagged[0]["source"]), where=str(path))
    return Notebook(path.stem, path.resolve(), *says, parameters, tuple(cells), text)


def read_parameters(source: str, *, where: str = "the parameters cell") -> dict[str, Parameter]:
    """Read the names, defaults and allowed values of a parameters cell.

    Examples
    --------
    >>> read_parameters('top = 20  # rows shown; allowed: 1 to 500')["top"].expected
    'a whole number, 1 to 500'
    """
    try:
        statements = ast.parse(source).body
        tokens = [*tokenize.generate_tokens(io.StringIO(source).readline)]
        comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    except (SyntaxError, tokenize.TokenError) as error:
        raise StudyError(f"{where}: the parameters cell is not Python: {error}") from error
    found = {}
    for statement in statements:
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        target = targets[0]
        if not isinstance(target, ast.Name):
            raise StudyError(f"{where}: line {statement.lineno} of the parameters cell is no `name = value`")
        try:
            default = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
        except ValueError as error:
            why = "must be a plain value, not an expression"
            raise StudyError(f"{where}: parameter {target.id} {why}") from error
        comment = comments.get(statement.end_lineno or statement.lineno, "")
        allowed = comment.partition("allowed:")[2].strip().rstrip(".")
        found[target.id] = Parameter(target.id, default, allowed)
    return found


def choose(notebooks: list[Notebook], word: str) -> Notebook:
    """Return the notebook meant by a number ("02") or a name, or refuse with the nearest."""
    word = word.removesuffix(".ipynb")
    for notebook in notebooks:
        if word and word.zfill(2) in (notebook.name, notebook.number):
            return notebook
    raise StudyError(
        f"there is no notebook {word!r}; {did_you_mean(word, [notebook.name for notebook in notebooks])}"
    )


def admits(allowed: str, value: Any) -> bool:
    """Whether a value is among those that the words allow.

    `allowed`: "1 to 500", "2 or more", "above 0, below 1", each also as "a whole number, 2 or more"; "an amount"; "a
    length such as 13W or 12M", "lengths such as 26W and 104W"; or the allowed words: "M, Q, Y". Raises ValueError if
    the words are of no such form: a notebook would refuse all that its own comment allows.

    Examples
    --------
    >>> admits("1 to 500", 20), admits("a length such as 13W or 12M", "8W"), admits("M, Q, Y", "W")
    (True, True, False)
    """
    if whole := allowed.startswith("a whole number, "):
        allowed = allowed.removeprefix("a whole number, ")
    for form, test in _FORMS:
        if found := re.fullmatch(form, allowed):
            return test(value, *found.groups()) and (not whole or isinstance(value, int))
    raise ValueError(f"'allowed: {allowed}' is of no known form; see crmlib.report.notebooks.admits")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_length(value: Any) -> bool:
    try:
        return isinstance(value, str) and periods(value, "D") > 0
    except CrmError:
        return False


_FORMS: tuple[tuple[str, Callable[..., bool]], ...] = (
    (f"{_N} to {_N}", lambda value, low, high: _is_number(value) and float(low) <= value <= float(high)),
    (f"{_N} or more", lambda value, low: _is_number(value) and value >= float(low)),
    (
        f"above {_N}, below {_N}",
        lambda value, low, high: _is_number(value) and float(low) < value < float(high),
    ),
    ("an amount", lambda value: _is_number(value) and value >= 0),
    (r"a length such as .*", _is_length),
    (r"lengths such as .*", lambda value: isinstance(value, list) and all(map(_is_length, value))),
    (f"({_WORD}(?:, {_WORD})*)", lambda value, words: str(value) in words.split(", ")),
)
