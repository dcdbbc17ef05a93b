"""The parts of a change: they add up, and are those of the definitions."""

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.customers.audit.period_change import decompose_change

positive = st.floats(1e-3, 1e4)
any_value = st.sampled_from([0.0, -2.5, -0.1, 0.3, 1.0, 7.0, 250.0])
NAMES = ["customers", "active", "frequency", "spend", "margin"]


def pairs(values):
    return st.integers(1, 5).flatmap(
        lambda n: st.tuples(
            st.lists(values, min_size=n, max_size=n), st.lists(values, min_size=n, max_size=n)
        )
    )


def decomposed(start, end):
    names = NAMES[: len(start)]
    return decompose_change(dict(zip(names, start, strict=True)), dict(zip(names, end, strict=True)))


@given(pairs(st.one_of(positive, any_value)))
def test_effects_add_up_to_the_change(both):
    start, end = both
    effects = decomposed(start, end)["effect"]
    change = math.prod(end) - math.prod(start)
    scale = max(abs(math.prod(start)), abs(math.prod(end)), effects.abs().max())
    assert math.fsum(effects) == pytest.approx(change, abs=1e-9 * scale)


@given(pairs(any_value))
def test_shapley_is_the_mean_over_all_orders(both):
    start, end = both
    found = decomposed(start, end)
    if found["weights"][0] != "Shapley":
        assert min(start + end) > 0
        return
    orders = list(permutations(range(len(start))))
    gains = [0.0] * len(start)
    for order in orders:
        now = list(start)
        for one in order:
            before = math.prod(now)
            now[one] = end[one]
            gains[one] += math.prod(now) - before
    assert found["effect"].tolist() == pytest.approx([gain / len(orders) for gain in gains], abs=1e-6)


@given(pairs(positive))
def test_the_order_of_factors_does_not_matter(both):
    start, end = both
    effects = decomposed(start, end)["effect"].tolist()
    turned = decomposed(start[::-1], end[::-1])["effect"].tolist()[::-1]
    scale = max(math.prod(start), math.prod(end), *map(abs, effects))
    assert effects == pytest.approx(turned, abs=1e-9 * scale)


def test_logarithmic_mean_weights_by_hand():
    found = decompose_change({"customers": 100, "spend": 20}, {"customers": 200, "spend": 20})
    assert found["effect"].tolist() == pytest.approx([2000, 0])
    mean = (1980 - 2000) / math.log(1980 / 2000)
    found = decompose_change({"customers": 100, "spend": 20}, {"customers": 110, "spend": 18})
    assert found["effect"].tolist() == pytest.approx([mean * math.log(1.1), mean * math.log(0.9)])


def test_a_factor_that_falls_to_nothing_takes_it_all():
    found = decompose_change({"customers": 10, "spend": 5}, {"customers": 0, "spend": 5})
    assert found["effect"].tolist() == [-50, 0]
    assert found["weights"][0] == "Shapley"


def test_factors_that_change_without_changing_the_whole():
    found = decompose_change({"a": 2.0, "b": 3.0}, {"a": 3.0, "b": 2.0})
    assert found["effect"].sum() == pytest.approx(0, abs=1e-12)
    assert found["effect"][0] > 0 > found["effect"][1]
