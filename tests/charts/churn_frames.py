"""Frames of a churn model as its evaluation returns them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crmlib import charts


def groups(predicted: Sequence[float], actual: Sequence[float], reach: float = 0.04) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"group": range(1, len(predicted) + 1), "customers": 200, "predicted_mean": predicted}
    )
    frame["actual_mean"] = actual
    return frame.assign(
        low=(frame["actual_mean"] - reach).clip(0), high=(frame["actual_mean"] + reach).clip(upper=1)
    )


def deciles(models: dict[str, Sequence[float]]) -> pd.DataFrame:
    """Of each model how many of the 10 customers in each tenth left."""
    tables = []
    for model, left in models.items():
        share = np.array(left, dtype=float) / (sum(left) or np.nan)
        gain = share.cumsum()
        tables.append(
            pd.DataFrame(
                {
                    "model": model, "decile": range(1, 11), "customers": 10.0, "churned": left,
                    "churn_rate": np.array(left) / 10, "lift": 10 * share, "gain": gain,
                    "gain_low": 0.95 * gain, "gain_high": np.minimum(1.05 * gain, 1), "lead_low": 0.1,
                    "lead_high": 0.3,
                }
            )
        )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def importance(values: dict[str, float]) -> pd.DataFrame:
    frame = pd.DataFrame({"feature": list(values), "importance": list(values.values())})
    return frame.assign(standard_error=0.001, auc_drop=frame["importance"] / 2)


OF_CHURN = {"value": "churn_rate"}
OF_FEATURES = {"group": "feature", "value": "importance", "kind": "number"}
USUAL = {
    "churn_calibration": (
        charts.chances, groups([0.02, 0.1, 0.3, 0.7], [0.03, 0.11, 0.38, 0.69]), {},
    ),
    "churn_gains": (
        charts.churn_gains,
        deciles({"churn model": [8, 6, 4, 3, 2, 1, 1, 0, 0, 0], "tenure alone": [6, 5, 4, 3, 2, 2, 1, 1, 1, 0],
                 "base rate": [2.5] * 10}), {},
    ),
    "churn_by_decile": (charts.by_tenth, deciles({"churn model": [8, 6, 4, 3, 2, 1, 1, 0, 0, 0]}), OF_CHURN),
    "churn_importance": (
        charts.values_by_group,
        importance({"tenure": 0.145, "contract": 0.08, "a_feature_with_a_rather_long_name": -0.001}), OF_FEATURES,
    ),
}  # fmt: skip
ODD = {
    "one group": (charts.chances, groups([0.2], [0.3]), {}),
    "all predictions alike": (charts.chances, groups([0.2] * 3, [0.1, 0.2, 0.3]), {}),
    "nobody left in most groups": (charts.chances, groups([0.001, 0.002, 0.9], [0, 0, 1.0], 0), {}),
    "one model": (charts.churn_gains, deciles({"churn model": [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]}), {}),
    "all tenths alike": (charts.by_tenth, deciles({"churn model": [3] * 10}), OF_CHURN),
    "only the riskiest left": (charts.by_tenth, deciles({"churn model": [1, *[0] * 9]}), OF_CHURN),
    "nothing counts": (charts.values_by_group, importance({"noise": -0.002, "more": -0.003}), OF_FEATURES),
    "one feature": (charts.values_by_group, importance({"tenure": 0.1}), OF_FEATURES),
}
