"""Clusters of similar customers, and a test whether they are separate groups."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from crmlib import format as fmt
from crmlib.arguments import check_choice
from crmlib.customers.clusters import fits
from crmlib.customers.clusters.choice import choose, cluster_verdict, judge_clusters
from crmlib.customers.clusters.fits import Labels, Method, Points, Scale
from crmlib.customers.sentences import clusters_described, clusters_judged
from crmlib.data.saved_model import SavedModel
from crmlib.errors import CannotAnswerError, CrmError, did_you_mean
from crmlib.findings import with_finding

DISSOLVED = 0.5  # Hennig's Jaccard below which a cluster has not come out again
SCALES = ("log", "share")
BOTH_SIDES = 0.05  # of the customers on the rarer side of zero, from which a column stays as it is
ID = "customer_id"


class ClustersNotFitted(CrmError, NotFittedError):
    """Clusters were asked for before any were fitted."""


class ClusterSegments(SavedModel, ClusterMixin, BaseEstimator):
    """Customers who are alike, and whether they are groups or only cuts through one cloud.

    Parameters
    ----------
    n_clusters : int, optional
        By default the most that hold as groups; where none do, those that are cut most stably.
    method : {"kmeans", "gaussian_mixture"}
        A mixture of bells allows clusters of different size and shape, and takes longer.
    scale : {"log", "share"}
        "log" for amounts, counts and times (signed logarithm, then equal variance); "share" for shares of
        a whole, such as of `category_shares` (square roots).
    most : int
        Largest number of clusters to try.
    resamples : int
        Bootstrap resamples for stability.
    nulls : int
        Clouds without groups to compare with; 19 for a 95 % quantile.
    sample : int
        Customers by whom the number of clusters is judged, drawn at random where there are more. All are
        assigned.
    random_state : int

    Attributes
    ----------
    n_clusters_ : int
    labels_ : array, shape (customers,)
        Cluster of each customer, 0 the largest.
    names_ : list of str
        What stands out in each cluster.
    groups_ : bool
        Whether the clusters are groups.
    sentence_ : str
        The same in words, with the figures.
    choice_ : DataFrame
        One row per number of clusters that was tried: see `judge_clusters`.
    stability_ : DataFrame
        One row per cluster: `cluster, name, customers`, `jaccard` (mean over resamples of all customers) and
        `dissolved` (share of the resamples in which it was below .5).
    rand_ : float
        Mean adjusted Rand index of the resamples with the clustering.
    profile_ : DataFrame
        One row per cluster and feature: `cluster, name, customers, feature, mean, mean_of_all` and `standing`,
        the distance of the two in standard deviations on the scale of the clustering.
    feature_names_in_ : list of str

    Raises
    ------
    CrmError
        By `fit`: if a parameter or the data are refused.
    CannotAnswerError
        If all customers are equal, or there are fewer different ones than clusters.

    Notes
    -----
    Groups have to pass all of it: between every two neighbours a valley, with fewer customers halfway than
    around either centre; silhouette and stability at least as high as in 95 % of clouds of the same size
    and covariance that have no groups; and each cluster found again in resamples (Jaccard .75 or more). A
    stable clustering alone proves nothing: one elongated bell is cut in the same place every time. A value that
    many customers share, such as a count of 0, is no group by itself; whom it sets apart is known before.

    References
    ----------
    Hennig, C. (2007), Cluster-wise assessment of cluster stability, Computational Statistics & Data
    Analysis 52(1), 258–271. Dolnicar, S. and Leisch, F. (2010), Evaluation of structure and reproducibility
    of cluster solutions using the bootstrap, Marketing Letters 21, 83–101.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> spend = np.concatenate([random.normal(10, 1, 60), random.normal(100, 8, 40)])
    >>> found = ClusterSegments(most=3).fit(pd.DataFrame({"spend": spend, "visits": random.normal(20, 2, 100)}))
    >>> found.n_clusters_, found.groups_, found.names_
    (2, True, ['low spend', 'high spend'])
    """

    of_the_fit = ("labels_",)

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        method: Method = "kmeans",
        scale: Scale = "log",
        most: int = 6,
        resamples: int = 20,
        nulls: int = 19,
        sample: int = 1000,
        random_state: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.method = method
        self.scale = scale
        self.most = most
        self.resamples = resamples
        self.nulls = nulls
        self.sample = sample
        self.random_state = random_state

    def fit(self, data: pd.DataFrame | np.ndarray, y: None = None) -> Self:
        """Cluster customers.

        Parameters
        ----------
        data : DataFrame or array
            One row per customer; all columns but `customer_id` are features, numbers without gaps.

        Returns
        -------
        ClusterSegments
            Itself.
        """
        self._check()
        features = self._features(data)
        different = check_different(features, self.n_clusters)
        random = np.random.default_rng(self.random_state)
        self.feature_names_in_ = list(features.columns)
        self._scaling = scaling(features, self.scale)
        points = self._scaling.transform(features.to_numpy())
        self.choice_ = with_finding(self._judge(points, different, random), clusters_judged)
        row = choose(self.choice_)
        self.groups_, self.sentence_ = bool(row["groups"]), cluster_verdict(self.choice_)
        found = fits.cluster(points, int(row["clusters"]), self.method, random, starts=fits.REFERENCE_STARTS)
        self.labels_ = found.labels
        self._clustering = found._replace(labels=found.labels[:0])  # prediction needs no customer of the fit
        self.n_clusters_ = int(self.labels_.max()) + 1
        standing = fits.standing_of(points, self.labels_)
        self.names_ = fits.cluster_names(standing, self.feature_names_in_, self.scale)
        profile = fits.profile_of(features, standing, self.labels_, self.names_)
        self.profile_ = with_finding(profile, clusters_described)
        again = fits.stability(points, self.labels_, self.method, self.resamples, random)
        self.rand_, self.stability_ = float(again.rand.mean()), self._found_again(again)
        return self

    def predict(self, data: pd.DataFrame | np.ndarray) -> Labels:
        """Cluster of each customer, 0 the largest; customers that were not fitted among them."""
        if not hasattr(self, "_clustering"):
            raise ClustersNotFitted("the clusters are not fitted yet; call fit first")
        features = self._features(data, self.feature_names_in_)
        return self._clustering.assign(self._scaling.transform(features.to_numpy()))

    def assign(self, data: pd.DataFrame | np.ndarray) -> pd.DataFrame:
        """Name the cluster of each customer, new ones too.

        Parameters
        ----------
        data : DataFrame
            The features that were fitted, and `customer_id` if there is one.

        Returns
        -------
        DataFrame
            One row per customer, under the same index: `customer_id` and `cluster` (categorical, the largest
            first).
        """
        labels = self.predict(data)
        known = as_frame(data)
        found = known[[name for name in known.columns if name == ID]].copy()
        found["cluster"] = pd.Categorical.from_codes(labels, categories=self.names_)
        assert len(found) == len(data), "a customer was lost"
        return found

    def _check(self) -> None:
        for name, allowed in (("method", fits.METHODS), ("scale", SCALES)):
            check_choice(name, getattr(self, name), allowed)
        lowest = {"most": 2, "resamples": 1, "nulls": 1, "sample": 20}
        if self.n_clusters is not None:
            lowest["n_clusters"] = 2
        for name, least in lowest.items():
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < least:
                raise CrmError(f"{name} is {value!r}; allowed: a whole number from {least}")

    def _features(self, data: pd.DataFrame | np.ndarray, columns: list[str] | None = None) -> pd.DataFrame:
        features = features_of(as_frame(data), columns)
        if self.scale == "share":
            check_shares(features)
        return features

    def _judge(self, points: Points, different: int, random: np.random.Generator) -> pd.DataFrame:
        """What speaks for each number of clusters, by a sample of the customers."""
        numbers = range(2, min(self.most, different) + 1) if self.n_clusters is None else [self.n_clusters]
        if len(points) > self.sample:
            points = points[random.choice(len(points), self.sample, replace=False)]
        counts = {"resamples": self.resamples, "nulls": self.nulls}
        return judge_clusters(points, list(numbers), method=self.method, **counts, random=random)

    def _found_again(self, again: fits.Stability) -> pd.DataFrame:
        sizes = np.bincount(self.labels_, minlength=self.n_clusters_)
        numbers = range(1, self.n_clusters_ + 1)
        table = pd.DataFrame({"cluster": numbers, "name": self.names_, "customers": sizes})
        dissolved = (again.jaccard < DISSOLVED).mean(axis=0)
        return table.assign(jaccard=again.jaccard.mean(axis=0), dissolved=dissolved)


def as_frame(data: pd.DataFrame | np.ndarray) -> pd.DataFrame:
    """One row per customer, columns named by text; those of an array as scikit-learn names them, x0, x1, …"""
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return pd.DataFrame(data, columns=[f"x{place}" for place in range(data.shape[1])])
    if not isinstance(data, pd.DataFrame):
        raise CrmError(f"data is a {type(data).__name__}; give a frame with one row per customer")
    named = pd.DataFrame(data).rename(columns=str)
    if not named.columns.is_unique:
        raise CrmError(f"data has two columns {named.columns[named.columns.duplicated()][0]!r}; drop one")
    return named


def features_of(data: pd.DataFrame, columns: list[str] | None = None) -> pd.DataFrame:
    """The columns to cluster by, checked: those named, else all but `customer_id`."""
    wanted = [name for name in data.columns if name != ID] if columns is None else columns
    for name in wanted:
        if name not in data.columns:
            raise CrmError(f"data has no column {name!r}; {did_you_mean(name, data.columns)}")
        if not pd.api.types.is_numeric_dtype(data[name]):
            raise CrmError(f"column {name!r} is {data[name].dtype}, not a number; leave it out")
    if not wanted:
        raise CrmError("data has no column to cluster by beside customer_id; add numbers such as frequency")
    features = data[wanted].astype(float)
    gaps = (~np.isfinite(features)).sum()
    if gaps.any():
        raise CrmError(
            f"column {gaps.idxmax()!r} is missing or infinite for {gaps.max():,} of {len(features):,} customers"
        )
    return features


def check_shares(features: pd.DataFrame) -> None:
    """Refuse shares below 0."""
    if features.to_numpy().min(initial=0.0) < 0:
        raise CrmError('data has a share below 0; give shares from 0 to 1, or scale="log" for amounts')


def check_different(features: pd.DataFrame, clusters: int | None) -> int:
    """How many customers differ, or a refusal of what cannot be divided."""
    if len(features) < 2:
        raise CannotAnswerError(f"clusters need at least 2 customers; here are {fmt.count(len(features))}")
    different = len(features.drop_duplicates())
    if different < 2:
        names = ", ".join(features.columns)
        raise CannotAnswerError(
            f"all {len(features):,} customers are equal in {names}; there is nothing to cluster by"
        )
    if clusters is not None and different < clusters:
        raise CannotAnswerError(
            f"n_clusters is {clusters} and {different} customers differ; ask for {different} clusters at most"
        )
    return different


def scaling(features: pd.DataFrame, scale: Scale) -> Any:
    """A scikit-learn pipeline, fitted, that takes features to points.

    "log": sign(x) log(1 + |x|), then mean 0 and variance 1. A column with more than 5 % of the customers on
    either side of zero is not logged: a logarithm would tear a hole at zero, and find two groups there.
    "share": square roots, so that distances are Hellinger's and small shares are not drowned by large ones.
    """
    values = features.to_numpy()
    if scale == "share":
        return make_pipeline(FunctionTransformer(np.sqrt), StandardScaler(with_std=False)).fit(values)
    rarer = np.minimum((values < 0).mean(axis=0), (values > 0).mean(axis=0))
    logged = FunctionTransformer(signed_log, kw_args={"logged": rarer <= BOTH_SIDES})
    return make_pipeline(logged, StandardScaler()).fit(values)


def signed_log(values: np.ndarray, logged: np.ndarray) -> np.ndarray:
    """sign(x) log(1 + |x|) in the columns that are to be logged."""
    return np.where(logged, np.sign(values) * np.log1p(np.abs(values)), values)
