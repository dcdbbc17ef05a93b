"""Sections that a page leaves out because nothing was measured, and the line that says so."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from crmlib import format as fmt
from crmlib.errors import NO_ROW, NOT_MEASURED

Cell = dict[str, Any]
_RAW_NAME = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")  # of a table or column


@dataclass(frozen=True)
class _Found:
    """What an output still shows, and why the rest was not measured; `full` and `empty` are of tables and pictures."""

    output: dict[str, Any] | None
    reasons: tuple[str, ...] = ()
    full: bool = False
    empty: bool = False


def fold(cells: Sequence[Cell], absent_tables: Sequence[str]) -> tuple[list[Cell], str]:
    """Leave out what holds nothing, with the prose above it.

    A section is left out if nothing in it was measured, and so is a paragraph with what it announces. Code stays, and
    so does a later paragraph without code.

    Returns the cells, and the line for the end of the page: what was not measured, and which sections are left out.
    """
    groups: list[list[Cell]] = [[]]
    for cell in cells:
        if cell["cell_type"] == "markdown":
            groups.append([])
        groups[-1].append(cell | {"found": [_judge(put) for put in cell.get("outputs", ())]})
    gone = [_holds_nothing(group) for group in groups]
    heads = [place for place, group in enumerate(groups) if _heading(group)]
    bare = [all(cell["cell_type"] == "markdown" for cell in group) for group in groups]
    of_heads = {
        start: any(gone[start:end]) and all(map(operator.or_, gone[start:end], bare[start:end]))
        for start, end in pairwise([*heads, len(groups)])
    }
    left_out = [_heading(groups[start]) for start, whole in of_heads.items() if whole]
    kept = []
    for place, group in enumerate(groups):
        for cell in group:
            if cell["cell_type"] != "markdown":
                shown = [found.output for found in cell["found"] if found.output and not gone[place]]
                kept.append(cell | {"outputs": shown})
            elif not of_heads.get(place, gone[place]):
                kept.append(cell)
    outputs = [found for group in groups for cell in group for found in cell["found"]]
    reasons = [reason for found in outputs for reason in found.reasons]
    return kept, _line(absent_tables, reasons, left_out)


def _judge(output: dict[str, Any]) -> _Found:
    data = output.get("data", {})
    if output.get("metadata", {}).get("text/plain", {}).get("empty"):  # a chart without data
        return _Found(None, empty=True)
    if set(data) - {"text/plain"} or output["output_type"] == "error":
        return _Found(output, full=True)
    lines = "".join(output.get("text") or data.get("text/plain", "")).splitlines()
    if lines == [NO_ROW]:
        return _Found(None, empty=True)
    absent = [line.removeprefix(NOT_MEASURED).rstrip(".") for line in lines if line.startswith(NOT_MEASURED)]
    if absent:
        text = "\n".join(line for line in lines if not line.startswith(NOT_MEASURED))
        output = {"output_type": "stream", "name": "stdout", "text": text}
        return _Found(output if text.strip() else None, tuple(absent), empty=bool(data))
    return _Found(output if "".join(lines).strip() else None)


def _holds_nothing(group: Sequence[Cell]) -> bool:
    """Whether a group shows no table, picture or text; a text beside a table that was not measured is about it."""
    found = [output for cell in group for output in cell["found"]]
    about_it = any(output.empty and output.reasons for output in found)
    shows = any(output.full or (output.output and not about_it) for output in found)
    return any(output.empty for output in found) and not shows


def _heading(group: Sequence[Cell]) -> str:
    first = "".join(group[0]["source"]).strip().split("\n")[0] if group else ""
    return first.lstrip("# ") if first.startswith("#") else ""


def _line(absent_tables: Sequence[str], reasons: Sequence[str], left_out: Sequence[str]) -> str:
    absent = [f"no table {', '.join(map(fmt.column, absent_tables))}"] if absent_tables else []
    reasons = [_RAW_NAME.sub(lambda name: fmt.column(name[0]), reason) for reason in reasons]
    absent += [reason for reason in dict.fromkeys(reasons) if not reason.startswith("no table ")]
    sections = f"Left out: {', '.join(f'“{heading}”' for heading in left_out)}." if left_out else ""
    return f"{NOT_MEASURED}{'; '.join(absent)}. {sections}".strip() if absent else sections
