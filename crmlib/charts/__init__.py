"""Charts of the frames that the other rooms return: one message each, the finding as title, alt text.

A chart takes a frame and computes nothing but its words. In a notebook it shows itself; `.save(path)`
writes a PNG; `.figure` is a matplotlib figure to change at will. An empty frame gives a chart that says so.
"""

from crmlib.charts.activity import activity_calibration, overdue_share
from crmlib.charts.backtest import calibration, tracking, tracking_per_period
from crmlib.charts.base_health import new_and_repeat_revenue, revenue_by_cohort
from crmlib.charts.campaign import campaign_profit, qini_curve
from crmlib.charts.churn import (
    churn_by_decile,
    churn_calibration,
    churn_gains,
    churn_importance,
    churn_reason_bars,
)
from crmlib.charts.clusters import cluster_choice, cluster_profile
from crmlib.charts.cohorts import (
    cohort_activity,
    cohort_value,
    cohorts_by_age,
    repeat_rate_by_cohort,
)
from crmlib.charts.data_check import new_customers_per_month, purchases_per_month, rows_by_fate
from crmlib.charts.experiments import experiment_effects, loyalty_effect
from crmlib.charts.lifetime_value import (
    clv_by_acquisition_month,
    clv_by_group,
    clv_concentration,
    clv_distribution,
    clv_sensitivity,
)
from crmlib.charts.months import month_against_others
from crmlib.charts.period_change import change_by_customers, change_by_factors, decile_migration
from crmlib.charts.period_profile import purchase_distribution, value_deciles
from crmlib.charts.retention import (
    profit_by_retention,
    revenue_movement,
    rise_by_retention,
    survival_by_group,
)
from crmlib.charts.segment_moves import holdout_by_group, holdout_by_ranking, segment_migration
from crmlib.charts.segments import segment_bars
from crmlib.charts.style import SEGMENT_COLOURS, TIER_COLOURS, Chart
from crmlib.charts.surfaces import expected_purchases_surface, p_alive_surface
from crmlib.charts.tiers import (
    effort_and_value,
    stayed_by_chance,
    tier_certainty,
    tier_flows,
    tier_pyramid,
    tiers_by_allocation,
)
from crmlib.charts.whale import profit_whale, revenue_against_profit

__all__ = [
    "SEGMENT_COLOURS",
    "TIER_COLOURS",
    "Chart",
    "activity_calibration",
    "calibration",
    "campaign_profit",
    "change_by_customers",
    "change_by_factors",
    "churn_by_decile",
    "churn_calibration",
    "churn_gains",
    "churn_importance",
    "churn_reason_bars",
    "cluster_choice",
    "cluster_profile",
    "clv_by_acquisition_month",
    "clv_by_group",
    "clv_concentration",
    "clv_distribution",
    "clv_sensitivity",
    "cohort_activity",
    "cohort_value",
    "cohorts_by_age",
    "decile_migration",
    "effort_and_value",
    "expected_purchases_surface",
    "experiment_effects",
    "holdout_by_group",
    "holdout_by_ranking",
    "loyalty_effect",
    "month_against_others",
    "new_and_repeat_revenue",
    "new_customers_per_month",
    "overdue_share",
    "p_alive_surface",
    "profit_by_retention",
    "profit_whale",
    "purchase_distribution",
    "purchases_per_month",
    "qini_curve",
    "repeat_rate_by_cohort",
    "revenue_against_profit",
    "revenue_by_cohort",
    "revenue_movement",
    "rise_by_retention",
    "rows_by_fate",
    "segment_bars",
    "segment_migration",
    "stayed_by_chance",
    "survival_by_group",
    "tier_certainty",
    "tier_flows",
    "tier_pyramid",
    "tiers_by_allocation",
    "tracking",
    "tracking_per_period",
    "value_deciles",
]
