"""Keep passwords out of everything a run leaves behind; and the secret with which customer ids are hashed."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from crmlib.errors import StudyError

_IN_ADDRESS = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@'\"<>]*:)(?P<secret>[^\s@/'\"<>]+)(?=@)", re.I
)
_IN_SETTING = re.compile(
    r"(?P<before>\b(?:password|passwd|pwd|secret|token|api_?key|access_?key)\s*[=:]\s*['\"]?)(?P<secret>[^\s'\"&;,<>]+)",
    re.I,
)
_SECRET_NAME = re.compile(r"passw|secret|token|api_?key|access_?key|private_?key|credential", re.I)
_SHORTEST = 6  # a shorter value, such as "yes", would blot out ordinary words
HIDDEN = "•••"
HASH_SECRET = "CRMLIB_HASH_SECRET"  # the variable of the environment
_SHORTEST_HASH_SECRET = 16


def holds_secret(text: str) -> bool:
    """Whether a text holds a password, such as ``postgres://me:hunter2@host/shop``.

    Examples
    --------
    >>> holds_secret("postgres://me:hunter2@host/shop"), holds_secret("postgres://me@host/shop")
    (True, False)
    """
    return bool(_IN_ADDRESS.search(text) or _IN_SETTING.search(text))


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Hide passwords in addresses, and the values of environment variables that are named like secrets.

    Examples
    --------
    >>> redact("cannot reach postgres://me:hunter2@host/shop", {})
    'cannot reach postgres://me:•••@host/shop'
    """
    text = _IN_ADDRESS.sub(rf"\g<before>{HIDDEN}", text)
    for secret in _known_secrets(os.environ if environment is None else environment):
        text = text.replace(secret, HIDDEN)
    return text


def _known_secrets(environment: Mapping[str, str]) -> list[str]:
    """Values that must not appear, as they are and as JSON, HTML and addresses write them.

    The longest comes first, so that no part of one is left standing.
    """
    found = {value for name, value in environment.items() if _SECRET_NAME.search(name)}
    for value in environment.values():
        found.update(match["secret"] for match in _IN_ADDRESS.finditer(value))
    forms = {
        form
        for one in found
        if len(one) >= _SHORTEST
        for form in (
            one,
            json.dumps(one)[1:-1],
            json.dumps(one, ensure_ascii=False)[1:-1],
            html.escape(one),
            quote(one),
        )
    }
    return sorted(forms, key=len, reverse=True)


def hash_secret() -> str:
    """The key of the hashes, from the environment only.

    Raises
    ------
    StudyError
        If there is none, or it is short enough to be guessed.
    """
    secret = os.environ.get(HASH_SECRET, "")
    if len(secret) < _SHORTEST_HASH_SECRET:
        found = "is not set" if not secret else f"has {len(secret)} characters"
        raise StudyError(
            f"privacy is 'hash', and {HASH_SECRET} {found}; set it in the environment to "
            f"{_SHORTEST_HASH_SECRET} or more characters that only you know. With the same one, a customer keeps the "
            "same hash from report to report"
        )
    return secret


def fingerprint(secret: str) -> str:
    """Names a secret in a cache key without giving it away."""
    return hashlib.sha256(f"fingerprint of {secret}".encode()).hexdigest()[:16]
