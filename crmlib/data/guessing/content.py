"""Check that the content of purchase log columns fits their names; where it does not, ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _

from crmlib import format as fmt
from crmlib.data.cleaning.ids import id_fault, read_id
from crmlib.data.cleaning.reading import parse_number, read_number, where, why_unreadable
from crmlib.data.cleaning.steps import HOLDS_TOTAL
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.contracts.contract import NONE, Column, Contract, plain_name
from crmlib.data.currencies import codes_in_name, common_currencies
from crmlib.data.engine import count_of, frame_table, most_frequent
from crmlib.data.guessing.columns import IS_DATE, Look, Profile, may_be_named
from crmlib.data.guessing.findings import Finding, Question
from crmlib.data.policies import UNITS
from crmlib.data.vocabulary import words
from crmlib.errors import DataError, did_you_mean

_MOSTLY = 0.5  # of the rows, or half of the way from "does not rise with quantity" to "rises in proportion"
_REPEATS = 0.95  # of one id's values, or fewer, another one has: it comes again where the first does not
_SURE = 2.0  # standard errors
_EXACT = 0.05  # two rows in proportion have no standard error
_FEW = 0.01  # of the rows
MANY_UNREADABLE = 0.02  # of a column's values are no typing errors: they are asked about
WHOLE = "whole"  # units of the currency
_UNIT_NAMES = words("units")
_PER_UNIT = {*_UNIT_NAMES.pop("one")}
_MONEY = ("amount", "quantity", "unit_price", "cost")
_SIDES = words("sides of an account")
_BOTH_SIDES = 0.05  # of the rows with an amount; one with an amount on both sides is a correction
_SUMS = 0.2  # of the money; rows that only sound like sums, as of a firm named so, have less


def doubts(look: Look) -> Iterator[Question]:
    """What the content of matched columns speaks against, but for those that are known."""
    matches, open_ones = look.matches, look.matches.keys() - look.known
    read: dict[str, ir.Value] = {name: look.number(name) for name in _MONEY if name in matches}
    if "product" in matches:
        read["product"] = look.text("product")
    numbers = look.table.limit(len(look.sample)).select(**read).to_pandas() if read else pd.DataFrame()
    open_names = [name for name in ("customer_id", "amount") if name in open_ones]
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
    of_amount = [] if "columns.amount" in look.given else list(_two_sides(look, numbers))
    if of_amount:
        pass
    elif "amount" in open_ones:
        checks = (_a_count, _another_currency, _below_zero)
        of_amount = next((found for check in checks if (found := list(check(look, numbers)))), [])
    elif not {"amount"} & {*matches, *look.known} and {"unit_price", "quantity"} <= matches.keys():
        of_amount = list(_a_total(look, numbers))
    yield from of_amount
    if "cost" in open_ones and not of_amount:  # once the amount is known, its cost can be judged
        yield from _cost_above(look, numbers)


def money_units(
    here: Sequence[tuple[Column, str]], profiles: Mapping[str, Profile], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    """The unit that the names of money columns say, such as cents; asked about where the amounts have decimals."""
    columns = {column.name: theirs for column, theirs in here if column.kind == "money"}
    unit = given.get("amount_unit")
    if unit is not None:
        if unit not in (*UNITS, WHOLE):
            raise DataError(f"amount_unit is {unit!r}; {did_you_mean(unit, [*UNITS, WHOLE])}")
        yield from [Finding("amount_unit", unit, "named by you")] if unit != WHOLE else []
        return
    found = {ours: unit for ours, theirs in columns.items() if (unit := _unit_in(theirs))}
    for ours, unit in found.items():
        if unit == "cents" and profiles[columns[ours]].decimals > _FEW:
            text = f"{columns[ours]!r} has decimals, and its name says {unit}: which unit is it?"
            yield Question("amount_unit", text, (unit, WHOLE))
            return
    if found:
        listed = ", ".join(f"{columns[ours]!r} is in {unit}" for ours, unit in found.items())
        alike = len(found) == len(columns) and len(set(found.values())) == 1
        why = f"by the name of the column: {listed}; amounts are shown in the currency"
        yield Finding("amount_unit", next(iter(found.values())) if alike else found, why)


def _unit_in(name: str) -> str | None:
    parts = set(plain_name(name).split("_"))
    return next((unit for unit, named in _UNIT_NAMES.items() if parts & {*named}), None)


def counted(table: ibis.Table, mark: ir.StringColumn, text: ir.StringColumn) -> list[tuple[str, int, str]]:
    """Different marks, with their rows and an example, the most frequent first."""
    found = most_frequent(table.select(mark=mark, text=text), "mark", _.mark, 1_000, example=_.text.min())
    return [(row["mark"], row["rows"], row["example"]) for row in found]


def unread_amounts(table: ibis.Table, text: ir.StringColumn, decimal: str) -> list[tuple[str, int, str]]:
    """Causes why texts are no numbers, with their rows and an example; those without a digit have no cause."""
    unread = text.notnull() & parse_number(text, decimal).isnull()
    return counted(table, where(unread, why_unreadable(text).nullif("")), text)


def faulty_ids(contract: Contract, look: Look) -> Iterator[Question]:
    """A question where many ids of customers are lost, unless the column was named all the same."""
    for ours in (column.name for column in contract.columns if column.names_customer):
        if ours not in look.matches or f"columns.{ours}" in look.given:
            continue
        text, theirs = look.text(ours), look.source(ours)
        causes = counted(look.table, where(read_id(text).isnull(), id_fault(text)), text)
        lost, total = (
            sum(rows for _why, rows, _example in causes),
            count_of(look.table.filter(text.notnull())),
        )
        if lost > MANY_UNREADABLE * total:
            why, _rows, example = causes[0]
            yield Question(
                f"columns.{ours}",
                f"{lost:,} of {total:,} ids in {theirs!r} are lost, such as {example!r}: {why}; export them anew as "
                "text, or name the column all the same, and such rows are set aside",
                (theirs,),
            )


def mostly_empty(contract: Contract, look: Look) -> Iterator[Question]:
    """A question where most rows lack what each needs, unless the column was named all the same."""
    has_blanks = {
        "order_id",
        "status",
    } & look.matches.keys()  # a total on the first line, an event without money
    for column in contract.columns:
        ours = column.name
        if not column.required or column.unless or ours in look.known or ours not in look.matches:
            continue
        filled, theirs = look.profiles[look.source(ours)].filled, look.source(ours)
        if 0 < filled <= _MOSTLY and not (column.kind == "money" and has_blanks):
            yield Question(
                f"columns.{ours}",
                f"{theirs!r} is empty in {fmt.share(1 - filled)} of the rows. Where it is filled on the first row of a "
                "group alone, fill it down; else name the column all the same, and such rows are set aside",
                (theirs,),
            )


def _another_id(look: Look) -> Iterator[Question]:
    """An id that no customer has twice, beside one that comes again: the first may stand for an order."""
    sample, found = look.sample, look.source("customer_id")
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
    """Whether a column has too few different values to be the id of customers; short files prove nothing.

    A log may have few customers, so this decides only where the name is not that of an id.
    """
    return profile.rows >= 50 and profile.different < max(3, profile.rows / 1000)


def _a_count(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """Whole numbers beside larger ones with cents are pieces rather than money."""
    amount, found = numbers["amount"].dropna().abs(), look.source("amount")
    if amount.empty or (amount % 1 != 0).any():
        return
    for name in look.sample.columns:
        if name == found or not any(
            may_be_named(name, TRANSACTIONS, money) for money in _MONEY if money != "quantity"
        ):
            continue
        written = frame_table(look.sample[[name]])[name]
        other = read_number(written, look.decimal).name("other").to_pandas().dropna()
        if len(other) and (other % 1 != 0).mean() > _MOSTLY and other.abs().mean() > amount.mean():
            yield Question(
                "columns.amount",
                f"{found!r} holds whole numbers up to {fmt.count(amount.max())} and may count pieces; {name!r} holds "
                "money with cents: which one was paid for the row?",
                (name, found),
            )
            return


def _two_sides(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """An amount in one of two columns by its sign, as debit and credit; an amount with a sign stands beside them."""
    if "amount" in numbers and (numbers["amount"] < 0).any():
        return
    named = {f"_{plain_name(name)}_": name for name in look.sample.columns}
    sides = [
        next((name for plain, name in named.items() if any(f"_{word}_" in plain for word in words)), None)
        for words in _SIDES.values()
    ]
    if (
        None in sides
        or sides[0] == sides[1]
        or any(look.profiles[str(side)].number < _MOSTLY for side in sides)
    ):
        return
    filled = look.sample[sides].apply(
        lambda column: column.astype("string").str.contains("[1-9]").fillna(False)
    )
    if filled.any().all() and filled.all(axis=1).sum() <= _BOTH_SIDES * filled.any(axis=1).sum():
        yield Question(
            "columns.amount",
            f"each row has an amount in {sides[0]!r} or in {sides[1]!r}, the two sides of an account. Make one column "
            "of them, with what customers paid above zero and what they got back below zero, and name it; or name the "
            "one that holds what they paid, and the other one does not count: --column amount=COLUMN",
        )


def _another_currency(look: Look, _numbers: pd.DataFrame) -> Iterator[Question]:
    """Two columns of amounts whose names say different currencies."""
    found = look.source("amount")
    for name in look.sample.columns:
        marks = [*codes_in_name(found), *codes_in_name(name)]
        if may_be_named(name, TRANSACTIONS, "amount") and common_currencies(marks) is None:
            text = f"{found!r} and {name!r} hold amounts in two currencies: which one counts?"
            yield Question("columns.amount", text, (found, name))
            return


def _below_zero(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """Amounts most of which would be money back, or which are no money at all."""
    found, amount = look.source("amount"), numbers["amount"].dropna()
    filled = amount[amount != 0]
    below = int((filled < 0).sum())
    if below > _MOSTLY * len(filled) or (len(amount) and filled.empty):
        why = f"{fmt.count(below)} of {fmt.count(len(filled))} amounts below zero, which is money back"
        yield Question(
            "columns.amount",
            f"{found!r} holds {why if below else 'nothing but zero'}. Export what customers paid as amounts above "
            "zero, or name the column all the same",
            (found,),
        )


def _sums_among_rows(look: Look, amount: pd.Series) -> Iterator[Question]:
    """Rows of a day and a customer that are called a total: they would count everything twice."""
    customer, day = look.source("customer_id"), look.source("date")
    texts = look.sample[[customer, day]].astype("string")
    complete = texts[customer].notna() & texts[day].str.match(IS_DATE).fillna(
        False
    )  # others are set aside anyway
    says = complete & texts[customer].str.contains(HOLDS_TOTAL).fillna(False)
    if says.any() and amount[says].abs().sum() >= _SUMS * amount.abs().sum():
        yield Question(
            "columns.customer_id",
            f"{fmt.count(says.sum())} rows are called a total, such as {texts.loc[says, customer].iloc[0]!r}: if they "
            "are sums of other rows, delete them in the file, for they would count twice; if not, name the column of "
            "customers all the same",
            (customer,),
        )


def _a_total(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """A price that rises in proportion to the quantity is that of the whole line, and must not be multiplied."""
    price, quantity = look.source("unit_price"), look.source("quantity")
    slope, error = _rise(numbers)
    if slope is None or slope + _SURE * error < _MOSTLY:
        return
    proportional = slope - _SURE * error > _MOSTLY or abs(slope - 1) < _EXACT
    if not proportional and _PER_UNIT & set(plain_name(price).split("_")):
        return  # too few rows to speak against a name that says it
    found = (
        f"{price!r} rises in proportion to {quantity!r}, as the price of a whole line does"
        if proportional
        else f"whether {price!r} is the price of one or of the whole line is not clear from these rows"
    )
    yield Question(
        "columns.amount",
        f"{found}. Answer {price} if it is what was paid for the row, or {NONE} if the amount is {quantity} times "
        f"{price}",
        (price, NONE),
    )


def _rise(numbers: pd.DataFrame) -> tuple[float | None, float]:
    """By what power the price rises with the quantity (0: not, 1: in proportion), and its standard error.

    Within products where the log knows them and one of them was sold in several quantities, else over all rows. None
    where one piece was sold in every row, for then it is all the same.
    """
    rows = numbers[(numbers["quantity"].abs() > 0) & (numbers["unit_price"].abs() > 0)]
    if rows.empty or (rows["quantity"].abs() == 1).all():
        return None, 0.0
    logs = np.log(rows[["quantity", "unit_price"]].abs())
    within = logs - logs.groupby(rows["product"]).transform("mean") if "product" in rows else logs * 0
    groups = rows["product"].nunique() if (within["quantity"] != 0).any() else 1
    x, y = (within if (within["quantity"] != 0).any() else logs - logs.mean()).to_numpy().T
    if not (x**2).sum():
        return _MOSTLY, 0.0  # one quantity in every row: nothing can be seen
    slope = float((x * y).sum() / (x**2).sum())
    left = max(len(x) - groups - 1, 1)
    return slope, float(np.sqrt(((y - slope * x) ** 2).sum() / left / (x**2).sum()))


def _cost_above(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """Goods that cost more than was paid for them, in most rows."""
    if "amount" in numbers:
        amount, paid = numbers["amount"], repr(look.source("amount"))
    elif {"quantity", "unit_price"} <= {*numbers.columns}:
        amount, paid = numbers["quantity"] * numbers["unit_price"], "quantity times price"
    else:
        return
    cost, found = numbers["cost"], look.source("cost")
    both = (cost.abs() > 0) & (amount.abs() > 0)
    above = (cost.abs() > amount.abs())[both]
    if above.mean() > _MOSTLY:
        yield Question(
            "columns.cost",
            f"{found!r} is above the amount ({paid}) in {fmt.count(above.sum())} of {fmt.count(both.sum())} rows. "
            f"Answer {found} if it is what the firm paid for the goods of the row all the same, or {NONE} if it is not",
            (NONE, found),
        )
