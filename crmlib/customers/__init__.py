"""Who the customers are: their summary, segments, the five lenses of an audit and the month under review.

A purchase log comes in (an Ibis table, or a frame with `customer_id, date, amount`), frames go out.
"""

from crmlib.customers.activity import by_group, customer_totals
from crmlib.customers.calendar import purchases_by_month
from crmlib.customers.cohorts import base_health, cohort_comparison, cohort_history, repeat_rate
from crmlib.customers.decompose import decompose_change
from crmlib.customers.experiment_outcomes import experiment_outcomes
from crmlib.customers.first_products import first_products
from crmlib.customers.lapsing import lapsing_customers
from crmlib.customers.months import last_months, month_review
from crmlib.customers.period_change import PeriodChange, period_change
from crmlib.customers.period_profile import PeriodProfile, period_profile, profile_by_group
from crmlib.customers.profit import CustomerProfit, customer_profit
from crmlib.customers.rfm import rfm_summary, rfm_train_test_split
from crmlib.customers.rfm_cut_offs import RfmCutOffs
from crmlib.customers.segment_rules import default_segments
from crmlib.customers.segments import RfmSegments, rfm_segments, segment_table
from crmlib.customers.summary import BornInHoldout, CustomerSummary, LeftOut
from crmlib.customers.tier_cut_offs import TierCutOffs
from crmlib.customers.tier_table import tier_table
from crmlib.customers.tiers import ValueTiers, value_tiers
from crmlib.customers.whale import WhaleCurve, lorenz_curve, revenue_and_profit_ranks, whale_curve

__all__ = [
    "BornInHoldout",
    "CustomerProfit",
    "CustomerSummary",
    "LeftOut",
    "PeriodChange",
    "PeriodProfile",
    "RfmCutOffs",
    "RfmSegments",
    "TierCutOffs",
    "ValueTiers",
    "WhaleCurve",
    "base_health",
    "by_group",
    "cohort_comparison",
    "cohort_history",
    "customer_profit",
    "customer_totals",
    "decompose_change",
    "default_segments",
    "experiment_outcomes",
    "first_products",
    "lapsing_customers",
    "last_months",
    "lorenz_curve",
    "month_review",
    "period_change",
    "period_profile",
    "profile_by_group",
    "purchases_by_month",
    "repeat_rate",
    "revenue_and_profit_ranks",
    "rfm_segments",
    "rfm_summary",
    "rfm_train_test_split",
    "segment_table",
    "tier_table",
    "value_tiers",
    "whale_curve",
]
