"""Experiments: published intervals, hand-made logs, and worlds in which the truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import crmlib as crm
from crmlib.customers.treatments.experiments import experiment_features
from crmlib.economics.experiments import minimal_detectable_effect, split_p_value
from crmlib.errors import CrmError, DataError
from crmlib.simulation.simulate import simulate_firm
from crmlib.statistics import difference_of_means


def world(seed, *, effect=0.0, customers=600, treated_share=0.5, kind="money"):
    """Spend before and after of customers who differ, with a constant effect on those treated."""
    random = np.random.default_rng(seed)
    rate = random.gamma(1.0, 1.0, customers)
    before, after = (random.poisson(rate) * random.gamma(2.0, 10.0, customers) for _ in range(2))
    treated = random.random(customers) < treated_share
    frame = pd.DataFrame({"experiment": "test", "group": np.where(treated, "treated", "control")})
    frame["spend"] = after + effect * treated
    if kind == "share":
        frame["spend"] = (after > 0).astype(float)
    return frame.assign(spend_before=before, cost=0.5)


def read_all(worlds, **options):
    """The readouts of many worlds from one call, in which each is an experiment of its own."""
    named = [one.assign(experiment=f"test {number:03}") for number, one in enumerate(worlds)]
    return crm.read_experiments(pd.concat(named), **options)


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "adjust_by"), [("money", None), ("share", None), ("money", "spend_before")])
def test_without_an_effect_p_values_are_uniform(kind, adjust_by):
    worlds = [world(seed, kind=kind, treated_share=0.3 + 0.4 * (seed % 2)) for seed in range(300)]
    p = read_all(worlds, adjust_by=adjust_by)["p_value"]
    # A uniform p-value fails this in one of a thousand choices of seeds.
    assert stats.kstest(p, "uniform").pvalue > 0.001


@pytest.mark.thorough
def test_intervals_hold_the_truth_and_adjusting_narrows_them():
    worlds, widths = [world(1000 + seed, effect=5.0) for seed in range(200)], {}
    for name in (None, "spend_before"):
        found = read_all(worlds, adjust_by=name)
        widths[name] = (found["high"] - found["low"]).sum()
        # 95 % of 200; beyond these bounds by chance once in a thousand
        assert 179 <= ((found["low"] < 5.0) & (found["high"] > 5.0)).sum() <= 199
    # Purchases are Poisson at a rate of variance 1, worth 20 on average (400 + 200 squared): the correlation of
    # spend before and after is 400 / (3 · 600 − 400), and its square is the share of the variance that goes.
    assert widths["spend_before"] / widths[None] == pytest.approx(np.sqrt(1 - (400 / 1400) ** 2), abs=0.01)


def test_the_detectable_difference_is_shown_four_times_of_five():
    sd, sizes = 10.0, (200, 300)
    error = sd * np.sqrt(1 / sizes[0] + 1 / sizes[1])
    effect = minimal_detectable_effect(error)
    random = np.random.default_rng(3)
    shown = [
        difference_of_means(random.normal(effect, sd, sizes[0]), random.normal(0, sd, sizes[1])).p_value
        < 0.05
        for _ in range(500)
    ]
    assert 0.74 < np.mean(shown) < 0.86  # .8, within 3.3 standard errors


def test_value_is_the_difference_less_cost_and_unsubscribes():
    data = world(7, effect=20.0)
    treated = data["group"] == "treated"
    data["unsubscribed"] = (treated & (treated.cumsum() <= 30)).astype(int)
    row = crm.read_experiments(data, value_per_unit=0.4, unsubscribe_cost=2.0).iloc[0]
    assert row["extra_unsubscribed"] == pytest.approx(30 / row["treated"])
    by_hand = 0.4 * row["difference"] - 0.5 - 2.0 * 30 / row["treated"]
    assert row["value_per_message"] == pytest.approx(by_hand)
    assert (row["verdict"], row["pays"]) == ("supported", "supported")
    dear = crm.read_experiments(data.assign(cost=50.0), value_per_unit=0.4).iloc[0]
    assert (dear["verdict"], dear["pays"]) == ("supported", "contradicted")
    worse = crm.read_experiments(world(7, effect=-20.0)).iloc[0]
    assert (worse["verdict"], worse["pays"]) == ("contradicted", "cannot be tested")


def test_an_outcome_that_never_varies_cannot_be_tested():
    data = world(1)
    same = data.assign(spend=np.where(data["group"] == "treated", 6.0, 5.0))
    row = crm.read_experiments(same).iloc[0]
    assert row["verdict"] == "cannot be tested"
    assert "the same for everybody" in row["sentence"]


def test_several_experiments_are_read_together():
    null = [world(seed).assign(experiment=f"null {seed:02}") for seed in range(20)]
    both = pd.concat([*null, world(99, effect=15.0).assign(experiment="real")])
    found = crm.read_experiments(both).set_index("experiment")
    assert found.loc["real", "verdict"] == "supported"
    assert (found["p_holm"] >= found["p_value"]).all()
    assert (found.drop("real")["verdict"] == "undecided").all()


def test_whether_they_pay_is_read_together_too():
    null = pd.concat([world(seed).assign(experiment=f"null {seed:02}", cost=0.0) for seed in range(20)])
    found = crm.read_experiments(null, value_per_unit=1.0)
    alone = (found["value_low"] > 0) | (found["value_high"] < 0)
    assert alone.any()  # one of twenty by chance
    assert (found["pays"] == "undecided").all()


def test_a_broken_split_is_not_read():
    data = world(1, effect=15.0, treated_share=0.6)
    assert crm.read_experiments(data, planned_share=0.5).iloc[0]["verdict"] == "cannot be tested"
    assert crm.read_experiments(data, planned_share={"test": 0.6}).iloc[0]["verdict"] == "supported"
    exact = stats.binomtest(520, 1000, 0.5).pvalue
    assert split_p_value(pd.Series(["treated"] * 520 + ["control"] * 480), 0.5) == pytest.approx(
        exact, abs=0.02
    )


LOG = pd.DataFrame(
    [
        ("a", "2024-02-20", 5.0),
        ("a", "2024-03-01", 10.0),  # the first day of the window counts
        ("a", "2024-03-10", 20.0),
        ("a", "2024-03-11", 40.0),  # the first day after ten
        ("b", "2024-02-29", 7.0),
        ("b", "2024-02-19", 9.0),  # the day before the window before
        ("c", "2024-03-28", 3.0),
    ],
    columns=["customer_id", "date", "amount"],
).astype({"date": "datetime64[ns]"})
TEST = pd.DataFrame(
    {
        "experiment": "reminder",
        "customer_id": ["a", "b", "c", "d"],
        "group": ["treated", "control", "treated", "control"],
        "assigned": pd.to_datetime(["2024-03-01", "2024-03-01", "2024-03-25", "2024-03-01"]),
        "unsubscribed_on": pd.to_datetime(["2024-03-05", None, None, "2024-04-20"]),
    }
)


def test_outcomes_by_hand():
    found = crm.experiment_outcomes(LOG, TEST, days=10, as_of="2024-03-31", margin=0.5)
    found = found.set_index("customer_id")
    assert found["spend"].to_dict() == {"a": 30.0, "b": 0.0, "c": 3.0, "d": 0.0}
    assert found["profit"].to_dict() == {"a": 15.0, "b": 0.0, "c": 1.5, "d": 0.0}
    assert found["purchases"].to_dict() == {"a": 2, "b": 0, "c": 1, "d": 0}
    assert found["spend_before"].to_dict() == {"a": 5.0, "b": 7.0, "c": 0.0, "d": 0.0}
    assert found["unsubscribed"].to_dict() == {"a": 1, "b": 0, "c": 0, "d": 0}
    assert found["complete"].to_dict() == {"a": True, "b": True, "c": False, "d": True}


def test_a_return_reduces_the_window_of_its_purchase():
    log = LOG.assign(is_purchase=True, reversed_on=pd.NaT, returned_purchase_date=pd.NaT)
    back = pd.DataFrame(
        {
            "customer_id": ["a"],
            "date": pd.to_datetime(["2024-03-20"]),
            "amount": [-15.0],
            "is_purchase": False,
            "reversed_on": pd.NaT,
            "returned_purchase_date": pd.to_datetime(["2024-03-10"]),
        }
    )
    found = crm.experiment_outcomes(pd.concat([log, back]), TEST, days=10, as_of="2024-03-31")
    assert found.set_index("customer_id").loc["a", "spend"] == 15.0


def test_windows_that_are_not_over_are_counted_and_left_out():
    people = [f"c{one}" for one in range(200)]
    test = pd.DataFrame({"experiment": "x", "customer_id": people, "group": ["treated", "control"] * 100})
    test["assigned"] = pd.to_datetime(["2024-03-01"] * 150 + ["2024-03-30"] * 50)
    found = crm.experiment_outcomes(LOG, test, days=10, as_of="2024-03-31")
    row = crm.read_experiments(found, outcome="bought").iloc[0]
    assert (row["treated"], row["control"], row["incomplete"]) == (75, 75, 50)
    assert row["p_value"] == 1.0


def test_features_hold_only_what_was_known_then():
    log = LOG.assign(is_purchase=True, reversed_on=pd.NaT, returned_purchase_date=pd.NaT)
    log.loc[0, "reversed_on"] = pd.Timestamp(
        "2024-02-25"
    )  # a's purchase of February went back before the day
    log.loc[4, "reversed_on"] = pd.Timestamp("2024-03-20")  # b's of the day before went back later
    returns = log.loc[[0, 4]].assign(
        amount=lambda one: -one["amount"], is_purchase=False, date=log["reversed_on"]
    )
    people = pd.DataFrame({"customer_id": ["a", "b"], "market": ["DE", None], "planned_value": 1.0})
    found = experiment_features(
        pd.concat([log, returns]), TEST, experiment="reminder", customers=people, recent_days=5
    )
    assert found.index.tolist() == ["a", "b", "c", "d"]
    assert found["purchases"].tolist() == [0, 2, 0, 0]
    assert found["spend"].tolist() == [0.0, 16.0, 0.0, 0.0]
    assert found["recent_purchases"].tolist() == [0, 1, 0, 0]
    assert found.loc["b", ["days_since_first", "days_since_last"]].tolist() == [11.0, 1.0]
    assert list(found.columns[-1:]) == ["market"]
    with pytest.raises(CrmError, match="did you mean 'reminder'"):
        experiment_features(LOG, TEST, experiment="remindr")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"group": "exposed"}, "in 'reminder' no group is 'control', but 'exposed'; say control='exposed'"),
        ({"customer_id": "a"}, "customer 'a' occurs twice in 'reminder'"),
        ({"assigned": pd.NaT}, "assigned is missing or no date in 4 rows"),
        ({"assigned": "soon"}, "assigned is missing or no date in 4 rows"),
    ],
)
def test_refuses_a_broken_table(change, words):
    with pytest.raises(DataError, match=words):
        crm.experiment_outcomes(LOG, TEST.assign(**change), days=10, as_of="2024-03-31")


def test_refuses_by_name():
    with pytest.raises(DataError, match="no column 'group'; did you mean 'grup'"):
        crm.experiment_outcomes(LOG, TEST.rename(columns={"group": "grup"}), days=10, as_of="2024-03-31")
    with pytest.raises(CrmError, match="days is 0"):
        crm.experiment_outcomes(LOG, TEST, days=0, as_of="2024-03-31")
    with pytest.raises(CrmError, match="planned_share names 'tst'; did you mean 'test'"):
        crm.read_experiments(world(1), planned_share={"tst": 0.5})
    with pytest.raises(DataError, match="experiment is missing in 600 rows"):
        crm.read_experiments(world(1).assign(experiment=None))
    with pytest.raises(DataError, match="spend is missing in 600 rows"):
        crm.read_experiments(world(1).assign(spend=np.nan))


def test_too_few_customers_are_no_answer():
    few = crm.read_experiments(world(1, customers=40))
    assert few.empty
    assert "30 customers in each group" in few.reason
    assert repr(crm.read_experiments(world(1).iloc[:0])) == "Not measured: there is no row."


@pytest.mark.thorough
def test_on_the_simulated_firm_intervals_hold_the_true_effects():
    firm = simulate_firm(6000, 2, random_state=3, effects={"reminders": 2})
    truth = (
        firm.truth["treatments"].query("horizon_days == 90").groupby("experiment")["effect_purchases"].mean()
    )
    outcomes = crm.experiment_outcomes(
        firm.tables["transactions"], firm.tables["experiments"], days=90, as_of=firm.as_of
    )
    found = crm.read_experiments(
        outcomes, outcome="purchases", adjust_by="purchases_before", planned_share=0.5
    )
    found = found.set_index("experiment").loc[truth.index]
    held = (found["low"] < truth) & (truth < found["high"])
    assert len(truth) == 5  # reminders and birthdays of two years, and a newsletter that does nothing
    assert held.sum() >= 4  # three or fewer in about one of fifty choices of seeds
    assert found.loc["newsletter-2025", "verdict"] == "undecided"
    assert found.loc["reminder-2025", "verdict"] == "supported"
