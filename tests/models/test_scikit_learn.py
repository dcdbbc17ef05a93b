"""Models behave as scikit-learn expects of an estimator: parameters, clones, pipelines, searches and its own checks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import crmlib as crm
from crmlib.errors import CrmError

PURCHASES = [crm.BetaGeoModel, crm.ModifiedBetaGeoModel, crm.ParetoNBDModel, crm.BetaGeoBetaBinomModel]
# Checks of scikit-learn that a churn model does not pass, and why.
EXPECTED_FAILED = {
    "check_do_not_raise_errors_in_init_or_set_params": "every public function and class refuses an argument of a wrong "
    "type at once and by its name, so that nobody waits for a fit to learn of it",
}


@parametrize_with_checks([crm.ChurnModel("logistic")], expected_failed_checks=lambda _: EXPECTED_FAILED)
@pytest.mark.filterwarnings("ignore")
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_no_exception_that_nobody_needs():
    names = {
        getattr(check, "func", check).__name__ for _, check in estimator_checks_generator(crm.ChurnModel())
    }
    assert names >= EXPECTED_FAILED.keys()
    with pytest.raises(CrmError, match="random_state is 0.5; give a whole number"):
        crm.ChurnModel(random_state=0.5)


@pytest.mark.parametrize("kind", [*PURCHASES, crm.GammaGammaModel, crm.ShiftedBetaGeoModel])
def test_a_clone_is_made_alike_and_is_not_fitted(kind):
    model = kind.from_params(time_unit="W", **dict.fromkeys(kind.parameter_names, 1.5))
    copy = clone(model)
    assert copy.get_params() == {"time_unit": "W"}
    assert repr(copy) == f"{kind.__name__}(time_unit='W')"
    with pytest.raises(NotFittedError, match="has no parameters yet"):
        copy.summary()
    assert copy.set_params(time_unit="D").time_unit == "D"
    with pytest.raises(CrmError, match="'unit' is none of time_unit"):
        copy.set_params(unit="D")


def customers(seed=0, n=600):
    random = np.random.default_rng(seed)
    tenure, plan = random.integers(0, 60, n), random.choice(["month", "year"], n)
    left = random.random(n) < 1 / (1 + np.exp(0.06 * tenure + (plan == "year") - 1))
    return pd.DataFrame({"tenure": tenure, "plan": plan}), np.where(left, "churned", "stayed")


def test_churn_model_in_a_search_and_a_pipeline():
    features, left = customers()
    search = GridSearchCV(crm.ChurnModel(), {"estimator": ["logistic"]}, scoring="neg_log_loss", cv=3)
    search.fit(features, left)
    assert search.best_params_ == {"estimator": "logistic"}
    numbers = make_pipeline(SimpleImputer(), crm.ChurnModel("logistic"))
    assert cross_val_score(numbers, features[["tenure"]], left, cv=3, scoring="accuracy").mean() > 0.6


def test_classes_and_chances_go_together():
    features, left = customers()
    model = crm.ChurnModel("logistic").fit(features, left)
    chances = model.predict_proba(features)
    assert model.classes_.tolist() == ["churned", "stayed"]
    np.testing.assert_allclose(chances[:, 0], model.p_churn(features))
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert (model.predict(features) == np.where(chances[:, 0] > 0.5, "churned", "stayed")).all()
    same = crm.ChurnModel("logistic").fit(features.assign(churned=left))
    np.testing.assert_allclose(same.predict_proba(features)[:, 1], chances[:, 0])
    assert same.classes_.tolist() == [False, True]
