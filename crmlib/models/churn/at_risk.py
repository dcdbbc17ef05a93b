"""Who may leave, each with reasons, how long customers stay, and scores of a table larger than memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlib.models.churn.candidates import Estimator
from crmlib.models.churn.churn_model import ChurnModel
from crmlib.models.churn.data import ChurnData
from crmlib.models.churn.evaluation import ChurnEvaluation, tenure_column
from crmlib.models.churn.features import CATEGORY
from crmlib.models.churn.reasons import churn_reasons, explained_by
from crmlib.models.scoring import rewrite_parquet
from crmlib.models.survival_curves import TENURE, survival_curves
from crmlib.no_rows import no_rows

if TYPE_CHECKING:
    import duckdb

_REASONS = 3
_MOST_GROUPS = 6
_CURVES = "group tenure at_risk left survival low high"
_ROWS_AT_ONCE = 50_000  # of a Parquet table


@dataclass(frozen=True)
class CustomersAtRisk:
    """Who may leave, and how that was found.

    Attributes
    ----------
    customers : DataFrame
        The likeliest to leave first: `customer_id`, `p_churn`, `reason_1` … as of `churn_reasons`.
    explained_by : str
        How the reasons were found.
    notes : tuple of str
        Values among these customers that the model had never seen.
    """

    customers: pd.DataFrame
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
    >>> tested = crm.evaluate_churn(data, estimator="logistic", resamples=1)
    >>> customers_at_risk(data, tested, estimator="logistic").customers["p_churn"].round(2).head(2).tolist()
    [0.9, 0.87]
    """
    if data.reason:
        reasons = [f"reason_{number}" for number in range(1, _REASONS + 1)]
        nobody = no_rows(["customer_id", "p_churn", *reasons], data.reason)
        return CustomersAtRisk(nobody, "there is nothing to explain")
    model = ChurnModel(estimator, random_state=random_state).fit(data, keep_leaks=True)
    found = _scored(model, data, evaluation.predictions)
    found = found.sort_values("p_churn", ascending=False, kind="stable", ignore_index=True)
    surprises = model.surprises(data.unlabelled) if len(data.unlabelled) else ()
    return CustomersAtRisk(found, explained_by(model), tuple(surprises))


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
        return no_rows(_CURVES, "no column has the tenure of the customers")
    few = [
        name
        for name in importance["feature"]
        if data.read.kinds[name] == CATEGORY and data.features[name].nunique() <= _MOST_GROUPS
    ]
    spells = data.features.rename(columns={tenure: TENURE}).assign(ended=data.churned)
    return survival_curves(spells, by=few[0] if few else None)


def score_churn_parquet(
    model: ChurnModel,
    source: str | Path,
    target: str | Path,
    *,
    reasons: int = 3,
) -> int:
    """Score a Parquet table of customers that may be larger than memory.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    source : path
        Parquet file with the columns of the fit; others are carried along.
    target : path
        Parquet file to write, at once when it is complete: all columns of `source`, `p_churn` and, where
        reasons are wanted, `reason_1` and so on. The order of rows stays.
    reasons : int
        How many reasons per customer; 0 for none.

    Returns
    -------
    int
        Rows written: as many as were read.

    Raises
    ------
    DataError
        If the table has no rows, lacks a column, or has one of the new columns already.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import crmlib as crm
    >>> data = crm.churn_data(crm.open_study("telco").table("customer_features"))
    >>> model = crm.ChurnModel(estimator="logistic").fit(data)
    >>> with TemporaryDirectory() as folder:
    ...     source, target = Path(folder, "customers.parquet"), Path(folder, "scored.parquet")
    ...     data.features[:5].to_parquet(source)
    ...     score_churn_parquet(model, source, target, reasons=1)
    ...     pd.read_parquet(target).loc[0, "reason_1"]
    5
    'tenure 1: +1.9 in log odds'
    """
    import pyarrow as pa

    new = ["p_churn", *(f"reason_{place + 1}" for place in range(reasons))]

    def scored(rows: pa.RecordBatch) -> pa.RecordBatch:
        features = rows.select([name for name in model.kinds if name in rows.schema.names]).to_pandas()
        found = churn_reasons(model, features, reasons) if reasons else model.p_churn(features).to_frame()
        columns = [*rows.columns, *(pa.array(found[name], kinds[name]) for name in new)]
        return pa.RecordBatch.from_arrays(columns, names=[*rows.schema.names, *new])

    kinds = {name: pa.float64() if name == "p_churn" else pa.string() for name in new}

    def queries(engine: duckdb.DuckDBPyConnection) -> Iterable[str]:
        pieces = engine.cursor().table("c").to_arrow_reader(_ROWS_AT_ONCE)
        schema = pa.schema([*pieces.schema, *(pa.field(name, kind) for name, kind in kinds.items())])
        engine.register("s", pa.RecordBatchReader.from_batches(schema, map(scored, pieces)))
        return ["FROM s"]

    return rewrite_parquet(source, target, new, queries, ordered=True)
