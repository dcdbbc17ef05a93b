"""The contracts of the tables: which columns a firm supplies, and what each is for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crmlib.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Column:
    """One column of a contract: its name, kind (text, date, number, money, flag) and purpose."""

    name: str
    kind: str
    purpose: str
    required: bool = False


@dataclass(frozen=True)
class Contract:
    """What a table must and may hold."""

    name: str
    grain: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Every column that the contract knows."""
        return [column.name for column in self.columns]

    def resolve(self, mapping: dict[str, str], found: Iterable[str]) -> dict[str, str]:
        """Match the contract's columns to those of a source.

        Parameters
        ----------
        mapping : dict of str
            The study's own words: contract column to source column. What it leaves out is taken from a
            source column of the same name, if there is one.
        found : iterable of str
            Columns of the source.

        Returns
        -------
        dict of str
            Contract column to source column; required ones are among them, but `amount` not where `quantity`
            and `unit_price` stand for it.

        Raises
        ------
        DataError
            If a named column is not in the source, or a required one is nowhere.
        """
        available = list(found)
        for ours, theirs in mapping.items():
            if ours not in self.names:
                raise DataError(
                    f"{self.name}: columns names {ours!r}, which the contract lacks; "
                    f"{did_you_mean(ours, self.names)}"
                )
            if theirs not in available:
                raise DataError(
                    f"{self.name}: columns.{ours} names {theirs!r}, which the source lacks; "
                    f"{did_you_mean(theirs, available[:40])}"
                )
        resolved = {name: mapping.get(name, name) for name in self.names}
        resolved = {ours: theirs for ours, theirs in resolved.items() if theirs in available}
        missing = [column.name for column in self.columns if column.required and column.name not in resolved]
        if {"quantity", "unit_price"} <= resolved.keys():
            missing = [name for name in missing if name != "amount"]
        if missing:
            raise DataError(
                f"{self.name}: no column {missing[0]!r}; say which one it is under `columns`, as in "
                f"{missing[0]}: <source column>. The source has: {', '.join(available[:40])}"
            )
        return resolved


TRANSACTIONS = Contract(
    "transactions",
    "one row per order line, or per order",
    (
        Column("customer_id", "text", "who bought; leading zeros belong to it", required=True),
        Column("date", "date", "when, to the day or finer", required=True),
        Column("amount", "money", "paid for the row, net of discount; negative is money back", required=True),
        Column("order_id", "text", "which rows are one order"),
        Column("line_id", "text", "the row's own number; a repeated one is a fault"),
        Column(
            "product",
            "text",
            "what was bought; also narrows the search for the purchase that a return undoes",
        ),
        Column("category", "text", "the product's group"),
        Column("quantity", "number", "how many"),
        Column("unit_price", "money", "price of one; where there is no amount, it is quantity times this"),
        Column(
            "cost",
            "money",
            "cost of goods of the row, so that profit is measured; negative where a return comes back to stock",
        ),
        Column("discount", "money", "price taken off, as a positive amount"),
        Column("channel", "text", "where it was bought"),
        Column("market", "text", "country or market"),
        Column("currency", "text", "currency of the amount; other ones than the study's are set aside"),
        Column("status", "text", "state of the order; cancelled and test orders are set aside"),
        Column("cancelled_at", "text", "when the order was cancelled; a row where it is filled is set aside"),
        Column("returned", "flag", "the row is a return, whatever the sign of its amount"),
        Column("refunded", "money", "given back of the amount later on, as a positive amount; taken off it"),
        Column("tax", "money", "tax within the amount; see policies.amount_includes"),
        Column("shipping", "money", "shipping within the amount; see policies.amount_includes"),
    ),
)

# Tables that a firm can supply beside the purchase log; a notebook that needs one says so.
OPTIONAL_TABLES = (
    "customers",
    "touchpoints",
    "service_cases",
    "marketing_spend",
    "leads",
    "subscriptions",
    "loyalty_ledger",
    "surveys",
    "experiments",
    "network_partners",
    "staff_hours",
    "capacity",
    "budget",
    "maturity_scores",
)
TABLE_NAMES = ("transactions", *OPTIONAL_TABLES)
