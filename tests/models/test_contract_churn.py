"""Both roads, and what is said where a firm's tables allow only one."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import CannotAnswerError


@pytest.fixture(scope="module")
def telco():
    return crm.who_is_leaving(crm.open_study("telco"), estimator="logistic")


def test_a_table_of_customers_takes_the_contractual_road(telco):
    contracts, buyers = telco
    assert bool(contracts)
    assert not buyers
    assert buyers.said == "Nothing is known of purchases: the study has no purchase log."
    assert contracts.leaks["column"].tolist() == ["total_charges"]
    assert "total_charges is left out: another column says the same" in contracts.notes
    assert contracts.verdict.verdict == "use"
    assert contracts.measures.loc["pairs in order (ROC AUC)", "churn model"].startswith("0.84")
    assert contracts.measures.loc["calibration slope (1 is right)", "base rate"] == "–"
    assert contracts.survival_by == "contract"
    assert set(contracts.survival["group"]) == {"Month-to-month", "One year", "Two year"}


def test_who_can_be_saved_has_stayed_and_is_scored_by_a_model_that_had_not_seen_them(telco):
    contracts, _ = telco
    people = contracts.to_save.set_index("customer_id")
    held_out = contracts.held_out.set_index("customer_id")
    assert len(people) == 7043 - 1869
    assert not held_out.loc[people.index, "churned"].any()
    pd.testing.assert_series_equal(people["p_churn"], held_out.loc[people.index, "p_churn"])
    assert people["p_churn"].is_monotonic_decreasing
    assert people["reason_1"].str.contains("in log odds").mean() > 0.99


def test_a_purchase_log_takes_the_other_road():
    contracts, buyers = crm.who_is_leaving(crm.open_study("cdnow-sample"))
    assert not contracts
    assert bool(buyers)
    assert buyers.words.startswith("MBG/NBD is nearest to who bought")
    assert buyers.to_win_back["net"].is_monotonic_decreasing
    assert (buyers.to_win_back["silent"] > buyers.to_win_back["overdue_after"]).all()


def test_contracts_are_learnt_from_as_they_stood_and_those_that_run_are_scored(tmp_path):
    """Cheap plans last, dear ones hardly: found from a table of subscriptions alone."""
    random = np.random.default_rng(2)
    n = 4000
    dear = random.random(n) < 0.4
    start = pd.Timestamp("2022-01-01") + pd.to_timedelta(random.integers(0, 1000, n), "D")
    end = start + pd.to_timedelta(random.exponential(np.where(dear, 300, 4000)).round(), "D")
    rows = pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(n)], "start": start, "plan": np.where(dear, "dear", "cheap")}
    )
    rows["end"] = end.where(end <= pd.Timestamp("2024-12-31"))
    rows["price_per_month"] = np.where(dear, 40.0, 10.0)
    rows.to_csv(tmp_path / "contracts.csv", index=False)
    (tmp_path / "study.yaml").write_text(
        "title: A gym\nas_of: 2024-12-31\ntables: {subscriptions: {source: contracts.csv}}\n"
    )
    contracts, _ = crm.who_is_leaving(crm.open_study(tmp_path / "study.yaml"), estimator="logistic")
    assert any("held out by date: cut-offs from 2024-09-30 on" in note for note in contracts.notes)
    scores = contracts.scores.set_index("model")
    assert scores.loc["churn model", "roc_auc_low"] > 0.65
    assert contracts.verdict.verdict != "do not use"
    assert len(contracts.to_save) == rows["end"].isna().sum()
    dear_now = rows.set_index("customer_id").loc[contracts.to_save["customer_id"].head(50), "plan"]
    assert (dear_now == "dear").all()
    assert contracts.survival_by == "plan"


def test_neither_table_is_no_answer(tmp_path):
    (tmp_path / "log.csv").write_text(
        "customer_id,date,amount\na,2024-01-05,5\na,2024-02-05,5\nb,2024-01-09,7\n"
    )
    (tmp_path / "study.yaml").write_text("title: A stall\ntables: {transactions: {source: log.csv}}\n")
    with pytest.raises(
        CannotAnswerError, match=r"Nothing is known of contracts.*Nothing can be told from purchases"
    ):
        crm.who_is_leaving(crm.open_study(tmp_path / "study.yaml"))
