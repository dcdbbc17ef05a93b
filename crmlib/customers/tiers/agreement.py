"""How far two ways to cut tiers agree, and which of them to prefer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.clusters.choice import STABLE
from crmlib.customers.clusters.fits import adjusted_rand, shared_customers
from crmlib.customers.tiers.value_tiers import TIERS, ValueTiers, value_tiers
from crmlib.errors import CannotAnswerError

SAME = 0.8  # share of customers from which the two ways do not differ


def compare_cuts(
    profit: pd.DataFrame, summary: pd.DataFrame, *, random_state: int = 0, **options: Any
) -> pd.DataFrame:
    """Fixed shares or clusters: how do the ways to cut tiers differ, and which one should be used here?

    Parameters
    ----------
    profit : CustomerProfit
        As for `value_tiers`, with `customer_id`.
    summary : CustomerSummary
        `customer_id, frequency, time_since_last_purchase`, for clusters on recency, frequency and value.
    random_state : int
        For the clusters.
    **options
        As for `value_tiers`: `cut_offs`, `minimum_exposure_days`.

    Returns
    -------
    DataFrame
        Three rows, fixed shares first: `cut`, `Platinum, Gold, Iron, Lead` (customers), `same` (share of customers in
        the same tier as by fixed shares), `rand` (adjusted Rand index with them), `groups` (whether the clusters are
        groups and no mere cuts), `stability` (adjusted Rand index of resamples), `jaccard` (of the cluster that is
        found again least) and `sentence`; of clusters that cannot be made only the sentence, with the reason.
    """
    behaviour = ["frequency", "time_since_last_purchase"]
    known = summary.set_index("customer_id")[behaviour].reindex(profit["customer_id"])
    # Who only sent back what was bought before the log begins has never bought, as far as it tells.
    filled = known.fillna(
        {"frequency": 0, "time_since_last_purchase": known["time_since_last_purchase"].max()}
    )
    merged = profit.assign(**{name: filled[name].to_numpy() for name in behaviour})
    fixed = value_tiers(merged, **options)
    cuts = {"clusters of value": [], "clusters of recency, frequency and value": behaviour}
    options |= {"method": "clusters", "random_state": random_state}
    rows = [_cut("fixed shares", fixed, fixed)]
    for cut, names in cuts.items():
        try:
            rows.append(_cut(cut, value_tiers(merged, features=names, **options), fixed))
        except CannotAnswerError as reason:
            rows.append({"cut": cut, "groups": False, "sentence": f"Prefer fixed shares: {reason}."})
    return pd.DataFrame(rows)


def _cut(cut: str, tiers: ValueTiers, fixed: ValueTiers) -> dict[str, Any]:
    codes = [one["tier"].cat.codes.to_numpy("int64") for one in (fixed, tiers)]
    shared = shared_customers(codes[0], codes[1], len(TIERS))
    assert shared.sum() == len(tiers), "a customer was lost between tiers"
    same = float(np.trace(shared) / len(tiers)) if len(tiers) else np.nan
    row = {"cut": cut, **dict(zip(TIERS[::-1], shared.sum(axis=0)[::-1], strict=True))}
    row |= {"same": same, "rand": adjusted_rand(shared)}
    clusters = tiers.clusters
    if clusters is None:
        return row | {"groups": False, "stability": np.nan, "jaccard": np.nan, "sentence": ""}
    jaccard = float(clusters.stability_["jaccard"].min())
    sentence = preferred_cut(same, clusters.groups_, jaccard)
    return row | {
        "groups": clusters.groups_,
        "stability": clusters.rand_,
        "jaccard": jaccard,
        "sentence": sentence,
    }


def preferred_cut(same: float, groups: bool, jaccard: float) -> str:
    """Which cut to use, and why: fixed shares unless the clusters are groups that come out again.

    Parameters
    ----------
    same : float
        Share of the customers who are in the same tier both ways.
    groups : bool
        Whether the clusters are groups.
    jaccard : float
        Of the cluster that is found again least.
    """
    both = f"{fmt.share(same)} of customers are in the same tier both ways"
    if not groups:
        return (
            "Prefer fixed shares: customers do not divide by themselves (clusters would be cuts, not groups), so a "
            f"size that the firm can serve is the better reason for a cut; {both}."
        )
    if jaccard < STABLE:
        return (
            "Prefer fixed shares: there are groups, but one of them is not found again in resamples (Jaccard "
            f"{jaccard:.2f}); {both}."
        )
    if same >= SAME:
        return (
            f"Either will do: {both}; fixed shares are easier to explain and to keep from period to period."
        )
    return (
        f"Prefer the clusters: they are groups that are found again (Jaccard {jaccard:.2f} or more), and fixed "
        f"shares cut through them; {both}."
    )
