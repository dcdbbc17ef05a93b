"""Examples of the pages write their files into an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRMLIB_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "crmlib"))
    monkeypatch.chdir(tmp_path)
