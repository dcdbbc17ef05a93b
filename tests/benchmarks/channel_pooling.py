"""Groups of customers that share shapes and differ in a few traits: tried, and not in the library (see README.md).

Raw parameters of young groups cannot be pooled: in two months of purchases they can hardly be told apart. So the shape
parameters are common, and a group has its own mean rate, mean dropout and mean spend alone. A trait of a group is that
of all, plus what its channel adds, plus what its cohort adds; how far channels and cohorts differ is learned too. The
likelihood of each group is taken as normal around the maximum (Laplace), with its full covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from crmlib.models._histories import Histories, read_histories
from crmlib.models._inference import Array, LogLikelihood
from crmlib.models._special import expit
from crmlib.models.beta_geo import BetaGeoModel
from crmlib.models.gamma_gamma import GammaGammaModel, SpendData, read_spend
from crmlib.models.gamma_gamma import _LogLikelihood as SpendLikelihood

WIDE = 3.0  # standard deviation, in logs, of what is not learned from other groups: it hardly binds
# Standard deviations of a trait between channels, and between cohorts, in logs.
SPREADS = (0.01, 0.03, 0.08, 0.2, 0.45)
LIKELY_SPREAD = 0.25  # such a spread is half-normal with this scale before the data speak
STEPS, DIFFERENCE, NEAR = 60, 1e-4, 1e-7
RATE, DROPOUT = 0, 1


@dataclass(frozen=True)
class Family:
    """A model with common shapes and traits of its own for each group, from and to the model's log parameters."""

    shapes: int
    traits: int
    to_params: Callable[[Array], Array]
    slopes: Callable[[Array, Array], Array]  # place, gradient by log parameters -> gradient by place


def _purchase_params(z: Array) -> Array:
    """log r, log(a + b), log mean rate, logit mean dropout -> log of r, alpha, a, b."""
    r, size, rate, dropout = np.moveaxis(z, -1, 0)
    a, b = size - np.logaddexp(0, -dropout), size - np.logaddexp(0, dropout)
    return np.stack([r, r - rate, a, b], axis=-1)


def _purchase_slopes(z: Array, by: Array) -> Array:
    p = expit(z[3])
    return np.array([by[0] + by[1], by[2] + by[3], -by[1], by[2] * (1 - p) - by[3] * p])


def _spend_params(z: Array) -> Array:
    """log p, log(q - 1), log mean spend -> log of p, q, v."""
    p, less, spend = np.moveaxis(z, -1, 0)
    return np.stack([p, np.logaddexp(0, less), spend + less - p], axis=-1)


def _spend_slopes(z: Array, by: Array) -> Array:
    return np.array([by[0] - by[2], by[1] * expit(z[1]) + by[2], by[2]])


PURCHASES = Family(2, 2, _purchase_params, _purchase_slopes)
SPEND = Family(2, 1, _spend_params, _spend_slopes)


def purchase_place(model: BetaGeoModel) -> Array:
    """Where a fit to all customers is, as shapes and traits."""
    r, alpha, a, b = model._values()
    return np.log([r, a + b, r / alpha, a / b])


def spend_place(model: GammaGammaModel) -> Array:
    """The same of spend; a tail without a mean is taken as one that just has a mean."""
    p, q, v = model._values()
    less = max(q - 1, 0.05)
    return np.log([p, less, p * v / less])


def purchase_likelihood(known: Histories) -> LogLikelihood:
    """Of a group's purchases, by shapes and traits."""
    return _turned(PURCHASES, BetaGeoModel()._log_likelihood(known))


def spend_likelihood(read: SpendData) -> LogLikelihood:
    """Of what a group's repeat customers spend; flat where there is none."""
    used = (read.frequency > 0) & (read.monetary_value > 0)
    if not used.any():
        return lambda z: (0.0, np.zeros(len(z)))
    return _turned(SPEND, SpendLikelihood(read.frequency[used], read.monetary_value[used], read.weight[used]))


def _turned(family: Family, of: LogLikelihood) -> LogLikelihood:
    def turned(z: Array) -> tuple[float, Array]:
        value, by = of(family.to_params(z))
        return value, family.slopes(z, by)

    return turned


@dataclass(frozen=True)
class Pooled:
    """Draws of every group's log parameters, and how far the groups lean on the others.

    Attributes
    ----------
    place : array, shape (groups, shapes + traits)
        The most probable shapes and traits.
    draws : array, shape (draws, groups, shapes + traits)
    own : array, shape (groups, traits)
        Which share of what is known of a trait beyond the other groups is a group's own: 0 it leans on them.
    """

    family: Family
    place: Array
    draws: Array
    own: Array

    def params(self) -> Array:
        """Of each draw and group, the parameters of the model."""
        return np.exp(self.family.to_params(self.draws))

    def middle(self) -> Array:
        """Of each group, the parameters at the most probable place."""
        return np.exp(self.family.to_params(self.place))


def pool(
    family: Family,
    groups: Sequence[LogLikelihood],
    start: Array,
    channel: Array,
    draws: int,
    random: np.random.Generator,
) -> Pooled:
    """Learn the traits of groups, each leaning on its channel and that on all.

    Parameters
    ----------
    family : Family
    groups : sequence of callable
        The log-likelihood of each group and its gradient, by shapes and traits.
    start : array, shape (shapes + traits,)
        Where all customers taken as one are.
    channel : array of int, shape (groups,)
        Which channel each group belongs to.
    """
    levels = [channel[:, None] == channel]
    if len(np.unique(channel)) < len(channel):
        levels.append(np.eye(len(channel), dtype=bool))
    grid = np.array(list(product(SPREADS, repeat=family.traits * len(levels))))
    before = -((grid / LIKELY_SPREAD) ** 2).sum(axis=1) / 2 + np.log(grid).sum(
        axis=1
    )  # equal steps of log spread
    centre = np.concatenate([start[: family.shapes], np.tile(start[family.shapes :], len(groups))])
    spread, z = np.full(grid.shape[1], 0.3), centre.copy()
    for _ in range(2):
        z, information, pull = _mode(family, groups, z, centre, _prior(family, levels, spread))
        ends = [_laplace(information, pull, _prior(family, levels, one)) for one in grid]
        log_weight = before + np.array([end[0] for end in ends])
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        spread = np.exp(weight @ np.log(grid))
    chosen = np.bincount(random.choice(len(grid), draws, p=weight), minlength=len(grid))
    drawn = [
        ends[one][1] + np.linalg.solve(ends[one][2].T, random.standard_normal((len(z), chosen[one]))).T
        for one in np.flatnonzero(chosen)
    ]
    own = _own(family, information, _prior(family, levels, spread))
    every = centre + np.concatenate(drawn)[random.permutation(draws)]
    return Pooled(family, _by_group(family, z), _by_group(family, every), own)


def _prior(family: Family, levels: Sequence[Array], spread: Array) -> Array:
    """Precision of shapes and of the traits of all groups; those of one group stand together."""
    size = len(levels[0])
    precision = np.zeros((family.shapes + family.traits * size,) * 2)
    precision[range(family.shapes), range(family.shapes)] = WIDE**-2
    for trait, own in enumerate(spread.reshape(family.traits, -1)):
        covariance = WIDE**2 + sum(sd**2 * level for sd, level in zip(own, levels, strict=True))
        covariance = covariance + 1e-6 * np.eye(size)
        where = family.shapes + trait + family.traits * np.arange(size)
        precision[np.ix_(where, where)] = np.linalg.inv(covariance)
    return precision


def _by_group(family: Family, z: Array) -> Array:
    """Shapes and traits of each group."""
    shapes, traits = z[..., : family.shapes], z[..., family.shapes :]
    traits = traits.reshape(*z.shape[:-1], -1, family.traits)
    shapes = np.broadcast_to(shapes[..., None, :], (*traits.shape[:-1], family.shapes))
    return np.concatenate([shapes, traits], axis=-1)


def _mode(
    family: Family, groups: Sequence[LogLikelihood], z: Array, centre: Array, prior: Array
) -> tuple[Array, Array, Array]:
    """The most probable place; the information of the data there, and where they pull to from the centre."""

    def height(place: Array) -> float:
        away = place - centre
        each = _by_group(family, place)
        return float(
            sum(group(at)[0] for group, at in zip(groups, each, strict=True)) - away @ prior @ away / 2
        )

    now = height(z)
    for _ in range(STEPS):
        slope, information = _data(family, groups, z)
        step = np.linalg.solve(prior + information, slope - prior @ (z - centre))
        step /= max(1.0, float(np.abs(step).max()))
        for share in (1.0, 0.3, 0.1, 0.01):
            if (then := height(z + share * step)) > now:
                break
        else:
            break
        z, gain, now = z + share * step, then - now, then
        if gain < NEAR:
            break
    slope, information = _data(family, groups, z)
    return z, information, information @ (z - centre) + slope


def _data(family: Family, groups: Sequence[LogLikelihood], z: Array) -> tuple[Array, Array]:
    """Gradient and information of all groups: of shapes and of the traits of each."""
    slope, information = np.zeros(len(z)), np.zeros((len(z), len(z)))
    for at, (group, place) in enumerate(zip(groups, _by_group(family, z), strict=True)):
        first = family.shapes + family.traits * at
        where = np.r_[: family.shapes, first : first + family.traits]
        steps = DIFFERENCE * np.eye(len(place))
        rows = np.array([group(place - one)[1] - group(place + one)[1] for one in steps]) / (2 * DIFFERENCE)
        values, vectors = np.linalg.eigh((rows + rows.T) / 2)
        slope[where] += group(place)[1]
        information[np.ix_(where, where)] += (vectors * np.maximum(values, 0)) @ vectors.T
    return slope, information


def _laplace(information: Array, pull: Array, prior: Array) -> tuple[float, Array, Array]:
    """Log of how probable the data are under a prior, up to a constant; the mean; a root of the precision."""
    root = np.linalg.cholesky(prior + information)
    half = np.linalg.solve(root, pull)
    logdet = np.linalg.slogdet(prior)[1] - 2 * np.log(np.diag(root)).sum()
    return float(logdet + half @ half) / 2, np.asarray(np.linalg.solve(root.T, half)), np.asarray(root, float)


def _own(family: Family, information: Array, prior: Array) -> Array:
    """How much less uncertain a trait of a group is than if its own customers said nothing."""
    known = np.diag(np.linalg.inv(prior + information))
    size = (len(known) - family.shapes) // family.traits
    found = np.zeros((size, family.traits))
    for at in range(size):
        first = family.shapes + family.traits * at
        own = np.r_[first : first + family.traits]
        others = information.copy()
        others[own] = others[:, own] = 0
        found[at] = 1 - known[own] / np.diag(np.linalg.inv(prior + others))[own]
    return found


@dataclass(frozen=True)
class ChannelFit:
    """The group of each customer, and what is known of the traits of each group."""

    row: np.ndarray
    purchases: Pooled
    spend: Pooled


def fit_channels(customers: pd.DataFrame) -> ChannelFit:
    """Fit BG/NBD and Gamma-Gamma to channels that lean on each other."""
    known = customers.reset_index(drop=True)
    row, names = pd.factorize(known["channel"], sort=True)
    parts = [known[row == group] for group in range(len(names))]
    bought = [purchase_likelihood(read_histories(part, weighted=True)) for part in parts]
    spent = [spend_likelihood(read_spend(part)) for part in parts]
    options = np.arange(len(names)), 200, np.random.default_rng(0)
    purchases = pool(PURCHASES, bought, purchase_place(BetaGeoModel().fit(known)), *options)
    return ChannelFit(row, purchases, pool(SPEND, spent, spend_place(GammaGammaModel().fit(known)), *options))
