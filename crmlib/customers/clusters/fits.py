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
    """The result of one fit.

    `labels`: of shape (customers,): cluster of each, 0 the largest. `estimator`: fitted. `place`: of shape (clusters,):
    the estimator's number of a cluster to ours.
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
        # A resample of few customers may hold fewer different ones than clusters; `stability` shows it.
        warnings.simplefilter("ignore", category=UserWarning)
        fitted.fit(points if drawn is None else points[drawn])
    vars(fitted).pop("labels_", None)  # one for each customer of the fit, and not needed
    raw = fitted.predict(points)
    sizes = np.bincount(raw, minlength=clusters)
    if not sizes.all():  # a component that is no customer's best: fewer clusters, so that none is empty
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

    `rand`: of shape (resamples,): adjusted Rand index: 1 where the two agree on every customer, 0 as by chance.
    `jaccard`: of shape (resamples, clusters): for each cluster, customers in it and in the most similar cluster of the
    resample, as a share of those in either: 1 where it came out again.
    """

    rand: NDArray[np.float64]
    jaccard: NDArray[np.float64]


def stability(
    points: Points, labels: Labels, method: Method, resamples: int, random: np.random.Generator
) -> Stability:
    """Cluster bootstrap resamples anew and compare what all customers are then called.

    `labels` is the clustering to judge, 0 to k - 1. A resample draws as many customers as there are, at most 50,000,
    with replacement.

    References
    ----------
    Hennig, C. (2007), Cluster-wise assessment of cluster stability, Computational Statistics & Data
    Analysis 52(1), 258–271: below .5 a cluster is dissolved, from .75 on it is stable.
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


def shared_customers(rows: Labels, columns: Labels, clusters: int) -> NDArray[np.int64]:
    """Customers in each cluster of one clustering and of another."""
    return np.bincount(rows * clusters + columns, minlength=clusters**2).reshape(clusters, clusters)


def adjusted_rand(shared: NDArray[np.int64]) -> float:
    """Hubert and Arabie's index, from a table of counts: twenty times as fast as from labels.

    Examples
    --------
    >>> adjusted_rand(np.array([[2, 0], [0, 2]])), round(adjusted_rand(np.array([[1, 1], [1, 1]])), 3)
    (1.0, -0.5)
    """
    table = shared.astype(float)
    pairs, rows, columns = ((n * (n - 1) / 2).sum() for n in (table, table.sum(axis=1), table.sum(axis=0)))
    total = table.sum() * (table.sum() - 1) / 2
    expected = rows * columns / total if total else 0.0
    most = (rows + columns) / 2
    return float((pairs - expected) / (most - expected)) if most > expected else 1.0


def _jaccard(shared: NDArray[np.int64]) -> NDArray[np.float64]:
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
    return (shared / np.maximum(either, 1)).max(axis=1)


def standing_of(points: Points, labels: Labels) -> Points:
    """How far each cluster's mean (rows) is from that of all, by feature, in standard deviations of all customers."""
    away = np.array([points[labels == cluster].mean(axis=0) for cluster in range(labels.max() + 1)])
    spread = points.std(axis=0)
    return np.divide(away - points.mean(axis=0), spread, out=np.zeros_like(away), where=spread > 1e-12)


def profile_of(features: pd.DataFrame, standing: Points, labels: Labels, names: list[str]) -> pd.DataFrame:
    """Each feature in each cluster: `cluster` (from 1, the largest), `name, customers, feature, mean, mean_of_all` and
    `standing`, as of `standing_of` on the scale of the clustering.
    """
    clusters, sizes = np.arange(len(names)), np.bincount(labels)
    rows = pd.DataFrame({"cluster": clusters + 1, "name": names, "customers": sizes})
    rows = rows.loc[np.repeat(clusters, features.shape[1])]
    means = np.concatenate([features[labels == cluster].mean().to_numpy() for cluster in clusters])
    rows = rows.assign(feature=np.tile(features.columns, len(names)), mean=means)
    rows["mean_of_all"] = np.tile(features.mean().to_numpy(), len(names))
    return rows.assign(standing=standing.ravel()).reset_index(drop=True)


def cluster_names(standing: Points, features: list[str], scale: Scale) -> list[str]:
    """What stands out in each cluster, as its name; clusters of the same name are numbered."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in (_name(row, features, scale) for row in standing):
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return numbered


def _name(standing: np.ndarray, features: list[str], scale: Scale) -> str:
    """The most unusual features of a cluster, the farthest from average first; of shares, only large ones."""
    size = standing if scale == "share" else np.abs(standing)
    order = [place for place in np.argsort(-size, kind="stable")[:MOST_WORDS] if size[place] >= STANDS_OUT]
    if scale == "share":
        return " and ".join(features[place] for place in order[:2]) or "a bit of everything"
    return ", ".join(_word(features[place], bool(standing[place] > 0)) for place in order) or "average"


def _word(feature: str, much: bool) -> str:
    plain = feature.replace("_", " ")
    return WORDS.get(feature, (f"low {plain}", f"high {plain}"))[much]
