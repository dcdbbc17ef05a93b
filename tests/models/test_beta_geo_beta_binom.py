"""BG/BB against the published donors, brute force over every path, and inputs that break others."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, chi2

from crmlib.errors import CrmError, DataError, FitError
from crmlib.models._histories import read_histories
from crmlib.models.beta_geo_beta_binom import BetaGeoBetaBinomModel, _LogLikelihood

PAPER = {"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783}


@pytest.fixture(scope="module")
def donors() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).parent / "data" / "donations.csv")


@pytest.fixture(scope="module")
def paper() -> BetaGeoBetaBinomModel:
    return BetaGeoBetaBinomModel.from_params(**PAPER)


def simulate(customers: int, opportunities: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    buys = rng.beta(PAPER["alpha"], PAPER["beta"], customers)[:, None]
    drops = rng.beta(PAPER["gamma"], PAPER["delta"], customers)[:, None]
    shape = (customers, opportunities)
    alive = np.cumprod(rng.random(shape) >= drops, axis=1)
    bought = alive * (rng.random(shape) < buys)
    last = (bought * np.arange(1, opportunities + 1)).max(axis=1)
    return pd.DataFrame({"frequency": bought.sum(axis=1), "recency": last, "T": opportunities})


def chances_of_paths(steps: int) -> dict[tuple[int, ...], mpmath.mpf]:
    """Probability of every path of purchases over `steps` opportunities, by the sum over the last one lived."""
    a, b, g, d = (mpmath.mpf(str(one)) for one in PAPER.values())
    found = {}
    for path in product((0, 1), repeat=steps):
        x, last = sum(path), max((i + 1 for i, one in enumerate(path) if one), default=0)
        total = mpmath.mpf(0)
        for lived in range(last, steps + 1):
            died = 0 if lived == steps else 1
            total += (
                mpmath.beta(a + x, b + lived - x)
                / mpmath.beta(a, b)
                * (mpmath.beta(g + died, d + lived) / mpmath.beta(g, d))
            )
        found[path] = total
    return found


def test_published_fit(donors: pd.DataFrame) -> None:
    """Fader, Hardie & Shang 2010: 11,104 donors, LL -33225.6."""
    model = BetaGeoBetaBinomModel().fit(donors)
    assert model.n_customers_ == 11_104
    assert model.loglik_ == pytest.approx(-33225.6, abs=0.05)
    assert {one: round(value, 3) for one, value in model.params_.items()} == PAPER
    assert model.diagnosis_.converged
    assert model.diagnosis_.findings == ()


def test_published_forecasts(paper: BetaGeoBetaBinomModel) -> None:
    """Expected donations 2002-2006, from none in six years to six of six."""
    ends = pd.DataFrame({"frequency": [0, 6], "recency": [0, 6], "T": 6})
    np.testing.assert_allclose(paper.expected_purchases(ends, 5), [0.07, 3.75], atol=0.005)


def test_gradient_is_that_of_the_likelihood(donors: pd.DataFrame) -> None:
    loglik, at = _LogLikelihood(read_histories(donors, weighted=True)), np.array([0.1, -0.2, 0.3, 0.5])
    for place in range(4):
        step = np.eye(4)[place] * 1e-5
        by_difference = (loglik(at + step)[0] - loglik(at - step)[0]) / 2e-5
        assert loglik(at)[1][place] == pytest.approx(by_difference, rel=1e-6)


def test_likelihood_sums_to_one_over_all_paths(paper: BetaGeoBetaBinomModel) -> None:
    paths = chances_of_paths(5)
    assert float(mpmath.fsum(paths.values())) == pytest.approx(1, abs=1e-14)
    rows = [(sum(p), max((i + 1 for i, one in enumerate(p) if one), default=0), 5) for p in paths]
    data = pd.DataFrame(rows, columns=["frequency", "recency", "T"])
    for row, chance in zip(range(len(data)), paths.values(), strict=True):
        one = _LogLikelihood(read_histories(data.iloc[[row]], weighted=True))
        assert one(np.log(list(PAPER.values())))[0] == pytest.approx(float(mpmath.log(chance)), rel=1e-12)


def test_forecasts_against_every_continuation_of_a_path(paper: BetaGeoBetaBinomModel) -> None:
    """P(n), mean, discounted mean and P(no purchase) from the chances of all paths of 4 + 3 opportunities."""
    paths = chances_of_paths(7)
    for history in [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 1, 0), (1, 1, 1, 1)]:
        future = {path[4:]: chance for path, chance in paths.items() if path[:4] == history}
        whole = mpmath.fsum(future.values())
        last = max((i + 1 for i, one in enumerate(history) if one), default=0)
        data = pd.DataFrame({"frequency": [sum(history)], "recency": [last], "T": [4]})
        pmf = [float(mpmath.fsum(c for f, c in future.items() if sum(f) == n) / whole) for n in range(4)]
        found = paper.probability_of_purchases([0, 1, 2, 3], data, 3).to_numpy()[0]
        np.testing.assert_allclose(found, pmf, rtol=1e-10)
        mean = sum(n * chance for n, chance in enumerate(pmf))
        assert paper.expected_purchases(data, 3)[0] == pytest.approx(mean, rel=1e-10)
        assert paper.expected_probability_no_purchase(data, 3)[0] == pytest.approx(pmf[0], rel=1e-10)
        worth = (
            mpmath.fsum(c * mpmath.exp(-0.1 * (i + 1)) for f, c in future.items() for i in range(3) if f[i])
            / whole
        )
        assert paper.expected_purchases_discounted(data, 3, 0.1)[0] == pytest.approx(float(worth), rel=1e-10)


def test_new_customer_against_all_paths(paper: BetaGeoBetaBinomModel) -> None:
    expected = mpmath.fsum(sum(path) * chance for path, chance in chances_of_paths(6).items())
    assert paper.expected_purchases_new_customer(6) == pytest.approx(float(expected), rel=1e-12)
    np.testing.assert_allclose(
        paper.expected_purchases_new_customer([0, 6]), [0, float(expected)], rtol=1e-12
    )


def test_dropout_parameter_at_one_is_the_limit() -> None:
    """The closed form divides by gamma - 1."""
    data = pd.DataFrame({"frequency": [2], "recency": [3], "T": [6]})

    def expected(gamma: float) -> float:
        return BetaGeoBetaBinomModel.from_params(**PAPER | {"gamma": gamma}).expected_purchases(data, 10)[0]

    assert expected(1.0) == pytest.approx((expected(1 - 1e-6) + expected(1 + 1e-6)) / 2, rel=1e-9)


def test_draws_follow_the_distribution(paper: BetaGeoBetaBinomModel) -> None:
    data = pd.DataFrame({"frequency": [0, 2, 6], "recency": [0, 4, 6], "T": 6})
    drawn = paper.sample_purchases(data, 4, 20_000, random_state=3)
    pmf = paper.probability_of_purchases(range(5), data, 4).to_numpy()
    for place in range(3):
        counts = np.bincount(drawn[:, place], minlength=5)
        statistic = np.sum((counts - 20_000 * pmf[place]) ** 2 / (20_000 * pmf[place]))
        assert statistic < chi2.ppf(0.999, 4)


def test_long_histories_stay_finite(paper: BetaGeoBetaBinomModel) -> None:
    data = pd.DataFrame({"frequency": [0, 1, 900, 1], "recency": [0, 1, 1000, 1000], "T": 1000})
    alive = paper.expected_probability_alive(data)
    assert alive.between(0, 1).all()
    assert alive[1] < 1e-6 < 0.999 < alive[2]
    assert alive[2] == 1
    assert np.isfinite(paper.expected_purchases(data, 500)).all()


def test_intervals_cover_what_chance_allows() -> None:
    """95 % intervals of all parameters over 200 simulated bases, jointly at a false-alarm rate of 1 %."""
    truth, covered = pd.Series(PAPER), np.zeros(4)
    for seed in range(200):
        found = BetaGeoBetaBinomModel().fit(simulate(2500, 8, seed)).confint(0.95)
        covered += ((found["low"] <= truth) & (truth <= found["high"])).to_numpy()
    low, high = binom.ppf([0.01 / 8, 1 - 0.01 / 8], 200, 0.95)
    assert ((low <= covered) & (covered <= high)).all(), covered


def test_donors_one_by_one_are_the_donors_by_weight(donors: pd.DataFrame) -> None:
    rows = donors.loc[donors.index.repeat(donors["weight"]), ["frequency", "recency", "T"]]
    one_by_one = BetaGeoBetaBinomModel().fit(rows.reset_index(drop=True))
    weighted = BetaGeoBetaBinomModel().fit(donors)
    assert one_by_one.loglik_ == pytest.approx(weighted.loglik_, rel=1e-12)
    assert one_by_one.params_ == pytest.approx(weighted.params_, rel=1e-8)


@pytest.mark.parametrize(
    ("row", "error", "words"),
    [
        ((3, 2, 6), DataError, "frequency is above recency in 1 of 2"),
        ((1, 2.5, 6), DataError, "no whole number in 1 of 2"),
        ((1, 7, 6), DataError, "recency is later than T"),
        ((0, 0, 6), FitError, "frequency is 0 for every customer"),
    ],
)
def test_refusals(row: tuple[float, float, float], error: type[CrmError], words: str) -> None:
    data = pd.DataFrame([(0, 0, 6), row], columns=["frequency", "recency", "T"])
    with pytest.raises(error, match=words):
        BetaGeoBetaBinomModel().fit(data)


def test_parts_of_an_opportunity_are_refused(paper: BetaGeoBetaBinomModel) -> None:
    data = pd.DataFrame({"frequency": [2], "recency": [3], "T": [6]})
    with pytest.raises(CrmError, match=r"2\.5 opportunities"):
        paper.expected_purchases(data, 2.5)
