"""One clustering of points: its fit, its stability over resamples, and what stands out in each cluster."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Points = NDArray[np.float64]
Labels = NDArray[np.intp]
Method = Literal["kmeans", "gaussian_mixture"]
Scale = Literal["log", "share"]
METHODS = ("kmeans", "gaussian_mixture")
STARTS = 2  # random starts of a resample, the best of which counts
REFERENCE_STARTS = 10  # of the clustering that resamples are compared with
MOST_FITTED = 50_000  # customers that one fit looks at; all are assigned
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


class Clustering(NamedTuple):
    """What one fit found.

    Attributes
    ----------
    labels : array, shape (customers,)
        Cluster of each, 0 the largest.
    estimator : KMeans or GaussianMixture
        Fitted.
    place : array, shape (clusters,)
        The estimator's number of a cluster to ours.
    """

    labels: Labels
    estimator: Any
    place: Labels

    def assign(self, others: Points) -> Labels:
        """Clusters of other customers."""
        return self.place[self.estimator.predict(others)]


def cluster(
    points: Points,
    clusters: int,
    method: Method,
    random: np.random.Generator,
    *,
    drawn: Labels | None = None,
    starts: int = STARTS,
) -> Clustering:
    """Fit to the points, or to those `drawn` from them, and assign all.

    Of more than 50,000 customers so many are drawn for the fit: centres are then off by less than a
    hundredth of the spread within a cluster.
    """
    if drawn is None and len(points) > MOST_FITTED:
        drawn = random.choice(len(points), MOST_FITTED, replace=False)
    fitted = _estimator(clusters, method, starts, int(random.integers(2**31)))
    with warnings.catch_warnings():
        # A resample of few customers may hold fewer different ones than clusters; stability tells.
        warnings.simplefilter("ignore", category=UserWarning)
        fitted.fit(points if drawn is None else points[drawn])
    vars(fitted).pop("labels_", None)  # of all who were fitted; nobody asks for them
    raw = fitted.predict(points)
    sizes = np.bincount(raw, minlength=clusters)
    if (
        not sizes.all()
    ):  # a component that is nobody's best: as many clusters as there are, so that none is empty
        return cluster(points, int((sizes > 0).sum()), method, random, drawn=drawn, starts=starts)
    place = np.empty(clusters, dtype=np.intp)
    place[np.argsort(-sizes, kind="stable")] = np.arange(clusters)
    return Clustering(place[raw], fitted, place)


def _estimator(clusters: int, method: Method, starts: int, seed: int) -> Any:
    if method == "kmeans":
        from sklearn.cluster import KMeans

        return KMeans(clusters, n_init=starts, random_state=seed)
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(clusters, n_init=max(starts // STARTS, 1), reg_covar=1e-4, random_state=seed)


class Stability(NamedTuple):
    """Agreement of clusterings of resampled customers with the original.

    Attributes
    ----------
    rand : array, shape (resamples,)
        Adjusted Rand index: 1 where the two agree on every customer, 0 as by chance.
    jaccard : array, shape (resamples, clusters)
        For each cluster, customers in it and in the most similar cluster of the resample, as a share of
        those in either: 1 where it came out again.
    """

    rand: NDArray[np.float64]
    jaccard: NDArray[np.float64]


def stability(
    points: Points, labels: Labels, method: Method, resamples: int, random: np.random.Generator
) -> Stability:
    """Cluster bootstrap resamples anew and compare what all customers are then called.

    Parameters
    ----------
    points : array, shape (customers, features)
    labels : array, shape (customers,)
        The clustering to judge, 0 to k - 1.
    method : {"kmeans", "gaussian_mixture"}
    resamples : int
    random : Generator

    Returns
    -------
    Stability

    Notes
    -----
    A resample draws as many customers as there are, at most 50,000, with replacement.

    References
    ----------
    Hennig, C. (2007), Cluster-wise assessment of cluster stability, Computational Statistics & Data
    Analysis 52(1), 258–271: below .5 a cluster is dissolved, from .75 on it is stable.
    Hubert, L. and Arabie, P. (1985), Comparing partitions, Journal of Classification 2, 193–218.
    """
    clusters, size = int(labels.max()) + 1, min(len(points), MOST_FITTED)
    rand, jaccard = [], []
    for _ in range(resamples):
        drawn = random.integers(len(points), size=size)
        again = cluster(points, clusters, method, random, drawn=drawn).labels
        shared = shared_customers(labels, again, clusters)
        rand.append(adjusted_rand(shared))
        jaccard.append(_jaccard(shared))
    return Stability(np.array(rand), np.array(jaccard).reshape(resamples, clusters))


def shared_customers(one: Labels, other: Labels, clusters: int) -> NDArray[np.int64]:
    """Customers in each cluster of the one (rows) and of the other (columns)."""
    return np.bincount(one * clusters + other, minlength=clusters**2).reshape(clusters, clusters)


def adjusted_rand(shared: NDArray[np.int64]) -> float:
    """Hubert and Arabie's index, from a table of counts.

    Examples
    --------
    >>> adjusted_rand(np.array([[2, 0], [0, 2]])), round(adjusted_rand(np.array([[1, 1], [1, 1]])), 3)
    (1.0, -0.5)
    """
    table = shared.astype(float)
    pairs, rows, columns = (
        (counts * (counts - 1) / 2).sum() for counts in (table, table.sum(axis=1), table.sum(axis=0))
    )
    total = table.sum() * (table.sum() - 1) / 2
    expected = rows * columns / total if total else 0.0
    most = (rows + columns) / 2
    return float((pairs - expected) / (most - expected)) if most > expected else 1.0


def _jaccard(shared: NDArray[np.int64]) -> NDArray[np.float64]:
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
    return (shared / np.maximum(either, 1)).max(axis=1)


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
