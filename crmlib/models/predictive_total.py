"""Between which values the purchases of all customers together should lie, by the model's own account."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.models._histories import Histories, read_histories
from crmlib.models._inference import Array
from crmlib.models.purchase import PurchaseModel
from crmlib.statistics import normal_quantile

DRAWN = 50_000  # customers drawn, at least, to learn how far single customers stray from their expectation
STEP = 1e-3  # of the differences, in log parameters, that tell how much a total depends on them


@dataclass(frozen=True)
class PredictiveTotal:
    """A total of purchases with its two sources of chance.

    Attributes
    ----------
    mean : float
    of_customers : float
        Standard deviation from what single customers do at the fitted parameters.
    of_parameters : float
        Standard deviation from not knowing the parameters; those that the data do not identify add nothing.
    """

    mean: float
    of_customers: float
    of_parameters: float

    def interval(self, level: float = 0.8) -> tuple[float, float]:
        """Both ends; it knows nothing of what the model leaves out, so more totals than 1 - level miss it."""
        half = normal_quantile(level) * float(np.hypot(self.of_customers, self.of_parameters))
        return max(self.mean - half, 0.0), self.mean + half


def predictive_total(
    model: PurchaseModel,
    customers: pd.DataFrame,
    future_t: float,
    random_state: int | np.random.Generator,
    *,
    expected: Array | None = None,
) -> PredictiveTotal:
    """How many purchases all customers make together, and how far chance may carry them from it.

    Parameters
    ----------
    model : PurchaseModel
        Fitted.
    customers : DataFrame
        Columns `frequency, recency, T`.
    future_t : float
    random_state : int or numpy Generator
        For the draws that give the variance.
    expected : array, shape (customers,), optional
        `model.expected_purchases(customers, future_t)`, where it is known already.

    Returns
    -------
    PredictiveTotal
    """
    mean = model.expected_purchases(customers, future_t).to_numpy() if expected is None else expected
    draws = -(-DRAWN // len(customers))
    drawn = model.sample_purchases(customers, future_t, draws, random_state)
    of_customers = np.sqrt(((drawn - mean) ** 2).sum() / draws)
    covariance = np.nan_to_num(model._fitted("_log_covariance"))
    slopes = _slopes(model, read_histories(customers), model._periods(future_t))
    of_parameters = np.sqrt(max(slopes @ covariance @ slopes, 0.0))
    return PredictiveTotal(float(mean.sum()), float(of_customers), float(of_parameters))


def _slopes(model: PurchaseModel, known: Histories, t: float) -> Array:
    """The change of the total with the logarithm of each parameter."""
    customers = np.bincount(known.row)

    def total(name: str, step: float) -> float:
        moved = type(model).from_params(
            time_unit=model.time_unit_, **model.params_ | {name: model.params_[name] * np.exp(step)}
        )
        return float(customers @ moved._expected(t)(known.frequency, known.recency, known.T))

    return np.array([(total(name, STEP) - total(name, -STEP)) / (2 * STEP) for name in model.parameter_names])
