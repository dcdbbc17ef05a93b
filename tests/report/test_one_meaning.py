"""One name means one number over a whole report, and every value on a page is written for people."""

from __future__ import annotations

import shutil
import subprocess

import pandas as pd
import pytest

from crmlib.columns import COLUMNS
from crmlib.study.places import find_study
from crmlib.study.results import FIGURES
from tests.report.conftest import RUN_CRM
from tests.report.faults import NAMED, PROFIT, contradictions, faults_of, faults_on, how_tested

# Bundled studies whose tables are in the repository and small; that of purchases is in test_pages, and the others are
# for python -m tests.report.faults. What a page shows of 1,000 customers it shows of all of them.
STUDIES = ["telco", "churn-5000"]


@pytest.mark.parametrize("study", STUDIES)
def test_no_page_contradicts_another_and_none_shows_a_raw_value(study, tmp_path):
    folder = shutil.copytree(find_study(study).parent, tmp_path / "data" / study)
    pd.read_csv(folder / "customers.csv.gz").head(1000).to_csv(folder / "customers.csv.gz", index=False)
    done = subprocess.run(
        [*RUN_CRM, "report", str(folder / "study.yaml")],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    faults = faults_of(tmp_path / "reports" / study / "latest")
    assert not faults, "\n".join(faults)


def test_no_label_speaks_of_a_profit_after_unnamed_costs():
    labels = [*(column.label for column in COLUMNS.values()), *(one["label"] for one in FIGURES.values())]
    assert not [label for label in labels if PROFIT.search(label)]


def figure(**changed):
    about = {"label": "a", "quantity": "q", "base": "b", "window": "w", "rule": "r", "value": 1.0}
    return about | changed


@pytest.mark.parametrize(
    ("other", "contradict"),
    [
        ({"label": "b"}, False),  # the same, and equal
        ({"label": "b", "value": 2.0}, True),
        ({"label": "b", "value": 1.0 + 1e-12}, False),
        ({"value": None, "rule": "another"}, True),  # one label
        ({"label": "b", "window": "another", "value": 2.0}, False),
    ],
)
def test_two_figures_of_one_meaning_or_one_label_are_equal(other, contradict):
    metrics = {"01": {"figures": {"x": figure()}}, "02": {"figures": {"y": figure(**other)}}}
    assert bool([*contradictions(metrics)]) == contradict


TABLE = "<table><thead><tr><th>{head}</th></tr></thead><tbody>{rows}</tbody></table>"


@pytest.mark.parametrize(
    "page",
    [
        "<p>share_of_customers</p>", "<p>ProgrammeLiability(members=1016)</p>", "<td>NaN</td>", "<p>None</p>",
        "<p>0.12345</p>", "<p>No data to draw</p>",
        TABLE.format(head="", rows="".join(f"<tr><th>{n}</th></tr>" for n in range(3))),
        TABLE.format(head="P(alive)", rows="<tr><td>0.00</td></tr>"),
        TABLE.format(head="last bought", rows="<tr><td>30 Jun 1998</td></tr>"),
        TABLE.format(head="share", rows="<tr><td>47 %</td></tr>"),
        TABLE.format(head="share of profit", rows=""), '<img alt="Bars of share of profit.">',
    ],
)  # fmt: skip
def test_each_fault_is_found(page):
    assert [*faults_on(page)]


@pytest.mark.parametrize(
    "page",
    [
        "<p>47 % of customers; none of it; None of them came.</p>", "<p><code>share_of_customers</code></p>",
        '<p><a href="tables/month_review.csv">month_review.csv</a></p>', "<p>0.123, not 1,234.567</p>",
        '<img alt="“80 % more profit” cannot be tested."><img alt="Profit of the campaign, USD.">',
        TABLE.format(head="orders", rows="<tr><td>0</td></tr><tr><td>2</td></tr>"),
        TABLE.format(head="last bought", rows="<tr><td>30\N{NO-BREAK SPACE}Jun\N{NO-BREAK SPACE}1998</td></tr>"),
        TABLE.format(head="P(alive)", rows="<tr><td>under 1\N{NO-BREAK SPACE}%</td></tr>"),
    ],
)  # fmt: skip
def test_what_is_written_for_people_is_let_be(page):
    assert not [*faults_on(page)]


APART = {"value": 0.1, "low": 0.05, "high": 0.15, "unit": "points", "currency": ""}


@pytest.mark.parametrize(
    ("title", "difference", "found"),
    [
        ("Members buy more than others", APART, "difference 5 points to 15 points"),
        ("Members buy more than others", None, ""),
        ("Contract matters most", None, ""),
        ("Revenue fell by 3 %", None, ""),
        ("Contract and tenure matter most; which of them more is within chance", None, "in its words"),
        ("The best 10 % of customers bring 43 % of revenue", None, NAMED),
        ("Half of the customers came back", None, NAMED),
    ],
)
def test_a_title_that_compares_says_how_it_was_tested(title, difference, found):
    assert how_tested(title, difference) == found
