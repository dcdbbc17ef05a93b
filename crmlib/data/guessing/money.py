"""What is said about money in a log: decimal sign, currency, tax and shipping, and orders that are no sale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import ibis
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.policy_counts import count_states
from crmlib.data.cleaning.reading import read_number, read_text
from crmlib.data.contracts.contract import plain_name
from crmlib.data.guessing.findings import Finding, Question
from crmlib.data.policies import Policies

_SIGNS = {"€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY", "₹": "INR"}
_REFUNDED = ("refunded", "wc-refunded")
_CODES = (
    "EUR",
    "USD",
    "GBP",
    "CHF",
    "JPY",
    "CAD",
    "AUD",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
    "CZK",
    "INR",
    "BRL",
    "MXN",
)


def guess_decimal(
    table: ibis.Table, named: Mapping[str, str], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    """The decimal sign, from every amount of the file."""
    if "decimal" in given:
        yield Finding("decimal", given["decimal"], "named by you")
        return
    column = named.get("amount") or named.get("unit_price")
    if column is None or not table[column].type().is_string():
        return
    text = table.select(text=table[column]).filter(_.text.notnull() & (_.text.strip() != ""))
    rows = text.mutate(point=read_number(text.text, "."), comma=read_number(text.text, ","))
    differ = rows.point.notnull() & rows.comma.notnull() & (rows.point != rows.comma)
    found = rows.agg(
        rows=rows.count(),
        point=rows.point.count(),
        comma=rows.comma.count(),
        differ=differ.sum(),
        example=rows.text.max(where=differ | rows.point.isnull()),
    )
    seen = found.to_pyarrow().to_pylist()[0]
    counts = f"{{}} of {seen['rows']:,} amounts can be read with a decimal {{}}"
    if seen["comma"] > seen["point"]:
        yield Finding(
            "decimal",
            ",",
            f"{counts.format(fmt.count(seen['comma']), 'comma')}, such as {seen['example']!r}",
        )
    elif seen["comma"] == seen["point"] and seen["differ"]:
        yield Question(
            "decimal",
            f"{seen['example']!r} in {column!r} can be read with a decimal point or a decimal comma; which is it?",
            (".", ","),
        )


def guess_states(table: ibis.Table, named: Mapping[str, str]) -> Finding:
    """The states that orders are in, and which of them are no sale."""
    status, excluded, why = read_text(table[named["status"]]), Policies().excluded_statuses, ""
    refunded = status.lower().name("state").as_table().distinct().filter(_.state.isin(_REFUNDED))
    states = sorted(refunded.to_pyarrow()["state"].to_pylist())
    if states and "refunded" not in named:
        excluded = (*excluded, *states)
        why = "; no column says how much was refunded, so refunded orders are set aside"
    listed = ", ".join(
        f"{one['state']} ({one['rows']:,}) {one['fate']}" for one in count_states(status, excluded)
    )
    return Finding("policies.excluded_statuses", excluded, f"states found: {listed}{why}")


def guess_money(
    table: ibis.Table, named: Mapping[str, str], given: Mapping[str, Any], decimal: str = "."
) -> Iterator[Finding]:
    """The currency, and tax and shipping within the amount."""
    yield _currency(table, named, given)
    parts = [part for part in ("tax", "shipping") if part in named]
    if not parts or "amount" not in named:
        return
    sums = {name: read_number(table[named[name]], decimal).sum() for name in ("amount", *parts)}
    seen = table.agg(**sums).to_pyarrow().to_pylist()[0]
    shares = " and ".join(
        f"{part} ({named[part]!r}) is {fmt.share((seen[part] or 0) / seen['amount'])} of the amount"
        for part in parts
        if seen["amount"]
    )
    yield Finding(
        "policies.amount_includes", (), f"{shares}; to take them off the revenue: [{', '.join(parts)}]"
    )


def _currency(table: ibis.Table, named: Mapping[str, str], given: Mapping[str, Any]) -> Finding:
    if given.get("currency"):
        return Finding("currency", str(given["currency"]).upper(), "named by you")
    if "currency" in named:
        codes = table.group_by(code=read_text(table[named["currency"]]).upper()).agg(rows=_.count())
        seen = codes.filter(_.code.re_search("^[A-Z]{3}$")).order_by(_.rows.desc()).limit(5).to_pandas()
        if len(seen):
            others = f"; rows in {', '.join(seen['code'][1:])} will be set aside" if len(seen) > 1 else ""
            return Finding("currency", seen["code"][0], f"by the column {named['currency']!r}{others}")
    amount = named.get("amount") or named.get("unit_price")
    for code in _CODES:
        if amount and code.lower() in plain_name(amount).split("_"):
            return Finding("currency", code, f"by the name of the column {amount!r}")
    if amount and table[amount].type().is_string():
        for text in (
            table.filter(table[amount].notnull()).select(t=table[amount]).limit(1_000).to_pandas()["t"]
        ):
            for sign, code in _SIGNS.items():
                if sign in text:
                    return Finding("currency", code, f"by the sign in {text!r}; $ may be another dollar")
    return Finding("currency", "USD", "assumed: nothing in the file says; correct it if it is another one")
