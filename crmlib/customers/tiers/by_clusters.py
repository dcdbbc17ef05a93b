"""Tiers cut where the customers themselves divide."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.customers.clusters.cluster_segments import ClusterSegments
from crmlib.errors import CrmError

GROUPS = 3  # Platinum, Gold and Iron; Lead is split off before, at zero


def cluster_codes(
    profit: pd.DataFrame, column: str, rest: np.ndarray, features: tuple[str, ...], random_state: int
) -> tuple[np.ndarray, ClusterSegments]:
    """Code of each customer's tier (0 Lead to 3 Platinum), by clusters in order of their mean value.

    Only who has a value of 0 or more is clustered; who is spared from Lead stays Iron.
    """
    for name in features:
        if name not in profit.columns:
            raise CrmError(f"features name {name!r}, which profit lacks; merge it in by customer_id")
    values = profit[column].to_numpy(dtype=float)
    kept = rest & (values >= 0)
    data = profit.loc[kept, list(dict.fromkeys([column, *features]))]
    found = ClusterSegments(GROUPS, random_state=random_state).fit(pd.DataFrame(data))
    means = pd.Series(values[kept]).groupby(found.labels_).mean()
    place = means.rank(method="first").astype("int8").to_numpy()
    codes = np.where(rest, 1, 0).astype("int8")
    codes[kept] = place[found.labels_]
    return codes, found
