"""What models and simple rules say that known customers will do in a holdout."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.rfm.summarise import rfm_summary
from crmlib.errors import CrmError, FitError
from crmlib.models._inference import Array
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.purchase import PurchaseModel
from crmlib.units import TimeUnit, periods

Spend = GammaGammaModel | float


@dataclass(frozen=True)
class Forecast:
    """One model's or rule's answer for each customer of the calibration, for the whole holdout.

    Attributes
    ----------
    name : str
    purchases : array, shape (customers,)
        Expected purchases.
    any_purchase : array, shape (customers,)
        Probability of at least one.
    spend : array, shape (customers,), or None
        Expected money, where there is a spend model.
    model : PurchaseModel or None
        The fitted model; None for a rule.
    """

    name: str
    purchases: Array
    any_purchase: Array
    spend: Array | None
    model: PurchaseModel | None = None


def fit_fresh(model: PurchaseModel, calibration: pd.DataFrame) -> PurchaseModel:
    """Fit a model of the same kind; the one that was given stays as it is."""
    return type(model)(time_unit=model.time_unit).fit(calibration)


def fit_spend(spend_model: Spend | None, calibration: pd.DataFrame) -> Spend | None:
    """Fit the spend model on the calibration; a number is the spend on every purchase."""
    if isinstance(spend_model, GammaGammaModel):
        return GammaGammaModel(time_unit=spend_model.time_unit).fit(calibration)
    return None if spend_model is None else float(spend_model)


def expected_spend(spend: Spend, customers: pd.DataFrame) -> Array:
    """Expected money per purchase of each customer; inf where the fitted tail has no mean."""
    if isinstance(spend, GammaGammaModel):
        return spend.expected_customer_spend(customers).to_numpy()
    return np.full(len(customers), spend)


def check_models(models: Sequence[PurchaseModel]) -> list[PurchaseModel]:
    """Refuse what is no list of differently named models."""
    given = list(models) if isinstance(models, Sequence) else [models]
    if not given or not all(isinstance(one, PurchaseModel) for one in given):
        raise CrmError(
            f"models is {models!r}; give models to fit, such as [BetaGeoModel(), ParetoNBDModel()]"
        )
    names = [one.name for one in given]
    if len(set(names)) < len(names):
        raise CrmError(f"models holds {', '.join(names)}; give each kind of model once")
    return given


def model_forecasts(
    models: Sequence[PurchaseModel], halves: pd.DataFrame, length: float, spend: Spend | None
) -> list[Forecast]:
    """Fit each model on the calibration and ask it for the holdout, `length` units of time."""
    per_purchase = None if spend is None else expected_spend(spend, halves)
    if per_purchase is not None and np.isinf(per_purchase).any():
        raise FitError(
            "spend_model: the fitted tail of spend is so heavy that its mean is infinite (q <= 1); give a number "
            "such as the median spend as spend_model, or cap the largest purchases"
        )
    found = []
    for one in models:
        model = fit_fresh(one, halves)
        purchases = model.expected_purchases(halves, length).to_numpy()
        some = 1 - model.expected_probability_no_purchase(halves, length).to_numpy()
        money = None if per_purchase is None else purchases * per_purchase
        found.append(Forecast(model.name, purchases, some, money, model))
    return found


def naive_forecasts(
    transactions: Any, halves: pd.DataFrame, length: float, *, collapse: str, hiatus: str, spend: bool
) -> list[Forecast]:
    """What somebody without a model would say.

    "same rate": everybody goes on as often as so far (frequency / T). "last period again": everybody makes as
    many repeat purchases as in the period of the same length before. "hiatus rule": who has been silent for
    longer than `hiatus` is gone, the others go on at their rate. Money is purchases times own mean spend.
    """
    age, frequency = halves["T"].to_numpy(float), halves["frequency"].to_numpy(float)
    rate = np.divide(frequency, age, out=np.zeros_like(age), where=age > 0)
    lately = _lately(transactions, halves, length, collapse)
    active = halves["time_since_last_purchase"].to_numpy() <= periods(hiatus, halves.time_unit)
    answers = {
        "same rate": (rate * length, -np.expm1(-rate * length)),
        "last period again": (lately, (lately > 0).astype(float)),
        "hiatus rule": (np.where(active, rate * length, 0.0), active.astype(float)),
    }
    own = halves["mean_spend_per_period"].to_numpy() if spend else None
    return [
        Forecast(name, purchases, some, None if own is None else purchases * own)
        for name, (purchases, some) in answers.items()
    ]


def _lately(transactions: Any, halves: pd.DataFrame, length: float, collapse: str) -> Array:
    """Repeat purchases in the period before the cut that is as long as the holdout."""
    unit = TimeUnit.parse(halves.time_unit)
    before = halves.as_of - dt.timedelta(days=round(length * unit.days))
    known = rfm_summary(transactions, as_of=before, time_unit=unit, collapse=collapse)
    then = known.set_index("customer_id")["frequency"].reindex(halves["customer_id"], fill_value=0)
    return np.maximum(halves["frequency"].to_numpy() - then.to_numpy(), 0).astype(float)
