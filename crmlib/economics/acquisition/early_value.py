"""How soon early purchases predict the later value of new customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.customers._log import fetch
from crmlib.economics.acquisition import sentences
from crmlib.economics.acquisition.data import AcquisitionData
from crmlib.findings import with_finding
from crmlib.no_rows import no_rows
from crmlib.rankings import Ranking, rank_correlation
from crmlib.statistics import Array, bootstrap_weights, with_intervals

MEASURES = ("rank_correlation", "top_captured", "share_held", "lost_per_customer")
COLUMNS = ("days", "customers", *(name + end for name in MEASURES for end in ("", "_low", "_high")))
AGES, HORIZON_DAYS = (0, 7, 30, 90), 365  # days from the first purchase
TOP, RESAMPLES, SEED = 0.1, 200, 0  # share of customers that is acted upon
FEWEST, MOST = 30, 20_000  # customers: of more, so many are drawn by chance


def early_value(data: AcquisitionData) -> pd.DataFrame:
    """How well does early contribution predict later contribution?

    Customers are ranked by what they brought within 0 (the first day), 7, 30 and 90 days of their first purchase.
    Later value is the same for all of these ages, what they bring after 90 days until the end of a year, so that the
    rows can be compared. Only customers whose first year is over count, 20,000 of them at most.

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
    >>> early_value(AcquisitionData(log, "2024-12-31"))
    Not measured: 1 customer was followed for 365 days, and 30 are needed.
    """
    people = _people(data)
    n = len(people)
    if n < FEWEST:
        who = f"{fmt.plural(n, 'customer')} {'was' if n == 1 else 'were'}"
        return no_rows(COLUMNS, f"{who} followed for {HORIZON_DAYS} days, and {FEWEST} are needed")
    if n > MOST:
        people, n = people.sample(MOST, random_state=SEED), MOST
    later = people["later"].to_numpy(float)
    best = (later > np.quantile(later, 1 - TOP)).astype(float)
    so_far = [people[f"by_{age}"].to_numpy(float) for age in AGES]
    scores = [(score, Ranking(score, later)) for score in so_far]
    found = _measures(scores, best, later, np.ones(n))
    drawn = [_measures(scores, best, later, weights) for weights in bootstrap_weights(n, RESAMPLES, SEED)]
    columns = with_intervals(MEASURES, found, np.array(drawn))
    table = pd.DataFrame({"days": AGES, "customers": n, **columns})
    return with_finding(table, sentences.value_seen_after, HORIZON_DAYS)


def _people(data: AcquisitionData) -> pd.DataFrame:
    """One row per customer whose horizon is over: what they brought by each age, `by_AGE`, and `later`."""
    last = ibis.literal(data.day - dt.timedelta(days=HORIZON_DAYS))
    rows = data.rows.inner_join(data.new_customers.filter(_.born <= last), "customer_id")
    rows = rows.mutate(age=_.day.delta(_.born, unit="day"))
    sums = {f"by_{age}": _.worth.sum(where=_.age <= age).fill_null(0.0) for age in AGES}
    later = _.worth.sum(where=(_.age > AGES[-1]) & (_.age <= HORIZON_DAYS)).fill_null(0.0)
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
