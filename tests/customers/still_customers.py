"""Customers who never change, in two periods, and what happened to their tiers: worlds whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.customers.tiers.chances import chances_of
from crmlib.customers.tiers.migration import moves_between, regression_to_the_mean
from crmlib.customers.tiers.next_period import NextPeriod
from crmlib.customers.tiers.value_tiers import value_tiers

# Shape and mean of the purchases per period: as of CDNOW's 23,570 customers from July to December 1997, and others.
WORLDS = {"few buy": (0.15, 0.3), "as CDNOW": (0.254, 0.624), "half buy": (0.5, 1.0), "most buy": (1.0, 2.5)}
MEASURES = ["kept", "Iron per head", "Platinum stays", "Gold stays", "Iron stays"]
AMOUNTS = ("of their own", "alike")


def periods(
    seed: int, world: str, *, customers: int = 23_570, amounts: str = "of their own", regular: int = 1
) -> list[pd.DataFrame]:
    """Days of two periods: `customer, money`; gaps are sums of `regular` random ones, amounts vary about a level."""
    shape, mean = WORLDS[world]
    random = np.random.default_rng(seed)
    rate = random.gamma(shape, mean / shape, customers)
    level = 6.25 / random.gamma(3.74, 1 / 15.44, customers)  # Gamma-Gamma as fitted to CDNOW
    found = []
    phase = random.integers(regular, size=customers)  # hits before the period since the last purchase
    for _ in range(2):
        hits = random.poisson(rate * regular)
        bought = (phase + hits) // regular
        phase = (phase + hits) % regular
        customer = np.repeat(np.arange(customers), bought)
        money = (
            random.gamma(6.25, level[customer] / 6.25)
            if amounts != "alike"
            else random.lognormal(3.3, 0.8, len(customer))
        )
        found.append(pd.DataFrame({"customer": customer, "money": money.round(2)}))
    return found


def judged(one: pd.DataFrame, other: pd.DataFrame, customers: int) -> pd.DataFrame:
    """Rows expected, happened, and `without a model` (of sums); columns `MEASURES`."""
    totals = [day.groupby("customer")["money"].sum() for day in (one, other)]
    first, second = (total.rename("revenue").rename_axis("customer_id").reset_index() for total in totals)
    idle = np.setdiff1d(np.arange(customers), first["customer_id"])
    place = pd.Series(np.arange(customers), index=[*first["customer_id"], *idle])
    again = NextPeriod(customers, one.assign(customer=place.loc[one["customer"]].to_numpy()))
    before = value_tiers(first)
    after = value_tiers(second, cut_offs=before.cut_offs)
    chances = chances_of(first, again)
    stayed = moves_between(before, after, chances, idle=idle)[1].set_index("tier")
    means = (
        regression_to_the_mean(chances, after, value="revenue", called="revenue")
        .set_index("tier")
        .loc[["Platinum", "Gold", "Iron"]]
    )
    sums = means[["expected", "after"]].mul(means["customers"], axis=0).sum() / first["revenue"].sum()
    rows = {}
    for name, value, share in (("expected", "expected", "by_chance"), ("happened", "after", "stayed")):
        rows[name] = [sums[value], means.loc["Iron", value], *stayed.loc[["Platinum", "Gold", "Iron"], share]]
    rows["without a model"] = [*_without_a_model(one, before), *[np.nan] * 3]
    return pd.DataFrame(rows, index=MEASURES).T


def _without_a_model(days: pd.DataFrame, before: pd.DataFrame) -> tuple[float, float]:
    """Robbins's estimate with amounts: each day's money belongs to the tier that its customer would have without it."""
    value = before.set_index("customer_id")["revenue"]
    left = days["customer"].map(value) - days["money"]
    several = days["customer"].duplicated(keep=False)
    iron = days.loc[several & (left < before.cut_offs.gold), "money"].sum()
    return days.loc[several, "money"].sum() / value.sum(), iron / (before["tier"] == "Iron").sum()
