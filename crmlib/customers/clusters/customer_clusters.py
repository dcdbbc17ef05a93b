"""Each customer's cluster by behaviour and by need, and a description of the clusters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from crmlib.arguments import check_range
from crmlib.customers._log import as_day, fetch, floor, seen_by
from crmlib.customers.clusters.choice import COLUMNS
from crmlib.customers.clusters.cluster_segments import ClusterSegments
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.units import TimeUnit

BEHAVIOUR = ("frequency", "time_since_last_purchase", "mean_spend_per_period")
ONCE = "bought once"
TOO_FEW = "too few purchases to judge"
NOT_KNOWN = "not known"
_CHOICE = pd.DataFrame(columns=list(COLUMNS))
_PROFILE = pd.DataFrame(columns=["cluster", "name", "customers", "feature", "mean", "standing"])
OTHER, NONE = "other", "(none)"
ALL = "all customers"


@dataclass(frozen=True)
class CustomerClusters:
    """Clusters of those customers of whom enough is known, and the others by name.

    `customers`: one row per customer: `customer_id` and `cluster` (categorical, the largest first, the others last;
    "not known" for all where there are no clusters). `sentence`: whether the clusters are groups, with the figures; or
    why there are none. `groups`: whether they are groups. `profile`, `choice`, `stability`: as of `ClusterSegments`;
    empty where there are no clusters. `model`: to assign new customers.
    """

    customers: pd.DataFrame
    sentence: str
    groups: bool = False
    profile: pd.DataFrame = field(default_factory=_PROFILE.copy)
    choice: pd.DataFrame = field(default_factory=_CHOICE.copy)
    stability: pd.DataFrame = field(default_factory=pd.DataFrame)
    model: ClusterSegments | None = None

    @property
    def kind(self) -> str:
        """What was found in a few words, such as "4 groups", or "cuts, no groups", or "none"."""
        if self.model is None:
            return "none"
        return f"{self.model.n_clusters_} groups" if self.groups else "cuts, no groups"

    def describe(self, data: pd.DataFrame) -> pd.DataFrame:
        """What the customers of each cluster are like, beside all customers.

        Means of the numeric columns of `data`, such as P(alive) and value, with one row for each row of `.customers`:
        see `profile_table`.
        """
        groups = self.customers["cluster"]
        return profile_table(data, groups.set_axis(data.index) if len(groups) == len(data) else groups)


def behaviour_clusters(summary: pd.DataFrame, **options: Any) -> CustomerClusters:
    """Who buys alike, by recency, frequency and spend?

    Parameters
    ----------
    summary : CustomerSummary
        Columns `customer_id, frequency, time_since_last_purchase, mean_spend_per_period`.
    **options
        As in `ClusterSegments`, such as `n_clusters` and `random_state`.

    Returns
    -------
    CustomerClusters
        Of the customers who have bought again. Those who bought once are a group by definition: no clustering
        has to find it, and with them among the others it would find little else.

    Examples
    --------
    >>> import crmlib as crm
    >>> summary = crm.rfm_summary(crm.open_study("cdnow-sample").transactions, as_of="1998-06-30")
    >>> found = behaviour_clusters(summary, n_clusters=2, sample=300, nulls=5)
    >>> found.groups, int((found.customers["cluster"] == "bought once").sum())
    (False, 1218)
    """
    again = pd.DataFrame(summary.loc[summary["frequency"] > 0, ["customer_id", *BEHAVIOUR]])
    return _clusters(again, summary["customer_id"], ONCE, ClusterSegments(**options))


def needs_clusters(
    transactions: Any,
    *,
    as_of: Any,
    by: str = "category",
    fewest_purchases: int = 5,
    collapse: str = "D",
    **options: Any,
) -> CustomerClusters:
    """Who needs the same, by shares of spend over categories?

    Parameters
    ----------
    transactions, as_of, collapse
        As in `rfm_summary`.
    by : str
        The column of categories.
    fewest_purchases : int
        Purchase periods that a customer must have: one purchase is all of one category, which shows no need.
    **options
        As in `ClusterSegments`, such as `n_clusters` and `random_state`.

    Returns
    -------
    CustomerClusters
        Of the customers with enough purchases; without any clusters, and with the reason as sentence, where the log
        has no categories.
    """
    rows = seen_by(transactions, as_day(as_of, "as_of"))
    bought = rows.filter(rows.counted).select("customer_id").distinct()
    known = fetch(bought.order_by("customer_id"))["customer_id"]
    try:
        shares = category_shares(
            transactions, as_of=as_of, by=by, fewest_purchases=fewest_purchases, collapse=collapse
        )
    except CannotAnswerError as missing:
        return _without(known, missing)
    return _clusters(shares, known, TOO_FEW, ClusterSegments(scale="share", **options))


def _clusters(
    features: pd.DataFrame, known: pd.Series, others: str, model: ClusterSegments
) -> CustomerClusters:
    try:
        model.fit(features)
    except CannotAnswerError as refusal:
        return _without(known, refusal)
    found = model.assign(features).set_index("customer_id")["cluster"]
    named = found.cat.add_categories(others).reindex(known.to_numpy()).fillna(others)
    assert (named != others).sum() == len(features), "a customer was lost between clusters"
    customers = named.rename_axis("customer_id").reset_index()
    frames = (model.profile_, model.choice_, model.stability_)
    return CustomerClusters(customers, model.sentence_, model.groups_, *frames, model)


def _without(known: pd.Series, reason: CannotAnswerError) -> CustomerClusters:
    everybody = pd.Categorical([NOT_KNOWN] * len(known), categories=[NOT_KNOWN])
    customers = pd.DataFrame({"customer_id": known.to_numpy(), "cluster": everybody})
    return CustomerClusters(customers, f"No clusters: {reason}.")


def category_shares(
    transactions: Any,
    *,
    as_of: Any,
    by: str = "category",
    fewest_purchases: int = 5,
    most: int = 12,
    collapse: str = "D",
) -> pd.DataFrame:
    """How does each customer's spend divide over categories?

    Returns: one row per customer with at least `fewest_purchases`, sorted by customer: `customer_id` and a column per
    category, the `most` with the most revenue, then "other"; shares from 0 to 1 that add up to 1. Rows without a
    category count as "(none)", and a category whose returns outweigh its purchases as 0. `.attrs["left_out"]` counts
    the customers with fewer purchases, or none of whose categories brought money. Raises CannotAnswerError if the log
    has no such column, or fewer than two categories.

    Examples
    --------
    >>> log = pd.DataFrame({"customer_id": list("aab"), "category": ["beer", "bread", "beer"],
    ...     "amount": [30.0, 10.0, 5.0], "date": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02"])})
    >>> shares = category_shares(log, as_of="2024-01-31", fewest_purchases=2)
    >>> shares.to_dict("records"), shares.attrs["left_out"]
    ([{'customer_id': 'a', 'beer': 0.75, 'bread': 0.25}], 1)
    """
    check_range("fewest_purchases", fewest_purchases, "a whole number from 1", least=1)
    rows = seen_by(transactions, as_day(as_of, "as_of"))
    if by not in rows.columns:
        raise CannotAnswerError(f"the purchase log has no {by}, so it does not show needs")
    rows = rows.mutate(category=rows[by].cast("string").fill_null(NONE))
    named = _largest(rows, most)
    if len(named) < 2:
        raise CannotAnswerError(
            f"the purchase log has one {by} only ({', '.join(named)}): needs cannot differ"
        )
    rows = rows.mutate(category=ibis.ifelse(rows.category.isin(named[:most]), rows.category, OTHER))
    money = rows.group_by("customer_id", "category").agg(spend=_.amount.sum())
    enough = _bought_often(rows, fewest_purchases, TimeUnit.parse(collapse))
    table = _shares(fetch(money.semi_join(enough, "customer_id")), named[:most])
    buyers = rows.filter(rows.counted).customer_id.nunique().to_pyarrow().as_py()
    table.attrs["left_out"] = int(buyers) - len(table)
    return table


def _shares(spend: pd.DataFrame, named: list[str]) -> pd.DataFrame:
    """Each customer's spend by category as shares, the named categories first; without customers who spent nothing."""
    spend = spend.assign(spend=spend["spend"].clip(lower=0))
    wide = spend.pivot(index="customer_id", columns="category", values="spend").sort_index()
    order = dict.fromkeys([*(name for name in named if name in wide), *wide.columns])
    wide = wide.reindex(columns=list(order)).fillna(0.0)
    total = wide.sum(axis=1)
    shares = wide[total > 0].div(total[total > 0], axis=0)
    assert np.allclose(shares.sum(axis=1), 1), "shares of a customer do not add up"
    return shares.rename_axis(columns=None).reset_index()


def _largest(rows: ibis.Table, most: int) -> list[str]:
    """Categories with most revenue, the largest first, and one more where there are others."""
    revenue = rows.group_by("category").agg(revenue=_.amount.sum())
    ordered = revenue.order_by(_.revenue.desc(), _.category).limit(most + 1)
    return ordered.category.to_pyarrow().to_pylist()


def _bought_often(rows: ibis.Table, fewest: int, collapse: TimeUnit) -> ibis.Table:
    bought = rows.filter(rows.counted)
    periods = bought.select("customer_id", period=floor(bought.date, collapse)).distinct()
    return periods.group_by("customer_id").agg(purchases=_.count()).filter(_.purchases >= fewest)


def profile_table(data: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """What the customers of each cluster, segment or tier are like, beside all customers.

    `data`: one row per customer; means are of its numeric columns, such as P(alive) and value. `groups`: group of each
    row of `data`, under the same index; a categorical's order is kept. Returns: one row per group and one for "all
    customers": `group, customers, share_of_customers`, then the mean of each numeric column. Means weighted by
    customers are those of all. Raises CrmError if the two have different rows, or a customer no group.

    Examples
    --------
    >>> data = pd.DataFrame({"customer_id": list("abc"), "frequency": [1, 2, 6]})
    >>> profile_table(data, pd.Series(["light", "light", "heavy"]))
               group  customers  share_of_customers  frequency
    0          heavy          1            0.333333        6.0
    1          light          2            0.666667        1.5
    2  all customers          3            1.000000        3.0
    """
    if not data.index.equals(groups.index):
        raise CrmError(f"data has {len(data):,} rows and groups {len(groups):,}; give both the same index")
    if groups.isna().any():
        raise CrmError(f"{int(groups.isna().sum()):,} customers have no group; name one for them")
    numbers = pd.DataFrame(data).select_dtypes("number").astype(float)
    by_group = numbers.groupby(groups, observed=False)
    table = by_group.mean()
    table.insert(0, "customers", by_group.size())
    whole = numbers.mean().to_frame(ALL).T
    whole.insert(0, "customers", len(numbers))
    table.index = table.index.astype(str)
    assert table["customers"].sum() == len(data), "a customer was lost between groups"
    profile = pd.concat([table, whole]).rename_axis("group").reset_index()
    profile.insert(2, "share_of_customers", profile["customers"] / max(len(data), 1))
    return profile
