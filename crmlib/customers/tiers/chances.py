"""How sure is a customer's tier?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import fetch, seen_by, span
from crmlib.customers.profit.cost_to_serve import as_costs
from crmlib.customers.profit.customer_profit import customer_profit, profit_days
from crmlib.customers.sentences import certainty_of_tiers
from crmlib.customers.tiers.next_period import NextPeriod
from crmlib.customers.tiers.pyramid import BEST_FIRST, TIERS, TierCutOffs, as_cut_offs
from crmlib.customers.tiers.value_tiers import MINIMUM_EXPOSURE_DAYS, ValueTiers, value_tiers
from crmlib.errors import CannotAnswerError
from crmlib.findings import with_finding
from crmlib.no_rows import ResultFrame

FEWEST = 50  # active customers, below whom chance and real differences cannot be separated
_SEARCHED = 4000  # customers by whom the cut-offs of true values are found


class TierProbabilities(ResultFrame):
    """Chances per customer; `.ceiling`, `.expected_hits` and `.same_tier_for_all` say how well tiers can be known."""

    _metadata = ["ceiling", "expected_hits", "reliability"]  # noqa: RUF012

    ceiling: float = np.nan
    expected_hits: float = np.nan
    reliability: float = np.nan

    @property
    def by_tier(self) -> pd.DataFrame:
        """By measured tier, Platinum first: `tier`, `customers`, `right` (share expected) and the mean chances."""
        means = pd.DataFrame(self).groupby(self["tier"].astype(str))[list(BEST_FIRST)].mean()
        means = means.reindex(BEST_FIRST).rename_axis("tier")
        table = means.reset_index()
        table.insert(1, "customers", table["tier"].map(self["tier"].value_counts()).fillna(0).astype("int64"))
        table.insert(2, "right", np.diag(means))
        return table

    @property
    def same_tier_for_all(self) -> tuple[str, float]:
        """The largest true tier, and the share of customers who would be right if all were put in it."""
        shares = pd.DataFrame(self)[list(BEST_FIRST)].mean()
        return str(shares.idxmax()), float(shares.max())

    @property
    def sentence(self) -> str:
        """How many tiers are right, beside the best that can be done and beside one tier for everybody."""
        tier, alike = self.same_tier_for_all
        return (
            f"{fmt.share(self.expected_hits)} of tiers are expected to be right; if everybody were called {tier}, "
            f"{fmt.share(alike)} would be. The best possible method would reach {fmt.share(self.ceiling)}."
        )


def tier_probabilities(
    transactions: Any,
    *,
    start: Any,
    end: Any,
    cut_offs: TierCutOffs | Mapping[str, Any] | None = None,
    minimum_exposure_days: int = MINIMUM_EXPOSURE_DAYS,
    **known: Any,
) -> TierProbabilities:
    """How sure is each customer's tier, seeing that a period's profit is partly chance?

    Parameters
    ----------
    transactions, start, end, **known
        As for `customer_profit`: `margin, service_cases, touchpoints, costs`.
    cut_offs, minimum_exposure_days
        As for `value_tiers`, so that both count the same customers in a tier.

    Returns
    -------
    TierProbabilities
        One row per active customer: `customer_id`, `value`, `shrunk` (what another such period is expected to bring,
        if nothing about the customer changes), `tier` (of the measured value), `Platinum, Gold, Iron, Lead` (chance
        that this expected value is in that tier), `most_likely` (tier), and `again_Platinum, …, again_Lead`: chance
        of being measured in that tier in another period of the same length, by the same cut-offs in money. Where no
        cost is known, nobody can be Lead.

        `.ceiling`: expected share of customers whose tier is right if each is put where it is most likely, which no
        method can beat that sees these figures alone; `.expected_hits`: the same for the measured tiers; `.by_tier`
        and `.same_tier_for_all`: by tier, and if everybody were in the largest one.
        `.reliability`: share of the variance between customers that is not chance.

    Raises
    ------
    CannotAnswerError
        If there are too few active customers to tell chance from truth, or all have the same value.

    Notes
    -----
    Learned from all customers known by the end of the period, those without a purchase in it among them, see
    `next_period`: days of purchase come at random, at a rate of each customer's own. Customers who buy at regular
    intervals change less by chance than this says. True tiers are cut from the expected values by the same shares.
    """
    profit = customer_profit(transactions, start=start, end=end, **known)
    again = another_period(transactions, profit, start=start, end=end, **known)[1]
    return chances_of(profit, again, cut_offs, minimum_exposure_days)


def another_period(
    transactions: Any, profit: pd.DataFrame, *, start: Any, end: Any, **known: Any
) -> tuple[pd.Series, NextPeriod]:
    """Who was known without being active in a period, and what the active ones (first) and those would bring again."""
    first, last = span(start, end)
    log = seen_by(transactions, last)
    people = fetch(log.group_by("customer_id").agg(came=log.date.min()).order_by("customer_id"))
    active = people["customer_id"].isin(profit["customer_id"])
    people = people.set_index("customer_id")
    people = people.loc[[*profit["customer_id"], *people.index[~active.to_numpy()]]]
    days = profit_days(transactions, start=start, end=end, **known)
    place = pd.Series(np.arange(len(people)), index=people.index)
    days = days.assign(customer=place.loc[days["customer_id"]].to_numpy())
    length, day = (last - first).days + 1, people["came"].dt.normalize()
    entered = (day >= pd.Timestamp(first)).to_numpy()
    left = (pd.Timestamp(last) - day).dt.days.to_numpy() / length
    fixed = (as_costs(known.get("costs")).fixed_per_year or 0.0) if "profit" in profit else 0.0
    # Nothing is left to chance in an account's cost, and in how often the firm writes to a customer.
    contacts = np.bincount(days["customer"], days["money"] * days["steady"], len(people))
    steady = fixed * length / 365.25 - contacts
    days = days[~days["steady"]]
    asked = dict(exposure=np.where(entered, left, 1.0), entered=entered, steady=steady)
    return people.index[len(profit) :].to_series(), NextPeriod(len(people), days, **asked)


def chances_of(
    profit: pd.DataFrame,
    again: NextPeriod,
    cut_offs: TierCutOffs | Mapping[str, Any] | None = None,
    minimum_exposure_days: int = MINIMUM_EXPOSURE_DAYS,
) -> TierProbabilities:
    """What `tier_probabilities` says, of `customer_profit` and of another period of those customers and others.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> bought = random.poisson(random.gamma(0.5, 4.0, 2000))
    >>> days = pd.DataFrame({"customer": np.repeat(np.arange(2000), bought), "money": 10.0})
    >>> profit = pd.DataFrame({"customer_id": np.arange(2000), "revenue": 10.0 * bought})
    >>> found = chances_of(profit, NextPeriod(2000, days))
    >>> found.same_tier_for_all[0], found.nlargest(1, "value")["most_likely"].tolist()
    ('Iron', ['Platinum'])
    """
    cuts, column = as_cut_offs(cut_offs), "profit" if "profit" in profit else "revenue"
    values, has_costs = profit[column].to_numpy(dtype=float), column == "profit"
    if len(values) < FEWEST or np.ptp(values) == 0:
        people, different = len(values), fmt.plural(len(np.unique(values)), "different value")
        raise CannotAnswerError(
            f"{fmt.plural(people, 'active customer')} with {different}; {FEWEST} customers who differ are needed"
        )
    again = again.at(np.arange(len(values)))
    observed = value_tiers(profit, cut_offs=cuts, minimum_exposure_days=minimum_exposure_days)
    assert observed.cut_offs is not None
    some = again.at(np.arange(0, len(values), -(-len(values) // _SEARCHED)))
    true_cuts = _true_cut_offs(some, cuts, observed, values)
    table = TierProbabilities({"value": values, "shrunk": again.expected}, index=profit.index)
    for name, true, cut in (("", True, true_cuts), ("again_", False, observed.cut_offs)):
        edges = again.above([0.0, cut.gold, cut.platinum], true=true).T
        if not has_costs:
            edges[0] = 1.0
        chances = -np.diff([np.ones(len(values)), *edges, np.zeros(len(values))], axis=0)
        for tier, chance in zip(TIERS, np.clip(chances, 0.0, 1.0), strict=True):
            table[f"{name}{tier}"] = chance
    if "customer_id" in profit:
        table.insert(0, "customer_id", profit["customer_id"].to_numpy())
    table["tier"] = observed["tier"]
    chances = table[list(TIERS)].to_numpy()
    table["most_likely"] = pd.Categorical.from_codes(chances.argmax(axis=1), list(TIERS), ordered=True)
    assert np.allclose(chances.sum(axis=1), 1), "chances of the tiers do not add up to 1"
    table.ceiling = float(chances.max(axis=1).mean())
    table.expected_hits = float(chances[np.arange(len(table)), observed["tier"].cat.codes].mean())
    table.reliability = float(np.clip(1 - again.squares / len(values) / values.var(), 0.0, 1.0))
    return with_finding(table, lambda found: certainty_of_tiers(found.by_tier))


def _true_cut_offs(
    again: NextPeriod, cuts: TierCutOffs, observed: ValueTiers, values: np.ndarray
) -> TierCutOffs:
    """Cut-offs in money that give the true values, not the measured ones, the shares that are meant."""
    if cuts.by == "money":
        return cuts
    sizes = observed["tier"].value_counts(normalize=True)
    shares = np.array([cuts.platinum, cuts.platinum + cuts.gold])
    if cuts.by == "profit":
        shares = np.cumsum([sizes["Platinum"], sizes["Gold"]]) / max(1 - sizes["Lead"], 1e-9)
    largest = float(np.log(max(values.max(), 1.0))) + 3.0
    logs = np.linspace(largest - 16.0, largest, 100)
    reached = again.above([0.0, *np.exp(logs)], true=True).mean(axis=0)
    platinum, gold = (float(np.exp(np.interp(-share * reached[0], -reached[1:], logs))) for share in shares)
    return TierCutOffs(platinum, gold, by="money")
