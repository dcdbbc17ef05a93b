"""What a firm's tables tell of who left a contract, and how long contracts last."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from crmlib.customers.retention.contracts import contract_samples, contract_spells
from crmlib.data.sources import lacking
from crmlib.errors import CannotAnswerError, DataError
from crmlib.models.churn.data import ChurnData, churn_data, no_churn_data
from crmlib.models.churn.evaluation import tenure_column
from crmlib.models.churn.features import CATEGORY
from crmlib.models.survival.curves import TENURE, survival_curves
from crmlib.no_rows import no_rows

if TYPE_CHECKING:
    from crmlib.study import Study

_MOST_GROUPS = 6
_CURVES = "group tenure at_risk left survival low high"


def churn_data_of(study: Study, *, horizon_months: int = 3) -> ChurnData:
    """What is there to learn from about who left, in the tables of a study?

    Parameters
    ----------
    study : Study
        With a table `customer_features`; or else with `subscriptions`, from which contracts are looked at as
        they stood on earlier days.
    horizon_months : int
        With subscriptions: who leaves within so many months has left.

    Returns
    -------
    ChurnData
        Without rows, and with the `reason`, where there is neither table, where too few left or stayed, or
        where a table is refused.

    Examples
    --------
    >>> import crmlib as crm
    >>> churn_data_of(crm.open_study("telco")).basis
    'Learnt from a table of customers with who left: 7,043 rows, 1,869 left (27 %).'
    >>> churn_data_of(crm.open_study("cdnow-sample")).basis
    'Not measured: no table customer_features, subscriptions.'
    """
    try:
        if study.has("customer_features"):
            return churn_data(study.table("customer_features"), as_of=study.as_of)
        if not study.has("subscriptions"):
            features, contracts = study.table("customer_features"), study.table("subscriptions")
            return no_churn_data(lacking(customer_features=features, subscriptions=contracts))
        contracts = study.table("subscriptions")
        samples = contract_samples(contracts, as_of=study.as_of, horizon_months=horizon_months)
        where = f"contracts as they stood on earlier days, and who left within {horizon_months} months"
        spells = contract_spells(contracts, study.as_of, terms="first")
        return replace(churn_data(samples), source=where, spells=spells)
    except (CannotAnswerError, DataError) as error:
        return no_churn_data(str(error))


def churn_survival(data: ChurnData, importance: pd.DataFrame) -> pd.DataFrame:
    """How long do customers stay, by plan, or by the category that counts most?

    Parameters
    ----------
    data : ChurnData
        Where it was made of contracts they are followed, by their first plan; else its column of tenure is.
    importance : DataFrame
        Of `permutation_importance`.

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
    tenure = tenure_column(data)
    if tenure is None or data.features[tenure].isna().any():
        return no_rows(_CURVES, "no column says for how long each customer has been one")
    few = [
        name
        for name in importance["feature"]
        if data.read.kinds[name] == CATEGORY and data.features[name].nunique() <= _MOST_GROUPS
    ]
    spells = data.features.rename(columns={tenure: TENURE}).assign(ended=data.churned)
    return survival_curves(spells, by=few[0] if few else None)
