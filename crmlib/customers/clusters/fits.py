"""One clustering of points: by k-means or a mixture of bells, the largest cluster first."""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple

import numpy as np

from crmlib.customers.clusters.valleys import Labels, Points

Method = Literal["kmeans", "gaussian_mixture"]
METHODS = ("kmeans", "gaussian_mixture")
STARTS = 2  # random starts of a resample, the best of which counts
REFERENCE_STARTS = 10  # of the clustering that resamples are compared with
MOST_FITTED = 50_000  # customers that one fit looks at; all are assigned


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
