"""Guesses for a purchase log only: known shop exports, one row per line or order, order states, and money."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
from ibis import _

from crmlib import format as fmt
from crmlib.data import vocabulary
from crmlib.data.cleaning.reading import DASH, SEPARATORS, currency_marks, marks_of
from crmlib.data.contracts.contract import NONE, Column, plain_name
from crmlib.data.currencies import codes_in_name, codes_of, common_currencies
from crmlib.data.engine import count_of, first_row
from crmlib.data.guessing.amounts import WHOLE, unit_in
from crmlib.data.guessing.columns import MOSTLY, Look, Match, OwnGuesses, Profile
from crmlib.data.guessing.content import MANY_UNREADABLE, counted, doubts, few_values, unread_amounts
from crmlib.data.guessing.findings import CURRENCY_UNKNOWN, Finding, Question
from crmlib.data.guessing.log_words import states_of, words_of
from crmlib.data.policies import GROUPS, mostly_different

_EXPORTS = vocabulary.phrases("exports of shops")  # by columns that nobody else has together
# Where an order's total is counted once, these columns are of its first line only.
_AMOUNTS = ("amount", "unit_price", "quantity", "cost", "discount", "refunded", "tax", "shipping")
_LINE_COLUMNS = ("product", "category", "quantity", "unit_price", "cost", "line_id")
_NEARLY_ALL = 0.99  # of the line numbers are unique; the column is there to find the duplicates
_SMALL = 1_000
_FEW_VALUES, _SHORT = 5, 50  # or fewer are rather a type or a state; shorter files are not judged
_ALIKE = 0.95  # of the orders with several lines state one amount on all of them
_ENOUGH_ORDERS = 5  # with several lines; fewer prove nothing, unless the column's name says "total"
_TOTALS = vocabulary.words("totals of orders")["names"]
_WITHOUT_CENTS = vocabulary.words("codes of currencies")["without cents"]


class PurchaseLogGuesses(OwnGuesses):
    """A purchase log may be the export of a known shop, and its rows may be orders or lines of orders."""

    def known_columns(self, own: Sequence[str]) -> dict[str, Match]:
        """Where each column stands in the export of a known shop."""
        shop = _export(own)
        columns = vocabulary.phrases(f"export of {shop}")
        evidence = f"as {shop} exports it"
        return {name: Match(theirs, evidence) for name, (theirs,) in columns.items() if theirs in own}

    def holds(self, column: Column, profile: Profile, exact: bool) -> bool:
        """As for other tables, but for columns whose names mean other things in purchase logs."""
        if profile.filled == 0 or (column.name == "cost" and not exact):  # "item cost" is a price of one
            return False
        if column.names_customer and few_values(profile):  # member: yes or no, 1 or 0
            return exact and profile.ids > MOSTLY and not profile.largest <= 1
        if column.name in GROUPS and mostly_different(profile.different, profile.rows):
            return False  # an address or a comment
        if column.name == "discount" and 0 < profile.largest <= 1:
            return False  # a share, not money
        if column.name == "order_id":  # a number may look like a day: then its name has to say what it is
            return exact or max(profile.date, profile.decimals) < MOSTLY
        if column.name == "line_id":
            return profile.distinct > _NEARLY_ALL
        if column.name == "currency":
            return profile.longest <= 3
        if column.kind == "date":
            return profile.date >= MOSTLY or profile.number >= MOSTLY  # serial days and seconds are numbers
        return column.name not in ("customer_id", *_AMOUNTS) or super().holds(column, profile, exact)

    def can_only_be(self, column: Column, profile: Profile) -> bool:
        """As for other tables; customer ids repeat, are no dates and have no decimals."""
        if column.name != "customer_id":
            return super().can_only_be(column, profile)
        many = profile.rows < _SHORT or profile.different > max(_FEW_VALUES, profile.rows / _SMALL)
        repeats = profile.filled > 0.5 and profile.distinct < 0.9 and many
        is_id = profile.ids > MOSTLY and not profile.largest < _SMALL  # no word, and no age, rating or count
        return repeats and is_id and profile.date < 0.1 and profile.decimals < 0.1

    def compare(self, look: Look) -> Iterator[Finding | Question]:
        """Questions about amounts, costs and ids, and findings from the words of the log."""
        yield from doubts(look)
        yield from words_of(look, _paid(look))

    def settle(self, matches: dict[str, Match], further: Sequence[Finding]) -> dict[str, Match]:
        """Drop the price if there is an amount, and line columns if an order's total is counted once."""
        has_amount = "amount" in matches and matches["amount"].column != NONE
        dropped = {"unit_price"} if has_amount else set()
        if any(finding.value == "order_total" for finding in further):
            dropped |= {*_LINE_COLUMNS}
        settled = {purpose: match for purpose, match in matches.items() if purpose not in dropped}
        if not has_amount and {"quantity", "unit_price"} <= settled.keys():
            quantity, price = settled["quantity"].column, settled["unit_price"]
            why = f"no column holds amounts: the amount is computed as {quantity!r} times {price.column!r}"
            settled["unit_price"] = replace(price, evidence=f"{price.evidence}; {why}")
        return settled

    def further(self, look: Look) -> Iterator[Finding | Question]:
        """The shop that exported it, its grain, the states of orders, and its money."""
        shop = _export(look.table.columns)
        if shop:
            yield Finding("export", shop, f"it has the columns {', '.join(_EXPORTS[shop])}")
        yield from _orders(look)
        yield from _money(look)


def _paid(look: Look) -> ir.NumericValue | None:
    """The amount of each row, from a column or as quantity times price."""
    parts = ["amount"] if "amount" in look.matches else ["quantity", "unit_price"]
    return math.prod(map(look.number, parts)) if look.matches.keys() >= {*parts} else None


def _export(columns: Sequence[str]) -> str | None:
    """The shop whose export has these columns."""
    return next((shop for shop, signs in _EXPORTS.items() if {*signs} <= {*columns}), None)


def _orders(look: Look) -> Iterator[Finding | Question]:
    """The grain, and what the states of orders are."""
    yield from _unnamed_orders(look)
    if {"order_id", "amount"} <= look.matches.keys():
        rows = look.table.select(order_id=look.text("order_id"), amount=look.number("amount"))
        grain = guess_grain(rows, look.source("amount"))
        yield Finding("grain", grain.row_is, grain.evidence)
        if grain.amount_is != "row":
            yield Finding("policies.amount_is", grain.amount_is, grain.evidence)
    if "status" in look.matches:
        yield states_of(look)


def _unnamed_orders(look: Look) -> Iterator[Question]:
    """Where nothing names the orders, rows of one customer and moment that may each hold the total of one order."""
    known = {*look.matches, *look.given}
    if {"order_id", "columns.order_id"} & known or not {"customer_id", "date", "amount"} <= known:
        return
    ours, same = look.source("amount"), look.text("customer_id") + " " + look.text("date")
    rows = look.table.mutate(order_id=same, amount=look.number("amount")).distinct()
    if guess_grain(rows.select("order_id", "amount"), ours).amount_is != "row":
        taken = {match.column for match in look.matches.values()}
        text = f"nearly all rows of one customer and date have the same {ours!r}, which may be the total of an order "
        text += (
            f"and would count more than once: which column is the order? Answer {NONE} if each row was paid"
        )
        yield Question("columns.order_id", text, (*[n for n in look.sample.columns if n not in taken], NONE))


def _money(look: Look) -> Iterator[Finding | Question]:
    """The currency, amounts that are none, and tax and shipping within the amount."""
    currency = _currency(look)
    yield currency
    yield from _cents(look, currency)
    yield from _unreadable(look)
    parts = [part for part in ("tax", "shipping") if part in look.matches]
    if not parts or "amount" not in look.matches:
        return
    seen = first_row(look.table.agg(**{name: look.number(name).sum() for name in ("amount", *parts)}))
    shares = " and ".join(
        f"{part} ({look.source(part)!r}) is {fmt.share((seen[part] or 0) / seen['amount'])} of the amount"
        for part in parts
        if seen["amount"]
    )
    why = f"{shares}; to take them off the revenue: [{', '.join(parts)}]"
    yield Finding("policies.amount_includes", (), why)


def _currency(look: Look) -> Finding | Question:
    """The one currency that the amounts' signs, their column's name and a column of currencies can mean."""
    if look.given.get("currency"):
        return Finding("currency", str(look.given["currency"]).upper(), "named by you")
    money = _money_column(look)
    amount = look.source(money) if money else ""
    proofs = dict.fromkeys(codes_in_name(amount), f"by the name of the column {amount!r}")
    for column, texts in _currency_texts(look, money):
        for text, rows, example in texts:
            for mark in currency_marks([text]):
                shown = f"such as {example!r} ({fmt.plural(rows, 'row')})"
                proofs.setdefault(mark, f"{mark} in {column!r}, {shown}")
    possible, listed = common_currencies(proofs), "; ".join(proofs.values())
    if not proofs:
        return CURRENCY_UNKNOWN
    if possible is None:
        answers = sorted({code for mark in proofs for code in codes_of(mark)})
        text = f"several currencies: {listed}; which one counts? Rows in another one will be set aside"
        return Question("currency", text, tuple(answers))
    if len(possible) > 1:
        return Question("currency", f"{listed}: which currency is that?", possible)
    return Finding("currency", possible[0], listed)


def _cents(look: Look, currency: Finding | Question) -> Iterator[Question]:
    """Whole numbers of three digits and more in a currency with cents: they may be cents, as payment systems send."""
    ours, code = _money_column(look), currency.value if isinstance(currency, Finding) else None
    if ours is None or code in (None, *_WITHOUT_CENTS) or "amount_unit" in look.given:
        return
    theirs, number, text = look.source(ours), look.number(ours).abs(), look.text(ours)
    signs = {"plain": text.re_search("^-?[0-9]+$"), "large": number >= 100, "uneven": number % 100 > 0}
    shares = {name: sign.cast("float64").mean() for name, sign in signs.items()}
    seen = first_row(look.table.filter(number > 0).agg(rows=_.count(), **shares, example=text.max()))
    if not seen["rows"] or unit_in(theirs) or str(code).lower() in theirs.lower() or seen["plain"] < 1:
        return
    if seen["large"] > _ALIKE and seen["uneven"] > MOSTLY:
        text = f"{theirs!r} holds nothing but whole numbers, such as {seen['example']}, and {code} has cents: are "
        text += f"these cents, as payment systems send them, or {WHOLE} {code}?"
        yield Question("amount_unit", text, ("cents", WHOLE))


def _money_column(look: Look) -> str | None:
    return next((name for name in ("amount", "unit_price") if name in look.matches), None)


def _currency_texts(look: Look, money: str | None) -> Iterator[tuple[str, list[tuple[str, int, str]]]]:
    """Column, and of each mark in it: mark, rows and an example; first a column of currencies, then the amounts."""
    if "currency" in look.matches:
        written = look.text("currency").upper()
        yield look.source("currency"), counted(look.table, written, written)
    if money and look.table[look.source(money)].type().is_string():
        written = look.text(money)
        yield look.source(money), counted(look.table, marks_of(written, look.decimal), written)


def _unreadable(look: Look) -> Iterator[Question]:
    """A question where many amounts carry what makes them no number, unless the column was named all the same."""
    ours, table = _money_column(look), look.table
    if ours is None or f"columns.{ours}" in look.given or not table[look.source(ours)].type().is_string():
        return
    text, theirs = look.text(ours), look.source(ours)
    total = count_of(table.filter(text.notnull()))
    for why, rows, example in unread_amounts(table, text, look.decimal):
        if why not in (DASH, SEPARATORS) and rows >= MANY_UNREADABLE * total:
            yield Question(
                f"columns.{ours}",
                f"{rows:,} of {total:,} values of {theirs!r} cannot be read, such as {example!r}{why}; export them as "
                f"plain numbers with a sign, or name the column all the same, and such rows are set aside",
                (theirs,),
            )
            return


@dataclass(frozen=True)
class Grain:
    """Whether rows are lines or orders, what `policies.amount_is` has to be, and what speaks for it."""

    row_is: str
    amount_is: str
    evidence: str


def guess_grain(rows: ibis.Table, amount_name: str) -> Grain:
    """Decide whether rows are orders or order lines, and whether an order's total is repeated on every line.

    `rows`: `order_id` (text or null) and `amount` (number or null) of every row. `amount_name`: the file's name for the
    amount: "Order Total" speaks for itself.

    Equal amounts on the lines of an order may be chance where all things cost the same: the share of
    orders that are alike is held against the chance that two rows of the log are.
    """
    orders = rows.filter(_.order_id.notnull()).group_by("order_id")
    orders = orders.agg(lines=_.count(), stated=_.amount.count(), low=_.amount.min(), high=_.amount.max())
    several = orders.lines > 1
    alike = several & ((orders.low == orders.high) | orders.low.isnull())
    blank = several & (orders.stated == 1)
    found = orders.agg(orders=orders.count(), several=several.sum(), alike=alike.sum(), blank=blank.sum())
    counts = {key: int(value or 0) for key, value in first_row(found).items()}
    if not counts["several"]:
        return Grain("order", "row", f"no order number stands twice in {counts['orders']:,} orders")
    several_orders = f"{counts['alike']:,} of {counts['several']:,} orders with several lines"
    named_total = plain_name(amount_name).startswith((*_TOTALS,))
    proven = counts["several"] >= _ENOUGH_ORDERS and _chance_alike(rows) < 0.5
    if counts["alike"] / counts["several"] >= _ALIKE and (proven or named_total):
        first = "on the first line alone" if counts["blank"] else "the same on every line"
        why = f"in {several_orders} {amount_name!r} stands {first}: it is the order's total, "
        why += "and adding up the lines would count it more than once"
        return Grain("line of an order", "order_total", why)
    why = f"lines of one order have amounts of their own (equal in {several_orders})"
    return Grain("line of an order", "row", why)


def _chance_alike(rows: ibis.Table) -> float:
    """The chance that two rows of the log have the same amount."""
    counts = rows.filter(_.amount.notnull()).group_by("amount").agg(n=_.count().cast("float64"))
    found = first_row(counts.agg(same=(counts.n * counts.n).sum(), total=counts.n.sum()))
    return (found["same"] or 0.0) / max((found["total"] or 0.0) ** 2, 1.0)
