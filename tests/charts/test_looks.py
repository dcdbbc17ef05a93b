"""Every chart is whole, legible and described: on usual data, on none, on one row and on odd data."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest

from crmlib import charts
from tests.charts import frames
from tests.charts.frames import USUAL
from tests.charts.looks import FINDING, assert_described, assert_legible, drawn_words


def test_every_public_chart_is_tried() -> None:
    drawn = {draw.__name__ for draw, _frame, _options in USUAL.values()}
    assert drawn == {name for name in charts.__all__ if name[0].islower()}


@pytest.mark.parametrize("name", USUAL)
def test_usual_data(name: str) -> None:
    draw, frame, options = USUAL[name]
    before = frame.copy(deep=True)
    chart = draw(frame, FINDING, **options)
    assert_described(chart)
    assert_legible(chart)
    width, height = chart.figure.get_size_inches()
    assert 4.8 <= width <= 5.2
    assert height < 1.25 * width
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("name", USUAL)
def test_a_chart_without_rows_shows_a_message(name: str) -> None:
    draw, frame, options = USUAL[name]
    empty = frame.iloc[:0] if draw is not charts.history_surface else frame * np.nan
    chart = draw(empty, FINDING, **options)
    assert_described(chart)
    assert "No data to draw." in [text.get_text() for text in drawn_words(chart)]
    assert "no data" in chart.alt


ODD = {
    "one use": (charts.rows_by_outcome, frames.row_counts(1, 0), {}),
    "one month": (charts.per_month, frames.monthly([3]), {}),
    "twenty years": (charts.per_month, frames.monthly([3, 9] * 120), {}),
    "only a running month": (charts.per_month, frames.monthly([3]), {"as_of": "2023-01-10"}),
    "month of returns": (charts.month_against_others, frames.review(-80, 90, -70, 0), {"currency": "USD"}),
    "month of nothing": (charts.month_against_others, frames.review(0, 0), {}),
    "value unknown": (charts.paired_shares, frames.distribution([3, 1], [0.0, 0.0]), frames.OF_PURCHASES),
    "one tenth": (charts.by_tenth, frames.deciles([5.0]), {}),
    "all equal tenths": (charts.by_tenth, frames.deciles([5.0] * 10), {}),
    "loss before and after": (charts.waterfall, frames.waterfall(-100, [-50, 20]), {"currency": "USD"}),
    "from nothing": (charts.waterfall, frames.waterfall(0, [0, 0, 0, 500]), {"currency": "USD"}),
    "no change": (charts.waterfall, frames.factors([10, 2], [10, 2]), {}),
    "billions": (charts.waterfall, frames.factors([1e7, 300], [2e7, 250]), {"currency": "JPY"}),
    "nobody active again": (charts.migration, frames.migration(np.diag([1.0] * 11)), {}),
    "one age of value": (charts.cohort_value, frames.history([1.0], [0]), {}),
    "one cohort": (charts.cohorts_by_age, frames.comparison(1, 5), {}),
    "cohorts of two ages": (charts.cohorts_by_age, frames.comparison(2, 3), {"measure": "spend_per_purchase"}),
    "sixty cohorts": (charts.revenue_by_cohort, frames.comparison(60, 70, 1e6), {"currency": "USD"}),
    "weeks": (charts.revenue_by_cohort, frames.comparison(), {"period": "W"}),
    "one repeat rate": (charts.by_cohort, frames.rates([0.2]), {}),
    "one segment": (charts.paired_shares, frames.segments([4], [10]), {}),
    "spend below zero": (charts.paired_shares, frames.segments([4, 2], [-10, 2]), {}),
    "a segment that costs": (charts.paired_shares, frames.segments([4, 2, 1], [100, 20, -15]), {}),
    "one period": (charts.tracking, frames.track([3.0], {"BG/NBD": [2.0]}), {"calibration_end": 5}),
    "five models alike": (
        charts.tracking, frames.track([3.0] * 9, {f"model {n}": [3.0] * 9 for n in range(5)}), {"calibration_end": 4},
    ),
    "one group": (charts.calibration, frames.groups([0.2], [0.3]), {}),
    "nothing predicted": (charts.calibration, frames.groups([0.0, 0.0], [0.0, 0.0]), {}),
    "flat surface": (charts.history_surface, frames.grid(np.ones((5, 6))), {"age": 30}),
    "surface of one row": (charts.history_surface, frames.grid(np.array([1.0, 0.5])), {"age": 30}),
    "nothing expected": (
        charts.history_surface, frames.grid(np.zeros((3, 3))), {"age": 30, "horizon": "1 week"},
    ),
    "one customer": (charts.clv_distribution, frames.clv([5.0]), {}),
    "losses": (charts.clv_distribution, frames.clv([-5.0, -1, 0, 3]), {"currency": "USD"}),
    "groups at a loss": (charts.values_by_group, frames.clv_of(["Platinum", "Lead"], [9, -4]), {"currency": "USD"}),
    "dollar signs and long names": (
        charts.values_by_group,
        frames.clv_of(["$100 to $200 a year or thereabouts", "x" * 90], [9, 4]),
        {"currency": "US$"},
    ),
    "one acquisition": (charts.by_cohort, frames.clv_of(list(frames.months(1)), [4], "month"), frames.OF_CLV),
    "firm beyond the curve": (charts.profit_by_retention, frames.value_by_retention(), {"retention_rate": 0.2}),
    "no cost known": (charts.profit_by_retention, frames.value_by_retention(0), {"retention_rate": 0.93}),
    "a customer at a loss": (charts.profit_by_retention, frames.value_by_retention(700), {"retention_rate": 0.6}),
    "acquisition cost not known": (
        charts.rise_by_retention, frames.value_by_retention(np.nan), {"retention_rate": 0.7},
    ),
    "value before an unknown cost": (
        charts.profit_by_retention, frames.value_by_retention(np.nan), {"retention_rate": 0.7},
    ),
    "nothing published": (charts.rise_by_retention, frames.value_by_retention(0), {"retention_rate": 0.7}),
    "no net value here": (charts.rise_by_retention, frames.value_by_retention(400), {"retention_rate": 0.6}),
    "a rise without end": (
        charts.rise_by_retention, frames.value_by_retention(),
        {"retention_rate": 0.75, "interval": (2.0, np.inf), "published": frames.published()},
    ),
    "one curve of survival": (charts.survival_by_group, frames.survival({"all": 0.97}), {}),
    "one tenure": (charts.survival_by_group, frames.survival({"all": 0.97}, 0), {}),
    "twelve groups": (charts.survival_by_group, frames.survival({f"plan {n}": 1 - n / 200 for n in range(12)}), {}),
    "only churn": (charts.waterfall, frames.movements(500, [[0, 0, 0, 500]]), {"currency": "EUR"}),
    "first month": (charts.waterfall, frames.movements(0, [[500, 0, 0, 0]]), {}),
    "one forecast": (charts.chances, frames.tenths({"BG/NBD": 0.0}), {}),
    "one frequency": (charts.overdue_share, frames.overdue([0.2]), {"false_alarm_rate": 0.1}),
    "nobody overdue": (charts.overdue_share, frames.overdue([np.nan, 0, 0, 0]), {"false_alarm_rate": 0.05}),
    "nothing matters": (charts.clv_sensitivity, frames.sensitivity([5.0], [5.0]), {"base": 5.0}),
    "nobody but Lead": (charts.paired_shares, frames.tier_rows([0, 0, 0, 3], [0.0, 0, 0, -5]), frames.OF_TIERS),
    "one tier": (charts.paired_shares, frames.tier_rows([1, 0, 0, 0], [5.0, 0, 0, 0]), frames.OF_TIERS),
    "Lead costs more than there is": (
        charts.paired_shares, frames.tier_rows([9, 9, 9, 9], [5.0, 2, 1, -7]), frames.OF_TIERS,
    ),
    "service in proportion": (charts.paired_shares, frames.efforts([4.0, 3, 2, 1], [4.0, 3, 2, 1]), frames.OF_EFFORT),
    "Lead without margin": (charts.paired_shares, frames.efforts([4.0, 3, 2, -1], [4.0, 3, 2, 1]), frames.OF_EFFORT),
    "nobody stayed": (charts.migration, frames.tier_moves(np.roll(np.diag([9] * 5), 1, axis=1)), {}),
    "one tier to follow": (charts.paired_shares, frames.stays([1.0], [1.0]), frames.OF_STAYING),
    "one sure tier": (charts.tier_certainty, frames.certainty([[1.0, 0, 0, 0]]), {}),
    "no key matters": (charts.tiers_by_allocation, frames.allocations([0.0, 0.0]), {}),
    "no tail": (charts.profit_whale, frames.whale([5.0, 3, 2]), {"currency": "USD"}),
    "only a tail": (charts.profit_whale, frames.whale([-5.0, -3]), {"currency": "USD"}),
    "whale of no profit": (charts.profit_whale, frames.whale([0.0, 0.0]), {}),
    "whale that sinks": (charts.profit_whale, frames.whale([5.0, 3, -20]), {"currency": "USD"}),
    "ten thousand ranks": (charts.revenue_against_profit, frames.ranks([*range(9999, 0, -1)]), {}),
    "triangle of one cohort": (charts.cohort_triangle, frames.comparison(1, 2), {}),
    "triangle of five years": (charts.cohort_triangle, frames.comparison(60, 61, 1e6), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_data(name: str) -> None:
    draw, frame, options = ODD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = draw(frame, FINDING, **options)
        assert_described(chart)
        assert_legible(chart)


def test_drawing_is_quick() -> None:
    draw, frame, options = USUAL["revenue_by_cohort"]
    draw(frame, **options).png()
    started = time.process_time()
    for _ in range(3):
        draw(frame, **options).png()
    assert (
        time.process_time() - started
    ) / 3 < 0.6  # about .1 on an idle core; a slip to pyplot or a tight box shows
