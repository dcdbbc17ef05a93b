"""What constant retention hides: customers differ, and those who stay are worth more than their average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from crmlib.economics.formula_clv import retention_elasticity
from crmlib.economics.retention.profit import POINTS, RetentionTerms
from crmlib.errors import CrmError
from crmlib.models.shifted_beta_geo import ShiftedBetaGeoModel

_NODES = 400


def retention_mix(
    model: ShiftedBetaGeoModel, terms: RetentionTerms, *, renewals: int = 0, points: float = POINTS
) -> pd.DataFrame:
    """How much does one constant retention rate understate value, and what retention is worth?

    Parameters
    ----------
    model : ShiftedBetaGeoModel
        Fitted to a cohort's renewals; its periods are those of `terms`.
    terms : RetentionTerms
        Margin, discount rate and timing; its retention rate is not used. The discount rate must be above 0.
    renewals : int, default 0
        Renewals that the customers have made: 0 values new ones.
    points : float, default 0.05

    Returns
    -------
    DataFrame
        Rows `customers` "all alike" and "differ (sBG)", both with the same mean `retention_rate` in the next
        renewal: `gross` value, `net` of acquisition and fixed cost, `elasticity` of the gross value to retention, and
        `gross_change`, if everybody's retention rises by `points` (to 1 at most).

    Raises
    ------
    CrmError
        If the discount rate is 0: the mix may then have no finite value.

    Notes
    -----
    Value is convex in retention, so its mean over customers exceeds the value at their mean. Fader & Hardie,
    "Customer-base valuation in a contractual setting: the perils of ignoring heterogeneity", Marketing Science
    29(1), 2010.

    Examples
    --------
    >>> model = ShiftedBetaGeoModel.from_params(alpha=0.668, beta=3.806)
    >>> terms = RetentionTerms(margin=100, retention_rate=0.8, discount_rate=0.1)
    >>> retention_mix(model, terms)[["customers", "retention_rate", "gross", "elasticity"]].round(2)
          customers  retention_rate   gross  elasticity
    0     all alike            0.85  341.22        4.41
    1  differ (sBG)            0.85  492.26        7.58
    """
    if not terms.discount_rate > 0:
        raise CrmError(
            "discount_rate is 0; a mix of customers may then have no finite value: give a rate above 0"
        )
    stays, weight = _retention_of(model, renewals)
    mean = float(weight @ stays)
    alike = replace(terms, retention_rate=mean)
    each = terms.gross(stays)
    value = float(weight @ each)
    own = np.array([retention_elasticity(r, terms.discount_rate, timing=terms.timing) for r in stays])
    raised = float(weight @ terms.gross(np.minimum(stays + points, 1.0)))
    alike_raised = float(alike.gross(min(mean + points, 1.0)))
    costs = terms.acquisition_cost + terms.fixed_cost
    rows = [
        ("all alike", float(alike.gross()), alike_raised,
         retention_elasticity(mean, terms.discount_rate, timing=terms.timing)),
        ("differ (sBG)", value, raised, float(weight @ (each * own)) / value),
    ]  # fmt: skip
    told = [
        {"customers": name, "retention_rate": mean, "gross": gross, "net": gross - costs,
         "elasticity": elasticity, "gross_change": after / gross - 1}
        for name, gross, after, elasticity in rows
    ]  # fmt: skip
    return pd.DataFrame(told)


def _retention_of(model: ShiftedBetaGeoModel, renewals: int) -> tuple[np.ndarray, np.ndarray]:
    """Retention rates of customers who made so many renewals, and their weights, as a quadrature.

    The rule of Golub & Welsch (1969) for the beta distribution: weights come as shares, so that no beta function is
    evaluated, which overflows once alpha + beta is about 1,000.
    """
    from scipy.linalg import eigh_tridiagonal

    a, b = model.params_["alpha"] - 1, model.params_["beta"] + renewals - 1
    n = np.arange(1.0, _NODES)
    size = 2 * n + a + b
    middle = np.concatenate([[(a - b) / (a + b + 2)], (a * a - b * b) / (size * (size + 2))])
    first = 4 * (1 + a) * (1 + b) / ((a + b + 2) ** 2 * (a + b + 3))
    n, size = n[1:], size[1:]
    others = 4 * n * (n + a) * (n + b) * (n + a + b) / (size**2 * (size + 1) * (size - 1))
    nodes, vectors = eigh_tridiagonal(middle, np.sqrt(np.concatenate([[first], others])))
    return 1 - (nodes + 1) / 2, vectors[0] ** 2
