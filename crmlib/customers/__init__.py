"""Who the customers are: their summary, segments, the five lenses of an audit and the month under review.

A purchase log comes in (an Ibis table, or a frame with `customer_id, date, amount`), frames go out.
"""

from __future__ import annotations

from crmlib.lazy import homes_of, loader

HOMES = homes_of(
    __name__,
    {
        "activity": "customer_totals",
        "audit.best_customers": "first_products lapsing_customers",
        "audit.cohorts": "base_health cohort_comparison cohort_history repeat_rate",
        "audit.decompose": "decompose_change",
        "audit.months": "comparable_months last_months month_review purchases_by_month",
        "audit.period_change": "period_change recent_change",
        "audit.period_profile": "period_profile profile_by_group",
        "clusters.cluster_segments": "ClusterSegments",
        "clusters.customer_clusters": "behaviour_clusters category_shares needs_clusters",
        "clusters.profile": "profile_table",
        "profit.cost_to_serve": "missing_costs",
        "profit.customer_profit": "customer_profit",
        "profit.noise": "profit_halves",
        "profit.whale": "revenue_and_profit_ranks whale_curve",
        "retention.contracts": "contract_retention contract_samples contract_spells retention_rate",
        "retention.recurring_revenue": "revenue_movements revenue_ratios",
        "retention.repurchase": "buying_streaks repurchase_rate retention_by_age",
        "rfm.cut_offs": "RfmCutOffs",
        "rfm.migration": "segment_migration",
        "rfm.segments": "default_segments rfm_segments segment_table",
        "rfm.summarise": "rfm_summary rfm_train_test_split",
        "rfm.summary": "CustomerSummary",
        "tiers.agreement": "compare_cuts",
        "tiers.claims": "tier_claims",
        "tiers.migration": "regression_to_the_mean tier_migration",
        "tiers.probabilities": "tier_probabilities",
        "tiers.table": "allocation_sensitivity effort_against_value tier_list tier_table ways_out_of_lead",
        "tiers.value_tiers": "value_tiers",
        "treatments.experiments": "experiment_features experiment_outcomes",
        "treatments.loyalty": "programme_enrolments points_pressure",
    },
)

__all__ = list(HOMES)
__getattr__ = loader(__name__, HOMES)
