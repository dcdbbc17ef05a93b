"""From a purchase log to who the customers are, what they are worth, who is leaving and what to do.

>>> import crmlib as crm
>>> study = crm.open_study("cdnow-sample")
>>> summary = crm.rfm_summary(study.transactions, as_of=study.as_of, time_unit="W")
>>> len(summary)
2357

The rooms, from the bottom up: `crmlib.data` (what comes in), `crmlib.study` (a firm), `crmlib.customers`
(who they are), `crmlib.models` (what they will do), `crmlib.economics` (what it is worth) and
`crmlib.report` (runs and pages); `crmlib.charts` draws what they return.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public names and the module that each lives in. They load on first use: a kernel that draws one
# chart does not wait for the models.
_HOMES = {
    "CrmError": "crmlib.errors",
    "if_known": "crmlib.errors",
    "TimeUnit": "crmlib.units",
    "open_table": "crmlib.data.sources",
    "fitness_gates": "crmlib.data.fitness",
    "simulate_firm": "crmlib.data.simulate",
    "Study": "crmlib.study",
    "open_study": "crmlib.study",
    "CustomerSummary": "crmlib.customers.summary",
    "rfm_summary": "crmlib.customers.rfm",
    "rfm_train_test_split": "crmlib.customers.rfm",
    "rfm_segments": "crmlib.customers.segments",
    "segment_table": "crmlib.customers.segments",
    "segment_migration": "crmlib.customers.segment_migration",
    "category_shares": "crmlib.customers.category_shares",
    "behaviour_clusters": "crmlib.customers.customer_clusters",
    "needs_clusters": "crmlib.customers.customer_clusters",
    "ClusterSegments": "crmlib.customers.clusters",
    "profile_table": "crmlib.customers.cluster_profile",
    "by_group": "crmlib.customers.activity",
    "customer_totals": "crmlib.customers.activity",
    "period_profile": "crmlib.customers.period_profile",
    "profile_by_group": "crmlib.customers.period_profile",
    "period_change": "crmlib.customers.period_change",
    "base_health": "crmlib.customers.cohorts",
    "cohort_comparison": "crmlib.customers.cohorts",
    "cohort_history": "crmlib.customers.cohorts",
    "repeat_rate": "crmlib.customers.cohorts",
    "experiment_features": "crmlib.customers.experiment_features",
    "experiment_outcomes": "crmlib.customers.experiment_outcomes",
    "first_products": "crmlib.customers.first_products",
    "decompose_change": "crmlib.customers.decompose",
    "last_months": "crmlib.customers.months",
    "month_review": "crmlib.customers.months",
    "joiners": "crmlib.customers.joiners",
    "lapsing_customers": "crmlib.customers.lapsing",
    "points_pressure": "crmlib.customers.points_pressure",
    "purchases_by_month": "crmlib.customers.calendar",
    "contract_spells": "crmlib.customers.contract_spells",
    "retention_rate": "crmlib.customers.retention",
    "contract_retention": "crmlib.customers.retention",
    "retention_by_age": "crmlib.customers.retention",
    "repurchase_rate": "crmlib.customers.repurchase",
    "buying_streaks": "crmlib.customers.repurchase",
    "RevenueMovement": "crmlib.customers.recurring_revenue",
    "revenue_movements": "crmlib.customers.recurring_revenue",
    "customer_profit": "crmlib.customers.profit",
    "value_tiers": "crmlib.customers.tiers",
    "TierCutOffs": "crmlib.customers.tier_cut_offs",
    "tier_table": "crmlib.customers.tier_table",
    "tier_list": "crmlib.customers.tier_table",
    "missing_costs": "crmlib.customers.profit_basis",
    "profit_halves": "crmlib.customers.profit_halves",
    "tier_probabilities": "crmlib.customers.tier_probabilities",
    "tier_migration": "crmlib.customers.tier_migration",
    "regression_to_the_mean": "crmlib.customers.tier_migration",
    "tier_claims": "crmlib.customers.tier_claims",
    "allocation_sensitivity": "crmlib.customers.cost_allocation",
    "ways_out_of_lead": "crmlib.customers.lead_options",
    "effort_against_value": "crmlib.customers.effort",
    "compare_cuts": "crmlib.customers.tier_clusters",
    "compare_tiers": "crmlib.customers.tier_clusters",
    "which_tiers_to_prefer": "crmlib.customers.tier_clusters",
    "whale_curve": "crmlib.customers.whale",
    "lorenz_curve": "crmlib.customers.whale",
    "revenue_and_profit_ranks": "crmlib.customers.whale",
    "plan_backtest": "crmlib.models.backtest_plan",
    "rolling_origins": "crmlib.models.rolling",
    "fit_by_group": "crmlib.models.group_fits",
    "history_grids": "crmlib.models.history_grid",
    "Thresholds": "crmlib.models.thresholds",
    "verdict": "crmlib.models.verdict",
    "verdicts": "crmlib.models.verdict",
    "clv_by_segment": "crmlib.economics.value_tables",
    "clv_sensitivity": "crmlib.economics.value_tables",
    "top_customers": "crmlib.economics.value_tables",
    "value_by_acquisition_month": "crmlib.economics.value_tables",
    "BetaGeoModel": "crmlib.models.beta_geo",
    "ModifiedBetaGeoModel": "crmlib.models.modified_beta_geo",
    "ParetoNBDModel": "crmlib.models.pareto_nbd",
    "BetaGeoBetaBinomModel": "crmlib.models.beta_geo_beta_binom",
    "ShiftedBetaGeoModel": "crmlib.models.shifted_beta_geo",
    "GammaGammaModel": "crmlib.models.gamma_gamma",
    "spend_frequency_check": "crmlib.models.spend_frequency",
    "score_parquet": "crmlib.models.scoring",
    "survival_curves": "crmlib.models.survival",
    "survival_table": "crmlib.models.survival",
    "log_rank": "crmlib.models.survival",
    "cox_model": "crmlib.models.cox",
    "remaining_lifetime": "crmlib.models.remaining_lifetime",
    "probability_active": "crmlib.models.activity",
    "compare_activity": "crmlib.models.activity",
    "expected_repurchase": "crmlib.models.activity",
    "fit_hiatus": "crmlib.models.activity_rivals",
    "purchase_regularity": "crmlib.models.overdue",
    "overdue_customers": "crmlib.models.overdue",
    "overdue_by_frequency": "crmlib.models.overdue",
    "contract_samples": "crmlib.customers.contract_samples",
    "contract_churn": "crmlib.models.contract_churn",
    "buyer_churn": "crmlib.models.buyer_churn",
    "who_is_leaving": "crmlib.models.who_is_leaving",
    "retention_campaign": "crmlib.economics.retention_campaign",
    "ChurnModel": "crmlib.models.churn",
    "churn_data": "crmlib.models.churn_data",
    "churn_contributions": "crmlib.models.churn_reasons",
    "churn_verdict": "crmlib.models.churn_verdict",
    "ChurnThresholds": "crmlib.models.churn_verdict",
    "churn_reasons": "crmlib.models.churn_reasons",
    "evaluate_churn": "crmlib.models.churn_evaluation",
    "leak_check": "crmlib.models.leak_check",
    "permutation_importance": "crmlib.models.churn_reasons",
    "score_churn_parquet": "crmlib.models.churn_scoring",
    "backtest": "crmlib.models.backtest",
    "segment_backtest": "crmlib.models.segment_backtest",
    "RetentionTerms": "crmlib.economics.retention",
    "retention_steps": "crmlib.economics.retention",
    "worth_of_points": "crmlib.economics.retention",
    "retention_profit_curve": "crmlib.economics.retention",
    "claim_reversal": "crmlib.economics.retention",
    "equity_elasticities": "crmlib.economics.equity_elasticities",
    "published_lifts": "crmlib.economics.retention",
    "retention_mix": "crmlib.economics.retention_mix",
    "retention_claim": "crmlib.economics.retention_claim",
    "RetentionCase": "crmlib.economics.retention_case",
    "buyers_case": "crmlib.economics.retention_case",
    "contracts_case": "crmlib.economics.retention_case",
    "prospects_by_month": "crmlib.economics.spending_case",
    "spending_readout": "crmlib.economics.spending_case",
    "best_spending": "crmlib.economics.blattberg_deighton",
    "fit_response": "crmlib.economics.response_curves",
    "judged_curve": "crmlib.economics.response_curves",
    "customer_equity": "crmlib.economics.lifetime_value",
    "customer_lifetime_value": "crmlib.economics.lifetime_value",
    "value_of_new_customer": "crmlib.economics.lifetime_value",
    "contacts_by_risk": "crmlib.economics.contact_profit",
    "contacts_by_effect": "crmlib.economics.contact_profit",
    "profit_curve": "crmlib.economics.campaign",
    "best_cut_off": "crmlib.economics.campaign",
    "campaign_list": "crmlib.economics.campaign",
    "campaign_sensitivity": "crmlib.economics.campaign",
    "expected_maximum_profit": "crmlib.economics.expected_profit",
    "expected_maximum_profit_by_value": "crmlib.economics.expected_profit",
    "break_even_programme": "crmlib.economics.break_even",
    "affordable_programme_cost": "crmlib.economics.break_even",
    "break_even_price_cut": "crmlib.economics.break_even",
    "break_even_price_cut_retention": "crmlib.economics.break_even",
    "read_experiments": "crmlib.economics.experiments",
    "UpliftModel": "crmlib.models.uplift",
    "uplift_curves": "crmlib.models.uplift_evaluation",
    "heterogeneity_test": "crmlib.models.heterogeneity",
    "calibrated_effects": "crmlib.models.heterogeneity",
    "treatment_balance": "crmlib.models.assignment",
    "programme_liability": "crmlib.economics.loyalty",
    "programme_payback_months": "crmlib.economics.loyalty",
    "loyalty_uplift": "crmlib.economics.loyalty_effect",
    "campaign_from_experiment": "crmlib.economics.experiment_campaign",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in {"charts", "customers", "data", "economics", "models", "report", "study"}:
        return import_module(f"crmlib.{name}")
    raise AttributeError(f"module 'crmlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
