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
from crmlib.findings import Estimate, Reason, judge
from crmlib.report.notebooks import read_notebooks
from crmlib.study.published import cards
from crmlib.study.results import FIGURES, NotebookResults, harmless
from tests.notebooks.refresh import NOTEBOOKS

AUDIT = "02_customer_base_audit"


@pytest.fixture
def results(tmp_path):
    return NotebookResults(AUDIT, tmp_path, "EUR", as_of=dt.date(2024, 1, 5))


def written(results):
    return json.loads((results.folder / "metrics" / f"{results.notebook}.json").read_text(encoding="utf-8"))


def published(results, key):
    return written(results)["figures"][key]


# -- the registry of figures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", FIGURES)
def test_every_figure_says_what_it_is(key):
    about = FIGURES[key]
    assert set(about) - {"page_one", "page_one_of_contracts"} == {
        "notebook",
        "label",
        "quantity",
        "base",
        "window",
        "rule",
        "unit",
    }
    assert all(about[name] for name in about if name != "rule")
    assert about["notebook"] in {one.name for one in read_notebooks(NOTEBOOKS)}
    assert about.get("page_one", 1) in range(1, 6)


def test_no_two_figures_have_one_label_or_one_meaning():
    texts = [tuple(one[name] for name in ("quantity", "base", "window", "rule")) for one in FIGURES.values()]
    assert len(set(texts)) == len(texts)
    assert len({one["label"] for one in FIGURES.values()}) == len(FIGURES)


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_publishes_its_own_figures(notebook):
    code = notebook.read_text(encoding="utf-8")
    for key, about in FIGURES.items():
        assert (f'figure(\\"{key}\\",' not in code) or about["notebook"] == notebook.stem


def test_an_unknown_figure_names_the_nearest(results):
    with pytest.raises(CrmError, match="no figure 'custmers' in figures.toml; did you mean 'customers'"):
        results.figure("custmers", Estimate(7, "count"))


def test_a_figure_of_another_notebook_is_read_and_not_published_again(results):
    with pytest.raises(CrmError, match="best_segment belongs to 03_segments; read it with study.figures"):
        results.figure("best_segment", Estimate(0.2, "share"))


def test_a_figure_without_its_window_or_a_word_of_its_label_or_in_another_unit_is_refused(results):
    with pytest.raises(CrmError, match="figure active_customers: its window is missing; give it as Estimate"):
        results.figure("active_customers", Estimate(7, "count"))
    with pytest.raises(CrmError, match="figure top_10: figures.toml asks for a word 'value'"):
        results.figure("top_10", Estimate(0.4, "share", window="12 months"))
    with pytest.raises(CrmError, match="figure customers: its unit is 'share'; figures.toml has 'count'"):
        results.figure("customers", Estimate(0.4, "share"))


def test_its_texts_are_filled_from_the_estimate_the_study_and_the_words(results):
    results.figure("top_10", Estimate(0.4, "share", window="12 months"), value="revenue")
    results.figure("customers", Estimate(7, "count"), assumed=True)
    kept = published(results, "top_10")
    assert kept["label"] == "revenue in 12 months from the best 10 % of customers"
    assert (kept["quantity"], kept["window"]) == ("share of revenue from the best 10 %", "12 months")
    kept = published(results, "customers")
    assert (kept["label"], kept["assumed"]) == ("customers who ever bought (assumed)", True)
    assert kept["window"] == "up to 5 January 2024"


def test_figures_are_plain_values(results, monkeypatch):
    units = {"customers": "count", "one_time": "share", "active_customers": "date", "top_10": "text"}
    for key, unit in units.items():
        monkeypatch.setitem(FIGURES, key, FIGURES[key] | {"unit": unit})
    known = {"window": "2024"}
    results.figure("customers", Estimate(np.int64(7), "count"))
    results.figure("one_time", Estimate(np.float64("nan"), "share"))
    results.figure("active_customers", Estimate(pd.Timestamp("2024-01-05 10:00"), "date", **known))
    results.figure("top_10", judge("BG/NBD", [], "All is well."), window="2024", value="revenue")
    values = [one["value"] for one in written(results)["figures"].values()]
    assert values == [7, None, "2024-01-05", "use"]


def test_a_figure_keeps_its_interval(results):
    results.figure("one_time", Estimate(0.3, "share", low=0.2, high=0.4, window="2024"))
    kept = published(results, "one_time")
    assert [kept[name] for name in ("low", "high", "level")] == [0.2, 0.4, 0.95]


def test_key_figures_are_lines_with_units_and_changes(results):
    revenue = Estimate(1234.5, "money", window="May 2024")
    results.figure(
        "month_value",
        revenue,
        change=Estimate(-0.123, "change", -0.2, -0.05),
        against="the month before",
        value="revenue",
    )
    results.figure("one_time", Estimate(None, "share"), window="2024")
    results.figure("second_purchase", Estimate(0.3, "share", 0.2, 0.4, base="a", window="b"), days="90")
    assert results.key_figures().splitlines() == [
        "revenue in May 2024                       EUR 1,234; −12 % (−20 % to −5 %) against the month before",
        "active customers who bought once in 2024  not known",
        "bought a second time within 90 days       30 %; 20 % to 40 % (95 % interval)",
    ]


def test_cards_come_in_their_order_with_what_stands_beside_them(results, tmp_path):
    month = {"window": "May 2024"}
    results.figure("active_customers", Estimate(7, "count", **month))
    results.figure("month_value", Estimate(10.0, "money", **month), value="revenue")
    results.figure("month_against_budget", Estimate(0.1, "change", **month), value="revenue")
    results.figure("month_new_customers", Estimate(None, "count", **month))
    shown = [[one["value"] for one in card] for card in cards({AUDIT: written(results)})]
    assert shown == [[10.0, 0.1], [7]]


def test_a_chapter_not_to_be_used_refuses_what_its_model_says_and_not_what_was_counted(tmp_path):
    unfit = judge("BG/NBD", [Reason("do not use", "It predicts 45 % fewer purchases than the 900.")], "")
    churn = NotebookResults("05_churn", tmp_path, "EUR", as_of=dt.date(2024, 1, 5))
    about = {"base": "contracts", "window": "3 months"}
    churn.figure("churn_rate", Estimate(0.2, "share", **about))
    churn.figure("churn_lift", Estimate(3.0, "ratio", **about))
    churn.figure("churn_verdict", Estimate("do not use", "text", **about))
    why = "Not usable: BG/NBD. It predicts 45 % fewer purchases than the 900."
    assert churn.headline("20 % left.", figure=unfit) == why
    found = [[one["refused"] for one in card] for card in cards({"05_churn": written(churn)})]
    assert found == [[""], [why, ""]]
    assert churn.headline("20 % left.", figure=judge("BG/NBD", [], "All is well.")) == "20 % left."
    assert not any(one["refused"] for card in cards({"05_churn": written(churn)}) for one in card)


def test_an_unknown_unit_is_refused():
    with pytest.raises(CrmError, match="unit is 'euros'; allowed: count, money"):
        Estimate(1, "euros")


# -- the headline and the advice ---------------------------------------------------------------------------------------


def test_a_headline_comes_with_two_words_or_none(results):
    assert results.headline("", "Revenue fell.", business="worse", figure="use") == "Revenue fell."
    kept = written(results)
    assert (kept["headline"], kept["business"], kept["figure"]) == ("Revenue fell.", "worse", "use")
    assert results.headline("", "") == "The data hold too little for a finding of this chapter."
    with pytest.raises(CrmError, match="headline: business is 'bad'"):
        results.headline("Revenue fell.", business="bad")


def test_advice_is_given_where_its_condition_holds(results):
    given = results.advice({"Call.": np.True_, "Write.": 0 > 1, "Wait.": None, "Ask.": np.nan, "Read.": True})
    assert given.data == "- Call.\n- Read."
    assert written(results)["advice"] == ["Call.", "Read."]


# -- tables ------------------------------------------------------------------------------------------------------------


def test_a_table_reads_back_as_it_was_and_shows_where_it_is(results, monkeypatch):
    monkeypatch.setenv("CRMLIB_RUN_DIR", str(results.folder))
    frame = pd.DataFrame({"customer_id": ["00012", "=1"], "net": [1.5, -2.0]})
    shown = results.table("best", frame, rows=1)
    pd.testing.assert_frame_equal(pd.read_parquet(results.folder / "tables" / "best.parquet"), frame)
    with (results.folder / "tables" / "best.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["customer_id", "net"], ["00012", "1.5"], ["'=1", "-2.0"]]
    assert written(results)["tables"] == {"best": {"rows": 2, "columns": ["customer_id", "net"]}}
    assert shown.note == '1 of 2 rows; all of them: <a href="../tables/best.csv">best.csv</a>'


def test_a_table_without_rows_makes_no_file(results):
    shown = results.table("best", pd.DataFrame({"customer_id": []}))
    assert repr(shown) == "There is no such row."
    assert not (results.folder / "tables").exists()
    assert written(results)["tables"]["best"]["rows"] == 0


def test_the_order_of_a_sorted_frame_makes_no_column(results):
    frame = pd.DataFrame({"net": [1.0, 2.0]}).sort_values("net", ascending=False)
    results.table("best", frame)
    assert pd.read_parquet(results.folder / "tables" / "best.parquet").columns.tolist() == ["net"]


def test_a_spreadsheet_gets_numbers_without_the_noise_of_floats(results):
    frame = pd.DataFrame(
        {"net": [9445.920000000002, 0.1 + 0.2], "chance": [0.123456789, 1e-9], "days": [3, 4]}
    )
    results.table("best", frame)
    rows = (results.folder / "tables" / "best.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1:] == ["9445.92,0.123457,3", "0.3,0.0,4"]
    pd.testing.assert_frame_equal(pd.read_parquet(results.folder / "tables" / "best.parquet"), frame)


@given(st.lists(st.text(alphabet="=+-@|\t\r\n a1", max_size=6), min_size=1))
def test_no_text_starts_a_formula(texts):
    safe = harmless(pd.DataFrame({"customer_id": texts, "group": pd.Categorical(texts)}))
    for column in safe:
        assert not any(text.lstrip().startswith(("=", "+", "-", "@", "|")) for text in safe[column])
