"""Charts of a churn model: their titles are true, and odd data do no harm."""

from __future__ import annotations

import pytest

from crmlib.models.sentences import chances_of_leaving, churn_of_tenths, features_that_count, gains
from tests.charts.churn_frames import ODD, deciles, groups, importance
from tests.charts.looks import FINDING, assert_described, assert_legible


@pytest.mark.parametrize("name", ODD)
def test_odd_data(name: str) -> None:
    draw, frame, options = ODD[name]
    chart = draw(frame, FINDING, **options)
    assert_described(chart)
    assert_legible(chart)


def test_a_gap_within_its_interval_is_chance() -> None:
    right = chances_of_leaving(groups([0.1, 0.3], [0.12, 0.27]))
    assert right == "Predicted probabilities are right, within chance, in all 2 groups"
    wrong = chances_of_leaving(groups([0.1, 0.3, 0.5], [0.12, 0.2, 0.44]))
    assert "off beyond chance in 2 of 3 groups" in wrong
    assert "30 % was predicted and 20 % left" in wrong


def test_gains_and_lift_are_those_of_the_riskiest_tenth() -> None:
    frame = deciles({"churn model": [8, 2, *[0] * 8], "tenure alone": [4, 3, 3, *[0] * 7]})
    title = gains(frame)
    found = "The riskiest 10 % of customers contain 80 % of those who left; tenure alone 40 %"
    assert title == f"{found} (difference 10 points to 30 points: beyond chance)"
    assert title.difference.value == pytest.approx(0.4)
    assert (
        gains(frame.assign(lead_low=-0.1)) == f"{found} (difference −10 points to 30 points: may be chance)"
    )
    assert churn_of_tenths(frame).startswith("80 % of the riskiest tenth left, 8.0 times the average; 0 %")


def test_the_title_names_a_driver_only_if_it_matters() -> None:
    assert features_that_count(importance({"tenure": 0.1, "plan": 0.0})) == "Tenure alone matters"
    assert features_that_count(importance({"tenure": 0.1, "plan": 0.0015})) == "Tenure alone matters"
    assert features_that_count(importance({"tenure": 0.1, "plan": 0.05})).endswith(
        "most, beyond chance; then plan"
    )
    assert features_that_count(importance({"tenure": 0.1, "plan": 0.099})) == (
        "Tenure and plan matter most; which of them more is within chance"
    )
    assert "No feature improves predictions" in features_that_count(importance({"noise": -0.01}))
