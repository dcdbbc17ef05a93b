"""What is chance in a tier: recovered as well as the noise allows, and said in advance how well that is."""

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.profit.customer_profit import profit_days
from crmlib.customers.tiers.chances import chances_of
from crmlib.customers.tiers.migration import moves_between, regression_to_the_mean
from crmlib.customers.tiers.next_period import NextPeriod
from crmlib.customers.tiers.pyramid import TIERS
from crmlib.customers.tiers.value_tiers import value_tiers
from crmlib.errors import CannotAnswerError, CrmError
from tests.customers.logs import cdnow_sample
from tests.customers.still_customers import MEASURES, judged, periods


def world(seed: int, orders: float, size: int = 10_000):
    """A period, the next one's profit and the true one: orders, baskets and cases come by chance."""
    random = np.random.default_rng(seed)
    rate, basket = random.gamma(0.8, orders / 0.8, size), random.lognormal(3, 0.5, size) * 0.4
    serve = random.gamma(0.5, 16.0, size)

    def days() -> pd.DataFrame:
        bought = np.repeat(np.arange(size), random.poisson(rate))
        served = np.repeat(np.arange(size), random.poisson(serve / 5))
        spend = random.gamma(4.0, basket[bought] / 4.0)
        money = np.concatenate([spend, np.full(len(served), -5.0)])
        return pd.DataFrame({"customer": np.concatenate([bought, served]), "money": money})

    one, other = days(), days()
    profit = np.bincount(one["customer"], one["money"], size)
    active = np.bincount(one["customer"], minlength=size) > 0
    known = pd.DataFrame({"customer_id": np.arange(size), "profit": profit})[active]
    again = NextPeriod(size, one).at(np.flatnonzero(active))
    later = np.bincount(other["customer"], other["money"], size)
    return known.reset_index(drop=True), later[active], (rate * basket - serve)[active], again


@pytest.fixture(scope="module", params=[6.0, 30.0])
def known(request):
    profit, later, true, again = world(1, request.param)
    return profit, later, true, chances_of(profit, again)


@pytest.mark.thorough
def test_the_ceiling_is_what_can_be_reached(known):
    profit, _later, true, chances = known
    right = value_tiers(pd.DataFrame({"profit": true}))["tier"].astype(str).to_numpy()
    hits = (right == chances["tier"].astype(str)).mean()
    best = (right == chances["most_likely"].astype(str)).mean()
    # Of 10,000 customers a share is known to within about .01; the noise's shape is taken for a bell, which it is not.
    assert chances.expected_hits == pytest.approx(hits, abs=0.03)
    assert chances.ceiling == pytest.approx(max(hits, best), abs=0.03)
    assert chances.reliability == pytest.approx(true.var() / profit["profit"].var(), abs=0.03)


def test_chances_mean_what_they_say(known):
    _profit, _later, true, chances = known
    right = value_tiers(pd.DataFrame({"profit": true}))["tier"].astype(str).to_numpy()
    for tier in ("Platinum", "Gold", "Lead"):
        for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, 1.0)):
            mine = chances[tier].between(low, high)
            assert mine.sum() > 50
            assert (right[mine] == tier).mean() == pytest.approx(chances.loc[mine, tier].mean(), abs=0.1)


def test_the_shrunk_profit_is_nearer_to_the_truth(known):
    profit, _later, true, chances = known
    for wanted in (slice(None), np.argsort(profit["profit"])[-500:]):
        error = (chances["shrunk"] - true).iloc[wanted]
        raw = (profit["profit"] - true).iloc[wanted]
        assert (error**2).mean() < (raw**2).mean()
        assert abs(error.mean()) < 0.35 * abs(raw.mean()) + 1.0


def test_nobody_changed_and_yet_many_moved(known):
    """Customers whose rates stay as they are: all the migration there is, is chance, and it is foretold."""
    profit, later, _true, chances = known
    before = value_tiers(profit)
    after = value_tiers(profit.assign(profit=later), cut_offs=before.cut_offs)
    matrix, stayed = moves_between(before, after, chances)
    assert matrix.to_numpy().sum() == len(profit)
    assert stayed["by_chance"].tolist() == pytest.approx(stayed["stayed"].tolist(), abs=0.07)
    assert stayed["noise_share"].min() > 0.8
    means = regression_to_the_mean(chances, after, value="profit", called="profit")
    for _, row in means.dropna().iterrows():
        assert abs(row["after"] - row["expected"]) < abs(row["after"] - row["before"]) + 1


def test_customers_who_changed_are_not_called_noise():
    profit, later, _true, again = world(2, 30.0)
    chances = chances_of(profit, again)
    before = value_tiers(profit)
    shuffled = np.random.default_rng(0).permutation(later)
    after = value_tiers(profit.assign(profit=shuffled), cut_offs=before.cut_offs)
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


@pytest.mark.parametrize("margin", [None, 0.4])
def test_cdnow_days_are_the_period(margin):
    log, year = cdnow_sample(), dict(start="1997-01-01", end="1998-06-30")
    days = profit_days(log, **year, margin=margin)
    assert days["customer_id"].nunique() == 2349  # eight paid nothing
    assert days["money"].sum() == pytest.approx((margin or 1) * log["amount"].sum())
    chances = crm.tier_probabilities(log, **year, margin=margin)
    assert np.allclose(chances[list(TIERS)].sum(axis=1), 1)
    assert (chances["Lead"] == 0).all()
    assert 0.6 < chances.same_tier_for_all[1] < chances.expected_hits <= chances.ceiling < 1


def test_a_tier_has_the_same_customers_wherever_it_is_counted():
    """Who is too new to be judged Lead is Iron in all tables of a chapter."""
    random = np.random.default_rng(2)
    size, days = 200, pd.date_range("2024-01-01", "2024-12-31")
    log = pd.DataFrame({"customer_id": random.integers(0, size, 700), "date": random.choice(days, 700)})
    log = log.assign(customer_id=log["customer_id"].astype(str), amount=random.gamma(2.0, 10.0, 700))
    asked = dict(
        start="2024-01-01", end="2024-12-31", margin=0.5, costs={"fixed_per_year": 12.0, "per_order": 4.0}
    )
    tiers = value_tiers(crm.customer_profit(log, **asked))
    assert (tiers["is_new"] & (tiers["profit"] < 0)).any()
    counted = tiers["tier"].value_counts()
    chances = crm.tier_probabilities(log, **asked)
    assert chances.by_tier.set_index("tier")["customers"].to_dict() == counted.to_dict()
    moves = crm.tier_migration(log, as_of="2024-12-31", months=6, margin=0.5, costs=asked["costs"])
    means = moves.to_the_mean.set_index("tier")["customers"]
    assert means.drop("not active").tolist() == moves.stayed["customers"].tolist()


def test_too_little_to_learn_from():
    for size, values, says in ((60, 1.0, "1 different value;"), (2, [1.0, 2.0], "50 customers who")):
        frame = pd.DataFrame({"customer_id": range(size), "revenue": values})
        days = pd.DataFrame({"customer": range(size), "money": values})
        with pytest.raises(CannotAnswerError, match=says):
            chances_of(frame, NextPeriod(size, days))


@pytest.mark.parametrize(
    "shape", ["all at a loss", "most do nothing", "one whale", "two values", "one amount"]
)
def test_odd_bases_have_chances_too(shape):
    random = np.random.default_rng(0)
    size, money = 800, random.lognormal(3, 1, 800)
    customers = np.arange(size)
    if shape == "all at a loss":
        money = -money
    elif shape == "most do nothing":
        customers, money = customers[:80], money[:80]
    elif shape == "one whale":
        money[0] = 1e9
    elif shape == "two values":
        money = np.repeat([1.0, 2.0], 400)
    elif shape == "one amount":
        customers = np.repeat(np.arange(size), random.integers(1, 4, size))
        money = np.full(len(customers), 9.99)
    days = pd.DataFrame({"customer": customers, "money": money})
    values = np.bincount(customers, money, size)
    chances = chances_of(pd.DataFrame({"customer_id": range(size), "profit": values}), NextPeriod(size, days))
    for names in (list(TIERS), [f"again_{tier}" for tier in TIERS]):
        assert np.allclose(chances[names].sum(axis=1), 1)
        assert chances[names].min().min() > -1e-9
    assert np.isfinite(chances["shrunk"]).all()
    if shape == "all at a loss":
        assert chances["Lead"].min() > 0.5


@pytest.mark.parametrize("case", ["as CDNOW, of their own", "few buy, of their own", "half buy, alike"])
def test_what_is_expected_without_change_happens_to_customers_who_do_not_change(case):
    """Mean of six worlds; 50 of each are in the benchmarks. Two standard errors, as measured among the worlds."""
    name, amounts = case.split(", ")
    runs = [judged(*periods(seed, name, customers=8000, amounts=amounts), 8000) for seed in range(100, 106)]
    for measure in MEASURES:
        rows = pd.DataFrame([run[measure] for run in runs])
        error = rows["expected"] - rows["happened"]
        # Six worlds tell their spread badly: 4 standard errors of them are about 2 of a known spread, of t with 5 df.
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(runs)), measure
        if measure in ("kept", "Iron per head"):  # sums need no model
            free = rows["expected"] - rows["without a model"]
            assert abs(free.mean()) < 0.02 * rows["happened"].mean(), measure


def test_those_without_a_purchase_make_as_many_as_were_made_once():
    """Robbins: in the next period the zeros bring what customers with a single day brought in this one."""
    for seed in (1, 2):
        days, later = periods(seed, "as CDNOW", customers=20_000)
        again = NextPeriod(20_000, days)
        once = ~days["customer"].duplicated(keep=False)
        idle = np.setdiff1d(np.arange(20_000), days["customer"])
        expected, happened = (
            again.expected[idle].sum(),
            later.loc[later["customer"].isin(idle), "money"].sum(),
        )
        assert expected == pytest.approx(days.loc[once, "money"].sum(), rel=0.05)
        assert happened == pytest.approx(expected, rel=0.08)
        total = again.expected.sum()
        assert total == pytest.approx(days["money"].sum(), rel=0.01)


def test_rates_are_found_where_they_are_no_gamma_distribution():
    """Rates of a lognormal distribution: expected days as Bayes' rule gives them who knows it."""
    random = np.random.default_rng(3)
    bought = random.poisson(random.lognormal(-0.5, 1.0, 30_000))
    days = pd.DataFrame({"customer": np.repeat(np.arange(30_000), bought), "money": 1.0})
    found = NextPeriod(30_000, days).expected
    logs = np.linspace(-7, 6, 2000)
    rates, held = np.exp(logs), np.exp(-0.5 * (logs + 0.5) ** 2)
    for count in (0, 1, 2, 3, 6):
        weights = held * rates**count * np.exp(-rates)
        assert found[bought == count][0] == pytest.approx(weights @ rates / weights.sum(), rel=0.05), count


def test_who_came_late_is_not_thought_to_buy_less():
    """The first purchase brought them; the others came in the time that was left."""
    random = np.random.default_rng(4)
    left = random.uniform(0.05, 1.0, 8000)
    rate = random.gamma(1.0, 2.0, 8000)
    repeats = random.poisson(rate * left)
    days = pd.DataFrame({"customer": np.repeat(np.arange(8000), repeats + 1), "money": 5.0})
    again = NextPeriod(8000, days, exposure=left, entered=np.ones(8000, dtype=bool))
    for part in (left < 0.4, left > 0.7):
        assert again.expected[part].mean() == pytest.approx(5 * rate[part].mean(), rel=0.06)


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
    chances = crm.tier_probabilities(study.transactions, start="1997-01-01", end="1997-09-30")
    after = value_tiers(spent.rename_axis("customer_id").reset_index(), cut_offs=before.cut_offs)
    found = moves_between(before, after, chances)[1].set_index("tier").loc["Platinum"]
    assert found["stayed"] < found["by_chance"] < 0.75


@pytest.mark.thorough
def test_the_interval_of_who_stayed_holds_where_nobody_changes():
    """Its half width is 1.96 standard errors of the difference: as wide as differences scatter in such worlds."""
    size, scores = 1_000, []
    for seed in range(30):
        one, other = periods(seed, "half buy", customers=size)
        totals = [days.groupby("customer")["money"].sum() for days in (one, other)]
        first, second = (total.rename("revenue").rename_axis("customer_id").reset_index() for total in totals)
        place = pd.Series(np.arange(len(first)), index=first["customer_id"])
        idle = np.setdiff1d(np.arange(size), first["customer_id"])
        place = pd.concat([place, pd.Series(len(first) + np.arange(len(idle)), index=idle)])
        again = NextPeriod(size, one.assign(customer=place.loc[one["customer"]].to_numpy()))
        before = value_tiers(first)
        after = value_tiers(second, cut_offs=before.cut_offs)
        stayed = moves_between(before, after, chances_of(first, again), idle=idle)[1].dropna().head(3)
        scores.append((stayed["low"] + stayed["high"]) / (stayed["high"] - stayed["low"]) * 1.96)
    scores = pd.concat(scores)
    assert len(scores) == 90
    assert (scores.abs() <= 1.96).mean() == pytest.approx(0.95, abs=0.07)
    assert scores.std() == pytest.approx(1.0, abs=0.16)
