"""Keep passwords out of all output of a run; and the secret for hashed customer ids."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from crmlib.errors import StudyError

Thing = TypeVar("Thing")
_IN_ADDRESS = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@'\"<>]*:)(?P<secret>[^\s@/'\"<>]+)(?=@)", re.I
)
_WORDS = r"(?:password|passwd|pwd|secret|token|api_?key|access_?key)"
# "password=x" anywhere; "password: x" as an entry of its own. A title "Secret: the plan" is neither.
_IN_SETTING = re.compile(rf"\b{_WORDS}\s*=\s*['\"]?[^\s'\"&;,<>]+", re.I)
_IN_ENTRY = re.compile(rf"^[\s-]*['\"]?\w*{_WORDS}['\"]?\s*:\s*['\"]?(?P<secret>[^\s'\"&;,<>]+)", re.I | re.M)
_SECRET_NAME = re.compile(
    r"passw|_pwd$|secret|token(?![a-z])|api_?key|access_?key|private_?key|credential", re.I
)
_SHORTEST = 6
_SHORTEST_OF_ONE_KIND = 16  # letters alone: anything shorter may be an ordinary word
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
    entries = (match["secret"] for match in _IN_ENTRY.finditer(text))
    return bool(_IN_ADDRESS.search(text) or _IN_SETTING.search(text) or any(map(_is_no_word, entries)))


def redact(value: Thing) -> Thing:
    """Hide passwords in addresses, and the values of environment variables that are named like secrets.

    `value`: a text, or what was read from JSON: of that every text, while keys and numbers stay. Numbers and ordinary
    words stay as they are, also where a variable has such a value.

    Examples
    --------
    >>> redact("cannot reach postgres://me:hunter2@host/shop"), redact({"to": ["postgres://me:hunter2@host", 2]})
    ('cannot reach postgres://me:•••@host/shop', {'to': ['postgres://me:•••@host', 2]})
    """
    return _redacted(value, _known_secrets(os.environ))


def _redacted(value: Any, secrets: re.Pattern[str] | None) -> Any:
    if isinstance(value, str):
        value = _IN_ADDRESS.sub(rf"\g<before>{HIDDEN}", value)
        return secrets.sub(HIDDEN, value) if secrets else value
    if isinstance(value, list):
        return [_redacted(item, secrets) for item in value]
    if isinstance(value, dict):
        return {key: _redacted(item, secrets) for key, item in value.items()}
    return value


def _is_no_word(value: str) -> bool:
    """Whether a value is a secret by its looks: no number, and not letters alone unless there are many."""
    if len(value) < _SHORTEST or re.fullmatch(r"[\d.,:+-]*", value):
        return False
    kinds = (r"[a-z]", r"[A-Z].*[A-Z]", r"\d", r"[^A-Za-z\d]")
    return len(value) >= _SHORTEST_OF_ONE_KIND or sum(bool(re.search(kind, value)) for kind in kinds) > 1


def _known_secrets(environment: Mapping[str, str]) -> re.Pattern[str] | None:
    """Values that must not appear, as they are and as JSON, HTML and addresses write them."""
    found = {value for name, value in environment.items() if _SECRET_NAME.search(name)}
    for value in environment.values():
        found.update(match["secret"] for match in _IN_ADDRESS.finditer(value))
    forms = {*filter(_is_no_word, found)}
    for secret in [*forms]:
        written = (json.dumps(secret), json.dumps(secret, ensure_ascii=False))
        forms |= {*(text[1:-1] for text in written), html.escape(secret), quote(secret)}
    # The longest comes first, so that no part of one is left standing.
    parts = [_alone(form) for form in sorted(forms, key=len, reverse=True)]
    return re.compile("|".join(parts)) if parts else None


def _alone(form: str) -> str:
    """Its pattern; a part of a longer word is that word, unless it is too long to be there by chance."""
    if len(form) >= _SHORTEST_OF_ONE_KIND:
        return re.escape(form)
    return rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])"


def hash_secret() -> str:
    """The key of the hashes, from the environment only.

    Raises StudyError if there is none, or it is short enough to be guessed.
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
