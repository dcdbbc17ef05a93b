"""Lifetime value against brute force, published data and the identities it must keep."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import ndtri

from crmlib import BetaGeoBetaBinomModel, BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel
from crmlib import format as fmt
from crmlib.economics.lifetime_value import customer_lifetime_value, value_of_new_customer
from crmlib.economics.value_tables import customer_equity
from crmlib.errors import CrmError, DataError, FitError
from crmlib.models.backtesting.origin_errors import OriginErrors, learn_from_origins
from tests.models.oracles import sample_spend

BG = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
TERMS = {"horizon": "1Y", "discount_rate_per_year": 0.1, "margin": 0.3}
WEEKS_PER_YEAR = 365.25 / 7


@pytest.fixture
def customers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": list("abcdef"),
            "frequency": [0, 1, 2, 10, 30, 10],
            "recency": [0, 5, 30.43, 36, 38, 20],
            "T": 38.86,
            "monetary_value": [0, 20, 22.35, 60, 15, 60],
        }
    )


@pytest.fixture
def bg() -> BetaGeoModel:
    return BetaGeoModel.from_params(**BG, time_unit="W")


@pytest.fixture
def spend() -> GammaGammaModel:
    return GammaGammaModel.from_params(**SPEND)


def brute_force(row: pd.Series, p_alive: float, weeks: float, rate: float, draws: int) -> np.ndarray:
    """A customer's discounted spend: every purchase, its time, its spend and the dropout after it, drawn."""
    rng = np.random.default_rng(int(row["frequency"] * 100 + row["recency"]))
    x, m = row["frequency"], row["monetary_value"]
    buying = rng.gamma(BG["r"] + x, 1 / (BG["alpha"] + row["T"]), draws)
    dropping = rng.beta(BG["a"], BG["b"] + x, draws)
    spending = rng.gamma(SPEND["p"] * x + SPEND["q"], 1 / (SPEND["v"] + x * m), draws)
    total, now = np.zeros(draws), np.zeros(draws)
    alive = np.flatnonzero(rng.random(draws) < p_alive)
    while len(alive):
        now[alive] += rng.exponential(1 / buying[alive])
        alive = alive[now[alive] <= weeks]
        total[alive] += np.exp(-rate * now[alive]) * rng.gamma(SPEND["p"], 1 / spending[alive])
        alive = alive[rng.random(len(alive)) >= dropping[alive]]
    return total


@pytest.mark.parametrize(("years", "within"), [(1, 0.015), (3, 0.035)])
def test_predictive_interval_against_brute_force(bg, spend, customers, years: int, within: float) -> None:
    """Upper ends to the documented error; the interval holds what it says, or more where counts are few."""
    terms = TERMS | {"horizon": f"{years}Y", "margin": 1.0}
    found = customer_lifetime_value(bg, spend, customers, **terms, level=0.9)
    for place, row in customers.iterrows():
        value = found.loc[place]
        rate = np.log(1.1) / WEEKS_PER_YEAR
        drawn = brute_force(row, value["p_alive"], years * WEEKS_PER_YEAR, rate, 150_000)
        low, high = np.quantile(drawn, [0.05, 0.95])
        noise = 4 * drawn.std() / np.sqrt(len(drawn))
        assert value["clv"] == pytest.approx(drawn.mean(), abs=noise)
        if high == 0:
            assert value["clv_high"] == 0
        elif (drawn > 0).mean() > 0.2:  # below that, chance alone moves the end by more
            assert value["clv_high"] == pytest.approx(high, rel=within + 0.01)
        held = np.mean((drawn >= value["clv_low"]) & (drawn <= value["clv_high"]))
        assert held >= 0.895
        assert (value["clv_low"] == 0) == (low == 0)


def test_clv_is_margin_times_spend_times_discounted_purchases(bg, spend, customers) -> None:
    found = customer_lifetime_value(bg, spend, customers, **TERMS)
    rate = np.log(1.1) / WEEKS_PER_YEAR
    purchases = bg.expected_purchases_discounted(customers, WEEKS_PER_YEAR, rate)
    expected = 0.3 * purchases * spend.expected_customer_spend(customers)
    np.testing.assert_allclose(found["clv"], expected, rtol=1e-12)
    np.testing.assert_allclose(
        found["expected_purchases"], bg.expected_purchases(customers, "1Y"), rtol=1e-12
    )
    np.testing.assert_allclose(found["p_alive"], bg.expected_probability_alive(customers), rtol=1e-12)
    assert found["customer_id"].tolist() == list("abcdef")
    assert (found["clv_low"] <= found["clv_high"]).all()


def test_discounting_is_the_integral_over_the_purchase_rate(bg, customers) -> None:
    found = customer_lifetime_value(bg, 1.0, customers, **TERMS | {"margin": 1.0}, interval=None)
    one = customers.iloc[[2]]
    rate = np.log(1.1) / WEEKS_PER_YEAR

    def integrand(u: float) -> float:
        return rate * np.exp(-rate * u) * bg.expected_purchases(one, u).iloc[0]

    by_parts = quad(integrand, 0, WEEKS_PER_YEAR)[0]
    end = np.exp(-rate * WEEKS_PER_YEAR) * bg.expected_purchases(one, "1Y").iloc[0]
    assert found["clv"][2] == pytest.approx(by_parts + end, rel=1e-8)
    assert found[["clv_low", "clv_high"]].isna().all(axis=None)


def test_without_discounting_no_calendar_is_needed(spend, customers) -> None:
    plain = BetaGeoModel.from_params(**BG)
    terms = {"horizon": 52, "discount_rate_per_year": 0.0, "margin": 1.0}
    found = customer_lifetime_value(plain, spend, customers, **terms)
    expected = plain.expected_purchases(customers, 52) * spend.expected_customer_spend(customers)
    np.testing.assert_allclose(found["clv"], expected, rtol=1e-12)


@pytest.mark.parametrize("change", [{"discount_rate_per_year": 0.1}, {"horizon": "12M"}])
def test_a_plain_frame_is_asked_for_its_unit(spend, customers, change: dict) -> None:
    plain = BetaGeoModel.from_params(**BG)
    terms = {"horizon": 52, "discount_rate_per_year": 0.0, "margin": 1.0} | change
    with pytest.raises(CrmError, match="time_unit is unknown"):
        customer_lifetime_value(plain, spend, customers, **terms)
    weekly = BetaGeoModel.from_params(**BG, time_unit="W")
    pd.testing.assert_frame_equal(
        customer_lifetime_value(plain, spend, customers, **terms, time_unit="W"),
        customer_lifetime_value(weekly, spend, customers, **terms),
    )


def test_value_does_not_depend_on_the_unit(bg, spend, customers) -> None:
    """Weekly data read as daily are worth 3.5 times too much elsewhere."""
    daily = BetaGeoModel.from_params(**BG | {"alpha": BG["alpha"] * 7}, time_unit="D")
    days = customers.assign(recency=customers["recency"] * 7, T=customers["T"] * 7)
    weekly_values = customer_lifetime_value(bg, spend, customers, **TERMS)
    daily_values = customer_lifetime_value(daily, spend, days, **TERMS)
    pd.testing.assert_frame_equal(weekly_values, daily_values, rtol=1e-9)
    with pytest.raises(CrmError, match="time_unit is 'D', but the model or data count weeks"):
        customer_lifetime_value(bg, spend, customers, **TERMS, time_unit="D")


def test_parameter_bands_hold_hardly_any_holdout_count(cdnow_summary) -> None:
    """CDNOW sample, 39 weeks: 95 % bands of the expected count hold .8 % of the counts, predictive ones most."""
    model = BetaGeoModel(time_unit="W").fit(cdnow_summary)
    terms = {"horizon": 39, "discount_rate_per_year": 0.0, "margin": 1.0, "level": 0.95}
    held = {}
    for interval in ("parameters", "predictive"):
        found = customer_lifetime_value(model, 1.0, cdnow_summary, **terms, interval=interval)
        count = cdnow_summary["holdout"]
        held[interval] = ((found["clv_low"] <= count) & (count <= found["clv_high"])).mean()
    assert held["parameters"] == pytest.approx(0.008, abs=0.002)
    assert 0.95 <= held["predictive"] < 1


@pytest.mark.thorough
def test_parameter_interval_is_that_of_drawn_parameters(cdnow_summary) -> None:
    """The delta method against values at parameters drawn from their distribution."""
    model, spend = BetaGeoModel(time_unit="W").fit(cdnow_summary), GammaGammaModel().fit(cdnow_summary)
    some = cdnow_summary.iloc[::400]
    terms = TERMS | {"level": 0.9}
    found = customer_lifetime_value(model, spend, some, **terms, interval="parameters")
    rng = np.random.default_rng(1)

    def draws(fitted, size: int) -> list[dict[str, float]]:
        logs = np.log(list(fitted.params_.values()))
        drawn = np.exp(rng.multivariate_normal(logs, fitted._log_covariance, size))
        return [dict(zip(fitted.params_, one, strict=True)) for one in drawn]

    values = [
        customer_lifetime_value(
            BetaGeoModel.from_params(**one, time_unit="W"),
            GammaGammaModel.from_params(**other),
            some,
            **TERMS,
            interval=None,
        )["clv"]
        for one, other in zip(draws(model, 250), draws(spend, 250), strict=True)
    ]
    low, high = np.quantile(values, [0.05, 0.95], axis=0)
    np.testing.assert_allclose(found["clv_low"], low, rtol=0.08)
    np.testing.assert_allclose(found["clv_high"], high, rtol=0.08)


@pytest.mark.parametrize(
    "model",
    [
        ModifiedBetaGeoModel.from_params(r=0.5, alpha=6.0, a=0.8, b=2.0, time_unit="W"),
        ParetoNBDModel.from_params(r=0.553, alpha=10.578, s=0.606, beta=11.669, time_unit="W"),
        BetaGeoBetaBinomModel.from_params(alpha=1.2, beta=0.75, gamma=0.66, delta=2.8, time_unit="W"),
    ],
)
def test_intervals_of_every_model_agree_with_its_own_draws(model, spend) -> None:
    data = pd.DataFrame(
        {"frequency": [0, 3, 8], "recency": [0, 9, 11], "T": 12, "monetary_value": [0, 40, 9.0]}
    )
    terms = {"horizon": 20, "discount_rate_per_year": 0.0, "margin": 1.0, "level": 0.9}
    found = customer_lifetime_value(model, spend, data, **terms)
    counts = model.sample_purchases(data, 20, 20_000, random_state=2)
    drawn = sample_spend(spend, data, counts, random_state=3)
    for column, level in (("clv_low", 0.05), ("clv_high", 0.95)):
        below, upto = (
            (drawn < found[column].to_numpy()).mean(axis=0),
            (drawn <= found[column].to_numpy()).mean(axis=0),
        )
        assert (below <= level + 0.008).all()
        assert (upto >= level - 0.008).all()


def test_fixed_spend_gives_counts(bg, customers) -> None:
    terms = {"horizon": 39, "discount_rate_per_year": 0.0, "margin": 1.0, "level": 0.9}
    found = customer_lifetime_value(bg, 2.0, customers, **terms)
    pmf = bg.probability_of_purchases(range(200), customers, 39).to_numpy()
    expected = 2.0 * np.array(
        [[np.searchsorted(np.cumsum(one), level) for level in (0.05, 0.95)] for one in pmf]
    )
    np.testing.assert_allclose(found[["clv_low", "clv_high"]], expected)


def test_heavy_tail_is_refused_with_its_cure(bg, customers) -> None:
    heavy = GammaGammaModel.from_params(p=2.0, q=0.8, v=5.0)
    with pytest.raises(FitError, match=r"q is 0\.8.*infinite for 1 of 6 customers.*median"):
        customer_lifetime_value(bg, heavy, customers, **TERMS)
    assert np.isfinite(customer_lifetime_value(bg, 20.0, customers, **TERMS)["clv"]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"margin": 30}, "margin is 30"),
        ({"discount_rate_per_year": -0.1}, r"discount_rate_per_year is -0\.1"),
        ({"level": 95}, "level is 95"),
        ({"interval": "predicted"}, "did you mean 'predictive'"),
        ({"horizon": -1}, "horizon is -1"),
        ({"interval": "parameters"}, "was not fitted"),
    ],
)
def test_terms_out_of_range_are_named(bg, spend, customers, change: dict, words: str) -> None:
    with pytest.raises(CrmError, match=words):
        customer_lifetime_value(bg, spend, customers, **TERMS | change)


def test_inputs_are_left_as_they_were_and_empty_frames_refused(bg, spend, customers) -> None:
    before = customers.copy(deep=True)
    customer_lifetime_value(bg, spend, customers, **TERMS)
    pd.testing.assert_frame_equal(customers, before)
    with pytest.raises(DataError, match="no rows"):
        customer_lifetime_value(bg, spend, customers.iloc[:0], **TERMS)


def past(errors) -> OriginErrors:
    """What these errors of one model teach, of horizons that do not overlap."""
    days = pd.date_range("2000-01-01", periods=len(errors), freq="91D")
    return learn_from_origins(pd.DataFrame({"BG/NBD": errors}, index=days), 91)


def test_equity_is_corrected_and_its_interval_lies_around_the_corrected_value(bg, spend, customers) -> None:
    values = customer_lifetime_value(bg, spend, customers, **TERMS)
    total = values["clv"].sum()
    bare = customer_equity(values)
    assert bare.value == bare.uncorrected == total
    assert np.isnan([bare.low, bare.high]).all()
    assert bare.in_words("profit", "a year").endswith("how far this may be off is not known.")
    half = customer_equity(values, errors=past([-0.1, 0.1] * 3), level=0.5)
    ends = fmt.interval(half.low, half.high, "money", "EUR")
    assert half.in_words("profit", "a year", "EUR").endswith(
        f" of profit within a year (50 % interval {ends})."
    )
    small, large = (customer_equity(values, errors=past([-e, e, -e, e])) for e in (0.03, 0.12))
    assert np.log(large.high / large.low) > np.log(small.high / small.low) > 0
    low = customer_equity(values, errors=past([-0.2, -0.2, -0.2, -0.2]))
    assert low.uncorrected == total
    assert low.value == pytest.approx(total * 0.8**-0.75)  # three independent origins: shrunk by 3 / 4
    assert np.sqrt(low.low * low.high) == pytest.approx(low.value)
    # with many origins the interval is that of a normal error: 80 % lie within 1.28 of their spread
    normal = 0.1 * ndtri((np.arange(300) + 0.5) / 300)
    many = customer_equity(values, errors=past(np.expm1(np.random.default_rng(0).permutation(normal))))
    assert np.log(many.high / many.value) == pytest.approx(0.128, abs=0.005)


def test_new_customer_with_and_without_the_first_order(bg, spend) -> None:
    within, without = (
        value_of_new_customer(bg, spend, **TERMS, include_first_order=one) for one in (True, False)
    )
    assert within.value - without.value == pytest.approx(0.3 * spend.expected_new_customer_spend())
    assert within.expected_purchases == pytest.approx(bg.expected_purchases_new_customer("1Y"))
    assert str(within).endswith("with the first order")
    assert str(without).endswith("without the first order")
    undiscounted = value_of_new_customer(
        bg, spend, **TERMS | {"discount_rate_per_year": 0.0}, include_first_order=False
    )
    assert undiscounted.value == pytest.approx(0.3 * within.expected_purchases * within.expected_spend)
    assert without.value < undiscounted.value
    modified = ModifiedBetaGeoModel.from_params(r=0.5, alpha=6.0, a=0.8, b=2.0, time_unit="W")
    found = value_of_new_customer(modified, spend, **TERMS, include_first_order=False)
    assert found.expected_purchases == pytest.approx(modified.expected_purchases_new_customer("1Y"), rel=1e-9)
