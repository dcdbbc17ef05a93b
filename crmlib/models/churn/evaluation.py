"""Would the churn model have been right? Every customer is predicted by a model that has not seen them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.errors import DataError, FitError, did_you_mean
from crmlib.models._inference import Array
from crmlib.models.churn.churn_model import ChurnModel, Estimator, Rows, Splits, split_customers
from crmlib.models.churn.data import FEWEST_OF_EACH, ChurnData
from crmlib.models.churn.evaluated import MODEL, ChurnEvaluation, not_evaluated
from crmlib.models.churn.metrics import TENTHS, Predictions
from crmlib.models.churn.subgroups import by_subgroup
from crmlib.statistics import bootstrap_weights, wilson_interval, with_intervals

TENURE, BASE_RATE = "tenure alone", "base rate"
TEST_SHARE = 0.25  # of the rows, by date
_TENURE_NAMES = (
    "tenure",
    "tenure_months",
    "account_length",
    "months_with_firm",
    "customer_age",
    "age_of_contract",
    "seniority",
)


def evaluate_churn(
    data: ChurnData,
    *,
    estimator: Estimator = "auto",
    folds: int = 5,
    tenure: str | None = None,
    subgroups: tuple[str, ...] | None = None,
    resamples: int = 200,
    random_state: int = 0,
) -> ChurnEvaluation:
    """Hold customers out, choose, calibrate and fit on the others, and compare with what happened.

    Parameters
    ----------
    data : ChurnData
        Without leaks (see `leak_check`).
    estimator : {"auto", "logistic", "gradient_boosting"}
        As for `ChurnModel`; the choice is made anew inside each fold.
    folds : int
        Where there is one cut-off: customers are held out in so many folds with equal shares of those who
        left. Where there are several, the latest quarter of the rows is held out instead, and the models learn
        from earlier cut-offs whose outcome was known by then.
    tenure : str, optional
        The column that the simple rule uses; by default one so named.
    subgroups : tuple of str, optional
        Columns by whose values the model is judged too; by default every category of 2 to 8 values.
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
        If what can be learnt from, or what is held out, has fewer than 25 of either kind.

    Notes
    -----
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
        return not_evaluated(data)
    splits, said = held_out_splits(data, folds, random_state)
    column = tenure_column(data, tenure)
    predicted, models = [], []
    for number, (train, test) in enumerate(splits, start=1):
        model = ChurnModel(estimator, random_state=random_state).fit_rows(data, train)
        models.append((model, test))
        predicted.append(
            pd.DataFrame(
                {
                    "row": test,
                    "fold": number,
                    "p_churn": model.p_churn_coded(data.codes.iloc[test]),
                    "p_tenure": _by_tenure(data, column, train, test, random_state),
                    "p_base_rate": data.churned[train].mean(),
                }
            )
        )
    frame = pd.concat(predicted, ignore_index=True)
    frame.insert(1, "customer_id", data.customer_id.to_numpy()[frame["row"]])
    frame.insert(3, "churned", data.churned[frame["row"]])
    named = {MODEL: "p_churn", TENURE: "p_tenure", BASE_RATE: "p_base_rate"}
    if column is None:
        del named[TENURE]
    groups = None if data.groups is None else data.groups[frame["row"]]
    predictions = _predictions(frame, named)
    weights = list(bootstrap_weights(len(frame), resamples, random_state, groups=groups))
    rows = frame["row"].to_numpy()
    columns = _subgroup_columns(data) if subgroups is None else subgroups
    judged = by_subgroup(
        data.features.iloc[rows], frame["churned"].to_numpy(), frame["p_churn"].to_numpy(), columns
    )
    notes = (
        [said]
        if column
        else [said, "there is no column named tenure to compare with; name it, as in tenure="]
    )
    return ChurnEvaluation(
        scores=_scores(predictions, weights, frame),
        by_fold=_by_fold(frame, named),
        calibration=calibration_groups(frame["p_churn"].to_numpy(), frame["churned"].to_numpy()),
        deciles=_deciles(predictions, weights, frame),
        subgroups=judged,
        predictions=frame.drop(columns="row"),
        folds=tuple(models),
        data=data,
        split=said,
        notes=tuple(notes),
    )


def held_out_splits(data: ChurnData, folds: int, random_state: int) -> tuple[Splits, str]:
    """What each model learns from and what it is judged by, and how that was decided."""
    if data.date is None or data.date.nunique() < 2:
        splits = split_customers(data.churned, data.groups, folds, random_state)
        what = "all rows of a customer in one" if data.groups is not None else "no customer in two"
        return splits, f"held out in {folds} folds with equal shares of those who left, {what}"
    days = data.date.to_numpy()
    later = {day: float((days >= day).mean()) for day in np.unique(days)[1:]}
    cut = min(later, key=lambda day: abs(later[day] - TEST_SHARE))
    train = days < cut
    said = f"held out by date: cut-offs from {pd.Timestamp(cut).date()} on"
    if data.known_on is None:
        said += "; whether earlier outcomes were known by then is not told (column outcome_known_on)"
    else:
        unknown = train & (data.known_on.to_numpy() > cut)
        train &= ~unknown
        said += f"; {int(unknown.sum()):,} earlier rows are not learnt from, for their outcome was not known by then"
    test = days >= cut
    if data.groups is not None:
        both = np.isin(data.groups[test], data.groups[train]).mean()
        said += (
            f"; {fmt.share(both)} of the held-out rows are of customers with an earlier row too, as in use"
        )
    for name, part in (("learnt from", train), ("held out", test)):
        left = int(data.churned[part].sum())
        if min(left, int(part.sum()) - left) < FEWEST_OF_EACH:
            raise FitError(
                f"of {int(part.sum()):,} rows {name} {left:,} left; at least {FEWEST_OF_EACH} of either kind are "
                f"needed ({said}). Add cut-offs, or drop the column date to hold out customers instead"
            )
    return [(np.flatnonzero(train), np.flatnonzero(test))], said


def calibration_groups(p: Array, churned: Array, groups: int = 10) -> pd.DataFrame:
    """What happened to customers of similar predicted chances, with the uncertainty of a share."""
    order = np.argsort(p, kind="stable")
    rows = [
        (number, len(part), p[part].mean(), churned[part].mean())
        for number, part in enumerate(np.array_split(order, groups), start=1)
    ]
    table = pd.DataFrame(rows, columns=["group", "customers", "predicted_mean", "actual_mean"])
    low, high = wilson_interval(table["customers"] * table["actual_mean"], table["customers"])
    return table.assign(low=low, high=high)


def tenure_column(data: ChurnData, tenure: str | None = None) -> str | None:
    """The column that says for how long a customer has been one: as named, or one of the usual names."""
    if tenure is not None and tenure not in data.features:
        raise DataError(
            f"tenure is {tenure!r}, which is no feature; {did_you_mean(tenure, data.features.columns)}"
        )
    return tenure or next((name for name in data.features if name.lower() in _TENURE_NAMES), None)


def _by_tenure(data: ChurnData, column: str | None, train: Rows, test: Rows, random_state: int) -> Array:
    """A logistic regression on one column."""
    from crmlib.models.churn.estimators import LINEAR, make_estimator

    if column is None:
        return np.full(len(test), np.nan)
    alone = make_estimator(LINEAR, {column: data.read.kinds[column]}, random_state)
    alone.fit(data.codes[[column]].iloc[train], data.churned[train])
    return alone.predict_proba(data.codes[[column]].iloc[test])[:, 1]


def _subgroup_columns(data: ChurnData) -> tuple[str, ...]:
    few = [name for name in data.features if 2 <= data.features[name].nunique(dropna=False) <= 8]
    return tuple(few)


def _predictions(frame: pd.DataFrame, named: dict[str, str]) -> dict[str, Predictions]:
    churned = frame["churned"].to_numpy()
    return {model: Predictions(frame[p].to_numpy(), churned) for model, p in named.items()}


def _scores(predictions: dict[str, Predictions], weights: list[Array], frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for model, predicted in predictions.items():
        of = frame["churned"]
        row = {"model": model, "customers": len(of), "churned": int(of.sum()), "base_rate": float(of.mean())}
        measured = predicted.metrics()
        resampled = [list(predicted.metrics(one).values()) for one in weights]
        rows.append(row | with_intervals(list(measured), list(measured.values()), resampled))
    return pd.DataFrame(rows)


def _by_fold(frame: pd.DataFrame, named: dict[str, str]) -> pd.DataFrame:
    folds = [(fold, part, _predictions(part, named)) for fold, part in frame.groupby("fold")]
    rows = [
        {"model": model, "fold": fold, "customers": len(part)} | predictions[model].metrics()
        for model in named
        for fold, part, predictions in folds
    ]
    return pd.DataFrame(rows)


def _deciles(predictions: dict[str, Predictions], weights: list[Array], frame: pd.DataFrame) -> pd.DataFrame:
    n, left = len(frame), float(frame["churned"].sum())
    tables = []
    for model, predicted in predictions.items():
        gain = predicted.gains()
        part = np.diff(gain, prepend=0.0)
        gains = with_intervals(["gain"], [gain], [[predicted.gains(one)] for one in weights])
        tables.append(
            pd.DataFrame(
                {
                    "model": model,
                    "decile": np.arange(1, 11),
                    "customers": n / 10,
                    "churned": part * left,
                    "churn_rate": part * left / (n / 10),
                    "lift": part * 10,
                    **gains,
                    "cumulative_lift": gain / TENTHS,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
