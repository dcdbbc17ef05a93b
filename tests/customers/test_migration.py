"""The same cut-offs for both days: nobody is lost, nobody rises because others left, and the newcomers are named."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from crmlib import rfm_segments, rfm_summary, segment_migration
from crmlib.customers.rfm.migration import NO_LONGER, NOT_YET
from crmlib.customers.rfm.segments import RfmCutOffs
from crmlib.errors import CannotAnswerError, CrmError
from tests.customers.logs import cdnow_sample, log_of, purchase_logs

THRESHOLDS = RfmCutOffs(
    5, recency=(1, 2, 3, 4), frequency=(0, 1, 2, 3), monetary=(10, 20, 30, 40), time_unit="D"
)


def test_a_base_of_four_by_hand():
    log = log_of(
        *[("often", f"2024-01-0{day}", 10.0) for day in range(1, 7)],
        ("once", "2024-01-06", 5.0),
        ("back", "2024-01-01", 5.0),
        ("back", "2024-01-10", 5.0),
        ("new", "2024-01-10", 5.0),
    )
    moved = segment_migration(
        log, before="2024-01-06", after="2024-01-10", time_unit="D", cut_offs=THRESHOLDS
    )
    found = moved.customers.set_index("customer_id").astype(str)
    assert found.loc["often"].tolist() == ["Champions", "At risk"]
    assert found.loc["once"].tolist() == ["New customers", "Hibernating"]
    assert found.loc["back"].tolist() == ["Lost", "Potential loyalists"]
    assert found.loc["new"].tolist() == [NOT_YET, "New customers"]
    assert moved.matrix.loc[NOT_YET].sum() == 1
    assert moved.matrix.to_numpy().sum() == 4
    assert moved.sizes[["before", "after"]].sum().tolist() == [3, 4]


def test_a_customer_whose_every_purchase_went_back_is_named():
    log = log_of(("a", "2024-01-01", 5.0), ("b", "2024-01-01", 5.0), ("b", "2024-01-05", -5.0))
    log["is_purchase"] = log["amount"] > 0
    log["reversed_on"] = [None, pd.Timestamp("2024-01-05"), None]
    log["returned_purchase_date"] = [None, None, pd.Timestamp("2024-01-01")]
    log["reversed_on"] = pd.to_datetime(log["reversed_on"])
    log["returned_purchase_date"] = pd.to_datetime(log["returned_purchase_date"])
    moved = segment_migration(log, before="2024-01-02", after="2024-01-06")
    assert moved.matrix[NO_LONGER].sum() == 1
    assert moved.matrix.to_numpy().sum() == 2
    assert np.allclose(moved.shares.sum(axis=1), 1)


def test_cut_offs_drawn_anew_hide_the_decline_that_frozen_ones_show():
    moved = segment_migration(cdnow_sample(), before="1997-09-30", after="1998-06-30")
    sizes = moved.sizes.set_index("segment")
    assert sizes.loc["Champions"].tolist() == [482, 471, 695]
    assert sizes.loc["Lost"].tolist() == [444, 1218, 439]
    assert moved.matrix.loc["Champions"].sum() == 482
    assert moved.cut_offs == rfm_segments(rfm_summary(cdnow_sample(), as_of="1997-09-30")).cut_offs


@settings(max_examples=12)
@given(purchase_logs())
def test_no_customer_is_lost_and_shares_add_up(log):
    days = log["date"].dt.date
    middle = (pd.Timestamp(days.min()) + (pd.Timestamp(days.max()) - pd.Timestamp(days.min())) / 2).date()
    last = max(days.max(), middle + pd.Timedelta(1, "D"))
    both = [set(rfm_summary(log, as_of=day)["customer_id"]) for day in (middle, last)]
    if not both[0]:
        with pytest.raises(CannotAnswerError, match="nobody had bought by"):
            segment_migration(log, before=middle, after=last)
        return
    moved = segment_migration(log, before=middle, after=last)
    assert set(moved.customers["customer_id"]) == both[0] | both[1]
    assert moved.matrix.to_numpy().sum() == len(both[0] | both[1])
    assert moved.matrix[NO_LONGER].sum() == len(both[0] - both[1])
    assert moved.matrix.loc[NOT_YET].sum() == len(both[1] - both[0])
    assert np.allclose(moved.shares.sum(axis=1), 1)


def test_refusals():
    log = cdnow_sample()
    with pytest.raises(CrmError, match="before is 1998-01-01, not earlier than after 1998-01-01"):
        segment_migration(log, before="1998-01-01", after="1998-01-01")
    with pytest.raises(CannotAnswerError, match="1990-01-01 is before the log"):
        segment_migration(log, before="1990-01-01", after="1998-01-01")
    with pytest.raises(CrmError, match="cut_offs count time in days and the summary in weeks"):
        segment_migration(log, before="1997-06-01", after="1998-01-01", cut_offs=THRESHOLDS)


def test_the_change_of_the_best_is_that_of_the_shares_and_its_interval_is_that_of_resamples():
    moved = segment_migration(cdnow_sample(), before="1997-09-30", after="1998-06-30")
    good = {"Champions", "Loyal"}
    both = moved.customers.astype({"before": str, "after": str})
    was, now = both["before"].isin(good).to_numpy(), both["after"].isin(good).to_numpy()
    assert not both[["before", "after"]].isin([NOT_YET, NO_LONGER]).any(axis=None)
    change = moved.best.difference
    assert change.value == pytest.approx(now.mean() - was.mean())
    draws = np.random.default_rng(1).integers(len(both), size=(2000, len(both)))
    spread = (now[draws].mean(axis=1) - was[draws].mean(axis=1)).std()
    assert (change.high - change.low) / 2 == pytest.approx(1.96 * spread, rel=0.06)
    assert "fell" not in moved.best
    assert "beyond chance" in moved.best
