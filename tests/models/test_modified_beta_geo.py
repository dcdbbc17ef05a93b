"""What sets MBG/NBD apart; the numerics that it shares with BG/NBD are tested there for both."""

from __future__ import annotations

import pandas as pd
import pytest

from crmlib import BetaGeoModel, ModifiedBetaGeoModel


def test_one_time_buyers_are_not_alive_for_certain():
    """Batislam et al. (2007): a chance to drop out at time 0, so by hand P(alive) = 1 / (1 + (a/b)·growth^r)."""
    params = {"r": 0.5, "alpha": 6.0, "a": 0.9, "b": 1.6}
    once = pd.DataFrame({"frequency": [0, 0], "recency": [0.0, 0.0], "T": [0.0, 18.0]})
    alive = ModifiedBetaGeoModel.from_params(**params).expected_probability_alive(once)
    assert alive.tolist() == pytest.approx([1.6 / 2.5, 1 / (1 + 0.9 / 1.6 * (24 / 6) ** 0.5)])
    assert BetaGeoModel.from_params(**params).expected_probability_alive(once).tolist() == [1.0, 1.0]


def test_cdnow(cdnow_summary):
    """On CDNOW it fits about as well as BG/NBD, and calls fewer one-time buyers alive."""
    model = ModifiedBetaGeoModel(time_unit="W").fit(cdnow_summary)
    assert model.loglik_ == pytest.approx(-9582.14, abs=0.02)
    once = cdnow_summary[cdnow_summary["frequency"] == 0]
    assert 0.3 < model.expected_probability_alive(once).mean() < 0.5


def test_it_is_the_beta_geo_model_when_nobody_drops_out():
    table = pd.DataFrame({"frequency": [0, 4], "recency": [0.0, 9.0], "T": [12.0, 12.0]})
    params = {"r": 0.5, "alpha": 6.0, "a": 1e-9, "b": 1.0}
    ahead = [
        one.from_params(**params).expected_purchases(table, 10)
        for one in (BetaGeoModel, ModifiedBetaGeoModel)
    ]
    assert ahead[0].tolist() == pytest.approx(ahead[1].tolist(), rel=1e-7)
    assert ahead[0].tolist() == pytest.approx([0.5 / 18 * 10, 4.5 / 18 * 10], rel=1e-7)
