"""Predictions of a model for every frequency and recency, for customers of one age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.models.purchase import PurchaseModel
from crmlib.models.sentences import p_alive_by_history, purchases_by_history


@dataclass(frozen=True)
class HistoryGrids:
    """Grids by frequency (index) and recency (columns, in the model's unit); nan where no customer can be.

    `age` is that of all these customers, `horizon` what purchases are expected within, in words.
    """

    p_alive: pd.DataFrame
    expected_purchases: pd.DataFrame
    age: float
    horizon: str


def history_grids(
    model: PurchaseModel, *, age: float, future_t: float | str, most: int = 20, steps: int = 40
) -> HistoryGrids:
    """P(alive) and expected purchases by frequency and recency.

    Parameters
    ----------
    model : PurchaseModel
        Fitted.
    age : float
        How long ago all these customers bought first (T), in the model's unit.
    future_t : float or str
        What purchases are expected within.
    most : int
        Highest frequency.
    steps : int
        Values of recency above 0.

    Returns
    -------
    HistoryGrids

    Examples
    --------
    >>> from crmlib import BetaGeoModel
    >>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
    >>> history_grids(model, age=40.0, future_t="39W", most=2, steps=2).p_alive.round(2).loc[1:]
    recency    0.0   20.0  40.0
    frequency
    1           NaN  0.59  0.75
    2           NaN  0.53  0.81
    """
    if not age > 0:
        raise CrmError(f"age is {age!r}; give how long ago customers bought first, above 0")
    recency = np.linspace(0.0, age, steps + 1)
    frame = pd.MultiIndex.from_product([range(most + 1), recency], names=["frequency", "recency"])
    histories = frame.to_frame(index=False).assign(T=float(age))
    possible = histories[(histories["frequency"] > 0) == (histories["recency"] > 0)]
    answers = {
        "p_alive": model.expected_probability_alive(possible),
        "expected_purchases": model.expected_purchases(possible, future_t),
    }
    table = possible.assign(**answers)
    grids = {
        name: table.pivot(index="frequency", columns="recency", values=name).reindex(columns=recency)
        for name in answers
    }
    for grid in grids.values():
        grid.columns.name = "recency"
    unit = model.time_unit_.plural if model.time_unit_ else "periods"
    horizon = f"{model._periods(future_t):.4g} {unit}"
    period = model.time_unit_.singular if model.time_unit_ else "period"
    with_finding(grids["p_alive"], p_alive_by_history, float(age), period)
    with_finding(grids["expected_purchases"], purchases_by_history, horizon, period)
    return HistoryGrids(grids["p_alive"], grids["expected_purchases"], float(age), horizon)
