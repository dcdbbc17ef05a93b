"""Tables for readers: one label and one format for each column, whatever frame it comes from."""

import pandas as pd
import pytest

from crmlib import format as fmt
from crmlib.columns import COLUMNS, show_table
from crmlib.errors import CrmError
from crmlib.no_rows import no_rows

OF_COLUMNS = {"chance", "change", "day", "month", "flag", "name", "coefficient", "time", "by row", ""}
OF_TIME = {"D", "W", "M"}


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_has_a_label_without_underscores_and_a_unit(name):
    label, unit = COLUMNS[name]
    assert label or name == "entry"
    assert "_" not in label
    assert unit in {*fmt.UNITS, *OF_COLUMNS, *OF_TIME}


def cells(frame, **options):
    return [
        tuple(cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row)
        for row in show_table(frame, **options).rows
    ]


def test_each_kind_has_one_format():
    frame = pd.DataFrame(
        {
            "customer_id": ["007"],
            "orders": [69659],
            "net": [1234.5],
            "active_share": [0.4712],
            "p_alive": [0.004],
            "gap": [-0.011],
            "change_year": [0.125],
            "last_purchase": [pd.Timestamp("1998-06-30")],
            "silent": [1.84],
            "is_new": [True],
            "gini": [float("nan")],
            "month": [pd.Timestamp("1998-06-01")],
        }
    )
    assert cells(frame, currency="EUR", time_unit="M") == [
        ("007", "69,659", "EUR 1,234", "47 %", "under 1 %", "−1.1 points", "+12 %", "30 Jun 1998",
         "1.8 months", "yes", "not known", "Jun 1998")
    ]  # fmt: skip


def test_no_value_breaks_over_lines():
    frame = pd.DataFrame({"last_purchase": [pd.Timestamp("1998-06-30")], "net": [2.5], "silent": [3.0]})
    assert not any(" " in cell for cell in show_table(frame, currency="EUR").rows[0])


def test_an_interval_stands_with_its_estimate_and_loose_ends_in_one_column():
    frame = pd.DataFrame({"gini": [0.61], "gini_low": [0.54], "gini_high": [0.64]})
    assert cells(frame) == [("0.61 (0.54 to 0.64)",)]
    frame = pd.DataFrame({"retention": [0.61], "low": [0.54], "high": [0.64]})
    assert cells(frame) == [("61 %", "54 % to 64 %")]


def test_numbers_of_rows_are_hidden_and_names_of_rows_are_shown():
    frame = pd.DataFrame({"net": [1.0, 2.0]}, index=[7, 3])
    assert cells(frame) == [("1.00",), ("2.00",)]
    assert cells(frame.set_axis(pd.Index(["a", "b"], name="segment"))) == [("a", "1.00"), ("b", "2.00")]
    assert cells(frame.set_axis(["a", "b"])) == [("a", "1.00"), ("b", "2.00")]


def test_a_series_and_a_unit_by_row():
    totals = pd.Series({"customers": 2357.0, "gini": 0.61, "one_time_share": 0.35, "two_words": 3})
    assert cells(totals) == [
        ("customers", "2,357"), ("Gini", "0.61"), ("bought once", "35 %"), ("two words", "3")
    ]  # fmt: skip
    frame = pd.DataFrame({"measure": ["a", "b"], "value": [0.5, 7.0], "unit": ["share", "money"]})
    assert cells(frame, currency="EUR") == [("a", "50 %"), ("b", "EUR 7.00")]


def test_labels_and_units_can_be_given_and_columns_chosen():
    frame = pd.DataFrame({"net": [1.0], "spend_by_day": [0.5], "other": [1]})
    shown = show_table(
        frame, ["spend_by_day", "net"], labels={"net": "paid", "spend_by_day": ("a day", "share")}
    )
    assert [one.label for one in shown.columns] == ["a day", "paid"]
    assert shown.rows == (("50\N{NO-BREAK SPACE}%", "1.00"),)
    with pytest.raises(CrmError, match="there is no column 'nett'; did you mean 'net'"):
        show_table(frame, ["nett"])


def test_what_a_table_holds_is_text_and_never_html():
    shown = show_table(pd.DataFrame({"name": ["<script>x</script>"]}), labels={"name": "<b>"})._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "&lt;script&gt;" in shown


def test_the_first_rows_are_shown_and_how_many_there_are():
    shown = show_table(pd.DataFrame({"net": range(1200)}), rows=2)
    assert (len(shown.rows), shown.note) == (2, "2 of 1,200 rows")
    assert show_table(pd.DataFrame({"net": [1]})).note == ""
    assert len(show_table(pd.DataFrame({"net": range(1200)}), rows=None).rows) == 1200


def test_a_table_without_rows_says_why():
    assert repr(show_table(no_rows("net", "no table leads"))) == "Not measured: no table leads."
    assert show_table(no_rows("net", "no table leads"))._repr_html_() is None
