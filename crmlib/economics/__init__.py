"""What customers are worth: lifetime value, acquisition, retention, growth and experiments."""

from __future__ import annotations

from crmlib.lazy import homes_of, loader

HOMES = homes_of(
    __name__,
    {
        "campaigns.contacts": "best_cut_off campaign_list contacts_by_effect contacts_by_risk profit_curve",
        "campaigns.from_churn": "expected_maximum_profit retention_campaign",
        "campaigns.from_experiment": "campaign_from_experiment",
        "experiments": "read_experiments",
        "formula_clv": (
            "berger_nasr_clv blattberg_deighton_equity margin_multiple margin_multiple_table "
            "response_steepness retention_elasticity simple_clv"
        ),
        "lifetime_value": "customer_lifetime_value value_of_new_customer",
        "loyalty": "loyalty_uplift programme_liability programme_payback_months",
        "markov_clv": "markov_value recency_migration",
        "retention.case": "buyers_case contracts_case",
        "retention.claim": "claim_reversal published_lifts retention_claim",
        "retention.profit": (
            "RetentionTerms equity_elasticities retention_mix retention_profit_curve "
            "retention_steps worth_of_points"
        ),
        "retention.spending": "best_spending fit_response judged_curve",
        "retention.spending_case": "prospects_by_month spending_readout",
        "value_parquet": "lifetime_value_parquet",
        "value_tables": (
            "clv_by_segment clv_sensitivity customer_equity top_customers value_by_acquisition_month"
        ),
    },
)

__all__ = list(HOMES)
__getattr__ = loader(__name__, HOMES)
