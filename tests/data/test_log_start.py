"""A log that was cut is distinguished from one that starts with the firm; effects on figures of new customers."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.data.fitness import fitness_gates
from crmlib.data.log_start import log_start
from crmlib.errors import StudyError
from tests.data.firms_by_age import KINDS, LAST_DAY, firm, last_days, simulated_log


@pytest.mark.parametrize("seed", [1, 2])
def test_a_simulated_firm_whose_log_was_cut_fails_and_the_whole_one_passes(seed):
    whole = simulated_log(seed)
    assert log_start(whole, as_of="2025-12-31").status == "pass"
    found = log_start(last_days(whole, 400), as_of="2025-12-31")
    assert found.status == "fail"
    assert "times the first purchases of the same month a year later" in found.found
    assert "of these customers come back as old customers do" in found.found


@pytest.mark.thorough
def test_at_most_one_in_twenty_firms_that_start_with_their_log_fails():
    logs = [
        firm(kind, days=700, customers=2000, rng=np.random.default_rng(seed))
        for kind in KINDS
        for seed in (5, 6, 7)
    ]
    assert sum(log_start(log, as_of=LAST_DAY.date()).status == "fail" for log in logs) <= 1


def test_a_log_of_less_than_a_year_is_judged_by_its_second_half():
    log = last_days(firm("steady", days=1200, customers=6000, rng=np.random.default_rng(3)), 300)
    found = log_start(log, as_of=LAST_DAY.date())
    assert found.status == "fail"
    assert "times the first purchases of a later month" in found.found


def test_after_the_named_day_most_first_purchases_are_by_new_customers():
    whole = firm("steady", days=1500, customers=8000, rng=np.random.default_rng(4))
    log = last_days(whole, 730)
    start = log_start(log, as_of=LAST_DAY.date())
    first = log.groupby("customer_id")["date"].min()
    is_old = whole.groupby("customer_id")["date"].min()[first.index] < log["date"].min()
    known_from = pd.Timestamp(start.new_customers_known_from)
    month = pd.Timedelta(31, "D")
    assert start.status == "fail"
    assert is_old[first.between(known_from, known_from + month)].mean() < 0.3
    assert is_old[first.between(known_from - 3 * month, known_from)].mean() > 0.15
    assert is_old[first < log["date"].min() + month].mean() > 0.5


def test_stray_early_rows_are_not_the_start():
    log = last_days(simulated_log(1), 400)
    stray = log[:1].assign(customer_id="stray", date=pd.Timestamp("1970-01-01"))
    assert log_start(pd.concat([log, stray]), as_of="2025-12-31") == log_start(log, as_of="2025-12-31")


def test_one_cohort_of_new_customers_cannot_be_judged_unless_the_study_says():
    study = crm.open_study("cdnow-sample")
    found = study.log_start
    assert found.status == "not judged"
    assert found.found.startswith(
        "cannot be judged: 0 customers first seen in later months, and 20 are needed"
    )
    assert study.new_customers_known_from is None
    for log_starts, status in (("with_firm", "pass"), ("cut", "fail")):
        gates = fitness_gates(study.transactions, as_of=study.as_of, log_starts=log_starts).set_index("gate")
        assert gates.loc["start of the log", "status"] == status


def test_the_study_overrules_what_the_log_shows():
    whole = simulated_log(1, customers=1000)
    cut = last_days(whole, 400)
    for log, log_starts, status in ((whole, "cut", "fail"), (cut, "with_firm", "pass")):
        study = crm.open_study(log, log_starts=log_starts)
        assert study.log_start.status == status
        assert (study.new_customers_known_from is None) == (status == "pass")
    with pytest.raises(StudyError, match="log_starts: found 'left'"):
        crm.open_study(cut, log_starts="left")


@pytest.mark.parametrize("days", [1, 20, 40, 250])
@pytest.mark.parametrize("log_starts", [None, "cut", "with_firm"])
def test_a_log_of_a_few_days_or_of_one_customer_has_an_answer(days, log_starts):
    log = pd.DataFrame({"customer_id": "a", "date": pd.date_range("2024-01-01", periods=days), "amount": 1.0})
    found = log_start(log, as_of=log["date"].max().date(), log_starts=log_starts)
    assert found.status == {None: "not judged", "cut": "fail", "with_firm": "pass"}[log_starts]


# -- what chapters say of the first months of such a log --------------------------------------------------------------

LOG = pd.DataFrame(
    {
        "customer_id": ["a", "a", "b", "b", "c", "c", "d"],
        "date": pd.to_datetime(
            ["2024-01-01", "2024-03-05", "2024-02-02", "2024-04-03", "2024-03-04", "2024-04-04", "2024-04-05"]
        ),
        "amount": 10.0,
        "category": ["x", "x", "x", "x", "y", "y", "y"],
    }
)
KNOWN = {"as_of": "2024-04-30", "new_from": "2024-02-20"}


def test_new_customers_of_the_first_months_are_not_known():
    months = crm.purchases_by_month(LOG, **KNOWN)
    assert months["new_customers"].fillna(-1).tolist() == [-1, -1, 1, 1]
    assert months["buyers"].tolist() == [1, 1, 2, 3]


def test_cohorts_of_the_first_months_are_marked_and_no_measure_of_new_customers_counts_them():
    cohorts = crm.cohort_comparison(LOG, **KNOWN)
    assert cohorts.groupby("cohort")["is_new"].first().tolist() == [False, False, True, True]
    assert cohorts["revenue"].sum() == LOG["amount"].sum()
    health = cohorts.health
    assert health["new_customers"].fillna(-1).tolist() == [-1, -1, 1, 1]
    assert health["repeat_revenue"].fillna(-1).tolist() == [-1, -1, 10, 20]
    assert health["revenue"].tolist() == [10, 10, 20, 30]
    rates = crm.repeat_rate(LOG, within_days=20, **KNOWN)
    assert rates["is_new"].tolist() == [False, False, True, True]


def test_new_and_existing_customers_of_the_first_months_are_not_compared():
    review = crm.month_review(LOG, as_of="2024-03-31", new_from="2024-02-20").set_index(
        ["customers", "measure"]
    )
    assert review.loc[("all", "buyers"), ["value", "month_before"]].tolist() == [2, 1]
    assert review.loc[("new", "buyers"), "value"] == 1
    assert review.loc[[("new", "buyers"), ("existing", "buyers")], "month_before"].isna().all()


def test_first_products_are_those_of_new_customers():
    assert crm.first_products(LOG, within_days=10, **KNOWN)["first_product"].tolist() == ["y"]


def test_retention_by_age_is_that_of_new_customers():
    found = crm.retention_by_age(LOG, days=[20], **KNOWN)
    assert found["customers"].tolist() == [2] * 3  # c and d
    nobody = crm.retention_by_age(LOG, days=[20], as_of="2024-04-30", new_from="2024-05-01")
    assert nobody["customers"].tolist() == [0] * 3


def test_a_change_between_periods_says_that_not_all_who_count_as_new_are():
    late, early = (
        crm.recent_change(LOG, as_of="2024-04-30", months=2, new_from=day).sentence
        for day in ("2024-03-01", "2024-03-02")
    )
    assert "may be older" not in late
    assert early.endswith("Customers first seen before 2 March 2024 may be older, but count as new.")


def test_what_a_new_customer_costs_is_not_known_from_first_purchases_of_old_ones():
    spend = pd.DataFrame({"date": pd.to_datetime(["2024-04-01"]), "amount": [90.0]})
    options = {"as_of": "2024-04-30", "period": "8W", "marketing_spend": spend}
    assert crm.buyers_case(LOG, **options).acquisition_cost == pytest.approx(22.5)
    case = crm.buyers_case(LOG, new_from="2024-02-20", **options)
    assert case.acquisition_cost is None


def test_charts_draw_new_customers_only():
    cohorts = crm.cohort_comparison(LOG, **KNOWN)
    drawn = crm.charts.cohorts_by_age(cohorts, measure="value_per_customer")
    assert "March 2024" in drawn.alt
    assert "January" not in drawn.alt
    months = crm.charts.per_month(crm.purchases_by_month(LOG, **KNOWN), measure="new_customers")
    assert months.finding == "New customers: 1 in April 2024 as in March 2024"
    base = crm.charts.revenue_by_cohort(crm.cohort_comparison(LOG, as_of="2024-03-31", new_from="2024-02-20"))
    assert "first seen by February 2024, who may be older than the log" in base.finding
