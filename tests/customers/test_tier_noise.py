"""What is chance in a tier: recovered as well as the noise allows, and said in advance how well that is."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.profit.spread import profit_halves, profit_noise
from crmlib.customers.tiers.chances import chances_of, moves_between, regression_to_the_mean
from crmlib.customers.tiers.pyramid import TIERS
from crmlib.customers.tiers.value_tiers import value_tiers
from crmlib.errors import CannotAnswerError, CrmError
from tests.customers.logs import cdnow_sample, log_of


def world(seed: int, orders: float, size: int = 10_000) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Halves of a period, the next period's profit and the true one: orders, baskets and cases come by chance."""
    random = np.random.default_rng(seed)
    rate, basket = random.gamma(0.8, orders / 0.8, size), random.lognormal(3, 0.5, size) * 0.4
    serve = random.gamma(0.5, 16.0, size)

    def half() -> np.ndarray:
        bought = random.poisson(rate / 2)
        spend = random.gamma(np.maximum(4 * bought, 1e-9), 0.25) * basket
        return spend - 5.0 * random.poisson(serve / 10)

    halves = pd.DataFrame({"customer_id": np.arange(size), "one": half(), "other": half()})
    halves["value"] = halves["one"] + halves["other"]
    return halves, half() + half(), rate * basket - serve


@pytest.fixture(scope="module", params=[6.0, 30.0])
def known(request):
    halves, later, true = world(1, request.param)
    return halves, later, true, chances_of(halves)


def test_the_ceiling_is_what_can_be_reached(known):
    halves, _later, true, chances = known
    right = value_tiers(pd.DataFrame({"profit": true}))["tier"].astype(str).to_numpy()
    hits = (right == chances["tier"].astype(str)).mean()
    best = (right == chances["most_likely"].astype(str)).mean()
    # Of 10,000 customers a share is known to within about .01; the noise's shape is taken for a bell, which it is not.
    assert chances.expected_hits == pytest.approx(hits, abs=0.03)
    assert chances.ceiling == pytest.approx(max(hits, best), abs=0.03)
    assert chances.reliability == pytest.approx(true.var() / halves["value"].var(), abs=0.03)


def test_chances_mean_what_they_say(known):
    _halves, _later, true, chances = known
    right = value_tiers(pd.DataFrame({"profit": true}))["tier"].astype(str).to_numpy()
    for tier in ("Platinum", "Gold", "Lead"):
        for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, 1.0)):
            mine = chances[tier].between(low, high)
            assert mine.sum() > 50
            assert (right[mine] == tier).mean() == pytest.approx(chances.loc[mine, tier].mean(), abs=0.1)


def test_the_shrunk_profit_is_nearer_to_the_truth(known):
    halves, _later, true, chances = known
    for wanted in (slice(None), np.argsort(halves["value"])[-500:]):
        error = (chances["shrunk"] - true).iloc[wanted]
        raw = (halves["value"] - true).iloc[wanted]
        assert (error**2).mean() < (raw**2).mean()
        assert abs(error.mean()) < 0.35 * abs(raw.mean()) + 1.0


def test_nobody_changed_and_yet_many_moved(known):
    """Customers whose rates stay as they are: all the migration there is, is chance, and it is foretold."""
    halves, later, _true, chances = known
    before = value_tiers(halves.assign(profit=halves["value"]))
    after = value_tiers(halves.assign(profit=later), cut_offs=before.cut_offs)
    matrix, stayed = moves_between(before, after, chances)
    assert matrix.to_numpy().sum() == len(halves)
    assert stayed["by_chance"].tolist() == pytest.approx(stayed["stayed"].tolist(), abs=0.07)
    assert stayed["noise_share"].min() > 0.8
    means = regression_to_the_mean(chances, after, value="profit")
    for _, row in means.iterrows():
        assert abs(row["after"] - row["expected"]) < abs(row["after"] - row["before"]) + 1


def test_customers_who_changed_are_not_called_noise():
    halves, later, _true = world(2, 30.0)
    chances = chances_of(halves)
    before = value_tiers(halves.assign(profit=halves["value"]))
    shuffled = np.random.default_rng(0).permutation(later)
    after = value_tiers(halves.assign(profit=shuffled), cut_offs=before.cut_offs)
    stayed = moves_between(before, after, chances)[1].set_index("tier")
    assert stayed.loc["Platinum", "noise_share"] < 0.4


def test_who_came_and_who_left_are_counted():
    before = pd.DataFrame({"customer_id": list("abc"), "tier": ["Platinum", "Gold", "Lead"]})
    after = pd.DataFrame({"customer_id": list("abd"), "tier": ["Gold", "Gold", "Iron"]})
    matrix, stayed = moves_between(before, after)
    assert matrix.loc["Platinum", "Gold"] == 1
    assert matrix.loc["Lead", "not active"] == 1
    assert matrix.loc["new", "Iron"] == 1
    assert matrix.to_numpy().sum() == 4
    idle = moves_between(before.assign(tier=["Iron", "Gold", "Iron"]), after)[1].set_index("tier")
    assert idle.loc["Iron", "stayed"] == 0.5  # c did nothing, which measures 0
    assert stayed["customers"].tolist() == [1, 1, 0, 1]
    with pytest.raises(CrmError, match="each once"):
        moves_between(before, pd.concat([after, after]))
    with pytest.raises(CrmError, match="other customers"):
        moves_between(before, after, chances=after)


def test_halves_are_dealt_week_by_week_and_lose_nothing():
    rows = [("a", f"2024-01-{1 + 7 * week:02d}", 2.0**week) for week in range(4)]
    halves = profit_halves(log_of(*rows, ("b", "2023-12-01", 9.0)), start="2024-01-01", end="2024-02-29")
    assert halves[["one", "other"]].values.tolist() == [[1 + 8, 2 + 4]]
    assert halves["exposure_days"].tolist() == [60]


def test_costs_of_tables_and_accounts_are_dealt_too():
    log = log_of(("a", "2024-01-01", 100.0), ("b", "2023-12-01", 9.0))
    cases = pd.DataFrame({"customer_id": ["a", "a"], "opened": pd.to_datetime(["2024-01-02", "2024-01-09"])})
    cases = cases.assign(minutes=[3.0, 5.0])
    halves = profit_halves(
        log, start="2024-01-01", end="2024-12-30", margin=0.5, service_cases=cases,
        costs={"per_service_minute": 1.0, "fixed_per_year": 36.525},
    )  # fmt: skip
    assert halves[["one", "other"]].values.tolist() == [pytest.approx([50 - 3 - 18.25, -5 - 18.25])]


@pytest.mark.parametrize("margin", [None, 0.4])
def test_cdnow_halves_are_the_period(margin):
    log = cdnow_sample()
    halves = profit_halves(log, start="1997-01-01", end="1998-06-30", margin=margin)
    assert len(halves) == 2357
    assert halves["value"].sum() == pytest.approx((margin or 1) * log["amount"].sum())
    chances = chances_of(halves)
    assert np.allclose(chances[list(TIERS)].sum(axis=1), 1)
    assert (chances["Lead"] == 0).all() or margin is not None
    assert 0.6 < chances.expected_hits <= chances.ceiling < 1


@pytest.mark.parametrize(
    ("halves", "says"),
    [
        (pd.DataFrame({"one": [1.0] * 60, "other": [1.0] * 60}), "1 different profit;"),
        (pd.DataFrame({"one": [1.0, 2.0], "other": [1.0, 1.0]}), "50 customers who"),
    ],
)
def test_too_little_to_learn_from(halves, says):
    with pytest.raises(CannotAnswerError, match=says):
        profit_noise(halves)
    with pytest.raises(CannotAnswerError, match="8 are needed"):
        profit_halves(log_of(("a", "2024-01-01", 1.0)), start="2024-01-01", end="2024-01-31")
    with pytest.raises(CrmError, match="missing or infinite"):
        profit_noise(halves.assign(one=np.nan))


@pytest.mark.parametrize(
    "shape", ["without noise", "all at a loss", "most do nothing", "one whale", "two values"]
)
def test_odd_bases_have_chances_too(shape):
    random = np.random.default_rng(0)
    one = random.lognormal(3, 1, 800)
    halves = {
        "without noise": (one, one),
        "all at a loss": (-one, -random.permutation(one)),
        "most do nothing": (np.where(random.random(800) < 0.9, 0.0, one), np.zeros(800)),
        "one whale": (np.append(one[1:], 1e9), one),
        "two values": (np.repeat([0.0, 1.0], 400), random.permutation(np.repeat([0.0, 1.0], 400))),
    }[shape]
    frame = pd.DataFrame({"one": halves[0], "other": halves[1], "value": halves[0] + halves[1]})
    chances = chances_of(frame)
    for names in (list(TIERS), [f"again_{tier}" for tier in TIERS]):
        assert np.allclose(chances[names].sum(axis=1), 1)
        assert chances[names].min().min() > -1e-9
    assert chances["shrunk"].between(frame["value"].min() - 1e-6, frame["value"].max() + 1e-6).all()
    if shape == "without noise":
        assert chances.expected_hits > 0.98
        assert chances.reliability == 1.0
    if shape == "all at a loss":
        assert chances["Lead"].min() > 0.5


def test_of_cdnow_s_best_twentieth_two_fifths_stay_there():
    """39 weeks and the next 39, all customers of the first ranked in both: 40 %. Noise would keep more."""
    study = crm.open_study("cdnow")
    first = crm.customer_profit(study.transactions, start="1997-01-01", end="1997-09-30")
    second = crm.customer_profit(study.transactions, start="1997-10-01", end="1998-06-30")
    spent = second.set_index("customer_id")["revenue"].reindex(first["customer_id"]).fillna(0.0)
    before = value_tiers(first)
    anew = value_tiers(spent.rename_axis("customer_id").reset_index())
    stayed = moves_between(before, anew)[1].set_index("tier")
    assert stayed.loc["Platinum", "customers"] == 1179
    assert stayed.loc["Platinum", "stayed"] == pytest.approx(0.40, abs=0.005)
    halves = profit_halves(study.transactions, start="1997-01-01", end="1997-09-30")
    chances = chances_of(halves)
    after = value_tiers(spent.rename_axis("customer_id").reset_index(), cut_offs=before.cut_offs)
    found = moves_between(before, after, chances)[1].set_index("tier").loc["Platinum"]
    assert found["stayed"] < found["by_chance"] < 0.75
