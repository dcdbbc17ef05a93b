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
from crmlib.findings import Estimate, judge
from crmlib.study.results import NotebookResults, harmless


@pytest.fixture
def results(tmp_path):
    return NotebookResults("02_customer_base_audit", tmp_path, "EUR")


def written(results):
    return json.loads(
        (results.folder / "metrics" / "02_customer_base_audit.json").read_text(encoding="utf-8")
    )


def test_figures_are_plain_values(results):
    results.figure("a", Estimate(np.int64(7), "count"), label="customers")
    results.figure("b", Estimate(np.float64("nan"), "share"), label="margin")
    results.figure("c", Estimate(pd.Timestamp("2024-01-05 10:00"), "date"), label="last purchase")
    day = Estimate(dt.date(2024, 1, 5), "date")
    results.figure("d", day, label="as of", change=0.1, against="before")
    results.figure("e", judge("BG/NBD", [], "All is well."), label="verdict")
    values = [one["value"] for one in written(results)["figures"].values()]
    assert values == [7, None, "2024-01-05", "2024-01-05", "use"]


def test_a_figure_keeps_what_it_is_a_number_of(results):
    found = Estimate(0.3, "share", low=0.2, high=0.4, base="customers", window="2024")
    results.figure("a", found, label="came back")
    kept = written(results)["figures"]["a"]
    assert [kept[name] for name in ("low", "high", "level", "base", "window")] == [
        0.2,
        0.4,
        0.95,
        "customers",
        "2024",
    ]


def test_key_figures_are_lines_with_units_and_changes(results):
    revenue = Estimate(1234.5, "money")
    results.figure("a", revenue, label="revenue", change=-0.123, against="the month before")
    results.figure("b", Estimate(None, "share"), label="margin")
    results.figure("c", Estimate(0.3, "share", low=0.2, high=0.4), label="came back")
    assert results.key_figures().splitlines() == [
        "revenue    EUR 1,234; −12 % against the month before",
        "margin     not known",
        "came back  30 %; 20 % to 40 % (95 % interval)",
    ]


def test_an_unknown_unit_is_refused():
    with pytest.raises(CrmError, match="unit is 'euros'; allowed: count, money"):
        Estimate(1, "euros")


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


def test_a_spreadsheet_gets_no_noise_of_floats(results):
    results.table("owed", pd.DataFrame({"net": [9445.920000000002, 0.1 + 0.2, 1e-9]}), for_spreadsheet=True)
    lines = (results.folder / "tables" / "owed.csv").read_text(encoding="utf-8").split()
    assert lines == ["net", "9445.92", "0.3", "0.0"]
    assert pd.read_parquet(results.folder / "tables" / "owed.parquet")["net"].iloc[1] == 0.1 + 0.2


@given(st.lists(st.text(alphabet="=+-@|\t\r\n a1", max_size=6), min_size=1))
def test_no_text_starts_a_formula(texts):
    safe = harmless(pd.DataFrame({"customer_id": texts, "group": pd.Categorical(texts)}))
    for column in safe:
        assert not any(text.lstrip().startswith(("=", "+", "-", "@", "|")) for text in safe[column])
