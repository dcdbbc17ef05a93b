"""What is known at the edges of a legal log is said; what is not known has a reason, and nothing raises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers._log import by_group
from crmlib.customers.tiers.chances import chances_of
from crmlib.customers.tiers.next_period import NextPeriod
from crmlib.errors import CannotAnswerError
from crmlib.models.overdue import Regularity
from crmlib.no_rows import why_none

DAY = "2024-12-30"


def log(amount: float = 20.0, cost: float | None = None, customers: int = 60) -> pd.DataFrame:
    """Everybody buys the same in each of four half years."""
    days = pd.date_range("2023-07-03", periods=4, freq="180D")
    rows = pd.DataFrame([(f"c{who}", day, amount) for day in days for who in range(customers)])
    rows.columns = ["customer_id", "date", "amount"]
    return rows if cost is None else rows.assign(cost=cost)


@pytest.mark.parametrize(("amount", "cost"), [(20.0, 30.0), (20.0, 20.0), (0.0, 0.0)])
def test_retention_of_customers_who_bring_nothing_has_no_worth(amount: float, cost: float) -> None:
    case = crm.buyers_case(log(amount, cost), as_of=DAY, period="26W")
    assert case.claim().finding.verdict == "cannot be tested"
    assert "higher retention cannot raise value" in case.claim().finding.sentence
    assert "higher retention cannot raise value" in why_none(case.mix())
    with pytest.raises(CannotAnswerError, match="a retained customer brings"):
        case.terms  # noqa: B018


def test_nobody_leaves_and_nothing_is_discounted() -> None:
    case = crm.buyers_case(log(), as_of=DAY, period="26W", discount_rate_per_year=0.0)
    assert case.claim().finding.verdict == "cannot be tested"
    with pytest.raises(CannotAnswerError, match="value is infinite; give a discount rate"):
        case.terms  # noqa: B018


def test_contracts_that_all_ended_give_no_price() -> None:
    rows = pd.DataFrame(
        {"customer_id": list("abcd"), "start": pd.Timestamp("2022-03-01"), "price_per_month": 10.0}
    )
    case = crm.contracts_case(rows.assign(end=pd.Timestamp("2024-06-30")), as_of="2024-12-31")
    assert case.reason == "no contract runs on 2024-12-31"
    assert case.claim().finding.verdict == "cannot be tested"


def test_of_nobody_who_skipped_no_share_came_back() -> None:
    again = crm.repurchase_rate(log(), as_of=DAY, days=182)
    assert again[["skipped", "came_back"]].tolist() == [0, 0]
    assert np.isnan(again["came_back_rate"])


def test_tiers_of_nobody_and_of_customers_who_all_cost_money() -> None:
    nobody = pd.DataFrame({"customer_id": [], "revenue": []})
    again = NextPeriod(0, pd.DataFrame({"customer": [], "money": []}, dtype=int))
    with pytest.raises(CannotAnswerError, match="^0 active customers with 0 different values; 50 "):
        chances_of(nobody, again)
    rows, year = log(20.0, 30.0), {"start": "2024-01-01", "end": DAY}
    summary = crm.rfm_summary(rows, as_of=DAY)
    cuts = crm.value_tiers(crm.customer_profit(rows, **year)).compare_cuts(summary)
    assert cuts["Lead"].tolist()[0] == 60
    assert cuts["sentence"].iloc[1:].str.contains("clusters need at least 2 customers; here are 0").all()


def test_a_table_in_which_every_column_gives_the_answer_away() -> None:
    left = np.arange(100) % 2 == 0
    table = pd.DataFrame({"customer_id": range(100), "churned": left, "refunded": left * 10.0})
    data = crm.churn_data(table)
    kept = data.without_leaks(crm.leak_check(data))
    assert kept.reason == "every column predicts the outcome almost perfectly: refunded"
    assert why_none(crm.evaluate_churn(kept).scores) == kept.reason


def test_experiments_in_which_nobody_buys_give_no_list_of_contacts() -> None:
    people = pd.DataFrame({"customer_id": [f"x{one}" for one in range(200)], "experiment": "offer"})
    people = people.assign(group=["treated", "control"] * 100, assigned=pd.Timestamp("2024-06-01"))
    found = crm.campaign_from_experiment(log(), people, as_of=DAY, margin=0.4)
    assert found.sentence == "Not measured: in no experiment do purchases differ from customer to customer."
    assert why_none(found.to_contact)


def test_a_perfect_rhythm_has_a_number() -> None:
    assert "(shape over 30)" in Regularity(np.inf, np.inf, np.inf, 60).sentence
    assert "(shape 2.10, 95 % interval at least 1.90)" in Regularity(2.1, 1.9, np.inf, 60).sentence


def test_of_many_groups_the_largest_are_looked_at_apart_and_no_row_is_lost() -> None:
    rows = pd.concat([log(), log().assign(customer_id="c0")])
    rows = rows.assign(market="m" + rows["customer_id"])
    found = by_group(crm.rfm_summary, rows, by="market", as_of=DAY)
    assert len(found) == 21
    assert list(found)[:2] == ["(40 others)", "mc0"]
    assert sum(len(summary) for summary in found.values()) == 60
