"""Each customer's chance of each tier, and what noise alone does to tiers from one period to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.profit.noise import ProfitNoise, profit_noise
from crmlib.customers.sentences import certainty_of_tiers
from crmlib.customers.tiers.value_tiers import TIERS, TierCutOffs, value_tiers

_GROUP = 500  # customers, at least, whose mean others of their exposure are shrunk towards
_MOST_GROUPS = 4
_POINTS = 1500  # profits for which chances are worked out; in between they are interpolated


class TierProbabilities(pd.DataFrame):
    """Chances per customer; `.ceiling` and `.expected_hits` say how well tiers can be known at all."""

    _metadata = ["ceiling", "expected_hits", "reliability"]  # noqa: RUF012

    ceiling: float = np.nan
    expected_hits: float = np.nan
    reliability: float = np.nan

    @property
    def _constructor(self) -> Callable[..., TierProbabilities]:
        return TierProbabilities


def tier_probabilities(
    halves: pd.DataFrame, *, cut_offs: TierCutOffs | Mapping[str, Any] | None = None, has_costs: bool = True
) -> TierProbabilities:
    """How sure is each customer's tier, seeing that a period's profit is partly chance?

    Parameters
    ----------
    halves : DataFrame
        As `profit_halves` returns them: `customer_id`, `one`, `other`, `value` and `exposure_days`.
    cut_offs : TierCutOffs or mapping, optional
        As for `value_tiers`.
    has_costs : bool
        Whether a true profit can be below zero; if not, nobody is Lead.

    Returns
    -------
    TierProbabilities
        Indexed like `halves`: `customer_id`, `value`, `shrunk` (the expected true value: the observed one drawn
        towards customers who have been there for about as long), `tier` (of the observed value), `Platinum,
        Gold, Iron, Lead` (chance that the true value is in that tier), `most_likely` (tier), and
        `again_Platinum, …, again_Lead`: chance of being measured in that tier in another period of the
        same length, by the same cut-offs in money, if nothing about the customer changes.

        `.ceiling`: expected share of customers whose tier is right if each is put where it is most likely, which no
        method can beat that sees these figures alone; `.expected_hits`: the same for the observed tiers.
        `.reliability`: share of the variance between customers that is true.

    Raises
    ------
    CannotAnswerError
        If there are too few customers to tell noise from truth.

    Notes
    -----
    True tiers are cut from the true values' distribution by the same shares; cut-offs in money stay as they are.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> true = random.gamma(1.0, 50.0, 2000) - 10
    >>> halves = pd.DataFrame({name: true / 2 + random.normal(0, 10, 2000) for name in ("one", "other")})
    >>> halves = halves.assign(customer_id=range(2000), value=halves["one"] + halves["other"])
    >>> chances = tier_probabilities(halves)
    >>> chances.nlargest(1, "value")[["tier", "most_likely", "Lead"]].round(2).values.tolist()
    [['Platinum', 'Platinum', 0.0]]
    """
    cuts = cut_offs if isinstance(cut_offs, TierCutOffs) else TierCutOffs(**(cut_offs or {}))
    values = halves["value"].to_numpy(dtype=float)
    column = "profit" if has_costs else "revenue"
    observed = value_tiers(pd.DataFrame({column: values}, index=halves.index), cut_offs=cuts)
    groups = _groups(halves)
    noises = {group: profit_noise(halves[groups == group]) for group in np.unique(groups)}
    noises = noises or {0: profit_noise(halves)}  # of nobody, which it refuses
    sizes = {group: (groups == group).mean() for group in noises}
    true_cuts = _true_cut_offs(noises, sizes, cuts, has_costs)
    assert observed.cut_offs is not None
    found = np.empty((len(halves), 1 + 2 * len(TIERS)))
    for group, noise in noises.items():
        rows = groups == group
        found[rows] = _chances(values[rows], noise, true_cuts, observed.cut_offs, has_costs)
    names = ["shrunk", *TIERS, *(f"again_{tier}" for tier in TIERS)]
    table = TierProbabilities(found, columns=names, index=halves.index)
    table.insert(0, "value", values)
    if "customer_id" in halves:
        table.insert(0, "customer_id", halves["customer_id"].to_numpy())
    table["tier"] = observed["tier"]
    chances = table[list(TIERS)].to_numpy()
    table["most_likely"] = pd.Categorical.from_codes(chances.argmax(axis=1), list(TIERS), ordered=True)
    assert np.allclose(chances.sum(axis=1), 1), "chances of the tiers do not add up to 1"
    table.ceiling = float(chances.max(axis=1).mean())
    table.expected_hits = float(chances[np.arange(len(table)), observed["tier"].cat.codes].mean())
    table.reliability = float(sum(noise.reliability * sizes[group] for group, noise in noises.items()))
    means = table.groupby("tier", observed=True)[list(TIERS)].mean()[::-1]
    table.attrs["finding"] = certainty_of_tiers(pd.DataFrame(means))
    return table


def _groups(halves: pd.DataFrame) -> np.ndarray:
    """Customers who have been there for about as long, in groups that are large enough to learn from."""
    count = min(_MOST_GROUPS, len(halves) // _GROUP)
    if count < 2 or "exposure_days" not in halves:
        return np.zeros(len(halves), dtype=int)
    days = halves["exposure_days"].to_numpy(dtype=float)
    edges = np.unique(np.quantile(days, np.arange(1, count) / count))
    groups = np.searchsorted(edges, days, side="right")
    small = [group for group in np.unique(groups) if (groups == group).sum() < _GROUP]
    for group in small:  # equal exposures can leave a group thin: it joins the next one
        groups[groups == group] = group - 1 if group else 1
    return groups


def _true_cut_offs(
    noises: Mapping[int, ProfitNoise], sizes: Mapping[int, float], cuts: TierCutOffs, has_costs: bool
) -> TierCutOffs:
    """Cut-offs in money that give the true values, not the observed ones, the shares that are meant."""
    if cuts.by == "money":
        return cuts
    support = np.concatenate([noise.support for noise in noises.values()])
    mass = np.concatenate([noise.weights * sizes[group] for group, noise in noises.items()])
    order = np.argsort(-support)
    support, mass = support[order], mass[order]
    rest = support >= 0 if has_costs else np.ones(len(support), dtype=bool)
    weight = mass[rest] * (np.maximum(support[rest], 0) if cuts.by == "profit" else 1.0)
    if not weight.sum() > 0:  # nobody can be better than Iron
        return TierCutOffs(np.inf, np.inf, by="money")
    reached = np.cumsum(weight) / weight.sum()
    platinum, gold = (
        float(np.interp(share, reached, support[rest]))
        for share in (cuts.platinum, cuts.platinum + cuts.gold)
    )
    least = np.finfo(float).tiny
    return TierCutOffs(max(platinum, least), max(gold, least), by="money")


def _chances(
    values: np.ndarray, noise: ProfitNoise, true: TierCutOffs, observed: TierCutOffs, has_costs: bool
) -> np.ndarray:
    """Shrunk value, chance of each true tier, chance of each tier when measured again."""
    from scipy.special import ndtr

    lead = 0.0 if has_costs else -np.inf
    edges = np.array([lead, true.gold, true.platinum])
    # Within a step of the grid a true value may lie on either side of a cut-off.
    step = np.gradient(noise.support)
    below_true = np.clip((edges[:, None] - noise.support) / step + 0.5, 0, 1)
    deviation = np.sqrt(noise.variance(noise.support) + 1e-12 * noise.scale**2)
    edges = np.array([lead, observed.gold, observed.platinum])
    below_again = ndtr((edges[:, None] - noise.support) / deviation)
    points = np.unique(values)
    if len(points) > _POINTS:
        points = np.unique(np.quantile(values, np.linspace(0, 1, _POINTS)))
    posterior = noise.posterior(points)
    columns = [posterior @ noise.support]
    for below in (below_true, below_again):
        shares = np.vstack([below, np.ones_like(noise.support)])
        columns += list((posterior @ np.diff(shares, axis=0, prepend=0.0).T).T)
    scaled = np.arcsinh(values / noise.scale), np.arcsinh(points / noise.scale)
    return np.column_stack([np.interp(scaled[0], scaled[1], column) for column in columns])
