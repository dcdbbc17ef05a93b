"""What a page leaves out because nothing was measured, and the one line that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from crmlib.errors import NOT_MEASURED

Block = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """One output of a cell: what of it there is to show, and why the rest was not measured.

    `nothing` is true of a table or picture that holds nothing, `picture` of a table or picture to be shown.
    """

    output: dict[str, Any] | None
    reasons: tuple[str, ...] = ()
    nothing: bool = False
    picture: bool = False


def unmeasured(output: dict[str, Any]) -> Found:
    """Take the sentences that say why something was not measured, and pictures without data, out of an output."""
    data = output.get("data", {})
    rich = [kind for kind in data if kind != "text/plain"]
    if rich or output["output_type"] == "error":
        empty = any(
            about.get("empty") for about in output.get("metadata", {}).values() if isinstance(about, dict)
        )
        return Found(None if empty else output, nothing=empty, picture=not empty)
    lines = "".join(output.get("text") or data.get("text/plain", "")).splitlines()
    reasons = tuple(
        line.removeprefix(NOT_MEASURED).rstrip(".") for line in lines if line.startswith(NOT_MEASURED)
    )
    if not reasons:
        return Found(output if lines else None)
    kept = "\n".join(line for line in lines if not line.startswith(NOT_MEASURED))
    shown = {"output_type": "stream", "name": "stdout", "text": kept} if kept.strip() else None
    return Found(shown, reasons, nothing="data" in output)


def fold(blocks: Sequence[Block], absent_tables: Sequence[str]) -> list[Block]:
    """Leave out what holds nothing, with the prose above it, and say at the end what was not measured.

    A section is left out if nothing in it was measured, and so is a paragraph with what it announces.
    """
    groups = _groups(blocks)
    empty = [_holds_nothing(group) for group in groups]
    heads = [place for place, group in enumerate(groups) if _heading(group)] + [len(groups)]
    left_out = []
    for start, end in pairwise(heads):
        if all(empty[start:end]):
            left_out.append(_heading(groups[start]))
    kept, sources = list[Block](), list[str]()
    for place, group in enumerate(groups):
        gone = empty[place]
        for block in group:
            if block["kind"] == "prose":
                if not gone or (block["heading"] and block["heading"] not in left_out):
                    kept.append(block)
            elif gone or (block.get("found") and not block["outputs"]):
                sources += block["sources"]
            else:
                kept.append(block | {"sources": [*sources, *block["sources"]]})
                sources = []
    if sources:
        kept.append({"kind": "code", "sources": sources, "outputs": []})
    reasons = [reason for block in blocks for one in block.get("found", ()) for reason in one.reasons]
    return [*kept, *_line(absent_tables, reasons, left_out)]


def _groups(blocks: Sequence[Block]) -> list[list[Block]]:
    """Prose and what stands below it, up to the next prose."""
    groups: list[list[Block]] = []
    for block in blocks:
        if block["kind"] == "prose" or not groups:
            groups.append([])
        groups[-1].append(block)
    return groups


def _heading(group: Sequence[Block]) -> str:
    return str(group[0].get("heading", ""))


def _holds_nothing(group: Sequence[Block]) -> bool:
    """Whether a group has outputs, none of which shows anything; text beside a table without rows is about it."""
    found = [one for block in group for one in block.get("found", ())]
    if any(block["kind"] == "figures" for block in group) or any(one.picture for one in found):
        return False
    texts = any(one.output for one in found)
    return any(one.nothing for one in found) and (
        not texts or any(one.nothing and one.reasons for one in found)
    )


def _line(absent_tables: Sequence[str], reasons: Sequence[str], left_out: Sequence[str]) -> list[Block]:
    told = [f"no table {', '.join(absent_tables)}"] if absent_tables else []
    told += [one for one in dict.fromkeys(reasons) if not one.startswith("no table ")]
    if not told and not left_out:
        return []
    text = f"{NOT_MEASURED}{'; '.join(told)}. " if told else ""
    text += f"Left out: {'; '.join(left_out)}." if left_out else ""
    return [{"kind": "prose", "html": Markup('<p class="soft">{}</p>').format(text.strip())}]
