"""What the other chapters of a run have published, as far as they ran."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from crmlib import format as fmt
from crmlib.findings import Estimate
from crmlib.no_rows import no_rows

if TYPE_CHECKING:
    from crmlib.study import Study


class Published:
    """Figures, headlines and tables of the other chapters; a chapter that did not run has none.

    Within a report they come from this run alone; by hand also from the latest report.
    """

    def __init__(self, study: Study, folder: Path) -> None:
        latest = study.root / "reports" / study.name / "latest"
        self.folders = [folder] if "CRMLIB_RUN_DIR" in os.environ else [folder, latest]
        self._chapter = cache(self._read)

    def table(self, name: str) -> pd.DataFrame:
        """A table by its name; without rows, and with the reason, where no chapter has published it."""
        for folder in self.folders:
            if (path := folder / "tables" / f"{name}.parquet").is_file():
                return pd.read_parquet(path)
        return no_rows([], f"no chapter of this report has published the table {name}")

    def figure(self, notebook: str, key: str) -> Estimate:
        """A figure with its interval; not known where the chapter has not published it."""
        found = self._chapter(notebook).get("figures", {}).get(key)
        if found is None:
            return Estimate(None, "text")
        currency, base, window = (found[name] or "" for name in ("currency", "base", "window"))
        low, high = (float("nan") if found[end] is None else found[end] for end in ("low", "high"))
        return Estimate(found["value"], found["unit"], low, high, currency=currency, base=base, window=window)

    def change(self, notebook: str, key: str) -> tuple[float, str]:
        """A figure's relative change, nan where it is not known, and against what."""
        found = self._chapter(notebook).get("figures", {}).get(key, {})
        change = found.get("change")
        return (change if fmt.is_known(change) else float("nan")), found.get("against") or ""

    def headline(self, notebook: str) -> str:
        """The sentence of a chapter; empty where it did not run."""
        return self._chapter(notebook).get("headline", "")

    def _read(self, notebook: str) -> dict[str, Any]:
        for folder in self.folders:
            if (path := folder / "metrics" / f"{notebook}.json").is_file():
                return json.loads(path.read_text(encoding="utf-8"))
        return {}
