"""The published table of contractual churn, and calibration on customers held out."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

import crmlib as crm
from crmlib.models.churn.candidates import LINEAR, TREES, make_estimator
from crmlib.models.churn.metrics import Predictions

# Stratified 5-fold, shuffled with seed 42: ROC AUC and its deviation over folds, PR AUC, Brier, lift in the top 10 %.
PUBLISHED = {
    ("telco", LINEAR): (0.845, 0.013, 0.656, 0.136, 2.86),
    ("telco", TREES): (0.834, 0.010, 0.643, 0.141, 2.86),
    ("churn-5000", LINEAR): (0.825, 0.014, 0.471, 0.096, 3.69),
    ("churn-5000", TREES): (0.925, 0.018, 0.884, 0.034, 6.93),
}


@pytest.fixture(scope="module")
def data():
    return {
        name: crm.churn_data(crm.open_study(name).table("customer_features"))
        for name in ("telco", "churn-5000")
    }


@pytest.fixture(scope="module", params=["telco", "churn-5000"])
def evaluated(request, data):
    return request.param, crm.evaluate_churn(data[request.param], resamples=100, random_state=42)


@pytest.mark.parametrize(("name", "estimator"), PUBLISHED)
def test_plain_pipelines_reproduce_the_table(data, name, estimator):
    features, churned = data[name].codes, data[name].churned
    found = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=42).split(features, churned):
        pipeline = make_estimator(estimator, data[name].read.kinds, random_state=0)
        p = pipeline.fit(features.iloc[train], churned[train]).predict_proba(features.iloc[test])[:, 1]
        truth = churned[test]
        top = np.argsort(-p)[: len(p) // 10]
        lift = truth[top].mean() / truth.mean()
        found.append(
            (roc_auc_score(truth, p), average_precision_score(truth, p), brier_score_loss(truth, p), lift)
        )
    auc, pr_auc, brier, lift = np.mean(found, axis=0)
    published = PUBLISHED[name, estimator]
    assert auc == pytest.approx(published[0], abs=0.001)
    assert np.std(found, axis=0)[0] == pytest.approx(published[1], abs=0.001)
    assert (pr_auc, brier) == pytest.approx((published[2], published[3]), abs=0.002)
    assert lift == pytest.approx(published[4], abs=0.02)


@pytest.mark.thorough
def test_the_chosen_model_is_as_good_as_the_best_of_the_table(evaluated):
    name, found = evaluated
    best = max(row for (data, _), row in PUBLISHED.items() if data == name)
    folds = pd.DataFrame(
        [
            Predictions(one["p_churn"].to_numpy(), one["churned"].to_numpy()).metrics()
            for _, one in found.predictions.groupby("fold")
        ]
    )
    assert folds["roc_auc"].mean() > best[0] - 0.5 * best[1]
    assert folds["brier"].mean() < best[3] + 0.003
    assert folds["lift_top_10"].mean() > best[4] - 0.1


def test_chances_are_calibrated_on_customers_held_out(evaluated):
    """A perfect model's slope is 1 with this standard error: the chance that it fell outside .9 to 1.1 is stated."""
    _, found = evaluated
    row = found.scores.set_index("model").loc["churn model"]
    error = (row["calibration_slope_high"] - row["calibration_slope_low"]) / (2 * 1.96)
    assert 2 * (1 - NormalDist(0, error).cdf(0.1)) < 0.02  # false alarms: under 2 %
    assert 0.9 < row["calibration_slope"] < 1.1
    assert row["mean_predicted"] == pytest.approx(row["base_rate"], rel=0.05)


def test_the_simple_rules_stand_beside_it(evaluated):
    name, found = evaluated
    scores = found.scores.set_index("model")
    assert scores.loc["base rate", "roc_auc"] == pytest.approx(0.5, abs=0.01)
    assert scores.loc["base rate", "brier"] == pytest.approx(scores["base_rate"].iloc[0] * 0.859, rel=0.16)
    assert scores.loc["churn model", "brier"] < scores.loc["tenure alone", "brier"]
    tenure = {"telco": 0.739, "churn-5000": 0.517}[name]  # in churn-5000 the age of the account says nothing
    assert scores.loc["tenure alone", "roc_auc"] == pytest.approx(tenure, abs=0.01)
    assert str(found.verdict()).startswith("churn model: use.")


def test_every_customer_is_held_out_once(evaluated, data):
    name, found = evaluated
    assert sorted(found.predictions["customer_id"]) == sorted(data[name].customer_id)
    assert found.deciles.groupby("model")["churned"].sum().tolist() == pytest.approx(
        [data[name].churned.sum()] * 3
    )
    assert (found.deciles.groupby("model")["gain"].max() == 1).all()
    groups = found.subgroups.groupby("column")["customers"].sum()
    assert (groups == len(data[name].features)).all()


def test_what_counts_is_found_on_held_out_customers(evaluated):
    name, found = evaluated
    importance = found.permutation_importance(repeats=1)
    first = {"telco": {"tenure", "contract"}, "churn-5000": {"total_day_minutes", "international_plan"}}[name]
    assert first <= set(importance["feature"].head(3))  # total charges share what tenure says
    assert importance["importance"].is_monotonic_decreasing
