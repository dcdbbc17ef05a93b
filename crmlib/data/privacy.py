"""Customer ids as keyed hashes, where a study asks for it: no artefact then holds an id of the firm's."""

from __future__ import annotations

import hashlib
import os

import ibis
import ibis.expr.types as ir

from crmlib.errors import StudyError

VARIABLE = "CRMLIB_HASH_SECRET"
_SHORTEST = 16
_LENGTH = (
    20  # hexadecimal digits: 80 bits, at which a billion customers meet with a chance of one in a million
)


@ibis.udf.scalar.builtin(name="sha256")
def _sha256(text: str) -> str:  # type: ignore[empty-body]
    """DuckDB's digest, in hexadecimal digits."""


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


def pseudonym(customer_id: ir.StringValue, secret: str) -> ir.StringValue:
    """What stands for a customer's id: the same for the same id and secret, and no way back without the secret."""
    # Hashed twice with the key: once would let who knows some hashes go on from them (length extension).
    inner = _sha256(ibis.literal(secret) + customer_id)
    return _sha256(ibis.literal(secret) + inner).substr(0, _LENGTH)


def fingerprint(secret: str) -> str:
    """Names a secret in a cache key without giving it away."""
    return hashlib.sha256(f"fingerprint of {secret}".encode()).hexdigest()[:16]
