"""Groups are found where they are, and clouds without groups are called cuts, whatever their shape."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.preprocessing import StandardScaler

from crmlib import behaviour_clusters, needs_clusters, rfm_summary
from crmlib.customers.clusters.choice import (
    CUTS,
    SIGNIFICANT,
    cluster_verdict,
    neighbours,
    shallowest_valley,
    silhouette,
    spread_ties,
)
from crmlib.customers.clusters.cluster_segments import ClusterSegments
from crmlib.customers.clusters.customer_clusters import profile_table
from crmlib.customers.clusters.fits import adjusted_rand, cluster, shared_customers, stability
from crmlib.errors import CannotAnswerError, CrmError
from tests.customers.clouds import CLOUDS, frame, groups
from tests.customers.logs import cdnow_sample

QUICK = dict(most=4, resamples=8, nulls=9, sample=300)
RFM = ["frequency", "time_since_last_purchase", "mean_spend_per_period"]


def valleys(points, seed, numbers=(2, 3, 4)):
    """P-value of the shallowest valley for each number of clusters."""
    scaled = StandardScaler().fit_transform(points)
    random = np.random.default_rng(seed)
    fits = {k: KMeans(k, n_init=2, random_state=seed).fit(scaled).labels_ for k in numbers}
    return {k: shallowest_valley(scaled, labels, random).p_value for k, labels in fits.items()}


@pytest.mark.parametrize("shape", CLOUDS)
def test_no_valley_in_a_cloud_without_groups(shape):
    """Groups need a valley, so that fewer than 5 of 100 with one are fewer than 5 called groups.

    A false alarm of .05 would be 5 of 100 on average; the windows are so strict that next to none is expected.
    """
    alarms = 0
    for seed in range(100):
        points = CLOUDS[shape](np.random.default_rng(seed), 300, 2 + seed % 3)
        points = np.log1p(points) if shape == "spending" else points
        alarms += min(valleys(points, seed).values()) <= SIGNIFICANT
    assert alarms <= 5


def test_groups_that_are_well_apart_have_valleys_between_them_and_no_more():
    found = 0
    for seed in range(100):
        points, _ = groups(np.random.default_rng(seed), 300, 2 + seed % 3)
        held = [k for k, p_value in valleys(points, seed).items() if p_value <= SIGNIFICANT]
        found += bool(held) and max(held) == 3
    assert found >= 95


def test_groups_in_a_row_have_a_valley_between_neighbours_alone():
    random = np.random.default_rng(0)
    row = np.array([0.0, 7, 14, 21])[random.integers(4, size=600)][:, None] * [1.0, 1.0, 0.5]
    points = row + random.standard_normal((600, 3))
    assert [k for k, p_value in valleys(points, 0, range(2, 7)).items() if p_value <= SIGNIFICANT][-1] == 4
    assert neighbours(np.array([[0.0, 0], [2, 0], [1, 1.5], [5, 0]])) == [(0, 2), (1, 2), (1, 3)]


@pytest.mark.parametrize("shape", CLOUDS)
def test_the_verdict_on_a_cloud_without_groups(shape):
    for seed in range(3):
        points = CLOUDS[shape](np.random.default_rng(100 + seed), 300, 3)
        found = ClusterSegments(**QUICK).fit(frame(points))
        assert not found.groups_
        assert found.sentence_.startswith(CUTS)
        assert len(found.labels_) == 300


@pytest.mark.parametrize("number", [2, 3, 4])
def test_groups_are_found_in_their_number_and_their_members(number):
    for seed in range(3):
        points, true = groups(np.random.default_rng(seed), 300, 3, number=number, apart=7)
        found = ClusterSegments(**QUICK).fit(frame(points + 20))
        assert found.groups_, found.choice_
        assert found.n_clusters_ == number
        assert found.sentence_.startswith(f"{number} groups")
        assert adjusted_rand_score(true, found.labels_) > 0.95
        assert found.stability_["jaccard"].min() > 0.9
        assert found.rand_ > 0.95


def test_a_mixture_finds_groups_of_unlike_size():
    random = np.random.default_rng(5)
    wide, narrow = random.normal(0, 3, (200, 2)), random.normal([14, 0], 0.5, (80, 2))
    found = ClusterSegments(method="gaussian_mixture", most=3, resamples=5, nulls=5).fit(
        frame(np.concatenate([wide, narrow]))
    )
    assert found.groups_
    assert sorted(found.stability_["customers"]) == [80, 200]


def test_one_bell_cut_in_three_is_stable_all_the_same():
    """Why the adjusted Rand index alone proves nothing: an elongated bell is cut in the same places every time."""
    points = np.random.default_rng(0).standard_normal((10_000, 2)) * [10.0, 1.0]
    labels = KMeans(3, n_init=3, random_state=0).fit(points).labels_
    again = stability(points, labels, "kmeans", 20, np.random.default_rng(1))
    assert again.rand.mean() > 0.9
    assert again.jaccard.mean(axis=0).min() > 0.9
    found = ClusterSegments(3, nulls=9).fit(frame(points))
    assert not found.groups_
    assert "no valley" in found.sentence_


def test_where_nobody_is_around_a_centre_the_verdict_says_so_in_words():
    """The valley is customers halfway per customer around the emptier centre: with none there, no number."""
    row = dict(
        clusters=2, silhouette=0.5, silhouette_null=0.4, stability=0.9, stability_null=0.8, jaccard=0.9
    )
    for valley in (np.inf, np.nan):
        found = cluster_verdict(pd.DataFrame([row | dict(valley=valley, valley_p=1.0, groups=False)]))
        assert not re.search(r"\b(inf|nan)\b", found)
        assert (
            "around the sparser of two neighbouring centres there is no customer to compare with, no valley"
            in found
        )
    found = cluster_verdict(pd.DataFrame([row | dict(valley=1.25, valley_p=1.0, groups=False)]))
    assert "halfway between two neighbours the density is 1.25 of that around the sparser centre" in found


def test_cdnow_has_cuts_but_no_groups():
    """A bell as null would have called them groups: silhouettes are beyond it, and there is no valley."""
    summary = rfm_summary(cdnow_sample(), as_of="1998-06-30")
    again = summary.loc[summary["frequency"] > 0, ["customer_id", *RFM]]
    found = ClusterSegments(most=4, sample=500).fit(again)
    assert (found.choice_["silhouette"] > found.choice_["silhouette_null"]).all()
    assert not found.groups_
    assert found.choice_["valley"].min() > 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60))
def test_the_index_is_that_of_scikit_learn(pairs):
    one, other = np.array(pairs, dtype=np.intp).T
    ours = adjusted_rand(shared_customers(one, other, 4))
    assert ours == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-9, 9), st.integers(-9, 9)), min_size=5, max_size=40)
)
def test_the_silhouette_is_that_of_scikit_learn(rows):
    labels, points = np.array(rows)[:, 0], np.array(rows, dtype=float)[:, 1:]
    found = silhouette(cdist(points, points), labels)
    several = 2 <= len(np.unique(labels)) < len(labels)
    assert found == pytest.approx(silhouette_score(points, labels) if several else 0.0, abs=1e-9)


def test_jaccard_by_hand():
    """Two far atoms, always found again; a resample that divides otherwise is not needed to see 1."""
    points = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]] * 5)
    labels = np.tile(np.array([0, 0, 0, 1, 1, 1], dtype=np.intp), 5)
    again = stability(points, labels, "kmeans", 4, np.random.default_rng(0))
    assert again.jaccard.tolist() == [[1.0, 1.0]] * 4
    swapped = labels.copy()
    swapped[0] = 1  # 15 customers, of whom 14 are found again together with 0 others; and 16 holding 15
    again = stability(points, swapped, "kmeans", 4, np.random.default_rng(0))
    assert again.jaccard[0] == pytest.approx([14 / 15, 15 / 16])


def test_a_count_that_many_share_is_no_group():
    """Half have a count of 0, the others fewer and fewer: atoms, and no valley."""
    random = np.random.default_rng(1)
    counts = random.geometric(0.5, 800) - 1
    found = ClusterSegments(**QUICK).fit(
        pd.DataFrame({"count": counts, "spend": random.lognormal(3, 1, 800)})
    )
    assert not found.groups_
    atoms = np.repeat([0.0, 1.0, 2.0], 50)
    spread = spread_ties(atoms, random)
    assert (np.round(np.clip(spread, 0, 2)) == atoms).all()  # none is nearer to another atom
    assert len(np.unique(spread)) == 150


@pytest.mark.parametrize("method", ["kmeans", "gaussian_mixture"])
def test_same_random_state_same_clusters_and_new_customers_fall_where_equal_ones_are(method):
    points, _ = groups(np.random.default_rng(0), 200, 2)
    data = frame(points).assign(customer_id=[f"c{place}" for place in range(200)])
    settings_ = dict(method=method, most=3, resamples=3, nulls=3, random_state=4)
    first, second = (ClusterSegments(**settings_).fit(data) for _ in range(2))
    assert (first.labels_ == second.labels_).all()
    assert first.sentence_ == second.sentence_
    part = data.iloc[[5, 90, 17]]
    found = first.assign(part[["feature_1", "customer_id", "feature_0"]])
    assert found["customer_id"].tolist() == ["c5", "c90", "c17"]
    assert found.index.tolist() == [5, 90, 17]
    assert found["cluster"].cat.codes.tolist() == first.labels_[[5, 90, 17]].tolist()


def test_profile_and_names_say_what_stands_out():
    random = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "frequency": np.concatenate([random.poisson(40, 60), random.poisson(2, 90)]),
            "mean_spend_per_period": np.concatenate([random.normal(8, 1, 60), random.normal(90, 8, 90)]),
        }
    )
    found = ClusterSegments(**QUICK).fit(data)
    names = [set(name.split(", ")) for name in found.names_]
    assert names == [{"rare", "high spend"}, {"frequent", "low spend"}]  # the larger one first
    profile = found.profile_.set_index(["cluster", "feature"])
    assert profile.loc[(1, "frequency"), "mean"] == pytest.approx(data["frequency"][60:].mean())
    assert profile.loc[(1, "frequency"), "customers"] == 90
    weighted = found.profile_.assign(sum=lambda one: one["mean"] * one["customers"])
    assert np.allclose(weighted.groupby("feature")["sum"].sum() / 150, data.mean())
    weighted = found.profile_.assign(sum=lambda one: one["standing"] * one["customers"])
    assert np.allclose(weighted.groupby("feature")["sum"].sum(), 0, atol=1e-9)


def test_shares_of_two_tastes_are_named_by_their_categories():
    random = np.random.default_rng(0)
    tastes = np.concatenate([random.dirichlet([30, 3, 3], 80), random.dirichlet([3, 3, 30], 70)])
    found = ClusterSegments(scale="share", **QUICK).fit(
        pd.DataFrame(tastes, columns=["beer", "bread", "wine"])
    )
    assert found.groups_
    assert found.names_ == ["beer", "wine"]


def test_profile_table_reconciles():
    data = pd.DataFrame(
        {"customer_id": list("abcd"), "net": [1.0, 2.0, 3.0, 10.0], "p_alive": [0.1, 0.2, 0.3, 1]}
    )
    table = profile_table(data, pd.Series(pd.Categorical(["x", "x", "y", "x"], categories=["x", "y", "z"])))
    assert table["group"].tolist() == ["x", "y", "z", "all customers"]
    assert table["customers"].tolist() == [3, 1, 0, 4]
    assert table["share_of_customers"][:3].sum() == 1
    assert (table["customers"] * table["net"])[:2].sum() == 4 * table["net"].iloc[-1]
    with pytest.raises(CrmError, match="1 customers have no group"):
        profile_table(data, pd.Series(["x", "x", None, "x"]))
    with pytest.raises(CrmError, match="data has 4 rows and groups 3"):
        profile_table(data, pd.Series(["x", "x", "y"]))


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ({"a": [3.0] * 50}, {}, "all 50 customers are equal in a"),
        ({"a": [3.0]}, {}, "clusters need at least 2 customers; here are 1"),
        ({"a": []}, {}, "clusters need at least 2 customers; here are 0"),
        ({"a": [1.0, 2.0, 2.0]}, {"n_clusters": 3}, "n_clusters is 3 and 2 customers differ"),
        ({"a": [1.0, None, 2.0]}, {}, "'a' is missing or infinite for 1 of 3 customers"),
        ({"a": [1.0, np.inf, 2.0]}, {}, "'a' is missing or infinite for 1 of 3"),
        ({"a": ["x", "y"]}, {}, "'a' is object, not a number"),
        ({"customer_id": ["x", "y"]}, {}, "no column to cluster by"),
        ({"a": [1.0, 2.0], 1: [3.0, 4.0], "1": [3.0, 4.0]}, {}, "two columns '1'"),
        ({"a": [0.5, -0.5]}, {"scale": "share"}, "a share below 0"),
        ({"a": [1.0, 2.0]}, {"method": "kmean"}, "did you mean 'kmeans'"),
        ({"a": [1.0, 2.0]}, {"n_clusters": 1}, "n_clusters is 1; allowed: a whole number from 2"),
        ({"a": [1.0, 2.0]}, {"nulls": 0}, "nulls is 0"),
    ],
)
def test_refusals(data, options, message):
    with pytest.raises(CrmError, match=message):
        ClusterSegments(**options).fit(pd.DataFrame(data))


def test_data_that_cannot_be_divided_leave_the_question_open():
    with pytest.raises(CannotAnswerError):
        ClusterSegments().fit(pd.DataFrame({"a": [1.0, 1.0]}))
    with pytest.raises(CrmError, match="not fitted yet"):
        ClusterSegments().predict(pd.DataFrame({"a": [1.0]}))


@pytest.mark.parametrize("customers", [2, 3, 5, 12])
def test_a_handful_are_cut_and_called_cuts(customers):
    found = ClusterSegments(most=3, nulls=3, resamples=3).fit(pd.DataFrame({"a": np.arange(customers) * 1.0}))
    assert not found.groups_
    assert found.stability_["customers"].sum() == customers


def test_amounts_on_both_sides_of_zero_are_torn_by_no_logarithm():
    profit = np.random.default_rng(0).normal(0, 1000, (600, 2))
    assert not ClusterSegments(**QUICK).fit(frame(profit)).groups_


@pytest.mark.parametrize("method", ["kmeans", "gaussian_mixture"])
def test_no_cluster_is_empty(method):
    points = np.repeat([[0.0, 0.0], [5.0, 5.0]], [30, 20], axis=0)
    found = cluster(points, 4, method, np.random.default_rng(0))
    assert np.bincount(found.labels).tolist() == [30, 20]
    assert found.assign(points[[0, 49]]).tolist() == [0, 1]


@pytest.mark.parametrize("make", ["behaviour", "needs"])
def test_every_customer_has_a_cluster_or_a_reason(make):
    log = cdnow_sample().assign(category=lambda rows: np.where(rows["amount"] > 15, "box", "single"))
    summary = rfm_summary(log, as_of="1998-06-30")
    options = dict(n_clusters=2, nulls=1, resamples=2, sample=200)
    found = (
        behaviour_clusters(summary, **options)
        if make == "behaviour"
        else needs_clusters(log, as_of="1998-06-30", **options)
    )
    assert found.customers["customer_id"].tolist() == summary["customer_id"].tolist()
    others = "bought once" if make == "behaviour" else "too few purchases to judge"
    least = 1 if make == "behaviour" else 4
    assert (found.customers["cluster"] == others).tolist() == (summary["frequency"] < least).tolist()
    assert (
        found.profile.drop_duplicates("cluster")["customers"].sum() == (summary["frequency"] >= least).sum()
    )


def test_where_there_is_nothing_to_cluster_the_reason_is_the_verdict():
    log = cdnow_sample()
    found = needs_clusters(log, as_of="1998-06-30")
    assert found.sentence == "No clusters: the purchase log has no category, so it does not show needs."
    assert set(found.customers["cluster"]) == {"not known"}
    assert len(found.customers) == 2357
    assert found.profile.empty
    once = rfm_summary(log, as_of="1998-06-30").query("frequency == 0")
    found = behaviour_clusters(once)
    assert found.sentence.startswith("No clusters: clusters need at least 2 customers; here are 0")
    assert found.model is None
    assert found.kind == "none"


def test_an_array_is_as_good_as_a_frame():
    points, _ = groups(np.random.default_rng(0), 120, 2)
    options = dict(most=3, nulls=3, resamples=3)
    from_array, from_frame = (
        ClusterSegments(**options).fit(points),
        ClusterSegments(**options).fit(frame(points)),
    )
    assert (from_array.labels_ == from_frame.labels_).all()
    assert from_array.feature_names_in_ == ["x0", "x1"]
    assert from_array.assign(points[:7])["cluster"].cat.codes.tolist() == from_array.labels_[:7].tolist()
    numbered = ClusterSegments(**options).fit(pd.DataFrame(points))
    assert numbered.feature_names_in_ == ["0", "1"]
    with pytest.raises(CrmError, match="data is a list"):
        ClusterSegments().fit([[1.0], [2.0]])


def test_clusters_can_be_kept():
    points, _ = groups(np.random.default_rng(0), 80, 2)
    found = ClusterSegments(2, nulls=2, resamples=2).fit(points)
    assert (pickle.loads(pickle.dumps(found)).predict(points) == found.labels_).all()


def test_it_is_an_estimator_of_scikit_learn():
    found = ClusterSegments(2, nulls=2, resamples=2)
    again = clone(found).set_params(nulls=3)
    assert again.get_params() == found.get_params() | {"nulls": 3}
    assert repr(again) == "ClusterSegments(n_clusters=2, nulls=3, resamples=2)"
    points, _ = groups(np.random.default_rng(0), 80, 2)
    assert (found.fit_predict(points) == found.labels_).all()
    with pytest.raises(NotFittedError):
        again.predict(points)


def test_fit_changes_no_data():
    data = frame(groups(np.random.default_rng(0), 60, 2)[0])
    before = data.copy(deep=True)
    ClusterSegments(2, nulls=2, resamples=2).fit(data)
    pd.testing.assert_frame_equal(data, before)
