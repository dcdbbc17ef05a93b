"""The list of customers who may leave, the likeliest first, each with reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.models.churn.churn_model import ChurnModel, Estimator
from crmlib.models.churn.data import ChurnData
from crmlib.models.churn.evaluated import ChurnEvaluation
from crmlib.models.churn.reasons import churn_reasons, explained_by
from crmlib.no_rows import no_rows

_REASONS = 3


@dataclass(frozen=True)
class CustomersAtRisk:
    """Who may leave, and how that was found.

    Attributes
    ----------
    customers : DataFrame
        The likeliest to leave first: `customer_id`, `p_churn`, `reason_1` … as of `churn_reasons`.
    model : ChurnModel or None
        Fitted to all the data; None where there are none.
    explained_by : str
        How the reasons were found.
    notes : tuple of str
        Values among these customers that the model had never seen.
    """

    customers: pd.DataFrame
    model: ChurnModel | None
    explained_by: str
    notes: tuple[str, ...] = ()


def customers_at_risk(
    data: ChurnData,
    evaluation: ChurnEvaluation,
    *,
    estimator: Estimator = "auto",
    random_state: int = 0,
) -> CustomersAtRisk:
    """Who of those who are still there is likeliest to leave, and why?

    Parameters
    ----------
    data : ChurnData
        Without leaks.
    evaluation : ChurnEvaluation
        Of the same data.
    estimator, random_state
        As for `ChurnModel`.

    Returns
    -------
    CustomersAtRisk
        Customers whose outcome is not known yet. Where the outcome of all is known: those who stayed, with the
        chance of a model that had not seen them.

    Examples
    --------
    >>> import crmlib as crm
    >>> data = crm.churn_data(crm.open_study("telco").table("customer_features"))
    >>> tested = crm.evaluate_churn(data, estimator="logistic", draws=1)
    >>> customers_at_risk(data, tested, estimator="logistic").customers["p_churn"].round(2).head(2).tolist()
    [0.9, 0.87]
    """
    if data.reason:
        reasons = [f"reason_{number}" for number in range(1, _REASONS + 1)]
        nobody = no_rows(["customer_id", "p_churn", *reasons], data.reason)
        return CustomersAtRisk(nobody, None, "there is nothing to explain")
    model = ChurnModel(estimator, random_state=random_state).fit(data, leaks="keep")
    found = _scored(model, data, evaluation.predictions)
    found = found.sort_values("p_churn", ascending=False, kind="stable", ignore_index=True)
    surprises = model.surprises(data.unlabelled) if len(data.unlabelled) else ()
    return CustomersAtRisk(found, model, explained_by(model), tuple(surprises))


def _scored(model: ChurnModel, data: ChurnData, predictions: pd.DataFrame) -> pd.DataFrame:
    """Those who can still be kept, with reasons."""
    count = min(_REASONS, len(model.kinds))
    if len(data.unlabelled):
        found = churn_reasons(model, data.unlabelled, count)
        found.insert(0, "customer_id", data.unlabelled["customer_id"].reset_index(drop=True))
        return found
    stayed = np.logical_not(data.churned)
    found = churn_reasons(model, data.features[stayed], count)
    found.insert(0, "customer_id", data.customer_id[stayed])
    unseen = predictions.drop_duplicates("customer_id").set_index("customer_id")["p_churn"]
    return found.assign(p_churn=found["customer_id"].map(unseen))
