"""Trust is associated with retention."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib.relationship.claim_tests.answers import WINDOW_DAYS, answered
from crmlib.relationship.claim_tests.data import BASELINE, ClaimData, controls
from crmlib.relationship.claim_tests.slopes import slope
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.statistics import normal_quantile

ASKED_DAYS = 14  # a survey follows an order by less: that order is no earlier purchase


def trust(data: ClaimData) -> list[dict[str, Any]]:
    """Do customers who trust more buy again more often in the 180 days after the answer, at equal history?

    One answer per customer; tenure, recency, orders, spend, market and complaints known that day are held equal, and
    answers are weighted by the chance to have been one. A description: whether trust keeps customers is an effect.
    The control: given what was known half a year before, the answer should not go with purchases *before* it.
    """
    found, weights, reason = answered(data)
    if reason:
        return cannot("trust", reason)
    names = "again within 180 days, per standard deviation of trust"
    part = Part(names, *keeps(found, weights), "points", len(found))
    earlier = found["date"] - pd.Timedelta(WINDOW_DAYS + ASKED_DAYS, "D")
    before = data.around(found[["customer_id", "score"]].assign(date=earlier), WINDOW_DAYS)
    before = before[before["tenure"].notna()]
    value, error = slope(before["again"], before["score"], controls(before, *BASELINE))
    control = Part("purchases before the answer", value, error, "points", len(before))
    why = "purchases before the answer are no more frequent"
    if not control.distance < normal_quantile(0.95):
        why = "too few answers have a history, so purchases before the answer are not compared"
    doubt = "the answer goes with purchases before it too" if control.distance > normal_quantile(0.95) else ""
    rows = result("trust", [part], "" if doubt else why, doubt)
    return [*rows, control.described("trust", "a control: should not differ")]


def keeps(found: pd.DataFrame, weights: np.ndarray) -> tuple[float, float]:
    """The increase of repurchases per standard deviation of trust, at equal history."""
    return slope(found["again"], found["score"], controls(found, *BASELINE), weights)
