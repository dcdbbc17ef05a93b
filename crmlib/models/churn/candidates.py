"""The candidate models of a churn model, as scikit-learn pipelines, and the folds of cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from crmlib.models._inference import Array
from crmlib.models.churn.features import CATEGORY, NUMBER, of_kind

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

    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    flags = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_MOST_CATEGORIES)
    return ColumnTransformer(
        [("numbers", numbers, of_kind(kinds, NUMBER)), ("categories", flags, of_kind(kinds, CATEGORY))],
        sparse_threshold=0,
    )


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
