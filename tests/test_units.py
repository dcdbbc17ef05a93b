"""Units of time convert into each other and refuse what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.errors import CrmError
from crmlib.units import TimeUnit, length, periods


def test_units_add_up_to_each_other():
    assert TimeUnit.Y.days == 12 * TimeUnit.M.days == 4 * TimeUnit.Q.days == 365.25
    assert TimeUnit.D.days == 24 * TimeUnit.H.days


@given(st.sampled_from(list(TimeUnit)), st.sampled_from(list(TimeUnit)), st.integers(1, 500))
def test_a_length_is_the_same_time_in_every_unit(written, counted, number):
    assert periods(f"{number}{written}", counted) * counted.days == pytest.approx(number * written.days)


@pytest.mark.parametrize("text", ["", "12", "M12", "12 parsecs", "-3M"])
def test_a_text_without_number_and_unit_is_refused(text):
    with pytest.raises(CrmError, match="no length of time"):
        periods(text, "W")
    with pytest.raises(CrmError, match="no length of time"):
        length(text, "W")


def test_an_unknown_unit_is_refused_with_the_allowed_ones():
    with pytest.raises(CrmError, match="time_unit is 'fortnight'; allowed: H, D, W, M, Q, Y"):
        TimeUnit.parse("fortnight")
