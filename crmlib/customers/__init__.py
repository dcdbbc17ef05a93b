"""Who the customers are: their summary, segments, the five lenses of an audit and the month under review.

A purchase log comes in (an Ibis table, or a frame with `customer_id, date, amount`), frames go out.
"""

from __future__ import annotations

from crmlib.lazy import homes_of, loader

HOMES = homes_of(
    __name__,
    {
        "activity": "by_group customer_totals",
        "audit.calendar": "purchases_by_month",
        "audit.cohorts": "base_health cohort_comparison cohort_history repeat_rate",
        "audit.decompose": "decompose_change",
        "audit.first_products": "first_products",
        "audit.lapsing": "lapsing_customers",
        "audit.months": "comparable_months last_months month_review",
        "audit.period_change": "PeriodChange period_change",
        "audit.recent_change": "RecentChange recent_change",
        "audit.period_profile": "PeriodProfile period_profile profile_by_group",
        "clusters.category_shares": "category_shares",
        "clusters.cluster_segments": "ClusterSegments",
        "clusters.customer_clusters": "CustomerClusters behaviour_clusters needs_clusters",
        "clusters.profile": "profile_table",
        "profit.basis": "missing_costs",
        "profit.customer_profit": "CustomerProfit customer_profit",
        "profit.halves": "profit_halves",
        "profit.noise": "ProfitNoise profit_noise",
        "profit.whale": "WhaleCurve lorenz_curve revenue_and_profit_ranks whale_curve",
        "retention.contract_samples": "contract_samples",
        "retention.contract_spells": "contract_spells",
        "retention.measures": "contract_retention retention_by_age retention_rate",
        "retention.recurring_revenue": "RevenueMovement revenue_movements",
        "retention.repurchase": "buying_streaks repurchase_rate",
        "rfm.cut_offs": "RfmCutOffs",
        "rfm.migration": "SegmentMigration segment_migration",
        "rfm.segment_rules": "default_segments",
        "rfm.segments": "RfmSegments rfm_segments segment_table",
        "rfm.summarise": "rfm_summary rfm_train_test_split",
        "rfm.summary": "BornInHoldout CustomerSummary LeftOut",
        "tiers.allocation": "allocation_sensitivity",
        "tiers.agreement": "TierAgreement compare_cuts compare_tiers which_tiers_to_prefer",
        "tiers.claims": "tier_claims",
        "tiers.cut_offs": "TierCutOffs",
        "tiers.effort": "effort_against_value",
        "tiers.lead_options": "ways_out_of_lead",
        "tiers.migration": "TierMigration regression_to_the_mean tier_migration",
        "tiers.probabilities": "TierProbabilities tier_probabilities",
        "tiers.table": "tier_list tier_table",
        "tiers.value_tiers": "ValueTiers value_tiers",
        "treatments.features": "experiment_features",
        "treatments.joiners": "joiners",
        "treatments.outcomes": "experiment_outcomes",
        "treatments.points_pressure": "points_pressure",
    },
)

__all__ = list(HOMES)
__getattr__ = loader(__name__, HOMES)
