"""Value, relationship, retention: the three links of a chain."""

from __future__ import annotations

from typing import Any

import numpy as np

from crmlib.relationship.claim_tests.answers import answered, standard
from crmlib.relationship.claim_tests.data import ClaimData, controls
from crmlib.relationship.claim_tests.slopes import slope
from crmlib.relationship.claim_tests.tested import Part, cannot, result
from crmlib.relationship.claim_tests.trust import keeps


def chain(data: ClaimData) -> list[dict[str, Any]]:
    """Value → relationship → retention: three links, each tested at the full level.

    What a customer brought in the year before goes with trust; trust with purchases afterwards; value with purchases
    afterwards.
    """
    found, weights, reason = answered(data)
    if reason:
        return cannot("chain", reason)
    worth = standard(np.sign(found["worth"]) * np.log1p(found["worth"].abs()))
    others = controls(found, "tenure", "complaints")
    on_trust, on_purchases = (slope(found[name], worth, others, weights) for name in ("score", "again"))
    n = len(found)
    parts = [
        Part("trust, per standard deviation of value", *on_trust, "ratio", n),
        Part("again, per standard deviation of trust", *keeps(found, weights), "points", n),
        Part("again, per standard deviation of value", *on_purchases, "points", n),
    ]
    return result("chain", parts, "the weakest of three links; value is what they brought in the year before")
