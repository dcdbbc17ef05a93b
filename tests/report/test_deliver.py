"""`--pdf` and `--mail-to`: what a run leaves beside its pages, and what it refuses before it runs."""

import email
import email.policy
import json
import os
import socket

import pandas as pd
import pytest
from aiosmtpd.controller import Controller
from pypdf import PdfReader

from crmlib.errors import RunError, StudyError
from crmlib.report.deliver import check_delivery, compose, send

from . import chromium


@pytest.mark.thorough
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
    assert (project.latest / "index.html").as_uri() in plain(message).replace("\n", "")
    assert "June brought EUR 90" in plain(message)
    assert [*message.iter_attachments()] == []
    assert project.crm("report", "tiny", "--mail-to", "boss@example.org", "--mail-list").code == 0
    message = email.message_from_bytes(
        (project.latest / "mail.eml").read_bytes(), policy=email.policy.default
    )
    assert [one.get_filename() for one in message.iter_attachments()] == ["customers_to_contact_first.csv"]


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


PAGE_ONE = ["June brought EUR 90, <b>less</b>.", "Why: fewer bought.", "What to do: call 2 customers."]
BELIEVE = ["Not known.", "In its last test …", "A sixth sentence that is one too many."]


@pytest.fixture
def run(tmp_path):
    """A published run, as far as a mail reads it."""
    from matplotlib.figure import Figure

    from crmlib.charts import Chart
    from crmlib.study.results import NotebookResults

    results = NotebookResults("12_decisions", tmp_path, "EUR")
    results.sentences("page_one", PAGE_ONE)
    results.sentences("believe", BELIEVE)
    wide, narrow = (Chart(Figure((width, 2.0)), "Less", "Revenue <fell>") for width in (8.0, 4.0))
    results.picture("page_one", wide, narrow)
    listed = pd.DataFrame(
        {"customer_id": ["=1+1", "00012"], "spent": [9.5, 2.0], "email": ["a@b.org", "c@d.org"]}
    )
    results.table("customers_to_contact_first", listed)
    metrics = {"02_customer_base_audit": {"headline": "Half bought once.", "figures": {}}}
    metrics["12_decisions"] = results.content
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path


def plain(message) -> str:
    return message.get_body(("plain",)).get_content()


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


def test_it_says_five_sentences_and_where_to_look(run, monkeypatch):
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html")
    lines = [line for line in plain(message).splitlines() if line]
    assert lines[:5] == [*PAGE_ONE, *BELIEVE[:2]]
    assert lines[5:] == [f"The report: {(run / 'index.html').as_uri()}", f"Run {RECORD['run']}"]
    monkeypatch.setenv("CRMLIB_REPORT_URL", "https://crm.example.org/reports/")
    latest, one = run / "a shop/latest/index.html", run / "a shop/runs/20240105/index.html"
    for page, path in ((latest, "a%20shop/latest/index.html"), (one, "a%20shop/runs/20240105/index.html")):
        message = compose(run, RECORD, to="boss@example.org", page=page)
        assert f"The report: https://crm.example.org/reports/{path}" in plain(message)
        html = message.get_body(("html",)).get_content()
        assert f'<a href="https://crm.example.org/reports/{path}">' in html


def test_the_same_stands_as_a_page_with_the_picture_in_it(run):
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html")
    html = message.get_body(("html",)).get_content()
    assert "June brought EUR 90, &lt;b&gt;less&lt;/b&gt;." in html
    assert 'alt="Revenue &lt;fell&gt;"' in html
    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert f"cid:{picture['Content-ID'].strip('<>')}" in html
    assert picture.get_content() == (run / "pictures/page_one-narrow.png").read_bytes()
    assert picture.get_content_disposition() == "inline"
    assert "http" not in html.replace("file://", "")  # nothing is fetched


def test_the_list_is_attached_only_on_request_and_without_personal_columns(run):
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html")
    assert [*message.iter_attachments()] == []
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html", with_list=True)
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "customers_to_contact_first.csv"
    text = attached.get_content()
    text = text.decode() if isinstance(text, bytes) else text
    assert text.split() == ["customer_id,spent", "'=1+1,9.5", "00012,2.0"]
    assert "b.org" not in message.as_string()
    (run / "tables/customers_to_contact_first.csv").unlink()
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html", with_list=True)
    assert [*message.iter_attachments()] == []


def test_without_a_chapter_on_decisions_the_first_headlines_are_sent(run):
    (run / "metrics.json").write_text(
        json.dumps({"02_base": {"headline": "Half bought once.", "figures": {}}})
    )
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html")
    assert plain(message).startswith("Half bought once.")
    assert "<img" not in message.get_body(("html",)).get_content()


def test_a_title_with_a_line_break_starts_no_header(run):
    message = compose(run, RECORD, to="boss@example.org", page=run / "index.html")
    assert message["Bcc"] is None
    assert message["Subject"] == "A shop Bcc: everyone@example.org: customer report as of 5 Jan 2024"


def test_a_failure_says_which_and_why_without_the_password(run):
    message = compose(run, FAILED, to="me@example.org", page=run / "failure.html")
    assert "1 of 2 notebooks failed" in message["Subject"]
    assert "02_customer_base_audit: failed. KeyError: 'cost'" in message.get_content()  # plain text alone
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
    assert b"fewer bought" in envelope.content


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
