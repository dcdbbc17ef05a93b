"""Who moved between tiers from one period to the next, and how much of the coming and going is only chance?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib.customers.audit.months import comparable_months, last_months
from crmlib.customers.profit.customer_profit import customer_profit
from crmlib.customers.sentences import moves_of_tiers, stayed_beside_chance, total_without_change
from crmlib.customers.tiers.chances import another_period, chances_of
from crmlib.customers.tiers.pyramid import BEST_FIRST, TierCutOffs
from crmlib.customers.tiers.value_tiers import MINIMUM_EXPOSURE_DAYS, ValueTiers, value_tiers
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.statistics import normal_quantile

GONE, NEW = "not active", "new"
Period = tuple[dt.date, dt.date]


@dataclass(frozen=True)
class TierMigration:
    """Tiers of the same customers in two periods of one length, by the cut-offs of the first.

    - `before`: those of the first period.
    - `first`, `second`: first and last day of each period.
    - `matrix`: customers by tier before (rows, Platinum first, then "not active": known before without a value in the
      first period, and "new") and after (columns, and "not active").
    - `stayed`: `tier`, `customers`, `stayed` (share still in it; who is not active has a value of 0 and so is Iron),
      `by_chance` (share that would still be measured in it, if no customer had changed), `low` and `high` (95 %
      interval of the difference between the two) and `noise_share`: how much of the moving out chance explains, at most
      1.
    - `to_the_mean`: `tier` (the last: "not active"), `customers`, and per customer the value `before`, `expected` (if
      no customer had changed, without the good and bad luck of the first period) and `after`; who is not active brings
      0.
    - `sentence`: which periods are compared, and how many months were asked for.
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
    earlier, later = (customer_profit(transactions, start=a, end=b, **known) for a, b in (first, second))
    before = value_tiers(earlier, cut_offs=cut_offs, minimum_exposure_days=minimum_exposure_days)
    after = value_tiers(later, cut_offs=before.cut_offs, minimum_exposure_days=minimum_exposure_days)
    idle, again = another_period(transactions, earlier, start=first[0], end=first[1], **known)
    chances = chances_of(earlier, again, cut_offs, minimum_exposure_days)
    sentence = f"Compared: {length} complete months each, requested: at most {months}."
    others = pd.DataFrame({"customer_id": idle, "shrunk": again.expected[len(earlier) :]})
    named = dict(value=str(before.value), called=before.value_called)
    means = regression_to_the_mean(chances, after, idle=others, **named)
    moves = moves_between(before, after, chances, idle=idle)
    return TierMigration(before, first, second, *moves, means, sentence)


def moves_between(
    before: pd.DataFrame, after: pd.DataFrame, chances: pd.DataFrame | None = None, *, idle: Any = ()
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
    counts = pd.crosstab(both["before"].fillna(NEW), both["after"].fillna(GONE))
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
        # Measured on 30 Nov 2026 on customers who never change, four rates of buying: of 200 worlds of 2,000 customers
        # 95.2 % of the intervals of Platinum, Gold and Iron hold 0, of 60 worlds of 23,570 customers 94.4 %. So nothing
        # is added for the estimate of by_chance.
        reach = normal_quantile(0.95) * np.sqrt(chance * (1 - chance) / rows.to_numpy().clip(1))
        stayed["low"], stayed["high"] = apart - reach, apart + reach
        stayed["noise_share"] = share.clip(upper=1.0)
        with_finding(stayed, stayed_beside_chance)
    return with_finding(matrix, moves_of_tiers), stayed


def regression_to_the_mean(
    chances: pd.DataFrame, after: pd.DataFrame, *, value: str, called: str, idle: pd.DataFrame | None = None
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
    return with_finding(table, total_without_change, called)


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
