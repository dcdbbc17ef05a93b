"""What the runs of a study have locked: forecasts, lists, scores and looks at claims, by last day, never changed.

``reports/<study>/ledger/<as_of>/`` has ``forecasts.parquet``, ``next_actions.parquet`` and what else ``LOCKED`` names,
as far as the run had them, and ``about.json``: the run, its currency, and the digest of each file.
``customer_chances.parquet`` has each customer's chances under a keyed hash, and no id.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlib.data.kept import digest_of
from crmlib.data.staging import whole_folder

if TYPE_CHECKING:  # the runner makes keys without it
    import pandas as pd

LOCKED = (
    *("forecasts", "forecast_scores", "next_actions", "claim_looks"),
    *("customer_forecasts", "customer_chances", "customer_scores"),
)
ABOUT = "about.json"
VARIABLE = "CRMLIB_LEDGER"  # tells a notebook of a run where the ledger is


def lock(ledger: Path, day: dt.date, run: Path, **about: Any) -> bool:
    """Keep what a published run has forecast, unless an earlier run has done so for the same last day.

    `run`: its folder. `about`: what is to be known of it. Returns whether it was kept.
    """
    folder = ledger / day.isoformat()
    files = [path for name in LOCKED if (path := run / "tables" / f"{name}.parquet").is_file()]
    if folder.exists() or not files:
        return False
    with whole_folder(folder) as draft:
        for path in files:
            (draft / path.name).write_bytes(path.read_bytes())
        digests = {path.name: digest_of(path) for path in files}
        facts = {"run": run.name, **about, "files": digests}
        (draft / ABOUT).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return True


def earlier(ledger: Path, day: dt.date) -> list[tuple[Path, dict[str, Any]]]:
    """The folders of earlier last days, the oldest first, each with what is known of it; damaged ones are left out."""
    found = []
    for path in sorted(ledger.glob(f"[0-9]*/{ABOUT}")):
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            is_earlier = dt.date.fromisoformat(path.parent.name) < day
            whole = all(digest_of(path.parent / name) == was for name, was in about["files"].items())
        except (OSError, ValueError, KeyError, AttributeError):
            continue
        if is_earlier and whole:
            found.append((path.parent, about))
    return found


def ledger_key(ledger: Path, day: dt.date) -> str:
    """Names all that earlier last days have locked; a run of the same day does not change it."""
    facts = [[folder.name, about["files"]] for folder, about in earlier(ledger, day)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def read_locked(
    ledger: Path, day: dt.date, table: str, only: Container[dt.date] | None = None
) -> pd.DataFrame:
    """One table of all earlier last days, one below the other, with the run's facts `run, currency, ids_by`.

    `only`: of which last days alone.
    """
    import pandas as pd

    from crmlib.no_rows import no_rows

    frames = []
    for folder, about in earlier(ledger, day):
        wanted = only is None or dt.date.fromisoformat(folder.name) in only
        if wanted and f"{table}.parquet" in about["files"]:
            facts = {name: about.get(name, "") for name in ("run", "currency", "ids_by")}
            frames.append(pd.read_parquet(folder / f"{table}.parquet").assign(**facts))
    return pd.concat(frames, ignore_index=True) if frames else no_rows([], "no earlier run is kept")
