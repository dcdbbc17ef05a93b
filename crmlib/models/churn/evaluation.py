"""Would the churn model have been right? Every customer is predicted by a model that has not seen them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from crmlib.errors import DataError, FitError, did_you_mean
from crmlib.models._inference import Array
from crmlib.models.churn.churn_model import ChurnModel, Estimator, Rows, Splits, split_customers
from crmlib.models.churn.data import FEWEST_OF_EACH, ChurnData
from crmlib.models.churn.evaluated import MODEL, ChurnEvaluation, not_evaluated
from crmlib.models.churn.metrics import METRICS, TENTHS, Ranking, gains, metrics, rank
from crmlib.models.churn.subgroups import by_subgroup

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
_LEVEL = 0.95


def evaluate_churn(
    data: ChurnData,
    *,
    estimator: Estimator = "auto",
    folds: int = 5,
    tenure: str | None = None,
    subgroups: tuple[str, ...] | None = None,
    draws: int = 200,
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
    draws : int
        Of the bootstrap.
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
    >>> found = evaluate_churn(data, estimator="logistic", draws=20)
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
    rankings = {model: rank(frame[p].to_numpy(), frame["churned"].to_numpy()) for model, p in named.items()}
    weights = resampled(len(frame), groups, draws, random_state)
    spread = _bootstrap(rankings, weights)
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
        scores=_scores(rankings, spread, frame),
        by_fold=_by_fold(frame, named),
        calibration=calibration_groups(frame["p_churn"].to_numpy(), frame["churned"].to_numpy()),
        deciles=_deciles(rankings, spread, frame),
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
        said += f"; {both:.0%} of the held-out rows are of customers with an earlier row too, as in use"
    for name, part in (("learnt from", train), ("held out", test)):
        left = int(data.churned[part].sum())
        if min(left, int(part.sum()) - left) < FEWEST_OF_EACH:
            raise FitError(
                f"of {int(part.sum()):,} rows {name} {left:,} left; at least {FEWEST_OF_EACH} of either kind are "
                f"needed ({said}). Add cut-offs, or drop the column date to hold out customers instead"
            )
    return [(np.flatnonzero(train), np.flatnonzero(test))], said


def resampled(rows: int, groups: Array | None, draws: int, random_state: int) -> list[Rows]:
    """How often each row is drawn, in each draw; rows of a customer are drawn together."""
    random = np.random.default_rng(random_state)
    codes = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    size = int(codes.max()) + 1
    return [np.bincount(random.integers(0, size, size), minlength=size)[codes] for _ in range(draws)]


def calibration_groups(p: Array, churned: Array, groups: int = 10) -> pd.DataFrame:
    """What happened to customers of similar predicted chances, with the uncertainty of a share."""
    order = np.argsort(p, kind="stable")
    rows = []
    for number, part in enumerate(np.array_split(order, groups), start=1):
        n, share = len(part), float(churned[part].mean())
        centre, half = (share + 1.92 / n) / (1 + 3.84 / n), 1.96 / (1 + 3.84 / n)
        half *= np.sqrt(share * (1 - share) / n + 0.96 / n**2)
        rows.append(
            (number, n, float(p[part].mean()), share, max(centre - half, 0.0), min(centre + half, 1.0))
        )
    return pd.DataFrame(rows, columns=["group", "customers", "predicted_mean", "actual_mean", "low", "high"])


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


def _bootstrap(rankings: dict[str, Ranking], weights: list[Rows]) -> dict[str, tuple[pd.DataFrame, Array]]:
    """Of each model the metrics and the gains in each draw."""
    return {
        model: (
            pd.DataFrame([metrics(ranking, one) for one in weights], columns=list(METRICS)),
            np.array([gains(ranking, one) for one in weights]).reshape(-1, len(TENTHS)),
        )
        for model, ranking in rankings.items()
    }


def _scores(
    rankings: dict[str, Ranking], spread: dict[str, tuple[pd.DataFrame, Array]], frame: pd.DataFrame
) -> pd.DataFrame:
    rows = []
    for model, ranking in rankings.items():
        row: dict[str, object] = {
            "model": model,
            "customers": len(frame),
            "churned": int(frame["churned"].sum()),
        }
        row["base_rate"] = float(frame["churned"].mean())
        for name, value in metrics(ranking).items():
            low, high = spread[model][0][name].quantile([(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _by_fold(frame: pd.DataFrame, named: dict[str, str]) -> pd.DataFrame:
    rows = [
        {"model": model, "fold": fold, "customers": len(part)}
        | metrics(rank(part[p].to_numpy(), part["churned"].to_numpy()))
        for model, p in named.items()
        for fold, part in frame.groupby("fold")
    ]
    return pd.DataFrame(rows)


def _deciles(
    rankings: dict[str, Ranking], spread: dict[str, tuple[pd.DataFrame, Array]], frame: pd.DataFrame
) -> pd.DataFrame:
    n, left = len(frame), float(frame["churned"].sum())
    tables = []
    for model, ranking in rankings.items():
        gain = gains(ranking)
        part = np.diff(gain, prepend=0.0)
        low, high = np.quantile(spread[model][1], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
        tables.append(
            pd.DataFrame(
                {
                    "model": model,
                    "decile": np.arange(1, 11),
                    "customers": n / 10,
                    "churned": part * left,
                    "churn_rate": part * left / (n / 10),
                    "lift": part * 10,
                    "gain": gain,
                    "gain_low": low,
                    "gain_high": high,
                    "cumulative_lift": gain / TENTHS,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
