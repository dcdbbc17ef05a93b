"""A study: one firm's tables and facts, the one object that every notebook opens."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlib import format as fmt
from crmlib.columns import ShownTable, show_table
from crmlib.data.contracts import CONTRACTS
from crmlib.data.kept import describe
from crmlib.errors import CannotAnswerError, StudyError, did_you_mean
from crmlib.secrets import fingerprint
from crmlib.study.file import StudyFile
from crmlib.study.ledger import VARIABLE, read_locked
from crmlib.study.published import figures_of
from crmlib.study.results import NotebookResults
from crmlib.study.tables import CleanedTables
from crmlib.study.value_terms import DEFAULT_DISCOUNT, PARAMETER, ValueTerms
from crmlib.units import TimeUnit, why_outside

# The engine and pandas load when a table is opened: a report taken from the cache opens none.
if TYPE_CHECKING:
    import ibis
    import pandas as pd

    from crmlib.data.log_for_tests import LogForTests
    from crmlib.data.log_start import LogStart
    from crmlib.study.data_quality import DataQuality
    from crmlib.study.file import Costs


def _first_known(figures: Mapping[str, Any], otherwise: tuple[Any, str]) -> tuple[Any, str]:
    """The first known value, and its source."""
    return next(((figure, origin) for origin, figure in figures.items() if fmt.is_known(figure)), otherwise)


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
        places = self.folder, self.root
        #: The firm's tables as they were cleaned, and what became of their rows.
        self.cleaned = CleanedTables(self.name, self.file, *places, self.frame, self.as_of_override)

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
        return type(self), tuple(getattr(self, attribute.name) for attribute in fields(self))

    @property
    def title(self) -> str:
        """How reports name the firm; the name of a simulated firm always says so."""
        title = self.file.title
        plain = self.file.data_kind != "simulated" or "simulated" in title.lower()
        return title if plain else f"{title} (simulated)"

    @property
    def sentence(self) -> str:
        """What is looked at: whose data, of which kind, up to which day, and in which currency."""
        money = f"in {self.currency}" if self.currency else "in a currency that is not known"
        return f"{self.title}: {self.file.data_kind} data, as of {fmt.date(self.as_of)}, {money}"

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

    def value_terms(
        self,
        margin: float | None = None,
        discount_rate_per_year: float | None = None,
        *,
        measured_margin: float | None = None,
    ) -> ValueTerms:
        """Margin and discount rate to value money by, each with where it comes from.

        Parameters
        ----------
        margin, discount_rate_per_year : float, optional
            Of a notebook's parameters; they replace the study's.
        measured_margin : float, optional
            Of a period's totals, used instead of the study's where the log has costs; nan is not known.

        Returns
        -------
        ValueTerms
            The rate is assumed to be .10 where nobody gives one.

        Raises
        ------
        CannotAnswerError
            If the goods cost more than they brought: what is lost on every sale is no value to come.
        """
        measured = measured_margin if self.has("transactions", "cost") else None
        margins = {PARAMETER: margin, "measured from the costs in the log": measured}
        margins |= {self._origin("margin"): self.margin}
        rates = {PARAMETER: discount_rate_per_year}
        rates |= {self._origin("discount_rate_per_year"): self.discount_rate_per_year}
        share, of_share = _first_known(margins, (None, ""))
        rate, of_rate = _first_known(rates, (DEFAULT_DISCOUNT, "assumed: none is given"))
        if share is not None and share < 0:
            raise CannotAnswerError(
                f"the margin is {fmt.share(share)} of revenue ({of_share}): goods cost more than they brought; correct "
                "the costs, or give the margin that is to come as the parameter margin"
            )
        return ValueTerms(None if share is None else float(share), of_share, float(rate), of_rate)

    def _origin(self, fact: str) -> str:
        return f"{'assumed' if fact in self.file.assumed else 'given'} in the study file"

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
        first, last = (dt.date.fromisoformat(days[end]) for end in ("first", "latest"))
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
    def for_tests(self) -> LogForTests:
        """The part of `transactions` on which forecasts are tested: all of it, or a sample of a large log."""
        from crmlib.data.log_for_tests import MOST_TESTED, log_for_tests

        return log_for_tests(self.table("transactions"), most=MOST_TESTED)

    @cached_property
    def log_start(self) -> LogStart:
        """Whether the log starts with the firm, as the study says or the log shows."""
        from crmlib.data.log_start import log_start

        return log_start(self.transactions, as_of=self.as_of, log_starts=self.file.log_starts)

    @property
    def new_customers_known_from(self) -> dt.date | None:
        """In a truncated log, the day from which a first purchase means a new customer; None in a complete log."""
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

    def show(
        self,
        found: Any,
        columns: Sequence[str] | None = None,
        rows: int | None = 10,
        **labels: str | tuple[str, str],
    ) -> ShownTable:
        """A table for readers: labelled columns, written cells, no row numbers.

        Parameters
        ----------
        found : DataFrame, Series or named tuple
        columns : sequence of str, optional
            Those to show, in this order; None shows all.
        rows : int, optional
            The first so many; None shows all.
        **labels
            Of a column: another label, or a pair of a label and a unit, where columns.toml does not fit.
        """
        units = dict(currency=self.currency, time_unit=self.time_unit.value)
        return show_table(found, columns, rows, labels, **units)

    def results(self, notebook: str) -> NotebookResults:
        """Where a notebook publishes its figures, its finding and its tables."""
        about = (self.currency, self.absent_tables, self.time_unit.value, self.as_of)
        return NotebookResults(notebook, self._run_folder, *about)

    def figures(self) -> dict[str, Any]:
        """Key figures that notebooks published in this run; by hand, also those of the latest report."""
        found: dict[str, dict[str, Any]] = {}
        for folder in self._published:
            for path in (folder / "metrics").glob("*.json"):
                found = {path.stem: figures_of(json.loads(path.read_text(encoding="utf-8")))} | found
        return {key: figure for figures in found.values() for key, figure in figures.items()}

    def published(self, table: str) -> pd.DataFrame:
        """A table that another notebook published in this run; without rows if it did not run or found none."""
        import pandas as pd

        from crmlib.no_rows import no_rows

        paths = (folder / "tables" / f"{table}.parquet" for folder in self._published)
        path = next((path for path in paths if path.exists()), None)
        return pd.read_parquet(path) if path else no_rows([], f"no chapter published {table}")

    def locked(self, table: str, only: Container[dt.date] | None = None) -> pd.DataFrame:
        """What runs of earlier last days, or of some of them, have locked; `ledger.LOCKED` has the names."""
        ledger = os.environ.get(VARIABLE) or self.root / "reports" / self.name / "ledger"
        return read_locked(Path(ledger), self.as_of, table, only)

    @property
    def ids_by(self) -> str:
        """Names the way in which customers' ids are written: with another key of the hashes nobody can be matched."""
        return fingerprint(self.cleaned.hash_secret) if self.cleaned.hash_secret else ""

    @property
    def _published(self) -> list[Path]:
        """Folders in which notebooks of this run left their results; by hand, the latest report's too."""
        by_hand = "CRMLIB_RUN_DIR" not in os.environ  # a run never mixes with the figures of another one
        return [self._run_folder, *([self.root / "reports" / self.name / "latest"] if by_hand else [])]

    @property
    def _run_folder(self) -> Path:
        named = os.environ.get("CRMLIB_RUN_DIR")
        return Path(named) if named else self.root / "reports" / self.name / "by-hand"
