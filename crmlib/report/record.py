"""What run.json says: with what, from what and how well a run was made."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from crmlib import __version__
from crmlib.report.plan import Plan
from crmlib.report.tasks import Outcome

_NAMED = (
    "pandas",
    "numpy",
    "scipy",
    "scikit-learn",
    "ibis-framework",
    "duckdb",
    "pyarrow",
    "papermill",
    "ipykernel",
)


def describe(
    plan: Plan, outcomes: list[Outcome], *, run_id: str, started: str, seconds: float
) -> dict[str, Any]:
    """Return the content of run.json.

    Parameters
    ----------
    plan : Plan
    outcomes : list of Outcome
    run_id : str
        The name of the run's folder.
    started : str
        When the run started, UTC, ISO 8601.
    seconds : float
        How long the notebooks took together.
    """
    return {
        "run": run_id,
        "study": plan.study.name,
        "title": plan.study.title,
        "as_of": str(plan.study.as_of),
        "started": started,
        "seconds": round(seconds, 2),
        "asked": plan.asked,
        "versions": _versions(),
        "commit": _commit(plan.root),
        "inputs": plan.inputs,
        "notebooks": [
            {
                "name": one.name,
                "status": one.status,
                "seconds": round(one.seconds, 2),
                "reason": one.reason,
                "parameters": plan.chapter(one.name).parameters,
            }
            for one in sorted(outcomes, key=lambda outcome: outcome.name)
        ],
    }


def _versions() -> dict[str, str]:
    found = {"crmlib": __version__, "python": platform.python_version()}
    for name in _NAMED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an environment without it
            continue
    return found


def _commit(root: Path) -> str | None:
    """The project's git commit, marked where files differ from it; None where there is no git."""
    try:
        told = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None
