"""The data of a churn model: labels, features, groups and dates, with notes on all changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import as_day
from crmlib.customers.retention.contracts import contract_samples, contract_spells
from crmlib.data.sources import lacking
from crmlib.errors import CannotAnswerError, DataError, FitError, did_you_mean, not_measured
from crmlib.models._inference import Array
from crmlib.models.churn.features import Features, read_features, read_labels
from crmlib.no_rows import NoRows

if TYPE_CHECKING:
    from crmlib.study import Study

# Five folds outside and five inside leave four of each kind in the smallest fold.
TENURE_NAMES = (
    *("tenure", "tenure_months", "account_length", "months_with_firm", "customer_age"),
    *("age_of_contract", "seniority"),
)
FEWEST_OF_EACH = 25
ID, DATE, KNOWN_ON = "customer_id", "date", "outcome_known_on"  # columns that are no features


@dataclass(frozen=True)
class ChurnData:
    """Customers whose outcome is known, and those who are still to be scored.

    - `features`: one row per customer (and cut-off) with a known outcome: numbers as floats, categories as text.
    - `churned`: who left.
    - `read`: how other tables are read into the same columns.
    - `customer_id`: whose row it is; the number of the row where the table does not say.
    - `groups`: equal for rows of one customer; None where nobody stands twice.
    - `date`, `known_on`: the cut-off of each row, and when its outcome was known.
    - `unlabelled`: rows as given whose outcome is not known (yet): whom to score.
    - `notes`: what was read how, and what was left out.
    - `source`: what the rows are, in words.
    - `spells`: contracts as `contract_spells` has them, where the rows were made of them.
    - `reason`: why nothing is known of who left; then there are no rows and no features.
    """

    features: pd.DataFrame
    churned: Array
    read: Features
    customer_id: pd.Series
    groups: Array | None
    date: pd.Series | None
    known_on: pd.Series | None
    unlabelled: pd.DataFrame
    notes: tuple[str, ...]
    source: str = "a table that says which customers left"
    spells: pd.DataFrame | None = None
    reason: str = ""

    @property
    def basis(self) -> str:
        """What there is to learn from, in a sentence."""
        if self.reason:
            return not_measured(self.reason)
        left, rows = int(self.churned.sum()), len(self.features)
        return f"Fitted to {self.source}: {rows:,} rows, {left:,} left ({fmt.share(left / rows)})."

    @property
    def tenure_column(self) -> str | None:
        """The column that says for how long, recognised by its name; None where there is none."""
        return next((name for name in self.features if name.lower() in TENURE_NAMES), None)

    @cached_property
    def codes(self) -> pd.DataFrame:
        """The features as numbers alone, as estimators take them."""
        return self.read.coded(self.features)

    def without(self, *columns: str, why: str = "by choice") -> ChurnData:
        """The same data without some features, which is noted."""
        for name in columns:
            if name not in self.features:
                raise DataError(f"there is no feature {name!r}; {did_you_mean(name, self.features.columns)}")
        kinds = {name: kind for name, kind in self.read.kinds.items() if name not in columns}
        if not kinds and not self.reason:
            raise FitError(f"no feature is left without {fmt.listing(columns)}; keep at least one")
        levels = {name: known for name, known in self.read.levels.items() if name in kinds}
        left_out = tuple(f"{fmt.column(name)} is left out: {why}" for name in columns)
        read = replace(self.read, kinds=kinds, levels=levels)
        return replace(self, features=self.features[list(kinds)], read=read, notes=(*self.notes, *left_out))

    def without_leaks(self, found: pd.DataFrame) -> ChurnData:
        """The same without what `leak_check` found: leaks, and columns that repeat another.

        The latter harm no score, but reasons would be shared between two names of the same thing. Where nothing
        but leaks is there, no data are left.
        """
        named = found.set_index("column")["finding"]
        leaks = named.index[named == "leak"].tolist()
        if not self.reason and set(self.features) <= set(leaks):
            return no_churn_data(f"every column predicts the outcome almost perfectly: {fmt.listing(leaks)}")
        kept = self.without(*leaks, why="it predicts the outcome almost perfectly")
        return kept.without(*named.index[named == "redundant"], why="another column has the same information")


def churn_data(
    table: Any,
    *,
    label: str = "churned",
    positive: str | None = None,
    leave_out: Sequence[str] = (),
    as_of: dt.date | str | None = None,
    horizon_months: int = 3,
) -> ChurnData:
    """What is there to learn from about who left, in a table of customers or in the tables of a study?

    Parameters
    ----------
    table : DataFrame, ibis.Table or Study
        One row per customer, or per customer and cut-off: the label, whatever was known at the cut-off, and
        where the firm has them `customer_id`, `date` (the cut-off) and `outcome_known_on`, which are no features.
        A study is asked for its `customer_features`, else for contracts as they stood on earlier days
        (`subscriptions`); as it says itself what its columns are, no parameter but `horizon_months` concerns it.
    label : str
        The column that says who left: Yes and No, churned and stayed, 1 and 0, True and False. Rows where
        it is empty are the customers to score.
    positive : str, optional
        The word that means "left", where it is none of the usual ones.
    leave_out : sequence of str
        Columns that must not be used, such as a reason for leaving.
    as_of : date, optional
        Outcomes known only after this day are taken as not known.
    horizon_months : int, default 3
        Of a study with contracts: who leaves within so many months has left.

    Returns
    -------
    ChurnData
        Without rows, and with the `reason`, where the table is None or has none; of a study also where too few left
        or stayed, or a table is refused.

    Raises
    ------
    DataError
        If the label is missing or has words without a known meaning.
    FitError
        If nobody left, everybody left, fewer than 25 of either kind are known, or no feature is left.

    Examples
    --------
    >>> import crmlib as crm
    >>> data = churn_data(crm.open_study("telco").table("customer_features"))
    >>> len(data.features), int(data.churned.sum()), data.notes[0]
    (7043, 1869, 'churned: "Yes" means left (1,869), "No" means stayed (5,174)')
    >>> churn_data(crm.open_study("cdnow-sample")).basis
    'Not measured: no table customer_features, subscriptions.'
    """
    if type(table).__name__ == "Study":
        return _of_study(table, horizon_months)
    if table is None:
        return no_churn_data("no table customer_features")
    frame = _frame(table)
    if frame.empty:
        return no_churn_data(frame.reason if isinstance(frame, NoRows) else "no table customer_features")
    if label not in frame.columns:
        raise DataError(
            f"there is no column {label!r} that says who left; {did_you_mean(label, frame.columns)}. "
            'Name it, as in label="Churn"'
        )
    if absent := [name for name in leave_out if name not in frame.columns]:
        raise DataError(
            f"leave_out names {absent[0]!r}, which does not exist; {did_you_mean(absent[0], frame.columns)}"
        )
    churned, note = read_labels(frame[label], positive=positive)
    notes = [note]
    days = {name: pd.to_datetime(frame[name]) for name in (DATE, KNOWN_ON) if name in frame}
    if as_of is not None and KNOWN_ON in days:
        later = (days[KNOWN_ON] > pd.Timestamp(as_day(as_of, "as_of"))).to_numpy() & ~np.isnan(churned)
        churned[later] = np.nan
        if later.any():
            notes.append(f"{int(later.sum()):,} outcomes became known after {as_of} and are not used")
    known = ~np.isnan(churned)
    if not known.any():
        raise FitError(
            f"{label} is empty in every row, so nothing is known of who left; say which column it is, in the study "
            f"under columns: {{{label}: Churn}}, or in label="
        )
    _refuse_too_few(churned[known], label)
    rows = frame[known].reset_index(drop=True)
    read = read_features(rows.drop(columns=[label, ID, DATE, KNOWN_ON, *leave_out], errors="ignore"))
    notes += [*read.notes, *(f"{fmt.column(name)} is left out: by choice" for name in leave_out)]
    ids, groups = _customers(rows, notes)
    date, known_on = (_of_every_row(days.get(name), known, notes) for name in (DATE, KNOWN_ON))
    return ChurnData(
        features=read.read(rows),
        churned=churned[known] == 1,
        read=read,
        customer_id=ids,
        groups=groups,
        date=date,
        known_on=known_on,
        unlabelled=frame[~known].reset_index(drop=True),
        notes=tuple(notes),
    )


def labelled_rows(features: pd.DataFrame, churned: Array) -> ChurnData:
    """Rows of features, each a customer, and who left."""
    if min(churned.sum(), (1 - churned).sum()) < 2:
        raise FitError("there is one customer of one class only; to judge a model takes two of each")
    read, notes = read_features(features), list[str]()
    ids, _ = _customers(features.reset_index(drop=True), notes)
    rows = read.read(features).reset_index(drop=True)
    return ChurnData(rows, churned, read, ids, None, None, None, pd.DataFrame(), (*read.notes, *notes))


def no_churn_data(reason: str) -> ChurnData:
    """Churn data without rows, with the reason."""
    nothing = pd.DataFrame()
    ids = pd.Series([], dtype=object, name="customer_id")
    none = Features({}, {}, ())
    return ChurnData(nothing, np.zeros(0, bool), none, ids, None, None, None, nothing, (), reason=reason)


def _frame(table: Any) -> pd.DataFrame:
    if hasattr(table, "to_pandas"):  # ibis, Polars, PyArrow
        table = table.to_pandas()
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"a {type(table).__name__} is no table of customers; give a frame or a study's table")
    return table.rename(columns=str)


def _refuse_too_few(churned: Array, label: str) -> None:
    left, stayed = int(churned.sum()), int((1 - churned).sum())
    if not left or not stayed:
        what = "nobody left" if not left else "everybody left"
        raise FitError(
            f"{label}: {what} among the {len(churned):,} customers with a known outcome, so a model cannot "
            "separate the two; add customers of the other kind, from the same time"
        )
    if min(left, stayed) < FEWEST_OF_EACH:
        raise FitError(
            f"{label}: {left:,} customers left and {stayed:,} stayed; at least {FEWEST_OF_EACH} of each are needed, "
            "so that a model can be judged on customers it has not seen. Add more customers or earlier cut-offs"
        )


def _customers(rows: pd.DataFrame, notes: list[str]) -> tuple[pd.Series, Array | None]:
    """Whose rows they are, and which belong together."""
    if ID not in rows:
        notes.append(f"there is no {ID}: each row is taken for a customer")
        return pd.Series(np.arange(1, len(rows) + 1).astype(str), name=ID), None
    ids = rows[ID].astype(object)
    codes = pd.factorize(ids)[0]
    unknown = codes < 0  # each is a customer of their own
    codes[unknown] = codes.max() + 1 + np.arange(unknown.sum())
    customers = len(np.unique(codes))
    if customers == len(rows):
        return ids, None
    notes.append(f"{len(rows):,} rows are of {customers:,} customers; a split keeps those of each together")
    return ids, codes


def _of_every_row(days: pd.Series | None, known: Array, notes: list[str]) -> pd.Series | None:
    """Days of the rows that are used; None where there is not one for each of them."""
    if days is None:
        return None
    kept = days[known].reset_index(drop=True)
    empty = int(kept.isna().sum())
    if 0 < empty < len(kept):
        notes.append(f"{kept.name} is not used: it is empty in {empty:,} of {len(kept):,} rows")
    return None if empty else kept


def _of_study(study: Study, horizon_months: int) -> ChurnData:
    """The churn data of a study's tables; without rows where too few left or stayed, or a table is refused."""
    try:
        if study.has("customer_features"):
            return churn_data(study.table("customer_features"), as_of=study.as_of)
        if not study.has("subscriptions"):
            features, contracts = study.table("customer_features"), study.table("subscriptions")
            return no_churn_data(lacking(customer_features=features, subscriptions=contracts))
        contracts = study.table("subscriptions")
        samples = contract_samples(contracts, as_of=study.as_of, horizon_months=horizon_months)
        where = f"contracts as they stood on earlier days, and who left within {horizon_months} months"
        spells = contract_spells(contracts, study.as_of, terms="first")
        return replace(churn_data(samples), source=where, spells=spells)
    except (CannotAnswerError, DataError) as error:
        return no_churn_data(str(error))
