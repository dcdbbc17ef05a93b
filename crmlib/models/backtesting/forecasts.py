"""What models, simple rules and classifiers forecast that known customers will do in a holdout."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.rfm.summary import rfm_summary
from crmlib.errors import CrmError, FitError
from crmlib.models._inference import Array
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.purchase import PurchaseModel
from crmlib.models.scoring import Spend
from crmlib.units import TimeUnit, periods

HIATUS = "6M"  # a silence after which the hiatus rule calls a customer gone
_FEATURES = ("frequency", "recency", "T", "time_since_last_purchase", "mean_spend_per_period")


@dataclass(frozen=True)
class Forecast:
    """One model's, rule's or classifier's answer for each customer of the calibration, for the whole holdout.

    Attributes
    ----------
    name : str
    kind : {"model", "rule", "classifier"}
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
    kind: str
    purchases: Array
    any_purchase: Array
    spend: Array | None = None
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
        found.append(Forecast(model.name, "model", purchases, some, money, model))
    return found


def naive_forecasts(
    transactions: Any, halves: pd.DataFrame, length: float, *, collapse: str, spend: bool
) -> list[Forecast]:
    """What somebody without a model would say.

    "same rate": everybody goes on as often as so far (frequency / T). "last period again": everybody makes as
    many repeat purchases as in the period of the same length before. "hiatus rule": who has been silent for
    longer than six months is gone, the others go on at their rate. Money is purchases times own mean spend.
    """
    age, frequency = halves["T"].to_numpy(float), halves["frequency"].to_numpy(float)
    rate = np.divide(frequency, age, out=np.zeros_like(age), where=age > 0)
    lately = _lately(transactions, halves, length, collapse)
    active = halves["time_since_last_purchase"].to_numpy() <= periods(HIATUS, halves.time_unit)
    answers = {
        "same rate": (rate * length, -np.expm1(-rate * length)),
        "last period again": (lately, (lately > 0).astype(float)),
        "hiatus rule": (np.where(active, rate * length, 0.0), active.astype(float)),
    }
    own = halves["mean_spend_per_period"].to_numpy() if spend else None
    return [
        Forecast(name, "rule", purchases, some, None if own is None else purchases * own)
        for name, (purchases, some) in answers.items()
    ]


def _lately(transactions: Any, halves: pd.DataFrame, length: float, collapse: str) -> Array:
    """Repeat purchases in the period before the cut that is as long as the holdout."""
    unit = TimeUnit.parse(halves.time_unit)
    before = halves.as_of - dt.timedelta(days=round(length * unit.days))
    if before < halves["first_purchase"].min().date():  # nobody had bought by then
        return halves["frequency"].to_numpy(float)
    known = rfm_summary(transactions, as_of=before, time_unit=unit, collapse=collapse)
    then = known.set_index("customer_id")["frequency"].reindex(halves["customer_id"], fill_value=0)
    return np.maximum(halves["frequency"].to_numpy() - then.to_numpy(), 0).astype(float)


def fit_hiatus(silence: Array, came_back: Array) -> float:
    """After which silence is a customer rather gone? The threshold that would have been wrong least often.

    Parameters
    ----------
    silence : array, shape (customers,)
        Time since the last purchase, at a day in the past.
    came_back : array of bool, shape (customers,)
        Who bought after it.

    Returns
    -------
    float
        Silences up to it are called active, longer ones gone; in the unit of `silence`.

    Examples
    --------
    >>> fit_hiatus(np.array([1.0, 2, 3, 10, 20]), np.array([True, True, False, False, False]))
    2.0
    """
    lengths, place = np.unique(np.asarray(silence, dtype=float), return_inverse=True)
    back, gone = (
        np.bincount(place, who, len(lengths)).cumsum() for who in (came_back, np.logical_not(came_back))
    )
    # wrong at each threshold: those within it who did not come back, and those beyond it who did
    return float(lengths[np.argmin(gone + back[-1] - back)])


def learned_forecasts(
    lesson: pd.DataFrame, learned: Array, halves: pd.DataFrame, hiatus: float, random_state: int
) -> list[Forecast]:
    """P(at least one purchase) by rules of silence and by classifiers that learn from the time before.

    "base rate": everybody's share of buyers. "hiatus rule": the share on either side of the hiatus. "time since
    last purchase": the share by it (decreasing, isotonic). "RFM logistic", "RFM boosting": by RFM features.

    Parameters
    ----------
    lesson : CustomerSummary
        Customers at a day in the past.
    learned : array of bool
        Who of them bought after it.
    halves : CustomerSummary
        Customers to forecast.
    hiatus : float
        Of `fit_hiatus`.
    random_state : int
        Of the boosting.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    then, now = (one["time_since_last_purchase"].to_numpy() for one in (lesson, halves))
    rates = [(learned[side].sum() + 0.5) / (side.sum() + 1) for side in (then > hiatus, then <= hiatus)]
    falling = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(then, learned)
    edge = 0.5 / (len(learned) + 1)  # a share of none or all is not taken for certain
    rules = {
        "base rate": np.full(len(halves), learned.mean()),
        "hiatus rule": np.where(now <= hiatus, rates[1], rates[0]),
        "time since last purchase": np.clip(falling.predict(now), edge, 1 - edge),
    }
    logistic = make_pipeline(
        FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    boosting = HistGradientBoostingClassifier(
        max_iter=100, max_leaf_nodes=15, learning_rate=0.05, random_state=random_state
    )
    past, present = (one[list(_FEATURES)].clip(lower=0).to_numpy(float) for one in (lesson, halves))
    classifiers = {
        name: kind.fit(past, learned).predict_proba(present)[:, 1]
        for name, kind in {"RFM logistic": logistic, "RFM boosting": boosting}.items()
    }
    return [
        Forecast(name, kind, chance, chance)
        for kind, chances in (("rule", rules), ("classifier", classifiers))
        for name, chance in chances.items()
    ]
