"""How many clusters, and are they groups? Silhouette and stability beside those of a cloud without groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crmlib.customers.cluster_fits import Method, cluster
from crmlib.customers.cluster_stability import stability
from crmlib.customers.cluster_valleys import Labels, Points, shallowest_valley

SIGNIFICANT = (
    0.01  # of the valley; over several numbers of clusters, the chance of a false group stays below .05
)
STABLE = 0.75  # Hennig's mean Jaccard from which a cluster is stable
NULL_RESAMPLES = (
    3  # per cloud; fewer than of the data spread the null more, which makes the test harder to pass
)
LEVEL = 0.95


def judge_clusters(
    points: Points,
    numbers: Sequence[int],
    *,
    method: Method,
    resamples: int,
    nulls: int,
    random: np.random.Generator,
) -> pd.DataFrame:
    """What speaks for each number of clusters.

    Parameters
    ----------
    points : array, shape (customers, features)
        Scaled features; a sample is enough.
    numbers : sequence of int
        Numbers of clusters to try.
    method : {"kmeans", "gaussian_mixture"}
    resamples, nulls : int
        Resamples for stability; clouds without groups to compare with, 19 for a 95 % quantile.
    random : Generator

    Returns
    -------
    DataFrame
        One row per number: `clusters`; `silhouette` and `silhouette_null`; `stability` (mean adjusted Rand
        index over resamples) and `stability_null`; `jaccard` (of the least stable cluster); `valley` and
        `valley_p` (`Valley`); `groups`, whether all of it speaks for groups. The nulls are 95 % quantiles
        over clouds of as many customers from one bell of the same covariance.
    """
    from sklearn import config_context

    bells = [_bell(points, random) for _ in range(nulls)]
    with config_context(assume_finite=True, skip_parameter_validation=True):  # a third of a small fit's time
        rows = [_judge(points, number, bells, method, resamples, random) for number in numbers]
    return pd.DataFrame(rows)


def _judge(
    points: Points,
    number: int,
    bells: list[Points],
    method: Method,
    resamples: int,
    random: np.random.Generator,
) -> dict[str, float]:
    labels = cluster(points, number, method, random).labels
    again = stability(points, labels, method, resamples, random)
    null = np.array([_scores(bell, number, method, random) for bell in bells])
    limits = np.quantile(null, LEVEL, axis=0, method="higher")
    valley = shallowest_valley(points, labels, random)
    row = {
        "clusters": number,
        "silhouette": silhouette(points, labels),
        "silhouette_null": float(limits[0]),
        "stability": float(again.rand.mean()),
        "stability_null": float(limits[1]),
        "jaccard": float(again.jaccard.mean(axis=0).min()),
        "valley": valley.depth,
        "valley_p": valley.p_value,
    }
    return row | {"groups": _are_groups(row)}


def _are_groups(row: dict[str, float]) -> bool:
    beyond_null = all(row[name] >= row[f"{name}_null"] for name in ("silhouette", "stability"))
    return bool(row["valley_p"] <= SIGNIFICANT and row["jaccard"] >= STABLE and beyond_null)


def _scores(points: Points, number: int, method: Method, random: np.random.Generator) -> tuple[float, float]:
    labels = cluster(points, number, method, random).labels
    again = stability(points, labels, method, NULL_RESAMPLES, random)
    return silhouette(points, labels), float(again.rand.mean())


def _bell(points: Points, random: np.random.Generator) -> Points:
    """As many customers from one bell of the same covariance."""
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(points, rowvar=False)))
    return random.standard_normal(points.shape) * np.sqrt(np.maximum(variances, 0.0)) @ axes.T


def silhouette(points: Points, labels: Labels) -> float:
    """Mean silhouette (Rousseeuw 1987): from -1 to 1, high where clusters are compact and apart."""
    from sklearn.metrics import silhouette_score

    # One cluster, or as many as customers: nobody has both neighbours and strangers, and 0 is the convention.
    several = 2 <= len(np.unique(labels)) < len(labels)
    return float(silhouette_score(points, labels)) if several else 0.0
