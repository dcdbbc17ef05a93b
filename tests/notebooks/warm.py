"""Run every notebook on a study in this one process, and read the pages that it would have: seconds, not a minute."""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import re
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from bs4 import BeautifulSoup
from IPython.core.formatters import DisplayFormatter

from crmlib.errors import CannotAnswerError, CrmError, DataError
from crmlib.report.notebooks import read_notebooks
from crmlib.report.pages import notebook_page
from crmlib.report.plan import Plan, plan_report
from tests.notebooks.refresh import NOTEBOOKS

# What no reader should meet where a number belongs: signs of a value that is not known, or of no digits that count.
_NO_NUMBER = re.compile(r"(?<![\w.])(?:[-−+±]?(?:nan|NaN|NaT|inf|<NA>|None)|[-−]0(?:\.0+)?)(?![\w.]| and)")
_FORMATS = ("text/plain", "text/html", "image/png")
_HIDDEN = (
    DeprecationWarning,
    PendingDeprecationWarning,
    ImportWarning,
    ResourceWarning,
)  # as a kernel hides them


@dataclass(frozen=True)
class Ended:
    """How a chapter ended: `ok`, `not run` (with the reason in `why`), `failed`; `faults` is what readers see of it.

    `page` is what would be published of it, pictures included.
    """

    chapter: str
    how: str
    why: str = ""
    faults: tuple[str, ...] = ()
    page: str = ""


def run_study(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> list[Ended]:
    """Run all chapters on a study of these tables.

    Parameters
    ----------
    tables : mapping
        Contract name to frame; "transactions" among them, if there is a log.
    facts : mapping
        Entries of the study file, such as `{"margin": 0.4}`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data" / "small"
        folder.mkdir(parents=True)
        sources = {}
        for name, frame in tables.items():
            frame.to_csv(folder / f"{name}.csv", index=False)
            sources[name] = {"source": f"{name}.csv"}
        about = {"title": "A small study", "data_kind": "artificial", "tables": sources, **facts}
        (folder / "study.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
        return run_chapters(folder / "study.yaml")


def run_chapters(study: Path) -> list[Ended]:
    """Run all chapters on a study file, in its project."""
    try:
        plan = plan_report(str(study))
    except CrmError as error:
        return [Ended("plan", "refused", str(error))]
    ended = []
    with tempfile.TemporaryDirectory() as run, _environment(CRMLIB_RUN_DIR=run):
        for notebook in read_notebooks(NOTEBOOKS):
            missing = plan.chapter(notebook.name).cannot_run
            ended.append(
                Ended(notebook.name, "not run", missing)
                if missing
                else run_notebook(notebook.path, plan, Path(run))
            )
    return ended


def run_notebook(path: Path, plan: Plan, run: Path) -> Ended:
    """Run one notebook's cells, as its kernel would, and read its page."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {"__name__": "__main__"}
    kept = [part for name in _OPTIONS for part in (name, pd.get_option(name))]
    with warnings.catch_warnings(record=True) as heard, pd.option_context(*kept):
        warnings.simplefilter("always")
        for hidden in _HIDDEN:
            warnings.simplefilter("ignore", hidden)
        try:
            for cell in cells:
                if cell["cell_type"] == "code":
                    cell["outputs"] = _run_cell("".join(cell["source"]), names)
                    if "parameters" in cell["metadata"].get("tags", []):
                        names |= plan.chapter(path.stem).overrides
        except (CannotAnswerError, DataError) as error:
            # A report goes on without the chapter; a test knows that no argument of a reader's was at fault.
            if isinstance(error.__cause__, Exception) and not isinstance(error.__cause__, CrmError):
                return Ended(path.stem, "failed", str(error), (traceback.format_exc(),))
            return Ended(path.stem, "not run", str(error), tuple(_no_numbers(str(error))))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            why = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
            return Ended(path.stem, "failed", why, (traceback.format_exc(),))
    metrics = json.loads((run / "metrics" / f"{path.stem}.json").read_text(encoding="utf-8"))
    executed = run / path.name
    executed.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    around = {
        "study": plan.study,
        "chapter": plan.chapter(path.stem),
        "parameters": {},
        "before": None,
        "after": None,
    }
    page = notebook_page(executed, metrics=metrics, pages=set(), **around)
    shown = [f"{one.category.__name__}: {one.message} ({one.filename}, {one.lineno})" for one in heard]
    return Ended(path.stem, "ok", metrics["headline"], (*shown, *_no_numbers(_words(page))), page)


def _run_cell(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a cell: what it prints, what it displays, and its last expression."""
    outputs: list[dict[str, Any]] = []
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    names["display"] = lambda one: outputs.append(_shown(one))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "<cell>", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if last else None
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
    return outputs if value is None else [*outputs, _shown(value)]


def _shown(value: Any) -> dict[str, Any]:
    data, metadata = _FORMATTER.format(value, include=_FORMATS)
    if isinstance(data.get("image/png"), bytes):
        data["image/png"] = base64.b64encode(data["image/png"]).decode()
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def _words(page: str) -> str:
    """What a page says, the descriptions of its pictures too, without its code."""
    soup = BeautifulSoup(page, "html.parser")
    for code in soup.select("details.code, style, script"):
        code.decompose()
    return " | ".join([*soup.stripped_strings, *(image["alt"] for image in soup.select("img"))])


def _no_numbers(text: str) -> Iterator[str]:
    for found in _NO_NUMBER.finditer(text):
        yield f"shows {found[0]!r}: …{text[max(found.start() - 60, 0) : found.end() + 40]}…"


@contextlib.contextmanager
def _environment(**given: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


_OPTIONS = ("display.precision", "display.max_colwidth")  # that notebooks set, for themselves alone
_FORMATTER = DisplayFormatter()
