"""The candidate models of a churn model, how customers are held out, and which model is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from crmlib import format as fmt
from crmlib.errors import FitError
from crmlib.models._inference import Array
from crmlib.models.churn.data import FEWEST_OF_EACH, ChurnData
from crmlib.models.churn.features import CATEGORY, NUMBER, of_kind
from crmlib.models.churn.metrics import Calibration, bounded_log_losses, calibrate
from crmlib.rankings import roc_auc

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

LINEAR = "logistic regression"
TREES = "gradient boosting"
SMALL_TREES = "gradient boosting, small trees"
# The simplest first: of models that do equally well the first is taken.
CANDIDATES = {
    "auto": (LINEAR, SMALL_TREES, TREES),
    "logistic": (LINEAR,),
    "gradient_boosting": (SMALL_TREES, TREES),
}
_SMALL_LEAVES = 8
_MOST_CATEGORIES = 100
Estimator = Literal["auto", "logistic", "gradient_boosting"]
INNER_FOLDS = 5
FOLDS = 5
TEST_SHARE = 0.25  # of the rows, by date
Rows = NDArray[np.intp]
Splits = list[tuple[Rows, Rows]]


def make_estimator(name: str, kinds: dict[str, str], random_state: int) -> Pipeline:
    """An unfitted pipeline of two steps, `encode` and `classify`, for features of these kinds."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    if name == LINEAR:
        return Pipeline([("encode", _for_linear(kinds)), ("classify", LogisticRegression(max_iter=1000))])
    leaves = {"max_leaf_nodes": _SMALL_LEAVES} if name == SMALL_TREES else {}
    trees = HistGradientBoostingClassifier(random_state=random_state, **leaves)
    return Pipeline([("encode", _for_trees(kinds)), ("classify", trees)])


def _for_linear(kinds: dict[str, str]) -> object:
    """Numbers to mean 0 and deviation 1, missing ones to the median with a flag; categories to flags."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    numbers = make_pipeline(imputer, StandardScaler())
    flags = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_CATEGORIES)
    columns = [("numbers", numbers, of_kind(kinds, NUMBER)), ("categories", flags, of_kind(kinds, CATEGORY))]
    return ColumnTransformer(columns, sparse_threshold=0)


def _for_trees(kinds: dict[str, str]) -> object:
    """Categories to their place in the alphabet, which Shapley values of trees can handle; numbers as they are.

    Missing values and categories never seen go where the trees send missing ones.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    places = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=_MOST_CATEGORIES
    )
    columns = [
        ("categories", places, of_kind(kinds, CATEGORY)),
        ("numbers", "passthrough", of_kind(kinds, NUMBER)),
    ]
    return ColumnTransformer(columns, sparse_threshold=0)


def split_customers(churned: Array, groups: Array | None, folds: int, random_state: int) -> Splits:
    """Folds with equal shares of those who left, in which all rows of a customer stay together."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = kind(folds, shuffle=True, random_state=random_state)
    return list(splitter.split(np.zeros(len(churned)), churned, groups))


def compare(
    candidates: dict[str, Pipeline],
    coded: pd.DataFrame,
    churned: Array,
    groups: Array | None,
    random_state: int,
) -> tuple[pd.DataFrame, dict[str, Calibration]]:
    """The candidates on customers they were not fitted to, and how each one's log odds are calibrated.

    Chosen is the simplest whose log loss is within one standard error of the best.
    """
    from sklearn.model_selection import cross_val_predict

    folds = min(INNER_FOLDS, int(churned.sum()), int((1 - churned).sum()))
    splits = split_customers(churned, groups, folds, random_state)
    held_out = {
        name: cross_val_predict(pipeline, coded, churned, cv=splits, method="decision_function")
        for name, pipeline in candidates.items()
    }
    calibrations = {name: calibrate(log_odds, churned) for name, log_odds in held_out.items()}
    losses = np.stack(
        [bounded_log_losses(expit(calibrations[name](held_out[name])), churned) for name in candidates]
    )
    frame = pd.DataFrame({"estimator": list(candidates), "log_loss": losses.mean(axis=1)})
    frame["roc_auc"] = [roc_auc(log_odds, churned) for log_odds in held_out.values()]
    behind = losses - losses[frame["log_loss"].argmin()]
    frame["behind"], error = behind.mean(axis=1), behind.std(axis=1)
    frame["standard_error"] = error / np.sqrt(len(churned))
    good = frame["behind"] <= frame["standard_error"]
    return frame.assign(chosen=frame.index == good.idxmax()), calibrations


def held_out_splits(data: ChurnData, random_state: int) -> tuple[Splits, str]:
    """What each model learns from and what it is judged by, and how that was decided, in words."""
    if data.date is None or data.date.nunique() < 2:
        splits = split_customers(data.churned, data.groups, FOLDS, random_state)
        what = "all rows of a customer in one" if data.groups is not None else "no customer in two"
        return splits, f"Held out in {FOLDS} parts (folds) with equal shares of those who left, {what}"
    days = data.date.to_numpy()
    later = {day: float((days >= day).mean()) for day in np.unique(days)[1:]}
    cut = min(later, key=lambda day: abs(later[day] - TEST_SHARE))
    train = days < cut
    note = f"Held out by date: cut-offs from {fmt.date(pd.Timestamp(cut))} on"
    if data.known_on is None:
        note += "; whether earlier outcomes were known by then is not known (column outcome_known_on)"
    else:
        unknown = train & (data.known_on.to_numpy() > cut)
        train &= ~unknown
        if unknown.any():
            left_out = f"{fmt.count(unknown.sum())} earlier rows are not used for fitting"
            note += f"; {left_out}: their outcome was not known by then"
    test = days >= cut
    if data.groups is not None:
        both = np.isin(data.groups[test], data.groups[train]).mean()
        note += f"; {fmt.share(both)} of held-out rows are of customers with an earlier row too"
    for name, part in (("learnt from", train), ("held out", test)):
        left = int(data.churned[part].sum())
        if min(left, int(part.sum()) - left) < FEWEST_OF_EACH:
            raise FitError(
                f"of {int(part.sum()):,} rows {name} {left:,} left; {FEWEST_OF_EACH} of either kind are needed ({note})"
            )
    return [(np.flatnonzero(train), np.flatnonzero(test))], note
