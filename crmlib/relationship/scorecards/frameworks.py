"""Frameworks as data: elements, questions, the key figure that answers each, and what to change where it is weak."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from crmlib.data.files.contents import read_edited
from crmlib.data.policies import Strict
from crmlib.errors import StudyError, did_you_mean
from crmlib.study.results import FIGURES
from crmlib.study.yaml_text import read_yaml

HERE = Path(__file__).parent
OWN = "frameworks"  # folder beside a study's file, for frameworks of its own
CHAPTER = "11_relationship"  # which computes the figures of this room, each with whom it concerns
_SIZES = ("count", "money")


def known_figure(key: str | None) -> str | None:
    """A key of figures.toml, or nothing; another one is refused with the nearest."""
    if key is not None and key not in FIGURES:
        raise ValueError(f"{key!r} is no key figure; {did_you_mean(key, FIGURES)}")
    return key


class Question(Strict):
    """A question, the key figure that answers it, and the change to make where the figure is weak."""

    ask: str = Field(min_length=1, description="the question")
    figure: str | None = Field(None, description="key of the figure that answers it, in figures.toml")
    at_least: float | None = Field(None, description="the figure is weak below this")
    at_most: float | None = Field(None, description="the figure is weak above this")
    one_of: tuple[str, ...] = Field((), description="words of a figure that is a text, if it is not weak")
    change: str = Field("", description="what to change where it is weak")
    concerns: str | None = Field(None, description="figure that counts the customers or the money concerned")

    @property
    def bar(self) -> float | None:
        """The number from which, or up to which, the figure is not weak."""
        return self.at_least if self.at_most is None else self.at_most

    _known = field_validator("figure", "concerns")(known_figure)

    @model_validator(mode="after")
    def _whole(self) -> Question:
        bars = [name for name in ("at_least", "at_most", "one_of") if getattr(self, name) not in (None, ())]
        if (bars or self.change) and not self.figure:
            raise ValueError("it has a bar or a change without a figure: no measured figure, no advice")
        if len(bars) > 1:
            raise ValueError(f"it has {' and '.join(bars)}; give one of them")
        if bool(bars) != bool(self.change):
            raise ValueError("a bar (at_least, at_most or one_of) and a change belong together")
        if self.figure and bars and (FIGURES[self.figure]["unit"] == "text") != bool(self.one_of):
            unit = FIGURES[self.figure]["unit"]
            raise ValueError(f"{self.figure} is a {unit}; a text has one_of, a number a bar")
        if self.concerns and FIGURES[self.concerns]["unit"] not in _SIZES:
            raise ValueError(f"concerns names {self.concerns}, which counts neither customers nor money")
        about = FIGURES[self.figure] if self.figure else {}
        own = about and (about["notebook"] == CHAPTER or about["unit"] in _SIZES)
        if self.change and not (self.concerns or own):
            raise ValueError("say under concerns which figure counts the customers or the money concerned")
        return self


class Element(Strict):
    """An element, stage, process or habit: who owns it, and its questions."""

    owner: str = Field(min_length=1, description="who would make the change")
    questions: tuple[Question, ...] = Field(min_length=1, description="each with `ask`")


class Framework(Strict):
    """A framework of management.

    Examples
    --------
    >>> question = {"ask": "Do they come back?", "figure": "retention"}
    >>> elements = {"all": {"owner": "I", "questions": [question]}}
    >>> Framework(name="Mine", source="Me", year=2025, elements=elements).elements["all"].questions[0].figure
    'retention'
    """

    name: str = Field(min_length=1, description="its name")
    source: str = Field(min_length=1, description="author and title")
    year: Annotated[int, Field(ge=1900, le=2100)] | Literal["not known"] = Field(description="of the source")
    scores: str = Field("", description="its name in the column model of maturity_scores")
    elements: dict[str, Element] = Field(min_length=1, description="each with owner and questions")

    @property
    def reference(self) -> str:
        """Where it comes from."""
        return f"{self.source}, {'year ' if self.year == 'not known' else ''}{self.year}"

    @property
    def measured_share(self) -> float:
        """The share of the elements that a key figure answers."""
        rests = [any(question.figure for question in element.questions) for element in self.elements.values()]
        return sum(rests) / len(rests)


def read_framework(path: Path) -> Framework:
    """Read and check the file of a framework.

    Raises
    ------
    StudyError
        With every fault: the entry, what was found, what is allowed; of an unknown figure the nearest.
    """
    content = read_yaml(read_edited(path), path.name)
    if not isinstance(content, dict):
        raise StudyError(f"{path.name} holds no entries; it starts with `name:`")
    try:
        return Framework.model_validate(content)
    except ValidationError as complaint:
        faults = "\n".join(f"  {_fault(error)}" for error in complaint.errors(include_url=False))
        raise StudyError(f"{path.name}:\n{faults}") from None


def read_frameworks(folder: Path) -> dict[str, Framework]:
    """The frameworks of the library, and those that stand in `frameworks` beside a study's file, by the file's name."""
    return {path.stem: read_framework(path) for path in framework_files(folder)}


def framework_files(folder: Path) -> Iterator[Path]:
    """Their files, those of the study after the library's; one of the same name takes its place."""
    found = {path.stem: path for place in (HERE, folder / OWN) for path in sorted(place.glob("*.yaml"))}
    yield from found.values()


def _fault(error: Any) -> str:
    steps = [str(step) for step in error["loc"]]
    where = ".".join(steps) or "the framework"
    if error["type"] == "extra_forbidden":
        model = Question if "questions" in steps else Element if "elements" in steps else Framework
        return f"{where}: no such entry; {did_you_mean(steps[-1], model.model_fields)}"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']!s}"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}"
