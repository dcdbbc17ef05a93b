"""Frequency and mean spend of customers, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.models._histories import (
    numbers,
    refuse_duplicates,
    refuse_rows,
    refuse_values,
    require_columns,
    require_rows,
)
from crmlib.models._inference import Array


@dataclass(frozen=True)
class SpendData:
    """Arrays of one value per customer; `monetary_value` is 0 where frequency is 0."""

    frequency: Array
    monetary_value: Array
    weight: Array


def read_spend(data: pd.DataFrame, *, weighted: bool = False) -> SpendData:
    """Read `frequency` and `monetary_value`, refusing what no customer can have.

    Parameters
    ----------
    data : DataFrame
    weighted : bool
        Count customers: one a row, or the column `weight` if there is one; ids must then be unique.

    Raises
    ------
    DataError
        Naming the column, the number of rows and the first ids.
    """
    require_columns(data, ("frequency", "monetary_value"))
    x, money = numbers(data, "frequency"), numbers(data, "monetary_value")
    refuse_values(data, "frequency", x, None)
    unknown = (x > 0) & ~np.isfinite(money)
    if unknown.any():
        refuse_rows(
            data, unknown, "monetary_value is missing or infinite", "give the mean spend of a repeat purchase"
        )
    weight = np.ones(len(data))
    if weighted:
        require_rows(data)
        refuse_duplicates(data)
        if "weight" in data.columns:
            weight = numbers(data, "weight")
            refuse_values(data, "weight", weight, None)
    return SpendData(x, np.where(x > 0, money, 0.0), weight)
