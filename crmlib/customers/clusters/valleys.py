"""Is there a valley between two clusters, or has one hill been cut in two?

Cutting one smooth cloud gives clusters as tidy as real groups do. What tells them apart is the ground
between: customers are rarer halfway between two groups than around either centre. In any cloud with a
single top they are not, be it a bell, a box or a cloud with heavy tails, so that no shape has to be assumed.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Labels = NDArray[np.intp]

HALF_WINDOW = 1 / 6  # of the way between the centres: three windows and the room between them are alike
TUBE = 0.75  # share of the two clusters' customers within the tube through both centres


class Valley(NamedTuple):
    """The shallowest valley among all pairs of neighbouring clusters.

    Attributes
    ----------
    depth : float
        Customers halfway between two centres per customer around the emptier centre; 1 or more is no valley.
    p_value : float
        Chance of so few halfway, or fewer, where there is no valley.
    """

    depth: float
    p_value: float


def shallowest_valley(points: Points, labels: Labels, random: np.random.Generator) -> Valley:
    """The valley between those two neighbouring clusters that are least apart.

    Parameters
    ----------
    points : array, shape (customers, features)
        Scaled features.
    labels : array, shape (customers,)
        Cluster of each, 0 to k - 1, none of them empty.
    random : Generator
        To spread equal values.

    Returns
    -------
    Valley

    Notes
    -----
    Customers are counted in three windows of equal size on the line through two centres: around either one
    and halfway. Under a density with convex level sets the count halfway is at least the smaller of the
    others, up to chance; a binomial test against each, the larger p-value, is therefore valid. The windows
    are slices of a tube, so that a third cluster beside the line does not fill the valley; distances are
    those within clusters (Mahalanobis), so that an elongated cluster keeps its shape. The question is that
    of Hartigan and Hartigan (1985), The dip test of unimodality, Annals of Statistics 13(1), 70–84, asked
    at one place, where k-means has cut.

    Neighbours have no third centre closer to both than they are to each other (Toussaint 1980, The relative
    neighbourhood graph of a finite planar set, Pattern Recognition 12, 261–268): between the ends of a row
    of groups lies another group, and no valley.
    """
    spread = np.column_stack([spread_ties(column, random) for column in points.T])
    centres = np.array([points[labels == one].mean(axis=0) for one in range(labels.max() + 1)])
    sphered = _within_clusters(points - centres[labels], points.var(axis=0).sum())
    spread, centres = spread @ sphered, centres @ sphered
    found = [
        _between(spread, (labels == a) | (labels == b), centres[a], centres[b])
        for a, b in neighbours(centres)
    ]
    return max(found, key=lambda one: (one.p_value, one.depth))


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


def _between(points: Points, of_both: NDArray[np.bool_], one: Points, other: Points) -> Valley:
    line = other - one
    length = np.sqrt(line @ line)
    if not length > 0:
        return Valley(np.inf, 1.0)
    away = points - one
    along = away @ line / length**2
    beside = (away**2).sum(axis=1) - (along * length) ** 2
    along = along[beside <= np.quantile(beside[of_both], TUBE)]
    at_one, halfway, at_other = (
        int((np.abs(along - place) <= HALF_WINDOW).sum()) for place in (0.0, 0.5, 1.0)
    )
    from scipy.special import bdtr  # here, because only who clusters needs it

    chances = [float(bdtr(halfway, halfway + count, 0.5)) if count else 1.0 for count in (at_one, at_other)]
    emptier = min(at_one, at_other)
    return Valley(halfway / emptier if emptier else np.inf, max(chances))
