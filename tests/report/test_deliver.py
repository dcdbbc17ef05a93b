"""`--pdf` and `--mail-to`: what a run leaves beside its pages, and what it refuses before it runs."""

import email
import email.policy
import json
import os
import socket

import pytest
from aiosmtpd.controller import Controller
from pypdf import PdfReader

from crmlib.errors import RunError, StudyError
from crmlib.report.deliver import check_delivery, compose, send

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
    assert "--pdf needs Chromium or Chrome, and neither was found" in done.err
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


# The mail on a run, against a real server on this machine.
RECORD = {
    "run": "20240105T030000Z-abc123",
    "study": "shop",
    "title": "A shop\nBcc: everyone@example.org",
    "as_of": "2024-01-05",
    "notebooks": [{"name": "01_data_check", "status": "ok", "reason": ""}],
}
FAILED = RECORD | {
    "notebooks": [
        {"name": "01_data_check", "status": "ok", "reason": ""},
        {
            "name": "02_customer_base_audit",
            "status": "failed",
            "reason": "KeyError: 'cost' (postgres://me:hunter2@db/x)",
        },
    ]
}


@pytest.fixture
def run(tmp_path):
    card = {"label": "revenue", "value": 1234.5, "unit": "money", "currency": "EUR"}
    card |= {"change": 0.05, "against": "the month before", "page_one": 1}
    quiet = card | {"label": "not on page one", "page_one": None}
    unknown = card | {"label": "known to nobody", "value": None}
    figures = {"a": card, "b": quiet, "c": unknown}
    metrics = {"02_customer_base_audit": {"headline": "Half bought once.", "figures": figures}}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    """A mail server on the loopback that keeps what it gets."""

    class Keep:
        def __init__(self):
            self.got = []

        async def handle_DATA(self, server, session, envelope):
            self.got.append(envelope)
            return "250 kept"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    handler = Keep()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    monkeypatch.setenv("CRMLIB_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("CRMLIB_SMTP_PORT", str(port))
    monkeypatch.setenv("CRMLIB_SMTP_SECURITY", "none")
    yield handler
    controller.stop()


def test_it_says_the_figures_the_finding_and_where_to_look(run):
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html")
    text = message.get_content()
    assert "revenue: EUR 1,234; +5 % against the month before" in text
    assert "- Half bought once." in text
    assert f"Open {run / 'index.html'}" in text
    assert "not on page one" not in text
    assert "known to nobody" not in text


def test_a_title_with_a_line_break_starts_no_header(run):
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html")
    assert message["Bcc"] is None
    assert message["Subject"] == "A shop Bcc: everyone@example.org: customer report as of 5 Jan 2024"


def test_a_failure_says_which_and_why_without_the_password(run):
    message = compose(run, FAILED, to="me@example.org", page=run / "failure.html")
    assert "1 of 2 notebooks failed" in message["Subject"]
    assert "02_customer_base_audit: failed. KeyError: 'cost'" in message.get_content()
    assert "hunter2" not in message.as_string()


def test_the_file_reads_back_as_the_message(run):
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html")
    read = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert (read["Subject"], read["To"]) == (message["Subject"], "boss@example.org")


def test_it_is_sent_to_every_address(run, server):
    message = compose(run, RECORD, to="boss@example.org, me@example.org", page=run / "index.html")
    assert send(message)
    (envelope,) = server.got
    assert envelope.rcpt_tos == ["boss@example.org", "me@example.org"]
    assert b"Half bought once." in envelope.content


def test_nothing_is_sent_where_no_server_is_named(run, monkeypatch):
    monkeypatch.delenv("CRMLIB_SMTP_HOST", raising=False)
    assert not send(compose(run, RECORD, to="boss@example.org", page=run / "index.html"))


def test_a_server_that_is_not_there_is_named_with_the_cure(run, monkeypatch):
    monkeypatch.setenv("CRMLIB_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("CRMLIB_SMTP_PORT", "1")
    with pytest.raises(RunError, match=r"published, but its mail was not sent: 127\.0\.0\.1:1"):
        send(compose(run, RECORD, to="boss@example.org", page=run / "index.html"))


@pytest.mark.parametrize("text", ["boss", "boss@", "@example.org", "a@b.org,", "a@b.org\nBcc: c@d.org"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(StudyError, match="is no address"):
        check_delivery(text)
