"""What customers will do: purchases still to come, the probability of being alive, spend and retention.

>>> from crmlib.models import BetaGeoModel
>>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
>>> print(f"{model.expected_purchases_new_customer('1Y'):.2f}")
1.45
"""

from __future__ import annotations

from crmlib.lazy import homes_of, loader

HOMES = homes_of(
    __name__,
    {
        "backtesting.backtest": "backtest plan_backtest",
        "backtesting.rolling": "fit_by_group rolling_origins",
        "backtesting.segment_backtest": "segment_backtest",
        "backtesting.verdict": "Thresholds",
        "beta_geo": "BetaGeoModel ModifiedBetaGeoModel",
        "beta_geo_beta_binom": "BetaGeoBetaBinomModel",
        "buying_again": "compare_activity",
        "churn.at_risk": "churn_survival customers_at_risk score_churn_parquet",
        "churn.churn_model": "ChurnModel",
        "churn.data": "churn_data",
        "churn.evaluation": "evaluate_churn",
        "churn.leak_check": "leak_check",
        "churn.reasons": "churn_reasons permutation_importance",
        "churn.verdict": "ChurnThresholds",
        "cox": "cox_model",
        "gamma_gamma": "GammaGammaModel spend_frequency_check",
        "history_grid": "history_grids",
        "overdue": "overdue_by_frequency overdue_customers purchase_regularity win_back_list",
        "pareto_nbd": "ParetoNBDModel",
        "remaining_lifetime": "remaining_lifetime",
        "scoring": "score_parquet",
        "shifted_beta_geo": "ShiftedBetaGeoModel",
        "survival_curves": "log_rank",
    },
)

__all__ = list(HOMES)
__getattr__ = loader(__name__, HOMES)
