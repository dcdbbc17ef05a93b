"""Charts of the frames that the other rooms return: one message each, the finding as title, alt text.

A chart takes a frame and computes nothing but its words. In a notebook it shows itself; `.save(path)`
writes a PNG, SVG or PDF; `.figure` is a matplotlib figure to change at will. An empty frame gives a chart that says so.
"""

from __future__ import annotations

from crmlib.lazy import homes_of, loader

HOMES = homes_of(
    __name__,
    {
        "activity": "activity_calibration overdue_share",
        "backtest": "calibration tracking tracking_per_period",
        "campaign": "campaign_profit qini_curve",
        "churn": "churn_by_decile churn_calibration churn_gains churn_importance",
        "clusters": "cluster_choice cluster_profile",
        "cohorts": "cohort_value cohorts_by_age repeat_rate_by_cohort revenue_by_cohort",
        "data_check": "new_customers_per_month purchases_per_month rows_by_fate",
        "experiments": "experiment_effects loyalty_effect",
        "lifetime_value": (
            "clv_by_acquisition_month clv_by_group clv_concentration clv_distribution clv_sensitivity"
        ),
        "period_change": "change_by_customers change_by_factors decile_migration month_against_others",
        "period_profile": "purchase_distribution value_deciles",
        "retention": "profit_by_retention revenue_movement rise_by_retention survival_by_group",
        "segments": "holdout_by_group holdout_by_ranking segment_bars segment_migration",
        "style": "Chart",
        "surfaces": "expected_purchases_surface p_alive_surface",
        "tiers": (
            "effort_and_value stayed_by_chance tier_certainty tier_flows tier_pyramid tiers_by_allocation"
        ),
        "whale": "profit_whale revenue_against_profit",
    },
)

__all__ = list(HOMES)
__getattr__ = loader(__name__, HOMES)
