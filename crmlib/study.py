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

from crmlib.data.cleaning.cache import describe
from crmlib.data.contracts import CONTRACTS
from crmlib.errors import StudyError, did_you_mean
from crmlib.places import find_root, find_study, root_of
from crmlib.results import NotebookResults
from crmlib.secrets import fingerprint
from crmlib.study_file import StudyFile, check_study, read_study_file
from crmlib.study_tables import CleanedTables
from crmlib.units import FIRST_DAY, LAST_DAY, TimeUnit, why_outside

# The engine and pandas load when a table is opened: a report taken from the cache opens none.
if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlib.data.log_start import LogStart
    from crmlib.data_quality import DataQuality
    from crmlib.study_file import Costs


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
        log = file.tables.get("transactions")
        read = "".join(f", {ours}: {theirs}" for ours, theirs in (log.columns if log else {}).items())
        tables = "".join(f", {name}" for name in file.tables)
        return (
            f"Study({self.name!r}: {self.title}; {file.currency}, as of {self.as_of_override or file.as_of}"
            f"; tables{tables[1:]}{read and '; columns' + read[1:]})"
        )

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
        """Rows and money by fate, and what each policy concerns."""
        from crmlib.data_quality import DataQuality

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


_READING = ("date_format", "decimal", "timezone")  # of a frame, which has no entry under `tables`
_MADE = {"tables", "simulation", "sample"}
_FACTS_OF_A_FRAME = [*_READING, *(name for name in StudyFile.model_fields if name not in _MADE)]


def open_study(
    study: str | Path | Study | Any,
    *,
    columns: Mapping[str, str] | None = None,
    as_of: str | dt.date | None = None,
    **facts: Any,
) -> Study:
    """Open a firm: a study by name or path, or a frame with a purchase log.

    Parameters
    ----------
    study : str, Path, DataFrame or Study
        A name means `data/NAME/study.yaml` in the nearest parent folder, a path means itself; or a pandas,
        Polars or PyArrow frame that holds a purchase log. A Study is returned as it is, or as of another day.
    columns : mapping, optional
        For a frame: contract column to the frame's column, as in `{"customer_id": "CustNo"}`.
    as_of : str or date, optional
        Last day that counts, instead of the study's own: a text such as "1998-06-30", a date or a timestamp.
    **facts
        For a frame: entries of a study file, such as `currency="EUR"` or `margin=0.4`.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        If there is no such study, or an entry of it is not allowed.
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
    if isinstance(study, (str, Path, Study)) and (given := [*(["columns"] if columns else []), *facts]):
        raise StudyError(f"{', '.join(given)} go with a frame; a study by name says it in its study.yaml")
    if isinstance(study, Study):
        return study if override is None else replace(study, as_of_override=override, absent_tables=[])
    if isinstance(study, (str, Path)):
        path = find_study(study)
        return Study(path.parent.name, read_study_file(path), path.parent, root_of(path), None, override)
    if not (hasattr(study, "columns") or hasattr(study, "schema")):
        raise StudyError(
            f"open_study got {'None' if study is None else f'a value of type {type(study).__name__}'}; allowed: the "
            "name or path of a study, or a pandas, Polars or PyArrow frame with a purchase log"
        )
    for key in facts:
        if key not in _FACTS_OF_A_FRAME:
            raise StudyError(
                f"{key}: no such entry of a frame, which is the purchase log alone; "
                f"{did_you_mean(key, _FACTS_OF_A_FRAME)}. Other tables stand in a study file: crm new, crm add"
            )
    entry = {"source": "frame", "columns": dict(columns or {})}
    entry |= {key: facts.pop(key) for key in _READING if key in facts}
    content = {"title": "a purchase log", **facts, "tables": {"transactions": entry}}
    file = check_study(content, "open_study")
    return Study("frame", file, Path.cwd(), find_root(), study, override)


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
