"""Frames of clusters and of segments in time, for the charts of both."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import charts
from crmlib.charts.style import SEGMENT_COLOURS

RFM = ["frequency", "time_since_last_purchase", "mean_spend_per_period"]


def profile(names: list[str], features: list[str], seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = [
        {"cluster": place + 1, "name": name, "customers": 100 * (len(names) - place), "feature": feature}
        for place, name in enumerate(names)
        for feature in features
    ]
    frame = pd.DataFrame(rows, columns=["cluster", "name", "customers", "feature"])
    return frame.assign(mean=random.gamma(2, 20, len(frame)), standing=random.normal(0, 1, len(frame)))


def choice(silhouette: list[float], stability: list[float], valley_p: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"clusters": range(2, 2 + len(silhouette)), "silhouette": silhouette, "stability": stability}
    )
    frame = frame.assign(silhouette_null=0.3, stability_null=0.8, valley_p=valley_p)
    return frame.assign(groups=(frame["valley_p"] <= 0.01) & (frame["stability"] > 0.8))


def moves(counts: list[list[int]], names: list[str]) -> pd.DataFrame:
    matrix = pd.DataFrame(
        counts, index=[*names, "not yet a customer"], columns=[*names, "no longer a customer"]
    )
    return matrix.rename_axis("before").rename_axis("after", axis=1)


def outcomes(names: list[str], spend: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"group": names, "customers": 90, "spend": spend}, dtype=object)
    frame = frame.astype({"spend": float})
    return frame.assign(
        spend_low=frame["spend"] * 0.8,
        spend_high=frame["spend"] * 1.3,
        predicted_spend=frame["spend"] * 0.9 + 1,
    )


def captured(shares: dict[str, float], reach: float = 0.05) -> pd.DataFrame:
    frame = pd.DataFrame({"model": list(shares), "top_20_share": list(shares.values())})
    frame = frame.sort_values("top_20_share", ascending=False, ignore_index=True)
    behind = frame["top_20_share"].max() - frame["top_20_share"]
    frame = frame.assign(behind=behind, behind_low=behind - reach, behind_high=behind + reach)
    return frame.assign(
        top_20_share_low=frame["top_20_share"] - reach, top_20_share_high=frame["top_20_share"] + reach
    )


SEGMENTS = ["Champions", "Potential loyalists", "At risk", "Lost"]
NAMED = ["recent, frequent, high spend", "long silent, rare, low spend", "low spend"]
CATEGORIES = [*"ABCDEFGHIJ", "health and beauty aids", "other"]
OF_SPEND = {"group": "group", "value": "spend"}
OF_RANKINGS = {"group": "model", "value": "top_20_share", "kind": "share", "reference": 0.1}
USUAL = {
    "cluster_profile": (charts.cluster_profile, profile(NAMED, RFM), {}),
    "cluster_choice": (
        charts.cluster_choice, choice([0.4, 0.5, 0.3, 0.28], [0.7, 0.97, 0.6, 0.5], [0.2, 0.001, 0.4, 0.8]), {},
    ),
    "segment_migration": (
        charts.migration,
        moves([[50, 5, 30, 2, 0], [9, 0, 5, 40, 1], [3, 0, 20, 60, 0], [1, 2, 3, 200, 0], [4, 4, 0, 0, 0]], SEGMENTS),
        {"before": "30 September 1997", "after": "30 June 1998"},
    ),
    "holdout_by_group": (
        charts.values_by_group, outcomes(SEGMENTS, [95.0, 30, 25, 6]), OF_SPEND | {"currency": "USD"},
    ),
    "holdout_by_ranking": (
        charts.values_by_group,
        captured({"RFM segments": 0.31, "clusters": 0.28, "CLV": 0.5, "spend so far": 0.48}), OF_RANKINGS,
    ),
}  # fmt: skip
ODD = {
    "one cluster": (charts.cluster_profile, profile(["average"], RFM), {}),
    "eight clusters of twelve shares": (
        charts.cluster_profile,
        profile([f"health and beauty aids {one}" for one in range(8)], CATEGORIES).assign(mean=0.04), {"kind": "share"},
    ),
    "one number of clusters": (charts.cluster_choice, choice([0.4], [0.7], [0.2]), {}),
    "groups at every number": (charts.cluster_choice, choice([0.4] * 9, [0.99] * 9, [0.0] * 9), {}),
    "valleys that do not hold": (charts.cluster_choice, choice([-0.1, 0.2], [0.1, 0.2], [0.0, 0.0]), {}),
    "all segments move": (
        charts.migration, moves((np.ones((12, 12), dtype=int) * 7).tolist(), list(SEGMENT_COLOURS)), {},
    ),
    "nobody moves": (charts.migration, moves([[5, 0], [0, 0]], ["Lost"]), {}),
    "nobody spends": (charts.values_by_group, outcomes(SEGMENTS, [0.0] * 4), OF_SPEND | {"currency": "USD"}),
    "millions by tier": (
        charts.values_by_group, outcomes(["Platinum", "Lead"], [3e6, -5e5]), OF_SPEND | {"currency": "JPY"},
    ),
    "one ranking": (charts.values_by_group, captured({"CLV": 0.4}), OF_RANKINGS),
}  # fmt: skip
