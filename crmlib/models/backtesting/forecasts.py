"""Forecasts of models and simple rules for a holdout, in total and by period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from numpy.typing import NDArray

from crmlib.customers._log import end_of, fetch, floor, seen_by
from crmlib.customers.rfm.summary import rfm_summary
from crmlib.errors import CrmError, FitError
from crmlib.models._histories import read_histories
from crmlib.models._inference import Array
from crmlib.models.gamma_gamma import GammaGammaModel
from crmlib.models.purchase import PurchaseModel
from crmlib.models.scoring import Spend
from crmlib.progress import steps
from crmlib.units import TimeUnit, periods

HIATUS = "6M"  # a silence after which the hiatus rule calls a customer gone


@dataclass(frozen=True)
class Forecast:
    """One model's, rule's or classifier's answer for each customer of the calibration, for the whole holdout.

    `kind`: {"model", "rule", "classifier"}. `purchases`: of shape (customers,): expected purchases. `any_purchase`: of
    shape (customers,): probability of at least one. `spend`: of shape (customers,): expected money, where there is a
    spend model. `model`: the fitted model; None for a rule.
    """

    name: str
    kind: str
    purchases: Array
    any_purchase: Array
    spend: Array | None = None
    model: PurchaseModel | None = None

    @property
    def ranks_by(self) -> Array:
        """Expected money, or purchases where there is no spend model."""
        return self.purchases if self.spend is None else self.spend


def fit_fresh(model: PurchaseModel, calibration: pd.DataFrame) -> PurchaseModel:
    """Fit a new model of the same kind; the given model is not changed."""
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
    """The models as a list, refused unless each has a name of its own."""
    given = list(models) if isinstance(models, Sequence) else [models]
    if not given or not all(isinstance(model, PurchaseModel) for model in given):
        raise CrmError(f"models is {models!r}; give models to fit, as [BetaGeoModel(), ParetoNBDModel()]")
    names = [model.name for model in given]
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
    for unfitted in steps(models, "models fitted", len(models)):
        model = fit_fresh(unfitted, halves)
        purchases = model.expected_purchases(halves, length).to_numpy()
        some = 1 - model.expected_probability_no_purchase(halves, length).to_numpy()
        money = None if per_purchase is None else purchases * per_purchase
        found.append(Forecast(model.name, "model", purchases, some, money, model))
    return found


def naive_forecasts(
    transactions: Any, halves: pd.DataFrame, length: float, *, collapse: str, spend: bool
) -> list[Forecast]:
    """Forecasts of simple rules, without a model.

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


def tracking_unit(time_unit: str) -> TimeUnit:
    """Length of the periods in which purchases are followed: hours and days by the week."""
    unit = TimeUnit.parse(time_unit)
    return TimeUnit.W if unit in (TimeUnit.H, TimeUnit.D) else unit


def track(
    transactions: Any, halves: pd.DataFrame, models: Sequence[PurchaseModel], *, as_of: dt.date, collapse: str
) -> pd.DataFrame:
    """Repeat purchases of the customers known at the cut, by period, from the first customer to `as_of`.

    `halves` is of `rfm_train_test_split`, the models are fitted on it; the answer is `BacktestResult.tracking`.
    """
    unit = TimeUnit.parse(halves.time_unit)
    step = tracking_unit(unit).days
    holdout = float(halves["holdout_T"].iloc[0]) * unit.days
    ages = halves["T"].to_numpy() * unit.days
    first = int(np.floor(-ages.max() / step - 1e-9)) + 1  # periods end at the cut: that one is number 0
    last = int(np.ceil(holdout / step - 1e-9))
    numbers = np.arange(min(first, 0), last + 1)
    ends = np.minimum(numbers * step, holdout)  # in days since the cut
    actual = _actual(transactions, halves, as_of, TimeUnit.parse(collapse), step, numbers)
    frames = []
    for model in models:
        by_age = _by_age(model, ages, ends, unit)
        until_cut = by_age[numbers <= 0]
        by_history = until_cut[-1] + _by_history(model, halves, ends[numbers > 0] / unit.days)
        cumulative = {
            "actual": actual.cumsum(),
            "predicted": np.concatenate([until_cut, by_history]),
            "by_age": by_age,
        }
        table = {"model": model.name, "period": numbers - numbers[0] + 1, "holdout": numbers > 0}
        table |= {name: np.diff(total, prepend=0) for name, total in cumulative.items()}
        table |= {f"{name}_cumulative": total for name, total in cumulative.items()}
        frames.append(pd.DataFrame(table))
    return pd.concat(frames, ignore_index=True)


def _by_age(model: PurchaseModel, ages: Array, ends: Array, unit: TimeUnit) -> Array:
    """Repeat purchases by each instant, expected of customers by their age alone, as they are acquired."""
    born, customers = np.unique(-ages, return_counts=True)
    lived, which = np.unique(np.maximum(ends[:, None] - born, 0.0), return_inverse=True)
    expected = model.expected_purchases_new_customer(lived / unit.days)
    return expected[which.reshape(len(ends), len(born))] @ customers


def _by_history(model: PurchaseModel, halves: pd.DataFrame, lengths: Array) -> Array:
    """Purchases within each length after the cut, expected of customers by what each has done."""
    known = read_histories(halves)
    weight = np.bincount(known.row) * model._alive(known.frequency, known.recency, known.T)
    histories = pd.DataFrame({"x": known.frequency, "age": known.T, "weight": weight})
    alike = histories.groupby(["x", "age"], as_index=False)["weight"].sum()
    curve = model._purchase_curve(alike["x"].to_numpy(), alike["age"].to_numpy(), float(lengths.max()))
    return np.array([alike["weight"].to_numpy() @ curve(float(length)) for length in lengths])


def _actual(
    transactions: Any,
    halves: pd.DataFrame,
    as_of: dt.date,
    collapse: TimeUnit,
    step: float,
    numbers: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Repeat purchases in each period, of customers known at the cut."""
    unit, cut = TimeUnit.parse(halves.time_unit), halves.as_of
    before, after = _days(transactions, cut, as_of, collapse)
    births = np.round(-halves["T"].to_numpy() * unit.days, 9)
    # the first purchase is no repeat purchase; a period that the cut divides counts after it too
    first = pd.DataFrame({"day": births, "n": -1})
    counts = pd.concat([before, first, after.assign(day=after["day"].clip(lower=1e-9))])
    day = counts["day"].to_numpy()
    place = np.ceil(day / step - 1e-9 * (day <= 0)).astype(int)
    actual = np.bincount(place - numbers[0], counts["n"].to_numpy(), len(numbers)).astype(np.int64)
    happened = halves["frequency"].sum(), halves["holdout_frequency"].sum()
    found = actual[numbers <= 0].sum(), actual[numbers > 0].sum()
    assert happened == found, f"repeat purchases {happened} of customers are {found} by period"
    return actual


def _days(
    transactions: Any, cut: dt.date, as_of: dt.date, collapse: TimeUnit
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Purchase periods of known customers up to the cut and after it: days since the cut's, and how many."""
    now = floor(ibis.literal(end_of(cut) - dt.timedelta(microseconds=1)), collapse)
    known = seen_by(transactions, cut).filter(_.counted)
    rows = seen_by(transactions, as_of).filter(_.counted)
    later = rows.filter(rows.date >= ibis.literal(end_of(cut))).semi_join(known, "customer_id")
    counts = []
    for purchases in (known, later):
        periods = purchases.select("customer_id", period=floor(purchases.date, collapse)).distinct()
        hours = collapse is TimeUnit.H
        since = periods.period.delta(now, unit="hour" if hours else "day").cast("float64")
        days = periods.mutate(day=since / 24 if hours else since)
        counts.append(fetch(days.group_by("day").agg(n=_.count())))
    return counts[0], counts[1]
