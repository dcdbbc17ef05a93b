"""Make the pages of a run: one per notebook, the index, and what failed."""

from __future__ import annotations

import json
import shutil
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet

from crmlib.findings import FAIL, PASS
from crmlib.report import pages
from crmlib.report.notebooks import RUNNER_OWNED
from crmlib.report.outcomes import Outcome
from crmlib.report.plan import Chapter, Plan
from crmlib.study.results import cards

_TONES = {"ok": "good", PASS: "good", "good": "good", FAIL: "bad", "failed": "bad", "bad": "bad"}
_MARKS = {"good": "✓", "care": "!", "bad": "✗"}


def write_metrics(run: Path) -> dict[str, dict[str, Any]]:
    """Merge the figures of all notebooks into metrics.json and return them by notebook."""
    files = sorted(run.glob("metrics/*.json"))
    metrics = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    (run / "metrics.json").write_text(json.dumps(metrics, indent=1, ensure_ascii=False), encoding="utf-8")
    return metrics


def write_pages(plan: Plan, outcomes: list[Outcome], run: Path, record: dict[str, Any]) -> None:
    """Write a page per notebook that ran, and the index.

    `outcomes`: how each chapter ended. `run`: the run's folder, with notebooks, metrics and tables in it. `record`:
    what run.json says.
    """
    metrics = write_metrics(run)
    if plan.study.has("transactions"):
        cleaned = plan.study.cleaned.folder("transactions")
        shutil.copyfile(cleaned / "quarantine.parquet", run / "quarantine.parquet")
    by_name = {outcome.name: outcome for outcome in outcomes}
    shown = [chapter for chapter in plan.chapters if by_name[chapter.name].status in ("ok", "cached")]
    shown.sort(key=lambda one: one.name)
    for position, chapter in enumerate(shown):
        page = pages.notebook_page(
            run / "notebooks" / f"{chapter.name}.ipynb",
            metrics=_metrics_of(chapter.name, metrics),
            pages={one.name for one in shown},
            study=plan.study,
            chapter=chapter,
            parameters={key: value for key, value in chapter.parameters.items() if key not in RUNNER_OWNED},
            before=shown[position - 1] if position else None,
            after=shown[position + 1] if position + 1 < len(shown) else None,
        )
        (run / f"{chapter.name}.html").write_text(page, encoding="utf-8")
    (run / "index.html").write_text(_index(plan, by_name, metrics, run, record), encoding="utf-8")


def write_failures(plan: Plan, failures: list[dict[str, Any]], run: Path, record: dict[str, Any]) -> None:
    """Write failure.html, which says the same as the screen."""
    page = pages.render("failure.html.j2", study=plan.study, failures=failures, record=record)
    (run / "failure.html").write_text(page, encoding="utf-8")


def _index(
    plan: Plan,
    outcomes: dict[str, Outcome],
    metrics: dict[str, dict[str, Any]],
    run: Path,
    record: dict[str, Any],
) -> str:
    gates = _frame(run / "tables" / "fitness_gates.parquet")
    return pages.render(
        "index.html.j2",
        study=plan.study,
        record=record,
        cards=cards(metrics),
        gates=[_gate(row) for row in gates["rows"]] if gates else [],
        lapsing=_frame(run / "tables" / "lapsing_customers.parquet"),
        chapters=[
            _entry(one, outcomes[one.name], metrics) for one in sorted(plan.chapters, key=attrgetter("name"))
        ],
        failures=[outcome.name for outcome in outcomes.values() if not outcome.succeeded],
    )


def _metrics_of(name: str, metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"headline": "", "figures": {}, "absent_tables": []} | metrics.get(name, {})


def _entry(chapter: Chapter, outcome: Outcome, metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the index says of one chapter."""
    ran = outcome.status in ("ok", "cached")
    note = f"Not run: {outcome.reason}" if chapter.cannot_run else outcome.reason
    return {
        "notebook": chapter.notebook,
        "page": f"{chapter.name}.html" if ran else None,
        "headline": _metrics_of(chapter.name, metrics)["headline"] if ran else "",
        "note": "" if ran else note,
        "status": "not run" if outcome.status == "skipped" else outcome.status,
        "tone": "" if outcome.succeeded else "bad",
    }


def _gate(row: dict[str, Any]) -> dict[str, Any]:
    tone = _TONES.get(str(row["status"]).lower(), "care")
    return row | {"tone": tone, "mark": _MARKS[tone]}


def _frame(path: Path) -> dict[str, Any] | None:
    """Read a small table for the index: its columns, which are numbers, and its rows."""
    if not path.is_file():
        return None
    table = pyarrow.parquet.ParquetFile(path).read()
    columns = [name for name in table.column_names if not name.startswith("__index")]
    numeric = {
        field.name
        for field in table.schema
        if pyarrow.types.is_floating(field.type) or pyarrow.types.is_integer(field.type)
    }
    return {"columns": columns, "numeric": numeric, "rows": table.select(columns).to_pylist()}
