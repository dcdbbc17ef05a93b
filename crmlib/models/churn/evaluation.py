"""Evaluation of a churn model: each customer is predicted by a model that has not seen that customer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.arguments import checked
from crmlib.findings import Estimate, Verdict, with_finding
from crmlib.models._inference import Array
from crmlib.models.churn.candidates import LINEAR, Estimator, Rows, held_out_splits, make_estimator
from crmlib.models.churn.churn_model import ChurnModel
from crmlib.models.churn.data import TENURE_NAMES, ChurnData
from crmlib.models.churn.leak_check import columns_in_doubt
from crmlib.models.churn.metrics import (
    SUBGROUPS,
    TENTHS,
    Predictions,
    bounded_log_losses,
    by_subgroup,
    calibration_groups,
)  # fmt: skip
from crmlib.models.churn.verdict import MODEL, TENURE, WITHOUT, ChurnThresholds, churn_verdict
from crmlib.models.sentences import chances_of_leaving, churn_of_tenths, features_that_count, gains
from crmlib.no_rows import no_rows, why_none
from crmlib.rankings import roc_auc
from crmlib.statistics import bootstrap_weights, percentile_interval, wilson_interval, with_intervals

BASE_RATE = "base rate"
_ROWS_AT_ONCE = 100_000
MOST_SUBGROUPS = 8  # values of a column by whose groups the model is judged too
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
    + " ".join(f"{metric}{end}" for metric in _METRICS for end in ("", "_low", "_high"))
    + " lead_low lead_high",
    "calibration": "group customers predicted_mean actual_mean low high",
    "deciles": "model decile customers churned churn_rate lift gain gain_low gain_high lead_low lead_high "
    "cumulative_lift",
    "subgroups": SUBGROUPS,
    "in_doubt": "column finding roc_auc what",
    "predictions": "customer_id fold churned p_churn p_tenure p_base_rate",
}


@dataclass(frozen=True)
class ChurnEvaluation:
    """What a churn model and two simple rules predicted for customers they had not seen, beside what happened.

    - `scores`: one row per `model` ("churn model", "without columns in doubt" where there are any, "tenure alone",
      "base rate"), over all held-out customers: `in_doubt` (which columns of the model are), `customers`, `churned`,
      `base_rate`; `roc_auc`, `pr_auc` (average precision), `brier`, `log_loss`, `calibration_slope`,
      `calibration_intercept`, `mean_predicted`, `lift_top_10`, each also with `_low` and `_high`: 95 % by bootstrap
      over customers; `lead_low`, `lead_high`: of the churn model's ROC AUC over this row's, on the same resamples.
    - `calibration`: one row per tenth of the churn model's predictions: `group` (1 the lowest), `customers`,
      `predicted_mean`, `actual_mean`, `low`, `high` (95 %, Wilson).
    - `deciles`: one row per model and tenth of the customers, the riskiest first: `model`, `decile`, `customers`,
      `churned`, `churn_rate`, `lift` (of the tenth), `gain` (share of all who left caught so far), `gain_low`,
      `gain_high`, `lead_low`, `lead_high` (of the churn model's gain over this one, on the same resamples) and
      `cumulative_lift`.
    - `subgroups`: one row per `column` and `group`: `customers`, `churned`, `actual`, `predicted` (means), `gap`
      (predicted − actual), `standard_error`, `beyond_chance` (Bonferroni, 5 % for all of them together), `roc_auc`.
    - `predictions`: one row per held-out customer: `customer_id`, `fold`, `churned`, `p_churn`, `p_tenure`,
      `p_base_rate`, and `p_without` the columns in doubt where there are any.
    - `in_doubt`: what `leak_check` says of columns that the model uses: suspects, and leaks that were kept.
    - `folds`: the model of each fold, and the rows of the data that it has not seen.
    - `notes`: how customers were held out, and what could not be compared; what was read how is in `data.notes`.
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
        rows = self.scores.set_index("model").T
        columns = [rows.apply(_with_interval, name=name).rename(what) for name, what in _MEASURES.items()]
        return pd.DataFrame(columns)

    @property
    def model_scores(self) -> pd.Series:
        """The row of the churn model in `scores`; nan where there is none."""
        return self.scores.set_index("model").reindex([MODEL]).iloc[0]

    @property
    def in_words(self) -> str:
        """How many left, and how many of them the model finds in its riskiest tenth; empty where nothing is known."""
        left, lift = self.model_scores[["base_rate", "lift_top_10"]]
        held = f"the 10 % with the highest predicted chance include {fmt.share(lift / 10)} of those who left"
        return f"{fmt.share(left)} of contracts ended; {held}{self.caveat}." if fmt.is_known(left) else ""

    @property
    def share_left(self) -> Estimate:
        """The share of the contracts that ended, with its 95 % interval (Wilson)."""
        churned, customers = self.model_scores[["churned", "customers"]].astype(float)
        if not customers > 0:
            return Estimate(None, "share")
        low, high = (float(end) for end in wilson_interval(churned, customers))
        return Estimate(churned / customers, "share", low, high, base=fmt.plural(customers, "contract"))

    def verdict(self, thresholds: ChurnThresholds | None = None) -> Verdict:
        """Whether the model is to be used, and why: "use", "use with care", "do not use", or "not judged"."""
        return churn_verdict(self.scores, subgroups=self.subgroups, thresholds=thresholds)

    @checked
    def permutation_importance(self, *, repeats: int = 5, random_state: int = 0) -> pd.DataFrame:
        """How much worse do the held-out predictions get when a feature is shuffled?

        Parameters
        ----------
        repeats : int
            Shuffles of each feature in each fold.
        random_state : int

        Returns
        -------
        DataFrame
            One row per feature, the most important first: `feature`, `importance` (mean rise of the log loss when it
            is shuffled among held-out customers), `standard_error` (over folds and shuffles), `auc_drop`. Without
            rows where nothing was evaluated.

        Notes
        -----
        Breiman (2001), Random forests. Of two features that say the same each looks unimportant, for the other
        stands in for it: see the redundant ones of `leak_check`.
        """
        columns = ["feature", "importance", "standard_error", "auc_drop"]
        if missing := why_none(self.scores):
            return no_rows(columns, missing)
        random = np.random.default_rng(random_state)
        rises: dict[str, list[tuple[float, float]]] = {name: [] for name in self.data.features}
        for model, test in self.folds:
            coded, churned = self.data.codes.iloc[test], self.data.churned[test]
            p = model.p_churn_coded(coded)
            loss, area = bounded_log_losses(p, churned).mean(), roc_auc(p, churned)
            for name, q in _shuffled(model, coded, repeats, random):
                rises[name].append((bounded_log_losses(q, churned).mean() - loss, area - roc_auc(q, churned)))
        rows = [
            (name, *np.mean(rise, axis=0), np.std(rise, axis=0, ddof=1)[0] / np.sqrt(len(rise)))
            for name, rise in rises.items()
        ]
        frame = pd.DataFrame(rows, columns=["feature", "importance", "auc_drop", "standard_error"])
        ordered = frame.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
        return with_finding(ordered[columns], features_that_count)

    @property
    def caveat(self) -> str:
        """The doubtful columns and the score without them, in words; empty if there are none."""
        if self.in_doubt.empty:
            return ""
        caveat = f", with {fmt.listing([*map(fmt.column, self.in_doubt['column'])])} in doubt"
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
    column, models, parts = data.tenure_column, [], []
    for number, (train, test) in enumerate(splits, start=1):
        model = ChurnModel(estimator, random_state=random_state).fit_rows(data, train)
        models.append((model, test))
        part = {"customer_id": data.customer_id.to_numpy()[test], "fold": number}
        part |= {"churned": data.churned[test], "p_churn": model.p_churn_coded(data.codes.iloc[test])}
        if rest is not None:
            again = ChurnModel(estimator, random_state=random_state).fit_rows(rest, train)
            part["p_without"] = again.p_churn_coded(rest.codes.iloc[test])
        part["p_tenure"] = _by_tenure(data, column, train, test, random_state)
        parts.append(pd.DataFrame(part | {"p_base_rate": data.churned[train].mean()}))
    frame, rows = pd.concat(parts, ignore_index=True), np.concatenate([test for _, test in splits])
    named = {MODEL: "p_churn", WITHOUT: "p_without", TENURE: "p_tenure", BASE_RATE: "p_base_rate"}
    notes = [note]
    if "p_without" not in frame:
        del named[WITHOUT]
    if column is None:
        del named[TENURE]
        notes.append(f"there is no tenure column to compare with: rename it to {TENURE_NAMES[0]}")
    churned, features = frame["churned"].to_numpy(), data.features.iloc[rows]
    predictions = {model: Predictions(frame[p].to_numpy(), churned) for model, p in named.items()}
    groups = None if data.groups is None else data.groups[rows]
    weights = list(bootstrap_weights(len(frame), resamples, random_state, groups=groups))
    few = [name for name in features if 2 <= data.features[name].nunique(dropna=False) <= MOST_SUBGROUPS]
    p_churn, deciles = frame["p_churn"].to_numpy(), _deciles(predictions, weights, churned)
    return ChurnEvaluation(
        scores=_scores(predictions, weights, churned, ", ".join(map(fmt.column, named_in_doubt))),
        calibration=with_finding(calibration_groups(p_churn, churned), chances_of_leaving),
        deciles=with_finding(with_finding(deciles, gains), churn_of_tenths, measure="churn_rate"),
        subgroups=by_subgroup(features, churned, p_churn, few),
        predictions=frame,
        in_doubt=in_doubt,
        folds=tuple(models),
        data=data,
        notes=tuple(notes),
    )


def _shuffled(
    model: ChurnModel, coded: pd.DataFrame, repeats: int, random: np.random.Generator
) -> Iterator[tuple[str, Array]]:
    """Each feature, as often as asked, and the chances once it is shuffled; many copies are predicted at a time."""
    wanted = [name for name in coded for _ in range(repeats)]
    at_once = max(1, _ROWS_AT_ONCE // len(coded))
    for start in range(0, len(wanted), at_once):
        names = wanted[start : start + at_once]
        values = np.tile(coded.to_numpy(), (len(names), 1))
        for number, name in enumerate(names):
            rows = slice(number * len(coded), (number + 1) * len(coded))
            values[rows, coded.columns.get_loc(name)] = random.permutation(coded[name].to_numpy())
        chances = model.p_churn_coded(pd.DataFrame(values, columns=coded.columns))
        yield from zip(names, np.split(chances, len(names)), strict=True)


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
    rows, first = [], np.zeros(len(weights))
    for model, predicted in predictions.items():
        measured = predicted.metrics()
        resampled = np.array([list(predicted.metrics(resample).values()) for resample in weights])
        columns = with_intervals(list(measured), list(measured.values()), resampled)
        area = resampled[:, list(measured).index("roc_auc")]
        first = area if model == MODEL else first
        columns["lead_low"], columns["lead_high"] = percentile_interval(first - area)
        rows.append({"model": model, "in_doubt": in_doubt if model == MODEL else ""} | about | columns)
    return pd.DataFrame(rows)


def _deciles(predictions: dict[str, Predictions], weights: list[Array], churned: Array) -> pd.DataFrame:
    size, left, tables = len(churned) / 10, float(churned.sum()), []
    drawn = {name: np.array([model.gains(w) for w in weights]) for name, model in predictions.items()}
    for model, predicted in predictions.items():
        gain = predicted.gains()
        part = np.diff(gain, prepend=0.0)
        table = {"model": model, "decile": np.arange(1, 11), "customers": size, "churned": part * left}
        table |= {"churn_rate": part * left / size, "lift": part * 10}
        table |= with_intervals(["gain"], [gain], drawn[model][:, None])
        table["lead_low"], table["lead_high"] = percentile_interval(drawn[MODEL] - drawn[model])
        tables.append(pd.DataFrame(table | {"cumulative_lift": gain / TENTHS}))
    return pd.concat(tables, ignore_index=True)


def _with_interval(row: pd.Series, name: str) -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return fmt.NOT_KNOWN if np.isnan(value) else f"{value:.3f} ({low:.3f} to {high:.3f})"
