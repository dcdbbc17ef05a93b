"""The calendar, accounts of managers and the pace of the month, checked by hand."""

from __future__ import annotations

import pandas as pd
import pytest

import crmlib as crm
from crmlib.no_rows import why_none
from crmlib.relationship.calendars import accounts_of_managers, calendar, pacing, pacing_in_words

DAY = "2023-02-10"
LOG = pd.DataFrame({"customer_id": list("abcde"), "date": pd.Timestamp(DAY), "amount": 9.0})
PEOPLE = pd.DataFrame({
    "customer_id": list("abcde"),
    "birthday": ["1980-02-10", "1990-03-12", "1990-03-13", "2000-02-29", "1970-02-20"],
    "birthday_consent": ["yes", "yes", "yes", "yes", "no"],
    "manager_id": ["m1", "m1", "m2", None, "m2"],
})  # fmt: skip
ACTIONS = pd.DataFrame({
    "customer_id": list("abcde"), "next_action": ["call", "call", "none", "none", "none"],
    "left_out": [False, True, None, None, None], "clv": [1.0, 2.0, 3.0, 4.0, None],
})  # fmt: skip


def firm(tmp_path, personal: str = "keep", **tables: pd.DataFrame):
    lines = [f"title: Shop\ncurrency: EUR\npersonal_columns: {personal}\ntables:"]
    for name, table in ({"transactions": LOG, "customers": PEOPLE} | tables).items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        lines.append(f"  {name}: {{source: {name}.csv}}")
    (tmp_path / "study.yaml").write_text("\n".join(lines) + "\n")
    return crm.open_study(str(tmp_path / "study.yaml"))


def test_birthdays_of_thirty_days_with_consent_and_reminders_but_not_of_those_left_out(tmp_path):
    found = calendar(firm(tmp_path), ACTIONS)
    days = [(str(row.due.date()), row.kind, row.customer_id) for row in found.itertuples()]
    assert days == [
        ("2023-02-10", "birthday", "a"),
        ("2023-02-10", "reminder", "a"),
        ("2023-03-01", "birthday", "d"),  # of 29 February, in a year without one
        ("2023-03-12", "birthday", "b"),
    ]


def test_without_kept_birthdays_there_are_none(tmp_path):
    found = calendar(firm(tmp_path, personal="drop"), ACTIONS)
    assert found["kind"].tolist() == ["reminder"]
    nothing = calendar(firm(tmp_path, personal="drop"), ACTIONS.assign(next_action="none"))
    assert why_none(nothing) == "nothing is due within 30 days"


def test_contracts_that_end_and_promises_not_kept(tmp_path):
    contracts = pd.DataFrame({"customer_id": list("ab"), "start": "2022-01-01", "price_per_month": 5.0})
    contracts["end"] = ["2023-03-01", "2023-04-30"]
    touched = pd.DataFrame({"customer_id": list("cd"), "date": "2023-02-01", "channel": "phone"})
    touched = touched.assign(promise_due=["2023-02-05", "2023-02-12"], promise_kept_on=[None, "2023-02-08"])
    found = calendar(firm(tmp_path, subscriptions=contracts, touchpoints=touched), ACTIONS)
    assert found.loc[found["kind"] == "contract ends", "customer_id"].tolist() == ["a"]
    assert found.loc[found["kind"] == "promise", "customer_id"].tolist() == ["c"]
    assert found["due"].is_monotonic_increasing


def test_each_customer_has_one_manager_or_none(tmp_path):
    found = accounts_of_managers(firm(tmp_path), ACTIONS).set_index("manager_id")
    assert found["customers"].to_dict() == {"m1": 2, "m2": 2, "no manager": 1}
    assert found["to_act_on"].to_dict() == {"m1": 1, "m2": 0, "no manager": 0}
    assert found["clv"].to_dict() == {"m1": 3.0, "m2": 3.0, "no manager": 4.0}


def test_the_pace_of_a_month_is_that_of_earlier_months():
    """Of each month two thirds come by the 10th; 60 so far is 90 at its end, a tenth under a budget of 100."""
    rows = [(f"2024-{month:02d}-{day}", 10.0) for month in range(1, 6) for day in ("05", "10", "20")]
    rows += [("2024-06-05", 30.0), ("2024-06-10", 30.0)]
    log = pd.DataFrame(rows, columns=["date", "amount"]).assign(customer_id="a")
    log["date"] = pd.to_datetime(log["date"])
    plan = pd.DataFrame({"date": [pd.Timestamp("2024-06-01")], "revenue": [100.0]})
    found = pacing(log, plan, as_of="2024-06-10").iloc[0]
    assert found[["so_far", "usual_share", "expected"]].tolist() == pytest.approx([60.0, 2 / 3, 90.0])
    assert found["against_plan"] == pytest.approx(-0.1)
    sentence = pacing_in_words(pacing(log, plan, as_of="2024-06-10"), "EUR")
    assert sentence.startswith(
        "June 2024 has brought EUR 60.00 so far; at the pace of earlier months it ends at EUR 90.00"
    )
    assert "−10 % against the budget" in sentence
    without = pacing(log, plan[:0], as_of="2024-06-10")
    assert "budget" not in pacing_in_words(without, "EUR")
    assert why_none(pacing(log, plan, as_of="2024-05-31")) == "the month is over"
    assert why_none(pacing(log, plan, as_of="2024-03-10")) == "fewer than three complete months are known"
