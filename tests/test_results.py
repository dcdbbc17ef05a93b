"""What a notebook publishes: figures in plain JSON, tables whole, and nothing that a spreadsheet runs."""

import csv
import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.errors import CrmError
from crmlib.results import NotebookResults, harmless


@pytest.fixture
def results(tmp_path):
    return NotebookResults("02_customer_base_audit", tmp_path, "EUR")


def written(results):
    return json.loads(
        (results.folder / "metrics" / "02_customer_base_audit.json").read_text(encoding="utf-8")
    )


def test_figures_are_plain_values(results):
    results.figure("a", np.int64(7), label="customers", unit="count")
    results.figure("b", np.float64("nan"), label="margin", unit="share")
    results.figure("c", pd.Timestamp("2024-01-05 10:00"), label="last purchase", unit="date")
    results.figure("d", dt.date(2024, 1, 5), label="as of", unit="date", change=0.1, against="before")
    values = [one["value"] for one in written(results)["figures"].values()]
    assert values == [7, None, "2024-01-05", "2024-01-05"]


def test_key_figures_are_lines_with_units_and_changes(results):
    results.figure("a", 1234.5, label="revenue", unit="money", change=-0.123, against="the month before")
    results.figure("b", None, label="margin", unit="share")
    assert results.key_figures().splitlines() == [
        "revenue  EUR 1,234 (−12 % against the month before)",
        "margin   not known",
    ]


def test_an_unknown_unit_is_refused(results):
    with pytest.raises(CrmError, match="figure 'a': unit is 'euros'; allowed: count, money"):
        results.figure("a", 1, label="x", unit="euros")


def test_a_table_reads_back_as_it_was(results):
    frame = pd.DataFrame({"customer_id": ["00012", "=1"], "net": [1.5, -2.0]})
    results.table("best", frame, for_spreadsheet=True)
    pd.testing.assert_frame_equal(pd.read_parquet(results.folder / "tables" / "best.parquet"), frame)
    with (results.folder / "tables" / "best.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["customer_id", "net"], ["00012", "1.5"], ["'=1", "-2.0"]]
    assert written(results)["tables"] == {"best": {"rows": 2, "columns": ["customer_id", "net"]}}


def test_a_spreadsheet_gets_numbers_without_the_noise_of_floats(results):
    frame = pd.DataFrame(
        {"net": [9445.920000000002, 0.1 + 0.2], "chance": [0.123456789, 1e-9], "days": [3, 4]}
    )
    results.table("best", frame, for_spreadsheet=True)
    rows = (results.folder / "tables" / "best.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1:] == ["9445.92,0.123457,3", "0.3,0.0,4"]
    pd.testing.assert_frame_equal(pd.read_parquet(results.folder / "tables" / "best.parquet"), frame)


@given(st.lists(st.text(alphabet="=+-@|\t\r\n a1", max_size=6), min_size=1))
def test_no_text_starts_a_formula(texts):
    safe = harmless(pd.DataFrame({"customer_id": texts, "group": pd.Categorical(texts)}))
    for column in safe:
        assert not any(text.lstrip().startswith(("=", "+", "-", "@", "|")) for text in safe[column])
