"""Page one, from what the chapters have published: figures that a chapter refuses are not used."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

import crmlib as crm
from crmlib.findings import Estimate, Reason, judge
from crmlib.no_rows import why_none
from crmlib.relationship.decisions import decisions
from crmlib.study.results import NotebookResults

UNFIT = judge("BG/NBD", [Reason("do not use", "Its fit did not converge.")], "")
FIT = judge("BG/NBD", [], "All is well.")


@pytest.fixture
def publish(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path))

    def published(verdict):
        """Chapters 5 and 6 with a list of one, a chance to buy and a forecast."""
        silent = pd.DataFrame({"customer_id": ["04"], "chance_to_buy": [0.4], "revenue_at_risk": [80.0]})
        churn, value = (
            NotebookResults(name, tmp_path, as_of=dt.date(1998, 6, 30))
            for name in ("05_churn", "06_lifetime_value")
        )
        churn.table("winnable_customers", silent)
        churn.figure("winnable", Estimate(1, "count"), window="26 weeks", least="10 %")
        churn.headline("One is silent.", figure=verdict)
        words = {"model": "BG/NBD", "value": "revenue"}
        value.figure("coming_quarter", Estimate(900.0, "money", 800.0, 1000.0, window="13 weeks"), **words)
        last = Estimate(-0.1, "share", window="13 weeks after 31 March 1998")
        value.figure("coming_quarter_error", last, **words)
        value.headline("They are expected to bring 900.", figure=verdict)
        return decisions(crm.open_study("cdnow-sample"))

    return published


def test_published_figures_are_listed_and_drawn_with_their_error(publish):
    found = publish(FIT)
    assert found.to_contact["customer_id"].tolist() == ["04"]
    assert found.forecast.value == 900.0
    assert (
        "The same forecast for the 13 weeks after 31 March 1998 was 10 % too low; it knows no seasons."
        in found.believe
    )


def test_nobody_to_contact_differs_from_a_chapter_that_has_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path))
    study = crm.open_study("cdnow-sample")
    assert "no chapter found customers who are silent" in decisions(study).sentences[-1]
    churn = NotebookResults("05_churn", tmp_path, as_of=dt.date(1998, 6, 30))
    churn.figure("winnable", Estimate(0, "count"), window="26 weeks", least="10 %")
    churn.headline("Nobody is silent.")
    assert "as there are no customers who are silent" in decisions(study).sentences[-1]


@pytest.mark.parametrize(("assumed", "says_so"), [(["margin"], True), ([], False)])
def test_an_assumed_margin_is_marked(tmp_path, monkeypatch, assumed, says_so):
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(tmp_path))
    log = crm.open_study("cdnow-sample").transactions.to_pandas()[["customer_id", "date", "amount"]]
    study = crm.open_study(log, margin=0.4, assumed=assumed)
    review = crm.month_review(study.transactions, as_of=study.as_of, margin=study.margin)
    NotebookResults("02_customer_base_audit", tmp_path).table("month_review", review)
    first = decisions(study).sentences[0]
    assert " of contribution" in first
    assert ("of contribution (margin assumed)" in first) == says_so


def test_refused_figures_are_neither_listed_nor_drawn_and_the_reason_is_given(publish):
    found, why = publish(UNFIT), "BG/NBD. Its fit did not converge"
    assert why_none(found.to_contact) == f"the chances to buy are not usable: {why}"
    assert found.sentences[-1].startswith("What to do: contact nobody for now")
    assert not found.forecast.is_known
    assert f"The forecast is not usable: {why}." in found.believe
    assert not any("The same forecast" in line for line in found.believe)
