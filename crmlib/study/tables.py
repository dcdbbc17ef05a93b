"""The tables of a study, each cleaned once and cached under a key of its inputs."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import shutil
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from crmlib.data.code_key import code_key
from crmlib.data.contracts import CONTRACTS
from crmlib.data.databases import DatabaseRows, RowsState, rows_of
from crmlib.data.files.source_files import names_of, source_files
from crmlib.data.kept import (
    FileState,
    cache_key,
    describe,
    file_state,
    forget,
    keep_cleaned,
    read_report,
)
from crmlib.data.staging import LOCK, scratch
from crmlib.errors import DataError, StudyError
from crmlib.secrets import fingerprint, hash_secret
from crmlib.study.places import cache_folder

T = TypeVar("T")
# The variable in which the runner says to the kernels what every input is, as JSON: name to key.
RUN_STATE = "CRMLIB_RUN_STATE"


def require_same(name: str, key: str, what: str) -> None:
    """Go on if a notebook finds what the run was planned with; outside a run, always.

    Raises DataError if it finds something else.

    Examples
    --------
    >>> require_same("data/shop/study.yaml", "ab12", "study.yaml")
    """
    if _planned().get(name, key) != key:
        raise DataError(f"{what} changed during the run; run again when it is complete")


def _planned() -> dict[str, str]:
    return json.loads(os.environ.get(RUN_STATE, "{}"))


if TYPE_CHECKING:
    import ibis

    from crmlib.data.kept import CleaningReport
    from crmlib.data.spark import SparkEngine
    from crmlib.study.file import StudyFile, TableEntry


def _once(method: Callable[[Any, str], T]) -> Callable[[Any, str], T]:
    """Call a method once per table and keep its answer; threads wait, so that a table is cleaned once."""

    @functools.wraps(method)
    def asked(self: Any, name: str) -> T:
        with LOCK:
            if (method.__name__, name) not in self._known:
                self._known[method.__name__, name] = method(self, name)
            return self._known[method.__name__, name]

    return asked


class CleanedTables:
    """The tables of a study: where their sources are, and what became of them, cleaned when first asked for.

    `study`: the study's name. `file`: what it says. `beside`: the folder of the study file, in which sources are looked
    for. `root`: the project, in whose cache cleaned tables are kept. `frame`: the purchase log itself, of a study
    without files. `as_of`: the day that one looks from, instead of the study's own.
    """

    def __init__(
        self, study: str, file: StudyFile, beside: Path, root: Path, frame: Any, as_of: dt.date | None
    ) -> None:
        self.study, self.file, self.beside, self.root, self.frame = study, file, beside, root, frame
        self._as_of = as_of or file.as_of
        self._known: dict[tuple[str, str], Any] = {}
        self._of_a_frame: Any = None

    @property
    def optional(self) -> list[str]:
        """Names of the tables beside the purchase log, in the order of the study file."""
        return [name for name in self.file.tables if name != "transactions"]

    @_once
    def folder(self, name: str) -> Path:
        """Folder of a cleaned table, from the cache where nothing has changed."""
        return self._cleaned(name, self._entry(name))

    def rows(self, name: str) -> ibis.Table:
        """A cleaned table with all its rows, those that the firm learnt after `as_of` included.

        Ids are text, but for those of a frame in which they are numbers.
        """
        from crmlib.data.cleaning.places import kept_rows
        from crmlib.data.kept import USED

        if self._spark is not None and name != "transactions":  # small tables go to the log's engine
            return self._spark.read_parquet(self.folder(name) / USED)
        rows = kept_rows(self.folder(name), USED, self._spark)
        if self._of_a_frame is not None:  # its folder stays as long as anything that is made from these rows
            weakref.finalize(rows.op(), lambda _kept: None, self._of_a_frame)
        return rows.mutate(customer_id=rows.customer_id.cast("int64")) if self._numbered else rows

    def aside(self, name: str) -> ibis.Table:
        """All rows of a table that were set aside."""
        from crmlib.data.cleaning.places import kept_rows
        from crmlib.data.kept import QUARANTINE

        return kept_rows(self.folder(name), QUARANTINE, self._spark if name == "transactions" else None)

    @property
    def _spark(self) -> SparkEngine | None:
        """The engine in which the log is, where the study runs in it."""
        if self.file.workspace is None:
            return None
        from crmlib.data.spark import spark

        session = spark(str(self._entry("transactions").source))
        session.work_in(self.file.workspace, cache_folder(self.root) / "cleaned")
        return session

    @cached_property
    def _numbered(self) -> bool:
        """Whether the ids of a frame were whole numbers and still are after cleaning."""
        if self.frame is None or self.hash_secret is not None:
            return False
        from crmlib.data.cleaning.ids import holds_other
        from crmlib.data.engine import engine
        from crmlib.data.kept import USED
        from crmlib.data.sources import open_table

        column = self.report("transactions").columns["customer_id"]
        if not open_table(self.frame)[column].type().is_numeric():
            return False
        return not holds_other(engine().read_parquet(str(self.folder("transactions") / USED)).customer_id)

    @_once
    def report(self, name: str) -> CleaningReport:
        """What became of every row of a table."""
        return read_report(self.folder(name))

    @_once
    def key(self, name: str) -> str:
        """Names the content of a table and how it is read; unchanged data keep their key.

        Notebooks of a run do not ask a database again: they work with what the run has read.
        """
        return (self.database(name) and _planned().get(f"{self.beside}/{name}")) or self._key_now(name)

    def _key_now(self, name: str) -> str:
        file, entry = self.file, self._entry(name)
        facts = [name, entry.model_dump(), file.policies.missing_ids, file.personal_columns, file.currency]
        if name == "transactions":
            facts += [
                file.policies.model_dump(),
                *([file.workspace, code_key("crmlib.data.spark")] if file.workspace else []),
            ]
        hashed = fingerprint(self.hash_secret) if self.hash_secret else None
        settings = describe([*facts, hashed, self._known_until(name), list(self.files_by_name(name))])
        key = cache_key(self.states(name), settings)
        require_same(f"{self.beside}/{name}", key, f"the source of {name}")
        return key

    def _entry(self, name: str) -> TableEntry:
        tables = self.file.tables
        if name not in tables:
            what = "purchase log" if name == "transactions" else f"table {name}"
            raise StudyError(
                f"study {self.study!r} has no {what}, only {', '.join(tables)}; add it under tables: "
                f"{name}: {{source: {name}.csv}}, or: crm add {self.study} {name} FILE"
            )
        return tables[name]

    def _cleaned(self, name: str, entry: TableEntry) -> Path:
        file = self.file

        def clean(folder: Path) -> CleaningReport:
            from crmlib.data.cleaning.clean import clean_table
            from crmlib.data.policies import Reading

            of_entry = ("columns", "date_format", "decimal", "amount_unit", "timezone", "rename")
            reading = Reading(
                **{key: getattr(entry, key) for key in of_entry},
                currency=file.currency,
                policies=file.policies,
                known_until=self._known_until(name),
                hash_secret=self.hash_secret,
                keep_personal=file.personal_columns == "keep",
            )
            return clean_table(self._raw(name, entry), CONTRACTS[name], reading, folder)

        if self.frame is not None:
            # A frame has no key to be found under again: its cleaned log lives as long as this object.
            self._of_a_frame = TemporaryDirectory(prefix="frame-", dir=scratch())
            return keep_cleaned(Path(self._of_a_frame.name) / name, clean, {})
        folder = cache_folder(self.root) / "cleaned" / self.key(name)
        facts = {"study": self.study, "clear": self.clear}
        in_spark = name == "transactions" and self._spark is not None
        if in_spark and folder.is_dir():
            from crmlib.data.cleaning.places import is_kept

            if not is_kept(folder, self._spark):
                shutil.rmtree(folder)  # somebody has removed its tables
        known = folder.is_dir()
        # What came home from a database was held against it when it had been read.
        here = self.database(name) and not in_spark
        keep_cleaned(folder, clean, {} if here else self.states(name), **facts)
        if not known:
            self.tidy()
        return folder

    def tidy(self) -> None:
        """Clear the cache of what killed runs left, of too much, and of what the study has in the clear no more."""

        def too_clear(facts: Mapping[str, Any]) -> bool:
            return facts["study"] == self.study and not {*facts["clear"]} <= {*self.clear}

        for shelf in ("cleaned", "databases"):
            forget(cache_folder(self.root) / shelf, too_clear)

    def _known_until(self, name: str) -> dt.date:
        """The last day of the log, or a later `as_of`: the same for every day that one looks from."""
        if name == "transactions":
            return dt.date.max  # it says itself until when the firm is known
        if "transactions" not in self.file.tables:
            assert not isinstance(self._as_of, str), "a study without a log names its day"
            return self._as_of
        wanted, latest = self.file.as_of, dt.date.fromisoformat(self.report("transactions").days["latest"])
        return latest if isinstance(wanted, str) else max(wanted, latest)

    @property
    def clear(self) -> list[str]:
        """Which personal data are kept in plain text for this study: customer ids, personal columns."""
        ids = [] if self.file.privacy == "hash" else ["ids"]
        return [*ids, *(["personal"] if self.file.personal_columns == "keep" else [])]

    @cached_property
    def hash_secret(self) -> str | None:
        """The key of the hashes that stand for customer ids, or None where they stay as they are."""
        return hash_secret() if self.file.privacy == "hash" else None

    @cached_property
    def source_folder(self) -> Path:
        """Where sources are looked for: beside the study file; simulated firms and samples are made in the cache."""
        if self.file.sample is not None:
            from crmlib.data.samples import keep_sample

            return keep_sample(self.file.sample, cache_folder(self.root))
        if self.file.simulation is None:
            return self.beside
        from crmlib.simulation.writer import keep_simulated

        return keep_simulated(self.file.simulation, cache_folder(self.root))

    def database(self, name: str) -> DatabaseRows | None:
        """The rows of a database that a table is read from, or None where it is read from files."""
        entry = self._entry(name)
        return rows_of(entry.source, entry.table, entry.query, self.beside)

    def files(self, name: str) -> list[Any]:
        """The files that a table is read from, as they are now, or the rows of a database that it is."""
        rows = self.database(name)
        return [rows] if rows else [*source_files(self._entry(name).source, base=self.source_folder)]

    @_once
    def states(self, name: str) -> dict[Any, FileState]:
        """The files that a table is read from, and what each held when this object first looked at it."""
        return {source: self._state(name, source) for source in self.files(name)}

    def _state(self, name: str, source: Path | DatabaseRows) -> FileState:
        cache = cache_folder(self.root)
        if isinstance(source, Path):
            return file_state(source, cache)
        state = source.state(CONTRACTS[name], self._entry(name).columns)
        state.require_same_kinds(source, cache / "digests")
        return state

    def files_by_name(self, name: str) -> dict[str, Any]:
        """The same by what they are called in the reports and the quarantine."""
        if rows := self.database(name):
            return {rows.name: rows}
        return {shown: file for file, shown in names_of(list(self.states(name)), self.source_folder).items()}

    def _raw(self, name: str, entry: TableEntry) -> ibis.Table:
        """A table as it stands in its source, lines that cannot be split among its rows."""
        import ibis

        from crmlib.data.files.csv_files import FILE_COLUMN
        from crmlib.data.sources import open_table

        if self.frame is not None:
            return open_table(self.frame)
        if rows := self.database(name):
            if name == "transactions" and self._spark is not None:
                state = self.states(name)[rows]
                assert isinstance(state, RowsState)
                return rows.in_place(state).mutate(**{FILE_COLUMN: ibis.literal(rows.name)})
            return open_table(self._brought_home(name, rows), called=rows.name)
        options = entry.model_dump(include={"delimiter", "encoding", "table", "sheet"})
        return open_table(entry.source, base=self.source_folder, keep_bad_lines=True, **options)

    def _brought_home(self, name: str, rows: DatabaseRows) -> Path:
        """The file with the rows of a database: in the cache, or of this process alone where it would tell too much."""
        self._key_now(name)
        state = self.states(name)[rows]
        assert isinstance(state, RowsState)
        clear = ["ids", *(["personal"] if state.personal else [])]
        cache = cache_folder(self.root) if {*clear} <= {*self.clear} else scratch()
        return rows.kept_in(cache, state, study=self.study, clear=clear)
