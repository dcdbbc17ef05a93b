"""Is the churn model as right for every kind of customer as it is for all of them?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crmlib.errors import DataError, did_you_mean
from crmlib.models._inference import Array
from crmlib.rankings import roc_auc
from crmlib.statistics import normal_quantile

FALSE_ALARMS = 0.05  # for all groups together
_COLUMNS = [
    *("column", "group", "customers", "churned", "actual", "predicted", "gap", "standard_error"),
    *("beyond_chance", "roc_auc"),
]


def by_subgroup(
    features: pd.DataFrame, churned: Array, p_churn: Array, columns: Sequence[str]
) -> pd.DataFrame:
    """What was predicted for groups of customers beside what happened.

    Parameters
    ----------
    features : DataFrame
        Of held-out customers.
    churned, p_churn : ndarray
        What happened, and the chance that was predicted.
    columns : sequence of str
        Whose values make the groups.

    Returns
    -------
    DataFrame
        As `ChurnEvaluation.subgroups`. The standard error of a gap is that of a model whose chances are true.
    """
    rows = []
    for column in columns:
        if column not in features:
            raise DataError(
                f"subgroups names {column!r}, which is no feature; {did_you_mean(column, features.columns)}"
            )
        codes, groups = pd.factorize(features[column], sort=True, use_na_sentinel=False)
        for code, group in enumerate(groups):
            mine = codes == code
            rows.append((column, _named(group), *_group(churned[mine], p_churn[mine])))
    found = pd.DataFrame(rows, columns=[name for name in _COLUMNS if name != "beyond_chance"])
    limit = normal_quantile(1 - FALSE_ALARMS / max(len(found), 1))
    found.insert(8, "beyond_chance", found["gap"].abs() > limit * found["standard_error"])
    return found


def _group(churned: Array, p: Array) -> tuple[float, ...]:
    actual, predicted = float(churned.mean()), float(p.mean())
    error = float(np.sqrt((p * (1 - p)).sum()) / len(p))
    area = roc_auc(p, churned) if 0 < actual < 1 else np.nan
    return len(p), int(churned.sum()), actual, predicted, predicted - actual, error, area


def _named(group: object) -> str:
    if isinstance(group, float):
        return "missing" if np.isnan(group) else f"{group:g}"
    return "missing" if group is None else str(group)
