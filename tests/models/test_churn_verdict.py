"""The verdict is a pure function of the figures, as grave as its gravest reason."""

import pandas as pd
import pytest

from crmlib.models.churn.verdict import churn_verdict

GOOD = {
    "model": "churn model", "roc_auc": 0.85, "lift_top_10": 2.8, "lead_low": 0.0, "brier": 0.135,
    "calibration_slope": 1.0, "mean_predicted": 0.266, "base_rate": 0.265, "churned": 1869,
}  # fmt: skip
TENURE = GOOD | {"model": "tenure alone", "roc_auc": 0.74, "lift_top_10": 2.3, "lead_low": 0.1}


def judged(tenure=TENURE, subgroups=None, **changes):
    return churn_verdict(pd.DataFrame([GOOD | changes, tenure]), subgroups=subgroups)


@pytest.mark.parametrize(
    ("changes", "verdict", "message"),
    [
        ({}, "use", "It ranks 85 % of pairs correctly, and its probabilities are right on average."),
        ({"roc_auc": 0.65}, "do not use", "tenure has the better ROC AUC (0.74 against 0.65)"),
        ({"lift_top_10": 2.2}, "do not use", "A simpler rule is as good: tenure has the better lift"),
        ({"roc_auc": 0.55}, "do not use", "It ranks 55 % of pairs correctly."),
        ({"roc_auc": 0.99}, "use with care", "suspiciously high"),
        ({"brier": 0.20}, "do not use", "Brier score is 103 % of that of the base rate"),
        ({"calibration_slope": 0.8}, "use with care", "too extreme (calibration slope 0.80)"),
        ({"calibration_slope": 1.6}, "do not use", "too timid (calibration slope 1.60)"),
        ({"calibration_slope": float("nan")}, "use with care", "slope gap is undefined"),
        ({"mean_predicted": 0.30}, "use with care", "It expects 30 % to leave, and 26 % did."),
        ({"churned": 60}, "use with care", "Only 60 of the held-out customers left"),
    ],
)
def test_each_threshold(changes, verdict, message):
    found = judged(**changes)
    assert found.verdict == verdict
    assert message in " ".join(found.reasons)


def test_the_gravest_reason_comes_first():
    found = judged(calibration_slope=0.8, roc_auc=0.55)
    assert found.verdict == "do not use"
    assert "55 %" in found.reasons[0]
    assert "simpler rule" in found.reasons[1]
    assert "extreme" in found.reasons[2]


def test_a_lead_over_tenure_within_chance_asks_for_care():
    found = judged(tenure=TENURE | {"lead_low": -0.01})
    assert found.verdict == "use with care"
    assert "Tenure alone ranks 74 % of pairs correctly: not fewer beyond chance." in found.reasons
    few = judged(tenure=TENURE | {"roc_auc": 0.5}, roc_auc=0.65)
    assert few.verdict == "use with care"
    assert "It ranks 65 % of pairs correctly." in few.reasons


def test_a_kind_of_customer_judged_wrongly_counts_only_beyond_chance():
    group = {"column": "senior_citizen", "group": "1", "predicted": 0.30, "actual": 0.36, "gap": -0.06}
    assert judged(subgroups=pd.DataFrame([group | {"beyond_chance": False}])).verdict == "use"
    found = judged(subgroups=pd.DataFrame([group | {"beyond_chance": True}]))
    assert found.verdict == "use with care"
    assert "Of customers with senior citizen 1 it expects 30 % to leave, and 36 % did." in found.reasons
