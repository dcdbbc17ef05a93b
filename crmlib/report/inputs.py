"""The files that a report is made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crmlib.data.cleaning.cache import sha256
from crmlib.data.files.source_files import source_files
from crmlib.places import cache_folder
from crmlib.study import Study


def inputs(study: Study) -> list[dict[str, Any]]:
    """Return every file of a study with its `table`, `file`, `rows` and `sha256`.

    `rows` is None for one of several files of a table whose files are not counted apart.
    """
    remembered = cache_folder(study.root)
    found = []
    for table in study.file.tables:
        files = table_files(study, table)
        rows = _rows(study, table, files)
        found += [
            {"table": table, "file": file.name, "rows": rows.get(file), "sha256": sha256(file, remembered)}
            for file in files
        ]
    return found


def table_files(study: Study, table: str) -> list[Path]:
    """Return the files that one of a study's tables is read from."""
    source = study.file.tables[table].source
    return source_files(source if isinstance(source, str) else list(source), base=study.tables_folder)


def _rows(study: Study, table: str, files: list[Path]) -> dict[Path, int]:
    # The cleaning has counted what the source holds, used or not.
    counted = {Path(one["file"]): int(one["rows"]) for one in study.cleaned.report(table).sources}
    return {files[0]: sum(counted.values())} if len(files) == 1 else counted
