"""The whole report as one PDF, printed by Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from crmlib.data.staging import own_folder, scratch
from crmlib.errors import RunError, StudyError

FILE = "report.pdf"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_TIMEOUT_SECONDS = 120


def find_chromium() -> str:
    """The browser that prints; `CRMLIB_CHROMIUM` names one that is elsewhere.

    Raises
    ------
    StudyError
        If there is none, before anything has run.
    """
    named = os.environ.get("CRMLIB_CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)
    if not found:
        raise StudyError(
            "--pdf needs Chromium or Chrome, and none is here; install it (Debian: apt-get install chromium), "
            "name it in CRMLIB_CHROMIUM, or print the page from a browser"
        )
    return found


def write_pdf(folder: Path, chromium: str) -> Path:
    """Print the index and every chapter of a run into `report.pdf`.

    Raises
    ------
    RunError
        If the browser fails or takes longer than two minutes.
    """
    with own_folder(scratch(), "pdf-") as folder_of_page:
        page = folder_of_page / "report.html"
        page.write_text(_one_page(folder), encoding="utf-8")
        command = [
            chromium,
            "--headless",
            "--no-sandbox",  # it opens nothing but the page that we wrote
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            f"--user-data-dir={folder_of_page}/profile",
            "--no-pdf-header-footer",
            f"--print-to-pdf={folder / FILE}",
            page.as_uri(),
        ]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise RunError(
                f"printing took longer than {_TIMEOUT_SECONDS} seconds; run again without --pdf"
            ) from error
    if run.returncode or not (folder / FILE).is_file():
        last = (run.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise RunError(f"{chromium} did not print the report: {last}; run again without --pdf")
    return folder / FILE


def _one_page(folder: Path) -> str:
    """The index with the chapters behind it, links between them leading within the page."""
    names = ["index.html", *sorted(one.name for one in folder.glob("[0-9][0-9]_*.html"))]
    pages = {
        name: BeautifulSoup((folder / name).read_text(encoding="utf-8"), "html.parser") for name in names
    }
    whole = pages["index.html"]
    body = whole.find("div", class_="page")
    assert isinstance(body, Tag)
    body["id"] = "index"
    for name in names[1:]:
        chapter = pages[name].find("div", class_="page")
        assert isinstance(chapter, Tag)
        chapter["id"] = name.removesuffix(".html")
        chapter["style"] = "break-before: page"
        body.insert_after(chapter)
        body = chapter
    for link in whole.find_all("a"):
        target = str(link.get("href", ""))
        if target in pages:
            link["href"] = "#" + target.removesuffix(".html")
    return str(whole)
