"""Errors, groups and rankings against hand calculations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from crmlib.models.backtesting.forecasts import Forecast
from crmlib.models.backtesting.scores import (
    by_decile,
    errors,
    gap,
    ranking,
)


def forecast(purchases, chance):
    return Forecast("F", "rule", np.array(purchases, float), np.array(chance, float))


def test_errors_by_hand():
    happened = np.array([0.0, 1.0, 3.0, 0.0])
    one = forecast([0.5, 1.0, 2.0, 0.0], [0.4, 0.6, 0.9, 0.1])
    found = errors(one, np.array([0, 1, 2, 0]), happened)
    assert (found["actual"], found["predicted"], found["total_error"]) == (4.0, 3.5, -0.125)
    assert found["mae"] == 1.5 / 4
    assert found["rmse"] == pytest.approx(np.sqrt(1.25 / 4))
    bought = [0, 1, 1, 0]
    assert found["brier"] == pytest.approx(brier_score_loss(bought, one.any_purchase))
    assert found["log_loss"] == pytest.approx(log_loss(bought, one.any_purchase))
    assert found["correlation"] == pytest.approx(np.corrcoef(one.purchases, happened)[0, 1])


def test_a_rule_that_held_what_happened_impossible_has_no_finite_log_loss():
    found = errors(forecast([0, 1], [0, 1]), np.array([0, 1]), np.array([1.0, 1.0]))
    assert found["log_loss"] == np.inf


def test_a_forecast_of_one_value_correlates_with_nothing():
    found = errors(forecast([1, 1, 1], [0.5] * 3), np.array([0, 1, 2]), np.array([0.0, 1.0, 2.0]))
    assert np.isnan(found["correlation"])
    assert np.isnan(found["spearman"])


def test_equal_predictions_share_a_tenth():
    values = np.repeat([0.1, 0.2, 0.3], [60, 30, 10])
    table = by_decile(forecast(values, values), np.ones(100))
    assert table["customers"].tolist() == [60, 30, 10]


def test_the_gap_by_hand_beyond_one_standard_error():
    table = pd.DataFrame(
        {
            "customers": [30, 10],
            "actual_mean": [1.0, 2.0],
            "predicted_mean": [1.5, 2.1],
            "standard_error": [0.1, 0.2],
        }
    )
    assert gap(table) == pytest.approx(0.4 * 30 / 40)
    assert gap(table, relative=True) == pytest.approx(0.4 * 30 / 50)


def test_ranking_by_hand():
    spend = np.array([60.0, 30.0, 10.0, 0.0])
    perfect = ranking(spend, spend, spend)
    assert perfect["top_20_share"] == pytest.approx(0.6 * 0.2 / 0.25)
    assert ranking(-spend, spend, spend)["top_20_share"] == 0
    assert ranking(np.ones(4), spend, spend)["top_20_share"] == pytest.approx(0.2)


def test_without_spend_nothing_is_ranked():
    assert np.isnan(ranking(np.arange(3.0), np.zeros(3), np.zeros(3))["top_20_share"])


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100)), min_size=3, max_size=40), st.randoms())
def test_the_order_of_customers_changes_no_ranking(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    found = [ranking(*(np.array(one, float).T[[0, 1, 1]])) for one in (pairs, shuffled)]
    assert found[0] == pytest.approx(found[1], nan_ok=True)
    assert np.isnan(found[0]["top_20_share"]) or 0 <= found[0]["top_20_share"] <= 1 + 1e-9
