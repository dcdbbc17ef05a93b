"""Who may leave, each with reasons, and how long customers stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.models.churn.candidates import Estimator
from crmlib.models.churn.churn_model import ChurnModel
from crmlib.models.churn.data import ChurnData
from crmlib.models.churn.evaluation import ChurnEvaluation
from crmlib.models.churn.features import CATEGORY
from crmlib.models.churn.reasons import explained_by
from crmlib.models.survival_curves import TENURE, survival_curves
from crmlib.no_rows import no_rows

_REASONS = 3
_MOST_GROUPS = 6
_CURVES = "group tenure at_risk left survival low high"


@dataclass(frozen=True)
class CustomersAtRisk:
    """Who may leave, and how that was found.

    `customers`: the likeliest to leave first: `customer_id`, `p_churn`, `reason_1` … as of `ChurnModel.reasons`.
    `notes`: how the reasons were found, what is named as nobody's reason, and values among these customers that the
    model had never seen.
    """

    customers: pd.DataFrame
    notes: tuple[str, ...] = ()


def customers_at_risk(
    data: ChurnData,
    evaluation: ChurnEvaluation,
    *,
    estimator: Estimator = "auto",
    importance: pd.DataFrame | None = None,
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
    importance : DataFrame, optional
        Of `ChurnEvaluation.permutation_importance`: what does not improve predictions beyond chance (by more than two
        standard errors) is given as nobody's reason.

    Returns
    -------
    CustomersAtRisk
        Customers whose outcome is not known yet. Where the outcome of all is known: those who stayed, with the
        chance of a model that had not seen them.

    Examples
    --------
    >>> import crmlib as crm
    >>> data = crm.churn_data(crm.open_study("telco").table("customer_features"))
    >>> tested = crm.evaluate_churn(data, estimator="logistic", resamples=1)
    >>> customers_at_risk(data, tested, estimator="logistic").customers["p_churn"].round(2).head(2).tolist()
    [0.9, 0.87]
    """
    if data.reason:
        reasons = [f"reason_{number}" for number in range(1, _REASONS + 1)]
        nobody = no_rows(["customer_id", "p_churn", *reasons], data.reason)
        return CustomersAtRisk(nobody)
    model = ChurnModel(estimator, random_state=random_state).fit(data, keep_leaks=True)
    among, notes = list(model.kinds), [f"Method for the reasons: {explained_by(model.estimator_)}."]
    if importance is not None:
        counts = importance.loc[importance["importance"] > 2 * importance["standard_error"], "feature"]
        among = [name for name in model.kinds if name in set(counts)]
        notes += [_unnamed([name for name in model.kinds if name not in among])]
    found = _scored(model, data, evaluation.predictions, among)
    found = found.sort_values("p_churn", ascending=False, kind="stable", ignore_index=True)
    notes += model.surprises(data.unlabelled) if len(data.unlabelled) else ()
    return CustomersAtRisk(found, tuple(filter(None, notes)))


def _unnamed(names: list[str]) -> str:
    """The features that are named as nobody's reason."""
    if not names:
        return ""
    listed = fmt.listing([fmt.column(name) for name in names])
    return f"Not named as reasons, because they do not improve predictions beyond chance: {listed}."


def _scored(model: ChurnModel, data: ChurnData, predictions: pd.DataFrame, among: list[str]) -> pd.DataFrame:
    """Those who can still be kept, with reasons."""
    count = min(_REASONS, len(model.kinds))
    if len(data.unlabelled):
        found = model.reasons(data.unlabelled, count, among)
        found.insert(0, "customer_id", data.unlabelled["customer_id"].reset_index(drop=True))
        return found
    stayed = np.logical_not(data.churned)
    found = model.reasons(data.features[stayed], count, among)
    found.insert(0, "customer_id", data.customer_id[stayed])
    unseen = predictions.drop_duplicates("customer_id").set_index("customer_id")["p_churn"]
    return found.assign(p_churn=found["customer_id"].map(unseen))


def churn_survival(data: ChurnData, importance: pd.DataFrame) -> pd.DataFrame:
    """How long do customers stay, by plan, or by the category that counts most?

    Parameters
    ----------
    data : ChurnData
        Where it was made of contracts they are followed, by their first plan; else its column of tenure is.
    importance : DataFrame
        Of `ChurnEvaluation.permutation_importance`.

    Returns
    -------
    DataFrame
        As of `survival_curves`; without rows, and with the `reason`, where no tenure is known.

    Examples
    --------
    >>> import crmlib as crm
    >>> data = crm.churn_data(crm.open_study("telco").table("customer_features"))
    >>> sorted(churn_survival(data, pd.DataFrame({"feature": ["contract", "tenure"]}))["group"].unique())
    ['Month-to-month', 'One year', 'Two year']
    """
    if data.reason:
        return no_rows(_CURVES, data.reason)
    if data.spells is not None:
        by = "plan" if "plan" in data.spells and data.spells["plan"].notna().any() else None
        return survival_curves(data.spells, by=by)
    tenure = data.tenure_column
    if tenure is None or data.features[tenure].isna().any():
        return no_rows(_CURVES, "no column has the tenure of the customers")
    few = [
        name
        for name in importance["feature"]
        if data.read.kinds[name] == CATEGORY and data.features[name].nunique() <= _MOST_GROUPS
    ]
    spells = data.features.rename(columns={tenure: TENURE}).assign(ended=data.churned)
    return survival_curves(spells, by=few[0] if few else None)
