"""What was not measured is left out of a page and said once; what holds no row, or some text, stays."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import crmlib as crm
from crmlib.columns import show_table
from crmlib.no_rows import no_rows
from crmlib.report import pages

CELLS = {
    "missing": show_table(pd.DataFrame({"month": [], "churn": []})),
    "rows": pd.DataFrame({"month": [1], "churn": [0.5]}),
    "unmeasured": no_rows(["month", "churn"], "no table subscriptions").tail(3).round(2),
    "too young": no_rows(["month"], "no month is complete by 2024-01-20"),
    "empty chart": crm.charts.waterfall(no_rows(["month", "start", "end"], "no table subscriptions")),
}


def shown(thing):
    """What a cell puts out that displays a frame or chart, or prints a text."""
    if isinstance(thing, str):
        return {"output_type": "stream", "name": "stdout", "text": thing}
    if hasattr(thing, "_repr_html_"):
        data = {"text/plain": repr(thing), "text/html": thing._repr_html_()}
        return {"output_type": "execute_result", "data": {kind: one for kind, one in data.items() if one}}
    data, about = thing._repr_mimebundle_()
    data["image/png"] = "iVBORw0KGgo="
    return {"output_type": "display_data", "data": data, "metadata": about}


@pytest.fixture
def page(tmp_path, monkeypatch):
    def render(*cells, absent_tables=()):
        notebook = []
        for one in cells:
            prose = isinstance(one, str)
            cell = {"cell_type": "markdown" if prose else "code", "metadata": {}}
            cell["source"] = one if prose else f"cell({len(notebook)})"
            notebook.append(cell if prose else {**cell, "outputs": [shown(thing) for thing in one]})
        (tmp_path / "one.ipynb").write_text(json.dumps({"cells": notebook}))
        monkeypatch.setattr(pages, "render", lambda _template, blocks, **_context: blocks)
        metrics = {"headline": "", "figures": {}, "absent_tables": list(absent_tables)}
        return pages.notebook_page(tmp_path / "one.ipynb", metrics=metrics, pages=set())

    return render


def text(blocks):
    return "\n".join(str(part) for one in blocks for part in [one.get("html", ""), *one.get("outputs", ())])


def test_a_section_without_anything_measured_becomes_a_line_at_the_end(page):
    blocks = page(
        "# A chapter",
        ["Shop: real data"],
        "## What was kept?\n\nOf the contracts.",
        [CELLS["unmeasured"]],
        [CELLS["empty chart"]],
        "And in money:",
        ["Churn model: not judged.", CELLS["unmeasured"]],
        "## And the others?",
        [CELLS["rows"]],
        absent_tables=["subscriptions", "leads"],
    )
    found = text(blocks)
    assert "Shop: real data" in found
    for gone in ("Of the contracts", "And in money", "not judged", "<figure>", "No month"):
        assert gone not in found
    assert found.count("subscriptions") == 1
    line = "Not measured: no table subscriptions, leads. Left out: “What was kept?”."
    assert found.rstrip().endswith(f'<p class="soft">{line}</p>')
    sources = [source for one in blocks for source in one.get("sources", ())]
    assert sources == ["cell(1)", "cell(3)", "cell(4)", "cell(6)", "cell(8)"]  # all can still be unfolded


def test_a_section_that_shows_something_keeps_its_heading(page):
    found = text(
        page(
            "## What was kept?",
            [CELLS["too young"]],
            "In other words:",
            [CELLS["rows"], CELLS["empty chart"]],
            "Then:",
            [CELLS["too young"]],
        )
    )
    assert "<h2>What was kept?</h2>" in found
    assert "In other words" in found
    assert "Then:" not in found
    assert "<figure>" not in found
    assert found.rstrip().endswith("Not measured: no month is complete by 2024-01-20.</p>")


def test_a_paragraph_without_code_does_not_keep_the_heading_above_it(page):
    blocks = page("## Buyers", [CELLS["unmeasured"], CELLS["empty chart"]], "**When this lies.** Always.")
    found = text(
        page("## Buyers\n\nOf 100, 30.", [CELLS["empty chart"]], "**When this lies.** Always.", "## Rest")
    )
    for one in (found, text(blocks)):
        assert "<h2>Buyers</h2>" not in one
        assert "Always." in one
    assert "Of 100" not in found
    assert "Left out: “Buyers”." in found


def test_a_table_without_a_row_is_left_out_and_a_text_stays(page):
    found = text(
        page(
            "## Rows set aside",
            [CELLS["missing"]],
            "## Needs",
            ["One category only.\n", CELLS["empty chart"]],
        )
    )
    assert "One category only." in found
    assert "Not measured" not in found
    assert found.rstrip().endswith("Left out: “Rows set aside”.</p>")


def test_a_reason_among_other_lines_goes_to_the_end(page):
    found = text(
        page("## Shop", ["As of today\nNot measured: the log is too short.\n"], "## Rest", [CELLS["rows"]])
    )
    assert "<p>As of today</p>" in found
    assert found.count("the log is too short") == 1
    assert found.rstrip().endswith("Not measured: the log is too short.</p>")
