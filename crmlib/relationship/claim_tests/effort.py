"""Effort goes to valuable customers: a description of what the firm does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch, with_ids_of
from crmlib.data.sources import open_optional, optional
from crmlib.relationship.claim_tests.data import FEWEST, ClaimData, controls
from crmlib.relationship.claim_tests.slopes import slope
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import bootstrap_weights

YEAR, HALF = 365, 182
RESAMPLES = 200
NAME = "effort"
_PER_VALUE = "per standard deviation of value"


def effort(data: ClaimData) -> list[dict[str, Any]]:
    """Does the effort that the firm is free to give go to customers who brought more in the year *before*?

    Of the last year: minutes of contacts by the firm, and the speed of its first replies; not the number of cases,
    which orders cause. On the value of the year before, shrunk by how far its two halves agree; orders of the year
    itself, market and line of business are held equal. Whether effort *should* go there only experiments tell: by the
    value that an hour adds. The concentration index is that of Kakwani, Wagstaff & van Doorslaer, Journal of
    Econometrics 77, 1997: 0 where minutes do not depend on the rank by value.
    """
    people = _people(data)
    if len(people) < FEWEST:
        return cannot(NAME, f"{fmt.plural(len(people), 'customer')} of the year before the last")
    others, value = controls(people, "orders"), people["value"].to_numpy()
    parts, below = [], []
    if (minutes := _minutes(data, people)) is not None:
        spent = slope(np.log1p(minutes), value, others)
        parts.append(Part(f"log minutes of contacts, {_PER_VALUE}", *spent, "ratio", len(people)))
        index = Part("concentration of minutes", *concentration(minutes, value), "ratio", len(people))
        below = [index.described(NAME, "0: not by value; 1: all to the best customer; nothing held equal")]
    replies = _replies(data, people)
    if len(replies) >= FEWEST:
        kinds = pd.get_dummies(replies["kind"].astype(str), drop_first=True, dtype=float).to_numpy()
        known = np.column_stack([controls(replies, "orders"), kinds])
        speed = slope(-replies["log_hours"], replies["value"], known, groups=replies["customer_id"])
        parts.append(Part(f"log speed of replies, {_PER_VALUE}", *speed, "ratio", len(replies)))
    if not parts:
        return cannot(NAME, "no contacts by the firm, and no replies, in the last year")
    why = f"{fmt.plural(len(people), 'customer')} by their value of the year before, orders since then held equal"
    return [*result(NAME, parts, why), *below]


def _people(data: ClaimData) -> pd.DataFrame:
    """Customers of the year before the last: its shrunk, standardised `value`, and `orders` since."""
    start = data.last(YEAR)
    rows = data.rows.mutate(age=_.day.delta(start.date(), unit="day"))
    before = {"first": rows.worth.sum(where=(rows.age <= -HALF) & (rows.age > -2 * HALF)).fill_null(0.0)}
    before["second"] = rows.worth.sum(where=(rows.age <= 0) & (rows.age > -HALF)).fill_null(0.0)
    since = rows.order.nunique(where=(rows.age > 0) & rows.counted)
    sums = {**before, "orders": since, "born": rows.age.min(where=rows.counted)}
    found = fetch(
        rows.group_by("customer_id").agg(**sums).order_by("customer_id")
    )  # resamples go by the order
    found = found[found["born"] <= -2 * HALF].astype({"customer_id": str})
    halves, value = (_log(found[["first", "second"]]), _log(found["first"] + found["second"]))
    agree = float(np.corrcoef(halves.to_numpy().T)[0, 1]) if len(found) > 2 else np.nan
    kept = 2 * agree / (1 + agree) if agree > 0 else 0.05  # Spearman & Brown: of both halves together
    spread = float(value.std()) or 1.0
    found = found.assign(value=max(kept, 0.05) * (value - value.mean()) / spread)
    return found.join(data.kinds, on="customer_id").fillna({"market": "", "product_type": ""})


def _log(values: Any) -> Any:
    return np.sign(values) * np.log1p(np.abs(values))


def _minutes(data: ClaimData, people: pd.DataFrame) -> np.ndarray | None:
    """Minutes of contacts by the firm in the last year, else their number; None where there are none."""
    table = open_optional(data.touchpoints)
    if table is None or "direction" not in table.columns:
        return None
    rows = table.filter((_.direction == "out") & _.customer_id.notnull())
    day = rows.date.cast("date")
    rows = with_ids_of(data.log, rows.filter((day > data.last(YEAR).date()) & (day <= data.day)))
    minutes = optional(rows, "minutes", "float64").fill_null(0.0)
    found = fetch(rows.group_by("customer_id").agg(minutes=minutes.sum(), contacts=_.count()))
    found = found.assign(customer_id=found["customer_id"].astype(str)).set_index("customer_id")
    column = "minutes" if found["minutes"].sum() > 0 else "contacts"
    mine = found[column].reindex(people["customer_id"], fill_value=0.0).to_numpy(float)
    return mine if mine.sum() > 0 else None


def _replies(data: ClaimData, people: pd.DataFrame) -> pd.DataFrame:
    """Cases of the last year with the logarithm of the hours until the first reply."""
    cases = data.of_table(data.service_cases, "opened", "first_reply", "kind")
    opened, replied = (pd.to_datetime(cases[name]) for name in ("opened", "first_reply"))
    hours = (replied - opened).dt.total_seconds() / 3600
    cases = cases.assign(log_hours=np.log(hours.clip(lower=0.01)))
    cases = cases[(opened >= data.last(YEAR)) & hours.notna()]
    return cases.merge(people, on="customer_id")


def concentration(minutes: np.ndarray, value: np.ndarray) -> tuple[float, float]:
    """The concentration index of minutes over the rank by value, and its standard error by resamples of customers."""
    rank = pd.Series(value).rank(pct=True).to_numpy()

    def index(weights: np.ndarray) -> float:
        mean = np.average(minutes, weights=weights)
        centre = np.average(rank, weights=weights)
        apart = np.average((minutes - mean) * (rank - centre), weights=weights)
        return float(2 * apart / mean) if mean > 0 else 0.0

    drawn = [index(weights) for weights in bootstrap_weights(len(minutes), RESAMPLES, 0)]
    return index(np.ones(len(minutes))), float(np.std(drawn, ddof=1))
