"""The pages: nothing from outside, nothing hostile alive, readable on a phone, in order for a screen reader."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from crmlib.report import pages as pages_module
from crmlib.report import publish
from crmlib.report.outcomes import Outcome
from crmlib.report.plan import plan_report
from tests.notebooks.refresh import CHECKED, NOTEBOOKS

from . import chromium
from .conftest import RUN_CRM
from .faults import faults_of

HOSTILE = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"]
WIDTHS = [390, 1280]
A4_WIDTH = 688  # pixels: 210 mm less the margins of 14 mm


@pytest.fixture(scope="module")
def browser():
    if chromium.executable() is None:
        assert not os.environ.get("CRMLIB_REQUIRE_BROWSER"), (
            "no Chromium here, and CRMLIB_REQUIRE_BROWSER asks for it"
        )
        pytest.skip("there is no Chromium on this system")
    with chromium.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def axe(browser):
    """axe-core as the package axe-core-python brings it: what it finds wrong in the page that is open."""
    found = find_spec("axe_core_python")
    if found is None:
        assert not os.environ.get("CRMLIB_REQUIRE_BROWSER"), "axe-core-python is not installed"
        pytest.skip("axe-core-python is not installed")
    script = (Path(found.submodule_search_locations[0]) / "axe.min.js").read_text()

    def violations(of: str) -> list:
        browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        browser.evaluate(f"{script}; 0")
        run = f"axe.run({of}, {{resultTypes: ['violations']}})"
        short = (
            "found => found.violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 200))])"
        )
        return browser.evaluate(f"{run}.then({short})")

    browser.call("Page.setBypassCSP", enabled=True)  # axe-core is a script, and pages allow none
    yield violations
    browser.call("Page.setBypassCSP", enabled=False)


@pytest.fixture(scope="module")
def pages(published, suite, tmp_path_factory):
    """Every page that a run can have: chapters, the index, a failure; and reports made before, in CRMLIB_REPORTS."""
    project = published.copy(tmp_path_factory.mktemp("pages") / "project")
    failed = project.crm("report", "tiny", "--set", "02.how=raises", "--set", f"02.say={HOSTILE[0]}")
    found = [*project.latest.glob("*.html"), failed.folder / "failure.html", failed.folder / "index.html"]
    assert {one.name for one in found} == {
        "index.html",
        "00_aside.html",
        "01_data_check.html",
        "02_base.html",
        "04_decisions.html",
        "failure.html",
        "glossary.html",
    }
    before = os.environ.get("CRMLIB_REPORTS")
    made = sorted(Path(before).glob("*/latest/*.html")) if before else []
    assert bool(made) == bool(before), f"no reports in {before}"
    return found + suite + made


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """The pages of the real notebooks on real customers."""
    folder = tmp_path_factory.mktemp("suite")
    done = subprocess.run(
        [*RUN_CRM, "report", "cdnow-sample", "--out", str(folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = sorted((folder / "cdnow-sample" / "latest").glob("*.html"))
    assert len(found) > 8
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_sends_no_request_and_logs_no_error(browser, pages, width):
    for page in pages:
        events = browser.open(page, width, settle=50)
        asked = [
            one["params"]["request"]["url"]
            for one in events
            if one.get("method") == "Network.requestWillBeSent"
        ]
        assert asked[0] == page.resolve().as_uri()
        assert [url for url in asked[1:] if not url.startswith("data:")] == []
        methods = {one.get("method") for one in events}
        found = [
            one["params"]
            for one in events
            if one.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled")
        ]
        assert found == []
        assert not methods & {
            "Network.loadingFailed",
            "Runtime.exceptionThrown",
            "Page.javascriptDialogOpening",
        }


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window(browser, pages, width):
    for page in pages:
        browser.open(page, width)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, page


def test_paper_loses_no_column(browser, pages):
    """Paper does not scroll: on a sheet of A4 between its margins, nothing reaches beyond the edge."""
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        for page in pages:
            browser.open(page, A4_WIDTH)
            assert browser.evaluate("document.documentElement.scrollWidth") <= A4_WIDTH, page
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")


def test_hostile_names_are_shown_and_are_dead(browser, pages):
    for page in pages:
        browser.open(page, 1280)
        assert browser.evaluate("document.scripts.length") == 0
        assert (
            browser.evaluate(
                "document.querySelectorAll('[onerror], [onload], img:not([src^=\"data:\"])').length"
            )
            == 0
        )
    for name in ("index.html", "01_data_check.html"):
        browser.open(next(one for one in pages if one.name == name), 1280)
        text = browser.evaluate("document.body.innerText")
        for hostile in [*HOSTILE, "=1+1", "00012"]:
            assert hostile in text


def test_headings_are_in_order_and_every_figure_has_its_alt_text(browser, pages):
    for page in pages:
        browser.open(page, 1280)
        levels = browser.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])"
        )
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), page
        assert browser.evaluate("[...document.images].every(one => one.alt && one.naturalWidth > 0)")
    browser.open(next(one for one in pages if one.name == "01_data_check.html"), 1280)
    assert browser.evaluate("document.images[0].alt") == 'Spend <by> "customer"'


def test_text_stands_out_from_its_ground(browser, pages):
    """WCAG AA for text: at least 4.5 to 1, everywhere."""
    measure = """
    (() => {
      const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
      const light = rgb => { const [r, g, b] = rgb.slice(0, 3).map(linear);
        return .2126 * r + .7152 * g + .0722 * b; };
      const numbers = text => text.match(/[\\d.]+/g).map(Number);
      const ground = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
        if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); let worst = 21;
      for (let n; n = walk.nextNode();) { if (!n.data.trim()) continue;
        const a = light(numbers(getComputedStyle(n.parentElement).color)), b = light(ground(n.parentElement));
        worst = Math.min(worst, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)); }
      return worst; })()
    """
    for page in pages:
        browser.open(page, 1280)
        assert browser.evaluate(measure) >= 4.5, page


def test_code_and_parameters_are_folded_away_but_there(published):
    page = (published.latest / "01_data_check.html").read_text()
    opened = re.sub(r"<details.*?</details>", "", page, flags=re.S)
    assert "crm.open_study" not in opened
    assert "crm.open_study" in page
    assert "which firm" not in page  # the parameters cell
    assert re.search(r"<dt>top</dt><dd>3</dd>", (published.latest / "02_base.html").read_text())


def test_warnings_stay_in_the_notebook(published):
    assert (
        "a warning for the notebook alone" in (published.latest / "notebooks/01_data_check.ipynb").read_text()
    )
    page = (published.latest / "01_data_check.html").read_text()
    assert "a warning for the notebook alone" not in re.sub(r"<details.*?</details>", "", page, flags=re.S)


def test_links_between_notebooks_lead_to_pages(published):
    page = (published.latest / "01_data_check.html").read_text()
    assert 'href="02_base.html">the base</a>' in page
    assert "example.org" not in page  # a picture from elsewhere is named, not fetched


def test_the_index_says_who_when_and_what_was_found(published):
    page = (published.latest / "index.html").read_text()
    record = json.loads((published.latest / "run.json").read_text())
    for words in (
        "Tiny &lt;b&gt;&amp; Sons&lt;/b&gt;",
        "30 June 2024",
        "EUR",
        "EUR 844",
        "▲ +12\N{NO-BREAK SPACE}%",
        "against year before",
        "5 customers &amp; every row accounted for &lt;i&gt;.",
        "Too few for models.",
        "Whom to contact",
        "June brought EUR\N{NO-BREAK SPACE}90, &lt;b&gt;10\N{NO-BREAK SPACE}% less&lt;/b&gt;.",
        "<b>Why:</b> fewer &amp; fewer bought.",
        "It rests on 5 customers.",
        'alt="A picture of &lt;less&gt;"',
        record["run"],
        record["inputs"][0]["sha256"],
        record["versions"]["duckdb"],
    ):
        assert words in page, words


def test_page_one_has_the_cards_whose_value_is_known(published):
    page = (published.latest / "index.html").read_text()
    figures = page[page.index("Key figures") : page.index('id="customers_to_contact_first"')]
    assert re.findall(r'<span class="label">(.*?)</span>', figures) == ["net sales", "top"]
    assert "margin" in (published.latest / "02_base.html").read_text()  # its own chapter says so


def test_a_table_keeps_its_labels_its_written_numbers_and_the_link_to_its_file(published):
    page = (published.latest / "01_data_check.html").read_text()
    assert '<td class="number">EUR\N{NO-BREAK SPACE}184</td><td class="number">18,375</td>' in page
    assert '<th scope="row">00012</th>' in page  # an id is no quantity
    assert '<th class="number" scope="col">spent, net of returns</th>' in page
    file = "customers_to_contact_first.csv"
    assert f'2 of 5 rows; all of them: <a href="tables/{file}">{file}</a>' in page
    assert (published.latest / "tables/customers_to_contact_first.csv").is_file()


def test_a_missing_number_is_not_known(published):
    page = re.sub(r">\s+<", "><", (published.latest / "01_data_check.html").read_text())
    budget = [
        f'<td class="number">{one}</td>'
        for one in ("not\N{NO-BREAK SPACE}known", "EUR\N{NO-BREAK SPACE}57,830")
    ]
    assert f'<th scope="row">1997</th>{"".join(budget)}' in page


def test_an_empty_table_is_left_out(published):
    page = re.sub(
        r"<details.*?</details>", "", (published.latest / "01_data_check.html").read_text(), flags=re.S
    )
    assert "<td>a table without a body is kept</td>" in page
    assert "leak" not in page
    assert "There is no such row" not in page


def test_page_one_answers_before_anything_else(published):
    """Title, trust, sentences, picture, figures; then the list, the chapters, and what is behind it."""
    page = (published.latest / "index.html").read_text()
    order = (
        *("<h1>", 'class="trust"', "June brought", "<figure", "net sales", 'id="customers_to_contact_first"'),
        *('id="chapters"', 'id="believe"', 'id="behind"'),
    )
    places = [page.index(words) for words in order]
    assert places == sorted(places)


def test_one_line_says_how_many_rows_were_used_and_what_the_checks_warn_of(published):
    page = (published.latest / "index.html").read_text()
    trust = re.search(r'class="trust">(.*?)</p>', page)[1]
    assert trust == "30 rows read. Only 5 buyers. History: 6 months."
    before = page[: page.index("<details")]
    assert "Too few for models." not in before  # the other checks and their meaning are folded


def test_chapters_that_were_not_run_stand_in_one_line(published):
    page = (published.latest / "index.html").read_text()
    assert page.count("Not run:") == 1
    assert "Not run: 03 Acquisition (needs table <code>marketing_spend</code>)." in page
    chapters = page[page.index('class="chapters"') : page.index("Not run:")]
    assert "03_acquisition" not in chapters


def test_two_words_judge_a_chapter_and_no_colour_alone(tmp_path, published):
    folder = tmp_path / "run"
    shutil.copytree(published.latest, folder)
    path = folder / "metrics/02_base.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"business": "worse", "figure": "use with care"})
    )
    record = json.loads((folder / "run.json").read_text())
    plan = plan_report(str(published.root / "data/tiny/study.yaml"), root=published.root)
    outcomes = [Outcome(one["name"], one["status"], reason=one["reason"]) for one in record["notebooks"]]
    publish.write_pages(plan, outcomes, folder, record)
    page = re.sub(r"\s+", " ", (folder / "index.html").read_text())
    assert "business: <b>worse</b></span><span" in page
    assert "figures: <b>use with care</b>" in page


def test_every_link_of_every_page_leads_to_a_file_that_is_there(pages):
    for page in pages:
        for link, place in re.findall(r'href="([^"#]*)#?([^"]*)"', page.read_text()):
            if not link.startswith("data:"):
                there = page.parent / link if link else page
                assert there.is_file(), (page, link)
                assert not place or f'id="{place}"' in there.read_text(), (page, link, place)


def test_every_table_is_a_csv_and_a_parquet_and_page_one_names_each(suite):
    folder = suite[0].parent
    page = (folder / "index.html").read_text()
    files = {path.stem for path in folder.glob("tables/*.csv")}
    assert files == {path.stem for path in folder.glob("tables/*.parquet")}
    assert {"customers_to_contact_first", "customers_to_thank"} <= files
    for name in files:
        assert f'href="tables/{name}.csv"' in page


def test_key_figures_are_those_that_the_notebooks_keep(suite):
    """Of notebooks whose own study it is; of the others `make test` asks nbval."""
    compared = []
    for kept in sorted(NOTEBOOKS.glob("*.ipynb")):
        if '"study = \\"cdnow-sample\\"' in kept.read_text():
            run = suite[0].parent / "notebooks" / kept.name
            assert key_figures(run) == key_figures(kept), kept.name
            compared.append(kept.name[:2])
    assert {"00", "01", "02", "03", "04", "05", "06", "09", "12"} <= {*compared}


def key_figures(path: Path) -> list[str]:
    """What the cell of a notebook's key figures printed."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (cell,) = [cell for cell in cells if CHECKED in cell["metadata"].get("tags", [])]
    return ["".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream"]


def test_no_page_contradicts_another_and_none_shows_a_raw_value(suite):
    """On the study of purchases; on others it is tested in test_one_meaning."""
    faults = faults_of(suite[0].parent)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 1100)])
def test_the_answer_its_picture_and_its_figures_stand_on_the_first_screen(browser, suite, width, height):
    """On a telephone, within a screen and a third."""
    page = next(one for one in suite if one.name == "index.html")
    browser.open(page, width, height)
    last = ".cards" if width > 1000 else ".cards li:first-child"
    for part in ("h1", ".trust", ".answer", "figure.wide img", last):
        box = browser.evaluate(f"JSON.stringify(document.querySelector('{part}').getBoundingClientRect())")
        assert 0 <= json.loads(box)["top"] < json.loads(box)["bottom"] <= height, part


def test_on_a_telephone_a_table_keeps_its_first_column(browser, suite):
    page = next(one for one in suite if one.name == "index.html")
    browser.open(page, 390)
    scrolled = """(() => { const t = document.querySelector('.scroll'); t.scrollLeft = 200;
        const c = t.querySelector('tbody tr > :first-child').getBoundingClientRect();
        return t.scrollLeft > 100 && c.left >= 0 && c.left < 30 && c.width > 30; })()"""
    assert browser.evaluate(scrolled)


def test_an_automated_check_of_accessibility_finds_no_violation(browser, pages, axe):
    """axe-core on every page, all folds open; on a screen and a telephone by turns, for all have one style."""
    for page, width in zip(pages, itertools.cycle(WIDTHS), strict=False):
        browser.open(page, width)
        assert axe("document") == [], (page, width)


def test_the_automated_check_finds_what_is_wrong(browser, pages, axe):
    browser.open(pages[0], 1280)
    browser.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=data:image/png,x>')")
    assert "image-alt" in [one[0] for one in axe("document")]


def test_what_is_for_analysts_is_folded_and_the_next_section_is_not(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": "# Who?\n\nAn answer.", "metadata": {}},
        {"cell_type": "markdown", "source": "## For analysts\n\nThe method.", "metadata": {}},
        {"cell_type": "markdown", "source": "### A test\n\nIts result.", "metadata": {}},
        {"cell_type": "markdown", "source": "## What to do\n\nCall.", "metadata": {}},
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    metrics = {"headline": "", "figures": {}, "absent_tables": []}
    about = {"title": "T", "question": "Q?", "number": "09"}
    chapter = SimpleNamespace(notebook=SimpleNamespace(**about))
    study = SimpleNamespace(title="S", as_of="2024-01-31", currency="EUR")
    neighbours = {"before": None, "after": None, "parameters": {}}
    page = pages_module.notebook_page(
        path, metrics=metrics, pages=set(), study=study, chapter=chapter, **neighbours
    )
    folded = re.search(r'<details class="analysts">(.*?)</details>', page, re.S)[1]
    assert "The method." in folded
    assert "Its result." in folded
    assert page.count("For analysts") == 1
    assert "Call." not in folded
    assert "An answer." not in folded
