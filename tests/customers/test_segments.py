"""Scores share ties, cut-offs freeze, every customer has a segment, and nobody new is at risk."""

import json
import pickle
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib import rfm_segments, rfm_summary
from crmlib.customers.rfm.segments import RfmCutOffs, default_segments
from crmlib.errors import CrmError
from tests.customers.logs import cdnow_sample, log_of

FEW = settings(max_examples=60)
customers = st.tuples(
    st.integers(0, 6), st.sampled_from([0.0, 0.5, 3.0, 7.0, 20.0, 60.0]), st.integers(-2000, 90000)
)


def summary_of(rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["frequency", "time_since_last_purchase", "net"])
    frame["net"] = frame["net"] / 100
    return frame.assign(customer_id=[f"c{i}" for i in range(len(frame))])


def quintiles() -> pd.DataFrame:
    """Ten customers with ten values each, so that every fifth is two of them."""
    return pd.DataFrame(
        {
            "customer_id": list("abcdefghij"),
            "frequency": range(10),
            "time_since_last_purchase": np.arange(10, 0, -1) * 2.0,
            "net": np.arange(1, 11) * 100.0,
        }
    )


def test_ten_different_customers_make_five_pairs():
    found = rfm_segments(quintiles())
    for name in ("r_score", "f_score", "m_score"):
        assert found[name].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert found["segment"].tolist() == [
        *["Lost"] * 2,
        *["Hibernating"] * 2,
        *["Loyal"] * 2,
        *["Champions"] * 4,
    ]
    assert found.cut_offs.recency == (4.0, 8.0, 12.0, 16.0)
    assert found.cut_offs.frequency == (1.0, 3.0, 5.0, 7.0)
    assert found.cut_offs.notes == ()


@pytest.mark.parametrize(
    ("r", "f", "name"),
    [
        (5, 5, "Champions"),
        (3, 4, "Loyal"),
        (4, 2, "Potential loyalists"),
        (5, 1, "New customers"),
        (4, 1, "Promising"),
        (3, 2, "Need attention"),
        (3, 1, "About to sleep"),
        (2, 5, "At risk"),
        (1, 3, "At risk"),
        (1, 5, "Cannot lose"),
        (2, 2, "Hibernating"),
        (1, 1, "Lost"),
    ],
)
def test_each_usual_segment_is_where_its_name_says(r, f, name):
    frozen = RfmCutOffs(5, recency=(1, 2, 3, 4), frequency=(1, 2, 3, 4), monetary=(1, 2, 3, 4))
    one = pd.DataFrame(
        {"customer_id": ["a"], "frequency": [f], "time_since_last_purchase": [6.0 - r], "net": [9.0]}
    )
    found = rfm_segments(one, cut_offs=frozen)
    assert found[["r_score", "f_score", "m_score"]].values.tolist() == [[r, f, 5]]
    assert found["segment"].tolist() == [name]


@FEW
@given(st.lists(customers, min_size=1, max_size=40))
def test_scores_follow_the_values_and_ties_share_them(rows):
    summary = summary_of(rows)
    found = rfm_segments(summary)
    for score, values in {
        "r_score": -summary["time_since_last_purchase"],
        "f_score": summary["frequency"],
        "m_score": summary["net"],
    }.items():
        given_scores = found[score].groupby(values).agg(["min", "max"])
        assert (given_scores["min"] == given_scores["max"]).all()
        assert given_scores["min"].is_monotonic_increasing
        assert found[score].between(1, 5).all()
    assert found["segment"].notna().all()
    today = summary["time_since_last_purchase"] == 0
    assert (found["r_score"][today] == 5).all()
    new = today & (summary["frequency"] == 0)
    assert set(found["segment"][new]) <= {"New customers"}


@FEW
@given(st.lists(customers, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_order_of_customers_and_currency_change_no_score(rows, seed):
    summary = summary_of(rows)
    order = list(summary.index)
    seed.shuffle(order)
    other = summary.loc[order].assign(net=lambda frame: frame["net"] * 64)
    expected = pd.DataFrame(rfm_segments(summary))
    pd.testing.assert_frame_equal(pd.DataFrame(rfm_segments(other)).sort_index(), expected)


@FEW
@given(st.lists(customers, min_size=1, max_size=40))
def test_segment_table_adds_up(rows):
    summary = summary_of(rows)
    table = rfm_segments(summary).table(summary)
    assert table["segment"].tolist() == default_segments()["segment"].tolist()
    assert table["customers"].sum() == len(summary)
    assert table["share_of_customers"].sum() == pytest.approx(1)
    assert table["net"].sum() == pytest.approx(summary["net"].sum(), abs=1e-9)
    if summary["net"].sum() > 0:
        assert table["share_of_net"].sum() == pytest.approx(1)
    else:
        assert table["share_of_net"].isna().all()


def test_cdnow_says_what_is_left_of_the_frequency_score():
    summary = rfm_summary(cdnow_sample(), as_of="1998-06-30")
    found = rfm_segments(summary)
    one_time = (summary["frequency"] == 0).sum()
    assert one_time == 1218  # more than half of the 2,357 customers
    (note,) = [one for one in found.cut_offs.notes if one.startswith("Frequency")]
    assert "1,218 of 2,357 customers share the value 0" in note
    assert "score 2" in note
    assert set(found["f_score"]) == {1, 3, 4, 5}
    assert set(found["f_score"][summary["frequency"] == 0]) == {1}


def test_frozen_cut_offs_show_a_decline_that_fresh_ones_hide():
    log = cdnow_sample()
    before = rfm_segments(rfm_summary(log, as_of="1997-09-30"))
    later = rfm_summary(log, as_of="1998-06-30")
    frozen, fresh = rfm_segments(later, cut_offs=before.cut_offs), rfm_segments(later)
    assert frozen.cut_offs == before.cut_offs
    share = [(found["r_score"] == 5).mean() for found in (before, fresh, frozen)]
    assert share[0] == pytest.approx(0.2, abs=0.01)
    assert share[1] == pytest.approx(0.2, abs=0.01)
    assert share[2] < 0.15


def test_cut_offs_survive_a_file_and_a_pickle():
    found = rfm_segments(rfm_summary(cdnow_sample(), as_of="1997-09-30"))
    text = json.dumps(asdict(found.cut_offs))
    assert RfmCutOffs(**json.loads(text)) == found.cut_offs
    assert pickle.loads(pickle.dumps(found)).cut_offs == found.cut_offs
    assert found[found["r_score"] == 5].cut_offs == found.cut_offs
    assert found.cut_offs.time_unit == "W"


def test_everybody_who_bought_today_for_the_first_time_is_new():
    log = log_of(("a", "2024-01-01", 5), ("b", "2024-01-01", 700))
    found = rfm_segments(rfm_summary(log, as_of="2024-01-01"))
    assert found["segment"].tolist() == ["New customers", "New customers"]
    assert [note.split(":")[0] for note in found.cut_offs.notes] == ["Recency", "Frequency", "Monetary"]


def test_a_buyer_of_today_is_no_risk_even_under_odd_cut_offs():
    odd = RfmCutOffs(5, recency=(-4, -3, -2, -1), frequency=(0, 0, 0, 0), monetary=(0, 0, 0, 0))
    today = pd.DataFrame(
        {"customer_id": ["a"], "frequency": [0], "time_since_last_purchase": [0.0], "net": [9.0]}
    )
    assert rfm_segments(today, cut_offs=odd)["segment"].tolist() == ["New customers"]


def test_one_customer_and_nobody():
    one = quintiles().head(1)
    assert len(rfm_segments(one)) == 1
    with pytest.raises(CrmError, match="no customer to draw cut-offs from"):
        rfm_segments(one.head(0))
    kept = rfm_segments(quintiles()).cut_offs
    nobody = rfm_segments(one.head(0), cut_offs=kept)
    assert nobody.empty
    assert nobody.table(one.head(0))["customers"].sum() == 0


def test_rules_can_be_edited_and_the_first_match_wins():
    rules = pd.DataFrame(
        [("Top", 3, 3, 3, 3), ("Fresh", 3, 3, 1, 3), ("Rest", 1, 3, 1, 3)],
        columns=["segment", "r_min", "r_max", "f_min", "f_max"],
    )
    found = rfm_segments(quintiles(), scores=3, segments=rules)
    assert found["segment"].tolist() == ["Rest"] * 6 + ["Fresh"] + ["Top"] * 3
    assert found["segment"].cat.categories.tolist() == ["Top", "Fresh", "Rest"]
    assert found["segment"].max() == "Rest"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rules: rules.drop(columns="f_max"), "segments has no column 'f_max'"),
        (
            lambda rules: rules.iloc[:-1],
            "segments leave 2 of 25 pairs of scores without a name, such as r 1, f 1",
        ),
        (lambda rules: rules.assign(r_max=6), "'Champions' has r 4 to 6"),
        (lambda rules: rules.assign(f_min=1.5), "whole numbers from 1 to 5"),
        (lambda rules: rules.assign(r_min="high"), "'Champions' has r high to 5"),
        (lambda rules: rules.assign(segment=None), "a row without a name"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(change, message):
    with pytest.raises(CrmError, match=message):
        rfm_segments(quintiles(), segments=change(default_segments()))


def test_refusals_name_what_is_wrong():
    summary = quintiles()
    with pytest.raises(CrmError, match="summary has no column 'net'"):
        rfm_segments(summary.drop(columns="net"))
    with pytest.raises(CrmError, match="'frequency' has a value that is missing"):
        rfm_segments(summary.assign(frequency=np.nan))
    with pytest.raises(CrmError, match="defined on 5 scores, not 4"):
        rfm_segments(summary, scores=4)
    with pytest.raises(CrmError, match="scores is 1"):
        rfm_segments(summary, scores=1)
    with pytest.raises(CrmError, match="cut_offs.recency is \\(2, 1\\)"):
        RfmCutOffs(3, recency=(2, 1), frequency=(1, 2), monetary=(1, 2))
    with pytest.raises(CrmError, match="segments hold 10 customers and the summary 9"):
        rfm_segments(summary).table(summary.head(9))
    twice = summary.assign(customer_id="a")
    with pytest.raises(CrmError, match="each once"):
        rfm_segments(twice).table(twice)


def test_cut_offs_of_another_unit_are_refused():
    weeks, days = (rfm_summary(cdnow_sample(), as_of="1998-06-30", time_unit=unit) for unit in "WD")
    with pytest.raises(CrmError, match="cut_offs count time in weeks and the summary in days"):
        rfm_segments(days, cut_offs=rfm_segments(weeks).cut_offs)
