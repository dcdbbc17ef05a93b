"""Charts of a churn model: their titles are true, and odd data do no harm."""

from __future__ import annotations

import pytest

from crmlib import charts
from tests.charts.churn_frames import ODD, deciles, groups, importance
from tests.charts.looks import assert_described, assert_legible


@pytest.mark.parametrize("name", ODD)
def test_odd_data(name: str) -> None:
    draw, frame, options = ODD[name]
    chart = draw(frame, **options)
    assert_described(chart)
    assert_legible(chart)


def test_a_gap_within_its_interval_is_chance() -> None:
    right = charts.churn_calibration(groups([0.1, 0.3], [0.12, 0.27]))
    assert right.title == "Predicted chances are right within chance in all 2 groups"
    wrong = charts.churn_calibration(groups([0.1, 0.3, 0.5], [0.12, 0.2, 0.44]))
    assert "off beyond chance in 2 of 3 groups" in wrong.title
    assert "30 % was predicted and 20 % left" in wrong.title


def test_gains_and_lift_are_those_of_the_riskiest_tenth() -> None:
    frame = deciles({"churn model": [8, 2, *[0] * 8], "tenure alone": [4, 3, 3, *[0] * 7]})
    title = charts.churn_gains(frame).title
    assert title == "The riskiest 10 % of customers hold 80 % of those who left; tenure alone 40 %"
    assert charts.churn_by_decile(frame).title.startswith(
        "80 % of the riskiest tenth left, 8.0 times the average; 0 %"
    )


def test_what_counts_is_said_only_if_it_counts() -> None:
    assert charts.churn_importance(importance({"tenure": 0.1, "plan": 0.0})).title == "Tenure alone counts"
    assert (
        "nothing that held-out customers confirm"
        in charts.churn_importance(importance({"noise": -0.01})).title
    )
