"""Reasons for a churn prediction: what each feature adds to the log odds."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.errors import CrmError
from crmlib.models._inference import Array
from crmlib.models.churn.candidates import LINEAR
from crmlib.models.churn.features import CATEGORY, NUMBER, of_kind
from crmlib.models.churn.metrics import Calibration

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

BASE = "base"
_ADDS_UP = 1e-6
_SMALLEST = 0.05  # log odds; less is not worth a word


def explained_by(estimator: str) -> str:
    """How reasons are found, in words: exactly, and by which model."""
    if estimator == LINEAR:
        return "exact: each coefficient times the distance from the mean customer"
    if can_explain(estimator):
        return "exact: Shapley values of the trees (package shap)"
    return (
        f"of a {LINEAR} fitted to the same customers, not of the {estimator} that was chosen: Shapley values of "
        "trees need the package shap (pip install crmlib[reasons])"
    )


def can_explain(estimator: str) -> bool:
    """Whether its predictions can be shared out among the features: trees need the package shap."""
    return estimator == LINEAR or find_spec("shap") is not None


def contributions(
    pipeline: Pipeline,
    coded: pd.DataFrame,
    kinds: dict[str, str],
    calibration: Calibration,
    mean: Array | None,
) -> pd.DataFrame:
    """What each feature adds to the log odds of each customer, and `base`, the log odds of the mean customer.

    `mean` is the mean customer as a logistic regression takes it; None for trees, whose base is the mean log odds.
    The calibration stretches all contributions of a customer alike: they add up to the calibrated log odds, checked.
    """
    parts, base = _shapley(pipeline, coded, kinds) if mean is None else _linear(pipeline, coded, kinds, mean)
    log_odds = pipeline.decision_function(coded)
    stretched = parts * calibration.stretch(log_odds, base)[:, None]
    found = pd.DataFrame(stretched, index=coded.index, columns=list(kinds))
    found[BASE] = float(calibration(np.array([base]))[0])
    expected = calibration(log_odds)
    gap = float(np.abs(found.to_numpy().sum(axis=1) - expected).max())
    if not gap < _ADDS_UP * (1 + float(np.abs(expected).max())):
        raise CrmError(
            f"reasons do not add up to the prediction (by {gap:.2g}); this is a fault of crmlib or of shap"
        )
    return found


def strongest(
    parts: pd.DataFrame, read: pd.DataFrame, kinds: dict[str, str], n: int, among: list[str] | None = None
) -> pd.DataFrame:
    """Columns `reason_1` to `reason_n`: the largest contributions of each customer, in the data's own words.

    Those `among` alone are named where it is given; the others count as if they had no effect.
    """
    if not 1 <= n <= len(kinds):
        raise CrmError(f"n is {n}; the model has 1 to {len(kinds)} features to name")
    named = [among is None or name in among for name in kinds]
    effects = parts[list(kinds)].to_numpy() * named
    order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :n]
    words = {name: _words(name, read[name], kind) for name, kind in kinds.items()}
    found = pd.DataFrame(index=parts.index)
    for place in range(n):
        column = order[:, place]
        text = np.empty(len(read), dtype=object)
        for number, name in enumerate(kinds):
            mine = column == number
            text[mine] = words[name][mine]
        effect = np.take_along_axis(effects, column[:, None], axis=1)[:, 0]
        worth_a_word = np.abs(effect) >= _SMALLEST
        found[f"reason_{place + 1}"] = np.where(worth_a_word, text + _signed(effect), "")
    return found


def _linear(
    pipeline: Pipeline, coded: pd.DataFrame, kinds: dict[str, str], mean: Array
) -> tuple[Array, float]:
    """Coefficient times distance from the mean customer, gathered by feature."""
    encode, classify = pipeline["encode"], pipeline["classify"]
    encoded, coefficients = encode.transform(coded), classify.coef_[0]
    owner = _owners(encode, kinds)
    gathered = np.zeros((len(kinds), len(coefficients)))
    gathered[owner, np.arange(len(coefficients))] = coefficients
    return (encoded - mean) @ gathered.T, float(classify.intercept_[0] + mean @ coefficients)


def _owners(encode: Any, kinds: dict[str, str]) -> Array:
    """For each encoded column the number of the feature that it comes from."""
    place = {name: number for number, name in enumerate(kinds)}
    numbers, categories = of_kind(kinds, NUMBER), of_kind(kinds, CATEGORY)
    owners: list[int] = []
    if numbers:
        flagged = encode.named_transformers_["numbers"][0].indicator_.features_
        owners += [place[name] for name in numbers] + [place[numbers[i]] for i in flagged]
    if categories:
        flags = encode.named_transformers_["categories"]
        rare = getattr(flags, "infrequent_categories_", [None] * len(categories))
        for name, known, few in zip(categories, flags.categories_, rare, strict=True):
            width = len(known) - (0 if few is None else len(few) - 1)
            owners += [place[name]] * width
    return np.array(owners)


def _shapley(pipeline: Pipeline, coded: pd.DataFrame, kinds: dict[str, str]) -> tuple[Array, float]:
    from shap import TreeExplainer

    explainer = TreeExplainer(pipeline["classify"], feature_perturbation="tree_path_dependent")
    values = explainer.shap_values(pipeline["encode"].transform(coded), check_additivity=False)
    order = [*of_kind(kinds, CATEGORY), *of_kind(kinds, NUMBER)]
    place = [order.index(name) for name in kinds]
    return values[:, place], float(np.ravel(explainer.expected_value)[0])


def _words(name: str, column: pd.Series, kind: str) -> Array:
    """A feature and its value as a reader calls it; made once for each distinct value."""
    codes, values = pd.factorize(column)
    shown = [f"{value:.6g}" if kind == NUMBER else fmt.column(str(value)) for value in values]
    texts = np.array([f"{fmt.column(name)} {text}: " for text in (*shown, "missing")], dtype=object)
    return texts[codes]  # missing has code -1: the last


def _signed(effects: Array) -> Array:
    """+0.9 in log odds; made once for each distinct text."""
    tenths = np.round(effects, 1)
    distinct, codes = np.unique(tenths, return_inverse=True)
    texts = [f"{'−' if effect < 0 else '+'}{abs(effect):.1f} in log odds" for effect in distinct]
    return np.array(texts, dtype=object)[codes]
