"""One number is spelt in one way, by one function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib import format as fmt


@given(st.floats(0, 1))
def test_a_share_never_rounds_to_all_or_nothing(value: float) -> None:
    text = fmt.share(value)
    assert (text == "100 %") == (value == 1)
    assert (text == "0 %") == (value == 0)


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_money_is_within_its_rounding(value: float) -> None:
    sign, _, text = fmt.money(value, "USD").partition("USD ")
    amount, _, unit = text.partition(" ")
    read = float(amount.replace(",", "")) * {"": 1.0, "million": 1e6, "billion": 1e9}[unit]
    assert read == pytest.approx(abs(value), abs=0.5 if abs(value) > 100 else 0.006, rel=0.006)
    assert sign == ("−" if value < 0 else "")
