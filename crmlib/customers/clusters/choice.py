"""How many clusters, and are they separate groups? The measures, compared with data without groups, and the verdict.

Clusters cut from one smooth cloud can look as compact as real groups. The difference lies between them: halfway
between two groups there are fewer customers than around either centre. In a cloud with a single top there are not,
whether it is a bell, a box or a cloud with heavy tails, so that no shape has to be assumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib import format as fmt
from crmlib.customers.clusters.fits import REFERENCE_STARTS, Labels, Method, Points, cluster, stability
from crmlib.progress import steps

SIGNIFICANT = 0.01  # of the valley: over several numbers of clusters a false group's chance stays below .05
STABLE = 0.75  # Hennig's mean Jaccard from which a cluster is stable
NULL_RESAMPLES = 3  # per cloud; so few spread the null, which makes the test harder to pass
LEVEL = 0.95
COLUMNS = tuple(
    "clusters silhouette silhouette_null stability stability_null jaccard valley valley_p groups".split()
)
CUTS = "These clusters are cuts of one continuous distribution, not separate groups."
HALF_WINDOW = 1 / 6  # of the way between the centres: three windows and the room between them are alike
TUBE = 0.75  # share of the two clusters' customers within the tube through both centres


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

    - `points`: of shape (customers, features): scaled features; a sample is enough.
    - `numbers`: numbers of clusters to try.
    - `method`: {"kmeans", "gaussian_mixture"}.
    - `resamples`, `nulls`: resamples for stability; clouds without groups to compare with, 19 for a 95 % quantile.

    Returns: one row per number: `clusters`; `silhouette` and `silhouette_null`; `stability` (mean adjusted Rand index
    over resamples) and `stability_null`; `jaccard` (of the least stable cluster); `valley` and `valley_p` (`Valley`);
    `groups`, whether all of it speaks for groups. The nulls are 95 % quantiles over clouds of as many customers from
    one bell of the same covariance.
    """
    from sklearn import config_context

    with config_context(assume_finite=True, skip_parameter_validation=True):  # a third of a small fit's time
        found = [
            _judge(points, labels, method, resamples, random)
            for labels in (
                cluster(points, number, method, random, starts=REFERENCE_STARTS).labels for number in numbers
            )
        ]
        bells = (_bell(points, random) for _ in steps(range(nulls), "clouds without groups", nulls))
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
    from sklearn.metrics import euclidean_distances

    again = stability(points, labels, method, resamples, random)
    valley = shallowest_valley(points, labels, random)
    return {
        "silhouette": silhouette(euclidean_distances(points), labels),
        "stability": float(again.rand.mean()),
        "jaccard": float(again.jaccard.mean(axis=0).min()),
        "valley": valley.depth,
        "valley_p": valley.p_value,
    }


def _null_scores(
    bell: Points, numbers: Sequence[int], method: Method, random: np.random.Generator
) -> list[tuple[float, float]]:
    """Silhouette and stability of one cloud without groups, for each number of clusters."""
    from sklearn.metrics import euclidean_distances

    distances, scores = euclidean_distances(bell), []
    for number in numbers:
        labels = cluster(bell, number, method, random).labels
        again = stability(bell, labels, method, NULL_RESAMPLES, random)
        scores.append((silhouette(distances, labels), float(again.rand.mean())))
    return scores


def _bell(points: Points, random: np.random.Generator) -> Points:
    """As many customers from one bell of the same covariance."""
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(points, rowvar=False)))
    return random.standard_normal(points.shape) * np.sqrt(np.maximum(variances, 0.0)) @ axes.T


def silhouette(distances: Points, labels: Labels) -> float:
    """Mean silhouette (Rousseeuw 1987): from -1 to 1, high where clusters are compact and apart.

    From the distances between all pairs of customers, which serve every number of clusters: a multiple faster than
    anew for each.
    """
    from sklearn.metrics import silhouette_score

    if not 1 < len(np.unique(labels)) < len(labels):  # all alike, or everybody alone
        return 0.0
    return float(silhouette_score(distances, labels, metric="precomputed"))


def choose(choice: pd.DataFrame) -> pd.Series:
    """The row of the most clusters that hold as groups; where none do, of those that are cut most stably."""
    held = choice[choice["groups"]]
    return held.iloc[-1] if len(held) else choice.loc[choice["stability"].idxmax()]


def cluster_verdict(choice: pd.DataFrame) -> str:
    """What the figures of `judge_clusters` say of the clusters that were chosen."""
    row = choose(choice)
    clusters = fmt.count(row["clusters"])
    if row["groups"]:
        silhouette, stable = (f"{row[name]:.2f}" for name in ("silhouette", "stability"))
        null = f"{row['silhouette_null']:.2f} and {row['stability_null']:.2f}"
        return (
            f"{clusters} groups: halfway between any two neighbours the density is at most {row['valley']:.2f} of that "
            f"around the sparser centre; silhouette {silhouette} and stability {stable}, where data without groups "
            f"have up to {null}; each is found again (Jaccard {row['jaccard']:.2f} or more)."
        )
    first, last = choice["clusters"].min(), choice["clusters"].max()
    tried = f"{clusters} clusters" + (f", the most stable of {first} to {last}" if last > first else "")
    return f"{CUTS} Of {tried}: {'; '.join(_failed(row))}."


def _failed(row: pd.Series) -> list[str]:
    """What keeps the clusters from being groups."""
    reasons = {
        f"{_halfway(row['valley'])}, no valley beyond chance": row["valley_p"] > SIGNIFICANT,
        f"silhouette {row['silhouette']:.2f}, where data without groups have up to {row['silhouette_null']:.2f}": (
            row["silhouette"] < row["silhouette_null"]
        ),
        f"stability {row['stability']:.2f}, where data without groups have up to {row['stability_null']:.2f}": (
            row["stability"] < row["stability_null"]
        ),
        f"one of them is not found again (Jaccard {row['jaccard']:.2f})": row["jaccard"] < STABLE,
    }
    return [reason for reason, holds in reasons.items() if holds]


def _halfway(valley: float) -> str:
    """How many customers there are between two neighbouring clusters; nobody around a centre leaves no ratio."""
    if not math.isfinite(valley):
        return "around the sparser of two neighbouring centres there is no customer to compare with"
    return f"halfway between two neighbours the density is {valley:.2f} of that around the sparser centre"


class Valley(NamedTuple):
    """The shallowest valley among all pairs of neighbouring clusters.

    `depth`: customers halfway between two centres per customer around the emptier centre; 1 or more is no valley.
    `p_value`: chance of so few halfway, or fewer, where there is no valley.
    """

    depth: float
    p_value: float


def shallowest_valley(points: Points, labels: Labels, random: np.random.Generator) -> Valley:
    """The valley between those two neighbouring clusters that are least apart.

    `points`: of shape (customers, features): scaled features. `labels`: of shape (customers,): cluster of each, from
    0, none of them empty. `random`: to spread equal values.

    Customers are counted in three windows of equal size on the line through two centres: around either one and halfway.
    Under a density with convex level sets the count halfway is at least the smaller of the others, up to chance; a
    binomial test against each, the larger p-value, is therefore valid. The windows are slices of a tube, so that a
    third cluster beside the line does not fill the valley; distances are those within clusters (Mahalanobis), so that
    an elongated cluster keeps its shape. The question is that of Hartigan and Hartigan (1985), The dip test of
    unimodality, Annals of Statistics 13(1), 70–84, asked at one place, where k-means has cut.

    Neighbours have no third centre closer to both than they are to each other (Toussaint 1980, The relative
    neighbourhood graph of a finite planar set, Pattern Recognition 12, 261–268): between the ends of a row of groups
    lies another group, and no valley.
    """
    spread = np.column_stack([spread_ties(column, random) for column in points.T])
    centres = np.array([points[labels == cluster].mean(axis=0) for cluster in range(labels.max() + 1)])
    sphered = _within_clusters(points - centres[labels], points.var(axis=0).sum())
    spread, centres = spread @ sphered, centres @ sphered
    found = [
        _between(spread, np.isin(labels, (a, b)), centres[a], centres[b]) for a, b in neighbours(centres)
    ]
    return max(found, key=lambda valley: (valley.p_value, valley.depth))


def neighbours(centres: Points) -> list[tuple[int, int]]:
    """Pairs of centres with no third one between them; they hang together.

    Examples
    --------
    >>> neighbours(np.array([[0.0], [1.0], [2.5]]))
    [(0, 1), (1, 2)]
    """
    away = np.sqrt(((centres[:, None] - centres) ** 2).sum(axis=2))
    pairs = combinations(range(len(centres)), 2)
    return [(a, b) for a, b in pairs if not (np.maximum(away[a], away[b]) < away[a, b]).any()]


def spread_ties(values: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Move equal values apart, each up to halfway to the next other value: an atom of counts is no hill.

    Examples
    --------
    >>> spread_ties(np.array([0.0, 0.0, 5.0]), np.random.default_rng(0)).round(1)
    array([ 0.7, -1.2,  5. ])
    """
    levels, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(levels) < 2 or len(levels) == len(values):
        return values
    gaps = np.diff(levels) / 2
    below, above = np.concatenate([gaps[:1], gaps]), np.concatenate([gaps, gaps[-1:]])
    moved = levels[which] + random.uniform(-below[which], above[which])
    return np.where(counts[which] > 1, moved, values)


def _within_clusters(deviations: Points, variance: float) -> Points:
    """The matrix that makes the spread within clusters the same in all directions."""
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(deviations, rowvar=False)))
    # A direction without any spread within clusters is not stretched without end.
    return axes / np.sqrt(np.maximum(variances, 1e-9 * variance))


def _between(points: Points, of_both: NDArray[np.bool_], centre: Points, other: Points) -> Valley:
    line = other - centre
    length = np.sqrt(line @ line)
    if not length > 0:
        return Valley(np.inf, 1.0)
    away = points - centre
    along = away @ line / length**2
    beside = (away**2).sum(axis=1) - (along * length) ** 2
    along = along[beside <= np.quantile(beside[of_both], TUBE)]
    at_centre, halfway, at_other = (int(np.sum(np.abs(along - x) <= HALF_WINDOW)) for x in (0.0, 0.5, 1.0))
    from scipy.special import bdtr  # here, because only who clusters needs it

    chances = [float(bdtr(halfway, halfway + n, 0.5)) if n else 1.0 for n in (at_centre, at_other)]
    emptier = min(at_centre, at_other)
    return Valley(halfway / emptier if emptier else np.inf, max(chances))
