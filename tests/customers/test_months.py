"""The month in review, by hand and on CDNOW."""

import warnings

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.audit.cohorts import cohort_comparison
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


@pytest.mark.thorough
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
    assert cell(assumed, "all", "contribution", "value") == 28.0
    measured = month_review(LOG.assign(cost=LOG["amount"] - 1), as_of="2024-02-29", margin=0.5)
    assert cell(measured, "all", "contribution", "value") == 4.0


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


def test_a_new_customer_costs_the_spend_of_the_month_divided_by_those_won_in_it():
    log = pd.DataFrame({"customer_id": ["a", "b", "c", "a"], "amount": 10.0})
    log["date"] = pd.to_datetime(["2024-01-01", "2024-02-10", "2024-02-20", "2024-02-28"])
    spend = pd.DataFrame({"date": pd.to_datetime(["2024-02-01", "2024-02-15"]), "amount": [30.0, 12.0]})
    review = month_review(log, as_of="2024-02-29", marketing_spend=spend)
    row = review.set_index(["customers", "measure"]).loc[("new", "marketing spend per new customer")]
    assert (row["value"], row["unit"]) == (21.0, "money")
    assert np.isnan(row["month_before"])  # no spend of January is known, which is not no spend
    assert "marketing spend per new customer" not in set(month_review(log, as_of="2024-02-29")["measure"])


def test_the_month_and_the_cohorts_count_the_money_of_the_same_customers():
    log = pd.DataFrame({"customer_id": ["a", "b"], "amount": [10.0, -4.0]})
    log["date"] = pd.to_datetime(["2024-01-01", "2024-01-20"])  # b never bought: a return of nothing known
    log = log.assign(is_purchase=log["amount"] > 0, reversed_on=pd.NaT, returned_purchase_date=pd.NaT)
    review = month_review(log, as_of="2024-01-31", margin=0.5)
    health = cohort_comparison(log, as_of="2024-01-31", margin=0.5).health
    for measure in ("revenue", "contribution"):
        assert cell(review, "all", measure, "value") == health[measure].iloc[-1]


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


def test_the_change_from_months_without_an_order_is_unknown_without_a_warning():
    """Nobody bought in the month before, nor a year before."""
    log = pd.DataFrame(
        {"customer_id": ["a", "b"], "amount": [10.0, 20.0], "date": ["2023-02-01", "2024-03-05"]}
    )
    review = month_review(log.assign(date=pd.to_datetime(log["date"])), as_of="2024-03-31")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = review.of("revenue")
    assert found["found"].value == 20.0
    assert not found["change"].is_known
