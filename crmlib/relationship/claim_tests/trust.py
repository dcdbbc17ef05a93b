"""Trust goes with retention; and the chain from value by way of trust to retention."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.data.sources import lacking, open_optional, optional
from crmlib.relationship.claim_tests.data import BASELINE, FEWEST, ClaimData, controls
from crmlib.relationship.claim_tests.tested import Part, cannot, result, slope

WINDOW_DAYS = 180  # after an answer, in which a purchase or a renewal counts
ASKED_DAYS = 14  # a survey follows an order by less: that order is no earlier purchase
_TRIM = 0.02  # the largest weights, which would decide alone


def trust(data: ClaimData) -> list[dict[str, Any]]:
    """Do customers who trust more buy again more often in the 180 days after the answer, at equal history?

    One answer per customer; tenure, recency, orders, spend, market and complaints known that day are held equal, and
    answers are weighted by the chance to have been one. A description: whether trust keeps customers is an effect.
    The control: given what was known half a year before, the answer should not go with purchases *before* it.
    """
    if reason := _missing(data):
        return cannot("trust", reason)
    found, weights = _answered(data)
    if len(found) < FEWEST:
        return cannot(
            "trust", f"{fmt.plural(len(found), 'customer')} with an answer on trust that is old enough"
        )
    names = "again within 180 days, per standard deviation of trust"
    part = Part(names, *_keeps(found, weights), "points", len(found))
    earlier = found["date"] - pd.Timedelta(WINDOW_DAYS + ASKED_DAYS, "D")
    before = data.around(found[["customer_id", "score"]].assign(date=earlier), WINDOW_DAYS)
    before = before[before["tenure"].notna()]
    value, error = slope(before["again"], before["score"], controls(before, *BASELINE))
    control = Part("purchases before the answer", value, error, "points", len(before))
    told = "purchases before the answer are no more frequent"
    if not control.distance < 1.96:
        told = "too few answers have a history, so purchases before the answer are not compared"
    doubt = "the answer goes with purchases before it too" if control.distance > 1.96 else ""
    rows = result("trust", [part], "" if doubt else told, doubt)
    return [*rows, control.described("trust", "a control: should not differ")]


def chain(data: ClaimData) -> list[dict[str, Any]]:
    """Value → relationship → retention: three links, each at full level.

    What a customer brought in the year before goes with trust; trust with purchases afterwards; value with purchases
    afterwards.
    """
    if reason := _missing(data):
        return cannot("chain", reason)
    found, weights = _answered(data)
    if len(found) < FEWEST:
        return cannot(
            "chain", f"{fmt.plural(len(found), 'customer')} with an answer on trust that is old enough"
        )
    worth = _standard(np.sign(found["worth"]) * np.log1p(found["worth"].abs()))
    others = controls(found, "tenure", "complaints")
    n = len(found)
    parts = [
        Part(
            "trust, per standard deviation of value",
            *slope(found["score"], worth, others, weights),
            "ratio",
            n,
        ),
        Part("again, per standard deviation of trust", *_keeps(found, weights), "points", n),
        Part(
            "again, per standard deviation of value",
            *slope(found["again"], worth, others, weights),
            "points",
            n,
        ),
    ]
    return result("chain", parts, "the weakest of three links; value is what they brought in the year before")


def _missing(data: ClaimData) -> str:
    return lacking(surveys=data.surveys)


def _keeps(found: pd.DataFrame, weights: np.ndarray) -> tuple[float, float]:
    return slope(found["again"], found["score"], controls(found, *BASELINE), weights)


def _answered(data: ClaimData) -> tuple[pd.DataFrame, np.ndarray]:
    """The first answer on trust of each customer, standardised (`score`), with history and outcome; and weights."""
    found = data.around(first_answers(data, "trust", WINDOW_DAYS), WINDOW_DAYS)
    found = found[found["tenure"].notna()].reset_index(drop=True)
    if len(found) < FEWEST:
        return found, np.ones(len(found))
    contracts = data.of_table(data.subscriptions, "start").merge(
        found[["customer_id", "date"]], on="customer_id"
    )
    days = (pd.to_datetime(contracts["start"]) - contracts["date"]).dt.days
    renewed = found["customer_id"].isin(contracts.loc[(days > 0) & (days <= WINDOW_DAYS), "customer_id"])
    found = found.assign(
        again=np.maximum(found["again"], renewed.astype(float)), score=_standard(found["score"])
    )
    return found, _weights(data, found)


def first_answers(data: ClaimData, question: str, days: int) -> pd.DataFrame:
    """The first answer of each customer that is so many days old: `customer_id`, `date`, `score` (of the best)."""
    rows = open_optional(data.surveys)
    if rows is None:
        return pd.DataFrame(columns=["customer_id", "date", "score"])
    best = optional(rows, "scale_max", "float64").fill_null(10.0 if question == "nps" else 5.0)
    rows = rows.mutate(score=rows.score.cast("float64") / best).filter(
        (_.question == question) & _.score.notnull()
    )
    found = data.of_table(rows, "date", "score")
    found = found.assign(date=pd.to_datetime(found["date"]).dt.normalize())
    found = found[found["date"] <= data.last(days)].sort_values(["date", "customer_id"], kind="stable")
    return found.drop_duplicates("customer_id")


def _weights(data: ClaimData, found: pd.DataFrame) -> np.ndarray:
    """One by the chance to have answered; those who did not are seen halfway through their orders."""
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


def _standard(values: pd.Series) -> pd.Series:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 0 else values * 0.0
