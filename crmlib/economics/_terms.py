"""The terms of a valuation, checked and brought to a model's unit of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.economics.formula_clv import check_share
from crmlib.errors import CrmError
from crmlib.models.base import unit_of
from crmlib.models.purchase import PurchaseModel
from crmlib.units import TimeUnit, periods


@dataclass(frozen=True)
class Terms:
    """How far to look, and how to discount: both in the model's unit of time, the rate continuous."""

    horizon: float
    discount_rate: float
    margin: float


def read_terms(
    model: PurchaseModel,
    data: pd.DataFrame | None,
    *,
    horizon: float | str,
    discount_rate_per_year: float,
    margin: float,
    time_unit: str | None,
) -> Terms:
    """Check the terms, each by its name, and find the calendar that discounting needs."""
    check_share("margin", margin)
    if not 0 <= discount_rate_per_year < np.inf:
        raise CrmError(
            f"discount_rate_per_year is {discount_rate_per_year}; give a rate, 0 or more (10 % is 0.10)"
        )
    unit = _unit(model, data, time_unit)
    if unit is None and (discount_rate_per_year > 0 or isinstance(horizon, str)):
        raise CrmError(
            "time_unit is unknown to the model and the data, but discounting per year or a horizon given as "
            "text needs it; say time_unit='W' if recency and T are weeks, 'D' if days"
        )
    length = periods(horizon, unit) if unit else float(horizon)
    if not 0 <= length < np.inf:
        raise CrmError(f"horizon is {horizon!r}; give a length of time that is finite and not negative")
    rate = float(np.log1p(discount_rate_per_year)) * unit.days / TimeUnit.Y.days if unit else 0.0
    return Terms(length, rate, float(margin))


def _unit(model: PurchaseModel, data: pd.DataFrame | None, time_unit: str | None) -> TimeUnit | None:
    model._check_unit(data)
    known = model.time_unit_ or unit_of(data)
    given = None if time_unit is None else TimeUnit.parse(time_unit)
    if known and given and known != given:
        raise CrmError(
            f"time_unit is {given.value!r}, but the model or data count {known.plural}; drop time_unit="
        )
    return known or given
