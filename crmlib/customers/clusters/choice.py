"""How many clusters, and are they groups? Silhouette and stability beside those of a cloud without groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crmlib.customers.clusters.fits import REFERENCE_STARTS, Method, cluster
from crmlib.customers.clusters.stability import stability
from crmlib.customers.clusters.valleys import Labels, Points, shallowest_valley

SIGNIFICANT = (
    0.01  # of the valley; over several numbers of clusters, the chance of a false group stays below .05
)
STABLE = 0.75  # Hennig's mean Jaccard from which a cluster is stable
NULL_RESAMPLES = (
    3  # per cloud; fewer than of the data spread the null more, which makes the test harder to pass
)
LEVEL = 0.95
COLUMNS = (
    *("clusters", "silhouette", "silhouette_null", "stability", "stability_null"),
    *("jaccard", "valley", "valley_p", "groups"),
)


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

    with config_context(assume_finite=True, skip_parameter_validation=True):  # a third of a small fit's time
        found = [
            _judge(points, labels, method, resamples, random)
            for labels in (
                cluster(points, number, method, random, starts=REFERENCE_STARTS).labels for number in numbers
            )
        ]
        bells = (_bell(points, random) for _ in range(nulls))
        null = np.array([_null_scores(bell, numbers, method, random) for bell in bells])
    limits = np.quantile(null, LEVEL, axis=0, method="higher")
    columns = {"silhouette_null": limits[:, 0], "stability_null": limits[:, 1]}
    choice = pd.DataFrame(found).assign(clusters=list(numbers), **columns)
    beyond_null = (choice["silhouette"] >= limits[:, 0]) & (choice["stability"] >= limits[:, 1])
    held = (choice["valley_p"] <= SIGNIFICANT) & (choice["jaccard"] >= STABLE)
    return choice.assign(groups=held & beyond_null)[list(COLUMNS)]


def _judge(
    points: Points, labels: Labels, method: Method, resamples: int, random: np.random.Generator
) -> dict[str, float]:
    again = stability(points, labels, method, resamples, random)
    valley = shallowest_valley(points, labels, random)
    return {
        "silhouette": silhouette(_distances(points), labels),
        "stability": float(again.rand.mean()),
        "jaccard": float(again.jaccard.mean(axis=0).min()),
        "valley": valley.depth,
        "valley_p": valley.p_value,
    }


def _null_scores(
    bell: Points, numbers: Sequence[int], method: Method, random: np.random.Generator
) -> list[tuple[float, float]]:
    """Silhouette and stability of one cloud without groups, for each number of clusters."""
    distances, scores = _distances(bell), []
    for number in numbers:
        labels = cluster(bell, number, method, random).labels
        again = stability(bell, labels, method, NULL_RESAMPLES, random)
        scores.append((silhouette(distances, labels), float(again.rand.mean())))
    return scores


def _bell(points: Points, random: np.random.Generator) -> Points:
    """As many customers from one bell of the same covariance."""
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(points, rowvar=False)))
    return random.standard_normal(points.shape) * np.sqrt(np.maximum(variances, 0.0)) @ axes.T


def _distances(points: Points) -> Points:
    squares = (points**2).sum(axis=1)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0.0))


def silhouette(distances: Points, labels: Labels) -> float:
    """Mean silhouette (Rousseeuw 1987): from -1 to 1, high where clusters are compact and apart.

    From the distances between all pairs of customers, which serve every number of clusters: a multiple faster than
    anew for each.
    """
    member = labels[:, None] == np.unique(labels)
    if member.shape[1] < 2:
        return 0.0
    total, size = distances @ member, member.sum(axis=0)
    own = np.where(member, total / np.maximum(size - 1, 1), 0.0).sum(axis=1)
    nearest = np.where(member, np.inf, total / size).min(axis=1)
    alone = (member & (size == 1)).any(axis=1)
    largest = np.maximum(own, nearest)
    apart = np.divide(nearest - own, largest, out=np.zeros(len(labels)), where=(largest > 0) & ~alone)
    return float(apart.mean())
