"""Was it an experiment? Whether who was treated can be told from what was known before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr

from crmlib.errors import DataError, did_you_mean
from crmlib.rankings import roc_auc

FOLDS = 5
WORDS = {"treated": True, "control": False}


@dataclass(frozen=True)
class TreatmentBalance:
    """How well features tell the treated from the control group.

    Attributes
    ----------
    auc : float
        Area under the ROC curve of telling them apart, on customers not fitted to: .5 if chance decided.
    p_value : float
        Of an area at least as large if chance decided.
    features : DataFrame
        One row per feature (per word, where it holds words), the least balanced first: `feature,
        treated_mean, control_mean, standardised_difference` (in standard deviations).
    """

    auc: float
    p_value: float
    features: pd.DataFrame


def treatment_balance(
    features: pd.DataFrame, treated: ArrayLike, *, random_state: int = 0
) -> TreatmentBalance:
    """Can who was treated be predicted from what was known before?

    Parameters
    ----------
    features : DataFrame, shape (customers, features)
        Numbers, flags or words that were known before the treatment.
    treated : array, shape (customers,)
        Booleans, 0 and 1, or "treated" and "control".
    random_state : int

    Returns
    -------
    TreatmentBalance

    Raises
    ------
    DataError
        If a feature is neither number nor word, or all are in one group.

    Notes
    -----
    On a fold that the classifier has not seen, labels that chance gave are exchangeable, so the area follows the
    Mann–Whitney law; the folds' areas are averaged.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> features = pd.DataFrame({"age": random.normal(40, 10, 400)})
    >>> by_chance = treatment_balance(features, random.random(400) < 0.5)
    >>> by_age = treatment_balance(features, features["age"] > 45)
    >>> by_chance.p_value > 0.05, by_age.p_value < 0.001
    (True, True)
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    label = as_treatment(treated, features)
    read = as_features(features)
    known = encoder(read).fit_transform(read)
    areas, variances = [], []
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=random_state)
    for seen, unseen in splits.split(known, label):
        classifier = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=random_state
        )
        score = classifier.fit(known.iloc[seen], label[seen]).predict_proba(known.iloc[unseen])[:, 1]
        ones = int(label[unseen].sum())
        zeros = len(unseen) - ones
        areas.append(roc_auc(score, label[unseen]))
        variances.append((ones + zeros + 1) / (12 * ones * zeros))
    area = float(np.mean(areas))
    z = (area - 0.5) / (np.sqrt(np.sum(variances)) / FOLDS)
    return TreatmentBalance(area, float(ndtr(-z)), _differences(known, label))


def as_treatment(treated: ArrayLike, features: pd.DataFrame) -> np.ndarray:
    """Who was treated as booleans, or a refusal."""
    if isinstance(treated, pd.Series) and not treated.index.equals(features.index):
        raise DataError(
            "treated and features have different indexes; give both for the same customers in one order"
        )
    given = pd.Series(np.asarray(treated)).reset_index(drop=True)
    if given.dtype == object:
        given = given.map(WORDS)
    if len(given) != len(features) or given.isna().any() or not given.isin([0, 1]).all():
        raise DataError(
            f"treated has {len(given):,} values for {len(features):,} customers, or other ones than True and False, "
            "1 and 0, or 'treated' and 'control'; give one of these for each customer"
        )
    label = given.to_numpy(dtype=bool)
    if min(label.sum(), (~label).sum()) < FOLDS:
        raise DataError(
            f"treated has {label.sum():,} treated and {(~label).sum():,} control customers; without both groups no "
            "effect can be seen: leave some customers untreated, by chance"
        )
    return label


def read_effects(frame: pd.DataFrame, *more: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted effect, treatment and outcome of each customer, or a refusal; `more` are columns that must be there."""
    require_named(frame, ("effect", "treated", "outcome", *more), "cross_fitted")
    treated = as_treatment(frame["treated"], frame)
    effect, outcome = (frame[name].to_numpy(dtype=float) for name in ("effect", "outcome"))
    for name, values in (("effect", effect), ("outcome", outcome)):
        if not np.isfinite(values).all():
            raise DataError(
                f"cross_fitted has {int((~np.isfinite(values)).sum()):,} customers without a number in {name!r}"
            )
    return effect, treated, outcome


def require_named(frame: pd.DataFrame, names: Iterable[Any], what: str) -> None:
    """Refuse a frame that lacks a column."""
    for name in names:
        if name not in frame:
            raise DataError(f"{what} has no column {name!r}; {did_you_mean(name, map(str, frame.columns))}")


def as_features(features: pd.DataFrame) -> pd.DataFrame:
    """Features as floats and plain words, a missing word as one of its own; or a refusal.

    Raises
    ------
    DataError
        If there is no column, one stands twice, is neither number nor words, or holds an infinite number.
    """
    if features.columns.empty:
        raise DataError("features has no column; give what was known of the customers before")
    if features.columns.has_duplicates:
        raise DataError(
            f"features has {features.columns[features.columns.duplicated()][0]!r} twice; rename one"
        )
    read = {}
    for name, column in features.items():
        if pd.api.types.is_numeric_dtype(column):
            read[str(name)] = column.astype("float64")
            if np.isinf(read[str(name)]).any():
                raise DataError(
                    f"features has infinite numbers in {name!r}; give a finite one, or leave them missing"
                )
        elif isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column.dropna()):
            read[str(name)] = column.astype(object).map(str, na_action="ignore").fillna("(missing)")
        else:
            raise DataError(
                f"features has {name!r} of type {column.dtype}; give numbers, flags or words (a date as the days since "
                "then)"
            )
    known = pd.DataFrame(read, index=features.index)
    if known.isna().all(axis=None):
        raise DataError("features holds no value at all; give what was known of the customers before")
    return known


def encoder(features: pd.DataFrame) -> Any:
    """A transformer of `as_features` to numbers: each word that is not rare becomes a column, empty ones go."""
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    words = [name for name in features if features[name].dtype == object]
    numbers = [name for name in features if name not in words and features[name].notna().any()]
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=20, max_categories=20, sparse_output=False
    )
    transformer = make_column_transformer(
        (one_hot, words), ("passthrough", numbers), verbose_feature_names_out=False
    )
    return transformer.set_output(transform="pandas")


def _differences(known: pd.DataFrame, label: np.ndarray) -> pd.DataFrame:
    numbers = known.astype(float)
    one, other = numbers[label], numbers[~label]
    spread = np.sqrt((one.var() + other.var()) / 2)
    gap = (one.mean() - other.mean()) / spread.where(spread > 0)
    table = pd.DataFrame(
        {"treated_mean": one.mean(), "control_mean": other.mean(), "standardised_difference": gap.fillna(0.0)}
    )
    order = table["standardised_difference"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].rename_axis("feature").reset_index()
