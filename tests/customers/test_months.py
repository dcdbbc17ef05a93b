"""The month in review and the lapsing customers, by hand and on CDNOW."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.audit.best_customers import lapsing_customers
from crmlib.customers.audit.months import month_review, purchases_by_month
from crmlib.errors import CrmError

LOG = pd.DataFrame(
    [
        ("a", "2023-02-01", 100.0),
        ("a", "2024-01-10", 40.0),
        ("b", "2024-01-20", 10.0),
        ("a", "2024-02-03", 30.0),
        ("b", "2024-02-04", 6.0),
        ("b", "2024-02-05", 6.0),
        ("c", "2024-02-29", 14.0),
        ("c", "2024-03-01", 99.0),
    ],
    columns=["customer_id", "date", "amount"],
).astype({"date": "datetime64[us]"})


def cell(review, customers, measure, column):
    return review.set_index(["customers", "measure"]).loc[(customers, measure), column]


def test_existing_and_new_customers_stand_apart():
    review = month_review(LOG, as_of="2024-03-15")
    assert (review["month"] == pd.Timestamp("2024-02-01")).all()
    assert [cell(review, one, "revenue", "value") for one in ("all", "existing", "new")] == [56.0, 42.0, 14.0]
    assert [cell(review, one, "buyers", "value") for one in ("all", "existing", "new")] == [3, 2, 1]
    assert [cell(review, one, "orders", "value") for one in ("all", "existing", "new")] == [4, 3, 1]


def test_against_the_month_and_the_year_before_and_the_budget():
    budget = pd.DataFrame({"date": ["2024-01-31", "2024-02-29"], "revenue": [1.0, 70.0]})
    review = month_review(LOG, as_of="2024-03-15", budget=budget)
    assert cell(review, "all", "revenue", "change_month") == pytest.approx(56 / 50 - 1)
    assert cell(review, "all", "revenue", "change_year") == pytest.approx(56 / 100 - 1)
    assert cell(review, "all", "revenue", "against_budget") == pytest.approx(56 / 70 - 1)
    assert np.isnan(cell(review, "new", "revenue", "budget"))
    assert np.isnan(cell(review, "new", "buyers", "budget"))


def test_the_budget_of_a_firm_is_its_table():
    """The plan as the firm's table has it: revenue and new customers, each held against its own."""
    budget = pd.DataFrame({"date": pd.to_datetime(["2024-02-01"]), "revenue": [70.0], "new_customers": [2.0]})
    review = month_review(LOG, as_of="2024-03-15", budget=budget)
    assert cell(review, "new", "buyers", "against_budget") == pytest.approx(1 / 2 - 1)
    assert review["budget"].notna().sum() == 2
    study = crm.open_study("simulated-firm")
    review = month_review(study.transactions, as_of=study.as_of, budget=study.table("budget"))
    plan = study.table("budget").to_pandas().set_index("date").loc[review["month"][0]]
    assert cell(review, "all", "revenue", "budget") == plan["revenue"]
    assert cell(review, "new", "buyers", "budget") == plan["new_customers"]


def test_a_budget_without_its_columns_is_refused():
    with pytest.raises(CrmError, match="budget has no column 'revenue'; it needs date and revenue"):
        month_review(LOG, as_of="2024-03-15", budget=pd.DataFrame({"date": ["2024-02-01"]}))


@pytest.mark.parametrize(("as_of", "month"), [("2024-02-29", "2024-02-01"), ("2024-02-28", "2024-01-01")])
def test_a_month_is_complete_on_its_last_day(as_of, month):
    assert month_review(LOG, as_of=as_of)["month"][0] == pd.Timestamp(month)


def test_a_month_that_the_log_does_not_cover_is_not_compared():
    review = month_review(LOG[1:], as_of="2024-02-29")  # begins on the 10th of January
    assert np.isnan(cell(review, "all", "revenue", "month_before"))
    assert np.isnan(cell(review, "all", "revenue", "change_year"))


def test_profit_is_assumed_from_a_margin_or_measured_from_cost():
    assumed = month_review(LOG, as_of="2024-02-29", margin=0.5)
    assert cell(assumed, "all", "profit", "value") == 28.0
    measured = month_review(LOG.assign(cost=LOG["amount"] - 1), as_of="2024-02-29", margin=0.5)
    assert cell(measured, "all", "profit", "value") == 4.0


def test_a_log_without_a_complete_month_is_refused():
    with pytest.raises(CrmError, match="no complete month by 2023-02-20"):
        month_review(LOG, as_of="2023-02-20")


def test_cdnow_in_june_1998():
    review = month_review(crm.open_study("cdnow").transactions, as_of="1998-06-30")
    log = crm.open_study("cdnow").transactions.to_pandas()
    june = log[log["date"].dt.to_period("M") == "1998-06"]
    assert cell(review, "all", "revenue", "value") == pytest.approx(june["amount"].sum())
    assert cell(review, "existing", "buyers", "value") == june["customer_id"].nunique()
    assert cell(review, "new", "buyers", "value") == 0


def summary(rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "frequency", "recency", "T", "net"])
    silence = frame["T"] - frame["recency"]
    return frame.assign(last_purchase=pd.Timestamp("2024-01-01"), time_since_last_purchase=silence)


def test_lapsing_is_by_a_customers_own_habit_and_ordered_by_spend():
    rows = [
        ("regular", 10, 20.0, 24.0, 900.0),  # (20/24)^10 = .16: usual
        ("slipping", 10, 20.0, 28.0, 500.0),  # .035
        ("big and slipping", 4, 20.0, 50.0, 800.0),  # .026
        ("gone", 10, 20.0, 40.0, 700.0),  # silent for ten gaps of two
        ("twice", 1, 10.0, 30.0, 999.0),  # .33: one gap is no habit
        ("once", 0, 0.0, 50.0, 999.0),
    ]
    found = lapsing_customers(summary(rows))
    assert found["customer_id"].tolist() == ["big and slipping", "slipping"]
    assert found["chance_of_silence"].tolist() == pytest.approx([0.4**4, (20 / 28) ** 10])
    assert lapsing_customers(summary(rows), n=1)["customer_id"].tolist() == ["big and slipping"]


def test_a_buyer_of_today_is_not_lapsing():
    assert lapsing_customers(summary([("a", 5, 10.0, 10.0, 1.0)])).empty


def test_one_in_twenty_of_the_unchanged_is_listed_however_often_they_buy():
    rng = np.random.default_rng(1)
    for purchases in (2, 5, 20):
        last = rng.uniform(0, 100, size=(4000, purchases)).max(axis=1)
        rows = pd.DataFrame(
            {"customer_id": range(4000), "frequency": purchases, "recency": last, "T": 100.0, "net": 1.0}
        )
        listed = lapsing_customers(summary(rows.to_numpy()), n=4000, lost_gaps=1e9)
        assert abs(len(listed) / 4000 - 0.05) < 4 * (0.05 * 0.95 / 4000) ** 0.5


def test_lapsing_does_not_depend_on_the_unit():
    study = crm.open_study("cdnow-sample")
    lists = [
        lapsing_customers(crm.rfm_summary(study.transactions, as_of=study.as_of, time_unit=unit))[
            "customer_id"
        ]
        for unit in "DW"
    ]
    assert lists[0].tolist() == lists[1].tolist()
    assert len(lists[0]) == 20


def test_thresholds_that_cannot_be_are_refused():
    with pytest.raises(CrmError, match="0 < chance < 1"):
        lapsing_customers(summary([]), chance=5)


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
