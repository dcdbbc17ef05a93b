"""What customers of each channel bring: against the models, limits, and channels of three customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import crmlib as crm
from crmlib.customers.rfm.summary import CustomerSummary
from crmlib.economics.acquisition.channel_values import _draws, channel_values
from crmlib.errors import DataError
from crmlib.units import TimeUnit


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


def test_a_channel_that_buys_twice_as_often_is_worth_more():
    table = channel_values(customers({"slow": 500, "fast": 500}, rate={"fast": 2.0}), margin=0.4)
    assert table["channel"].tolist() == ["fast", "slow"]
    assert table["purchases_per_customer"][0] > 1.5 * table["purchases_per_customer"][1]
    assert table.attrs["compared"]["low"] > 0


def test_what_is_expected_is_what_the_models_expect():
    data = customers({"a": 200, "b": 200}, age=52.0)
    model, spend = crm.BetaGeoModel(time_unit="W").fit(data), crm.GammaGammaModel().fit(data)
    table = channel_values(data.assign(T=52.0), margin=1.0, horizon="104W").set_index("channel")
    again = crm.BetaGeoModel(time_unit="W").fit(data.assign(T=52.0))
    rest = again.expected_purchases(data.assign(T=52.0), 52.0) * spend.expected_customer_spend(data)
    expected = (data["net"] + rest).groupby(data["channel"]).mean()
    assert table["worth"].to_dict() == pytest.approx(expected.to_dict(), rel=0.05)
    assert model.params_["r"] > 0


def test_a_small_channel_has_the_wider_interval():
    table = channel_values(customers({"large": 800, "tiny": 3}, seed=3), margin=0.4).set_index("channel")
    width = (table["worth_high"] - table["worth_low"]) / table["worth"]
    assert width["tiny"] > 2 * width["large"]


def test_payback_is_certain_at_no_cost_and_impossible_at_any():
    data = customers({"a": 100, "b": 100}, age=40.0)
    before, costs = data.assign(rest=0.3 * data["net"]), {"a": 0.0, "b": 1e6}
    table = channel_values(data, cac=costs, margin=0.4, earlier=before).set_index("channel")
    assert table["p_payback_12m"].to_dict() == {"a": 1.0, "b": 0.0}
    assert channel_values(data, margin=0.4, earlier=before)["p_payback_12m"].isna().all()


def test_a_year_before_corrects_the_chance_of_payback():
    """Who bought half as much in the rest of the year before as the models expect is expected to again."""
    data = customers({"a": 400, "b": 400}, age=40.0)
    cac = channel_values(data, margin=0.4, horizon="1Y").set_index("channel")["worth"].to_dict()
    before = customers({"a": 400, "b": 400}, seed=1, age=40.0)
    less, more = (
        channel_values(data, cac=cac, margin=0.4, earlier=before.assign(rest=part * before["net"] * 12 / 40))
        for part in (0.1, 3.0)
    )
    assert (less["p_payback_12m"] < 0.4).all()
    assert (more["p_payback_12m"] > 0.6).all()
    for nothing in (
        None,
        before.head(10).assign(rest=5.0),
        before.assign(rest=0.0),
    ):  # alone it would not hold
        assert channel_values(data, cac=cac, margin=0.4, earlier=nothing)["p_payback_12m"].isna().all()


def test_what_is_returned_later_is_expected_of_later_purchases_too():
    data = customers({"a": 300})
    less = channel_values(data.assign(net=0.8 * data["net"]), margin=0.4)["worth"][0]
    assert less == pytest.approx(0.8 * channel_values(data, margin=0.4)["worth"][0], rel=0.03)


def test_weakly_identified_parameters_are_not_drawn_far_away():
    """Of customers of a few weeks the dropout is not known: draws stay where the models can be computed."""
    young = customers({"a": 60, "b": 60}, seed=4, age=12.0)
    model = crm.BetaGeoModel(time_unit="W").fit(young)
    drawn = np.log(_draws(model, np.random.default_rng(0)) / model._values())
    assert np.abs(drawn).max() <= 2.0 + 1e-9
    assert np.isfinite(channel_values(young, margin=0.4)[["worth", "worth_low", "worth_high"]]).all(axis=None)


def test_one_channel_and_no_channel():
    one = channel_values(customers({"only": 300}), margin=0.4)
    assert len(one) == 1
    assert "only" in one.attrs["finding"]
    data = customers({"a": 100})
    with pytest.raises(DataError, match="channel is missing for 1"):
        channel_values(data.assign(channel=["a"] * 99 + [None]), margin=0.4)
    assert "no customer" in channel_values(data.head(0), margin=0.4).reason
    assert (
        "repeat"
        in channel_values(data.assign(frequency=0, recency=0.0, monetary_value=0.0), margin=0.4).reason
    )
