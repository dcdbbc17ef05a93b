"""Uplift: by hand, in worlds whose effects are known, and where there is nothing to find."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crmlib.errors import FitError
from crmlib.models.uplift import UpliftModel, treatment_balance
from crmlib.models.uplift_effects import calibrated_effects, heterogeneity_test, uplift_curves


def world(seed, *, customers=600, slope=0.0, treated_share=0.5):
    """Features, who was treated, outcome and true effects: .5 for all, plus `slope` per unit of the first."""
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.normal(size=(customers, 3)), columns=["age", "orders", "spend"])
    features.index = [f"c{one}" for one in range(customers)]
    treated = random.random(customers) < treated_share
    effect = 0.5 + slope * features["age"]
    outcome = features["orders"] + treated * effect + random.normal(size=customers)
    return features, treated, outcome, effect


def cross_fitted(seed, *, customers=400, folds=5):
    """The frame that `UpliftModel` makes, by least squares in each group: quick enough for many worlds."""
    features, treated, outcome, _ = world(seed, customers=customers)
    known = np.column_stack([np.ones(customers), features])
    fold = np.arange(customers) % folds
    frame = pd.DataFrame({"fold": fold, "treated": treated, "outcome": outcome.to_numpy()})
    for number in range(folds):
        here = fold == number
        control, one = (
            known[here] @ np.linalg.lstsq(known[group & ~here], outcome[group & ~here], rcond=None)[0]
            for group in (~treated, treated)
        )
        frame.loc[here, "control_outcome"], frame.loc[here, "effect"] = control, one - control
    return frame


@pytest.fixture(scope="module")
def null_worlds():
    """Tests of 300 worlds in which the effect is .5 for all."""
    return [heterogeneity_test(cross_fitted(seed)) for seed in range(300)]


def fitted(features, treated, outcome):
    return UpliftModel().fit(features, treated, outcome)


def test_finds_effects_that_are_there():
    features, treated, outcome, effect = world(1, customers=4000, slope=0.5)
    model = fitted(features, treated, outcome)
    assert np.corrcoef(model.cross_fitted_["effect"], effect)[0, 1] > 0.8
    found = heterogeneity_test(model.cross_fitted_)
    assert found.usable
    assert found.average_low < effect.mean() < found.average_high
    assert found.groups["customers"].sum() == 4000
    assert found.groups["effect"].iloc[0] > found.groups["effect"].iloc[-1]
    new = world(2, customers=1000, slope=0.5)
    assert np.corrcoef(model.predict(new[0]), new[3])[0, 1] > 0.8


def test_nobody_is_predicted_by_models_that_saw_them():
    # A model that remembers everything: seen customers would get their own outcome back.
    from sklearn.neighbors import KNeighborsRegressor

    class Remembers(UpliftModel):
        def _learn(self, features, target):
            return KNeighborsRegressor(n_neighbors=1).fit(features, target)

    features, treated, outcome, _ = world(4)
    model = Remembers().fit(features, treated, outcome)
    left_alone = model.cross_fitted_["control_outcome"]
    assert not np.isclose(left_alone[~treated], outcome[~treated]).any()
    shuffled = outcome.copy()
    shuffled.iloc[0] += 1000.0  # one customer's outcome moves everybody's prediction but their own fold's
    other = Remembers().fit(features, treated, shuffled)
    own = model.cross_fitted_["fold"] == model.cross_fitted_["fold"].iloc[0]
    pd.testing.assert_series_equal(model.cross_fitted_["effect"][own], other.cross_fitted_["effect"][own])


def test_a_constant_effect_is_rarely_taken_for_a_difference(null_worlds):
    p = np.array([one.p_value for one in null_worlds])
    # 5 % of 300 worlds are expected below .05; 28 or more in one of a thousand choices of seeds.
    assert (p < 0.05).sum() < 28
    assert (p < 0.5).sum() < 177


def test_says_plainly_that_there_is_nothing_to_use(null_worlds):
    dull = next(one for one in null_worlds if not one.usable)
    assert dull.sentence.startswith("No difference between customers can be shown")
    assert "choose by value and cost alone" in dull.sentence
    held = [one.average_low < 0.5 < one.average_high for one in null_worlds]
    assert 272 <= sum(held) <= 296  # 95 % of 300; beyond these in one of a thousand choices of seeds


def test_predictions_that_are_all_the_same_are_no_difference():
    _, treated, outcome, _ = world(5)
    frame = pd.DataFrame(
        {"effect": 0.4, "control_outcome": 0.0, "fold": 0, "treated": treated, "outcome": outcome}
    )
    found = heterogeneity_test(frame)
    assert not found.usable
    assert np.isnan(found.loading)
    # The average is the plain difference of means, then.
    assert found.average_effect == pytest.approx(outcome[treated].mean() - outcome[~treated].mean())


def test_loading_is_one_where_predictions_are_right():
    features, treated, outcome, effect = world(6, customers=20_000, slope=0.5)
    frame = pd.DataFrame({"effect": effect, "control_outcome": features["orders"], "fold": 0})
    found = heterogeneity_test(frame.assign(treated=treated, outcome=outcome))
    assert abs(found.loading - 1.0) < 3 * found.loading_error < 0.2


def test_planned_effects_are_no_larger_than_what_comes_about(null_worlds):
    features, treated, outcome, effect = world(6, customers=20_000, slope=0.5)
    frame = pd.DataFrame({"effect": 3 * effect, "control_outcome": features["orders"], "fold": 0})
    planned = calibrated_effects(frame.assign(treated=treated, outcome=outcome), frame["effect"])
    assert planned.mean() == pytest.approx(effect.mean(), abs=0.05)
    assert planned.std() == pytest.approx(effect.std(), rel=0.1)
    dull = next(seed for seed, one in enumerate(null_worlds) if not one.usable)
    frame = cross_fitted(dull)
    assert calibrated_effects(frame, frame["effect"]).nunique() == 1


def test_curves_by_hand():
    frame = pd.DataFrame(
        {
            "effect": [8, 7, 6, 5, 4, 3, 2, 1],
            "treated": [1, 0, 1, 0, 1, 0, 1, 0],
            "outcome": [1, 0, 1, 0, 0, 0, 0, 1],
        }
    )
    twice = pd.concat([frame, frame], ignore_index=True)
    curves = uplift_curves(twice, steps=4, resamples=0)
    # Differences of means down to each quarter: 1, 1, 2/3, 1/2 − 1/4.
    assert curves.curve["uplift"].tolist() == pytest.approx([0, 0.25, 0.5, 0.5, 0.25])
    assert curves.curve["qini"].tolist() == pytest.approx([0, 0.25, 0.5, 0.5, 0.25])
    assert curves.curve["at_random"].tolist() == pytest.approx([0, 0.0625, 0.125, 0.1875, 0.25])
    # Trapezoids between curve and line: heights 0, 3/16, 6/16, 5/16, 0.
    assert curves.qini_coefficient == pytest.approx(14 / 16 / 4)


def test_the_curve_of_true_effects_is_their_running_sum():
    _, treated, outcome, effect = world(7, customers=40_000, slope=0.5)
    frame = pd.DataFrame({"effect": effect, "treated": treated, "outcome": outcome})
    curve = uplift_curves(frame, steps=10).curve
    ranked = np.sort(effect)[::-1]
    truth = [ranked[: int(share * 40_000)].sum() / 40_000 for share in curve["share"]]
    inside = (curve["uplift_low"] - 1e-9 <= truth) & (truth <= curve["uplift_high"] + 1e-9)
    assert inside.sum() >= 10  # of 11; they move together, so all or nearly all hold


def test_a_score_that_says_nothing_has_no_qini():
    held, widths = 0, []
    for seed in range(60):
        _, treated, outcome, _ = world(seed, customers=800)
        noise = np.random.default_rng(seed + 500).normal(size=800)
        frame = pd.DataFrame({"effect": noise, "treated": treated, "outcome": outcome})
        curves = uplift_curves(frame, resamples=100)
        held += curves.qini_low <= 0 <= curves.qini_high
        widths.append(curves.qini_high - curves.qini_low)
    # 95 % of 60, less a little for the bootstrap's own noise; fewer than 50 in one of a thousand choices of seeds
    assert held >= 50
    assert max(widths) < 0.5


def test_equal_scores_are_ordered_by_chance_and_not_by_the_file():
    _, treated, outcome, _ = world(8, customers=4000)
    frame = pd.DataFrame({"effect": 1.0, "treated": treated, "outcome": outcome})
    filed = frame.sort_values("outcome", ascending=False, key=lambda one: one * np.where(treated, 1, -1))
    assert abs(uplift_curves(filed, resamples=0).qini_coefficient) < 0.05  # four standard errors
    by_file = filed.assign(effect=-np.arange(4000.0))
    assert uplift_curves(by_file, resamples=0).qini_coefficient > 0.2


def test_words_flags_and_holes_are_taken_as_they_are():
    features, treated, outcome, _ = world(9, customers=3000)
    plan = pd.Series(np.where(features["spend"] > 0, "annual", "monthly"), index=features.index)
    outcome = outcome + treated * (plan == "annual") * 1.0
    features = features.assign(
        plan=plan, member=features["orders"] > 0, age=features["age"].where(features["age"] > -1)
    )
    model = fitted(features, treated, outcome)
    by_plan = model.cross_fitted_["effect"].groupby(plan).mean()
    assert by_plan["annual"] - by_plan["monthly"] == pytest.approx(1.0, abs=0.25)
    unseen = model.predict(features.head(3).assign(plan="lifetime"))
    assert np.isfinite(unseen).all()


def test_a_column_of_any_kind_that_holds_numbers_or_words_is_taken():
    features, treated, outcome, _ = world(15)
    odd = pd.DataFrame(
        {
            0: features["age"].astype("Float64").mask(features["age"] > 1),
            "flag": (features["age"] > 0).astype("boolean").mask(features["age"] > 1),
            "nothing": np.nan,
            "same": 1,
            "plan": pd.Series(np.where(features["age"] > 0, "a", None), index=features.index, dtype="string"),
            "mixed": pd.Series(
                np.where(features["spend"] > 0, "a", None), index=features.index, dtype=object
            ),
            "kind": pd.Categorical(np.where(features["orders"] > 0, 1, 2)),
        }
    )
    model = fitted(odd, treated, outcome)
    assert np.isfinite(model.cross_fitted_["effect"]).all()
    assert np.isfinite(model.predict(odd.head(2))).all()


def test_a_share_stays_between_its_bounds_in_sum():
    features, treated, _, _ = world(10, customers=4000)
    random = np.random.default_rng(10)
    stay = stats.norm.cdf(0.5 + features["orders"] + 0.6 * treated * (features["age"] > 0))
    outcome = (random.random(4000) < stay).astype(int)
    model = fitted(features, treated, outcome)
    assert model.cross_fitted_["control_outcome"].between(-0.1, 1.1).all()
    assert heterogeneity_test(model.cross_fitted_).usable


def test_the_same_seed_gives_the_same_effects():
    features, treated, outcome, _ = world(11)
    one, other = (fitted(features, treated, outcome).cross_fitted_["effect"] for _ in range(2))
    pd.testing.assert_series_equal(one, other)


def test_refuses_what_is_no_experiment():
    features, _, outcome, _ = world(12, customers=2000)
    chosen = features["age"] + np.random.default_rng(12).normal(size=2000) > 0
    with pytest.raises(FitError, match=r"can be predicted from the features .* Furthest apart: age"):
        fitted(features, chosen, outcome)


def test_balance_is_rarely_refused_where_chance_decided():
    p = [
        treatment_balance(world(seed, customers=500)[0], world(seed, customers=500)[1]).p_value
        for seed in range(25)
    ]
    # Uniform, or nearly: fails in one of a thousand choices of seeds.
    assert stats.kstest(p, "uniform").pvalue > 0.001


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f, t, y: (f, np.ones(len(f)), y), "600 treated and 0 control"),
        (lambda f, t, y: (f[:30], t[:30], y[:30]), "too few to learn effects"),
        (lambda f, t, y: (f, t, np.zeros(len(f))), "outcome is 0.0 for everybody"),
    ],
)
def test_refuses_what_nothing_can_be_learned_from(change, words):
    with pytest.raises(FitError, match=words):
        fitted(*change(*world(13)[:3]))


def test_groups_out_of_order_are_not_to_be_chosen_by():
    """A slope that a few extreme predictions make, while the groups in between are in no order."""
    random = np.random.default_rng(0)
    effect, treated = random.normal(size=4000), random.random(4000) < 0.5
    place = np.digitize(stats.norm.cdf(effect), [0.2, 0.4, 0.6, 0.8])
    frame = pd.DataFrame({"effect": effect, "control_outcome": 0.0, "fold": 0, "treated": treated})
    steps = np.array([0.0, 1.4, 0.2, -0.2, 1.2])
    found = heterogeneity_test(frame.assign(outcome=random.normal(treated * steps[place])))
    assert found.p_value < 0.025
    assert found.order < 0.7
    assert not found.usable
    assert "groups do not follow the order that is predicted for them" in found.sentence
    risen = heterogeneity_test(frame.assign(outcome=random.normal(treated * np.sort(steps)[place])))
    assert risen.order == 1
    assert risen.usable


def test_a_constant_effect_is_usable_in_at_most_one_of_twenty(null_worlds):
    assert np.mean([one.usable for one in null_worlds]) <= 0.05
