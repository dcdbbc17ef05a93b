"""The input of a worker, how a notebook ended, and where a notebook without success stopped."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What the reason of a notebook begins with that found no answer in these data: it ran, and nothing is broken.
CANNOT_ANSWER = "these data are not sufficient"
LONGEST_SOCKET = 100  # characters of its path, about as many as systems allow
# Added by Papermill: cells are counted as in the source.
_ADDED = {"injected-parameters", "papermill-error-cell-tag"}


@dataclass(frozen=True)
class Task:
    """A notebook to run: absolute paths only, since the worker runs in another folder."""

    name: str
    notebook: str  # a copy, as the plan has read it
    output: str
    parameters: dict[str, Any]
    run_folder: str
    root: str
    cell_timeout_seconds: float
    environment: dict[str, str]
    at_a_time: int  # notebooks that share the processor and the memory


@dataclass(frozen=True)
class Outcome:
    """How a notebook ended: ok, cached, skipped, failed, timeout or kernel died."""

    name: str
    status: str
    seconds: float = 0.0
    reason: str = ""
    heading: str = ""
    cell: int | None = None
    source_line: str = ""
    traceback: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the report may be published with it."""
        return self.status in ("ok", "cached", "skipped")


def results_of(name: str, run: Path) -> list[Path]:
    """Return the files in which a notebook of a run left its figures, tables and pictures."""
    metrics = run / "metrics" / f"{name}.json"
    if not metrics.is_file():
        return []
    found = json.loads(metrics.read_text(encoding="utf-8"))
    files = [
        run / "tables" / f"{table}.{kind}" for table in found.get("tables", {}) for kind in ("parquet", "csv")
    ]
    files += [
        run / "pictures" / file for picture in found.get("pictures", {}).values() for file in picture["files"]
    ]
    return [metrics, *(file for file in files if file.is_file())]


@dataclass(frozen=True)
class Stop:
    """The cell in which a notebook stopped: its number, the heading above it and its source."""

    cell: int | None = None
    heading: str = ""
    source: str = ""

    @property
    def first_line(self) -> str:
        """The cell's first line that is not empty."""
        return next((line.strip() for line in self.source.splitlines() if line.strip()), "")

    def failing_line(self, traceback: str) -> str:
        """The line of the cell that raised, as IPython's traceback numbers it."""
        found = re.search(r"Cell In\[\d+\], line (\d+)", traceback)
        lines = self.source.splitlines()
        return lines[int(found[1]) - 1].strip() if found and int(found[1]) <= len(lines) else self.first_line


def stopped_at(path: Path) -> Stop:
    """Return where an executed notebook stopped: the last cell that was begun, whatever its status says."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):  # it never came to be written
        return Stop()
    cells = [cell for cell in cells if not _ADDED & set(cell["metadata"].get("tags", []))]
    begun = [index for index, cell in enumerate(cells) if _begun(cell)]
    if not begun:
        return Stop()
    return Stop(begun[-1] + 1, _heading_above(cells[: begun[-1]]), "".join(cells[begun[-1]]["source"]))


def _begun(cell: dict[str, Any]) -> bool:
    return cell["cell_type"] == "code" and bool(cell["metadata"].get("papermill", {}).get("start_time"))


def _heading_above(cells: list[dict[str, Any]]) -> str:
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    lines = [line for text in prose for line in text.splitlines()]
    headings = [line.lstrip("# ").strip() for line in lines if line.startswith("#")]
    return headings[-1] if headings else ""
