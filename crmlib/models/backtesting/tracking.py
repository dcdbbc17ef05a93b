"""Repeat purchases period by period: what happened beside what each model expected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from numpy.typing import NDArray

from crmlib.customers._log import end_of, fetch, floor, seen_by
from crmlib.models._histories import read_histories
from crmlib.models._inference import Array
from crmlib.models.purchase import PurchaseModel
from crmlib.units import TimeUnit


def tracking_unit(time_unit: str) -> TimeUnit:
    """Length of the periods in which purchases are followed: hours and days by the week."""
    unit = TimeUnit.parse(time_unit)
    return TimeUnit.W if unit in (TimeUnit.H, TimeUnit.D) else unit


def track(
    transactions: Any,
    halves: pd.DataFrame,
    models: Sequence[PurchaseModel],
    *,
    as_of: dt.date,
    collapse: str,
) -> pd.DataFrame:
    """Repeat purchases of the customers known at the cut, by period, from the first customer to `as_of`.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
    halves : CustomerSummary
        Of `rfm_train_test_split`.
    models : sequence of PurchaseModel
        Fitted on it.
    as_of : date
        Last day of the holdout.
    collapse : str

    Returns
    -------
    DataFrame
        As `BacktestResult.tracking`.
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
