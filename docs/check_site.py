"""The built site: `make docs` runs this after Sphinx, which has failed already at any warning.

Links and pictures are looked at in the pages as built, the search is asked in a browser, and the commands that the
pages tell people to type are run in an empty folder.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, quote_plus, unquote, urlsplit

import pandas as pd
import pytest
from bs4 import BeautifulSoup

import crmlib as crm
from crmlib import charts
from tests.report.chromium import Browser, browser, executable

HERE = Path(__file__).parent
SITE = HERE / "_build" / "html"
PAGES = sorted(SITE.rglob("*.html"))
OWN = [page for page in PAGES if "report" not in page.relative_to(SITE).parts]


@functools.cache
def soup(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def anchors(page: Path) -> set[str]:
    return {tag["id"] for tag in soup(page).find_all(id=True)} | {
        tag.get("name") for tag in soup(page).find_all("a")
    }


def test_the_site_is_there() -> None:
    names = {page.relative_to(SITE).as_posix() for page in PAGES}
    assert {"index.html", "start.html", "gallery.html", "glossary.html", "search.html"} <= names
    assert {
        "report/index.html",
        "report/12_decisions.html",
        "how-to/shops.html",
        "models/purchases.html",
    } <= names


def test_every_public_name_has_a_page_and_every_chart_its_picture() -> None:
    for name in crm.__all__:
        assert f"crmlib.{name}" in anchors(SITE / "reference" / f"{name}.html"), name
    drawn = {picture["alt"] for picture in soup(SITE / "gallery.html").select("article img")}
    names = [name for name in charts.__all__ if name != "Chart"]
    assert len(drawn) == len(names)
    for name in names:
        picture = soup(SITE / "reference" / f"charts.{name}.html").select_one("article img")
        assert picture is not None
        assert picture["alt"] in drawn


def test_every_link_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for link in soup(page).find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            named = unquote(parts.fragment) if target.suffix == ".html" else ""
            if not target.is_file() or (named and named not in anchors(target)):
                broken.append(f"{page.relative_to(SITE)}: {link['href']}")
    assert broken == []


def test_every_picture_has_words() -> None:
    without = [
        f"{page.relative_to(SITE)}: {picture.get('src', '')[:60]}"
        for page in PAGES
        for picture in soup(page).find_all("img")
        if not picture.get("alt", "").strip()
    ]
    assert without == []


def test_nothing_comes_from_the_network() -> None:
    tags = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
    asked = [
        f"{page.relative_to(SITE)}: {tag[attribute]}"
        for page in PAGES
        for name, attribute in tags.items()
        for tag in soup(page).find_all(name)
        if tag.get(attribute, "").startswith(("http:", "https:", "//")) and tag.get("rel") != ["canonical"]
    ]
    assert asked == []


def test_formulas_are_drawn_and_no_markup_is_left() -> None:
    assert soup(SITE / "models" / "purchases.html").find_all("math")
    for page in OWN:
        for part in soup(page).select("article code, article pre, article math, article script"):
            part.decompose()
        text = soup(page).get_text()
        soup.cache_clear()
        left = re.search(r"\$\$|\]\(|\.\. \w+::|:doc:|```|\\frac", text)
        assert left is None, f"{page.relative_to(SITE)}: {text[left.start() - 40 : left.end() + 40]}"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if executable() is None:
        assert not os.environ.get("CRMLIB_REQUIRE_BROWSER"), "there is no Chromium here"
        pytest.skip("there is no Chromium here")
    with browser() as opened:
        yield opened


RESULTS = "[...document.querySelectorAll('#search-results li a')].map(one => one.href)"
WAIT = f"""new Promise(done => {{
  const ready = () => document.querySelector('.search-summary')?.textContent.includes('finished');
  const look = left => ready() || !left ? done({RESULTS}) : setTimeout(look, 100, left - 1);
  look(200);
}})"""


def found(chromium: Browser, words: str) -> list[str]:
    """Where the results of the site's search lead, the first one first."""
    chromium.open(SITE / "search.html", 1280)
    chromium.call("Page.navigate", url=f"{(SITE / 'search.html').as_uri()}?q={quote_plus(words)}")
    while not chromium.evaluate("location.search && document.readyState === 'complete'"):
        pass
    return [place(urlsplit(link)) for link in chromium.evaluate(WAIT)]


def place(link: SplitResult) -> str:
    """The page that a result leads to, and the heading under which the reader then is."""
    name = unquote(link.path).partition("/_build/html/")[2]
    there = soup(SITE / name).find(id=unquote(link.fragment)) if link.fragment else None
    section = there and (there if there.name == "section" else there.find_parent("section"))
    return f"{name}#{section['id']}" if section else name


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("churn rate", "glossary.html#churn"),
        ("LTV", "glossary.html#clv"),
        ("lifetime value", "glossary.html#clv"),
        ("whale", "glossary.html#whale-curve"),
        ("recency", "glossary.html#recency"),
        ("CAC", "glossary.html#cac"),
        ("retention rate", "glossary.html#retention"),
        ("shopify", "how-to/shops.html"),
        ("rfm_segments", "reference/rfm_segments.html"),
    ],
)
def test_the_search_leads_where_a_person_would_want(chromium: Browser, words: str, where: str) -> None:
    """The first or the second result; the heading does not matter where the whole page is about it."""
    first = found(chromium, words)[:2]
    assert [one for one in first if where in (one, one.partition("#")[0])], first


COMMANDS = {
    page.relative_to(HERE).as_posix(): [
        block
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        if "not run" not in block
    ]
    for page in sorted(HERE.rglob("*.md"))
    if "_build" not in page.parts
}


@pytest.mark.parametrize("page", [page for page, blocks in COMMANDS.items() if blocks])
def test_the_commands_of_a_page_run(page: str, tmp_path: Path) -> None:
    """In an empty folder with the file that the pages speak of, one after the other."""
    log = crm.open_study("cdnow-sample").transactions.to_pandas()
    names = {"customer_id": "CustNo", "date": "Order date", "amount": "Paid (USD)"}
    orders = log[[*names]].rename(columns=names)
    orders.assign(**{"Order date": pd.to_datetime(orders["Order date"]).dt.date}).to_csv(
        tmp_path / "orders.csv", index=False
    )
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for block in COMMANDS[page]:
        done = subprocess.run(
            [shutil.which("bash") or "sh", "-e", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PATH": places, "CRMLIB_CACHE_DIR": str(tmp_path / "cache")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
