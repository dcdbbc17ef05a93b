"""Evaluation of a churn model: each customer is predicted by a model that has not seen that customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.errors import FitError
from crmlib.findings import Verdict, with_finding
from crmlib.models._inference import Array
from crmlib.models.churn.candidates import (
    LINEAR,
    Estimator,
    Rows,
    Splits,
    make_estimator,
    split_customers,
)
from crmlib.models.churn.churn_model import ChurnModel
from crmlib.models.churn.data import FEWEST_OF_EACH, ChurnData
from crmlib.models.churn.leak_check import columns_in_doubt
from crmlib.models.churn.metrics import SUBGROUPS, TENTHS, Predictions, by_subgroup, calibration_groups
from crmlib.models.churn.verdict import MODEL, TENURE, WITHOUT, ChurnThresholds, churn_verdict
from crmlib.models.sentences import chances_of_leaving, churn_of_tenths, gains
from crmlib.no_rows import no_rows, why_none
from crmlib.statistics import bootstrap_weights, with_intervals

BASE_RATE = "base rate"
FOLDS = 5
TEST_SHARE = 0.25  # of the rows, by date
MOST_SUBGROUPS = 8  # values of a column by whose groups the model is judged too
_TENURE_NAMES = (
    "tenure",
    "tenure_months",
    "account_length",
    "months_with_firm",
    "customer_age",
    "age_of_contract",
    "seniority",
)
_MEASURES = {
    "roc_auc": "ROC AUC (share of pairs ranked correctly)",
    "pr_auc": "average precision (PR AUC)",
    "lift_top_10": "lift in the riskiest tenth",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_slope": "calibration slope (1 is right)",
    "mean_predicted": "expected to leave",
}
_METRICS = [*_MEASURES, "calibration_intercept"]
_COLUMNS = {
    "scores": "model in_doubt customers churned base_rate "
    + " ".join(f"{metric}{end}" for metric in _METRICS for end in ("", "_low", "_high")),
    "calibration": "group customers predicted_mean actual_mean low high",
    "deciles": "model decile customers churned churn_rate lift gain gain_low gain_high cumulative_lift",
    "subgroups": SUBGROUPS,
    "in_doubt": "column finding roc_auc what",
    "predictions": "customer_id fold churned p_churn p_tenure p_base_rate",
}


@dataclass(frozen=True)
class ChurnEvaluation:
    """What a churn model and two simple rules predicted for customers they had not seen, beside what happened.

    Attributes
    ----------
    scores : DataFrame
        One row per `model` ("churn model", "without columns in doubt" where there are any, "tenure alone", "base
        rate"), over all held-out customers: `in_doubt` (which columns of the model are), `customers`, `churned`,
        `base_rate`; `roc_auc`, `pr_auc` (average precision), `brier`, `log_loss`, `calibration_slope`,
        `calibration_intercept`, `mean_predicted`, `lift_top_10`, each also with `_low` and `_high`: 95 % by
        bootstrap over customers.
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
        One row per held-out customer: `customer_id`, `fold`, `churned`, `p_churn`, `p_tenure`, `p_base_rate`,
        and `p_without` the columns in doubt where there are any.
    in_doubt : DataFrame
        What `leak_check` says of columns that the model uses: suspects, and leaks that were kept.
    folds : tuple of (ChurnModel, ndarray)
        The model of each fold, and the rows of the data that it has not seen.
    data : ChurnData
    notes : tuple of str
        How customers were held out, and what could not be compared; what was read how is in `data.notes`.
    """

    scores: pd.DataFrame
    calibration: pd.DataFrame
    deciles: pd.DataFrame
    subgroups: pd.DataFrame
    predictions: pd.DataFrame
    in_doubt: pd.DataFrame
    folds: tuple[tuple[ChurnModel, Rows], ...]
    data: ChurnData
    notes: tuple[str, ...]

    @property
    def measures(self) -> pd.DataFrame:
        """The scores to be read: a row per measure and a column per model, each with its 95 % interval."""
        if missing := why_none(self.scores):
            return no_rows([MODEL], missing)
        columns = {
            str(row["model"]): {what: _with_interval(row, name) for name, what in _MEASURES.items()}
            for _, row in self.scores.iterrows()
        }
        return pd.DataFrame(columns)

    @property
    def model_scores(self) -> pd.Series:
        """The row of the churn model in `scores`; nan where there is none."""
        return self.scores.set_index("model").reindex([MODEL]).iloc[0]

    def verdict(self, thresholds: ChurnThresholds | None = None) -> Verdict:
        """Whether the model is to be used, and why: "use", "use with care", "do not use", or "not judged"."""
        return churn_verdict(self.scores, subgroups=self.subgroups, thresholds=thresholds)

    @property
    def caveat(self) -> str:
        """The columns in doubt and the score without them, to stand beside the score; else empty."""
        if self.in_doubt.empty:
            return ""
        caveat = f", with {fmt.listing(list(self.in_doubt['column']))} in doubt"
        area = self.scores.set_index("model")["roc_auc"].get(WITHOUT)
        return caveat if area is None else f"{caveat} (ROC AUC {fmt.number(area)} without)"


def evaluate_churn(
    data: ChurnData,
    *,
    estimator: Estimator = "auto",
    keep_leaks: bool = False,
    resamples: int = 200,
    random_state: int = 0,
) -> ChurnEvaluation:
    """Hold customers out, choose, calibrate and fit on the others, and compare with what happened.

    Parameters
    ----------
    data : ChurnData
        Without leaks (see `leak_check`). Suspects stay, are named, and are scored without too.
    estimator : {"auto", "logistic", "gradient_boosting"}
        As for `ChurnModel`; the choice is made anew inside each fold.
    keep_leaks : bool
        Whether columns that nearly give the answer away were known in time; they are then in doubt, as suspects are.
    resamples : int
        Of the bootstrap over customers.
    random_state : int

    Returns
    -------
    ChurnEvaluation
        Its frames have no rows, and say why, where there are no data.

    Raises
    ------
    FitError
        If a column gives the answer away, or what can be learnt from, or is held out, has fewer than 25 of a kind.

    Notes
    -----
    Where there is one cut-off, customers are held out in five folds with equal shares of those who left. Where there
    are several, the latest quarter of the rows is held out instead, and the models learn from earlier cut-offs whose
    outcome was known by then.

    Bootstrap intervals tell how sure the figures are for these models; they do not contain how models differ from
    one training set to the next. Sources: Neslin et al. (2006), Journal of Marketing Research 43(2), 204–211
    (lift, gains); Van Calster et al. (2016), Journal of Clinical Epidemiology 74 (calibration).

    Examples
    --------
    >>> import crmlib as crm
    >>> data = crm.churn_data(crm.open_study("telco").table("customer_features"))
    >>> found = evaluate_churn(data, estimator="logistic", resamples=20)
    >>> found.scores[["model", "roc_auc", "brier", "lift_top_10"]].round(2)
              model  roc_auc  brier  lift_top_10
    0   churn model     0.85   0.14         2.84
    1  tenure alone     0.74   0.17         2.27
    2     base rate     0.50   0.19         1.00
    """
    if data.reason:
        nothing = {name: no_rows(columns, data.reason) for name, columns in _COLUMNS.items()}
        return ChurnEvaluation(**nothing, folds=(), data=data, notes=())
    in_doubt = columns_in_doubt(data, keep_leaks=keep_leaks, random_state=random_state)
    named_in_doubt = list(in_doubt["column"])
    rest = data.without(*named_in_doubt) if 0 < len(named_in_doubt) < len(data.features.columns) else None
    splits, note = held_out_splits(data, random_state)
    column, models, parts = tenure_column(data), [], []
    for number, (train, test) in enumerate(splits, start=1):
        model = ChurnModel(estimator, random_state=random_state).fit_rows(data, train)
        models.append((model, test))
        part = {
            "customer_id": data.customer_id.to_numpy()[test],
            "fold": number,
            "churned": data.churned[test],
        }
        part["p_churn"] = model.p_churn_coded(data.codes.iloc[test])
        if rest is not None:
            again = ChurnModel(estimator, random_state=random_state).fit_rows(rest, train)
            part["p_without"] = again.p_churn_coded(rest.codes.iloc[test])
        part["p_tenure"] = _by_tenure(data, column, train, test, random_state)
        parts.append(pd.DataFrame(part | {"p_base_rate": data.churned[train].mean()}))
    frame, rows = pd.concat(parts, ignore_index=True), np.concatenate([test for _, test in splits])
    named, notes = (
        {MODEL: "p_churn", WITHOUT: "p_without", TENURE: "p_tenure", BASE_RATE: "p_base_rate"},
        [note],
    )
    if "p_without" not in frame:
        del named[WITHOUT]
    if column is None:
        del named[TENURE]
        notes.append(f"there is no tenure column to compare with: rename it to {_TENURE_NAMES[0]}")
    churned, features = frame["churned"].to_numpy(), data.features.iloc[rows]
    predictions = {model: Predictions(frame[p].to_numpy(), churned) for model, p in named.items()}
    groups = None if data.groups is None else data.groups[rows]
    weights = list(bootstrap_weights(len(frame), resamples, random_state, groups=groups))
    few = [name for name in features if 2 <= data.features[name].nunique(dropna=False) <= MOST_SUBGROUPS]
    p_churn, deciles = frame["p_churn"].to_numpy(), _deciles(predictions, weights, churned)
    return ChurnEvaluation(
        scores=_scores(predictions, weights, churned, ", ".join(named_in_doubt)),
        calibration=with_finding(calibration_groups(p_churn, churned), chances_of_leaving),
        deciles=with_finding(with_finding(deciles, gains), churn_of_tenths, measure="churn_rate"),
        subgroups=by_subgroup(features, churned, p_churn, few),
        predictions=frame,
        in_doubt=in_doubt,
        folds=tuple(models),
        data=data,
        notes=tuple(notes),
    )


def held_out_splits(data: ChurnData, random_state: int) -> tuple[Splits, str]:
    """What each model learns from and what it is judged by, and how that was decided, in words."""
    if data.date is None or data.date.nunique() < 2:
        splits = split_customers(data.churned, data.groups, FOLDS, random_state)
        what = "all rows of a customer in one" if data.groups is not None else "no customer in two"
        return splits, f"held out in {FOLDS} folds with equal shares of those who left, {what}"
    days = data.date.to_numpy()
    later = {day: float((days >= day).mean()) for day in np.unique(days)[1:]}
    cut = min(later, key=lambda day: abs(later[day] - TEST_SHARE))
    train = days < cut
    note = f"held out by date: cut-offs from {pd.Timestamp(cut).date()} on"
    if data.known_on is None:
        note += "; whether earlier outcomes were known by then is not known (column outcome_known_on)"
    else:
        unknown = train & (data.known_on.to_numpy() > cut)
        train &= ~unknown
        note += f"; {int(unknown.sum()):,} earlier rows are not used for fitting: their outcome was not known by then"
    test = days >= cut
    if data.groups is not None:
        both = np.isin(data.groups[test], data.groups[train]).mean()
        note += (
            f"; {fmt.share(both)} of the held-out rows are of customers with an earlier row too, as in use"
        )
    for name, part in (("learnt from", train), ("held out", test)):
        left = int(data.churned[part].sum())
        if min(left, int(part.sum()) - left) < FEWEST_OF_EACH:
            raise FitError(
                f"of {int(part.sum()):,} rows {name} {left:,} left; at least {FEWEST_OF_EACH} of either kind are "
                f"needed ({note}). Add cut-offs, or drop the column date to hold out customers instead"
            )
    return [(np.flatnonzero(train), np.flatnonzero(test))], note


def tenure_column(data: ChurnData) -> str | None:
    """The column of tenure, recognised by its name; None where there is none."""
    return next((name for name in data.features if name.lower() in _TENURE_NAMES), None)


def _by_tenure(data: ChurnData, column: str | None, train: Rows, test: Rows, random_state: int) -> Array:
    """A logistic regression on one column."""
    if column is None:
        return np.full(len(test), np.nan)
    alone = make_estimator(LINEAR, {column: data.read.kinds[column]}, random_state)
    alone.fit(data.codes[[column]].iloc[train], data.churned[train])
    return alone.predict_proba(data.codes[[column]].iloc[test])[:, 1]


def _scores(
    predictions: dict[str, Predictions], weights: list[Array], churned: Array, in_doubt: str
) -> pd.DataFrame:
    about = {"customers": len(churned), "churned": int(churned.sum()), "base_rate": float(churned.mean())}
    rows = []
    for model, predicted in predictions.items():
        measured = predicted.metrics()
        resampled = [list(predicted.metrics(resample).values()) for resample in weights]
        columns = with_intervals(list(measured), list(measured.values()), resampled)
        rows.append({"model": model, "in_doubt": in_doubt if model == MODEL else ""} | about | columns)
    return pd.DataFrame(rows)


def _deciles(predictions: dict[str, Predictions], weights: list[Array], churned: Array) -> pd.DataFrame:
    size, left, tables = len(churned) / 10, float(churned.sum()), []
    for model, predicted in predictions.items():
        gain = predicted.gains()
        part = np.diff(gain, prepend=0.0)
        table = {"model": model, "decile": np.arange(1, 11), "customers": size, "churned": part * left}
        table |= {"churn_rate": part * left / size, "lift": part * 10}
        table |= with_intervals(["gain"], [gain], [[predicted.gains(resample)] for resample in weights])
        tables.append(pd.DataFrame(table | {"cumulative_lift": gain / TENTHS}))
    return pd.concat(tables, ignore_index=True)


def _with_interval(row: pd.Series, name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return "–" if np.isnan(value) else f"{value:.3f} ({low:.3f} to {high:.3f})"
