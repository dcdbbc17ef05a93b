"""What an evaluation of a churn model holds, and what it holds where there is nothing to evaluate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib.models.churn.churn_model import ChurnModel, Rows
from crmlib.models.churn.data import ChurnData
from crmlib.no_rows import no_rows, why_none

MODEL = "churn model"
_MEASURES = {
    "roc_auc": "pairs in order (ROC AUC)",
    "pr_auc": "average precision (PR AUC)",
    "lift_top_10": "lift in the riskiest tenth",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_slope": "calibration slope (1 is right)",
    "mean_predicted": "expected to leave",
}
_METRICS = [*_MEASURES, "calibration_intercept"]
_COLUMNS = {
    "scores": "model customers churned base_rate "
    + " ".join(f"{one}{end}" for one in _METRICS for end in ("", "_low", "_high")),
    "by_fold": f"model fold customers {' '.join(_METRICS)}",
    "calibration": "group customers predicted_mean actual_mean low high",
    "deciles": "model decile customers churned churn_rate lift gain gain_low gain_high cumulative_lift",
    "subgroups": "column group customers churned actual predicted gap standard_error beyond_chance roc_auc",
    "predictions": "customer_id fold churned p_churn p_tenure p_base_rate",
}


@dataclass(frozen=True)
class ChurnEvaluation:
    """What a churn model and two simple rules predicted for customers they had not seen, beside what happened.

    Attributes
    ----------
    scores : DataFrame
        One row per `model` ("churn model", "tenure alone", "base rate"), over all held-out customers:
        `customers`, `churned`, `base_rate`; `roc_auc`, `pr_auc` (average precision), `brier`, `log_loss`,
        `calibration_slope`, `calibration_intercept`, `mean_predicted`, `lift_top_10`, each also with `_low` and
        `_high`: 95 % by bootstrap over customers.
    by_fold : DataFrame
        One row per model and fold: `model`, `fold`, `customers` and the metrics.
    calibration : DataFrame
        One row per tenth of the churn model's predictions: `group` (1 the lowest), `customers`,
        `predicted_mean`, `actual_mean`, `low`, `high` (95 %, Wilson).
    deciles : DataFrame
        One row per model and tenth of the customers, the riskiest first: `model`, `decile`, `customers`,
        `churned`, `churn_rate`, `lift` (of the tenth), `gain` (share of all who left caught so far),
        `gain_low`, `gain_high`, `cumulative_lift`.
    subgroups : DataFrame
        One row per `column` and `group`: `customers`, `churned`, `actual`, `predicted` (means), `gap`
        (predicted − actual), `standard_error`, `beyond_chance` (Bonferroni, 5 % for all of them together), `roc_auc`.
    predictions : DataFrame
        One row per held-out customer: `customer_id`, `fold`, `churned`, `p_churn`, `p_tenure`, `p_base_rate`.
    folds : tuple of (ChurnModel, ndarray)
        The model of each fold, and the rows of the data that it has not seen.
    data : ChurnData
    split : str
        How customers were held out, in words.
    notes : tuple of str
        How customers were held out, and what could not be compared; what was read how is in `data.notes`.
    """

    scores: pd.DataFrame
    by_fold: pd.DataFrame
    calibration: pd.DataFrame
    deciles: pd.DataFrame
    subgroups: pd.DataFrame
    predictions: pd.DataFrame
    folds: tuple[tuple[ChurnModel, Rows], ...]
    data: ChurnData
    split: str
    notes: tuple[str, ...]

    @property
    def measures(self) -> pd.DataFrame:
        """The scores to be read: a row per measure and a column per model, each with its 95 % interval."""
        if missing := why_none(self.scores):
            return no_rows([MODEL], missing)
        told = {
            str(row["model"]): {what: _with_interval(row, name) for name, what in _MEASURES.items()}
            for _, row in self.scores.iterrows()
        }
        return pd.DataFrame(told)

    @property
    def model_scores(self) -> pd.Series:
        """The row of the churn model in `scores`; nan where there is none."""
        return self.scores.set_index("model").reindex([MODEL]).iloc[0]


def not_evaluated(data: ChurnData) -> ChurnEvaluation:
    """The evaluation of data without a row: every frame has its columns, and says why it has no rows."""
    frames = {name: no_rows(columns, data.reason) for name, columns in _COLUMNS.items()}
    return ChurnEvaluation(**frames, folds=(), data=data, split="", notes=())


def _with_interval(row: pd.Series, name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return "–" if np.isnan(value) else f"{value:.3f} ({low:.3f} to {high:.3f})"
