"""The difference that a contact makes to each customer, learned from an experiment."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from crmlib.data.saved_model import SavedModel
from crmlib.errors import CrmError, DataError, FitError, did_you_mean
from crmlib.models.uplift.assignment import (
    FOLDS,
    as_features,
    as_treatment,
    encoder,
    require_named,
    treatment_balance,
)

LEARNERS = ("t", "x")
FEWEST = 200  # customers in each group; with fewer no model tells effects from noise
# An assignment that features tell by so small a p-value, and to so large a ROC AUC, was no chance; of true experiments
# one in a thousand falls under it.
NO_EXPERIMENT, NOTICEABLE = 0.001, 0.52


class UpliftModel(SavedModel):
    """What a contact changes for each customer: T- and X-learner with cross-fitting.

    Each customer's effect is predicted by models that did not see the customer, so it can be judged on the
    same data.

    Parameters
    ----------
    learner : {"t", "x"}, default "t"
        "t": outcomes are modelled apart for the treated and the control, and subtracted. "x": what each group
        did beyond the other's model is modelled, and the two are averaged by the share treated; better where
        groups are of different size or effects simpler than outcomes.
    model : scikit-learn regressor, optional
        Gradient boosting of small trees by default, which takes missing values as they are. Of an outcome of
        0 and 1 it predicts probabilities.
    random_state : int, default 0

    Attributes
    ----------
    cross_fitted_ : DataFrame
        Indexed as the features: `effect` (of the contact, in the outcome's unit), `control_outcome` (expected
        without it), both out of fold; `fold, treated, outcome`.

    Notes
    -----
    Künzel, Sekhon, Bickel & Yu, PNAS 116(10), 2019. Ascarza, "Retention futility: targeting high-risk customers
    might be ineffective", Journal of Marketing Research 55(1), 2018: those at risk are not those who respond.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> features = pd.DataFrame({"orders": random.poisson(3, 4000), "age": random.normal(40, 10, 4000)})
    >>> treated = random.random(4000) < 0.5
    >>> outcome = random.normal(features["orders"] + 2.0 * treated * (features["age"] > 40), 1.0)
    >>> model = UpliftModel("t").fit(features, treated, outcome)
    >>> model.predict(pd.DataFrame({"orders": [3, 3], "age": [30.0, 50.0]})).round().abs().tolist()
    [0.0, 2.0]
    """

    cross_fitted_: pd.DataFrame
    of_the_fit = ("cross_fitted_",)

    def __init__(self, learner: str = "t", *, model: Any = None, random_state: int = 0) -> None:
        self.learner = learner
        self.model = model
        self.random_state = random_state

    def fit(self, features: pd.DataFrame, treated: ArrayLike, outcome: ArrayLike) -> Self:
        """Learn from an experiment.

        Parameters
        ----------
        features : DataFrame, shape (customers, features)
            Numbers, flags or words that were known before the treatment; one row per customer.
        treated : array, shape (customers,)
            Booleans, 0 and 1, or "treated" and "control"; decided by chance.
        outcome : array, shape (customers,)
            Numbers, more is better: 1 for staying and 0 for leaving, or spend.

        Returns
        -------
        UpliftModel

        Raises
        ------
        DataError
            If something is missing, no number, or for other customers; or a customer stands twice.
        FitError
            If a group is missing or has fewer than 200 customers, the outcome never varies, or the features tell
            who was treated: then it is no experiment, and differences are not effects.
        """
        from sklearn.model_selection import StratifiedKFold

        label, result = self._check(features, treated, outcome)
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
        """What the contact would change for other customers: the mean of the folds' models.

        Parameters
        ----------
        features : DataFrame
            The columns that were fitted.

        Returns
        -------
        Series
            Indexed as `features`, in the outcome's unit. For customers of the experiment itself use
            `cross_fitted_`: these models have seen them.

        Raises
        ------
        DataError
            If a column is missing.
        """
        if not hasattr(self, "_fitted"):
            raise CrmError("UpliftModel has not been fitted; call fit(features, treated, outcome)")
        require_named(features, self._columns, "features")
        known = as_features(features[self._columns])
        effects = [self._effects(fitted, known)[0] for fitted in self._fitted]
        return pd.Series(np.mean(effects, axis=0), index=features.index, name="effect")

    def _check(
        self, features: pd.DataFrame, treated: ArrayLike, outcome: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.learner not in LEARNERS:
            raise CrmError(f"learner is {self.learner!r}; {did_you_mean(self.learner, LEARNERS)}")
        if isinstance(outcome, pd.Series) and not outcome.index.equals(features.index):
            raise DataError(
                "outcome and features have different indexes; give both for the same customers in one order"
            )
        if features.index.has_duplicates:
            twice = features.index[features.index.duplicated()][0]
            raise DataError(f"features has customer {twice!r} twice; give one row per customer")
        result = np.asarray(outcome)
        if result.dtype.kind not in "biuf" or not np.isfinite(result.astype(float)).all():
            raise DataError(
                "outcome holds words or missing values; give a number for each customer, 1 and 0 for yes and no"
            )
        label = as_treatment(treated, features)
        if len(result) != len(label):
            raise DataError(
                f"outcome has {len(result):,} values for {len(label):,} customers; give one for each"
            )
        if min(label.sum(), (~label).sum()) < FEWEST:
            raise FitError(
                f"{label.sum():,} treated and {(~label).sum():,} control customers are too few to learn effects from; "
                f"{FEWEST} of each are needed. Read the average effect with read_experiments"
            )
        if np.ptp(result.astype(float)) == 0:
            raise FitError(
                f"outcome is {result[0]} for everybody; nothing differs, so there is no effect to learn"
            )
        return label, result.astype(float)

    def _fit_fold(self, features: pd.DataFrame, label: np.ndarray, result: np.ndarray) -> tuple[Any, ...]:
        """Models of the outcome in both groups and, for the X-learner, of the effect in both."""
        control = self._learn(features[~label], result[~label])
        treated = self._learn(features[label], result[label])
        if self.learner == "t":
            return control, treated
        beyond = result[label] - control.predict(features[label])
        short = treated.predict(features[~label]) - result[~label]
        of_treated = self._learn(features[label], beyond)
        of_control = self._learn(features[~label], short)
        return control, treated, of_control, of_treated

    def _effects(self, fitted: tuple[Any, ...], features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        left_alone = fitted[0].predict(features)
        if self.learner == "t":
            return fitted[1].predict(features) - left_alone, left_alone
        of_control, of_treated = (model.predict(features) for model in fitted[2:])
        # The group that is larger gives the better model of the outcome, and so the other's effects.
        return self._share * of_control + (1 - self._share) * of_treated, left_alone

    def _learn(self, features: pd.DataFrame, target: np.ndarray) -> Any:
        from sklearn.base import clone
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.pipeline import make_pipeline

        # Effects are small beside what customers differ in anyway: few splits, of many customers each.
        default = HistGradientBoostingRegressor(
            max_iter=60, learning_rate=0.05, max_leaf_nodes=6, min_samples_leaf=min(200, max(20, len(features) // 30)),
            early_stopping=False, random_state=self.random_state,
        )  # fmt: skip
        model = default if self.model is None else clone(self.model)
        return make_pipeline(encoder(features), model).fit(features, target)


def _refuse_imbalance(features: pd.DataFrame, label: np.ndarray, random_state: int) -> None:
    balance = treatment_balance(features, label, random_state=random_state)
    if balance.p_value < NO_EXPERIMENT and balance.auc > NOTICEABLE:
        worst = ", ".join(
            f"{one.feature} ({one.treated_mean:.3g} against {one.control_mean:.3g})"
            for one in balance.features.head(3).itertuples()
        )
        raise FitError(
            f"the features tell who was treated (ROC AUC {balance.auc:.3f}, p = {balance.p_value:.1g}): chance did not "
            f"decide, and differences are not effects. Furthest apart: {worst}. Leave out what was known only after "
            "the assignment; else compare like with like, or run an experiment"
        )
