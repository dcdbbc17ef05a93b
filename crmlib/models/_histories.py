"""Customers as the models see them: checked, and once per unique (frequency, recency, T)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib.arguments import check_columns
from crmlib.errors import DataError, FitError
from crmlib.models._inference import Array

HISTORY = ("frequency", "recency", "T")
SHOWN = 5  # ids of refused customers


@dataclass(frozen=True)
class Histories:
    """Unique purchase histories and how many customers have each.

    `frequency`, `recency`, `T`: of shape (n_unique,). `weight`: of shape (n_unique,): customers with that history.
    `row`: of shape (n_rows,): which of the unique histories each row of the data has.
    """

    frequency: Array
    recency: Array
    T: Array
    weight: Array
    row: NDArray[np.intp]

    def sample(self, size: int) -> Histories:
        """So many customers at equal distances among all of them, in the order of their histories."""
        order = np.lexsort((self.recency, self.T, self.frequency))
        steps = (np.arange(size) + 0.5) / size * self.weight.sum()
        drawn = order[np.searchsorted(np.cumsum(self.weight[order]), steps)]
        drawn, weight = np.unique(drawn, return_counts=True)
        x, t_x, age = self.frequency[drawn], self.recency[drawn], self.T[drawn]
        return Histories(x, t_x, age, weight.astype(float), np.arange(len(drawn)))


def read_histories(data: pd.DataFrame, *, weighted: bool = False) -> Histories:
    """Check a frame of customers and reduce it to its unique histories.

    `data`: columns `frequency` (repeat purchases, whole numbers), `recency` and `T` (age at the last purchase and now,
    in one unit of time). `weighted`: count customers: one a row, or the column `weight` if there is one; ids must then
    be unique. Raises DataError if a column is missing, or holds what no purchase history can be; the message names the
    column, the number of rows and the first ids.
    """
    check_columns("data", data, HISTORY, "rfm_summary makes it")
    customers = read_weight(data) if weighted else None
    row, (x, t_x, age) = _unique_rows(data)
    _refuse_impossible(data, x, t_x, age, row)
    weight = np.ones(len(x)) if customers is None else np.bincount(row, customers, len(x)).astype(float)
    return Histories(x, t_x, age, weight, row)


def distinct_pairs(frequency: Array, age: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Distinct pairs of frequency and T: which of them each history has, and the first history that has it."""
    code, ages = pd.factorize(age)
    pair, _ = pd.factorize(frequency.astype(np.int64) * len(ages) + code)
    return pair, np.flatnonzero(~pd.Series(pair).duplicated())


def _refuse_impossible(data: pd.DataFrame, x: Array, t_x: Array, age: Array, row: NDArray[np.intp]) -> None:
    wrong = {
        "recency is later than T": t_x > age,
        "frequency is above 0 although recency is 0": (x > 0) & (t_x == 0),
        "recency is above 0 although frequency is 0": (x == 0) & (t_x > 0),
    }
    for what, bad in wrong.items():
        if bad.any():
            cure = "recency is the age at the last purchase: 0 without repeat purchases, at most T"
            refuse_rows(data, bad[row], what, cure)


def _refuse_fractions(data: pd.DataFrame, frequency: Array, row: NDArray[np.intp]) -> None:
    if (bad := frequency != np.floor(frequency)).any():
        refuse_rows(data, bad[row], "frequency is no whole number", "it counts repeat purchases")


def require_rows(data: pd.DataFrame) -> None:
    """Refuse a frame without customers, where there is nothing to learn or to value."""
    if not len(data):
        raise DataError("data has no rows; there is no customer to fit a model to or to value")


def refuse_duplicates(data: pd.DataFrame) -> None:
    """Refuse a customer who is there twice."""
    if "customer_id" in data.columns:
        ids = data["customer_id"]
    elif data.index.name == "customer_id":
        ids = data.index.to_series()
    else:
        return
    if not _unique(ids):
        twice = ids.duplicated().to_numpy()
        what = "customer_id is there more than once"
        refuse_rows(data, twice, what, "give one row per customer; crmlib.rfm_summary does")


def _unique(ids: pd.Series) -> bool:
    if ids.dtype.kind in "iu" and isinstance(ids.dtype, np.dtype):
        ordered = np.sort(ids.to_numpy())  # a third of the memory of a hash table
        return not np.any(ordered[1:] == ordered[:-1])
    return bool(ids.is_unique)


def refuse_rows(data: pd.DataFrame, bad: NDArray[np.bool_], what: str, cure: str) -> None:
    """Refuse rows of a frame, naming how many and the first customers."""
    ids = data["customer_id"] if "customer_id" in data.columns else data.index.to_series()
    first = ", ".join(str(identity) for identity in ids[bad].head(SHOWN))
    where = "customer_id" if "customer_id" in data.columns else "index"
    more = ", …" if bad.sum() > SHOWN else ""
    raise DataError(f"{what} in {int(bad.sum()):,} of {len(data):,} rows ({where} {first}{more}); {cure}")


def refuse_values(data: pd.DataFrame, column: str, values: Array, rows: NDArray[np.intp] | None) -> None:
    """Refuse a column with values that are missing, infinite or negative.

    `values` are the column's, or its distinct ones if `rows` says which of them each row has.
    """
    wrong = {"missing": np.isnan(values), "infinite": np.isinf(values), "negative": values < 0}
    for what, bad in wrong.items():
        if bad.any():
            cure = f"{column} must be a finite number, 0 or more; correct or drop these rows"
            refuse_rows(data, bad if rows is None else bad[rows], f"{column} is {what}", cure)


def numbers(data: pd.DataFrame, column: str) -> Array:
    """A column as floats, or a refusal."""
    try:
        return data[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{column} holds {data[column].dtype}, not numbers ({error}); give numbers") from None


def _levels(data: pd.DataFrame, column: str) -> tuple[NDArray[np.intp], Array]:
    """Distinct values of a column, checked, and which of them each row has."""
    row, values = pd.factorize(numbers(data, column), use_na_sentinel=False)
    refuse_values(data, column, values, row)
    if column == "frequency":
        _refuse_fractions(data, values, row)
    return row, values


def _unique_rows(data: pd.DataFrame) -> tuple[NDArray[np.intp], list[Array]]:
    """Distinct histories: which of them each row has, and their frequency, recency and T."""
    key, columns = np.zeros(len(data), dtype=np.intp), []
    for name in HISTORY:  # one column's codes at a time, in place: tables may have ten million rows
        code, levels = _levels(data, name)
        key *= len(levels)
        key += code
        del code
        columns.append(levels)
    row, unique = pd.factorize(key)
    values: list[Array] = []
    for levels in reversed(columns):
        values.insert(0, levels[unique % len(levels)])
        unique = unique // len(levels)
    return row, values


def read_weight(data: pd.DataFrame) -> Array:
    """How many customers each row of a frame to learn from stands for: one, or as its column `weight` says."""
    require_rows(data)
    refuse_duplicates(data)
    if "weight" not in data.columns:
        return np.ones(len(data))
    weight = numbers(data, "weight")
    refuse_values(data, "weight", weight, None)
    if not weight.sum() > 0:
        raise DataError("weight is 0 in every row; it says how many customers a row stands for")
    return weight


def refuse_unidentified(known: Histories) -> None:
    """Refuse customers from whom no rate of buying can be learned."""
    counted = known.weight > 0
    if not (known.T[counted] > 0).any():
        raise FitError(
            "T is 0 for every customer: nobody has been watched after the first purchase, so nothing can be "
            "learned; move the end of the calibration period to a later date"
        )
    if not (known.frequency[counted] > 0).any():
        raise FitError(
            "frequency is 0 for every customer: without a repeat purchase the parameters are not "
            "identifiable; use a longer calibration period, or a log that covers several purchases"
        )
