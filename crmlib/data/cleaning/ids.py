"""Customers' ids: the one text under which every table knows a customer, and what may stand for it."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from crmlib.data.cleaning.reading import without_words
from crmlib.data.contracts.contract import Column

_LENGTH = (
    20  # hexadecimal digits: 80 bits, at which a billion customers meet with a chance of one in a million
)


@ibis.udf.scalar.builtin(name="sha256")
def _sha256(text: str) -> str:  # type: ignore[empty-body]
    """DuckDB's digest, in hexadecimal digits."""


def names_customer(column: Column) -> bool:
    """Whether a column holds ids of customers."""
    return column.name == "customer_id" or column.refers_to == "customers.customer_id"


def read_id(text: ir.StringColumn, missing: Sequence[str]) -> ir.StringColumn:
    """A customer's id, from text without blanks at its ends; null where a word for a missing one stands."""
    return without_words(text, missing)


def pseudonym(customer_id: ir.StringValue, secret: str) -> ir.StringValue:
    """What stands for a customer's id: the same for the same id and secret, and no way back without the secret."""
    # Hashed twice with the key: once would let who knows some hashes go on from them (length extension).
    inner = _sha256(ibis.literal(secret) + customer_id)
    return _sha256(ibis.literal(secret) + inner).substr(0, _LENGTH)
