"""Shares of spend by category: they add up, nobody disappears uncounted, and one purchase shows no need."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.customers.clusters.customer_clusters import category_shares
from crmlib.errors import CannotAnswerError, CrmError
from tests.customers.logs import log_of

rows = st.tuples(
    st.sampled_from("abcd"),
    st.integers(1, 20),
    st.integers(-500, 2000),
    st.sampled_from(["x", "y", "z", None]),
)


def test_by_hand():
    log = log_of(
        ("a", "2024-01-01", 30.0),
        ("a", "2024-01-02", 5.0),
        ("a", "2024-01-02", 5.0),
        ("a", "2024-01-03", -2.0),
        ("b", "2024-01-01", 8.0),
        category=["beer", "bread", None, "wine", "beer"],
    )
    found = category_shares(log, as_of="2024-01-31", fewest_purchases=2)
    assert list(found.columns) == ["customer_id", "beer", "(none)", "bread", "wine"]
    assert found.iloc[0].tolist() == ["a", 0.75, 0.125, 0.125, 0.0]
    assert found.attrs["left_out"] == 1
    rest = category_shares(log, as_of="2024-01-31", fewest_purchases=1, most=1)
    assert list(rest.columns) == ["customer_id", "beer", "other"]
    assert rest["beer"].tolist() == pytest.approx([30 / 38, 1.0])  # other: 5 + 5 - 2


@settings(max_examples=9)
@given(st.lists(rows, min_size=1, max_size=25), st.integers(1, 3))
def test_shares_add_up_and_everybody_is_counted(listed, fewest):
    log = pd.DataFrame(listed, columns=["customer_id", "day", "cents", "category"])
    log["date"], log["amount"] = (
        pd.Timestamp("2024-01-01") + pd.to_timedelta(log["day"], unit="D"),
        log["cents"] / 100,
    )
    log["category"] = log["category"].astype("string")  # text, even where every value is missing
    log = log[["customer_id", "date", "amount", "category"]]
    if log["category"].fillna("(none)").nunique() < 2:
        with pytest.raises(CannotAnswerError, match="needs cannot differ"):
            category_shares(log, as_of="2024-03-01", fewest_purchases=fewest)
        return
    found = category_shares(log, as_of="2024-03-01", fewest_purchases=fewest)
    shares = found.drop(columns="customer_id")
    assert np.allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all(axis=None)
    buyers = log[log["amount"] >= 0].groupby("customer_id")["date"].nunique()
    assert set(found["customer_id"]) <= set(buyers[buyers >= fewest].index)
    assert len(found) + found.attrs["left_out"] == len(buyers)


def test_refusals():
    log = log_of(("a", "2024-01-01", 30.0), ("a", "2024-01-02", 30.0))
    with pytest.raises(CannotAnswerError, match="has no category, so it does not show needs"):
        category_shares(log, as_of="2024-01-31")
    with pytest.raises(CannotAnswerError, match="one category only \\(beer\\)"):
        category_shares(log.assign(category="beer"), as_of="2024-01-31")
    with pytest.raises(CrmError, match="fewest_purchases is 0"):
        category_shares(log.assign(category="beer"), as_of="2024-01-31", fewest_purchases=0)
