"""A study: one firm's tables and facts, the one object that every notebook opens."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlib.data.contracts import CONTRACTS
from crmlib.data.files.source_files import SUFFIXES
from crmlib.data.kept import describe, digest_of
from crmlib.errors import StudyError, did_you_mean
from crmlib.secrets import fingerprint
from crmlib.study.file import OF_FILES, READING, StudyFile, check_study, read_study_file
from crmlib.study.places import find_root, find_study, root_of
from crmlib.study.results import NotebookResults
from crmlib.study.tables import CleanedTables, require_same
from crmlib.units import FIRST_DAY, LAST_DAY, TimeUnit, why_outside

# The engine and pandas load when a table is opened: a report taken from the cache opens none.
if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlib.data.log_start import LogStart
    from crmlib.study.data_quality import DataQuality
    from crmlib.study.file import Costs


@dataclass(repr=False)
class Study:
    """A firm as notebooks see it; made by `open_study`."""

    name: str
    file: StudyFile
    folder: Path
    root: Path
    frame: Any = None
    as_of_override: dt.date | None = None
    absent_tables: list[str] = field(default_factory=list)  # asked for, and not there

    def __post_init__(self) -> None:
        #: The firm's tables as they were cleaned, and what became of their rows.
        self.cleaned = CleanedTables(
            self.name, self.file, self.folder, self.root, self.frame, self.as_of_override
        )

    def __repr__(self) -> str:
        file = self.file
        day = self.as_of_override or file.as_of
        parts = [self.title, f"{file.currency or 'currency not known'}, as of {day}"]
        parts.append(f"tables {', '.join(file.tables)}")
        if log := file.tables.get("transactions"):
            how = log.model_dump(exclude_defaults=True, exclude={"source", "columns", "rename"}) | log.columns
            parts += [", ".join(f"{key}: {value}" for key, value in how.items())] if how else []
        return f"Study({self.name!r}: {'; '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # What has been opened since belongs to this process: a copy elsewhere opens its own.
        return type(self), tuple(getattr(self, one.name) for one in fields(self))

    @property
    def title(self) -> str:
        """How reports name the firm; a simulated one never goes without the word."""
        title = self.file.title
        plain = self.file.data_kind != "simulated" or "simulated" in title.lower()
        return title if plain else f"{title} (simulated)"

    @property
    def sentence(self) -> str:
        """What is looked at: whose data, of which kind, up to which day, and in which currency."""
        money = f"in {self.currency}" if self.currency else "in a currency that is not known"
        return f"{self.title}: {self.file.data_kind} data, as of {self.as_of}, {money}"

    @property
    def currency(self) -> str:
        """Currency of every amount, three letters; empty if it is not known."""
        return self.file.currency or ""

    @property
    def margin(self) -> float | None:
        """Contribution margin as a share of revenue, or None where it is not known."""
        return self.file.margin

    @property
    def discount_rate_per_year(self) -> float | None:
        """Discount rate per year, or None where the study gives none."""
        return self.file.discount_rate_per_year

    @property
    def costs(self) -> Costs | None:
        """What serving a customer costs per minute, contact, order or return, or None where the study gives none."""
        return self.file.costs

    @property
    def time_unit(self) -> TimeUnit:
        """Unit of recency, T and forecasts."""
        return TimeUnit(self.file.time_unit)

    @property
    def collapse(self) -> TimeUnit:
        """Purchases within one such period are one purchase."""
        return TimeUnit(self.file.policies.purchases_merged_within)

    @cached_property
    def as_of(self) -> dt.date:
        """The last day that counts, to its end."""
        wanted = self.as_of_override or self.file.as_of
        if not self.has("transactions") and not isinstance(wanted, str):
            return wanted  # there is no log that it could precede
        days = self.cleaned.report("transactions").days
        if isinstance(wanted, str):
            return dt.date.fromisoformat(days["latest"])
        first, last = (dt.date.fromisoformat(days[one]) for one in ("first", "latest"))
        if reason := why_outside(wanted, first, last):
            raise StudyError(f"as_of: {reason}, or latest")
        return wanted

    @property
    def optional_tables(self) -> list[str]:
        """Names of the tables beside the purchase log, in the order of the study file."""
        return self.cleaned.optional

    @cached_property
    def data_key(self) -> str:
        """Names the content of the purchase log and how it is read; unchanged data keep their key."""
        if self.has("transactions"):
            return self.cleaned.key("transactions")
        return describe([self.currency, self.cleaned.hash_secret and fingerprint(self.cleaned.hash_secret)])

    @cached_property
    def all_transactions(self) -> ibis.Table:
        """The cleaned log, rows after `as_of` included."""
        return self.cleaned.rows("transactions")

    @cached_property
    def transactions(self) -> ibis.Table:
        """The cleaned log up to the end of `as_of`: one row per usable row of the source."""
        return self._as_known("transactions")

    @cached_property
    def log_start(self) -> LogStart:
        """Whether the log starts with the firm, as the study says or the log shows."""
        from crmlib.data.log_start import log_start

        return log_start(self.transactions, as_of=self.as_of, log_starts=self.file.log_starts)

    @property
    def new_customers_known_from(self) -> dt.date | None:
        """In a log that was cut: the day from which first purchases are those of new customers; else None, all are."""
        return self.log_start.new_customers_known_from

    @cached_property
    def quality(self) -> DataQuality:
        """Rows and money by outcome, and what each policy concerns."""
        from crmlib.study.data_quality import DataQuality

        return DataQuality(self.cleaned, self.as_of)

    @cached_property
    def gates(self) -> pd.DataFrame:
        """Every gate of the data check: what was lost or changed on reading, and what the log is fit for."""
        import pandas as pd

        from crmlib.data.fitness import fitness_gates

        fitness = fitness_gates(self.transactions, as_of=self.as_of, log_starts=self.file.log_starts)
        return pd.concat([self.quality.gates, fitness], ignore_index=True)

    def has(self, table: str, *columns: str) -> bool:
        """Whether the firm supplies a table, and in it these columns, each with a value in one row at least."""
        if table not in self.file.tables or not columns:
            return table in self.file.tables
        filled = self.cleaned.report(table).filled
        return all(filled.get(column, 0) > 0 for column in columns)

    def table(self, name: str) -> ibis.Table:
        """Open one of the firm's tables, cleaned, as the firm knew it at the end of `as_of`.

        Parameters
        ----------
        name : str
            A table of the dictionary, such as "service_cases".

        Returns
        -------
        ibis.Table
            The purchase log as `transactions` has it; of another table every column of its contract, empty where
            the firm has none (see `has`), dates as timestamps. A table that the firm lacks has no rows: nothing
            was measured, which is not zero. Personal columns are left out, unless the study
            says `personal_columns: keep`; `has_birthday` and the like say whether they are filled.

        Raises
        ------
        StudyError
            If there is no table of that name.
        DataError
            If it lacks a required column, or none of its rows can be used.
        """
        if name not in CONTRACTS:
            raise StudyError(f"there is no table {name!r}; {did_you_mean(name, CONTRACTS)}")
        if not self.has(name):
            from crmlib.data.sources import empty_table

            if name not in self.absent_tables:
                self.absent_tables.append(name)
            return empty_table(CONTRACTS[name], keep_personal=self.file.personal_columns == "keep")
        return self._as_known(name)

    def _as_known(self, name: str) -> ibis.Table:
        from crmlib.data.contracts.known_at import known_at

        return known_at(self.cleaned.rows(name), CONTRACTS[name], self.as_of)

    def results(self, notebook: str) -> NotebookResults:
        """Where a notebook publishes its figures, its finding and its tables."""
        return NotebookResults(notebook, self._run_folder, self.currency, self.absent_tables)

    def figures(self, notebook: str) -> dict[str, Any]:
        """Key figures that another notebook published in this run; by hand, also those of the latest report."""
        folders = [self._run_folder]
        if "CRMLIB_RUN_DIR" not in os.environ:  # a run never mixes with the figures of another one
            folders.append(self.root / "reports" / self.name / "latest")
        for folder in folders:
            path = folder / "metrics" / f"{notebook}.json"
            if path.exists():
                return json.loads(path.read_text(encoding="utf-8"))["figures"]
        raise StudyError(f"{notebook} has published no figures for {self.name!r} yet; run it first")

    @property
    def _run_folder(self) -> Path:
        named = os.environ.get("CRMLIB_RUN_DIR")
        return Path(named) if named else self.root / "reports" / self.name / "by-hand"


_MADE = {"tables", "simulation", "sample"}
_FACTS_OF_A_LOG = [*READING, *(name for name in StudyFile.model_fields if name not in _MADE)]


def open_study(
    study: str | Path | Study | Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_of: str | dt.date | None = None,
    **facts: Any,
) -> Study:
    """Open a firm: a study by name or path, or a purchase log in a file or a frame.

    Parameters
    ----------
    study : str, Path, DataFrame or Study
        A name means `data/NAME/study.yaml` in the nearest parent folder, a path of a study file itself; a file
        such as "orders.csv" is looked at as `crm new` does, and what was guessed stands in the study's `repr`; or
        a pandas, Polars or PyArrow frame that holds a purchase log. A Study is returned as it is, or as of another day.
    columns : mapping, optional
        Of a log: contract column to the log's column, as in `{"customer_id": "CustNo"}`.
    as_of : str or date, optional
        Last day that counts, instead of the study's own: a text such as "1998-06-30", a date or a timestamp.
    **facts
        Of a log: entries of a study file, such as `currency="EUR"` or `margin=0.4`, and of its table, such as
        `date_format`, `decimal`, `timezone` and `amount_unit`; of a file also `sheet`, `encoding` and `delimiter`.

    Raises
    ------
    StudyError
        If there is no such study, an entry of it is not allowed, or a file does not say how it is to be read; the
        message then names the argument that does.
    DataError
        When the purchase log is first used, if it cannot be.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"CustNo": ["007", "007"], "day": ["2024-01-05", "2024-02-01"], "paid": [10.0, 20.0]})
    >>> shop = open_study(log, columns={"customer_id": "CustNo", "date": "day", "amount": "paid"})
    >>> shop.as_of, shop.transactions.count().to_pyarrow().as_py()
    (datetime.date(2024, 2, 1), 2)
    """
    override = _as_date(as_of)
    is_file = isinstance(study, (str, Path)) and str(study).lower().endswith(SUFFIXES)
    by_name = isinstance(study, (str, Path, Study)) and not is_file
    if by_name and (given := [*(["columns"] if columns else []), *facts]):
        raise StudyError(f"{', '.join(given)} go with a frame; a study by name says it in its study.yaml")
    if isinstance(study, Study):
        return study if override is None else replace(study, as_of_override=override, absent_tables=[])
    if by_name:
        path = find_study(study)
        require_same(str(path), digest_of(path), path.name)
        return Study(path.parent.name, read_study_file(path), path.parent, root_of(path), None, override)
    if not (is_file or hasattr(study, "columns") or hasattr(study, "schema")):
        raise StudyError(
            f"open_study got {'None' if study is None else f'a value of type {type(study).__name__}'}; allowed: the "
            "name or path of a study, or a pandas, Polars or PyArrow frame with a purchase log"
        )
    allowed = [key for key in _FACTS_OF_A_LOG if is_file or key not in OF_FILES]
    for key in facts:
        if key not in allowed:
            raise StudyError(
                f"{key}: no such entry of a purchase log alone; {did_you_mean(key, allowed)}. Other tables "
                "stand in a study file: crm new, crm add"
            )
    reading = {key: facts.pop(key) for key in READING if key in facts}
    if is_file:
        return _study_of_file(Path(study).expanduser(), columns or {}, reading, facts, override)
    entry = {"source": "frame", "columns": dict(columns or {}), **reading}
    content = {"title": "a purchase log", **facts, "tables": {"transactions": entry}}
    return Study("frame", check_study(content, "open_study"), Path.cwd(), find_root(), study, override)


def _study_of_file(
    path: Path,
    columns: Mapping[str, str],
    reading: dict[str, Any],
    facts: dict[str, Any],
    as_of: dt.date | None,
) -> Study:
    """The study that `crm new` would write of a purchase log, with what is given here instead of what was guessed."""
    from crmlib.data.guessing.table import guess_table
    from crmlib.study.entries import study_of_guess

    given = {f"columns.{ours}": theirs for ours, theirs in columns.items()} | reading
    if "currency" in facts:
        given["currency"] = facts["currency"]
    if isinstance(form := given.get("date_format"), str):
        given["date_format"] = (form,)
    content = study_of_guess(path.name, guess_table(CONTRACTS["transactions"], path, given=given))
    content["tables"]["transactions"] |= reading
    return Study(path.stem, check_study(content | facts, str(path)), path.parent, find_root(), None, as_of)


def _as_date(as_of: str | dt.date | None) -> dt.date | None:
    if as_of is None or str(as_of) == "latest":
        return None
    # Timestamps begin with their day. In a text nothing may follow it: the text itself goes into the run's record.
    text = as_of if isinstance(as_of, str) else str(as_of)[:10]
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise StudyError(f"as_of is {as_of!r}; give a day such as 1998-06-30, or latest") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise StudyError(f"as_of is {as_of!r}; give a day from {FIRST_DAY} to {LAST_DAY}, or latest")
    return day
