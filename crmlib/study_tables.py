"""The optional tables of a study, each cleaned once and kept under a key of what it was made from."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from crmlib.data.cleaned import REPORT, cache_key, describe, keep_cleaned
from crmlib.data.privacy import fingerprint
from crmlib.data.tables import CONTRACTS
from crmlib.data.tables.report import TableReport
from crmlib.errors import StudyError, did_you_mean
from crmlib.places import cache_folder

if TYPE_CHECKING:
    import ibis

    from crmlib.study import Study
    from crmlib.study_file import TableEntry


class OptionalTables:
    """The cleaned optional tables of a study, made when they are first asked for."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._folders: dict[str, Path] = {}

    @property
    def names(self) -> list[str]:
        """Tables of the study beside its purchase log, in the order of its file."""
        return [name for name in self._study.file.tables if name != "transactions"]

    def folder(self, name: str) -> Path:
        """Folder of a cleaned table, from the cache where nothing has changed."""
        if name not in self._folders:
            self._folders[name] = self._cleaned(name, self._entry(name))
        return self._folders[name]

    def rows(self, name: str) -> ibis.Table:
        """A cleaned table whole: what the firm learnt after `as_of` is in it as well."""
        from crmlib.data.sources import engine

        return engine().read_parquet(str(self.folder(name) / "table.parquet"))

    def report(self, name: str) -> TableReport:
        """What became of every row of a table."""
        return TableReport.from_json((self.folder(name) / REPORT).read_text(encoding="utf-8"))

    def _entry(self, name: str) -> TableEntry:
        tables = self._study.file.tables
        if name not in tables:
            raise StudyError(
                f"study {self._study.name!r} has no table {name!r}; {did_you_mean(name, tables)}. "
                f"Add it under tables: {name}: {{source: {name}.csv}}, or: crm add {self._study.name} {name} FILE"
            )
        return tables[name]

    def _cleaned(self, name: str, entry: TableEntry) -> Path:
        study = self._study

        def clean(folder: Path) -> TableReport:
            from crmlib.data.tables.cleaning import clean_table
            from crmlib.data.tables.table_reading import TableReading

            reading = TableReading(
                columns=entry.columns,
                date_format=entry.date_format,
                decimal=entry.decimal,
                timezone=entry.timezone,
                rename=entry.rename,
                missing_ids=study.file.policies.missing_ids,
                hash_secret=study.hash_secret,
                known_until=self._known_until,
                keep_personal=study.file.personal_columns == "keep",
            )
            return clean_table(study.raw(entry, keep_bad_lines=True), CONTRACTS[name], reading, folder)

        files = study.files_of(entry)
        cache = cache_folder(study.root)
        return keep_cleaned(cache_key(files, self._settings(name, entry), cache), cache, clean, files)

    def _settings(self, name: str, entry: TableEntry) -> str:
        study = self._study
        hashed = fingerprint(study.hash_secret) if study.hash_secret else None
        facts = [name, entry.model_dump(), study.file.policies.missing_ids, study.file.personal_columns]
        return describe([*facts, hashed, self._known_until])

    @property
    def _known_until(self) -> dt.date:
        """The last day of the log, or a later `as_of`: the same for every day that one looks from."""
        wanted = self._study.file.as_of
        if not self._study.has("transactions"):
            return self._study.as_of
        latest = dt.date.fromisoformat(self._study.cleaning.days["latest"])
        return latest if isinstance(wanted, str) else max(wanted, latest)
