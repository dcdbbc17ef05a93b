"""Statistics against published examples, hand calculations, SciPy and plain repetition of rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crmlib.errors import CrmError, DataError
from crmlib.statistics import (
    bootstrap_weights,
    difference_of_means,
    difference_of_shares,
    holm,
    normal_quantile,
    p_value_all_equal,
    percentile_interval,
    wilson_interval,
    with_intervals,
)

# Newcombe, Statistics in Medicine 17 (1998), 873–890, table II, method 10.
NEWCOMBE = [
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1.0)),
    ((10, 10, 0, 10), (0.6075, 1.0)),
]
# The same, 857–872, table I, method 3 (Wilson's, without a correction for continuity).
WILSON = [
    ((81, 263), (0.2553, 0.3662)),
    ((15, 148), (0.0624, 0.1605)),
    ((0, 20), (0.0, 0.1611)),
    ((1, 29), (0.0061, 0.1718)),
]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.999])
def test_the_normal_quantile_is_scipys(level):
    assert normal_quantile(level) == pytest.approx(stats.norm.interval(level)[1], rel=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
def test_a_level_is_a_share(level):
    for asked in (normal_quantile, lambda level: wilson_interval(1, 2, level=level)):
        with pytest.raises(CrmError, match=r"^level is .*give a share between 0 and 1"):
            asked(level)


@pytest.mark.parametrize(("counts", "interval"), WILSON)
def test_a_share_has_wilsons_interval_as_published(counts, interval):
    assert wilson_interval(*counts) == pytest.approx(interval, abs=6e-5)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 500)), min_size=1, max_size=5),
    st.floats(0.5, 0.999),
)
def test_wilsons_interval_is_scipys_for_many_shares_at_once(counts, level):
    n = np.array([size for _, size in counts])
    did = np.minimum([one for one, _ in counts], n)
    low, high = wilson_interval(did, n, level=level)
    theirs = [
        stats.binomtest(one, size).proportion_ci(level, method="wilson")
        for one, size in zip(did.tolist(), n.tolist(), strict=True)
    ]
    assert low == pytest.approx([one.low for one in theirs], abs=1e-12)
    assert high == pytest.approx([one.high for one in theirs], abs=1e-12)
    assert (low <= did / n + 1e-12).all()
    assert (did / n <= high + 1e-12).all()


def test_of_nobody_no_share_is_known():
    low, high = wilson_interval([0, 5], [0, 10])
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()
    with pytest.raises(DataError, match=r"successes is below 0 or above n in 1 places"):
        wilson_interval([3, 1], [2, 2])


@pytest.mark.parametrize(("counts", "interval"), NEWCOMBE)
def test_shares_have_newcombes_intervals(counts, interval):
    found = difference_of_shares(*counts)
    assert (found.low, found.high) == pytest.approx(interval, abs=6e-5)


def test_means_are_welchs():
    random = np.random.default_rng(1)
    one, other = random.gamma(1, 10, 40), random.gamma(2, 3, 90)
    found, theirs = difference_of_means(one, other), stats.ttest_ind(one, other, equal_var=False)
    assert (found.z, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue))
    interval = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_where_nothing_varies_the_difference_is_exact():
    found = difference_of_means([2.0, 2.0], [1.0, 1.0, 1.0])
    assert (found.difference, found.low, found.high) == (1.0, 1.0, 1.0)
    assert np.isnan([found.z, found.p_value]).all()


def test_holm_by_hand():
    assert holm(pd.Series([0.01, 0.04, 0.03, np.nan])).iloc[:3].tolist() == [0.03, 0.06, 0.06]
    assert holm(pd.Series([0.6, 0.7])).tolist() == [1.0, 1.0]


def test_a_resample_has_as_many_customers_and_the_same_ones_again():
    drawn, again = (list(bootstrap_weights(50, 4, 7)) for _ in range(2))
    assert [one.sum() for one in drawn] == [50.0] * 4
    assert np.array_equal(drawn, again)
    assert len({tuple(one) for one in drawn}) == 4
    assert np.mean(list(bootstrap_weights(200, 50, 0, poisson=True))) == pytest.approx(1, abs=0.03)


def test_rows_of_a_customer_are_drawn_together():
    groups = np.array(["b", "a", "b", "c", "a"])
    for weights in bootstrap_weights(5, 20, 1, groups=groups):
        assert weights[0] == weights[2]
        assert weights[1] == weights[4]
        assert weights[[0, 1, 3]].sum() == 3


def test_the_bootstrap_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(2).normal(10, 3, 2000)
    means = [weights @ values / weights.sum() for weights in bootstrap_weights(2000, 2000, 0)]
    half = normal_quantile(0.95) * values.std() / np.sqrt(2000)
    # The error of an end of 2,000 resamples is about .06 of the half width.
    assert percentile_interval(means) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.2 * half
    )


def test_percentiles_leave_out_undefined_resamples():
    values = np.column_stack([np.arange(101.0), np.full(101, np.nan)])
    values[50, 0] = np.nan
    low, high = percentile_interval(values, level=0.9)
    assert (low[0], high[0]) == pytest.approx(np.nanquantile(values[:, 0], [0.05, 0.95]))
    assert np.isnan([low[1], high[1]]).all()
    assert np.isnan(percentile_interval(np.empty((0, 3)))).all()
    assert [type(one) for one in percentile_interval([np.nan, np.nan])] == [np.float64, np.float64]


def test_columns_stand_beside_their_intervals():
    resampled = np.arange(101.0)[:, None, None] + np.array([[0.0, 10.0], [100.0, 110.0]])
    found = with_intervals(("a", "b"), [[50, 60], [150, 160]], resampled, level=0.5)
    assert list(found) == ["a", "a_low", "a_high", "b", "b_low", "b_high"]
    assert [one.tolist() for one in found.values()] == [
        *([50, 60], [25, 35], [75, 85]),
        *([150, 160], [125, 135], [175, 185]),
    ]


def test_groups_with_one_true_value_differ_by_chance_at_the_stated_rate():
    """Of 4,000 sets of six equal groups a share p has a p-value below p; groups without an error do not count."""
    random = np.random.default_rng(0)
    errors = random.uniform(0.5, 3, size=(4000, 6))
    found = np.array([p_value_all_equal(random.normal(10, error), error) for error in errors])
    for share in (0.05, 0.5):
        assert (found < share).mean() == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / 4000))
    assert p_value_all_equal([1.0, 9.0, 5.0], [0.1, 0.1, np.nan]) < 1e-9
    assert np.isnan(p_value_all_equal([1.0, 9.0], [0.1, 0.0]))
