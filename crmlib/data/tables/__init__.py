"""The tables that a firm can supply: the purchase log, which every study has, and those beside it."""

from __future__ import annotations

from crmlib.data.tables.contracts import Column, Contract
from crmlib.data.tables.customer_tables import (
    CUSTOMER_FEATURES,
    CUSTOMERS,
    EXPERIMENTS,
    LOYALTY_LEDGER,
    SERVICE_CASES,
    SUBSCRIPTIONS,
    SURVEYS,
    TOUCHPOINTS,
)
from crmlib.data.tables.firm_tables import (
    BUDGET,
    CAPACITY,
    LEADS,
    MARKETING_SPEND,
    MATURITY_SCORES,
    NETWORK_PARTNERS,
    STAFF_HOURS,
)

TRANSACTIONS = Contract(
    "transactions",
    "one row per order line, or per order",
    (
        Column("customer_id", "text", "who bought; leading zeros belong to it", required=True),
        Column("date", "date", "when, to the day or finer", required=True),
        Column("amount", "money", "paid for the row, net of discount; negative is money back", required=True),
        Column("order_id", "text", "which rows are one order", also="order"),
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

OPTIONAL = (
    CUSTOMERS,
    TOUCHPOINTS,
    SERVICE_CASES,
    MARKETING_SPEND,
    LEADS,
    SUBSCRIPTIONS,
    LOYALTY_LEDGER,
    SURVEYS,
    EXPERIMENTS,
    NETWORK_PARTNERS,
    STAFF_HOURS,
    CAPACITY,
    BUDGET,
    MATURITY_SCORES,
    CUSTOMER_FEATURES,
)
CONTRACTS = {contract.name: contract for contract in (TRANSACTIONS, *OPTIONAL)}
TABLE_NAMES = tuple(CONTRACTS)
