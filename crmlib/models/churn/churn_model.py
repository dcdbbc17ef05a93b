"""Who will leave: a churn model that is chosen, calibrated and judged on customers it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crmlib import format as fmt
from crmlib.data.saved_model import SavedModel
from crmlib.errors import CrmError, DataError, did_you_mean
from crmlib.models._inference import Array
from crmlib.models.churn.data import ChurnData, churn_data
from crmlib.models.churn.features import CATEGORY, NUMBER, Features, of_kind
from crmlib.models.churn.leak_check import columns_in_doubt
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
Rows = NDArray[np.intp]
Splits = list[tuple[Rows, Rows]]


class ChurnModel(SavedModel):
    """The chance that a customer leaves, from a table of customers with who left.

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
    >>> model.p_churn(data.features[:2]).round(2).tolist()
    [0.65, 0.05]
    """

    estimator_: str
    candidates_: pd.DataFrame
    calibration_: Calibration
    base_rate_: float
    n_customers_: int
    mean_encoded: Array  # the mean customer of the fit, as the logistic regression takes it
    _read: Features
    _pipelines: dict[str, Pipeline]

    def __init__(self, estimator: Estimator = "auto", *, random_state: int = 0) -> None:
        if estimator not in CANDIDATES:
            raise CrmError(f"estimator is {estimator!r}; {did_you_mean(estimator, CANDIDATES)}")
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, data: ChurnData | Any, *, keep_leaks: bool = False) -> Self:
        """Choose, calibrate and fit.

        Parameters
        ----------
        data : ChurnData, DataFrame or ibis.Table
            As `churn_data` returns it, or the table that it reads.
        keep_leaks : bool
            Whether columns that nearly give the answer away (see `leak_check`) were known in time, and stay.

        Raises
        ------
        FitError
            If there is one class only, too few customers of either, or a column that gives the answer away.
        DataError
            If the table is refused.
        """
        data = data if isinstance(data, ChurnData) else churn_data(data)
        if not keep_leaks:
            columns_in_doubt(data, keep_leaks=False, random_state=self.random_state)
        return self.fit_rows(data, np.arange(len(data.features)))

    def fit_rows(self, data: ChurnData, rows: Rows) -> Self:
        """Choose, calibrate and fit by some rows of the data alone, without looking for leaks."""
        from sklearn.model_selection import cross_val_predict

        coded, churned = data.codes.iloc[rows], data.churned[rows]
        groups = None if data.groups is None else data.groups[rows]
        splits = split_customers(churned, groups, INNER_FOLDS, self.random_state)
        held_out = {
            name: cross_val_predict(
                make_estimator(name, data.read.kinds, self.random_state),
                coded,
                churned,
                cv=splits,
                method="decision_function",
            )
            for name in CANDIDATES[self.estimator]
        }
        calibrated = {name: calibrate(log_odds, churned) for name, log_odds in held_out.items()}
        self.candidates_ = _compare(held_out, calibrated, churned)
        self.estimator_ = str(self.candidates_.loc[self.candidates_["chosen"], "estimator"].iloc[0])
        self.calibration_ = calibrated[self.estimator_]
        self.base_rate_, self.n_customers_ = float(churned.mean()), len(rows)
        self._read = data.read
        # The logistic regression is there in any case: it is what gives reasons where trees cannot be explained.
        self._pipelines = {
            name: make_estimator(name, data.read.kinds, self.random_state).fit(coded, churned)
            for name in {self.estimator_, LINEAR}
        }
        self.mean_encoded = self._pipelines[LINEAR]["encode"].transform(coded).mean(axis=0)
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

    def log_odds(self, features: pd.DataFrame) -> Array:
        """The calibrated log odds that each customer leaves."""
        return self.calibration_(self.pipeline().decision_function(self.coded(features)))

    def p_churn_coded(self, coded: pd.DataFrame) -> Array:
        """The chance that each customer leaves, from features as `coded` returns them."""
        return _probability(self.calibration_(self.pipeline().decision_function(coded)))

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
            raise CrmError("the churn model is not fitted yet; call fit(data)")
        return getattr(self, attribute)

    def __repr__(self) -> str:
        if not hasattr(self, "estimator_"):
            return f"ChurnModel({self.estimator!r})"
        return f"ChurnModel({self.estimator_}, {self.n_customers_:,} customers, {fmt.share(self.base_rate_)} left)"


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


def _compare(held_out: dict[str, Array], calibrated: dict[str, Calibration], churned: Array) -> pd.DataFrame:
    """The candidates by log loss, and the simplest that is within one standard error of the best."""
    losses = {
        name: bounded_log_losses(_probability(calibrated[name](log_odds)), churned)
        for name, log_odds in held_out.items()
    }
    best = min(losses, key=lambda name: float(losses[name].mean()))
    behind = {name: loss - losses[best] for name, loss in losses.items()}
    frame = pd.DataFrame(
        {
            "estimator": list(losses),
            "log_loss": [float(one.mean()) for one in losses.values()],
            "roc_auc": [roc_auc(one, churned) for one in held_out.values()],
            "behind": [float(one.mean()) for one in behind.values()],
            "standard_error": [float(one.std() / np.sqrt(len(one))) for one in behind.values()],
        }
    )
    good = frame["behind"] <= frame["standard_error"]
    return frame.assign(chosen=frame.index == good.idxmax())


def _probability(log_odds: Array) -> Array:
    from scipy.special import expit

    return expit(log_odds)
