"""What is pickled or saved holds what prediction needs, and nobody that it was made from."""

import pickle

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.clusters.cluster_segments import ClusterSegments
from crmlib.errors import CrmError

ID = "customer-{:06d}"


def people(n, seed=0):
    """Customers with histories, features and outcomes, and figures that are found nowhere by chance."""
    random = np.random.default_rng(seed)
    frequency = random.poisson(2.0, n)
    frame = pd.DataFrame(
        {
            "customer_id": [ID.format(i) for i in range(n)],
            "frequency": frequency,
            "recency": np.where(frequency > 0, random.uniform(1, 40, n), 0.0),
            "T": random.uniform(40, 60, n),
            "monetary_value": np.where(frequency > 0, random.gamma(3, 10, n), 0.0),
            "tenure": random.gamma(2, 10, n),
            "plan": random.choice(["month", "year"], n),
            "alive": random.random(n) < 0.6,
        }
    )
    left = random.random(n) < 1 / (1 + np.exp(frame["tenure"] / 10 - 1))
    return frame.assign(churned=left.astype(int))


def churn(frame, estimator):
    return crm.ChurnModel(estimator).fit(frame[["customer_id", "tenure", "plan", "frequency", "churned"]])


def clusters(frame, method):
    model = ClusterSegments(3, method=method, resamples=2, nulls=2, sample=100)
    return model.fit(frame[["customer_id", "tenure", "T"]])


def cuts(frame):
    return crm.rfm_segments(summary_of(frame)).cut_offs


FITTED = {
    "BetaGeoModel": lambda frame: crm.BetaGeoModel().fit(frame),
    "ModifiedBetaGeoModel": lambda frame: crm.ModifiedBetaGeoModel().fit(frame),
    "ParetoNBDModel": lambda frame: crm.ParetoNBDModel().fit(frame),
    "BetaGeoBetaBinomModel": lambda frame: crm.BetaGeoBetaBinomModel().fit(
        frame.assign(T=60, recency=np.where(frame["frequency"] > 0, 50, 0))
    ),
    "GammaGammaModel": lambda frame: crm.GammaGammaModel().fit(frame),
    "ShiftedBetaGeoModel": lambda frame: crm.ShiftedBetaGeoModel().fit(
        frame[["customer_id", "alive"]].assign(T=1 + np.arange(len(frame)) % 8)
    ),
    "ChurnModel, logistic": lambda frame: churn(frame, "logistic"),
    "ChurnModel, trees": lambda frame: churn(frame, "gradient_boosting"),
    "ClusterSegments, k-means": lambda frame: clusters(frame, "kmeans"),
    "ClusterSegments, mixture": lambda frame: clusters(frame, "gaussian_mixture"),
    "RfmCutOffs": cuts,
}


def test_every_public_estimator_is_looked_at():
    fits = {name for name in crm.__all__ if hasattr(getattr(crm, name), "fit")}
    assert fits <= {name.partition(",")[0] for name in FITTED}


@pytest.mark.parametrize("name", FITTED)
def test_a_pickle_holds_no_customer_and_no_row(name):
    few, many = (pickle.dumps(FITTED[name](people(n))) for n in (1_000, 8_000))
    assert b"customer-" not in few
    assert b"customer-" not in many
    # One value alone may be where a tree divides; three side by side are a row, or a column of customers.
    numbers = people(1_000)[["tenure", "T", "recency", "monetary_value"]].to_numpy()
    for values in (numbers, numbers.T):
        triples = (row[place : place + 3] for row in values for place in range(min(len(row) - 2, 300)))
        assert not any(one.tobytes() in few for one in triples if one.all())
    # Trees of more customers have more leaves, up to a number that does not depend on the rows.
    assert len(many) < 2.0 * len(few) + 50_000


@pytest.mark.parametrize("name", [one for one in FITTED if "," in one])
def test_a_saved_model_predicts_the_same(name, tmp_path):
    frame = people(1_000)
    model = FITTED[name](frame)
    model.save(tmp_path / "model")
    kind = type(model)
    predict = kind.p_churn if kind is crm.ChurnModel else kind.predict
    columns = ["tenure", "T"] if kind is ClusterSegments else ["tenure", "plan", "frequency"]
    for again in (kind.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(predict(again, frame[columns]), predict(model, frame[columns]))
    if kind is crm.ChurnModel:
        pd.testing.assert_frame_equal(
            kind.load(tmp_path / "model").contributions(frame),
            model.contributions(frame),
        )


def summary_of(frame):
    silent = frame["T"] - frame["recency"]
    return frame.assign(time_since_last_purchase=silent, net=frame["monetary_value"] + 1)


def overdue(frame):
    model = crm.ParetoNBDModel.from_params(r=0.55, alpha=10.6, s=0.61, beta=11.7, time_unit="W")
    return crm.overdue_customers(frame, model, false_alarm_rate=0.1)


def values(frame):
    model = crm.BetaGeoModel.from_params(r=0.24, alpha=4.4, a=0.79, b=2.4, time_unit="W")
    terms = {"horizon": "1Y", "discount_rate_per_year": 0.1, "margin": 0.4}
    return crm.customer_lifetime_value(model, 20.0, frame, **terms)


def tiers(frame):
    costs = {"cost_of_goods": 0.0, "cost_to_serve": 40.0, "orders": frame["frequency"]}
    profit = frame.assign(revenue=frame["T"], profit=frame["T"] - 40, **costs)
    return crm.value_tiers(profit, cut_offs={"platinum": 0.1, "gold": 0.3})


FRAMES = {
    "RfmSegments": (lambda frame: crm.rfm_segments(summary_of(frame)), lambda it, frame: it.table(summary_of(frame))),
    "OverdueCustomers": (overdue, lambda it, frame: it.by_frequency()),
    "LifetimeValues": (values, lambda it, frame: it.by_segment(crm.rfm_segments(summary_of(frame)))),
    "ValueTiers": (tiers, lambda it, frame: it.allocation_sensitivity()),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_keeps_its_methods_and_what_it_knows(name):
    make, ask = FRAMES[name]
    frame = people(300)
    whole = make(frame)
    pickled = pickle.loads(pickle.dumps(whole))
    for again in (pickled, whole.assign(note="x"), whole.head(300), whole[whole["customer_id"] != ""]):
        assert type(again).__name__ == name
        pd.testing.assert_frame_equal(ask(again, frame), ask(whole, frame))
        assert ask(again, frame).attrs == ask(whole, frame).attrs


def test_what_concerns_the_customers_of_a_fit_stays_with_it(tmp_path):
    model = clusters(people(1_000), "kmeans")
    assert len(model.labels_) == 1_000
    with pytest.raises(AttributeError, match=r"ClusterSegments.labels_ holds the customers of a fit"):
        pickle.loads(pickle.dumps(model)).labels_  # noqa: B018


def test_a_file_of_another_model_is_refused(tmp_path):
    clusters(people(1_000), "kmeans").save(tmp_path / "model")
    with pytest.raises(CrmError, match="holds a ClusterSegments, not a ChurnModel"):
        crm.ChurnModel.load(tmp_path / "model")
    (tmp_path / "text").write_text("nothing")
    with pytest.raises(CrmError, match="is no model's file"):
        crm.ChurnModel.load(tmp_path / "text")
