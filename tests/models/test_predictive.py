"""Quantiles of future spend and counts against the mixture computed term by term."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import betainc
from scipy.stats import nbinom

from crmlib import BetaGeoModel, ModifiedBetaGeoModel
from crmlib.models.predictive import _numbers_of_purchases, count_quantiles, spend_quantiles

P, Q = 6.25, 3.74
LEVELS = (0.1, 0.9)


def nbd(n: np.ndarray, frequency: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Counts of living customers: negative binomial, Gamma(0.5 + x, 6 + T) rates over 52 weeks."""
    return nbinom.pmf(n, 0.5 + frequency[:, None], ((6 + T) / (58 + T))[:, None])


def exact_spend(x: float, T: float, p_alive: float, level: float) -> float:
    n = np.arange(1, 40_000)
    chance = p_alive * nbinom.pmf(n, 0.5 + x, (6 + T) / (58 + T))
    n, chance = n[chance > 1e-12], chance[chance > 1e-12]
    none = 1 - p_alive + p_alive * nbinom.pmf(0, 0.5 + x, (6 + T) / (58 + T))
    if none >= level:
        return 0.0
    return brentq(
        lambda s: none + chance @ betainc(P * n, P * x + Q, s / (1 + s)) - level, 1e-12, 1e6, xtol=1e-12
    )


@pytest.mark.parametrize("x", [0.0, 1.0, 7.0, 60.0, 900.0])
def test_spend_quantiles_term_by_term(x: float) -> None:
    """Over 700 ages, of which a few are computed and the others interpolated."""
    ages, alive = np.arange(1, 701) / 7, np.tile([0.3, 0.95], 350)
    found = spend_quantiles(nbd, np.full(700, x), ages, alive, LEVELS, P, Q)
    for place in range(0, 700, 83):
        exact = [exact_spend(x, ages[place], alive[place], level) for level in LEVELS]
        np.testing.assert_allclose(found[place], exact, rtol=0.004, atol=1e-3)


def test_count_quantiles_are_exact_where_counts_are_few() -> None:
    x, ages, alive = np.repeat([0.0, 4.0], 20), np.tile(np.arange(1.0, 21.0), 2), np.full(40, 0.8)
    found = count_quantiles(nbd, x, ages, alive, LEVELS)
    n = np.arange(500)
    for place in range(40):
        chance = 0.8 * nbinom.pmf(n, 0.5 + x[place], (6 + ages[place]) / (58 + ages[place]))
        chance[0] += 0.2
        exact = [np.searchsorted(np.cumsum(chance), level) for level in LEVELS]
        assert found[place].tolist() == exact


def test_large_counts_are_good_to_half_a_percent() -> None:
    x, ages = np.array([5000.0, 20_000.0]), np.array([52.0, 52.0])
    found = count_quantiles(nbd, x, ages, np.ones(2), LEVELS)
    exact = [nbinom.ppf(LEVELS, 0.5 + one, 58 / 110) for one in x]
    np.testing.assert_allclose(found, exact, rtol=0.005)


def test_every_count_is_stood_for_once() -> None:
    n, size = _numbers_of_purchases()
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    assert (n[:257] == np.arange(257)).all()
    assert ((first <= n) & (n < first + size)).all()
    assert (size <= 1 + 0.003 * n).all()


@pytest.mark.parametrize("model", [BetaGeoModel, ModifiedBetaGeoModel])
@pytest.mark.parametrize("t", [0.0, 0.01, 52.0])
def test_many_counts_at_once_are_the_counts_one_by_one(model: type, t: float) -> None:
    fitted = model.from_params(r=0.243, alpha=4.414, a=0.793, b=2.426)
    x, age = np.array([0.0, 1.0, 30.0, 900.0]), np.array([0.0, 5.0, 38.0, 38.0])
    for n in (np.arange(300.0), np.arange(40.0, 90.0), np.array([3.0, 7.0])):
        one_by_one = np.stack([fitted._pmf_if_alive(int(one), x, age, t) for one in n], axis=1)
        np.testing.assert_allclose(fitted._pmfs_if_alive(n, x, age, t), one_by_one, atol=1e-11)
