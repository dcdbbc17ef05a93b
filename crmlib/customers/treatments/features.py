"""What was known of the customers of an experiment when chance decided."""

from __future__ import annotations

from typing import Any

import ibis
import pandas as pd
from ibis import _

from crmlib.customers._log import fetch
from crmlib.customers.treatments.outcomes import read_people
from crmlib.data.sources import as_transactions, open_optional
from crmlib.errors import CrmError, did_you_mean

STANDING = ("acquisition_channel", "product_type", "market")  # known when a customer joins, and lasting


def experiment_features(
    transactions: Any, experiments: Any, *, experiment: str, customers: Any = None, recent_days: int = 90
) -> pd.DataFrame:
    """What was known of each customer of an experiment before the day on which chance decided?

    Each customer is seen as of their own day; what happened later, returns among it, is not seen.

    Parameters
    ----------
    transactions : ibis.Table or DataFrame
        Cleaned purchase log.
    experiments : ibis.Table or DataFrame
        As in `experiment_outcomes`.
    experiment : str
        The name of one experiment.
    customers : ibis.Table or DataFrame, optional
        Adds its `acquisition_channel`, `product_type` and `market`.
    recent_days : int, default 90
        How far back recent purchases and spend reach.

    Returns
    -------
    DataFrame
        Indexed by `customer_id`, in its order: `purchases` (days with one), `spend` (net), `recent_purchases,
        recent_spend, days_since_first, days_since_last` (of purchases; nan for who had none), and the columns of
        `customers`.

    Raises
    ------
    CrmError
        If there is no such experiment.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": ["a", "a", "a"], "amount": [10.0, 30.0, 99.0],
    ...                     "date": pd.to_datetime(["2023-06-01", "2024-02-20", "2024-03-01"])})
    >>> test = pd.DataFrame({"experiment": "birthday", "customer_id": ["a", "b"], "group": ["treated", "control"],
    ...                      "assigned": pd.to_datetime("2024-03-01")})
    >>> found = experiment_features(log, test, experiment="birthday")
    >>> found.reset_index()[["customer_id", "purchases", "recent_spend", "days_since_last"]]
      customer_id  purchases  recent_spend  days_since_last
    0           a          2          30.0             10.0
    1           b          0           0.0              NaN
    """
    people = read_people(experiments)
    told = fetch(people.filter(_.experiment == experiment).select("customer_id").order_by("customer_id"))
    if told.empty:
        names = fetch(people.select("experiment").distinct())["experiment"].tolist()
        raise CrmError(f"experiment is {experiment!r}; {did_you_mean(experiment, sorted(names))}")
    found = told.merge(_history(transactions, people, experiment, recent_days), on="customer_id", how="left")
    sums = ["purchases", "spend", "recent_purchases", "recent_spend"]
    found[sums] = found[sums].fillna(0.0)
    found = found.astype({"purchases": "int64", "recent_purchases": "int64"})
    lasting = open_optional(customers)
    if lasting is not None:
        found = found.merge(_standing(lasting), on="customer_id", how="left", validate="many_to_one")
    assert len(found) == len(told), "a customer was lost between experiment and purchase log"
    return found.set_index("customer_id")


def _history(transactions: Any, people: ibis.Table, experiment: str, recent_days: int) -> pd.DataFrame:
    """Purchases of each customer before their day, as they looked then."""
    rows = as_transactions(transactions).select("customer_id", "date", "amount", "is_purchase", "reversed_on")
    days = people.filter(people.experiment == experiment).select("customer_id", "assigned").distinct()
    seen = rows.inner_join(days, "customer_id").filter(_.date.date() < _.assigned.date())
    back = seen.reversed_on.notnull() & (seen.reversed_on.date() < seen.assigned.date())
    seen = seen.mutate(
        counted=seen.is_purchase & ~back,
        recent=seen.date >= seen.assigned - ibis.interval(days=recent_days),
        ago=seen.assigned.date().delta(seen.date.date(), unit="day"),
    )
    found = seen.group_by("customer_id").agg(
        purchases=_.date.date().nunique(where=_.counted),
        spend=_.amount.sum(),
        recent_purchases=_.date.date().nunique(where=_.counted & _.recent),
        recent_spend=_.amount.sum(where=_.recent),
        days_since_first=_.ago.max(where=_.counted),
        days_since_last=_.ago.min(where=_.counted),
    )
    return fetch(found).astype({"days_since_first": float, "days_since_last": float})


def _standing(table: ibis.Table) -> pd.DataFrame:
    names = [name for name in STANDING if name in table.columns]
    return fetch(table.select(table.customer_id.cast("string").name("customer_id"), *names))
