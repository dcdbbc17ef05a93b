"""Every customer's cluster: by how they buy, and by what they buy; and what it is worth to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from crmlib.customers.clusters.category_shares import category_shares
from crmlib.customers.clusters.choice import COLUMNS
from crmlib.customers.clusters.cluster_segments import ClusterSegments
from crmlib.customers.rfm.summarise import rfm_summary
from crmlib.errors import CannotAnswerError

BEHAVIOUR = ("frequency", "time_since_last_purchase", "mean_spend_per_period")
ONCE = "bought once"
TOO_FEW = "too few purchases to tell"
NOT_KNOWN = "not known"


@dataclass(frozen=True)
class CustomerClusters:
    """Clusters of those customers of whom enough is known, and the others by name.

    Attributes
    ----------
    customers : DataFrame
        One row per customer: `customer_id` and `cluster` (categorical, the largest first, the others last;
        "not known" for all where there are no clusters).
    sentence : str
        Whether the clusters are groups, with the figures; or why there are none.
    groups : bool
        Whether they are groups.
    profile, choice, stability : DataFrame
        As of `ClusterSegments`; empty where there are no clusters.
    model : ClusterSegments or None
        To assign new customers.
    """

    customers: pd.DataFrame
    sentence: str
    groups: bool
    profile: pd.DataFrame
    choice: pd.DataFrame
    stability: pd.DataFrame
    model: ClusterSegments | None

    @property
    def kind(self) -> str:
        """What was found in a few words, such as "4 groups", or "cuts, no groups", or "none"."""
        if self.model is None:
            return "none"
        return f"{self.model.n_clusters_} groups" if self.groups else "cuts, no groups"


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
    transactions, as_of, by, fewest_purchases, collapse
        As in `category_shares`.
    **options
        As in `ClusterSegments`, such as `n_clusters` and `random_state`.

    Returns
    -------
    CustomerClusters
        Of the customers with enough purchases; without any clusters, and with the reason as sentence, where the log
        has no categories.
    """
    known = rfm_summary(transactions, as_of=as_of, collapse=collapse)["customer_id"]
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
    told = found.cat.add_categories(others).reindex(known.to_numpy()).fillna(others)
    assert (told != others).sum() == len(features), "a customer was lost between clusters"
    customers = told.rename_axis("customer_id").reset_index()
    frames = (model.profile_, model.choice_, model.stability_)
    return CustomerClusters(customers, model.sentence_, model.groups_, *frames, model)


def _without(known: pd.Series, reason: CannotAnswerError) -> CustomerClusters:
    everybody = pd.Categorical([NOT_KNOWN] * len(known), categories=[NOT_KNOWN])
    customers = pd.DataFrame({"customer_id": known.to_numpy(), "cluster": everybody})
    empty = (_EMPTY_PROFILE.copy(), pd.DataFrame(columns=list(COLUMNS)), pd.DataFrame())
    return CustomerClusters(customers, f"No clusters: {reason}.", False, *empty, None)


_EMPTY_PROFILE = pd.DataFrame(columns=["cluster", "name", "customers", "feature", "mean", "standing"])
