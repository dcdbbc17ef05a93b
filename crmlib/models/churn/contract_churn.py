"""Who leaves a contract: the road of a firm with contracts, or with a table of customers and who left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.customers.retention.contract_samples import contract_samples
from crmlib.customers.retention.contract_spells import contract_spells
from crmlib.errors import CannotAnswerError
from crmlib.findings import Verdict
from crmlib.models.churn.churn_model import ChurnModel, Estimator
from crmlib.models.churn.data import ChurnData, churn_data
from crmlib.models.churn.evaluation import evaluate_churn, tenure_column
from crmlib.models.churn.features import CATEGORY
from crmlib.models.churn.leak_check import LEAK, REDUNDANT, leak_check
from crmlib.models.churn.reasons import churn_reasons, explained_by, permutation_importance
from crmlib.models.churn.verdict import churn_verdict
from crmlib.models.survival.curves import survival_curves

if TYPE_CHECKING:
    from crmlib.study import Study

_MOST_GROUPS = 6
_MEASURES = {
    "roc_auc": "pairs in order (ROC AUC)",
    "pr_auc": "average precision (PR AUC)",
    "lift_top_10": "lift in the riskiest tenth",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_slope": "calibration slope (1 is right)",
    "mean_predicted": "expected to leave",
}
_NOT_JUDGED = Verdict("churn model", "not judged", ("There is no model of contracts.",))


def _no_rows(columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=columns.split(), dtype=float)


@dataclass(frozen=True)
class ContractChurn:
    """What there is to say about customers with contracts; frames without rows where there are none.

    Attributes
    ----------
    said : str
        Where this was learnt from, or why there is nothing.
    verdict : Verdict
        Whether the model is to be used, and why.
    leaks, scores, calibration, deciles, subgroups, importance : DataFrame
        As of `leak_check`, `evaluate_churn` and `permutation_importance`.
    held_out : DataFrame
        `customer_id`, `churned`, `p_churn`, `p_tenure` (by tenure alone; nan without one) of customers that the
        model had not seen.
    to_save : DataFrame
        Customers who are still there, the likeliest to leave first: `customer_id`, `p_churn`, `reason_1` …; where the
        outcome of all is known, those who stayed, with the chance of a model that had not seen them.
    explained_by : str
        How the reasons were found.
    survival : DataFrame
        As of `survival_curves`, by the plan or by what counts most among the categories.
    survival_by : str
    notes : tuple of str
        What was read how, and what was left out.
    """

    said: str
    verdict: Verdict = _NOT_JUDGED
    leaks: pd.DataFrame = field(default_factory=lambda: _no_rows("column finding roc_auc what"))
    scores: pd.DataFrame = field(
        default_factory=lambda: _no_rows("model customers churned base_rate roc_auc")
    )
    calibration: pd.DataFrame = field(default_factory=lambda: _no_rows("predicted_mean actual_mean low high"))
    deciles: pd.DataFrame = field(default_factory=lambda: _no_rows("model decile gain gain_low gain_high"))
    subgroups: pd.DataFrame = field(default_factory=lambda: _no_rows("column group customers gap"))
    importance: pd.DataFrame = field(default_factory=lambda: _no_rows("feature importance"))
    held_out: pd.DataFrame = field(default_factory=lambda: _no_rows("customer_id churned p_churn p_tenure"))
    to_save: pd.DataFrame = field(default_factory=lambda: _no_rows("customer_id p_churn"))
    explained_by: str = "there is nothing to explain"
    survival: pd.DataFrame = field(default_factory=lambda: _no_rows("group tenure survival low high"))
    survival_by: str = ""
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to show."""
        return not self.scores.empty

    @property
    def measures(self) -> pd.DataFrame:
        """The scores to be read: a row per measure and a column per model, each with its 95 % interval."""
        told = {
            str(row["model"]): {said: _with_interval(row, name) for name, said in _MEASURES.items()}
            for _, row in self.scores.iterrows()
        }
        return pd.DataFrame(told)


def contract_churn(
    study: Study, *, horizon_months: int = 3, estimator: Estimator = "auto", random_state: int = 0
) -> ContractChurn:
    """Which customers with a contract leave, how well can that be told in advance, and why?

    Parameters
    ----------
    study : Study
        With a table `customer_features`, or `subscriptions`, from which contracts are looked at as they stood on
        earlier days; without either the answer says so.
    horizon_months : int
        With subscriptions: who leaves within so many months has left.
    estimator, random_state
        As for `ChurnModel`.

    Returns
    -------
    ContractChurn

    Notes
    -----
    Columns that give the answer away are left out, and those that repeat others too, so that reasons are not
    shared between two names of the same thing.

    Examples
    --------
    >>> import crmlib as crm
    >>> contract_churn(crm.open_study("cdnow-sample")).said
    'Nothing is known of contracts: the study has neither customer_features nor subscriptions.'
    """
    try:
        data, said = _read(study, horizon_months)
    except CannotAnswerError as error:
        return ContractChurn(f"Nothing is known of contracts: {error}.")
    leaks = leak_check(data, random_state=random_state)
    for finding, why in (
        (LEAK, "it nearly gives the answer away"),
        (REDUNDANT, "another column says the same"),
    ):
        data = data.without(*leaks.loc[leaks["finding"] == finding, "column"], why=why)
    found = evaluate_churn(data, estimator=estimator, random_state=random_state)
    importance = permutation_importance(found, repeats=2, random_state=random_state)
    model = ChurnModel(estimator, random_state=random_state).fit(data, leaks="keep")
    kept = leaks[leaks["finding"] != LEAK]
    survival_by, survival = _survival(study, data, importance)
    return ContractChurn(
        said=said,
        verdict=churn_verdict(found.scores, subgroups=found.subgroups, leaks=kept),
        leaks=leaks,
        scores=found.scores,
        calibration=found.calibration,
        deciles=found.deciles,
        subgroups=found.subgroups.sort_values("gap", key=abs, ascending=False, ignore_index=True),
        importance=importance,
        held_out=found.predictions[["customer_id", "churned", "p_churn", "p_tenure"]],
        to_save=_to_save(model, data, found.predictions),
        explained_by=explained_by(model),
        survival=survival,
        survival_by=survival_by,
        notes=(*found.notes, *(model.surprises(data.unlabelled) if len(data.unlabelled) else ())),
    )


def _with_interval(row: pd.Series, name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return "–" if np.isnan(value) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _read(study: Study, horizon_months: int) -> tuple[ChurnData, str]:
    if study.has("customer_features"):
        data = churn_data(study.table("customer_features"), as_of=study.as_of)
        where = "a table of customers with who left"
    elif study.has("subscriptions"):
        samples = contract_samples(
            study.table("subscriptions"), as_of=study.as_of, horizon_months=horizon_months
        )
        data = churn_data(samples)
        where = f"contracts as they stood on earlier days, and who left within {horizon_months} months"
    else:
        raise CannotAnswerError("the study has neither customer_features nor subscriptions")
    left = int(data.churned.sum())
    said = f"Learnt from {where}: {len(data.features):,} rows, {left:,} left ({fmt.share(left / len(data.features))})."
    return data, said


def _to_save(model: ChurnModel, data: ChurnData, predictions: pd.DataFrame) -> pd.DataFrame:
    """Those who can still be saved, with reasons."""
    if len(data.unlabelled):
        ids = data.unlabelled["customer_id"].reset_index(drop=True)
        found = churn_reasons(model, data.unlabelled, min(3, len(model.kinds)))
        found.insert(0, "customer_id", ids)
        return found.sort_values("p_churn", ascending=False, kind="stable", ignore_index=True)
    stayed = np.logical_not(data.churned)
    found = churn_reasons(model, data.features[stayed], min(3, len(model.kinds)))
    found.insert(0, "customer_id", data.customer_id[stayed])
    unseen = predictions.drop_duplicates("customer_id").set_index("customer_id")["p_churn"]
    found["p_churn"] = found["customer_id"].map(unseen)
    return found.sort_values("p_churn", ascending=False, kind="stable", ignore_index=True)


def _survival(study: Study, data: ChurnData, importance: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """How long customers stay, by the plan or by the category that counts most."""
    if study.has("subscriptions"):
        spells = contract_spells(study.table("subscriptions"), study.as_of, terms="first")
        by = "plan" if "plan" in spells and spells["plan"].notna().any() else None
        return by or "", survival_curves(spells, by=by)
    tenure = tenure_column(data)
    if tenure is None or data.features[tenure].isna().any():
        return "", _no_rows("group tenure survival low high")
    few = [
        name
        for name in importance["feature"]
        if data.read.kinds[name] == CATEGORY and data.features[name].nunique() <= _MOST_GROUPS
    ]
    spells = data.features.assign(ended=data.churned)
    return (few[0] if few else ""), survival_curves(spells, by=few[0] if few else None, tenure=tenure)
