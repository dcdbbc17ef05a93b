"""Inputs that break other implementations, each with what is done about it here."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from crmlib import BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel
from crmlib.errors import CrmError, DataError, FitError

MODELS = [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel]
PARAMS = {
    BetaGeoModel: {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    ModifiedBetaGeoModel: {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    ParetoNBDModel: {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
}


def customers(x: list, t_x: list, age: list, **more: list) -> pd.DataFrame:
    return pd.DataFrame({"frequency": x, "recency": t_x, "T": age, **more})


def few() -> pd.DataFrame:
    return customers([0, 2, 1, 0, 5], [0, 10, 3, 0, 30], [40.0, 38.0, 20.0, 15.0, 35.0])


# -- predictions that are nan, infinite or wrong elsewhere -------------------------------------------------------


def test_a_plus_b_below_one():
    model = BetaGeoModel.from_params(r=0.11, alpha=2.24, a=0.31, b=0.5)
    assert model.expected_purchases(customers([0], [0.0], [1.0]), 30).round(4).tolist() == [0.5646]


def test_a_exactly_one():
    model = BetaGeoModel.from_params(r=0.243, alpha=4.414, a=1.0, b=2.426)
    assert model.expected_purchases(customers([2], [30.43], [38.86]), 39).round(5).tolist() == [1.10214]


def test_s_exactly_one_is_the_limit():
    at, near = (ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=s, beta=11.669) for s in (1.0, 1 + 1e-7))
    table = customers([0, 2], [0.0, 30.43], [10.0, 38.86])
    assert np.allclose(at.expected_purchases(table, 39), near.expected_purchases(table, 39), rtol=1e-6)
    assert at.expected_purchases_new_customer(39.0) == pytest.approx(
        0.553 / 10.578 * 11.669 * np.log1p(39 / 11.669), rel=1e-12
    )


def test_two_thousand_purchases():
    model = BetaGeoModel.from_params(**PARAMS[BetaGeoModel])
    found = model.expected_purchases(customers([2000], [364.0], [365.0]), 365)
    assert found.round(3).tolist() == [1355.782]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [1e-6, 1e-3, 1e3, 1e6])
def test_every_answer_is_finite_at_extreme_parameters(model, size):
    table = customers(
        [0, 0, 1, 500, 20_000, 3], [0, 0, 1e-3, 18_000, 18_262, 1], [0, 18_262, 1, 18_262, 18_262, 18_262.0]
    )
    base = dict.fromkeys(model.parameter_names, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in model.parameter_names:
            fitted = model.from_params(**base | {name: size})
            for t in (0, 1e-3, 18_262):
                ahead = fitted.expected_purchases(table, t)
                assert np.isfinite(ahead).all()
                assert (ahead >= 0).all()
                assert (fitted.expected_purchases_discounted(table, t, 0.01) <= ahead * (1 + 1e-9)).all()
                for n in (0, 1, 100):
                    assert fitted.probability_of_purchases(n, table, t).between(0, 1 + 1e-9).all()
            assert fitted.expected_probability_alive(table).between(0, 1).all()
            assert np.isfinite(fitted.expected_purchases_new_customer(np.array([0.0, 1e-3, 18_262]))).all()
            assert (fitted.sample_purchases(table, 10, 2, random_state=1) >= 0).all()


# -- data that identify little or nothing ------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_no_repeat_buyer_is_refused(model):
    with pytest.raises(FitError, match="frequency is 0 for every customer.*not identifiable.*longer"):
        model().fit(customers([0] * 50, [0.0] * 50, list(np.linspace(1, 40, 50))))


@pytest.mark.parametrize("model", MODELS)
def test_everyone_who_came_today_is_refused(model):
    with pytest.raises(FitError, match="T is 0 for every customer"):
        model().fit(customers([0] * 5, [0.0] * 5, [0.0] * 5))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "table",
    [
        pytest.param(few(), id="five customers"),
        pytest.param(customers([1, 2, 3, 4] * 5, *([[10.0, 20, 30, 40] * 5] * 2)), id="all bought today"),
        pytest.param(customers([4] * 100, [20.0] * 100, [30.0] * 100), id="all alike"),
        pytest.param(customers([0] * 200 + [1], [0.0] * 200 + [3.0], [10.0] * 201), id="one repeat buyer"),
    ],
)
def test_poor_data_end_in_a_diagnosed_fit(model, table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = model().fit(table)
        assert fitted.diagnosis_.findings
        assert all(one.cure for one in fitted.diagnosis_.findings)
        assert str(fitted.diagnosis_) in repr(fitted.summary())
        assert np.isfinite(fitted.loglik_)
        assert np.isfinite(fitted.expected_purchases(table, 10)).all()
        assert fitted.expected_probability_alive(table).between(0, 1).all()


@pytest.mark.parametrize("model", MODELS)
def test_heavy_buyers_fit(model):
    random = np.random.default_rng(0)
    rate = random.gamma(0.5, 10, 2000)
    alive = np.minimum(random.exponential(60, 2000), 50.0)
    x = np.minimum(random.poisson(rate * alive), 500)
    table = customers(x, np.where(x > 0, alive * random.beta(np.maximum(x, 1), 1), 0), np.full(2000, 50.0))
    fitted = model().fit(table)
    assert x.max() == 500
    assert fitted.diagnosis_.converged
    assert np.isfinite(fitted.expected_purchases(table, 500)).all()


# -- rows that no purchase history can hold ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("frequency", np.nan, r"frequency is missing in 1 of 5 rows \(customer_id c1\)"),
        ("T", np.inf, r"T is infinite in 1 of 5 rows \(customer_id c1\)"),
        ("recency", -1.0, r"recency is negative in 1 of 5 rows \(customer_id c1\)"),
        ("frequency", 1.5, r"frequency is no whole number in 1 of 5 rows \(customer_id c1\)"),
        ("recency", 38.5, r"recency is later than T in 1 of 5 rows \(customer_id c1\)"),
        ("recency", 0.0, r"frequency is above 0 although recency is 0 in 1 of 5 rows \(customer_id c1\)"),
        ("frequency", 0.0, r"recency is above 0 although frequency is 0 in 1 of 5 rows \(customer_id c1\)"),
    ],
)
@pytest.mark.parametrize("model", MODELS)
def test_impossible_rows_are_refused_with_column_count_and_ids(model, column, value, message):
    table = few().astype(float).assign(customer_id=[f"c{i}" for i in range(5)])
    table.loc[1, column] = value
    with pytest.raises(DataError, match=message):
        model().fit(table)
    with pytest.raises(DataError, match=message):
        model.from_params(**PARAMS[model]).expected_purchases(table, 1)


def test_a_customer_who_is_there_twice_is_refused():
    table = few().assign(customer_id=["a", "b", "a", "c", "a"])
    message = (
        r"customer_id is there more than once in 2 of 5 rows \(customer_id a, a\); give one row per customer"
    )
    with pytest.raises(DataError, match=message):
        BetaGeoModel().fit(table)
    with pytest.raises(DataError, match="customer_id is there more than once"):
        BetaGeoModel().fit(table.set_index("customer_id"))


def test_only_the_first_ids_are_shown():
    table = customers([1] * 9, [5.0] * 9, [4.0] * 9)
    with pytest.raises(DataError, match=r"in 9 of 9 rows \(index 0, 1, 2, 3, 4, …\)"):
        BetaGeoModel().fit(table)


@pytest.mark.parametrize("model", MODELS)
def test_a_group_without_customers_gets_an_answer_without_rows(model):
    fitted, nobody = model.from_params(**PARAMS[model]), few().head(0)
    assert fitted.expected_purchases(nobody, 39).shape == (0,)
    assert fitted.expected_purchases_discounted(nobody, 39, 0.01).shape == (0,)
    assert fitted.expected_probability_alive(nobody).shape == (0,)
    assert fitted.expected_probability_no_purchase(nobody, 39).shape == (0,)
    assert fitted.probability_of_purchases([0, 1], nobody, 39).shape == (0, 2)
    assert fitted.sample_purchases(nobody, 39, n=3, random_state=0).shape == (3, 0)


def test_what_is_no_frame_of_customers_is_refused():
    with pytest.raises(DataError, match="data has no column 'recency'"):
        BetaGeoModel().fit(few().drop(columns="recency"))
    with pytest.raises(DataError, match="data is a dict"):
        BetaGeoModel().fit({"frequency": [1]})
    with pytest.raises(DataError, match="no rows"):
        BetaGeoModel().fit(few().head(0))
    with pytest.raises(DataError, match="frequency holds object, not numbers"):
        BetaGeoModel().fit(few().assign(frequency=["many"] * 5))
    with pytest.raises(DataError, match="weight is negative"):
        BetaGeoModel().fit(few().assign(weight=-1.0))
    with pytest.raises(DataError, match="weight is 0 in every row"):
        BetaGeoModel().fit(few().assign(weight=0.0))


def test_impossible_questions_are_refused():
    model, table = BetaGeoModel.from_params(**PARAMS[BetaGeoModel], time_unit="W"), few()
    with pytest.raises(CrmError, match="future_t is -1; give a length of time"):
        model.expected_purchases(table, -1)
    with pytest.raises(CrmError, match="no length of time"):
        model.expected_purchases(table, "soon")
    with pytest.raises(CrmError, match="n holds 1.5"):
        model.probability_of_purchases(1.5, table, 1)
    with pytest.raises(CrmError, match="discount_rate is -0.1"):
        model.expected_purchases_discounted(table, 1, -0.1)
    with pytest.raises(CrmError, match="t holds values"):
        model.expected_purchases_new_customer([1.0, np.nan])
