"""Who will leave: a churn model that is chosen, calibrated and judged on customers it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from crmlib import format as fmt
from crmlib.arguments import check_choice
from crmlib.data.saved_model import SavedModel
from crmlib.errors import DataError, FitError, not_fitted
from crmlib.models._inference import Array
from crmlib.models.churn.candidates import CANDIDATES, LINEAR, Estimator, Rows, compare, make_estimator
from crmlib.models.churn.data import ChurnData, churn_data, labelled_rows
from crmlib.models.churn.features import Features, read_labels
from crmlib.models.churn.leak_check import columns_in_doubt
from crmlib.models.churn.metrics import Calibration
from crmlib.models.churn.reasons import can_explain, contributions, strongest
from crmlib.models.scoring import add_columns

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


class ChurnModel(SavedModel, ClassifierMixin, BaseEstimator):
    """The chance that a customer leaves, from a table that says which customers left.

    The candidates are compared on customers that they were not fitted to (five folds); taken is the simplest
    whose log loss is within one standard error of the best. The same held-out predictions calibrate its
    probabilities, so that they are calibrated on data of their own. Then it is fitted to all.

    Parameters
    ----------
    estimator : {"auto", "logistic", "gradient_boosting"}
        What to choose from: auto compares a logistic regression with boosted trees of two sizes.
    random_state : int
        Of the folds and the trees.

    Attributes
    ----------
    estimator_ : str
        What was chosen.
    candidates_ : DataFrame
        One row per candidate, the simplest first: `estimator`, `log_loss` and `roc_auc` on customers it was
        not fitted to, `behind` and `standard_error` (its log loss behind the best one's), `chosen`.
    calibration_ : Calibration
        How the estimator's log odds become calibrated ones.
    base_rate_ : float
        Share of the customers fitted who left.
    n_customers_ : int
        Rows that were fitted.
    classes_ : ndarray
        The two answers, in the order of `predict_proba`: False and True, or those of `y`.

    Notes
    -----
    Missing numbers are set to the median and flagged (logistic regression), or sent their own way at each
    split (trees); a missing category is a category; one never seen counts as none of those known, and
    `surprises` names it.

    Sources: Kull, Silva Filho & Flach (2017), Beta calibration; Neslin et al. (2006), Defection
    detection, Journal of Marketing Research 43(2); Hastie, Tibshirani & Friedman (2009), section 7.10 (the rule
    of one standard error).

    Examples
    --------
    >>> import crmlib as crm
    >>> data = churn_data(crm.open_study("telco").table("customer_features"))
    >>> model = ChurnModel(estimator="logistic").fit(data)
    >>> model.reasons(data.features[:2], n=1).round(2).values.tolist()
    [[0.65, 'tenure 1: +1.9 in log odds'], [0.05, 'internet service DSL: −0.2 in log odds']]
    """

    estimator_: str
    candidates_: pd.DataFrame
    calibration_: Calibration
    base_rate_: float
    n_customers_: int
    classes_: Array
    mean_encoded_: Array  # the mean customer of the fit, as the logistic regression takes it
    _read: Features
    _pipelines: dict[str, Pipeline]
    _left: int  # the place in classes_ of those who left

    def __init__(self, estimator: Estimator = "auto", *, random_state: int = 0) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, keep_leaks: bool = False) -> Self:
        """Choose, calibrate and fit.

        Parameters
        ----------
        X : ChurnData, DataFrame, array or ibis.Table
            As `churn_data` returns it, or the table that it reads; with `y`, features alone, as scikit-learn has them.
        y : array of two different values, optional
            Who left, in words that `churn_data` knows; of other values the larger one. Features are then taken as
            they are: look for leaks before.
        keep_leaks : bool
            Whether columns that nearly give the answer away (see `leak_check`) were known in time, and stay.

        Raises
        ------
        FitError
            If there is one class only, too few customers of either, or a column that gives the answer away.
        DataError
            If the table is refused.
        """
        from sklearn.utils.validation import validate_data

        check_choice("estimator", self.estimator, CANDIDATES)
        self.classes_, self._left = np.array([False, True]), 1
        if y is not None:
            data = labelled_rows(*self._with_labels(X, y))
        elif isinstance(X, np.ndarray):
            raise DataError(
                "an array requires y to be passed, but the target y is None; or give a table with who left"
            )
        else:
            data = X if isinstance(X, ChurnData) else churn_data(X)
            validate_data(self, data.features, skip_check_array=True)
            if not keep_leaks:
                columns_in_doubt(data, keep_leaks=False, random_state=self.random_state)
        return self.fit_rows(data, np.arange(len(data.features)))

    def _with_labels(self, X: Any, y: Any) -> tuple[pd.DataFrame, Array]:
        """Features as a frame, and who left; both checked as scikit-learn's classifiers do."""
        from sklearn.utils.multiclass import check_classification_targets
        from sklearn.utils.validation import check_consistent_length, column_or_1d

        features = self._as_frame(X, reset=True)
        with _errors_of_scikit_learn():
            labels = column_or_1d(y, warn=True)
            check_consistent_length(features, labels)
            check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            found = fmt.plural(len(self.classes_), "class", "classes")
            raise FitError(
                f"y has {found}. Only binary classification is supported: who left, and who stayed"
            )
        try:
            self._left = int(np.argmax(read_labels(pd.Series(self.classes_, name="y"))[0]))
        except DataError:
            self._left = 1
        return features, labels == self.classes_[self._left]

    def _as_frame(self, X: Any, *, reset: bool = False) -> pd.DataFrame:
        """Features as a frame with the columns of the fit; an array's are called x0, x1, …"""
        from sklearn.utils.validation import validate_data

        is_frame = isinstance(X, pd.DataFrame)
        checks = {"skip_check_array": True} if is_frame else {"dtype": None, "ensure_all_finite": False}
        with _errors_of_scikit_learn():
            values = validate_data(self, X, reset=reset, **checks)
        if is_frame:
            return X.rename(columns=str)
        return pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])]).infer_objects()

    def fit_rows(self, data: ChurnData, rows: Rows) -> Self:
        """Choose, calibrate and fit by some rows of the data alone, without looking for leaks."""
        coded, churned = data.codes.iloc[rows], data.churned[rows]
        groups = None if data.groups is None else data.groups[rows]
        candidates = {
            name: make_estimator(name, data.read.kinds, self.random_state)
            for name in CANDIDATES[self.estimator]
        }
        self.candidates_, calibrations = compare(candidates, coded, churned, groups, self.random_state)
        self.estimator_ = str(self.candidates_.loc[self.candidates_["chosen"], "estimator"].iloc[0])
        self.calibration_ = calibrations[self.estimator_]
        self.base_rate_, self.n_customers_ = float(churned.mean()), len(rows)
        self._read = data.read
        # The logistic regression is there in any case: it is what gives reasons where trees cannot be explained.
        self._pipelines = {
            name: make_estimator(name, data.read.kinds, self.random_state).fit(coded, churned)
            for name in {self.estimator_, LINEAR}
        }
        self.mean_encoded_ = self._pipelines[LINEAR]["encode"].transform(coded).mean(axis=0)
        return self

    def pipeline(self, name: str | None = None) -> Pipeline:
        """The fitted scikit-learn pipeline that was chosen, or the logistic regression of the same customers."""
        return self._fitted("_pipelines")[name or self.estimator_]

    def p_churn(self, features: pd.DataFrame) -> pd.Series:
        """The chance that each customer leaves.

        Parameters
        ----------
        features : DataFrame
            One row per customer with the columns of the fit; others are ignored.

        Returns
        -------
        Series
            Between 0 and 1, indexed like `features`.

        Raises
        ------
        DataError
            If a column is missing, or holds text where there were numbers.
        """
        chances = self.p_churn_coded(self.coded(features))
        return pd.Series(chances, index=features.index, name="p_churn")

    def predict_proba(self, X: Any) -> Array:
        """The chance of each of `classes_`, shape (customers, 2)."""
        self._fitted("_read")
        left = self.p_churn(self._as_frame(X)).to_numpy()
        return np.column_stack([1 - left, left] if self._left else [left, 1 - left])

    def predict(self, X: Any) -> Array:
        """The likelier of `classes_`."""
        likelier = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likelier]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.classifier_tags.multi_class = False
        return tags

    def log_odds(self, features: pd.DataFrame) -> Array:
        """The calibrated log odds that each customer leaves."""
        return self.calibration_(self.pipeline().decision_function(self.coded(features)))

    def p_churn_coded(self, coded: pd.DataFrame) -> Array:
        """The chance that each customer leaves, from features as `coded` returns them."""
        return expit(self.calibration_(self.pipeline().decision_function(coded)))

    def contributions(self, features: pd.DataFrame) -> pd.DataFrame:
        """What each feature adds to the log odds that each customer leaves; `features` as in `p_churn`.

        Returns
        -------
        DataFrame
            One row per customer, a column per feature and `base`: the log odds of the mean customer (logistic
            regression) or the mean log odds (trees). The columns add up to the log odds of `p_churn`, of the model
            that `explained_by` names.

        Notes
        -----
        Trees by path-dependent Shapley values (Lundberg et al. 2020, Nature Machine Intelligence 2, 56–67). They
        share what two features say together between them, and tell what the model uses, not what causes churn.
        """
        name, calibration = self.estimator_, self.calibration_
        if not can_explain(name):
            name, calibration = LINEAR, Calibration(0.0, 1.0, 1.0)
        mean = self.mean_encoded_ if name == LINEAR else None
        return contributions(self.pipeline(name), self.coded(features), self.kinds, calibration, mean)

    def reasons(self, features: pd.DataFrame, n: int = 3, among: list[str] | None = None) -> pd.DataFrame:
        """The features that move each customer's risk most, in the data's own words.

        Parameters
        ----------
        features : DataFrame
            As in `p_churn`.
        n : int
            How many reasons, the strongest first.
        among : list of str, optional
            The features that may be named; by default all.

        Returns
        -------
        DataFrame
            Indexed like `features`: `p_churn`, and `reason_1` … with its words, such as "contract Month-to-month: +0.5
            in log odds". A plus makes leaving likelier than for the mean customer; empty where nothing else moves it.
        """
        found = strongest(self.contributions(features), self.read(features), self.kinds, n, among)
        found.insert(0, "p_churn", self.p_churn(features))
        return found

    def score_parquet(self, source: str | Path, target: str | Path, *, reasons: int = 3) -> int:
        """Score a Parquet table of customers that may be larger than memory, a piece at a time.

        Parameters
        ----------
        source : path
            Parquet file with the columns of the fit; others are carried along.
        target : path
            Parquet file to write, at once when it is complete: all columns of `source`, `p_churn` and, where
            reasons are wanted, `reason_1` and so on. The order of rows stays.
        reasons : int
            How many reasons per customer; 0 for none.

        Returns
        -------
        int
            Rows written.

        Raises
        ------
        DataError
            If the table has no rows, lacks a column, or has one of the new columns already.
        """

        def scored(features: pd.DataFrame) -> pd.DataFrame:
            return self.reasons(features, reasons) if reasons else self.p_churn(features).to_frame()

        new = {"p_churn": "double"} | {f"reason_{place + 1}": "string" for place in range(reasons)}
        return add_columns(source, target, new, scored, list(self.kinds))

    def surprises(self, features: pd.DataFrame) -> list[str]:
        """What there is in a table that the model has never seen, in words; empty where there is nothing."""
        return self._fitted("_read").surprises(self.read(features))

    @property
    def kinds(self) -> dict[str, str]:
        """The features in their order, each a "number" or a "category"."""
        return self._fitted("_read").kinds

    def read(self, features: pd.DataFrame) -> pd.DataFrame:
        """A table as it was understood: the columns of the fit, numbers as floats, categories as text."""
        read = self._fitted("_read").read(features)
        if not len(read):
            raise DataError("there is no customer to score; the table has no rows")
        return read

    def coded(self, features: pd.DataFrame) -> pd.DataFrame:
        """A table as the estimators take it: numbers alone, categories by their place."""
        return self._fitted("_read").coded(self.read(features))

    def _fitted(self, attribute: str) -> Any:
        if not hasattr(self, attribute):
            raise not_fitted("the churn model is not fitted yet; call fit(data)")
        return getattr(self, attribute)

    def __repr__(self) -> str:
        if not hasattr(self, "estimator_"):
            return BaseEstimator.__repr__(self)
        return f"ChurnModel({self.estimator_}, {self.n_customers_:,} customers, {fmt.share(self.base_rate_)} left)"


@contextmanager
def _errors_of_scikit_learn() -> Iterator[None]:
    """Turn errors of scikit-learn into a DataError with the same message."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise DataError(str(error)) from error
