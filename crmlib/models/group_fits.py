"""The same model fitted to each market or channel apart: one cycle does not fit all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.activity import by_group
from crmlib.customers.rfm.summarise import rfm_summary
from crmlib.errors import CrmError
from crmlib.models.backtesting.forecasts import check_models, fit_fresh
from crmlib.models.purchase import PurchaseModel

COLUMNS = ("group", "customers", "model", "parameter", "estimate", "low", "high", "note")


def fit_by_group(
    transactions: Any,
    *,
    by: str | None,
    as_of: Any,
    models: Sequence[PurchaseModel],
    time_unit: str = "W",
    collapse: str = "D",
) -> pd.DataFrame:
    """Do the parameters differ between markets, channels or other groups of the log?

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    by : str or None
        A column of it, such as "market". A customer of two groups is a customer of each. None: everybody,
        as the group "(all)".
    as_of, models, time_unit, collapse
        As in `backtest`.

    Returns
    -------
    DataFrame
        One row per group, model and parameter: `group, customers, model, parameter, estimate, low, high`
        (95 %) and `note`. A group to which a model cannot be fitted has one row, and its note says why.

    Raises
    ------
    CrmError
        If the log has no such column.
    """
    given = check_models(models)
    counted = {"as_of": as_of, "time_unit": time_unit, "collapse": collapse}
    if by is None:
        summaries = {"(all)": rfm_summary(transactions, **counted)}
    else:
        summaries = by_group(rfm_summary, transactions, by=by, **counted)
    frames = [
        _parameters(model, summary).assign(group=group, customers=len(summary), model=model.name)
        for group, summary in summaries.items()
        for model in given
    ]
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]


def _parameters(model: PurchaseModel, summary: pd.DataFrame) -> pd.DataFrame:
    try:
        fitted = fit_fresh(model, summary)
    except CrmError as error:
        numbers = dict.fromkeys(("estimate", "low", "high"), np.nan)
        return pd.DataFrame([{"parameter": "", **numbers, "note": str(error)}])
    frame = fitted.confint(0.95).rename_axis("parameter").reset_index()
    note = " ".join(str(one) for one in fitted.diagnosis_.findings)
    return frame.assign(estimate=list(fitted.params_.values()), note=note)
