"""How soon the value of new customers can be told from what they have bought so far."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.data import AcquisitionData
from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.rankings import Ranking, rank_correlation
from crmlib.statistics import Array, bootstrap_weights, with_intervals

MEASURES = ("rank_correlation", "top_captured", "share_held", "lost_per_customer")
COLUMNS = ("days", "customers", *(name + end for name in MEASURES for end in ("", "_low", "_high")))
TOP, RESAMPLES, SEED = 0.1, 200, 0  # share of customers that is acted upon
FEWEST, MOST = 30, 20_000  # customers: of more, so many are drawn by chance


def early_value(
    transactions: Any,
    *,
    as_of: Any,
    margin: float | None = None,
    new_from: Any = None,
    days: Sequence[int] = (0, 7, 30, 90),
    horizon_days: int = 365,
) -> pd.DataFrame:
    """How well does what customers have brought so far tell what they will bring later?

    Customers are ranked by what they brought within so many days of their first purchase. Later value is the same for
    all days, what they bring after the last of them until the horizon, so that the rows can be compared.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    as_of : date or str
        Last day that counts; only customers whose horizon is over are in the table, 20,000 of them at most.
    margin : float, optional
        Contribution as a share of revenue; without it and without costs, value is revenue.
    new_from : date or str, optional
        The study's `new_customers_known_from`: customers seen before it may have bought earlier, and are left out.
    days : sequence of int
        Ages at which value is told; 0 is the day of the first purchase.
    horizon_days : int
        How long a customer is followed from the first purchase.

    Returns
    -------
    DataFrame
        One row per age: `days`, `customers`, `rank_correlation` with later value, `top_captured` (share of the later
        top tenth who are in the top tenth so far), `share_held` (of later value, by the top tenth so far) and
        `lost_per_customer`: later value, per customer of the top tenth, that those chosen at this age bring less than
        those chosen at the last age. Each with `_low` and `_high` (95 %).

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a"], "date": pd.to_datetime(["2024-01-01"]), "amount": [5.0]})
    >>> early_value(log, as_of="2024-12-31")
    Not measured: 1 customer was followed for 365 days, and 30 are needed.
    """
    ages = sorted(set(days))
    if not ages or ages[0] < 0 or ages[-1] >= horizon_days:
        raise CrmError(f"days is {list(days)}; give ages from 0 to below the horizon of {horizon_days} days")
    firm = AcquisitionData(transactions, as_of, margin=margin, new_from=new_from)
    people = _people(firm, ages, horizon_days)
    n = len(people)
    if n < FEWEST:
        who = f"{fmt.plural(n, 'customer')} {'was' if n == 1 else 'were'}"
        return no_rows(COLUMNS, f"{who} followed for {horizon_days} days, and {FEWEST} are needed")
    if n > MOST:
        people, n = people.sample(MOST, random_state=SEED), MOST
    later = people["later"].to_numpy(float)
    best = (later > np.quantile(later, 1 - TOP)).astype(float)
    so_far = [people[f"by_{age}"].to_numpy(float) for age in ages]
    scores = [(score, Ranking(score, later)) for score in so_far]
    found = _measures(scores, best, later, np.ones(n))
    drawn = [_measures(scores, best, later, one) for one in bootstrap_weights(n, RESAMPLES, SEED)]
    columns = with_intervals(MEASURES, found, np.array(drawn))
    table = pd.DataFrame({"days": ages, "customers": n, **columns})
    return with_finding(table, sentences.value_seen_after, horizon_days)


def _people(firm: AcquisitionData, ages: Sequence[int], horizon_days: int) -> pd.DataFrame:
    """One row per customer whose horizon is over: what they brought by each age, `by_AGE`, and `later`."""
    last = ibis.literal(firm.day - dt.timedelta(days=horizon_days))
    rows = firm.rows.inner_join(firm.new_customers.filter(_.born <= last), "customer_id")
    rows = rows.mutate(age=_.day.delta(_.born, unit="day"))
    sums = {f"by_{age}": _.worth.sum(where=_.age <= age).fill_null(0.0) for age in ages}
    later = _.worth.sum(where=(_.age > ages[-1]) & (_.age <= horizon_days)).fill_null(0.0)
    return fetch(rows.group_by("customer_id").agg(**sums, later=later).order_by("customer_id"))


def _measures(scores: Sequence[tuple[Array, Ranking]], best: Array, later: Array, weights: Array) -> Array:
    """The measures at each age, shape (measures, ages), each customer as often as weights say."""
    drawn = np.repeat(np.arange(len(later)), weights.astype(int))
    total, many = float(weights @ later), TOP * len(drawn)
    found = []
    for score, ranking in scores:
        held = float(ranking.levels(weights).captured_by(TOP))
        captured = float(Ranking(score, best).levels(weights).captured_by(TOP))
        found.append([rank_correlation(score[drawn], later[drawn]), captured, held, held * total / many])
    table = np.array(found).T
    table[3] = table[3, -1] - table[3]
    return table
