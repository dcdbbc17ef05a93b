"""Values of channels that lean on each other: gradients, limits, closed forms, and channels of three customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.rfm.summary import CustomerSummary
from crmlib.economics.acquisition import pooling
from crmlib.economics.acquisition.channel_values import _orders_of_new, channel_values, fit_channels
from crmlib.errors import DataError
from crmlib.models._histories import read_histories
from crmlib.models.gamma_gamma import read_spend
from crmlib.units import TimeUnit

TERMS = {"margin": 0.4, "discount_rate_per_year": 0.1}


def customers(sizes, *, rate=None, seed=0, age=60.0):
    """Customers by channel, drawn from BG/NBD and Gamma-Gamma; `rate` multiplies a channel's rate."""
    random, rows = np.random.default_rng(seed), []
    for channel, size in sizes.items():
        for _ in range(size):
            own = random.gamma(0.8, (rate or {}).get(channel, 1.0) / 8.0)
            drops, ages, now = random.beta(1.0, 9.0), random.uniform(4, age), 0.0
            days = []
            while own > 0 and (now := now + random.exponential(1 / own)) < ages:
                days.append(now)
                if random.random() < drops:
                    break
            spend = random.gamma(6 * max(len(days), 1), random.gamma(4, 1) ** -1 * 15) / max(len(days), 1)
            rows.append((channel, len(days), days[-1] if days else 0.0, ages, spend if days else 0.0, spend))
    made = pd.DataFrame(rows, columns=["channel", "frequency", "recency", "T", "monetary_value", "first"])
    made["first_purchase"] = pd.Timestamp("2024-12-31") - pd.to_timedelta(made["T"] * 7, unit="D")
    made["net"] = made.pop("first") * (made["frequency"] + 1)
    return CustomerSummary(made).with_facts(time_unit=TimeUnit.W)


def numeric(of, z, step=1e-6):
    ways = step * np.eye(len(z))
    return np.array([(of(z + way)[0] - of(z - way)[0]) / (2 * step) for way in ways])


def test_gradients():
    data = customers({"a": 80})
    for of, z in (
        (pooling.purchase_likelihood(read_histories(data, weighted=True)), np.array([-0.2, 1.5, -2.0, -1.7])),
        (pooling.spend_likelihood(read_spend(data)), np.array([1.2, 0.9, 3.0])),
    ):
        assert of(z)[1] == pytest.approx(numeric(of, z), rel=1e-4, abs=1e-4)


def test_places_are_those_of_the_plain_models():
    data = customers({"a": 200})
    model, spend = crm.BetaGeoModel(time_unit="W").fit(data), crm.GammaGammaModel().fit(data)
    back = pooling.PURCHASES.to_params(pooling.purchase_place(model))
    assert np.exp(back) == pytest.approx(np.array(list(model.params_.values())))
    back = pooling.SPEND.to_params(pooling.spend_place(spend))
    assert np.exp(back) == pytest.approx(np.array(list(spend.params_.values())))


def normal_group(mean, error):
    """A group of which one trait is seen, with an error; there is one shape, known to be 0."""
    family = pooling.Family(1, 1, lambda z: z, lambda z, by: by)

    def of(z):
        away = np.array([z[0] / 0.1, (z[1] - mean) / error])
        return -float(away @ away) / 2, -away / np.array([0.1, error])

    return family, of


def test_normal_groups_by_brute_force():
    """Where the likelihood is normal, means and spreads are those of a sum over the grid of a normal density."""
    from scipy.stats import multivariate_normal

    means, errors = np.array([0.3, -0.2, 0.5, 0.0]), np.array([0.1, 0.2, 0.15, 5.0])
    made = [normal_group(mean, error) for mean, error in zip(means, errors, strict=True)]
    found = pooling.pool(
        made[0][0],
        [of for _, of in made],
        np.zeros(2),
        np.arange(4),
        draws=20_000,
        random=np.random.default_rng(0),
    )
    weight, expected = [], []
    for spread in pooling.SPREADS:
        prior = pooling.WIDE**2 + (spread**2 + 1e-6) * np.eye(4)
        seen = prior + np.diag(errors**2)
        before = np.exp(-((spread / pooling.LIKELY_SPREAD) ** 2) / 2) * spread
        weight.append(before * multivariate_normal(np.zeros(4), seen).pdf(means))
        expected.append(prior @ np.linalg.solve(seen, means))
    mean = np.average(expected, axis=0, weights=weight)
    assert found.draws[:, :, 1].mean(axis=0) == pytest.approx(mean, abs=0.02)
    assert found.own[3, 0] < 0.01 < 0.5 < found.own[0, 0]


def test_a_group_that_says_nothing_leans_on_the_others():
    data = customers({"a": 400, "b": 400, "tiny": 3}, seed=3)
    fit = fit_channels(data)
    place = dict(zip(fit.groups["channel"], fit.purchases.place[:, 2:], strict=True))
    between = sorted([place["a"][0], place["b"][0]])
    assert between[0] - 0.3 < place["tiny"][0] < between[1] + 0.3
    own = dict(zip(fit.groups["channel"], fit.purchases.own, strict=True))
    assert (own["tiny"] < 0.2).all()
    assert (own["a"] > 2 * own["tiny"]).all()
    table = channel_values(data, **TERMS).set_index("channel")
    width = (table["worth_high"] - table["worth_low"]) / table["worth"]
    assert width["tiny"] > width["a"]


def test_a_channel_that_buys_twice_as_often_is_worth_more():
    table = channel_values(customers({"slow": 500, "fast": 500}, rate={"fast": 2.0}), **TERMS)
    assert table["channel"].tolist() == ["fast", "slow"]
    assert table["purchases_per_year"][0] / table["purchases_per_year"][1] == pytest.approx(2, rel=0.3)
    assert table.attrs["compared"]["low"] > 0


def test_orders_of_new_customers_are_those_of_the_model():
    model = crm.BetaGeoModel.from_params(r=0.8, alpha=7.0, a=0.9, b=5.0, time_unit="W")
    by_month = _orders_of_new(np.array([[[0.8, 7.0, 0.9, 5.0]]]), TimeUnit.W, 24)[0, 0]
    weeks = np.arange(1, 25) * TimeUnit.M.days / 7
    assert by_month.cumsum() == pytest.approx(model.expected_purchases_new_customer(weeks), rel=1e-7)


def test_payback_is_certain_at_no_cost_and_impossible_at_any():
    data = customers({"a": 100, "b": 100}, age=40.0)
    table = channel_values(data, cac={"a": 0.0, "b": 1e6}, **TERMS).set_index("channel")
    assert table["p_payback_12m"].to_dict() == {"a": 1.0, "b": 0.0}
    assert channel_values(data, **TERMS)["p_payback_12m"].isna().all()


def test_one_channel_and_no_channel():
    one = channel_values(customers({"only": 300}), **TERMS)
    assert len(one) == 1
    assert "only" in one.attrs["finding"]
    data = customers({"a": 100})
    with pytest.raises(DataError, match="channel is missing for 1"):
        channel_values(data.assign(channel=["a"] * 99 + [None]), **TERMS)
    assert "no customer" in channel_values(data.head(0), **TERMS).reason
    assert (
        "repeat" in channel_values(data.assign(frequency=0, recency=0.0, monetary_value=0.0), **TERMS).reason
    )
