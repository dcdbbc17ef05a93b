"""Sums of the engine do not depend on the order of rows or threads."""

from __future__ import annotations

import math
import random

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.data.engine import engine

# Amounts that nearly cancel leave digits of their own noise in the sum.
CENTS = st.lists(st.integers(-1_000_000, 10_000_000), min_size=1, max_size=60).filter(
    lambda cents: sum(map(abs, cents)) <= 40 * abs(sum(cents))
)


def totals(values: list[float]) -> dict[str, float]:
    table = ibis.memtable(pd.DataFrame({"x": values, "kept": [value > 0 for value in values]}))
    x = table.x
    asked = table.agg(sum=x.sum(), mean=x.mean(), some=x.sum(where=table.kept), spread=x.std(how="sample"))
    return engine().to_pyarrow(asked).to_pylist()[0]


@settings(max_examples=30)
@given(CENTS, st.randoms(use_true_random=False))
def test_a_sum_is_the_same_in_every_order_and_prints_as_money(cents, dice):
    values = [one / 100 for one in cents]
    shuffled = dice.sample(values, len(values))
    found = totals(values)
    assert found == totals(shuffled)
    assert found["sum"] == sum(cents) / 100
    assert found["mean"] == pytest.approx(math.fsum(values) / len(values), abs=1e-9)


def test_a_large_log_has_one_total_whatever_the_threads():
    dice = random.Random(5)
    table = ibis.memtable(pd.DataFrame({"x": [round(dice.expovariate(0.02), 2) for _ in range(300_000)]}))
    connection, found = engine(), set()
    before = connection.raw_sql("SELECT current_setting('threads')").fetchone()[0]
    for threads in (1, 2, 3):
        connection.raw_sql(f"SET threads = {threads}")
        found.add(connection.execute(table.x.sum()))
    connection.raw_sql(f"SET threads = {before}")
    assert len(found) == 1
    assert found.pop() == math.fsum(table.execute()["x"])


def test_windows_booleans_and_nulls_are_summed_as_before():
    table = ibis.memtable(
        {"g": ["a", "a", "b"], "x": [0.1, 0.2, 5.0], "n": [1, 2, 3], "yes": [True, False, True]}
    )
    over = table.mutate(
        run=table.x.sum(where=table.yes).over(ibis.cumulative_window(order_by=table.n)),
        mean=table.x.mean().over(group_by=table.g),
        spread=table.x.std().over(group_by=table.g),
        count=table.n.sum().over(group_by=table.g),
    ).order_by("n")
    rows = engine().to_pyarrow(over).to_pylist()
    assert [row["run"] for row in rows] == [0.1, 0.1, 5.1]
    assert [row["mean"] for row in rows] == [pytest.approx(0.15), pytest.approx(0.15), 5.0]
    assert [row["count"] for row in rows] == [3, 3, 3]
    nothing = table.filter(table.n > 5)
    assert engine().to_pyarrow(nothing.agg(s=nothing.x.sum(), m=nothing.x.mean())).to_pylist() == [
        {"s": None, "m": None}
    ]
    assert engine().execute(table.yes.mean()) == pytest.approx(2 / 3)
