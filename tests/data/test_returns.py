"""Which purchase a return undoes, compared with a plain row-by-row implementation."""

from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlib.data.cleaning.returns import match_returns
from crmlib.data.sources import open_table

DAY_ZERO = datetime(2024, 1, 1)


def log(rows):
    """A log of (customer, day, amount, product) and perhaps order."""
    frame = pd.DataFrame(
        [
            (i, c, DAY_ZERO + timedelta(days=d), float(a), p, order[0] if order else None)
            for i, (c, d, a, p, *order) in enumerate(rows)
        ],
        columns=["source_row", "customer_id", "date", "amount", "product", "order_id"],
    )
    return frame.astype(
        {
            "source_row": "int64",
            "customer_id": "string",
            "date": "datetime64[us]",
            "amount": float,
            "product": "string",
            "order_id": "string",
        }
    )


def matched(frame, **options):
    """Each matched row's (reversed_on, returned_purchase_date), in days since the start."""
    found = match_returns(open_table(frame), **options).to_pandas()
    assert not found["source_row"].duplicated().any()

    def days(column):
        return [None if pd.isna(one) else (one - DAY_ZERO).days for one in found[column]]

    return dict(
        zip(
            found["source_row"],
            zip(days("reversed_on"), days("returned_purchase_date"), strict=True),
            strict=True,
        )
    )


def by_hand(frame):
    """The rule of the docstring, row by row: pairs within an order, other pairs, the rest."""
    rows = frame.assign(is_return=frame["amount"] < 0).sort_values(["date", "is_return", "source_row"])
    rows = [row._asdict() | {"day": (row.date - DAY_ZERO).days, "gone": None} for row in rows.itertuples()]
    out, purchases = {}, [row for row in rows if not row["is_return"]]

    def named(row):
        return None if pd.isna(row["order_id"]) else (row["customer_id"], row["order_id"])

    def pair(some, key):
        open_ones = {}
        for row in some:
            stack = open_ones.setdefault(key(row), [])
            if not row["is_return"]:
                stack.append(row)
            elif stack:
                bought = stack.pop()
                bought["gone"] = row["day"]
                out[bought["source_row"]] = (row["day"], None)
                out[row["source_row"]] = (None, bought["day"])

    def same(row):
        return (row["customer_id"], row["product"], abs(row["amount"]))

    pair([row for row in rows if named(row)], lambda row: (named(row), same(row)))
    orders = {named(row) for row in purchases} - {None}
    rest = [row for row in rows if row["source_row"] not in out]
    pair([row for row in rest if not (row["is_return"] and named(row) in orders)], same)
    for row in rows:
        if row["is_return"] and row["source_row"] not in out:
            standing = [
                one
                for one in purchases
                if one["customer_id"] == row["customer_id"]
                and one["day"] <= row["day"]
                and (one["gone"] is None or one["gone"] > row["day"])
            ]
            own = [one for one in standing if named(row) and named(one) == named(row)]
            if standing:
                out[row["source_row"]] = (None, max(one["day"] for one in own or standing))
    return out


def test_a_return_undoes_the_latest_purchase_first():
    frame = log([("a", 0, 50, None), ("a", 1, 50, None), ("a", 2, -50, None)])
    assert matched(frame) == {1: (2, None), 2: (None, 1)}


def test_one_return_undoes_one_purchase():
    frame = log([("a", 0, 50, None), ("a", 2, -50, None), ("a", 3, -50, None)])
    assert matched(frame) == {0: (2, None), 1: (None, 0)}


def test_a_partial_return_reduces_the_latest_purchase():
    frame = log([("a", 0, 50, None), ("a", 4, 30, None), ("a", 5, -20, None)])
    assert matched(frame) == {2: (None, 4)}


def test_a_return_before_any_purchase_touches_nothing():
    frame = log([("a", 1, -50, None), ("a", 2, 50, None)])
    assert matched(frame) == {}


def test_another_product_is_not_undone():
    frame = log([("a", 0, 50, "hat"), ("a", 1, 50, "bag"), ("a", 2, -50, "hat")])
    assert matched(frame) == {0: (2, None), 2: (None, 0)}


def test_another_customer_is_not_undone():
    frame = log([("a", 0, 50, None), ("b", 1, -50, None)])
    assert matched(frame) == {}


def test_a_purchase_counts_until_the_day_of_its_return():
    # The partial return of day 2 comes while the purchase of day 1 still stands.
    frame = log([("a", 0, 40, None), ("a", 1, 50, None), ("a", 2, -5, None), ("a", 3, -50, None)])
    assert matched(frame) == {1: (3, None), 2: (None, 1), 3: (None, 1)}


def test_a_return_that_names_its_order_undoes_that_order():
    bought = [("a", 0, 20, None, "A"), ("a", 60, 20, None, "B"), ("a", 240, 15, None, "C")]
    assert matched(log([*bought, ("a", 75, -20, None, "A")])) == {0: (75, None), 3: (None, 0)}


def test_a_part_of_an_order_reduces_that_order_and_no_other():
    bought = [("a", 0, 50, None, "A"), ("a", 1, 20, None, "B")]
    assert matched(log([*bought, ("a", 2, -20, None, "A")])) == {2: (None, 0)}
    # B goes back in full on the same day: what came off A does not vanish with it.
    back = [("a", 2, -20, None, "A"), ("a", 2, -20, None, "B")]
    assert matched(log([*bought, *back])) == {1: (2, None), 2: (None, 0), 3: (None, 1)}


def test_a_return_with_a_number_of_its_own_is_matched_by_amount():
    frame = log([("a", 0, 20, None, "A"), ("a", 60, 20, None, "B"), ("a", 75, -20, None, "R1")])
    assert matched(frame) == {1: (75, None), 2: (None, 60)}


def test_without_matching_every_return_only_reduces_spend():
    frame = log([("a", 0, 50, None), ("a", 2, -50, None)])
    assert matched(frame, in_full=False) == {1: (None, 0)}


# Many customers in one log: a query costs the same for one as for eight.
events = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),
        st.integers(0, 12),
        st.sampled_from([10, 20, -10, -20, -5]),
        st.sampled_from(["hat", "bag"]),
        st.sampled_from([None, None, "A", "B", "C"]),
    ),
    min_size=1,
    max_size=90,
)


@settings(max_examples=9)
@given(events)
def test_matching_equals_the_rule_applied_row_by_row(rows):
    frame = log(rows)
    assert matched(frame) == by_hand(frame)


@pytest.mark.thorough
@settings(max_examples=6)
@given(events, st.integers(0, 12))
def test_later_rows_do_not_change_the_result_for_an_earlier_day(rows, cut):
    """A log cut off at a day gives the same result for that day as the whole log."""
    frame = log(rows)
    until = frame[frame["date"] <= DAY_ZERO + timedelta(days=cut)]
    seen = matched(until)
    whole = {
        row: (on if on is not None and on <= cut else None, back)
        for row, (on, back) in matched(frame).items()
        if row in set(until["source_row"])
    }
    assert {row: pair for row, pair in whole.items() if pair != (None, None)} == seen


@pytest.mark.parametrize("times", [1, 3])
def test_a_long_run_of_returns_pairs_one_to_one(times):
    frame = log([("a", i, 10, None) for i in range(times)] + [("a", 20 + i, -10, None) for i in range(times)])
    found = matched(frame)
    assert sum(on is not None for on, _back in found.values()) == times
