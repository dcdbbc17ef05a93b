"""Who the customers are: their summary, segments, the five lenses of an audit and the month under review.

A purchase log comes in (an Ibis table, or a frame with `customer_id, date, amount`), frames go out.
"""

from __future__ import annotations

from crmlib.lazy import homes_of, loader

HOMES = homes_of(
    __name__,
    {
        "audit.best_customers": "first_products lapsing_customers period_profile",
        "audit.cohorts": "cohort_comparison cohort_history repeat_rate",
        "audit.months": "last_months month_review purchases_by_month",
        "audit.period_change": "recent_change",
        "clusters.customer_clusters": "behaviour_clusters needs_clusters",
        "profit.customer_profit": "customer_profit",
        "profit.spread": "whale_curve",
        "retention.contracts": "contract_retention",
        "retention.recurring_revenue": "revenue_movements",
        "retention.repurchase": "repurchase_rate retention_by_age",
        "rfm.migration": "segment_migration",
        "rfm.segments": "rfm_segments segment_table",
        "rfm.summary": "rfm_summary rfm_train_test_split",
        "tiers.chances": "tier_migration tier_probabilities",
        "tiers.claims": "tier_claims",
        "tiers.value_tiers": "allocation_sensitivity compare_cuts value_tiers",
        "treatments.experiments": "experiment_outcomes",
        "treatments.loyalty": "points_pressure programme_enrolments",
    },
)

__all__ = list(HOMES)
__getattr__ = loader(__name__, HOMES)
