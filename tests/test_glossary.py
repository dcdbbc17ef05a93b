"""The glossary: every term that a notebook links to is in it, and every entry names what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from crmlib.report import pages
from crmlib.report.pages import anchor, glossary_page
from crmlib.study.places import document

ROOT = Path(__file__).parents[1]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^## ([^\n]+)\n\n(.*?)(?=^## |\Z)", GLOSSARY, flags=re.M | re.S))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
LINK = re.compile(r"glossary\.md#([\w-]*)")


def prose(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(one["source"]) for one in cells if one["cell_type"] == "markdown")


def test_entries_stand_in_alphabetical_order_and_once() -> None:
    names = [name.lower() for name in re.findall(r"^## (.+)$", GLOSSARY, flags=re.M)]
    assert names == sorted(names)
    assert len(set(map(anchor, names))) == len(names) >= 60


@pytest.mark.parametrize("term", ENTRIES)
def test_an_entry_is_short_and_names_an_existing_chapter(term: str) -> None:
    text = re.sub(r"```.*?```", "", ENTRIES[term], flags=re.S)
    where = text.partition("*Chapter:*")[2]
    chapters = re.findall(r"\]\(\.\./(notebooks/[\w]+\.ipynb)\)", where)
    assert chapters
    assert all((ROOT / chapter).is_file() for chapter in chapters)
    assert len(re.split(r"\*(?:Formula|Source|Chapter):\*", text)[0].split()) <= 75, (
        "more than a few short sentences"
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_linked_term_is_in_the_glossary(notebook: Path) -> None:
    assert set(LINK.findall(prose(notebook))) <= {*map(anchor, ENTRIES)}


def test_terms_are_linked_where_they_are_explained() -> None:
    assert LINK.findall(prose(ROOT / "notebooks" / "09_retention.ipynb"))


def test_links_within_the_glossary_lead_to_entries() -> None:
    linked = set(re.findall(r"\]\(#([\w-]+)\)", GLOSSARY))
    assert linked
    assert linked <= {*map(anchor, ENTRIES)}


def test_the_page_has_an_anchor_for_every_term_and_no_code() -> None:
    page = BeautifulSoup(glossary_page(GLOSSARY, {"05_churn"}), "html.parser")
    ids = [one["id"] for one in page.find_all(["h2", "h3"], id=True)]
    assert ids == [anchor(term) for term in ENTRIES]
    assert not page.find_all(["pre", "code"])
    targets = {link["href"] for link in page.find_all("a")}
    assert {"05_churn.html", "index.html", "#holdout"} <= targets
    assert not [one for one in targets if one.endswith((".md", ".ipynb"))]


def test_a_link_of_a_notebook_leads_to_the_page() -> None:
    rendered = pages._Prose(set()).render("See [Brier score](../docs/glossary.md#brier-score).")
    assert 'href="glossary.html#brier-score"' in rendered


def test_it_comes_with_the_package() -> None:
    assert document("glossary.md") == GLOSSARY
    assert '"docs/glossary.md" = "crmlib/_bundled/docs/glossary.md"' in (ROOT / "pyproject.toml").read_text()
