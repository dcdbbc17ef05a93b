"""The secret with which customer ids are hashed, where a study asks for it."""

from __future__ import annotations

import hashlib
import os

from crmlib.errors import StudyError

VARIABLE = "CRMLIB_HASH_SECRET"
_SHORTEST = 16


def hash_secret() -> str:
    """The key of the hashes, from the environment only.

    Raises
    ------
    StudyError
        If there is none, or it is short enough to be guessed.
    """
    secret = os.environ.get(VARIABLE, "")
    if len(secret) < _SHORTEST:
        found = "is not set" if not secret else f"has {len(secret)} characters"
        raise StudyError(
            f"privacy is 'hash', and {VARIABLE} {found}; set it in the environment to {_SHORTEST} or more characters "
            "that only you know. With the same one, a customer keeps the same hash from report to report"
        )
    return secret


def fingerprint(secret: str) -> str:
    """Names a secret in a cache key without giving it away."""
    return hashlib.sha256(f"fingerprint of {secret}".encode()).hexdigest()[:16]
