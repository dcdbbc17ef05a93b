"""The verdict is a pure function of the scores; every threshold turns it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from crmlib.errors import CrmError
from crmlib.findings import CARE, REFUSE, USE
from crmlib.models.backtesting.verdict import Thresholds, verdict, verdicts

GOOD = {
    "kind": "model",
    "customers": 5000,
    "actual": 4000.0,
    "predicted": 4040.0,
    "total_error": 0.01,
    "group_error": 0.03,
    "probability_gap": 0.01,
    "coverage_gap": 0.005,
    "pit_distance": 0.01,
    "rmse": 1.0,
    "rival": "RFM score",
    "rival_ahead_low": -0.02,
    "rival_ahead_high": 0.3,
    "log_score": 1.0,
    "loglik": -9000.0,
    "converged": True,
}


def scores(**changes):
    rows = [
        {"model": "M"} | GOOD | changes,
        {"model": "same rate", "kind": "rule", "rmse": 1.5},
        {"model": "hiatus rule", "kind": "rule", "rmse": 1.4},
    ]
    return pd.DataFrame(rows)


def origins(error, inside=(True, True)):
    return pd.DataFrame(
        {"model": ["M", "M", "other"], "total_error": [error, -error, 9.0], "inside": [*inside, False]}
    )


# what lies just within and just beyond each threshold
WORSE = {
    "total_error": lambda value: {"total_error": -value},
    "group_error": lambda value: {"group_error": value},
    "probability_gap": lambda value: {"probability_gap": value},
    "coverage_gap": lambda value: {"coverage_gap": -value},
    "pit_distance": lambda value: {"pit_distance": value},
    "rmse_ratio": lambda value: {"rmse": 1.4 * value},
}


def test_a_good_model_is_to_be_used_and_why():
    found = verdict(scores(), "M", origins=origins(0.05))
    assert found.verdict == USE
    assert found.reasons == (
        "It predicts 1 % more purchases than the 4,000 that happened. All other measures are within their thresholds.",
    )


@pytest.mark.parametrize("stem", WORSE)
@pytest.mark.parametrize(("suffix", "below", "above"), [("care", USE, CARE), ("refuse", CARE, REFUSE)])
def test_each_threshold_turns_the_verdict(stem, suffix, below, above):
    limit = getattr(Thresholds(), f"{stem}_{suffix}")
    assert verdict(scores(**WORSE[stem](limit * 0.999)), "M").verdict == below
    worse = verdict(scores(**WORSE[stem](limit * 1.001)), "M")
    assert worse.verdict == above
    assert len(worse.reasons) == 1
    # the threshold is the reader's to edit
    moved = replace(Thresholds(), **{f"{stem}_{suffix}": limit * 1.01})
    assert verdict(scores(**WORSE[stem](limit * 1.001)), "M", thresholds=moved).verdict == below


@pytest.mark.parametrize(("low", "expected"), [(-0.01, USE), (0.001, CARE), (0.09, CARE), (0.11, REFUSE)])
def test_a_ranking_without_a_model_counts_where_it_is_better_beyond_chance(low, expected):
    found = verdict(scores(rival_ahead_low=low), "M")
    assert found.verdict == expected
    assert ("RFM score finds the best customers better: its first fifth" in str(found)) == (low > 0)


@pytest.mark.parametrize(("suffix", "below", "above"), [("care", USE, CARE), ("refuse", CARE, REFUSE)])
def test_errors_from_other_origins(suffix, below, above):
    limit = getattr(Thresholds(), f"origin_error_{suffix}")
    assert verdict(scores(), "M", origins=origins(limit * 0.999)).verdict == below
    assert verdict(scores(), "M", origins=origins(limit * 1.001)).verdict == above


@pytest.mark.parametrize(
    ("threshold", "column"), [("fewest_purchases", "actual"), ("fewest_customers", "customers")]
)
def test_little_evidence_asks_for_care(threshold, column):
    limit = getattr(Thresholds(), threshold)
    assert verdict(scores(**{column: limit}), "M").verdict == USE
    assert verdict(scores(**{column: limit - 1}), "M").verdict == CARE


@pytest.mark.parametrize("stem", [stem for stem in WORSE if stem != "total_error"])
def test_what_forbids_single_customers_leaves_the_total_with_care(stem):
    """A total has its interval from past totals: it may be right though the model's own intervals are not."""
    frame = scores(**WORSE[stem](1.001 * getattr(Thresholds(), f"{stem}_refuse")))
    assert verdict(frame, "M", origins=origins(0.05)).verdict == REFUSE
    found = verdict(frame, "M", origins=origins(0.05), of_total=True)
    assert found.verdict == CARE
    assert found.reasons[0].startswith("Not for single customers: ")


@pytest.mark.parametrize("worse", [{"total_error": 0.31}, {"converged": False}])
def test_a_total_is_refused_for_its_own_errors(worse):
    assert verdict(scores(**worse), "M", of_total=True).verdict == REFUSE
    assert verdict(scores(), "M", origins=origins(0.51), of_total=True).verdict == REFUSE
    assert verdict(scores(pit_distance=0.1), "M", of_total=True).verdict == USE


def test_a_fit_that_did_not_converge_is_refused():
    assert verdict(scores(converged=False), "M").verdict == REFUSE


@pytest.mark.parametrize("column", ["total_error", "probability_gap", "pit_distance"])
def test_what_is_not_known_asks_for_care(column):
    found = verdict(scores(**{column: np.nan}), "M")
    assert found.verdict == CARE
    assert "is undefined" in str(found)


def test_the_gravest_reason_comes_first():
    found = verdict(scores(total_error=0.15, pit_distance=0.5), "M")
    assert found.verdict == REFUSE
    assert "distribution of counts" in found.reasons[0]
    assert "15 % more" in found.reasons[1]


def test_it_is_pure_and_ignores_the_likelihood_of_the_calibration():
    frame = scores()
    before = frame.copy()
    found = verdict(frame, "M")
    pd.testing.assert_frame_equal(frame, before)
    assert verdict(scores(loglik=-1.0), "M") == found


def test_models_are_ordered_by_verdict_then_by_the_holdouts_total():
    frame = pd.concat(
        [
            scores(),
            scores(total_error=-0.005, loglik=-9e9).head(1).assign(model="N"),
            scores(pit_distance=0.1, total_error=0.0).head(1).assign(model="O"),
        ]
    )
    assert verdicts(frame)["model"].tolist() == ["N", "M", "O"]


def test_every_threshold_is_explained():
    found = Thresholds().explain()
    assert found["threshold"].tolist() == [one.name for one in fields(Thresholds)]
    assert found["why"].str.len().min() > 20


def test_an_unknown_model_is_refused():
    with pytest.raises(CrmError, match="allowed: M"):
        verdict(scores(), "m")
