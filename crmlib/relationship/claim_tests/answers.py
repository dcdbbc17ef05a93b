"""Survey answers with the customer's history up to that day, and weights for non-response."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.data.sources import lacking, open_optional, optional
from crmlib.relationship.claim_tests.data import FEWEST, ClaimData, controls

WINDOW_DAYS = 180  # after an answer, in which a purchase or a renewal counts
_TRIM = 0.02  # share of the largest weights that are trimmed
_known: WeakKeyDictionary[ClaimData, tuple[pd.DataFrame, np.ndarray]] = WeakKeyDictionary()


def answered(data: ClaimData) -> tuple[pd.DataFrame, np.ndarray, str]:
    """The result of `_answers`, cached for both tests; and why there are too few answers, else empty."""
    if reason := lacking(surveys=data.surveys):
        return pd.DataFrame(), np.empty(0), reason
    if data not in _known:
        _known[data] = _answers(data)
    found, weights = _known[data]
    enough, people = len(found) >= FEWEST, fmt.plural(len(found), "customer")
    return found, weights, "" if enough else f"{people} with an answer on trust that is old enough"


def _answers(data: ClaimData) -> tuple[pd.DataFrame, np.ndarray]:
    """The first answer on trust of each customer, standardised (`score`), with history and outcome; and weights."""
    found = data.around(first_answers(data, "trust", WINDOW_DAYS), WINDOW_DAYS)
    found = found[found["tenure"].notna()].reset_index(drop=True)
    if len(found) < FEWEST:
        return found, np.ones(len(found))
    contracts = data.of_table(data.subscriptions, "start")
    contracts = contracts.merge(found[["customer_id", "date"]], on="customer_id")
    days = (pd.to_datetime(contracts["start"]) - contracts["date"]).dt.days
    renewed = found["customer_id"].isin(contracts.loc[(days > 0) & (days <= WINDOW_DAYS), "customer_id"])
    again = np.maximum(found["again"], renewed.astype(float))
    found = found.assign(again=again, score=standard(found["score"]))
    return found, _weights(data, found)


def first_answers(data: ClaimData, question: str, days: int) -> pd.DataFrame:
    """The first answer of each customer, at least `days` old: `customer_id`, `date`, `score` (share of the maximum)."""
    rows = open_optional(data.surveys)
    if rows is None:
        return pd.DataFrame(columns=["customer_id", "date", "score"])
    best = optional(rows, "scale_max", "float64").fill_null(10.0 if question == "nps" else 5.0)
    rows = rows.mutate(score=rows.score.cast("float64") / best)
    rows = rows.filter((_.question == question) & _.score.notnull())
    found = data.of_table(rows, "date", "score")
    found = found.assign(date=pd.to_datetime(found["date"]).dt.normalize())
    found = found[found["date"] <= data.last(days)].sort_values(["date", "customer_id"], kind="stable")
    return found.drop_duplicates("customer_id")


def _weights(data: ClaimData, found: pd.DataFrame) -> np.ndarray:
    """Inverse-probability weights for non-response; those without an answer are taken halfway through their orders."""
    from sklearn.linear_model import LogisticRegression

    rows = data.rows.filter(_.counted & (_.day <= data.last(WINDOW_DAYS).date()))
    silent = fetch(rows.group_by("customer_id").agg(first=_.day.min(), last=_.day.max()))
    silent = silent.assign(customer_id=silent["customer_id"].astype(str))
    silent = silent[~silent["customer_id"].isin(found["customer_id"])]
    if silent.empty:
        return np.ones(len(found))
    first, last = (pd.to_datetime(silent[name]) for name in ("first", "last"))
    both = pd.concat([found, data.around(silent[["customer_id"]].assign(date=first + (last - first) / 2), 1)])
    known = controls(both, "tenure", "orders", "worth", "complaints")
    known = (known - known.mean(axis=0)) / np.where(known.std(axis=0) > 0, known.std(axis=0), 1.0)
    model = LogisticRegression(max_iter=1000).fit(known, np.arange(len(both)) < len(found))
    weights = 1 / model.predict_proba(known[: len(found)])[:, 1]
    weights = np.minimum(weights, np.quantile(weights, 1 - _TRIM))
    return np.asarray(weights / weights.mean())


def standard(values: pd.Series) -> pd.Series:
    """Values less their mean, in standard deviations; 0 where all are equal."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 0 else values * 0.0
