"""The tables that a firm can supply: the purchase log, which every study has, and those beside it."""

from __future__ import annotations

from crmlib.data.contracts.customer_tables import (
    CUSTOMER_FEATURES,
    CUSTOMERS,
    EXPERIMENTS,
    LOYALTY_LEDGER,
    SERVICE_CASES,
    SUBSCRIPTIONS,
    SURVEYS,
    TOUCHPOINTS,
    TRANSACTIONS,
)
from crmlib.data.contracts.firm_tables import (
    BUDGET,
    CAPACITY,
    LEADS,
    MARKETING_SPEND,
    MATURITY_SCORES,
    NETWORK_PARTNERS,
    STAFF_HOURS,
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
