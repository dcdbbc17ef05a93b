"""Make the pages of a run: one per notebook, the index, and what failed."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet

from crmlib import format as fmt
from crmlib.columns import show_table
from crmlib.findings import FAIL, PASS, WARN
from crmlib.report import pages
from crmlib.report.notebooks import RUNNER_OWNED
from crmlib.report.outcomes import Outcome
from crmlib.report.plan import Chapter, Plan
from crmlib.study.places import document
from crmlib.study.published import TO_ACT_ON, cards, figures_of, picture_of, published

_TONES = {"ok": "good", PASS: "good", "good": "good", FAIL: "bad", "failed": "bad", "bad": "bad"}
_MARKS = {"good": "✓", "care": "!", "bad": "✗"}


Metrics = dict[str, dict[str, Any]]


def write_metrics(run: Path) -> Metrics:
    """Merge the figures of all notebooks into metrics.json, as metrics.schema.json says, and return them by notebook.

    Each figure has its verdict and why it is refused beside it, so that none is quoted without them.
    """
    metrics = {}
    for path in sorted(run.glob("metrics/*.json")):
        made = json.loads(path.read_text(encoding="utf-8"))
        figures = {
            key: figure | {"verdict": made.get("figure", "")} for key, figure in figures_of(made).items()
        }
        metrics[path.stem] = made | {"figures": figures}
    shutil.copyfile(Path(__file__).with_name("metrics.schema.json"), run / "metrics.schema.json")
    (run / "metrics.json").write_text(json.dumps(metrics, indent=1, ensure_ascii=False), encoding="utf-8")
    return metrics


def write_pages(plan: Plan, outcomes: list[Outcome], run: Path, record: dict[str, Any]) -> None:
    """Write a page per notebook that ran, the glossary that they link to, and the index.

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
            pages={chapter.name for chapter in shown},
            study=plan.study,
            chapter=chapter,
            parameters={key: value for key, value in chapter.parameters.items() if key not in RUNNER_OWNED},
            before=shown[position - 1] if position else None,
            after=shown[position + 1] if position + 1 < len(shown) else None,
        )
        (run / f"{chapter.name}.html").write_text(page, encoding="utf-8")
    if text := document(pages.GLOSSARY):
        glossary = pages.glossary_page(text, {chapter.name for chapter in shown})
        (run / "glossary.html").write_text(glossary, encoding="utf-8")
    (run / "index.html").write_text(_index(plan, by_name, metrics, run, record), encoding="utf-8")


def write_failures(plan: Plan, failures: list[dict[str, Any]], run: Path, record: dict[str, Any]) -> None:
    """Write failure.html, which says the same as the screen."""
    page = pages.render("failure.html.j2", study=plan.study, failures=failures, record=record)
    (run / "failure.html").write_text(page, encoding="utf-8")


def _index(
    plan: Plan, outcomes: dict[str, Outcome], metrics: Metrics, run: Path, record: dict[str, Any]
) -> str:
    gates = [_gate(row) for row in _rows(run / "tables" / "fitness_gates.parquet")]
    shown = sorted(plan.chapters, key=attrgetter("name"))
    chapters = [_entry(chapter, outcomes[chapter.name], metrics) for chapter in shown]
    return pages.render(
        "index.html.j2",
        study=plan.study,
        record=record,
        trust=_trust(metrics, gates, record),
        sentences=[_led(text) for text in published(metrics, "page_one")],
        believe=published(metrics, "believe"),
        picture=_picture(metrics, run),
        cards=cards(metrics),
        lists=[found for name in _LISTS if (found := _list(name, plan, run))],
        gates=gates,
        files=sorted(path.name for path in run.glob("tables/*.csv")),
        chapters=chapters,
        not_run=_not_run(chapters),
        failures=[outcome.name for outcome in outcomes.values() if not outcome.succeeded],
    )


_THANKED = "The best customers who buy as they always did: an offer would only cost money."
# The lists of page one: name of the table, its title, what it is, and how many rows are shown.
_LISTS = {
    TO_ACT_ON: (
        "Whom to contact",
        "Those with most money first; each customer's next action is in chapter 12.",
        10,
    ),
    "customers_to_thank": ("Thank, don’t discount", _THANKED, 5),
}


def _led(sentence: str) -> tuple[str, str]:
    """A sentence and the few words that lead it, such as “Why”; a number keeps its unit on its line."""
    sentence = _WITH_UNIT.sub("\N{NO-BREAK SPACE}", sentence)
    lead, colon, text = sentence.partition(": ")
    return (lead, text) if colon and len(lead) <= len("What to do") else ("", sentence)


def _trust(
    metrics: Mapping[str, Mapping[str, Any]], gates: Sequence[Mapping[str, Any]], record: Mapping[str, Any]
) -> list[str]:
    """How many rows were used, and what the checks of the data warn of."""
    figures = {
        key: figure["value"] for notebook in metrics.values() for key, figure in notebook["figures"].items()
    }
    rows, used = figures.get("rows"), figures.get("rows_used")
    lines = [f"{fmt.count(sum(source['rows'] or 0 for source in record['inputs']))} rows read."]
    if rows is not None and used is not None:
        lines = [f"{fmt.count(rows * used)} of {fmt.count(rows)} rows used."]
    warned = [gate for gate in gates if str(gate["status"]).lower() in (WARN, FAIL)]
    for gate in warned[:_MOST_WARNINGS]:
        lines.append(in_days(fmt.sentence(_WARNINGS.get(gate["gate"], "{gate}: {found}").format(**gate))))
    if more := len(warned) - _MOST_WARNINGS if len(warned) > _MOST_WARNINGS else 0:
        lines.append(f"{fmt.plural(more, 'more warning')} below.")
    return lines


_MOST_WARNINGS = 2
_WARNINGS = dict.fromkeys(("closed cohort", "start of the log"), "{found}")  # what was found says it all
_WARNINGS |= {"buyers": "only {found}", "sudden level shifts": "a sudden change in the log: {found}"}
_WITH_UNIT = re.compile(r"(?<=\b[A-Z]{3}) (?=\d)|(?<=\d) (?=%|\w)")
_ISO_DAY = re.compile(r"\b\d{4}-\d\d-\d\d\b")


def in_days(text: str) -> str:
    """A text with its days in words.

    Examples
    --------
    >>> in_days("Nobody new after 1997-03-25.")
    'Nobody new after 25 March 1997.'
    """
    return _ISO_DAY.sub(lambda day: fmt.date(day[0]), text)


def _picture(metrics: Mapping[str, Mapping[str, Any]], run: Path) -> dict[str, str] | None:
    """The picture of page one for wide and for narrow windows, and its words."""
    if (about := picture_of(metrics, "page_one")) is None:
        return None
    files = (base64.b64encode((run / "pictures" / file).read_bytes()).decode() for file in about["files"])
    wide, narrow = (f"data:image/png;base64,{file}" for file in files)
    return {"wide": wide, "narrow": narrow, "alt": about["alt"], "width": str(about["width"])}


def _list(name: str, plan: Plan, run: Path) -> dict[str, Any] | None:
    """A list of page one: its first rows, with a link to all of it."""
    if not (path := run / "tables" / f"{name}.parquet").is_file():
        return None
    title, meaning, rows = _LISTS[name]
    study, frame = plan.study, pyarrow.parquet.ParquetFile(path).read().to_pandas()
    units: dict[str, Any] = dict(currency=study.currency, time_unit=study.time_unit)
    shown = show_table(frame, rows=rows, file=f"../tables/{name}.csv", **units)
    table = pages.table(str(shown._repr_html_()), title)
    return {"name": name, "title": title, "meaning": meaning, "table": table}


def _not_run(chapters: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which chapters were not run, those with one reason together; how to supply a table, the command line says."""
    reasons: dict[str, list[str]] = {}
    for chapter in chapters:
        if not chapter["page"] and not chapter["tone"]:
            name = f"{chapter['notebook'].number} {chapter['notebook'].title}"
            why = chapter["note"].removeprefix("Not run: ").partition(". To supply ")[0]
            reasons.setdefault(in_days(why), []).append(name)
    return [f"{fmt.listing(names)} ({reason.rstrip('.')})." for reason, names in reasons.items()]


def _metrics_of(name: str, metrics: Metrics) -> dict[str, Any]:
    empty = {"headline": "", "business": "", "figure": "", "figures": {}, "absent_tables": []}
    return empty | metrics.get(name, {})


def _entry(chapter: Chapter, outcome: Outcome, metrics: Metrics) -> dict[str, Any]:
    """What the index says of one chapter."""
    ran, found = outcome.status in ("ok", "cached"), _metrics_of(chapter.name, metrics)
    note = f"Not run: {outcome.reason}" if chapter.cannot_run else outcome.reason
    return {
        "notebook": chapter.notebook,
        "page": f"{chapter.name}.html" if ran else None,
        **{name: found[name] if ran else "" for name in ("headline", "business", "figure")},
        "note": "" if ran else note,
        "status": "not run" if outcome.status == "skipped" else outcome.status,
        "tone": "" if outcome.succeeded else "bad",
    }


def _gate(row: dict[str, Any]) -> dict[str, Any]:
    tone = _TONES.get(str(row["status"]).lower(), "care")
    return row | {"tone": tone, "mark": _MARKS[tone]}


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a small table; none where it was not made."""
    return pyarrow.parquet.ParquetFile(path).read().to_pylist() if path.is_file() else []
