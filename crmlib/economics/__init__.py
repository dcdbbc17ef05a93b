"""What customers are worth: lifetime value, acquisition, retention, growth and experiments."""

from __future__ import annotations

from importlib import import_module

# Where each public name lives; imported on first use.
_HOMES = {
    "customer_equity": "lifetime_value",
    "customer_lifetime_value": "lifetime_value",
    "value_of_new_customer": "lifetime_value",
    "lifetime_value_parquet": "lifetime_value_parquet",
    "berger_nasr_clv": "formula_clv",
    "blattberg_deighton_equity": "formula_clv",
    "margin_multiple": "formula_clv",
    "margin_multiple_table": "formula_clv",
    "response_steepness": "formula_clv",
    "retention_elasticity": "formula_clv",
    "simple_clv": "formula_clv",
    "RetentionTerms": "retention",
    "retention_steps": "retention",
    "worth_of_points": "retention",
    "retention_profit_curve": "retention",
    "claim_reversal": "retention",
    "equity_elasticities": "equity_elasticities",
    "published_lifts": "retention",
    "retention_mix": "retention_mix",
    "retention_claim": "retention_claim",
    "buyers_case": "retention_case",
    "contracts_case": "retention_case",
    "prospects_by_month": "spending_case",
    "spending_readout": "spending_case",
    "best_spending": "blattberg_deighton",
    "fit_response": "response_curves",
    "judged_curve": "response_curves",
    "markov_value": "markov_clv",
    "recency_migration": "markov_clv",
    "contacts_by_risk": "contact_profit",
    "contacts_by_effect": "contact_profit",
    "profit_curve": "campaign",
    "best_cut_off": "campaign",
    "campaign_list": "campaign",
    "campaign_sensitivity": "campaign",
    "expected_maximum_profit": "expected_profit",
    "expected_maximum_profit_by_value": "expected_profit",
    "break_even_programme": "break_even",
    "affordable_programme_cost": "break_even",
    "break_even_price_cut": "break_even",
    "break_even_price_cut_retention": "break_even",
    "read_experiments": "experiments",
    "programme_liability": "loyalty",
    "programme_payback_months": "loyalty",
    "loyalty_uplift": "loyalty_effect",
    "campaign_from_experiment": "experiment_campaign",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
