"""Lens 2: what changed between two periods, which customers changed it, and which factor?"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers._log import acquired_by, customer_totals, span, with_contribution
from crmlib.customers.audit.sentences import change_by_factors, change_by_steps, moves_of_tenths
from crmlib.findings import Estimate, with_finding
from crmlib.rankings import parts_of_equal_size
from crmlib.statistics import normal_quantile

# Steps of the waterfall from one period's value to the next one's, in the order in which they are drawn.
GROUPS = ("lapsed", "bought less", "bought the same", "bought more", "came back", "new")
INACTIVE = "not active"
Period = tuple[dt.date, dt.date]


@dataclass(frozen=True)
class PeriodChange:
    """Two periods of a customer base side by side.

    - `value`: what is compared: "contribution" where it is known, else "revenue".
    - `waterfall`: `step` ("before", six groups of customers, "after"), `customers`, `newly` (those first seen in the
      two periods), `before`, `after` and `change` (money); the groups' changes add up from "before" to "after". "came
      back" bought before the first period and not in it.
    - `migration`: customers by decile of value before (rows) and after (columns), 1 the best, and "not active".
    - `factors`: `factor, before, after` (in their `unit`), `effect, weights`: acquired customers, share active,
      purchases per active customer, spend per purchase and, for contribution, margin; the effects add up to the change.
    - `reach`: half the width of the 95 % interval of the change; nan where nothing is compared. Each customer's change
      is one draw, and the number of customers is random too: the variance of their sum is the sum of its squares (of a
      compound Poisson sum).
    """

    value: str
    waterfall: pd.DataFrame
    migration: pd.DataFrame
    factors: pd.DataFrame
    reach: float = math.nan

    @property
    def change(self) -> float:
        """Change of the value from the first period to the second."""
        return float(self.factors["effect"].sum())

    @property
    def of_customers(self) -> Estimate:
        """Relative change of the number of active customers; not known where there is nothing to compare with."""
        people = self.waterfall.set_index("step")["customers"]
        if not (before := people.get("before", 0)):
            return Estimate(None, "change")
        change = people["after"] - before
        reach = normal_quantile(0.95) * math.sqrt(people[["lapsed", "came back", "new"]].sum())
        return Estimate(change / before, "change", (change - reach) / before, (change + reach) / before)

    @property
    def largest_loss(self) -> str:
        """The group of customers through whom most was lost; empty where nothing was."""
        steps = self.waterfall.iloc[1:-1].set_index("step")["change"].astype(float)
        return str(steps.idxmin()) if steps.min() < 0 else ""

    @property
    def largest_factor(self) -> str:
        """The factor with the largest effect; empty where nothing is compared."""
        effects = self.factors.set_index("factor")["effect"].astype(float)
        return str(effects.abs().idxmax()) if len(effects) else ""

    @property
    def in_a_word(self) -> str:
        """Whether the second period is "better", "worse", or differs from the first by no more than chance."""
        return Estimate(self.change, "money", self.change - self.reach, self.change + self.reach).in_a_word


def period_change(
    transactions: Any, before: Period, after: Period, *, new_from: Any = None, **reading: Any
) -> PeriodChange:
    """What changed between two periods, which customers changed it, and which factor it came from?

    The first period ends before the second begins. What the log does not hold of either counts as not bought:
    `recent_change`, which has the same `collapse` and `margin`, compares only what it holds. Where the log starts later
    than the firm (`new_from`), it is not known how many customers were acquired: the factor is how many were active.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "b"], "amount": [10.0, 30.0, 5.0],
    ...                     "date": pd.to_datetime(["2024-01-01", "2024-02-15", "2024-02-29"])})
    >>> found = period_change(log, ("2024-01-01", "2024-01-31"), ("2024-02-01", "2024-02-29"))
    >>> found.waterfall.loc[found.waterfall["customers"] > 0, ["step", "customers", "change"]]
              step  customers  change
    0       before          1    10.0
    4  bought more          1    20.0
    6          new          1     5.0
    7        after          2    35.0
    """
    first, second = span(*before), span(*after)
    totals = [
        with_contribution(customer_totals(transactions, start=start, end=end, outside=True, **reading))
        for start, end in (first, second)
    ]
    value = "contribution" if "contribution" in totals[0].columns else "revenue"
    pairs = _pairs(totals[0], totals[1], value)
    acquired = [acquired_by(transactions, end) if new_from is None else None for _, end in (first, second)]
    waterfall, factors = _waterfall(pairs, pd.Timestamp(first[0])), _factors(totals, acquired, value)
    reach = normal_quantile(0.95) * math.sqrt(np.square(pairs["after"] - pairs["before"]).sum())
    of_period = f"{value} of {named(second)}"
    with_finding(waterfall, change_by_steps, of_period, reach)
    with_finding(factors, change_by_factors, of_period, reach)
    migration = with_finding(_migration(pairs), moves_of_tenths, value)
    found = PeriodChange(value, waterfall, migration, factors, reach)
    assert np.isclose(found.change, pairs["after"].sum() - pairs["before"].sum()), "factors do not add up"
    return found


def _pairs(before: pd.DataFrame, after: pd.DataFrame, value: str) -> pd.DataFrame:
    """Each customer's value in both periods; NaN became 0 and `was`/`is` say who was active."""
    columns = {"customer_id": "customer_id", value: "value", "first_purchase": "first"}
    sides = (side[list(columns)].rename(columns=columns) for side in (before, after))
    pairs = next(sides).merge(next(sides), on="customer_id", how="outer", suffixes=("_before", "_after"))
    return pairs.assign(
        was_active=pairs["value_before"].notna(),
        is_active=pairs["value_after"].notna(),
        before=pairs["value_before"].fillna(0.0),
        after=pairs["value_after"].fillna(0.0),
        first_purchase=pairs[["first_before", "first_after"]].min(axis=1),
    )


def _waterfall(pairs: pd.DataFrame, first_day: pd.Timestamp) -> pd.DataFrame:
    change = (pairs["after"] - pairs["before"]).round(9)
    was, now = pairs["was_active"], pairs["is_active"]
    earlier = pairs["first_purchase"] < first_day
    conditions = [was & ~now, was & (change < 0), was & (change == 0), was, earlier]
    group = np.select(conditions, GROUPS[:5], default=GROUPS[5])
    newly = pairs["first_purchase"] >= first_day
    parts = pairs.assign(customers=1, newly=newly.astype(int), change=pairs["after"] - pairs["before"])
    columns = ["customers", "newly", "before", "after", "change"]
    table = parts.groupby(group)[columns].sum().reindex(list(GROUPS), fill_value=0)
    totals = pairs["before"].sum(), pairs["after"].sum()
    first_seen, active = [(was & newly).sum(), (~was & newly).sum()], [was.sum(), now.sum()]
    sides = {"customers": active, "newly": first_seen} | dict.fromkeys(["before", "after", "change"], totals)
    ends = pd.DataFrame(sides, index=["before", "after"])
    assert table["customers"].sum() == len(pairs), "a customer was lost between groups"
    assert np.isclose(totals[0] + table["change"].sum(), totals[1]), "the waterfall does not add up"
    whole = pd.concat([ends[:1], table, ends[1:]]).rename_axis("step").reset_index()
    counts = dict.fromkeys(columns[:2], "int64")
    return whole.astype(dict.fromkeys(columns, float) | counts).assign(unit="money")


def _migration(pairs: pd.DataFrame) -> pd.DataFrame:
    names = [*range(1, 11), INACTIVE]
    deciles = {
        side: _decile(pairs[side], pairs[active], pairs["customer_id"])
        for side, active in (("before", "was_active"), ("after", "is_active"))
    }
    table = pd.crosstab(deciles["before"], deciles["after"])
    return table.reindex(index=names, columns=names, fill_value=0)


def _decile(values: pd.Series, active: pd.Series, customer_id: pd.Series) -> pd.Series:
    ranked = pd.DataFrame({"value": values, "customer_id": customer_id})[active]
    ranked = ranked.sort_values(["value", "customer_id"], ascending=[False, True])
    decile = pd.Series(parts_of_equal_size(len(ranked)) + 1, index=ranked.index, dtype=object)
    return decile.reindex(values.index, fill_value=INACTIVE)


def _factors(totals: list[pd.DataFrame], acquired: list[int | None], value: str) -> pd.DataFrame:
    sides = [_side(customers, base, value) for customers, base in zip(totals, acquired, strict=True)]
    # Without a customer there is no mean: it is the other period's, so that the whole effect is that nobody was active.
    before, after = (
        {name: next((mean for mean in (own[name], other[name]) if np.isfinite(mean)), 0.0) for name in own}
        for own, other in (sides, sides[::-1])
    )
    units = {
        "acquired customers": "count",
        "active customers": "count",
        "purchases per active customer": "ratio",
        "spend per purchase": "money",
    }
    factors = decompose_change(before, after)
    return factors.assign(unit=factors["factor"].map(units).fillna("share"))


def _side(customers: pd.DataFrame, base: int | None, value: str) -> dict[str, float]:
    active, purchases, revenue = len(customers), customers["purchases"].sum(), customers["revenue"].sum()
    people = {"active customers": float(active)}
    if base is not None:
        people = {"acquired customers": float(base), "share active": active / base if base else np.nan}
    side = people | {
        "purchases per active customer": purchases / active if active else np.nan,
        "spend per purchase": revenue / purchases if purchases else np.nan,
    }
    if value == "contribution":
        side["margin"] = customers["contribution"].sum() / revenue if revenue else np.nan
    return side


def decompose_change(before: Mapping[str, float], after: Mapping[str, float]) -> pd.DataFrame:
    """How much of the change of a product each of its factors explains; the effects add up to the change.

    Where all factors are positive: logarithmic-mean weights, which leave no residual and do not depend on the order of
    the factors (Ang 2004, Energy Policy 32(9), 1131-1139). Where one is zero or negative its logarithm does not exist:
    Shapley weights, the mean over all orders in which the factors can change (Shorrocks 2013, Journal of Economic
    Inequality 11, 99-126).

    Examples
    --------
    >>> parts = decompose_change({"customers": 100, "spend": 20.0}, {"customers": 110, "spend": 18.0})
    >>> parts["effect"].round(2).tolist()
    [189.67, -209.67]
    """
    start, end = [float(before[name]) for name in before], [float(after[name]) for name in before]
    if min(start + end) > 0:
        effects, weights = _logarithmic_mean(start, end), "logarithmic mean"
    else:
        effects, weights = _shapley(start, end), "Shapley"
    change = math.prod(end) - math.prod(start)
    largest = max(abs(math.prod(start)), abs(math.prod(end)), *map(abs, effects))
    assert abs(sum(effects) - change) <= 1e-9 * largest, "effects do not add up to the change"
    columns = {"before": start, "after": end, "effect": effects, "weights": weights}
    return pd.DataFrame({"factor": list(before), **columns})


def _logarithmic_mean(start: Sequence[float], end: Sequence[float]) -> list[float]:
    logs = [math.log(b / a) for a, b in zip(start, end, strict=True)]
    before, after, total = math.prod(start), math.prod(end), math.fsum(logs)
    # (after - before) / ln(after / before), written so that it holds where the two are close or equal.
    mean = before if total == 0 else before * math.expm1(total) / total
    effects = [mean * log for log in logs]
    # What rounding leaves goes to the largest effect, where it is no part of what a reader can see.
    largest = max(range(len(effects)), key=lambda i: abs(effects[i]))
    effects[largest] += (after - before) - math.fsum(effects)
    return effects


def _shapley(start: Sequence[float], end: Sequence[float]) -> list[float]:
    # Exact over the subsets of a handful of factors; libraries for Shapley values explain models by sampling.
    size = len(start)

    def value(changed: frozenset[int]) -> float:
        return math.prod(end[i] if i in changed else start[i] for i in range(size))

    effects = []
    for factor in range(size):
        others = [i for i in range(size) if i != factor]
        gains = [
            (value(frozenset(subset) | {factor}) - value(frozenset(subset)))
            / math.comb(size - 1, count)
            / size
            for count in range(size)
            for subset in combinations(others, count)
        ]
        effects.append(math.fsum(gains))
    return effects


def named(period: Period) -> str:
    first, last = (fmt.month(day, short=True) for day in period)
    return first if first == last else f"{first} to {last}"
