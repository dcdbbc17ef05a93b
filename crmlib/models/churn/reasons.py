"""Reasons for a churn prediction: what each feature adds to the log odds."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from crmlib.errors import CrmError
from crmlib.findings import with_finding
from crmlib.models._inference import Array
from crmlib.models.churn.candidates import LINEAR
from crmlib.models.churn.churn_model import ChurnModel
from crmlib.models.churn.evaluation import ChurnEvaluation
from crmlib.models.churn.features import CATEGORY, NUMBER, of_kind
from crmlib.models.churn.metrics import Calibration, bounded_log_losses
from crmlib.models.sentences import features_that_count
from crmlib.no_rows import no_rows, why_none
from crmlib.rankings import roc_auc

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

BASE = "base"
_ADDS_UP = 1e-6
_ROWS_AT_ONCE = 100_000
_SMALLEST = 0.05  # log odds; less is not worth a word


def explained_by(model: ChurnModel) -> str:
    """How reasons are found, in words: exactly, and by which model."""
    if model.estimator_ == LINEAR:
        return "exact: each coefficient times the distance from the mean customer"
    if find_spec("shap"):
        return "exact: Shapley values of the trees (package shap)"
    return (
        f"of a {LINEAR} fitted to the same customers, not of the {model.estimator_} that was chosen: Shapley values of "
        "trees need the package shap (pip install crmlib[reasons])"
    )


def churn_contributions(model: ChurnModel, features: pd.DataFrame) -> pd.DataFrame:
    """What each feature adds to the log odds that each customer leaves.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    features : DataFrame
        One row per customer with the columns of the fit.

    Returns
    -------
    DataFrame
        One row per customer, a column per feature and `base`: the log odds of the mean customer (logistic
        regression) or the mean log odds (trees). The columns add up to the log odds of `p_churn`, of the model
        that `explained_by` names; checked.

    Notes
    -----
    Trees by path-dependent Shapley values (Lundberg et al. 2020, Nature Machine Intelligence 2, 56–67). They
    share what two features say together between them, and tell what the model uses, not what causes churn. The
    calibration stretches all contributions of a customer alike, so that they add up to the calibrated log odds.

    Examples
    --------
    >>> import crmlib as crm
    >>> data = crm.churn_data(crm.open_study("telco").table("customer_features"))
    >>> model = crm.ChurnModel(estimator="logistic").fit(data)
    >>> found = churn_contributions(model, data.features[:2])
    >>> found[["contract", "tenure", "base"]].round(1).values.tolist()
    [[0.5, 1.9, -1.8], [-0.2, -0.1, -1.8]]
    >>> bool(np.allclose(found.sum(axis=1), model.log_odds(data.features[:2])))
    True
    """
    coded = model.coded(features)
    if model.estimator_ == LINEAR or find_spec("shap"):
        name, calibration = model.estimator_, model.calibration_
    else:
        name, calibration = LINEAR, Calibration(0.0, 1.0, 1.0)
    pipeline = model.pipeline(name)
    parts, base = (_linear if name == LINEAR else _shapley)(pipeline, coded, model)
    log_odds = pipeline.decision_function(coded)
    stretched = parts * calibration.stretch(log_odds, base)[:, None]
    found = pd.DataFrame(stretched, index=features.index, columns=list(model.kinds))
    found[BASE] = float(calibration(np.array([base]))[0])
    expected = calibration(log_odds)
    gap = float(np.abs(found.to_numpy().sum(axis=1) - expected).max())
    if not gap < _ADDS_UP * (1 + float(np.abs(expected).max())):
        raise CrmError(
            f"reasons do not add up to the prediction (by {gap:.2g}); this is a fault of crmlib or of shap"
        )
    return found


def churn_reasons(model: ChurnModel, features: pd.DataFrame, n: int = 3) -> pd.DataFrame:
    """The features that move each customer's risk most, in the data's own words.

    Parameters
    ----------
    model : ChurnModel
        Fitted.
    features : DataFrame
        One row per customer with the columns of the fit.
    n : int
        How many reasons, the strongest first.

    Returns
    -------
    DataFrame
        Indexed like `features`: `p_churn`, and `reason_1` … with its words, such as "contract Month-to-month:
        +0.5 in log odds". A plus makes leaving likelier than for the mean customer; empty where nothing else moves it.

    Examples
    --------
    >>> import crmlib as crm
    >>> data = crm.churn_data(crm.open_study("telco").table("customer_features"))
    >>> model = crm.ChurnModel(estimator="logistic").fit(data)
    >>> churn_reasons(model, data.features[:1], n=2).iloc[0].tolist()[1:]
    ['tenure 1: +1.9 in log odds', 'total charges 29.85: −0.7 in log odds']
    """
    if not 1 <= n <= len(model.kinds):
        raise CrmError(f"n is {n}; the model has 1 to {len(model.kinds)} features to name")
    parts = churn_contributions(model, features).drop(columns=BASE)
    read = model.read(features)
    effects = parts.to_numpy()
    strongest = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :n]
    found = pd.DataFrame({"p_churn": model.p_churn(features)}, index=features.index)
    words = {name: _words(name, read[name], model.kinds[name]) for name in parts}
    for place in range(n):
        column = strongest[:, place]
        text = np.empty(len(read), dtype=object)
        for number, name in enumerate(parts):
            mine = column == number
            text[mine] = words[name][mine]
        effect = np.take_along_axis(effects, column[:, None], axis=1)[:, 0]
        worth_a_word = np.abs(effect) >= _SMALLEST
        found[f"reason_{place + 1}"] = np.where(worth_a_word, text + _signed(effect), "")
    return found


def permutation_importance(
    evaluation: ChurnEvaluation, *, repeats: int = 5, random_state: int = 0
) -> pd.DataFrame:
    """How much worse the held-out predictions get when a feature is shuffled.

    Parameters
    ----------
    evaluation : ChurnEvaluation
    repeats : int
        Shuffles of each feature in each fold.
    random_state : int

    Returns
    -------
    DataFrame
        One row per feature, the most important first: `feature`, `importance` (mean rise of the log loss when it
        is shuffled among held-out customers), `standard_error` (over folds and shuffles), `auc_drop`. Without rows
        where nothing was evaluated.

    Notes
    -----
    Breiman (2001), Random forests. Of two features that say the same each looks unimportant, for the other
    stands in for it: see the redundant ones of `leak_check`.
    """
    columns = ["feature", "importance", "standard_error", "auc_drop"]
    if missing := why_none(evaluation.scores):
        return no_rows(columns, missing)
    random = np.random.default_rng(random_state)
    rises: dict[str, list[tuple[float, float]]] = {name: [] for name in evaluation.data.features}
    for model, test in evaluation.folds:
        coded, churned = evaluation.data.codes.iloc[test], evaluation.data.churned[test]
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


def _linear(pipeline: Pipeline, coded: pd.DataFrame, model: ChurnModel) -> tuple[Array, float]:
    """Coefficient times distance from the mean customer, gathered by feature."""
    encode, classify = pipeline["encode"], pipeline["classify"]
    encoded, coefficients = encode.transform(coded), classify.coef_[0]
    mean = model.mean_encoded_
    owner = _owners(encode, model.kinds)
    gathered = np.zeros((len(model.kinds), len(coefficients)))
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


def _shapley(pipeline: Pipeline, coded: pd.DataFrame, model: ChurnModel) -> tuple[Array, float]:
    from shap import TreeExplainer

    explainer = TreeExplainer(pipeline["classify"], feature_perturbation="tree_path_dependent")
    values = explainer.shap_values(pipeline["encode"].transform(coded), check_additivity=False)
    order = [*of_kind(model.kinds, CATEGORY), *of_kind(model.kinds, NUMBER)]
    place = [order.index(name) for name in model.kinds]
    return values[:, place], float(np.ravel(explainer.expected_value)[0])


def _words(name: str, column: pd.Series, kind: str) -> Array:
    """A feature and its value as a reader calls it; made once for each distinct value."""
    codes, values = pd.factorize(column)
    shown = [f"{value:.6g}" if kind == NUMBER else str(value) for value in values]
    texts = np.array(
        [*(f"{_spoken(name)} {text}: " for text in shown), f"{_spoken(name)} missing: "], dtype=object
    )
    return texts[codes]  # missing has code -1: the last


def _spoken(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def _signed(effects: Array) -> Array:
    """+0.9 in log odds; made once for each distinct text."""
    tenths = np.round(effects, 1)
    distinct, codes = np.unique(tenths, return_inverse=True)
    texts = [f"{'−' if effect < 0 else '+'}{abs(effect):.1f} in log odds" for effect in distinct]
    return np.array(texts, dtype=object)[codes]
