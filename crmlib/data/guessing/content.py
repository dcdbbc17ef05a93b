"""Check that the content of purchase log columns fits their names; where it does not, ask."""

from __future__ import annotations

from collections.abc import Iterator

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.ids import id_fault, read_id
from crmlib.data.cleaning.reading import parse_number, where, why_unreadable, without_words
from crmlib.data.cleaning.steps import HOLDS_TOTAL
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.contracts.contract import Contract, plain_name
from crmlib.data.engine import count_of, most_frequent
from crmlib.data.fitness import id_of_many
from crmlib.data.guessing.amounts import MONEY, amount_doubts
from crmlib.data.guessing.columns import IS_DATE, MOSTLY, Look, Profile, may_be_named, names_of, rank_of
from crmlib.data.guessing.findings import Finding, Question
from crmlib.data.guessing.log_words import KEEP, SET_ASIDE
from crmlib.data.policies import Policies

_REPEATS = 0.95  # of one id's values, or fewer, another one has: it comes again where the first does not
MANY_UNREADABLE = 0.02  # of a column's values are no typing errors: they are asked about
_CUSTOMER, _CUSTOMER_NAMES = TRANSACTIONS.column("customer_id"), names_of(TRANSACTIONS)["customer_id"]
_SUMS = 0.2  # of the money; rows that only sound like sums, as of a firm named so, have less


def doubts(look: Look) -> Iterator[Finding | Question]:
    """Questions where the content of matched columns contradicts their names, except for known ones."""
    matches, open_ones = look.matches, look.matches.keys() - look.known
    read: dict[str, ir.Value] = {name: look.number(name) for name in MONEY if name in matches}
    if "product" in matches:
        read["product"] = look.text("product")
    numbers = look.table.limit(len(look.sample)).select(**read).to_pandas() if read else pd.DataFrame()
    of_amounts = [*amount_doubts(look, numbers)]
    asked = {question.entry.removeprefix("columns.") for question in of_amounts}
    open_names = [name for name in ("customer_id", "amount") if name in open_ones - asked]
    unnamed = [name for name in open_names if matches[name].is_by_content]
    for name in unnamed:
        column = look.source(name)
        yield Question(
            f"columns.{name}",
            f"{column!r} may be the {name} by its content, and its name does not say so: which column is it?",
            (column, *[other for other in look.sample.columns if other != column]),
        )
    open_ones -= {*unnamed}
    if "customer_id" in open_ones:
        yield from _another_id(look)
    if {"customer_id", "date", "amount"} <= matches.keys() and "columns.customer_id" not in look.given:
        yield from _sums_among_rows(look, numbers["amount"])
    yield from of_amounts
    yield from _one_for_many(look)


def counted(table: ibis.Table, mark: ir.StringColumn, text: ir.StringColumn) -> list[tuple[str, int, str]]:
    """Values of `mark` with their number of rows and an example, the most frequent first."""
    found = most_frequent(table.select(mark=mark, text=text), "mark", _.mark, 1_000, example=_.text.min())
    return [(row["mark"], row["rows"], row["example"]) for row in found]


def unread_amounts(table: ibis.Table, text: ir.StringColumn, decimal: str) -> list[tuple[str, int, str]]:
    """Causes why texts are no numbers, with their rows and an example; those without a digit have no cause."""
    unread = text.notnull() & parse_number(text, decimal).isnull()
    return counted(table, where(unread, why_unreadable(text).nullif("")), text)


def faulty_ids(contract: Contract, look: Look) -> Iterator[Question]:
    """A question where many ids of customers cannot be read, unless the user named the column."""
    for ours in (column.name for column in contract.columns if column.names_customer):
        if ours not in look.matches or f"columns.{ours}" in look.given:
            continue
        text, theirs = look.text(ours), look.source(ours)
        causes = counted(look.table, where(read_id(text).isnull(), id_fault(text)), text)
        lost = sum(rows for _why, rows, _example in causes)
        total = count_of(look.table.filter(text.notnull()))
        if lost > MANY_UNREADABLE * total:
            why, _rows, example = causes[0]
            yield Question(
                f"columns.{ours}",
                f"{lost:,} of {total:,} ids in {theirs!r} are lost, such as {example!r}: {why}; export them anew as "
                "text, or name the column all the same, and such rows are set aside",
                (theirs,),
            )


def mostly_empty(contract: Contract, look: Look) -> Iterator[Question]:
    """A question for each required column that is empty in most rows, unless the user named it."""
    # A total on the first line, an event without money.
    has_blanks = {"order_id", "status"} & look.matches.keys()
    for column in contract.columns:
        ours = column.name
        if not column.required or column.unless or ours in look.known or ours not in look.matches:
            continue
        filled, theirs = look.profiles[look.source(ours)].filled, look.source(ours)
        if 0 < filled <= MOSTLY and not (column.kind == "money" and has_blanks) and _holds_money(look, ours):
            yield Question(
                f"columns.{ours}",
                f"{theirs!r} is empty in {fmt.share(1 - filled)} of the rows. Where it is filled on the first row of a "
                "group alone, fill it down; else name the column all the same, and such rows are set aside",
                (theirs,),
            )


def _holds_money(look: Look, ours: str) -> bool:
    """Whether there is an amount where a column is empty; else nothing is lost, as below the first line of an order."""
    if ours == "amount" or "amount" not in look.matches:
        return True
    return count_of(look.table.filter(look.text(ours).isnull() & look.text("amount").notnull())) > 0


def _one_for_many(look: Look) -> Iterator[Finding | Question]:
    """An id with far more purchases than any other: everybody without an account, or a customer."""
    theirs = look.source("customer_id") if "customer_id" in look.matches else ""
    answer, seen = look.given.get("policies.missing_ids"), look.profiles.get(theirs)
    if answer == KEEP or seen is None or seen.different < 2:
        return
    words = Policies().missing_ids
    order = look.text("order_id") if "order_id" in look.matches else ibis.null("string")
    rows = look.table.select(customer_id=without_words(read_id(look.text("customer_id")), words), order=order)
    who, found = id_of_many(rows.drop_null("customer_id"))
    if answer == SET_ASIDE and who:
        yield Finding("policies.missing_ids", (*words, who), f"{who!r} is no customer, as you said")
    elif who:
        text = f"{who!r} in {theirs!r} has {found}. Does it stand for all guests, a till or a "
        text += f"marketplace, so that its rows are {SET_ASIDE}, or is it a customer ({KEEP})?"
        yield Question("policies.missing_ids", text, (SET_ASIDE, KEEP))


def _another_id(look: Look) -> Iterator[Question]:
    """An id without repeats beside one with repeats: the first may be an order number."""
    sample, found = look.sample, look.source("customer_id")
    ranks = {name: rank_of(plain_name(name), _CUSTOMER, _CUSTOMER_NAMES) for name in sample.columns}
    same = [name for name in ranks if ranks[name] is not None and ranks[name] == ranks[found]]
    alike = [name for name in same if name != found]
    if alike and sample[[found, alike[0]]].drop_duplicates()[found].duplicated().any():
        text = f"{found!r} and {alike[0]!r} may both be the customer, and they differ: which one is it?"
        yield Question("columns.customer_id", text, (found, *alike))
        return
    order = look.source("order_id") if "order_id" in look.matches else None
    ids = sample[found].nunique()
    orders = sample.loc[sample[found].notna(), order].nunique() if order else look.profiles[found].rows
    if ids < max(orders, 2):
        return
    others = [
        name
        for name in sample.columns
        if name not in (found, order)
        and may_be_named(name, TRANSACTIONS, "customer_id")
        and 1 < sample[name].nunique() <= _REPEATS * ids
        and not few_values(look.profiles[name])
    ]
    if others:
        yield Question(
            "columns.customer_id",
            f"{found!r} never comes again in {fmt.count(orders)} orders, and {others[0]!r} does "
            f"({fmt.count(sample[others[0]].nunique())} different ones): which one is the customer?",
            (*others, found),
        )


def few_values(profile: Profile) -> bool:
    """Whether a column has too few different values for customer ids; short files are not judged.

    A log may have few customers, so this decides only where the name is not that of an id.
    """
    return profile.rows >= 50 and profile.different < max(3, profile.rows / 1000)


def _sums_among_rows(look: Look, amount: pd.Series) -> Iterator[Question]:
    """Rows with a date and a customer that are labelled as a total: they would count everything twice."""
    customer, day = look.source("customer_id"), look.source("date")
    texts = look.sample[[customer, day]].astype("string")
    # Others are set aside anyway.
    complete = texts[customer].notna() & texts[day].str.match(IS_DATE).fillna(False)
    says = complete & texts[customer].str.contains(HOLDS_TOTAL).fillna(False)
    if says.any() and amount[says].abs().sum() >= _SUMS * amount.abs().sum():
        yield Question(
            "columns.customer_id",
            f"{fmt.count(says.sum())} rows are called a total, such as {texts.loc[says, customer].iloc[0]!r}: if they "
            "are sums of other rows, delete them in the file, for they would count twice; if not, name the column of "
            "customers all the same",
            (customer,),
        )
