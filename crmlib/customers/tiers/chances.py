"""How sure is a customer's tier, and how much of the movement between two periods is chance?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.audit.months import comparable_months, last_months
from crmlib.customers.profit.customer_profit import customer_profit
from crmlib.customers.profit.spread import ProfitNoise, profit_halves, profit_noise
from crmlib.customers.sentences import certainty_of_tiers, moves_of_tiers, stayed_beside_chance
from crmlib.customers.tiers.pyramid import BEST_FIRST, TIERS, TierCutOffs, as_cut_offs
from crmlib.customers.tiers.value_tiers import MINIMUM_EXPOSURE_DAYS, ValueTiers, value_tiers
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import ResultFrame

_GROUP = 500  # customers, at least, whose mean others of their exposure are shrunk towards
_MOST_GROUPS = 4
_POINTS = 1500  # profits for which chances are worked out; in between they are interpolated
GONE, NEW = "not active", "new"
Period = tuple[dt.date, dt.date]


class TierProbabilities(ResultFrame):
    """Chances per customer; `.ceiling` and `.expected_hits` say how well tiers can be known."""

    _metadata = ["ceiling", "expected_hits", "reliability"]  # noqa: RUF012

    ceiling: float = np.nan
    expected_hits: float = np.nan
    reliability: float = np.nan


def tier_probabilities(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    cut_offs: TierCutOffs | Mapping[str, Any] | None = None,
    **known: Any,
) -> TierProbabilities:
    """How sure is each customer's tier, seeing that a period's profit is partly chance?

    Parameters
    ----------
    transactions, start, end, **known
        As for `customer_profit`: `margin, service_cases, touchpoints, costs`.
    cut_offs : TierCutOffs or mapping, optional
        As for `value_tiers`.

    Returns
    -------
    TierProbabilities
        By customer: `customer_id`, `value`, `shrunk` (the expected true value: the observed one drawn towards
        customers who have been there for about as long), `tier` (of the observed value), `Platinum, Gold, Iron,
        Lead` (chance that the true value is in that tier), `most_likely` (tier), and `again_Platinum, …,
        again_Lead`: chance of being measured in that tier in another period of the same length, by the same cut-offs
        in money, if nothing about the customer changes. Where no cost is known, nobody can be Lead.

        `.ceiling`: expected share of customers whose tier is right if each is put where it is most likely, which no
        method can beat that sees these figures alone; `.expected_hits`: the same for the observed tiers.
        `.reliability`: share of the variance between customers that is true.

    Raises
    ------
    CannotAnswerError
        If the period has fewer than 8 weeks, or there are too few customers to tell chance from truth.

    Notes
    -----
    The weeks of the period are dealt out to two halves, see `profit_halves`; the halves differ by chance alone. True
    tiers are cut from the true values' distribution by the same shares; cut-offs in money stay as they are.
    """
    return chances_of(profit_halves(transactions, start=start, end=end, **known), cut_offs)


def chances_of(
    halves: pd.DataFrame, cut_offs: TierCutOffs | Mapping[str, Any] | None = None
) -> TierProbabilities:
    """What `tier_probabilities` says, of halves as `profit_halves` returns them.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> true = random.gamma(1.0, 50.0, 2000) - 10
    >>> halves = pd.DataFrame({name: true / 2 + random.normal(0, 10, 2000) for name in ("one", "other")})
    >>> halves = halves.assign(customer_id=range(2000), value=halves["one"] + halves["other"])
    >>> chances_of(halves).nlargest(1, "value")[["tier", "most_likely", "Lead"]].round(2).values.tolist()
    [['Platinum', 'Platinum', 0.0]]
    """
    cuts, column = as_cut_offs(cut_offs), halves.attrs.get("value", "profit")
    values, has_costs = halves["value"].to_numpy(dtype=float), column == "profit"
    observed = value_tiers(pd.Series(values, halves.index, name=column), cut_offs=cuts)
    groups = _groups(halves)
    noises = {group: profit_noise(halves[groups == group]) for group in np.unique(groups)}
    noises = noises or {0: profit_noise(halves)}  # of no customer, which it refuses
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
    if not weight.sum() > 0:  # no customer is better than Iron
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


@dataclass(frozen=True)
class TierMigration:
    """Tiers of the same customers in two periods of one length, by the cut-offs of the first.

    Attributes
    ----------
    before : ValueTiers
        Those of the first period.
    first, second : pair of date
        First and last day of each period.
    matrix : DataFrame
        Customers by tier before (rows, Platinum first, and "new") and after (columns, and "not active").
    stayed : DataFrame
        `tier`, `customers`, `stayed` (share still in it; who is not active has a value of 0 and so is Iron),
        `by_chance` (share that would still be measured in it, if no customer had changed) and `noise_share`: how much
        of the moving out chance explains, at most 1.
    to_the_mean : DataFrame
        `tier`, `customers`, and per customer the value `before`, `expected` (if no customer had changed, without the
        good and bad luck of the first period) and `after`; who is not active brings 0.
    sentence : str
        Which periods are compared, and how many months were asked for.
    """

    before: ValueTiers
    first: Period
    second: Period
    matrix: pd.DataFrame
    stayed: pd.DataFrame
    to_the_mean: pd.DataFrame
    sentence: str


def tier_migration(
    transactions: Any,
    *,
    as_of: Any,
    months: int,
    cut_offs: TierCutOffs | Mapping[str, Any] | None = None,
    minimum_exposure_days: int = MINIMUM_EXPOSURE_DAYS,
    **known: Any,
) -> TierMigration:
    """Do the best stay the best, and how much of the coming and going is only chance?

    Parameters
    ----------
    transactions, **known
        As for `customer_profit`: `margin, service_cases, touchpoints, costs`.
    as_of : date or str
        Last day that counts; the second period ends with the last month that is complete by then.
    months : int
        Complete months in each of the two periods; where the log is too short for so many, as many as fit.
    cut_offs, minimum_exposure_days
        As for `value_tiers`. The cut-offs of the first period, in money, measure the second one too, so that a decline
        of everybody is seen.

    Returns
    -------
    TierMigration

    Raises
    ------
    CannotAnswerError
        If the log does not cover two complete months, or as in `tier_probabilities`.

    Notes
    -----
    A tier's customers were chosen for a good period; part of it was luck, which does not return. What chance alone
    would do is worked out from the spread of two halves of the first period.
    """
    length = comparable_months(transactions, as_of=as_of, months=months)
    first, second = (last_months(length, as_of=as_of, back=back) for back in (1, 0))
    earlier, later = (
        customer_profit(transactions, start=start, end=end, **known) for start, end in (first, second)
    )
    before = value_tiers(earlier, cut_offs=cut_offs, minimum_exposure_days=minimum_exposure_days)
    after = value_tiers(later, cut_offs=before.cut_offs, minimum_exposure_days=minimum_exposure_days)
    chances = tier_probabilities(transactions, start=first[0], end=first[1], cut_offs=cut_offs, **known)
    sentence = f"Compared: {length} complete months each, requested: at most {months}."
    means = regression_to_the_mean(chances, after, value=str(before.value))
    return TierMigration(before, first, second, *moves_between(before, after, chances), means, sentence)


def moves_between(
    before: pd.DataFrame, after: pd.DataFrame, chances: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`matrix` and `stayed` of `TierMigration`, from `customer_id` and `tier` of two periods.

    Examples
    --------
    >>> before = pd.DataFrame({"customer_id": ["a", "b"], "tier": ["Gold", "Iron"]})
    >>> after = pd.DataFrame({"customer_id": ["a", "c"], "tier": ["Iron", "Gold"]})
    >>> moves_between(before, after)[0].loc[["Gold", "Iron", "new"], ["Gold", "Iron", "not active"]]
    after   Gold  Iron  not active
    before
    Gold       0     1           0
    Iron       0     0           1
    new        1     0           0
    """
    was, now = (_tiers_of(frame, name) for frame, name in ((before, "before"), (after, "after")))
    both = pd.DataFrame({"before": was, "after": now}).astype(object)
    counts = pd.crosstab(both["before"].fillna(NEW), both["after"].fillna(GONE))
    matrix = counts.reindex(index=[*BEST_FIRST, NEW], columns=[*BEST_FIRST, GONE], fill_value=0)
    assert matrix.to_numpy().sum() == len(both), "a customer was lost between periods"
    rows = matrix.loc[BEST_FIRST].sum(axis=1)
    same = pd.Series({tier: matrix.loc[tier, tier] for tier in BEST_FIRST}, dtype=float)
    same["Iron"] += matrix.loc["Iron", GONE]
    same /= rows.where(rows > 0)
    stayed = pd.DataFrame({"tier": BEST_FIRST, "customers": rows.to_numpy(), "stayed": same.to_numpy()})
    if chances is not None:
        stayed["by_chance"] = _by_chance(was, chances)
        moved = 1 - stayed["stayed"]
        share = (1 - stayed["by_chance"]) / moved.where(moved > 0)
        stayed["noise_share"] = share.clip(upper=1.0)
        with_finding(stayed, stayed_beside_chance)
    return with_finding(matrix, moves_of_tiers), stayed


def regression_to_the_mean(chances: pd.DataFrame, after: pd.DataFrame, *, value: str) -> pd.DataFrame:
    """`to_the_mean` of `TierMigration`: how far each tier falls or rises towards the mean of all customers."""
    later = chances["customer_id"].map(_indexed(after, "after")[value]).fillna(0.0)
    grouped = pd.DataFrame(chances).assign(after=later).groupby(chances["tier"].astype(str))
    means = grouped[["value", "shrunk", "after"]].mean().set_axis(["before", "expected", "after"], axis=1)
    means.insert(0, "customers", grouped.size())
    table = means.reindex(BEST_FIRST).rename_axis("tier").reset_index()
    return table.assign(customers=table["customers"].fillna(0).astype("int64"))


def _by_chance(was: pd.Series, chances: pd.DataFrame) -> list[float]:
    if set(chances["customer_id"]) != set(was.index):
        raise CrmError("chances are of other customers than before; make both from the same period")
    again = _indexed(chances, "chances").loc[was.index]
    return [float(again.loc[was == tier, f"again_{tier}"].mean()) for tier in BEST_FIRST]


def _tiers_of(frame: pd.DataFrame, name: str) -> pd.Series:
    return _indexed(frame, name)["tier"].astype(str)


def _indexed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    if "customer_id" not in frame or not frame["customer_id"].is_unique:
        raise CrmError(f"{name} needs a customer_id per row, each once; pass what value_tiers returns")
    return pd.DataFrame(frame).set_index("customer_id")
