"""How far two ways to cut tiers agree, and which of them to prefer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.clusters.cluster_segments import ClusterSegments
from crmlib.customers.clusters.fits import adjusted_rand, shared_customers
from crmlib.customers.tiers.value_tiers import TIERS, ValueTiers, value_tiers
from crmlib.errors import CrmError

SAME, STABLE = 0.8, 0.75


@dataclass(frozen=True)
class TierAgreement:
    """Two ways to cut the same customers into tiers.

    Attributes
    ----------
    crosstab : DataFrame
        Customers by tier of the first (rows) and of the second (columns), Platinum first.
    same : float
        Share of the customers in the same tier.
    rand : float
        Adjusted Rand index: 1 where both agree on everybody, 0 as by chance.
    """

    crosstab: pd.DataFrame
    same: float
    rand: float


def compare_tiers(one: pd.DataFrame, other: pd.DataFrame) -> TierAgreement:
    """Do two ways of cutting tiers put the same customers into them?

    Parameters
    ----------
    one, other : ValueTiers
        Of the same customers, under the same index.

    Returns
    -------
    TierAgreement

    Examples
    --------
    >>> one, other = (pd.DataFrame({"tier": tiers}) for tiers in (["Gold", "Iron", "Iron"], ["Gold", "Gold", "Iron"]))
    >>> compare_tiers(one, other).same
    0.6666666666666666
    """
    if not one.index.equals(other.index) or not one.index.is_unique:
        raise CrmError("the two do not hold the same customers under the same index")
    codes = [
        pd.Categorical(frame["tier"], categories=list(TIERS)).codes.astype("int64") for frame in (one, other)
    ]
    if min(code.min(initial=0) for code in codes) < 0:
        raise CrmError(f"a tier is none of {', '.join(TIERS)}")
    shared = shared_customers(codes[0], codes[1], len(TIERS))
    names = pd.Index(TIERS, name="tier")
    table = pd.DataFrame(shared, index=names, columns=names).iloc[::-1, ::-1]
    assert shared.sum() == len(one), "a customer was lost between tiers"
    same = float(np.trace(shared) / len(one)) if len(one) else float("nan")
    return TierAgreement(table, same, adjusted_rand(shared))


def which_tiers_to_prefer(agreement: TierAgreement, clusters: ClusterSegments) -> str:
    """Say which cut to use here, and why: fixed shares unless the clusters are groups that come out again.

    Parameters
    ----------
    agreement : TierAgreement
        Of tiers by shares and by clusters.
    clusters : ClusterSegments
        What `value_tiers(..., method="clusters").clusters` holds.

    Returns
    -------
    str
        One sentence, with its figures.
    """
    told = f"{fmt.share(agreement.same)} of customers are in the same tier both ways"
    stable = float(clusters.stability_["jaccard"].min())
    if not clusters.groups_:
        return (
            f"Prefer fixed shares: customers do not divide by themselves (clusters would be cuts, not groups), so a "
            f"size that the firm can serve is the better reason for a cut; {told}."
        )
    if stable < STABLE:
        return (
            f"Prefer fixed shares: there are groups, but one of them is not found again in resamples (Jaccard "
            f"{stable:.2f}); {told}."
        )
    if agreement.same >= SAME:
        return (
            f"Either will do: {told}; fixed shares are easier to explain and to keep from period to period."
        )
    return (
        f"Prefer the clusters: they are groups that are found again (Jaccard {stable:.2f} or more), and fixed "
        f"shares cut through them; {told}."
    )


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
        found again least) and `sentence`.
    """
    behaviour = ["frequency", "time_since_last_purchase"]
    known = summary.set_index("customer_id")[behaviour].reindex(profit["customer_id"])
    # Who only sent back what was bought before the log begins has never bought, as far as it tells.
    filled = known.fillna(
        {"frequency": 0, "time_since_last_purchase": known["time_since_last_purchase"].max()}
    )
    merged = profit.assign(**{name: filled[name].to_numpy() for name in behaviour})
    fixed = value_tiers(merged, **options)
    rows = [_cut("fixed shares", fixed, fixed, "")]
    for cut, features in (("clusters of value", []), ("clusters of recency, frequency and value", behaviour)):
        tiers = value_tiers(
            merged, method="clusters", features=features, random_state=random_state, **options
        )
        assert tiers.clusters is not None
        rows.append(
            _cut(cut, tiers, fixed, which_tiers_to_prefer(compare_tiers(fixed, tiers), tiers.clusters))
        )
    return pd.DataFrame(rows)


def _cut(cut: str, tiers: ValueTiers, fixed: ValueTiers, sentence: str) -> dict[str, Any]:
    agreement, clusters = compare_tiers(fixed, tiers), tiers.clusters
    return {
        "cut": cut,
        **{tier: int((tiers["tier"] == tier).sum()) for tier in reversed(TIERS)},
        "same": agreement.same,
        "rand": agreement.rand,
        "groups": clusters is not None and clusters.groups_,
        "stability": np.nan if clusters is None else clusters.rand_,
        "jaccard": np.nan if clusters is None else float(clusters.stability_["jaccard"].min()),
        "sentence": sentence,
    }
