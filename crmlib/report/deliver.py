"""The PDF of a report, and its mail, which is sent if a server is configured."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import smtplib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from crmlib import format as fmt
from crmlib.data.contracts import CONTRACTS
from crmlib.data.staging import own_folder, scratch
from crmlib.errors import RunError, StudyError
from crmlib.secrets import redact
from crmlib.study.published import TO_ACT_ON, picture_of, published
from crmlib.visible import visible

FILE = "report.pdf"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_TIMEOUT_SECONDS = 120
# It needs no sandbox, since it opens nothing but the page that we wrote.
_PRINTING = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run --no-pdf-header-footer"
).split()


def find_chromium() -> str:
    """The browser that prints; `CRMLIB_CHROMIUM` may name its path.

    Raises StudyError if there is none, before anything has run.
    """
    named = os.environ.get("CRMLIB_CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)
    if not found:
        raise StudyError(
            "--pdf needs Chromium or Chrome, and neither was found; install it (Debian: apt-get install chromium), "
            "name it in CRMLIB_CHROMIUM, or print the page from a browser"
        )
    return found


def write_pdf(folder: Path, chromium: str) -> Path:
    """Print the index and every chapter of a run into `report.pdf`.

    Raises RunError if the browser fails or takes longer than two minutes.
    """
    with own_folder(scratch(), "pdf-") as folder_of_page:
        page = folder_of_page / "report.html"
        page.write_text(_one_page(folder), encoding="utf-8")
        places = [
            f"--user-data-dir={folder_of_page}/profile",
            f"--print-to-pdf={folder / FILE}",
            page.as_uri(),
        ]
        command = [chromium, *_PRINTING, *places]
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
    """The index with the chapters and the glossary behind it, links between them leading within the page."""
    from bs4 import BeautifulSoup, Tag  # not before there is something to print

    chapters = sorted(path.name for path in folder.glob("[0-9][0-9]_*.html"))
    names = ["index.html", *chapters, *(path.name for path in folder.glob("glossary.html"))]
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in names}
    pages = {name: BeautifulSoup(text, "html.parser") for name, text in texts.items()}
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
    for method in whole.find_all("details", class_="analysts"):
        method["open"] = ""  # paper cannot unfold it
    for link in whole.find_all("a"):
        target, _, term = str(link.get("href", "")).partition("#")
        if target in pages:
            link["href"] = "#" + (term or target.removesuffix(".html"))
    return str(whole)


MAIL_FILE = "mail.eml"
_SENDER = "crm-report@localhost"
MOST_SENTENCES = 5


@dataclass(frozen=True)
class Delivery:
    """Who gets a mail about a run, and whether it is printed.

    `mail_to`: addresses that get the summary of a published report. `mail_failures_to`: addresses that hear of a run in
    which a notebook failed; `mail_to` if none is given. `chromium`: the browser that prints the report; None prints
    nothing. `mail_list`: whether the list to act on is attached.
    """

    mail_to: str | None = None
    mail_failures_to: str | None = None
    chromium: str | None = None
    mail_list: bool = False

    def prepare(self, staged: Path, record: Mapping[str, Any], page: Path, *, failed: bool) -> Prepared:
        """Put the PDF and the message into a run's folder before it is published."""
        trouble = ""
        if self.chromium and not failed:
            try:
                write_pdf(staged, self.chromium)
            except RunError as error:  # pages without a PDF are better than no pages
                trouble = f"the report is published, but without a PDF: {error}"
        to = (self.mail_failures_to or self.mail_to) if failed else self.mail_to
        if not to:
            return Prepared(None, trouble)
        message = compose(staged, record, to=to, page=page, with_list=self.mail_list)
        (staged / MAIL_FILE).write_bytes(message.as_bytes())
        return Prepared(message, trouble)


@dataclass(frozen=True)
class Prepared:
    """A message ready to be sent, and what went wrong while preparing."""

    message: EmailMessage | None = None
    trouble: str = ""

    def send(self) -> None:
        """Send the message where a server is configured, then report any trouble.

        Raises RunError if the mail cannot be sent, or the PDF could not be made; the report is published all the same.
        """
        if self.message:
            send(self.message)
        if self.trouble:
            raise RunError(self.trouble)


def check_delivery(*addresses: str | None) -> None:
    """Refuse what cannot be a list of addresses, or a server to send through, before anything runs.

    Examples
    --------
    >>> check_delivery("boss@example.org, me@example.org", None)
    """
    if not any(addresses):
        return
    _server()
    for address in (part.strip() for text in addresses if text for part in text.split(",")):
        name, at, host = address.partition("@")
        if not (name and at and host) or any(sign in address for sign in " \r\n<>"):
            raise StudyError(
                f"--mail-to: {address!r} is no address; give one such as boss@example.org, or several with commas"
            )
    for option, to in zip(("--mail-to", "--mail-failures-to"), addresses, strict=False):
        try:
            _addressed(to or _SENDER).as_bytes()
        except (ValueError, LookupError, UnicodeError) as error:
            raise StudyError(
                f"{option} {to!r} or CRMLIB_SMTP_FROM cannot be written into a mail ({error}); give addresses such as "
                "boss@example.org"
            ) from error


def compose(
    folder: Path, record: Mapping[str, Any], *, to: str, page: Path, with_list: bool = False
) -> EmailMessage:
    """The message on a run: what page one says, or what failed, and where the pages are.

    `folder`: the run's folder, with `metrics.json` in it. `record`: what run.json says. `to`: one address, or several
    with commas. `page`: the page to open. `with_list`: whether the list to act on is attached. Nothing secret is in it.
    """
    failed = [row for row in record["notebooks"] if row["status"] in ("failed", "timeout", "kernel died")]
    message = _addressed(to)
    outcome = f"{len(failed)} of {len(record['notebooks'])} notebooks failed" if failed else "customer report"
    # A line break in a title would start another header; the policy refuses it, so it goes.
    subject = f"{record['title']}: {outcome} as of {fmt.date(record['as_of'], short=True)}"
    message["Subject"] = visible(" ".join(subject.split()))
    message["Message-ID"] = f"<{record['run']}.{quote(record['study'])}@crm-report>"
    link = _address_of(page)
    lines = [f"{row['name']}: {row['status']}. {row['reason']}" for row in failed] or _sentences(folder)
    lines = [visible(redact(line)) for line in lines]
    message.set_content("\n\n".join([*lines, f"The report: {link}", f"Run {record['run']}"]))
    if not failed:
        _add_page(message, folder, lines, link)
        if with_list:
            _attach_list(message, folder)
    return message


def _addressed(to: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["To"] = to
    message["From"] = formataddr(("Customer report", os.environ.get("CRMLIB_SMTP_FROM", _SENDER)))
    return message


def _address_of(page: Path) -> str:
    """Where readers open a page: in the web, where the environment names the address of the folder `reports`."""
    if not (base := os.environ.get("CRMLIB_REPORT_URL")):
        return page.absolute().as_uri()
    parts = page.parts[-3:] if page.parent.name == "latest" else page.parts[-4:]
    return "/".join([base.rstrip("/"), *map(quote, parts)])


def _sentences(folder: Path) -> list[str]:
    """Page one in at most five sentences; without them, the first headlines of the chapters."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    lines = [*published(metrics, "page_one"), *published(metrics, "believe")]
    headlines = [made["headline"] for made in metrics.values() if made["headline"]]
    return (lines or headlines)[:MOST_SENTENCES]


def _add_page(message: EmailMessage, folder: Path, lines: Sequence[str], link: str) -> None:
    """Add the message as HTML with the picture, beside its plain text."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    about, image = picture_of(metrics, "page_one"), ""
    if about:
        image = f'<p><img src="cid:picture" width="600" alt="{escape(about["alt"])}"></p>'
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    body = f'<body style="font:16px/1.5 sans-serif;max-width:600px">{paragraphs}{image}'
    message.add_alternative(
        f'<!doctype html><html lang="en">{body}<p><a href="{escape(link)}">Open the report</a></p></body></html>',
        subtype="html",
    )
    if about:
        narrow = (folder / "pictures" / about["files"][-1]).read_bytes()
        (page,) = (part for part in message.iter_parts() if part.get_content_type() == "text/html")
        assert isinstance(page, EmailMessage)
        named: dict[str, Any] = dict(cid="<picture>", filename="picture.png", disposition="inline")
        page.add_related(narrow, "image", "png", **named)


def _attach_list(message: EmailMessage, folder: Path) -> None:
    """The list to act on, without any column that says who a customer is beyond the id."""
    path = folder / "tables" / f"{TO_ACT_ON}.csv"
    if not path.is_file():
        return
    rows = [*csv.DictReader(path.open(encoding="utf-8", newline=""))]
    columns = [column for contract in CONTRACTS.values() for column in contract.columns]
    personal = {column.name for column in columns if column.personal}
    text = io.StringIO()
    kept = csv.DictWriter(text, [name for name in rows[0] if name not in personal], extrasaction="ignore")
    kept.writeheader()
    kept.writerows(rows)
    message.add_attachment(text.getvalue().encode(), "text", "csv", filename=path.name)


def send(message: EmailMessage) -> bool:
    """Send a message through the server that the environment names; False where it names none.

    `CRMLIB_SMTP_HOST`, and where needed `CRMLIB_SMTP_PORT` (587), `CRMLIB_SMTP_USER`, `CRMLIB_SMTP_PASSWORD`,
    `CRMLIB_SMTP_FROM` and `CRMLIB_SMTP_SECURITY` (starttls, tls or none).

    Raises RunError if the server cannot be reached or refuses; the report is published all the same.
    """
    host, port, security = _server()
    if not host:
        return False
    connect = smtplib.SMTP_SSL if security == "tls" else smtplib.SMTP
    try:
        with connect(host, port, timeout=30) as server:
            if security == "starttls":
                server.starttls()
            user, password = os.environ.get("CRMLIB_SMTP_USER"), os.environ.get("CRMLIB_SMTP_PASSWORD")
            if user and password:
                server.login(user, password)
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise RunError(
            f"the report is published, but its mail was not sent: {host}:{port} says {redact(str(error))}. "
            f"The message is in {MAIL_FILE} beside the pages; check CRMLIB_SMTP_* in the environment"
        ) from error
    return True


def _server() -> tuple[str, int, str]:
    """Host, port and security as the environment has them; no host where it names none."""
    host = os.environ.get("CRMLIB_SMTP_HOST", "")
    security = os.environ.get("CRMLIB_SMTP_SECURITY", "starttls")
    if security not in ("starttls", "tls", "none"):
        raise StudyError(f"CRMLIB_SMTP_SECURITY is {security!r}; allowed: starttls, tls, none")
    port = os.environ.get("CRMLIB_SMTP_PORT", "465" if security == "tls" else "587")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise StudyError(f"CRMLIB_SMTP_PORT is {port!r}; allowed: a whole number from 1 to 65535")
    return host, int(port), security
