"""What a run leaves for others besides its pages: a PDF and a mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from crmlib.errors import RunError


@dataclass(frozen=True)
class Delivery:
    """Who is told of a run, and whether it is printed.

    Parameters
    ----------
    mail_to : str, optional
        Addresses that get the summary of a published report.
    mail_failures_to : str, optional
        Addresses that hear of a run in which a notebook failed; `mail_to` if none is given.
    chromium : str, optional
        The browser that prints the report; None prints nothing.
    """

    mail_to: str | None = None
    mail_failures_to: str | None = None
    chromium: str | None = None

    def prepare(self, staged: Path, record: Mapping[str, Any], page: Path, *, failed: bool) -> Prepared:
        """Put the PDF and the message into a run's folder before it is published."""
        trouble = ""
        if self.chromium and not failed:
            from crmlib.report.pdf import write_pdf

            try:
                write_pdf(staged, self.chromium)
            except RunError as error:  # pages without a PDF are better than no pages
                trouble = f"the report is published, but without its PDF: {error}"
        to = (self.mail_failures_to or self.mail_to) if failed else self.mail_to
        if not to:
            return Prepared(None, trouble)
        from crmlib.report import mail

        message = mail.compose(staged, record, to=to, page=page)
        mail.write(message, staged)
        return Prepared(message, trouble)


@dataclass(frozen=True)
class Prepared:
    """A message ready to be sent, and what went wrong while preparing."""

    message: EmailMessage | None = None
    trouble: str = ""

    def send(self) -> None:
        """Send the message where a server is configured, then report any trouble.

        Raises
        ------
        RunError
            If the mail cannot be sent, or the PDF could not be made; the report is published all the same.
        """
        if self.message:
            from crmlib.report import mail

            mail.send(self.message)
        if self.trouble:
            raise RunError(self.trouble)
