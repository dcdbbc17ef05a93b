"""The published data that several models are fitted to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

CDNOW = Path(__file__).parents[2] / "data" / "cdnow-sample" / "transactions.csv.gz"


@pytest.fixture(scope="session")
def cdnow_summary() -> pd.DataFrame:
    """CDNOW's 1/10 sample, calibration to 1997-09-30 in weeks, with the purchases of the 39 weeks after it."""
    log = pd.read_csv(CDNOW, parse_dates=["date"])
    days = log.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    end = pd.Timestamp("1997-09-30")
    seen = days[days["date"] <= end]
    first = seen.groupby("customer_id")["date"].min()
    repeat = seen[seen["date"] > seen["customer_id"].map(first)].groupby("customer_id")
    summary = pd.DataFrame({"frequency": repeat.size().reindex(first.index, fill_value=0)})
    summary["recency"] = (seen.groupby("customer_id")["date"].max() - first).dt.days / 7
    summary["T"] = (end - first).dt.days / 7
    summary["monetary_value"] = repeat["amount"].mean().reindex(first.index, fill_value=0.0)
    later = days[days["date"] > end].groupby("customer_id").size()
    summary["holdout"] = later.reindex(first.index, fill_value=0)
    return summary.reset_index()
