"""What the charts of the pyramid say is so, whatever the frame says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib import charts
from crmlib import format as fmt
from crmlib.customers.sentences import (
    certainty_of_tiers,
    effort_beside_value,
    keys_of_allocation,
    moves_of_tiers,
    pyramid,
    ranks_compared,
    stayed_beside_chance,
    whale,
)  # fmt: skip
from tests.charts import frames
from tests.charts.looks import assert_described, assert_legible

few = settings(max_examples=10)
money = st.floats(-1e5, 1e5).map(lambda value: round(value, 2))
shares = st.floats(0, 1)


def four(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, min_size=4, max_size=4)


@few
@given(four(st.integers(0, 10_000)), four(money))
def test_the_pyramid_names_the_best_and_what_the_last_costs(
    customers: list[int], profit: list[float]
) -> None:
    table = frames.tier_rows(customers, profit)
    chart = charts.paired_shares(table, title := pyramid(table, "profit", "profit"), **frames.OF_TIERS)
    held = table[table["customers"] > 0]
    if held.empty:
        assert chart.empty
        assert title == ""
        return
    assert_legible(chart)
    first, last = held.iloc[0], held.iloc[-1]
    assert chart.title.startswith(f"{first['tier']}, {fmt.share(first['share_of_customers'])} of customers,")
    if np.isfinite(last["share_of_profit"]):
        assert ("reduces it by" in chart.title) == (last["share_of_profit"] < 0 and len(held) > 1)
    else:
        assert "all customers together bring none" in chart.title


@few
@given(st.lists(money, min_size=1, max_size=40))
def test_the_whale_says_how_much_is_lost_again(profits: list[float]) -> None:
    curve = frames.whale(profits)
    chart = charts.profit_whale(curve, whale(curve, "profit"), currency="USD")
    assert_legible(chart)
    assert_described(chart)
    lost = -sum(one for one in profits if one < 0)
    if lost > 0.01:
        assert fmt.money(lost, "USD") in chart.title
        assert " lose " in chart.title
    elif not lost:
        assert " lose " not in chart.title
    gained = sum(one for one in profits if one > 0)
    if lost > 0.01 and gained > lost + 1:
        assert fmt.share(gained / (gained - lost)) in chart.title


@few
@given(four(shares), four(shares))
def test_noise_and_change_stand_side_by_side(stayed: list[float], chance: list[float]) -> None:
    frame = frames.stays(stayed, chance)
    chart = charts.paired_shares(frame, stayed_beside_chance(frame), **frames.OF_STAYING)
    expected = f"{fmt.share(stayed[0])} of Platinum stayed; {fmt.share(chance[0])} are expected to stay if no customer"
    assert chart.title.startswith(f"{expected} changes (difference ")
    assert ("beyond chance" in chart.title) == (abs(stayed[0] - chance[0]) > 0.1)
    assert_legible(chart)


@few
@given(st.lists(shares, min_size=2, max_size=5))
def test_the_key_that_matters_most_is_named(moved: list[float]) -> None:
    frame = frames.allocations([0.0, *moved[1:]])
    chart = charts.tiers_by_allocation(frame, keys_of_allocation(frame))
    most = frame.iloc[1:]["share_changed"].max()
    if most:
        assert frame.iloc[1:].set_index("key")["share_changed"].idxmax() in chart.title
        assert fmt.share(most) in chart.title
    else:
        assert chart.title.startswith("No customer changes tier")


@few
@given(four(st.floats(0.01, 100)), four(st.floats(0.01, 100)))
def test_effort_names_who_gets_most_beyond_value(value: list[float], effort: list[float]) -> None:
    table = frames.efforts(value, effort)
    beyond = table["share_of_effort"] - table["share_of_value"]
    title = effort_beside_value(table)
    if beyond.max() < 0.01:
        assert title == "Each tier gets service in proportion to its value"
    else:
        row = table.loc[beyond.idxmax()]
        assert title.startswith(f"{row['tier']} takes {fmt.share(row['share_of_effort'])} of the service")


@few
@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_flows_say_who_is_at_the_top_again(stayed: int, fell: int, gone: int) -> None:
    counts = np.zeros((5, 5), dtype=int)
    counts[0, [0, 2, 4]] = stayed, fell, gone
    counts[2, 2] = 10
    matrix = frames.tier_moves(counts)
    chart = charts.migration(matrix, moves_of_tiers(matrix))
    assert_legible(chart)
    best = "Platinum" if stayed + fell + gone else "Iron"
    share = stayed / (stayed + fell + gone) if stayed + fell + gone else 1.0
    assert chart.title == f"Of {best}, {fmt.share(share)} are {best} again in the next period"


@few
@given(st.permutations(range(20)))
def test_who_buys_most_and_brings_least(profits: list[int]) -> None:
    title = ranks_compared(frames.ranks([float(one) for one in profits]))
    poor = sum(one < 10 for one in profits[:2]) / 2
    assert f"{fmt.share(poor)} are in the lower half after costs" in title


@few
@given(four(four(st.floats(0.01, 1))))
def test_certainty_names_the_best_and_the_least_sure(chances: list[list[float]]) -> None:
    frame = frames.certainty([[one / sum(row) for one in row] for row in chances])
    chart = charts.tier_certainty(
        frame, certainty_of_tiers(frame.rename_axis("tier").reset_index().assign(right=np.diag(frame)))
    )
    right = np.diag(frame)
    assert chart.title.startswith(
        f"A customer measured as Platinum is Platinum with probability {fmt.share(right[0])}"
    )
    assert ("lowest for" in chart.title) == (right.argmin() > 0)
    assert fmt.share(right.min()) in chart.title
