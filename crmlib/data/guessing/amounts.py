"""Check that columns of money hold what was paid for a row, in one currency, unit and sign; where they do not, ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crmlib import format as fmt
from crmlib.data.cleaning.reading import read_number
from crmlib.data.contracts import TRANSACTIONS
from crmlib.data.contracts.contract import NONE, Column, plain_name
from crmlib.data.currencies import codes_in_name, common_currencies
from crmlib.data.engine import frame_table
from crmlib.data.guessing.columns import MOSTLY, Look, Profile, may_be_named, near_names
from crmlib.data.guessing.findings import Finding, Question
from crmlib.data.policies import UNITS
from crmlib.data.vocabulary import words
from crmlib.errors import DataError, did_you_mean

_Check = Callable[[Look, pd.DataFrame], Iterator[Question]]
_HALF_WAY = 0.5  # from "does not rise with quantity" to "rises in proportion"
_SURE = 2.0  # standard errors
_EXACT = 0.05  # two rows in proportion have no standard error
_FEW = 0.01  # of the rows
WHOLE = "whole"  # units of the currency
_UNIT_NAMES = words("units")
_PER_UNIT = {*_UNIT_NAMES.pop("one")}
MONEY = ("amount", "quantity", "unit_price", "cost")
_SIDES = words("sides of an account")
_BOTH_SIDES = 0.05  # of the rows with an amount; one with an amount on both sides is a correction


def money_units(
    here: Sequence[tuple[Column, str]], profiles: Mapping[str, Profile], given: Mapping[str, Any]
) -> Iterator[Finding | Question]:
    """The unit in the names of money columns, such as cents; a question where the amounts have decimals."""
    columns = {column.name: theirs for column, theirs in here if column.kind == "money"}
    unit = given.get("amount_unit")
    if unit is not None:
        if unit not in (*UNITS, WHOLE):
            raise DataError(f"amount_unit is {unit!r}; {did_you_mean(unit, [*UNITS, WHOLE])}")
        yield from [Finding("amount_unit", unit, "named by you")] if unit != WHOLE else []
        return
    found = {ours: unit for ours, theirs in columns.items() if (unit := unit_in(theirs))}
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


def unit_in(name: str) -> str | None:
    """The unit of money that the name of a column says, such as cents."""
    parts = set(plain_name(name).split("_"))
    return next((unit for unit, named in _UNIT_NAMES.items() if parts & {*named}), None)


def amount_doubts(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """Questions where the content of money columns contradicts their names; `numbers` are those of a sample."""
    open_ones, computed = look.matches.keys() - look.known, {"unit_price", "quantity"} <= look.matches.keys()
    checks: list[_Check] = [] if "columns.amount" in look.given else [_two_sides]
    if "amount" in open_ones and not look.matches["amount"].is_by_content:
        checks += [_a_count, _another_currency, _below_zero]
    elif computed and "amount" not in (*look.matches, *look.known):
        checks += [_a_total, _before_discount]
    found = next((found for check in checks if (found := list(check(look, numbers)))), [])
    yield from found
    if "cost" in open_ones and not found:  # once the amount is known, its cost can be judged
        yield from _cost_above(look, numbers)


def _two_sides(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """Amounts in two columns, such as debit and credit; an amount with a sign beside them needs no question."""
    if "amount" in numbers and (numbers["amount"] < 0).any():
        return
    named = {f"_{plain_name(name)}_": name for name in look.sample.columns}
    sides = [
        next((name for plain, name in named.items() if any(f"_{word}_" in plain for word in words)), None)
        for words in _SIDES.values()
    ]
    if None in sides or sides[0] == sides[1]:
        return
    if any(look.profiles[str(side)].number < MOSTLY for side in sides):
        return
    texts = look.sample[sides].astype("string")
    filled = texts.apply(lambda column: column.str.contains("[1-9]").fillna(False))
    if filled.any().all() and filled.all(axis=1).sum() <= _BOTH_SIDES * filled.any(axis=1).sum():
        yield Question(
            "columns.amount",
            f"each row has an amount in {sides[0]!r} or in {sides[1]!r}, the two sides of an account. Make one column "
            "of them, with what customers paid above zero and what they got back below zero, and name it; or name the "
            "one that holds what they paid, and the other one does not count: --column amount=COLUMN",
        )


def _a_count(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """Whole numbers beside larger ones may count pieces: those have cents, or most rows are of one or two."""
    amount, found = numbers["amount"].dropna().abs(), look.source("amount")
    if amount.empty or (amount % 1 != 0).any():
        return
    of_money = [purpose for purpose in MONEY if purpose != "quantity"]
    mostly_few = (amount <= 2).mean() > MOSTLY
    for name in look.sample.columns:
        if name == found or not any(may_be_named(name, TRANSACTIONS, purpose) for purpose in of_money):
            continue
        written = frame_table(look.sample[[name]])[name]
        other = read_number(written, look.decimal).name("other").to_pandas().dropna()
        has_cents = (other % 1 != 0).mean() > MOSTLY
        if (has_cents or mostly_few) and other.abs().mean() > amount.mean():
            yield Question(
                "columns.amount",
                f"{found!r} holds whole numbers up to {fmt.count(amount.max())} and may count pieces; {name!r} holds "
                f"{'money with cents' if has_cents else 'larger ones'}: which one was paid for the row?",
                (name, found),
            )
            return


def _another_currency(look: Look, _numbers: pd.DataFrame) -> Iterator[Question]:
    """Two columns of amounts whose names have different currencies."""
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
    if below > MOSTLY * len(filled) or (len(amount) and filled.empty):
        why = f"{fmt.count(below)} of {fmt.count(len(filled))} amounts below zero, which is money back"
        yield Question(
            "columns.amount",
            f"{found!r} holds {why if below else 'nothing but zero'}. Export what customers paid as amounts above "
            "zero, or name the column all the same",
            (found,),
        )


def _a_total(look: Look, numbers: pd.DataFrame) -> Iterator[Question]:
    """A price that rises in proportion to the quantity is that of the whole line, and must not be multiplied."""
    price, quantity = look.source("unit_price"), look.source("quantity")
    slope, error = _rise(numbers)
    if slope is None or slope + _SURE * error < _HALF_WAY:
        return
    proportional = slope - _SURE * error > _HALF_WAY or abs(slope - 1) < _EXACT
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
    """The elasticity of the price to the quantity (0: none, 1: in proportion), and its standard error.

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
        return _HALF_WAY, 0.0  # one quantity in every row: nothing can be seen
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
    if above.mean() > MOSTLY:
        yield Question(
            "columns.cost",
            f"{found!r} is above the amount ({paid}) in {fmt.count(above.sum())} of {fmt.count(both.sum())} rows. "
            f"Answer {found} if it is what the firm paid for the goods of the row all the same, or {NONE} if it is not",
            (NONE, found),
        )


def _before_discount(look: Look, _numbers: pd.DataFrame) -> Iterator[Question]:
    """Quantity times price, where a discount stands beside them that nothing takes off."""
    names = near_names(TRANSACTIONS, "discount", look.sample.columns)
    given = [name for name in names if look.sample[name].astype("string").str.contains("[1-9]").any()]
    if given:
        quantity, price = look.source("quantity"), look.source("unit_price")
        yield Question(
            "columns.amount",
            f"no column holds what was paid, and {given[0]!r} would not be taken off {quantity!r} times {price!r}: add "
            f"a column of what was paid for the row, or answer {NONE} if {price!r} is what was left after it",
            (NONE,),
        )
