"""Uplift: the effect of a contact on each customer, learned from an experiment, and a check of the experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr

from crmlib.errors import FitError
from crmlib.rankings import roc_auc

FOLDS = 5
FEWEST = 200  # customers in each group; with fewer no model can separate effects from noise
# With so small a p-value, and so large a ROC AUC, chance did not decide who was treated; of true experiments one in a
# thousand falls under it.
NO_EXPERIMENT, NOTICEABLE = 0.001, 0.52


class UpliftModel:
    """What a contact changes for each customer, learned from an experiment by an X-learner with cross-fitting.

    What each group did beyond the other's model is modelled, and the two are averaged by the share treated. Each
    customer's effect is predicted by models that did not see the customer, so it can be judged on the same data.

    `cross_fitted_`: indexed as the features: `effect` (of the contact, in the outcome's unit), `control_outcome`
    (expected without it), both out of fold; `fold, treated, outcome`.

    Künzel, Sekhon, Bickel & Yu, PNAS 116(10), 2019.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> features = pd.DataFrame({"orders": random.poisson(3, 4000), "age": random.normal(40, 10, 4000)})
    >>> treated = random.random(4000) < 0.5
    >>> outcome = random.normal(features["orders"] + 2.0 * treated * (features["age"] > 40), 1.0)
    >>> model = UpliftModel().fit(features, treated, outcome)
    >>> model.predict(pd.DataFrame({"orders": [3, 3], "age": [30.0, 50.0]})).round().abs().tolist()
    [0.0, 2.0]
    """

    cross_fitted_: pd.DataFrame

    def __init__(self, *, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, features: pd.DataFrame, treated: ArrayLike, outcome: ArrayLike) -> Self:
        """Learn from an experiment.

        Parameters
        ----------
        features : DataFrame, shape (customers, features)
            Numbers, flags or words that were known before the treatment; one row per customer.
        treated : array of bool, shape (customers,)
            Decided by chance.
        outcome : array, shape (customers,)
            Numbers, more is better: 1 for staying and 0 for leaving, or spend.

        Raises
        ------
        FitError
            If a group has fewer than 200 customers, the outcome never varies, or who was treated can be predicted
            from the features: then it is no experiment, and differences are not effects.
        """
        from sklearn.model_selection import StratifiedKFold

        label, result = np.asarray(treated, dtype=bool), np.asarray(outcome, dtype=float)
        if min(label.sum(), (~label).sum()) < FEWEST:
            raise FitError(
                f"{label.sum():,} treated and {(~label).sum():,} control customers are too few to learn effects from; "
                f"{FEWEST} of each are needed. Read the average effect with read_experiments"
            )
        if np.ptp(result) == 0:
            raise FitError(f"outcome is {result[0]} for everybody; there is no effect to learn")
        known = as_features(features)
        _refuse_imbalance(known, label, self.random_state)
        self._columns, self._share = list(features.columns), float(label.mean())
        binary = np.isin(result, (0.0, 1.0)).all()
        strata = label * 2 + result.astype(int) if binary else label
        fold = np.empty(len(label), dtype=int)
        effect, left_alone = np.empty(len(label)), np.empty(len(label))
        self._fitted: list[tuple[Any, ...]] = []
        splits = StratifiedKFold(FOLDS, shuffle=True, random_state=self.random_state)
        for number, (seen, unseen) in enumerate(splits.split(known, strata)):
            fitted = self._fit_fold(known.iloc[seen], label[seen], result[seen])
            self._fitted.append(fitted)
            fold[unseen] = number
            effect[unseen], left_alone[unseen] = self._effects(fitted, known.iloc[unseen])
        columns = {"effect": effect, "control_outcome": left_alone, "fold": fold}
        columns |= {"treated": label, "outcome": result}
        self.cross_fitted_ = pd.DataFrame(columns, index=features.index)
        return self

    def predict(self, features: pd.DataFrame) -> pd.Series:
        """What the contact would change for other customers, in the outcome's unit: the mean of the folds' models."""
        known = as_features(features[self._columns])
        effects = [self._effects(fitted, known)[0] for fitted in self._fitted]
        return pd.Series(np.mean(effects, axis=0), index=features.index, name="effect")

    def _fit_fold(self, features: pd.DataFrame, label: np.ndarray, result: np.ndarray) -> tuple[Any, ...]:
        """Models of the outcome without treatment, and of the effect in both groups."""
        control = self._learn(features[~label], result[~label])
        treated = self._learn(features[label], result[label])
        beyond = result[label] - control.predict(features[label])
        short = treated.predict(features[~label]) - result[~label]
        of_treated = self._learn(features[label], beyond)
        of_control = self._learn(features[~label], short)
        return control, of_control, of_treated

    def _effects(self, fitted: tuple[Any, ...], features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        left_alone, of_control, of_treated = (model.predict(features) for model in fitted)
        # The group that is larger gives the better model of the outcome, and so the other's effects.
        return self._share * of_control + (1 - self._share) * of_treated, left_alone

    def _learn(self, features: pd.DataFrame, target: np.ndarray) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.pipeline import make_pipeline

        # Effects are small beside what customers differ in anyway: few splits, of many customers each.
        trees = HistGradientBoostingRegressor(
            max_iter=60, learning_rate=0.05, max_leaf_nodes=6, min_samples_leaf=min(200, max(20, len(features) // 30)),
            early_stopping=False, random_state=self.random_state,
        )  # fmt: skip
        return make_pipeline(encoder(features), trees).fit(features, target)


def _refuse_imbalance(features: pd.DataFrame, label: np.ndarray, random_state: int) -> None:
    balance = treatment_balance(features, label, random_state=random_state)
    if balance.p_value < NO_EXPERIMENT and balance.auc > NOTICEABLE:
        worst = ", ".join(
            f"{row.feature} ({row.treated_mean:.3g} against {row.control_mean:.3g})"
            for row in balance.features.head(3).itertuples()
        )
        raise FitError(
            f"who was treated can be predicted from the features (ROC AUC {balance.auc:.3f}, p = "
            f"{balance.p_value:.1g}): chance did not decide, and differences are not effects. Furthest apart: {worst}. "
            "Leave out what was known only after the assignment; else compare like with like, or run an experiment"
        )


@dataclass(frozen=True)
class TreatmentBalance:
    """How well features separate the treated from the control group.

    `auc` is the area under the ROC curve of a classifier on customers it was not fitted to (.5 if chance decided),
    `p_value` that of an area at least as large if chance decided; `features` has one row per feature (per word, where
    it holds words), the least balanced first: `feature, treated_mean, control_mean, standardised_difference` (in
    standard deviations).
    """

    auc: float
    p_value: float
    features: pd.DataFrame


def treatment_balance(
    features: pd.DataFrame, treated: ArrayLike, *, random_state: int = 0
) -> TreatmentBalance:
    """Can who was treated be predicted from what was known before?

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

    label = np.asarray(treated, dtype=bool)
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


def as_features(features: pd.DataFrame) -> pd.DataFrame:
    """Features as floats and plain words, a missing word as one of its own."""
    read = {
        str(name): column.astype("float64")
        if pd.api.types.is_numeric_dtype(column)
        else column.astype(object).map(str, na_action="ignore").fillna("(missing)")
        for name, column in features.items()
    }
    return pd.DataFrame(read, index=features.index)


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
    treated, control = numbers[label], numbers[~label]
    spread = np.sqrt((treated.var() + control.var()) / 2)
    gap = (treated.mean() - control.mean()) / spread.where(spread > 0)
    table = pd.DataFrame(
        {
            "treated_mean": treated.mean(),
            "control_mean": control.mean(),
            "standardised_difference": gap.fillna(0.0),
        }
    )
    order = table["standardised_difference"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].rename_axis("feature").reset_index()
