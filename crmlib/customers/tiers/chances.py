"""How sure is a customer's tier, and how much of the movement between two periods is chance?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import fetch, seen_by, span
from crmlib.customers.audit.months import comparable_months, last_months
from crmlib.customers.profit.cost_to_serve import as_costs
from crmlib.customers.profit.customer_profit import customer_profit, profit_days
from crmlib.customers.sentences import (
    certainty_of_tiers,
    moves_of_tiers,
    stayed_beside_chance,
    total_without_change,
)
from crmlib.customers.tiers.next_period import NextPeriod
from crmlib.customers.tiers.pyramid import BEST_FIRST, CALLED, TIERS, TierCutOffs, as_cut_offs
from crmlib.customers.tiers.value_tiers import MINIMUM_EXPOSURE_DAYS, ValueTiers, value_tiers
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import ResultFrame
from crmlib.statistics import normal_quantile

FEWEST = 50  # active customers, below whom chance and real differences cannot be separated
_WIDER = 1.2  # the share by chance is itself estimated: measured on made-up customers who never change
_SEARCHED = 4000  # customers by whom the cut-offs of true values are found
GONE, NEW = "not active", "new"
Period = tuple[dt.date, dt.date]


class TierProbabilities(ResultFrame):
    """Chances per customer; `.ceiling`, `.expected_hits` and `.same_tier_for_all` say how well tiers can be known."""

    _metadata = ["ceiling", "expected_hits", "reliability"]  # noqa: RUF012

    ceiling: float = np.nan
    expected_hits: float = np.nan
    reliability: float = np.nan

    @property
    def by_tier(self) -> pd.DataFrame:
        """By measured tier, Platinum first: `tier`, `customers`, `right` (share expected) and the mean chances."""
        means = (
            pd.DataFrame(self).groupby(self["tier"].astype(str))[list(BEST_FIRST)].mean().reindex(BEST_FIRST)
        )
        table = means.rename_axis("tier").reset_index()
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
    return chances_of(
        profit, another_period(transactions, profit, start=start, end=end, **known)[1], cut_offs
    )


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
    steady = fixed * length / 365.25 - np.bincount(
        days["customer"], days["money"] * days["steady"], len(people)
    )
    days = days[~days["steady"]]
    asked = dict(exposure=np.where(entered, left, 1.0), entered=entered, steady=steady)
    return people.index[len(profit) :].to_series(), NextPeriod(len(people), days, **asked)


def chances_of(
    profit: pd.DataFrame, again: NextPeriod, cut_offs: TierCutOffs | Mapping[str, Any] | None = None
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
        different = fmt.plural(len(np.unique(values)), "different value")
        people, different = len(values), fmt.plural(len(np.unique(values)), "different value")
        raise CannotAnswerError(
            f"{fmt.plural(people, 'active customer')} with {different}; {FEWEST} customers who differ are needed to "
            "separate chance from real differences"
        )
    again = again.at(np.arange(len(values)))
    observed = value_tiers(pd.Series(values, profit.index, name=column), cut_offs=cuts)
    assert observed.cut_offs is not None
    true_cuts = _true_cut_offs(
        again.at(np.arange(0, len(values), -(-len(values) // _SEARCHED))), cuts, observed, values
    )
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
        shares = np.array([sizes["Platinum"], sizes["Platinum"] + sizes["Gold"]]) / max(
            1 - sizes["Lead"], 1e-9
        )
    largest = float(np.log(max(values.max(), 1.0))) + 3.0
    logs = np.linspace(largest - 16.0, largest, 100)
    reached = again.above([0.0, *np.exp(logs)], true=True).mean(axis=0)
    platinum, gold = (float(np.exp(np.interp(-share * reached[0], -reached[1:], logs))) for share in shares)
    return TierCutOffs(platinum, gold, by="money")


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
        Customers by tier before (rows, Platinum first, then "not active": known before without a value in the first
        period, and "new") and after (columns, and "not active").
    stayed : DataFrame
        `tier`, `customers`, `stayed` (share still in it; who is not active has a value of 0 and so is Iron),
        `by_chance` (share that would still be measured in it, if no customer had changed), `low` and `high` (95 %
        interval of the difference between the two) and `noise_share`: how much of the moving out chance explains, at
        most 1.
    to_the_mean : DataFrame
        `tier` (the last: "not active"), `customers`, and per customer the value `before`, `expected` (if no customer
        had changed, without the good and bad luck of the first period) and `after`; who is not active brings 0.
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
    A tier's customers were chosen for a good period; part of it was luck, which does not return. Customers who were
    known and did not buy had bad luck in part: some buy again without any change. See `tier_probabilities`.

    References
    ----------
    Robbins, H. (1956), "An empirical Bayes approach to statistics", Third Berkeley Symposium 1, 157-163.
    """
    length = comparable_months(transactions, as_of=as_of, months=months)
    first, second = (last_months(length, as_of=as_of, back=back) for back in (1, 0))
    earlier, later = (
        customer_profit(transactions, start=start, end=end, **known) for start, end in (first, second)
    )
    before = value_tiers(earlier, cut_offs=cut_offs, minimum_exposure_days=minimum_exposure_days)
    after = value_tiers(later, cut_offs=before.cut_offs, minimum_exposure_days=minimum_exposure_days)
    idle, again = another_period(transactions, earlier, start=first[0], end=first[1], **known)
    chances = chances_of(earlier, again, cut_offs)
    sentence = f"Compared: {length} complete months each, requested: at most {months}."
    others = pd.DataFrame({"customer_id": idle, "shrunk": again.expected[len(earlier) :]})
    means = regression_to_the_mean(chances, after, value=str(before.value), idle=others)
    moves = moves_between(before, after, chances, idle=idle)
    return TierMigration(before, first, second, *moves, means, sentence)


def moves_between(
    before: pd.DataFrame,
    after: pd.DataFrame,
    chances: pd.DataFrame | None = None,
    *,
    idle: Any = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`matrix` and `stayed` of `TierMigration`, from `customer_id` and `tier` of two periods.

    `idle` are those who were known and not active in the first.

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
    everybody = was.reindex(was.index.union(pd.Index(idle), sort=False), fill_value=GONE)
    both = pd.DataFrame({"before": everybody, "after": now}).astype(object)
    counts = pd.crosstab(
        both["before"].fillna(NEW), both["after"].fillna(GONE), rownames=["before"], colnames=["after"]
    )
    matrix = counts.reindex(index=[*BEST_FIRST, GONE, NEW], columns=[*BEST_FIRST, GONE], fill_value=0)
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
        apart = stayed["stayed"] - stayed["by_chance"]
        chance = stayed["by_chance"].clip(0, 1)
        reach = _WIDER * normal_quantile(0.95) * np.sqrt(chance * (1 - chance) / rows.to_numpy().clip(1))
        stayed["low"], stayed["high"] = apart - reach, apart + reach
        stayed["noise_share"] = share.clip(upper=1.0)
        with_finding(stayed, stayed_beside_chance)
    return with_finding(matrix, moves_of_tiers), stayed


def regression_to_the_mean(
    chances: pd.DataFrame, after: pd.DataFrame, *, value: str, idle: pd.DataFrame | None = None
) -> pd.DataFrame:
    """`to_the_mean` of `TierMigration`: how far each tier falls or rises towards the mean of all customers."""
    known = pd.DataFrame(chances)[["customer_id", "value", "shrunk", "tier"]].astype({"tier": object})
    if idle is not None:
        known = pd.concat([known, idle.assign(value=0.0, tier=GONE)], ignore_index=True)
    later = known["customer_id"].map(_indexed(after, "after")[value]).fillna(0.0)
    grouped = known.assign(after=later).groupby("tier")
    means = grouped[["value", "shrunk", "after"]].mean().set_axis(["before", "expected", "after"], axis=1)
    means.insert(0, "customers", grouped.size())
    table = means.reindex([*BEST_FIRST, GONE]).rename_axis("tier").reset_index()
    table = table.assign(customers=table["customers"].fillna(0).astype("int64"))
    return with_finding(table, total_without_change, CALLED[value])


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
