"""One report from beginning to end: staged, run, rendered, published."""

from __future__ import annotations

import errno
import json
import platform
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from pathlib import Path
from typing import Any

from crmlib import __version__
from crmlib.data.kept import forget
from crmlib.data.staging import clear_leftovers
from crmlib.errors import RunError, disk_full
from crmlib.report.cache import Cache
from crmlib.report.deliver import Delivery, Prepared
from crmlib.report.execute import Watch, execute
from crmlib.report.outcomes import Outcome
from crmlib.report.plan import Plan
from crmlib.report.runs import Reports
from crmlib.secrets import redact
from crmlib.study.ledger import lock
from crmlib.study.places import cache_folder

_VERSIONS_OF = "pandas numpy scipy scikit-learn ibis-framework duckdb pyarrow papermill ipykernel".split()


@dataclass(frozen=True)
class Made:
    """A report that was made: where it is, which notebooks failed, and whether it is the latest."""

    folder: Path
    failures: list[dict[str, Any]]
    latest: Path | None
    delivery: Prepared


def make_report(
    plan: Plan,
    reports: Reports,
    *,
    jobs: int,
    cell_timeout_seconds: float,
    watch: Watch,
    delivery: Delivery = Delivery(),  # noqa: B008  (frozen)
) -> Made:
    """Run a plan and publish it, or store it with the failed runs if a notebook failed.

    `reports`: where the study's reports go. `jobs`: how many notebooks run at a time. `cell_timeout_seconds`: the
    longest that one cell may take. `watch`: called at every notebook's start (name, None) and end (name, outcome).
    `delivery`: whether the report is printed, and who gets a mail. Raises RunError if the reports cannot be written, as
    when the disk is full; the latest report is unchanged.
    """
    with _refusing(reports), reports.new_run() as staged:
        started, began = datetime.now(UTC), time.monotonic()
        cache = Cache(cache_folder(plan.study.root) / "notebooks" / plan.study.name, plan, reports.ledger)
        _tidy(plan, cache)
        how: dict[str, Any] = {"jobs": jobs, "cell_timeout_seconds": cell_timeout_seconds, "watch": watch}
        outcomes = execute(plan, staged, cache, **how)
        record = _record(plan, outcomes, staged.name, started, seconds=time.monotonic() - began)
        record["ledger"] = cache.ledger_key
        return _publish(plan, reports, outcomes, staged, record, delivery)


def _tidy(plan: Plan, cache: Cache) -> None:
    """Clear the caches: of what killed runs left, of too much, and of what a stricter privacy no longer keeps."""
    folder, allowed = cache_folder(plan.study.root), {*plan.study.cleaned.clear}
    cache.forget(lambda facts: not {*facts["clear"]} <= allowed)
    plan.study.cleaned.tidy()
    for shelf in ("samples", "simulated"):
        forget(folder / shelf)
    clear_leftovers(folder / "digests")


@contextmanager
def _refusing(reports: Reports) -> Iterator[None]:
    """Say what the system complains of in words that help."""
    try:
        yield
    except OSError as error:
        path = error.filename or reports.folder
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                f"{path}: {error.strerror or error}; nothing was published, the latest report is unchanged"
            ) from error
        raise disk_full(path) from error


def _publish(
    plan: Plan, reports: Reports, outcomes: list[Outcome], staged: Path, record: dict[str, Any],
    delivery: Delivery,
) -> Made:  # fmt: skip
    from crmlib.report import publish  # templates and Markdown: not before there is something to render

    broken = [outcome for outcome in outcomes if not outcome.succeeded]
    kept_in = (reports.failed if broken else reports.runs) / staged.name
    failures = [_failure(outcome, plan, reports, kept_in) for outcome in broken]
    publish.write_pages(plan, outcomes, staged, record)
    if failures:
        publish.write_failures(plan, failures, staged, record)
    facts = redact(record | {"failures": failures})
    (staged / "run.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    plan.require_unchanged(databases=True)
    if failures:
        prepared = delivery.prepare(staged, record, kept_in / "failure.html", failed=True)
        return Made(reports.keep_failed(staged), failures, None, prepared)
    replaces = _loses_no_chapter(outcomes, reports.latest_run())
    page = (reports.latest if replaces else kept_in) / "index.html"
    prepared = delivery.prepare(staged, record, page, failed=False)
    folder = reports.publish(staged, latest=replaces)
    study = plan.study
    lock(reports.ledger, study.as_of, folder, currency=study.currency, ids_by=study.ids_by)
    return Made(folder, [], reports.latest if replaces else None, prepared)


def _failure(outcome: Outcome, plan: Plan, reports: Reports, folder: Path) -> dict[str, Any]:
    """What a reader needs in order to do something about a failure."""
    return redact(asdict(outcome)) | {
        "partial": str(folder / "notebooks" / f"{outcome.name}.ipynb"),
        "again": _again(plan, reports, plan.chapter(outcome.name).notebook.number),
    }


def _again(plan: Plan, reports: Reports, number: str) -> str:
    """The command that runs just one notebook again, as this run was asked for."""
    words = ["crm", "report", plan.asked["study"], "--only", number]
    if plan.asked["as_of"]:
        words += ["--as-of", plan.asked["as_of"]]
    for text in plan.asked["set"]:
        words += ["--set", text]
    if reports.folder.parent != plan.root / "reports":
        words += ["--out", str(reports.folder.parent)]
    return shlex.join(words)


def _loses_no_chapter(outcomes: list[Outcome], latest: dict[str, Any]) -> bool:
    """Whether a run with --only has all that the latest report has; if not, it does not take its place."""
    skipped = [outcome for outcome in outcomes if outcome.status == "skipped"]
    left_out = {outcome.name for outcome in skipped if "--only" in outcome.reason}
    shown = {row["name"] for row in latest.get("notebooks", []) if row["status"] in ("ok", "cached")}
    return not left_out & shown


def _record(
    plan: Plan, outcomes: list[Outcome], run: str, started: datetime, *, seconds: float
) -> dict[str, Any]:
    """What run.json says: with what, from what and how well a run was made; `seconds` are those of all notebooks."""
    notebooks = [
        {"name": outcome.name, "status": outcome.status, "seconds": round(outcome.seconds, 2)}
        | {"reason": outcome.reason, "parameters": plan.chapter(outcome.name).parameters}
        for outcome in sorted(outcomes, key=attrgetter("name"))
    ]
    return {
        "run": run,
        "study": plan.study.name,
        "title": plan.study.title,
        "as_of": str(plan.study.as_of),
        "started": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(seconds, 2),
        "asked": plan.asked,
        "versions": _versions(),
        "commit": _commit(plan.root),
        "inputs": plan.inputs,
        "notebooks": notebooks,
    }


def _versions() -> dict[str, str]:
    found = {"crmlib": __version__, "python": platform.python_version()}
    for name in _VERSIONS_OF:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an environment without it
            continue
    return found


def _commit(root: Path) -> str | None:
    """The project's git commit, marked where files differ from it; None where there is no git."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
