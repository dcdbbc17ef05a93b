"""Who leaves a contract, and who stops buying, from a study's tables, step by step as notebook 05 has it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import crmlib as crm


def steps(study):
    """Every step with contracts, with a logistic regression."""
    data = crm.churn_data(study)
    leaks = crm.leak_check(data)
    data = data.without_leaks(leaks)
    tested = crm.evaluate_churn(data, estimator="logistic")
    importance = tested.permutation_importance(repeats=2)
    return SimpleNamespace(
        data=data,
        leaks=leaks,
        tested=tested,
        verdict=tested.verdict(),
        survival=crm.churn_survival(data, importance),
        at_risk=crm.customers_at_risk(data, tested, estimator="logistic"),
    )


@pytest.fixture(scope="module")
def telco():
    return steps(crm.open_study("telco"))


def test_a_table_of_customers_is_learnt_from(telco):
    assert telco.leaks["column"].tolist() == ["total_charges"]
    assert "total charges is left out: another column has the same information" in telco.data.notes
    assert telco.verdict.verdict == "use"
    assert telco.verdict.after("A finding") == "A finding (use)"
    riskiest = telco.tested.predictions.nlargest(704, "p_churn")
    found = riskiest["churned"].sum() / telco.data.churned.sum()
    assert telco.tested.in_words == (
        "27 % of contracts ended; the 10 % with the highest predicted chance include "
        f"{100 * found:.0f} % of those who left."
    )
    assert telco.tested.measures.loc["ROC AUC (share of pairs ranked correctly)", "churn model"].startswith(
        "0.84"
    )
    assert telco.tested.measures.loc["calibration slope (1 is right)", "base rate"] == "not known"
    assert telco.tested.model_scores["churned"] == 1869
    assert set(telco.survival["group"]) == {"Month-to-month", "One year", "Two year"}


def test_who_can_be_kept_has_stayed_and_is_scored_by_a_model_that_had_not_seen_them(telco):
    people = telco.at_risk.customers.set_index("customer_id")
    held_out = telco.tested.predictions.set_index("customer_id")
    assert len(people) == 7043 - 1869
    assert not held_out.loc[people.index, "churned"].any()
    pd.testing.assert_series_equal(people["p_churn"], held_out.loc[people.index, "p_churn"])
    assert people["p_churn"].is_monotonic_decreasing
    assert people["reason_1"].str.contains("in log odds").mean() > 0.99
    assert telco.at_risk.notes[0].startswith("Method for the reasons: exact")


def test_a_purchase_log_shows_who_is_overdue():
    study = crm.open_study("cdnow-sample")
    log, day = study.transactions, study.as_of
    models = [crm.ParetoNBDModel(), crm.ModifiedBetaGeoModel()]
    found = crm.compare_activity(log, as_of=day, models=models)
    assert found.sentence.startswith("MBG/NBD has the best Brier score")
    assert found.best["forecast"] == "MBG/NBD"
    summary = crm.rfm_summary(log, as_of=day)
    model = found.fit_best(summary)
    assert isinstance(model, crm.ModifiedBetaGeoModel)
    overdue = crm.overdue_customers(summary, model)
    everybody = crm.winnable_customers(summary, overdue, model, "26W", least_chance=0.0)
    assert len(everybody) == overdue["overdue"].sum()
    late = crm.winnable_customers(summary, overdue, model, "26W", margin=0.4)
    assert late["margin_at_risk"].is_monotonic_decreasing
    assert (late["chance_to_buy"] >= 0.1).all()
    assert set(late["customer_id"]) < set(everybody["customer_id"])
    # by hand: purchases within the horizon of one who is still a customer, less those expected now
    who = summary.loc[summary["customer_id"] == late["customer_id"][0]]
    alive, expected = model.expected_probability_alive(who), model.expected_purchases(who, "26W")
    lost = 0.4 * who["mean_spend_per_period"] * expected * (1 - alive) / alive
    assert late["margin_at_risk"][0] == pytest.approx(float(lost.iloc[0]))
    assert late["silent_days"][0] == (pd.Timestamp(day) - late["last_bought"][0]).days


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
    study = crm.open_study(tmp_path / "study.yaml")
    found = steps(study)
    assert study.absent_tables == []  # the other table was not missed
    assert found.data.basis.startswith("Fitted to contracts as they stood on earlier days")
    assert any("Held out by date: cut-offs from 30 September 2024 on" in note for note in found.tested.notes)
    assert found.tested.model_scores["roc_auc_low"] > 0.65
    assert found.verdict.verdict != "do not use"
    people = found.at_risk.customers
    assert len(people) == rows["end"].isna().sum()
    dear_now = rows.set_index("customer_id").loc[people["customer_id"].head(50), "plan"]
    assert (dear_now == "dear").all()
    assert set(found.survival["group"]) == {"cheap", "dear"}


def test_too_few_who_left_are_no_data(tmp_path):
    rows = pd.DataFrame({"customer_id": range(60), "churned": ["Yes"] * 3 + ["No"] * 57, "tenure": range(60)})
    rows.to_csv(tmp_path / "customers.csv", index=False)
    about = "title: A shop\nas_of: 2024-12-31\ntables: {customer_features: {source: customers.csv}}\n"
    (tmp_path / "study.yaml").write_text(about)
    data = crm.churn_data(crm.open_study(tmp_path / "study.yaml"))
    assert data.reason.startswith("churned: 3 customers left and 57 stayed; at least 25 of each are needed")
    assert crm.evaluate_churn(data).scores.empty
