"""What a model of purchases has to beat: rules of silence, and classifiers that learn from the time before."""

from __future__ import annotations

import numpy as np

from crmlib.customers.rfm.summary import CustomerSummary
from crmlib.models._inference import Array

_FEATURES = ("frequency", "recency", "T", "time_since_last_purchase", "mean_spend_per_period")


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
    order = np.argsort(silence, kind="stable")
    silent, back = np.asarray(silence, dtype=float)[order], np.asarray(came_back, dtype=bool)[order]
    # wrong at each threshold: those within it who did not come back, and those beyond it who did
    wrong = np.cumsum(~back) + (back.sum() - np.cumsum(back))
    ends = np.append(np.diff(silent) > 0, True)  # equal silences share a side
    return float(silent[ends][np.argmin(wrong[ends])])


def rules(
    lesson: CustomerSummary, learned: Array, halves: CustomerSummary, hiatus: float
) -> dict[str, Array]:
    """Chances by rules: everybody's share of buyers, the hiatus rule, and the share by time since the last purchase.

    Parameters
    ----------
    lesson : CustomerSummary
        Customers at a day in the past.
    learned : array of bool
        Who of them bought after it.
    halves : CustomerSummary
        Customers to be told about.
    hiatus : float
        Of `fit_hiatus`.
    """
    from sklearn.isotonic import IsotonicRegression

    then, now = (one["time_since_last_purchase"].to_numpy() for one in (lesson, halves))
    rates = [(learned[side].sum() + 0.5) / (side.sum() + 1) for side in (then > hiatus, then <= hiatus)]
    falling = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(then, learned)
    edge = 0.5 / (len(learned) + 1)  # a share of none or all is not taken for certain
    return {
        "base rate": np.full(len(halves), learned.mean()),
        "hiatus rule": np.where(now <= hiatus, rates[1], rates[0]),
        "time since last purchase": np.clip(falling.predict(now), edge, 1 - edge),
    }


def classifiers(
    lesson: CustomerSummary, learned: Array, halves: CustomerSummary, random_state: int
) -> dict[str, Array]:
    """Chances by logistic regression and gradient boosting on RFM features; parameters as in `rules`."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    then, now = (one[list(_FEATURES)].clip(lower=0).to_numpy(float) for one in (lesson, halves))
    kinds = {
        "RFM logistic": make_pipeline(
            FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression(max_iter=1000)
        ),
        "RFM boosting": HistGradientBoostingClassifier(
            max_iter=100, max_leaf_nodes=15, learning_rate=0.05, random_state=random_state
        ),
    }
    return {name: kind.fit(then, learned).predict_proba(now)[:, 1] for name, kind in kinds.items()}
