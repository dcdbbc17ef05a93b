"""Charts of the frames that the other rooms return: one message each, the finding as title, alt text.

A chart takes a frame and computes nothing but its words. In a notebook it shows itself; `.save(path)`
writes a PNG; `.figure` is a matplotlib figure to change at will. An empty frame gives a chart that says so.
"""

from crmlib.charts.backtest import calibration, tracking, tracking_per_period
from crmlib.charts.data_check import new_customers_per_month, purchases_per_month, rows_by_fate
from crmlib.charts.lifetime_value import (
    clv_by_acquisition_month,
    clv_by_group,
    clv_concentration,
    clv_distribution,
    clv_sensitivity,
)
from crmlib.charts.months import month_against_others
from crmlib.charts.style import TIER_COLOURS, Chart
from crmlib.charts.surfaces import expected_purchases_surface, p_alive_surface

__all__ = [
    "TIER_COLOURS",
    "Chart",
    "calibration",
    "clv_by_acquisition_month",
    "clv_by_group",
    "clv_concentration",
    "clv_distribution",
    "clv_sensitivity",
    "expected_purchases_surface",
    "month_against_others",
    "new_customers_per_month",
    "p_alive_surface",
    "purchases_per_month",
    "rows_by_fate",
    "tracking",
    "tracking_per_period",
]
