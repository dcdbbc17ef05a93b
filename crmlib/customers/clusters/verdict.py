"""Groups, or cuts through one cloud: the verdict on a clustering in words, with its figures."""

from __future__ import annotations

import math

import pandas as pd

from crmlib import format as fmt
from crmlib.customers.clusters.choice import SIGNIFICANT, STABLE

CUTS = "No clusters beyond a smooth cloud: these are cuts, not groups."


def choose(choice: pd.DataFrame) -> pd.Series:
    """The row of the most clusters that hold as groups; where none do, of those that are cut most stably."""
    held = choice[choice["groups"]]
    return held.iloc[-1] if len(held) else choice.loc[choice["stability"].idxmax()]


def cluster_verdict(choice: pd.DataFrame) -> str:
    """What the figures of `judge_clusters` say of the clusters that were chosen."""
    row = choose(choice)
    clusters = fmt.count(row["clusters"])
    if row["groups"]:
        silhouette, stable = (f"{row[name]:.2f}" for name in ("silhouette", "stability"))
        null = f"{row['silhouette_null']:.2f} and {row['stability_null']:.2f}"
        return (
            f"{clusters} groups: halfway between any two neighbours there are at most {row['valley']:.2f} customers "
            f"for one around the emptier centre; silhouette {silhouette} and stability {stable}, where a cloud without "
            f"groups has up to {null}; each is found again (Jaccard {row['jaccard']:.2f} or more)."
        )
    first, last = choice["clusters"].min(), choice["clusters"].max()
    tried = (
        f"{clusters} clusters"
        if first == last
        else f"{clusters} clusters, the most stable of {first} to {last}"
    )
    return f"{CUTS} Of {tried}: {'; '.join(_failed(row))}."


def _failed(row: pd.Series) -> list[str]:
    """What keeps the clusters from being groups."""
    reasons = {
        f"{_halfway(row['valley'])}, no valley beyond chance": row["valley_p"] > SIGNIFICANT,
        f"silhouette {row['silhouette']:.2f}, where a cloud without groups has up to {row['silhouette_null']:.2f}": (
            row["silhouette"] < row["silhouette_null"]
        ),
        f"stability {row['stability']:.2f}, where a cloud without groups has up to {row['stability_null']:.2f}": (
            row["stability"] < row["stability_null"]
        ),
        f"one of them is not found again (Jaccard {row['jaccard']:.2f})": row["jaccard"] < STABLE,
    }
    return [reason for reason, holds in reasons.items() if holds]


def _halfway(valley: float) -> str:
    """How many customers there are between two neighbouring clusters; nobody around a centre leaves no ratio."""
    if not math.isfinite(valley):
        return "around the emptier of two neighbouring centres there is nobody to compare with"
    return (
        f"halfway between two neighbours there are {valley:.2f} customers for one around the emptier centre"
    )
