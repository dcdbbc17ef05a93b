"""What the clusters are like, and names for what stands out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from crmlib.customers.clusters.fits import Labels, Points, Scale
from crmlib.errors import CrmError

STANDS_OUT = 0.5  # standard deviations from the mean of all customers, on the scale of the clustering
MOST_WORDS = 3
# Words for little and for much of a feature; other features are called by their own name.
WORDS = {
    "frequency": ("rare", "frequent"),
    "time_since_last_purchase": ("recent", "long silent"),
    "mean_spend_per_period": ("low spend", "high spend"),
    "monetary_value": ("low spend", "high spend"),
    "net": ("low revenue", "high revenue"),
}
ALL = "all customers"


def profile_table(data: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """What the customers of each cluster, segment or tier are like, beside all customers.

    Parameters
    ----------
    data : DataFrame
        One row per customer; means are of its numeric columns, such as P(alive) and value.
    groups : Series
        Group of each row of `data`, under the same index; a categorical's order is kept.

    Returns
    -------
    DataFrame
        One row per group and one for "all customers": `group, customers, share_of_customers`, then the mean
        of each numeric column. Means weighted by customers are those of all.

    Raises
    ------
    CrmError
        If the two have different rows, or a customer no group.

    Examples
    --------
    >>> data = pd.DataFrame({"customer_id": list("abc"), "frequency": [1, 2, 6]})
    >>> profile_table(data, pd.Series(["light", "light", "heavy"]))
               group  customers  share_of_customers  frequency
    0          heavy          1            0.333333        6.0
    1          light          2            0.666667        1.5
    2  all customers          3            1.000000        3.0
    """
    if not data.index.equals(groups.index):
        raise CrmError(
            f"data has {len(data):,} rows and groups {len(groups):,}, not the same; give both one index"
        )
    if groups.isna().any():
        raise CrmError(f"{int(groups.isna().sum()):,} customers have no group; name one for them")
    numbers = pd.DataFrame(data).select_dtypes("number").astype(float)
    by_group = numbers.groupby(groups, observed=False)
    table = by_group.mean()
    table.insert(0, "customers", by_group.size())
    whole = numbers.mean().to_frame(ALL).T
    whole.insert(0, "customers", len(numbers))
    table.index = table.index.astype(str)
    assert table["customers"].sum() == len(data), "a customer was lost between groups"
    profile = pd.concat([table, whole]).rename_axis("group").reset_index()
    profile.insert(2, "share_of_customers", profile["customers"] / max(len(data), 1))
    return profile


def standings(features: pd.DataFrame, points: Points, labels: Labels, names: list[str]) -> pd.DataFrame:
    """Each feature in each cluster: `cluster, name, customers, feature, mean, mean_of_all, standing`.

    `standing` is how far the cluster's mean is from that of all, in standard deviations of all customers on the
    scale of the clustering; `cluster` counts from 1, the largest.
    """
    spread = points.std(axis=0)
    rows = []
    for cluster, name in enumerate(names):
        mine = labels == cluster
        rows.append(
            pd.DataFrame(
                {
                    "cluster": cluster + 1,
                    "name": name,
                    "customers": int(mine.sum()),
                    "feature": features.columns,
                    "mean": features[mine].mean().to_numpy(),
                    "mean_of_all": features.mean().to_numpy(),
                    "standing": _standing(points, mine, spread),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def cluster_names(points: Points, labels: Labels, features: list[str], scale: Scale) -> list[str]:
    """What stands out in each cluster, as its name; clusters of the same name are numbered."""
    spread = points.std(axis=0)
    found = [
        _name(_standing(points, labels == one, spread), features, scale)
        for one in range(int(labels.max()) + 1)
    ]
    seen: Counter[str] = Counter()
    numbered = []
    for name in found:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return numbered


def _standing(points: Points, mine: np.ndarray, spread: np.ndarray) -> np.ndarray:
    away = points[mine].mean(axis=0) - points.mean(axis=0)
    return np.divide(away, spread, out=np.zeros_like(away), where=spread > 1e-12)


def _name(standing: np.ndarray, features: list[str], scale: Scale) -> str:
    """The features that stand out, the farthest first; of shares, those of which there is much."""
    size = standing if scale == "share" else np.abs(standing)
    order = [place for place in np.argsort(-size, kind="stable")[:MOST_WORDS] if size[place] >= STANDS_OUT]
    if scale == "share":
        return " and ".join(features[place] for place in order[:2]) or "a bit of everything"
    return ", ".join(_word(features[place], bool(standing[place] > 0)) for place in order) or "average"


def _word(feature: str, much: bool) -> str:
    plain = feature.replace("_", " ")
    return WORDS.get(feature, (f"low {plain}", f"high {plain}"))[much]
