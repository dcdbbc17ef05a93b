"""Charts of clusters and of segments in time: legible on odd data, and titles that say what the frame says."""

from __future__ import annotations

import warnings

import pytest

from crmlib.customers.sentences import clusters_described, clusters_judged, moves_of_segments
from crmlib.findings import in_currency
from crmlib.models.sentences import rankings_compared, spend_of_groups
from tests.charts.looks import FINDING, assert_described, assert_legible
from tests.charts.segment_frames import NAMED, ODD, RFM, SEGMENTS, captured, choice, moves, outcomes, profile


@pytest.mark.parametrize("name", ODD)
def test_odd_data(name: str) -> None:
    draw, frame, options = ODD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = draw(frame, FINDING, **options)
        assert_described(chart)
        assert_legible(chart)


def test_profile_names_the_largest_and_the_feature_that_sets_apart() -> None:
    frame = profile(NAMED, RFM).assign(standing=0.1)
    frame.loc[frame["feature"] == "frequency", "standing"] = [1.0, -1.0, -0.5]
    title = clusters_described(frame)
    assert title == f"The largest of 3 clusters, “{NAMED[0]}”, holds 50 %; they differ most in frequency"


def test_choice_says_groups_only_where_they_are() -> None:
    usual = clusters_judged(choice([0.4, 0.5], [0.7, 0.97], [0.2, 0.001]))
    assert usual.startswith("3 clusters are groups")
    cuts = clusters_judged(choice([0.4, 0.5], [0.9, 0.97], [0.2, 0.3]))
    assert cuts.startswith("Cuts, not groups, with 2 to 3 clusters: no valley")
    assert "higher than in data without groups" in cuts
    assert "beyond" not in clusters_judged(choice([0.2, 0.5], [0.9, 0.9], [0.2, 0.3]))
    shaky = clusters_judged(choice([0.4, 0.5], [0.7, 0.7], [0.001, 0.3]))
    assert "are not stable" in shaky


def test_moves_follow_the_best_segment() -> None:
    matrix = moves([[50, 5, 30, 2, 13], [0] * 5, [0] * 5, [0] * 5, [0, 1, 0, 0, 0]], SEGMENTS)
    title = moves_of_segments(matrix, "the first day")
    assert title == "Of 100 customers in “Champions” on the first day, 50 % stayed; 30 % went to “At risk”"


def test_holdout_titles() -> None:
    title = in_currency(spend_of_groups(outcomes(["x", "y"], [2.0, 8.0])), "EUR")
    assert title == (
        "y spent EUR 8.00 per customer in the holdout, x EUR 2.00 "
        "(difference EUR 3.94 to EUR 8.06: beyond chance)"
    )
    apart = rankings_compared(captured({"x": 0.2, "CLV": 0.5}))
    assert apart.endswith(
        "brought 50 % of later spend, by x 20 % (difference 25 points to 35 points: beyond chance)"
    )
    assert "may be chance" in rankings_compared(captured({"x": 0.46, "CLV": 0.5}))
    assert "Too few" in rankings_compared(captured({"x": 0.2, "CLV": 0.5}), False)
