"""What customers will do: purchases still to come, the probability of being alive, spend and retention.

>>> from crmlib.models import BetaGeoModel
>>> model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426, time_unit="W")
>>> print(f"{model.expected_purchases_new_customer('1Y'):.2f}")
1.45
"""

from __future__ import annotations

from importlib import import_module

# Where each public name lives; imported on first use, so that one model costs no other's import.
_HOMES = {
    "BetaGeoModel": "beta_geo",
    "ModifiedBetaGeoModel": "modified_beta_geo",
    "ParetoNBDModel": "pareto_nbd",
    "BetaGeoBetaBinomModel": "beta_geo_beta_binom",
    "ShiftedBetaGeoModel": "shifted_beta_geo",
    "GammaGammaModel": "gamma_gamma",
    "spend_frequency_check": "spend_frequency",
    "score_parquet": "scoring",
    "UpliftModel": "uplift",
    "uplift_curves": "uplift_evaluation",
    "heterogeneity_test": "heterogeneity",
    "calibrated_effects": "heterogeneity",
    "treatment_balance": "assignment",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
