"""The page of one customer: history by hand, open cases, and an error for an unknown customer."""

from __future__ import annotations

import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import StudyError
from crmlib.relationship.one_customer import one_customer
from crmlib.report.customer_page import write_customer_page
from crmlib.study.results import NotebookResults


@pytest.fixture(scope="module")
def firm():
    return crm.open_study("simulated-firm")


@pytest.fixture(scope="module")
def someone(firm):
    """A customer with an open case."""
    cases = firm.table("service_cases").to_pandas()
    return cases.loc[cases["closed"].isna(), "customer_id"].iloc[0]


def test_the_history_is_that_of_the_log():
    study = crm.open_study("cdnow-sample")
    log = study.transactions.to_pandas()
    mine = log[(log["customer_id"] == "00111") & log["is_purchase"]]
    found = one_customer(study, "00111")
    assert len(found.purchases) == mine["date"].dt.normalize().nunique()
    assert found.purchases["revenue"].sum() == pytest.approx(mine["amount"].sum())
    assert found.course["month"].iloc[0] == mine["date"].min().to_period("M").to_timestamp()
    assert len(found.course) == 18
    summary = crm.rfm_summary(study.transactions, as_of="1997-12-31")
    model = crm.ParetoNBDModel().fit(crm.rfm_summary(study.transactions, as_of=study.as_of))
    then = model.expected_probability_alive(summary[summary["customer_id"] == "00111"]).iloc[0]
    at_hand = found.course.set_index("month").loc["1997-12-01", "p_alive"]
    assert at_hand == pytest.approx(then)


def test_open_cases_and_promises_are_shown_and_closed_ones_are_not(firm, someone):
    found, cases = one_customer(firm, someone), firm.table("service_cases").to_pandas()
    mine = cases[cases["customer_id"] == someone]
    assert len(found.cases) == mine["closed"].isna().sum() > 0
    touched = firm.table("touchpoints").to_pandas()
    touched = touched[touched["customer_id"] == someone]
    assert len(found.contacts) == len(touched)
    due = touched["promise_due"].notna() & touched["promise_kept_on"].isna()
    assert len(found.promises) == due.sum()


def test_a_customer_shows_the_findings_of_the_report(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path))
    row = {
        "customer_id": ["00111"], "clv": [90.0], "clv_low": [40.0], "clv_high": [140.0], "next_action": ["call"],
        "reason": ["silent"], "expected_gain": [3.0], "assumed": [True], "left_out": [True], "segment": ["Loyal"],
    }  # fmt: skip
    NotebookResults("12_decisions", tmp_path).table("customers", pd.DataFrame(row))
    found = one_customer(crm.open_study("cdnow-sample"), "00111")
    assert "Predicted, from now on: USD 90.00 (USD 40.00 to USD 140)." in found.sentences
    assert found.sentences[-1] == (
        "What to do: call, as silent; expected gain USD 3.00, assumed. The customer is left out by chance: do nothing."
    )
    assert ["segment", "Loyal"] in found.facts.to_numpy().tolist()


def test_a_customer_with_one_purchase_and_an_unknown_customer():
    study = crm.open_study("cdnow-sample", as_of="1997-01-15")
    first = study.transactions.to_pandas().sort_values("date")["customer_id"].iloc[-1]
    assert len(one_customer(study, first).course) == 1
    with pytest.raises(StudyError, match="has no customer 'nobody'"):
        one_customer(study, "nobody")


def test_the_page_stays_in_its_folder_whatever_the_id_is(tmp_path):
    log = pd.DataFrame({"customer_id": ["../../<b>x", "y"] * 20, "amount": 5.0})
    log["date"] = pd.date_range("2024-01-01", periods=40, freq="3D")
    path = write_customer_page(crm.open_study(log, currency="EUR"), "../../<b>x", tmp_path)
    assert path.parent == tmp_path
    page = path.read_text()
    assert "<b>x" not in page
    assert "../../&lt;b&gt;x" in page
    assert 'alt="' in page
