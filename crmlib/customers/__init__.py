"""Who the customers are: their summary, segments, the five lenses of an audit and the month under review.

A purchase log comes in (an Ibis table, or a frame with `customer_id, date, amount`), frames go out.
"""

from crmlib.customers.activity import by_group, customer_totals
from crmlib.customers.calendar import purchases_by_month
from crmlib.customers.category_shares import category_shares
from crmlib.customers.cluster_profile import profile_table
from crmlib.customers.clusters import ClusterSegments
from crmlib.customers.cohorts import base_health, cohort_comparison, cohort_history, repeat_rate
from crmlib.customers.cost_allocation import allocation_sensitivity
from crmlib.customers.customer_clusters import CustomerClusters, behaviour_clusters, needs_clusters
from crmlib.customers.decompose import decompose_change
from crmlib.customers.effort import effort_against_value
from crmlib.customers.experiment_features import experiment_features
from crmlib.customers.experiment_outcomes import experiment_outcomes
from crmlib.customers.first_products import first_products
from crmlib.customers.joiners import joiners
from crmlib.customers.lapsing import lapsing_customers
from crmlib.customers.lead_options import ways_out_of_lead
from crmlib.customers.months import last_months, month_review
from crmlib.customers.period_change import PeriodChange, period_change
from crmlib.customers.period_profile import PeriodProfile, period_profile, profile_by_group
from crmlib.customers.points_pressure import points_pressure
from crmlib.customers.profit import CustomerProfit, customer_profit
from crmlib.customers.profit_basis import missing_costs
from crmlib.customers.profit_halves import profit_halves
from crmlib.customers.profit_noise import ProfitNoise, profit_noise
from crmlib.customers.rfm import rfm_summary, rfm_train_test_split
from crmlib.customers.rfm_cut_offs import RfmCutOffs
from crmlib.customers.segment_migration import SegmentMigration, segment_migration
from crmlib.customers.segment_rules import default_segments
from crmlib.customers.segments import RfmSegments, rfm_segments, segment_table
from crmlib.customers.summary import BornInHoldout, CustomerSummary, LeftOut
from crmlib.customers.tier_claims import tier_claims
from crmlib.customers.tier_clusters import TierAgreement, compare_cuts, compare_tiers, which_tiers_to_prefer
from crmlib.customers.tier_cut_offs import TierCutOffs
from crmlib.customers.tier_migration import TierMigration, regression_to_the_mean, tier_migration
from crmlib.customers.tier_probabilities import TierProbabilities, tier_probabilities
from crmlib.customers.tier_table import tier_list, tier_table
from crmlib.customers.tiers import ValueTiers, value_tiers
from crmlib.customers.whale import WhaleCurve, lorenz_curve, revenue_and_profit_ranks, whale_curve

__all__ = [
    "BornInHoldout",
    "ClusterSegments",
    "CustomerClusters",
    "CustomerProfit",
    "CustomerSummary",
    "LeftOut",
    "PeriodChange",
    "PeriodProfile",
    "ProfitNoise",
    "RfmCutOffs",
    "RfmSegments",
    "SegmentMigration",
    "TierAgreement",
    "TierCutOffs",
    "TierMigration",
    "TierProbabilities",
    "ValueTiers",
    "WhaleCurve",
    "allocation_sensitivity",
    "base_health",
    "behaviour_clusters",
    "by_group",
    "category_shares",
    "cohort_comparison",
    "cohort_history",
    "compare_cuts",
    "compare_tiers",
    "customer_profit",
    "customer_totals",
    "decompose_change",
    "default_segments",
    "effort_against_value",
    "experiment_features",
    "experiment_outcomes",
    "first_products",
    "joiners",
    "lapsing_customers",
    "last_months",
    "lorenz_curve",
    "missing_costs",
    "month_review",
    "needs_clusters",
    "period_change",
    "period_profile",
    "points_pressure",
    "profile_by_group",
    "profile_table",
    "profit_halves",
    "profit_noise",
    "purchases_by_month",
    "regression_to_the_mean",
    "repeat_rate",
    "revenue_and_profit_ranks",
    "rfm_segments",
    "rfm_summary",
    "rfm_train_test_split",
    "segment_migration",
    "segment_table",
    "tier_claims",
    "tier_list",
    "tier_migration",
    "tier_probabilities",
    "tier_table",
    "value_tiers",
    "ways_out_of_lead",
    "whale_curve",
    "which_tiers_to_prefer",
]
