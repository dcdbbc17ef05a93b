"""One rule for what may have been known only afterwards: a leak is refused everywhere, a suspect named everywhere."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.errors import FitError

QUICK = {"estimator": "logistic", "resamples": 5}


@pytest.fixture(scope="module")
def firm():
    """Short tenure and monthly contracts leave; calls were logged in part after the customers had left."""
    random = np.random.default_rng(0)
    tenure = random.gamma(2.0, 12.0, 1500)
    monthly = random.random(1500) < 0.5
    left = random.random(1500) < 1 / (1 + np.exp(0.06 * tenure - 1.0 * monthly))
    frame = pd.DataFrame({"customer_id": np.arange(1500).astype(str), "tenure": tenure})
    frame["contract"] = np.where(monthly, "monthly", "yearly")
    frame["call_duration"] = random.gamma(2, 60, 1500) * (1 + left)
    return frame.assign(churned=np.where(left, "Yes", "No"))


@pytest.fixture(scope="module")
def tested(firm):
    return crm.evaluate_churn(crm.churn_data(firm), **QUICK)


def test_a_suspect_stands_beside_every_score(tested):
    assert tested.in_doubt[["column", "finding"]].values.tolist() == [["call_duration", "suspect"]]
    area = tested.scores.set_index("model")["roc_auc"]
    assert area["without columns in doubt"] < area["churn model"] - 0.02
    assert list(tested.measures) == ["churn model", "without columns in doubt", "tenure alone", "base rate"]
    assert (
        tested.caveat
        == f", with call duration in doubt (ROC AUC {area['without columns in doubt']:.2f} without)"
    )
    verdict = tested.verdict()
    assert verdict.verdict == "use with care"
    found = (
        f"Was this known in time: call duration? Without it, {100 * area['without columns in doubt']:.0f} %"
    )
    assert found in verdict.sentence
    assert "without columns in doubt" in crm.charts.churn_gains(tested.deciles).alt


def test_the_score_without_is_that_of_a_table_without(firm, tested):
    alone = crm.evaluate_churn(crm.churn_data(firm, leave_out=["call_duration"]), **QUICK)
    area = tested.scores.set_index("model").loc["without columns in doubt", "roc_auc"]
    assert alone.model_scores["roc_auc"] == pytest.approx(area)
    assert alone.caveat == ""
    assert list(alone.scores["model"]) == ["churn model", "tenure alone", "base rate"]
    assert "p_without" not in alone.predictions


def test_a_leak_is_refused_by_model_and_evaluation_alike(firm):
    data = crm.churn_data(firm.assign(closed=firm["churned"].eq("Yes").astype(int)))
    found = r"closed alone predicts who left .*leave_out=\['closed'\].*keep_leaks=True"
    with pytest.raises(FitError, match=found):
        crm.evaluate_churn(data, **QUICK)
    with pytest.raises(FitError, match=found):
        crm.ChurnModel("logistic").fit(data)
    kept = crm.evaluate_churn(data, keep_leaks=True, **QUICK)
    assert kept.in_doubt["column"].tolist() == ["closed", "call_duration"]
    assert "Was this known in time: closed, call duration?" in kept.verdict().sentence


def test_a_model_of_suspects_alone_has_no_score_without_them(firm):
    data = crm.churn_data(firm, leave_out=["tenure", "contract"])
    alone = crm.evaluate_churn(data, **QUICK)
    assert alone.caveat == ", with call duration in doubt"
    assert "without columns in doubt" not in alone.scores["model"].tolist()
