"""Groups judged by the holdout: measures by brute force, nothing lost, and no peeking for the model."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import crmlib as crm
from crmlib.errors import CannotAnswerError, CrmError
from crmlib.models.backtesting.scores import ranking
from crmlib.models.backtesting.segment_backtest import Grouping, judge, segment_backtest
from crmlib.rankings import Ranking
from tests.models.worlds import beta_geo_world

CUT, END = "1997-09-30", "1998-06-30"
MEASURES = ["spend_explained", "activity_explained", "spearman", "gini", "top_20_share"]


@pytest.fixture(scope="module")
def log():
    return crm.open_study("cdnow-sample").transactions


@pytest.fixture(scope="module")
def segments(log):
    return crm.rfm_segments(crm.rfm_summary(log, as_of=CUT)).set_index("customer_id")["segment"]


@pytest.fixture(scope="module")
def found(log, segments):
    return segment_backtest(log, {"RFM": segments}, calibration_end=CUT, as_of=END, resamples=40)


def test_groups_are_those_of_the_customers_and_nothing_is_lost(found, segments):
    table = found.groups.set_index("group")
    actual = found.customers.assign(segment=found.customers["customer_id"].map(segments).astype(str))
    by_hand = actual.groupby("segment").agg(
        customers=("customer_id", "size"), spend=("holdout_spend", "mean"), p_alive=("p_alive", "mean")
    )
    for name in by_hand:
        assert np.allclose(table[name].sort_index(), by_hand[name].sort_index())
    assert table["customers"].sum() == len(segments) == 2357
    assert table[["share_of_customers", "share_of_spend"]].sum().tolist() == pytest.approx([1, 1])
    active = actual["holdout_frequency"].gt(0).groupby(actual["segment"]).mean()
    assert np.allclose(table["active"].sort_index(), active.sort_index())
    assert list(found.groups["group"]) == [one for one in segments.cat.categories if one in by_hand.index]


def test_measures_of_a_ranking_are_those_of_the_backtest(found, log):
    spend, purchases = (
        found.customers[name].to_numpy(float) for name in ("holdout_spend", "holdout_frequency")
    )
    row = found.scores.set_index("model").loc["MBG/NBD"]
    predicted = found.customers["predicted_spend"].to_numpy()
    assert row["gini"] == pytest.approx(gini_of(predicted, spend), abs=1e-12)
    expected = ranking(predicted, purchases, spend)
    assert row["top_20_share"] == pytest.approx(expected["top_20_share"], abs=1e-12)
    assert row["spearman"] == pytest.approx(spearmanr(predicted, spend).statistic, abs=1e-12)
    tested = crm.backtest(
        log,
        calibration_end=CUT,
        as_of=END,
        models=[crm.ModifiedBetaGeoModel()],
        spend_model=crm.GammaGammaModel(),
    )
    model = tested.scores.set_index("model").loc["MBG/NBD"]
    assert predicted.sum() == pytest.approx(model["predicted_spend"])
    assert row["top_20_share"] == pytest.approx(model["top_20_share"], abs=1e-12)


def gini_of(score, spend):
    """Of the spend captured by a score, relative to that of the order that came true."""
    return Ranking(score, spend).levels().gini() / Ranking(spend, spend).levels().gini()


def small(seed=0, customers=60):
    random = np.random.default_rng(seed)
    codes = random.integers(3, size=customers)
    spend = np.where(random.random(customers) < 0.4, 0.0, random.gamma(2.0, 5.0 * (1 + codes)))
    return pd.Categorical.from_codes(codes, list("abc")), spend, random.gamma(2.0, 5.0 * (1 + codes))


def scores_of(groups, spend, past, resamples=1):
    scores, of_groups = judge(
        [Grouping.of("g", groups, past), Grouping.of_ranking("r", spend)],
        (spend > 0).astype(int),
        spend,
        resamples=resamples,
        level=0.95,
        random=np.random.default_rng(0),
    )
    return scores.set_index("model"), of_groups["g"]


def test_measures_of_a_grouping_by_brute_force():
    groups, spend, past = small()
    scores, _ = scores_of(groups, spend, past)
    worth = pd.Series(past).groupby(np.asarray(groups)).transform("mean").to_numpy()
    row = scores.loc["g"]
    assert row["spearman"] == pytest.approx(spearmanr(worth, spend).statistic)
    assert row["gini"] == pytest.approx(gini_of(worth, spend))
    assert row["top_20_share"] == pytest.approx(Ranking(worth, spend).levels().captured_by(0.2))
    for name, values in (("spend", spend), ("activity", (spend > 0) * 1.0)):
        means = pd.Series(values).groupby(np.asarray(groups)).transform("mean").to_numpy()
        within, whole = ((values - means) ** 2).sum() / (60 - 3), values.var(ddof=1)
        assert row[f"{name}_explained"] == pytest.approx(1 - within / whole)
    assert scores.loc["r", ["gini", "spearman"]].tolist() == pytest.approx([1, 1])


def test_groups_drawn_at_random_explain_nothing_on_average():
    """The adjustment for the number of groups: without it, 12 groups of 60 customers explain a fifth by chance."""
    random = np.random.default_rng(3)
    explained = []
    for _ in range(200):
        groups = pd.Categorical.from_codes(random.integers(12, size=60), list("abcdefghijkl"))
        spend = random.exponential(10, 60)
        explained.append(scores_of(groups, spend, np.arange(60.0))[0].loc["g", "spend_explained"])
    assert abs(np.mean(explained)) < 3 * np.std(explained) / np.sqrt(200)


def test_intervals_of_groups_are_as_wide_as_their_standard_error():
    groups, spend, past = small(1, 900)
    _, of_groups = scores_of(groups, spend, past, resamples=400)
    error = pd.Series(spend).groupby(np.asarray(groups.codes)).sem().to_numpy()
    width = (of_groups["spend_high"] - of_groups["spend_low"]).to_numpy()
    assert np.allclose(width, 2 * 1.96 * error, rtol=0.15)


def test_intervals_hold_the_measure(found):
    for name in MEASURES:
        held = found.scores[name].between(found.scores[f"{name}_low"], found.scores[f"{name}_high"])
        assert held.all(), name


def test_what_happens_after_the_cut_changes_no_prediction(log, segments, found):
    frame = log.to_pandas()
    after = frame["date"] > CUT
    frame.loc[after, "amount"] *= 7.0
    other = segment_backtest(frame, {"RFM": segments}, calibration_end=CUT, as_of=END, resamples=1)
    for name in ("p_alive", "predicted_spend"):
        assert np.allclose(other.customers[name], found.customers[name])
    assert np.allclose(other.groups["spend"], 7 * found.groups["spend"])


def test_a_model_that_is_true_ranks_better_than_groups_of_nothing():
    log, cut, end = beta_geo_world(1500, seed=4)
    known = crm.rfm_summary(log, as_of=cut)["customer_id"]
    nothing = pd.Series(np.random.default_rng(0).choice(["x", "y"], len(known)), index=known)
    found = segment_backtest(
        log, {"nothing": nothing}, calibration_end=cut, as_of=end, spend_model=10.0, resamples=50
    ).scores.set_index("model")
    assert found.loc["MBG/NBD", "gini_low"] > found.loc["nothing", "gini_high"]
    assert found.loc["nothing", "spend_explained"] < 0.01


def test_nobody_spends_in_the_holdout():
    log = crm.open_study("cdnow-sample").transactions.to_pandas()
    log = log[log["date"] <= CUT]
    known = crm.rfm_summary(log, as_of=CUT)["customer_id"]
    found = segment_backtest(
        log, {"all": pd.Series("all", index=known)}, calibration_end=CUT, as_of=END, resamples=2
    )
    assert found.groups[["spend", "active"]].to_numpy().tolist() == [[0.0, 0.0]]
    assert found.scores[["gini", "spend_explained", "spearman"]].isna().all(axis=None)
    assert found.scores.attrs["finding"] == ""


def test_one_table_of_rankings_is_that_of_the_backtest(found, log):
    """Chapters that rank customers say the same of the same ranking."""
    tested = crm.backtest(log, calibration_end=CUT, as_of=END, models=[crm.BetaGeoModel()])
    theirs, ours = tested.scores.set_index("model"), found.scores.set_index("model")
    for name in ("RFM score", "last year's revenue"):
        assert ours.loc[name, "top_20_share"] == pytest.approx(theirs.loc[name, "top_20_share"])


def test_the_verdict_and_the_table_of_rankings_give_one_difference_with_one_interval(log):
    """What chapter 6 says of MBG/NBD against the best mere ranking is what chapter 3 shows of the same two."""
    tested = crm.backtest(
        log,
        calibration_end=CUT,
        as_of=END,
        models=[crm.ModifiedBetaGeoModel()],
        spend_model=crm.GammaGammaModel(),
    )
    model, scores = tested.scores.iloc[0], segment_backtest(log, {}, calibration_end=CUT, as_of=END).scores
    row = scores.set_index("model").loc[["MBG/NBD", model["rival"]], "top_20_share"]
    assert model["rival_ahead"] == pytest.approx(row.iloc[1] - row.iloc[0])
    if scores.loc[0, "model"] == model["rival"]:
        behind = scores.set_index("model").loc["MBG/NBD", ["behind_low", "behind_high"]]
        assert model[["rival_ahead_low", "rival_ahead_high"]].tolist() == pytest.approx(behind.tolist())
    else:
        assert model["rival_ahead_low"] <= 0


def test_differences_of_rankings_are_paired():
    """Two rankings that hardly differ: their difference is known far better than either of them."""
    random = np.random.default_rng(2)
    spend = random.gamma(0.3, 50.0, 800)
    score = spend + random.normal(0, 40, 800)
    asked = [
        Grouping.of_ranking("one", score),
        Grouping.of_ranking("other", score + random.normal(0, 4, 800)),
    ]
    scores, _ = judge(asked, spend > 0, spend, resamples=200, level=0.95, random=random)
    assert scores["top_20_share"].is_monotonic_decreasing
    first, last = scores.iloc[0], scores.iloc[1]
    assert (first[["behind", "behind_low", "behind_high"]] == 0).all()
    assert last["behind"] == pytest.approx(first["top_20_share"] - last["top_20_share"])
    width = last["behind_high"] - last["behind_low"]
    assert width < 0.5 * (last["top_20_share_high"] - last["top_20_share_low"])


def test_refusals(log, segments):
    days = dict(calibration_end=CUT, as_of=END)
    with pytest.raises(CrmError, match="'RFM' has no group for 357 of the 2,357 customers"):
        segment_backtest(log, {"RFM": segments.iloc[:2000]}, **days)
    with pytest.raises(CrmError, match="'RFM' has a customer twice"):
        segment_backtest(log, {"RFM": pd.concat([segments, segments[:1]])}, **days)
    with pytest.raises(CrmError, match="resamples is 0"):
        segment_backtest(log, {"RFM": segments}, **days, resamples=0)
    with pytest.raises(CannotAnswerError, match="1990-01-01 is before the log"):
        segment_backtest(log, {}, calibration_end="1990-01-01", as_of=END)
