"""Text from files and names, made safe for a screen or page: control characters are shown as marks."""

from __future__ import annotations

import re

from crmlib.secrets import redact

# Controls but tab and line break, what turns the direction of a line, and halves of signs that no file can hold.
ODD_SIGNS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """A text in which nothing acts upon the screen that shows it.

    Examples
    --------
    >>> visible("orders\\x1b[2J for \\u202egnp.exe")
    'orders�[2J for �gnp.exe'
    """
    return ODD_SIGNS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def say(text: object, *, err: bool = False) -> None:
    """Print for the person at the terminal, or for a log: nothing secret, and nothing that acts upon the screen."""
    import click

    click.echo(visible(redact(str(text))), err=err)
