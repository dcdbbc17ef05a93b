"""What customers are worth: lifetime value, acquisition, retention, growth and experiments."""

from __future__ import annotations

from crmlib.lazy import homes_of, loader

HOMES = homes_of(
    __name__,
    {
        "churn_campaign": "retention_campaign",
        "experiment_campaign": "campaign_from_experiment",
        "experiments": "read_experiments",
        "formula_clv": "markov_value recency_migration simple_clv",
        "lifetime_value": "customer_lifetime_value value_of_new_customer",
        "loyalty": "loyalty_uplift programme_liability programme_payback_months",
        "retention.case": "buyers_case contracts_case",
        "retention.claim": "published_lifts",
        "retention.profit": "retention_profit_curve",
        "retention.spending_case": "prospects_by_month spending_readout",
        "value_tables": (
            "clv_by_segment clv_sensitivity customer_equity top_customers value_by_acquisition_month"
        ),
    },
)

__all__ = list(HOMES)
__getattr__ = loader(__name__, HOMES)
