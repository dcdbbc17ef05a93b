"""The tables of a study, each cleaned once and kept under a key of what it was made from."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlib.data.cleaning.cache import cache_key, describe, keep_cleaned, read_report
from crmlib.data.contracts import CONTRACTS
from crmlib.errors import StudyError
from crmlib.places import cache_folder
from crmlib.secrets import fingerprint

if TYPE_CHECKING:
    import ibis

    from crmlib.data.cleaning.cache import CleaningReport
    from crmlib.study import Study
    from crmlib.study_file import TableEntry


class CleanedTables:
    """The cleaned tables of a study, made when they are first asked for."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._folders: dict[str, Path] = {}
        self._reports: dict[str, CleaningReport] = {}
        self._of_a_frame: Any = None

    def folder(self, name: str) -> Path:
        """Folder of a cleaned table, from the cache where nothing has changed."""
        if name not in self._folders:
            self._folders[name] = self._cleaned(name, self._entry(name))
        return self._folders[name]

    def rows(self, name: str) -> ibis.Table:
        """A cleaned table whole: what the firm learnt after `as_of` is in it as well."""
        from crmlib.data.cleaning.cache import USED
        from crmlib.data.sources import engine

        return engine().read_parquet(str(self.folder(name) / USED))

    def report(self, name: str) -> CleaningReport:
        """What became of every row of a table."""
        if name not in self._reports:
            self._reports[name] = read_report(self.folder(name))
        return self._reports[name]

    def key(self, name: str) -> str:
        """Names the content of a table and how it is read; unchanged data keep their key."""
        study, entry = self._study, self._entry(name)
        facts = [name, entry.model_dump(), study.file.policies.missing_ids, study.file.personal_columns]
        if name == "transactions":
            facts += [study.file.policies.model_dump(), study.currency]
        hashed = fingerprint(study.hash_secret) if study.hash_secret else None
        settings = describe([*facts, hashed, self._known_until(name)])
        return cache_key(study.files_of(entry), settings, cache_folder(study.root))

    def _entry(self, name: str) -> TableEntry:
        tables = self._study.file.tables
        if name not in tables:
            what = "purchase log" if name == "transactions" else f"table {name}"
            raise StudyError(
                f"study {self._study.name!r} has no {what}, only {', '.join(tables)}; add it under tables: "
                f"{name}: {{source: {name}.csv}}, or: crm add {self._study.name} {name} FILE"
            )
        return tables[name]

    def _cleaned(self, name: str, entry: TableEntry) -> Path:
        study = self._study

        def clean(folder: Path) -> CleaningReport:
            from crmlib.data.cleaning.clean import clean_table
            from crmlib.data.policies import Reading

            reading = Reading(
                columns=entry.columns,
                date_format=entry.date_format,
                decimal=entry.decimal,
                timezone=entry.timezone,
                rename=entry.rename,
                currency=study.currency,
                policies=study.file.policies,
                known_until=self._known_until(name),
                hash_secret=study.hash_secret,
                keep_personal=study.file.personal_columns == "keep",
            )
            return clean_table(study.raw(entry, keep_bad_lines=True), CONTRACTS[name], reading, folder)

        if study.frame is not None:
            # A frame has no key to be found under again: its cleaned log lives as long as this object.
            self._of_a_frame = tempfile.TemporaryDirectory(prefix="crmlib-")
            return keep_cleaned("frame", Path(self._of_a_frame.name), clean)
        return keep_cleaned(self.key(name), cache_folder(study.root), clean, study.files_of(entry))

    def _known_until(self, name: str) -> dt.date:
        """The last day of the log, or a later `as_of`: the same for every day that one looks from."""
        wanted = self._study.file.as_of
        if name == "transactions":
            return dt.date.max  # it says itself until when the firm is known
        if not self._study.has("transactions"):
            return self._study.as_of
        latest = dt.date.fromisoformat(self.report("transactions").days["latest"])
        return latest if isinstance(wanted, str) else max(wanted, latest)
