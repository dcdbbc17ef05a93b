"""`--pdf` and `--mail-to`: what a run leaves beside its pages, and what it refuses before it runs."""

import email
import email.policy
import os

import pytest
from pypdf import PdfReader

from . import chromium


def test_the_whole_report_in_one_pdf(published, tmp_path):
    if chromium.executable() is None:
        assert not os.environ.get("CRMLIB_REQUIRE_BROWSER")
        pytest.skip("there is no Chromium on this system")
    project = published.copy(tmp_path / "project")
    done = project.crm("report", "tiny", "--pdf")
    assert done.code == 0, done.err
    pdf = PdfReader(project.latest / "report.pdf")
    text = "\n".join(page.extract_text() for page in pdf.pages)
    chapters = list(project.latest.glob("[0-9][0-9]_*.html"))
    assert len(pdf.pages) > len(chapters)
    for page in chapters:
        heading = page.read_text(encoding="utf-8").partition("<h1")[2].partition(">")[2].partition("<")[0]
        assert heading.split()[0] in text


def test_without_a_browser_a_pdf_is_refused_before_anything_runs(published, tmp_path):
    project = published.copy(tmp_path / "project")
    before = project.latest.resolve()
    done = project.crm("report", "tiny", "--pdf", CRMLIB_CHROMIUM="no-such-browser")
    assert done.code == 2
    assert "--pdf needs Chromium or Chrome, and none is here" in done.err
    assert project.latest.resolve() == before


def test_a_mail_lies_beside_the_pages_of_a_report(published, tmp_path):
    project = published.copy(tmp_path / "project")
    assert project.crm("report", "tiny", "--mail-to", "boss@example.org").code == 0
    message = email.message_from_bytes(
        (project.latest / "mail.eml").read_bytes(), policy=email.policy.default
    )
    assert message["To"] == "boss@example.org"
    assert str(project.latest / "index.html") in message.get_content().replace("\n", "")


def test_failures_go_to_their_own_address(published, tmp_path):
    project = published.copy(tmp_path / "project")
    asked = [
        "--mail-to",
        "boss@example.org",
        "--mail-failures-to",
        "me@example.org",
        "--set",
        "02.how=raises",
    ]
    done = project.crm("report", "tiny", *asked)
    assert done.code == 1
    message = email.message_from_bytes((done.folder / "mail.eml").read_bytes(), policy=email.policy.default)
    assert message["To"] == "me@example.org"
    assert "02_base: failed" in message.get_content()


def test_what_is_no_address_is_refused_before_anything_runs(published, tmp_path):
    project = published.copy(tmp_path / "project")
    done = project.crm("report", "tiny", "--mail-to", "boss")
    assert done.code == 2
    assert "'boss' is no address" in done.err
