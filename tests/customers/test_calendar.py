"""Months, counted by hand and against the log."""

import pandas as pd

import crmlib as crm
from crmlib.customers.audit.months import purchases_by_month


def test_cdnow_acquires_nobody_after_march():
    months = purchases_by_month(crm.open_study("cdnow").transactions, as_of="1998-06-30")
    assert len(months) == 18
    assert months["new_customers"].tolist() == [7846, 8476, 7248, *[0] * 15]
    assert months["new_customers"].sum() == 23_570
    assert round(months["net"].sum(), 2) == 2_500_315.63
    assert months["purchases"].sum() == 69_659 - 2_068  # purchases of one day are one


def test_a_purchase_that_went_back_is_none():
    log = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a"],
            "date": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-02-02"]),
            "amount": [10.0, 30.0, -30.0],
            "is_purchase": [True, True, False],
            "reversed_on": pd.to_datetime([None, "2024-02-02", None]),
            "returned_purchase_date": pd.to_datetime([None, None, "2024-02-01"]),
        }
    )
    assert purchases_by_month(log, as_of="2024-02-29")["purchases"].tolist() == [1, 0]
    assert purchases_by_month(log, as_of="2024-02-01")["purchases"].tolist() == [1, 1]


def test_an_empty_log_has_no_months():
    log = pd.DataFrame({"customer_id": ["a"], "date": pd.to_datetime(["2024-01-01"]), "amount": [1.0]})
    assert purchases_by_month(log, as_of="2023-12-31").empty
